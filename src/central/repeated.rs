//! Requests that may come twice: the second gets the answer of the first, and does nothing.

use jiff::SignedDuration;
use sqlx::Row;

use crate::central::Central;
use crate::contention::retried;
use crate::database::stored;
use crate::error::{CentralError, Result};
use crate::statements::sql;

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// After so long a request that has no answer is taken for one whose server ended.
const ABANDONED: SignedDuration = SignedDuration::from_mins(5);

/// The longest key.
const MAX_KEY: usize = 128;

/// Whether a request came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// It did not: do it, then [`Central::finish_request`] or [`Central::drop_request`].
    No,
    /// It was answered so.
    Answered {
        /// The status.
        status: u16,
        /// What else was answered.
        answer: Vec<u8>,
    },
    /// It is in work.
    Running,
    /// Its key was used for another request.
    Other,
}

impl Central {
    /// Notes that a request of an account begins, or says what became of it when it came before.
    /// `digest` is of everything that makes it this request.
    ///
    /// # Errors
    /// [`CentralError::Invalid`] for a key that is not 1 to 128 visible ASCII characters.
    pub async fn begin_request(
        &self,
        account: &str,
        key: &str,
        digest: &[u8; 32],
    ) -> Result<Repeated> {
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=MAX_KEY).contains(&key.len()) || !visible {
            return Err(CentralError::invalid(format!(
                "an Idempotency-Key has 1 to {MAX_KEY} visible ASCII characters"
            )));
        }
        retried!(self.try_begin_request(account, key, digest))
    }

    async fn try_begin_request(
        &self,
        account: &str,
        key: &str,
        digest: &[u8; 32],
    ) -> Result<Repeated> {
        let now = self.now();
        let mut tx = self.write().await?;
        sqlx::query(sql!(
            "DELETE FROM repeated_request WHERE begun < $1 OR (status IS NULL AND begun < $2)"
        ))
        .bind(stored(now - KEPT))
        .bind(stored(now - ABANDONED))
        .execute(&mut *tx)
        .await?;
        let done = sqlx::query(sql!("INSERT INTO repeated_request (account, key, digest, begun) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"))
        .bind(account)
        .bind(key)
        .bind(&digest[..])
        .bind(stored(now))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 1 {
            tx.commit().await?;
            return Ok(Repeated::No);
        }
        let row = sqlx::query(sql!(
            "SELECT digest, status, answer FROM repeated_request WHERE account = $1 AND key = $2"
        ))
        .bind(account)
        .bind(key)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        if row.get::<Vec<u8>, _>("digest") != digest {
            return Ok(Repeated::Other);
        }
        let status: Option<i64> = row.get("status");
        let answer: Option<Vec<u8>> = row.get("answer");
        match (status, answer) {
            (Some(status), Some(answer)) => Ok(Repeated::Answered {
                status: u16::try_from(status)
                    .map_err(|_| CentralError::damaged("a kept answer"))?,
                answer,
            }),
            _ => Ok(Repeated::Running),
        }
    }

    /// Keeps the answer to a request that was done, for a day.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn finish_request(
        &self,
        account: &str,
        key: &str,
        status: u16,
        answer: &[u8],
    ) -> Result<()> {
        retried!(async {
            let mut tx = self.write().await?;
            sqlx::query(sql!("UPDATE repeated_request SET status = $1, answer = $2 WHERE account = $3 AND key = $4"))
            .bind(i64::from(status))
            .bind(answer)
            .bind(account)
            .bind(key)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(())
        })
    }

    /// Forgets a request that was refused or failed: it left nothing behind, and may come again.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn drop_request(&self, account: &str, key: &str) -> Result<()> {
        retried!(async {
            let mut tx = self.write().await?;
            sqlx::query(sql!(
                "DELETE FROM repeated_request WHERE account = $1 AND key = $2 AND status IS NULL"
            ))
            .bind(account)
            .bind(key)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(())
        })
    }
}
