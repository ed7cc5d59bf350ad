//! What follows a restoration: each station tells what the store forgot, and two persons end it.
//!
//! ```text
//!   hello of each station, its reports again ──► reconciled_station ──► all here, or given up by name
//!                                                                            │ officer and witness
//!        work is given again ◄── doubtful documents get other numbers ◄──────┘
//! ```

use std::collections::BTreeSet;

use api::{Actor, Epoch, Hello, Standing, Welcome};
use audit::Control;
use document::Act;
use document::life_cycle::{DocumentState, IncidentKind, StationState};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::authorise;
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, stored};
use crate::desk;
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::in_use::witnessed;
use crate::restoration::Restoration;
use crate::scribe::Deed;
use crate::second_persons::Presence;
use crate::statements::sql;
use crate::station_order::last_report;

/// How many documents get another number in one transaction.
const BATCH: i64 = 50;

/// A station in a reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcilingStation {
    /// Its name.
    pub station: String,
    /// When the store had all of its reports again; none: it is awaited.
    pub reconciled: Option<Timestamp>,
}

/// A report under a lease that the store does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedReport {
    /// The station.
    pub station: String,
    /// Its running number.
    pub sequence: u64,
    /// The lease.
    pub lease: String,
    /// The number that the document had.
    pub number: Option<String>,
    /// `personalized`, `spoiled` or `untouched`.
    pub end: String,
    /// The blanks that its chips are of, in the books.
    pub blanks: Vec<String>,
    /// When it came.
    pub received: Timestamp,
}

/// How far a reconciliation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// Which life of the store it is.
    pub epoch: Epoch,
    /// When the store was restored.
    pub restored: Timestamp,
    /// When the backup was made, where that is known.
    pub copied: Option<Timestamp>,
    /// When people ended it.
    pub finished: Option<Timestamp>,
    /// Every station that the store knows.
    pub stations: Vec<ReconcilingStation>,
    /// What came under leases that the store does not know.
    pub quarantined: Vec<QuarantinedReport>,
}

impl Central {
    /// Hears how far a station's journal goes, and tells what the store has of it.
    pub(crate) async fn greet_station(&self, actor: &Actor, hello: &Hello) -> Result<Welcome> {
        let deed = Deed::new(
            "station.reconciled",
            Control::BACKUP,
            "station",
            &actor.station,
        );
        let result = self.try_greet(actor, &deed, hello).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_greet(&self, actor: &Actor, deed: &Deed, hello: &Hello) -> Result<Welcome> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::PersonalizeDocument).await?;
        let reports = last_report(&mut tx, &actor.station).await?.unsigned_abs();
        if reports > hello.last {
            return Err(CentralError::conflict(format!(
                "the store has reports of this station up to {reports}, and its journal ends at {}: the journal was replaced or set back; bring it back, or let the station in under another name",
                hello.last
            )));
        }
        let last = Restoration::last(&mut tx).await?;
        let epoch = last.as_ref().map(|last| last.epoch);
        let is_through = match &last {
            Some(last) => last.has_reconciled(&mut tx, &actor.station).await?,
            None => true,
        };
        let is_news = match &last {
            Some(last) if hello.epoch == epoch => {
                !last.is_heard_by(&mut tx, &actor.station).await?
            }
            _ => false,
        };
        drop(tx);
        if let Some(last) = last.as_ref().filter(|_| is_news) {
            retried!(async {
                let mut tx = self.write().await?;
                last.note_heard(&mut tx, &actor.station).await?;
                tx.commit().await?;
                Ok(())
            })?;
        }
        // A word that was said before this restoration, and came late or twice, may say of a journal that had
        // nothing yet that all of it is here.
        let has_heard = hello.epoch == epoch;
        let has_all = has_heard && reports == hello.last && hello.in_work == 0;
        let standing = match &last {
            _ if is_through && hello.acknowledged > reports => {
                retried!(self.open_behind(actor, reports, hello))?;
                Standing::Behind
            }
            Some(last) if !is_through && has_all => {
                retried!(self.note_reconciled(actor, deed, last, reports))?
            }
            Some(last) if !is_through || last.finished.is_none() => Standing::Reconciling,
            _ => Standing::Known,
        };
        Ok(Welcome {
            epoch,
            reports,
            standing,
        })
    }

    /// Opens the incident that the store lacks what it acknowledged, once.
    async fn open_behind(&self, actor: &Actor, reports: u64, hello: &Hello) -> Result<()> {
        let mut tx = self.write().await?;
        let text = format!(
            "the store has {reports} reports of this station and acknowledged {}: its database was set back; note that it was restored (zimogs central reconcile begin) before anything is made",
            hello.acknowledged
        );
        let subject = format!("station/{}", actor.station);
        self.open_incident(&mut tx, actor, IncidentKind::StoreBehind, &subject, &text)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn note_reconciled(
        &self,
        actor: &Actor,
        deed: &Deed,
        restoration: &Restoration,
        reports: u64,
    ) -> Result<Standing> {
        let mut tx = self.write().await?;
        let done = sqlx::query(sql!("INSERT INTO reconciled_station (epoch, station, reconciled) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"))
        .bind(restoration.epoch.to_string())
        .bind(&actor.station)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 1 {
            let deed = deed
                .clone()
                .with("epoch", restoration.epoch)
                .with("reports", reports);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(match restoration.finished {
            Some(_) => Standing::Known,
            None => Standing::Reconciling,
        })
    }

    /// Tells how far the reconciliation after the last restoration is; none where the store was
    /// never restored.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn reconciliation(&self, actor: &Actor) -> Result<Option<Reconciliation>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let Some(last) = Restoration::last(&mut tx).await? else {
            return Ok(None);
        };
        Ok(Some(Reconciliation {
            stations: stations(&mut tx, last.epoch).await?,
            quarantined: quarantined(&mut tx, last.epoch).await?,
            epoch: last.epoch,
            restored: last.restored,
            copied: last.copied,
            finished: last.finished,
        }))
    }

    /// Ends the reconciliation, before a witness: work is given again. Stations that will never
    /// report are given up by name: what they made is not known, so every document that they may have
    /// made gets another number. Returns how many did.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, for one's own witness, and
    /// while a station is awaited that is not given up; [`CentralError::Conflict`] where there is
    /// nothing to end, and while a lease holds a document whose number is on another blank too;
    /// [`CentralError::Invalid`] without a cause where stations are given up.
    pub async fn end_reconciliation(
        &self,
        actor: &Actor,
        witness: &str,
        given_up: &BTreeSet<String>,
        cause: &str,
    ) -> Result<usize> {
        let deed = Deed::new("store.reconciled", Control::BACKUP, "store", "central");
        let result = self
            .end_in_steps(actor, &deed, witness, given_up, cause)
            .await;
        self.settle(actor, &deed, result).await
    }

    /// Each step is one transaction and is retried by itself: what was committed before it is counted
    /// whatever is in the way of the next.
    async fn end_in_steps(
        &self,
        actor: &Actor,
        deed: &Deed,
        witness: &str,
        given_up: &BTreeSet<String>,
        cause: &str,
    ) -> Result<usize> {
        if !given_up.is_empty() {
            check_cause(cause)?;
        }
        let mut renumbered = 0;
        // Who confirmed it over the interface confirmed all of it: their word is used up with the first
        // of its transactions.
        let mut presence = self.presence().clone();
        loop {
            let mut deed = deed.clone().with("renumbered", renumbered);
            if !given_up.is_empty() {
                let names: Vec<_> = given_up.iter().map(String::as_str).collect();
                deed = deed.with("given-up", names.join(" ")).with("cause", cause);
            }
            match retried!(self.try_end(actor, &deed, (witness, &presence), given_up))? {
                0 => return Ok(renumbered),
                more => renumbered += more,
            }
            presence = Presence::Named;
        }
    }

    /// Gives the next doubtful documents other numbers, and tells how many; where there are none it
    /// ends the reconciliation.
    async fn try_end(
        &self,
        actor: &Actor,
        deed: &Deed,
        (witness, presence): (&str, &Presence),
        given_up: &BTreeSet<String>,
    ) -> Result<usize> {
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::ReconcileStore).await?;
        let witness = witnessed(&mut tx, presence, &officer, witness).await?;
        let last = Restoration::last(&mut tx).await?;
        let last = last.filter(|last| last.finished.is_none());
        let last = last.ok_or_else(|| CentralError::conflict("the store does not reconcile"))?;
        self.check_ended(&mut tx, &last, given_up).await?;
        let doubtful = doubtful(&mut tx, &last, !given_up.is_empty()).await?;
        for id in &doubtful {
            let mut document = Document::load(&mut tx, id).await?;
            self.give_up_blank(&mut tx, actor, &mut document).await?;
        }
        if doubtful.is_empty() {
            sqlx::query(sql!("UPDATE restoration SET finished = $1, finished_by = $2, finished_with = $3 WHERE epoch = $4"))
            .bind(stored(self.now()))
            .bind(&officer.id)
            .bind(&witness.id)
            .bind(last.epoch.to_string())
            .execute(&mut *tx)
            .await?;
            let deed = deed
                .clone()
                .with("epoch", last.epoch)
                .with("witness", &witness.id);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(doubtful.len())
    }

    async fn check_ended(
        &self,
        tx: &mut Connection,
        last: &Restoration,
        given_up: &BTreeSet<String>,
    ) -> Result<()> {
        let stations = stations(tx, last.epoch).await?;
        let awaited = |one: &&ReconcilingStation| one.reconciled.is_none();
        let left: Vec<_> = stations
            .iter()
            .filter(awaited)
            .map(|one| one.station.as_str())
            .filter(|name| !given_up.contains(*name))
            .collect();
        if !left.is_empty() {
            return Err(CentralError::refused(format!(
                "not every report is here again of {}; start these stations, or give those up that will never report",
                left.join(", ")
            )));
        }
        let bound: Option<String> = sqlx::query_scalar(sql!(
            "SELECT d.number FROM document d JOIN quarantined_report q ON q.number = d.number
             WHERE d.state = $1 AND q.touched = 1 ORDER BY d.number LIMIT 1"
        ))
        .bind(DocumentState::AtStation.name())
        .fetch_optional(tx)
        .await?;
        match bound {
            None => Ok(()),
            Some(number) => Err(CentralError::conflict(format!(
                "document {number} is at a station, and its number is on another blank too; wait for the report of its lease, or give the lease up"
            ))),
        }
    }
}

/// Returns the stations that may have worked, by name: all that are let in, and in a test those
/// that ever had a lease.
async fn stations(tx: &mut Connection, epoch: Epoch) -> Result<Vec<ReconcilingStation>> {
    let rows = sqlx::query(sql!("SELECT k.name, r.reconciled FROM (
             SELECT name FROM station WHERE state IN ($1, $2)
             UNION SELECT station AS name FROM lease WHERE purpose = 'personalization' AND slot <> $3
                 AND station NOT IN (SELECT name FROM station)
         ) k LEFT JOIN reconciled_station r ON r.station = k.name AND r.epoch = $4 ORDER BY k.name"))
    .bind(StationState::Enrolled.name())
    .bind(StationState::Suspended.name())
    .bind(desk::SLOT)
    .bind(epoch.to_string())
    .fetch_all(tx)
    .await?;
    let line = |row: &DbRow| {
        let reconciled: Option<i64> = row.get("reconciled");
        Ok(ReconcilingStation {
            station: row.get("name"),
            reconciled: reconciled.map(moment).transpose()?,
        })
    };
    rows.iter().map(line).collect()
}

async fn quarantined(tx: &mut Connection, epoch: Epoch) -> Result<Vec<QuarantinedReport>> {
    let rows = sqlx::query(sql!(
        "SELECT station, sequence, lease, number, end_state, received FROM quarantined_report
         WHERE epoch = $1 ORDER BY station, sequence"
    ))
    .bind(epoch.to_string())
    .fetch_all(&mut *tx)
    .await?;
    let mut reports = Vec::new();
    for row in &rows {
        let (station, sequence): (String, i64) = (row.get("station"), row.get("sequence"));
        let blanks = sqlx::query_scalar(sql!(
            "SELECT DISTINCT c.blank FROM quarantined_chip q JOIN chip c ON c.serial = q.serial
             WHERE q.station = $1 AND q.sequence = $2 ORDER BY c.blank"
        ))
        .bind(&station)
        .bind(sequence)
        .fetch_all(&mut *tx)
        .await?;
        reports.push(QuarantinedReport {
            sequence: sequence.unsigned_abs(),
            lease: row.get("lease"),
            number: row.get("number"),
            end: row.get("end_state"),
            received: moment(row.get("received"))?,
            station,
            blanks,
        });
    }
    Ok(reports)
}

/// Returns documents in the queue whose number is on a blank that the store does not know, or, where
/// stations were given up, may be on one: at most [`BATCH`].
async fn doubtful(
    tx: &mut Connection,
    last: &Restoration,
    stations_are_missing: bool,
) -> Result<Vec<String>> {
    const IN_QUEUE: &str =
        "SELECT d.id FROM document d JOIN number n ON n.number = d.number AND n.document = d.id
         WHERE d.state = $1 AND CAST($2 AS BIGINT) IS NOT NULL";
    let doubtful = match stations_are_missing {
        true => sql!(IN_QUEUE, " AND n.given < $2 ORDER BY d.id LIMIT $3"),
        false => sql!(
            IN_QUEUE,
            " AND n.number IN (SELECT q.number FROM quarantined_report q WHERE q.touched = 1)
             ORDER BY d.id LIMIT $3"
        ),
    };
    let found = sqlx::query_scalar(doubtful)
        .bind(DocumentState::Queued.name())
        .bind(stored(last.restored))
        .bind(BATCH)
        .fetch_all(tx)
        .await?;
    Ok(found)
}
