//! Only founding founds: what nobody founded does not open.

use sqlx::Row;

use super::house::with_house;
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
