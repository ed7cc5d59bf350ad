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

/// A connection, in a transaction or without one.
pub(crate) type Connection = sqlx::SqliteConnection;

/// What a statement found.
pub(crate) type DbRow = sqlx::sqlite::SqliteRow;

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
        sqlx::migrate!("./migrations/sqlite").run(&writer).await?;
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

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    /// A store as the program before this one left it, with a finished document in it.
    const BEFORE: &str = "
        INSERT INTO account VALUES ('p', 'keeper', 0);
        INSERT INTO application (reference, kind, priority, state, content, entered_by, entered)
            VALUES ('A', 'id-card', 'normal', 'in-production', x'', 'p', 0);
        INSERT INTO document VALUES ('d', 'A', 'id-card', 'eid-card', 'XA0000002', 'queued', 0,
            '2026-12-04', '2026-11-20', '2036-11-19', '{}', '{}', NULL);
        INSERT INTO number VALUES ('XA0000001', 'd', 'spoiled'), ('XA0000002', 'd', 'allotted');
        INSERT INTO delivery VALUES ('D', 1, 'p', 0);
        INSERT INTO blank VALUES ('B', 'D', 'spoiled', 'd', 'XA0000001');
        INSERT INTO chip VALUES ('00', 'B', 'eid-chip', 0);
        INSERT INTO lease (id, document, number, station, slot, operator, document_digest, blank, state, opened, expires)
            VALUES ('l', 'd', 'XA0000001', 's', 'a', 'p', x'', 'B', 'spoiled', 0, 0);";

    #[tokio::test]
    async fn what_was_in_the_books_stays_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("central.db");
        let mut old = sqlx::migrate!("./migrations/sqlite");
        let until = old.migrations.iter().filter(|one| one.version < 7);
        old.migrations = until.cloned().collect::<Vec<_>>().into();
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        old.run(&pool).await.unwrap();
        sqlx::raw_sql(BEFORE).execute(&pool).await.unwrap();
        pool.close().await;

        let database = Database::open(&file).await.unwrap();
        let mut tx = database.write().await.unwrap();
        let dangling = sqlx::query("PRAGMA foreign_key_check");
        assert!(dangling.fetch_all(&mut *tx).await.unwrap().is_empty());
        let row = sqlx::query(
            "SELECT d.number, d.state, l.number AS leased, b.number AS carried, b.own_number, n.state AS accounted
             FROM document d JOIN lease l ON l.document = d.id JOIN blank b ON b.serial = l.blank
             JOIN number n ON n.number = l.number",
        )
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        let text = |column| row.get::<Option<&str>, _>(column);
        assert_eq!(
            (text("number"), text("state")),
            (Some("XA0000002"), Some("queued"))
        );
        let first = Some("XA0000001");
        assert_eq!((text("leased"), text("carried")), (first, first));
        assert_eq!(
            (text("own_number"), text("accounted")),
            (None, Some("spoiled"))
        );
        // What must not be still cannot be.
        let foreign = "INSERT INTO number VALUES ('XA0000003', 'nobody', 'allotted')";
        sqlx::query(foreign).execute(&mut *tx).await.unwrap();
        assert!(tx.commit().await.is_err(), "its document is not there");
        let mut tx = database.write().await.unwrap();
        let doubled = sqlx::query("UPDATE document SET number = NULL, record = NULL");
        assert!(
            doubled.execute(&mut *tx).await.is_err(),
            "half of what was prepared"
        );
        drop(tx);
        database.close().await;
    }
}
