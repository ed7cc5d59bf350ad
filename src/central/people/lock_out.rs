//! Slowing down who guesses, without locking out who is guessed at.
//!
//! Failures are counted by account, and by source. After the fifth of an account (the twentieth
//! of a source: many may share an address) each costs a delay that doubles, up to a quarter of
//! an hour; what is tried before it has passed is refused unjudged and changes nothing. A source
//! from which the account was signed in to lately has a count of its own, so that somebody else's
//! failures do not keep the owner out. After [`MOST`] failures in a row an account is closed to
//! all other sources until an administrator unlocks it (*NIST SP 800-63B-4 §3.2.2*).

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::database::{Connection, moment, stored};
use crate::error::{CentralError, Result};
use crate::people::sign_in::Visit;
use crate::statements::sql;

/// The failures of an account that cost nothing.
const FREE: i64 = 5;

/// The failures of a source that cost nothing.
const FREE_OF_SOURCE: i64 = 20;

/// The failures in a row after which an account waits for an administrator.
const MOST: i64 = 100;

/// The longest delay.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// How long failures are remembered. An account's are forgotten later: they stand for a password
/// that is being guessed.
const MEMORY: SignedDuration = SignedDuration::from_hours(24 * 90);

/// How long a source stays familiar.
const FAMILIAR: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Where the failures of an attempt are counted.
pub(crate) struct Counted {
    whose: String,
    source: String,
    account: Option<String>,
    address: String,
}

impl Counted {
    /// Looks where an attempt is counted, judges whether it may be made now, and counts it as
    /// failed until it is known better: attempts beside one another are all counted.
    ///
    /// `account` is its identity; of a name that nobody has, `name` falls into one of many
    /// buckets, so that such a name is answered like another and still is not written down.
    ///
    /// # Errors
    /// [`CentralError::TooSoon`].
    pub(crate) async fn begin(
        tx: &mut Connection,
        visit: &Visit,
        account: Option<&str>,
        name: &str,
        now: Timestamp,
    ) -> Result<Self> {
        forget(tx, now).await?;
        let familiar = match account {
            Some(account) => is_familiar(tx, account, &visit.source, now).await?,
            None => false,
        };
        let whose = match account {
            Some(account) if familiar => format!("account/{account}/{}", visit.source),
            Some(account) => format!("account/{account}"),
            None => {
                let digest = Sha256::digest(name.as_bytes());
                let bucket: Vec<u8> = digest.iter().take(2).copied().collect();
                format!("unknown/{}", hex::encode(bucket))
            }
        };
        let counted = Self {
            whose,
            source: format!("source/{}", visit.source),
            account: account.map(str::to_owned),
            address: visit.source.clone(),
        };
        let wait_of_account = wait(tx, &counted.whose, FREE, now).await?;
        let wait_of_source = wait(tx, &counted.source, FREE_OF_SOURCE, now).await?;
        let wait = wait_of_account.max(wait_of_source);
        if wait > SignedDuration::ZERO {
            return Err(CentralError::TooSoon {
                seconds: wait.as_secs().unsigned_abs().max(1),
            });
        }
        for subject in [&counted.whose, &counted.source] {
            sqlx::query(sql!("INSERT INTO attempt (subject, failures, last) VALUES ($1, 1, $2)
                 ON CONFLICT (subject) DO UPDATE SET failures = attempt.failures + 1, last = excluded.last"))
            .bind(subject)
            .bind(stored(now))
            .execute(&mut *tx)
            .await?;
        }
        Ok(counted)
    }

    /// Takes the attempt back out of the counts: it was right, and more is to be proved.
    pub(crate) async fn was_right(&self, tx: &mut Connection) -> Result<()> {
        for subject in [&self.whose, &self.source] {
            sqlx::query(sql!(
                "UPDATE attempt SET failures = failures - 1 WHERE subject = $1 AND failures > 0"
            ))
            .bind(subject)
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }

    /// Forgets the failures of the account after a whole sign-in, and remembers the source. Those
    /// of the source stay: somebody with an account of their own must not wipe them.
    pub(crate) async fn succeeded(&self, tx: &mut Connection, now: Timestamp) -> Result<()> {
        self.was_right(tx).await?;
        sqlx::query(sql!("DELETE FROM attempt WHERE subject = $1"))
            .bind(&self.whose)
            .execute(&mut *tx)
            .await?;
        if let Some(account) = &self.account {
            sqlx::query(sql!(
                "INSERT INTO familiar_source (account, source, last) VALUES ($1, $2, $3)
                 ON CONFLICT (account, source) DO UPDATE SET last = excluded.last"
            ))
            .bind(account)
            .bind(&self.address)
            .bind(stored(now))
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }
}

/// Forgets all failures of an account, as an administrator wishes.
pub(crate) async fn unlock(tx: &mut Connection, account: &str) -> Result<()> {
    let subjects: Vec<String> = sqlx::query_scalar(sql!(
        "SELECT subject FROM attempt WHERE subject LIKE 'account/%'"
    ))
    .fetch_all(&mut *tx)
    .await?;
    let whole = format!("account/{account}");
    let of_source = format!("{whole}/");
    for subject in subjects {
        if subject == whole || subject.starts_with(&of_source) {
            sqlx::query(sql!("DELETE FROM attempt WHERE subject = $1"))
                .bind(subject)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

/// Forgets from where an account was signed in to.
pub(crate) async fn forget_sources(tx: &mut Connection, account: &str) -> Result<()> {
    sqlx::query(sql!("DELETE FROM familiar_source WHERE account = $1"))
        .bind(account)
        .execute(tx)
        .await?;
    Ok(())
}

async fn forget(tx: &mut Connection, now: Timestamp) -> Result<()> {
    sqlx::query(sql!("DELETE FROM attempt WHERE last < $1 OR (last < $2 AND subject NOT LIKE 'account/%' AND subject NOT LIKE 'unknown/%')"))
    .bind(stored(now - MEMORY))
    .bind(stored(now - SignedDuration::from_hours(24)))
    .execute(tx)
    .await?;
    Ok(())
}

async fn is_familiar(
    tx: &mut Connection,
    account: &str,
    source: &str,
    now: Timestamp,
) -> Result<bool> {
    let last: Option<i64> = sqlx::query_scalar(sql!(
        "SELECT last FROM familiar_source WHERE account = $1 AND source = $2"
    ))
    .bind(account)
    .bind(source)
    .fetch_optional(tx)
    .await?;
    let last = last.map(moment).transpose()?;
    Ok(last.is_some_and(|last| now.duration_since(last) < FAMILIAR))
}

/// Returns how long a subject still has to wait.
async fn wait(
    tx: &mut Connection,
    subject: &str,
    free: i64,
    now: Timestamp,
) -> Result<SignedDuration> {
    let row = sqlx::query(sql!(
        "SELECT failures, last FROM attempt WHERE subject = $1"
    ))
    .bind(subject)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else {
        return Ok(SignedDuration::ZERO);
    };
    let failures: i64 = row.get("failures");
    // A name that nobody has is delayed like another: else names are found out.
    let is_name = ["account/", "unknown/"]
        .iter()
        .any(|kind| subject.starts_with(kind));
    if failures >= MOST && is_name {
        return Ok(LONGEST);
    }
    let until = moment(row.get("last"))? + delay(failures, free);
    Ok(until.duration_since(now).max(SignedDuration::ZERO))
}

/// Returns the delay after so many failures.
fn delay(failures: i64, free: i64) -> SignedDuration {
    if failures < free {
        return SignedDuration::ZERO;
    }
    let doublings = u32::try_from(failures - free).unwrap_or(u32::MAX).min(20);
    SignedDuration::from_secs(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_a_quarter_of_an_hour() {
        let seconds = |failures| delay(failures, FREE).as_secs();
        assert_eq!(
            [0, 4, 5, 6, 7, 14, 15, 40].map(seconds),
            [0, 0, 1, 2, 4, 512, 900, 900]
        );
        assert_eq!(delay(i64::MAX, FREE), LONGEST);
    }
}
