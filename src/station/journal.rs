//! The station's memory: what was begun and done on every chip, and what is still to be
//! reported. SQLite with full sync; one file.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

use api::{BlankEnd, JournalLine, LeaseId, Report, ReportedChip};
use jiff::Timestamp;
use perso::{JournalEntry, Moment};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::drive::Notebook;
use crate::error::StationError;

/// The journal of one station.
pub struct Journal {
    database: Connection,
    /// Held until this value goes: two programs with one journal would settle each other's
    /// documents, and number their reports alike.
    _lock: File,
}

type Result<T> = std::result::Result<T, StationError>;

fn at(context: &'static str) -> impl Fn(rusqlite::Error) -> StationError {
    move |source| StationError::Journal { context, source }
}

impl Journal {
    /// Opens the journal, making it if it is not there, and holds it against any other program.
    ///
    /// # Errors
    /// [`StationError::JournalInUse`]; [`StationError::JournalLock`]; [`StationError::Journal`].
    pub fn open(path: &Path) -> Result<Self> {
        let lock = hold(path)?;
        let database = Connection::open(path).map_err(at("opening"))?;
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA foreign_keys = ON;
                 CREATE TABLE IF NOT EXISTS run (
                     lease TEXT PRIMARY KEY, slot TEXT NOT NULL, started TEXT NOT NULL
                 ) STRICT;
                 CREATE TABLE IF NOT EXISTS line (
                     number INTEGER PRIMARY KEY, lease TEXT NOT NULL REFERENCES run(lease),
                     at TEXT NOT NULL, step TEXT NOT NULL, moment TEXT NOT NULL, evidence TEXT NOT NULL
                 ) STRICT;
                 CREATE INDEX IF NOT EXISTS line_of_lease ON line(lease);
                 CREATE TABLE IF NOT EXISTS outbox (
                     sequence INTEGER PRIMARY KEY, lease TEXT NOT NULL UNIQUE REFERENCES run(lease),
                     report TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0
                 ) STRICT;",
            )
            .map_err(at("preparing"))?;
        Ok(Self {
            database,
            _lock: lock,
        })
    }

    /// Notes that a slot took a lease. Returns whether it is new: a lease that was begun before
    /// is to be settled, not begun again.
    pub fn begin(&mut self, lease: LeaseId, slot: &str) -> Result<bool> {
        let added = self
            .database
            .execute(
                "INSERT OR IGNORE INTO run (lease, slot, started) VALUES (?1, ?2, ?3)",
                params![lease.to_string(), slot, Timestamp::now().to_string()],
            )
            .map_err(at("beginning a document"))?;
        Ok(added == 1)
    }

    /// Returns the notebook of one lease.
    pub fn notebook(&mut self, lease: LeaseId) -> impl Notebook + '_ {
        LeaseNotebook {
            database: &self.database,
            lease,
        }
    }

    /// Puts the report on a lease into the outbox, with all that was written down on the way,
    /// and gives it its number.
    pub fn end(
        &mut self,
        lease: LeaseId,
        end: BlankEnd,
        chips: Vec<ReportedChip>,
        milliseconds: u64,
    ) -> Result<()> {
        let context = at("ending a document");
        let journal = self.lines(lease)?;
        let transaction = self.database.transaction().map_err(&context)?;
        let sequence: i64 = transaction
            .query_row(
                "SELECT COALESCE(MAX(sequence), 0) + 1 FROM outbox",
                [],
                |row| row.get(0),
            )
            .map_err(&context)?;
        let report = Report {
            lease,
            sequence: u64::try_from(sequence).unwrap_or_default(),
            end,
            chips,
            milliseconds,
            journal,
        };
        let text = serde_json::to_string(&report)
            .map_err(|error| context(rusqlite::Error::ToSqlConversionFailure(error.into())))?;
        transaction
            .execute(
                "INSERT INTO outbox (sequence, lease, report) VALUES (?1, ?2, ?3) ON CONFLICT (lease) DO NOTHING",
                params![sequence, lease.to_string(), text],
            )
            .map_err(&context)?;
        transaction.commit().map_err(&context)
    }

    /// Returns the oldest report that was not sent.
    pub fn next_report(&self) -> Result<Option<Report>> {
        let context = at("reading the outbox");
        let text: Option<String> = self
            .database
            .query_row(
                "SELECT report FROM outbox WHERE sent = 0 ORDER BY sequence LIMIT 1",
                [],
                |row| row.get(0),
            )
            .optional()
            .map_err(&context)?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| {
                context(rusqlite::Error::FromSqlConversionFailure(
                    0,
                    rusqlite::types::Type::Text,
                    error.into(),
                ))
            })
    }

    /// Notes that the centre has a report.
    pub fn sent(&mut self, sequence: u64) -> Result<()> {
        self.database
            .execute(
                "UPDATE outbox SET sent = 1 WHERE sequence = ?1",
                [i64::try_from(sequence).unwrap_or(i64::MAX)],
            )
            .map_err(at("clearing the outbox"))?;
        Ok(())
    }

    /// Ends every document that was in work when the station stopped: a blank on which
    /// something that lasts was begun is spoiled, any other goes back untouched.
    pub fn recover(&mut self) -> Result<usize> {
        let open = self.open_leases()?;
        for lease in &open {
            self.settle(*lease)?;
        }
        Ok(open.len())
    }

    /// Returns the leases of the documents that are in work, or were when the station stopped.
    pub(crate) fn open_leases(&self) -> Result<Vec<LeaseId>> {
        let open: Vec<String> = self
            .database
            .prepare("SELECT lease FROM run WHERE lease NOT IN (SELECT lease FROM outbox) ORDER BY started")
            .and_then(|mut found| found.query_map([], |row| row.get(0))?.collect())
            .map_err(at("looking for interrupted documents"))?;
        let leases = open.iter().map(|lease| Uuid::parse_str(lease));
        Ok(leases
            .map(|lease| LeaseId(lease.unwrap_or_default()))
            .collect())
    }

    /// Ends a document by what was written down of it, and by nothing else.
    pub fn settle(&mut self, lease: LeaseId) -> Result<()> {
        let cause = "it was interrupted while it was in work".to_owned();
        let end = if self.is_touched(lease)? {
            BlankEnd::Spoiled { cause }
        } else {
            BlankEnd::Untouched { cause }
        };
        let chips = interrupted_chips(&self.lines(lease)?);
        self.end(lease, end, chips, 0)
    }

    /// Returns whether anything that lasts was begun on the chips of a lease.
    pub fn is_touched(&self, lease: LeaseId) -> Result<bool> {
        Ok(self
            .lines(lease)?
            .iter()
            .any(|line| line.moment == "intent"))
    }

    pub(crate) fn lines(&self, lease: LeaseId) -> Result<Vec<JournalLine>> {
        let read = |row: &rusqlite::Row<'_>| {
            let (at, evidence): (String, String) = (row.get(0)?, row.get(3)?);
            Ok(JournalLine {
                at: at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
                step: row.get(1)?,
                moment: row.get(2)?,
                evidence: serde_json::from_str(&evidence).unwrap_or_default(),
            })
        };
        self.database
            .prepare("SELECT at, step, moment, evidence FROM line WHERE lease = ?1 ORDER BY number")
            .and_then(|mut found| found.query_map([lease.to_string()], read)?.collect())
            .map_err(at("reading a document's lines"))
    }
}

/// Locks the file beside a journal that says who works with it.
fn hold(journal: &Path) -> Result<File> {
    let path = journal.with_extension("lock");
    let failed = |source| StationError::JournalLock {
        path: path.clone(),
        source,
    };
    let lock = File::create(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StationError::JournalInUse {
            path: journal.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Returns the chips that a document's lines name; what passed through their readers is not
/// known any more.
fn interrupted_chips(lines: &[JournalLine]) -> Vec<ReportedChip> {
    let identified = lines.iter().filter(|line| line.step == "identify");
    let evidence = |line: &JournalLine, name: &str| line.evidence.get(name).cloned();
    identified
        .map(|line| ReportedChip {
            interface: evidence(line, "interface").unwrap_or_default(),
            product: evidence(line, "product").unwrap_or_default(),
            serial: evidence(line, "chip"),
            os: evidence(line, "os"),
            commands: 0,
            bytes: 0,
        })
        .collect()
}

struct LeaseNotebook<'a> {
    database: &'a Connection,
    lease: LeaseId,
}

impl Notebook for LeaseNotebook<'_> {
    fn write(&mut self, entry: &JournalEntry) -> std::result::Result<(), String> {
        let moment = match entry.moment {
            Moment::Intent => "intent",
            Moment::Outcome => "outcome",
        };
        let evidence: BTreeMap<_, _> = entry.evidence.iter().collect();
        let evidence = serde_json::to_string(&evidence).map_err(|error| error.to_string())?;
        self.database
            .execute(
                "INSERT INTO line (lease, at, step, moment, evidence) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    self.lease.to_string(),
                    Timestamp::now().to_string(),
                    entry.step,
                    moment,
                    evidence
                ],
            )
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> LeaseId {
        LeaseId(Uuid::now_v7())
    }

    fn entry(step: &str, moment: Moment) -> JournalEntry {
        let evidence = BTreeMap::from([
            ("chip", "0102".to_owned()),
            ("product", "chip-a".to_owned()),
        ]);
        JournalEntry {
            step: step.into(),
            moment,
            evidence,
        }
    }

    #[test]
    fn a_lease_is_begun_once_and_ended_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
        let lease = lease();
        assert!(journal.begin(lease, "slot 1").unwrap());
        let intent = entry("replace_keys issuer", Moment::Intent);
        journal.notebook(lease).write(&intent).unwrap();
        assert!(!journal.begin(lease, "slot 1").unwrap());
        assert!(journal.is_touched(lease).unwrap());
        journal.settle(lease).unwrap();
        let untouched = BlankEnd::Untouched {
            cause: "too late".into(),
        };
        journal.end(lease, untouched, Vec::new(), 0).unwrap();
        let report = journal.next_report().unwrap().unwrap();
        assert!(matches!(report.end, BlankEnd::Spoiled { .. }));
        journal.sent(report.sequence).unwrap();
        assert!(journal.next_report().unwrap().is_none());
    }

    #[test]
    fn a_journal_is_one_stations_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let first = Journal::open(&path).unwrap();
        let Err(StationError::JournalInUse { path: held }) = Journal::open(&path) else {
            panic!("two stations with one journal")
        };
        assert_eq!(held, path);
        let beside = Journal::open(&folder.path().join("other.db")).unwrap();
        drop(first);
        Journal::open(&path).unwrap();
        drop(beside);
        let nowhere = Journal::open(&folder.path().join("nowhere/journal.db"));
        assert!(matches!(nowhere, Err(StationError::JournalLock { .. })));
    }

    #[test]
    fn what_was_in_work_is_spoiled_or_untouched_after_a_restart_and_reported_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let (touched, untouched, ended) = (lease(), lease(), lease());
        {
            let mut journal = Journal::open(&path).unwrap();
            for lease in [ended, touched, untouched] {
                journal.begin(lease, "slot 1").unwrap();
            }
            journal
                .end(ended, BlankEnd::Personalized, Vec::new(), 7)
                .unwrap();
            let mut notebook = journal.notebook(touched);
            notebook.write(&entry("identify", Moment::Outcome)).unwrap();
            notebook
                .write(&entry("write_file x", Moment::Intent))
                .unwrap();
            drop(notebook);
            journal
                .notebook(untouched)
                .write(&entry("identify", Moment::Outcome))
                .unwrap();
        }
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.recover().unwrap(), 2);
        assert_eq!(journal.recover().unwrap(), 0, "once is enough");
        let mut ends = Vec::new();
        while let Some(report) = journal.next_report().unwrap() {
            assert_eq!(report.sequence, ends.len() as u64 + 1);
            journal.sent(report.sequence).unwrap();
            ends.push((
                report.lease,
                report.end,
                report.chips.first().and_then(|chip| chip.serial.clone()),
            ));
        }
        assert_eq!(ends[0].0, ended);
        let spoiled = ends.iter().find(|(lease, ..)| *lease == touched).unwrap();
        assert!(matches!(spoiled.1, BlankEnd::Spoiled { .. }));
        assert_eq!(spoiled.2.as_deref(), Some("0102"));
        assert!(ends.iter().any(
            |(lease, end, _)| *lease == untouched && matches!(end, BlankEnd::Untouched { .. })
        ));
    }
}
