//! Which certificates of the embedded authority wait for their requester's word, in the store's
//! database: one that nobody confirms is revoked, also after a crash.

use async_trait::async_trait;
use jiff::Timestamp;
use pki::{Confirmations, RegisterError};
use sqlx::Row;

use crate::contention::retried;
use crate::database::{Database, moment, stored};
use crate::error::{CentralError, Result};
use crate::statements::sql;

/// The confirmations that are waited for, and those that came.
pub(crate) struct StoredConfirmations {
    pub(crate) database: Database,
}

impl StoredConfirmations {
    async fn keep(&self, sql: &'static str, exchange: &[u8], at: Option<Timestamp>) -> Result<()> {
        let mut tx = self.database.write().await?;
        sqlx::query(sql)
            .bind(exchange)
            .bind(at.map(stored))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn until(&self, exchange: &[u8]) -> Result<Option<Timestamp>> {
        let mut tx = self.database.read().await?;
        let row = sqlx::query(sql!(
            "SELECT until FROM cmp_confirmation WHERE exchange = $1"
        ))
        .bind(exchange)
        .fetch_optional(&mut *tx)
        .await?;
        let until: Option<i64> = row.and_then(|row| row.get("until"));
        until.map(moment).transpose()
    }

    async fn before(&self, at: Timestamp) -> Result<Vec<Vec<u8>>> {
        let mut tx = self.database.read().await?;
        let overdue = sqlx::query_scalar(sql!(
            "SELECT exchange FROM cmp_confirmation WHERE until < $1 ORDER BY until"
        ))
        .bind(stored(at))
        .fetch_all(&mut *tx)
        .await?;
        Ok(overdue)
    }
}

fn storage(error: CentralError) -> RegisterError {
    RegisterError::Storage(error.into())
}

#[async_trait]
impl Confirmations for StoredConfirmations {
    async fn expect(&self, exchange: &[u8], until: Timestamp) -> Result<(), RegisterError> {
        // One that was settled stays so.
        let sql = sql!("INSERT INTO cmp_confirmation (exchange, until) VALUES ($1, $2)
                   ON CONFLICT (exchange) DO UPDATE SET until = excluded.until WHERE cmp_confirmation.until IS NOT NULL");
        retried!(self.keep(sql, exchange, Some(until))).map_err(storage)
    }

    async fn expected(&self, exchange: &[u8]) -> Result<Option<Timestamp>, RegisterError> {
        self.until(exchange).await.map_err(storage)
    }

    async fn settle(&self, exchange: &[u8]) -> Result<(), RegisterError> {
        let sql = sql!(
            "INSERT INTO cmp_confirmation (exchange, until) VALUES ($1, $2)
                   ON CONFLICT (exchange) DO UPDATE SET until = excluded.until"
        );
        retried!(self.keep(sql, exchange, None)).map_err(storage)
    }

    async fn overdue(&self, at: Timestamp) -> Result<Vec<Vec<u8>>, RegisterError> {
        self.before(at).await.map_err(storage)
    }

    async fn forget(&self, exchange: &[u8], at: Timestamp) -> Result<(), RegisterError> {
        let sql = sql!("DELETE FROM cmp_confirmation WHERE exchange = $1 AND until < $2");
        retried!(self.keep(sql, exchange, Some(at))).map_err(storage)
    }
}
