//! The holder of a document.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::name::{NameError, name_type};
use crate::named::named;
use crate::{GivenNames, Nationality, PersonalCode, Surname, age_on, common_name};

/// Longest place of birth in characters.
const BIRTH_PLACE_LIMIT: usize = 50;

named! {
    /// Sex, as *ICAO Doc 9303-3* codes it in the visual zone.
    "sex" enum Sex {
        /// Female.
        Female = "F",
        /// Male.
        Male = "M",
        /// Unspecified; `<` in the machine readable zone.
        Unspecified = "X",
    }
}

name_type! {
    /// A place of birth of at most 50 characters: letters, digits and `.,()/-'`.
    BirthPlace, BIRTH_PLACE_LIMIT, "0123456789.,()/"
}

/// The person whom a document is about.
///
/// Personal data: `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Surname, the primary identifier.
    pub surname: Surname,
    /// Given names, the secondary identifier.
    pub given_names: GivenNames,
    /// Personal code.
    pub personal_code: PersonalCode,
    /// Date of birth.
    pub birth_date: Date,
    /// Sex.
    pub sex: Sex,
    /// Nationality, or the status that stands in its place.
    pub nationality: Nationality,
    /// Place of birth, where the register has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_place: Option<BirthPlace>,
}

impl Holder {
    /// Returns the age in full years on `day`; none before the birth.
    #[must_use]
    pub fn age_on(&self, day: Date) -> Option<u16> {
        age_on(self.birth_date, day)
    }

    /// Returns the common name of the holder's certificates; see [`common_name`].
    #[must_use]
    pub fn common_name(&self) -> String {
        common_name(&self.given_names, &self.surname)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder(…)")
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const JSON: &str = r#"{"surname":"Izdomāta","given_names":"Anna","personal_code":"120190-12347","birth_date":"1990-01-12","sex":"F","nationality":"LVA","birth_place":"Rīga"}"#;

    #[test]
    fn round_trip_and_age() {
        let holder: Holder = serde_json::from_str(JSON).unwrap();
        assert_eq!(serde_json::to_string(&holder).unwrap(), JSON);
        assert_eq!(holder.age_on(date(2026, 1, 11)), Some(35));
        assert_eq!(holder.age_on(date(2026, 1, 12)), Some(36));
        assert_eq!(holder.common_name(), "ANNA IZDOMĀTA");
    }

    #[test]
    fn debug_shows_nothing() {
        let holder: Holder = serde_json::from_str(JSON).unwrap();
        assert_eq!(format!("{holder:?}"), "Holder(…)");
    }

    #[test]
    fn places_have_digits_and_full_stops() {
        assert!(BirthPlace::parse("Rīga").is_ok());
        assert!(BirthPlace::parse("Izdomātā pag., Neesošais nov. (2)").is_ok());
        assert!(matches!(
            BirthPlace::parse("Rīga; Latvija"),
            Err(NameError::Character { .. })
        ));
        assert!(matches!(
            BirthPlace::parse(&"a".repeat(51)),
            Err(NameError::TooLong { .. })
        ));
    }
}
