//! Judges a finished chip: reads everything back through the holder's own door and says of each
//! thing whether it is as it should be, is not, or cannot be known from what is at hand.
//!
//! ```text
//! product ─► maker's keys ─► contents ─► certificates ─► try counters ─► signature (with a PIN)
//!                               ▲            ▲
//!        record, profile ───────┘            └────── trust anchors, record
//! ```

mod certificates;

use std::collections::BTreeMap;
use std::fmt;

use card::Channel;
use cert::Certificate;
use document::Record;
use jiff::Timestamp;
use profile::{ChipProfile, Detail, Dialect, Object, ObjectKind, Plan, RenderError, Variables};
use zeroize::Zeroizing;

use crate::Random;
use crate::examine::certificates::certified_keys;
use crate::inspect::{InspectError, Inspector, PinAnswer};

/// What a chip is judged by.
pub struct Standard<'a> {
    /// Its profile.
    pub chip: &'a ChipProfile,
    /// The record and the plan it was made from, where they are at hand.
    pub made_from: Option<(&'a Record, &'a Plan)>,
    /// The certificates that are trusted; none: the chain stays open.
    pub anchors: &'a [Certificate],
    /// The time as of which certificates are judged.
    pub at: Timestamp,
}

/// A PIN that may be used to judge a key.
pub struct Presented<'a> {
    /// The key's name in the chip profile.
    pub key: &'a str,
    /// The digits.
    pub digits: &'a [u8],
    /// Where the challenge to sign comes from.
    pub random: Random,
}

/// What is to be said of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It cannot be known from what is at hand.
    Unknown,
    /// It is not as it should be.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        })
    }
}

/// One thing that was judged. It shows no holder's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was judged.
    pub what: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// The chip's serial number, as far as it said one.
    pub serial: Option<String>,
    /// Each thing that was judged, in order.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Returns the verdict on the whole: the worst of all.
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.findings.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(Verdict::Unknown)
    }

    fn note(&mut self, what: impl Into<String>, verdict: Verdict, reason: impl Into<String>) {
        self.findings.push(Finding {
            what: what.into(),
            verdict,
            reason: reason.into(),
        });
    }
}

/// Judges the chip in a channel. No PIN is used but the one that is presented, and not even
/// that one when it has only one try left.
///
/// # Errors
/// [`InspectError::Card`] when the card or its reader fails: then nothing is known.
pub fn examine(
    channel: &mut dyn Channel,
    standard: &Standard<'_>,
    presented: Option<Presented<'_>>,
) -> Result<Examination, InspectError> {
    let mut examiner = Examiner {
        standard,
        inspector: Inspector::new(standard.chip, channel),
        report: Examination::default(),
        variables: Variables::default(),
        keys: Vec::new(),
        certificates: BTreeMap::new(),
    };
    if examiner.product()? {
        examiner.makers_keys()?;
        examiner.wanted_keys()?;
        examiner.contents()?;
        examiner.certificates();
        examiner.tries()?;
        if let Some(presented) = presented {
            examiner.signature(presented)?;
        }
    }
    Ok(examiner.report)
}

struct Examiner<'a> {
    standard: &'a Standard<'a>,
    inspector: Inspector<'a>,
    report: Examination,
    variables: Variables,
    /// The holder's keys that are there, or should be.
    keys: Vec<String>,
    certificates: BTreeMap<String, Certificate>,
}

/// Keeps a failed card apart from what the chip refused.
fn unless_device<T>(
    result: Result<T, InspectError>,
) -> Result<Result<T, InspectError>, InspectError> {
    match result {
        Err(error) if error.is_device() => Err(error),
        other => Ok(other),
    }
}

impl Examiner<'_> {
    /// Judges whether the chip is of the product at all.
    fn product(&mut self) -> Result<bool, InspectError> {
        let name = &self.standard.chip.name;
        let identity = match unless_device(self.inspector.identify())? {
            Ok(identity) => identity,
            Err(error) => {
                let reason = format!("it does not identify as \"{name}\": {error}");
                self.report.note("product", Verdict::Failed, reason);
                return Ok(false);
            }
        };
        self.variables = match self.standard.made_from {
            Some((record, _)) => profile::variables(record),
            None => Variables::default(),
        };
        for (name, value) in self.inspector.known().iter() {
            self.variables.set(name, value.clone());
        }
        let same = identity.differences.is_empty();
        let reason = match identity.differences.first() {
            None => match &identity.os {
                Some(os) => format!("\"{name}\", operating system {os}"),
                None => format!("\"{name}\""),
            },
            Some(other) => format!(
                "it is no \"{name}\": {} is {}, expected {}",
                other.what, other.found, other.expected
            ),
        };
        self.report.serial = identity.serial;
        let verdict = if same {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        self.report.note("product", verdict, reason);
        Ok(same)
    }

    /// Asks for the maker's keys of GlobalPlatform. Of others nothing but an attempt would tell, and
    /// a card counts those.
    fn makers_keys(&mut self) -> Result<(), InspectError> {
        const WHAT: &str = "maker's keys";
        let channel = &self.standard.chip.channel;
        if channel.of_global_platform().next().is_none() {
            return Ok(());
        }
        let makers = channel.of_global_platform();
        let makers: Vec<_> = makers.filter(|(name, _)| channel.is_makers(name)).collect();
        if makers.is_empty() {
            let reason = "the chip profile names no key set of the maker's".to_owned();
            self.report.note(WHAT, Verdict::Unknown, reason);
        }
        for (name, set) in makers {
            let version = set.version;
            let (verdict, reason) = match unless_device(self.inspector.takes_keys(name))? {
                Ok(true) => (
                    Verdict::Failed,
                    format!(
                        "the chip still takes version {version:02X}: whoever has the maker's keys can open it"
                    ),
                ),
                Ok(false) => (
                    Verdict::Passed,
                    format!("there is no version {version:02X} any more"),
                ),
                Err(error) => (Verdict::Unknown, error.to_string()),
            };
            self.report.note(WHAT, verdict, reason);
        }
        Ok(())
    }

    /// Finds out which of the holder's keys there should be: by the plan, else by what is there.
    fn wanted_keys(&mut self) -> Result<(), InspectError> {
        let chip = self.standard.chip;
        let keys: Vec<Object> = chip.objects(ObjectKind::Key).cloned().collect();
        for key in keys {
            let home = chip.object(ObjectKind::Application, &key.application);
            // Only a home of its own says by being there that the key is.
            let own_home = home.filter(|home| home.key.as_deref() == Some(key.name.as_str()));
            let there = match own_home {
                Some(_) => match unless_device(self.inspector.go_to(Dialect::Sign, &key))? {
                    Ok(()) => Some(true),
                    Err(error) if error.is_absent() => Some(false),
                    Err(error) => {
                        let reason = format!("whether it is on the chip is not known: {error}");
                        self.report
                            .note(format!("key {}", key.name), Verdict::Unknown, reason);
                        None
                    }
                },
                None => None,
            };
            let what = format!("key {}", key.name);
            let wanted = self
                .standard
                .made_from
                .map(|(_, plan)| plan.wanted_keys.contains(&key.name));
            match (wanted, there) {
                (Some(true), Some(false)) => self.report.note(
                    what,
                    Verdict::Failed,
                    "the holder should have it, and it is not on the chip",
                ),
                (Some(false), Some(true)) => self.report.note(
                    what,
                    Verdict::Failed,
                    "the holder should not have it, and its place is on the chip",
                ),
                (Some(false), Some(false)) => self.report.note(
                    what,
                    Verdict::Passed,
                    "the holder should not have it, and it is not on the chip",
                ),
                (Some(false), None) => {}
                (None, Some(false)) => self.report.note(
                    what,
                    Verdict::Unknown,
                    "it is not on the chip; whether the holder should have it, the record says",
                ),
                (Some(true), _) | (None, _) => self.keys.push(key.name),
            }
        }
        Ok(())
    }

    /// Returns the objects of a kind, without those of keys that the holder does not have.
    fn wanted(&self, kind: ObjectKind) -> Vec<Object> {
        let has = |key: &str| self.keys.iter().any(|known| known == key);
        let wants = |object: &&Object| object.is_wanted(has);
        let objects = self.standard.chip.objects(kind);
        objects.filter(wants).cloned().collect()
    }

    /// Reads every content, then judges each: what one must be may follow from another.
    fn contents(&mut self) -> Result<(), InspectError> {
        let mut objects = self.wanted(ObjectKind::File);
        objects.extend(self.wanted(ObjectKind::Data));
        let mut found = Vec::new();
        for object in objects {
            let content = unless_device(self.inspector.read(&object))?;
            found.push((object, content));
        }
        self.find_certificates(&found);
        for (object, content) in found {
            let what = match object.detail {
                Detail::Data { .. } => format!("data object {}", object.name),
                _ => format!("file {}", object.name),
            };
            let (verdict, reason) = match content {
                Ok(content) => self.judge_content(&object, &content),
                Err(error) if error.is_absent() && object.optional => (
                    Verdict::Passed,
                    "it is not there, and may be missing".to_owned(),
                ),
                Err(error) if error.is_absent() => {
                    (Verdict::Failed, format!("it is missing: {error}"))
                }
                Err(error) if error.is_closed() => {
                    let reason = format!("it is not to be read without a right: {error}");
                    (Verdict::Unknown, reason)
                }
                Err(error @ InspectError::Unspoken { .. }) => (Verdict::Unknown, error.to_string()),
                Err(error) => (Verdict::Failed, error.to_string()),
            };
            self.report.note(what, verdict, reason);
        }
        Ok(())
    }

    fn judge_content(&self, object: &Object, content: &[u8]) -> (Verdict, String) {
        let content = match object.detail {
            Detail::File { size: Some(_), .. } => without_room(content),
            _ => content,
        };
        let mut certified = certified_keys(object).into_iter();
        if certified.any(|key| !self.certificates.contains_key(&key)) {
            let reason = format!("{} bytes without a readable certificate", content.len());
            return (Verdict::Failed, reason);
        }
        let expected = match profile::content(self.standard.chip, object, &self.variables) {
            Ok(expected) => expected,
            Err(RenderError::Unset { name }) => {
                return (
                    Verdict::Unknown,
                    format!(
                        "{} bytes; what they must be follows from {name}, which is not at hand",
                        content.len()
                    ),
                );
            }
            Err(error) => return (Verdict::Unknown, error.to_string()),
        };
        if expected[..] == *content || is_followed_by_room(object, &expected, content) {
            return (
                Verdict::Passed,
                format!("{} bytes, each as it must be", content.len()),
            );
        }
        let same = expected.iter().zip(content).take_while(|(a, b)| a == b);
        (
            Verdict::Failed,
            format!(
                "{} bytes, expected {}; they differ from byte {}",
                content.len(),
                expected.len(),
                same.count()
            ),
        )
    }

    fn tries(&mut self) -> Result<(), InspectError> {
        for pin in self.wanted(ObjectKind::Pin) {
            let Detail::Pin(rules) = &pin.detail else {
                continue;
            };
            let what = format!("tries of {}", pin.title);
            match unless_device(self.inspector.tries(&pin))? {
                Ok(left) if left == rules.tries => {
                    let reason = format!("{left} of {}", rules.tries);
                    self.report.note(what, Verdict::Passed, reason);
                }
                Ok(left) => {
                    let reason = format!("{left} of {} are left", rules.tries);
                    self.report.note(what, Verdict::Failed, reason);
                }
                Err(error @ InspectError::Unspoken { .. }) => {
                    self.report.note(what, Verdict::Unknown, error.to_string());
                }
                Err(error) => self.report.note(what, Verdict::Failed, error.to_string()),
            }
        }
        Ok(())
    }

    fn signature(&mut self, mut presented: Presented<'_>) -> Result<(), InspectError> {
        let what = format!("signature by key {}", presented.key);
        let judged = self.judge_signature(&mut presented);
        let (verdict, reason) = match unless_device(judged)? {
            Ok(judged) => judged,
            Err(error) => (Verdict::Failed, error.to_string()),
        };
        self.report.note(what, verdict, reason);
        Ok(())
    }

    fn judge_signature(
        &mut self,
        presented: &mut Presented<'_>,
    ) -> Result<(Verdict, String), InspectError> {
        let chip = self.standard.chip;
        let unknown = |reason: String| Ok((Verdict::Unknown, reason));
        let Some(key) = chip.object(ObjectKind::Key, presented.key).cloned() else {
            return unknown("the chip profile has no such key".into());
        };
        let Detail::Key(rules) = key.detail.clone() else {
            return unknown("it is no key".into());
        };
        let pin = rules.pin.as_ref();
        let pin = pin.and_then(|pin| chip.object(ObjectKind::Pin, pin).cloned());
        let Some(certificate) = self.certificates.get(presented.key).cloned() else {
            return unknown("there is no readable certificate to verify it under".into());
        };
        if let Some(pin) = &pin
            && let Some(refused) = self.present(pin, presented.digits)?
        {
            return Ok(refused);
        }
        let mut challenge = Zeroizing::new(vec![0; 32]);
        (presented.random)(&mut challenge);
        let signature = self
            .inspector
            .sign(&key, &rules, &challenge, &mut presented.random)?;
        let verified = rules.verifies(certificate.public_key(), &challenge, &signature);
        Ok(match verified {
            true => (
                Verdict::Passed,
                format!(
                    "a random challenge, {}, under its certificate",
                    rules.algorithm
                ),
            ),
            false => (
                Verdict::Failed,
                "it does not verify under its certificate".into(),
            ),
        })
    }

    /// Presents a PIN, unless it has one try left. Gives the verdict where it was not taken.
    fn present(
        &mut self,
        pin: &Object,
        digits: &[u8],
    ) -> Result<Option<(Verdict, String)>, InspectError> {
        let failed = |reason: String| Ok(Some((Verdict::Failed, reason)));
        match unless_device(self.inspector.tries(pin))? {
            Ok(0) => return failed(format!("{} is blocked", pin.title)),
            Ok(1) => {
                return Ok(Some((
                    Verdict::Unknown,
                    format!(
                        "{} has one try left; it was not used, so that the card is not blocked by a slip",
                        pin.title
                    ),
                )));
            }
            _ => {}
        }
        match self.inspector.verify_pin(pin, digits)? {
            PinAnswer::Accepted => Ok(None),
            PinAnswer::Wrong(left) => {
                failed(format!("{} was refused; {left} tries are left", pin.title))
            }
            PinAnswer::Blocked => failed(format!("{} is blocked", pin.title)),
        }
    }
}

/// Returns a file's content without the unwritten room behind it. Content that itself ends in
/// null bytes loses those too: see [`is_followed_by_room`].
fn without_room(content: &[u8]) -> &[u8] {
    let room = |filling: u8| {
        content
            .iter()
            .rev()
            .take_while(|byte| **byte == filling)
            .count()
    };
    let length = content.len() - room(0x00).max(room(0xFF));
    content.get(..length).unwrap_or_default()
}

/// Returns whether a file that is larger than its content is as expected, but for room that
/// begins within the content's own last bytes.
fn is_followed_by_room(file: &Object, expected: &[u8], written: &[u8]) -> bool {
    matches!(file.detail, Detail::File { size: Some(_), .. })
        && expected.starts_with(written)
        && without_room(expected) == written
}
