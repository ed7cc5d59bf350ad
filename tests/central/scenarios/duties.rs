//! What the store does by itself: once among instances, at its time, and told where it fails.

use std::time::Duration;

use jiff::SignedDuration;

use super::house::{House, with_house};
use crate::{CentralError, Duty};

const MINUTE: Duration = Duration::from_secs(60);

async fn attend(house: &House, instance: &str) -> Result<Option<u64>, CentralError> {
    let duty = Duty::ExpireDocuments;
    house.central.attend(duty, MINUTE, instance).await
}

#[test]
fn a_duty_is_done_once_a_period_among_all_instances() {
    with_house(
        "scenarios::duties::a_duty_is_done_once_a_period_among_all_instances",
        async |house| {
            let (one, other) = tokio::join!(attend(&house, "one"), attend(&house, "other"));
            let mut turns = [one.unwrap(), other.unwrap()];
            turns.sort_unstable();
            assert_eq!(turns, [None, Some(0)], "one of them did it");
            house.clock.pass(SignedDuration::from_secs(59));
            assert_eq!(attend(&house, "one").await.unwrap(), None);
            house.clock.pass(SignedDuration::from_secs(1));
            assert_eq!(attend(&house, "other").await.unwrap(), Some(0));
            assert_eq!(attend(&house, "one").await.unwrap(), None);
            for &duty in Duty::ALL {
                let done = house.central.attend(duty, MINUTE, "one").await.unwrap();
                assert_eq!(done.is_some(), duty != Duty::ExpireDocuments, "{duty:?}");
            }
            let neglected = house.central.neglected(|_| MINUTE).await.unwrap();
            assert_eq!(neglected, []);
            // Nobody does it for long enough.
            house.clock.pass(SignedDuration::from_mins(19));
            let neglected = house.central.neglected(|_| MINUTE).await.unwrap();
            assert_eq!(neglected.len(), Duty::ALL.len());
            assert!(neglected.iter().all(|one| one.failing.is_none()));
        },
    );
}

#[test]
fn an_instance_that_died_at_it_is_followed_by_another() {
    with_house(
        "scenarios::duties::an_instance_that_died_at_it_is_followed_by_another",
        async |house| {
            // As one leaves it that was killed.
            let mut tx = house.central.write().await.unwrap();
            let until = house.central.now() + SignedDuration::from_mins(15);
            sqlx::query(
                "INSERT INTO duty (name, holder, until, begun) VALUES ($1, 'dead', $2, $3)",
            )
            .bind(Duty::ExpireDocuments.name())
            .bind(until.as_millisecond())
            .bind(house.central.now().as_millisecond())
            .execute(&mut *tx)
            .await
            .unwrap();
            tx.commit().await.unwrap();
            assert_eq!(attend(&house, "other").await.unwrap(), None);
            house.clock.pass(SignedDuration::from_mins(15));
            assert_eq!(attend(&house, "other").await.unwrap(), Some(0));
        },
    );
}

#[test]
fn what_fails_is_told_and_tried_again() {
    with_house(
        "scenarios::duties::what_fails_is_told_and_tried_again",
        async |house| {
            let hour = MINUTE * 60;
            let central = &house.central;
            assert!(central.attend(Duty::Tidy, hour, "one").await.is_ok());
            house.clock.pass(SignedDuration::from_hours(1));
            let rename = async |from: &str, to: &str| {
                let sql = format!("ALTER TABLE {from} RENAME TO {to}");
                let mut tx = central.write().await.unwrap();
                sqlx::query(sqlx::AssertSqlSafe(sql))
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            };
            rename("second_person", "gone").await;
            assert!(central.attend(Duty::Tidy, hour, "one").await.is_err());
            let neglected = central.neglected(|duty| duty.usual()).await.unwrap();
            assert_eq!(neglected.len(), 1);
            assert_eq!(neglected[0].duty, Duty::Tidy);
            assert_eq!(neglected[0].failing, Some(central.now()));
            // Not at once, and not only in an hour.
            let at_once = central.attend(Duty::Tidy, hour, "other").await;
            assert_eq!(at_once.unwrap(), None);
            rename("gone", "second_person").await;
            house.clock.pass(SignedDuration::from_mins(1));
            let again = central.attend(Duty::Tidy, hour, "other").await;
            assert_eq!(again.unwrap(), Some(0));
            let neglected = central.neglected(|duty| duty.usual()).await.unwrap();
            assert_eq!(neglected, []);
        },
    );
}

#[test]
fn leases_that_ended_are_counted() {
    with_house(
        "scenarios::duties::leases_that_ended_are_counted",
        async |house| {
            house.prepared("01-adult").await;
            house.prepared("05-nineteen").await;
            let expire = async || {
                let duty = Duty::ExpireLeases;
                house.central.attend(duty, MINUTE, "one").await.unwrap()
            };
            for slot in ["a", "b"] {
                house.lease(slot).await.unwrap();
            }
            assert_eq!(expire().await, Some(0), "both are open");
            house.clock.pass(SignedDuration::from_hours(24));
            assert_eq!(expire().await, Some(2));
            house.clock.pass(SignedDuration::from_mins(1));
            assert_eq!(expire().await, Some(0), "each once");
        },
    );
}
