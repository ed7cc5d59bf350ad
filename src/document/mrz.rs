//! The machine readable zone: *ICAO Doc 9303-3 §4*, and -4 (TD3), -5 (TD1), -6 (TD2), -7 (visas).
//!
//! ```text
//!  Record, Conventions --- Mrz::of ----+
//!  Parts ----------------- Mrz::build -+--> Mrz --> Display, lines(), as_bytes() (for DG1)
//!  text of a document ---- Mrz::parse -+     |----> fields, Names, ZoneDate, document_number()
//!                          Mrz::read --+     |----> mrz_information(): the key seed's input
//!                          (lenient)         +----> checks(), faults(), differences()
//! ```
//!
//! An [`Mrz`] always has the form of its [`Format`]: so many lines, so many characters, none but
//! `A` to `Z`, `0` to `9` and `<`. Whether what it says is right is another matter:
//! [`Mrz::parse`] demands that it is, and [`Mrz::read`] leaves it to [`Mrz::faults`], so that an
//! inspector can show a foreign document's zone together with what is wrong in it.
//!
//! All of it is personal data: nothing here shows more than the format in `Debug`, errors name
//! places and never content (but for one character that no zone may hold), and memory is wiped.

mod build;
mod check_digit;
mod conventions;
mod date;
mod fault;
mod field;
mod format;
mod information;
mod judge;
mod names;
mod read;
mod zone;

pub use build::{BuildError, Parts, UnusedCheck};
pub use check_digit::check_digit;
pub use conventions::{Conventions, PersonalCodePlace};
pub use date::{DateError, ZoneDate};
pub use fault::{Check, Fault, MrzError, ReadError, Wrong};
pub use field::Field;
pub use format::Format;
pub use information::{InformationError, MrzInformation};
pub use names::{NameFault, Names};
pub use zone::Mrz;

#[cfg(test)]
mod tests;
