//! The database: where it is, and the three ways to begin a transaction. Every statement is the same
//! on SQLite and on PostgreSQL; what differs between them is here and in how each is opened.
//!
//! ```text
//!            SQLite                          PostgreSQL
//! write      one writer, BEGIN IMMEDIATE     SERIALIZABLE: whoever loses begins again (`contention`)
//! read       one moment's state              REPEATABLE READ, READ ONLY
//! sequencer  as write                        one at a time over all instances, READ COMMITTED
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor};
use sqlx_core::any::driver::AnyDriver;

use crate::error::{CentralError, Result};
use crate::gauges::PoolUse;
use crate::postgres::{self, PostgresAddress};
use crate::same_thread;
use crate::sqlite;
pub(crate) use crate::transaction::Write;

/// A connection, in a transaction or without one.
pub(crate) type Connection = sqlx::AnyConnection;

/// What a statement found.
pub(crate) type DbRow = sqlx::any::AnyRow;

/// How long a caller waits for its turn to write.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection that answered is taken to be there still.
const PROVED: Duration = Duration::from_secs(1);

/// Where the store keeps its books.
#[derive(Clone, Debug)]
pub enum DatabaseSource {
    /// The SQLite file; it is made where there is none, its folder is not. One instance at a time.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server, 15 or newer; several instances may share it.
    Postgres(PostgresAddress),
}

/// What drives a database, by its URL's scheme.
pub(crate) static DRIVERS: [AnyDriver; 3] = [
    same_thread::DRIVER,
    sqlx::sqlite::any::DRIVER,
    sqlx::postgres::any::DRIVER,
];

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// As [`Database::skip_locked`].
    pub(crate) const fn skip_locked(self) -> &'static str {
        match self {
            // There is one writer: nothing is just being taken.
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }
}

/// The store's database.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) engine: Engine,
    pub(crate) writers: AnyPool,
    /// For what changes the file and takes long: on SQLite, a connection with its own thread.
    pub(crate) long: AnyPool,
    pub(crate) readers: AnyPool,
}

impl Database {
    /// Opens the database and brings it to this program's form.
    pub(crate) async fn open(source: &DatabaseSource) -> Result<Self> {
        install_drivers();
        match source {
            DatabaseSource::Sqlite(path) => sqlite::open(path).await,
            DatabaseSource::Postgres(address) => postgres::open(address).await,
        }
    }

    /// Begins a write transaction. On PostgreSQL it may lose against another one, at any statement
    /// and at its commit: whoever calls this is called by `retried!`.
    pub(crate) async fn write(&self) -> Result<Write> {
        let begin = match self.engine {
            Engine::Sqlite => sqlite::BEGIN_WRITE,
            Engine::Postgres => postgres::BEGIN_WRITE,
        };
        begun(&self.writers, Some(begin)).await
    }

    /// Begins a transaction that sees one moment's state.
    pub(crate) async fn read(&self) -> Result<Write> {
        let begin = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(postgres::BEGIN_READ),
        };
        begun(&self.readers, begin).await
    }

    /// Begins the transaction of the audit sequencer: only one is under way over all instances, and
    /// it sees all that was committed before its turn came.
    pub(crate) async fn sequencer(&self) -> Result<Write> {
        match self.engine {
            Engine::Sqlite => self.write().await,
            Engine::Postgres => {
                let mut tx = begun(&self.writers, None).await?;
                postgres::take_turn(&mut tx, postgres::SEQUENCER).await?;
                Ok(tx)
            }
        }
    }

    /// Returns what makes a query over what waits pass over what others are just taking.
    pub(crate) fn skip_locked(&self) -> &'static str {
        self.engine.skip_locked()
    }

    /// Returns a connection that reads and belongs to no pool any more.
    pub(crate) async fn detached(&self) -> Result<AnyConnection> {
        Ok(self.readers.acquire().await?.detach())
    }

    /// Copies the database into a file that is there and empty, as of one moment.
    ///
    /// # Errors
    /// [`CentralError::Refused`] where it is a server's: that has its own programs for it.
    pub(crate) async fn copy_into(&self, file: &Path) -> Result<()> {
        if self.engine == Engine::Postgres {
            return Err(CentralError::refused(
                "the books are on a PostgreSQL server, which copies them itself: pg_dump for one moment, pg_basebackup with archived WAL for any",
            ));
        }
        let name = file.to_str().ok_or_else(|| {
            CentralError::invalid("the path of the copy is no UTF-8; give it another name")
        })?;
        let mut connection = self.readers.acquire().await?;
        sqlx::query("VACUUM INTO $1")
            .bind(name)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    /// Writes the file anew, without what was deleted or written over in it. A server does so by
    /// itself, and its files are not this program's.
    pub(crate) async fn compact(&self) -> Result<()> {
        if self.engine == Engine::Postgres {
            return Ok(());
        }
        sqlx::query("VACUUM").execute(&self.long).await?;
        self.forget_deleted().await
    }

    /// Empties the write-ahead log, which still has what was deleted: at once, or as soon as nobody
    /// reads in it.
    pub(crate) async fn forget_deleted(&self) -> Result<()> {
        if self.engine == Engine::Postgres {
            return Ok(());
        }
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_all(&self.long)
            .await?;
        Ok(())
    }

    /// Returns how many connections there are, and how many of them nobody uses.
    pub(crate) fn pools(&self) -> Vec<PoolUse> {
        let used = |name, pool: &AnyPool| PoolUse {
            pool: name,
            open: u64::from(pool.size()),
            idle: u64::try_from(pool.num_idle()).unwrap_or(u64::MAX),
        };
        vec![
            used("writers", &self.writers),
            used("readers", &self.readers),
        ]
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.long.close().await;
        self.writers.close().await;
    }
}

/// Begins a transaction. A connection that the server ended since it was used is found out by that and
/// given up for another one: nothing was done over it yet.
async fn begun(pool: &AnyPool, begin: Option<&'static str>) -> Result<Write> {
    // Each that is kept may be such a one.
    let mut kept = pool.size();
    loop {
        let begun = match begin {
            Some(begin) => pool.begin_with(begin).await,
            None => pool.begin().await,
        };
        match begun {
            Err(error) if kept > 0 && is_ended(&error) => kept -= 1,
            begun => return Ok(Write::new(begun?)),
        }
    }
}

/// Tells whether the server ended a connection: it is gone, or its last word says so (class 57P,
/// *PostgreSQL 15, appendix A*).
fn is_ended(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| code.starts_with("57P0")),
        _ => false,
    }
}

/// Lets URLs find their drivers.
pub(crate) fn install_drivers() {
    // Only the first call counts, and each is the same.
    let _ = sqlx::any::install_drivers(&DRIVERS);
}

/// Returns how connections are kept, each of which is told these settings first.
pub(crate) fn pool(size: u32, settings: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        // A server may have ended a connection that nobody used for a while. One that was just used
        // is asked when it comes back, and not once more when it goes out.
        .test_before_acquire(false)
        .before_acquire(|connection, use_| {
            Box::pin(async move {
                if use_.idle_for >= PROVED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        })
}

/// Brings a database to this program's form. What was done to it before is compared first, each
/// step by its digest.
pub(crate) async fn migrate(pool: &AnyPool, steps: &Migrator) -> Result<()> {
    let setup = |reason: String| CentralError::Setup { reason };
    steps.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(step) => setup(format!(
            "the database is of a newer program: it has migration {step}, which this one does not know; start the newer program, or restore a backup from before it"
        )),
        MigrateError::VersionMismatch(step) => setup(format!(
            "migration {step} was applied to the database with another content than this program has; start the program that it was applied by, or restore a backup from before it"
        )),
        MigrateError::Dirty(step) => setup(format!(
            "migration {step} of the database was cut off halfway; restore the backup from before it"
        )),
        other => other.into(),
    })
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
