//! Sealed stages of a shipped plan, and faults planted into it.

use std::sync::Arc;

use document::Record;
use profile::{ChipProfile, DocumentProfile, Shelf, Step};

use super::*;

fn plan(certificates: bool) -> Plan {
    let mut shelf = Shelf::default();
    shelf.put(
        "lateid-v2",
        include_str!("../../firmware-profiles/chips/lateid-v2.toml"),
    );
    let chip = ChipProfile::load(&shelf, "lateid-v2").unwrap();
    shelf.put(
        "eid-card",
        include_str!("../profiles/one-chip/eid-card.toml"),
    );
    let document = DocumentProfile::load(&shelf, "eid-card").unwrap();
    let record: Record = serde_json::from_str(&format!(
        r#"{{"number":"XA0000001","kind":"id-card","issued":"2026-01-01","expires":"2035-12-31","holder":{{"surname":"Paraudziņš","given_names":"Andris","personal_code":"121282-88882","birth_date":"1982-12-12","sex":"M","nationality":"LVA"}},"certificates":{certificates}}}"#
    ))
    .unwrap();
    Plan::new(Arc::new(chip), "eid-card", &document.chips[0], &record).unwrap()
}

fn pin_stage(plan: &mut Plan) -> &mut Stage {
    plan.stages
        .iter_mut()
        .find(|stage| sets_pins(stage))
        .unwrap()
}

fn step(verb: Verb, object: &str) -> Step {
    Step {
        verb,
        object: object.to_owned(),
        needs: Vec::new(),
        operation: None,
    }
}

#[test]
fn pins_are_set_once_each_in_one_stage_or_not_at_all() {
    let whole = plan(true);
    assert_eq!(whole.pins.len(), 3);
    prove_all(&whole).unwrap();
    let without = plan(false);
    assert!(without.pins.is_empty());
    assert!(without.stages.iter().any(|stage| stage.sealed));
    prove_all(&without).unwrap();

    let mut beside_a_state = whole.clone();
    pin_stage(&mut beside_a_state)
        .steps
        .push(step(Verb::SetState, "personalized"));
    prove_all(&beside_a_state).unwrap();

    let mut lacking = whole.clone();
    pin_stage(&mut lacking).steps.pop();
    let mut doubled = whole.clone();
    let again = pin_stage(&mut doubled).steps[0].clone();
    pin_stage(&mut doubled).steps.push(again);
    let mut elsewhere = whole.clone();
    let moved = pin_stage(&mut elsewhere).clone();
    elsewhere.stages.push(moved);
    let mut nowhere = whole.clone();
    nowhere.stages.retain(|stage| !sets_pins(stage));
    let mut writing = whole.clone();
    pin_stage(&mut writing)
        .steps
        .push(step(Verb::WriteFile, "document_number"));
    for (plan, word) in [
        (lacking, "each of the holder's PINs once"),
        (doubled, "each of the holder's PINs once"),
        (elsewhere, "each of the holder's PINs once"),
        (nowhere, "each of the holder's PINs once"),
        (writing, "cannot write_file document_number"),
    ] {
        let fault = prove_all(&plan).unwrap_err();
        assert!(fault.contains(word), "{fault}");
    }
}
