//! Which form a database has, without changing it.

use std::collections::BTreeSet;

use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Connection as _};

use crate::database::DatabaseSource;
use crate::error::{CentralError, Result};
use crate::statements::sql;
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
    /// Whether somebody founded a store in it.
    pub is_founded: bool,
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
    let (named, tables) = match source {
        DatabaseSource::Sqlite(_) => (
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
            "SELECT count(*) FROM sqlite_master WHERE type = 'table'",
        ),
        DatabaseSource::Postgres(_) => (
            "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1",
            "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()",
        ),
    };
    let mut form = if has(&mut database, named, "_sqlx_migrations").await? {
        let made: Vec<i64> = sqlx::query_scalar(sql!(
            "SELECT version FROM _sqlx_migrations ORDER BY version"
        ))
        .fetch_all(&mut database)
        .await?;
        compared(steps, &made)
    } else {
        let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut database).await?;
        DatabaseForm {
            foreign: usize::try_from(tables).unwrap_or(usize::MAX),
            ..compared(steps, &[])
        }
    };
    if form.applied > 0 && has(&mut database, named, "installation").await? {
        let founded: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM installation"))
            .fetch_one(&mut database)
            .await?;
        form.is_founded = founded > 0;
    }
    database.close().await?;
    Ok(form)
}

async fn has(database: &mut AnyConnection, named: &'static str, table: &str) -> Result<bool> {
    let found: i64 = sqlx::query_scalar(named)
        .bind(table)
        .fetch_one(database)
        .await?;
    Ok(found > 0)
}

/// Demands that somebody founded the store that is kept here; nothing is changed.
///
/// # Errors
/// [`CentralError::Unfounded`] where the database is not there, empty or somebody else's; those of
/// [`database_form`].
pub async fn be_founded(source: &DatabaseSource) -> Result<()> {
    let form = database_form(source).await?;
    // What a newer program founded is told as that when it is opened.
    if form.is_founded || form.unknown > 0 {
        return Ok(());
    }
    let database = match source {
        DatabaseSource::Sqlite(path) => path.display().to_string(),
        DatabaseSource::Postgres(address) => address.to_string(),
    };
    Err(CentralError::Unfounded { database })
}

fn compared(steps: &Migrator, made: &[i64]) -> DatabaseForm {
    let known: BTreeSet<i64> = steps.iter().map(|step| step.version).collect();
    let pending = known.iter().filter(|step| !made.contains(step)).count();
    DatabaseForm {
        applied: made.last().copied().unwrap_or(0),
        pending,
        unknown: made.iter().filter(|step| !known.contains(step)).count(),
        foreign: 0,
        is_founded: false,
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
        assert!(!whole.is_founded, "a form alone is no store");
        let mut tx = database.write().await.unwrap();
        sqlx::query(sql!(
            "UPDATE _sqlx_migrations SET version = 9999 WHERE version = $1"
        ))
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
