//! A station that is killed for good: two persons take its lease, its card is carried to another station,
//! which has nothing of it but what the centre has; and one day the dead station comes back.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{JournalPart, LeaseId};
use central::Clock;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags};
use tokio::time::Instant;

use crate::Failure;
use crate::case::{ALL, Scene};
use crate::installation::actor;

/// After how long a lease is over of which nothing is heard, and a little more.
const OVER: i64 = 11 * 60;
/// How long a station that came back may take to tell what it has.
const TELLING: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(5);

/// The machine's clock, which people may let pass.
#[derive(Debug, Default)]
pub(crate) struct Passing(AtomicI64);

impl Passing {
    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl station::Clock for Passing {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }
}

/// Which parts of the journal get through: where the network is bad, none but those that somebody waits
/// for, who sends what begins with the same line again and again, with the lines in it that came meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    is_bad: bool,
    dropped: Mutex<Dropped>,
}

/// What was dropped last: of which lease, behind how many lines, and how often.
#[derive(Debug, Default)]
struct Dropped {
    part: Option<(LeaseId, u64)>,
    times: u32,
}

impl Lines {
    /// How often in a row a part is dropped.
    const TIMES: u32 = 2;

    pub(crate) fn over(is_bad: bool) -> Self {
        Self {
            is_bad,
            ..Self::default()
        }
    }

    pub(crate) fn drops(&self, part: &JournalPart) -> bool {
        if !self.is_bad {
            return false;
        }
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let this = Some((part.lease, part.first));
        if dropped.part != this {
            *dropped = Dropped {
                part: this,
                times: 0,
            };
        }
        dropped.times += 1;
        dropped.times <= Self::TIMES
    }
}

impl Scene<'_> {
    /// Takes what the dead station has in work from it, before a witness. What no blank is bound to is
    /// over by itself.
    pub(crate) async fn move_leases(&self, told: &mut Vec<String>) -> Result<(), Failure> {
        let auditor = actor("auditor");
        let leases = self.central.leases_after(&auditor, "", ALL).await?;
        for lease in leases {
            if lease.blank.is_none() {
                self.clock.pass(OVER);
                told.push("nothing was bound, and its time passes".into());
                continue;
            }
            let officer = actor("officer");
            let moved =
                self.central
                    .move_lease(&officer, lease.id, "keeper", "its station is dead");
            moved.await?;
            told.push("its lease is moved".into());
        }
        Ok(())
    }

    /// Lets the dead station come back, with no card in its slot, until it has told all that it has.
    pub(crate) async fn come_back(&mut self, told: &mut Vec<String>) -> Result<(), Failure> {
        let (station, journal) = (self.station, self.journal.clone());
        (self.station, self.journal) = (Self::FIRST, self.first_journal.clone());
        let cards = self.bench.take();
        let life = self.begin(None).await?;
        let life = life.map_err(|_| "a station without a fault was killed")?;
        let begun = Instant::now();
        while !has_told(&self.journal)? && begun.elapsed() < TELLING {
            tokio::time::sleep(LOOK).await;
        }
        life.stop().await?;
        told.push("the dead station came back, and told what it has".into());
        self.bench.change(cards);
        (self.station, self.journal) = (station, journal);
        Ok(())
    }

    /// Has the next life be another station's, with a journal of its own.
    pub(crate) fn leave_station(&mut self) -> Result<(), Failure> {
        let folder = self.first_journal.parent().ok_or("a journal's folder")?;
        let other = folder.with_file_name("other");
        std::fs::create_dir(&other)?;
        std::fs::copy(folder.join("readers.json"), other.join("readers.json"))?;
        self.station = Self::SECOND;
        self.journal = other.join("journal.db");
        Ok(())
    }
}

/// Tells whether a journal has no document in work, and nothing that waits.
fn has_told(journal: &Path) -> Result<bool, Failure> {
    let journal = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let open: i64 = journal.query_row(
        "SELECT (SELECT count(*) FROM outbox WHERE sent = 0) + (SELECT count(*) FROM run
         WHERE lease NOT IN (SELECT lease FROM outbox WHERE lease IS NOT NULL))",
        [],
        |row| row.get(0),
    )?;
    Ok(open == 0)
}

/// Returns the clock as the store takes it.
pub(crate) fn shared(clock: &Arc<Passing>) -> Arc<dyn Clock> {
    Arc::clone(clock) as Arc<dyn Clock>
}
