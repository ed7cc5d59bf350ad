//! How Latvia writes its zones, and the zone of a record.

use zeroize::Zeroizing;

use super::{BuildError, Format, Mrz, Names, Parts, UnusedCheck, ZoneDate};
use crate::named::named;
use crate::{Kind, Record, Transliteration};

/// The state that issues.
const ISSUER: &str = "LVA";

named! {
    /// Where the holder's personal code stands in the zone, its hyphen as `<`.
    "place of the personal code" enum PersonalCodePlace {
        /// In the optional data: of line 1 in a TD1, as on the authority's specimen of 2012; the
        /// personal number in a TD3.
        OptionalData = "optional-data",
        /// In the optional data of line 2, which only a TD1 has.
        SecondOptionalData = "second-optional-data",
        /// Nowhere.
        Nowhere = "nowhere",
    }
}

/// What is settled for a kind of document before there is a holder: a document profile may choose
/// otherwise where no public source tells how Latvia does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conventions {
    /// The format.
    pub format: Format,
    /// The document code, one letter or two; [`Kind::document_codes`] tells those that fit.
    pub code: String,
    /// Where the personal code stands. In a TD3 that is unconfirmed.
    pub personal_code: PersonalCodePlace,
    /// The check digit of a TD3's personal number where there is none.
    pub unused_check: UnusedCheck,
    /// How names are written in A to Z.
    pub transliteration: Transliteration,
}

impl Conventions {
    /// Returns what is known, or taken until somebody knows better, of a kind of document; none
    /// for a kind without a machine readable zone.
    #[must_use]
    pub fn of(kind: Kind) -> Option<Self> {
        let (format, code) = kind.mrz()?;
        Some(Self {
            format,
            code: code.to_owned(),
            personal_code: PersonalCodePlace::OptionalData,
            unused_check: UnusedCheck::Filler,
            transliteration: Transliteration::LATVIAN,
        })
    }
}

impl Mrz {
    /// Builds the zone of a document from its record. The same record always gives the same
    /// characters.
    ///
    /// # Errors
    ///
    /// [`BuildError`] with the part of the name or the field that cannot be written.
    pub fn of(record: &Record, conventions: &Conventions) -> Result<Self, BuildError> {
        let holder = &record.holder;
        let writing = conventions.transliteration;
        let names = Names::primary_only(holder.surname.as_str(), writing)
            .map_err(BuildError::Primary)?
            .with_secondary(holder.given_names.as_str(), writing)
            .map_err(BuildError::Secondary)?;
        let number = Zeroizing::new(record.number.to_string());
        let personal_code = Zeroizing::new(holder.personal_code.to_string());
        let (first, second) = match conventions.personal_code {
            PersonalCodePlace::OptionalData => (personal_code.as_str(), ""),
            PersonalCodePlace::SecondOptionalData => ("", personal_code.as_str()),
            PersonalCodePlace::Nowhere => ("", ""),
        };
        Self::build(&Parts {
            format: conventions.format,
            code: &conventions.code,
            issuer: ISSUER,
            names: &names,
            number: &number,
            nationality: holder.nationality.mrz(),
            birth_date: ZoneDate::of(holder.birth_date),
            sex: holder.sex,
            expiry_date: ZoneDate::of(record.expires),
            optional_data: first,
            second_optional_data: second,
            unused_check: conventions.unused_check,
        })
    }
}
