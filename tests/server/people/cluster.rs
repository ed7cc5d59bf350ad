//! A PostgreSQL server for the tests of this process, with a database for each.

use std::path::Path;
use std::sync::OnceLock;

use central::{DatabaseSource, PostgresAddress};
use hsm::test_support::Environment;
use uuid::Uuid;

use self::server::{Cluster, Server, url};

#[path = "../../postgres/server.rs"]
mod server;

/// Tells a test's process where the server's socket is; without it, the test is for SQLite.
const SOCKET: &str = "ZIMOGS_TEST_POSTGRES";

/// And which of its databases is the test's.
const DATABASE: &str = "ZIMOGS_TEST_DATABASE";

/// Returns the environments in which a test runs: for SQLite, and where PostgreSQL is installed for
/// that.
pub(super) fn environments() -> Vec<Environment> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let mut environments = vec![Environment::new()];
    if let Some(cluster) = SHARED.get_or_init(|| Cluster::start(Server::Quick)) {
        let name = format!("test_{}", Uuid::now_v7().simple());
        cluster.ask(&format!("CREATE DATABASE {name}"));
        environments.push(vec![
            (SOCKET, cluster.folder.clone().into()),
            (DATABASE, name.into()),
        ]);
    }
    environments
}

/// Returns this test's database, or a file in its folder.
pub(super) fn own(folder: &Path) -> DatabaseSource {
    let named = (std::env::var_os(SOCKET), std::env::var(DATABASE));
    let (Some(socket), Ok(name)) = named else {
        return DatabaseSource::Sqlite(folder.join("central.db"));
    };
    let address = PostgresAddress::parse(&url(Path::new(&socket), &name), None);
    DatabaseSource::Postgres(address.unwrap())
}
