//! What sqlx wants of a driver before it takes a connection. Rows, values and statements are those
//! of `Any`, which the connection makes by itself: the types of this driver's own have no values.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyQueryResult};
use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::{
    Arguments, Column, ColumnIndex, ConnectOptions, Connection, Database, Either, IntoArguments,
    Row, SqlStr, Statement, Transaction, Type, TypeInfo, Value, ValueRef,
};
use sqlx_core::Url;
use sqlx_core::any::driver::AnyDriver;
use sqlx_core::percent_encoding::percent_decode_str;
use sqlx_core::transaction::TransactionManager;

use super::connection::SameThread;

/// The driver, for sqlx's list.
pub(crate) const DRIVER: AnyDriver = AnyDriver::without_migrate::<SqliteHere>();

/// The scheme of URLs that name a file for it.
pub(crate) const SCHEME: &str = "sqlite-here";

/// SQLite on the caller's thread.
#[derive(Debug)]
pub(super) struct SqliteHere;

impl Database for SqliteHere {
    type Connection = SameThread;
    type TransactionManager = Transactions;
    type Row = Nothing;
    type QueryResult = AnyQueryResult;
    type Column = Nothing;
    type TypeInfo = Nothing;
    type Value = Nothing;
    type ValueRef<'r> = Nothing;
    type Arguments = NoArguments;
    type ArgumentBuffer = ();
    type Statement = Nothing;

    const NAME: &'static str = "SQLite on the caller's thread";
    const URL_SCHEMES: &'static [&'static str] = &[SCHEME];
}

/// Where the file is.
#[derive(Clone, Debug)]
pub(super) struct Options(PathBuf);

impl FromStr for Options {
    type Err = sqlx::Error;

    fn from_str(url: &str) -> sqlx::Result<Self> {
        let url: Url = url.parse().map_err(sqlx::Error::config)?;
        Self::from_url(&url)
    }
}

impl<'a> TryFrom<&'a AnyConnectOptions> for Options {
    type Error = sqlx::Error;

    fn try_from(options: &'a AnyConnectOptions) -> sqlx::Result<Self> {
        Self::from_url(&options.database_url)
    }
}

impl ConnectOptions for Options {
    type Connection = SameThread;

    fn from_url(url: &Url) -> sqlx::Result<Self> {
        let path = percent_decode_str(url.path())
            .decode_utf8()
            .map_err(sqlx::Error::config)?;
        Ok(Self(PathBuf::from(&*path)))
    }

    async fn connect(&self) -> sqlx::Result<SameThread> {
        SameThread::open(&self.0)
    }

    fn log_statements(self, _: log::LevelFilter) -> Self {
        self
    }

    fn log_slow_statements(self, _: log::LevelFilter, _: Duration) -> Self {
        self
    }
}

impl Connection for SameThread {
    type Database = SqliteHere;
    type Options = Options;

    async fn close(self) -> sqlx::Result<()> {
        SameThread::close(self)
    }

    async fn close_hard(self) -> sqlx::Result<()> {
        SameThread::close(self)
    }

    async fn ping(&mut self) -> sqlx::Result<()> {
        Ok(())
    }

    async fn begin(&mut self) -> sqlx::Result<Transaction<'_, SqliteHere>> {
        Transaction::begin(self, None).await
    }

    fn shrink_buffers(&mut self) {}

    async fn flush(&mut self) -> sqlx::Result<()> {
        Ok(())
    }

    fn should_flush(&self) -> bool {
        false
    }
}

/// Begins and ends transactions.
#[derive(Debug)]
pub(super) struct Transactions;

impl TransactionManager for Transactions {
    type Database = SqliteHere;

    async fn begin(connection: &mut SameThread, statement: Option<SqlStr>) -> sqlx::Result<()> {
        SameThread::begin(connection, statement).await
    }

    async fn commit(connection: &mut SameThread) -> sqlx::Result<()> {
        SameThread::commit(connection)
    }

    async fn rollback(connection: &mut SameThread) -> sqlx::Result<()> {
        SameThread::rollback(connection)
    }

    fn start_rollback(connection: &mut SameThread) {
        SameThread::start_rollback(connection);
    }

    fn get_transaction_depth(connection: &SameThread) -> usize {
        connection.depth()
    }
}

/// Of what this driver has none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Nothing {}

impl fmt::Display for Nothing {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Row for Nothing {
    type Database = SqliteHere;

    fn columns(&self) -> &[Nothing] {
        match *self {}
    }

    fn try_get_raw<I: ColumnIndex<Self>>(&self, _: I) -> sqlx::Result<Nothing> {
        match *self {}
    }
}

impl Column for Nothing {
    type Database = SqliteHere;

    fn ordinal(&self) -> usize {
        match *self {}
    }

    fn name(&self) -> &str {
        match *self {}
    }

    fn type_info(&self) -> &Nothing {
        self
    }
}

impl TypeInfo for Nothing {
    fn is_null(&self) -> bool {
        match *self {}
    }

    fn name(&self) -> &str {
        match *self {}
    }
}

impl Value for Nothing {
    type Database = SqliteHere;

    fn as_ref(&self) -> Nothing {
        match *self {}
    }

    fn type_info(&self) -> Cow<'_, Nothing> {
        match *self {}
    }

    fn is_null(&self) -> bool {
        match *self {}
    }
}

impl ValueRef<'_> for Nothing {
    type Database = SqliteHere;

    fn to_owned(&self) -> Nothing {
        match *self {}
    }

    fn type_info(&self) -> Cow<'_, Nothing> {
        match *self {}
    }

    fn is_null(&self) -> bool {
        match *self {}
    }
}

impl Statement for Nothing {
    type Database = SqliteHere;

    fn into_sql(self) -> SqlStr {
        match self {}
    }

    fn sql(&self) -> &SqlStr {
        match *self {}
    }

    fn parameters(&self) -> Option<Either<&[Nothing], usize>> {
        match *self {}
    }

    fn columns(&self) -> &[Nothing] {
        match *self {}
    }

    sqlx_core::impl_statement_query!(NoArguments);
}

/// No values for a statement.
#[derive(Debug, Default)]
pub(super) struct NoArguments;

impl Arguments for NoArguments {
    type Database = SqliteHere;

    fn reserve(&mut self, _: usize, _: usize) {}

    fn add<'t, T>(&mut self, _: T) -> Result<(), BoxDynError>
    where
        T: Encode<'t, SqliteHere> + Type<SqliteHere>,
    {
        Err("values are given to `Any`".into())
    }

    fn len(&self) -> usize {
        0
    }
}

impl IntoArguments<SqliteHere> for NoArguments {
    fn into_arguments(self) -> NoArguments {
        self
    }
}
