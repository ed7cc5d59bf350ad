//! The formats of document numbers, kind by kind.

use std::fmt;

use thiserror::Error;

use crate::{DocumentNumber, Kind};

/// What stands before the seven digits of a kind's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// Two capital letters.
    Letters,
    /// Two capital letters or digits.
    LettersOrDigits,
}

impl NumberFormat {
    /// Tells whether a number has this format.
    #[must_use]
    pub const fn admits(self, number: DocumentNumber) -> bool {
        let [first, second] = number.prefix();
        match self {
            Self::Letters => first.is_ascii_uppercase() && second.is_ascii_uppercase(),
            // Whatever is a number at all.
            Self::LettersOrDigits => true,
        }
    }
}

impl fmt::Display for NumberFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Letters => "two letters and seven digits",
            Self::LettersOrDigits => "two letters or digits and seven digits",
        })
    }
}

/// A number that no document of a kind bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{number} is no number of kind {kind}, which has {format}; take a blank with such a number"
)]
pub struct WrongNumberFormat {
    /// The number.
    pub number: DocumentNumber,
    /// The kind.
    pub kind: Kind,
    /// The format that the kind's numbers have.
    pub format: NumberFormat,
}

impl Kind {
    /// Returns the format of its numbers.
    ///
    /// That identity cards have two letters and passports two letters or digits is public; of the
    /// other kinds nothing is said, and whatever a maker prints is taken.
    #[must_use]
    pub const fn number_format(self) -> NumberFormat {
        match self {
            Self::IdCard => NumberFormat::Letters,
            Self::AlienIdCard
            | Self::Passport
            | Self::NonCitizenPassport
            | Self::RefugeeTravelDocument
            | Self::StatelessTravelDocument
            | Self::SubsidiaryProtectionTravelDocument
            | Self::ResidencePermit
            | Self::RepressedPersonCertificate
            | Self::ResistanceMemberCertificate
            | Self::WarParticipantCertificate => NumberFormat::LettersOrDigits,
        }
    }
}

impl DocumentNumber {
    /// Demands that documents of this kind have such numbers.
    ///
    /// # Errors
    ///
    /// [`WrongNumberFormat`], which names the kind and its format.
    pub const fn check_for(self, kind: Kind) -> Result<(), WrongNumberFormat> {
        let format = kind.number_format();
        if format.admits(self) {
            return Ok(());
        }
        Err(WrongNumberFormat {
            number: self,
            kind,
            format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Series};

    fn number(text: &str) -> DocumentNumber {
        DocumentNumber::parse(text).unwrap()
    }

    #[test]
    fn an_identity_card_has_letters_and_a_passport_may_have_digits() {
        assert_eq!(number("PA9992921").check_for(Kind::IdCard), Ok(()));
        for text in ["L91234567", "9L1234567", "001234567"] {
            assert_eq!(number(text).check_for(Kind::Passport), Ok(()), "{text}");
            let refused = number(text).check_for(Kind::IdCard).unwrap_err();
            assert_eq!(
                (refused.kind, refused.format),
                (Kind::IdCard, NumberFormat::Letters)
            );
            assert_eq!(
                refused.to_string(),
                format!(
                    "{text} is no number of kind id-card, which has two letters and seven digits; take a blank with such a number"
                )
            );
        }
    }

    #[test]
    fn every_kind_can_have_numbers_of_a_series() {
        for &kind in Kind::ALL {
            for (environment, letters) in
                [(Environment::Test, "XA"), (Environment::Production, "PA")]
            {
                let series = Series::new(environment, letters, 1, 2).unwrap();
                let (first, _) = series.allot().unwrap();
                assert_eq!(first.check_for(kind), Ok(()));
            }
        }
    }
}
