//! The printers of a station: each is one machine, and no machine is there twice.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Identity, Printer, PrinterError};

/// The printers that a station knows, by serial number.
#[derive(Debug, Default)]
pub struct Roster {
    places: BTreeMap<String, String>,
}

/// Why a printer is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RosterError {
    /// It did not say which it is.
    #[error(transparent)]
    Printer(#[from] PrinterError),
    /// It has no serial number, so that nobody can tell it from another.
    #[error("the printer at {place} has no serial number; it cannot be told from another one")]
    Nameless {
        /// Where it is.
        place: String,
    },
    /// Two places lead to one serial number: one machine connected twice, or a copy. A card that
    /// is fed at one place could come out at the other.
    #[error(
        "{first} and {second} both are the printer with serial number {serial:?}; disconnect one of them"
    )]
    Twice {
        /// The serial number.
        serial: String,
        /// Where it was found first.
        first: String,
        /// Where it was found again.
        second: String,
    },
}

impl Roster {
    /// Takes a printer in. One that is known at the same place is taken again: it was connected anew.
    ///
    /// # Errors
    /// [`RosterError`]; the roster is unchanged then.
    pub fn take(&mut self, printer: &mut dyn Printer) -> Result<Identity, RosterError> {
        let identity = printer.identity()?;
        let place = printer.name().to_owned();
        if identity.serial.is_empty() {
            return Err(RosterError::Nameless { place });
        }
        match self.places.get(&identity.serial) {
            Some(first) if *first != place => {
                return Err(RosterError::Twice {
                    serial: identity.serial,
                    first: first.clone(),
                    second: place,
                });
            }
            _ => self.places.insert(identity.serial.clone(), place),
        };
        Ok(identity)
    }
}
