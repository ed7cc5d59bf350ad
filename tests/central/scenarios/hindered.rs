//! What takes several transactions, where others are in the way of one of them: what was committed
//! before is not done again, and is counted. On PostgreSQL, which can be told to say so.

use std::collections::BTreeSet;

use audit::Outcome;
use jiff::SignedDuration;
use sqlx::AssertSqlSafe;

use super::house::{House, actor, with_house};
use crate::DatabaseSource;

/// Has the server say twice that another transaction was in the way, where a row of this table is
/// touched so.
async fn hinder(house: &House, event: &str, table: &str) {
    let statements = [
        "CREATE SEQUENCE hindrances".to_owned(),
        // What a sequence gave stays given, whatever becomes of the transaction.
        "CREATE FUNCTION hinder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('hindrances') <= 2 THEN
                 RAISE EXCEPTION 'hindered' USING ERRCODE = 'serialization_failure';
             END IF;
             RETURN COALESCE(NEW, OLD);
         END $$"
            .to_owned(),
        format!(
            "CREATE TRIGGER hindered BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION hinder()"
        ),
    ];
    let mut tx = house.central.write().await.unwrap();
    for sql in statements {
        sqlx::query(AssertSqlSafe(sql))
            .execute(&mut *tx)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn hindrances(house: &House) -> i64 {
    house.number("SELECT last_value FROM hindrances").await
}

fn is_shared(house: &House) -> bool {
    matches!(house.database, DatabaseSource::Postgres(_))
}

#[test]
fn documents_that_got_numbers_before_the_hindrance_are_counted() {
    with_house(
        "scenarios::hindered::documents_that_got_numbers_before_the_hindrance_are_counted",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            for name in ["01-adult", "05-nineteen", "06-twenty"] {
                house.prepared(name).await;
            }
            house.clock.pass(SignedDuration::from_mins(1));
            let (officer, witness) = (actor("officer"), "keeper");
            let begun = house
                .central
                .begin_reconciliation(&officer, witness, None, 10);
            begun.await.unwrap();
            // The numbers are given in a transaction of their own; this one ends it.
            hinder(&house, "UPDATE OF finished", "restoration").await;
            let given_up = BTreeSet::from(["station-1".to_owned()]);
            let ended = house
                .central
                .end_reconciliation(&officer, witness, &given_up, "it burnt");
            assert_eq!(ended.await.unwrap(), 3);
            assert_eq!(hindrances(&house).await, 3);
            assert_eq!(house.count("document.renumbered", Outcome::Done).await, 3);
            let entries = house.entries().await;
            let ends = |entry: &&audit::Entry| entry.action.as_str() == "store.reconciled";
            let ended: Vec<_> = entries.iter().filter(ends).collect();
            assert_eq!(ended.len(), 1);
            assert_eq!(ended[0].details.get("renumbered"), Some("3"));
        },
    );
}

#[test]
fn what_was_erased_is_counted_once() {
    with_house(
        "scenarios::hindered::what_was_erased_is_counted_once",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            let mut references = Vec::new();
            for name in ["01-adult", "05-nineteen"] {
                let clerk = actor("clerk");
                let content = super::house::sample(&format!("applications/{name}"));
                references.push(house.central.import(&clerk, &content).await.unwrap());
            }
            for reference in &references {
                let approver = actor("approver");
                let rejected = house.central.reject(
                    &approver,
                    reference.as_str(),
                    "another person's portrait",
                );
                rejected.await.unwrap();
            }
            house.clock.pass(SignedDuration::from_hours(24 * 90));
            hinder(&house, "DELETE", "data_key").await;
            let first = house.central.erase().await.unwrap();
            house.clock.pass(SignedDuration::from_hours(24 * 90));
            let second = house.central.erase().await.unwrap();
            assert_eq!(first.biometrics + second.biometrics, 2);
            assert_eq!(first.identities + second.identities, 2);
            assert!(hindrances(&house).await > 2);
            let erased = house.count("personal-data.erased", Outcome::Done).await;
            assert_eq!(erased, 4);
        },
    );
}
