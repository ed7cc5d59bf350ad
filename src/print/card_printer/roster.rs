//! The printers of a station: each is one machine, and no machine is there twice.

use std::collections::BTreeMap;

use thiserror::Error;

use super::Identity;

/// The printers that a station knows, by serial number.
#[derive(Debug, Default)]
pub struct Roster {
    places: BTreeMap<String, String>,
}

/// Why a printer is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RosterError {
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
    /// Takes the printer in that stands at a place. One that is known at the same place is taken again: it
    /// was connected anew.
    ///
    /// # Errors
    /// [`RosterError`]; the roster is unchanged then.
    pub fn take(&mut self, place: &str, identity: &Identity) -> Result<(), RosterError> {
        let (place, serial) = (place.to_owned(), identity.serial.clone());
        if serial.is_empty() {
            return Err(RosterError::Nameless { place });
        }
        match self.places.get(&serial) {
            Some(first) if *first != place => Err(RosterError::Twice {
                serial,
                first: first.clone(),
                second: place,
            }),
            _ => {
                self.places.insert(serial, place);
                Ok(())
            }
        }
    }
}
