//! The fewest commands for a document: the work itself, without going from file to file.

use std::error::Error;
use std::sync::Arc;

use document::Record;
use profile::{
    ChipProfile, DocumentProfile, ObjectKind, Plan, Renderer, Shelf, Step, Value, Variables, Verb,
    content,
};

const LATEID: &str = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
const EID_CARD: &str = include_str!("../../firmware-profiles/documents/eid-card.toml");

/// Returns the plan for an adult.
pub(crate) fn adult() -> Result<(Plan, Record), Box<dyn Error>> {
    let mut shelf = Shelf::default();
    shelf.put("lateid-v2", LATEID);
    shelf.put("eid-card", EID_CARD);
    let chip = Arc::new(ChipProfile::load(&shelf, "lateid-v2")?);
    let document = DocumentProfile::load(&shelf, "eid-card")?;
    let record: Record = serde_json::from_str(
        r#"{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2036-03-01","holder":{"surname":"Izdomāta","given_names":"Anna","personal_code":"120190-12347","birth_date":"1990-01-12","sex":"F","nationality":"LVA"},"certificates":true}"#,
    )?;
    let wanted = document.chips.first().ok_or("the document has no chip")?;
    Ok((Plan::new(chip, "eid-card", wanted, &record)?, record))
}

/// Returns what is known of a document whose certificates have these lengths.
fn known(record: &Record, certificates: &[(String, usize)]) -> Variables {
    let mut variables = profile::variables(record);
    for (key, length) in certificates {
        variables.set(format!("certificate.{key}"), Value::bytes(vec![0; *length]));
    }
    variables
}

/// Returns the fewest commands for the plan when the certificates have these lengths: one
/// SELECT for each change of application, two for each channel, and what each step itself
/// needs.
pub(crate) fn fewest_commands(
    plan: &Plan,
    record: &Record,
    certificates: &[(String, usize)],
) -> Result<usize, Box<dyn Error>> {
    let variables = known(record, certificates);
    let mut commands = plan.chip.identify.commands.len();
    let mut selected = String::new();
    for stage in &plan.stages {
        // A channel ends only by a SELECT.
        if selected != stage.select {
            commands += 1;
        }
        if stage.channel.is_some() {
            commands += 2;
        }
        selected.clone_from(&stage.select);
        let renderer = Renderer::new(&plan.chip, &plan.chip.limits, stage.channel.is_some());
        for step in &stage.steps {
            commands += of_step(plan, &renderer, step, &variables)?;
        }
        if stage.channel.is_some() {
            selected.clear();
        }
    }
    Ok(commands)
}

fn of_step(
    plan: &Plan,
    renderer: &Renderer<'_>,
    step: &Step,
    variables: &Variables,
) -> Result<usize, Box<dyn Error>> {
    let Some(object) = plan.chip.object(step.verb.object(), &step.object) else {
        return Ok(0);
    };
    Ok(match step.verb {
        Verb::WriteFile => renderer
            .write(object, &content(&plan.chip, object, variables)?, variables)?
            .len(),
        Verb::CheckFile => renderer
            .read(
                object,
                content(&plan.chip, object, variables)?.len(),
                variables,
            )?
            .len(),
        Verb::ReplaceKeys | Verb::CheckRefused => 1,
        verb => {
            let placeholder = [
                ("pin.value", Value::bytes([0xFF; 12])),
                ("digest", Value::bytes([0; 48])),
            ];
            let mut count = 0;
            for operation in verb.operations() {
                count += renderer.operation(*operation, object, &placeholder)?.len();
            }
            count
        }
    })
}

/// Returns the bytes that must stand in the files of a document.
pub(crate) fn payload(
    plan: &Plan,
    record: &Record,
    certificates: &[(String, usize)],
) -> Result<usize, Box<dyn Error>> {
    let variables = known(record, certificates);
    let mut bytes = 0;
    for object in plan.chip.objects(ObjectKind::File) {
        bytes += content(&plan.chip, object, &variables)?.len();
    }
    Ok(bytes)
}
