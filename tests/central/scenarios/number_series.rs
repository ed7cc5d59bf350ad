//! Numbers: from the series of their kind, each once, each accounted for.

use std::collections::BTreeSet;

use document::{DocumentNumber, Kind};
use jiff::SignedDuration;

use super::house::{House, actor, is_conflict, is_refused, sample, with_house};
use crate::{CentralError, NewSeries};

fn series(prefix: &str, first: u32, last: u32, kinds: &[Kind]) -> NewSeries {
    NewSeries {
        prefix: prefix.into(),
        first,
        last,
        kinds: kinds.to_vec(),
    }
}

/// Enters the adult's application once more, under another reference.
async fn entered(house: &House, index: u32) -> String {
    let text = String::from_utf8(sample("applications/01-adult")).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["reference"] = format!("APP-SERIES-{index:04}").into();
    let content = serde_json::to_vec(&value).unwrap();
    let reference = house.central.import(&actor("clerk"), &content).await;
    reference.unwrap().to_string()
}

async fn number(house: &House, index: u32) -> Result<DocumentNumber, CentralError> {
    let reference = entered(house, index).await;
    let approved = house.central.approve(&actor("approver"), &reference).await;
    approved.map(|number| number.expect("from a series"))
}

async fn faults(house: &House) -> Vec<String> {
    let check = house.central.check_numbers(&actor("auditor")).await;
    check.unwrap().faults
}

#[test]
fn a_series_follows_the_one_before_it_and_each_has_its_kinds() {
    with_house(
        "scenarios::number_series::a_series_follows_the_one_before_it_and_each_has_its_kinds",
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            let open = async |new: NewSeries, witness: &str| {
                central.open_series(&administrator, &new, witness).await
            };
            let ids = [Kind::IdCard];
            assert!(is_refused(
                &open(series("XB", 1, 2, &ids), "administrator").await
            ));
            assert!(is_refused(
                &open(series("XA", 9_999_999, 9_999_999, &ids), "officer").await
            ));
            for impossible in [
                series("PB", 1, 2, &ids),
                series("XB", 0, 2, &ids),
                series("XB", 3, 2, &ids),
                series("XB", 1, 2, &[]),
            ] {
                let done = open(impossible, "officer").await;
                assert!(matches!(done, Err(CentralError::Invalid { .. })));
            }
            let passports = series("XP", 1, 9, &[Kind::Passport]);
            assert_eq!(open(passports, "officer").await.unwrap(), "XP0000001");
            assert_eq!(
                open(series("XB", 1, 2, &ids), "officer").await.unwrap(),
                "XB0000001"
            );
            let second = open(series("XB", 3, 4, &ids), "officer").await.unwrap();
            assert_eq!(number(&house, 1).await.unwrap().to_string(), "XA0000001");
            let close = central
                .close_series(&administrator, "XA0000001", "officer", "new model")
                .await;
            close.unwrap();
            let again = central
                .close_series(&administrator, "XA0000001", "officer", "again")
                .await;
            assert!(is_conflict(&again));
            let mut given = Vec::new();
            for index in 2..6 {
                given.push(number(&house, index).await.unwrap().to_string());
            }
            let expected = ["XB0000001", "XB0000002", "XB0000003", "XB0000004"];
            assert_eq!(given, expected, "then the next of the kind");
            let none = number(&house, 6).await;
            assert!(
                is_refused(&none),
                "the passports' numbers are the passports'"
            );
            assert!(
                none.unwrap_err()
                    .to_string()
                    .contains("open another series")
            );
            open(series("XC", 1, 9_999_999, &ids), "officer")
                .await
                .unwrap();
            let approved = central.approve(&actor("approver"), "APP-SERIES-0006").await;
            assert_eq!(approved.unwrap().unwrap().to_string(), "XC0000001");

            let lines = central.series(&actor("auditor")).await.unwrap();
            let shown: Vec<_> = lines
                .iter()
                .map(|line| (&*line.id, line.open, line.remaining, line.nearly_used_up))
                .collect();
            let expected = [
                ("XA0000001", false, 9_999_998, false),
                ("XP0000001", true, 9, false),
                ("XB0000001", true, 0, false),
                ("XB0000003", true, 0, false),
                ("XC0000001", true, 9_999_998, false),
            ];
            assert_eq!(shown, expected);
            assert_eq!(lines[2].followed_by.as_deref(), Some("XC0000001"));
            assert_eq!(lines[3].id, second);
            assert_eq!(faults(&house).await, Vec::<String>::new());
        },
    );
}

#[test]
fn a_series_warns_before_it_is_used_up() {
    with_house(
        "scenarios::number_series::a_series_warns_before_it_is_used_up",
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            central
                .close_series(
                    &administrator,
                    "XA0000001",
                    "officer",
                    "a small one instead",
                )
                .await
                .unwrap();
            let small = series("XB", 1, 5, Kind::ALL);
            let opened = central.open_series(&administrator, &small, "officer").await;
            let id = opened.unwrap();
            let of = async || {
                let all = central.series(&actor("auditor")).await.unwrap();
                all.into_iter().find(|line| line.id == id).unwrap()
            };
            assert!(!of().await.nearly_used_up, "nothing is given from it");
            number(&house, 1).await.unwrap();
            // Four are left, one was given in thirty days: they last a hundred and twenty.
            let line = of().await;
            assert!(!line.nearly_used_up);
            assert_eq!(line.used_up.unwrap().to_string(), "2027-03-20");
            number(&house, 2).await.unwrap();
            number(&house, 3).await.unwrap();
            // Two are left and three were given: twenty days.
            let line = of().await;
            assert!(line.nearly_used_up && line.followed_by.is_none());
            assert_eq!(line.used_up.unwrap().to_string(), "2026-12-10");
            house.clock.pass(SignedDuration::from_hours(24 * 31));
            assert!(!of().await.nearly_used_up, "the pace has slackened");
        },
    );
}

#[test]
fn void_numbers_are_never_given_and_each_number_is_accounted_for() {
    with_house(
        "scenarios::number_series::void_numbers_are_never_given_and_each_number_is_accounted_for",
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            let void = async |from: &str, to: &str, witness: &str| {
                let range = (from.parse().unwrap(), to.parse().unwrap());
                central
                    .void_numbers(&administrator, range, witness, "printed by mistake")
                    .await
            };
            assert!(is_refused(
                &void("XA0000002", "XA0000003", "administrator").await
            ));
            assert_eq!(void("XA0000002", "XA0000003", "officer").await.unwrap(), 2);
            assert_eq!(void("XA0000004", "XA0000004", "officer").await.unwrap(), 1);
            assert!(is_refused(&void("XA0000003", "XA0000009", "officer").await));
            assert!(is_refused(&void("XB0000001", "XB0000001", "officer").await));
            assert!(void("XA0000009", "XA0000008", "officer").await.is_err());
            let first = number(&house, 1).await.unwrap();
            let second = number(&house, 2).await.unwrap();
            assert_eq!(first.to_string(), "XA0000001");
            assert_eq!(second.to_string(), "XA0000005", "past all that are void");
            assert!(is_refused(&void("XA0000005", "XA0000006", "officer").await));
            let check = central.check_numbers(&actor("auditor")).await.unwrap();
            assert_eq!(check.faults, Vec::<String>::new());
            let account = &check.accounts[0];
            assert_eq!((account.given, account.allotted, account.void), (5, 2, 3));

            // What is not accounted for is named.
            house.meddle("UPDATE series SET next = 10").await;
            let named = faults(&house).await;
            assert!(named.contains(&"numbers XA0000006 to XA0000009 are not accounted for".into()));
            house
                .meddle(house.either(
                    "UPDATE series SET next = 6; PRAGMA defer_foreign_keys = ON; DELETE FROM void_range WHERE first = 4",
                    "UPDATE series SET next = 6; DELETE FROM void_range WHERE first = 4",
                ))
                .await;
            let named = faults(&house).await;
            assert!(
                named.contains(&"number XA0000004 is not accounted for".into()),
                "{named:?}"
            );
            house
                .meddle("UPDATE number SET state = 'spoiled' WHERE number = 'XA0000005'")
                .await;
            let named = faults(&house).await;
            assert!(named.contains(&"number XA0000005 is spoiled, and a document has it".into()));
            house.meddle("UPDATE series SET next = 3").await;
            let named = faults(&house).await;
            assert!(named.iter().any(|line| {
                line.contains("XA0000005 is in the books, and series XA0000001 comes to XA0000003")
            }));
        },
    );
}

#[test]
fn numbers_that_are_asked_for_at_once_are_all_different() {
    with_house(
        "scenarios::number_series::numbers_that_are_asked_for_at_once_are_all_different",
        async |house| {
            const APPLICATIONS: u32 = 60;
            let administrator = actor("administrator");
            let central = &house.central;
            let close = central
                .close_series(&administrator, "XA0000001", "officer", "short ones")
                .await;
            close.unwrap();
            // Several short series, so that those who ask meet at their ends too.
            for first in [1, 21, 41] {
                let short = series("XB", first, first + 19, &[Kind::IdCard]);
                let opened = central.open_series(&administrator, &short, "officer").await;
                opened.unwrap();
            }
            let mut references = Vec::new();
            for index in 0..APPLICATIONS {
                references.push(entered(&house, index).await);
            }
            // A second store over the same database, as another instance has it.
            let other = crate::Central::open(house.config())
                .await
                .unwrap()
                .on_own_machine();
            let asked = references
                .into_iter()
                .enumerate()
                .map(|(index, reference)| {
                    let store = if index % 2 == 0 { central } else { &other }.clone();
                    tokio::spawn(async move { store.approve(&actor("approver"), &reference).await })
                });
            let asked: Vec<_> = asked.collect();
            let mut given = BTreeSet::new();
            for one in asked {
                let number = one.await.unwrap().unwrap().unwrap();
                assert!(given.insert(number.to_string()), "{number} was given twice");
            }
            let expected = (1..=APPLICATIONS).map(|place| format!("XB{place:07}"));
            assert!(given.iter().eq(expected.collect::<BTreeSet<_>>().iter()));
            assert_eq!(faults(&house).await, Vec::<String>::new());
            other.close().await;
        },
    );
}
