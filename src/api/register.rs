//! What the central store says to registers: answers to their packages, and reports of what became
//! of their applications. Both travel as signed JSON; their schemas are in `docs/schemas/`.

use document::{Environment, Fault, Kind, Reference, SourceName};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The type of a register's package.
pub const PACKAGE_TYPE: &str = "zimogs-application+json";
/// The type of the answer to one.
pub const ANSWER_TYPE: &str = "zimogs-answer+json";
/// The type of a report.
pub const REPORT_TYPE: &str = "zimogs-report+json";

/// The type of a request for reports.
pub const REQUEST_TYPE: &str = "zimogs-request+json";

/// A source's request for its reports, format 1; it travels signed, as packages do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// 1.
    pub format: u32,
    /// Who asks.
    pub source: SourceName,
    /// What the installation is for.
    pub environment: Environment,
    /// When it was made: it counts for five minutes.
    pub created: Timestamp,
    /// The number of the last report that the source has, 0 for none: those up to it are
    /// acknowledged, those after it are given.
    pub after: u64,
}

/// What became of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageState {
    /// Every entry was taken.
    Taken,
    /// Some entries were taken, some refused.
    Partly,
    /// Every entry was refused.
    Refused,
    /// It did not come in: neither its identity nor its number is used up.
    NotAdmitted,
}

impl PackageState {
    /// Returns the name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Partly => "partly",
            Self::Refused => "refused",
            Self::NotAdmitted => "not-admitted",
        }
    }
}

/// The answer to a package, format 1.
#[derive(Clone, Debug, Serialize)]
pub struct PackageAnswer {
    /// 1.
    pub format: u32,
    /// Whose package it was.
    pub source: SourceName,
    /// What the installation is for.
    pub environment: Environment,
    /// The package's identity, as far as it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Reference>,
    /// The package's number, as far as it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// SHA-256 of the package's payload in hexadecimal; of the whole where it was not admitted.
    pub digest: String,
    /// When it was judged.
    pub received: Timestamp,
    /// What became of it.
    pub state: PackageState,
    /// What is wrong with the package itself.
    pub faults: Vec<Fault>,
    /// What became of its entries.
    pub applications: Vec<EntryAnswer>,
}

/// What became of one entry.
#[derive(Clone, Debug, Serialize)]
pub struct EntryAnswer {
    /// Its place in the package, from 0.
    pub position: usize,
    /// The application, as far as it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Whether it was taken.
    pub state: EntryState,
    /// Every fault, where it was not.
    pub faults: Vec<Fault>,
}

/// Whether an entry was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryState {
    /// It was taken.
    Taken,
    /// It was refused, and nothing of it is stored.
    Refused,
}

/// A report to a register, format 1.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterReport {
    /// 1.
    pub format: u32,
    /// Whose applications it is about.
    pub source: SourceName,
    /// What the installation is for.
    pub environment: Environment,
    /// Its number: from 1, without a gap.
    pub sequence: u64,
    /// When it was made.
    pub created: Timestamp,
    /// What happened, in order.
    pub events: Vec<RegisterEvent>,
}

/// One thing that happened to an application, or to its document.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterEvent {
    /// The application.
    pub application: Reference,
    /// `application` or `document`: whose state it is.
    pub subject: String,
    /// The state that it came into.
    pub state: String,
    /// When.
    pub at: Timestamp,
    /// The document's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The day of issue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<Date>,
    /// The last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Date>,
}
