//! Slots with printers and scanners: they get what they print, with its pictures, if their printer's
//! profile may run; and a blank is the one that its label says.

use api::{Actor, ApiError, Centre, ClaimRequest, LeaseRequest, PrintsWith, ProfilePin};
use audit::CheckpointSigner as _;
use document::Application;
use jiff::civil::date;
use profile::{Release, Released, Releasers};
use vcard::Chip;

use super::house::{
    House, PRODUCT, operator, printed, request, sample, with_adapted_house, with_house,
};
use super::person::Person;
use crate::Config;
use crate::blanks::Blank;

/// Asks as a slot whose printer prints the faces of these documents.
fn printing(slot: &str, digest: u8, documents: &[&str]) -> LeaseRequest {
    LeaseRequest {
        printer: Some(PrintsWith {
            profile: ProfilePin {
                name: "press".into(),
                digest: [digest; 32],
            },
            documents: documents.iter().map(|&name| name.to_owned()).collect(),
        }),
        ..request(slot, &[PRODUCT])
    }
}

#[test]
fn a_document_goes_where_its_faces_are_printed() {
    with_house(
        "scenarios::printers::a_document_goes_where_its_faces_are_printed",
        async |house| {
            house.prepared("01-adult").await;
            let central = &house.central;
            let ask = async |request: &LeaseRequest| {
                let asked: Actor = operator();
                central.lease(&asked, request).await.unwrap()
            };
            for others in [&[][..], &["passport", "residence-permit"]] {
                assert!(
                    ask(&printing("press", 7, others)).await.is_none(),
                    "{others:?}"
                );
            }
            let wanted = printing("press", 7, &["residence-permit", "eid-card"]);
            let lease = ask(&wanted).await.unwrap();
            let own = Application::parse(&sample("applications/01-adult"), date(2026, 11, 20));
            let own = own.unwrap();
            let pictures = lease.pictures.unwrap();
            assert_eq!(pictures.portrait.expose(), own.portrait.bytes());
            let signature = pictures.signature.as_ref().map(|picture| picture.expose());
            assert_eq!(
                signature,
                own.signature.as_ref().map(|picture| picture.bytes())
            );
            // An answer that was lost is given again, whole.
            let again = ask(&wanted).await.unwrap();
            assert_eq!((again.id, again.pictures.is_some()), (lease.id, true));
            let entries = house.entries().await;
            let given = entries
                .iter()
                .rfind(|entry| entry.action.to_string() == "document.leased");
            let said = format!("{:?}", given.unwrap());
            assert!(
                said.contains("press") && said.contains(&"07".repeat(32)),
                "{said}"
            );

            // Where another machine prints, nobody's pictures go.
            house.prepared("05-nineteen").await;
            let plain = house.lease("by hand").await.unwrap();
            assert!(plain.pictures.is_none());
        },
    );
}

fn released(config: &mut Config) {
    let people = [Person::new("anna", 1), Person::new("juris", 2)];
    let list = format!("{}\n{}\n", people[0].key(), people[1].key());
    let about = Released::printer("press", &[7; 32]).unwrap();
    let mut release = Release::new(about.clone()).unwrap();
    for person in &people {
        release.sign(person).unwrap();
    }
    let releases = &mut config.releases;
    releases.set_releasers(Releasers::parse(&list).unwrap());
    releases.put(about.kind(), about.name(), release.to_string());
}

#[test]
fn a_printer_profile_that_was_altered_prints_nothing() {
    with_adapted_house(
        "scenarios::printers::a_printer_profile_that_was_altered_prints_nothing",
        released,
        async |house| {
            house.prepared("01-adult").await;
            let altered = printing("press", 8, &["eid-card"]);
            let refused = house.central.lease(&operator(), &altered).await;
            let Err(ApiError::Refused { reason }) = refused else {
                panic!("an altered profile is taken")
            };
            assert!(
                reason.contains("printer") && reason.contains("\"press\""),
                "{reason}"
            );
            let mut nameless = printing("press", 7, &["eid-card"]);
            if let Some(printer) = &mut nameless.printer {
                printer.profile.name = "no\nname".into();
            }
            let refused = house.central.lease(&operator(), &nameless).await;
            assert!(
                matches!(refused, Err(ApiError::Invalid { .. })),
                "{refused:?}"
            );
            let sound = printing("press", 7, &["eid-card"]);
            let lease = house.central.lease(&operator(), &sound).await.unwrap();
            assert!(lease.is_some());
        },
    );
}

/// Returns the account of the blank that carries a chip.
async fn account(house: &House, chip: &Chip) -> String {
    let mut tx = house.central.read().await.unwrap();
    let blank = Blank::load(&mut tx, &printed(chip)).await.unwrap();
    blank.state.to_string()
}

#[test]
fn a_blank_is_the_one_that_is_printed_on_it() {
    with_house(
        "scenarios::printers::a_blank_is_the_one_that_is_printed_on_it",
        async |house| {
            house.prepared("01-adult").await;
            let [own, other, sound] = [
                house.blank().await,
                house.blank().await,
                house.blank().await,
            ];
            let lease = house.lease("slot").await.unwrap();
            let claim = async |chip: &Chip, label: &str| {
                let request = ClaimRequest {
                    lease: lease.id,
                    chip: chip.serial().to_string(),
                    beside: Vec::new(),
                    printed: Some(label.to_owned()),
                };
                house.central.claim(&operator(), &request).await
            };
            // What was read may be another blank's label: nothing is put aside for it.
            let crossed = claim(&own, &printed(&other)).await;
            let Err(ApiError::NotOneBlank { reason }) = crossed else {
                panic!("{crossed:?}")
            };
            assert!(
                reason.contains(&printed(&other)) && reason.contains(&printed(&own)),
                "{reason}"
            );
            assert_eq!(account(&house, &own).await, "in-stock");
            assert_eq!(account(&house, &other).await, "in-stock");
            let noise = claim(&own, "no serial\nnumber").await;
            assert!(matches!(noise, Err(ApiError::Invalid { .. })), "{noise:?}");
            claim(&sound, &printed(&sound)).await.unwrap();
            // Once it is bound, a label that says otherwise changes nothing.
            let late = claim(&sound, "LV-NOBODY").await;
            assert!(
                matches!(late, Err(ApiError::NotOneBlank { .. })),
                "{late:?}"
            );
            claim(&sound, &printed(&sound)).await.unwrap();
            assert_eq!(account(&house, &sound).await, "at-station");
        },
    );
}
