//! The store's statements, so that all of them are prepared on the database before it serves: a table or
//! column that a statement means and the database has not is found when the store starts, and not by
//! whoever is the first to need it.
//!
//! A statement is written where it is used, as `sql!("SELECT …")`, and is known by that alone. What is
//! put together as it is needed (a row a thing, an order by choice) is not among them.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{AnyConnection, Connection, Executor, SqlSafeStr};

use crate::database::Engine;
use crate::error::{CentralError, Result};

/// The text of a statement.
pub(crate) struct Statement(pub(crate) &'static str);

inventory::collect!(Statement);

/// The text of a statement, which is prepared when the store starts too.
macro_rules! sql {
    ($text:literal) => {{
        ::inventory::submit! { $crate::statements::Statement($text) }
        $text
    }};
}
pub(crate) use sql;

/// Whether the statements were proved on SQLite, and on PostgreSQL. Databases of one engine that this
/// program brought to its form are alike: their steps are compared by digests.
static PROVED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

/// Prepares every statement on a database in this program's form. Its connection is closed: what is
/// prepared there is not kept.
///
/// # Errors
/// [`CentralError::Setup`] with what the database says of the first that it does not take.
pub(crate) async fn prove(mut connection: AnyConnection, engine: Engine) -> Result<()> {
    let proved = &PROVED[usize::from(engine == Engine::Postgres)];
    if proved.load(Ordering::Acquire) {
        return Ok(());
    }
    prepare_all(&mut connection).await?;
    connection.close().await?;
    proved.store(true, Ordering::Release);
    Ok(())
}

async fn prepare_all(connection: &mut AnyConnection) -> Result<()> {
    for Statement(text) in inventory::iter::<Statement> {
        let prepared = connection.prepare(text.into_sql_str()).await;
        prepared.map_err(|error| CentralError::Setup {
            reason: format!(
                "the database does not take a statement of this program ({error}): {text}; somebody else changed its form: restore a backup from before that"
            ),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use sqlx::{AnyConnection, Connection, Executor};

    use super::{Statement, prepare_all};
    use crate::{database, sqlite};

    /// What one engine alone has, and what opens a database before its form is known.
    const APART: [&str; 4] = ["database", "postgres", "same_thread", "sqlite"];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn every_statement_that_is_written_down_is_known() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        sources(folder, &mut found);
        found.retain(|path| {
            let inside = path.strip_prefix(folder).unwrap().with_extension("");
            !APART.iter().any(|name| inside.starts_with(name))
        });
        assert!(found.len() > 80);
        for path in found {
            let text = std::fs::read_to_string(&path).unwrap();
            for call in text.split("sqlx::query").skip(1) {
                let given = call.split_once('(').unwrap().1.trim_start();
                let path = path.display();
                // What SQLite alone understands is for SQLite alone.
                let is_plain = given.starts_with('"') && !given.starts_with("\"PRAGMA");
                assert!(!is_plain, "{path}: write sql!(\"…\"): {given:.60}");
            }
        }
    }

    #[tokio::test]
    async fn a_database_without_a_column_that_is_meant_is_refused() {
        database::install_drivers();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("central.db");
        sqlite::open(&file).await.unwrap().close().await;
        let mut connection = sqlite::connect(&file, "rw").await.unwrap();
        prepare_all(&mut connection).await.unwrap();
        assert!(inventory::iter::<Statement>.into_iter().count() > 400);
        let change = "ALTER TABLE incident RENAME COLUMN kind TO sort";
        connection.execute(change).await.unwrap();
        connection.close().await.unwrap();
        let mut connection: AnyConnection = sqlite::connect(&file, "rw").await.unwrap();
        let refused = prepare_all(&mut connection).await.unwrap_err().to_string();
        assert!(
            refused.contains("kind") && refused.contains("incident"),
            "{refused}"
        );
    }
}
