//! What may be wrong with a zone.

use thiserror::Error;

use super::{DateError, Field};

/// Why a text is no machine readable zone at all. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Far longer than any zone.
    #[error("a machine readable zone has at most 90 characters; this text has {found} bytes")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// No format has so many lines, or lines of such lengths.
    #[error(
        "{lines} line(s), the first of {first} characters; expected 3 lines of 30 (TD1), 2 of 36 (TD2) or 2 of 44 (TD3)"
    )]
    Shape {
        /// Lines found.
        lines: usize,
        /// Characters of the first.
        first: usize,
    },
    /// One line is not as long as the format says.
    #[error("line {line} has {found} characters; expected {expected}")]
    LineLength {
        /// The line.
        line: usize,
        /// Its characters.
        found: usize,
        /// Those that it should have.
        expected: usize,
    },
    /// A character that no zone has.
    #[error("line {line}, column {column}: {character:?}; expected A to Z, 0 to 9 or <")]
    Character {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The character.
        character: char,
    },
}

/// Something in a zone that the standard does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}, column {column}, {}: {wrong}", .field.title())]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column of the first character at fault, from 1.
    pub column: usize,
    /// The field.
    pub field: Field,
    /// What is wrong, and what was expected.
    pub wrong: Wrong,
}

/// What is wrong in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Wrong {
    /// The document code does not begin as the format demands.
    #[error("expected one of {expected}")]
    CodeLetter {
        /// The letters that are allowed.
        expected: &'static str,
    },
    /// A second letter that *ICAO Doc 9303-5 §4.2.2, note k* reserves: `V`, and `I` after `A`.
    #[error("expected a letter other than V, and other than I after A, or <")]
    CodeReserved,
    /// Something else than a letter.
    #[error("expected a letter")]
    Letter,
    /// Something else than a letter or a filler.
    #[error("expected a letter or <")]
    LetterOrFiller,
    /// Letters after a filler, where fillers only end the field.
    #[error("expected < to the end of the field")]
    Filler,
    /// A document number that begins with a filler, or is none.
    #[error("expected a letter or a digit")]
    NumberStart,
    /// A longer number goes on in the optional data, but not so: a rest, its check digit and a
    /// filler.
    #[error("expected the rest of the number, its check digit and <")]
    NumberRest,
    /// A date that is none.
    #[error(transparent)]
    Date(DateError),
    /// A date of expiry is always known.
    #[error("expected a digit: the date of expiry is known in every part")]
    UnknownExpiry,
    /// Neither female, male nor unspecified.
    #[error("expected F, M or <")]
    Sex,
    /// The names have more than one `<<`, or three fillers before a letter.
    #[error("expected < to the end: one << divides the names, one < their parts")]
    NameSeparator,
    /// The check digit does not fit what it checks.
    #[error("expected {}", char::from(*.expected))]
    CheckDigit {
        /// The digit that fits, in ASCII.
        expected: u8,
    },
    /// The check digit of unused optional data is neither `0` nor `<`.
    #[error("expected 0 or <, as the field that it checks is empty")]
    UnusedCheck,
}

/// Why a text is no sound machine readable zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MrzError {
    /// It has not the form of one.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has the form, and says what the standard does not allow: the first of its faults.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A check digit and its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The check digit's field.
    pub field: Field,
    /// Whether it fits what it checks.
    pub fits: bool,
}
