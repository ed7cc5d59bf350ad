//! Records of fixed fields, version `010` (*ISO/IEC 19794-4:2005* and *19794-5:2005*).

pub(super) mod face;
pub(super) mod finger;

use thiserror::Error;

/// Every record's version: `010` and a zero byte.
const VERSION: [u8; 4] = *b"010\0";

/// How many bytes a record's length may fall short of the record: passports of New Zealand
/// are 8 bytes off, of the United Kingdom 1.
const TOLERATED: usize = 8;

/// Why bytes are not a record of ISO/IEC 19794.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends before what it announces.
    #[error("the record ends within its {0}")]
    Short(&'static str),
    /// The first bytes name another format.
    #[error("the record does not begin like one of this data group")]
    Format,
    /// Another version.
    #[error("the record is not of version 010")]
    Version,
    /// Its length is not the one that it states.
    #[error("the record states {stated} bytes and has {found}")]
    Length {
        /// What it states.
        stated: u64,
        /// What it has.
        found: usize,
    },
    /// No picture in it.
    #[error("the record announces no picture")]
    Empty,
    /// A picture's block is too short for its own header.
    #[error("a block of {0} bytes is too short for its header")]
    Block(u32),
    /// More bytes follow the last picture.
    #[error("{0} bytes follow the last picture")]
    Trailing(usize),
    /// A code that says what the picture is and isn't known.
    #[error("code {code} of {field} is not one that this data group may have")]
    Code {
        /// Which field.
        field: &'static str,
        /// Its value.
        code: u16,
    },
}

/// What a record has otherwise than its standard wants, and is read nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Deviation {
    /// A few bytes more than the record's length says.
    #[error("the record states {stated} bytes and has {found}")]
    RecordLength {
        /// What it states.
        stated: u64,
        /// What it has.
        found: usize,
    },
    /// A few bytes behind the last picture.
    #[error("{0} bytes follow the last picture")]
    Trailing(usize),
}

/// Judges a record's length against the bytes that are there.
fn judge_length(stated: u64, found: usize) -> Result<Option<Deviation>, RecordError> {
    match u64::try_from(found)
        .ok()
        .and_then(|found| found.checked_sub(stated))
    {
        Some(0) => Ok(None),
        Some(short) if short <= TOLERATED as u64 => {
            Ok(Some(Deviation::RecordLength { stated, found }))
        }
        _ => Err(RecordError::Length { stated, found }),
    }
}

/// Judges what is left behind the last picture.
fn judge_tail(rest: Fields<'_>) -> Result<Option<Deviation>, RecordError> {
    match rest.0.len() {
        0 => Ok(None),
        tail @ 1..=TOLERATED => Ok(Some(Deviation::Trailing(tail))),
        tail => Err(RecordError::Trailing(tail)),
    }
}

/// Takes fields from the front of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], RecordError> {
        let (field, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(RecordError::Short(part))?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], RecordError> {
        let (&field, rest) = self.0.split_first_chunk().ok_or(RecordError::Short(part))?;
        self.0 = rest;
        Ok(field)
    }

    /// Takes a picture: the rest of a block of `stated` bytes after its `header`.
    fn picture(&mut self, stated: u32, header: u32) -> Result<&'a [u8], RecordError> {
        let length = stated
            .checked_sub(header)
            .and_then(|length| usize::try_from(length).ok())
            .ok_or(RecordError::Block(stated))?;
        self.take(length, "picture")
    }
}

/// Returns a stated size; zero says nothing.
const fn size([w1, w2]: [u8; 2], [h1, h2]: [u8; 2]) -> Option<(u16, u16)> {
    match (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2])) {
        (0, _) | (_, 0) => None,
        size => Some(size),
    }
}
