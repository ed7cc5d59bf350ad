//! The SQLite file: one connection writes, some read.
//!
//! A write transaction begins IMMEDIATE, so that what it reads is what it changes; SQLite has
//! one writer anyway, and one connection queues fairly where several would time out.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

use crate::error::{CentralError, Result};

/// A write transaction; dropped without commit, it leaves nothing behind.
pub(crate) type Write = Transaction<'static, Sqlite>;

/// How long a caller waits for its turn to write.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that read beside the writer.
const READERS: u32 = 4;

/// The store's database.
#[derive(Clone)]
pub(crate) struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens the file, which is made where there is none, and brings it to this program's form.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        make_private(path).map_err(|source| CentralError::File {
            path: path.to_owned(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A committed transition survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            // What is deleted (a destroyed envelope, say) does not stay in a free page.
            .pragma("secure_delete", "ON");
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let readers = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    /// Begins a write transaction.
    pub(crate) async fn write(&self) -> Result<Write> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a transaction that sees one moment's state.
    pub(crate) async fn read(&self) -> Result<Write> {
        Ok(self.readers.begin().await?)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the file, where there is none, for this user only: it holds personal data. SQLite gives
/// the files beside it the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// Returns a moment as it is stored.
pub(crate) fn stored(moment: Timestamp) -> i64 {
    moment.as_millisecond()
}

/// Reads a stored moment.
pub(crate) fn moment(stored: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(stored)
        .map_err(|_| CentralError::damaged("a moment outside the calendar"))
}

/// Reads a stored value that has a text form of its own.
pub(crate) fn parsed<T: std::str::FromStr>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| CentralError::damaged(what))
}
