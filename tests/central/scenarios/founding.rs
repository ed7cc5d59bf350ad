//! Only founding founds: what nobody founded does not open, and what was founded stays what it is.

use std::os::unix::fs::PermissionsExt as _;

use card::gp::Key;
use document::Environment;
use sqlx::Row;

use super::house::{actor, with_house};
use crate::database::Database;
use crate::{Central, CentralError, DatabaseSource, database_form};

async fn is_refused(house: &super::house::House, database: &DatabaseSource) {
    let mut config = house.config();
    config.database = database.clone();
    match Central::open(config).await {
        Err(error @ CentralError::Unfounded { .. }) => {
            assert!(error.to_string().contains("zimogs central init"), "{error}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn a_store_that_nobody_founded_does_not_open() {
    with_house(
        "scenarios::founding::a_store_that_nobody_founded_does_not_open",
        async |house| {
            let database = house.another("nobody").await;
            let before = database_form(&database).await.unwrap();
            is_refused(&house, &database).await;
            assert_eq!(database_form(&database).await.unwrap(), before);
            if let DatabaseSource::Sqlite(file) = &database {
                assert!(!file.exists(), "looking makes no file");
                std::fs::write(file, "").unwrap();
                is_refused(&house, &database).await;
                assert_eq!(std::fs::metadata(file).unwrap().len(), 0);
            }

            // Founding that was cut off after the database got its form.
            Database::open(&database).await.unwrap().close().await;
            is_refused(&house, &database).await;
            let mut config = house.config();
            config.database = database.clone();
            Central::establish(config).await.unwrap().close().await;
            assert!(database_form(&database).await.unwrap().is_founded);
            let mut config = house.config();
            config.database = database.clone();
            let central = Central::open(config).await.unwrap();
            let mut tx = central.read().await.unwrap();
            let row = sqlx::query("SELECT count(*) FROM installation")
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert_eq!(row.get::<i64, _>(0), 1);
            drop(tx);
            central.close().await;
        },
    );
}

#[test]
fn a_database_without_a_column_that_is_meant_is_refused() {
    with_house(
        "scenarios::founding::a_database_without_a_column_that_is_meant_is_refused",
        async |house| {
            house.central.prove_statements().await.unwrap();
            let mut config = house.config();
            config.database = house.another("altered").await;
            let central = Central::establish(config).await.unwrap();
            central.prove_statements().await.unwrap();
            let mut tx = central.write().await.unwrap();
            sqlx::query("ALTER TABLE incident RENAME COLUMN kind TO sort")
                .execute(&mut *tx)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            let refused = central.prove_statements().await.unwrap_err();
            assert!(matches!(refused, CentralError::Setup { .. }), "{refused}");
            let said = refused.to_string();
            assert!(said.contains("kind") && said.contains("incident"), "{said}");
            central.close().await;
        },
    );
}

#[test]
fn an_installation_stays_what_it_was_founded_as() {
    with_house(
        "scenarios::founding::an_installation_stays_what_it_was_founded_as",
        async |house| {
            let number = house.prepared("01-adult").await;
            let (key, certificate) = (
                house.central.audit_key().clone(),
                house.central.authority_certificate().to_vec(),
            );
            house.central.close().await;
            let mut other = house.config();
            (other.environment, other.series) = (Environment::Production, "PA".into());
            assert!(
                matches!(Central::open(other).await, Err(CentralError::Setup { reason }) if reason.contains("belongs to a test"))
            );
            let mut renamed = house.config();
            renamed.origin = "other.example/central".into();
            assert!(
                matches!(Central::open(renamed).await, Err(CentralError::Setup { reason }) if reason.contains("audit log"))
            );
            let mut crossed = house.config();
            crossed.series = "PA".into();
            assert!(matches!(
                Central::open(crossed).await,
                Err(CentralError::Setup { .. })
            ));

            if let DatabaseSource::Sqlite(file) = house.config().database {
                let mode = std::fs::metadata(file).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "the file holds personal data");
            }
            let again = Central::open(house.config())
                .await
                .unwrap()
                .on_own_machine();
            assert_eq!(
                (again.audit_key(), again.authority_certificate()),
                (&key, &certificate[..])
            );
            assert_eq!(
                again.documents(&actor("clerk")).await.unwrap()[0].number,
                Some(number.to_string())
            );
        },
    );
}

#[test]
fn production_refuses_the_published_key() {
    with_house(
        "scenarios::founding::production_refuses_the_published_key",
        async |house| {
            let published: Vec<u8> = (0x40..0x50).collect();
            house
                .token
                .import_master_key("published", &Key::new(&published).unwrap())
                .unwrap();
            let mut config = house.config();
            config
                .keys
                .masters
                .insert("transport".into(), "published".into());
            config.database = house.another("other").await;
            (config.environment, config.series) = (Environment::Production, "PA".into());
            assert!(
                matches!(Central::establish(config).await, Err(CentralError::Environment { reason }) if reason.contains("published"))
            );
            let mut missing = house.config();
            missing.keys.audit = "nowhere".into();
            assert!(matches!(
                Central::open(missing).await,
                Err(CentralError::Token(_))
            ));
        },
    );
}
