//! Reports: once, in order, and only what is true of the blank.

use api::{ApiError, BlankEnd, Centre};
use audit::Outcome;
use document::life_cycle::{BlankState, CertificateState};
use vcard::{Fault, FaultKind};

use super::bench::{
    bare_report, disbelieved, journal, make, personalize, put_aside, report, spoiled, untouched,
};
use super::house::{actor, operator, printed, with_house};

fn is_conflict(result: Result<(), ApiError>) -> bool {
    matches!(result, Err(ApiError::Conflict { .. }))
}

#[test]
fn a_report_counts_once_and_in_order() {
    with_house(
        "scenarios::reporting::a_report_counts_once_and_in_order",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            house.prepared("06-twenty").await;
            let (lease, run) = make(&house, 1).await;
            let first = report(&lease, 1, &run, BlankEnd::Personalized);
            let entries = house.entries().await.len();
            central.report(&operator(), &first).await.unwrap();
            assert_eq!(
                house.entries().await.len(),
                entries,
                "a repeated report does nothing"
            );

            // Another report under the same number: the station's history forked.
            let mut forked = first.clone();
            forked.milliseconds += 1;
            assert!(is_conflict(central.report(&operator(), &forked).await));
            let next = house.lease("a").await.unwrap();
            assert!(
                is_conflict(
                    central
                        .report(&operator(), &bare_report(&next, 3, untouched()))
                        .await
                ),
                "a gap"
            );
            assert!(is_conflict(
                central
                    .report(&operator(), &bare_report(&next, 0, untouched()))
                    .await
            ));
            assert_eq!(house.count("lease.reported", Outcome::Refused).await, 3);
            // The lease is over: what else is said of it is an incident, and changes nothing.
            let late = put_aside(&house, &report(&lease, 2, &run, spoiled())).await;
            assert_eq!(late.details.get("put-aside"), Some("nothing"));
            assert_eq!(
                house
                    .scalar("SELECT state FROM document ORDER BY number")
                    .await,
                "personalized"
            );
            central
                .report(&operator(), &bare_report(&next, 3, untouched()))
                .await
                .unwrap();
            assert_eq!(house.number("SELECT count(*) FROM report").await, 3);
        },
    );
}

#[test]
fn a_spoiled_blank_takes_everything_with_it_but_the_document() {
    with_house(
        "scenarios::reporting::a_spoiled_blank_takes_everything_with_it_but_the_document",
        async |house| {
            let central = &house.central;
            let old = house.prepared("01-adult").await;
            let chip = house.blank().await;
            let serial = printed(&chip);
            let lease = house.lease("a").await.unwrap();
            let run = personalize(&house, &lease, chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none());
            // All was well, and then it fell into the shredder.
            let claim = report(&lease, 1, &run, untouched());
            assert!(disbelieved(&house, &claim).await.contains("not untouched"));
            central
                .report(&operator(), &report(&lease, 1, &run, spoiled()))
                .await
                .unwrap();

            let blank = central.blanks(&actor("keeper")).await.unwrap().remove(0);
            assert_eq!(
                (blank.serial, blank.state, blank.number),
                (serial, BlankState::Spoiled, Some(old.to_string()))
            );
            let document = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(
                (
                    document.number.as_deref(),
                    document.certificates,
                    document.envelope
                ),
                (Some("XA0000002"), 0, None)
            );
            let certificates = central
                .certificates(&actor("clerk"), "XA0000002")
                .await
                .unwrap();
            assert_eq!(certificates.len(), 2);
            assert!(
                certificates
                    .iter()
                    .all(|one| matches!(one.state, CertificateState::Revoked(_))
                        && one.number == old.to_string())
            );
            assert_eq!(
                house
                    .number("SELECT count(*) FROM envelope WHERE sealed IS NOT NULL")
                    .await,
                0
            );
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!(
                (numbers.allotted, numbers.issued, numbers.spoiled),
                (1, 0, 1)
            );
            assert_eq!(numbers.next.as_deref(), Some("XA0000003"));
            assert!(matches!(
                central
                    .print_envelope(&actor("envelopes"), &old.to_string())
                    .await,
                Err(crate::CentralError::NotFound { .. })
            ));

            // Nothing of it holds up the next blank.
            let (lease, _) = make(&house, 2).await;
            assert_eq!(lease.record.number.to_string(), "XA0000002");
            let day = jiff::civil::date(2026, 11, 20);
            assert_eq!(
                lease.record.issued, day,
                "a new number is no new day of issue"
            );
        },
    );
}

#[test]
fn only_a_whole_document_is_personalized() {
    with_house(
        "scenarios::reporting::only_a_whole_document_is_personalized",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let mut claim = bare_report(&lease, 1, BlankEnd::Personalized);
            claim.journal = journal();
            let reason = disbelieved(&house, &claim).await;
            assert!(reason.contains("no blank was bound"), "{reason}");
            let run = personalize(
                &house,
                &lease,
                house.blank().await,
                vec![Fault {
                    at: 60,
                    kind: FaultKind::RemoveBefore,
                }],
            )
            .await;
            assert!(run.outcome.fault.is_some());
            let half = report(&lease, 1, &run, BlankEnd::Personalized);
            let entry = put_aside(&house, &half).await;
            assert_eq!(entry.details.get("put-aside"), Some("lease.put-aside"));
            let cause = entry.cause.unwrap();
            assert!(cause.as_str().contains("has not signed under"), "{cause:?}");
            let blank = central.blanks(&actor("keeper")).await.unwrap().remove(0);
            assert_eq!(blank.state, BlankState::Spoiled);
            assert_eq!(house.scalar("SELECT state FROM document").await, "queued");
            let entries = house.entries().await.len();
            central.report(&operator(), &half).await.unwrap();
            assert_eq!(house.entries().await.len(), entries, "once");

            let lease = house.lease("a").await.unwrap();
            let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
            assert!(run.outcome.fault.is_none());
            let whole = report(&lease, 2, &run, BlankEnd::Personalized);
            let mut nameless = whole.clone();
            nameless.chips.clear();
            assert!(
                disbelieved(&house, &nameless)
                    .await
                    .contains("does not name")
            );
            let mut doubled = whole.clone();
            doubled.chips.push(whole.chips[0].clone());
            let mut foreign = whole.clone();
            foreign.chips[0].serial = Some(house.blank().await.serial().to_string());
            let mut unnamed = whole.clone();
            unnamed.chips[0].serial = None;
            let mut mistaken = whole.clone();
            mistaken.chips[0].product = "other".into();
            for wrong in [doubled, foreign, unnamed, mistaken] {
                let reason = disbelieved(&house, &wrong).await;
                assert!(reason.contains("the report names chip"), "{reason}");
            }
            let mut silent = whole.clone();
            silent.journal.clear();
            assert!(
                disbelieved(&house, &silent)
                    .await
                    .contains("journal is missing")
            );
            central.report(&operator(), &whole).await.unwrap();
        },
    );
}

#[test]
fn a_blank_that_broke_before_any_channel_costs_no_number() {
    with_house(
        "scenarios::reporting::a_blank_that_broke_before_any_channel_costs_no_number",
        async |house| {
            let central = &house.central;
            let number = house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let chip = house.blank().await;
            let run = personalize(
                &house,
                &lease,
                chip,
                vec![Fault {
                    at: 2,
                    kind: FaultKind::RemoveBefore,
                }],
            )
            .await;
            assert!(run.channels.is_empty());
            central
                .report(&operator(), &report(&lease, 1, &run, spoiled()))
                .await
                .unwrap();
            assert_eq!(
                central.blanks(&actor("keeper")).await.unwrap()[0].state,
                BlankState::Spoiled
            );
            assert_eq!(house.lease("a").await.unwrap().record.number, number);
        },
    );
}

/// Torn out anywhere, a blank ends in one account and a number in one state, and the document is
/// made in the end: once.
#[test]
fn torn_anywhere_there_is_one_document_or_one_accounted_blank() {
    with_house(
        "scenarios::reporting::torn_anywhere_there_is_one_document_or_one_accounted_blank",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let positions = [3, 7, 9, 10, 25, 45, 70, 92, 94, 98, 99, 106];
            let faults = positions.map(|at| {
                vec![Fault {
                    at,
                    kind: FaultKind::RemoveAfter,
                }]
            });
            let mut made = None;
            for (sequence, faults) in (1..).zip(faults.into_iter().chain([Vec::new()])) {
                let Some(lease) = house.lease("a").await else {
                    break;
                };
                let run = personalize(&house, &lease, house.blank().await, faults).await;
                let end = match (&run.outcome.fault, run.outcome.touched) {
                    (None, _) => BlankEnd::Personalized,
                    (_, true) => spoiled(),
                    (_, false) => untouched(),
                };
                let report = report(&lease, sequence, &run, end);
                central.report(&operator(), &report).await.unwrap();
                made = run.outcome.fault.is_none().then_some(run);
            }
            let whole = made.unwrap();
            let live: Vec<_> = house.central.blanks(&actor("keeper")).await.unwrap();
            let personalized: Vec<_> = live
                .iter()
                .filter(|blank| blank.state == BlankState::Personalized)
                .collect();
            assert_eq!(personalized.len(), 1);
            assert_eq!(personalized[0].serial, printed(&whole.chip));
            assert!(live.iter().all(|blank| matches!(
                blank.state,
                BlankState::Personalized
                    | BlankState::Spoiled
                    | BlankState::Returned
                    | BlankState::InStock
            )));
            assert_eq!(
                house
                    .number("SELECT count(*) FROM certificate WHERE state IN ('ready', 'active')")
                    .await,
                2
            );
            assert_eq!(
                house
                    .number("SELECT count(*) FROM envelope WHERE sealed IS NOT NULL")
                    .await,
                1
            );
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!((numbers.allotted, numbers.issued), (0, 1));
        },
    );
}
