//! The prepared data of one document.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{DocumentNumber, Holder, Kind};

/// What data preparation makes of an application: all that goes onto and into one document.
///
/// Personal data: `Debug` shows number and kind only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its number.
    pub number: DocumentNumber,
    /// Its kind.
    pub kind: Kind,
    /// The day of issue, the first of validity.
    pub issued: Date,
    /// The date of expiry, the last day of validity.
    pub expires: Date,
    /// Whom it is about.
    pub holder: Holder,
    /// Whether the holder agreed to certificates. From what age one gets them is the document
    /// profile's to say.
    pub certificates: bool,
}

impl Record {
    /// Returns the holder's age in full years on the day of issue; 0 for a birth after it, so
    /// that nobody gets by such a date what needs an age.
    #[must_use]
    pub fn age(&self) -> u16 {
        self.holder.age_on(self.issued).unwrap_or(0)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, {}, …)", self.number, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2036-03-01","holder":{"surname":"Izdomāta","given_names":"Anna","personal_code":"120190-12347","birth_date":"1990-01-12","sex":"F","nationality":"LVA"},"certificates":true}"#;

    #[test]
    fn round_trip_and_nothing_shown() {
        let record: Record = serde_json::from_str(JSON).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), JSON);
        assert_eq!(format!("{record:?}"), "Record(XA0000001, id-card, …)");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = JSON.replace("\"kind\"", "\"note\":\"x\",\"kind\"");
        assert!(serde_json::from_str::<Record>(&json).is_err());
    }
}
