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

use std::sync::Arc;

use audit::Control;
use document::DataClass;
use hsm::{DATA_KEY_LENGTH, HsmError, RandomSource, Token};
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cells::{Cell, DataKey, IV, bound};
use crate::database::{Connection, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;

/// What opens and seals personal data.
#[derive(Clone)]
pub(crate) struct Protection {
    pub(crate) token: Arc<Token>,
    /// The label of the key of the blind index.
    pub(crate) index: String,
}

impl Protection {
    /// Makes the data key of a subject's class.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it has one, or had: what was erased does not come back under
    /// the same reference.
    pub(crate) async fn make_key(
        &self,
        tx: &mut Connection,
        subject: &str,
        class: DataClass,
        now: Timestamp,
    ) -> Result<DataKey> {
        let (generation, label) = current(tx, class).await?;
        let mut key = Zeroizing::new([0; DATA_KEY_LENGTH]);
        self.token.fill(key.as_mut_slice())?;
        let wrapped = self
            .wrap(
                label,
                Zeroizing::new(*key),
                context(subject, class, generation),
            )
            .await?;
        let made = sqlx::query(
            "INSERT INTO data_key (subject, class, id, generation, wrapped, made) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subject, class) DO NOTHING",
        )
        .bind(subject)
        .bind(class.name())
        .bind(Uuid::now_v7().to_string())
        .bind(generation)
        .bind(wrapped)
        .bind(stored(now))
        .execute(tx)
        .await?;
        if made.rows_affected() != 1 {
            return Err(CentralError::conflict(format!(
                "there is {class} data of this reference already"
            )));
        }
        Ok(DataKey::new(key))
    }

    /// Unwraps the data key of a subject's class; none where it was erased or never made.
    pub(crate) async fn find_key(
        &self,
        tx: &mut Connection,
        subject: &str,
        class: DataClass,
    ) -> Result<Option<DataKey>> {
        let row = sqlx::query(
            "SELECT k.generation, k.wrapped, w.label FROM data_key k
             JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
             WHERE k.subject = $1 AND k.class = $2",
        )
        .bind(subject)
        .bind(class.name())
        .fetch_optional(tx)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let generation: i64 = row.get("generation");
        let key = self
            .unwrap(
                row.get("label"),
                row.get("wrapped"),
                context(subject, class, generation),
            )
            .await?;
        Ok(Some(DataKey::new(key)))
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
        match self.find_key(tx, subject, class).await? {
            Some(found) => Ok(found),
            None => Err(erased(class)),
        }
    }

    /// Unwraps the data key of a subject's class, which is made where there is none.
    pub(crate) async fn key_or_made(
        &self,
        tx: &mut Connection,
        subject: &str,
        class: DataClass,
        now: Timestamp,
    ) -> Result<DataKey> {
        match self.find_key(tx, subject, class).await? {
            Some(found) => Ok(found),
            None => self.make_key(tx, subject, class, now).await,
        }
    }

    /// Encrypts a value for its place.
    pub(crate) fn seal(&self, key: &DataKey, cell: &Cell<'_>, value: &[u8]) -> Result<Vec<u8>> {
        let mut iv = [0; IV];
        self.token.fill(&mut iv)?;
        key.seal(cell, iv, value)
            .ok_or_else(|| CentralError::invalid("a value is too long to be encrypted"))
    }

    /// Wraps a data key.
    pub(crate) async fn wrap(
        &self,
        label: String,
        key: Zeroizing<[u8; DATA_KEY_LENGTH]>,
        context: Vec<u8>,
    ) -> Result<Vec<u8>> {
        self.blocking(move |token| token.wrap_data_key(&label, &key, &context))
            .await
    }

    /// Unwraps a data key.
    pub(crate) async fn unwrap(
        &self,
        label: String,
        wrapped: Vec<u8>,
        context: Vec<u8>,
    ) -> Result<Zeroizing<[u8; DATA_KEY_LENGTH]>> {
        let named = label.clone();
        let unwrapped = self
            .blocking(move |token| Ok(token.unwrap_data_key(&label, &wrapped, &context)))
            .await?;
        unwrapped.map_err(|error| match error {
            HsmError::DataKey { .. } => {
                CentralError::damaged("a data key that does not open in its place")
            }
            HsmError::KeyNotFound { .. } => CentralError::conflict(format!(
                "key \"{named}\" is not in the token any more: what was encrypted under it is erased, here and in every backup"
            )),
            other => other.into(),
        })
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
    let id: Option<String> =
        sqlx::query_scalar("SELECT id FROM data_key WHERE subject = $1 AND class = $2")
            .bind(subject)
            .bind(class.name())
            .fetch_optional(&mut *tx)
            .await?;
    sqlx::query("DELETE FROM data_key WHERE subject = $1 AND class = $2")
        .bind(subject)
        .bind(class.name())
        .execute(tx)
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

/// Returns the wrapping key of a class that is in use: generation and label.
async fn current(tx: &mut Connection, class: DataClass) -> Result<(i64, String)> {
    let row = sqlx::query(
        "SELECT generation, label FROM wrapping_key WHERE class = $1 AND state = 'current'",
    )
    .bind(class.name())
    .fetch_optional(tx)
    .await?;
    match row {
        Some(row) => Ok((row.get("generation"), row.get("label"))),
        None => Err(CentralError::damaged(format!(
            "no wrapping key of {class} data is in use"
        ))),
    }
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
