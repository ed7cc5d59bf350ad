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

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::Control;
use document::DataClass;
use hsm::{DATA_KEY_LENGTH, HsmError, RandomSource, Token};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cells::{Cell, DataKey, IV, bound};
use crate::database::{Connection, stored};
use crate::error::{CentralError, Result};
use crate::many_rows::tuples;
use crate::scribe::Deed;

/// What opens and seals personal data.
#[derive(Clone)]
pub(crate) struct Protection {
    pub(crate) token: Arc<Token>,
    /// The label of the key of the blind index.
    pub(crate) index: String,
}

impl Protection {
    /// Makes the data keys of a subject's classes.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it has one of them, or had: what was erased does not come back
    /// under the same reference.
    pub(crate) async fn make_keys<const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
        now: Timestamp,
    ) -> Result<[DataKey; N]> {
        let in_use = wrapping_keys(tx).await?;
        let mut wanted = Vec::new();
        for class in classes {
            let (generation, label) = in_use.get(class.name()).cloned().ok_or_else(|| {
                CentralError::damaged(format!("no wrapping key of {class} data is in use"))
            })?;
            wanted.push((generation, label, context(subject, class, generation)));
        }
        let made = self
            .blocking(move |token| {
                let make = |(generation, label, context): (i64, String, Vec<u8>)| {
                    let mut key = Zeroizing::new([0; DATA_KEY_LENGTH]);
                    token.fill(key.as_mut_slice())?;
                    let wrapped = token.wrap_data_key(&label, &key, &context)?;
                    Ok((generation, wrapped, DataKey::new(key)))
                };
                wanted
                    .into_iter()
                    .map(make)
                    .collect::<std::result::Result<Vec<_>, _>>()
            })
            .await?;
        let sql = format!(
            "INSERT INTO data_key (subject, class, id, generation, wrapped, made) VALUES {} ON CONFLICT (subject, class) DO NOTHING",
            tuples(N, 6)
        );
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for (class, (generation, wrapped, _)) in classes.iter().zip(&made) {
            statement = statement
                .bind(subject)
                .bind(class.name())
                .bind(Uuid::new_v4().to_string())
                .bind(*generation)
                .bind(&wrapped[..])
                .bind(stored(now));
        }
        if statement.execute(tx).await?.rows_affected() != N as u64 {
            let names: Vec<_> = classes.iter().map(|class| class.name()).collect();
            return Err(CentralError::conflict(format!(
                "there is {} data of this reference already",
                names.join(" or ")
            )));
        }
        each(made.into_iter().map(|(_, _, key)| key))
    }

    /// Unwraps the data keys of a subject's classes; none where one was erased or never made.
    async fn find_keys<const N: usize>(
        &self,
        tx: &mut Connection,
        subject: &str,
        classes: [DataClass; N],
    ) -> Result<[Option<DataKey>; N]> {
        let rows = sqlx::query(
            "SELECT k.class, k.generation, k.wrapped, w.label FROM data_key k
             JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
             WHERE k.subject = $1",
        )
        .bind(subject)
        .fetch_all(tx)
        .await?;
        let mut wrapped = Vec::new();
        for class in classes {
            let row = rows
                .iter()
                .find(|row| row.get::<&str, _>("class") == class.name());
            wrapped.push(row.map(|row| Wrapped {
                label: row.get("label"),
                bytes: row.get("wrapped"),
                context: context(subject, class, row.get("generation")),
            }));
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
        let rows = sqlx::query(
            "SELECT k.subject, k.generation, k.wrapped, w.label, w.state FROM data_key k
             JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
             WHERE k.class = $1 AND k.subject > $2 ORDER BY k.subject LIMIT $3",
        )
        .bind(class.name())
        .bind(after)
        .bind(limit)
        .fetch_all(tx)
        .await?;
        let wrapped = rows.iter().map(|row| {
            Some(Wrapped {
                label: row.get("label"),
                bytes: row.get("wrapped"),
                context: context(row.get("subject"), class, row.get("generation")),
            })
        });
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
        self.blocking(move |token| {
            let open = |key: Option<Wrapped>| match key.map(|key| key.open(token)) {
                None => Ok(None),
                Some(Ok(key)) => Ok(Some(Ok(DataKey::new(key)))),
                Some(Err(
                    error @ (CentralError::Damaged { .. } | CentralError::Conflict { .. }),
                )) => Ok(Some(Err(error))),
                Some(Err(error)) => Err(error),
            };
            Ok(wrapped.into_iter().map(open).collect())
        })
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

/// The data key of one subject among many.
pub(crate) struct KeyOf {
    pub(crate) subject: String,
    /// The state of its wrapping key.
    pub(crate) under: String,
    /// None where it does not open in its place, or its wrapping key is gone.
    pub(crate) key: Option<DataKey>,
}

/// A data key as it is stored.
pub(crate) struct Wrapped {
    /// The label of its wrapping key.
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) context: Vec<u8>,
}

/// A data key that is to lie under another wrapping key.
pub(crate) struct Rewrap {
    pub(crate) old: Wrapped,
    /// Where it lies then.
    pub(crate) context: Vec<u8>,
}

impl Wrapped {
    fn open(&self, token: &Token) -> Result<Zeroizing<[u8; DATA_KEY_LENGTH]>> {
        let opened = token.unwrap_data_key(&self.label, &self.bytes, &self.context);
        opened.map_err(|error| match error {
            HsmError::DataKey { .. } => {
                CentralError::damaged("a data key that does not open in its place")
            }
            HsmError::KeyNotFound { .. } => CentralError::conflict(format!(
                "key \"{}\" is not in the token any more: what was encrypted under it is erased, here and in every backup",
                self.label
            )),
            other => other.into(),
        })
    }
}

/// Returns the wrapping keys that are in use, generation and label, by their class's name.
async fn wrapping_keys(tx: &mut Connection) -> Result<BTreeMap<String, (i64, String)>> {
    let rows =
        sqlx::query("SELECT class, generation, label FROM wrapping_key WHERE state = 'current'")
            .fetch_all(tx)
            .await?;
    let named = rows.iter().map(|row| {
        let key = (row.get("generation"), row.get("label"));
        (row.get("class"), key)
    });
    Ok(named.collect())
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
