//! SQLite on the caller's own thread, behind sqlx's face.
//!
//! sqlx gives every SQLite connection a thread, and each statement goes there and back. Where a
//! processor has gone to sleep meanwhile, that takes far longer than the statement, and a
//! transition has dozens of them, all while it holds the file. The one connection that writes is
//! therefore driven from here: a statement runs where it is asked for. Statements of a transition
//! are short; whatever takes long (lists, reports, copies) stays with the connections that read.
//!
//! ```text
//! sqlx::query(…).execute(&mut tx)  ->  SameThread (AnyConnectionBackend)  ->  rusqlite  ->  file
//! ```

mod connection;
mod driver;
mod fault;
mod statement;

pub(crate) use driver::{DRIVER, SCHEME};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use sqlx::any::{AnyPoolOptions, AnyQueryResult};
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
    use sqlx::{AnyPool, Row};

    use super::*;
    use crate::database::DRIVERS;

    async fn open(scheme: &str, file: &Path) -> AnyPool {
        let _ = sqlx::any::install_drivers(&DRIVERS);
        let url = format!("{scheme}://{}", file.display());
        let pool = AnyPoolOptions::new().max_connections(1);
        pool.connect(&url).await.unwrap()
    }

    /// The same empty tables for this driver and for sqlx's own, which judges it.
    async fn both(folder: &Path) -> [AnyPool; 2] {
        let tables = "PRAGMA foreign_keys = ON;
            CREATE TABLE owner (name TEXT PRIMARY KEY);
            CREATE TABLE thing (id INTEGER PRIMARY KEY, owner TEXT REFERENCES owner, whole INTEGER,
                part REAL, text TEXT, bytes BLOB, small INTEGER NOT NULL CHECK (small < 10), single TEXT UNIQUE);
            INSERT INTO owner VALUES ('a'), ('b');";
        let mut pools = Vec::new();
        for scheme in [SCHEME, "sqlite"] {
            let file = folder.join(scheme);
            std::fs::File::create(&file).unwrap();
            let pool = open(scheme, &file).await;
            sqlx::raw_sql(tables).execute(&pool).await.unwrap();
            pools.push(pool);
        }
        pools.try_into().unwrap()
    }

    #[derive(Clone, Debug)]
    struct Thing {
        owner: Option<String>,
        whole: Option<i64>,
        part: Option<f64>,
        text: Option<String>,
        bytes: Option<Vec<u8>>,
        small: i64,
        single: Option<String>,
    }

    fn thing() -> impl Strategy<Value = Thing> {
        (
            prop::option::of("[abc]"),
            prop::option::of(any::<i64>()),
            prop::option::of(-1e300..1e300),
            prop::option::of(".*"),
            prop::option::of(any::<Vec<u8>>()),
            0..12_i64,
            prop::option::of("[xyz]"),
        )
            .prop_map(|(owner, whole, part, text, bytes, small, single)| Thing {
                owner,
                whole,
                part,
                text,
                bytes,
                small,
                single,
            })
    }

    /// Stores a thing, and says what came of it: how many rows, or which refusal.
    async fn store(pool: &AnyPool, thing: &Thing) -> Result<u64, (String, bool, bool)> {
        // The values are named out of their order, and one twice.
        sqlx::query("INSERT INTO thing (single, small, bytes, text, part, whole, owner) SELECT $7, $6, $5, $4, $3, $2, $1 WHERE $6 = $6")
            .bind(&thing.owner)
            .bind(thing.whole)
            .bind(thing.part)
            .bind(&thing.text)
            .bind(&thing.bytes)
            .bind(thing.small)
            .bind(&thing.single)
            .execute(pool)
            .await
            .map(|done: AnyQueryResult| done.rows_affected())
            .map_err(|error| {
                let error = error.into_database_error().unwrap();
                let code = error.code().unwrap().into_owned();
                (code, error.is_unique_violation(), error.is_foreign_key_violation())
            })
    }

    type Stored = (
        Option<String>,
        Option<i64>,
        Option<f64>,
        Option<String>,
        Option<Vec<u8>>,
        i64,
    );

    async fn stored(pool: &AnyPool) -> Vec<Stored> {
        let all = "SELECT owner, whole, part, text, bytes, small FROM thing ORDER BY id";
        let rows = sqlx::query(all).fetch_all(pool).await.unwrap();
        let read = |row: &sqlx::any::AnyRow| {
            let owner = row.get("owner");
            (
                owner,
                row.get(1),
                row.get(2),
                row.get("text"),
                row.get(4),
                row.get("small"),
            )
        };
        rows.iter().map(read).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn it_does_what_sqlxs_own_driver_does(things in prop::collection::vec(thing(), 1..8)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let folder = tempfile::tempdir().unwrap();
                let [here, judge] = both(folder.path()).await;
                for thing in &things {
                    assert_eq!(store(&here, thing).await, store(&judge, thing).await, "{thing:?}");
                }
                assert_eq!(stored(&here).await, stored(&judge).await);
                let change = "UPDATE thing SET small = 0 WHERE small > $1";
                let (mine, theirs) = (
                    sqlx::query(change).bind(5_i64).execute(&here).await.unwrap(),
                    sqlx::query(change).bind(5_i64).execute(&judge).await.unwrap(),
                );
                assert_eq!(mine.rows_affected(), theirs.rows_affected());
            });
        }
    }

    #[tokio::test]
    async fn what_is_not_committed_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let [here, _] = both(folder.path()).await;
        let add = "INSERT INTO owner VALUES ($1)";
        let mut tx = here.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query(add).bind("c").execute(&mut *tx).await.unwrap();
        drop(tx);
        let mut tx = here.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query(add).bind("d").execute(&mut *tx).await.unwrap();
        tx.rollback().await.unwrap();
        let mut tx = here.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query(add).bind("e").execute(&mut *tx).await.unwrap();
        // A refused statement leaves those before it.
        assert!(sqlx::query(add).bind("a").execute(&mut *tx).await.is_err());
        tx.commit().await.unwrap();
        let names: Vec<String> = sqlx::query_scalar("SELECT name FROM owner ORDER BY name")
            .fetch_all(&here)
            .await
            .unwrap();
        assert_eq!(names, ["a", "b", "e"]);
    }

    #[tokio::test]
    async fn it_waits_for_the_file_and_leaves_the_thread_free() {
        let folder = tempfile::tempdir().unwrap();
        let [here, _] = both(folder.path()).await;
        let other = SqliteConnectOptions::new().filename(folder.path().join(SCHEME));
        let other = SqlitePool::connect_with(other).await.unwrap();
        let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        // Both run on this one thread: whoever blocked it would wait in vain.
        let (begun, ()) = tokio::join!(here.begin_with("BEGIN IMMEDIATE"), async {
            tokio::task::yield_now().await;
            held.rollback().await.unwrap();
        });
        begun.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_statement_gets_every_value_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let [here, _] = both(folder.path()).await;
        for wrong in ["SELECT $2", "SELECT :name", "SELECT $name", "SELEKT $1"] {
            assert!(
                sqlx::query(wrong)
                    .bind(1_i64)
                    .fetch_one(&here)
                    .await
                    .is_err(),
                "{wrong}"
            );
        }
        let right = sqlx::query("SELECT $1").bind(1_i64).fetch_one(&here).await;
        assert_eq!(right.unwrap().get::<i64, _>(0), 1);
    }
}
