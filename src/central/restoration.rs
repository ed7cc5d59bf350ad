//! A store that was restored from a backup: what it forgot, its stations tell it again, and nothing
//! is made before they have.
//!
//! ```text
//!   restore ──► epoch ──► open: numbers passed over ──► each station tells (`reconciliation`)
//!                 │                                        what nobody knows any more (`quarantine`)
//!                 └──► no work is given until it is ended
//! ```
//!
//! What was leased after the backup stands in the queue again: leased once more, there would be two
//! live documents. What was numbered after it is numbered again by the next approval: so the first
//! thing that a restored store does is to pass over more numbers than may have been given.

use api::{Actor, Epoch};
use audit::Control;
use document::Act;
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use crate::accounts::{Person, authorise};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Database, DatabaseSource, DbRow, Write, moment, parsed, stored};
use crate::error::{CentralError, Result};
use crate::in_use::witnessed;
use crate::reports::figure;
use crate::scribe::Deed;
use crate::series::{StoredSeries, void_free};
use crate::statements::sql;

/// Numbers of all environments have seven digits: no series has more.
const MOST_NUMBERS: u32 = 9_999_999;
/// Why the numbers after a restoration are void.
const PASSED_OVER: &str =
    "they may have been given after the backup that the store was restored from";

/// One restoration, as it is stored.
pub(crate) struct Restoration {
    pub(crate) epoch: Epoch,
    pub(crate) restored: Timestamp,
    pub(crate) copied: Option<Timestamp>,
    lost: Option<i64>,
    passed_over: i64,
    is_begun: bool,
    pub(crate) finished: Option<Timestamp>,
}

impl Restoration {
    fn read(row: &DbRow) -> Result<Self> {
        let at = |column| row.get::<Option<i64>, _>(column).map(moment).transpose();
        let epoch: Uuid = parsed("an epoch", row.get("epoch"))?;
        Ok(Self {
            epoch: Epoch(epoch),
            restored: moment(row.get("restored"))?,
            copied: at("copied")?,
            lost: row.get("lost"),
            passed_over: row.get("passed_over"),
            is_begun: at("begun")?.is_some(),
            finished: at("finished")?,
        })
    }

    /// Tells whether people have ended the reconciliation after it.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// Loads the last restoration; none where the store was never restored.
    pub(crate) async fn last(tx: &mut Connection) -> Result<Option<Self>> {
        let row = sqlx::query(sql!("SELECT epoch, restored, copied, lost, passed_over, begun, finished FROM restoration ORDER BY position DESC LIMIT 1"))
        .fetch_optional(tx)
        .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Loads the restoration in which a station has not reconciled yet; none where nothing is
    /// awaited of it.
    pub(crate) async fn awaiting(tx: &mut Connection, station: &str) -> Result<Option<Self>> {
        let Some(last) = Self::last(tx).await? else {
            return Ok(None);
        };
        let is_through = last.has_reconciled(tx, station).await?;
        Ok(Some(last).filter(|_| !is_through))
    }

    /// Tells whether a station has heard of it: then what it sends begins with what the store lacks, and a
    /// gap in it is a gap in its journal.
    pub(crate) async fn is_heard_by(&self, tx: &mut Connection, station: &str) -> Result<bool> {
        let found: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM heard_restoration WHERE epoch = $1 AND station = $2"
        ))
        .bind(self.epoch.to_string())
        .bind(station)
        .fetch_one(tx)
        .await?;
        Ok(found > 0)
    }

    /// Notes that a station has heard of it.
    pub(crate) async fn note_heard(&self, tx: &mut Connection, station: &str) -> Result<()> {
        sqlx::query(sql!(
            "INSERT INTO heard_restoration (epoch, station) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        ))
        .bind(self.epoch.to_string())
        .bind(station)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Tells whether the store has all of a station's reports again.
    pub(crate) async fn has_reconciled(&self, tx: &mut Connection, station: &str) -> Result<bool> {
        let found: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM reconciled_station WHERE epoch = $1 AND station = $2"
        ))
        .bind(self.epoch.to_string())
        .bind(station)
        .fetch_one(tx)
        .await?;
        Ok(found > 0)
    }
}

/// Notes in a store's database, which nobody has open, that it was restored from a backup that
/// was made at `copied`. From its next start on it gives no work until its stations have reconciled,
/// and no series gives any of its next `pass_over` numbers. `lost`: how many entries of the log are
/// known to have come after it.
///
/// # Errors
/// [`CentralError::Invalid`] for more numbers than a series has, and the database's failures.
pub async fn mark_restored(
    source: &DatabaseSource,
    now: Timestamp,
    copied: Option<Timestamp>,
    lost: Option<u64>,
    pass_over: u32,
) -> Result<Epoch> {
    let database = Database::open(source).await?;
    let epoch = retried!(async {
        let mut tx = database.write().await?;
        let epoch = mark(&mut tx, now, (copied, lost), pass_over).await?;
        tx.commit().await?;
        Ok(epoch)
    })?;
    database.close().await;
    Ok(epoch)
}

async fn mark(
    tx: &mut Connection,
    now: Timestamp,
    (copied, lost): (Option<Timestamp>, Option<u64>),
    pass_over: u32,
) -> Result<Epoch> {
    if pass_over > MOST_NUMBERS {
        return Err(CentralError::invalid(format!(
            "a series has at most {MOST_NUMBERS} numbers; pass over as many as may have been given since the backup, and some more"
        )));
    }
    let last: i64 = sqlx::query_scalar(sql!("SELECT COALESCE(max(position), 0) FROM restoration"))
        .fetch_one(&mut *tx)
        .await?;
    let epoch = Epoch(Uuid::now_v7());
    sqlx::query(sql!("INSERT INTO restoration (epoch, position, restored, copied, lost, passed_over) VALUES ($1, $2, $3, $4, $5, $6)"))
    .bind(epoch.to_string())
    .bind(last + 1)
    .bind(stored(now))
    .bind(copied.map(stored))
    .bind(lost.map(figure))
    .bind(i64::from(pass_over))
    .execute(tx)
    .await?;
    Ok(epoch)
}

impl Central {
    /// Does what a restored store does first: it passes over numbers, and says in the log what it is.
    pub(crate) async fn begin_restoration(&self) -> Result<()> {
        retried!(self.try_begin_restoration())
    }

    async fn try_begin_restoration(&self) -> Result<()> {
        let mut tx = self.write().await?;
        let last = Restoration::last(&mut tx).await?;
        if let Some(last) = last.filter(|last| !last.is_begun) {
            self.begin(&mut tx, None, &last).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn begin(
        &self,
        tx: &mut Write,
        by: Option<(&Actor, &Person)>,
        restoration: &Restoration,
    ) -> Result<()> {
        let now = stored(self.now());
        for series in StoredSeries::all(tx).await? {
            let last = series.last.min(series.next + restoration.passed_over - 1);
            void_free(tx, &series, (series.next, last), now, PASSED_OVER).await?;
        }
        let epoch = restoration.epoch.to_string();
        sqlx::query(sql!("UPDATE restoration SET begun = $1 WHERE epoch = $2"))
            .bind(now)
            .bind(&epoch)
            .execute(&mut **tx)
            .await?;
        let mut deed = Deed::new("store.restored", Control::BACKUP, "store", "central")
            .with("epoch", epoch)
            .with("restored", restoration.restored)
            .with("numbers-passed-over", restoration.passed_over);
        if let Some(copied) = restoration.copied {
            deed = deed.with("backup", copied);
        }
        if let Some(lost) = restoration.lost {
            deed = deed.with("entries-lost", lost);
        }
        if let Some((_, witness)) = by {
            deed = deed.with("witness", &witness.id);
        }
        self.record(tx, by.map(|(actor, _)| actor), &deed).await
    }

    /// Notes that the database under this store was restored by its own means. Returns the new epoch.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, and for one's own witness;
    /// [`CentralError::Conflict`] while another reconciliation is not ended;
    /// [`CentralError::Invalid`] for more numbers than a series has.
    pub async fn begin_reconciliation(
        &self,
        actor: &Actor,
        witness: &str,
        copied: Option<Timestamp>,
        pass_over: u32,
    ) -> Result<Epoch> {
        let deed = Deed::new("store.restored", Control::BACKUP, "store", "central");
        let result = retried!(self.try_begin_reconciling(actor, witness, copied, pass_over));
        self.settle(actor, &deed, result).await
    }

    async fn try_begin_reconciling(
        &self,
        actor: &Actor,
        witness: &str,
        copied: Option<Timestamp>,
        pass_over: u32,
    ) -> Result<Epoch> {
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::ReconcileStore).await?;
        let witness = witnessed(&mut tx, self.presence(), &officer, witness).await?;
        let last = Restoration::last(&mut tx).await?;
        if last.is_some_and(|last| last.finished.is_none()) {
            return Err(CentralError::conflict(
                "the store reconciles already; end that first",
            ));
        }
        let epoch = mark(&mut tx, self.now(), (copied, None), pass_over).await?;
        let marked = Restoration::last(&mut tx).await?;
        let marked = marked.ok_or_else(|| CentralError::damaged("a restoration"))?;
        self.begin(&mut tx, Some((actor, &witness)), &marked)
            .await?;
        tx.commit().await?;
        Ok(epoch)
    }

    /// Demands that no restoration stands against making documents: of this station all is known
    /// again, and people have ended the reconciliation.
    pub(crate) async fn check_reconciled(&self, tx: &mut Connection, station: &str) -> Result<()> {
        let Some(last) = Restoration::last(tx).await? else {
            return Ok(());
        };
        if last.finished.is_none() {
            return Err(CentralError::Reconciling {
                reason: "the store was restored from a backup, and what was made after it is not known yet; a security officer ends the reconciliation: zimogs central reconcile",
            });
        }
        match last.has_reconciled(tx, station).await? {
            true => Ok(()),
            false => Err(CentralError::Reconciling {
                reason: "the store was restored from a backup, and this station has not sent its reports again",
            }),
        }
    }

    /// As [`Central::check_reconciled`], for what is made without a station.
    pub(crate) async fn check_not_reconciling(&self, tx: &mut Connection) -> Result<()> {
        match Restoration::last(tx).await? {
            Some(last) if last.finished.is_none() => Err(CentralError::conflict(
                "the store was restored from a backup, and what was made after it is not known yet; a security officer ends the reconciliation: zimogs central reconcile",
            )),
            _ => Ok(()),
        }
    }
}
