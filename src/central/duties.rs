//! What the store does by itself from time to time: once among all instances beside one database.
//!
//! ```text
//!   due? ──► claimed: one row, one transaction ──► done ──► ended, or failing since
//!              │ another instance has it              └─► its own acts, their own entries
//!              └─► nothing
//! ```
//!
//! A claim that nobody ends is believed for [`CLAIM`]: then another instance begins anew. Every duty
//! may be done twice: what is done is not done again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use crate::central::Central;
use crate::contention::retried;
use crate::database::{DbRow, moment, stored};
use crate::error::Result;
use crate::statements::sql;

/// How long an instance that began a duty is believed to be at it.
const CLAIM: SignedDuration = SignedDuration::from_mins(15);

/// After how long what failed is tried again, unless it is due sooner.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A duty whose last end is so many periods ago, and [`CLAIM`], does not run.
const MISSED: i32 = 3;

/// Something that the store does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Duty {
    /// Ends the leases whose time has passed.
    ExpireLeases,
    /// Settles certificates with their authorities.
    SettleCertificates,
    /// Makes the reports to registers.
    MakeReports,
    /// Ends the documents whose last day has passed.
    ExpireDocuments,
    /// Erases what was kept for long enough, and turns the keys under which the rest lies.
    Erase,
    /// Forgets what waited for a second person in vain.
    Tidy,
}

impl Duty {
    /// Every duty.
    pub const ALL: &'static [Self] = &[
        Self::ExpireLeases,
        Self::SettleCertificates,
        Self::MakeReports,
        Self::ExpireDocuments,
        Self::Erase,
        Self::Tidy,
    ];

    /// Returns its name, in kebab-case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExpireLeases => "expire-leases",
            Self::SettleCertificates => "settle-certificates",
            Self::MakeReports => "make-reports",
            Self::ExpireDocuments => "expire-documents",
            Self::Erase => "erase",
            Self::Tidy => "tidy",
        }
    }

    /// Returns how often it is done where nothing else is said. Nothing to do costs a query or two.
    #[must_use]
    pub const fn usual(self) -> Duration {
        let minutes = match self {
            Self::ExpireLeases | Self::SettleCertificates | Self::MakeReports => 1,
            Self::ExpireDocuments | Self::Tidy => 60,
            Self::Erase => 6 * 60,
        };
        Duration::from_secs(60 * minutes)
    }
}

/// A duty that is not done as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neglected {
    /// Which.
    pub duty: Duty,
    /// Since when it fails; none where nobody does it.
    pub failing: Option<Timestamp>,
}

/// Where a duty stands.
#[derive(Default)]
struct Standing {
    until: Option<Timestamp>,
    begun: Option<Timestamp>,
    ended: Option<Timestamp>,
    failing: Option<Timestamp>,
}

impl Standing {
    fn read(row: &DbRow) -> Result<Self> {
        let at = |column| row.get::<Option<i64>, _>(column).map(moment).transpose();
        Ok(Self {
            until: at("until")?,
            begun: at("begun")?,
            ended: at("ended")?,
            failing: at("failing")?,
        })
    }

    fn is_due(&self, period: SignedDuration, now: Timestamp) -> bool {
        if self.until.is_some_and(|until| until > now) {
            return false;
        }
        let (last, wait) = match self.failing {
            Some(_) => (self.begun, period.min(AGAIN)),
            None => (self.ended, period),
        };
        // A clock that was put back holds nothing up for long.
        last.is_none_or(|last| last > now || now.duration_since(last) >= wait)
    }
}

impl Central {
    /// Does a duty if it is due and no other instance is at it. `instance` names this one. Returns
    /// how much was done; none where it was not this instance's turn.
    ///
    /// # Errors
    /// The failures of what is done, which are noted with the duty and tried again; the database's.
    pub async fn attend(
        &self,
        duty: Duty,
        period: Duration,
        instance: &str,
    ) -> Result<Option<u64>> {
        let period = SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX);
        let known = self.standing(duty).await?;
        if !known.is_due(period, self.now()) || !retried!(self.claim(duty, period, instance))? {
            return Ok(None);
        }
        let done = self.discharge(duty).await;
        retried!(self.ended(duty, instance, done.is_ok()))?;
        done.map(Some)
    }

    async fn discharge(&self, duty: Duty) -> Result<u64> {
        match duty {
            Duty::ExpireLeases => retried!(self.expire_overdue()),
            Duty::SettleCertificates => {
                let swept = self.sweep_certificates().await?;
                Ok(swept.settled)
            }
            Duty::MakeReports => {
                let made = self.make_reports().await?;
                Ok(u64::try_from(made).unwrap_or(u64::MAX))
            }
            Duty::ExpireDocuments => self.expire_documents().await,
            Duty::Erase => {
                let erased = self.erase().await?;
                Ok(erased.identities + erased.biometrics + erased.records + erased.packages)
            }
            Duty::Tidy => retried!(self.forget_asked()),
        }
    }

    async fn standing(&self, duty: Duty) -> Result<Standing> {
        let row = sqlx::query(sql!(
            "SELECT until, begun, ended, failing FROM duty WHERE name = $1"
        ))
        .bind(duty.name())
        .fetch_optional(&mut *self.read().await?)
        .await?;
        row.as_ref().map_or(Ok(Standing::default()), Standing::read)
    }

    async fn claim(&self, duty: Duty, period: SignedDuration, instance: &str) -> Result<bool> {
        let now = self.now();
        let mut tx = self.write().await?;
        sqlx::query(sql!(
            "INSERT INTO duty (name) VALUES ($1) ON CONFLICT (name) DO NOTHING"
        ))
        .bind(duty.name())
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query(sql!(
            "SELECT until, begun, ended, failing FROM duty WHERE name = $1"
        ))
        .bind(duty.name())
        .fetch_one(&mut *tx)
        .await?;
        if !Standing::read(&row)?.is_due(period, now) {
            return Ok(false);
        }
        sqlx::query(sql!(
            "UPDATE duty SET holder = $1, until = $2, begun = $3 WHERE name = $4"
        ))
        .bind(instance)
        .bind(stored(now + CLAIM))
        .bind(stored(now))
        .bind(duty.name())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn ended(&self, duty: Duty, instance: &str, is_done: bool) -> Result<()> {
        let now = stored(self.now());
        let mut tx = self.write().await?;
        let sql = match is_done {
            true => {
                sql!(
                    "UPDATE duty SET holder = NULL, until = NULL, ended = $1, failing = NULL WHERE name = $2 AND holder = $3"
                )
            }
            false => {
                sql!(
                    "UPDATE duty SET holder = NULL, until = NULL, failing = COALESCE(failing, $1) WHERE name = $2 AND holder = $3"
                )
            }
        };
        sqlx::query(sql)
            .bind(now)
            .bind(duty.name())
            .bind(instance)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns the duties that fail, or that were done before and are not any more. `periods` says
    /// how often each is to be done.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn neglected(&self, periods: impl Fn(Duty) -> Duration) -> Result<Vec<Neglected>> {
        let now = self.now();
        let mut neglected = Vec::new();
        for &duty in Duty::ALL {
            let standing = self.standing(duty).await?;
            let period = SignedDuration::try_from(periods(duty)).unwrap_or(SignedDuration::MAX);
            let most = period.saturating_mul(MISSED).saturating_add(CLAIM);
            let missed = |ended: Timestamp| now.duration_since(ended) > most;
            if standing.failing.is_some() || standing.ended.is_some_and(missed) {
                let failing = standing.failing;
                neglected.push(Neglected { duty, failing });
            }
        }
        Ok(neglected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(60 * minute).unwrap()
    }

    #[test]
    fn a_duty_is_due_once_a_period_and_sooner_after_a_failure() {
        let hour = SignedDuration::from_hours(1);
        assert!(Standing::default().is_due(hour, at(0)));
        let done = Standing {
            begun: Some(at(0)),
            ended: Some(at(1)),
            ..Standing::default()
        };
        assert!(!done.is_due(hour, at(60)) && done.is_due(hour, at(61)));
        let failed = Standing {
            begun: Some(at(70)),
            failing: Some(at(70)),
            ..done
        };
        assert!(!failed.is_due(hour, at(70)) && failed.is_due(hour, at(71)));
        let held = Standing {
            until: Some(at(85)),
            ..failed
        };
        assert!(!held.is_due(hour, at(84)) && held.is_due(hour, at(85)));
    }
}
