//! What a plan may have sealed, and in which order: proved when the store opens, and once more
//! before anything is sealed.

use profile::{Plan, Protocol, Stage, Verb};

/// Says whether a stage sets PINs.
pub(crate) fn sets_pins(stage: &Stage) -> bool {
    stage
        .steps
        .iter()
        .any(|step| step.verb == Verb::SetHolderPin)
}

/// Says whether a stage is the last that sets PINs of the holder: with it the envelope is true.
pub fn completes_pins(plan: &Plan, stage: &str) -> bool {
    let mut setting = plan.stages.iter().filter(|stage| sets_pins(stage));
    setting.next_back().is_some_and(|last| last.name == stage)
}

/// Proves the sealed stages of a plan: each by itself, and that together they set each of the
/// holder's PINs once: a document has one PIN envelope.
///
/// # Errors
/// Which stage, and what to correct.
pub fn prove_all(plan: &Plan) -> Result<(), String> {
    let mut set = Vec::new();
    for stage in plan.stages.iter().filter(|stage| stage.sealed) {
        prove(plan, stage)?;
        let steps = stage.steps.iter();
        set.extend(
            steps
                .filter(|step| step.verb == Verb::SetHolderPin)
                .map(|step| &step.object),
        );
    }
    let mut wanted: Vec<_> = plan.pins.iter().map(|(pin, ..)| pin).collect();
    set.sort_unstable();
    wanted.sort_unstable();
    match set == wanted {
        true => Ok(()),
        false => Err(
            "the sealed stages do not set each of the holder's PINs once; correct the chip profile"
                .to_owned(),
        ),
    }
}

/// Demands that a sealed stage does nothing but what none else may, in a channel that hides it and
/// proves the answers, where the chip has such a channel.
pub(crate) fn prove(plan: &Plan, stage: &Stage) -> Result<(), String> {
    if let Some(step) = stage.steps.iter().find(|step| !step.verb.is_sealable()) {
        return Err(format!(
            "stage \"{}\" is sealed and cannot {}; correct the chip profile",
            stage.name,
            step.name()
        ));
    }
    match (plan.chip.channel.protocol.level(), &stage.channel) {
        (Some(_), None) => Err(format!(
            "stage \"{}\" is sealed and opens no channel; name the key set",
            stage.name
        )),
        (Some(level), _) if !level.has_cenc() => Err(
            "a sealed stage needs encrypted commands (c-enc); correct the chip profile".to_owned(),
        ),
        // SCP02 stock mostly has no R-MAC: there the status words must do.
        (Some(level), _)
            if !level.has_rmac()
                && !matches!(plan.chip.channel.protocol, Protocol::Scp02 { .. }) =>
        {
            Err(
                "a sealed stage needs authenticated answers (r-mac); correct the chip profile"
                    .to_owned(),
            )
        }
        _ => Ok(()),
    }
}

/// Returns the stages that set some of the holder's PINs before one that does: the envelope is
/// theirs, and they must be done.
pub(crate) fn stages_before<'a>(plan: &'a Plan, stage: &str) -> Vec<&'a str> {
    let place = plan.stages.iter().position(|other| other.name == stage);
    let before = plan.stages.iter().take(place.unwrap_or_default());
    before
        .filter(|stage| sets_pins(stage))
        .map(|stage| stage.name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
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
            include_str!("../../firmware-profiles/documents/eid-card.toml"),
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
}
