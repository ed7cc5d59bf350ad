//! Small chips of other schools, written for these scenarios, and documents of one of them.

use std::collections::BTreeMap;

use api::{ChannelOpening, Lease, SealRequest, SealedCommand};

use super::cluster;
use super::house::{House, actor, receipt};
use super::judge::chip_text;
use crate::{Config, DeliveredBlank, DeliveredChip, Delivery};

pub(super) const SERIALS: [&str; 2] = ["00010203040506070809", "00010203040506070810"];

/// What every small chip has: a PUK that is set in the clear, a PIN that is set with it, and a
/// last state.
const PINS: &str = r#"
[pins.pin1]
title = "PIN1"
application = "domain"
reference = 0x01
tries = 3
minimum = 4
stored = 12
puk = "puk"
variant = "pin"
[pins.puk]
title = "PUK"
application = "domain"
reference = 0x02
tries = 3
minimum = 4
stored = 12
variant = "puk"

[states.closed]
title = "closed"

[[operations.set_pin]]
for = "puk"
header = "00 24 01 u8(pin.reference)"
data = "pin.value"
[[operations.set_pin]]
for = "pin"
header = "00 2C 00 u8(pin.reference)"
data = "pin.puk pin.value"
expect = ["9000", "628X"]
[[operations.set_state]]
header = "80 F0 80 0F"
"#;

/// Puts a chip into an installation, and documents that are made of it alone; `keys` is what the
/// document has beside its PINs.
pub(super) fn installed(config: &mut Config, name: &str, more: &str, keys: &str) {
    config
        .chips
        .put(name, chip_text(name, &format!("{more}{PINS}")));
    config.documents.put(
        "eid-card",
        format!(
            r#"
format = 1
name = "eid-card"
title = "a card of a test"
kinds = ["id-card"]
[[chips]]
interface = "contact"
products = ["{name}"]
[chips.pins.pin1]
digits = 12
[chips.pins.puk]
digits = 12
{keys}"#
        ),
    );
}

/// Returns the stages that set the PINs, one after the other, and close the chip; `channel` is a
/// line for each.
pub(super) fn stages(channel: &str) -> String {
    [
        ("first", "\"set_holder_pin puk\""),
        ("second", "\"set_holder_pin pin1\""),
        ("close", "\"set_state closed\""),
    ]
    .map(|(name, steps)| {
        format!("[[stages]]\nname = \"{name}\"\nselect = \"domain\"\nsealed = true\n{channel}\nsteps = [{steps}]\n")
    })
    .concat()
}

/// Books a blank of one small chip, and leases a document for it.
pub(super) async fn leased(house: &House, product: &str, serial: &str, slot: &str) -> Lease {
    let chip = DeliveredChip::new(product, serial);
    let delivery = Delivery {
        reference: format!("D-{serial}"),
        blanks: vec![DeliveredBlank::of_chips(format!("B-{serial}"), vec![chip])],
    };
    let keeper = actor("keeper");
    house
        .central
        .receive_blanks(&keeper, &delivery, &receipt(delivery.blanks.len()))
        .await
        .unwrap();
    let lease = house.lease_for(slot, &[product]).await.unwrap();
    house.claim(&lease, serial).await.unwrap();
    lease
}

/// Asks for a stage's commands.
pub(super) fn sealed(
    lease: &Lease,
    serial: &str,
    stage: &str,
    opening: Option<ChannelOpening>,
) -> SealRequest {
    SealRequest {
        lease: lease.id,
        chip: serial.into(),
        stage: stage.into(),
        opening,
        carries: api::Carries::default(),
        pins: BTreeMap::new(),
    }
}

/// Returns the data field of a command in its short form, whose chain it may be a part of.
pub(super) fn data(command: &SealedCommand) -> Vec<u8> {
    let command = card::Command::parse(command.command.expose()).unwrap();
    command.data().to_vec()
}

/// Says whether bytes stand anywhere in the installation's files or in its database, as they are, in
/// hexadecimal, or in base64.
pub(super) fn is_written(house: &House, secret: &[u8]) -> bool {
    use openssl::base64::encode_block;
    let mut forms = vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        encode_block(secret)
            .trim_end_matches('=')
            .as_bytes()
            .to_vec(),
    ];
    let files = std::fs::read_dir(house.folder.path()).unwrap();
    let mut contents: Vec<Vec<u8>> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    if let Some(dump) = cluster::dump(&house.database) {
        // What is no text is in hexadecimal there.
        forms.extend(
            forms
                .clone()
                .iter()
                .map(|form| hex::encode(form).into_bytes()),
        );
        contents.push(dump);
    }
    assert!(contents.iter().any(|content| content.len() > 1000));
    contents.iter().any(|content| {
        forms
            .iter()
            .any(|form| content.windows(form.len()).any(|part| part == form))
    })
}
