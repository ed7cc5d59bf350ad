//! Packages: applications as a register sends them, many at once, each with what is to be done.
//!
//! Format 1 is one JSON object; how it is signed and carried is `cert`'s (a JWS):
//!
//! ```json
//! { "format": 1, "source": "population-register", "package": "PR-2026-000042", "sequence": 42,
//!   "created": "2026-11-20T08:00:00Z", "environment": "test",
//!   "applications": [
//!     { "action": "new", "application": { … } },
//!     { "action": "replace", "reference": "APP-2026-000001", "application": { … } },
//!     { "action": "withdraw", "reference": "APP-2026-000002", "cause": "the holder has died" } ] }
//! ```
//!
//! A package is read whole or not at all; of a package that reads, each entry stands or falls by
//! itself.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use super::fault::Coded;
use super::reader::{Fields, Reader};
use super::tree::Tree;
use super::{Application, FORMAT, Fault, FaultCode, Reference};
use crate::Environment;
use crate::named::named;

/// Most bytes of a package as it is carried, with its signature.
pub const MAX_PACKAGE_BYTES: usize = 32 * 1024 * 1024;

/// Most entries of a package.
pub const MAX_PACKAGE_ENTRIES: usize = 500;

/// Most bytes of a cause.
const MAX_CAUSE: usize = 200;

/// The name of a source: a register's system that sends packages, for example
/// `population-register`. 1 to 40 characters of a to z, 0 to 9 and hyphens between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct SourceName(String);

/// Why a text is no name of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 40 characters of a to z, 0 to 9 and hyphens between them")]
pub struct SourceNameError;

impl Coded for SourceNameError {
    fn code(&self) -> FaultCode {
        FaultCode::BadForm
    }
}

impl SourceName {
    /// Reads it as it stands.
    ///
    /// # Errors
    /// [`SourceNameError`].
    pub fn parse(text: &str) -> Result<Self, SourceNameError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(allowed);
        if (1..=40).contains(&text.len()) && text.split('-').all(is_part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SourceNameError)
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for SourceName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: String = serde::Deserialize::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Why an application is withdrawn, in the register's words: 1 to 200 bytes on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct PackageCause(String);

/// Why a text is no cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_CAUSE} bytes on one line")]
pub struct PackageCauseError;

impl Coded for PackageCauseError {
    fn code(&self) -> FaultCode {
        FaultCode::BadForm
    }
}

impl PackageCause {
    fn parse(text: &str) -> Result<Self, PackageCauseError> {
        let fits = text.len() <= MAX_CAUSE && !text.trim().is_empty();
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(PackageCauseError)
        }
    }

    /// Returns the text. It may be about a holder.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

named! {
    /// What an entry asks for.
    "action" enum PackageVerb {
        /// Take in an application.
        New = "new",
        /// Take in an application in the place of another that is not decided yet.
        Replace = "replace",
        /// Withdraw an application that is not decided yet.
        Withdraw = "withdraw",
    }
}

/// What a register wants done.
pub enum Action {
    /// Take in an application.
    New(Box<Application>),
    /// Take in an application in the place of another that is not decided yet.
    Replace {
        /// The one that is superseded.
        old: Reference,
        /// The one that comes in its place.
        by: Box<Application>,
    },
    /// Withdraw an application that is not decided yet.
    Withdraw {
        /// The application.
        reference: Reference,
        /// Why.
        cause: PackageCause,
    },
}

/// One entry of a package.
pub struct Entry {
    /// Which application it is about, as far as that could be read: the new one, or the one that
    /// is withdrawn.
    pub reference: Option<Reference>,
    /// What is to be done, or every fault.
    pub action: Result<Action, Vec<Fault>>,
}

/// A package as it was read. Who signed it, and whether it may come in, is not judged here.
///
/// Personal data: there is no `Debug`.
pub struct Package {
    /// The source that made it.
    pub source: SourceName,
    /// Its identity, which the source gives once.
    pub id: Reference,
    /// Its number: each source counts from 1.
    pub sequence: u64,
    /// When it was made.
    pub created: Timestamp,
    /// What it is for.
    pub environment: Environment,
    /// Its entries, in the order in which they take effect.
    pub entries: Vec<Entry>,
}

impl Package {
    /// Reads a package in JSON, format 1, as of `today`.
    ///
    /// # Errors
    /// Every fault of the package itself: nothing of it is read then. The faults of an
    /// application stand in its [`Entry`].
    pub fn parse(bytes: &[u8], today: Date) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::default();
        let package = Self::read(&mut reader, bytes, today);
        let faults = reader.into_faults();
        package.filter(|_| faults.is_empty()).ok_or(faults)
    }

    fn read(reader: &mut Reader, bytes: &[u8], today: Date) -> Option<Self> {
        let tree = reader.json(bytes)?;
        if super::states_other_format(&tree) {
            let message = format!("must be {FORMAT}; other formats are not read");
            reader.add("format", FaultCode::UnsupportedFormat, message);
            return None;
        }
        let known = [
            "format",
            "source",
            "package",
            "sequence",
            "created",
            "environment",
            "applications",
        ];
        let mut fields = reader.object(tree, "", &known)?;
        let format = whole_number(reader, &mut fields, "format", "the number 1");
        let source = reader.parsed(&mut fields, "source", SourceName::parse);
        let id = reader.parsed(&mut fields, "package", Reference::parse);
        let sequence = whole_number(reader, &mut fields, "sequence", "a number from 1");
        let sequence = sequence.filter(|&sequence| {
            // What a database counts with.
            let fits = (1..=i64::MAX.unsigned_abs()).contains(&sequence);
            if !fits {
                reader.add("sequence", FaultCode::BadForm, "must be a number from 1");
            }
            fits
        });
        let created = reader.parsed(&mut fields, "created", moment);
        let environment = reader.named(&mut fields, "environment");
        let entries = reader.required(&mut fields, "applications", "a list");
        let entries =
            entries.and_then(|tree| reader.list(tree, "applications", MAX_PACKAGE_ENTRIES));
        if entries.as_ref().is_some_and(Vec::is_empty) {
            let message = "has no entries; expected at least one";
            reader.add("applications", FaultCode::Empty, message);
        }
        format?;
        let entries = entries?.into_iter().map(|tree| Entry::read(tree, today));
        Some(Self {
            source: source?,
            id: id?,
            sequence: sequence?,
            created: created?,
            environment: environment?,
            entries: entries.collect(),
        })
    }
}

impl Entry {
    fn read(tree: Tree, today: Date) -> Self {
        let mut reader = Reader::default();
        let mut reference = None;
        let action = Self::action(&mut reader, tree, today, &mut reference);
        let faults = reader.into_faults();
        Self {
            reference,
            action: action.filter(|_| faults.is_empty()).ok_or(faults),
        }
    }

    fn action(
        reader: &mut Reader,
        tree: Tree,
        today: Date,
        about: &mut Option<Reference>,
    ) -> Option<Action> {
        let known = ["action", "reference", "application", "cause"];
        let mut fields = reader.object(tree, "", &known)?;
        let verb: PackageVerb = reader.named(&mut fields, "action")?;
        let unused: &[&str] = match verb {
            PackageVerb::New => &["reference", "cause"],
            PackageVerb::Replace => &["cause"],
            PackageVerb::Withdraw => &["application"],
        };
        for name in unused {
            if fields.take(name).is_some() {
                let message = format!("does not go with the action {verb}");
                reader.add(name, FaultCode::UnknownField, message);
            }
        }
        if verb == PackageVerb::Withdraw {
            let reference = reader.parsed(&mut fields, "reference", Reference::parse);
            about.clone_from(&reference);
            let cause = reader.parsed(&mut fields, "cause", PackageCause::parse);
            return Some(Action::Withdraw {
                reference: reference?,
                cause: cause?,
            });
        }
        let old = match verb {
            PackageVerb::Replace => Some(reader.parsed(&mut fields, "reference", Reference::parse)),
            _ => None,
        };
        let tree = reader.required(&mut fields, "application", "an object")?;
        *about = tree.text_at("reference").and_then(reference);
        let application = Application::read_tree(reader, tree, today).map(Box::new);
        Some(match old {
            None => Action::New(application?),
            Some(old) => Action::Replace {
                old: old?,
                by: application?,
            },
        })
    }
}

fn reference(text: &str) -> Option<Reference> {
    Reference::parse(text).ok()
}

fn whole_number(
    reader: &mut Reader,
    fields: &mut Fields,
    name: &str,
    expected: &str,
) -> Option<u64> {
    let tree = reader.required(fields, name, expected)?;
    if let Tree::Number(Some(number)) = tree {
        return Some(number);
    }
    reader.wrong_type(name, expected, &tree);
    None
}

/// Why a text is no moment.
#[derive(Debug, thiserror::Error)]
#[error("must be a moment in UTC of the form YYYY-MM-DDThh:mm:ssZ")]
struct MomentError;

impl Coded for MomentError {
    fn code(&self) -> FaultCode {
        FaultCode::BadForm
    }
}

fn moment(text: &str) -> Result<Timestamp, MomentError> {
    // The calendar's parser knows more spellings than a register needs.
    if text.len() > 30 || !text.ends_with('Z') || text.as_bytes().get(10) != Some(&b'T') {
        return Err(MomentError);
    }
    text.parse().map_err(|_| MomentError)
}

#[cfg(test)]
#[path = "package/tests.rs"]
mod tests;
