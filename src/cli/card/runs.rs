//! A desk's books: one file for each time that a document was begun on a chip.
//!
//! ```text
//! OUT/desk.lock            one run at a time
//!     journal.db           the station's journal: intent and outcome of every step that lasts
//!     runs/LEASE.json      what was begun, and how it ended
//!     NUMBER-CHIP/         certificates and the sealed PIN envelope
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use api::{BlankEnd, LeaseId, Report};
use document::DocumentNumber;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use station::{Journal, StationError};
use thiserror::Error;

/// Why the books cannot be kept: then no chip may be begun.
#[derive(Debug, Error)]
pub(crate) enum BooksError {
    /// Another process keeps them now.
    #[error("another run works in {}; wait for its end, or name another folder in KEYS.toml", .0.display())]
    Busy(PathBuf),
    /// A file cannot be read or written.
    #[error("the desk's books cannot be kept in {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// A file is not what was written.
    #[error("the desk's books are damaged: {}; set the folder aside, and begin a new one", .0.display())]
    Damaged(PathBuf, #[source] serde_json::Error),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] StationError),
}

type Result<T> = std::result::Result<T, BooksError>;

/// Why a chip or a number is not taken.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum Used {
    /// The chip is a finished document.
    #[error("chip {chip} is document {number} since {since}: it is not made again")]
    Finished {
        chip: String,
        number: DocumentNumber,
        since: Timestamp,
    },
    /// Something was begun on the chip.
    #[error(
        "chip {chip} is half-made: {number} was begun on it at {since} and came as far as \"{last}\" ({cause}); it is spoiled"
    )]
    HalfMade {
        chip: String,
        number: DocumentNumber,
        since: Timestamp,
        /// The last step in the journal.
        last: String,
        cause: String,
    },
    /// The number is given.
    #[error("document {number} is on chip {chip} since {since}: no number is given twice")]
    Number {
        chip: String,
        number: DocumentNumber,
        since: Timestamp,
    },
}

/// One time that a document was begun on a chip.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) lease: LeaseId,
    pub(crate) number: DocumentNumber,
    /// The chip profile.
    pub(crate) product: String,
    /// The chip's serial number.
    pub(crate) chip: String,
    pub(crate) started: Timestamp,
    /// How it ended; nothing while it runs.
    pub(crate) report: Option<Report>,
}

/// A desk's books, held by this process alone.
pub(crate) struct Runs {
    folder: PathBuf,
    journal: PathBuf,
    /// Held until this value goes.
    _lock: File,
}

impl Runs {
    /// Opens the books in a desk's folder, and settles what was interrupted.
    pub(crate) fn open(out: &Path) -> Result<Self> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| BooksError::File(path, error)
        };
        let path = out.join("desk.lock");
        let lock = File::create(&path).map_err(at(&path))?;
        lock.try_lock()
            .map_err(|_| BooksError::Busy(out.to_owned()))?;
        let runs = Self {
            folder: out.join("runs"),
            journal: out.join("journal.db"),
            _lock: lock,
        };
        fs::create_dir_all(&runs.folder).map_err(at(&runs.folder))?;
        let mut journal = runs.journal()?;
        journal.recover()?;
        while let Some(report) = journal.next_report()? {
            runs.end(&report)?;
            journal.sent(report.sequence)?;
        }
        Ok(runs)
    }

    /// Opens the journal.
    pub(crate) fn journal(&self) -> Result<Journal> {
        Ok(Journal::open(&self.journal)?)
    }

    /// Notes that a document is about to be begun.
    pub(crate) fn begin(&self, run: &Run) -> Result<()> {
        let path = self.path(run.lease);
        let bytes = serde_json::to_vec_pretty(run)
            .map_err(|error| BooksError::Damaged(path.clone(), error))?;
        write_whole(&path, &bytes).map_err(|error| BooksError::File(path, error))
    }

    /// Notes how a run ended. The same report again changes nothing.
    pub(crate) fn end(&self, report: &Report) -> Result<()> {
        let run = read(&self.path(report.lease))?;
        self.begin(&Run {
            report: Some(report.clone()),
            ..run
        })
    }

    /// Returns why a chip or a number is not taken, by what was done here before.
    pub(crate) fn used(
        &self,
        chip: &str,
        product: &str,
        number: DocumentNumber,
    ) -> Result<Option<Used>> {
        let entries = fs::read_dir(&self.folder)
            .map_err(|error| BooksError::File(self.folder.clone(), error))?;
        for entry in entries {
            let path = entry
                .map_err(|error| BooksError::File(self.folder.clone(), error))?
                .path();
            if path.extension().is_some_and(|ending| ending == "json")
                && let Some(used) = read(&path)?.uses(chip, product, number)
            {
                return Ok(Some(used));
            }
        }
        Ok(None)
    }

    fn path(&self, lease: LeaseId) -> PathBuf {
        self.folder.join(format!("{lease}.json"))
    }
}

impl Run {
    fn uses(self, chip: &str, product: &str, number: DocumentNumber) -> Option<Used> {
        let report = self.report?;
        let same_chip = self.chip == chip;
        match report.end {
            BlankEnd::Personalized if same_chip => Some(Used::Finished {
                chip: self.chip,
                number: self.number,
                since: self.started,
            }),
            BlankEnd::Spoiled { cause } if same_chip => Some(Used::HalfMade {
                chip: self.chip,
                number: self.number,
                since: self.started,
                last: report
                    .journal
                    .last()
                    .map(|line| line.step.clone())
                    .unwrap_or_default(),
                cause,
            }),
            // A blank may have a chip of each of several products, under one number.
            BlankEnd::Personalized if self.number == number && self.product == product => {
                Some(Used::Number {
                    chip: self.chip,
                    number,
                    since: self.started,
                })
            }
            _ => None,
        }
    }
}

fn read(path: &Path) -> Result<Run> {
    let bytes = fs::read(path).map_err(|error| BooksError::File(path.to_owned(), error))?;
    serde_json::from_slice(&bytes).map_err(|error| BooksError::Damaged(path.to_owned(), error))
}

/// Writes a file whole or not at all, durable when it returns.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    File::open(&beside)?.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use station::Ending;
    use uuid::Uuid;

    use super::*;

    fn run(number: &str, chip: &str) -> Run {
        Run {
            lease: LeaseId(Uuid::now_v7()),
            number: DocumentNumber::parse(number).unwrap(),
            product: "chip-a".into(),
            chip: chip.into(),
            started: Timestamp::UNIX_EPOCH,
            report: None,
        }
    }

    fn end(runs: &Runs, run: &Run, end: BlankEnd) {
        let mut journal = runs.journal().unwrap();
        journal
            .begin(run.lease, Uuid::nil(), run.number, "desk")
            .unwrap();
        let ending = Ending {
            end,
            chips: Vec::new(),
            certificates: 0,
            milliseconds: 1,
        };
        journal.end(run.lease, ending).unwrap();
        let report = journal.next_report().unwrap().unwrap();
        runs.end(&report).unwrap();
        journal.sent(report.sequence).unwrap();
    }

    #[test]
    fn a_used_chip_and_a_used_number_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        let cause = || "torn".to_owned();
        for (number, chip, how) in [
            ("XA0000001", "A1", BlankEnd::Personalized),
            ("XA0000002", "A2", BlankEnd::Spoiled { cause: cause() }),
            ("XA0000003", "A3", BlankEnd::Untouched { cause: cause() }),
        ] {
            let run = run(number, chip);
            runs.begin(&run).unwrap();
            end(&runs, &run, how);
        }
        let used = |chip, number| {
            runs.used(chip, "chip-a", DocumentNumber::parse(number).unwrap())
                .unwrap()
        };
        assert!(matches!(
            used("A1", "XA0000009"),
            Some(Used::Finished { .. })
        ));
        assert!(matches!(
            used("A2", "XA0000009"),
            Some(Used::HalfMade { .. })
        ));
        assert!(matches!(used("A9", "XA0000001"), Some(Used::Number { .. })));
        assert_eq!(used("A9", "XA0000002"), None, "its blank was spoiled");
        assert_eq!(used("A3", "XA0000003"), None, "nothing was done to it");
    }

    #[test]
    fn what_was_interrupted_is_settled_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let run = run("XA0000001", "A1");
        {
            let runs = Runs::open(folder.path()).unwrap();
            runs.begin(&run).unwrap();
            let mut journal = runs.journal().unwrap();
            journal
                .begin(run.lease, Uuid::nil(), run.number, "desk")
                .unwrap();
            let entry = perso::JournalEntry {
                step: "replace_keys issuer".into(),
                moment: perso::Moment::Intent,
                evidence: Default::default(),
            };
            station::Notebook::write(&mut journal.notebook(run.lease), &entry).unwrap();
        }
        let runs = Runs::open(folder.path()).unwrap();
        let used = runs
            .used("A1", "chip-a", DocumentNumber::parse("XA0000002").unwrap())
            .unwrap();
        let text = used.unwrap().to_string();
        assert!(
            text.contains("half-made") && text.contains("replace_keys issuer"),
            "{text}"
        );
    }

    #[test]
    fn one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Runs::open(folder.path()).unwrap();
        assert!(Runs::open(folder.path()).is_err());
        drop(first);
        assert!(Runs::open(folder.path()).is_ok());
    }

    #[test]
    fn damaged_books_stop_everything() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::open(folder.path()).unwrap();
        fs::write(folder.path().join("runs/x.json"), b"{").unwrap();
        assert!(
            runs.used("A1", "chip-a", DocumentNumber::parse("XA0000001").unwrap())
                .is_err()
        );
    }
}
