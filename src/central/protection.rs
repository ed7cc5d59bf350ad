//! Personal data at rest: each class of an application's data under a data key of its own, each
//! data key under a wrapping key of the token.
//!
//! ```text
//!   token:     wrapping key of the class, generation n   (in use, then kept for backups, destroyed)
//!                  │ wraps, for subject, class and generation
//!   data_key:  data key of one application and class     (its row is deleted: nobody reads it more)
//!                  │ encrypts, for table, column and row
//!   cells:     content, images, record, files, …
//! ```
//!
//! A data key is unwrapped for one act and wiped after it.

use std::sync::{Arc, Mutex, PoisonError};

use audit::Control;
use document::DataClass;
use hsm::{HsmError, RandomSource, Token};
use jiff::Timestamp;
use sqlx::Row;
use zeroize::Zeroizing;

use crate::cells::{Cell, DataKey, IV, bound};
use crate::data_keys::{
    DrawnKey, Wanted, Wrapped, WrappingKeys, open_each, store_keys, wrapping_keys,
};
use crate::database::Connection;
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::statements::sql;

/// What opens and seals personal data.
#[derive(Clone)]
pub(crate) struct Protection {
    pub(crate) token: Arc<Token>,
    /// The label of the key of the blind index.
    pub(crate) index: String,
    /// The wrapping keys that were in use when they were last looked at; none before.
    pub(crate) seen: Arc<Mutex<WrappingKeys>>,
}

impl Protection {
    /// Makes the data keys of a subject's classes.
    ///
    /// # Errors
    /// As [`Protection::draw_keys`] and [`store_keys`].
    pub(crate) async fn make_keys<const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
        now: Timestamp,
    ) -> Result<[DataKey; N]> {
        let (drawn, ()) = self.draw_keys(tx, subject, classes, |_| Ok(())).await?;
        store_own(tx, subject, &drawn, now).await?;
        Ok(drawn.map(|drawn| drawn.key))
    }

    /// Draws data keys of a subject's classes, which are not stored yet, and does something else on
    /// the same visit to the token.
    ///
    /// # Errors
    /// [`CentralError::Damaged`] where no wrapping key of a class is in use; the token's failures.
    pub(crate) async fn draw_keys<T: Send + 'static, const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
        beside: impl FnOnce(&Token) -> std::result::Result<T, HsmError> + Send + 'static,
    ) -> Result<([DrawnKey; N], T)> {
        let in_use = wrapping_keys(tx).await?;
        in_use.clone_into(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.draw(subject, classes, &in_use, beside).await
    }

    /// As [`Protection::draw_keys`], before the transaction, which then holds nothing while the token
    /// works: under the wrapping keys that were in use when they were last looked at. That they still
    /// are, [`store_keys`] says. None where they were never looked at, and where the token does not
    /// make it: a key that was in use then may be destroyed by now.
    pub(crate) async fn draw_ahead<T: Send + 'static, const N: usize>(
        &self,
        subject: &str,
        classes: [DataClass; N],
        beside: impl FnOnce(&Token) -> std::result::Result<T, HsmError> + Send + 'static,
    ) -> Option<([DrawnKey; N], T)> {
        let in_use = self.last_seen();
        self.draw(subject, classes, &in_use, beside).await.ok()
    }

    fn last_seen(&self) -> WrappingKeys {
        let seen = self.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn draw<T: Send + 'static, const N: usize>(
        &self,
        subject: &str,
        classes: [DataClass; N],
        in_use: &WrappingKeys,
        beside: impl FnOnce(&Token) -> std::result::Result<T, HsmError> + Send + 'static,
    ) -> Result<([DrawnKey; N], T)> {
        let mut wanted = Vec::new();
        for class in classes {
            wanted.push(Wanted::new(subject, class, in_use.get(class.name()))?);
        }
        let (drawn, beside) = self
            .blocking(move |token| {
                let drawn = wanted.into_iter().map(|wanted| wanted.draw(token));
                let drawn: Vec<_> = drawn.collect::<std::result::Result<_, _>>()?;
                Ok((drawn, beside(token)?))
            })
            .await?;
        Ok((each(drawn.into_iter())?, beside))
    }

    /// Unwraps the data keys of a subject's classes, and makes that of one more class if there is
    /// none: one query, one visit to the token, and the new key's row.
    ///
    /// # Errors
    /// As [`Protection::keys`] and [`Protection::make_keys`].
    pub(crate) async fn keys_and_made<const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
        made: DataClass,
        now: Timestamp,
    ) -> Result<([DataKey; N], DataKey)> {
        let rows = sqlx::query(sql!("SELECT w.class, w.generation, w.label, w.state, k.wrapped FROM wrapping_key w
             LEFT JOIN data_key k ON k.subject = $1 AND k.class = w.class AND k.generation = w.generation
             WHERE k.subject IS NOT NULL OR w.state = 'current'"))
        .bind(subject)
        .fetch_all(&mut *tx)
        .await?;
        let found = |class: DataClass| {
            let mut rows = rows
                .iter()
                .filter(|row| row.get::<&str, _>("class") == class.name());
            let row = rows.find(|row| row.get::<Option<&[u8]>, _>("wrapped").is_some())?;
            Some(Wrapped::read(row, subject, class))
        };
        let mut wrapped = Vec::new();
        for class in classes {
            wrapped.push(Some(found(class).ok_or_else(|| erased(class))?));
        }
        let stored = found(made);
        let current = rows.iter().find(|row| {
            row.get::<&str, _>("class") == made.name() && row.get::<&str, _>("state") == "current"
        });
        let wanted = match stored {
            Some(_) => None,
            None => {
                let key = current.map(|row| (row.get("generation"), row.get("label")));
                Some(Wanted::new(subject, made, key.as_ref())?)
            }
        };
        wrapped.push(stored);
        let (opened, drawn) = self
            .blocking(move |token| {
                let drawn = wanted.map(|wanted| wanted.draw(token)).transpose()?;
                Ok((open_each(token, wrapped), drawn))
            })
            .await?;
        let opened = opened?;
        let mut keys = Vec::new();
        for key in opened.into_iter().flatten() {
            keys.push(key?);
        }
        let own = match drawn {
            Some(drawn) => {
                store_own(tx, subject, std::slice::from_ref(&drawn), now).await?;
                Some(drawn.key)
            }
            None => keys.pop(),
        };
        let own = own.ok_or_else(|| erased(made))?;
        Ok((each(keys.into_iter())?, own))
    }

    /// Unwraps the data keys of a subject's classes; none where one was erased or never made.
    async fn find_keys<const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
    ) -> Result<[Option<DataKey>; N]> {
        let rows = sqlx::query(sql!(
            "SELECT k.class, k.generation, k.wrapped, w.label FROM data_key k
             JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
             WHERE k.subject = $1"
        ))
        .bind(subject)
        .fetch_all(tx)
        .await?;
        let mut wrapped = Vec::new();
        for class in classes {
            let row = rows
                .iter()
                .find(|row| row.get::<&str, _>("class") == class.name());
            wrapped.push(row.map(|row| Wrapped::read(row, subject, class)));
        }
        let opened = self.unwrap_each(wrapped).await?.into_iter();
        let opened: Result<Vec<_>> = opened.map(Option::transpose).collect();
        each(opened?.into_iter())
    }

    /// Unwraps up to `limit` data keys of a class, of the subjects that come after `after`, in their
    /// order: one query and one visit to the token.
    ///
    /// # Errors
    /// The database's failures, and the token's. A key that does not open is none.
    pub(crate) async fn keys_after(
        &self,
        tx: &mut Connection,
        class: DataClass,
        after: &str,
        limit: i64,
    ) -> Result<Vec<KeyOf>> {
        // Written so that no planner takes the index of generations: it has all keys of a class, to be
        // sorted anew for every page.
        let rows = sqlx::query(sql!(
            "SELECT k.subject, k.generation, k.wrapped, w.label, w.state FROM data_key k
             JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
             WHERE k.subject > $2 AND CASE WHEN k.class = $1 THEN 1 ELSE 0 END = 1 ORDER BY k.subject LIMIT $3"
        ))
        .bind(class.name())
        .bind(after)
        .bind(limit)
        .fetch_all(tx)
        .await?;
        let wrapped = rows
            .iter()
            .map(|row| Some(Wrapped::read(row, row.get("subject"), class)));
        let opened = self.unwrap_each(wrapped.collect()).await?;
        let keys = rows.iter().zip(opened).map(|(row, opened)| KeyOf {
            subject: row.get("subject"),
            under: row.get("state"),
            key: opened.and_then(Result::ok),
        });
        Ok(keys.collect())
    }

    /// Unwraps the data key of a subject's class.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where the data was erased; [`CentralError::Damaged`] where the key
    /// does not open as this one.
    pub(crate) async fn key(
        &self,
        tx: &mut Connection,
        subject: &str,
        class: DataClass,
    ) -> Result<DataKey> {
        let [key] = self.keys(tx, subject, [class]).await?;
        Ok(key)
    }

    /// Unwraps the data keys of a subject's classes.
    ///
    /// # Errors
    /// As [`Protection::key`], of the first that is missing.
    pub(crate) async fn keys<const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
    ) -> Result<[DataKey; N]> {
        let found = self.find_keys(tx, subject, classes).await?;
        let found = found.into_iter().zip(classes);
        let keys: Result<Vec<_>> = found
            .map(|(key, class)| key.ok_or_else(|| erased(class)))
            .collect();
        each(keys?.into_iter())
    }

    /// Unwraps the data key of a subject's class; none where it was erased or never made.
    pub(crate) async fn find_key(
        &self,
        tx: &mut Connection,
        subject: &str,
        class: DataClass,
    ) -> Result<Option<DataKey>> {
        let [found] = self.find_keys(tx, subject, [class]).await?;
        Ok(found)
    }

    /// Unwraps the data key of a subject's class, which is made where there is none.
    pub(crate) async fn key_or_made(
        &self,
        tx: &mut Connection,
        subject: &str,
        class: DataClass,
        now: Timestamp,
    ) -> Result<DataKey> {
        if let Some(found) = self.find_key(tx, subject, class).await? {
            return Ok(found);
        }
        let [made] = self.make_keys(tx, subject, [class], now).await?;
        Ok(made)
    }

    /// Encrypts a value for its place.
    pub(crate) fn seal(&self, key: &DataKey, cell: &Cell<'_>, value: &[u8]) -> Result<Vec<u8>> {
        let mut iv = [0; IV];
        self.token.fill(&mut iv)?;
        key.seal(cell, iv, value)
            .ok_or_else(|| CentralError::invalid("a value is too long to be encrypted"))
    }

    /// Wraps data keys under another key, `label`, in one visit to the token. Nothing comes of one whose
    /// wrapping key is gone.
    pub(crate) async fn rewrap_each(
        &self,
        label: String,
        keys: Vec<Rewrap>,
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let rewrap = move |token: &Token| {
            let one = |key: Rewrap| match key.old.open(token) {
                Ok(open) => {
                    let wrapped = token.wrap_data_key(&label, &open, &key.context)?;
                    Ok(Some(wrapped))
                }
                Err(CentralError::Conflict { .. }) => Ok(None),
                Err(error) => Err(error),
            };
            Ok(keys.into_iter().map(one).collect::<Result<Vec<_>>>())
        };
        self.blocking(rewrap).await?
    }

    /// Unwraps data keys, of those that there are, in one visit to the token. What keeps one key from
    /// being opened is said of that key; what keeps the token from working is said of all.
    async fn unwrap_each(
        &self,
        wrapped: Vec<Option<Wrapped>>,
    ) -> Result<Vec<Option<Result<DataKey>>>> {
        self.blocking(move |token| Ok(open_each(token, wrapped)))
            .await?
    }

    /// Runs what the token does beside the async threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Token) -> std::result::Result<T, HsmError> + Send + 'static,
    ) -> Result<T> {
        let token = Arc::clone(&self.token);
        let done = tokio::task::spawn_blocking(move || work(&token)).await;
        Ok(done.map_err(|_| CentralError::Ending)??)
    }
}

/// Stores data keys that were drawn in this transaction, under the wrapping keys that it saw.
async fn store_own(
    tx: &mut Connection,
    subject: &str,
    drawn: &[DrawnKey],
    now: Timestamp,
) -> Result<()> {
    match store_keys(tx, subject, drawn, now).await? {
        true => Ok(()),
        false => Err(CentralError::damaged("the wrapping keys that are in use")),
    }
}

/// Opens a stored value; an empty one was erased.
pub(crate) fn open(key: &DataKey, cell: &Cell<'_>, value: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if value.is_empty() {
        return Err(erased(cell.class));
    }
    let damaged = |_| CentralError::damaged(format!("{}.{}, encrypted", cell.table, cell.column));
    key.open(cell, value).map_err(damaged)
}

/// Says that data was erased when its term was over.
pub(crate) fn erased(class: DataClass) -> CentralError {
    CentralError::conflict(format!(
        "the {class} data was erased when its term was over; what needs it needs a new application"
    ))
}

/// Destroys the data key of a subject's class: nobody reads what it encrypts any more. Returns
/// whether there was one. The caller empties the cells.
pub(crate) async fn destroy_key(
    tx: &mut Connection,
    subject: &str,
    class: DataClass,
) -> Result<Option<String>> {
    let id: Option<String> = sqlx::query_scalar(sql!(
        "DELETE FROM data_key WHERE subject = $1 AND class = $2 RETURNING id"
    ))
    .bind(subject)
    .bind(class.name())
    .fetch_optional(tx)
    .await?;
    Ok(id)
}

/// Returns what a data key is wrapped for.
pub(crate) fn context(subject: &str, class: DataClass, generation: i64) -> Vec<u8> {
    bound([
        "zimogs data key 1",
        subject,
        class.name(),
        &generation.to_string(),
    ])
}

/// The data key of one subject among many.
pub(crate) struct KeyOf {
    pub(crate) subject: String,
    /// The state of its wrapping key.
    pub(crate) under: String,
    /// None where it does not open in its place, or its wrapping key is gone.
    pub(crate) key: Option<DataKey>,
}

/// A data key that is to lie under another wrapping key.
pub(crate) struct Rewrap {
    pub(crate) old: Wrapped,
    /// Where it lies then.
    pub(crate) context: Vec<u8>,
}

/// Returns what is there for each of so many.
fn each<T, const N: usize>(all: impl Iterator<Item = T>) -> Result<[T; N]> {
    let all: Vec<T> = all.collect();
    let is_damaged = |_| CentralError::damaged("the data keys of a subject");
    all.try_into().map_err(is_damaged)
}

/// Says that a class of data was erased: the pseudonymous reference, the class and the key's name,
/// and nothing else.
pub(crate) fn erasure(subject: &str, class: DataClass, key: &str) -> Deed {
    Deed::new(
        "personal-data.erased",
        Control::DELETION,
        "application",
        subject,
    )
    .with("class", class)
    .with("key", key)
}
