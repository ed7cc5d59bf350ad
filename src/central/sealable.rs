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
/// proves the answers, where its application speaks through such a channel.
pub(crate) fn prove(plan: &Plan, stage: &Stage) -> Result<(), String> {
    if let Some(step) = stage.steps.iter().find(|step| !step.verb.is_sealable()) {
        return Err(format!(
            "stage \"{}\" is sealed and cannot {}; correct the chip profile",
            stage.name,
            step.name()
        ));
    }
    let key_set = stage.channel.as_deref().unwrap_or_default();
    let protocol = plan.chip.channel.protocol(key_set);
    match protocol.level() {
        None if plan.chip.hides(&stage.select) => Err(format!(
            "stage \"{}\" is sealed and opens no channel that hides it; name the key set",
            stage.name
        )),
        Some(level) if !level.has_cenc() => Err(
            "a sealed stage needs encrypted commands (c-enc); correct the chip profile".to_owned(),
        ),
        // SCP02 stock mostly has no R-MAC: there the status words must do.
        Some(level) if !level.has_rmac() && !matches!(protocol, Protocol::Scp02 { .. }) => Err(
            "a sealed stage needs authenticated answers (r-mac); correct the chip profile"
                .to_owned(),
        ),
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
#[path = "../../tests/central/sealable.rs"]
mod tests;
