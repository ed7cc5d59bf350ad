//! Sealing a stage: the holder's PINs, or a life-cycle state, in commands that only the chip can
//! read. Knows no lease and no person, and stores nothing.
//!
//! ```text
//!   random source ─► PINs ─┬─► envelope, encrypted at once
//!           states ────────┴─► commands under a fresh channel, whose keys stay here
//!   answers ─► check: each the chip's own, each as expected
//! ```
//!
//! The PINs live only inside [`SealedStage::seal`].

use std::fmt;

use card::gp::{Handshake, HostChallenge, Secured};
use card::{Command, Response, Status};
use document::Holder;
use hsm::{EnvelopeKey, PinPolicy, PinSet};
use profile::{Dialect, Plan, Position, Rendered, Renderer, Stage, Verb, pin_field};

use crate::error::{CentralError, Result};
use crate::keys::{KeyService, answer};

/// What is to be sealed.
#[derive(Clone, Copy)]
pub struct SealOrder<'a> {
    /// The document's plan.
    pub plan: &'a Plan,
    /// The stage's name in it.
    pub stage: &'a str,
    /// The key set under which the chip was challenged.
    pub key_set: &'a str,
    /// The host challenge.
    pub host: [u8; 8],
    /// The chip's answer to INITIALIZE UPDATE.
    pub initialize_update: &'a [u8],
    /// The holder: no PIN has four digits in a row of the birth date or the personal code.
    pub holder: &'a Holder,
    /// What the envelope is for; it opens for the same context only.
    pub context: &'a [u8],
}

/// A stage that was sealed. The channel's keys are inside; they are wiped when the answers were
/// checked, and when this is dropped.
pub struct SealedStage {
    envelope: Option<Vec<u8>>,
    commands: Vec<Vec<u8>>,
    expected: Vec<Vec<Status>>,
    channel: Secured,
}

impl SealedStage {
    /// Renders the stage's commands as the station's executor would, protected. Where it sets PINs,
    /// makes them and seals their envelope. Blocks on the token.
    ///
    /// # Errors
    /// [`CentralError::WrongKeys`]; [`CentralError::Refused`] where the stage does more than set
    /// PINs and states, sets PINs but not each of the holder's once, or where its channel does not
    /// encrypt commands and authenticate answers; [`CentralError::Invalid`] for an unknown stage;
    /// the token's failures.
    pub fn seal(
        keys: &KeyService,
        envelope_key: &EnvelopeKey,
        order: &SealOrder<'_>,
    ) -> Result<Self> {
        let stage = order
            .plan
            .stages
            .iter()
            .find(|stage| stage.sealed && stage.name == order.stage);
        let stage = stage
            .ok_or_else(|| CentralError::invalid("the plan has no sealed stage of this name"))?;
        prove(order.plan, stage).map_err(CentralError::refused)?;
        if stage.channel.as_deref() != Some(order.key_set) {
            return Err(CentralError::refused(format!(
                "stage \"{}\" is sealed under another key set",
                stage.name
            )));
        }
        let chip = &*order.plan.chip;
        let session =
            keys.session_keys(chip, order.key_set, order.host, order.initialize_update)?;
        let (mut pins, mut envelope) = (None, None);
        if sets_pins(stage) {
            let made = make_pins(keys, order)?;
            let content = made
                .encode()
                .map_err(|error| CentralError::refused(error.to_string()))?;
            envelope = Some(envelope_key.seal(&content, order.context)?);
            pins = Some(made);
        }
        let update = answer(chip, order.key_set, order.initialize_update)?;
        let handshake = Handshake::new(session, HostChallenge::new(order.host), &update)
            .map_err(|_| CentralError::WrongKeys)?;
        let (authenticate, opening) = handshake
            .external_authenticate(chip.channel.level)
            .map_err(|error| CentralError::refused(error.to_string()))?;
        let mut channel = opening.assume_accepted();
        let mut commands = vec![bytes(&authenticate)?];
        let mut expected = vec![vec![Status::OK]];
        for rendered in render(order.plan, stage, pins.as_ref())? {
            let wrapped = channel.wrap(&rendered.command).map_err(|error| {
                CentralError::refused(format!("a command cannot be sealed: {error}"))
            })?;
            commands.push(bytes(&wrapped)?);
            expected.push(if rendered.expect.is_empty() {
                vec![Status::OK]
            } else {
                rendered.expect
            });
        }
        Ok(Self {
            envelope,
            commands,
            expected,
            channel,
        })
    }

    /// Returns the commands as C-APDUs, EXTERNAL AUTHENTICATE first.
    pub fn commands(&self) -> &[Vec<u8>] {
        &self.commands
    }

    /// Returns the envelope: a [`PinSet`], sealed for the order's context. A stage that sets no
    /// PINs has none.
    pub fn envelope(&self) -> Option<&[u8]> {
        self.envelope.as_deref()
    }

    /// Judges the answers, R-APDUs in the order of the commands: each must be the chip's own, and
    /// what was expected. However it ends, the channel ends with it.
    ///
    /// # Errors
    /// [`CentralError::Refused`], naming the command whose answer is not accepted.
    pub fn check(&mut self, answers: &[Vec<u8>]) -> Result<()> {
        let judged = self.judge(answers);
        self.channel.terminate();
        judged
    }

    fn judge(&mut self, answers: &[Vec<u8>]) -> Result<()> {
        if answers.len() != self.commands.len() {
            return Err(CentralError::refused(format!(
                "{} commands were given, {} answers came back",
                self.commands.len(),
                answers.len()
            )));
        }
        for (place, (answer, expected)) in answers.iter().zip(&self.expected).enumerate() {
            let foreign = |why: String| {
                CentralError::refused(format!(
                    "the answer to sealed command {} is not accepted: {why}",
                    place + 1
                ))
            };
            let mut answer = Response::parse(answer).map_err(|error| foreign(error.to_string()))?;
            // The answer to EXTERNAL AUTHENTICATE is never protected (GP Amendment D §6.2.5).
            if place > 0 {
                answer = self
                    .channel
                    .unwrap(answer)
                    .map_err(|error| foreign(error.to_string()))?;
            }
            if !expected.contains(&answer.status()) {
                return Err(foreign(format!("the chip answered {}", answer.status())));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SealedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStage")
            .field("commands", &self.commands.len())
            .finish_non_exhaustive()
    }
}

/// Says whether a stage sets PINs.
pub(crate) fn sets_pins(stage: &Stage) -> bool {
    stage
        .steps
        .iter()
        .any(|step| step.verb == Verb::SetHolderPin)
}

/// Proves the sealed stages of a plan: each by itself, and that one of them, and no more, sets the
/// holder's PINs if there are any: a document has one PIN envelope.
///
/// # Errors
/// Which stage, and what to correct.
pub(crate) fn prove_all(plan: &Plan) -> Result<(), String> {
    let sealed = plan.stages.iter().filter(|stage| stage.sealed);
    let mut setting = 0;
    for stage in sealed {
        prove(plan, stage)?;
        setting += usize::from(sets_pins(stage));
    }
    if setting == usize::from(!plan.pins.is_empty()) {
        Ok(())
    } else {
        Err(format!(
            "{setting} sealed stages set the holder's PINs, of which the document has {}; correct the chip profile",
            plan.pins.len()
        ))
    }
}

/// Demands that a sealed stage does nothing but set states and, if any, each of the holder's PINs
/// once, in a channel that hides them and proves the answers.
fn prove(plan: &Plan, stage: &Stage) -> Result<(), String> {
    let known = |verb| matches!(verb, Verb::SetHolderPin | Verb::SetState);
    if let Some(step) = stage.steps.iter().find(|step| !known(step.verb)) {
        return Err(format!(
            "stage \"{}\" is sealed and cannot {}; correct the chip profile",
            stage.name,
            step.name()
        ));
    }
    if sets_pins(stage) {
        let mut set: Vec<_> = stage
            .steps
            .iter()
            .filter(|step| step.verb == Verb::SetHolderPin)
            .map(|step| &step.object)
            .collect();
        let mut wanted: Vec<_> = plan.pins.iter().map(|(pin, ..)| pin).collect();
        set.sort_unstable();
        wanted.sort_unstable();
        if set != wanted {
            return Err(format!(
                "stage \"{}\" does not set each of the holder's PINs once; correct the chip profile",
                stage.name
            ));
        }
    }
    let level = plan.chip.channel.level;
    if !level.has_cenc() || !level.has_rmac() {
        return Err("a sealed stage needs encrypted commands and authenticated answers (c-enc, r-mac); correct the chip profile".to_owned());
    }
    Ok(())
}

/// Makes the holder's PINs: none weak, none that the holder's own dates and codes give away.
fn make_pins(keys: &KeyService, order: &SealOrder<'_>) -> Result<PinSet> {
    let born = order.holder.birth_date;
    let known = [
        born.strftime("%d%m%Y").to_string(),
        born.strftime("%Y%m%d").to_string(),
        born.strftime("%d%m%y").to_string(),
        born.strftime("%y%m%d").to_string(),
        order.holder.personal_code.digits(),
    ];
    // Digits are ASCII, so that every window is text.
    let windows = |text: &String| {
        text.as_bytes()
            .windows(4)
            .map(|four| four.iter().copied().map(char::from).collect())
            .collect()
    };
    let forbidden: Vec<String> = known
        .iter()
        .flat_map(|text| -> Vec<String> { windows(text) })
        .collect();
    let mut policies = Vec::new();
    for (name, _, digits) in &order.plan.pins {
        let policy =
            PinPolicy::digits(*digits).map_err(|error| CentralError::refused(error.to_string()))?;
        policies.push((name.clone(), policy.forbidding(forbidden.iter().cloned())));
    }
    Ok(PinSet::generate(keys.token(), &policies)?)
}

/// Renders the stage's steps as the station's executor would.
fn render(plan: &Plan, stage: &Stage, pins: Option<&PinSet>) -> Result<Vec<Rendered>> {
    let chip = &*plan.chip;
    let renderer = Renderer::new(chip, true);
    let mut position = Position::default();
    position.selected(&stage.select);
    let mut commands = Vec::new();
    for step in &stage.steps {
        let missing = || {
            CentralError::refused(format!(
                "the chip profile has nothing for \"{}\"",
                step.name()
            ))
        };
        let object = chip.object(step.verb.object(), &step.object);
        let object = object.ok_or_else(missing)?;
        let (operation, values) = match step.verb {
            Verb::SetHolderPin => {
                let pin = pins.and_then(|pins| pins.get(&step.object));
                let field = pin_field(object, pin.ok_or_else(missing)?.digits())?;
                (Dialect::SetPin, vec![("pin.value", field)])
            }
            Verb::SetState => (Dialect::SetState, Vec::new()),
            _ => return Err(missing()),
        };
        if let Some(application) = position.enters(chip, operation, object) {
            commands.extend(renderer.operation(Dialect::Enter, application, &[])?);
            position.entered(&application.name);
        }
        commands.extend(renderer.operation(operation, object, &values)?);
    }
    Ok(commands)
}

fn bytes(command: &Command) -> Result<Vec<u8>> {
    let encoded = command
        .encode()
        .map_err(|error| CentralError::refused(format!("a command cannot be sealed: {error}")))?;
    Ok(encoded.to_vec())
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
            (elsewhere, "2 sealed stages"),
            (nowhere, "0 sealed stages"),
            (writing, "cannot write_file document_number"),
        ] {
            let fault = prove_all(&plan).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
    }
}
