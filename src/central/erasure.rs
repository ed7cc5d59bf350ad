//! Erasing what was kept for long enough.
//!
//! ```text
//!   states, days ─► data_key.due ─► its row deleted, its cells emptied, an entry in the log
//!                                     └─► backups: when their wrapping key is destroyed (turn_keys)
//! ```
//!
//! Run daily, and as often as anybody likes: what is done is not done twice.

use api::Actor;
use audit::Control;
use document::life_cycle::{ApplicationState, DocumentState, LifeCycle};
use document::{Act, DataClass, ERASURE_DAYS, application_is_over, document_is_over};
use jiff::{Timestamp, ToSpan};
use sqlx::{AssertSqlSafe, Row};

use crate::accounts::authorise;
use crate::blind_index;
use crate::central::Central;
use crate::certificate_rows::UNSETTLED;
use crate::contention::retried;
use crate::database::{Write, moment, parsed, stored};
use crate::error::{CentralError, Result};
use crate::pages::no_place;
use crate::protection::{destroy_key, erasure};
use crate::rewrapping::Rewrapping;
use crate::scribe::Deed;
use crate::statements::{assembled, sql};
use crate::wrapping_keys::{Turned, days_of};

/// How many are erased in one transaction.
const BATCH: i64 = 64;

/// What a run of the erasure did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Of how many applications what they said of their holders.
    pub identities: u64,
    /// Of how many the biometrics.
    pub biometrics: u64,
    /// Of how many the records of their documents.
    pub records: u64,
    /// How many refused packages.
    pub packages: u64,
    /// What was done with the token's keys.
    pub keys: Turned,
    /// How many documents are in the queue that cannot be made any more, since their biometrics are
    /// erased: they are to be cancelled.
    pub stranded: u64,
}

/// Something that should have been erased by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// What it is: a class of data, `wrapping-key`, `unknown-wrapping-key`, which the token has and the
    /// books have not, or `erasure`, which did not run.
    pub what: String,
    /// Its pseudonymous reference.
    pub reference: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

/// What the places of data begin with in the list of what is overdue, and those of what concerns the
/// whole store, which come behind.
const OF_DATA: &str = "data";
const OF_STORE: &str = "store";

impl Overdue {
    /// Returns where it stands in the list.
    pub fn place(&self) -> String {
        let Self {
            what, reference, ..
        } = self;
        if DataClass::ALL.iter().any(|class| class.name() == what) {
            let since = self.since.map_or(0, Timestamp::as_millisecond);
            format!("{OF_DATA} {what} {since} {reference}")
        } else {
            format!("{OF_STORE} {what} {reference}")
        }
    }
}

impl Central {
    /// Erases everything whose term is over, and turns the keys under which backups lie.
    ///
    /// # Errors
    /// The database's failures and the token's; what was erased until then stays erased.
    pub async fn erase(&self) -> Result<Erased> {
        self.erase_watched(&|_| {}).await
    }

    /// Does what [`Central::erase`] does, and tells how far data keys are wrapped anew.
    ///
    /// # Errors
    /// As [`Central::erase`].
    pub async fn erase_watched(&self, watch: &(dyn Fn(Rewrapping) + Sync)) -> Result<Erased> {
        retried!(self.note_terms())?;
        let mut erased = Erased::default();
        loop {
            let classes = retried!(self.erase_due())?;
            if classes.is_empty() {
                break;
            }
            for class in classes {
                match class {
                    DataClass::Identity => erased.identities += 1,
                    DataClass::Biometrics => erased.biometrics += 1,
                    DataClass::Record => erased.records += 1,
                    _ => erased.packages += 1,
                }
            }
        }
        erased.keys = self.turn_keys(false, watch).await?;
        erased.stranded = self.count_stranded().await?;
        retried!(self.note_run())?;
        self.database().forget_deleted().await?;
        Ok(erased)
    }

    /// Erases the next of what is due; returns the classes that it was of.
    async fn erase_due(&self) -> Result<Vec<DataClass>> {
        let mut tx = self.write().await?;
        let rows = sqlx::query(sql!("SELECT subject, class FROM data_key WHERE due <= $1 ORDER BY due, subject, class LIMIT $2"))
        .bind(stored(self.now()))
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        let mut classes = Vec::with_capacity(rows.len());
        for row in &rows {
            let (subject, class): (String, String) = (row.get("subject"), row.get("class"));
            let class = parsed("a class of data", &class)?;
            self.erase_class(&mut tx, None, &subject, class).await?;
            classes.push(class);
        }
        tx.commit().await?;
        Ok(classes)
    }

    async fn note_run(&self) -> Result<()> {
        let mut tx = self.write().await?;
        sqlx::query(sql!("INSERT INTO erasure_run (id, ended) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET ended = excluded.ended"))
            .bind(stored(self.now()))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes new keys of the token into use for all personal data, now: where one may have become
    /// known, say. Those before are destroyed when no backup needs them any more. `watch` is told how
    /// far data keys are wrapped anew; cut off, the next erasure goes on.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer; the token's failures.
    pub async fn turn_wrapping_keys(
        &self,
        actor: &Actor,
        watch: &(dyn Fn(Rewrapping) + Sync),
    ) -> Result<Turned> {
        let deed = Deed::new(
            "wrapping-key.turned",
            Control::CRYPTOGRAPHY,
            "installation",
            "central",
        );
        let result = retried!(self.begin_turning(actor, &deed));
        self.settle(actor, &deed, result).await?;
        self.turn_keys(true, watch).await
    }

    async fn begin_turning(&self, actor: &Actor, deed: &Deed) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ManageKeys).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes down when the terms are over of what ended since.
    async fn note_terms(&self) -> Result<()> {
        let now = self.now();
        let mut tx = self.write().await?;
        sqlx::query(AssertSqlSafe(biometrics_are_due()))
            .bind(stored(now))
            .bind(stored(now))
            .bind(self.last_day_of_issue(0)?)
            .execute(&mut *tx)
            .await?;
        sqlx::query(AssertSqlSafe(identity_is_due()))
            .bind(self.due(DataClass::Identity)?)
            .execute(&mut *tx)
            .await?;
        sqlx::query(AssertSqlSafe(record_is_due()))
            .bind(self.due(DataClass::Record)?)
            .bind(self.today().to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns when the term of a class is over that begins now, as it is stored.
    pub(crate) fn due(&self, class: DataClass) -> Result<i64> {
        let days = class
            .days()
            .ok_or_else(|| CentralError::invalid("this class of data is kept for good"))?;
        Ok(stored(self.now() + days_of(days)))
    }

    /// Returns the first day of issue of which biometrics are still kept; so many days before with
    /// some grace.
    fn last_day_of_issue(&self, grace: u16) -> Result<String> {
        let days = DataClass::Biometrics.days().unwrap_or_default() + grace;
        let day = self.today().checked_sub(i64::from(days).days());
        day.map(|day| day.to_string())
            .map_err(|_| CentralError::invalid("the clock is outside the calendar"))
    }

    /// Destroys the key of a subject's class, and empties what it encrypted. Where that is done
    /// already nothing is, and no entry is written.
    pub(crate) async fn erase_class(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        subject: &str,
        class: DataClass,
    ) -> Result<()> {
        let Some(key) = destroy_key(tx, subject, class).await? else {
            return Ok(());
        };
        let statements: &[&'static str] = match class {
            DataClass::Identity => &[sql!(
                "UPDATE application SET content = $2, cause = NULL WHERE reference = $1"
            )],
            DataClass::Biometrics => &[
                sql!("DELETE FROM biometric_data WHERE application = $1"),
                sql!(
                    "UPDATE signed_lds SET files = '' WHERE document IN (SELECT id FROM document WHERE application = $1)"
                ),
            ],
            DataClass::Record => &[
                sql!(
                    "UPDATE document SET record = '', subjects = '' WHERE application = $1 AND record IS NOT NULL"
                ),
                sql!(
                    "UPDATE certificate SET request = $2, exchange = $2, trouble = NULL WHERE document IN (SELECT id FROM document WHERE application = $1)"
                ),
                sql!(
                    "UPDATE certificate SET der = $2 WHERE serial IS NOT NULL AND document IN (SELECT id FROM document WHERE application = $1)"
                ),
                sql!("UPDATE authority_register SET der = $2 WHERE application = $1"),
            ],
            DataClass::RefusedPackage => &[sql!(
                "UPDATE refused_package SET content = NULL WHERE reference = $1"
            )],
            // They are kept for good.
            DataClass::Evidence | DataClass::Log => &[],
        };
        for statement in statements {
            let mut query = sqlx::query(*statement).bind(subject);
            if statement.contains("$2") {
                query = query.bind(Vec::<u8>::new());
            }
            query.execute(&mut **tx).await?;
        }
        // A person is found by the index as long as their names are in one of the two.
        if matches!(class, DataClass::Identity | DataClass::Record) {
            let left: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM data_key WHERE subject = $1 AND class IN ('identity', 'record')"))
            .bind(subject)
            .fetch_one(&mut **tx)
            .await?;
            if left == 0 {
                blind_index::forget(tx, subject).await?;
            }
        }
        self.record(tx, actor, &erasure(subject, class, &key)).await
    }

    async fn count_stranded(&self) -> Result<u64> {
        let stranded: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM document d WHERE d.state = 'queued'
             AND NOT EXISTS (SELECT 1 FROM biometric_data b WHERE b.application = d.application)"
        ))
        .fetch_one(&mut *self.read().await?)
        .await?;
        Ok(stranded.unsigned_abs())
    }

    /// Returns what should have been erased by now, at most `limit` behind this place; nothing where every
    /// term was kept. Data come first, then what concerns the whole store. That keys which are destroyed
    /// in the books are gone is asked of the token.
    ///
    /// # Errors
    /// The database's failures and the token's; [`CentralError::Invalid`] for what is no
    /// [`Overdue::place`].
    pub async fn overdue_after(&self, after: &str, limit: u32) -> Result<Vec<Overdue>> {
        let now = self.now();
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut overdue = match after.starts_with(OF_STORE) {
            true => Vec::new(),
            false => self.overdue_data(now, after, limit).await?,
        };
        if overdue.len() < most {
            let mut of_store = self.overdue_keys(now).await?;
            of_store.extend(self.overdue_erasure(now).await?);
            of_store.sort_by_key(Overdue::place);
            of_store.retain(|one| one.place().as_str() > after);
            overdue.extend(of_store);
            overdue.truncate(most);
        }
        Ok(overdue)
    }

    /// Tells whether the erasure itself did not run.
    async fn overdue_erasure(&self, now: Timestamp) -> Result<Option<Overdue>> {
        let last: i64 = sqlx::query_scalar(sql!("SELECT coalesce((SELECT ended FROM erasure_run WHERE id = 1), founded) FROM installation WHERE id = 1"))
        .fetch_one(&mut *self.read().await?)
        .await?;
        let (last, grace) = (moment(last)?, days_of(ERASURE_DAYS));
        Ok((now.duration_since(last) > grace).then(|| Overdue {
            what: "erasure".into(),
            reference: "central".into(),
            since: Some(last + grace),
        }))
    }

    async fn overdue_data(&self, now: Timestamp, after: &str, limit: u32) -> Result<Vec<Overdue>> {
        let parts: Vec<&str> = after.splitn(4, ' ').collect();
        let (class, due, subject) = match parts[..] {
            [""] => ("", i64::MIN, ""),
            [OF_DATA, class, due, subject] => {
                let due = due.parse().map_err(|_| no_place())?;
                (class, due, subject)
            }
            _ => return Err(no_place()),
        };
        let rows = sqlx::query(sql!("SELECT subject, class, due FROM data_key
             WHERE (due < $1 OR (class = 'biometrics' AND subject IN (SELECT application FROM document WHERE issued < $2)))
             AND (class, coalesce(due, 0), subject) > ($3, $4, $5)
             ORDER BY class, coalesce(due, 0), subject LIMIT $6"))
        .bind(stored(now - days_of(ERASURE_DAYS)))
        .bind(self.last_day_of_issue(ERASURE_DAYS)?)
        .bind(class)
        .bind(due)
        .bind(subject)
        .bind(i64::from(limit))
        .fetch_all(&mut *self.read().await?)
        .await?;
        let line = |row: &crate::database::DbRow| {
            let due: Option<i64> = row.get("due");
            Ok(Overdue {
                what: row.get("class"),
                reference: row.get("subject"),
                since: due.map(moment).transpose()?,
            })
        };
        rows.iter().map(line).collect()
    }
}

fn biometrics_are_due() -> String {
    let ended = states(ApplicationState::all(), application_is_over);
    let held = states(DocumentState::all(), |state: DocumentState| {
        !state.is_before_hand_over()
    });
    format!(
        "UPDATE data_key SET due = $1 WHERE class = 'biometrics' AND (due IS NULL OR due > $2) AND (
             subject IN (SELECT reference FROM application WHERE state IN ({ended}))
             OR subject IN (SELECT application FROM document WHERE state IN ({held}) OR issued < $3))"
    )
}

fn identity_is_due() -> String {
    let ended = states(ApplicationState::all(), application_is_over);
    format!(
        "UPDATE data_key SET due = $1 WHERE class = 'identity' AND due IS NULL
         AND subject IN (SELECT reference FROM application WHERE state IN ({ended}))"
    )
}

/// Not as long as a certificate is not settled: its authority is told of it by what would be erased.
fn record_is_due() -> String {
    let over = states(DocumentState::all(), document_is_over);
    format!(
        "UPDATE data_key SET due = $1 WHERE class = 'record' AND due IS NULL
         AND subject IN (SELECT application FROM document WHERE state IN ({over}) OR expires < $2)
         AND subject NOT IN (SELECT application FROM document WHERE id IN (SELECT document FROM certificate WHERE {UNSETTLED}))"
    )
}

assembled!(biometrics_are_due => |_| vec![biometrics_are_due()]);
assembled!(identity_is_due => |_| vec![identity_is_due()]);
assembled!(record_is_due => |_| vec![record_is_due()]);

/// Returns the names of the states that a rule takes, as SQL lists them.
fn states<S: LifeCycle>(all: &[S], rule: impl Fn(S) -> bool) -> String {
    let names: Vec<_> = all
        .iter()
        .filter(|state| rule(**state))
        .map(|state| format!("'{state}'"))
        .collect();
    names.join(", ")
}
