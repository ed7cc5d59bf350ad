//! Whose turn it is, through the store: due days, priorities, offices with stations of their own.

use document::OfficeCode;
use jiff::SignedDuration;
use serde_json::Value;
use sqlx::Row;

use super::house::{
    House, PRODUCT, actor, operator, request, sample, with_adapted_house, with_file_house,
    with_house,
};
use crate::turn::{FIRST_IN_QUEUE, IN_WORK};
use crate::{Central, Config};

async fn apply(house: &House, reference: &str, office: &str, priority: &str) {
    let mut application: Value = serde_json::from_slice(&sample("applications/01-adult")).unwrap();
    application["reference"] = reference.into();
    application["office"] = office.into();
    application["priority"] = priority.into();
    let bytes = serde_json::to_vec(&application).unwrap();
    let central = &house.central;
    central.import(&actor("clerk"), &bytes).await.unwrap();
    central
        .approve(&actor("approver"), reference)
        .await
        .unwrap();
}

/// Leases whatever is next for a slot of an office, and returns the reference of its application.
async fn next(house: &House, slot: &str, office: Option<&str>) -> Option<String> {
    use api::Centre;
    let mut request = request(slot, &[PRODUCT]);
    request.office = office.map(|office| OfficeCode::parse(office).unwrap());
    let lease = house.central.lease(&operator(), &request).await.unwrap()?;
    let mut tx = house.central.read().await.unwrap();
    let row = sqlx::query("SELECT application FROM document WHERE number = $1")
        .bind(lease.record.number.to_string())
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    Some(row.get("application"))
}

#[test]
fn a_normal_document_whose_day_has_come_goes_before_urgent_ones() {
    with_house(
        "scenarios::queueing::a_normal_document_whose_day_has_come_goes_before_urgent_ones",
        async |house| {
            // Friday 20 November: due on 4 December. Two weeks later it is the day.
            apply(&house, "NORMAL-1", "RIGA-1", "normal").await;
            house.clock.pass(SignedDuration::from_hours(24));
            // Saturday: due on the same day.
            apply(&house, "NORMAL-2", "RIGA-1", "normal").await;
            house.clock.pass(SignedDuration::from_hours(13 * 24));
            // Friday 4 December: due on Tuesday the 8th.
            for urgent in ["URGENT-1", "URGENT-2", "URGENT-3"] {
                apply(&house, urgent, "RIGA-1", "urgent").await;
            }
            apply(&house, "NORMAL-3", "RIGA-1", "normal").await;
            let mut order = Vec::new();
            for slot in ["a", "b", "c", "d", "e", "f"] {
                order.push(next(&house, slot, None).await.unwrap());
            }
            assert_eq!(
                order,
                [
                    "NORMAL-1", "NORMAL-2", "URGENT-1", "URGENT-2", "URGENT-3", "NORMAL-3"
                ]
            );
            assert_eq!(next(&house, "g", None).await, None);
        },
    );
}

fn daugavpils(config: &mut Config) {
    config.own_stations = [OfficeCode::parse("DAUGAVPILS").unwrap()].into();
}

#[test]
fn an_office_with_stations_makes_its_documents_and_no_others() {
    with_adapted_house(
        "scenarios::queueing::an_office_with_stations_makes_its_documents_and_no_others",
        daugavpils,
        async |mut house| {
            use api::Centre;
            apply(&house, "D-1", "DAUGAVPILS", "urgent").await;
            apply(&house, "R-1", "RIGA-1", "normal").await;
            apply(&house, "D-2", "DAUGAVPILS", "normal").await;
            assert_eq!(next(&house, "a", None).await.as_deref(), Some("R-1"));
            assert_eq!(next(&house, "b", None).await, None);
            let local = Some("DAUGAVPILS");
            assert_eq!(next(&house, "c", local).await.as_deref(), Some("D-1"));
            let mut unknown = request("d", &[PRODUCT]);
            unknown.office = Some(OfficeCode::parse("RIGA-1").unwrap());
            let refused = house.central.lease(&operator(), &unknown).await;
            assert!(refused.unwrap_err().to_string().contains("own_stations"));

            // The office gives its stations up: what waits there is the centre's from the next start.
            house.central.close().await;
            let mut config = house.config();
            config.own_stations.clear();
            let reopened = Central::open(config).await.unwrap().on_own_machine();
            house.central = reopened;
            assert_eq!(next(&house, "b", None).await.as_deref(), Some("D-2"));
        },
    );
}

#[test]
fn the_next_document_is_one_search_in_an_index() {
    with_file_house(
        "scenarios::queueing::the_next_document_is_one_search_in_an_index",
        |_| {},
        async |house| {
            let mut tx = house.central.read().await.unwrap();
            for (sql, index) in [
                (FIRST_IN_QUEUE, "document_queue"),
                (
                    "SELECT id FROM lease WHERE state = 'open' AND expires <= $1 ORDER BY expires, id",
                    "lease_running",
                ),
                (
                    &*format!(
                        "SELECT DISTINCT place, office FROM document WHERE {IN_WORK} AND office IS NOT NULL"
                    ),
                    "document_in_work",
                ),
                (
                    &*format!(
                        "SELECT kind, urgent, count(*), min(applied), min(due) FROM document WHERE {IN_WORK} AND state <> 'quality-passed' GROUP BY kind, urgent"
                    ),
                    "document_in_work",
                ),
                (
                    "SELECT count(*) FROM document_event WHERE event IN ('hand-over', 'hand-over-here') AND day >= $1 AND day <= $2",
                    "document_event_of_day",
                ),
            ] {
                let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
                let rows = sqlx::query(explained).fetch_all(&mut *tx).await.unwrap();
                let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
                assert!(steps[0].contains(index), "{sql}: {steps:?}");
                let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
                assert!(!sorts || index != "document_queue", "{sql}: {steps:?}");
            }
        },
    );
}
