//! The prepared data of one document.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

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
    /// What data preparation made beside it, by name: files of the travel chip, a portrait. In
    /// JSON each is hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prepared: BTreeMap<String, Prepared>,
}

/// Bytes that data preparation made: personal data, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Prepared(Zeroizing<Vec<u8>>);

impl Prepared {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Prepared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(base16ct::upper::encode_string(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Prepared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The text is personal data: the message does not repeat it.
        base16ct::mixed::decode_vec(text.as_bytes())
            .map(Self::new)
            .map_err(|_| D::Error::custom("prepared data is hexadecimal, two digits a byte"))
    }
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
    fn prepared_data_is_hexadecimal_and_never_shown() {
        let json = JSON.replace(
            "\"certificates\":true",
            "\"certificates\":true,\"prepared\":{\"dg1\":\"615B\"}",
        );
        let record: Record = serde_json::from_str(&json).unwrap();
        assert_eq!(record.prepared["dg1"].as_slice(), [0x61, 0x5B]);
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
        let error = serde_json::from_str::<Record>(&json.replace("615B", "ANNA")).unwrap_err();
        assert!(!error.to_string().contains("ANNA"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let json = JSON.replace("\"kind\"", "\"note\":\"x\",\"kind\"");
        assert!(serde_json::from_str::<Record>(&json).is_err());
    }
}
