//! The validated fields of an entry. Each is checked once, where it is made, and each is the same
//! when it is read back.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::decimal;

/// Says which field is refused and what it may hold. The refused value is not repeated: it may be
/// the very thing that must not be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} is refused: {rule}")]
pub struct FieldError {
    /// The field.
    pub field: &'static str,
    /// What the field may hold.
    pub rule: &'static str,
}

const PERSONAL_CODE: &str =
    "it contains a personal code; refer to people by pseudonymous reference";

/// Defines a text field: a newtype over `String` with one rule.
macro_rules! text_field {
    ($(#[$doc:meta])* $name:ident, $field:literal, $rule:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps the text.
            ///
            /// # Errors
            /// [`FieldError`]: what the field may hold.
            pub fn new(text: impl Into<String>) -> Result<Self, FieldError> {
                let text = text.into();
                let holds: fn(&str) -> bool = $holds;
                if !holds(&text) {
                    return Err(FieldError { field: $field, rule: $rule });
                }
                if names_a_person(&text) {
                    return Err(FieldError { field: $field, rule: PERSONAL_CODE });
                }
                Ok(Self(text))
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = FieldError;

            fn try_from(text: String) -> Result<Self, FieldError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(field: $name) -> Self {
                field.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_field! {
    /// What identifies an entry for good, given by whoever writes it: a UUID in lower case, or a
    /// decimal number below 2^64.
    EntryId, "entry id", "a lower-case UUID or a decimal number",
    |text| decimal::parse(text).is_some() || is_uuid(text)
}

text_field! {
    /// A moment in UTC: *RFC 3339* with upper-case `T` and `Z`, and up to nine digits of a second's
    /// fraction. The text is kept as it came.
    Timestamp, "time", "RFC 3339 in UTC, such as 2026-03-01T08:30:00.125Z",
    is_utc_time
}

text_field! {
    /// A pseudonymous reference to a person, a station or a thing: 1 to 128 ASCII letters, digits
    /// and `. _ : / -`. Neither a name nor a mail address fits, on purpose.
    Reference, "reference", "1 to 128 ASCII letters, digits and . _ : / -",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/-".contains(&b))
}

text_field! {
    /// What was done, as a dotted name: two to four words, such as `document.personalized` or
    /// `station.lease.expired`. A word has lower-case letters, digits, `_` and `-`, and begins with
    /// a letter; the whole has at most 64 bytes.
    Action, "action", "two to four lower-case words with dots between, such as pin.letter.printed",
    |text| text.len() <= 64
        && (2..=4).contains(&text.split('.').count())
        && text.split('.').all(is_word)
}

text_field! {
    /// What kind of thing was acted on, such as `document`, `blank`, `key`, `user`: one lower-case
    /// word of at most 32 bytes.
    SubjectKind, "subject kind", "one lower-case word of at most 32 bytes, such as document",
    |text| text.len() <= 32 && is_word(text)
}

text_field! {
    /// Why: 1 to 512 bytes for a person to read, on one line.
    Cause, "cause", "1 to 512 bytes on one line, without control characters",
    |text| is_line(text, 512) && !text.is_empty()
}

/// More facts about an act: up to 32 pairs. A key is a lower-case word of at most 48 bytes, with
/// dots allowed; a value is one line of at most 512 bytes. Printed and encoded in the order of the
/// keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<String, String>",
    into = "BTreeMap<String, String>"
)]
pub struct Details(BTreeMap<String, String>);

impl Details {
    /// The most pairs that an entry may have.
    pub const MAX: usize = 32;

    /// Returns no details.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a pair; a key that is there already gets the new value.
    ///
    /// # Errors
    /// [`FieldError`] for the key, the value or the number of pairs; nothing is then changed.
    pub fn insert(
        &mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), FieldError> {
        let (key, value) = (key.into(), value.into());
        let refuse = |field, rule| Err(FieldError { field, rule });
        if key.len() > 48 || !key.split('.').all(is_word) {
            return refuse("detail key", "lower-case words with dots, 48 bytes at most");
        }
        if !is_line(&value, 512) {
            return refuse(
                "detail value",
                "512 bytes at most, without control characters",
            );
        }
        if names_a_person(&value) {
            return refuse("detail value", PERSONAL_CODE);
        }
        if self.0.len() >= Self::MAX && !self.0.contains_key(&key) {
            return refuse("details", "32 pairs at most");
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// Adds a pair and returns the details: [`Details::insert`] for chaining.
    ///
    /// # Errors
    /// As [`Details::insert`].
    pub fn with(
        mut self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, FieldError> {
        self.insert(key, value)?;
        Ok(self)
    }

    /// Returns the value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Returns the pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Details {
    type Error = FieldError;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, FieldError> {
        pairs
            .into_iter()
            .try_fold(Self::new(), |details, (key, value)| {
                details.with(key, value)
            })
    }
}

impl From<Details> for BTreeMap<String, String> {
    fn from(details: Details) -> Self {
        details.0
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
}

/// Text on one line. Line and paragraph separators would let one entry look like two.
fn is_line(text: &str, longest: usize) -> bool {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.len() <= longest && !text.contains(breaks)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

fn is_utc_time(text: &str) -> bool {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let bytes = text.as_bytes();
    let Some((head, tail)) = bytes.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let shaped = head.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        _ => byte == shape,
    });
    let fraction = match tail {
        [b'Z'] => true,
        [b'.', digits @ .., b'Z'] => {
            (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    if !shaped || !fraction {
        return false;
    }
    let number = |from: usize, to: usize| {
        head.get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0_u16, |value, digit| value * 10 + u16::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    // A leap second cannot be told from the one before by most clocks: it is not accepted.
    (1..=days).contains(&day) && number(11, 13) < 24 && number(14, 16) < 60 && number(17, 19) < 60
}

/// Finds a Latvian personal code (`DDDDDD-DDDDD`) standing alone. The log can never be corrected,
/// so the most likely slip is caught here; no UUID can look like one.
fn names_a_person(text: &str) -> bool {
    let code = |run: &[u8]| {
        run.iter().enumerate().all(|(at, byte)| match at {
            6 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    bytes
        .windows(12)
        .enumerate()
        .any(|(at, run)| code(run) && !digit(at.checked_sub(1)) && !digit(Some(at + 12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_real() {
        for good in [
            "2026-03-01T08:30:00Z",
            "2024-02-29T23:59:59.999999999Z",
            "2000-02-29T00:00:00.1Z",
        ] {
            assert_eq!(Timestamp::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "2026-03-01",
            "2026-03-01T08:30:00",
            "2026-03-01 08:30:00Z",
            "2026-03-01t08:30:00z",
            "2026-03-01T08:30:00+00:00",
            "2026-02-29T08:30:00Z",
            "1900-02-29T08:30:00Z",
            "2026-04-31T08:30:00Z",
            "2026-13-01T08:30:00Z",
            "2026-00-01T08:30:00Z",
            "2026-03-00T08:30:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T08:60:00Z",
            "2016-12-31T23:59:60Z",
            "2026-03-01T08:30:00.Z",
            "2026-03-01T08:30:00.1234567890Z",
            "2026-03-01T08:30:00ZZ",
            "2026-03-0āT08:30:00Z",
        ] {
            assert!(Timestamp::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_are_uuids_or_numbers() {
        for good in ["0", "42", "0192f0c1-2b3c-7d4e-8f50-617283940a1b"] {
            assert!(EntryId::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "042",
            "0192F0C1-2B3C-7D4E-8F50-617283940A1B",
            "0192f0c12b3c7d4e8f50617283940a1b",
            "0192f0c1-2b3c-7d4e-8f50-617283940a1g",
        ] {
            assert!(EntryId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn actions_and_kinds_are_words() {
        for good in [
            "document.personalized",
            "pin.letter.printed",
            "a.b2.c_d.e-f",
        ] {
            assert!(Action::new(good).is_ok(), "{good}");
        }
        let long = format!("a.{}", "b".repeat(63));
        for bad in [
            "",
            "document",
            "a.",
            ".a",
            "a..b",
            "A.b",
            "a.1b",
            "a.b.c.d.e",
            "a.b c",
            &long,
        ] {
            assert!(Action::new(bad).is_err(), "{bad}");
        }
        assert!(SubjectKind::new("blank").is_ok());
        assert!(SubjectKind::new("blank.stock").is_err());
    }

    #[test]
    fn references_hold_no_names_and_no_codes() {
        for good in ["person/0192f0c1", "station:riga-2", "AA1234567"] {
            assert!(Reference::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Jānis",
            "a b",
            "clerk@example.com",
            "010190-12345",
            "p/320101-12345/x",
        ] {
            assert!(Reference::new(bad).is_err(), "{bad}");
        }
        assert!(Cause::new("holder 010190-12345 did not come").is_err());
        assert!(Cause::new("line\nbreak").is_err());
        assert!(Cause::new("karte iestrēga lasītājā").is_ok());
        // Longer runs of digits are something else: dates, serial numbers.
        assert!(Cause::new("batch 20260301-12345").is_ok());
        assert!(Cause::new("batch 010190-123456").is_ok());
    }

    #[test]
    fn details_are_bounded_and_a_bad_pair_changes_nothing() {
        let mut details = Details::new();
        for n in 0..32 {
            details.insert(format!("key{n}"), "value").unwrap();
        }
        let full = details.clone();
        assert!(details.insert("one-more", "value").is_err());
        assert!(details.insert("key0", "tab\there").is_err());
        assert!(details.insert("key0", "x".repeat(513)).is_err());
        assert!(details.insert("key0", "010190-12345").is_err());
        assert!(details.insert("Key0", "value").is_err());
        assert!(details.insert("", "value").is_err());
        assert_eq!(details, full);
        details.insert("key0", "another").unwrap();
        assert_eq!(details.get("key0"), Some("another"));
    }
}
