//! From the place where a document was made to its office: packed, sealed, sent, and counted in by
//! somebody else.

use audit::Outcome;
use document::life_cycle::{DocumentState, IncidentKind, ParcelState};
use document::{Kind, OfficeCode, Role};

use super::bench::make;
use super::house::{House, actor, is_conflict, is_refused, with_house};
use crate::CentralError;

/// Makes documents and has them passed. Returns their numbers.
pub(super) async fn passed(house: &House, samples: &[&str]) -> Vec<String> {
    let mut numbers = Vec::new();
    for (sequence, sample) in (1..).zip(samples) {
        let number = house.prepared(sample).await.to_string();
        make(house, sequence).await;
        let passed = house.central.pass_quality(&actor("quality"), &number).await;
        passed.unwrap();
        numbers.push(number);
    }
    numbers
}

pub(super) async fn state(house: &House, number: &str) -> DocumentState {
    let documents = house.central.documents(&actor("auditor")).await.unwrap();
    let mut documents = documents.into_iter();
    let found = documents.find(|one| one.number.as_deref() == Some(number));
    found.unwrap().state
}

/// Sends a document to its office in a parcel of its own.
pub(super) async fn sent_to_office(house: &House, number: &str) {
    let (central, packer, clerk) = (&house.central, actor("quality"), actor("clerk"));
    let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
    central.pack(&packer, &parcel, number).await.unwrap();
    let content = [number.to_owned()];
    central
        .seal_parcel(&packer, &parcel, &content)
        .await
        .unwrap();
    central
        .send_parcel(&packer, &parcel, &format!("way-{parcel}"))
        .await
        .unwrap();
    let counted = central.receive_parcel(&clerk, &parcel, &content).await;
    assert_eq!(counted.unwrap().arrived, content);
}

#[test]
fn a_parcel_is_counted_twice_and_by_two_persons() {
    with_house(
        "scenarios::dispatching::a_parcel_is_counted_twice_and_by_two_persons",
        async |house| {
            let (central, packer, clerk) = (&house.central, actor("quality"), actor("clerk"));
            let numbers = passed(&house, &["01-adult", "11-longest-names"]).await;
            let (one, other) = (&numbers[0], &numbers[1]);
            assert!(is_refused(&central.open_parcel(&clerk, "RIGA-1").await));
            assert!(matches!(
                central.open_parcel(&packer, "Riga 1!").await,
                Err(CentralError::Invalid { .. })
            ));
            let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
            assert_eq!(parcel, "PA0000001");
            let elsewhere = central.open_parcel(&packer, "LIEPAJA-1").await.unwrap();
            assert!(is_refused(&central.pack(&packer, &elsewhere, one).await));
            assert!(is_refused(&central.pack(&clerk, &parcel, one).await));
            central.pack(&packer, &parcel, one).await.unwrap();
            assert_eq!(state(&house, one).await, DocumentState::Dispatched);
            assert!(is_conflict(&central.pack(&packer, &parcel, one).await));
            assert!(
                is_conflict(&central.hand_over(&clerk, one).await),
                "it is in a parcel"
            );
            central.pack(&packer, &parcel, other).await.unwrap();
            central.unpack(&packer, &parcel, other).await.unwrap();
            assert_eq!(state(&house, other).await, DocumentState::QualityPassed);
            assert!(is_conflict(&central.unpack(&packer, &parcel, other).await));

            // What is not what the books say is not sealed.
            for wrong in [&[][..], std::slice::from_ref(other), &numbers] {
                let sealed = central.seal_parcel(&packer, &parcel, wrong).await;
                assert!(is_conflict(&sealed), "{wrong:?}");
            }
            let twice = [one.clone(), one.clone()];
            assert!(matches!(
                central.seal_parcel(&packer, &parcel, &twice).await,
                Err(CentralError::Invalid { .. })
            ));
            let here = OfficeCode::parse("CENTRAL").unwrap();
            let list = central.parcel_content(&packer, &parcel, &here).await;
            assert!(is_conflict(&list), "it is open");
            let content = [one.clone()];
            assert!(is_conflict(
                &central.send_parcel(&packer, &parcel, "RR1").await
            ));
            let sealed = central.seal_parcel(&packer, &parcel, &content).await;
            assert_eq!(sealed.unwrap(), 1);
            assert!(is_conflict(&central.pack(&packer, &parcel, other).await));
            assert!(is_conflict(&central.unpack(&packer, &parcel, one).await));
            // Opened again before a witness, and sealed again.
            let reopen = async |witness| {
                central
                    .reopen_parcel(&packer, &parcel, witness, "one more")
                    .await
            };
            assert!(is_refused(&reopen("quality").await));
            reopen("keeper").await.unwrap();
            central.pack(&packer, &parcel, other).await.unwrap();
            central
                .seal_parcel(&packer, &parcel, &numbers)
                .await
                .unwrap();
            assert!(matches!(
                central.send_parcel(&packer, &parcel, "to Anna").await,
                Err(CentralError::Invalid { .. })
            ));
            assert!(is_conflict(
                &central.receive_parcel(&clerk, &parcel, &numbers).await
            ));
            central.send_parcel(&packer, &parcel, "RR1").await.unwrap();
            let list = central
                .parcel_content(&packer, &parcel, &here)
                .await
                .unwrap();
            let listed: Vec<_> = list
                .documents
                .iter()
                .map(|(number, _)| number.to_string())
                .collect();
            assert_eq!(listed, numbers);
            assert!(list.documents.iter().all(|(_, kind)| *kind == Kind::IdCard));
            assert_eq!(
                (list.office.0.as_str(), list.way.as_deref()),
                ("RIGA-1", Some("RR1"))
            );
            assert!(is_conflict(&central.hand_over(&clerk, one).await));

            // Who packed it does not count it in, whatever else they are.
            let administrator = actor("administrator");
            let roles = [Role::Quality, Role::Clerk];
            central
                .add_account(&administrator, "both", &roles)
                .await
                .unwrap();
            assert!(is_refused(
                &central.receive_parcel(&packer, &parcel, &numbers).await
            ));
            let counted = central
                .receive_parcel(&clerk, &parcel, &numbers)
                .await
                .unwrap();
            assert_eq!(counted.arrived, numbers);
            assert!(counted.missing.is_empty() && counted.surplus.is_empty());
            assert_eq!(counted.incident, None);
            assert!(is_conflict(
                &central.receive_parcel(&clerk, &parcel, &numbers).await
            ));
            for number in &numbers {
                assert_eq!(state(&house, number).await, DocumentState::AtOffice);
                central.hand_over(&clerk, number).await.unwrap();
                assert_eq!(state(&house, number).await, DocumentState::HandedOver);
            }
            let list = central.parcels(&actor("auditor"), true).await.unwrap();
            let line = list.iter().find(|line| line.serial == parcel).unwrap();
            assert_eq!(
                (line.state, line.way.as_deref()),
                (ParcelState::Received, Some("RR1"))
            );
            let expected: Vec<_> = numbers
                .iter()
                .map(|number| (number.clone(), "arrived".to_owned()))
                .collect();
            assert_eq!(line.documents, expected);
            assert!(matches!(
                central.discard_parcel(&packer, &elsewhere, " ").await,
                Err(CentralError::Invalid { .. })
            ));
            central
                .discard_parcel(&packer, &elsewhere, "not needed")
                .await
                .unwrap();
            assert!(is_conflict(&central.pack(&packer, &elsewhere, one).await));
            assert!(
                central
                    .parcels(&actor("auditor"), false)
                    .await
                    .unwrap()
                    .is_empty()
            );
            assert_eq!(house.count("document.arrived", Outcome::Done).await, 2);
        },
    );
}

#[test]
fn who_packed_and_is_a_clerk_too_does_not_count_it_in() {
    with_house(
        "scenarios::dispatching::who_packed_and_is_a_clerk_too_does_not_count_it_in",
        async |house| {
            let central = &house.central;
            let roles = [Role::Quality, Role::Clerk];
            central
                .add_account(&actor("administrator"), "both", &roles)
                .await
                .unwrap();
            let (both, packer) = (actor("both"), actor("quality"));
            let numbers = passed(&house, &["01-adult"]).await;
            let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
            // Packed and taken out again: it was in their hands.
            central.pack(&both, &parcel, &numbers[0]).await.unwrap();
            central.unpack(&both, &parcel, &numbers[0]).await.unwrap();
            central.pack(&packer, &parcel, &numbers[0]).await.unwrap();
            central
                .seal_parcel(&packer, &parcel, &numbers)
                .await
                .unwrap();
            central.send_parcel(&packer, &parcel, "RR1").await.unwrap();
            let counted = central.receive_parcel(&both, &parcel, &numbers).await;
            assert!(is_refused(&counted));
            assert_eq!(house.count("parcel.received", Outcome::Refused).await, 1);
            assert_eq!(
                state(&house, &numbers[0]).await,
                DocumentState::Dispatched,
                "a refusal changes nothing"
            );
            central
                .receive_parcel(&actor("clerk"), &parcel, &numbers)
                .await
                .unwrap();
        },
    );
}

#[test]
fn a_difference_is_an_incident_that_names_each_document() {
    with_house(
        "scenarios::dispatching::a_difference_is_an_incident_that_names_each_document",
        async |house| {
            let (central, packer, clerk) = (&house.central, actor("quality"), actor("clerk"));
            let numbers = passed(&house, &["01-adult", "11-longest-names", "13-hyphens"]).await;
            let (packed, stray) = (&numbers[..2], &numbers[2]);
            let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
            for number in packed {
                central.pack(&packer, &parcel, number).await.unwrap();
            }
            central.seal_parcel(&packer, &parcel, packed).await.unwrap();
            central.send_parcel(&packer, &parcel, "RR1").await.unwrap();
            let found = [packed[0].clone(), stray.clone()];
            let counted = central
                .receive_parcel(&clerk, &parcel, &found)
                .await
                .unwrap();
            assert_eq!(counted.arrived, &packed[..1]);
            assert_eq!(counted.missing, &packed[1..]);
            assert_eq!(counted.surplus, std::slice::from_ref(stray));
            let incident = central
                .incident(&actor("auditor"), counted.incident.unwrap())
                .await
                .unwrap();
            assert_eq!(incident.kind, IncidentKind::ParcelDiffers);
            assert_eq!(incident.subject, format!("parcel/{parcel}"));
            assert_eq!(
                incident.text,
                format!("missing: {}; not in the books: {stray}", packed[1])
            );
            assert_eq!(state(&house, stray).await, DocumentState::QualityPassed);
            assert_eq!(state(&house, &packed[1]).await, DocumentState::Dispatched);
            assert!(is_conflict(&central.hand_over(&clerk, &packed[1]).await));
            // It lay under the table.
            assert!(is_refused(&central.arrive_late(&packer, &packed[1]).await));
            assert!(is_conflict(&central.arrive_late(&clerk, stray).await));
            central.arrive_late(&clerk, &packed[1]).await.unwrap();
            assert!(is_conflict(&central.arrive_late(&clerk, &packed[1]).await));
            central.hand_over(&clerk, &packed[1]).await.unwrap();
        },
    );
}

#[test]
fn pins_never_travel_with_their_card() {
    with_house(
        "scenarios::dispatching::pins_never_travel_with_their_card",
        async |house| {
            let (central, packer, envelopes) =
                (&house.central, actor("quality"), actor("envelopes"));
            let numbers = passed(&house, &["01-adult", "11-longest-names"]).await;
            let mut letters = Vec::new();
            for number in &numbers {
                let job = central.print_envelope(&envelopes, number).await.unwrap();
                central
                    .envelope_printed(&envelopes, &job.serial)
                    .await
                    .unwrap();
                letters.push(job.serial);
            }
            // The letter first: its card does not follow on its way.
            central
                .dispatch_envelope(&envelopes, &letters[0], "RR1")
                .await
                .unwrap();
            let parcel = central.open_parcel(&packer, "RIGA-1").await.unwrap();
            for number in &numbers {
                central.pack(&packer, &parcel, number).await.unwrap();
            }
            central
                .seal_parcel(&packer, &parcel, &numbers)
                .await
                .unwrap();
            let sent = central.send_parcel(&packer, &parcel, "rr1").await;
            assert!(is_refused(&sent));
            assert!(sent.unwrap_err().to_string().contains(&letters[0]));
            central.send_parcel(&packer, &parcel, "RR2").await.unwrap();
            // The card first: its letter does not follow either, nor in the parcel itself.
            for way in ["RR2", "rr2", &parcel] {
                let sent = central
                    .dispatch_envelope(&envelopes, &letters[1], way)
                    .await;
                assert!(is_refused(&sent), "{way}");
            }
            central
                .dispatch_envelope(&envelopes, &letters[1], "RR3")
                .await
                .unwrap();
        },
    );
}

#[test]
fn a_document_is_handed_over_where_it_was_made_only_by_its_own_office() {
    with_house(
        "scenarios::dispatching::a_document_is_handed_over_where_it_was_made_only_by_its_own_office",
        async |house| {
            let (central, clerk, administrator) =
                (&house.central, actor("clerk"), actor("administrator"));
            let numbers = passed(&house, &["01-adult", "11-longest-names"]).await;
            assert!(is_refused(
                &central
                    .place_station(&clerk, "station-1", Some("RIGA-1"))
                    .await
            ));
            assert!(matches!(
                central
                    .place_station(&administrator, "Station 1", Some("RIGA-1"))
                    .await,
                Err(CentralError::Invalid { .. })
            ));
            central
                .place_station(&administrator, "station-1", Some("LIEPAJA-1"))
                .await
                .unwrap();
            let here = central.hand_over(&clerk, &numbers[0]).await;
            assert!(is_refused(&here), "it was made in Liepāja, for Rīga");
            assert_eq!(
                state(&house, &numbers[0]).await,
                DocumentState::QualityPassed
            );
            sent_to_office(&house, &numbers[0]).await;
            central.hand_over(&clerk, &numbers[0]).await.unwrap();

            central
                .place_station(&administrator, "station-1", None)
                .await
                .unwrap();
            central
                .place_station(&administrator, "station-1", Some("RIGA-1"))
                .await
                .unwrap();
            central.hand_over(&clerk, &numbers[1]).await.unwrap();
            let entries = house.entries().await;
            let handed: Vec<_> = entries
                .iter()
                .filter(|entry| {
                    entry.action.as_str() == "document.handed-over"
                        && entry.outcome == Outcome::Done
                })
                .map(|entry| entry.details.get("made-at").is_some())
                .collect();
            assert_eq!(handed, [false, true], "the log tells the two ways apart");
        },
    );
}
