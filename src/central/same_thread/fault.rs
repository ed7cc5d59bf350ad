//! What SQLite refuses, as sqlx says it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

/// SQLite's primary result code for a file that another connection holds.
const BUSY: i32 = 5;

/// An error of SQLite, with its extended result code.
#[derive(Debug)]
pub(super) struct Fault {
    code: i32,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for Fault {}

impl DatabaseError for Fault {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    /// By SQLite's extended result codes.
    fn kind(&self) -> ErrorKind {
        match self.code {
            // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID
            2067 | 1555 | 2579 => ErrorKind::UniqueViolation,
            787 => ErrorKind::ForeignKeyViolation,
            1299 => ErrorKind::NotNullViolation,
            275 => ErrorKind::CheckViolation,
            _ => ErrorKind::Other,
        }
    }
}

/// Tells whether another connection holds the file.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(inner, _) if inner.extended_code & 0xFF == BUSY)
}

/// Returns an error of `rusqlite` as sqlx's.
pub(super) fn fault(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(inner, message) => sqlx::Error::Database(Box::new(Fault {
            code: inner.extended_code,
            message: message.unwrap_or_else(|| inner.to_string()),
        })),
        // A statement that SQLite does not read; the place in it says nothing more.
        rusqlite::Error::SqlInputError { error, msg, .. } => {
            sqlx::Error::Database(Box::new(Fault {
                code: error.extended_code,
                message: msg,
            }))
        }
        other => sqlx::Error::AnyDriverError(other.into()),
    }
}
