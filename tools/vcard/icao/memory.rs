//! What the chip remembers without power.

use card::Status;
use openssl::sha::sha1;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files::Files;
use super::key_objects::KeyObjects;
use super::pace::Suite;
use super::trust::Trust;
use crate::inspection::basic_access::document_keys;
use crate::inspection::cipher::{Cipher, Keys, Purpose};
use crate::secret::Secret;

/// Failed attempts in a row that cost no more time than any other.
const FREE: u8 = 2;
/// What every further one takes longer, milliseconds.
const PAUSE: u32 = 1000;

/// What survives a power cut.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    pub(super) locked: bool,
    pub(super) files: Files,
    pub(super) keys: KeyObjects,
    /// What the machine-readable zone says.
    pub(super) zone: Option<Zone>,
    /// The card access number, digits.
    pub(super) number: Option<Secret>,
    /// Whether Basic Access Control is offered.
    pub(super) basic_access: bool,
    /// What PACE is offered with.
    pub(super) suites: Vec<Suite>,
    pub(super) trust: Trust,
    /// Failed attempts to open a session, in a row.
    failures: u8,
}

/// What the machine-readable zone says, as far as access goes by it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Zone {
    /// Number, birth and expiry, each with its check digit.
    information: Secret,
    /// Bytes of the number and its check digit.
    number: usize,
}

impl Zone {
    /// Takes the MRZ information over; the number and its check digit have so many bytes.
    pub(super) fn new(information: &[u8], number: usize) -> Self {
        let information = Secret::new(information);
        Self {
            information,
            number,
        }
    }

    /// Returns the number with its check digit: the identifier of a chip that was opened by
    /// BAC (ICAO Doc 9303-11 §7.1.1.3).
    pub(super) fn number(&self) -> &[u8] {
        let bytes = self.information.bytes();
        bytes.get(..self.number).unwrap_or_default()
    }

    fn hash(&self) -> Zeroizing<[u8; 20]> {
        Zeroizing::new(sha1(self.information.bytes()))
    }

    /// Derives the document basic access keys.
    pub(super) fn keys(&self) -> Keys {
        document_keys(self.information.bytes())
    }
}

/// A password of PACE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Password {
    MachineReadableZone,
    CardAccessNumber,
}

impl Memory {
    /// Returns PACE's key of a password (ICAO Doc 9303-11 §9.7.3); `None` where the chip has
    /// no such password.
    pub(super) fn password(&self, password: Password, cipher: Cipher) -> Option<Secret> {
        let purpose = Purpose::Password;
        match password {
            Password::MachineReadableZone => {
                let zone = self.zone.as_ref()?;
                Some(cipher.derive(&zone.hash()[..], purpose))
            }
            Password::CardAccessNumber => {
                let number = self.number.as_ref()?;
                Some(cipher.derive(number.bytes(), purpose))
            }
        }
    }

    /// Counts an attempt to open a session as failed, before it is judged.
    pub(super) fn attempt(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Forgets the failed attempts: one succeeded.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Returns how long the next attempt takes besides, milliseconds: passwords are never
    /// blocked, but trying them is slow.
    pub(super) fn pause(&self) -> u32 {
        if self.failures > FREE { PAUSE } else { 0 }
    }

    /// Wants a chip that is still being personalized.
    pub(super) fn open(&self) -> Result<(), Status> {
        if self.locked {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        Ok(())
    }
}
