//! The lines of a document: written with the disk's word or with the next one that has it, and read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{JournalLine, LeaseId};
use jiff::Timestamp;
use perso::{JournalEntry, Moment};
use rusqlite::{Transaction, params};

use super::{Journal, Result, at, figure};
use crate::drive::Notebook;
use crate::surroundings::Clock;

impl Journal {
    /// Returns the notebook of one lease.
    pub fn notebook(&mut self, lease: LeaseId) -> impl Notebook + '_ {
        LeaseNotebook {
            journal: self,
            lease,
        }
    }

    pub(crate) fn lines(&self, lease: LeaseId) -> Result<Vec<JournalLine>> {
        self.lines_before(lease, i64::MAX, (0, usize::MAX))
    }

    /// Returns up to `most` lines of a lease that are durable, behind the first `known` ones.
    pub(crate) fn lines_after(
        &self,
        lease: LeaseId,
        known: u64,
        most: usize,
    ) -> Result<Vec<JournalLine>> {
        self.lines_before(lease, self.soon.unwrap_or(i64::MAX), (known, most))
    }

    /// Counts the lines of a lease that are durable.
    pub(crate) fn durable(&self, lease: LeaseId) -> Result<u64> {
        let before = self.soon.unwrap_or(i64::MAX);
        let count = self
            .database
            .prepare_cached("SELECT count(*) FROM line WHERE lease = ?1 AND number < ?2")
            .and_then(|mut found| {
                found.query_row(params![lease.to_string(), before], |row| {
                    row.get::<_, i64>(0)
                })
            })
            .map_err(at("counting a document's lines"))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    fn lines_before(
        &self,
        lease: LeaseId,
        before: i64,
        (known, most): (u64, usize),
    ) -> Result<Vec<JournalLine>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
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
            .prepare_cached(
                "SELECT at, step, moment, evidence FROM line WHERE lease = ?1 AND number < ?2
                 ORDER BY number LIMIT ?3 OFFSET ?4",
            )
            .and_then(|mut found| {
                let of = params![lease.to_string(), before, most, figure(known)];
                found.query_map(of, read)?.collect()
            })
            .map_err(at("reading a document's lines"))
    }
}

struct LeaseNotebook<'a> {
    journal: &'a mut Journal,
    lease: LeaseId,
}

impl Notebook for LeaseNotebook<'_> {
    fn write(&mut self, entry: &JournalEntry) -> std::result::Result<(), String> {
        let line = Line::of(self.lease, entry, &self.journal.clock)?;
        let written = self.journal.change(|tx| line.insert(tx));
        written.map(drop).map_err(|error| error.to_string())
    }
}

impl Journal {
    /// Waits for the disk, where a line is not durable yet.
    pub(crate) fn harden(&mut self) -> Result<()> {
        if self.soon.is_none() {
            return Ok(());
        }
        let update = "UPDATE boot SET hardened = hardened + 1";
        let hardened = self.change(|tx| tx.execute(update, []));
        hardened.map(drop).map_err(at("waiting for the disk"))
    }

    /// Writes down how a step ended that may be done once more: durable with the next line at the latest.
    pub(crate) fn write_soon(
        &mut self,
        lease: LeaseId,
        entry: &JournalEntry,
    ) -> std::result::Result<(), String> {
        let line = Line::of(lease, entry, &self.clock)?;
        let written = self.change_soon(|tx| line.insert(tx));
        let number = written.map_err(|error| error.to_string())?;
        self.soon.get_or_insert(number);
        Ok(())
    }

    /// Writes down, where nothing that lasts was begun under a lease, that a step of a chip for which keys
    /// were asked is not begun: as announced and taken back, both or neither. The centre may have given
    /// the keys, and takes the blank for touched without it.
    pub(crate) fn renounce(
        &mut self,
        lease: LeaseId,
        step: &str,
        chip: &str,
    ) -> std::result::Result<(), String> {
        if self.is_touched(lease).map_err(|error| error.to_string())? {
            return Ok(());
        }
        let entries = [Moment::Intent, Moment::Withdrawn].map(|moment| JournalEntry {
            step: step.to_owned(),
            moment,
            evidence: BTreeMap::from([("chip", chip.to_owned())]),
        });
        let lines = entries
            .iter()
            .map(|entry| Line::of(lease, entry, &self.clock));
        let lines = lines.collect::<std::result::Result<Vec<_>, _>>()?;
        let written = self.change(|tx| lines.iter().try_for_each(|line| line.insert(tx).map(drop)));
        written.map_err(|error| error.to_string())
    }
}

/// A line as it is stored.
struct Line<'a> {
    lease: String,
    at: String,
    step: &'a str,
    moment: &'static str,
    evidence: String,
}

impl<'a> Line<'a> {
    fn of(
        lease: LeaseId,
        entry: &'a JournalEntry,
        clock: &Arc<dyn Clock>,
    ) -> std::result::Result<Self, String> {
        let moment = match entry.moment {
            Moment::Intent => JournalLine::INTENT,
            Moment::Outcome => "outcome",
            Moment::Withdrawn => JournalLine::WITHDRAWN,
        };
        let evidence: BTreeMap<_, _> = entry.evidence.iter().collect();
        Ok(Self {
            lease: lease.to_string(),
            at: clock.now().to_string(),
            step: &entry.step,
            moment,
            evidence: serde_json::to_string(&evidence).map_err(|error| error.to_string())?,
        })
    }

    /// Returns its number.
    fn insert(&self, tx: &Transaction<'_>) -> rusqlite::Result<i64> {
        let Self {
            lease,
            at,
            step,
            moment,
            evidence,
        } = self;
        let insert =
            "INSERT INTO line (lease, at, step, moment, evidence) VALUES (?1, ?2, ?3, ?4, ?5)";
        tx.prepare_cached(insert)?
            .insert(params![lease, at, step, moment, evidence])
    }
}
