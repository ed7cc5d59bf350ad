//! Document numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is no document number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NumberError {
    /// Not two capitals or digits and seven digits.
    #[error(
        "document number must be two capital letters or digits and seven digits, for example PA0000001"
    )]
    Form,
    /// The number 0000000, which nothing bears.
    #[error("the seven digits of a document number begin at 0000001")]
    Zero,
}

/// A document number: two characters and seven digits.
///
/// It is allotted from a [`Series`](crate::Series), whose two characters are capital letters, or it
/// is the blank's own, printed by the maker of a booklet, where they may be digits too. The
/// document profile says which; the number is the same to everything else, the machine readable
/// zone among it. What a kind's numbers look like is [`Kind::number_format`](crate::Kind::number_format)'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentNumber {
    prefix: [u8; 2],
    digits: u32,
}

impl DocumentNumber {
    /// The highest number of a series.
    pub(crate) const LAST: u32 = 9_999_999;

    /// Reads nine characters.
    ///
    /// # Errors
    ///
    /// [`NumberError`] when they are not two capitals or digits and seven digits, or
    /// all of the seven are 0.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let (prefix, digits) = text
            .as_bytes()
            .split_first_chunk()
            .ok_or(NumberError::Form)?;
        if digits.len() != 7 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(NumberError::Form);
        }
        let digits = digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        Self::new(*prefix, digits)
    }

    pub(crate) fn new(prefix: [u8; 2], digits: u32) -> Result<Self, NumberError> {
        let fits = |character: &u8| character.is_ascii_uppercase() || character.is_ascii_digit();
        if !prefix.iter().all(fits) || digits > Self::LAST {
            return Err(NumberError::Form);
        }
        if digits == 0 {
            return Err(NumberError::Zero);
        }
        Ok(Self { prefix, digits })
    }

    /// Returns the two characters before the seven digits: the letters of the series, where it is
    /// of one.
    #[must_use]
    pub const fn prefix(self) -> [u8; 2] {
        self.prefix
    }

    /// Returns the place in the series, from 1.
    #[must_use]
    pub const fn place(self) -> u32 {
        self.digits
    }
}

impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.prefix.map(char::from);
        f.pad(&format!("{first}{second}{:07}", self.digits))
    }
}

impl FromStr for DocumentNumber {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for DocumentNumber {
    type Error = NumberError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<DocumentNumber> for String {
    fn from(number: DocumentNumber) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn number_of_the_2012_specimen_is_read() {
        let number = DocumentNumber::parse("PA9992921").unwrap();
        assert_eq!(number.prefix(), *b"PA");
        assert_eq!(number.place(), 9_992_921);
        assert_eq!(number.to_string(), "PA9992921");
    }

    #[test]
    fn numbers_of_blanks_may_begin_with_digits() {
        for text in ["LV1234567", "L91234567", "001234567"] {
            assert_eq!(DocumentNumber::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "P",
            "PA",
            "PA999292",
            "PA99929211",
            "pa9992921",
            "P-9992921",
            "ĀA999292",
            "PA999292A",
            " PA9992921",
            "PA+992921",
        ] {
            assert_eq!(
                DocumentNumber::parse(text),
                Err(NumberError::Form),
                "{text:?}"
            );
        }
        assert_eq!(DocumentNumber::parse("PA0000000"), Err(NumberError::Zero));
    }

    proptest! {
        #[test]
        fn round_trip(text in "[A-Z0-9]{2}[0-9]{6}[1-9]") {
            let number = DocumentNumber::parse(&text).unwrap();
            prop_assert_eq!(number.to_string(), text);
            let json = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<DocumentNumber>(&json).unwrap(), number);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}") {
            let _ = DocumentNumber::parse(&text);
        }
    }
}
