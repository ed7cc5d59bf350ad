//! A blank is known before it is written.

use std::error::Error;
use std::time::Duration;

use thiserror::Error;

use super::scan::BlankSerial;
use super::scanner::{ScanError, Scanner};

/// The books of blanks, as far as a slot asks them.
pub trait BlankBook {
    /// Returns where a blank is, by the serial number that is printed on it.
    ///
    /// # Errors
    /// Where the books cannot be asked: then nobody knows, and nothing is written.
    fn standing(
        &mut self,
        serial: &BlankSerial,
    ) -> Result<BlankStanding, Box<dyn Error + Send + Sync>>;
}

/// Where the books have a blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlankStanding {
    /// In stock for this slot, with these chips: their serial numbers in hexadecimal.
    InStock {
        /// Serial numbers of its chips.
        chips: Vec<String>,
    },
    /// In another account, as the books call it: it is no blank any more, or not here.
    Elsewhere {
        /// The account.
        account: String,
    },
    /// In no book.
    Unknown,
}

/// Why a blank is not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Its serial number was not read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The books cannot be asked.
    #[error("the blank {serial} cannot be looked up; nothing is written on it")]
    Book {
        /// Its serial number.
        serial: BlankSerial,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The books have it elsewhere.
    #[error("the blank {serial} is not in stock here, but {account}: put it aside")]
    Elsewhere {
        /// Its serial number.
        serial: BlankSerial,
        /// Where it is.
        account: String,
    },
    /// No book has it.
    #[error("the blank {serial} is in no book: put it aside; it is an incident")]
    Unknown {
        /// Its serial number.
        serial: BlankSerial,
    },
    /// Its chip is another one than the books have for it.
    #[error("the blank {serial} has other chips than the books say ({}): put it aside; it is an incident", found.join(", "))]
    Chips {
        /// Its serial number.
        serial: BlankSerial,
        /// The chips that were read.
        found: Vec<String>,
    },
}

/// A blank that is in stock by what is printed on it. Its chips are not known yet.
#[derive(Debug)]
pub struct AdmittedBlank {
    serial: BlankSerial,
    chips: Vec<String>,
}

/// A blank that is in stock, by what is printed on it and by its chips: it may be written.
#[derive(Debug)]
pub struct ConfirmedBlank {
    serial: BlankSerial,
}

/// Reads the serial number of the blank before the scanner, and asks the books for it.
///
/// # Errors
/// [`AdmissionError`]; nothing may be written on the blank then.
pub fn admit(
    scanner: &mut Scanner,
    book: &mut dyn BlankBook,
    patience: Duration,
) -> Result<AdmittedBlank, AdmissionError> {
    let serial = scanner.read(patience)?;
    match book.standing(&serial) {
        Ok(BlankStanding::InStock { chips }) => Ok(AdmittedBlank { serial, chips }),
        Ok(BlankStanding::Elsewhere { account }) => {
            Err(AdmissionError::Elsewhere { serial, account })
        }
        Ok(BlankStanding::Unknown) => Err(AdmissionError::Unknown { serial }),
        Err(source) => Err(AdmissionError::Book { serial, source }),
    }
}

impl AdmittedBlank {
    /// Returns what is printed on it.
    #[must_use]
    pub const fn serial(&self) -> &BlankSerial {
        &self.serial
    }

    /// Compares the chips that were read, by their serial numbers in hexadecimal, with those of the
    /// books: all of them, in any order.
    ///
    /// # Errors
    /// [`AdmissionError::Chips`]: the blank in the slot is not the one before the scanner, or it
    /// was made of two.
    pub fn confirm(self, found: &[String]) -> Result<ConfirmedBlank, AdmissionError> {
        let sorted = |chips: &[String]| {
            let mut chips: Vec<_> = chips.iter().map(|chip| chip.to_ascii_uppercase()).collect();
            chips.sort();
            chips
        };
        match sorted(found) == sorted(&self.chips) {
            true => Ok(ConfirmedBlank {
                serial: self.serial,
            }),
            false => Err(AdmissionError::Chips {
                serial: self.serial,
                found: found.to_vec(),
            }),
        }
    }
}

impl ConfirmedBlank {
    /// Returns what is printed on it.
    #[must_use]
    pub const fn serial(&self) -> &BlankSerial {
        &self.serial
    }
}

#[cfg(test)]
#[path = "../../../tests/print/intake.rs"]
mod tests;
