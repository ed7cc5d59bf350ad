//! A card of two chips that is cut off at any command of either: one document, or one blank that is
//! accounted for, and nothing of it that lives.

use api::{BlankEnd, Centre, Lease, Report};
use document::life_cycle::BlankState;
use vcard::{Chip, ChipNumber, Fault, FaultKind, Memory, Product, TransportMasterKey};

use super::bench::{Run, personalize_beside, reported};
use super::house::{House, MAKER, PRODUCT, actor, operator, product_file, with_adapted_house};
use crate::Config;

const TRAVEL: &str = "mrtd-trial";

fn card(config: &mut Config) {
    let applet = product_file("firmware-profiles/chips/mrtd-applet.toml");
    config.chips.put("mrtd-applet", applet);
    let chip = product_file("tests/two-chips/chips/mrtd-trial.toml");
    config.chips.put(TRAVEL, chip);
    for name in ["id-card", "eid-card"] {
        let text = product_file(&format!("tests/two-chips/documents/{name}.toml"));
        config.documents.put(name, text);
    }
}

/// Makes a blank of a contactless and a contact chip, and books it.
async fn blank(house: &House, serial: &str) -> [Chip; 2] {
    let [travel, eid] = ["mrtd-applet", PRODUCT].map(|product| {
        let product = Product::find(product).unwrap();
        let maker = TransportMasterKey::new(MAKER);
        Chip::blank(product, ChipNumber::random().unwrap(), &maker, Memory).unwrap()
    });
    house
        .book_blank(serial, &[(TRAVEL, &travel), (PRODUCT, &eid)])
        .await;
    [travel, eid]
}

/// Does what a slot does: one chip after the other, up to the first fault. Cuts the card off at a
/// command, counted over both chips.
async fn attempt(
    house: &House,
    lease: &Lease,
    chips: [Chip; 2],
    sequence: u64,
    cut: Option<(usize, u64, FaultKind)>,
) -> (Report, bool) {
    let serials = [&chips[0], &chips[1]].map(|chip| chip.serial().to_string());
    let mut runs: Vec<(&str, Run)> = Vec::new();
    for (place, (product, chip)) in [TRAVEL, PRODUCT].into_iter().zip(chips).enumerate() {
        let faults = cut.filter(|(at, ..)| *at == place);
        let faults = faults.map(|(_, at, kind)| Fault { at, kind });
        let beside = serials[1 - place].as_str();
        let faults = faults.into_iter().collect();
        let run = personalize_beside(house, lease, product, chip, &[beside], faults).await;
        let failed = run.outcome.fault.is_some();
        runs.push((product, run));
        if failed {
            break;
        }
    }
    let whole = runs.len() == 2 && runs.iter().all(|(_, run)| run.outcome.fault.is_none());
    let cause = "cut off".to_owned();
    let end = match (whole, runs.iter().any(|(_, run)| run.outcome.touched)) {
        (true, _) => BlankEnd::Personalized,
        (false, true) => BlankEnd::Spoiled { cause },
        (false, false) => BlankEnd::Untouched { cause },
    };
    let report = Report {
        lease: lease.id,
        sequence,
        number: None,
        end,
        chips: runs.iter().map(|(name, run)| reported(name, run)).collect(),
        milliseconds: 1,
        journal: runs
            .iter()
            .flat_map(|(_, run)| run.journal.clone())
            .collect(),
    };
    (report, whole)
}

#[test]
fn wherever_it_is_cut_off_the_blank_is_one_document_or_accounted_for() {
    with_adapted_house(
        "scenarios::torn_pair::wherever_it_is_cut_off_the_blank_is_one_document_or_accounted_for",
        card,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let mut sequence = 0;
            // Every command of the shorter run, and a spread of the longer one.
            for (place, stride) in [(0, 1), (1, 7)] {
                let mut at = 1;
                loop {
                    sequence += 1;
                    let serial = format!("LV-{sequence:04}");
                    let chips = blank(&house, &serial).await;
                    let products = [TRAVEL, PRODUCT];
                    let lease = house.lease_for("a", &products).await.unwrap();
                    let kind = match at % 2 {
                        0 => FaultKind::RemoveBefore,
                        _ => FaultKind::RemoveAfter,
                    };
                    let number = lease.record.number.to_string();
                    let cut = Some((place, at, kind));
                    let (report, whole) = attempt(&house, &lease, chips, sequence, cut).await;
                    central.report(&operator(), &report).await.unwrap();
                    let entries = house.entries().await.len();
                    central.report(&operator(), &report).await.unwrap();
                    assert_eq!(house.entries().await.len(), entries, "a report counts once");

                    let blanks = central.blanks(&actor("keeper")).await.unwrap();
                    let blank = blanks.iter().find(|blank| blank.serial == serial).unwrap();
                    let live = house
                        .number("SELECT count(*) FROM certificate WHERE state IN ('issued-on-hold', 'ready', 'active')")
                        .await;
                    let envelopes = house
                        .number("SELECT count(*) FROM envelope WHERE state NOT IN ('void', 'destroyed')")
                        .await;
                    let document = house
                        .scalar("SELECT state FROM document ORDER BY turn DESC LIMIT 1")
                        .await;
                    if whole {
                        // There was no such command any more.
                        assert_eq!(blank.state, BlankState::Personalized);
                        assert_eq!((live, envelopes, &*document), (2, 1, "personalized"));
                        central
                            .fail_quality(&actor("quality"), &number, "only a trial")
                            .await
                            .unwrap();
                        break;
                    }
                    assert_eq!(
                        (live, envelopes, &*document),
                        (0, 0, "queued"),
                        "{place} {at}"
                    );
                    let accounted = match report.end {
                        BlankEnd::Spoiled { .. } => vec![BlankState::Spoiled],
                        // One that was cut off before it said who it is was never taken out.
                        _ => vec![BlankState::Returned, BlankState::InStock],
                    };
                    assert!(
                        accounted.contains(&blank.state),
                        "{place} {at}: {}",
                        blank.state
                    );
                    if place == 1 {
                        assert_eq!(
                            blank.state,
                            BlankState::Spoiled,
                            "the first chip is written"
                        );
                    }
                    at += stride;
                }
            }
            assert!(sequence > 35, "{sequence} runs");
        },
    );
}
