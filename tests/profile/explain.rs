use std::sync::Arc;

use super::*;
use crate::chip::ChipProfile;
use crate::document::DocumentProfile;
use crate::source::Shelf;

const RECORD: &str = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-01-01","expires":"2035-12-31","holder":{"surname":"Paraudziņš","given_names":"Andris","personal_code":"121282-88882","birth_date":"1926-01-01","sex":"X","nationality":"LVA"},"certificates":true}"#;

fn explained() -> Explanation {
    let mut shelf = Shelf::default();
    let chip = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    shelf.put("lateid-v2", chip);
    let document = include_str!("../../firmware-profiles/documents/eid-card.toml");
    shelf.put("eid-card", document);
    let chip = Arc::new(ChipProfile::load(&shelf, "lateid-v2").unwrap());
    let document = DocumentProfile::load(&shelf, "eid-card").unwrap();
    let record: document::Record = serde_json::from_str(RECORD).unwrap();
    let limits = chip.limits;
    let plan = Plan::new(chip, "eid-card", &document.chips[0], &record).unwrap();
    Explanation::of(&plan, &crate::variables(&record), &limits)
}

fn step<'a>(explained: &'a Explanation, name: &str) -> &'a ExplainedStep {
    explained.steps().find(|step| step.name == name).unwrap()
}

fn whole(command: &ExplainedCommand) -> String {
    let data: String = command
        .data
        .iter()
        .map(|piece| match piece {
            Piece::Known(hex) => hex.clone(),
            Piece::StandIn { name, bytes } => format!("<{name} {bytes}>"),
            Piece::Secret { name, bytes } => format!("({name} {bytes})"),
        })
        .collect();
    format!("{} {} {data} {}", command.header, command.lc, command.le)
}

#[test]
fn every_step_is_told() {
    let explained = explained();
    assert_eq!(explained.faults(), []);
    assert_eq!(explained.stages.len(), 7);
    assert!(explained.steps().all(|step| !step.commands.is_empty()));
    let sum: usize = explained.steps().map(|step| step.figures.commands).sum();
    assert_eq!(explained.figures.commands, sum);
}

/// The bytes are put together by hand, from the profile's text.
#[test]
fn known_bytes_are_shown_and_others_named() {
    let explained = explained();
    let number = &step(&explained, "write_file document_number").commands;
    let told: Vec<_> = number.iter().map(whole).collect();
    let [.., create, write] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(create, "00E00000 11 620F8002000B8201018302D0038C020100 00");
    // 04 09 "XA0000001"
    assert_eq!(write, "00D60000 0B 0409584130303030303031 00");
    // 17 bytes padded to 32, a MAC of 8, header, Lc and Le.
    assert_eq!(number[number.len() - 2].protected, Some(4 + 1 + 40 + 1));

    let certificate = &step(&explained, "write_file authentication_certificate").commands;
    let last = whole(certificate.last().unwrap());
    assert!(last.contains("<certificate.authentication "), "{last}");

    let opening = &explained.stages[0].opening.commands;
    assert_eq!(whole(&opening[1]), "8050FF00 08 <channel.host 8> 00");
    assert_eq!(
        whole(&opening[2]),
        "84821300 10 <host cryptogram 8><MAC 8> "
    );
}

#[test]
fn secrets_are_named_and_never_shown() {
    let explained = explained();
    let holder = step(&explained, "set_holder_pin pin1");
    // Four digits, and the field's filling.
    let told = whole(holder.commands.last().unwrap());
    assert_eq!(
        told,
        "00240101 0C (pin.pin1.holder_digits 4)FFFFFFFFFFFFFFFF 00"
    );
    assert!(holder.journaled && holder.irreversible);
    let keys = step(&explained, "replace_keys issuer");
    let told = whole(&keys.commands[0]);
    // GP 2.3 §11.8: version; of each key type, length, the sealed key, its check value.
    let key = "881110(key_set.key 16)03(key_set.key 3)";
    assert_eq!(told, format!("80D80081 46 01{key}{key}{key} 00"));
    assert!(keys.irreversible && keys.centre.is_some());
    for step in explained.steps() {
        let secret = step.commands.iter().filter(|command| command.secret);
        for command in secret {
            let clear: usize = command
                .data
                .iter()
                .map(|piece| match piece {
                    Piece::Known(hex) => hex.len() / 2,
                    _ => 0,
                })
                .sum();
            assert!(clear < command.length, "{}", step.name);
        }
    }
}

#[test]
fn what_cannot_be_undone_is_named() {
    let explained = explained();
    let names = explained.irreversible();
    for name in [
        "replace_keys issuer",
        "generate_key signature",
        "set_holder_pin puk",
        "set_state secured",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"write_file document_number"));
}

/// Chips of quite other schools: no channel, a key by challenge, data objects, chains.
#[test]
fn every_shipped_chip_can_be_told() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../firmware-profiles");
    let shelf = |kind: &str| {
        let mut shelf = Shelf::default();
        for entry in std::fs::read_dir(format!("{folder}/{kind}")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            shelf.put(name, std::fs::read_to_string(&path).unwrap());
        }
        shelf
    };
    let (chips, documents) = (shelf("chips"), shelf("documents"));
    let mut told = 0;
    for name in documents.names() {
        let document = DocumentProfile::load(&documents, name).unwrap();
        for wanted in &document.chips {
            for product in &wanted.products {
                let chip = Arc::new(ChipProfile::load(&chips, product).unwrap());
                assert_eq!(chip.warnings(), [], "{product}");
                let mut record: document::Record = serde_json::from_str(RECORD).unwrap();
                for made in [
                    "com",
                    "dg1",
                    "dg2",
                    "dg3",
                    "dg11",
                    "dg12",
                    "dg14",
                    "dg15",
                    "sod",
                    "card_access",
                    "trust_point",
                ] {
                    let bytes = document::Prepared::new(vec![0; 9]);
                    record.prepared.insert(made.into(), bytes);
                }
                let known = crate::variables(&record);
                let limits = chip.limits;
                let plan = Plan::new(chip, name, wanted, &record).unwrap();
                let explained = Explanation::of(&plan, &known, &limits);
                assert_eq!(explained.faults(), [], "{product}");
                for command in explained.steps().flat_map(|step| &step.commands) {
                    assert!(
                        command.length <= limits.unchained(),
                        "{product}: {command:?}"
                    );
                }
                told += 1;
            }
        }
    }
    assert!(told > 0);
}
