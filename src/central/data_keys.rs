//! Data keys as they are drawn, stored and opened: see [`crate::protection`] for what they are.

use std::collections::BTreeMap;

use document::DataClass;
use hsm::{DATA_KEY_LENGTH, HsmError, RandomSource, Token};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cells::DataKey;
use crate::database::{Connection, DbRow, stored};
use crate::error::{CentralError, Result};
use crate::many_rows::tuples;
use crate::protection::context;
use crate::statements::{assembled, sql};

/// A data key that was drawn and is to be stored.
pub(crate) struct DrawnKey {
    pub(crate) key: DataKey,
    class: DataClass,
    /// The generation of its wrapping key.
    generation: i64,
    wrapped: Vec<u8>,
}

/// A data key that is to be drawn.
pub(crate) struct Wanted {
    class: DataClass,
    generation: i64,
    /// The label of its wrapping key.
    label: String,
    context: Vec<u8>,
}

impl Wanted {
    /// Says which data key of a subject is wanted; `current` is the wrapping key of its class that is
    /// in use, generation and label.
    ///
    /// # Errors
    /// [`CentralError::Damaged`] where none is in use.
    pub(crate) fn new(
        subject: &str,
        class: DataClass,
        current: Option<&(i64, String)>,
    ) -> Result<Self> {
        let (generation, label) = current.cloned().ok_or_else(|| {
            CentralError::damaged(format!("no wrapping key of {class} data is in use"))
        })?;
        Ok(Self {
            class,
            generation,
            label,
            context: context(subject, class, generation),
        })
    }

    /// Draws and wraps it.
    pub(crate) fn draw(self, token: &Token) -> std::result::Result<DrawnKey, HsmError> {
        let mut key = Zeroizing::new([0; DATA_KEY_LENGTH]);
        token.fill(key.as_mut_slice())?;
        let wrapped = token.wrap_data_key(&self.label, &key, &self.context)?;
        Ok(DrawnKey {
            key: DataKey::new(key),
            class: self.class,
            generation: self.generation,
            wrapped,
        })
    }
}

/// Stores the data keys of a subject. Returns whether it did: not where the wrapping key of one of
/// them is in use no more, and then the caller leaves nothing of the transaction.
///
/// # Errors
/// [`CentralError::Conflict`] where it has one of them, or had: what was erased does not come back
/// under the same reference.
pub(crate) async fn store_keys(
    tx: &mut Connection,
    subject: &str,
    drawn: &[DrawnKey],
    now: Timestamp,
) -> Result<bool> {
    let mut statement = sqlx::query(AssertSqlSafe(new_keys(drawn.len())));
    for drawn in drawn {
        statement = statement
            .bind(subject)
            .bind(drawn.class.name())
            .bind(Uuid::new_v4().to_string())
            .bind(drawn.generation)
            .bind(&drawn.wrapped[..])
            .bind(stored(now));
    }
    if statement.execute(&mut *tx).await?.rows_affected() == drawn.len() as u64 {
        return Ok(true);
    }
    let in_use = wrapping_keys(tx).await?;
    let is_turned = |drawn: &DrawnKey| {
        let current = in_use.get(drawn.class.name());
        current.is_none_or(|(generation, _)| *generation != drawn.generation)
    };
    if drawn.iter().any(is_turned) {
        return Ok(false);
    }
    let names: Vec<_> = drawn.iter().map(|drawn| drawn.class.name()).collect();
    Err(CentralError::conflict(format!(
        "there is {} data of this reference already",
        names.join(" or ")
    )))
}

fn new_keys(keys: usize) -> String {
    format!(
        "INSERT INTO data_key (subject, class, id, generation, wrapped, made)
         SELECT k.column1, k.column2, k.column3, k.column4, k.column5, k.column6 FROM (VALUES {}) AS k
         JOIN wrapping_key w ON w.class = k.column2 AND w.generation = k.column4 WHERE w.state = 'current'
         ON CONFLICT (subject, class) DO NOTHING",
        tuples(keys, 6)
    )
}

assembled!(new_keys("TEXT, TEXT, TEXT, BIGINT, BYTEA, BIGINT") => |_| vec![new_keys(1)]);

/// A data key as it is stored.
pub(crate) struct Wrapped {
    /// The label of its wrapping key.
    pub(crate) label: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) context: Vec<u8>,
}

impl Wrapped {
    /// Reads a row with the columns `label`, `wrapped` and `generation`.
    pub(crate) fn read(row: &DbRow, subject: &str, class: DataClass) -> Self {
        Self {
            label: row.get("label"),
            bytes: row.get("wrapped"),
            context: context(subject, class, row.get("generation")),
        }
    }

    pub(crate) fn open(&self, token: &Token) -> Result<Zeroizing<[u8; DATA_KEY_LENGTH]>> {
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

/// Unwraps data keys, of those that there are. What keeps one key from being opened is said of that
/// key; what keeps the token from working is said of all.
pub(crate) fn open_each(
    token: &Token,
    wrapped: Vec<Option<Wrapped>>,
) -> Result<Vec<Option<Result<DataKey>>>> {
    let open = |key: Option<Wrapped>| match key.map(|key| key.open(token)) {
        None => Ok(None),
        Some(Ok(key)) => Ok(Some(Ok(DataKey::new(key)))),
        Some(Err(error @ (CentralError::Damaged { .. } | CentralError::Conflict { .. }))) => {
            Ok(Some(Err(error)))
        }
        Some(Err(error)) => Err(error),
    };
    wrapped.into_iter().map(open).collect()
}

/// Wrapping keys, generation and label, by their class's name.
pub(crate) type WrappingKeys = BTreeMap<String, (i64, String)>;

/// Returns the wrapping keys that are in use.
pub(crate) async fn wrapping_keys(tx: &mut Connection) -> Result<WrappingKeys> {
    let rows = sqlx::query(sql!(
        "SELECT class, generation, label FROM wrapping_key WHERE state = 'current'"
    ))
    .fetch_all(tx)
    .await?;
    let named = rows.iter().map(|row| {
        let key = (row.get("generation"), row.get("label"));
        (row.get("class"), key)
    });
    Ok(named.collect())
}
