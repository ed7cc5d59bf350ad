//! The store's statements, so that all of them are prepared on the database before it serves: a table or
//! column that a statement means and the database has not is found when the server starts, and not by
//! whoever is the first to need it.
//!
//! A statement is written where it is used, as `sql!("SELECT …")`, and is known by that alone; several
//! with the same words share them as a constant: `sql!(COLUMNS, " WHERE id = $1")`. What is put together
//! as it is needed (a row a thing, states that a rule takes) is put together by a function of its own,
//! and `assembled!` beside it says what that function makes, for the same proof.

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, SqlSafeStr};

use crate::central::Central;
use crate::database::Engine;
use crate::error::{CentralError, Result};

/// The text of a statement.
pub(crate) struct Statement(pub(crate) &'static str);

inventory::collect!(Statement);

/// A function that puts statements together.
pub(crate) struct Assembled {
    /// The types of a sample's parameters, where PostgreSQL cannot tell them from the text: those in
    /// the rows of a derived table.
    pub(crate) types: Option<&'static str>,
    /// What it makes: one of each form.
    pub(crate) samples: fn(Engine) -> Vec<String>,
}

inventory::collect!(Assembled);

/// The text of a statement, or its pieces, which are constants. It is prepared when the server starts
/// too.
macro_rules! sql {
    ($text:literal) => {{
        ::inventory::submit! { $crate::statements::Statement($text) }
        $text
    }};
    ($($piece:expr),+ $(,)?) => {{
        const SQL_PIECES: &[&str] = &[$($piece),+];
        const SQL_BYTES: [u8; $crate::statements::length(SQL_PIECES)] =
            $crate::statements::joined(SQL_PIECES);
        const SQL_TEXT: &str = $crate::statements::text(&SQL_BYTES);
        ::inventory::submit! { $crate::statements::Statement(SQL_TEXT) }
        SQL_TEXT
    }};
}
pub(crate) use sql;

/// Says what a function makes that puts statements together, so that they are prepared when the server
/// starts: `assembled!(rows => |engine| vec![rows(1), rows(2)])`, or with the types of the parameters.
macro_rules! assembled {
    ($name:ident => $samples:expr) => {
        $crate::statements::assembled!($name, None => $samples);
    };
    ($name:ident($types:literal) => $samples:expr) => {
        $crate::statements::assembled!($name, Some($types) => $samples);
    };
    ($name:ident, $types:expr => $samples:expr) => {
        ::inventory::submit! {
            $crate::statements::Assembled {
                types: $types,
                samples: $samples,
            }
        }
    };
}
pub(crate) use assembled;

/// Returns how many bytes pieces have together.
pub(crate) const fn length(pieces: &[&str]) -> usize {
    let (mut length, mut at) = (0, 0);
    while at < pieces.len() {
        length += pieces[at].len();
        at += 1;
    }
    length
}

/// Joins pieces, whose [`length`] is `N`.
pub(crate) const fn joined<const N: usize>(pieces: &[&str]) -> [u8; N] {
    let mut bytes = [0; N];
    let (mut filled, mut at) = (0, 0);
    while at < pieces.len() {
        let piece = pieces[at].as_bytes();
        let mut taken = 0;
        while taken < piece.len() {
            bytes[filled] = piece[taken];
            filled += 1;
            taken += 1;
        }
        at += 1;
    }
    bytes
}

/// Returns [`joined`] pieces as the text that they are.
pub(crate) const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Whole texts in a row are a text.
        Err(_) => "",
    }
}

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
        prepare_all(&mut connection, self.database().engine).await?;
        connection.close().await?;
        Ok(())
    }
}

async fn prepare_all(connection: &mut AnyConnection, engine: Engine) -> Result<()> {
    for Statement(text) in inventory::iter::<Statement> {
        let prepared = connection.prepare(text.into_sql_str()).await;
        judge(prepared.map(drop), text)?;
    }
    for assembled in inventory::iter::<Assembled> {
        for text in (assembled.samples)(engine) {
            let prepared = match assembled.types.filter(|_| engine == Engine::Postgres) {
                None => connection
                    .prepare(AssertSqlSafe(text.clone()).into_sql_str())
                    .await
                    .map(drop),
                Some(types) => prepare_typed(connection, types, &text).await,
            };
            judge(prepared, &text)?;
        }
    }
    Ok(())
}

/// Prepares a statement with the types of its parameters, and forgets it.
async fn prepare_typed(
    connection: &mut AnyConnection,
    types: &str,
    text: &str,
) -> sqlx::Result<()> {
    let prepare = format!("PREPARE zimogs_proof ({types}) AS {text}");
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql("DEALLOCATE zimogs_proof")
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Says of a statement that is not taken what that means.
fn judge(prepared: sqlx::Result<()>, text: &str) -> Result<()> {
    match prepared {
        Ok(()) => Ok(()),
        Err(sqlx::Error::Database(said)) if is_of_form(said.code().as_deref()) => {
            Err(CentralError::Setup {
                reason: format!(
                    "the database does not take a statement of this program ({said}): {text}; somebody else changed its form: restore a backup from before that"
                ),
            })
        }
        Err(other) => Err(other.into()),
    }
}

/// Tells whether a database refuses a statement for what it says: SQLite's SQLITE_ERROR, and
/// PostgreSQL's class 42 (*PostgreSQL 15, appendix A*). Others are failures of the moment.
fn is_of_form(code: Option<&str>) -> bool {
    code.is_some_and(|code| code == "1" || code.starts_with("42"))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Statement, joined, length, text};

    /// What one engine alone has, and what opens a database before its form is known.
    const APART: [&str; 6] = [
        "database",
        "form",
        "postgres",
        "same_thread",
        "sqlite",
        "statements",
    ];

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

    /// Returns the sources whose statements are proved, each with its name.
    fn proved() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        sources(folder, &mut found);
        let inside = |path: &PathBuf| path.strip_prefix(folder).unwrap().with_extension("");
        found.retain(|path| !APART.iter().any(|name| inside(path).starts_with(name)));
        assert!(found.len() > 80);
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap();
            (inside(path).display().to_string(), text)
        };
        found.iter().map(read).collect()
    }

    #[test]
    fn every_statement_that_is_asked_is_known() {
        assert!(inventory::iter::<Statement>.into_iter().count() > 400);
        for (path, source) in proved() {
            for call in source.split("sqlx::query").skip(1) {
                let given = call.split_once('(').unwrap().1.trim_start();
                // A name is of what was written as sql!, which the literals' test sees to. What SQLite
                // alone understands is for SQLite alone.
                let is_known = given.starts_with("sql!(")
                    || given.starts_with("\"PRAGMA")
                    || given.starts_with(|first: char| first == '*' || first.is_lowercase());
                let assembled = given.split_once("AssertSqlSafe(").filter(|(before, _)| {
                    // `sqlx::AssertSqlSafe` too.
                    matches!(*before, "" | "sqlx::")
                });
                let is_assembled = assembled.is_some_and(|(_, made)| {
                    let name = made.split_once('(').map_or("", |(name, _)| name);
                    source.contains(&format!("assembled!({name} ="))
                        || source.contains(&format!("assembled!({name}("))
                        || source.contains(&format!("assembled!(\n    {name}("))
                });
                assert!(
                    is_assembled || (assembled.is_none() && is_known),
                    "{path}: write sql!(\"…\"), or assembled! beside what puts it together: {given:.60}"
                );
            }
        }
    }

    #[test]
    fn every_statement_that_is_written_down_is_known() {
        const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
        for (path, source) in proved() {
            // There a literal is a part of what a function puts together.
            let is_apart = source.contains("assembled!(");
            let literals = source.match_indices('"').filter(|(at, _)| {
                let after = &source[at + 1..];
                VERBS.iter().any(|verb| after.starts_with(verb))
            });
            for (at, _) in literals {
                let before = source[..at].trim_end();
                assert!(
                    is_apart || ["sql!(", "str ="].iter().any(|end| before.ends_with(end)),
                    "{path}: write sql!(\"…\"): {:.60}",
                    &source[at..]
                );
            }
        }
    }

    #[test]
    fn pieces_are_joined_in_their_order() {
        const PIECES: &[&str] = &["SELECT ā FROM b", "", " WHERE c = $1"];
        const BYTES: [u8; length(PIECES)] = joined(PIECES);
        assert_eq!(text(&BYTES), PIECES.concat());
        const ONE: &str = "SELECT founded FROM installation";
        assert_eq!(
            sql!(ONE, " WHERE id = 1"),
            "SELECT founded FROM installation WHERE id = 1"
        );
    }
}
