//! Which document signer signs: rotation by time of use and by count (*ICAO 9303-12 §4.1.1.2*).

use cert::document_type_includes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A document signer in the book. The key is in the token under its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerEntry {
    /// The key's label in the token.
    pub label: String,
    /// The certificate's serial number in hexadecimal.
    pub serial: String,
    /// The first second in which the key signs.
    pub from: Timestamp,
    /// The last second.
    pub until: Timestamp,
    /// The most documents that it signs.
    pub most: u64,
    /// How many it signed.
    pub used: u64,
    /// The types of document that it may sign, a single letter for all that begin with it.
    pub document_types: Vec<String>,
}

/// Why a signer does not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its time has not begun.
    #[error("signs from {0} only")]
    NotYet(Timestamp),
    /// Its time is over.
    #[error("signed until {0}")]
    Expired(Timestamp),
    /// It signed as many documents as it may.
    #[error("signed all of its {0} documents")]
    Exhausted(u64),
    /// It is not for such documents.
    #[error("is not for documents of type {0}")]
    DocumentType(String),
}

/// Nobody signs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no document signer signs now{}", self.reasons())]
pub struct NoSigner {
    /// Every signer with what keeps it from signing; none where the book is empty.
    pub signers: Vec<(String, Unfit)>,
}

impl NoSigner {
    fn reasons(&self) -> String {
        if self.signers.is_empty() {
            return ": there is none; request one from the country signing CA".to_owned();
        }
        let reasons = self.signers.iter();
        reasons
            .map(|(label, why)| format!("; {label} {why}"))
            .collect()
    }
}

/// Why a signer was not entered, or a signature not counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// A key of that label, or a certificate of that number, is in the book.
    #[error("document signer {label} is in the book already")]
    Repeated {
        /// The label.
        label: String,
    },
    /// Its time ends before it begins, or it may sign nothing.
    #[error("document signer {label} would never sign")]
    Never {
        /// The label.
        label: String,
    },
    /// No such signer.
    #[error("there is no document signer {label}")]
    Unknown {
        /// The label.
        label: String,
    },
    /// It may not sign.
    #[error("document signer {label} {why}")]
    Unfit {
        /// The label.
        label: String,
        /// Why.
        why: Unfit,
    },
}

/// The book of document signers. It is a value: who keeps it writes it down before the signature
/// that it counts is given out, so that a crash costs a count and never adds a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentSigners(Vec<SignerEntry>);

impl SignerEntry {
    /// Returns what keeps it from signing a document of this type; nothing where it signs.
    pub fn unfit(&self, at: Timestamp, document_type: &str) -> Option<Unfit> {
        let is_kind = |listed: &String| document_type_includes(listed, document_type);
        if at < self.from {
            return Some(Unfit::NotYet(self.from));
        }
        if at.as_second() > self.until.as_second() {
            return Some(Unfit::Expired(self.until));
        }
        if self.used >= self.most {
            return Some(Unfit::Exhausted(self.most));
        }
        (!self.document_types.iter().any(is_kind))
            .then(|| Unfit::DocumentType(document_type.to_owned()))
    }
}

impl DocumentSigners {
    /// Enters a signer.
    ///
    /// # Errors
    /// [`BookError::Repeated`], [`BookError::Never`].
    pub fn add(&mut self, entry: SignerEntry) -> Result<(), BookError> {
        let label = entry.label.clone();
        let is_same =
            |other: &SignerEntry| other.label == entry.label || other.serial == entry.serial;
        if self.0.iter().any(is_same) {
            return Err(BookError::Repeated { label });
        }
        if entry.until < entry.from || entry.used >= entry.most {
            return Err(BookError::Never { label });
        }
        self.0.push(entry);
        Ok(())
    }

    /// Returns the signers, in the order in which they were entered.
    pub fn entries(&self) -> &[SignerEntry] {
        &self.0
    }

    /// Returns the signer of a document: of those that sign, the one whose time ends first, so that
    /// keys are used up before they are laid aside.
    ///
    /// # Errors
    /// [`NoSigner`], with what keeps each from signing.
    pub fn current(&self, at: Timestamp, document_type: &str) -> Result<&SignerEntry, NoSigner> {
        let mut signers = Vec::new();
        let mut best: Option<&SignerEntry> = None;
        for entry in &self.0 {
            match entry.unfit(at, document_type) {
                Some(why) => signers.push((entry.label.clone(), why)),
                None if best.is_none_or(|best| entry.until < best.until) => best = Some(entry),
                None => {}
            }
        }
        best.ok_or(NoSigner { signers })
    }

    /// Counts a signature: to be written down before the signature is given out.
    ///
    /// # Errors
    /// [`BookError::Unknown`], [`BookError::Unfit`].
    pub fn count(
        &mut self,
        label: &str,
        at: Timestamp,
        document_type: &str,
    ) -> Result<(), BookError> {
        let entry = self.0.iter_mut().find(|entry| entry.label == label);
        let entry = entry.ok_or_else(|| BookError::Unknown {
            label: label.to_owned(),
        })?;
        if let Some(why) = entry.unfit(at, document_type) {
            return Err(BookError::Unfit {
                label: label.to_owned(),
                why,
            });
        }
        entry.used += 1;
        Ok(())
    }

    /// Says whether a new signer is to be requested now, for documents of this type: none signs in
    /// `lead` from now on, the time that the country signing CA needs, or fewer than `reserve`
    /// documents could then be signed.
    pub fn is_wanted(
        &self,
        at: Timestamp,
        lead: SignedDuration,
        reserve: u64,
        document_type: &str,
    ) -> bool {
        let then = at.checked_add(lead).unwrap_or(Timestamp::MAX);
        let left = self
            .0
            .iter()
            .filter(|entry| entry.unfit(then, document_type).is_none())
            .fold(0_u64, |left, entry| {
                left.saturating_add(entry.most - entry.used)
            });
        left <= reserve
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::{BookError, DocumentSigners, SignerEntry, Unfit};
    use crate::testing::time;

    fn entry(label: &str, from: &str, until: &str, most: u64) -> SignerEntry {
        SignerEntry {
            label: label.to_owned(),
            serial: format!("5e{label}"),
            from: time(from),
            until: time(until),
            most,
            used: 0,
            document_types: vec!["P".into(), "ID".into()],
        }
    }

    fn book() -> DocumentSigners {
        let mut book = DocumentSigners::default();
        let (january, april) = ("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
        book.add(entry(
            "ds-2",
            "2026-02-01T00:00:00Z",
            "2026-05-01T00:00:00Z",
            5,
        ))
        .unwrap();
        book.add(entry("ds-1", january, april, 2)).unwrap();
        book
    }

    #[test]
    fn signers_follow_one_another_by_time_and_by_count() {
        let mut book = book();
        let march = time("2026-03-01T00:00:00Z");
        let mut signed = Vec::new();
        while let Ok(signer) = book.current(march, "P") {
            let label = signer.label.clone();
            book.count(&label, march, "P").unwrap();
            signed.push(label);
        }
        assert_eq!(
            signed,
            ["ds-1", "ds-1", "ds-2", "ds-2", "ds-2", "ds-2", "ds-2"]
        );
        let refused = book.current(march, "P").unwrap_err();
        let expected = [("ds-2", Unfit::Exhausted(5)), ("ds-1", Unfit::Exhausted(2))];
        assert_eq!(
            refused.signers,
            expected.map(|(label, why)| (label.to_owned(), why))
        );
        assert_eq!(
            book.count("ds-1", march, "P"),
            Err(BookError::Unfit {
                label: "ds-1".into(),
                why: Unfit::Exhausted(2)
            })
        );
    }

    #[test]
    fn refusals_say_why() {
        let book = book();
        let of = |at: &str, kind: &str| book.current(time(at), kind).map(|entry| &*entry.label);
        assert_eq!(of("2026-01-15T00:00:00Z", "PN"), Ok("ds-1"));
        assert_eq!(of("2026-04-01T00:00:00Z", "ID"), Ok("ds-1"));
        assert_eq!(of("2026-04-01T00:00:01Z", "ID"), Ok("ds-2"));
        let early = of("2025-12-31T23:59:59Z", "P").unwrap_err();
        assert_eq!(
            early.signers[1].1,
            Unfit::NotYet(time("2026-01-01T00:00:00Z"))
        );
        let late = of("2026-06-01T00:00:00Z", "P").unwrap_err();
        assert_eq!(
            late.signers[0].1,
            Unfit::Expired(time("2026-05-01T00:00:00Z"))
        );
        let other = of("2026-03-01T00:00:00Z", "AR").unwrap_err();
        assert_eq!(other.signers[0].1, Unfit::DocumentType("AR".into()));
        assert_eq!(
            DocumentSigners::default()
                .current(time("2026-03-01T00:00:00Z"), "P")
                .unwrap_err()
                .to_string(),
            "no document signer signs now: there is none; request one from the country signing CA"
        );
    }

    #[test]
    fn the_next_is_wanted_in_time() {
        let book = book();
        let is_wanted = |at: &str, days: i64, reserve: u64| {
            let lead = SignedDuration::from_hours(24 * days);
            book.is_wanted(time(at), lead, reserve, "P")
        };
        assert!(!is_wanted("2026-03-01T00:00:00Z", 14, 3));
        assert!(is_wanted("2026-03-01T00:00:00Z", 14, 7));
        // In two weeks the last one's time is over.
        assert!(is_wanted("2026-04-20T00:00:00Z", 14, 0));
        assert!(DocumentSigners::default().is_wanted(
            time("2026-03-01T00:00:00Z"),
            SignedDuration::ZERO,
            0,
            "P"
        ));
    }

    #[test]
    fn nothing_is_entered_twice_or_in_vain() {
        let mut book = book();
        let again = entry("ds-1", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", 2);
        assert!(matches!(
            book.add(again.clone()),
            Err(BookError::Repeated { .. })
        ));
        let backwards = SignerEntry {
            label: "x".into(),
            serial: "00".into(),
            until: time("2025-01-01T00:00:00Z"),
            ..again.clone()
        };
        assert!(matches!(book.add(backwards), Err(BookError::Never { .. })));
        let none = SignerEntry {
            label: "x".into(),
            serial: "00".into(),
            most: 0,
            ..again
        };
        assert!(matches!(book.add(none), Err(BookError::Never { .. })));
        let kept = serde_json::to_string(&book).unwrap();
        assert_eq!(
            serde_json::from_str::<DocumentSigners>(&kept).unwrap(),
            book
        );
    }

    proptest! {
        #[test]
        fn no_signer_signs_more_than_it_may(most in prop::collection::vec(1_u64..9, 1..5)) {
            let mut book = DocumentSigners::default();
            for (place, most) in most.iter().enumerate() {
                let mut one = entry(&format!("ds-{place}"), "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", *most);
                one.until = one.until.checked_add(SignedDuration::from_secs(i64::try_from(place).unwrap())).unwrap();
                book.add(one).unwrap();
            }
            let at = time("2026-02-01T00:00:00Z");
            let mut signed = 0;
            while let Ok(signer) = book.current(at, "P") {
                let label = signer.label.clone();
                book.count(&label, at, "P").unwrap();
                signed += 1;
            }
            prop_assert_eq!(signed, most.iter().sum::<u64>());
            prop_assert!(book.entries().iter().all(|entry| entry.used == entry.most));
        }
    }
}
