//! Faces and letters, and the printers that make them.
//!
//! ```text
//!   EnvelopeLetter ── render ──► Letter (a PDF in memory, wiped when dropped)
//!                                  │
//!                                  ▼ moved: it is printed once, or not at all
//!   EnvelopePrinter ◄── print ── PjlPrinter ── TCP 9100 ──► a printer that seals
//!                                  └──► PrintedReceipt, or PrintError: spent or not
//! ```
//!
//! A letter never touches a disk: it is made in memory and streamed. Which of them was paper and
//! which was not is the caller's to account for; the error says what is known.

mod envelope_letter;
mod layout;
mod letter;
mod typeface;
mod words;

pub use envelope_letter::{EnvelopeLetter, LetterError, LetterPin};
pub use layout::{ADDRESS_WINDOW, Area, PAGE, PIN_FIELD};
pub use letter::Letter;
pub use words::Language;
