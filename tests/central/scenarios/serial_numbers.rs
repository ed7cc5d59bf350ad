//! Chips that are known by another number than their keys are diversified with.

use api::{BlankEnd, Centre, Lease};
use vcard::Chip;

use super::bench::{personalize, report};
use super::house::{
    House, PRODUCT, actor, operator, product_file, receipt, unbooked, with_adapted_house,
};
use super::key_requests::{challenge, refused};
use crate::{Config, DeliveredBlank, DeliveredChip, Delivery};

const CPLC: &str = "slice(chip.cplc, 0, 4) slice(chip.cplc, 16, 2) slice(chip.cplc, 12, 4)";

/// IC batch and serial number alone; the silicon is always the same.
fn by_batch(config: &mut Config) {
    let text = product_file("firmware-profiles/chips/lateid-v2.toml")
        .replace(CPLC, "slice(chip.cplc, 16, 2) slice(chip.cplc, 12, 4)")
        .replace(
            "diversification = \"kdf3\"",
            "diversification = \"kdf3\"\ncontext = \"40907861 hex_bytes(chip.serial)\"",
        );
    config.chips.put(PRODUCT, text);
}

/// The number by which the profile knows a chip.
fn number(chip: &Chip) -> String {
    chip.serial().to_string().split_off(8)
}

async fn leased(house: &House, chip: &Chip) -> Lease {
    let delivery = Delivery {
        reference: "D-1".into(),
        blanks: vec![DeliveredBlank::of_chips(
            "B-1",
            vec![DeliveredChip::new(PRODUCT, number(chip))],
        )],
    };
    let keeper = actor("keeper");
    let store = &house.central;
    store
        .receive_blanks(&keeper, &delivery, &receipt(delivery.blanks.len()))
        .await
        .unwrap();
    house.prepared("01-adult").await;
    house.lease("a").await.unwrap()
}

#[test]
fn what_keys_are_diversified_with_follows_from_the_serial_number() {
    with_adapted_house(
        "scenarios::serial_numbers::what_keys_are_diversified_with_follows_from_the_serial_number",
        by_batch,
        async |house| {
            let chip = unbooked();
            let lease = leased(&house, &chip).await;
            let run = personalize(&house, &lease, chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
            let done = report(&lease, 1, &run, BlankEnd::Personalized);
            house.central.report(&operator(), &done).await.unwrap();
        },
    );
}

#[test]
fn no_station_gets_the_keys_of_another_chip() {
    with_adapted_house(
        "scenarios::serial_numbers::no_station_gets_the_keys_of_another_chip",
        by_batch,
        async |house| {
            let (chip, mut other) = (unbooked(), unbooked());
            let lease = leased(&house, &chip).await;
            house.claim(&lease, &number(&chip)).await.unwrap();
            let mut request = challenge(&lease, &mut other, "transport", [1; 8]);
            request.chip = number(&chip);
            let said = refused(house.central.open_channel(&operator(), &request).await);
            assert!(
                said.contains("do not follow from its serial number"),
                "{said}"
            );
        },
    );
}
