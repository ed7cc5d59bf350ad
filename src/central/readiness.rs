//! Whether the store can work now.

use std::time::Duration;

use hsm::RandomSource;
use jiff::Timestamp;

use crate::audit_log::BOUND;
use crate::central::Central;
use crate::database::moment;
use crate::error::Result;
use crate::statements::sql;

/// That the store can work, and how its log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// How long the oldest audit entry waits for its place in the tree; none where none waits.
    pub oldest_waits: Option<Duration>,
    /// Whether that is longer than the sequencer may take.
    pub overdue: bool,
}

impl Central {
    /// Returns of when the newest audit entry is; none in a log without any.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn last_entry(&self) -> Result<Option<Timestamp>> {
        let last: Option<i64> = sqlx::query_scalar(sql!(
            "SELECT committed FROM audit_entry ORDER BY id DESC LIMIT 1"
        ))
        .fetch_optional(&mut *self.read().await?)
        .await?;
        last.map(moment).transpose()
    }

    /// Asks the database and the token for a sign of life, and looks how old the log's head is.
    /// It costs the same however long the log is.
    ///
    /// # Errors
    /// The database's and the token's failures.
    pub async fn readiness(&self) -> Result<Readiness> {
        let oldest: Option<i64> = sqlx::query_scalar(sql!(
            "SELECT committed FROM audit_entry WHERE leaf IS NULL ORDER BY id LIMIT 1"
        ))
        .fetch_optional(&mut *self.read().await?)
        .await?;
        let token = self.token();
        self.blocking(move || token.fill(&mut [0; 8])).await??;
        let since = oldest.map(moment).transpose()?;
        let waits = since.map(|since| self.now().duration_since(since));
        let waits = waits.map(|wait| Duration::try_from(wait).unwrap_or_default());
        Ok(Readiness {
            oldest_waits: waits,
            overdue: waits.is_some_and(|wait| wait > BOUND.unsigned_abs()),
        })
    }
}
