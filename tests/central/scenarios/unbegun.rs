//! Leases whose answer was lost before a change of shift.

use std::collections::BTreeMap;

use api::{Actor, ApiError, Centre, ClaimRequest, JournalLine, JournalPart};
use audit::Outcome;
use document::Role;
use document::life_cycle::BlankState;
use jiff::SignedDuration;
use vcard::Chip;

use super::bench::{bare_report, untouched};
use super::house::{
    House, PRODUCT, actor, operator, request, unbooked, with_adapted_house, with_house,
};
use super::key_requests::challenge;
use super::numbered_blanks::{approved, booklets_and_numbered_cards, numbered, receive, states};
use crate::Handling;

/// Who has the next shift.
async fn relief(house: &House) -> Actor {
    let administrator = actor("administrator");
    let added = house
        .central
        .add_account(&administrator, "relief", &[Role::Operator]);
    added.await.unwrap();
    let mut relief = operator();
    relief.person = "relief".into();
    relief
}

#[test]
fn a_lease_that_its_slot_never_got_is_given_back_to_the_next_shift() {
    with_house(
        "scenarios::unbegun::a_lease_that_its_slot_never_got_is_given_back_to_the_next_shift",
        async |house| {
            let central = &house.central;
            let relief = relief(&house).await;
            let first = house.prepared("01-adult").await.to_string();
            house.prepared("02-child-under-5").await;
            // Its answer was lost, and then the shift changed.
            let lost = house.lease("a").await.unwrap();
            assert_eq!(lost.record.number.to_string(), first);
            let request = request("a", &[PRODUCT]);
            // Whoever goes on with another lease there gets nothing.
            let mut interrupted = request.clone();
            interrupted.again = Some(lost.id);
            assert!(matches!(
                central.lease(&relief, &interrupted).await,
                Err(ApiError::Conflict { .. })
            ));
            let lease = central.lease(&relief, &request).await.unwrap().unwrap();
            assert_ne!(lease.id, lost.id);
            assert_eq!(
                (lease.record.number.to_string(), lease.identity),
                (first, lost.identity),
                "the document has its old place in the queue"
            );
            let takers = "SELECT account.name FROM lease JOIN account ON account.id = lease.operator \
                          ORDER BY lease.turn DESC LIMIT 1";
            assert_eq!(house.scalar(takers).await, "relief");
            assert_eq!(house.count("lease.given-back", Outcome::Done).await, 1);
            // Should it come after all, nothing is begun under it.
            let mut chip = house.blank().await;
            let opened = challenge(&lost, &mut chip, "transport", [1; 8]);
            assert!(matches!(
                house.claim(&lost, &opened.chip).await,
                Err(ApiError::Conflict { .. })
            ));
            let back = bare_report(&lost, 1, untouched());
            central.report(&operator(), &back).await.unwrap();

            // One that a blank is claimed for stays its maker's.
            let mut claim = ClaimRequest {
                lease: lease.id,
                chip: opened.chip.clone(),
                beside: Vec::new(),
                printed: None,
            };
            central.claim(&relief, &claim).await.unwrap();
            assert!(matches!(
                central.lease(&operator(), &request).await,
                Err(ApiError::Conflict { .. })
            ));
            claim.lease = lost.id;
            assert!(central.claim(&operator(), &claim).await.is_err());
        },
    );
}

#[test]
fn a_lease_that_its_station_told_of_is_not_given_back() {
    with_house(
        "scenarios::unbegun::a_lease_that_its_station_told_of_is_not_given_back",
        async |house| {
            let central = &house.central;
            let relief = relief(&house).await;
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let line = JournalLine {
                at: "2026-11-20T08:00:00Z".parse().unwrap(),
                step: "identify".into(),
                moment: "outcome".into(),
                evidence: BTreeMap::new(),
            };
            let part = JournalPart {
                lease: lease.id,
                first: 1,
                lines: vec![line],
            };
            central.tell(&operator(), &part).await.unwrap();
            let request = request("a", &[PRODUCT]);
            assert!(matches!(
                central.lease(&relief, &request).await,
                Err(ApiError::Conflict { .. })
            ));
        },
    );
}

#[test]
fn a_numbered_blank_is_where_it_was_when_its_lease_never_reached_the_slot() {
    with_adapted_house(
        "scenarios::unbegun::a_numbered_blank_is_where_it_was_when_its_lease_never_reached_the_slot",
        booklets_and_numbered_cards,
        async |house| {
            let central = &house.central;
            let relief = relief(&house).await;
            approved(&house, "09-alien").await;
            let [first, second] = [(); 2].map(|()| unbooked());
            let blanks = vec![
                numbered("N-1", "XN0000001", &first),
                numbered("N-2", "XN0000002", &second),
            ];
            receive(&house, blanks).await.unwrap();
            let load = Handling::Load {
                station: operator().station,
                slot: "a".into(),
            };
            central
                .handle_blanks(&actor("keeper"), &["N-2".into()], &load)
                .await
                .unwrap();
            let mut request = request("a", &[PRODUCT]);
            let mut who = [operator(), relief.clone()].into_iter().cycle();
            let mut ask = async |chip: &Chip| {
                request.chips = vec![chip.serial().to_string()];
                let asks = who.next().unwrap();
                central.lease(&asks, &request).await.unwrap().unwrap()
            };
            // From the store, and again by the next shift; then one that is loaded in the slot.
            let lost = ask(&first).await;
            let lease = ask(&first).await;
            assert_ne!(lost.id, lease.id);
            assert_eq!(lease.record.number.to_string(), "XN0000001");
            let lease = ask(&second).await;
            assert_eq!(lease.record.number.to_string(), "XN0000002");
            assert_eq!(
                states(&house).await,
                [
                    ("N-1".to_owned(), BlankState::InStock),
                    ("N-2".to_owned(), BlankState::AtStation)
                ]
            );
            let lease = ask(&first).await;
            assert_eq!(
                states(&house).await,
                [
                    ("N-1".to_owned(), BlankState::AtStation),
                    ("N-2".to_owned(), BlankState::Loaded)
                ]
            );
            // A channel was opened under it: it stays, whoever asks.
            let mut chip = first;
            let opened = challenge(&lease, &mut chip, "transport", [1; 8]);
            central.open_channel(&relief, &opened).await.unwrap();
            request.chips = vec![second.serial().to_string()];
            assert!(matches!(
                central.lease(&operator(), &request).await,
                Err(ApiError::Conflict { .. })
            ));
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!((numbers.allotted, numbers.returned), (1, 1));
        },
    );
}

#[test]
fn a_numbered_blank_is_not_bound_for_ever_by_a_lease_that_nobody_got() {
    with_adapted_house(
        "scenarios::unbegun::a_numbered_blank_is_not_bound_for_ever_by_a_lease_that_nobody_got",
        booklets_and_numbered_cards,
        async |house| {
            let central = &house.central;
            approved(&house, "09-alien").await;
            let [first, second] = [(); 2].map(|()| unbooked());
            let blanks = vec![
                numbered("N-1", "XN0000001", &first),
                numbered("N-2", "XN0000002", &second),
            ];
            receive(&house, blanks).await.unwrap();
            let mut ask = request("a", &[PRODUCT]);
            ask.chips = vec![first.serial().to_string()];
            let lost = central.lease(&operator(), &ask).await.unwrap().unwrap();
            // Its answer is lost, and the blank is carried to another slot.
            house.clock.pass(SignedDuration::from_mins(11));
            ask.slot = "b".into();
            let lease = central.lease(&operator(), &ask).await.unwrap().unwrap();
            assert_ne!(lease.id, lost.id);
            assert_eq!(lease.record.number, lost.record.number);
            let late = bare_report(&lost, 1, untouched());
            central.report(&operator(), &late).await.unwrap();

            // What a channel was opened under stays bound.
            let mut chip = first;
            let opened = challenge(&lease, &mut chip, "transport", [1; 8]);
            central.open_channel(&operator(), &opened).await.unwrap();
            house.clock.pass(SignedDuration::from_mins(11));
            ask.chips = vec![second.serial().to_string()];
            assert!(central.lease(&operator(), &ask).await.unwrap().is_none());
            let expected = ["AtStation", "InStock"];
            let states = states(&house).await;
            let states: Vec<_> = states
                .iter()
                .map(|(_, state)| format!("{state:?}"))
                .collect();
            assert_eq!(states, expected);
        },
    );
}
