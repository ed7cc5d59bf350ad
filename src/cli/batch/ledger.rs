//! What became of a batch so far: NAME.results.jsonl, a line for each blank that ended, durable before
//! the next is looked at.
//!
//! The lines are made of what the station's journal has, never of what was seen to happen: a command
//! that was killed, or missed some of it, writes the same lines later.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use api::{BlankEnd, LeaseId};
use document::life_cycle::DocumentState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use station::EndedBlank;
use uuid::Uuid;

use crate::cli::batch::queue::Queued;
use crate::cli::failure::{Failure, Kind, OrFail};

/// How a blank ended, or a document that none is used for any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub(crate) enum End {
    /// The blank is the document now.
    Personalized,
    /// Something that lasts was begun on the blank, and it failed.
    Spoiled {
        /// Why.
        cause: String,
    },
    /// Nothing that lasts was begun on the blank.
    Untouched {
        /// Why it was not used.
        cause: String,
    },
    /// The document is not to be made any more: another station made it, or people gave it up.
    Elsewhere {
        /// Where the centre has it; none: handed over already, or cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<DocumentState>,
    },
}

impl From<BlankEnd> for End {
    fn from(end: BlankEnd) -> Self {
        match end {
            BlankEnd::Personalized => Self::Personalized,
            BlankEnd::Spoiled { cause } => Self::Spoiled { cause },
            BlankEnd::Untouched { cause } => Self::Untouched { cause },
        }
    }
}

/// How one blank ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When.
    pub(crate) at: Timestamp,
    /// The document's identity.
    pub(crate) document: Uuid,
    /// The lease under which the blank was used; none where no blank was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<LeaseId>,
    /// Its application's reference.
    pub(crate) application: String,
    /// Its kind.
    pub(crate) kind: String,
    /// The number that it had.
    pub(crate) number: String,
    /// Where: the slot's name.
    pub(crate) slot: String,
    /// Where the blank ended, and why: only `personalized` makes the document.
    #[serde(flatten)]
    pub(crate) end: End,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// How many C-APDUs were sent.
    pub(crate) commands: u64,
    /// How many bytes went to the chips and came from them.
    pub(crate) bytes: u64,
    /// How many certificates were issued.
    pub(crate) certificates: usize,
}

impl Line {
    /// Makes the line of a blank that ended.
    pub(crate) fn of(ended: EndedBlank, document: &Queued) -> Self {
        let ending = ended.ending;
        Self {
            at: ended.at,
            document: ended.document,
            lease: Some(ended.lease),
            application: document.application.clone(),
            kind: document.kind.clone(),
            number: ended.number,
            slot: ended.slot,
            end: ending.end.into(),
            seconds: ending.milliseconds as f64 / 1000.0,
            commands: ending.chips.iter().map(|chip| chip.commands).sum(),
            bytes: ending.chips.iter().map(|chip| chip.bytes).sum(),
            certificates: ending.certificates,
        }
    }

    /// Makes the line of a document that is not to be made any more.
    pub(crate) fn gone(document: &Queued, state: Option<DocumentState>) -> Self {
        Self {
            at: Timestamp::now(),
            document: document.id,
            lease: None,
            application: document.application.clone(),
            kind: document.kind.clone(),
            number: String::new(),
            slot: String::new(),
            end: End::Elsewhere { state },
            seconds: 0.0,
            commands: 0,
            bytes: 0,
            certificates: 0,
        }
    }

    /// Returns whether the document is made.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self.end, End::Personalized)
    }

    /// Returns whether nothing is left to be made of the document.
    fn is_over(&self) -> bool {
        matches!(self.end, End::Personalized | End::Elsewhere { .. })
    }
}

/// The results so far, and where the next go.
pub(crate) struct Ledger {
    file: File,
    pub(crate) lines: Vec<Line>,
}

impl Ledger {
    /// Opens the results of a batch, making the file where there is none. A last line that was cut off
    /// is taken away: its blank is told by the station's report.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .or_fail(Kind::Failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).or_fail(Kind::Failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            let length = u64::try_from(whole).or_fail(Kind::Failed)?;
            file.set_len(length).or_fail(Kind::Failed)?;
            file.seek(SeekFrom::End(0)).or_fail(Kind::Failed)?;
        }
        let lines = lines(text.get(..whole).unwrap_or_default(), path)?;
        Ok(Self { file, lines })
    }

    /// Reads the results of a batch, of which another program may be writing more.
    pub(crate) fn read(path: &Path) -> Result<Vec<Line>, Failure> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::of(Kind::Failed, &error)),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        lines(text.get(..whole).unwrap_or_default(), path)
    }

    /// Adds a line; it is durable when this returns.
    pub(crate) fn add(&mut self, line: Line) -> Result<(), Failure> {
        let text = serde_json::to_string(&line).or_fail(Kind::Failed)? + "\n";
        self.file.write_all(text.as_bytes()).or_fail(Kind::Failed)?;
        self.file.sync_data().or_fail(Kind::Failed)?;
        self.lines.push(line);
        Ok(())
    }

    /// Returns the documents of which nothing is left to be made.
    pub(crate) fn over(&self) -> BTreeSet<Uuid> {
        let over = self.lines.iter().filter(|line| line.is_over());
        over.map(|line| line.document).collect()
    }

    /// Returns the leases that have their lines.
    pub(crate) fn leases(&self) -> BTreeSet<LeaseId> {
        self.lines.iter().filter_map(|line| line.lease).collect()
    }
}

/// Returns the documents that are made.
pub(crate) fn made(lines: &[Line]) -> BTreeSet<Uuid> {
    let made = lines.iter().filter(|line| line.is_made());
    made.map(|line| line.document).collect()
}

fn lines(text: &str, path: &Path) -> Result<Vec<Line>, Failure> {
    let read = text.lines().enumerate().map(|(number, line)| {
        serde_json::from_str(line).map_err(|error| {
            let fault = format!("{}, line {}: {error}", path.display(), number + 1);
            Failure::new(Kind::Integrity, fault)
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u128, end: End) -> Line {
        Line {
            at: Timestamp::UNIX_EPOCH,
            document: Uuid::from_u128(number),
            lease: Some(LeaseId(Uuid::from_u128(number))),
            application: format!("APP-{number}"),
            kind: "id-card".into(),
            number: "XA0000001".into(),
            slot: "left".into(),
            end,
            seconds: 1.5,
            commands: 10,
            bytes: 100,
            certificates: 2,
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.results.jsonl");
        let mut ledger = Ledger::open(&path).ok().unwrap();
        let cause = "torn out".to_owned();
        ledger.add(line(1, End::Spoiled { cause })).ok().unwrap();
        ledger.add(line(1, End::Personalized)).ok().unwrap();
        drop(ledger);
        let whole = std::fs::read_to_string(&path).unwrap();
        assert!(
            whole.starts_with("{\"at\":\"1970-01-01T00:00:00Z\",\"document\":"),
            "{whole}"
        );
        std::fs::write(&path, format!("{whole}{{\"at\": \"1970")).unwrap();
        assert_eq!(Ledger::read(&path).ok().unwrap().len(), 2);
        let mut ledger = Ledger::open(&path).ok().unwrap();
        assert_eq!((ledger.over().len(), ledger.leases().len()), (1, 1));
        ledger.add(line(2, End::Personalized)).ok().unwrap();
        let lines = Ledger::read(&path).ok().unwrap();
        assert_eq!((lines.len(), made(&lines).len()), (3, 2));
        std::fs::write(&path, "no JSON\n").unwrap();
        assert_eq!(Ledger::read(&path).err().unwrap().kind(), Kind::Integrity);
    }
}
