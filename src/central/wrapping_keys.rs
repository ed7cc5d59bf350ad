//! The token's keys of personal data, from their making to their end.
//!
//! ```text
//!   planned ─► waiting ─► current ─► retired ─► ending ─► destroyed
//!              backup of   one of a   what is live is wrapped anew at once; what lies in backups
//!              the token   class      is readable until the end, and never after it
//! ```
//!
//! The token and the books have no common transaction: what is to be done in the token is written
//! down first, and done again after a crash.

use audit::Control;
use document::{DataClass, KEY_WAITS_DAYS};
use hsm::{HsmError, RandomSource};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use crate::central::Central;
use crate::contention::retried;
use crate::database::{DbRow, Write, moment, parsed, stored};
use crate::error::{CentralError, Result};
use crate::rewrapping::Rewrapping;
use crate::scribe::Deed;
use crate::statements::sql;

/// A key of the token.
#[derive(Clone, Debug)]
pub(crate) struct WrappingKey {
    pub(crate) class: DataClass,
    pub(crate) generation: i64,
    pub(crate) label: String,
    pub(crate) state: String,
    pub(crate) since: Timestamp,
}

/// What a turn of the keys did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turned {
    /// How many wrapping keys were made in the token.
    pub made: u64,
    /// How many were taken into use.
    pub taken: u64,
    /// How many data keys were wrapped anew.
    pub wrapped: u64,
    /// How many wrapping keys were destroyed in the token.
    pub destroyed: u64,
    /// How many data keys cannot be wrapped anew: their wrapping key is gone.
    pub lost: u64,
}

impl WrappingKey {
    fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            class: parsed("a class of data", row.get("class"))?,
            generation: row.get("generation"),
            label: row.get("label"),
            state: row.get("state"),
            since: moment(row.get("since"))?,
        })
    }

    fn name(&self) -> String {
        format!("{}/{}", self.class, self.generation)
    }

    fn deed(&self, action: &'static str) -> Deed {
        Deed::new(action, Control::CRYPTOGRAPHY, "key", self.name())
    }

    /// Tells whether it has been so for that many days.
    pub(crate) fn is_older(&self, days: u16, now: Timestamp) -> bool {
        now.duration_since(self.since) >= days_of(days)
    }

    /// Moves it on. Returns whether it was still in that state.
    async fn become_(
        &mut self,
        central: &Central,
        tx: &mut Write,
        state: &'static str,
    ) -> Result<bool> {
        let moved = sqlx::query(sql!("UPDATE wrapping_key SET state = $1, since = $2 WHERE class = $3 AND generation = $4 AND state = $5"))
            .bind(state)
            .bind(stored(central.now()))
            .bind(self.class.name())
            .bind(self.generation)
            .bind(&self.state)
            .execute(&mut **tx)
            .await?;
        self.state = state.to_owned();
        self.since = central.now();
        Ok(moved.rows_affected() == 1)
    }
}

/// Returns that many days as a duration.
pub(crate) fn days_of(days: u16) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

impl Central {
    /// Returns the keys of a class that are not destroyed, in the order of their making.
    pub(crate) async fn wrapping_keys(&self, class: DataClass) -> Result<Vec<WrappingKey>> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(sql!(
            "SELECT class, generation, label, state, since FROM wrapping_key
             WHERE class = $1 AND state <> 'destroyed' ORDER BY generation"
        ))
        .bind(class.name())
        .fetch_all(&mut *tx)
        .await?;
        rows.iter().map(WrappingKey::read).collect()
    }

    /// Makes the first keys, and demands that the token has all that the books know.
    ///
    /// # Errors
    /// [`CentralError::Setup`] where the token lacks a key under which data lies that must be
    /// readable.
    pub(crate) async fn ready_wrapping_keys(&self) -> Result<()> {
        let there = self.labels_there().await?;
        for &class in DataClass::SEALED {
            let keys = self.wrapping_keys(class).await?;
            let is_there = |key: &WrappingKey| there.contains(&key.label);
            // What was wrapped anew lies under the next key: a backup from between does without this.
            let used = self.used_generations(class).await?;
            let is_needed =
                |key: &&WrappingKey| key.state == "current" || used.contains(&key.generation);
            if let Some(lost) = keys.iter().filter(is_needed).find(|key| !is_there(key)) {
                if class != DataClass::Biometrics {
                    return Err(CentralError::Setup {
                        reason: format!(
                            "key \"{}\" is not in the token, and {class} data of this database is encrypted under it: restore the token's backup, or a later backup of the database (docs/data-protection.md)",
                            lost.label
                        ),
                    });
                }
                tracing::warn!(
                    key = lost.label,
                    "biometrics of this database are erased: their key is not in the token any more"
                );
            }
            let current = keys.iter().find(|key| key.state == "current");
            if !current.is_some_and(is_there) {
                self.next_key_now(class).await?;
            }
        }
        Ok(())
    }

    /// Returns the generations under which data keys of a class lie.
    async fn used_generations(&self, class: DataClass) -> Result<Vec<i64>> {
        let mut tx = self.read().await?;
        let used = sqlx::query_scalar(sql!(
            "SELECT DISTINCT generation FROM data_key WHERE class = $1"
        ))
        .bind(class.name())
        .fetch_all(&mut *tx)
        .await?;
        Ok(used)
    }

    /// Makes a key of a class and takes it into use at once.
    pub(crate) async fn next_key_now(&self, class: DataClass) -> Result<()> {
        let mut made = retried!(self.plan_key(class))?;
        if self.is_lost(&made).await? {
            retried!(self.give_up_key(made.clone()))?;
            made = retried!(self.plan_key(class))?;
        }
        self.make_planned(&mut made).await?;
        self.take_into_use(&mut made).await?;
        Ok(())
    }

    /// Writes down a key that is to be made; one that is planned or made already serves.
    async fn plan_key(&self, class: DataClass) -> Result<WrappingKey> {
        let mut tx = self.write().await?;
        let rows = sqlx::query(sql!("SELECT class, generation, label, state, since FROM wrapping_key WHERE class = $1 ORDER BY generation DESC"))
            .bind(class.name())
            .fetch_all(&mut *tx)
            .await?;
        let last = rows.first().map(WrappingKey::read).transpose()?;
        if let Some(next) = last
            .clone()
            .filter(|last| matches!(last.state.as_str(), "planned" | "waiting"))
        {
            return Ok(next);
        }
        let generation = last.map_or(0, |last| last.generation) + 1;
        // The label is none that another database made in the same token.
        let mut nonce = [0; 4];
        self.protection().token.fill(&mut nonce)?;
        let nonce = hex::encode(nonce);
        let key = WrappingKey {
            class,
            generation,
            label: format!("pd-{class}-{generation}-{nonce}"),
            state: "planned".to_owned(),
            since: self.now(),
        };
        sqlx::query(sql!("INSERT INTO wrapping_key (class, generation, label, state, since) VALUES ($1, $2, $3, $4, $5)"))
            .bind(class.name())
            .bind(generation)
            .bind(&key.label)
            .bind(&key.state)
            .bind(stored(key.since))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Makes a planned key in the token. Returns whether it was this call that made it.
    async fn make_planned(&self, key: &mut WrappingKey) -> Result<bool> {
        if key.state != "planned" {
            return Ok(false);
        }
        let label = key.label.clone();
        self.protection()
            .blocking(move |token| match token.generate_wrapping_key(&label) {
                // A program that died had made it, or another instance.
                Err(HsmError::KeyExists { .. }) => Ok(()),
                made => made,
            })
            .await?;
        let (made, moved) = retried!(async {
            let (mut made, mut tx) = (key.clone(), self.write().await?);
            let moved = made.become_(self, &mut tx, "waiting").await?;
            if moved {
                self.record(&mut tx, None, &made.deed("wrapping-key.made"))
                    .await?;
                tx.commit().await?;
            }
            Ok((made, moved))
        })?;
        *key = made;
        Ok(moved)
    }

    /// Tells whether a key was made, waits, and is not in the token any more: the token is older than
    /// the books, or has not copied it to this one yet.
    async fn is_lost(&self, key: &WrappingKey) -> Result<bool> {
        Ok(key.state == "waiting" && !self.labels_there().await?.contains(&key.label))
    }

    /// Ends a key that waited and was lost in the token: nothing lies under it.
    async fn give_up_key(&self, mut key: WrappingKey) -> Result<()> {
        let mut tx = self.write().await?;
        if key.become_(self, &mut tx, "destroyed").await? {
            self.record(&mut tx, None, &key.deed("wrapping-key.lost"))
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Takes a key into use in the place of the one before.
    ///
    /// # Errors
    /// [`CentralError::KeyMissing`] where the token has it not: what was put under it could not be
    /// read again.
    async fn take_into_use(&self, key: &mut WrappingKey) -> Result<bool> {
        if self.is_lost(key).await? {
            return Err(CentralError::KeyMissing {
                label: key.label.clone(),
            });
        }
        let (taken, moved) = retried!(self.try_take_into_use(key.clone()))?;
        *key = taken;
        Ok(moved)
    }

    async fn try_take_into_use(&self, mut key: WrappingKey) -> Result<(WrappingKey, bool)> {
        let mut tx = self.write().await?;
        sqlx::query(sql!("UPDATE wrapping_key SET state = 'retired', since = $1 WHERE class = $2 AND state = 'current'"))
            .bind(stored(self.now()))
            .bind(key.class.name())
            .execute(&mut *tx)
            .await?;
        let moved = key.become_(self, &mut tx, "current").await?;
        if moved {
            self.record(&mut tx, None, &key.deed("wrapping-key.taken"))
                .await?;
            tx.commit().await?;
        }
        Ok((key, moved))
    }

    /// Turns the keys of every class as far as it is time: makes the next one, takes it into use,
    /// wraps anew what is live, destroys what no backup needs any more. With `at_once` the next keys
    /// are made and taken into use whatever the time, and one that was lost while it waited is replaced.
    pub(crate) async fn turn_keys(
        &self,
        at_once: bool,
        watch: &(dyn Fn(Rewrapping) + Sync),
    ) -> Result<Turned> {
        let mut turned = Turned::default();
        let mut missing = None;
        for &class in DataClass::SEALED {
            let now = self.now();
            let keys = self.wrapping_keys(class).await?;
            let current = keys.iter().find(|key| key.state == "current");
            let waiting = keys
                .iter()
                .find(|key| matches!(key.state.as_str(), "planned" | "waiting"));
            let is_old = |days| current.is_none_or(|current| current.is_older(days, now));
            let mut waiting = waiting.cloned();
            if at_once
                && let Some(next) = &waiting
                && self.is_lost(next).await?
            {
                retried!(self.give_up_key(next.clone()))?;
                waiting = None;
            }
            let mut next = match waiting {
                Some(next) => Some(next),
                None if at_once || is_old(class.key_days() - KEY_WAITS_DAYS) => {
                    Some(retried!(self.plan_key(class))?)
                }
                None => None,
            };
            if let Some(next) = &mut next {
                turned.made += u64::from(self.make_planned(next).await?);
                let is_time = is_old(class.key_days()) && next.is_older(KEY_WAITS_DAYS, now);
                if at_once || is_time {
                    match self.take_into_use(next).await {
                        Ok(taken) => turned.taken += u64::from(taken),
                        // It holds up no key of another class, and no end of one before.
                        Err(error @ CentralError::KeyMissing { .. }) => missing = Some(error),
                        Err(error) => return Err(error),
                    }
                }
            }
            self.wrap_anew(class, &mut turned, watch).await?;
            self.end_keys(class, &mut turned).await?;
        }
        missing.map_or(Ok(turned), Err)
    }

    /// Destroys the keys that no backup needs any more.
    async fn end_keys(&self, class: DataClass, turned: &mut Turned) -> Result<()> {
        let now = self.now();
        for mut key in self.wrapping_keys(class).await? {
            let is_due = key.state == "retired" && key.is_older(class.backup_days(), now);
            if is_due {
                match retried!(self.begin_ending(key.clone()))? {
                    Some(ending) => key = ending,
                    None => continue,
                }
            }
            if key.state != "ending" {
                continue;
            }
            let label = key.label.clone();
            self.protection()
                .blocking(move |token| match token.destroy_key(&label) {
                    Err(HsmError::KeyNotFound { .. }) => Ok(()),
                    destroyed => destroyed,
                })
                .await?;
            turned.destroyed += u64::from(retried!(self.note_destroyed(key.clone()))?);
        }
        Ok(())
    }

    /// Brings a key to its end under which nothing lies; none where something does.
    async fn begin_ending(&self, mut key: WrappingKey) -> Result<Option<WrappingKey>> {
        let mut tx = self.write().await?;
        let live: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM data_key WHERE class = $1 AND generation = $2"
        ))
        .bind(key.class.name())
        .bind(key.generation)
        .fetch_one(&mut *tx)
        .await?;
        if live > 0 || !key.become_(self, &mut tx, "ending").await? {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(key))
    }

    async fn note_destroyed(&self, mut key: WrappingKey) -> Result<bool> {
        let mut tx = self.write().await?;
        let moved = key.become_(self, &mut tx, "destroyed").await?;
        if moved {
            self.record(&mut tx, None, &key.deed("wrapping-key.destroyed"))
                .await?;
            tx.commit().await?;
        }
        Ok(moved)
    }
}
