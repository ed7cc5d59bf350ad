//! Which form a database has, without changing it.

use std::collections::BTreeSet;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;

use crate::database::DatabaseSource;
use crate::error::Result;
use crate::{postgres, sqlite};

/// How a database's form relates to this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseForm {
    /// The last change of form that was made to it; 0: it is new.
    pub applied: i64,
    /// How many changes the next start makes.
    pub pending: usize,
    /// How many it has that this program does not know: a newer one made them.
    pub unknown: usize,
    /// How many tables it has, if nothing of this program is in it: they are somebody else's.
    pub foreign: usize,
}

/// Looks which form a database has. One that is not there yet has none.
///
/// # Errors
/// The database's failures; [`crate::CentralError::Setup`] for an address that cannot be.
pub async fn database_form(source: &DatabaseSource) -> Result<DatabaseForm> {
    let (steps, mut database): (&Migrator, _) = match source {
        DatabaseSource::Sqlite(path) if !path.exists() => {
            return Ok(compared(&sqlite::MIGRATIONS, &[]));
        }
        DatabaseSource::Sqlite(path) => (&sqlite::MIGRATIONS, sqlite::connect(path, "ro").await?),
        DatabaseSource::Postgres(address) => {
            (&postgres::MIGRATIONS, postgres::connect(address).await?)
        }
    };
    let is_there = match source {
        DatabaseSource::Sqlite(_) => {
            "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'"
        }
        DatabaseSource::Postgres(_) => {
            "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'"
        }
    };
    let is_there: i64 = sqlx::query_scalar(is_there)
        .fetch_one(&mut database)
        .await?;
    let mut foreign = 0;
    let made: Vec<i64> = match is_there {
        0 => {
            let tables = match source {
                DatabaseSource::Sqlite(_) => {
                    "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
                }
                DatabaseSource::Postgres(_) => {
                    "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
                }
            };
            let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut database).await?;
            foreign = usize::try_from(tables).unwrap_or(0);
            Vec::new()
        }
        _ => {
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut database)
                .await?
        }
    };
    database.close().await?;
    Ok(DatabaseForm {
        foreign,
        ..compared(steps, &made)
    })
}

fn compared(steps: &Migrator, made: &[i64]) -> DatabaseForm {
    let known: BTreeSet<i64> = steps.iter().map(|step| step.version).collect();
    let pending = known.iter().filter(|step| !made.contains(step)).count();
    DatabaseForm {
        applied: made.last().copied().unwrap_or(0),
        pending,
        unknown: made.iter().filter(|step| !known.contains(step)).count(),
        foreign: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Database;

    #[tokio::test]
    async fn a_form_is_told_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let source = DatabaseSource::Sqlite(folder.path().join("central.db"));
        let none = database_form(&source).await.unwrap();
        assert_eq!((none.applied, none.unknown), (0, 0));
        assert!(none.pending > 10);
        let DatabaseSource::Sqlite(path) = &source else {
            unreachable!()
        };
        assert!(!path.exists(), "looking makes nothing");
        let database = Database::open(&source).await.unwrap();
        let whole = database_form(&source).await.unwrap();
        assert_eq!((whole.pending, whole.unknown), (0, 0));
        let mut tx = database.write().await.unwrap();
        sqlx::query("UPDATE _sqlx_migrations SET version = 9999 WHERE version = $1")
            .bind(whole.applied)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let newer = database_form(&source).await.unwrap();
        assert_eq!((newer.applied, newer.pending, newer.unknown), (9999, 1, 1));
        database.close().await;
    }
}
