//! One entry: what an auditor reads, and the bytes that the tree hashes.

use serde::{Deserialize, Serialize};

use crate::{
    control::Control,
    field::{Action, Cause, Details, EntryId, Reference, SubjectKind, Timestamp},
};

/// The version of the encoding, written into each entry.
const VERSION: u64 = 1;

/// The most bytes that a leaf may have: its length must fit 16 bits (*C2SP tlog-tiles, "Log
/// entries"*).
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// One act, as it stands in the log.
///
/// # Encoding
///
/// The leaf is one JSON object (*RFC 8259*, UTF-8): keys sorted, no white space, every value a
/// string except `v`, the number of the encoding's version. Strings escape `"` and `\` and nothing
/// else, since no field may hold a control character. What is absent is left out, never `null`.
/// This is a subset of *RFC 8785* (JSON canonicalization): any implementation of that gives the
/// same bytes.
///
/// ```json
/// {"action":"document.personalized","actor":{"person":"person/7f3a","station":"riga-2"},
///  "cause":"…","clock":"synchronized","control":"A.8.15","details":{"chip":"…"},
///  "id":"0192f0c1-2b3c-7d4e-8f50-617283940a1b","outcome":"done",
///  "subject":{"kind":"document","reference":"doc/91c2"},"time":"2026-03-01T08:30:00Z","v":1}
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What identifies the entry for good.
    pub id: EntryId,
    /// When it was done.
    pub time: Timestamp,
    /// How far that time can be relied on.
    pub clock: ClockQuality,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// On what.
    pub subject: Subject,
    /// How it ended.
    pub outcome: Outcome,
    /// Why. An act that was refused or failed must say it.
    pub cause: Option<Cause>,
    /// The control that this entry is evidence for.
    pub control: Control,
    /// Further facts.
    pub details: Details,
}

/// How far the clock that gave an entry's time can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockQuality {
    /// The clock follows its UTC source.
    Synchronized,
    /// The clock has lost its source, and runs on within the drift that policy allows.
    Holdover,
    /// The clock is known to be off, or was never set.
    Unsynchronized,
    /// Nobody could tell.
    Unknown,
}

impl ClockQuality {
    /// Returns the word that stands in the encoding.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Synchronized => "synchronized",
            Self::Holdover => "holdover",
            Self::Unsynchronized => "unsynchronized",
            Self::Unknown => "unknown",
        }
    }
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was not allowed, and nothing was changed.
    Refused,
    /// It was tried and did not succeed.
    Failed,
}

impl Outcome {
    /// Returns the word that stands in the encoding.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Who acted: a person, a station, or a person at a station. At least one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The person, by pseudonymous reference.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<Reference>,
    /// The machine. The central store's own acts name the store here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub station: Option<Reference>,
}

/// What was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The kind of thing.
    pub kind: SubjectKind,
    /// The thing, by pseudonymous reference.
    pub reference: Reference,
}

/// Says why something is not an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Nobody acted.
    #[error("an entry names a person or a station, this one neither")]
    NoActor,
    /// An act was refused or failed, and nobody says why.
    #[error("an act that was refused or failed needs a cause")]
    NoCause,
    /// The encoding is longer than a leaf may be.
    #[error("the entry has {length} bytes, more than {MAX_ENTRY}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The bytes are not the JSON object of an entry, or a field holds what it may not.
    #[error("the bytes are not an entry")]
    Json(#[source] serde_json::Error),
    /// The entry is of an encoding that this program does not know.
    #[error("the entry is of encoding version {found}, only {VERSION} is known")]
    Version {
        /// The version it names.
        found: u64,
    },
    /// The bytes say the same as an entry, in another spelling.
    #[error("the entry is not in canonical form")]
    NotCanonical,
}

/// The order of the fields is the order of the keys: sorted.
#[derive(Serialize)]
struct Written<'e> {
    action: &'e Action,
    actor: &'e Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'e Cause>,
    clock: ClockQuality,
    control: Control,
    #[serde(skip_serializing_if = "Details::is_empty")]
    details: &'e Details,
    id: &'e EntryId,
    outcome: Outcome,
    subject: &'e Subject,
    time: &'e Timestamp,
    v: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    action: Action,
    actor: Actor,
    cause: Option<Cause>,
    clock: ClockQuality,
    control: Control,
    #[serde(default)]
    details: Details,
    id: EntryId,
    outcome: Outcome,
    subject: Subject,
    time: Timestamp,
    v: u64,
}

impl Entry {
    /// Encodes the entry canonically: the bytes of its leaf.
    ///
    /// # Errors
    /// [`EntryError::NoActor`], [`EntryError::NoCause`] or [`EntryError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        if self.actor.person.is_none() && self.actor.station.is_none() {
            return Err(EntryError::NoActor);
        }
        if self.outcome != Outcome::Done && self.cause.is_none() {
            return Err(EntryError::NoCause);
        }
        let bytes = serde_json::to_vec(self).map_err(EntryError::Json)?;
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong {
                length: bytes.len(),
            });
        }
        Ok(bytes)
    }

    /// Reads an entry back, strictly: only what [`Entry::encode`] gives is read.
    ///
    /// # Errors
    /// [`EntryError`]: what is not as it must be.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong {
                length: bytes.len(),
            });
        }
        let read: Read = serde_json::from_slice(bytes).map_err(EntryError::Json)?;
        if read.v != VERSION {
            return Err(EntryError::Version { found: read.v });
        }
        let entry = Self {
            id: read.id,
            time: read.time,
            clock: read.clock,
            actor: read.actor,
            action: read.action,
            subject: read.subject,
            outcome: read.outcome,
            cause: read.cause,
            control: read.control,
            details: read.details,
        };
        // Catches white space, other orders, repeated keys and needless escapes all at once.
        if entry.encode()? != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(entry)
    }
}

impl Serialize for Entry {
    /// Gives the fields of the encoding, for programs that print entries as JSON.
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Written {
            action: &self.action,
            actor: &self.actor,
            cause: self.cause.as_ref(),
            clock: self.clock,
            control: self.control,
            details: &self.details,
            id: &self.id,
            outcome: self.outcome,
            subject: &self.subject,
            time: &self.time,
            v: VERSION,
        }
        .serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, option, prelude::*};

    use super::*;

    fn sample() -> Entry {
        Entry {
            id: EntryId::new("0192f0c1-2b3c-7d4e-8f50-617283940a1b").unwrap(),
            time: Timestamp::new("2026-03-01T08:30:00.125Z").unwrap(),
            clock: ClockQuality::Synchronized,
            actor: Actor {
                person: Some(Reference::new("person/7f3a").unwrap()),
                station: Some(Reference::new("riga-2").unwrap()),
            },
            action: Action::new("document.personalized").unwrap(),
            subject: Subject {
                kind: SubjectKind::new("document").unwrap(),
                reference: Reference::new("doc/91c2").unwrap(),
            },
            outcome: Outcome::Failed,
            cause: Some(Cause::new("karte \"iestrēga\" \\ lasītājā").unwrap()),
            control: Control::LOGGING,
            details: Details::new()
                .with("slot", "3")
                .and_then(|details| details.with("chip.serial", "4B01"))
                .unwrap(),
        }
    }

    /// Written by hand from the description of the encoding.
    const SAMPLE: &str = concat!(
        r#"{"action":"document.personalized","#,
        r#""actor":{"person":"person/7f3a","station":"riga-2"},"#,
        r#""cause":"karte \"iestrēga\" \\ lasītājā","#,
        r#""clock":"synchronized","control":"A.8.15","#,
        r#""details":{"chip.serial":"4B01","slot":"3"},"#,
        r#""id":"0192f0c1-2b3c-7d4e-8f50-617283940a1b","outcome":"failed","#,
        r#""subject":{"kind":"document","reference":"doc/91c2"},"#,
        r#""time":"2026-03-01T08:30:00.125Z","v":1}"#,
    );

    #[test]
    fn the_encoding_is_as_described() {
        let bytes = sample().encode().unwrap();
        assert_eq!(str::from_utf8(&bytes).unwrap(), SAMPLE);
        assert_eq!(Entry::decode(SAMPLE.as_bytes()).unwrap(), sample());
        let small = Entry {
            cause: None,
            outcome: Outcome::Done,
            details: Details::new(),
            ..sample()
        };
        let text = String::from_utf8(small.encode().unwrap()).unwrap();
        assert!(!text.contains("cause") && !text.contains("details") && !text.contains("null"));
        assert_eq!(Entry::decode(text.as_bytes()).unwrap(), small);
    }

    #[test]
    fn what_an_auditor_needs_is_not_left_out() {
        let nobody = Actor {
            person: None,
            station: None,
        };
        let entry = Entry {
            actor: nobody,
            ..sample()
        };
        assert!(matches!(entry.encode(), Err(EntryError::NoActor)));
        let entry = Entry {
            cause: None,
            ..sample()
        };
        assert!(matches!(entry.encode(), Err(EntryError::NoCause)));
        let text = SAMPLE.replace(r#""person":"person/7f3a","station":"riga-2""#, "");
        let refused = Entry::decode(text.as_bytes());
        assert!(matches!(refused, Err(EntryError::NoActor)));
    }

    #[test]
    fn only_the_canonical_spelling_is_read() {
        for (from, to) in [
            (",\"v\":1", ", \"v\":1"),
            ("iestrēga", "iestr\\u0113ga"),
            ("person/7f3a", "person\\/7f3a"),
            (
                r#"{"chip.serial":"4B01","slot":"3"}"#,
                r#"{"slot":"3","chip.serial":"4B01"}"#,
            ),
            (r#""slot":"3""#, r#""slot":"2","slot":"3""#),
            (r#"{"chip.serial":"4B01","slot":"3"}"#, "{}"),
        ] {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE);
            let refused = Entry::decode(text.as_bytes());
            assert!(matches!(refused, Err(EntryError::NotCanonical)), "{to}");
        }
        for (from, to) in [
            ("\"v\":1", "\"v\":1,\"v\":1"),
            ("\"v\":1", "\"v\":1,\"w\":1"),
            ("\"v\":1", "\"v\":1.0"),
            ("\"v\":1}", "\"v\":1}}"),
            ("\"v\":1", "\"v\":-1"),
            ("A.8.15", "A.8.35"),
            ("\"failed\"", "\"perhaps\""),
            ("\"failed\"", "null"),
            ("2026-03-01T", "2026-02-30T"),
            ("\"slot\":\"3\"", "\"slot\":3"),
        ] {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE);
            let refused = Entry::decode(text.as_bytes());
            assert!(matches!(refused, Err(EntryError::Json(_))), "{to}");
        }
        let newer = SAMPLE.replace("\"v\":1", "\"v\":2");
        let refused = Entry::decode(newer.as_bytes());
        assert!(matches!(refused, Err(EntryError::Version { found: 2 })));
        let deep = "[".repeat(60_000);
        assert!(Entry::decode(deep.as_bytes()).is_err());
        let long = " ".repeat(MAX_ENTRY + 1);
        let refused = Entry::decode(long.as_bytes());
        assert!(matches!(refused, Err(EntryError::TooLong { .. })));
    }

    #[test]
    fn the_largest_entry_fits_a_leaf() {
        let worst = "\"".repeat(512);
        let mut entry = sample();
        entry.cause = Some(Cause::new(worst.as_str()).unwrap());
        for n in 10..42 {
            let key = format!("{}{n}", "k".repeat(46));
            let mut details = if n == 10 {
                Details::new()
            } else {
                entry.details
            };
            details.insert(key, worst.as_str()).unwrap();
            entry.details = details;
        }
        let bytes = entry.encode().unwrap();
        assert!(bytes.len() > 32 * 1024);
        assert_eq!(Entry::decode(&bytes).unwrap(), entry);
    }

    #[test]
    fn words_are_those_of_the_encoding() {
        for outcome in [Outcome::Done, Outcome::Refused, Outcome::Failed] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
        for clock in [
            ClockQuality::Synchronized,
            ClockQuality::Holdover,
            ClockQuality::Unsynchronized,
            ClockQuality::Unknown,
        ] {
            assert_eq!(serde_json::to_value(clock).unwrap(), clock.as_str());
        }
    }

    fn reference() -> impl Strategy<Value = Reference> {
        "[a-z][A-Za-z0-9._:/-]{0,20}".prop_filter_map("code", |text| Reference::new(text).ok())
    }

    prop_compose! {
        fn entries()(
            id: u64,
            time in "20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z",
            clock in prop_oneof![Just(ClockQuality::Holdover), Just(ClockQuality::Unknown)],
            person in option::of(reference()),
            station in reference(),
            action in "[a-z][a-z0-9_-]{0,9}(\\.[a-z][a-z0-9_-]{0,9}){1,3}",
            kind in "[a-z]{1,32}",
            subject in reference(),
            outcome in prop_oneof![Just(Outcome::Done), Just(Outcome::Refused)],
            cause in "[^\\p{C}\\p{Zl}\\p{Zp}]{1,40}",
            control in (5_u8..=8, 1_u8..=8),
            details in btree_map("[a-z]{1,8}", "[^\\p{C}\\p{Zl}\\p{Zp}]{0,40}", 0..6),
        ) -> Entry {
            Entry {
                id: EntryId::new(id.to_string()).unwrap(),
                time: Timestamp::new(time).unwrap(),
                clock,
                actor: Actor { person, station: Some(station) },
                action: Action::new(action).unwrap(),
                subject: Subject { kind: SubjectKind::new(kind).unwrap(), reference: subject },
                outcome,
                cause: Some(Cause::new(cause).unwrap()),
                control: Control::new(control.0, control.1).unwrap(),
                details: Details::try_from(details).unwrap(),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn entries_read_back(entry in entries()) {
            let bytes = entry.encode().unwrap();
            prop_assert_eq!(Entry::decode(&bytes).unwrap(), entry);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
