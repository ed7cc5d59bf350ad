//! What goes wrong on the way to the holder, and with a station that never reports.

use api::{BlankEnd, LeaseId};
use audit::Outcome;
use document::life_cycle::{BlankState, DocumentState, EnvelopeState, IncidentKind, LeaseState};
use jiff::SignedDuration;
use uuid::Uuid;
use vcard::{Fault, FaultKind};

use super::bench::{make, personalize, put_aside, report};
use super::dispatching::{passed, sent_to_office, state};
use super::house::{House, actor, is_conflict, is_refused, with_house};
use crate::CentralError;

/// Returns the states of a document's certificates, those of its given-up blanks too.
async fn certificates(house: &House, number: &str) -> Vec<String> {
    let all = house.central.certificates(&actor("auditor"), number).await;
    let all = all.unwrap();
    let mut states: Vec<_> = all
        .iter()
        .map(|one| format!("{} {}/{}", one.number, one.state, one.standing))
        .collect();
    states.dedup();
    states
}

async fn incident(house: &House) -> (IncidentKind, String) {
    let mut all = house
        .central
        .incidents(&actor("auditor"), false)
        .await
        .unwrap();
    let last = all.pop().unwrap();
    assert!(all.is_empty());
    (last.kind, last.subject)
}

#[test]
fn what_is_damaged_at_its_office_ends_as_its_blank_does() {
    with_house(
        "scenarios::mishaps::what_is_damaged_at_its_office_ends_as_its_blank_does",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let old = passed(&house, &["01-adult"]).await.remove(0);
            let early = central.document_damaged(&clerk, &old, "bent").await;
            assert!(is_conflict(&early), "quality fails it where it was made");
            sent_to_office(&house, &old).await;
            assert!(is_refused(
                &central
                    .document_damaged(&actor("operator"), &old, "bent")
                    .await
            ));
            let new = central.document_damaged(&clerk, &old, "bent").await;
            let new = new.unwrap().unwrap().to_string();
            assert_ne!(new, old);
            assert_eq!(state(&house, &new).await, DocumentState::Queued);
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            assert_eq!(blanks[0].state, BlankState::Spoiled);
            assert_eq!(
                certificates(&house, &new).await,
                [format!("{old} revoked:superseded/revoked")]
            );
            assert_eq!(
                house
                    .number("SELECT count(*) FROM number WHERE state = 'spoiled'")
                    .await,
                1
            );
            // Made again, it goes the same way to its holder.
            make(&house, 2).await;
            central.pass_quality(&actor("quality"), &new).await.unwrap();
            sent_to_office(&house, &new).await;
            central.hand_over(&clerk, &new).await.unwrap();
            let late = central.document_damaged(&clerk, &new, "bent").await;
            assert!(is_conflict(&late), "its holder has it");
        },
    );
}

#[test]
fn what_is_missing_before_the_hand_over_is_an_incident_and_made_again() {
    with_house(
        "scenarios::mishaps::what_is_missing_before_the_hand_over_is_an_incident_and_made_again",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let old = passed(&house, &["01-adult"]).await.remove(0);
            let job = central
                .print_envelope(&actor("envelopes"), &old)
                .await
                .unwrap();
            central
                .envelope_printed(&actor("envelopes"), &job.serial)
                .await
                .unwrap();
            let missing = async |witness| {
                central
                    .document_missing(&clerk, &old, witness, "not in its drawer")
                    .await
            };
            assert!(is_refused(&missing("clerk").await));
            assert!(matches!(
                missing("nobody").await,
                Err(CentralError::NotFound { .. })
            ));
            let new = missing("quality").await.unwrap().unwrap().to_string();
            assert_eq!(
                incident(&house).await,
                (IncidentKind::DocumentMissing, format!("document/{old}"))
            );
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            assert_eq!(
                (blanks[0].state, blanks[0].number.as_deref()),
                (BlankState::Missing, Some(&*old))
            );
            assert_eq!(
                certificates(&house, &new).await,
                [format!("{old} revoked:key-compromise/revoked")]
            );
            let letters = central.envelopes(&actor("envelopes")).await.unwrap();
            assert_eq!(letters[0].state, EnvelopeState::Void);
            assert_eq!(
                house
                    .scalar("SELECT state FROM number WHERE number = 'XA0000001'")
                    .await,
                "cancelled",
                "the number is never used again"
            );
            assert!(central.hand_over(&clerk, &old).await.is_err());
            assert_eq!(state(&house, &new).await, DocumentState::Queued);
            make(&house, 2).await;
            central.pass_quality(&actor("quality"), &new).await.unwrap();
            central.hand_over(&clerk, &new).await.unwrap();
            assert!(is_conflict(
                &central
                    .document_missing(&clerk, &new, "quality", "no")
                    .await
            ));
        },
    );
}

#[test]
fn a_parcel_that_never_arrives_is_lost_with_all_that_is_in_it() {
    with_house(
        "scenarios::mishaps::a_parcel_that_never_arrives_is_lost_with_all_that_is_in_it",
        async |house| {
            let (central, packer, clerk) = (&house.central, actor("quality"), actor("clerk"));
            let numbers = passed(&house, &["01-adult", "11-longest-names"]).await;
            let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
            for number in &numbers {
                central.pack(&packer, &parcel, number).await.unwrap();
            }
            let lose = async |witness| {
                central
                    .lose_parcel(&clerk, &parcel, witness, "the van burnt")
                    .await
            };
            assert!(is_conflict(&lose("quality").await), "it never left");
            central
                .seal_parcel(&packer, &parcel, &numbers)
                .await
                .unwrap();
            let one = central
                .document_missing(&clerk, &numbers[0], "quality", "no")
                .await;
            assert!(is_conflict(&one), "it is in a sealed parcel");
            central.send_parcel(&packer, &parcel, "RR1").await.unwrap();
            assert!(is_refused(&lose("clerk").await));
            assert_eq!(lose("quality").await.unwrap(), 2);
            assert!(is_conflict(&lose("quality").await));
            assert!(is_conflict(
                &central.receive_parcel(&clerk, &parcel, &numbers).await
            ));
            assert_eq!(
                incident(&house).await,
                (IncidentKind::ParcelMissing, format!("parcel/{parcel}"))
            );
            let documents = central.documents(&actor("auditor")).await.unwrap();
            assert!(
                documents
                    .iter()
                    .all(|one| one.state == DocumentState::Queued)
            );
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            assert!(blanks.iter().all(|one| one.state == BlankState::Missing));
            assert_eq!(
                house
                    .number("SELECT count(*) FROM certificate WHERE standing <> 'revoked'")
                    .await,
                0
            );
            assert_eq!(house.count("document.missing", Outcome::Done).await, 2);
        },
    );
}

#[test]
fn what_was_missed_in_a_parcel_is_given_up() {
    with_house(
        "scenarios::mishaps::what_was_missed_in_a_parcel_is_given_up",
        async |house| {
            let (central, packer, clerk) = (&house.central, actor("quality"), actor("clerk"));
            let numbers = passed(&house, &["01-adult", "11-longest-names"]).await;
            let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
            for number in &numbers {
                central.pack(&packer, &parcel, number).await.unwrap();
            }
            central
                .seal_parcel(&packer, &parcel, &numbers)
                .await
                .unwrap();
            central.send_parcel(&packer, &parcel, "RR1").await.unwrap();
            central.receive_parcel(&clerk, &parcel, &[]).await.unwrap();
            let new = central
                .document_missing(&clerk, &numbers[0], "quality", "searched for a week")
                .await
                .unwrap()
                .unwrap()
                .to_string();
            assert_eq!(state(&house, &new).await, DocumentState::Queued);
            // The other one was found, wet.
            let dried = central
                .document_damaged(&clerk, &numbers[1], "found, wet")
                .await
                .unwrap()
                .unwrap()
                .to_string();
            assert_eq!(state(&house, &dried).await, DocumentState::Queued);
            assert!(is_conflict(&central.arrive_late(&clerk, &dried).await));
            // Neither's first card is handed over by any way.
            for number in &numbers {
                assert!(central.hand_over(&clerk, number).await.is_err());
            }
        },
    );
}

#[test]
fn the_lease_of_a_station_that_never_reports_is_given_up() {
    with_house(
        "scenarios::mishaps::the_lease_of_a_station_that_never_reports_is_given_up",
        async |house| {
            let (central, officer) = (&house.central, actor("officer"));
            let old = house.prepared("01-adult").await.to_string();
            let chip = house.blank().await;
            let lease = house.lease("slot-1").await.unwrap();
            let run = personalize(&house, &lease, chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none());
            let give_up = async |witness| {
                central
                    .give_up_lease(&officer, lease.id, witness, "the station burnt")
                    .await
            };
            assert!(is_conflict(&give_up("keeper").await), "it may still report");
            assert!(
                is_conflict(
                    &central
                        .document_missing(&actor("quality"), &old, "keeper", "no")
                        .await
                ),
                "it is at the station"
            );
            house.clock.pass(SignedDuration::from_mins(11));
            let by_another = central
                .give_up_lease(&actor("quality"), lease.id, "keeper", "burnt")
                .await;
            assert!(is_refused(&by_another));
            assert!(is_refused(&give_up("officer").await));
            let nobodys = LeaseId(Uuid::now_v7());
            assert!(matches!(
                central
                    .give_up_lease(&officer, nobodys, "keeper", "burnt")
                    .await,
                Err(CentralError::NotFound { .. })
            ));
            let leases = central.leases(&actor("auditor")).await.unwrap();
            assert_eq!(leases.len(), 1);
            assert_eq!(leases[0].id, lease.id);
            let new = give_up("keeper").await.unwrap().unwrap().to_string();
            assert!(central.leases(&actor("auditor")).await.unwrap().is_empty());
            assert_eq!(
                house.scalar("SELECT state FROM lease").await,
                LeaseState::Lost.name()
            );
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            assert_eq!(blanks[0].state, BlankState::Missing);
            assert_eq!(
                incident(&house).await,
                (
                    IncidentKind::BlankMissing,
                    format!("blank/{}", blanks[0].serial)
                )
            );
            assert_eq!(
                certificates(&house, &new).await,
                [format!("{old} revoked:key-compromise/revoked")]
            );
            assert_eq!(
                house
                    .number("SELECT count(*) FROM envelope WHERE state <> 'destroyed'")
                    .await,
                0,
                "what was not on paper is destroyed"
            );
            assert!(is_conflict(&give_up("keeper").await));

            // It reports after all: that is an incident, and no second document.
            let late = report(&lease, 1, &run, BlankEnd::Personalized);
            put_aside(&house, &late).await;
            assert_eq!(state(&house, &new).await, DocumentState::Queued);
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            assert_eq!(blanks[0].state, BlankState::Missing);
            make(&house, 2).await;
            assert_eq!(state(&house, &new).await, DocumentState::Personalized);
        },
    );
}

#[test]
fn a_station_that_was_cut_off_is_given_up_with_what_its_authority_may_have_issued() {
    with_house(
        "scenarios::mishaps::a_station_that_was_cut_off_is_given_up_with_what_its_authority_may_have_issued",
        async |house| {
            let (central, officer) = (&house.central, actor("officer"));
            house.prepared("01-adult").await;
            let lease = house.lease("slot-1").await.unwrap();
            // Without a blank there is nothing to be given up: it goes back by itself.
            house.clock.pass(SignedDuration::from_mins(11));
            let unbound = central
                .give_up_lease(&officer, lease.id, "keeper", "burnt")
                .await;
            assert!(is_conflict(&unbound));
            let chip = house.blank().await;
            let lease = house.lease("slot-1").await.unwrap();
            let torn = Fault {
                at: 60,
                kind: FaultKind::RemoveAfter,
            };
            let run = personalize(&house, &lease, chip, vec![torn]).await;
            assert!(run.outcome.fault.is_some());
            house.clock.pass(SignedDuration::from_mins(11));
            central
                .give_up_lease(&officer, lease.id, "keeper", "burnt")
                .await
                .unwrap();
            central.sweep_certificates_now().await.unwrap();
            assert_eq!(
                house
                    .number(
                        "SELECT count(*) FROM certificate WHERE standing IN ('on-hold', 'good')"
                    )
                    .await,
                0
            );
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!((numbers.allotted, numbers.cancelled), (1, 1));
        },
    );
}

#[test]
fn what_is_wanted_no_more_is_cancelled_with_its_application() {
    with_house(
        "scenarios::mishaps::what_is_wanted_no_more_is_cancelled_with_its_application",
        async |house| {
            let (central, approver) = (&house.central, actor("approver"));
            // In the queue, before anything was made.
            house.prepared("01-adult").await;
            let first = house.scalar("SELECT reference FROM application").await;
            assert!(is_refused(
                &central
                    .cancel_document(&actor("clerk"), &first, "moved away")
                    .await
            ));
            central
                .cancel_document(&approver, &first, "moved away")
                .await
                .unwrap();
            assert!(is_conflict(
                &central.cancel_document(&approver, &first, "again").await
            ));
            assert!(house.lease("slot-1").await.is_none(), "nothing is queued");
            // Finished, and not handed over.
            let number = passed(&house, &["11-longest-names"]).await.remove(0);
            let second = house
                .scalar("SELECT application FROM document WHERE state = 'quality-passed'")
                .await;
            central
                .cancel_document(&approver, &second, "the holder died")
                .await
                .unwrap();
            assert_eq!(state(&house, &number).await, DocumentState::Cancelled);
            assert_eq!(
                certificates(&house, &number).await,
                [format!("{number} revoked:cessation-of-operation/revoked")]
            );
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            assert_eq!(blanks[0].state, BlankState::Spoiled);
            assert_eq!(
                house
                    .number("SELECT count(*) FROM application WHERE state = 'withdrawn'")
                    .await,
                2
            );
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!((numbers.cancelled, numbers.allotted), (2, 0));
            assert!(central.hand_over(&actor("clerk"), &number).await.is_err());
        },
    );
}

#[test]
fn what_quality_holds_is_conceded_or_scrapped() {
    with_house(
        "scenarios::mishaps::what_quality_holds_is_conceded_or_scrapped",
        async |house| {
            let (central, judge, officer) = (&house.central, actor("quality"), actor("officer"));
            let number = house.prepared("01-adult").await.to_string();
            make(&house, 1).await;
            let concede = async |who: &str| {
                central
                    .concede(&actor(who), &number, "a pale corner", "shown to the holder")
                    .await
            };
            assert!(is_conflict(&concede("officer").await), "nobody failed it");
            assert!(is_refused(
                &central.hold_quality(&officer, &number, "pale").await
            ));
            central.hold_quality(&judge, &number, "pale").await.unwrap();
            assert_eq!(state(&house, &number).await, DocumentState::QualityFailed);
            assert!(is_conflict(&central.pass_quality(&judge, &number).await));
            assert!(is_conflict(
                &central.hand_over(&actor("clerk"), &number).await
            ));
            assert!(is_refused(&concede("quality").await));
            assert!(matches!(
                central
                    .concede(&officer, &number, "a pale corner", " ")
                    .await,
                Err(CentralError::Invalid { .. })
            ));
            concede("officer").await.unwrap();
            assert_eq!(state(&house, &number).await, DocumentState::QualityPassed);
            // Looked at once more, it is scrapped after all.
            central.hold_quality(&judge, &number, "pale").await.unwrap();
            let new = central.fail_quality(&judge, &number, "too pale").await;
            let new = new.unwrap().unwrap().to_string();
            assert_eq!(state(&house, &new).await, DocumentState::Queued);
            assert_eq!(house.count("quality.conceded", Outcome::Done).await, 1);
        },
    );
}
