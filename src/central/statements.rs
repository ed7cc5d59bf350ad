//! The store's statements, so that all of them are prepared on the database before it serves: a table or
//! column that a statement means and the database has not is found when the server starts, and not by
//! whoever is the first to need it.
//!
//! A statement is written where it is used, as `sql!("SELECT …")`, and is known by that alone. What is
//! put together as it is needed (a row a thing, an order by choice) is not among them.

use sqlx::{AnyConnection, Connection, Executor, SqlSafeStr};

use crate::central::Central;
use crate::error::{CentralError, Result};

/// The text of a statement.
pub(crate) struct Statement(pub(crate) &'static str);

inventory::collect!(Statement);

/// The text of a statement, which is prepared when the server starts too.
macro_rules! sql {
    ($text:literal) => {{
        ::inventory::submit! { $crate::statements::Statement($text) }
        $text
    }};
}
pub(crate) use sql;

impl Central {
    /// Prepares every statement on the database. What serves for long does that before it serves: a
    /// database whose form somebody else changed is found then.
    ///
    /// # Errors
    /// [`CentralError::Setup`] with what the database says of the first that it does not take; the
    /// database's failures.
    pub async fn prove_statements(&self) -> Result<()> {
        // Closed afterwards: what is prepared there is not kept.
        let mut connection = self.database().detached().await?;
        // What SQLite knows of the form is as old as what it ran last.
        sqlx::query(sql!("SELECT founded FROM installation"))
            .fetch_optional(&mut connection)
            .await?;
        prepare_all(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}

async fn prepare_all(connection: &mut AnyConnection) -> Result<()> {
    for Statement(text) in inventory::iter::<Statement> {
        match connection.prepare(text.into_sql_str()).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(said)) if is_of_form(said.code().as_deref()) => {
                return Err(CentralError::Setup {
                    reason: format!(
                        "the database does not take a statement of this program ({said}): {text}; somebody else changed its form: restore a backup from before that"
                    ),
                });
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

/// Tells whether a database refuses a statement for what it says: SQLite's SQLITE_ERROR, and
/// PostgreSQL's class 42 (*PostgreSQL 15, appendix A*). Others are failures of the moment.
fn is_of_form(code: Option<&str>) -> bool {
    code.is_some_and(|code| code == "1" || code.starts_with("42"))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Statement;

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
        assert!(found.len() > 80 && inventory::iter::<Statement>.into_iter().count() > 400);
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
}
