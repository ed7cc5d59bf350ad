//! Why a file does not read or cannot be written.

use std::error::Error;
use std::fmt;

use card::tlv::{Tag, TlvError};
use cert::PublicKeyError;

use super::file::{File, MAX_FILE};

/// Why a file of the LDS does not read or cannot be written: which, where and what.
///
/// Carries lengths, counts and tags, never content: the files are about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdsError {
    /// The file.
    pub file: File,
    /// The data object in it; none where the file as a whole is meant.
    pub tag: Option<Tag>,
    /// What is wrong.
    pub fault: LdsFault,
}

impl Error for LdsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The fault stands in the text; what is behind it does not.
        self.fault.source()
    }
}

impl fmt::Display for LdsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag {
            Some(tag) => write!(f, "{}, object {tag}: {}", self.file, self.fault),
            None => write!(f, "{}: {}", self.file, self.fault),
        }
    }
}

impl LdsError {
    /// Returns the error of a whole file.
    pub(crate) fn of(file: impl Into<File>, fault: impl Into<LdsFault>) -> Self {
        Self {
            file: file.into(),
            tag: None,
            fault: fault.into(),
        }
    }

    /// Returns the error of the object `tag` in a file.
    pub(crate) fn at(file: impl Into<File>, tag: Tag, fault: impl Into<LdsFault>) -> Self {
        Self {
            file: file.into(),
            tag: Some(tag),
            fault: fault.into(),
        }
    }
}

/// What is wrong with a file or an object in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LdsFault {
    /// No BER-TLV.
    #[error(transparent)]
    Syntax(#[from] TlvError),
    /// No DER of the structure that belongs here.
    #[error("not in DER as {0} is")]
    Der(&'static str),
    /// The file is longer than any is read, or than it may be.
    #[error("{length} bytes; at most {limit} are allowed")]
    TooLong {
        /// The length in bytes.
        length: usize,
        /// The longest that is allowed, in bytes.
        limit: usize,
    },
    /// The file starts with another object than its own, or is empty.
    #[error("the file's object has another tag")]
    OuterTag,
    /// Something follows the file's object.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
    /// An object is missing.
    #[error("missing")]
    Missing,
    /// An object, an entry or a file stands there twice.
    #[error("there more than once")]
    Repeated,
    /// An object that has no place there.
    #[error("has no place there")]
    Unexpected,
    /// More objects than any file has.
    #[error("more than {0} objects")]
    TooMany(usize),
    /// An object has a length that it never has.
    #[error("{length} bytes long, not {expected}")]
    Length {
        /// The length in bytes.
        length: usize,
        /// Which lengths it may have, in bytes.
        expected: &'static str,
    },
    /// A text is not UTF-8, empty, or has characters that do not belong into it.
    #[error("not a text of {0}")]
    Text(&'static str),
    /// A date or time that is none, in digits or packed digits.
    #[error("not a date (and time) of the calendar")]
    Date,
    /// A count differs from what is there, or is outside what is allowed.
    #[error("announces {announced} and holds {present}; {allowed} are allowed")]
    Count {
        /// How many are announced.
        announced: usize,
        /// How many there are.
        present: usize,
        /// How many there may be.
        allowed: &'static str,
    },
    /// A version of the file's structure that is not known.
    #[error("version {0} is not known")]
    Version(u8),
    /// LDS versions that must be there are not, or the other way round.
    #[error("LDS and Unicode version stand in version 1 of the security object and only there")]
    VersionInfo,
    /// A signed message holds something else than belongs here.
    #[error("a message of content type {0} holds something else")]
    ContentType(der::oid::ObjectIdentifier),
    /// A hash function that is not read.
    #[error("hash function {0} is not read")]
    Hash(der::oid::ObjectIdentifier),
    /// A data group has a number that there is not.
    #[error("there is no data group {0}")]
    GroupNumber(u8),
    /// No public key.
    #[error("no public key")]
    PublicKey(#[source] PublicKeyError),
    /// All files together are longer than a chip may be asked to hold.
    #[error("all files together have {length} bytes; at most {limit} are allowed")]
    Total {
        /// The length in bytes.
        length: usize,
        /// The longest that is allowed, in bytes.
        limit: usize,
    },
}

/// Refuses what is longer than any file is read.
pub(crate) fn within_bound(file: File, bytes: &[u8]) -> Result<(), LdsError> {
    if bytes.len() > MAX_FILE {
        return Err(LdsError::of(
            file,
            LdsFault::TooLong {
                length: bytes.len(),
                limit: MAX_FILE,
            },
        ));
    }
    Ok(())
}
