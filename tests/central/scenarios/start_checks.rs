//! What the store looks at before it serves: a database of a PostgreSQL server that would not keep the
//! books as they must be, and the form that the books were left in by another program, on both.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::cluster::{self, Cluster, Server};
use crate::database::Database;
use crate::error::CentralError;
use crate::form::database_form;
use crate::{DatabaseSource, postgres};

/// Where a server listens in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// How a database that keeps the books is made.
const SOUND: &str = "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'";

async fn refused(source: &DatabaseSource) -> String {
    match Database::open(source).await {
        Ok(_) => panic!("{source:?} is opened"),
        Err(CentralError::Setup { reason }) => reason,
        Err(other) => panic!("{}", other.chain()),
    }
}

async fn made(cluster: &Cluster, name: &str, how: &str) -> DatabaseSource {
    cluster::administer(&cluster.folder, &format!("CREATE DATABASE {name} {how}")).await;
    cluster::source(&cluster.folder, name)
}

/// Stands between a program and a server, and rewrites what is asked: what else speaks the protocol may.
/// It ends with the process.
fn rewriting(server: &Path, asked: &'static str, instead: &'static str) -> tempfile::TempDir {
    assert_eq!(asked.len(), instead.len(), "a message says how long it is");
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
    let server = server.join(SOCKET);
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = UnixStream::connect(&server).unwrap();
            let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || passed(from, to, None));
            thread::spawn(move || passed(client, server, Some((asked, instead))));
        }
    });
    folder
}

/// Passes on what one says to the other, until either ends.
fn passed(mut from: UnixStream, mut to: UnixStream, rewritten: Option<(&str, &str)>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(many @ 1..) = from.read(&mut buffer) {
        let said = &mut buffer[..many];
        if let Some((asked, instead)) = rewritten {
            let found = |said: &[u8]| {
                said.windows(asked.len())
                    .position(|it| it == asked.as_bytes())
            };
            while let Some(at) = found(said) {
                said[at..at + asked.len()].copy_from_slice(instead.as_bytes());
            }
        }
        if to.write_all(said).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_that_would_keep_other_books_is_refused() {
    let Some(cluster) = Cluster::start(Server::Quick) else {
        return;
    };
    for (name, how, told) in [
        (
            "latin",
            "TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
            "encoded as LATIN1",
        ),
        (
            "sorted",
            "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'lv'",
            "another than on SQLite",
        ),
    ] {
        let reason = refused(&made(&cluster, name, how).await).await;
        assert!(reason.contains(told), "{name}: {reason}");
        assert!(reason.contains("createdb --template=template0"), "{reason}");
    }
    for (name, setting, told) in [
        (
            "replica",
            "session_replication_role = replica",
            "the guard of the audit log",
        ),
        (
            "hasty",
            "synchronous_commit = off",
            "may be lost with the power",
        ),
    ] {
        let source = made(&cluster, name, SOUND).await;
        let set = format!("ALTER DATABASE {name} SET {setting}");
        cluster::administer(&cluster.folder, &set).await;
        let reason = refused(&source).await;
        assert!(reason.contains(told), "{name}: {reason}");
        // What the reason says to do is enough.
        let reset = setting.split(' ').next().unwrap();
        let reset = format!("ALTER DATABASE {name} RESET {reset}");
        cluster::administer(&cluster.folder, &reset).await;
        Database::open(&source).await.unwrap().close().await;
    }
    // C.UTF-8 sorts as C does.
    let sound = made(
        &cluster,
        "sound",
        "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'",
    )
    .await;
    for (asked, instead, told) in [
        // The transaction begins as the server's usual one does.
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "BEGIN                             ",
            "no serializable transactions",
        ),
        // As a server of 14 answers: its version is less, and it does not know who sorts.
        ("server_version_num", "extra_float_digits", "too old"),
        ("datlocprovider", "datlocprovides", "too old"),
    ] {
        let between = rewriting(&cluster.folder, asked, instead);
        let reason = refused(&cluster::source(between.path(), "sound")).await;
        assert!(reason.contains(told), "{asked}: {reason}");
    }
    // Nothing was made by any of those that were refused.
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    for name in ["latin", "sorted", "sound"] {
        assert_eq!(cluster.ask_in(name, tables), "0", "{name}");
    }
    Database::open(&sound).await.unwrap().close().await;
}

/// Says something to a database, and opens it: returns why it is not.
async fn altered(source: &DatabaseSource, sql: &'static str) -> String {
    let database = Database::open(source).await.unwrap();
    let mut tx = database.write().await.unwrap();
    let done = sqlx::query(sql).execute(&mut *tx).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    tx.commit().await.unwrap();
    database.close().await;
    refused(source).await
}

#[tokio::test]
async fn books_of_another_program_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Server::Quick);
    for (name, sql, told) in [
        (
            "newer",
            "UPDATE _sqlx_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
            "it has migration 9999, which this one does not know",
        ),
        (
            "other",
            "UPDATE _sqlx_migrations SET checksum = installed.checksum FROM _sqlx_migrations installed
             WHERE _sqlx_migrations.version = 9 AND installed.version = 10",
            "migration 9 was applied to the database with another content",
        ),
        (
            "halfway",
            "UPDATE _sqlx_migrations SET success = (1 = 0) WHERE version = 26",
            "migration 26 of the database was cut off halfway",
        ),
    ] {
        let file = DatabaseSource::Sqlite(folder.path().join(name));
        let mut sources = vec![file];
        if let Some(cluster) = &cluster {
            sources.push(made(cluster, name, SOUND).await);
        }
        for source in sources {
            let reason = altered(&source, sql).await;
            assert!(reason.contains(told), "{source:?}: {reason}");
            // Told again: nothing was mended on the way.
            assert_eq!(refused(&source).await, reason);
        }
    }
}

/// A store as the program of the first form for PostgreSQL left it, with a document that got another
/// number after its first blank was spoiled.
const BEFORE: &str = "
    INSERT INTO account VALUES ('p', 'keeper', 0);
    INSERT INTO application (reference, kind, priority, state, content, entered_by, entered)
        VALUES ('A', 'id-card', 'normal', 'in-production', '', 'p', 0);
    INSERT INTO series VALUES ('XA', 'test', 3, 9999999);
    INSERT INTO document VALUES ('d', 'A', 'id-card', 'eid-card', 'XA0000002', 'at-station', 0,
        '2026-12-04', '2026-11-20', '2036-11-19', '{}', '{}', NULL);
    INSERT INTO number VALUES ('XA0000001', 'd', 'spoiled'), ('XA0000002', 'd', 'allotted');
    INSERT INTO delivery VALUES ('D', 2, 'p', 7);
    INSERT INTO blank VALUES ('B', 'D', 'spoiled', 'd', 'XA0000001', NULL, NULL), ('C', 'D', 'in-stock', NULL, NULL, 'sheet', 'XW0000001');
    INSERT INTO chip VALUES ('00', 'B', 'contact-chip', 1, NULL), ('01', 'B', 'travel-chip', 0, 32);
    INSERT INTO lease (id, document, number, station, slot, operator, document_digest, blank, state, opened, expires)
        VALUES ('k', 'd', 'XA0000001', 's', 'a', 'p', '', 'B', 'spoiled', 0, 0),
               ('l', 'd', 'XA0000002', 's', 'a', 'p', '', NULL, 'open', 1, 2);
    INSERT INTO lease_chip VALUES ('k', 0, 'travel-chip', ''), ('k', 1, 'contact-chip', '');
    INSERT INTO report VALUES ('s', 1, '', 'k', 'spoiled', 5, 6);
    INSERT INTO audit_entry (entry, committed, leaf) VALUES ('one', 1, 0), ('two', 2, NULL);";

#[tokio::test]
async fn what_was_in_the_books_on_a_server_stays_in_them() {
    let Some(cluster) = Cluster::start(Server::Quick) else {
        return;
    };
    let source = made(&cluster, "older", SOUND).await;
    let DatabaseSource::Postgres(address) = &source else {
        unreachable!()
    };
    let mut connection = postgres::connect(address).await.unwrap();
    let first = postgres::MIGRATIONS.run_to(8, &mut connection).await;
    first.unwrap();
    connection.execute(AssertSqlSafe(BEFORE)).await.unwrap();
    drop(connection);
    let form = database_form(&source).await.unwrap();
    assert_eq!((form.applied, form.unknown), (8, 0));
    assert!(form.pending > 10);

    let database = Database::open(&source).await.unwrap();
    let form = database_form(&source).await.unwrap();
    assert_eq!((form.pending, form.unknown), (0, 0));
    let mut tx = database.write().await.unwrap();
    let row = sqlx::query(
        "SELECT d.number, d.state, d.turn, l.turn AS lease_turn, b.item, b.place, n.state AS accounted, n.series, s.next, r.end_state
         FROM document d JOIN lease l ON l.document = d.id AND l.state = 'spoiled' JOIN blank b ON b.serial = l.blank
         JOIN number n ON n.number = l.number JOIN series s ON s.id = n.series JOIN report r ON r.lease = l.id",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let text = |column| row.get::<&str, _>(column);
    assert_eq!((text("number"), text("state")), ("XA0000002", "at-station"));
    assert_eq!((text("turn"), text("lease_turn")), ("d", "k"));
    // The item is what its chips are, in their order.
    let item = (text("item"), text("place"));
    assert_eq!(item, ("travel-chip+contact-chip", "CENTRAL"));
    assert_eq!(
        (text("accounted"), text("end_state")),
        ("spoiled", "spoiled")
    );
    assert_eq!(
        (text("series"), row.get::<i64, _>("next")),
        ("XA0000001", 3)
    );
    for (sql, number) in [
        (
            "SELECT count(*) FROM blank WHERE serial = 'C' AND item = 'sheet' AND own_number = 'XW0000001'",
            1,
        ),
        (
            "SELECT count(*) FROM delivery WHERE counted = 2 AND accepted = 7",
            1,
        ),
        (
            "SELECT count(*) FROM blank_movement WHERE event = 'opening'",
            2,
        ),
        (
            "SELECT count(*) FROM series_kind WHERE series = 'XA0000001'",
            11,
        ),
        ("SELECT count(*) FROM audit_entry WHERE leaf IS NULL", 1),
    ] {
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(found, number, "{sql}");
    }
    // What must not be still cannot be.
    let doubled = "INSERT INTO lease (id, document, number, station, slot, operator, document_digest, state, opened, expires, turn)
        VALUES ('m', 'd', 'XA0000002', 's', 'b', 'p', '', 'open', 1, 2, 'm')";
    assert!(
        sqlx::query(doubled).execute(&mut *tx).await.is_err(),
        "two leases of one document"
    );
    drop(tx);
    let mut tx = database.write().await.unwrap();
    let emptied = sqlx::query("DELETE FROM audit_entry")
        .execute(&mut *tx)
        .await;
    assert!(emptied.is_err(), "history stays");
    drop(tx);
    database.close().await;
}
