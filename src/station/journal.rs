//! The station's memory: what was begun and done on every chip, and what is still to be
//! reported. SQLite, one file; the disk is waited for wherever something may not be done twice.
//!
//! What the centre acknowledged is kept for [`KEPT`] more: a centre that is restored from a backup
//! gets it again.

mod acts;
mod booted;
mod carried;
mod ended;
mod form;
mod lines;
mod outgoing;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use api::{BlankEnd, Epoch, Hello, JournalLine, LeaseId, Report, ReportedChip, cause_of};
use document::DocumentNumber;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use crate::error::StationError;
use crate::surroundings::{Clock, SystemClock, this_boot};

pub use acts::PersonsAct;
pub(crate) use booted::BOOTED;
pub(crate) use carried::TAKEN_OVER;
pub use ended::{EndedBlank, Ending};
use form::{FIRST_FORM, bring_forward};
pub(crate) use outgoing::Outgoing;
use outgoing::next_number;

/// How long a report is kept after the centre has it: longer than any backup may be behind that a
/// centre is restored from.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// After how many reports it is looked which are old: what is kept is bounded, and no report waits
/// for it.
const FORGETTING: u64 = 256;

/// A document that is in work, or was when the station stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenRun {
    pub(crate) lease: LeaseId,
    /// Its identity at the store; none where an earlier version began it.
    pub(crate) document: Option<Uuid>,
    /// The number that it has.
    pub(crate) number: Option<DocumentNumber>,
    /// The slot's name.
    pub(crate) slot: String,
}

/// Sees every write of a journal: a rehearsal has a full disk there, or ends its station between
/// a write and what follows.
pub trait WriteWatch: Send + Sync {
    /// A change is about to be made durable.
    ///
    /// # Errors
    /// What the disk says; then nothing is changed.
    fn before(&self) -> rusqlite::Result<()>;

    /// The change is made. Durable, or only safe from the end of this process until the next one is.
    fn after(&self, is_durable: bool);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unwatched;

impl WriteWatch for Unwatched {
    fn before(&self) -> rusqlite::Result<()> {
        Ok(())
    }

    fn after(&self, _: bool) {}
}

/// The journal of one station.
pub struct Journal {
    database: Connection,
    /// The first line that is not durable yet, where there is one.
    soon: Option<i64>,
    watch: Arc<dyn WriteWatch>,
    clock: Arc<dyn Clock>,
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
        let boot = this_boot();
        let (watch, clock) = (Arc::new(Unwatched), Arc::new(SystemClock));
        Self::open_in(path, watch, clock, boot.as_deref())
    }

    /// As [`Journal::open`]; `watch` sees every write from then on, `clock` says when it was, and `boot` is
    /// the start of the machine.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub(crate) fn open_in(
        path: &Path,
        watch: Arc<dyn WriteWatch>,
        clock: Arc<dyn Clock>,
        boot: Option<&str>,
    ) -> Result<Self> {
        let lock = hold(path)?;
        let mut database = Connection::open(path).map_err(at("opening"))?;
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .and_then(|()| database.execute_batch(FIRST_FORM))
            .map_err(at("preparing"))?;
        bring_forward(&mut database).map_err(at("preparing"))?;
        let mut journal = Self {
            database,
            soon: None,
            watch,
            clock,
            _lock: lock,
        };
        journal.note_boot(boot)?;
        journal.forget(journal.clock.now())?;
        Ok(journal)
    }

    /// Makes a change: whole and durable when this returns, or not at all.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let changed = self.commit(change, true)?;
        // Whatever was written before is durable with it: there is one log.
        self.soon = None;
        Ok(changed)
    }

    /// As [`Journal::change`], without the disk's word: durable with the next change at the latest. A
    /// process that is killed loses nothing of it, a machine without power may.
    fn change_soon<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.database.execute_batch("PRAGMA synchronous = NORMAL")?;
        let changed = self.commit(change, false);
        self.database.execute_batch("PRAGMA synchronous = FULL")?;
        changed
    }

    fn commit<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
        is_durable: bool,
    ) -> rusqlite::Result<T> {
        let transaction = self.database.transaction()?;
        let changed = change(&transaction)?;
        self.watch.before()?;
        transaction.commit()?;
        self.watch.after(is_durable);
        Ok(changed)
    }

    /// Notes that a slot took a lease for a document, which has this identity at the store and this
    /// number now. Returns whether it is new: a lease that was begun before is to be settled, not begun
    /// again.
    pub fn begin(
        &mut self,
        lease: LeaseId,
        document: Uuid,
        number: DocumentNumber,
        slot: &str,
    ) -> Result<bool> {
        let (lease, number) = (lease.to_string(), number.to_string());
        let insert = "INSERT OR IGNORE INTO run (lease, document, number, slot, started)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let now = self.clock.now().to_string();
        let document = document.to_string();
        let added =
            self.change(|tx| tx.execute(insert, params![lease, document, number, slot, now]));
        Ok(added.map_err(at("beginning a document"))? == 1)
    }

    /// Puts the report on a lease into the outbox, with all that was written down on the way,
    /// and gives it its number.
    pub fn end(&mut self, lease: LeaseId, ending: Ending) -> Result<()> {
        let context = at("ending a document");
        let journal = self.lines(lease)?;
        let now = self.clock.now().to_string();
        self.change(|tx| {
            let sequence = next_number(tx)?;
            let number: Option<String> = tx
                .query_row(
                    "SELECT number FROM run WHERE lease = ?1",
                    [lease.to_string()],
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            let report = Report {
                lease,
                sequence: u64::try_from(sequence).unwrap_or_default(),
                number: number.and_then(|number| DocumentNumber::parse(&number).ok()),
                end: ending.end,
                chips: ending.chips,
                milliseconds: ending.milliseconds,
                journal,
            };
            let text = serde_json::to_string(&report)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            let insert = "INSERT INTO outbox (sequence, lease, report, ended, certificates)
                VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (lease) DO NOTHING";
            let certificates = ending.certificates as i64;
            tx.execute(
                insert,
                params![sequence, lease.to_string(), text, now, certificates],
            )
        })
        .map_err(context)?;
        Ok(())
    }

    /// Returns how many reports wait for the centre.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn waiting(&self) -> Result<u64> {
        let waiting: i64 = self
            .database
            .query_row("SELECT COUNT(*) FROM outbox WHERE sent = 0", [], |row| {
                row.get(0)
            })
            .map_err(at("reading the outbox"))?;
        Ok(waiting.unsigned_abs())
    }

    /// Notes that the centre has a report.
    pub fn sent(&mut self, sequence: u64) -> Result<()> {
        let update = "UPDATE outbox SET sent = 1, sent_at = ?2 WHERE sequence = ?1";
        let now = self.clock.now().to_string();
        // What is sent once more the centre knows.
        self.change_soon(|tx| tx.execute(update, params![figure(sequence), now]))
            .map_err(at("clearing the outbox"))?;
        if sequence.is_multiple_of(FORGETTING) {
            self.forget(self.clock.now())?;
        }
        Ok(())
    }

    /// Puts every report after this one into the outbox again: the centre lacks them. Returns how
    /// many there are.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn send_again(&mut self, after: u64) -> Result<usize> {
        let update = "UPDATE outbox SET sent = 0 WHERE sent = 1 AND sequence > ?1";
        self.change(|tx| tx.execute(update, [figure(after)]))
            .map_err(at("filling the outbox again"))
    }

    /// Returns what a centre is told of this journal.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn hello(&self) -> Result<Hello> {
        let (acknowledged, last): (i64, i64) = self
            .database
            .query_row(
                "SELECT COALESCE(MAX(CASE WHEN sent_at IS NOT NULL THEN sequence END), 0), COALESCE(MAX(sequence), 0) FROM outbox",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(at("reading the outbox"))?;
        Ok(Hello {
            acknowledged: acknowledged.unsigned_abs(),
            last: last.unsigned_abs(),
            in_work: u64::try_from(self.open_runs()?.len()).unwrap_or(u64::MAX),
            epoch: self.epoch()?,
        })
    }

    /// Returns the life of the centre that this station last worked in; none before the first
    /// restoration.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn epoch(&self) -> Result<Option<Epoch>> {
        let text: Option<String> = self
            .database
            .query_row("SELECT epoch FROM centre", [], |row| row.get(0))
            .optional()
            .map_err(at("reading the centre's epoch"))?;
        Ok(text.and_then(|text| Uuid::parse_str(&text).ok()).map(Epoch))
    }

    /// Notes the life of the centre that this station works in.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn set_epoch(&mut self, epoch: Epoch) -> Result<()> {
        let insert = "INSERT INTO centre (id, epoch) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch";
        self.change(|tx| tx.execute(insert, [epoch.to_string()]))
            .map_err(at("noting the centre's epoch"))?;
        Ok(())
    }

    /// Forgets what the centre has had for longer than [`KEPT`]. The last report stays: the next one
    /// is numbered after it. Returns how many reports there were.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn forget(&mut self, now: Timestamp) -> Result<usize> {
        let context = at("forgetting old reports");
        // One spelling, down to the second: texts are compared.
        let before = (now - KEPT).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let old = "sent = 1 AND sent_at < ?1 AND sequence < (SELECT MAX(sequence) FROM outbox)";
        let leases: Vec<Option<String>> = self
            .database
            .prepare(&format!("SELECT lease FROM outbox WHERE {old}"))
            .and_then(|mut found| found.query_map([&before], |row| row.get(0))?.collect())
            .map_err(&context)?;
        if leases.is_empty() {
            return Ok(0);
        }
        self.change(|tx| {
            tx.execute(&format!("DELETE FROM outbox WHERE {old}"), [&before])?;
            for lease in leases.iter().flatten() {
                tx.execute("DELETE FROM line WHERE lease = ?1", [lease])?;
                tx.execute("DELETE FROM run WHERE lease = ?1", [lease])?;
            }
            Ok(leases.len())
        })
        .map_err(context)
    }

    /// Ends every document that was in work when the station stopped: a blank on which
    /// something that lasts was begun is spoiled, any other goes back untouched.
    pub fn recover(&mut self) -> Result<usize> {
        let open = self.open_runs()?;
        for run in &open {
            self.settle(run.lease, None)?;
        }
        Ok(open.len())
    }

    /// Returns the documents that are in work, or were when the station stopped, the longest first.
    pub(crate) fn open_runs(&self) -> Result<Vec<OpenRun>> {
        let read = |row: &rusqlite::Row<'_>| {
            let text = |column: &str| row.get::<_, Option<String>>(column);
            let identity = |column: &str| -> rusqlite::Result<Option<Uuid>> {
                Ok(text(column)?.and_then(|text| Uuid::parse_str(&text).ok()))
            };
            let number = text("number")?;
            Ok(OpenRun {
                lease: LeaseId(identity("lease")?.unwrap_or_default()),
                document: identity("document")?.filter(|document| !document.is_nil()),
                number: number.and_then(|number| DocumentNumber::parse(&number).ok()),
                slot: row.get("slot")?,
            })
        };
        self.database
            .prepare(
                "SELECT lease, document, number, slot FROM run
                 WHERE lease NOT IN (SELECT lease FROM outbox WHERE lease IS NOT NULL) ORDER BY started",
            )
            .and_then(|mut found| found.query_map([], read)?.collect())
            .map_err(at("looking for interrupted documents"))
    }

    /// Ends a document by what was written down of it, and by nothing else; `why` says why nobody goes
    /// on with it. Returns how it ended.
    pub fn settle(&mut self, lease: LeaseId, why: Option<&str>) -> Result<BlankEnd> {
        let cause = "it was interrupted while it was in work";
        let cause = why.map_or(cause.to_owned(), |why| cause_of(&format!("{cause}: {why}")));
        let end = match self.is_touched(lease)? {
            true => BlankEnd::Spoiled { cause },
            false => BlankEnd::Untouched { cause },
        };
        let ending = Ending {
            end: end.clone(),
            chips: interrupted_chips(&self.lines(lease)?),
            certificates: 0,
            milliseconds: 0,
        };
        self.end(lease, ending)?;
        Ok(end)
    }

    /// Returns whether anything that lasts was begun on the chips of a lease.
    pub fn is_touched(&self, lease: LeaseId) -> Result<bool> {
        Ok(JournalLine::begin_anything(&self.lines(lease)?))
    }
}

/// Returns what is said of a text in the journal that does not read.
fn unread(error: Box<dyn Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
}

fn figure(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
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
    let evidence = |line: &JournalLine, name: &str| line.evidence.get(name).cloned();
    // One that was gone on with was identified each time.
    let mut named = BTreeSet::new();
    let identified = lines.iter().filter(|line| line.step == "identify");
    identified
        .filter(|line| named.insert((evidence(line, "product"), evidence(line, "chip"))))
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

#[cfg(test)]
mod tests;
