//! Blanks without chips, and blanks that their maker numbered.

use api::{ApiError, BlankEnd, Centre, Lease};
use audit::Outcome;
use document::life_cycle::{BlankState, DocumentState};
use document::{Kind, NumberFormat};
use vcard::{Chip, Fault, FaultKind};

use super::bench::{Run, bare_report, personalize, report, spoiled, untouched};
use super::house::{
    House, PRODUCT, actor, delivered, is_conflict, is_refused, operator, receipt, request, sample,
    unbooked, with_adapted_house,
};
use super::two_chips::EID_CARD;
use crate::{CentralError, Config, DeliveredBlank, Delivery, DeskEnd, Handling};

/// Citizens get a booklet without a chip, under a number from the series; aliens get a card whose
/// blanks are numbered.
pub(super) fn booklets_and_numbered_cards(config: &mut Config) {
    let booklet = "format = 1\nname = \"booklet\"\ntitle = \"A booklet\"\nkinds = [\"id-card\"]\narticle = \"booklet\"\n";
    config.documents.put("booklet", booklet);
    let card = EID_CARD
        .replacen("[\"id-card\", \"alien-id-card\"]", "[\"alien-id-card\"]", 1)
        .replacen("\n[[chips]]", "\nnumber = \"blank\"\n\n[[chips]]", 1);
    config.documents.put("eid-card", card);
}

/// As above, and the booklets are numbered too.
fn numbered_booklets(config: &mut Config) {
    booklets_and_numbered_cards(config);
    let text = config.documents.text("booklet").unwrap().to_owned();
    config
        .documents
        .put("booklet", text + "number = \"blank\"\n");
}

fn booklet(serial: &str, number: Option<&str>) -> DeliveredBlank {
    DeliveredBlank {
        serial: serial.into(),
        article: Some("booklet".into()),
        number: number.map(|number| number.parse().unwrap()),
        chips: Vec::new(),
    }
}

pub(super) fn numbered(serial: &str, number: &str, chip: &Chip) -> DeliveredBlank {
    DeliveredBlank {
        number: Some(number.parse().unwrap()),
        ..DeliveredBlank::of_chips(serial, vec![delivered(PRODUCT, chip)])
    }
}

pub(super) async fn receive(
    house: &House,
    blanks: Vec<DeliveredBlank>,
) -> Result<usize, CentralError> {
    let delivery = Delivery {
        reference: format!("D-{}", blanks[0].serial),
        blanks,
    };
    let central = &house.central;
    let (keeper, receipt) = (actor("keeper"), receipt(delivery.blanks.len()));
    let received = central.receive_blanks(&keeper, &delivery, &receipt).await?;
    Ok(received.blanks)
}

/// Imports and approves a sample; returns its application's reference.
pub(super) async fn approved(house: &House, name: &str) -> String {
    let content = sample(&format!("applications/{name}"));
    let reference = house
        .central
        .import(&actor("clerk"), &content)
        .await
        .unwrap();
    let approver = actor("approver");
    let reference = reference.to_string();
    house.central.approve(&approver, &reference).await.unwrap();
    reference
}

pub(super) async fn states(house: &House) -> Vec<(String, BlankState)> {
    let blanks = house.central.blanks(&actor("keeper")).await.unwrap();
    let state = |blank: crate::BlankLine| (blank.serial, blank.state);
    blanks.into_iter().map(state).collect()
}

/// Asks for a lease for the blank of this chip.
async fn lease_for_blank(house: &House, chip: &Chip) -> Result<Option<Lease>, ApiError> {
    let mut request = request("a", &[PRODUCT]);
    request.chips = vec![chip.serial().to_string()];
    house.central.lease(&operator(), &request).await
}

async fn made(house: &House, lease: &Lease, chip: Chip, faults: Vec<Fault>) -> Run {
    personalize(house, lease, chip, faults).await
}

#[test]
fn a_number_has_the_form_that_its_kind_has() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_number_has_the_form_that_its_kind_has",
        numbered_booklets,
        async |house| {
            // The booklets are for identity cards here, which have letters.
            let refused = receive(&house, vec![booklet("B-1", Some("X10000077"))]).await;
            let Err(CentralError::NumberFormat(wrong)) = refused else {
                panic!("{refused:?}");
            };
            assert_eq!(wrong.kind, Kind::IdCard);
            assert_eq!(wrong.format, NumberFormat::Letters);
            assert_eq!(states(&house).await, [], "nothing of it is booked");
            // The cards are for aliens, of whose numbers nothing is said.
            let chip = unbooked();
            let one = numbered("B-2", "X10000077", &chip);
            assert_eq!(receive(&house, vec![one]).await.unwrap(), 1);
            let one = booklet("B-3", Some("XB0000077"));
            assert_eq!(receive(&house, vec![one]).await.unwrap(), 1);

            // A blank that was booked before its kind had a form is not used either.
            approved(&house, "01-adult").await;
            house
                .meddle("UPDATE blank SET own_number = 'X20000078' WHERE serial = 'B-3'")
                .await;
            let central = &house.central;
            let reference = "APP-2026-000001";
            let (who, made) = (operator(), DeskEnd::Made);
            let refused = central.produce(&who, reference, "B-3", &made).await;
            assert!(
                matches!(refused, Err(CentralError::NumberFormat(_))),
                "{refused:?}"
            );
        },
    );
}

#[test]
fn a_document_without_a_chip_is_made_at_a_desk() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_document_without_a_chip_is_made_at_a_desk",
        booklets_and_numbered_cards,
        async |house| {
            let central = &house.central;
            let reference = approved(&house, "01-adult").await;
            let blanks = ["B-1", "B-2"].map(|serial| booklet(serial, None));
            receive(&house, blanks.into()).await.unwrap();
            // No slot is offered it.
            assert!(house.lease("a").await.is_none());

            let spoiled = DeskEnd::Spoiled {
                cause: "the printer jammed".into(),
            };
            let first = central
                .produce(&operator(), &reference, "b-1", &spoiled)
                .await
                .unwrap();
            let number = central
                .produce(&operator(), &reference, "B-2", &DeskEnd::Made)
                .await
                .unwrap();
            assert_ne!(
                first, number,
                "what stands on a spoiled blank is not used again"
            );
            assert_eq!(
                states(&house).await,
                [
                    ("B-1".to_owned(), BlankState::Spoiled),
                    ("B-2".to_owned(), BlankState::Personalized)
                ]
            );
            let again = central
                .produce(&operator(), &reference, "B-2", &DeskEnd::Made)
                .await;
            assert!(is_conflict(&again));

            // Another person judges it, and it is handed over: no envelope, no certificates.
            let number = number.to_string();
            assert!(is_refused(
                &central.pass_quality(&operator(), &number).await
            ));
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(
                (line.state, line.number, line.blank.as_deref()),
                (DocumentState::HandedOver, Some(number), Some("B-2"))
            );
            assert_eq!(
                (line.envelope, line.certificates, line.chips.len()),
                (None, 0, 0)
            );
            assert_eq!(house.count("document.produced", Outcome::Done).await, 2);
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!((numbers.issued, numbers.spoiled), (1, 1));
        },
    );
}

#[test]
fn a_desk_takes_only_blanks_that_are_meant() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_desk_takes_only_blanks_that_are_meant",
        booklets_and_numbered_cards,
        async |house| {
            let central = &house.central;
            let citizen = approved(&house, "01-adult").await;
            let alien = approved(&house, "09-alien").await;
            let chip = unbooked();
            let blanks = vec![
                booklet("B-1", Some("XN0000001")),
                numbered("C-1", "XN0000002", &chip),
                booklet("B-2", None),
            ];
            receive(&house, blanks).await.unwrap();
            let produce = async |reference: &str, blank: &str| {
                let made = central
                    .produce(&operator(), reference, blank, &DeskEnd::Made)
                    .await;
                match made {
                    Err(CentralError::Refused { reason }) => reason,
                    other => panic!("{other:?}"),
                }
            };
            assert!(
                produce(&citizen, "B-1")
                    .await
                    .contains("has number XN0000001")
            );
            assert!(produce(&citizen, "C-1").await.contains("of no article"));
            assert!(
                produce(&alien, "B-2")
                    .await
                    .contains("a station makes them")
            );
            for person in ["clerk", "approver", "quality", "keeper"] {
                let person = actor(person);
                let made = central.produce(&person, &citizen, "B-2", &DeskEnd::Made);
                assert!(is_refused(&made.await), "{person:?}");
            }
            let person = operator();
            let nobodys = central.produce(&person, "APP-0", "B-2", &DeskEnd::Made);
            assert!(matches!(nobodys.await, Err(CentralError::NotFound { .. })));
            assert!(
                states(&house)
                    .await
                    .iter()
                    .all(|(_, state)| *state == BlankState::InStock)
            );
        },
    );
}

#[test]
fn a_numbered_booklet_gives_its_number() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_numbered_booklet_gives_its_number",
        numbered_booklets,
        async |house| {
            let central = &house.central;
            let reference = approved(&house, "01-adult").await;
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(
                (line.state, line.number, line.issued),
                (DocumentState::Queued, None, None)
            );
            let blanks = vec![
                booklet("B-1", Some("XN0000007")),
                booklet("B-2", Some("XN0000008")),
            ];
            receive(&house, blanks).await.unwrap();
            let number = central
                .produce(&operator(), &reference, "B-2", &DeskEnd::Made)
                .await
                .unwrap();
            assert_eq!(number.to_string(), "XN0000008");
            let failed = central
                .fail_quality(&actor("quality"), "XN0000008", "a page is torn")
                .await
                .unwrap();
            assert_eq!(failed, None, "the next blank says the number");
            let number = central
                .produce(&operator(), &reference, "B-1", &DeskEnd::Made)
                .await
                .unwrap();
            assert_eq!(number.to_string(), "XN0000007");
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!(
                (numbers.issued, numbers.spoiled, numbers.allotted),
                (1, 1, 0)
            );
            assert_eq!(
                numbers.next.as_deref(),
                Some("XA0000001"),
                "none was allotted"
            );
        },
    );
}

#[test]
fn a_card_gets_the_number_of_the_blank_in_the_slot() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_card_gets_the_number_of_the_blank_in_the_slot",
        booklets_and_numbered_cards,
        async |house| {
            let central = &house.central;
            approved(&house, "09-alien").await;
            let [plain, first, second, third] = [(); 4].map(|()| unbooked());
            house.book(&plain).await;
            let blanks = vec![
                numbered("N-1", "XN0000001", &first),
                numbered("N-2", "XN0000002", &second),
                numbered("N-3", "XN0000003", &third),
            ];
            receive(&house, blanks).await.unwrap();
            // Who does not say which blank lies there, or has one without a number, gets none.
            assert!(house.lease("a").await.is_none());
            assert!(lease_for_blank(&house, &plain).await.unwrap().is_none());
            let stranger = lease_for_blank(&house, &unbooked()).await;
            assert!(matches!(stranger, Err(ApiError::Refused { .. })));

            // The lease binds the blank, so that no other gets on under its number.
            let lease = lease_for_blank(&house, &first).await.unwrap().unwrap();
            assert_eq!(lease.record.number.to_string(), "XN0000001");
            let run = made(&house, &lease, second, Vec::new()).await;
            let fault = run.outcome.fault.as_ref().unwrap().to_string();
            assert!(fault.contains("not of blank N-1"), "{fault}");
            let second = run.chip;
            central
                .report(&operator(), &bare_report(&lease, 1, untouched()))
                .await
                .unwrap();
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!((line.state, line.number), (DocumentState::Queued, None));
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!((numbers.returned, numbers.allotted), (1, 0));
            // It came back, and is not counted into stock yet.
            let returned = lease_for_blank(&house, &first).await;
            assert!(matches!(returned, Err(ApiError::Refused { .. })));

            // Cut off: the number is spoiled with its blank.
            let lease = lease_for_blank(&house, &second).await.unwrap().unwrap();
            let cut = Fault {
                at: 60,
                kind: FaultKind::RemoveBefore,
            };
            let run = made(&house, &lease, second, vec![cut]).await;
            assert!(run.outcome.touched);
            let told = report(&lease, 2, &run, spoiled());
            central.report(&operator(), &told).await.unwrap();
            central.report(&operator(), &told).await.unwrap();
            let live = "SELECT count(*) FROM certificate WHERE state NOT LIKE 'revoked%'";
            assert_eq!(house.number(live).await, 0);

            // The blank that came back is as good as new, with its number.
            central
                .handle_blanks(&actor("keeper"), &["N-1".into()], &Handling::Restock)
                .await
                .unwrap();
            let lease = lease_for_blank(&house, &first).await.unwrap().unwrap();
            assert_eq!(lease.record.number.to_string(), "XN0000001");
            let run = made(&house, &lease, first, Vec::new()).await;
            assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
            let whole = report(&lease, 3, &run, BlankEnd::Personalized);
            central.report(&operator(), &whole).await.unwrap();
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(
                (line.state, line.number.as_deref(), line.blank.as_deref()),
                (DocumentState::Personalized, Some("XN0000001"), Some("N-1"))
            );
            let numbers = central.numbers(&actor("auditor")).await.unwrap();
            assert_eq!(
                (
                    numbers.issued,
                    numbers.spoiled,
                    numbers.returned,
                    numbers.allotted
                ),
                (1, 1, 0, 0)
            );
        },
    );
}

#[test]
fn a_delivery_brings_no_number_that_another_document_could_get() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_delivery_brings_no_number_that_another_document_could_get",
        booklets_and_numbered_cards,
        async |house| {
            receive(&house, vec![booklet("B-0", Some("XN0000001"))])
                .await
                .unwrap();
            for (number, fault) in [
                ("PB0000001", "not of a test series"),
                ("XA0000009", "from which numbers are allotted"),
                ("XN0000001", "in the books already"),
            ] {
                let blanks = vec![booklet("B-1", Some(number))];
                let said = receive(&house, blanks).await.unwrap_err().to_string();
                assert!(said.contains(fault), "{said}");
            }
            let twice = ["B-1", "B-2"].map(|serial| booklet(serial, Some("XN0000002")));
            assert!(is_conflict(&receive(&house, twice.into()).await));
            let mut foreign = booklet("B-1", None);
            foreign.article = Some("passport".into());
            let unknown = receive(&house, vec![foreign]).await;
            assert!(matches!(unknown, Err(CentralError::NotFound { .. })));
            let mut nothing = booklet("B-1", None);
            nothing.article = None;
            let nameless = receive(&house, vec![nothing]).await;
            assert!(matches!(nameless, Err(CentralError::Invalid { .. })));
            // The list says which keys the maker left: they are those that the profile opens.
            let chip = unbooked();
            for (version, is_known) in [(0x20, false), (0xFF, true)] {
                let mut listed = delivered(PRODUCT, &chip);
                listed.key_version = Some(version);
                let blank = DeliveredBlank::of_chips(format!("K-{version}"), vec![listed]);
                let received = receive(&house, vec![blank]).await;
                assert_eq!(received.is_ok(), is_known, "{received:?}");
            }
            let blanks = house.central.blanks(&actor("keeper")).await.unwrap();
            let serials: Vec<_> = blanks.iter().map(|blank| &*blank.serial).collect();
            assert_eq!(
                serials,
                ["B-0", "K-255"],
                "of what is refused nothing is booked"
            );
        },
    );
}

#[test]
fn a_document_whose_number_was_on_a_missing_blank_waits_for_another() {
    with_adapted_house(
        "scenarios::numbered_blanks::a_document_whose_number_was_on_a_missing_blank_waits_for_another",
        numbered_booklets,
        async |house| {
            let central = &house.central;
            let reference = approved(&house, "01-adult").await;
            let blanks = vec![
                booklet("B-1", Some("XN0000007")),
                booklet("B-2", Some("XN0000008")),
            ];
            receive(&house, blanks).await.unwrap();
            let produce = async |blank| {
                central
                    .produce(&operator(), &reference, blank, &DeskEnd::Made)
                    .await
            };
            produce("B-1").await.unwrap();
            let judge = actor("quality");
            central.pass_quality(&judge, "XN0000007").await.unwrap();
            let new = central
                .document_missing(&judge, "XN0000007", "keeper", "gone")
                .await
                .unwrap();
            assert_eq!(new, None, "the next blank says the number");
            assert!(produce("B-1").await.is_err(), "it is missing");
            // It waits without a number, and is wanted no more.
            let cancel = async || {
                central
                    .cancel_document(&actor("approver"), &reference, "moved away")
                    .await
            };
            cancel().await.unwrap();
            assert!(is_conflict(&cancel().await));
            assert!(is_conflict(&produce("B-2").await));
            assert_eq!(
                house.scalar("SELECT state FROM application").await,
                "withdrawn"
            );
            let events = "SELECT count(*) FROM document_event WHERE event = 'cancel' AND state = 'cancelled'";
            assert_eq!(house.number(events).await, 1);
        },
    );
}
