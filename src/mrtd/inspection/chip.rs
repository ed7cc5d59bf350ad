//! A chip, read as a border reads it (*ICAO 9303-11 §4 to §7; TR-03110-1 §3.1*).
//!
//! ```text
//!   opening  EF.CardAccess ─► PACE, else BAC ─► session
//!   reading  EF.CardSecurity, EF.COM, EF.SOD, DG14 ─► the data groups that EF.SOD names
//!   proofs   chip authentication, after it terminal authentication; active authentication
//!   verdict  all checks of the files, and whether the chip is the one that the issuer made
//! ```
//!
//! A chip that does not prove its key is opened once more and read on without: what it shows is
//! worth seeing, and the verdict stands.

mod opening;
mod proofs;
mod reading;
mod verdict;

use std::error::Error as StdError;
use std::fmt;

use access::{
    BasicAccessError, CryptoError, FileError, MrzInformation, MrzInformationError, PaceError,
    Password, PasswordError, Random, SignedChallenge, TerminalCertificates, TerminalKey,
};
use card::{Channel, ChannelError, ExchangeError, Limits};
use document::mrz::Mrz;
use jiff::Timestamp;
use thiserror::Error;

use super::check::{Check, CheckName};
use super::judge::{Inspection, Unread};
use super::trust::Trust;
use crate::lds::{Dg1, File, Group, Lds};

/// What opens a chip: from the printed zone, or the number on the front. Never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessKey {
    /// Number, date of birth and date of expiry.
    Zone(MrzInformation),
    /// The card access number; it opens chips with PACE only.
    Number(Password),
}

/// Why something opens no chip. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccessKeyError {
    /// Not of a machine readable zone.
    #[error(transparent)]
    Zone(#[from] MrzInformationError),
    /// Not a card access number.
    #[error(transparent)]
    Number(#[from] PasswordError),
}

impl AccessKey {
    /// Takes what opens the chip out of a whole zone.
    ///
    /// # Errors
    /// [`AccessKeyError::Zone`] where number or dates have wrong check digits.
    pub fn of_zone(zone: &Mrz) -> Result<Self, AccessKeyError> {
        Ok(Self::Zone(information(zone)?))
    }

    /// Takes document number, date of birth and date of expiry (`YYMMDD`).
    ///
    /// # Errors
    /// [`AccessKeyError::Zone`].
    pub fn of_fields(number: &str, birth: &str, expiry: &str) -> Result<Self, AccessKeyError> {
        Ok(Self::Zone(MrzInformation::of_fields(
            number, birth, expiry,
        )?))
    }

    /// Takes a card access number.
    ///
    /// # Errors
    /// [`AccessKeyError::Number`].
    pub fn of_number(digits: &str) -> Result<Self, AccessKeyError> {
        Ok(Self::Number(Password::can(digits)?))
    }
}

/// Returns what of a zone opens the chip.
pub(super) fn information(zone: &Mrz) -> Result<MrzInformation, MrzInformationError> {
    let information = zone.mrz_information();
    // A zone has letters, digits and fillers only.
    MrzInformation::new(std::str::from_utf8(information.as_bytes()).unwrap_or_default())
}

/// A terminal with rights: it may read fingerprints.
#[derive(Clone, Copy)]
pub struct Terminal<'a> {
    /// Its certificate and those above it.
    pub certificates: &'a TerminalCertificates,
    /// Its key.
    pub key: &'a dyn TerminalKey,
}

/// How a chip is read, and whom to believe.
pub struct Reading<'a> {
    /// What chip and reader take in one command.
    pub limits: Limits,
    /// What opens the chip.
    pub key: &'a AccessKey,
    /// The terminal's own rights, where it has any.
    pub terminal: Option<Terminal<'a>>,
    /// Which files are read beside those that an inspection needs: EF.CVCA, EF.ATR/INFO, EF.DIR.
    pub also: &'a [File],
    /// Whom to trust.
    pub trust: &'a Trust,
    /// As of when to judge.
    pub at: Timestamp,
    /// Where challenges and keys come from.
    pub random: &'a mut dyn Random,
    /// Told of every file before it is read.
    pub progress: &'a mut dyn FnMut(File),
}

/// What was read and what is to be thought of it.
#[derive(Debug)]
pub struct ChipInspection {
    /// The files.
    pub lds: Lds,
    /// What was not read, and why.
    pub unread: Vec<Unread>,
    /// The checks of the files and of the chip.
    pub inspection: Inspection,
    /// The chip's signature of active authentication, where it gave one: others can verify it.
    pub signed_challenge: Option<SignedChallenge>,
}

impl ChipInspection {
    /// Compares the zone in DG1 with the one on the printed face, field by field: the check
    /// `printed-mrz`, in the place of one that knows only what opened the chip.
    pub fn compare_zone(&mut self, printed: &Mrz) {
        let name = CheckName::PrintedZone;
        let read = self.lds.get(Group::Dg1).map(Dg1::parse);
        let check = match read {
            Some(Ok(read)) => {
                let fields = printed.differences(&read.content.mrz);
                let titles: Vec<_> = fields.iter().map(|field| field.title()).collect();
                match titles.as_slice() {
                    [] => Check::passed(name, "EF.DG1 is the printed zone"),
                    titles => {
                        let why = format!("EF.DG1 is not the printed zone: {}", titles.join(", "));
                        Check::failed(name, why)
                    }
                }
            }
            _ => Check::unknown(name, "EF.DG1 is not there or does not read"),
        };
        self.inspection.checks.retain(|check| check.name != name);
        self.inspection.add(check);
    }
}

/// Why a chip was not read at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Chip or reader failed on the way: nothing is said about the document.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The chip could not be reset.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is no travel document on the chip.
    #[error("the chip has no travel document")]
    NoDocument(#[source] FileError),
    /// PACE gave no session.
    #[error("the chip was not opened with PACE")]
    Pace(#[source] PaceError),
    /// BAC gave no session.
    #[error("the chip was not opened with basic access control")]
    BasicAccess(#[source] BasicAccessError),
    /// Only PACE takes a card access number.
    #[error("the chip offers no PACE that is spoken here, and a card access number opens no other")]
    ZoneNeeded,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl ReadError {
    /// Says whether the chip is another document's, or the key was mistyped.
    #[must_use]
    pub fn is_wrong_key(&self) -> bool {
        matches!(
            self,
            Self::Pace(PaceError::WrongPassword { .. } | PaceError::NotProved)
                | Self::BasicAccess(BasicAccessError::Refused(_) | BasicAccessError::NotProved)
        )
    }
}

/// Opens a chip, reads it, has it prove itself, and judges all of it.
///
/// The chip must be as after a reset. What the chip does against the rules is a verdict; only what
/// keeps it from being read at all is an error.
///
/// # Errors
/// [`ReadError`].
pub fn inspect_chip(
    channel: &mut dyn Channel,
    mut reading: Reading<'_>,
) -> Result<ChipInspection, ReadError> {
    let mut found = Found::default();
    reading::visit(channel, &mut reading, &mut found)?;
    if found.is_copy {
        channel.reset()?;
        reading::visit(channel, &mut reading, &mut found)?;
    }
    Ok(verdict::conclude(found, &reading))
}

/// What is known so far.
#[derive(Default)]
struct Found {
    lds: Lds,
    unread: Vec<Unread>,
    checks: Vec<Check>,
    signed_challenge: Option<SignedChallenge>,
    /// How the chip was opened.
    way: Option<opening::Way>,
    /// The chip did not prove its key: it is not asked again.
    is_copy: bool,
}

/// Why reading ends before its end.
enum Halt {
    /// The session broke: somebody changed a command or an answer, or the chip is wrong.
    Session(String),
    /// Chip or reader failed.
    Exchange(ExchangeError),
    /// Nothing could be computed.
    Crypto(CryptoError),
}

impl Halt {
    fn of(error: ExchangeError) -> Self {
        match access::session_fault(&error) {
            Some(fault) => Self::Session(fault.to_string()),
            None => Self::Exchange(error),
        }
    }
}

impl fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("holder", self.certificates.terminal().holder())
            .finish_non_exhaustive()
    }
}

/// Returns an error with its causes, as a reason.
fn told(error: &(dyn StdError + 'static)) -> String {
    super::check::reason(error)
}
