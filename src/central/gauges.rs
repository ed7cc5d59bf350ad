//! How much there is of what, for whoever watches the store: figures without a person in them, each
//! from an index, whatever the store's age.

use std::time::Duration;

use document::life_cycle::{BlankState, IncidentState, LeaseState};
use hsm::TokenUsage;
use jiff::civil::Date;
use sqlx::Row;

use crate::central::Central;
use crate::contention;
use crate::database::{Connection, moment, parsed};
use crate::error::Result;
use crate::restoration::Restoration;
use crate::statements::sql;

/// The accounts that are shown: blanks that are somewhere and have no document.
const SHOWN: [BlankState; 8] = [
    BlankState::Received,
    BlankState::InStock,
    BlankState::InTransit,
    BlankState::Loaded,
    BlankState::AtStation,
    BlankState::Spoiled,
    BlankState::Returned,
    BlankState::Missing,
];

/// What waits to be made, of one kind and priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The kind of document.
    pub kind: String,
    /// Whether it is urgent.
    pub urgent: bool,
    /// How many there are.
    pub documents: u64,
    /// The day on which the first of them is due.
    pub due: Date,
}

/// How many connections a pool has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// `writers` or `readers`.
    pub pool: &'static str,
    /// Connections that are open.
    pub open: u64,
    /// Connections that nobody uses.
    pub idle: u64,
}

/// The figures of one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauges {
    /// The queue by kind and priority.
    pub queue: Vec<Queued>,
    /// For how many days the oldest document in the queue is overdue; negative: due in so many.
    pub oldest_due_days: Option<i64>,
    /// Leases that no report has ended, by state.
    pub leases: Vec<(String, u64)>,
    /// Blanks by place, item and account.
    pub stock: Vec<(String, String, String, u64)>,
    /// Incidents that are not closed, by kind.
    pub incidents: Vec<(String, u64)>,
    /// Audit entries that wait for the tree.
    pub log_waiting: u64,
    /// How long the oldest of them waits.
    pub log_lag: Duration,
    /// Entries under the last signed checkpoint.
    pub log_size: u64,
    /// Whether the store was restored and does not give work yet.
    pub reconciling: bool,
    /// The database's connections.
    pub pools: Vec<PoolUse>,
    /// How often an act was done again because others were in its way, since this program runs.
    pub retries: u64,
    /// What the token was asked since this program runs.
    pub token: TokenUsage,
}

fn figure(found: i64) -> u64 {
    found.unsigned_abs()
}

impl Central {
    /// Counts. Nobody acts, and nothing of a person is told.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn gauges(&self) -> Result<Gauges> {
        let mut tx = self.read().await?;
        let queue = queue(&mut tx).await?;
        let first = queue.iter().map(|one| one.due).min();
        let days = first.map(|due| i64::from((self.today() - due).get_days()));
        let row = sqlx::query(sql!("SELECT count(*) AS waiting, min(committed) AS since FROM audit_entry WHERE leaf IS NULL"))
        .fetch_one(&mut *tx)
        .await?;
        let since: Option<i64> = row.get("since");
        let since = since.map(moment).transpose()?;
        let lag = since.map(|since| self.now().duration_since(since));
        let lag = lag.and_then(|lag| Duration::try_from(lag).ok());
        let size: Option<i64> = sqlx::query_scalar(sql!("SELECT max(size) FROM audit_checkpoint"))
            .fetch_one(&mut *tx)
            .await?;
        let restored = Restoration::last(&mut tx).await?;
        Ok(Gauges {
            queue,
            oldest_due_days: days,
            leases: pairs(
                &mut tx,
                sql!("SELECT state, count(*) FROM lease WHERE state IN ($1, 'expired') GROUP BY state ORDER BY state"),
                LeaseState::Open.name(),
            )
            .await?,
            stock: stock(&mut tx).await?,
            incidents: pairs(
                &mut tx,
                sql!("SELECT kind, count(*) FROM incident WHERE state <> $1 GROUP BY kind ORDER BY kind"),
                IncidentState::Closed.name(),
            )
            .await?,
            log_waiting: figure(row.get("waiting")),
            log_lag: lag.unwrap_or_default(),
            log_size: figure(size.unwrap_or(0)),
            reconciling: restored.is_some_and(|one| !one.is_finished()),
            pools: self.database().pools(),
            retries: contention::retries(),
            token: self.token().usage(),
        })
    }
}

async fn queue(tx: &mut Connection) -> Result<Vec<Queued>> {
    let rows = sqlx::query(sql!(
        "SELECT kind, urgent, count(*) AS documents, min(due) AS due FROM document
         WHERE state = 'queued' GROUP BY kind, urgent ORDER BY kind, urgent"
    ))
    .fetch_all(tx)
    .await?;
    let line = |row: &crate::database::DbRow| {
        Ok(Queued {
            kind: row.get("kind"),
            urgent: row.get::<i64, _>("urgent") != 0,
            documents: figure(row.get("documents")),
            due: parsed("a day", row.get("due"))?,
        })
    };
    rows.iter().map(line).collect()
}

async fn pairs(tx: &mut Connection, sql: &'static str, bound: &str) -> Result<Vec<(String, u64)>> {
    let rows = sqlx::query(sql).bind(bound).fetch_all(tx).await?;
    let pair = |row: &crate::database::DbRow| (row.get(0), figure(row.get(1)));
    Ok(rows.iter().map(pair).collect())
}

/// Counts the blanks of each place and account: finished ones, of which there are millions, are not
/// looked at.
async fn stock(tx: &mut Connection) -> Result<Vec<(String, String, String, u64)>> {
    let places: Vec<String> = sqlx::query_scalar(sql!("SELECT code FROM place ORDER BY code"))
        .fetch_all(&mut *tx)
        .await?;
    let mut stock = Vec::new();
    for place in places {
        for state in SHOWN {
            let rows = sqlx::query(sql!("SELECT item, count(*) AS blanks FROM blank WHERE place = $1 AND state = $2 GROUP BY item ORDER BY item"))
            .bind(&place)
            .bind(state.name())
            .fetch_all(&mut *tx)
            .await?;
            for row in &rows {
                let blanks = figure(row.get("blanks"));
                stock.push((place.clone(), row.get("item"), state.to_string(), blanks));
            }
        }
    }
    Ok(stock)
}
