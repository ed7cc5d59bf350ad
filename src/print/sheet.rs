//! Sheets: letters and lists on paper, by layouts that are files as those of faces are.
//!
//! ```text
//!  pin-envelope.svg ── SheetLayout::parse ──► SheetLayout ─┐
//!                                                          ├─ pages ──► PDF
//!  the letter's texts, and one set of them a row ── Facts ─┘
//! ```
//!
//! What is written stays text in the PDF, so that it is searched, copied and read aloud; shapes
//! stay shapes. The typefaces are embedded: the same letter is the same bytes on every machine.
//! What is written here may be secret: it is put together in buffers of their full size, so that
//! growing leaves no copy, and each is wiped.

mod draw;
mod ink;
mod kind;
mod layout;
mod pdf;
mod proof;
mod read;
mod rows;
mod sample;
mod typeface;

pub use kind::SheetKind;
pub use layout::SheetLayout;

/// Points in a millimetre (*ISO 32000-1 §8.3.2.3*: 72 in an inch).
const POINTS: f32 = 72.0 / 25.4;

#[cfg(test)]
pub(crate) use tests::shipped;

#[cfg(test)]
#[path = "../../tests/print/sheet.rs"]
mod tests;
