//! The token's keys of personal data where token and books are not of the same time: a backup of the
//! books that is older than the token, and a token that is older than the books.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use audit::Outcome;
use document::DataClass;
use jiff::SignedDuration;
use tokio::sync::Notify;

use super::house::{House, actor, is_conflict, sample, with_file_house, with_house};
use super::races::application;
use crate::{Central, CentralError, DatabaseSource, Rewrapping};

async fn import(house: &House, name: &str, reference: &str) {
    let mut application: serde_json::Value =
        serde_json::from_slice(&sample(&format!("applications/{name}"))).unwrap();
    application["reference"] = reference.into();
    let (clerk, content) = (actor("clerk"), application.to_string());
    let imported = house.central.import(&clerk, content.as_bytes()).await;
    imported.unwrap();
}

/// Runs the erasure each day for so long.
async fn pass_days(house: &House, days: u16) {
    for _ in 0..days {
        house.clock.pass(SignedDuration::from_hours(24));
        house.central.erase().await.unwrap();
    }
}

async fn back_up(house: &House, name: &str) -> PathBuf {
    let file = house.folder.path().join(name);
    let administrator = actor("administrator");
    house.central.back_up(&administrator, &file).await.unwrap();
    file
}

/// Opens a store with what a backup holds; the backup stays as it is.
async fn restored(house: &House, backup: &Path) -> Result<Central, CentralError> {
    let file = house.folder.path().join("restored.db");
    for beside in ["restored.db", "restored.db-wal", "restored.db-shm"] {
        let _ = std::fs::remove_file(house.folder.path().join(beside));
    }
    std::fs::copy(backup, &file).unwrap();
    let mut config = house.config();
    config.database = DatabaseSource::Sqlite(file);
    Central::open(config).await
}

/// Opens the data key of a subject's class.
async fn key(central: &Central, subject: &str, class: DataClass) -> Result<(), CentralError> {
    let mut tx = central.read().await.unwrap();
    let key = central.protection().key(&mut tx, subject, class).await;
    key.map(drop)
}

#[test]
fn a_backup_from_while_keys_were_turned_says_what_it_has_lost() {
    with_file_house(
        "scenarios::wrapping_keys::a_backup_from_while_keys_were_turned_says_what_it_has_lost",
        |_| {},
        async |house| {
            let (identity, biometrics) = (DataClass::Identity, DataClass::Biometrics);
            import(&house, "18-fingerprints", "A").await;
            // The next keys are in use, and what is live still lies under those before.
            for class in [identity, biometrics] {
                house.central.next_key_now(class).await.unwrap();
            }
            let midway = back_up(&house, "midway.db").await;
            // Wrapped anew; the keys before are retired, and kept for backups.
            assert_eq!(house.central.erase().await.unwrap().keys.wrapped, 2);
            let after = back_up(&house, "after.db").await;
            for backup in [&midway, &after] {
                let central = restored(&house, backup).await.unwrap();
                for class in [identity, biometrics] {
                    key(&central, "A", class).await.unwrap();
                }
                central.close().await;
            }

            // The first key of biometrics is destroyed, that of identities is not.
            pass_days(&house, biometrics.backup_days() + 1).await;
            let central = restored(&house, &midway).await.unwrap();
            key(&central, "A", identity).await.unwrap();
            let lost = key(&central, "A", biometrics).await;
            assert!(is_conflict(&lost), "erased, not damaged: {lost:?}");
            let said = lost.unwrap_err().to_string();
            assert!(said.contains("is not in the token any more"), "{said}");
            let approved = central.approve(&actor("approver"), "A").await;
            assert!(is_conflict(&approved));
            assert_eq!(central.erase().await.unwrap().keys.lost, 1);
            central.close().await;
            let central = restored(&house, &after).await.unwrap();
            for class in [identity, biometrics] {
                key(&central, "A", class).await.unwrap();
            }
            // The key that it has as retired is gone already: its end is noted, and nothing else.
            let gone = "SELECT count(*) FROM wrapping_key WHERE class = 'biometrics' AND generation = 1 AND state = 'destroyed'";
            let turned = central.erase().await.unwrap().keys;
            assert_eq!(turned.lost, 0);
            let mut tx = central.read().await.unwrap();
            let noted: i64 = sqlx::query_scalar(gone).fetch_one(&mut *tx).await.unwrap();
            drop(tx);
            assert_eq!(noted, 1);
            central.approve(&actor("approver"), "A").await.unwrap();
            central.close().await;

            // The first key of identities too, and the second one of biometrics.
            pass_days(&house, identity.backup_days() - biometrics.backup_days()).await;
            let refused = restored(&house, &midway).await.err().unwrap();
            assert!(
                matches!(&refused, CentralError::Setup { reason } if reason.contains("identity data") && reason.contains("a later backup of the database")),
                "{refused:?}"
            );
            let central = restored(&house, &after).await.unwrap();
            key(&central, "A", identity).await.unwrap();
            assert!(is_conflict(&key(&central, "A", biometrics).await));
            // Keys that were made after it are in the token, and it says that it does not know them.
            let unknown = central.compare_wrapping_keys().await.unwrap().unknown;
            assert!(!unknown.is_empty());
            let overdue = central.overdue_after("", 100).await.unwrap();
            for label in &unknown {
                let told = |one: &&crate::Overdue| {
                    one.what == "unknown-wrapping-key" && one.reference == *label
                };
                assert_eq!(overdue.iter().filter(told).count(), 1, "{label}");
            }
            central.close().await;
        },
    );
}

#[test]
fn a_key_that_only_the_token_knows_is_told() {
    with_house(
        "scenarios::wrapping_keys::a_key_that_only_the_token_knows_is_told",
        async |house| {
            let central = &house.central;
            assert_eq!(central.overdue_after("", 100).await.unwrap(), []);
            let unknown = "pd-identity-9-0badcafe";
            house.token.generate_wrapping_key(unknown).unwrap();
            // Others' names say nothing.
            house.token.generate_wrapping_key("pd-archive").unwrap();
            let overdue = central.overdue_after("", 100).await.unwrap();
            assert_eq!(overdue.len(), 1);
            assert_eq!(
                (&*overdue[0].what, &*overdue[0].reference),
                ("unknown-wrapping-key", unknown)
            );
            // It is not the store's to destroy.
            central.erase().await.unwrap();
            assert_eq!(central.overdue_after("", 100).await.unwrap().len(), 1);
            house.token.destroy_key(unknown).unwrap();
            assert_eq!(central.overdue_after("", 100).await.unwrap(), []);
        },
    );
}

#[test]
fn a_key_that_was_lost_while_it_waited_is_not_taken_into_use() {
    with_house(
        "scenarios::wrapping_keys::a_key_that_was_lost_while_it_waited_is_not_taken_into_use",
        async |house| {
            let (central, officer) = (&house.central, actor("officer"));
            import(&house, "18-fingerprints", "A").await;
            pass_days(&house, DataClass::Biometrics.key_days() - 1).await;
            let waits = "SELECT label FROM wrapping_key WHERE state = 'waiting'";
            let label = house.scalar(waits).await;
            house.token.destroy_key(&label).unwrap();
            let differences = central.compare_wrapping_keys().await.unwrap();
            assert_eq!(differences.missing, std::slice::from_ref(&label));

            house.clock.pass(SignedDuration::from_hours(24));
            for _ in 0..2 {
                let refused = central.erase().await.err().unwrap();
                assert!(
                    matches!(&refused, CentralError::KeyMissing { label: named } if *named == label),
                    "{refused:?}"
                );
            }
            let current = "SELECT generation FROM wrapping_key WHERE class = 'biometrics' AND state = 'current'";
            assert_eq!(house.number(current).await, 1);
            key(central, "A", DataClass::Biometrics).await.unwrap();

            // An officer has another one made.
            let turned = central.turn_wrapping_keys(&officer, &|_| {}).await.unwrap();
            assert_eq!((turned.taken, turned.lost), (4, 0));
            assert_eq!(house.number(current).await, 3);
            assert_eq!(house.count("wrapping-key.lost", Outcome::Done).await, 1);
            key(central, "A", DataClass::Biometrics).await.unwrap();
            let differences = central.compare_wrapping_keys().await.unwrap();
            assert_eq!(differences, crate::WrappingKeyDifferences::default());
            central.erase().await.unwrap();
            assert_eq!(central.overdue_after("", 100).await.unwrap(), []);
        },
    );
}

#[test]
fn rewrapping_that_was_cut_off_goes_on() {
    with_house(
        "scenarios::wrapping_keys::rewrapping_that_was_cut_off_goes_on",
        async |house| {
            const OLD: &str =
                "SELECT count(*) FROM data_key WHERE class = 'identity' AND generation = 1";
            for number in 0..7 {
                let content = application(number);
                let entered = house.central.import(&actor("clerk"), &content).await;
                entered.unwrap();
            }
            assert_eq!(house.number(OLD).await, 7);
            let seen = Mutex::new(Vec::new());
            let told = Notify::new();
            let watch = |progress: Rewrapping| {
                seen.lock().unwrap().push(progress);
                told.notify_one();
            };
            let officer = actor("officer");
            // The first batch is written when it is told; what would come then never comes.
            tokio::select! {
                biased;
                () = told.notified() => {}
                _ = house.central.turn_wrapping_keys(&officer, &watch) => {}
            }
            let progress = seen.lock().unwrap()[0];
            assert_eq!((progress.class, progress.done), (DataClass::Identity, 3));
            assert_eq!(progress.total, 7);
            let left = house.number(OLD).await;
            assert!((1..=4).contains(&left), "{left}");

            seen.lock().unwrap().clear();
            let erased = house.central.erase_watched(&watch).await.unwrap();
            assert_eq!(erased.keys.wrapped, left.unsigned_abs());
            assert_eq!(house.number(OLD).await, 0);
            let totals: Vec<_> = seen.lock().unwrap().iter().map(|one| one.total).collect();
            assert!(totals.iter().all(|total| *total == left.unsigned_abs()));
            // What they encrypt is read as before.
            for number in 0..7 {
                let reference = format!("APP-2026-9{number:05}");
                let approver = actor("approver");
                house.central.approve(&approver, &reference).await.unwrap();
            }
            assert_eq!(house.central.erase().await.unwrap().keys.wrapped, 0);
        },
    );
}

#[test]
fn nothing_is_stored_under_a_key_that_another_instance_turned_meanwhile() {
    with_house(
        "scenarios::wrapping_keys::nothing_is_stored_under_a_key_that_another_instance_turned_meanwhile",
        async |house| {
            import(&house, "18-fingerprints", "A").await;
            // This instance saw the keys of then, and seals what comes in before its transaction.
            let other = Central::open(house.config()).await.unwrap();
            for class in [DataClass::Identity, DataClass::Biometrics] {
                other.next_key_now(class).await.unwrap();
            }
            other.close().await;
            import(&house, "18-fingerprints", "B").await;
            let mut tx = house.central.read().await.unwrap();
            let under: Vec<String> = sqlx::query_scalar(
                "SELECT w.state FROM data_key k JOIN wrapping_key w ON w.class = k.class AND w.generation = k.generation
                 WHERE k.subject = $1",
            )
            .bind("B")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
            assert_eq!(under, ["current", "current"]);
            drop(tx);
            for class in [DataClass::Identity, DataClass::Biometrics] {
                key(&house.central, "B", class).await.unwrap();
            }
        },
    );
}
