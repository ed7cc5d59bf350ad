//! Documents that nobody collected: their biometrics are erased in time, and what becomes of document
//! and blank afterwards is booked all the same.

use api::{BlankEnd, Centre, Report};
use document::DataClass;
use jiff::SignedDuration;

use super::bench::{personalize_chip, report, reported};
use super::house::{House, actor, is_conflict, operator, with_adapted_house};
use super::travel::{TRAVEL, booklet, leased, passport, travelling};

/// Makes a passport, and lets so much time pass that its biometrics are erased; returns its number.
async fn forgotten(house: &House) -> String {
    let number = passport(house, "P-1").await.to_string();
    let chip = booklet(house).await;
    let lease = leased(house, "a").await;
    let run = personalize_chip(house, &lease, TRAVEL, chip, Vec::new()).await;
    assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
    let done = Report {
        chips: vec![reported(TRAVEL, &run)],
        ..report(&lease, 1, &run, BlankEnd::Personalized)
    };
    house.central.report(&operator(), &done).await.unwrap();
    house.clock.pass(SignedDuration::from_hours(24 * 70));
    let erased = house.central.erase().await.unwrap();
    assert_eq!((erased.biometrics, erased.stranded), (1, 0));
    let sql = "SELECT count(*) FROM data_key WHERE class = 'biometrics'";
    assert_eq!(house.number(sql).await, 0);
    assert_eq!(DataClass::Biometrics.days(), Some(60));
    number
}

/// The blank is in one account, the number on no other document, and the document in the queue is
/// counted among what cannot be made and is cancelled.
async fn is_booked(house: &House, number: &str, new: &str, blank: &str) {
    assert_ne!(number, new);
    assert_eq!(house.scalar("SELECT state FROM blank").await, blank);
    assert_eq!(house.scalar("SELECT state FROM document").await, "queued");
    assert_eq!(house.scalar("SELECT number FROM document").await, new);
    let auditor = actor("auditor");
    let stock = house.central.check_stock(&auditor).await.unwrap();
    assert_eq!(stock.differences, Vec::<String>::new());
    let numbers = house.central.check_numbers(&auditor).await.unwrap();
    assert_eq!(numbers.faults, Vec::<String>::new());

    assert_eq!(house.central.erase().await.unwrap().stranded, 1);
    assert!(house.lease_for("b", &[TRAVEL]).await.is_none());
    let (officer, cause) = (actor("officer"), "its biometrics are erased");
    let cancelled = house.central.cancel_document(&officer, "P-1", cause).await;
    cancelled.unwrap();
    assert_eq!(house.central.erase().await.unwrap().stranded, 0);
    let again = house.central.cancel_document(&officer, "P-1", cause).await;
    assert!(is_conflict(&again));
}

#[test]
fn one_that_is_missing_is_booked_after_its_biometrics_are_erased() {
    with_adapted_house(
        "scenarios::erased_biometrics::one_that_is_missing_is_booked_after_its_biometrics_are_erased",
        travelling,
        async |house| {
            let number = forgotten(&house).await;
            let (central, quality) = (&house.central, actor("quality"));
            central.pass_quality(&quality, &number).await.unwrap();
            let new = central
                .document_missing(&actor("clerk"), &number, "quality", "not in its drawer")
                .await;
            let new = new.unwrap().unwrap().to_string();
            is_booked(&house, &number, &new, "missing").await;
        },
    );
}

#[test]
fn one_that_fails_is_booked_after_its_biometrics_are_erased() {
    with_adapted_house(
        "scenarios::erased_biometrics::one_that_fails_is_booked_after_its_biometrics_are_erased",
        travelling,
        async |house| {
            let number = forgotten(&house).await;
            let new = house
                .central
                .fail_quality(&actor("quality"), &number, "crooked")
                .await;
            let new = new.unwrap().unwrap().to_string();
            is_booked(&house, &number, &new, "spoiled").await;
        },
    );
}
