//! A PostgreSQL server for the tests of this process. Each test has a database of its own, cloned from
//! one that was brought to this program's form once.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use hsm::test_support::Environment;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use self::server::{USER, programs, url};
use crate::database::Database;
use crate::{DatabaseSource, PostgresAddress};

pub(super) use self::server::{Cluster, Server};

#[path = "../../postgres/server.rs"]
mod server;

/// Tells a test's process where the server's socket is; without it, the test is for SQLite.
const SOCKET: &str = "ZIMOGS_TEST_POSTGRES";

/// The database that others are cloned from.
const TEMPLATE: &str = "template_of_tests";

/// Returns the environments in which a test runs: for SQLite, and where PostgreSQL is installed for
/// that.
pub(super) fn environments() -> Vec<Environment> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let mut environments = vec![Environment::new()];
    let shared = SHARED.get_or_init(|| {
        let cluster = Cluster::start(Server::Quick)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            administer(&cluster.folder, &format!("CREATE DATABASE {TEMPLATE}")).await;
            let database = Database::open(&source(&cluster.folder, TEMPLATE))
                .await
                .unwrap();
            database.close().await;
        });
        Some(cluster)
    });
    if let Some(cluster) = shared {
        environments.push(vec![(SOCKET, cluster.folder.clone().into())]);
    }
    environments
}

/// Returns a database of this test: a SQLite file of this name in the folder, or a database of the
/// server that nobody else has.
pub(super) async fn another(folder: &Path, name: &str) -> DatabaseSource {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return DatabaseSource::Sqlite(folder.join(format!("{name}.db")));
    };
    let name = format!("test_{}", Uuid::now_v7().simple());
    administer(
        Path::new(&socket),
        &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"),
    )
    .await;
    source(Path::new(&socket), &name)
}

/// Returns the name of a database of the server.
fn name_of(source: &DatabaseSource) -> Option<String> {
    match source {
        DatabaseSource::Sqlite(_) => None,
        DatabaseSource::Postgres(address) => {
            address.to_string().split(' ').nth(1).map(str::to_owned)
        }
    }
}

/// Returns all that a database of the server holds, as text.
pub(super) fn dump(source: &DatabaseSource) -> Option<Vec<u8>> {
    let name = name_of(source)?;
    let dump = Command::new(programs().unwrap().join("pg_dump"))
        .args(["--username", USER, "--host"])
        .arg(std::env::var_os(SOCKET).unwrap())
        .arg(name)
        .output()
        .unwrap();
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    Some(dump.stdout)
}

/// Removes the database of a test that passed.
pub(super) async fn drop_own(source: &DatabaseSource) {
    let (Some(socket), Some(name)) = (std::env::var_os(SOCKET), name_of(source)) else {
        return;
    };
    administer(
        Path::new(&socket),
        &format!("DROP DATABASE {name} WITH (FORCE)"),
    )
    .await;
}

/// Names a database of a server.
pub(super) fn source(socket: &Path, database: &str) -> DatabaseSource {
    DatabaseSource::Postgres(PostgresAddress::parse(&url(socket, database), None).unwrap())
}

/// Does what only the server's owner may.
pub(super) async fn administer(socket: &Path, sql: &str) {
    let mut connection = PgConnection::connect(&url(socket, "postgres"))
        .await
        .unwrap();
    connection
        .execute(AssertSqlSafe(sql.to_owned()))
        .await
        .unwrap();
    connection.close().await.unwrap();
}
