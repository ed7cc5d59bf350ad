//! Personal data at rest: nobody reads it without the token, in no other place, and not after its
//! term, in backups either.

use std::path::{Path, PathBuf};

use audit::Outcome;
use document::{DataClass, DocumentNumber, Kind, PersonalCode};
use jiff::SignedDuration;
use jiff::civil::date;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::bench::make;
use super::house::{
    House, actor, is_conflict, is_refused, sample, with_adapted_house, with_file_house, with_house,
};
use super::travel::{passport, travelling};
use crate::blind_index::in_work;
use crate::{Central, CentralError, DatabaseSource, PersonQuery};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn is_damaged<T>(result: &Result<T, CentralError>) -> bool {
    matches!(result, Err(CentralError::Damaged { .. }))
}

/// Returns an application with another reference.
fn application(name: &str, reference: &str) -> Vec<u8> {
    let mut application: serde_json::Value =
        serde_json::from_slice(&sample(&format!("applications/{name}"))).unwrap();
    application["reference"] = reference.into();
    application.to_string().into_bytes()
}

async fn import(house: &House, name: &str, reference: &str) {
    let bytes = application(name, reference);
    let imported = house.central.import(&actor("clerk"), &bytes).await;
    imported.unwrap();
}

async fn approve(house: &House, reference: &str) -> Result<Option<DocumentNumber>, CentralError> {
    house.central.approve(&actor("approver"), reference).await
}

/// Makes a document and hands it over; returns its number.
pub(super) async fn handed_over(house: &House, sequence: u64) -> String {
    let (lease, _) = make(house, sequence).await;
    let number = lease.record.number.to_string();
    let (central, quality) = (&house.central, actor("quality"));
    central.pass_quality(&quality, &number).await.unwrap();
    let handed = central.hand_over(&actor("clerk"), &number).await;
    handed.unwrap();
    number
}

/// Runs the erasure each day for so long.
pub(super) async fn pass_days(house: &House, days: u16) {
    for _ in 0..days {
        house.clock.pass(DAY);
        house.central.erase().await.unwrap();
    }
}

pub(super) async fn keys_of(house: &House, class: DataClass) -> i64 {
    let mut tx = house.central.read().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM data_key WHERE class = $1")
        .bind(class.name())
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

/// Demands that a text is in none of the database's files.
fn assert_not_in(database: &Path, texts: &[&str]) {
    for beside in ["", "-wal"] {
        let mut path = database.as_os_str().to_owned();
        path.push(beside);
        let Ok(bytes) = std::fs::read(PathBuf::from(path)) else {
            continue;
        };
        for text in texts {
            let found = bytes.windows(text.len()).any(|at| at == text.as_bytes());
            assert!(!found, "{text} stands in the database{beside}");
        }
    }
}

#[test]
fn what_is_stored_opens_in_its_own_place_only() {
    with_file_house(
        "scenarios::protection::what_is_stored_opens_in_its_own_place_only",
        |_| {},
        async |house| {
            for reference in ["A", "B", "C", "D"] {
                import(&house, "18-fingerprints", reference).await;
            }
            assert_not_in(
                &house.file(),
                &["Pirkstiņa", "Nospiede", "17048816377", "170488-16377"],
            );
            house
                .meddle("UPDATE application SET content = (SELECT content FROM application WHERE reference = 'B') WHERE reference = 'A'")
                .await;
            assert!(is_damaged(&approve(&house, "A").await), "another's row");
            house
                .meddle("UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE subject = 'C' AND class = 'identity') WHERE subject = 'B' AND class = 'identity'")
                .await;
            assert!(is_damaged(&approve(&house, "B").await), "another's key");
            house
                .meddle("UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE subject = 'C' AND class = 'identity') WHERE subject = 'C' AND class = 'biometrics'")
                .await;
            assert!(
                is_damaged(&approve(&house, "C").await),
                "another class's key"
            );
            let number = approve(&house, "D").await.unwrap().unwrap();
            house
                .meddle("UPDATE document SET record = subjects WHERE application = 'D'")
                .await;
            let document = crate::documents::Document::numbered(
                &mut house.central.read().await.unwrap(),
                &number.to_string(),
            )
            .await
            .unwrap();
            let mut tx = house.central.read().await.unwrap();
            let opened = house.central.open_record(&mut tx, &document).await;
            assert!(is_damaged(&opened), "another column");
            let entries = house.entries().await;
            assert!(entries.iter().all(|entry| {
                let text = String::from_utf8(entry.encode().unwrap()).unwrap();
                !text.contains("Pirkstiņa") && !text.contains("16377")
            }));
        },
    );
}

#[test]
fn keys_are_turned_and_backups_end_with_them() {
    with_file_house(
        "scenarios::protection::keys_are_turned_and_backups_end_with_them",
        |_| {},
        async |house| {
            import(&house, "18-fingerprints", "A").await;
            import(&house, "01-adult", "B").await;
            let backup = house.folder.path().join("backup.db");
            let into = format!("VACUUM INTO '{}'", backup.display());
            let mut connection =
                SqlitePool::connect_with(SqliteConnectOptions::new().filename(house.file()))
                    .await
                    .unwrap()
                    .acquire()
                    .await
                    .unwrap();
            sqlx::query(sqlx::AssertSqlSafe(into))
                .execute(&mut *connection)
                .await
                .unwrap();
            drop(connection);

            let refused = house
                .central
                .turn_wrapping_keys(&actor("clerk"), &|_| {})
                .await;
            assert!(is_refused(&refused));
            let turned = house
                .central
                .turn_wrapping_keys(&actor("officer"), &|_| {})
                .await
                .unwrap();
            assert_eq!((turned.made, turned.taken), (4, 4));
            assert_eq!((turned.wrapped, turned.destroyed), (4, 0));
            let old = house
                .number("SELECT count(*) FROM data_key WHERE generation < 2")
                .await;
            assert_eq!(old, 0);
            approve(&house, "A").await.unwrap();
            // Wrapped under one generation and said to be of another.
            house
                .meddle(
                    "UPDATE data_key SET generation = 1 WHERE subject = 'B' AND class = 'identity'",
                )
                .await;
            assert!(is_damaged(&approve(&house, "B").await));
            house
                .meddle(
                    "UPDATE data_key SET generation = 2 WHERE subject = 'B' AND class = 'identity'",
                )
                .await;
            // The backup of before is readable until its keys are destroyed.
            let mut config = house.config();
            config.database = DatabaseSource::Sqlite(backup.clone());
            let restored = Central::open(config).await.unwrap().on_own_machine();
            restored.close().await;

            pass_days(&house, DataClass::Identity.backup_days()).await;
            assert_eq!(house.central.overdue_after("", 100).await.unwrap(), []);
            let mut config = house.config();
            config.database = DatabaseSource::Sqlite(backup);
            let refused = Central::open(config).await.err().unwrap();
            assert!(
                matches!(&refused, CentralError::Setup { reason } if reason.contains("identity")),
                "{refused:?}"
            );
            let destroyed = "SELECT label FROM wrapping_key WHERE class = 'identity' AND generation = 1 AND state = 'destroyed'";
            let label = house.scalar(destroyed).await;
            let there = house.token.keys().unwrap();
            assert!(there.iter().all(|key| key.label != label));
            assert_eq!(
                house.count("wrapping-key.destroyed", Outcome::Done).await as i64,
                house
                    .number("SELECT count(*) FROM wrapping_key WHERE state = 'destroyed'")
                    .await
            );
            approve(&house, "B").await.unwrap();
        },
    );
}

#[test]
fn each_class_goes_at_its_term_and_leaves_a_proof() {
    with_house(
        "scenarios::protection::each_class_goes_at_its_term_and_leaves_a_proof",
        async |house| {
            house.prepared("18-fingerprints").await;
            let reference = "APP-2026-000018";
            let number = handed_over(&house, 1).await;
            let central = &house.central;
            assert_eq!(keys_of(&house, DataClass::Biometrics).await, 0);
            let images = house.number("SELECT count(*) FROM biometric_data").await;
            assert_eq!(images, 0, "with the hand-over, not after it");
            let erased = |entry: &audit::Entry| {
                entry.action.as_str() == "personal-data.erased"
                    && entry.subject.reference.as_str() == reference
            };
            assert_eq!(
                house.entries().await.iter().filter(|e| erased(e)).count(),
                1
            );

            pass_days(&house, 90).await;
            assert_eq!(keys_of(&house, DataClass::Identity).await, 1);
            pass_days(&house, 1).await;
            assert_eq!(keys_of(&house, DataClass::Identity).await, 0);
            let content = house
                .number("SELECT length(content) FROM application")
                .await;
            assert_eq!(content, 0);
            let again = central.erase().await.unwrap();
            assert_eq!(
                (again.identities, again.biometrics, again.records),
                (0, 0, 0)
            );
            assert_eq!(
                house.entries().await.iter().filter(|e| erased(e)).count(),
                2
            );
            assert_eq!(central.overdue_after("", 100).await.unwrap(), []);
            // What is left to do with the document needs its record, which is there.
            let code = PersonQuery {
                code: Some("17048816377".into()),
                ..PersonQuery::default()
            };
            let found = central.search(&actor("clerk"), &code).await.unwrap();
            assert_eq!(found[0].number.as_deref(), Some(number.as_str()));

            house.meddle("UPDATE document SET state = 'revoked'").await;
            central.erase().await.unwrap();
            pass_days(&house, 90).await;
            assert_eq!(keys_of(&house, DataClass::Record).await, 0);
            assert_eq!(house.scalar("SELECT record FROM document").await, "");
            let found = central.search(&actor("clerk"), &code).await.unwrap();
            assert!(found.is_empty(), "the index forgot them");
            let document =
                crate::documents::Document::numbered(&mut central.read().await.unwrap(), &number)
                    .await
                    .unwrap();
            let mut tx = central.read().await.unwrap();
            assert!(is_conflict(&central.open_record(&mut tx, &document).await));
            assert_eq!(
                house.entries().await.iter().filter(|e| erased(e)).count(),
                3
            );
        },
    );
}

#[test]
fn biometrics_go_where_nobody_needs_them_any_more() {
    with_adapted_house(
        "scenarios::protection::biometrics_go_where_nobody_needs_them_any_more",
        travelling,
        async |house| {
            let central = &house.central;
            import(&house, "01-adult", "REFUSED").await;
            let approver = actor("approver");
            let cause = "the portrait is another person's";
            central.reject(&approver, "REFUSED", cause).await.unwrap();
            passport(&house, "NOT-MADE").await;
            assert_eq!(keys_of(&house, DataClass::Biometrics).await, 2);
            assert_eq!(central.erase().await.unwrap().biometrics, 1);

            // Nobody made it, nobody collected it.
            pass_days(&house, 60).await;
            assert_eq!(keys_of(&house, DataClass::Biometrics).await, 1);
            house.clock.pass(DAY);
            let erased = central.erase().await.unwrap();
            assert_eq!((erased.biometrics, erased.stranded), (1, 1));
            assert!(
                house.lease_for("slot-1", &["icao-lds"]).await.is_none(),
                "it is made no more, and holds up nothing"
            );
            let document = crate::documents::Document::numbered(
                &mut central.read().await.unwrap(),
                &house.scalar("SELECT number FROM document").await,
            )
            .await
            .unwrap();
            let mut tx = central.read().await.unwrap();
            let opened = central.open_record(&mut tx, &document).await;
            assert!(is_conflict(&opened), "erased, not damaged");
        },
    );
}

#[test]
fn an_erasure_that_did_not_run_is_overdue() {
    with_house(
        "scenarios::protection::an_erasure_that_did_not_run_is_overdue",
        async |house| {
            house.prepared("18-fingerprints").await;
            let central = &house.central;
            assert_eq!(central.overdue_after("", 100).await.unwrap(), []);
            house.clock.pass(3 * DAY);
            let overdue = central.overdue_after("", 100).await.unwrap();
            assert_eq!(overdue.len(), 1);
            assert_eq!(overdue[0].what, "erasure");
            house.clock.pass(70 * DAY);
            let overdue = central.overdue_after("", 100).await.unwrap();
            let of = |what: &str| overdue.iter().filter(|one| one.what == what).count();
            assert_eq!((of("erasure"), of("biometrics")), (1, 1));
            assert_eq!(of("wrapping-key"), 4);
            let (mut paged, mut after) = (Vec::new(), String::new());
            loop {
                let page = central.overdue_after(&after, 1).await.unwrap();
                let Some(last) = page.last() else { break };
                after = last.place();
                paged.extend(page);
            }
            assert_eq!(paged, overdue, "each is on one page");
            for wrong in ["data", "data identity x y", "APP-1"] {
                let refused = central.overdue_after(wrong, 1).await;
                assert!(matches!(refused, Err(CentralError::Invalid { .. })));
            }
            // The next key waits for a backup of the token.
            central.erase().await.unwrap();
            pass_days(&house, 1).await;
            assert_eq!(central.overdue_after("", 100).await.unwrap(), []);
            // A key that the books have destroyed and that is still in the token.
            house
                .meddle("UPDATE wrapping_key SET state = 'destroyed' WHERE state = 'retired' AND class = 'record'")
                .await;
            let overdue = central.overdue_after("", 100).await.unwrap();
            assert_eq!(overdue.len(), 1);
            assert_eq!(overdue[0].what, "wrapping-key");
        },
    );
}

#[test]
fn people_are_found_by_what_nobody_reads() {
    with_house(
        "scenarios::protection::people_are_found_by_what_nobody_reads",
        async |house| {
            let central = &house.central;
            import(&house, "18-fingerprints", "A").await;
            import(&house, "18-fingerprints", "B").await;
            import(&house, "01-adult", "C").await;
            let search = async |query: PersonQuery| {
                let found = central.search(&actor("clerk"), &query).await.unwrap();
                let mut found: Vec<_> = found.into_iter().map(|one| one.application).collect();
                found.sort();
                found
            };
            let name = |name: &str| PersonQuery {
                name: Some(name.into()),
                ..PersonQuery::default()
            };
            assert_eq!(search(name("pirkstina NOSPIEDE")).await, ["A", "B"]);
            assert!(search(name("Pirkstiņa")).await.is_empty(), "all names");
            let surname = PersonQuery {
                surname: Some("PIRKSTIŅA".into()),
                birth_date: Some(date(1988, 4, 17)),
                ..PersonQuery::default()
            };
            assert_eq!(search(surname.clone()).await, ["A", "B"]);
            let other_day = PersonQuery {
                birth_date: Some(date(1988, 4, 18)),
                ..surname
            };
            assert!(search(other_day).await.is_empty());
            let code = PersonQuery {
                code: Some("170488-16377".into()),
                ..PersonQuery::default()
            };
            assert_eq!(search(code.clone()).await, ["A", "B"]);

            for person in ["operator", "administrator", "auditor", "nobody"] {
                let refused = central.search(&actor(person), &code).await;
                assert!(is_refused(&refused), "{person}");
            }
            assert_eq!(house.count("application.searched", Outcome::Done).await, 5);
            assert_eq!(
                house.count("application.searched", Outcome::Refused).await,
                4
            );
            for entry in house.entries().await {
                let text = String::from_utf8(entry.encode().unwrap()).unwrap();
                let text = text.to_uppercase();
                assert!(
                    !text.contains("PIRKSTI") && !text.contains("16377"),
                    "{text}"
                );
            }

            let person = PersonalCode::parse("170488-16377").unwrap();
            let of = async |kind| {
                let mut tx = central.read().await.unwrap();
                in_work(&mut tx, central, &person, kind).await.unwrap()
            };
            assert_eq!(of(Kind::IdCard).await, ["A", "B"]);
            assert!(of(Kind::Passport).await.is_empty());
            let reason = "entered twice";
            central
                .reject(&actor("approver"), "A", reason)
                .await
                .unwrap();
            assert_eq!(of(Kind::IdCard).await, ["B"]);
        },
    );
}

#[test]
fn without_its_keys_a_store_does_not_open() {
    with_house(
        "scenarios::protection::without_its_keys_a_store_does_not_open",
        async |house| {
            import(&house, "01-adult", "A").await;
            house.central.close().await;
            let setup = async |wanted: &str| {
                let error = Central::open(house.config()).await.err().unwrap();
                let is =
                    matches!(&error, CentralError::Setup { reason } if reason.contains(wanted));
                assert!(is, "{error:?}");
            };
            let label = house.config().keys.index;
            house.token.destroy_key(&label).unwrap();
            setup(&label).await;
            house
                .token
                .generate_master_key(&label, hsm::MasterKeySize::Aes256)
                .unwrap();
            Central::open(house.config()).await.unwrap().close().await;
            let keys = house.token.keys().unwrap();
            let record = keys.iter().find(|key| key.label.starts_with("pd-record-"));
            house.token.destroy_key(&record.unwrap().label).unwrap();
            setup("record").await;
        },
    );
}

/// A record as an earlier version stored it.
const RECORD: &str = r#"{"number":"XA0000001","kind":"passport","issued":"2026-11-02","expires":"2036-11-01","holder":{"surname":"Pirkstiņa","given_names":"Nospiede","personal_code":"170488-16377","birth_date":"1988-04-17","sex":"F","nationality":"LVA"},"certificates":false,"prepared":{"dg1":"615B5F1F58","dg2":"75AABBCCDD"}}"#;

#[test]
fn what_an_earlier_version_stored_is_encrypted_when_it_opens() {
    with_file_house(
        "scenarios::protection::what_an_earlier_version_stored_is_encrypted_when_it_opens",
        travelling,
        async |house| {
            let file = house.folder.path().join("earlier.db");
            let mut earlier = sqlx::migrate!("./migrations/sqlite");
            let until = earlier.migrations.iter().filter(|one| one.version <= 8);
            earlier.migrations = until.cloned().collect::<Vec<_>>().into();
            let options = SqliteConnectOptions::new()
                .filename(&file)
                .create_if_missing(true)
                .foreign_keys(false);
            let pool = SqlitePool::connect_with(options).await.unwrap();
            earlier.run(&pool).await.unwrap();
            let fixed = "INSERT INTO account VALUES ('c', 'clerk', 0), ('a', 'approver', 0);
                INSERT INTO account_role VALUES ('c', 'clerk'), ('a', 'approver');
                INSERT INTO number VALUES ('XA0000001', 'd', 'allotted');
                INSERT INTO document_signer VALUES ('01', 1);
                INSERT INTO signed_lds VALUES ('l', 'chip', 'd', 'XA0000001', x'00', '01', '{\"sod\":\"77CCDDEEFF\"}', 0);";
            sqlx::raw_sql(fixed).execute(&pool).await.unwrap();
            for (reference, state) in [("A", "received"), ("B", "in-production")] {
                sqlx::query("INSERT INTO application (reference, kind, priority, state, content, entered_by, entered) VALUES (?, 'id-card', 'normal', ?, ?, 'c', 0)")
                    .bind(reference)
                    .bind(state)
                    .bind(application("18-fingerprints", reference))
                    .execute(&pool)
                    .await
                    .unwrap();
            }
            sqlx::query("INSERT INTO document VALUES ('d', 'B', 'passport', 'passport', 'XA0000001', 'queued', 0, '2026-12-04', '2026-11-02', '2036-11-01', ?, '{\"key\":\"3000\"}', NULL)")
                .bind(RECORD)
                .execute(&pool)
                .await
                .unwrap();
            pool.close().await;

            let mut config = house.config();
            config.database = DatabaseSource::Sqlite(file.clone());
            let central = Central::establish(config).await.unwrap().on_own_machine();
            let clear = [
                "Pirkstiņa",
                "17048816377",
                "170488-16377",
                "75AABBCCDD",
                "77CCDDEEFF",
            ];
            assert_not_in(&file, &clear);
            let mut tx = central.read().await.unwrap();
            let document = crate::documents::Document::numbered(&mut tx, "XA0000001")
                .await
                .unwrap();
            let record = central.open_record(&mut tx, &document).await.unwrap();
            assert_eq!(serde_json::to_string(&record).unwrap(), RECORD);
            let subjects = central.open_subjects(&mut tx, &document).await.unwrap();
            assert_eq!(subjects["key"], [0x30, 0x00]);
            let offices = sqlx::query("SELECT office FROM application").fetch_all(&mut *tx);
            for row in offices.await.unwrap() {
                assert_eq!(
                    row.get::<Option<String>, _>("office").as_deref(),
                    Some("RIGA-1")
                );
            }
            let code = PersonalCode::parse("170488-16377").unwrap();
            let found = in_work(&mut tx, &central, &code, Kind::IdCard)
                .await
                .unwrap();
            assert_eq!(found, ["A", "B"]);
            drop(tx);
            let keys = "SELECT count(*) FROM data_key";
            let mut tx = central.read().await.unwrap();
            let before: i64 = sqlx::query_scalar(keys).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(before, 5, "two of each application, one of the record");
            drop(tx);
            central.close().await;
            // Once: what is encrypted stays as it is.
            let mut config = house.config();
            config.database = DatabaseSource::Sqlite(file.clone());
            let central = Central::open(config).await.unwrap().on_own_machine();
            let mut tx = central.read().await.unwrap();
            let after: i64 = sqlx::query_scalar(keys).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(after, before);
            drop(tx);
            central.close().await;
        },
    );
}
