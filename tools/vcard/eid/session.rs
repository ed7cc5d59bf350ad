//! What the chip's ends of both secure channels have in common.
//!
//! ```text
//! Closed ──INITIALIZE UPDATE──► Offer ──EXTERNAL AUTHENTICATE──► Session
//!    ▲                            │ 6300                            │ wrong MAC, clear command,
//!    └────────────────────────────┴─────────────────────────────────┘ SELECT by AID, reset
//! ```

use card::{Command, Status};
use openssl::error::ErrorStack;

use super::{scp02, scp03};
use crate::scp::Scp;
use crate::secret::Secret;
use crate::transmission::Form;

/// Class bit of GlobalPlatform secure messaging.
const SECURED: u8 = 0x04;

/// The static keys of one key set, AES or two-key triple DES: 16 bytes each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StaticKeys {
    pub(crate) enc: Secret,
    pub(crate) mac: Secret,
    pub(crate) dek: Secret,
}

/// A security level of EXTERNAL AUTHENTICATE (GP §E.5.2; Amendment D §7.1.2, table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(u8);

impl Level {
    /// Before EXTERNAL AUTHENTICATE: nothing is protected.
    pub(super) const NONE: Self = Self(0);

    /// Takes a level that the protocol serves.
    pub(crate) fn new(scp: Scp, value: u8) -> Option<Self> {
        scp.serves(value).then_some(Self(value))
    }

    /// Says whether commands are encrypted.
    pub(crate) fn decrypts_commands(self) -> bool {
        self.0 & 0x02 != 0
    }

    pub(super) fn macs_responses(self) -> bool {
        self.0 & 0x10 != 0
    }

    pub(super) fn encrypts_responses(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Returns how many bytes an answer of `le` bytes carries, whose MAC has so many.
    pub(super) fn plain(self, le: u32, mac: u32) -> u32 {
        match (self.macs_responses(), self.encrypts_responses()) {
            (false, _) => le,
            (true, false) => le.saturating_sub(mac),
            // Whole blocks, the padding's mark in the last one.
            (true, true) => (le.saturating_sub(mac) / 16 * 16).saturating_sub(1),
        }
    }
}

/// What INITIALIZE UPDATE asks for.
pub(crate) struct Asked<'a> {
    pub(crate) scp: Scp,
    pub(crate) keys: &'a StaticKeys,
    pub(crate) key_version: u8,
    /// The sequence counter that the answer carries.
    pub(crate) counter: u32,
    /// AID of the application that answers.
    pub(crate) aid: &'static [u8],
    /// As long as [`Scp::length`] says.
    pub(crate) host_challenge: &'a [u8],
}

/// Derives the session keys and proves the chip: returns what stands in the answer to
/// INITIALIZE UPDATE from the protocol identifier on, and what waits for the host's proof.
pub(crate) fn offer(asked: &Asked<'_>) -> Result<(Vec<u8>, Box<dyn Offer>), ErrorStack> {
    if asked.scp.is_scp02() {
        let (answer, offer) = scp02::offer(asked)?;
        Ok((answer, Box::new(offer)))
    } else {
        let (answer, offer) = scp03::offer(asked)?;
        Ok((answer, Box::new(offer)))
    }
}

/// What INITIALIZE UPDATE offered: waits for the host to prove itself.
pub(crate) trait Offer: Send {
    /// Judges EXTERNAL AUTHENTICATE, its MAC and the host's cryptogram. `None` where either is
    /// wrong.
    fn accept(
        self: Box<Self>,
        command: &Command,
        level: Level,
    ) -> Result<Option<Box<dyn Session>>, ErrorStack>;
}

/// An open session.
pub(crate) trait Session: Send {
    /// Returns the security level.
    fn level(&self) -> Level;

    /// Says whether no command has come through it yet.
    fn is_new(&self) -> bool;

    /// Returns the version of the key set that opened the session.
    fn key_version(&self) -> u8;

    /// Returns what stands before an encrypted key of PUT KEY: its type and lengths.
    fn key_field(&self) -> &'static [u8];

    /// Decrypts a key of PUT KEY.
    fn decrypt_key(&self, blocks: &[u8]) -> Result<Secret, ErrorStack>;

    /// Returns the check value of a key of this protocol's cipher.
    fn check_value(&self, key: &Secret) -> Result<[u8; 3], ErrorStack>;

    /// Takes the secure messaging off a command. The outer `Err` is openssl's, `Ok(None)`
    /// says: end the session, answer 6988.
    fn unwrap(&mut self, command: &Command, form: Form) -> Result<Option<Command>, ErrorStack>;

    /// Puts the secure messaging on a response. Error status words go bare.
    fn wrap(&mut self, data: &[u8], status: Status) -> Result<Vec<u8>, ErrorStack>;
}

/// Says whether a response with this status word is protected.
pub(super) fn is_protected(status: Status) -> bool {
    status.is_ok() || matches!(status.value() >> 8, 0x62 | 0x63)
}

/// Returns a command as it was before it was wrapped.
pub(super) fn plain(command: &Command, data: &[u8]) -> Command {
    let plain = Command::from_header(command.header()).with_cla(command.cla() & !SECURED);
    let plain = plain.with_data(data);
    match command.le() {
        Some(le) => plain.with_le(le),
        None => plain,
    }
}
