//! A document of two chips: one blank, one lease, one end.

use api::{ApiError, BlankEnd, Centre, PutKeyRequest, Report};
use audit::Outcome;
use document::life_cycle::{BlankState, DocumentState, EnvelopeState};
use perso::Fault;
use vcard::Chip;

use super::bench::{
    Run, disbelieved, journal, personalize_beside, personalize_chip, reported, spoiled, untouched,
};
use super::house::{
    House, PRODUCT, actor, delivered, operator, request, unbooked, with_adapted_house,
};
use super::key_requests::{challenge, refused};
use crate::{Central, CentralError, Config};

const SECOND: &str = "second-chip";
pub(super) const EID_CARD: &str = include_str!("../../profiles/one-chip/eid-card.toml");
const LATEID: &str = include_str!("../../../firmware-profiles/chips/lateid-v2.toml");
const KINDS: &str = "kinds = [\"id-card\", \"alien-id-card\"]";

/// Gives aliens a card with a second chip, which has no keys and no PINs.
fn two_chips(config: &mut Config) {
    let second = format!("extends = \"{PRODUCT}\"\nname = \"{SECOND}\"\n");
    config.chips.put(SECOND, second);
    let one = EID_CARD.replacen(KINDS, "kinds = [\"id-card\"]", 1);
    config.documents.put("eid-card", one);
    config.documents.put("two-chip-card", two_chip_card(""));
}

/// Returns the profile of the document with two chips; `more` is about the second one.
fn two_chip_card(more: &str) -> String {
    let text = EID_CARD
        .replacen(KINDS, "kinds = [\"alien-id-card\"]", 1)
        .replacen("name = \"eid-card\"", "name = \"two-chip-card\"", 1);
    assert!(text.contains("\"two-chip-card\"") && text.contains("[\"alien-id-card\"]"));
    format!("{text}\n[[chips]]\ninterface = \"contact\"\nproducts = [\"{SECOND}\"]\n{more}")
}

/// Makes a blank of two chips and books it; the second chip has the first place.
async fn blank(house: &House, serial: &str) -> (Chip, Chip) {
    let (first, second) = (unbooked(), unbooked());
    house
        .book_blank(serial, &[(SECOND, &second), (PRODUCT, &first)])
        .await;
    (first, second)
}

fn report(lease: &api::Lease, sequence: u64, runs: &[(&str, &Run)], end: BlankEnd) -> Report {
    Report {
        lease: lease.id,
        sequence,
        number: None,
        end,
        chips: runs.iter().map(|(name, run)| reported(name, run)).collect(),
        milliseconds: 60_000,
        journal: journal(),
    }
}

fn number(lease: Option<api::Lease>) -> Option<String> {
    lease.map(|lease| lease.record.number.to_string())
}

/// Personalizes a chip that lies at the slot together with another.
async fn beside(house: &House, lease: &api::Lease, product: &str, chip: Chip, other: &Chip) -> Run {
    let other = other.serial().to_string();
    personalize_beside(house, lease, product, chip, &[&other], Vec::new()).await
}

#[test]
fn a_slot_gets_the_documents_that_its_blanks_can_become() {
    with_adapted_house(
        "scenarios::two_chips::a_slot_gets_the_documents_that_its_blanks_can_become",
        two_chips,
        async |house| {
            let one = house.prepared("01-adult").await.to_string();
            let two = house.prepared("09-alien").await.to_string();
            assert_eq!(number(house.lease_for("a", &[SECOND]).await), None);
            // The other one is more urgent, but one chip is not enough for it.
            let lease = house.lease_for("a", &[PRODUCT]).await;
            assert_eq!(number(lease), Some(one));
            let lease = house.lease_for("b", &[SECOND, PRODUCT]).await.unwrap();
            let names: Vec<_> = lease.chips.iter().map(|chip| chip.name.as_str()).collect();
            assert_eq!(
                (lease.record.number.to_string(), names),
                (two, vec![PRODUCT, SECOND]),
                "in the order of the document profile"
            );
            assert_ne!(lease.chips[0].digest, lease.chips[1].digest);
            let again = house.lease_for("b", &[PRODUCT, SECOND]).await.unwrap();
            assert_eq!(again.id, lease.id);
            let other = request("b", &[PRODUCT]);
            assert!(matches!(
                house.central.lease(&operator(), &other).await,
                Err(ApiError::Conflict { .. })
            ));
        },
    );
}

#[test]
fn a_document_is_whole_when_both_chips_are() {
    with_adapted_house(
        "scenarios::two_chips::a_document_is_whole_when_both_chips_are",
        two_chips,
        async |house| {
            let central = &house.central;
            let old = house.prepared("09-alien").await.to_string();
            let (first, second) = blank(&house, "lv-0001").await;
            let listed = [delivered(SECOND, &second), delivered(PRODUCT, &first)];
            let serials = listed.clone().map(|chip| chip.serial);
            let lease = house.lease_for("a", &[PRODUCT, SECOND]).await.unwrap();
            let first = beside(&house, &lease, PRODUCT, first, &second).await;
            assert!(first.outcome.fault.is_none(), "{:?}", first.outcome.fault);
            let half = report(&lease, 1, &[(PRODUCT, &first)], BlankEnd::Personalized);
            assert!(disbelieved(&house, &half).await.contains("does not name"));
            let mut claimed = half.clone();
            claimed.chips.push(api::ReportedChip {
                product: SECOND.into(),
                serial: Some(serials[0].clone()),
                ..half.chips[0].clone()
            });
            let refusal = disbelieved(&house, &claimed).await;
            assert!(
                refusal.contains("\"close\"") && refusal.contains(&serials[0]),
                "{refusal}"
            );

            let second = beside(&house, &lease, SECOND, second, &first.chip).await;
            assert!(second.outcome.fault.is_none(), "{:?}", second.outcome.fault);
            assert_eq!((first.sealed.len(), second.sealed.len()), (2, 1));
            let both = [(SECOND, &second), (PRODUCT, &first)];
            let whole = report(&lease, 1, &both, BlankEnd::Personalized);
            central.report(&operator(), &whole).await.unwrap();
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(line.state, DocumentState::Personalized);
            assert_eq!(
                (line.blank.as_deref(), line.envelope, line.certificates),
                (Some("LV-0001"), Some(EnvelopeState::Ready), 2)
            );
            assert_eq!(line.chips, serials);
            let blank = central.blanks(&actor("keeper")).await.unwrap().remove(0);
            assert_eq!(
                (blank.state, blank.chips.as_slice()),
                (BlankState::Personalized, &listed[..])
            );

            let new = central
                .fail_quality(&actor("quality"), &old, "the laser slipped")
                .await
                .unwrap()
                .unwrap();
            let blank = central.blanks(&actor("keeper")).await.unwrap().remove(0);
            assert_eq!(
                (blank.state, blank.number),
                (BlankState::Spoiled, Some(old))
            );
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(
                (line.number, line.blank, line.chips.len()),
                (Some(new.to_string()), None, 0)
            );
        },
    );
}

#[test]
fn chips_of_two_blanks_never_mix() {
    with_adapted_house(
        "scenarios::two_chips::chips_of_two_blanks_never_mix",
        two_chips,
        async |house| {
            let central = &house.central;
            house.prepared("09-alien").await;
            house.prepared("01-adult").await;
            let (mut first, mut second) = blank(&house, "LV-A").await;
            let (mut stray, mut other) = blank(&house, "LV-B").await;
            let mut lone = house.blank().await;
            let lease = house.lease_for("a", &[PRODUCT, SECOND]).await.unwrap();
            let single = house.lease_for("b", &[PRODUCT]).await.unwrap();

            // A blank of one chip under a lease for two, and the other way round.
            let few = challenge(&lease, &mut lone, "transport", [1; 8]);
            assert!(refused(house.claim(&lease, &few.chip).await).contains("is made of"));
            let many = challenge(&single, &mut stray, "transport", [2; 8]);
            assert!(refused(house.claim(&single, &many.chip).await).contains("is made of"));
            assert_eq!(
                house
                    .number("SELECT count(*) FROM lease WHERE blank IS NOT NULL")
                    .await,
                0
            );

            // One chip alone says nothing of the other: neither is bound, and neither gets keys.
            let alone = challenge(&lease, &mut second, "transport", [6; 8]);
            assert!(refused(house.claim(&lease, &alone.chip).await).contains("2 chips"));
            assert!(
                refused(central.open_channel(&operator(), &alone).await).contains("claim the chip")
            );

            // Either chip binds the blank: here the second.
            let serials = [&first, &second].map(|chip| chip.serial().to_string());
            for (chip, host) in [(&mut second, 3), (&mut first, 4)] {
                let request = challenge(&lease, chip, "transport", [host; 8]);
                let others = serials.iter().filter(|serial| **serial != request.chip);
                let others: Vec<_> = others.map(String::as_str).collect();
                house
                    .claim_beside(&lease, &request.chip, &others)
                    .await
                    .unwrap();
                central.open_channel(&operator(), &request).await.unwrap();
            }
            assert_eq!(
                house
                    .scalar("SELECT blank FROM lease WHERE blank IS NOT NULL")
                    .await,
                "LV-A"
            );
            let foreign = challenge(&lease, &mut other, "transport", [5; 8]);
            assert!(
                refused(central.open_channel(&operator(), &foreign).await)
                    .contains("not of blank LV-A")
            );
            let put = PutKeyRequest {
                lease: lease.id,
                chip: foreign.chip.clone(),
                opening: foreign.opening.clone(),
                new: "issuer".into(),
                adds: false,
            };
            assert!(
                refused(central.put_keys(&operator(), &put).await).contains("not of blank LV-A")
            );

            // What lay in the reader is told as it was, and spoils the bound blank alone.
            let run = beside(&house, &lease, PRODUCT, first, &second).await;
            let mixed = personalize_chip(&house, &lease, SECOND, other, Vec::new()).await;
            let fault = mixed.outcome.fault.as_ref().unwrap().to_string();
            assert!(fault.contains("not of blank LV-A"), "{fault}");
            let told = report(&lease, 1, &[(PRODUCT, &run), (SECOND, &mixed)], spoiled());
            central.report(&operator(), &told).await.unwrap();
            let entries = house.entries().await;
            let entry = entries
                .iter()
                .rfind(|entry| entry.action.as_str() == "lease.reported")
                .unwrap();
            assert_eq!(entry.details.get("foreign-chips"), Some("1"));
            assert_eq!(
                states(&house).await,
                [BlankState::Spoiled, BlankState::InStock]
            );

            // One that broke before any channel is spoiled once, by whichever chips were read; what
            // is in another account stays there.
            let lease = house.lease_for("a", &[PRODUCT, SECOND]).await.unwrap();
            let mut broken = report(&lease, 2, &[(SECOND, &mixed), (PRODUCT, &run)], spoiled());
            broken.chips.push(api::ReportedChip {
                serial: Some(stray.serial().to_string()),
                ..broken.chips[1].clone()
            });
            central.report(&operator(), &broken).await.unwrap();
            assert_eq!(
                states(&house).await,
                [BlankState::Spoiled, BlankState::Spoiled]
            );
        },
    );
}

/// A card with chip A of one blank and chip B of another: neither gets anything, and neither blank
/// is what the books say.
#[test]
fn a_crossed_pair_is_put_aside_before_anything_is_done() {
    with_adapted_house(
        "scenarios::two_chips::a_crossed_pair_is_put_aside_before_anything_is_done",
        two_chips,
        async |house| {
            let central = &house.central;
            let number = house.prepared("09-alien").await.to_string();
            let (first, second) = blank(&house, "LV-A").await;
            let (other_first, other_second) = blank(&house, "LV-B").await;
            let (third, _kept) = blank(&house, "LV-C").await;
            let lease = house.lease_for("a", &[PRODUCT, SECOND]).await.unwrap();

            let mut pairs = Vec::new();
            for (product, chip, with) in [
                (PRODUCT, first, &other_second),
                (PRODUCT, other_first, &second),
            ] {
                let run = beside(&house, &lease, product, chip, with).await;
                let Some(Fault::NotOneBlank { chip, cause }) = &run.outcome.fault else {
                    panic!("{:?}", run.outcome.fault)
                };
                assert_eq!(*chip, run.chip.serial().to_string());
                assert!(cause.contains("LV-A") && cause.contains("LV-B"), "{cause}");
                assert!(!run.outcome.touched && run.channels.is_empty());
                pairs.push(run);
            }
            assert_eq!(house.count("blank.crossed", Outcome::Done).await, 2);
            assert_eq!(house.count("chip.claimed", Outcome::Refused).await, 2);

            // A chip of the books beside one that nobody delivered.
            let stranger = unbooked();
            let run = beside(&house, &lease, PRODUCT, third, &stranger).await;
            let Some(Fault::NotOneBlank { cause, .. }) = &run.outcome.fault else {
                panic!("{:?}", run.outcome.fault)
            };
            assert!(
                cause.contains("LV-C") && cause.contains("no delivery"),
                "{cause}"
            );
            assert_eq!(states(&house).await, [BlankState::Spoiled; 3]);
            assert_eq!(
                house
                    .number("SELECT count(*) FROM lease WHERE blank IS NOT NULL")
                    .await,
                0
            );

            let told = report(&lease, 1, &[(PRODUCT, &pairs[0])], untouched());
            central.report(&operator(), &told).await.unwrap();
            central.report(&operator(), &told).await.unwrap();
            // The document waits for another blank, under its number.
            blank(&house, "LV-D").await;
            let lease = house.lease_for("a", &[PRODUCT, SECOND]).await;
            assert_eq!(self::number(lease), Some(number));
        },
    );
}

/// Returns the accounts of the blanks of two chips, by their names.
async fn states(house: &House) -> Vec<BlankState> {
    let blanks = house.central.blanks(&actor("keeper")).await.unwrap();
    blanks
        .iter()
        .filter(|blank| blank.serial.starts_with("LV-"))
        .map(|blank| blank.state)
        .collect()
}

/// Only the chip that has its holder's PINs gets others; the one beside it is left alone.
#[test]
fn new_pins_are_for_the_chip_that_has_them() {
    with_adapted_house(
        "scenarios::two_chips::new_pins_are_for_the_chip_that_has_them",
        two_chips,
        async |house| {
            let central = &house.central;
            let number = house.prepared("09-alien").await.to_string();
            let (first, second) = blank(&house, "lv-0001").await;
            let lease = house.lease_for("a", &[PRODUCT, SECOND]).await.unwrap();
            let first = beside(&house, &lease, PRODUCT, first, &second).await;
            let second = beside(&house, &lease, SECOND, second, &first.chip).await;
            let both = [(SECOND, &second), (PRODUCT, &first)];
            let whole = report(&lease, 1, &both, BlankEnd::Personalized);
            central.report(&operator(), &whole).await.unwrap();

            let lease = central
                .lease_new_pins(&operator(), &number, "letter lost")
                .await
                .unwrap();
            let names: Vec<_> = lease.chips.iter().map(|chip| chip.name.as_str()).collect();
            assert_eq!(names, [PRODUCT]);
            let other = second.chip.serial().to_string();
            let claim = api::ClaimRequest {
                lease: lease.id,
                chip: other,
                beside: Vec::new(),
                printed: None,
            };
            let said = refused(central.claim(&operator(), &claim).await);
            assert!(said.contains("not for its chip"), "{said}");
            let run = personalize_chip(&house, &lease, PRODUCT, first.chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
            let done = report(&lease, 2, &[(PRODUCT, &run)], BlankEnd::Personalized);
            central.report(&operator(), &done).await.unwrap();
            let line = central.documents(&actor("clerk")).await.unwrap().remove(0);
            assert_eq!(
                (line.state, line.envelope),
                (DocumentState::Personalized, Some(EnvelopeState::Ready))
            );
        },
    );
}

#[test]
fn profiles_whose_chips_cannot_be_told_apart_are_refused() {
    with_adapted_house(
        "scenarios::two_chips::profiles_whose_chips_cannot_be_told_apart_are_refused",
        two_chips,
        async |house| {
            let pins = "[chips.pins.pin1]\ndigits = 4\n[chips.pins.pin2]\ndigits = 6\n[chips.pins.puk]\ndigits = 8\n";
            let key = "[chips.keys.signature]\ncertificate = \"eid-signature\"\n";
            for (profile, word) in [
                (two_chip_card(key), "\"signature\" for two chips"),
                (two_chip_card(pins), "PINs on more than one chip"),
                (
                    two_chip_card("").replace(SECOND, PRODUCT),
                    "\"lateid-v2\" for two chips",
                ),
            ] {
                let mut config = house.config();
                config.documents.put("two-chip-card", profile);
                let reason = cannot_open(config).await;
                assert!(reason.contains(word), "{reason}");
            }
            let forgetful = LATEID.replace("\"set_holder_pin puk\", ", "");
            assert_ne!(forgetful, LATEID);
            let mut config = house.config();
            config.chips.put(PRODUCT, forgetful);
            let reason = cannot_open(config).await;
            assert!(reason.contains("each of the holder's PINs"), "{reason}");
        },
    );
}

async fn cannot_open(config: Config) -> String {
    match Central::open(config).await {
        Err(CentralError::Setup { reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    }
}
