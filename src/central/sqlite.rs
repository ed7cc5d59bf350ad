//! The SQLite file: one connection writes, on the thread of whoever writes (`same_thread`), some read.
//!
//! A write transaction begins IMMEDIATE, so that what it reads is what it changes; SQLite has
//! one writer anyway, and one connection queues fairly where several would time out.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::any::AnyConnectOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Row};

use crate::database::{self, Database, Engine, migrate, pool};
use crate::error::{CentralError, Result};
use crate::same_thread;

/// Begins a write transaction: it holds the file from here on.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// The way to this program's form.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations/sqlite");

/// Connections that read beside the writer.
const READERS: u32 = 4;

/// What every connection is told first: to wait for the other processes of this file, to survive a
/// power cut with every committed transition, to refuse what refers to nothing, and to leave
/// nothing of what is deleted (a destroyed envelope, say) in a free page. Then, to keep 32 MiB of
/// pages in memory, and to bring those that change again and again into the file after 32 MiB.
const SETTINGS: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;
    PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8192;";

/// What must have come of it, and how it is asked.
const PROMISES: [(&str, &str); 4] = [
    (
        "SELECT CAST(journal_mode AS TEXT) FROM pragma_journal_mode",
        "wal",
    ),
    (
        "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
        "2",
    ),
    (
        "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        "1",
    ),
    (
        "SELECT CAST(secure_delete AS TEXT) FROM pragma_secure_delete",
        "1",
    ),
];

/// Opens the file, which is made where there is none, and brings it to this program's form.
pub(crate) async fn open(path: &Path) -> Result<Database> {
    let file = |source| CentralError::File {
        path: path.to_owned(),
        source,
    };
    make_private(path).map_err(file)?;
    let path = &path.canonicalize().map_err(file)?;
    let connect = async |size, scheme, mode| {
        let options = options(scheme, path, mode)?;
        let pool = pool(size, SETTINGS).connect_with(options).await?;
        check(&pool).await?;
        Ok::<_, CentralError>(pool)
    };
    let long = connect(1, "sqlite", "rw").await?;
    migrate(&long, &MIGRATIONS).await?;
    Ok(Database {
        engine: Engine::Sqlite,
        writers: connect(1, same_thread::SCHEME, "rw").await?,
        long,
        readers: connect(READERS, "sqlite", "ro").await?,
    })
}

/// Demands that the settings hold: a file system may not bear them.
async fn check(pool: &AnyPool) -> Result<()> {
    for (question, promised) in PROMISES {
        let row = sqlx::query(question).fetch_one(pool).await?;
        let found: String = row.get(0);
        if found != promised {
            return Err(CentralError::Setup {
                reason: format!(
                    "SQLite does not keep what the store needs ({question} answers {found}, not {promised}); put the file on a local file system of this machine"
                ),
            });
        }
    }
    Ok(())
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

/// Opens one connection to a file that is there, as `mode` says; nothing is brought to another form.
pub(crate) async fn connect(path: &Path, mode: &str) -> Result<AnyConnection> {
    database::install_drivers();
    let path = path.canonicalize().map_err(|source| CentralError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(options("sqlite", &path, mode)?.connect().await?)
}

/// Returns how the driver names a file: by a URL, in which every byte that might have a meaning
/// there is escaped. `path` is canonical: a URL's own reading of `..` is another.
fn options(scheme: &str, path: &Path, mode: &str) -> Result<AnyConnectOptions> {
    let path = path.to_str().ok_or_else(|| CentralError::Setup {
        reason: "the path of the database is no UTF-8; give the file another name".to_owned(),
    })?;
    let mut url = format!("{scheme}://");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("?mode=");
    url.push_str(mode);
    Ok(url.parse()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use std::time::Duration;

    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

    use super::*;
    use crate::database::DatabaseSource;

    async fn open_at(file: &Path) -> Result<Database> {
        Database::open(&DatabaseSource::Sqlite(file.to_owned())).await
    }

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
    async fn every_connection_keeps_what_is_promised() {
        let folder = tempfile::tempdir().unwrap();
        // A URL would read a part of such a name as something else.
        let file = folder.path().join("Käyttö 100%?mode=memory#1.db");
        let database = open_at(&file).await.unwrap();
        let (mut writer, mut reader) = (
            database.write().await.unwrap(),
            database.read().await.unwrap(),
        );
        for tx in [&mut writer, &mut reader] {
            let journal = sqlx::query_scalar::<_, String>("PRAGMA journal_mode");
            assert_eq!(journal.fetch_one(&mut **tx).await.unwrap(), "wal");
            for (pragma, value) in [
                ("PRAGMA synchronous", 2),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA secure_delete", 1),
                ("PRAGMA busy_timeout", 30_000),
            ] {
                let found = sqlx::query_scalar::<_, i64>(pragma).fetch_one(&mut **tx);
                assert_eq!(found.await.unwrap(), value, "{pragma}");
            }
        }
        assert!(
            sqlx::query("DELETE FROM series")
                .execute(&mut *reader)
                .await
                .is_err(),
            "a reader only reads"
        );
        // The writer holds the file from the beginning of its transaction: it is IMMEDIATE.
        let other = SqliteConnectOptions::new()
            .filename(&file)
            .busy_timeout(Duration::ZERO);
        let other = SqlitePool::connect_with(other).await.unwrap();
        let second = other.begin_with("BEGIN IMMEDIATE").await;
        assert!(second.is_err(), "there are two writers");
        drop(second);
        assert!(
            database.writers.try_begin().await.unwrap().is_none(),
            "there is one connection that writes"
        );
        for beside in ["", "-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(beside);
            let mode = std::fs::metadata(&name).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", name.display());
        }
        drop((writer, reader));
        other.close().await;
        database.close().await;
    }

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

        let database = open_at(&file).await.unwrap();
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
        let foreign = "INSERT INTO number (number, document, state) VALUES ('XA0000003', 'nobody', 'allotted')";
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
