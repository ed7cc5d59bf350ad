//! What became of a batch so far: NAME.results.jsonl, a line for each blank that ended, durable before
//! the next is looked at.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use api::BlankEnd;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use station::Happening;
use uuid::Uuid;

use crate::cli::failure::{Failure, Kind, OrFail};

/// How one blank ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// When.
    pub(crate) at: Timestamp,
    /// The document's identity.
    pub(crate) document: Uuid,
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
    pub(crate) end: BlankEnd,
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
    /// Makes the line of something that happened at a slot, if it ends a blank.
    pub(crate) fn of(
        slot: &str,
        happening: &Happening,
        (application, kind): (&str, &str),
    ) -> Option<Self> {
        let Happening::Finished {
            number,
            document,
            end,
            chips,
            certificates,
            milliseconds,
            ..
        } = happening
        else {
            return None;
        };
        Some(Self {
            at: Timestamp::now(),
            document: *document,
            application: application.to_owned(),
            kind: kind.to_owned(),
            number: number.clone(),
            slot: slot.to_owned(),
            end: end.clone(),
            seconds: *milliseconds as f64 / 1000.0,
            commands: chips.iter().map(|chip| chip.commands).sum(),
            bytes: chips.iter().map(|chip| chip.bytes).sum(),
            certificates: *certificates,
        })
    }

    /// Returns whether the document is made.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self.end, BlankEnd::Personalized)
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

    /// Returns the documents that are made.
    pub(crate) fn made(&self) -> BTreeSet<Uuid> {
        made(&self.lines)
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

    fn line(number: u128, end: BlankEnd) -> Line {
        Line {
            at: Timestamp::UNIX_EPOCH,
            document: Uuid::from_u128(number),
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
        ledger
            .add(line(1, BlankEnd::Spoiled { cause }))
            .ok()
            .unwrap();
        ledger.add(line(1, BlankEnd::Personalized)).ok().unwrap();
        drop(ledger);
        let whole = std::fs::read_to_string(&path).unwrap();
        assert!(
            whole.starts_with("{\"at\":\"1970-01-01T00:00:00Z\",\"document\":"),
            "{whole}"
        );
        std::fs::write(&path, format!("{whole}{{\"at\": \"1970")).unwrap();
        assert_eq!(Ledger::read(&path).ok().unwrap().len(), 2);
        let mut ledger = Ledger::open(&path).ok().unwrap();
        assert_eq!(ledger.made().len(), 1);
        ledger.add(line(2, BlankEnd::Personalized)).ok().unwrap();
        let lines = Ledger::read(&path).ok().unwrap();
        assert_eq!((lines.len(), made(&lines).len()), (3, 2));
        std::fs::write(&path, "no JSON\n").unwrap();
        assert_eq!(Ledger::read(&path).err().unwrap().kind(), Kind::Integrity);
    }
}
