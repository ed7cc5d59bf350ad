//! What of a machine-readable zone opens a chip.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// Characters of birth and expiry date with their check digits.
const DATES: usize = 14;
/// Characters of a document number with its check digit: nine are filled up, and TD1 carries
/// thirteen more in its optional data (*ICAO 9303-5 §4.2.2.1*).
const NUMBER: std::ops::RangeInclusive<usize> = 10..=23;

/// Says that a text is no MRZ information. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MrzInformationError {
    /// The text has a length that no MRZ information has.
    #[error(
        "MRZ information of {0} characters; number and dates with their check digits have 24 to 37"
    )]
    Length(usize),
    /// A character does not occur there.
    #[error("character {0} of the MRZ information is none that a machine-readable zone has there")]
    Character(usize),
    /// A check digit is wrong.
    #[error("wrong check digit of the {0}")]
    CheckDigit(&'static str),
}

/// The MRZ information: document number, date of birth and date of expiry, each with its check
/// digit, one after another (*ICAO 9303-11 §9.7.2*). It is personal data: never shown, wiped on
/// drop.
///
/// `document::mrz::MrzInformation` is the same out of a whole zone. This crate does not know of
/// documents: whoever knows both gives the other's characters to [`MrzInformation::new`], which
/// checks them again.
#[derive(Clone, PartialEq, Eq)]
pub struct MrzInformation(Zeroizing<Vec<u8>>);

impl MrzInformation {
    /// Takes the text as the standard composes it: number (filled up to nine with `<`, longer
    /// ones whole), birth and expiry date (`YYMMDD`; an unknown birth date with `<`), each with
    /// its check digit.
    ///
    /// # Errors
    /// [`MrzInformationError`].
    pub fn new(text: &str) -> Result<Self, MrzInformationError> {
        let bytes = text.as_bytes();
        let length = bytes.len();
        let parts = length
            .checked_sub(DATES)
            .filter(|number| NUMBER.contains(number));
        let number = parts.ok_or(MrzInformationError::Length(length))?;
        let allowed = |(at, byte): (usize, &u8)| match byte {
            b'0'..=b'9' | b'<' => true,
            b'A'..=b'Z' => at < number,
            _ => false,
        };
        if let Some(at) = bytes.iter().enumerate().position(|each| !allowed(each)) {
            return Err(MrzInformationError::Character(at + 1));
        }
        let (number, dates) = bytes.split_at(number);
        let (birth, expiry) = dates.split_at(DATES / 2);
        for (name, field) in [
            ("document number", number),
            ("date of birth", birth),
            ("date of expiry", expiry),
        ] {
            let right = field
                .split_last()
                .is_some_and(|(&digit, field)| digit == check_digit(field));
            if !right {
                return Err(MrzInformationError::CheckDigit(name));
            }
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// Composes it of its three fields, without check digits; the number is filled up here.
    ///
    /// # Errors
    /// [`MrzInformationError`].
    pub fn of_fields(number: &str, birth: &str, expiry: &str) -> Result<Self, MrzInformationError> {
        let fields = [(number, 9), (birth, 6), (expiry, 6)];
        // One allocation, whatever is typed: a text that grows leaves what it held behind.
        let length = fields.map(|(field, width)| field.len().max(width) + 1);
        let mut text = Zeroizing::new(String::with_capacity(length.iter().sum()));
        for (field, width) in fields {
            let at = text.len();
            text.push_str(field);
            (field.len()..width).for_each(|_| text.push('<'));
            let digit = check_digit(text.as_bytes().get(at..).unwrap_or_default());
            text.push(char::from(digit));
        }
        Self::new(&text)
    }

    /// Returns the characters.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the document number with its check digit: by this, terminal authentication names
    /// a chip that was opened with basic access control (*ICAO 9303-11 §7.1.2*).
    pub fn document_number(&self) -> Zeroizing<Vec<u8>> {
        let end = self.0.len().saturating_sub(DATES);
        Zeroizing::new(self.0.get(..end).unwrap_or_default().to_vec())
    }
}

impl fmt::Debug for MrzInformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzInformation(hidden)")
    }
}

/// Returns the check digit of a field (*ICAO 9303-3 §4.9*): weights 7, 3, 1, modulo 10.
fn check_digit(field: &[u8]) -> u8 {
    let sum: u32 = field
        .iter()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(&byte, weight)| match byte {
            b'0'..=b'9' => u32::from(byte - b'0') * weight,
            b'A'..=b'Z' => u32::from(byte - b'A' + 10) * weight,
            _ => 0,
        })
        .sum();
    let [.., digit] = (sum % 10).to_be_bytes();
    b'0' + digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_make_the_published_information() {
        // ICAO 9303-11 App. D.2: three documents, the second with a number of eleven characters.
        for (number, birth, expiry, information) in [
            ("L898902C<", "690806", "940623", "L898902C<369080619406236"),
            (
                "D23145890734",
                "340712",
                "950712",
                "D23145890734934071279507122",
            ),
            ("L898902C", "690806", "940623", "L898902C<369080619406236"),
            ("T22000129", "640812", "101031", "T22000129364081251010318"),
        ] {
            let composed = MrzInformation::of_fields(number, birth, expiry).unwrap();
            assert_eq!(composed, MrzInformation::new(information).unwrap());
        }
        let information = MrzInformation::new("L898902C<369080619406236").unwrap();
        assert_eq!(&information.document_number()[..], b"L898902C<3");
        assert_eq!(format!("{information:?}"), "MrzInformation(hidden)");
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        use MrzInformationError::{Character, CheckDigit, Length};
        for (text, fault) in [
            ("", Length(0)),
            ("L898902C369080619406236", Length(23)),
            ("L898902C<46908061940623", Length(23)),
            ("L898902c<369080619406236", Character(8)),
            ("L898902C<3A9080619406236", Character(11)),
            ("L898902Ā369080619406236", Character(8)),
            ("L898902C<469080619406236", CheckDigit("document number")),
            ("L898902C<369080629406236", CheckDigit("date of birth")),
            ("L898902C<369080619406237", CheckDigit("date of expiry")),
        ] {
            assert_eq!(MrzInformation::new(text), Err(fault), "{text}");
        }
        assert!(MrzInformation::of_fields("TOOLONGFORANYDOCUMENT22X", "690806", "940623").is_err());
    }
}
