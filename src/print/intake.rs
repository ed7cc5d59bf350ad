//! How a blank comes to a slot: fed, its printed serial number read, and matched with stock before
//! anything is written on it.
//!
//! ```text
//!   Feeder ── feed ──► a blank ── Scanner ──► BlankSerial ── BlankBook ──► AdmittedBlank
//!                                                                           │ the chip is read
//!                                                                           ▼
//!                                                        ConfirmedBlank: it may be written
//! ```
//!
//! Nothing is written on a blank of which there is no [`ConfirmedBlank`], and one is made by these
//! two steps alone.

mod admission;
mod feeder;
mod scan;
mod scanner;

pub use admission::{
    AdmissionError, AdmittedBlank, BlankBook, BlankStanding, ConfirmedBlank, admit,
};
pub use feeder::{Feeder, FeederError, LineFeeder, LineFeederTexts};
pub use scan::{BlankSerial, ScanEar, ScanFault};
pub use scanner::{ScanError, Scanner, ScannerSettings};
