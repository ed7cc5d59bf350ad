//! The connection: where statements are run, and transactions begin and end.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::stream::{self, BoxStream};
use rusqlite::{Connection, OpenFlags};
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Any, Describe, Either, SqlStr};
use sqlx_core::any::AnyConnectionBackend;

use super::fault::{fault, is_busy};
use super::statement::{Found, Shapes, run, run_all};

type Answer<'a, T> = Pin<Box<dyn Future<Output = sqlx::Result<T>> + Send + 'a>>;

/// How long a transaction waits for the file, which another process holds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long until it looks again.
const PAUSE: Duration = Duration::from_millis(2);

/// More statements than the store has: none is prepared twice.
const PREPARED: usize = 1024;

/// A connection to the file whose statements run on the thread that asks for them.
#[derive(Debug)]
pub(super) struct SameThread {
    connection: Connection,
    shapes: Shapes,
    in_transaction: bool,
}

impl SameThread {
    /// Opens a file that is there.
    pub(super) fn open(path: &PathBuf) -> sqlx::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Self {
            connection,
            shapes: Shapes::default(),
            in_transaction: false,
        })
    }

    fn run(
        &mut self,
        sql: &SqlStr,
        arguments: Option<AnyArguments>,
        most: usize,
    ) -> sqlx::Result<Found> {
        match arguments {
            Some(arguments) => run(
                &self.connection,
                &mut self.shapes,
                sql.as_str(),
                arguments,
                most,
            ),
            None => run_all(&self.connection, sql.as_str()),
        }
    }

    /// Begins, as soon as nobody else holds the file; the thread is free until then.
    pub(super) async fn begin(&mut self, statement: Option<SqlStr>) -> sqlx::Result<()> {
        if self.in_transaction {
            return Err(sqlx::Error::InvalidSavePointStatement);
        }
        let begin = statement.as_ref().map_or("BEGIN", SqlStr::as_str);
        let until = Instant::now() + PATIENCE;
        loop {
            self.connection
                .busy_timeout(Duration::ZERO)
                .map_err(fault)?;
            let begun = self.connection.execute_batch(begin);
            self.connection.busy_timeout(PATIENCE).map_err(fault)?;
            match begun {
                Err(error) if is_busy(&error) && Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                begun => {
                    begun.map_err(fault)?;
                    self.in_transaction = true;
                    return Ok(());
                }
            }
        }
    }

    pub(super) fn commit(&mut self) -> sqlx::Result<()> {
        if self.in_transaction {
            self.connection.execute_batch("COMMIT").map_err(fault)?;
            self.in_transaction = false;
        }
        Ok(())
    }

    /// Leaves nothing of a transaction behind.
    pub(super) fn rollback(&mut self) -> sqlx::Result<()> {
        // SQLite itself rolls back after some faults.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").map_err(fault)?;
        }
        self.in_transaction = false;
        Ok(())
    }

    pub(super) fn start_rollback(&mut self) {
        if let Err(error) = self.rollback() {
            // The next BEGIN fails on this connection, with the same cause.
            tracing::error!(%error, "a transaction was not rolled back");
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.in_transaction.into()
    }

    pub(super) fn close(self) -> sqlx::Result<()> {
        self.connection.close().map_err(|(_, error)| fault(error))
    }
}

impl AnyConnectionBackend for SameThread {
    fn name(&self) -> &str {
        "SQLite"
    }

    fn close(self: Box<Self>) -> Answer<'static, ()> {
        Box::pin(async move { SameThread::close(*self) })
    }

    fn close_hard(self: Box<Self>) -> Answer<'static, ()> {
        AnyConnectionBackend::close(self)
    }

    fn ping(&mut self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn begin(&mut self, statement: Option<SqlStr>) -> Answer<'_, ()> {
        Box::pin(SameThread::begin(self, statement))
    }

    fn commit(&mut self) -> Answer<'_, ()> {
        Box::pin(async { SameThread::commit(self) })
    }

    fn rollback(&mut self) -> Answer<'_, ()> {
        Box::pin(async { SameThread::rollback(self) })
    }

    fn start_rollback(&mut self) {
        SameThread::start_rollback(self);
    }

    fn get_transaction_depth(&self) -> usize {
        self.depth()
    }

    fn shrink_buffers(&mut self) {}

    fn flush(&mut self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn should_flush(&self) -> bool {
        false
    }

    fn fetch_many(
        &mut self,
        query: SqlStr,
        _: bool,
        arguments: Option<AnyArguments>,
    ) -> BoxStream<'_, sqlx::Result<Either<AnyQueryResult, AnyRow>>> {
        let found = match self.run(&query, arguments, usize::MAX) {
            Ok(found) => found,
            Err(error) => vec![Err(error)],
        };
        Box::pin(stream::iter(found))
    }

    fn fetch_optional(
        &mut self,
        query: SqlStr,
        _: bool,
        arguments: Option<AnyArguments>,
    ) -> Answer<'_, Option<AnyRow>> {
        Box::pin(async move {
            let found = self.run(&query, arguments, 1)?;
            for one in found {
                if let Either::Right(row) = one? {
                    return Ok(Some(row));
                }
            }
            Ok(None)
        })
    }

    fn prepare_with<'c, 'q: 'c>(
        &'c mut self,
        _: SqlStr,
        _: &[AnyTypeInfo],
    ) -> Answer<'c, AnyStatement> {
        Box::pin(async { Err(not_here()) })
    }

    fn describe(&mut self, _: SqlStr) -> Answer<'_, Describe<Any>> {
        Box::pin(async { Err(not_here()) })
    }
}

/// Returns the answer to what is for those who prepare a statement apart from running it.
fn not_here() -> sqlx::Error {
    sqlx::Error::AnyDriverError("a statement is prepared when it is run here".into())
}
