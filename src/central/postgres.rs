//! A database of a PostgreSQL server: how it is named, what it must be, and how it is opened. Several
//! instances may share it.

use std::fmt;

use sqlx::any::AnyConnectOptions;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Executor, Row};

use crate::database::{self, Connection, Database, Engine, migrate, pool};
use crate::error::{CentralError, Result};

/// Begins a write transaction: as if it were alone, or it fails and is done again.
pub(crate) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";

/// Begins a transaction that sees one moment's state, and hinders nobody.
pub(crate) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The key of the audit sequencer's turn among advisory locks.
pub(crate) const SEQUENCER: i64 = 0x7A69_6D6F_6773_0001;

/// The way to this program's form.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/postgres");

/// The oldest server, as it says its own version.
const OLDEST: i64 = 15_00_00;

/// Connections that write. Few: beyond what the server has processors for, they only lose against
/// each other.
const WRITERS: u32 = 8;

/// Connections that read beside them.
const READERS: u32 = 4;

/// How many statements a connection keeps prepared: more than the store has, or those of one act would
/// drive out another's, and each be parsed and planned anew.
const PREPARED: &str = "512";

/// What a connection that writes is told first. It waits for nobody for ever, and an instance that
/// stands still loses what it holds. A path through an index reads, and so locks, the rows that are
/// meant and not their neighbours (*PostgreSQL 15, 13.2.3*). What is scanned all the same looks so
/// costly then that the server would compile it, for longer than it runs. A statement is planned once:
/// with every path through an index, no value makes another plan better.
const WRITES: &str = "SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s';
    SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan; SET TIME ZONE 'UTC'";

/// What a connection that reads is told first.
const READS: &str = "SET idle_in_transaction_session_timeout = '10min'; SET TIME ZONE 'UTC'";

/// What the URL may say beside user, host, port and database. Others are refused: a password with a
/// slip in its name would be logged.
const PARAMETERS: [&str; 9] = [
    "host",
    "port",
    "user",
    "dbname",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
];

/// Where a database of a PostgreSQL server is, and the password for it. What is printed of it has no
/// password.
#[derive(Clone)]
pub struct PostgresAddress {
    options: AnyConnectOptions,
    shown: String,
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl PostgresAddress {
    /// Reads a URL, `postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE` or, for
    /// a Unix socket, `postgres:///DATABASE?host=FOLDER&user=USER`. The password, where the server
    /// wants one, is given apart.
    ///
    /// # Errors
    /// [`CentralError::Setup`] for what is no such URL, for one with a password in it or with what
    /// this program does not know, and for a server of another machine without `verify-full`: what
    /// goes over the network is personal data. None of them repeats the URL.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self> {
        let setup = |reason: &str| CentralError::Setup {
            reason: format!("the database's URL: {reason}"),
        };
        let form = "write postgres://USER@HOST/DATABASE?sslmode=verify-full, or postgres:///DATABASE?host=FOLDER&user=USER for a Unix socket";
        let mut options: AnyConnectOptions = url.parse().map_err(|_| setup(form))?;
        let url = &mut options.database_url;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(setup(form));
        }
        let mut names = url.query_pairs().map(|(name, _)| name.into_owned());
        if url.password().is_some() || names.any(|name| name.starts_with("pass")) {
            return Err(setup(
                "it has a password in it, and URLs are seen by many; write the password into a file of its own, and name that as password_file",
            ));
        }
        let mut names = url.query_pairs();
        if let Some((name, _)) = names.find(|(name, _)| !PARAMETERS.contains(&&**name)) {
            // The name alone; a value may be a secret.
            let name: String = name
                .chars()
                .filter(char::is_ascii_graphic)
                .take(32)
                .collect();
            return Err(setup(&format!(
                "it has \"{name}\", which is not known here; known are {}",
                PARAMETERS.join(", ")
            )));
        }
        let known = PgConnectOptions::from_url(url).map_err(|_| setup(form))?;
        let is_here = known.get_socket().is_some()
            || known.get_host().starts_with('/')
            || matches!(
                known.get_host(),
                "localhost" | "127.0.0.1" | "::1" | "[::1]"
            );
        if !is_here && !matches!(known.get_ssl_mode(), PgSslMode::VerifyFull) {
            return Err(setup(
                "its server is another machine, and what goes there is personal data: add sslmode=verify-full, and sslrootcert=FILE where its certificate is of no public authority",
            ));
        }
        let shown = format!(
            "database {} at {}",
            known.get_database().unwrap_or("(the user's)"),
            known.get_socket().map_or_else(
                || known.get_host().to_owned(),
                |path| path.display().to_string()
            )
        );
        if !url
            .query_pairs()
            .any(|(name, _)| name == "application_name")
        {
            url.query_pairs_mut()
                .append_pair("application_name", "zimogs");
        }
        url.query_pairs_mut()
            .append_pair("statement-cache-capacity", PREPARED);
        if let Some(password) = password {
            url.query_pairs_mut().append_pair("password", password);
        }
        Ok(Self { options, shown })
    }
}

/// Opens the database and brings it to this program's form.
pub(crate) async fn open(address: &PostgresAddress) -> Result<Database> {
    let options = &address.options;
    let writers = pool(WRITERS, WRITES).connect_with(options.clone()).await;
    let writers = writers.map_err(|source| CentralError::Unreachable {
        database: address.to_string(),
        source,
    })?;
    check(&writers).await?;
    migrate(&writers, &MIGRATIONS).await?;
    let readers = pool(READERS, READS).connect_with(options.clone()).await?;
    Ok(Database {
        engine: Engine::Postgres,
        long: writers.clone(),
        writers,
        readers,
    })
}

/// Opens one connection that reads; nothing is brought to another form.
pub(crate) async fn connect(address: &PostgresAddress) -> Result<AnyConnection> {
    database::install_drivers();
    let opened = address.options.connect().await;
    let mut connection = opened.map_err(|source| CentralError::Unreachable {
        database: address.to_string(),
        source,
    })?;
    connection.execute(READS).await?;
    Ok(connection)
}

/// Demands that the server is one on which the books are what they are on SQLite.
async fn check(pool: &AnyPool) -> Result<()> {
    let setup = |reason: String| Err(CentralError::Setup { reason });
    let mut tx = pool.begin_with(BEGIN_WRITE).await?;
    let row = sqlx::query(
        "SELECT CAST(current_setting('server_version_num') AS BIGINT) AS version,
                current_setting('server_encoding') AS encoding,
                current_setting('transaction_isolation') AS isolation,
                current_setting('session_replication_role') AS role,
                current_setting('synchronous_commit') AS waits,
                current_setting('fsync') AS fsync,
                current_setting('full_page_writes') AS pages,
                current_setting('is_superuser') AS superuser,
                CAST(datcollate AS TEXT) AS collation, CAST(datlocprovider AS TEXT) AS provider
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut *tx)
    .await;
    let row = match row {
        Ok(row) => row,
        // Before 15 there is no datlocprovider.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42703") => {
            return setup(
                "the PostgreSQL server is too old; 15 is the oldest that serves".to_owned(),
            );
        }
        Err(other) => return Err(other.into()),
    };
    tx.commit().await?;
    let is = |column: &str, value: &str| row.get::<&str, _>(column) == value;
    if row.get::<i64, _>("version") < OLDEST {
        return setup("the PostgreSQL server is too old; 15 is the oldest that serves".to_owned());
    }
    let new = "make the database anew: createdb --template=template0 --encoding=UTF8 --locale=C --owner=USER DATABASE";
    if !is("encoding", "UTF8") {
        return setup(format!(
            "the database is encoded as {}, not as UTF8; {new}",
            row.get::<&str, _>("encoding")
        ));
    }
    let collation: &str = row.get("collation");
    let is_plain = matches!(collation, "C" | "POSIX" | "C.UTF-8" | "C.utf8");
    if !is_plain || !is("provider", "c") {
        let by = match row.get("provider") {
            "c" => "",
            "i" => " by ICU",
            _ => " by the server's own",
        };
        return setup(format!(
            "the database sorts as {collation}{by}, and its order would be another than on SQLite and change with the system's libraries; {new}"
        ));
    }
    if !is("isolation", "serializable") {
        return setup("the server gives no serializable transactions; connect to it directly, not through what rewrites statements".to_owned());
    }
    if !is("role", "origin") {
        return setup("session_replication_role is set for this user: foreign keys and the guard of the audit log are off; reset it (ALTER ROLE ... RESET session_replication_role)".to_owned());
    }
    if is("waits", "off") {
        return setup("synchronous_commit is off: what was committed may be lost with the power; reset it (ALTER ROLE ... RESET synchronous_commit, or in postgresql.conf)".to_owned());
    }
    if is("fsync", "off") || is("pages", "off") {
        tracing::warn!(
            "the PostgreSQL server runs with fsync or full_page_writes off: with the power, everything may be lost; that is for tests alone"
        );
    }
    if is("superuser", "on") {
        tracing::warn!(
            "the store is a superuser of its PostgreSQL server; give it a role that owns its database and nothing else"
        );
    }
    Ok(())
}

/// Waits until nobody else has this turn, in all instances; it ends with the transaction.
pub(crate) async fn take_turn(tx: &mut Connection, turn: i64) -> Result<()> {
    sqlx::query("SELECT 1 FROM pg_advisory_xact_lock($1)")
        .bind(turn)
        .execute(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::PostgresAddress;

    fn refused(url: &str) -> String {
        PostgresAddress::parse(url, None).unwrap_err().to_string()
    }

    #[test]
    fn no_password_is_shown() {
        let url = "postgres://store@localhost/zimogs";
        let address = PostgresAddress::parse(url, Some("sesam öffne dich&")).unwrap();
        for shown in [format!("{address:?}"), address.to_string()] {
            assert_eq!(shown, "database zimogs at localhost");
        }
        let given = address.options.database_url.query_pairs();
        let given: Vec<_> = given.filter(|(name, _)| name == "password").collect();
        assert_eq!(given.len(), 1);
        assert_eq!(given[0].1, "sesam öffne dich&");
    }

    #[test]
    fn urls_with_a_password_are_refused_and_not_repeated() {
        for url in [
            "postgres://store:sesam@localhost/zimogs",
            "postgres:///zimogs?host=/run/postgresql&password=sesam",
            "postgres:///zimogs?passwd=sesam",
            "postgres:///zimogs?pasword=sesam",
            "postgres:///zimogs?options=-c%20x=sesam",
            "postgres://[sesam",
            "mysql://sesam@localhost/zimogs",
        ] {
            assert!(!refused(url).contains("sesam"), "{url}");
        }
        assert!(refused("postgres://a:b@localhost/c").contains("password_file"));
    }

    #[test]
    fn a_server_elsewhere_must_prove_itself() {
        assert!(refused("postgres://store@db.example/zimogs").contains("verify-full"));
        assert!(
            refused("postgres://store@db.example/zimogs?sslmode=require").contains("verify-full")
        );
        for url in [
            "postgres://store@db.example/zimogs?sslmode=verify-full&sslrootcert=/etc/zimogs/db.pem",
            "postgres:///zimogs?host=/run/postgresql&user=store",
            "postgres://store@%2Frun%2Fpostgresql/zimogs",
            "postgresql://store@[::1]:5433/zimogs",
        ] {
            assert!(PostgresAddress::parse(url, None).is_ok(), "{url}");
        }
    }
}
