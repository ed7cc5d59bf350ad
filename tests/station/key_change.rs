//! Which key sets a virtual chip holds, asked without an attempt.

use profile::Shelf;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use super::*;

#[test]
fn a_chip_says_which_versions_it_holds() {
    let mut shelf = Shelf::default();
    let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    shelf.put("lateid-v2", text);
    let profile = ChipProfile::load(&shelf, "lateid-v2").unwrap();
    let chip = Chip::blank(
        Product::find("lateid-v2").unwrap(),
        ChipNumber::random().unwrap(),
        &TransportMasterKey::new([0x55; 16]),
        Memory,
    )
    .unwrap();
    let serial = chip.serial().to_string();
    let mut channel = InProcess::new(chip);
    let held = ask(&profile, &mut channel);
    let entry = held.entry(&serial);
    let found = &entry.evidence["key-sets"];
    let sets: Vec<_> = found.split("; ").collect();
    assert_eq!(sets.len(), 2, "{found}");
    assert!(sets[0].starts_with("issuer (version ") && sets[0].ends_with(") not there"));
    assert!(sets[1].starts_with("transport (version ") && sets[1].ends_with(") there"));
    assert!(is_chip(&profile, &mut channel, &serial));
    assert!(!is_chip(&profile, &mut channel, "00"));

    let change = |verb, object: &str| Step {
        verb,
        object: object.to_owned(),
        needs: Vec::new(),
        operation: None,
    };
    let replaced = change(Verb::ReplaceKeys, "issuer");
    assert_eq!(held.tells(&replaced, Some("transport")), Some(false));
    assert_eq!(held.tells(&replaced, None), None);
    let back = change(Verb::ReplaceKeys, "transport");
    assert_eq!(held.tells(&back, Some("issuer")), Some(true));
    // Neither there nor gone: half of a change.
    assert_eq!(held.tells(&back, Some("transport")), None);
    assert_eq!(
        held.tells(&change(Verb::AddKeys, "issuer"), None),
        Some(false)
    );
    assert_eq!(
        held.tells(&change(Verb::RemoveKeys, "issuer"), None),
        Some(true)
    );
}
