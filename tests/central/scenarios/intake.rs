//! Applications, the queue, and the books of blanks.

use api::{ApiError, Centre};
use audit::Outcome;
use document::life_cycle::BlankState;
use jiff::SignedDuration;

use super::bench::{bare_report, personalize, untouched};
use super::house::{
    PRODUCT, actor, delivered, is_conflict, is_refused, operator, printed, receipt, request,
    sample, samples, unbooked, with_house,
};
use crate::{CentralError, DeliveredBlank, DeliveredChip, Delivery, Handling};

#[test]
fn a_bad_application_is_refused_whole_with_every_fault() {
    with_house(
        "scenarios::intake::a_bad_application_is_refused_whole_with_every_fault",
        async |house| {
            let folder = std::fs::read_dir(samples().join("malformed")).unwrap();
            let mut refused = 0;
            for file in folder {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                let result = house.central.import(&actor("clerk"), &bytes).await;
                assert!(
                    matches!(&result, Err(CentralError::Application { faults }) if !faults.is_empty()),
                    "{result:?}"
                );
                refused += 1;
            }
            let result = house
                .central
                .import(&actor("clerk"), &sample("malformed/many-faults"))
                .await;
            assert!(
                matches!(&result, Err(CentralError::Application { faults }) if faults.len() > 3)
            );
            assert_eq!(house.number("SELECT count(*) FROM application").await, 0);
            assert_eq!(
                house.count("application.imported", Outcome::Refused).await,
                refused + 1
            );
            assert_eq!(house.count("application.imported", Outcome::Done).await, 0);
        },
    );
}

#[test]
fn two_persons_decide_and_only_once() {
    with_house(
        "scenarios::intake::two_persons_decide_and_only_once",
        async |house| {
            let central = &house.central;
            let administrator = actor("administrator");
            // A clerk who may approve as well, but not what they entered; names differ by case only.
            central
                .add_account(
                    &administrator,
                    "both",
                    &[document::Role::Clerk, document::Role::Approver],
                )
                .await
                .unwrap();
            let reference = central
                .import(&actor("both"), &sample("applications/01-adult"))
                .await
                .unwrap();
            for name in ["both", "BOTH"] {
                assert!(is_refused(
                    &central.approve(&actor(name), reference.as_str()).await
                ));
                assert!(is_refused(
                    &central.reject(&actor(name), reference.as_str(), "no").await
                ));
            }
            assert_eq!(house.number("SELECT count(*) FROM document").await, 0);
            central
                .approve(&actor("approver"), reference.as_str())
                .await
                .unwrap();
            assert!(is_conflict(
                &central
                    .approve(&actor("approver"), reference.as_str())
                    .await
            ));
            assert!(is_conflict(
                &central
                    .reject(&actor("approver"), reference.as_str(), "late")
                    .await
            ));
            assert!(is_conflict(
                &central
                    .import(&actor("clerk"), &sample("applications/01-adult"))
                    .await
            ));

            let reference = central
                .import(&actor("clerk"), &sample("applications/05-nineteen"))
                .await
                .unwrap();
            assert!(matches!(
                central
                    .reject(&actor("approver"), reference.as_str(), " ")
                    .await,
                Err(CentralError::Invalid { .. })
            ));
            central
                .reject(
                    &actor("approver"),
                    reference.as_str(),
                    "the portrait is another person's",
                )
                .await
                .unwrap();
            assert!(is_conflict(
                &central
                    .approve(&actor("approver"), reference.as_str())
                    .await
            ));
            assert!(matches!(
                central.approve(&actor("approver"), "APP-NONE").await,
                Err(CentralError::NotFound { .. })
            ));
            assert_eq!(house.count("application.approved", Outcome::Done).await, 1);
        },
    );
}

#[test]
fn the_most_urgent_is_leased_first() {
    with_house(
        "scenarios::intake::the_most_urgent_is_leased_first",
        async |house| {
            let first = house.prepared("01-adult").await;
            house.clock.pass(SignedDuration::from_hours(24));
            let later = house.prepared("06-twenty").await;
            let urgent = house.prepared("05-nineteen").await;
            let also_urgent = house.prepared("09-alien").await;
            let mut given = Vec::new();
            for slot in ["a", "b", "c", "d", "e"] {
                given.extend(house.lease(slot).await.map(|lease| lease.record.number));
            }
            assert_eq!(given, [urgent, also_urgent, first, later]);
            // The slot that asks again gets the same, and nothing for another product.
            assert_eq!(house.lease("a").await.unwrap().record.number, urgent);
            let other = request("z", &["other"]);
            assert!(matches!(
                house.central.lease(&operator(), &other).await,
                Err(ApiError::NotFound { .. })
            ));
            for products in [&[][..], &[PRODUCT, PRODUCT], &[PRODUCT; 9]] {
                let odd = request("z", products);
                assert!(matches!(
                    house.central.lease(&operator(), &odd).await,
                    Err(ApiError::Invalid { .. })
                ));
            }
            let mut due = house.central.documents(&actor("clerk")).await.unwrap();
            due.sort_by_key(|line| (line.due, !line.urgent));
            let due: Vec<_> = due
                .iter()
                .map(|line| (line.number.clone().unwrap(), line.due.to_string()))
                .collect();
            // Saturday 21 November 2026: two working days are Tuesday, ten are Friday week.
            assert_eq!(due[0], (urgent.to_string(), "2026-11-24".to_owned()));
            assert_eq!(due[2], (first.to_string(), "2026-12-04".to_owned()));
        },
    );
}

#[test]
fn two_slots_never_get_the_same_document() {
    with_house(
        "scenarios::intake::two_slots_never_get_the_same_document",
        async |house| {
            for name in ["01-adult", "05-nineteen", "06-twenty", "09-alien"] {
                house.prepared(name).await;
            }
            let slots: Vec<_> = (0..7)
                .map(|slot| {
                    let central = house.central.clone();
                    let request = request(&format!("slot-{slot}"), &[PRODUCT]);
                    tokio::spawn(async move { central.lease(&operator(), &request).await.unwrap() })
                })
                .collect();
            let mut numbers = Vec::new();
            for slot in slots {
                numbers.extend(slot.await.unwrap().map(|lease| lease.record.number));
            }
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), 4);
        },
    );
}

#[test]
fn an_expired_lease_returns_only_while_no_blank_is_bound() {
    with_house(
        "scenarios::intake::an_expired_lease_returns_only_while_no_blank_is_bound",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let forgotten = house.lease("a").await.unwrap();
            house.clock.pass(SignedDuration::from_mins(11));
            let lease = house.lease("b").await.unwrap();
            assert_eq!(lease.record.number, forgotten.record.number);
            assert_ne!(lease.id, forgotten.id);
            // Its late report is taken in, and changes nothing.
            central
                .report(&operator(), &bare_report(&forgotten, 1, untouched()))
                .await
                .unwrap();
            assert_eq!(
                house.scalar("SELECT state FROM document").await,
                "at-station"
            );

            let chip = house.blank().await;
            let fault = vcard::Fault {
                at: 12,
                kind: vcard::FaultKind::RemoveBefore,
            };
            let run = personalize(&house, &lease, chip, vec![fault]).await;
            assert!(run.outcome.fault.is_some() && !run.channels.is_empty());
            house.clock.pass(SignedDuration::from_hours(20));
            assert!(
                house.lease("c").await.is_none(),
                "only the station knows what became of the chip"
            );
            assert_eq!(
                house
                    .scalar("SELECT state FROM lease WHERE blank IS NOT NULL")
                    .await,
                "expired"
            );
            let late = central.open_channel(&operator(), &run.channels[0]).await;
            assert!(matches!(late, Err(ApiError::Conflict { .. })), "{late:?}");
            central
                .report(
                    &operator(),
                    &super::bench::report(&lease, 2, &run, super::bench::spoiled()),
                )
                .await
                .unwrap();
            assert_ne!(
                house.lease("c").await.unwrap().record.number,
                lease.record.number
            );
        },
    );
}

#[test]
fn blanks_are_booked_whole_or_not_at_all() {
    with_house(
        "scenarios::intake::blanks_are_booked_whole_or_not_at_all",
        async |house| {
            let central = &house.central;
            let keeper = actor("keeper");
            let (known, new) = (house.blank().await, unbooked());
            let blank = |serial: &str, chips: &[DeliveredChip]| {
                DeliveredBlank::of_chips(serial, chips.to_vec())
            };
            let delivery = |reference: &str, blanks: &[DeliveredBlank]| Delivery {
                reference: reference.into(),
                blanks: blanks.to_vec(),
            };
            let fresh = blank("lv-0001", &[delivered(PRODUCT, &new)]);
            // A chip, or a blank, that is in the books already takes the whole delivery with it.
            let moved = blank("LV-0002", &[delivered(PRODUCT, &known)]);
            let again = blank(&printed(&known), &[delivered(PRODUCT, &unbooked())]);
            for other in [moved, again] {
                let mixed = delivery("D-2", &[fresh.clone(), other]);
                assert!(is_conflict(
                    &central
                        .receive_blanks(&keeper, &mixed, &receipt(mixed.blanks.len()))
                        .await
                ));
            }
            assert_eq!(central.blanks(&keeper).await.unwrap().len(), 1);
            let sound = delivery("D-2", std::slice::from_ref(&fresh));
            central
                .receive_blanks(&keeper, &sound, &receipt(sound.blanks.len()))
                .await
                .unwrap();
            let booked = central.blanks(&keeper).await.unwrap();
            let booked = booked.iter().find(|blank| blank.serial == "LV-0001");
            assert_eq!(booked.unwrap().chips, [delivered(PRODUCT, &new)]);
            let other = blank("LV-0003", &[delivered(PRODUCT, &unbooked())]);
            let reused = delivery("D-2", std::slice::from_ref(&other));
            assert!(is_conflict(
                &central
                    .receive_blanks(&keeper, &reused, &receipt(reused.blanks.len()))
                    .await
            ));
            let unknown = delivery("D-3", &[blank("LV-4", &[delivered("other", &unbooked())])]);
            assert!(matches!(
                central
                    .receive_blanks(&keeper, &unknown, &receipt(unknown.blanks.len()))
                    .await,
                Err(CentralError::NotFound { .. })
            ));
            let twins = [
                delivered(PRODUCT, &unbooked()),
                delivered(PRODUCT, &unbooked()),
            ];
            let mut nameless = other.clone();
            nameless.chips[0].serial = "4711x".into();
            for malformed in [
                delivery("D-3", &[]),
                delivery("D 3", &[other]),
                delivery("D-3", &[blank("LV 3", &twins[..1])]),
                delivery("D-3", &[blank("LV-3", &[])]),
                delivery("D-3", &[blank("LV-3", &twins)]),
                delivery("D-3", &[nameless]),
            ] {
                let result = central
                    .receive_blanks(&keeper, &malformed, &receipt(malformed.blanks.len()))
                    .await;
                assert!(
                    matches!(result, Err(CentralError::Invalid { .. })),
                    "{result:?}"
                );
            }
            assert_eq!(house.number("SELECT count(*) FROM chip").await, 2);
            assert!(
                is_conflict(
                    &central
                        .handle_blanks(&keeper, &["lv-0001".into()], &Handling::Restock)
                        .await
                ),
                "it was never away"
            );
        },
    );
}

#[test]
fn a_returned_blank_is_counted_before_it_is_used_again() {
    with_house(
        "scenarios::intake::a_returned_blank_is_counted_before_it_is_used_again",
        async |house| {
            let central = &house.central;
            let number = house.prepared("01-adult").await;
            let chip = house.blank().await;
            let serial = printed(&chip);
            let lease = house.lease("a").await.unwrap();
            // Torn out after the channel was asked for, before anything that lasts.
            let fault = vcard::Fault {
                at: 5,
                kind: vcard::FaultKind::RemoveBefore,
            };
            let run = personalize(&house, &lease, chip, vec![fault]).await;
            assert!(
                run.outcome.fault.is_some() && !run.outcome.touched && !run.channels.is_empty()
            );
            central
                .report(
                    &operator(),
                    &super::bench::report(&lease, 1, &run, untouched()),
                )
                .await
                .unwrap();
            assert_eq!(
                central.blanks(&actor("keeper")).await.unwrap()[0].state,
                BlankState::Returned
            );

            let again = house.lease("a").await.unwrap();
            assert_eq!(
                again.record.number, number,
                "an untouched blank costs no number"
            );
            let run = personalize(&house, &again, run.chip, Vec::new()).await;
            assert!(
                run.outcome
                    .fault
                    .unwrap()
                    .to_string()
                    .contains("returned in the books")
            );
            central
                .handle_blanks(&actor("keeper"), &[serial], &Handling::Restock)
                .await
                .unwrap();
            let run = personalize(&house, &again, run.chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
        },
    );
}
