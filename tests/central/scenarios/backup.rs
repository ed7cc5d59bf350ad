//! Copies of the store: made while it works, judged before anybody works with one.

use std::collections::BTreeSet;

use audit::Outcome;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::cluster::{self, Cluster, Server};
use super::house::{House, actor, is_refused, with_file_house, with_house};
use crate::{Central, CentralError, DatabaseSource, judge_copy, judge_database};

/// Changes a copy behind everybody's back.
async fn meddle(file: &std::path::Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(file);
    let mut copy = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut copy).await.unwrap();
    copy.close().await.unwrap();
}

/// Returns the last checkpoint of the log, as an export has it.
async fn checkpoint(house: &House) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let auditor = actor("auditor");
    house
        .central
        .export_audit(&auditor, folder.path())
        .await
        .unwrap();
    std::fs::read(folder.path().join("checkpoint")).unwrap()
}

#[test]
fn a_store_is_copied_while_it_works_and_opens_again() {
    with_file_house(
        "scenarios::backup::a_store_is_copied_while_it_works_and_opens_again",
        |_| {},
        async |house| {
            let administrator = actor("administrator");
            let first = house.prepared("01-adult").await;
            let seen = checkpoint(&house).await;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("copy.db");
            let refused = house.central.back_up(&actor("clerk"), &file).await;
            assert!(is_refused(&refused));
            assert!(!file.exists());
            let copied = house.central.back_up(&administrator, &file).await.unwrap();
            assert_eq!(copied.log.waiting, 0);
            // What is there is never written over.
            let again = house.central.back_up(&administrator, &file).await;
            assert!(matches!(again, Err(CentralError::File { .. })));
            assert_eq!(house.count("store.backed-up", Outcome::Done).await, 1);

            let judged = judge_copy(&file, None).await.unwrap();
            assert_eq!(judged, copied);
            assert_eq!(judge_copy(&file, Some(&seen)).await.unwrap(), copied);

            // The store goes on: who has seen more of its log does not take the copy for it.
            let second = house.prepared("05-nineteen").await;
            let later = checkpoint(&house).await;
            let lacking = judge_copy(&file, Some(&later)).await.unwrap_err();
            assert!(
                matches!(lacking, CentralError::Lacking { entries, seen } if entries == copied.log.entries && seen > entries),
                "{lacking}"
            );

            // The copy is the store as it was.
            house.central.close().await;
            let mut config = house.config();
            config.database = crate::DatabaseSource::Sqlite(file.clone());
            let restored = Central::open(config).await.unwrap().on_own_machine();
            let documents = restored.documents(&actor("auditor")).await.unwrap();
            let numbers: Vec<_> = documents
                .iter()
                .filter_map(|line| line.number.clone())
                .collect();
            assert_eq!(numbers, [first.to_string()]);
            assert_ne!(first, second);
            restored.close().await;
        },
    );
}

#[test]
fn a_copy_that_was_altered_is_none() {
    with_file_house(
        "scenarios::backup::a_copy_that_was_altered_is_none",
        |_| {},
        async |house| {
            house.prepared("01-adult").await;
            let folder = tempfile::tempdir().unwrap();
            for (name, sql) in [
                (
                    "entry.db",
                    "DROP TRIGGER audit_entry_is_sequenced_once; UPDATE audit_entry SET entry = x'00' WHERE leaf = 1;",
                ),
                (
                    "gap.db",
                    "DROP TRIGGER audit_entry_stays; DELETE FROM audit_entry WHERE leaf = 1;",
                ),
                (
                    "short.db",
                    "DROP TRIGGER audit_entry_stays; DELETE FROM audit_entry WHERE leaf > 1;",
                ),
                (
                    "dangling.db",
                    "PRAGMA foreign_keys = OFF; DELETE FROM document;",
                ),
                (
                    "none.db",
                    "DROP TRIGGER audit_checkpoint_stays; DELETE FROM audit_checkpoint;",
                ),
            ] {
                let file = folder.path().join(name);
                let administrator = actor("administrator");
                house.central.back_up(&administrator, &file).await.unwrap();
                meddle(&file, sql).await;
                let judged = judge_copy(&file, None).await;
                assert!(
                    matches!(judged, Err(CentralError::Damaged { .. })),
                    "{name}: {judged:?}"
                );
            }
            let file = folder.path().join("good.db");
            let administrator = actor("administrator");
            house.central.back_up(&administrator, &file).await.unwrap();
            let foreign = judge_copy(&file, Some(b"nonsense")).await;
            assert!(matches!(foreign, Err(CentralError::Invalid { .. })));
        },
    );
}

#[test]
fn a_server_comes_back_as_of_a_moment_and_is_judged_before_it_serves() {
    with_house(
        "scenarios::backup::a_server_comes_back_as_of_a_moment_and_is_judged_before_it_serves",
        async |mut house| {
            if let DatabaseSource::Sqlite(_) = house.database {
                return;
            }
            let Some(server) = Cluster::start(Server::Archived) else {
                return;
            };
            cluster::administer(&server.folder, "CREATE DATABASE books").await;
            house.central.close().await;
            house.database = cluster::source(&server.folder, "books");
            house.central = Central::establish(house.config())
                .await
                .unwrap()
                .on_own_machine();
            house.found().await;
            let before = house.prepared("01-adult").await;
            let copy = server.base_backup();
            let since = house.prepared("05-nineteen").await;
            let seen = checkpoint(&house).await;
            server.restore_point("noon");
            let lost = house.prepared("06-twenty").await;
            let later = checkpoint(&house).await;
            server.restore_point("evening");
            let refused = house.central.back_up_beside(&actor("clerk")).await;
            assert!(is_refused(&refused));
            let beside = house.central.back_up_beside(&actor("administrator")).await;
            let beside = beside.unwrap();
            house.central.close().await;

            let restored = Cluster::restored(copy, "noon");
            let source = cluster::source(&restored.folder, "books");
            let judged = judge_database(&source, Some(&seen)).await.unwrap();
            assert!(judged.entries < beside.entries);
            assert_eq!(judged.checkpoint.as_bytes(), &seen[..]);
            // Somebody has seen entries that came after noon.
            for witness in [&later[..], beside.checkpoint.as_bytes()] {
                let lacking = judge_database(&source, Some(witness)).await.unwrap_err();
                assert!(
                    matches!(lacking, CentralError::Lacking { entries, seen } if entries == judged.entries && seen > entries),
                    "{lacking}"
                );
            }
            // It is the store as it was at noon, and goes on.
            house.database = source;
            house.central = Central::open(house.config())
                .await
                .unwrap()
                .on_own_machine();
            let auditor = actor("auditor");
            let documents = house.central.documents(&auditor).await.unwrap();
            let numbers: BTreeSet<_> = documents
                .into_iter()
                .filter_map(|line| line.number)
                .collect();
            assert_eq!(
                numbers,
                BTreeSet::from([before.to_string(), since.to_string()])
            );
            // This is what the witness keeps from happening.
            assert_eq!(house.prepared("06-twenty").await, lost);
            house.central.close().await;
            let empty = cluster::source(&restored.folder, "postgres");
            let none = judge_database(&empty, None).await;
            assert!(matches!(none, Err(CentralError::Damaged { .. })));
        },
    );
}
