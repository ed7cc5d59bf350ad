//! Lists that grow while somebody turns their pages.

use std::collections::BTreeSet;
use std::ops::Range;

use document::life_cycle::DocumentState;
use sqlx::Row as _;

use super::house::{House, actor, with_file_house, with_house};
use super::races::application;
use crate::statements::Statement;

/// Enters and approves applications of these numbers.
async fn entered(house: &House, numbers: Range<usize>) {
    for number in numbers {
        let (clerk, approver) = (actor("clerk"), actor("approver"));
        let (central, content) = (&house.central, application(number));
        let reference = central.import(&clerk, &content).await.unwrap();
        let reference = reference.to_string();
        central.approve(&approver, &reference).await.unwrap();
    }
}

#[test]
fn whoever_turns_the_pages_finds_what_came_meanwhile_at_the_end() {
    with_house(
        "scenarios::paging::whoever_turns_the_pages_finds_what_came_meanwhile_at_the_end",
        async |house| {
            entered(&house, 0..4).await;
            let mut next = 4;

            let auditor = actor("auditor");
            for state in [None, Some(DocumentState::Queued)] {
                let mut seen: Vec<(String, String)> = Vec::new();
                let (there, until) = (next, next + 8);
                loop {
                    let after = seen.last().map_or("", |(turn, _)| turn).to_owned();
                    let page = house.central.documents_after(&auditor, state, &after, 3);
                    let page = page.await.unwrap();
                    if page.is_empty() {
                        break;
                    }
                    seen.extend(page.into_iter().map(|one| (one.turn, one.application)));
                    if next < until {
                        entered(&house, next..next + 4).await;
                        next += 4;
                    }
                }
                let once: BTreeSet<_> = seen.iter().map(|(_, application)| application).collect();
                assert_eq!((seen.len(), once.len()), (next, next));
                // Those that were there come first.
                let last = format!("APP-2026-9{:05}", there - 1);
                let at = seen
                    .iter()
                    .position(|(_, application)| *application == last);
                assert_eq!(at, Some(there - 1));
            }
        },
    );
}

/// Statements that sort before they stop, by words that each has alone: of what one lease, document or
/// parcel has, of what is few, or read as a whole, once.
const SORTED: [&str; 14] = [
    "FROM sealed_stage s WHERE s.lease = l.id",
    "JOIN parcel_document d ON d.document = e.document",
    "p.serial = d.parcel",
    "JOIN quarantined_report q",
    "FROM quarantined_report q WHERE q.touched = 1",
    "FROM envelope WHERE number = $1",
    "FROM series ORDER BY",
    "FROM data_key WHERE due <= $1",
    "coalesce(due, 0)",
    "count(b.serial) AS booked",
    "FROM blank_movement",
    "PARTITION BY ribbon",
    "AS BIGINT)) OVER",
    "event = 'spoil-blank'",
];

/// A page that is sorted out of everything costs as much as all pages, and all of them that much again
/// for each.
#[test]
fn a_page_is_read_in_the_order_of_an_index() {
    with_file_house(
        "scenarios::paging::a_page_is_read_in_the_order_of_an_index",
        |_| {},
        async |house| {
            let mut tx = house.central.read().await.unwrap();
            let mut sorted = Vec::new();
            for Statement(text) in inventory::iter::<Statement> {
                let is_page = text.contains("ORDER BY") && text.contains("LIMIT");
                if !is_page || SORTED.iter().any(|known| text.contains(known)) {
                    continue;
                }
                let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
                let rows = sqlx::query(explained).fetch_all(&mut *tx).await.unwrap();
                // What is sorted for one row alone stands below it, and what is sorted among equals is few.
                let is_sorted = rows.iter().any(|row| {
                    let (parent, step): (i64, String) = (row.get("parent"), row.get("detail"));
                    parent == 0 && step == "USE TEMP B-TREE FOR ORDER BY"
                });
                if is_sorted {
                    sorted.push(*text);
                }
            }
            assert_eq!(sorted, [""; 0]);
        },
    );
}
