//! Data keys under another wrapping key: what they encrypt stays as it is.
//!
//! ```text
//!   a batch is read ─► one visit to the token ─► written by few statements, each key only if it
//!   (nobody waits)     (the books are free)      still lies under the key that it was read under
//! ```
//!
//! What is done is done: cut off, it goes on with what still lies under an older key.

use document::DataClass;
use sqlx::{AssertSqlSafe, Row};

use crate::central::Central;
use crate::contention::retried;
use crate::data_keys::Wrapped;
use crate::error::Result;
use crate::many_rows::{runs, tuples};
use crate::protection::{Rewrap, context};
use crate::statements::{assembled, sql};
use crate::wrapping_keys::Turned;

/// How many data keys are wrapped anew in one transaction.
const BATCH: i64 = if cfg!(test) { 3 } else { 512 };

/// How far data keys are wrapped anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrapping {
    /// Whose keys these are.
    pub class: DataClass,
    /// How many of them were looked at.
    pub done: u64,
    /// How many lay under keys that are out of use when it began.
    pub total: u64,
}

/// What lies under a key that is out of use.
struct Old {
    subject: String,
    generation: i64,
    wrapped: Wrapped,
}

/// A data key that was wrapped anew.
struct Anew {
    subject: String,
    /// The generation that it was read under.
    before: i64,
    wrapped: Vec<u8>,
}

impl Central {
    /// Wraps what lies under keys that are out of use anew.
    pub(crate) async fn wrap_anew(
        &self,
        class: DataClass,
        turned: &mut Turned,
        watch: &(dyn Fn(Rewrapping) + Sync),
    ) -> Result<()> {
        let (generation, label) = self.current_wrapping_key(class).await?;
        let total = self.count_old(class, generation).await?;
        let mut progress = Rewrapping {
            class,
            done: 0,
            total: total.unsigned_abs(),
        };
        let mut after = String::new();
        loop {
            let old = self.old_data_keys(class, generation, &after).await?;
            let Some(last) = old.last() else {
                return Ok(());
            };
            after = last.subject.clone();
            let looked_at = old.len() as u64;
            let anew = self.wrap_each(class, generation, &label, old).await?;
            turned.lost += looked_at - anew.len() as u64;
            turned.wrapped += retried!(self.store_anew(class, generation, &anew))?;
            progress.done += looked_at;
            watch(progress);
        }
    }

    async fn current_wrapping_key(&self, class: DataClass) -> Result<(i64, String)> {
        let mut tx = self.read().await?;
        let row = sqlx::query(sql!(
            "SELECT generation, label FROM wrapping_key WHERE class = $1 AND state = 'current'"
        ))
        .bind(class.name())
        .fetch_one(&mut *tx)
        .await?;
        Ok((row.get("generation"), row.get("label")))
    }

    async fn count_old(&self, class: DataClass, generation: i64) -> Result<i64> {
        let mut tx = self.read().await?;
        let count = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM data_key WHERE class = $1 AND generation < $2"
        ))
        .bind(class.name())
        .bind(generation)
        .fetch_one(&mut *tx)
        .await?;
        Ok(count)
    }

    /// Reads the next data keys behind a subject that lie under older keys than this one.
    async fn old_data_keys(
        &self,
        class: DataClass,
        generation: i64,
        after: &str,
    ) -> Result<Vec<Old>> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(sql!("SELECT k.subject, k.generation, k.wrapped, w.label FROM data_key k
             JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
             WHERE k.subject > $3 AND CASE WHEN k.class = $1 AND k.generation < $2 THEN 1 ELSE 0 END = 1
             ORDER BY k.subject LIMIT $4"))
        .bind(class.name())
        .bind(generation)
        .bind(after)
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        let old = rows.iter().map(|row| {
            let (subject, generation): (String, i64) = (row.get("subject"), row.get("generation"));
            let wrapped = Wrapped {
                label: row.get("label"),
                bytes: row.get("wrapped"),
                context: context(&subject, class, generation),
            };
            Old {
                subject,
                generation,
                wrapped,
            }
        });
        Ok(old.collect())
    }

    /// Wraps data keys under the current key. One whose wrapping key is gone is left out: it waits for
    /// its term.
    async fn wrap_each(
        &self,
        class: DataClass,
        generation: i64,
        label: &str,
        old: Vec<Old>,
    ) -> Result<Vec<Anew>> {
        let (found, keys): (Vec<_>, Vec<_>) = old
            .into_iter()
            .map(|old| {
                let rewrap = Rewrap {
                    context: context(&old.subject, class, generation),
                    old: old.wrapped,
                };
                ((old.subject, old.generation), rewrap)
            })
            .unzip();
        let wrapped = self
            .protection()
            .rewrap_each(label.to_owned(), keys)
            .await?;
        let anew = found.into_iter().zip(wrapped);
        let anew = anew.filter_map(|((subject, before), wrapped)| {
            Some(Anew {
                subject,
                before,
                wrapped: wrapped?,
            })
        });
        Ok(anew.collect())
    }

    /// Writes data keys that were wrapped anew. What was destroyed meanwhile, or wrapped by another
    /// instance, is left as it is. Returns how many were written.
    async fn store_anew(&self, class: DataClass, generation: i64, anew: &[Anew]) -> Result<u64> {
        let mut tx = self.write().await?;
        let mut written = 0;
        for run in runs(anew) {
            let mut statement = sqlx::query(AssertSqlSafe(wrapped_anew(run.len())));
            for one in run {
                statement = statement
                    .bind(&one.subject)
                    .bind(one.before)
                    .bind(&one.wrapped);
            }
            let statement = statement.bind(generation).bind(class.name());
            written += statement.execute(&mut *tx).await?.rows_affected();
        }
        tx.commit().await?;
        Ok(written)
    }
}

fn wrapped_anew(keys: usize) -> String {
    let given = tuples(keys, 3);
    let (generation, class) = (3 * keys + 1, 3 * keys + 2);
    format!(
        "UPDATE data_key SET generation = ${generation}, wrapped = given.column3 FROM (VALUES {given}) AS given
         WHERE data_key.class = ${class} AND data_key.subject = given.column1 AND data_key.generation = given.column2"
    )
}

assembled!(wrapped_anew("TEXT, BIGINT, BYTEA, BIGINT, TEXT") => |_| vec![wrapped_anew(1)]);
