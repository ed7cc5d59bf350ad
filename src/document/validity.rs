//! How long documents and their certificates are valid.
//!
//! A document is valid from its day of issue until the day *before* the
//! anniversary, both included: issued on 1 March 2026 for five years, it is valid
//! until 28 February 2031. The anniversary of 29 February is 1 March in a year
//! without that day, for terms and for ages alike.

use jiff::ToSpan;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Kind;

/// Age in full years from which a document carries certificates.
pub const CERTIFICATE_AGE: u16 = 14;

/// Longest validity of a certificate, in years; the document's end may come sooner.
pub const CERTIFICATE_YEARS: i16 = 5;

/// Longest validity of any document, in years.
const LONGEST: i16 = 10;

/// Why no validity can be stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValidityError {
    /// The holder is born after the day of issue.
    #[error("the holder's birth date is after the day of issue")]
    NotBorn,
    /// The term leaves the calendar.
    #[error("the day of issue is too far in the future")]
    Calendar,
    /// A stored validity ends before it begins, or lasts more than ten years.
    #[error("a document must expire after its issue, and within ten years")]
    Term,
}

/// Returns the same day `years` later: 29 February becomes 1 March where the
/// year has none; none outside the calendar (year 9999).
#[must_use]
pub fn anniversary(day: Date, years: i16) -> Option<Date> {
    let year = day.year().checked_add(years)?;
    Date::new(year, day.month(), day.day())
        .or_else(|_| Date::new(year, 3, 1))
        .ok()
}

/// Returns the age in full years on `day` of a person born on `birth_date`; none
/// before the birth.
#[must_use]
pub fn age_on(birth_date: Date, day: Date) -> Option<u16> {
    if day < birth_date {
        return None;
    }
    let years = day.year() - birth_date.year();
    let reached = anniversary(birth_date, years).is_some_and(|birthday| birthday <= day);
    u16::try_from(if reached { years } else { years - 1 }).ok()
}

/// The first and the last day on which something is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Validity {
    issued: Date,
    expires: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    issued: Date,
    expires: Date,
}

impl Validity {
    /// Returns the validity of a document by its kind and the holder's age on the
    /// day of issue.
    ///
    /// | kind | age | years |
    /// | --- | --- | --- |
    /// | identity card | under 5 | 2 |
    /// | identity card | 5 to 19 | 5 |
    /// | identity card | from 20 | 10 |
    /// | alien identity card | any | 5 |
    /// | passport, non-citizen's passport | as an identity card | 2, 5 or 10 |
    /// | refugee's, subsidiary protection's travel document | any | 5 |
    /// | stateless person's travel document | any | 2 |
    /// | residence permit | any | 5 |
    /// | repressed person's, resistance member's, war participant's certificate | any | 10 |
    ///
    /// Those of the identity card, the passports and the travel documents are public, the
    /// refugee's by an older page. Not confirmed: a residence permit lasts as long as the right it
    /// shows, of which five years are the longest card; no public source gives the certificates a
    /// term. The one-year alien card of an asylum seeker is not issued here.
    ///
    /// # Errors
    ///
    /// [`ValidityError`] when the holder is not born by then, or the calendar ends.
    pub fn of(kind: Kind, birth_date: Date, issued: Date) -> Result<Self, ValidityError> {
        let age = age_on(birth_date, issued).ok_or(ValidityError::NotBorn)?;
        let years = match (kind, age) {
            (Kind::IdCard | Kind::Passport | Kind::NonCitizenPassport, 0..5) => 2,
            (Kind::IdCard | Kind::Passport | Kind::NonCitizenPassport, 5..20) => 5,
            (Kind::IdCard | Kind::Passport | Kind::NonCitizenPassport, 20..) => LONGEST,
            (Kind::StatelessTravelDocument, _) => 2,
            (
                Kind::AlienIdCard
                | Kind::RefugeeTravelDocument
                | Kind::SubsidiaryProtectionTravelDocument
                | Kind::ResidencePermit,
                _,
            ) => 5,
            (
                Kind::RepressedPersonCertificate
                | Kind::ResistanceMemberCertificate
                | Kind::WarParticipantCertificate,
                _,
            ) => LONGEST,
        };
        Self::term(issued, years).ok_or(ValidityError::Calendar)
    }

    /// Returns the validity of a certificate issued on `day` for a document that
    /// is valid so long: five years, and never beyond the document. None when the
    /// document has expired by `day`.
    #[must_use]
    pub fn of_certificate(self, day: Date) -> Option<Self> {
        let own = Self::term(day, CERTIFICATE_YEARS)?;
        (day <= self.expires).then(|| Self {
            issued: day,
            expires: own.expires.min(self.expires),
        })
    }

    /// Returns the day of issue, the first of validity.
    #[must_use]
    pub const fn issued(self) -> Date {
        self.issued
    }

    /// Returns the date of expiry, the last day of validity.
    #[must_use]
    pub const fn expires(self) -> Date {
        self.expires
    }

    /// Tells whether `day` lies within, ends included.
    #[must_use]
    pub fn covers(self, day: Date) -> bool {
        (self.issued..=self.expires).contains(&day)
    }

    fn term(issued: Date, years: i16) -> Option<Self> {
        let expires = anniversary(issued, years)?.checked_sub(1.day()).ok()?;
        Some(Self { issued, expires })
    }
}

impl TryFrom<Stored> for Validity {
    type Error = ValidityError;

    fn try_from(Stored { issued, expires }: Stored) -> Result<Self, Self::Error> {
        let longest = Self::term(issued, LONGEST).ok_or(ValidityError::Calendar)?;
        if expires < issued || expires > longest.expires {
            return Err(ValidityError::Term);
        }
        Ok(Self { issued, expires })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn until(kind: Kind, born: Date, issued: Date) -> Date {
        Validity::of(kind, born, issued).unwrap().expires()
    }

    #[test]
    fn specimen_card_expires_on_the_day_before_the_anniversary() {
        // The 2012 specimen's MRZ expires on 170305; five years was every card's term then.
        let validity = Validity::term(date(2012, 3, 6), 5).unwrap();
        assert_eq!(validity.expires(), date(2017, 3, 5));
    }

    #[test]
    fn term_follows_the_age_on_the_day_of_issue() {
        let born = date(2006, 5, 10);
        let card = |issued| until(Kind::IdCard, born, issued);
        assert_eq!(card(born), date(2008, 5, 9));
        assert_eq!(card(date(2011, 5, 9)), date(2013, 5, 8));
        assert_eq!(card(date(2011, 5, 10)), date(2016, 5, 9));
        assert_eq!(card(date(2026, 5, 9)), date(2031, 5, 8));
        assert_eq!(card(date(2026, 5, 10)), date(2036, 5, 9));
    }

    #[test]
    fn alien_card_lasts_five_years_at_any_age() {
        for born in [date(2025, 1, 1), date(2010, 1, 1), date(1950, 1, 1)] {
            assert_eq!(
                until(Kind::AlienIdCard, born, date(2026, 11, 20)),
                date(2031, 11, 19)
            );
        }
    }

    #[test]
    fn leap_day_counts_as_the_first_of_march() {
        let leap = date(2008, 2, 29);
        assert_eq!(anniversary(leap, 4), Some(date(2012, 2, 29)));
        assert_eq!(anniversary(leap, 5), Some(date(2013, 3, 1)));
        assert_eq!(age_on(leap, date(2027, 2, 28)), Some(18));
        assert_eq!(age_on(leap, date(2027, 3, 1)), Some(19));
        assert_eq!(age_on(leap, date(2028, 2, 28)), Some(19));
        assert_eq!(age_on(leap, date(2028, 2, 29)), Some(20));
        let adult = date(1980, 1, 1);
        assert_eq!(
            until(Kind::IdCard, adult, date(2028, 2, 29)),
            date(2038, 2, 28)
        );
        assert_eq!(
            until(Kind::IdCard, adult, date(2028, 3, 1)),
            date(2038, 2, 28)
        );
        assert_eq!(
            until(Kind::AlienIdCard, adult, date(2027, 3, 1)),
            date(2032, 2, 29)
        );
    }

    #[test]
    fn the_unborn_and_the_end_of_the_calendar_are_refused() {
        let day = date(2026, 11, 20);
        assert_eq!(
            Validity::of(Kind::IdCard, date(2026, 11, 21), day),
            Err(ValidityError::NotBorn)
        );
        assert_eq!(
            Validity::of(Kind::IdCard, day, date(9995, 1, 1)),
            Err(ValidityError::Calendar)
        );
    }

    #[test]
    fn certificate_never_outlives_its_document() {
        let document = Validity::of(Kind::IdCard, date(1980, 1, 1), date(2026, 11, 20)).unwrap();
        let first = document.of_certificate(date(2026, 11, 20)).unwrap();
        assert_eq!(first.expires(), date(2031, 11, 19));
        let renewed = document.of_certificate(date(2033, 6, 1)).unwrap();
        assert_eq!(renewed.expires(), document.expires());
        assert!(document.of_certificate(document.expires()).is_some());
        assert_eq!(document.of_certificate(date(2036, 11, 20)), None);
    }

    #[test]
    fn stored_validity_is_judged_again() {
        let read = |json: &str| serde_json::from_str::<Validity>(json);
        assert!(read(r#"{"issued":"2026-11-20","expires":"2036-11-19"}"#).is_ok());
        assert!(read(r#"{"issued":"2026-11-20","expires":"2036-11-20"}"#).is_err());
        assert!(read(r#"{"issued":"2026-11-20","expires":"2026-11-19"}"#).is_err());
    }

    fn any_day() -> impl Strategy<Value = Date> {
        (0_i64..60_000).prop_map(|days| date(1900, 1, 1).checked_add(days.days()).unwrap())
    }

    proptest! {
        #[test]
        fn never_longer_than_ten_years_and_never_shorter_than_two(
            born in any_day(), issued in any_day(), kind in prop::sample::select(Kind::ALL),
        ) {
            prop_assume!(born <= issued);
            let validity = Validity::of(kind, born, issued).unwrap();
            let days = validity.expires().since(validity.issued()).unwrap().get_days() + 1;
            prop_assert!((730..=3653).contains(&days), "{days} days");
            prop_assert!(validity.covers(issued) && validity.covers(validity.expires()));
            prop_assert!(!validity.covers(validity.expires().tomorrow().unwrap()));
            let json = serde_json::to_string(&validity).unwrap();
            prop_assert_eq!(serde_json::from_str::<Validity>(&json).unwrap(), validity);
        }

        #[test]
        fn age_grows_by_one_a_year(born in any_day(), years in 0_i16..120) {
            let birthday = anniversary(born, years).unwrap();
            prop_assert_eq!(age_on(born, birthday), Some(years.unsigned_abs()));
            let before = age_on(born, birthday.yesterday().unwrap());
            prop_assert_eq!(before, years.unsigned_abs().checked_sub(1));
        }
    }
}
