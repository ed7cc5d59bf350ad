//! All checks of one document.

use cert::cms::SignedData;
use jiff::Timestamp;

use super::check::{Check, CheckName, Verdict, reason};
use super::trust::Trust;
use super::{files, holder, keys, signer};
use crate::lds::{EfSod, File, Group, Lds, LdsError, LdsSecurityObject, Read};

/// The files of a document as somebody read them.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The files.
    pub lds: &'a Lds,
    /// What is there, or should be, and was not read.
    pub unread: &'a [Unread],
}

/// A file that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The file.
    pub file: File,
    /// Why.
    pub cause: UnreadCause,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnreadCause {
    /// It is past the bounds of any file.
    Bound(LdsError),
    /// Only a terminal with rights may read it: no matter of the inspection, but told.
    Protected,
    /// The document names it and has none.
    NotThere,
    /// It could not be read.
    Failed(String),
}

/// What the inspection found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The checks, in the order of [`CheckName`].
    pub checks: Vec<Check>,
}

impl Inspection {
    /// Returns the verdict: the worst of all checks. An inspection without checks proves nothing.
    ///
    /// That a document or its signer has expired leaves the verdict open: it is as genuine as
    /// before, and whether it is accepted is for whoever inspects it to say.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.checks.iter().map(|check| match check.name {
            CheckName::Expiry | CheckName::SignerValidity => check.verdict.min(Verdict::Unknown),
            _ => check.verdict,
        });
        verdicts.max().unwrap_or(Verdict::Unknown)
    }

    /// Returns the check of this name, if it was made.
    #[must_use]
    pub fn check(&self, name: CheckName) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Says whether a trusted signer vouches for a data group: its hash, the signature over it and
    /// the way to a country signing certificate are right, and nothing is known against the signer.
    #[must_use]
    pub fn vouches_for(&self, group: Group) -> bool {
        let passed = |name| {
            self.check(name)
                .is_some_and(|c| c.verdict == Verdict::Passed)
        };
        let not_failed = |name| {
            self.check(name)
                .is_none_or(|c| c.verdict != Verdict::Failed)
        };
        [
            CheckName::Hash(group),
            CheckName::SodSignature,
            CheckName::SignerChain,
        ]
        .into_iter()
        .all(passed)
            && not_failed(CheckName::SignerRevocation)
    }

    /// Adds a check in its place.
    pub(super) fn add(&mut self, check: Check) {
        self.checks.push(check);
        self.checks.sort_by_key(|check| check.name);
    }
}

/// EF.SOD as far as it reads.
pub(super) enum Sod {
    Missing,
    Malformed(String),
    Read {
        message: Box<SignedData>,
        object: Result<Read<LdsSecurityObject>, LdsError>,
    },
}

impl Sod {
    fn of(lds: &Lds) -> Self {
        let Some(file) = lds.get(File::Sod) else {
            return Self::Missing;
        };
        let message = match EfSod::parse(file) {
            Ok(sod) => SignedData::parse(sod.cms()).map_err(|error| reason(&error)),
            Err(error) => Err(reason(&error)),
        };
        match message {
            Ok(message) => Self::Read {
                object: LdsSecurityObject::of_message(&message),
                message: Box::new(message),
            },
            Err(why) => Self::Malformed(why),
        }
    }

    /// Returns the security object; who signed it is another question.
    pub(super) fn object(&self) -> Option<&LdsSecurityObject> {
        match self {
            Self::Read {
                object: Ok(read), ..
            } => Some(&read.content),
            _ => None,
        }
    }
}

/// Judges a document's files as of a time: passive authentication (*ICAO 9303-11 §5.1*) and all
/// that can be said without its chip.
#[must_use]
pub fn inspect(files: &Files<'_>, trust: &Trust, at: Timestamp) -> Inspection {
    let sod = Sod::of(files.lds);
    let mut checks = files::judge(files, &sod);
    checks.extend(signer::judge(files.lds, &sod, trust, at));
    checks.extend(holder::judge(files, at));
    checks.extend(keys::judge(files.lds, &sod, trust, at));
    checks.sort_by_key(|check| check.name);
    Inspection { checks }
}
