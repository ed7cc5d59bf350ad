//! Sealing a stage: the holder's PINs, or a life-cycle state, in commands that only the chip can
//! read where it has such a channel. Knows no lease and no person, and stores nothing.
//!
//! ```text
//!   random source ─► PINs ─┬─► envelope, encrypted at once
//!           states ────────┴─► commands under a fresh channel, whose keys stay here
//!   answers ─► check: each the chip's own, each as expected
//! ```
//!
//! The PINs live only inside [`SealedStage::seal`].

use std::collections::BTreeMap;
use std::fmt;

use api::{ChannelOpening, SealedCommand, Secret};
use card::gp::{Handshake, Secured};
use card::{Command, Response, Status};
use document::Holder;
use hsm::{EnvelopeKey, PinSet};
use profile::{ObjectKind, Plan, Rendered, Renderer, StatusPattern, Take, Value, Variables};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};
use crate::keys::{KeyService, Opened, answer, host_challenge};
use crate::sealable::{prove, sets_pins};
use crate::sealed_commands::{check_told, import, make_pins, render};

/// What is to be sealed.
#[derive(Clone, Copy)]
pub struct SealOrder<'a> {
    /// The document's plan.
    pub plan: &'a Plan,
    /// The stage's name in it.
    pub stage: &'a str,
    /// The chip's serial number in hexadecimal.
    pub chip: &'a str,
    /// What passed before the stage's channel opens, if it has one.
    pub opening: Option<&'a ChannelOpening>,
    /// The digits of PINs that only the personalization knows so far.
    pub known: &'a BTreeMap<String, Secret>,
    /// The holder's PINs, where an earlier stage set some of them; they are made where not.
    pub pins: Option<&'a PinSet>,
    /// The holder: no PIN has four digits in a row of the birth date or the personal code.
    pub holder: &'a Holder,
    /// What the envelope is for; it opens for the same context only.
    pub context: &'a [u8],
}

/// A stage that was sealed. The channel's keys are inside; they are wiped when the answers were
/// checked, and when this is dropped.
pub struct SealedStage {
    envelope: Option<Vec<u8>>,
    commands: Vec<SealedCommand>,
    judges: Vec<Judge>,
    channel: Option<Secured>,
    publics: BTreeMap<String, Vec<u8>>,
}

/// What the answer to one command must be.
struct Judge {
    expect: Vec<StatusPattern>,
    /// Whether it comes through the secure channel.
    is_protected: bool,
    /// Where the chip's own proof stands in it.
    place: Option<Take>,
    /// What that must be, where the chip must prove itself.
    proof: Option<Zeroizing<Vec<u8>>>,
}

impl SealedStage {
    /// Renders the stage's commands as the station's executor would, protected where there is a
    /// secure channel. Where it sets the first of the holder's PINs, makes them all and seals
    /// their envelope. Blocks on the token.
    ///
    /// # Errors
    /// [`CentralError::WrongKeys`]; [`CentralError::Refused`] where the stage does what none may
    /// that is sealed, or where its secure channel does not encrypt commands and authenticate
    /// answers; [`CentralError::Invalid`] for an unknown stage or a missing opening; the token's
    /// failures.
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
        check_told(order, stage)?;
        if stage.channel.as_deref() != order.opening.map(|opening| opening.key_set.as_str()) {
            return Err(CentralError::refused(format!(
                "stage \"{}\" is sealed under another key set",
                stage.name
            )));
        }
        let mut sealed = Self {
            envelope: None,
            commands: Vec::new(),
            judges: Vec::new(),
            channel: None,
            publics: BTreeMap::new(),
        };
        if let Some(opening) = order.opening {
            sealed.open(keys, order, opening)?;
        }
        let mut made = None;
        if sets_pins(stage) && order.pins.is_none() {
            let pins = make_pins(keys, order)?;
            let content = pins
                .encode()
                .map_err(|error| CentralError::refused(error.to_string()))?;
            sealed.envelope = Some(envelope_key.seal(&content, order.context)?);
            made = Some(pins);
        }
        let pins = made.as_ref().or(order.pins);
        let imported = import(order.plan, stage)?;
        let mut known = Variables::default();
        if let Some(opening) = order.opening
            && chip_uses_dek(order.plan, stage)
        {
            let dek = keys.dek(&order.plan.chip, opening)?;
            known.set(DEK, Value::Bytes(dek));
        }
        for rendered in render(order, stage, pins, &imported, &known)? {
            sealed.add(rendered)?;
        }
        for (name, key) in imported {
            sealed.publics.insert(name, key.spki().to_vec());
        }
        Ok(sealed)
    }

    /// Adds the commands by which the chip gets to know the issuer.
    fn open(
        &mut self,
        keys: &KeyService,
        order: &SealOrder<'_>,
        opening: &ChannelOpening,
    ) -> Result<()> {
        let chip = &*order.plan.chip;
        match keys.open(chip, order.chip, opening)? {
            Opened::Session(session) => {
                let update = answer(chip, opening)?;
                let host = host_challenge(chip, opening)?;
                let handshake =
                    Handshake::new(*session, host, &update).map_err(|_| CentralError::WrongKeys)?;
                let level = chip.channel.protocol.level();
                let level = level.ok_or_else(|| {
                    CentralError::invalid("this chip's channel has no security level")
                })?;
                let (authenticate, opened) = handshake
                    .external_authenticate(level)
                    .map_err(|error| CentralError::refused(error.to_string()))?;
                // The answer to EXTERNAL AUTHENTICATE is never protected (GP Amendment D §6.2.5).
                self.add(Rendered::plain(authenticate))?;
                self.channel = Some(opened.assume_accepted());
            }
            Opened::Proof(proof) => {
                let set = chip.object(ObjectKind::KeySet, &opening.key_set);
                let set = set.ok_or_else(|| CentralError::invalid("no such key set"))?;
                let mut known = Variables::default();
                for (name, value) in &opening.answers {
                    known.set(name.clone(), Value::bytes(value.as_slice()));
                }
                known.set("channel.host", Value::bytes(&opening.host_challenge[..]));
                known.set("channel.proof", Value::Bytes(proof.proof));
                let renderer = Renderer::new(chip, &chip.limits, false);
                for rendered in renderer.open_channel(set, true, &known)? {
                    self.add(rendered)?;
                }
                if let Some(answer) = proof.answer {
                    self.demand(answer)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, rendered: Rendered) -> Result<()> {
        let command = match &mut self.channel {
            Some(channel) => channel.wrap(&rendered.command).map_err(|error| {
                CentralError::refused(format!("a command cannot be sealed: {error}"))
            })?,
            None => rendered.command.clone(),
        };
        self.commands.push(SealedCommand {
            command: Secret::new(bytes(&command)?),
            expect: rendered.expect.iter().map(ToString::to_string).collect(),
        });
        let mut taken = rendered.take.into_iter();
        self.judges.push(Judge {
            expect: rendered.expect,
            is_protected: self.channel.is_some(),
            place: taken.find_map(|(name, take)| (name == ANSWER).then_some(take)),
            proof: None,
        });
        Ok(())
    }

    /// Demands that the chip prove itself with these bytes.
    fn demand(&mut self, answer: Zeroizing<Vec<u8>>) -> Result<()> {
        let mut judges = self.judges.iter_mut().rev();
        let proving = judges.find(|judge| judge.place.is_some());
        match proving.filter(|_| !answer.is_empty()) {
            Some(judge) => {
                judge.proof = Some(answer);
                Ok(())
            }
            None => Err(CentralError::refused(
                "the chip never proves itself; correct the chip profile's open_channel",
            )),
        }
    }

    /// Returns the commands, in order.
    pub fn commands(&self) -> &[SealedCommand] {
        &self.commands
    }

    /// Returns the public keys of the key pairs that the stage imports, by name.
    pub fn publics(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.publics
    }

    /// Returns the envelope: a [`PinSet`], sealed for the order's context. A stage that sets no
    /// PINs, or not the first, has none.
    pub fn envelope(&self) -> Option<&[u8]> {
        self.envelope.as_deref()
    }

    /// Judges the answers, R-APDUs in the order of the commands: each must be what was expected,
    /// and under a secure channel the chip's own. However it ends, the channel ends with it.
    ///
    /// # Errors
    /// [`CentralError::Refused`], naming the command whose answer is not accepted.
    pub fn check(&mut self, answers: &[Vec<u8>]) -> Result<()> {
        let judged = self.judge(answers);
        if let Some(channel) = &mut self.channel {
            channel.terminate();
        }
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
        for (place, (answer, judge)) in answers.iter().zip(&self.judges).enumerate() {
            let foreign = |why: String| {
                CentralError::refused(format!(
                    "the answer to sealed command {} is not accepted: {why}",
                    place + 1
                ))
            };
            let mut answer = Response::parse(answer).map_err(|error| foreign(error.to_string()))?;
            if let Some(channel) = self.channel.as_mut().filter(|_| judge.is_protected) {
                answer = channel
                    .unwrap(answer)
                    .map_err(|error| foreign(error.to_string()))?;
            }
            if !judge.accepts(answer.status()) {
                return Err(foreign(format!("the chip answered {}", answer.status())));
            }
            if !judge.proves(&answer) {
                return Err(foreign("the chip does not prove itself".into()));
            }
        }
        Ok(())
    }
}

/// The result of `open_channel` with which a chip proves itself.
const ANSWER: &str = "channel.answer";

impl Judge {
    fn accepts(&self, status: Status) -> bool {
        self.expect.is_empty() || self.expect.iter().any(|pattern| pattern.matches(status))
    }

    /// Says whether the chip's proof stands in an answer, where one must.
    fn proves(&self, answer: &Response) -> bool {
        let Some(wanted) = &self.proof else {
            return true;
        };
        let found = self.place.as_ref().and_then(|place| place.find(answer));
        found.is_some_and(|found| found.ct_eq(wanted).into())
    }
}

impl fmt::Debug for SealedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStage")
            .field("commands", &self.commands.len())
            .finish_non_exhaustive()
    }
}

<<<<<<< HEAD
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
fn prove(plan: &Plan, stage: &Stage) -> Result<(), String> {
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

/// The channel's key that encrypts other keys, as templates name it.
const DEK: &str = "channel.dek";

/// Says whether a stage encrypts anything under the channel's DEK.
fn chip_uses_dek(plan: &Plan, stage: &Stage) -> bool {
    stage.steps.iter().any(|step| {
        let object = plan.chip.object(step.verb.object(), &step.object);
        let mut operations = step.verb.operations().iter().copied().chain(step.operation);
        object.is_some_and(|object| {
            operations.any(|operation| plan.chip.mentions(operation, object, DEK))
        })
    })
}

/// Makes the key pairs that a stage imports.
fn import(plan: &Plan, stage: &Stage) -> Result<BTreeMap<String, ImportedKey>> {
    let mut imported = BTreeMap::new();
    let steps = stage.steps.iter();
    for step in steps.filter(|step| step.verb == Verb::ImportKey) {
        let rules = plan.chip.key_rules(&step.object);
        let rules = rules.ok_or_else(|| missing(step))?;
        let key = ImportedKey::generate(rules.algorithm)?;
        imported.insert(step.object.clone(), key);
    }
    Ok(imported)
}

/// Refuses present values of PINs that the stage does not need: they would stand in the place of
/// what the chip profile knows.
fn check_told(order: &SealOrder<'_>, stage: &Stage) -> Result<()> {
    let is_needed = |pin: &str, digits: &Secret| {
        stage.carries.iter().any(|carried| carried == pin) && !digits.expose().is_empty()
    };
    let mut told = order.known.iter();
    match told.find(|(pin, digits)| !is_needed(pin, digits)) {
        None => Ok(()),
        Some((pin, _)) => Err(CentralError::invalid(format!(
            "stage \"{}\" has no use for this present value of PIN \"{pin}\"",
            stage.name
        ))),
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

fn untold(step: &Step) -> CentralError {
    CentralError::invalid(format!(
        "the present value of PIN \"{}\" was not told; {} needs it",
        step.object,
        step.name()
    ))
}

fn missing(step: &Step) -> CentralError {
    CentralError::refused(format!(
        "the chip profile has nothing for \"{}\"",
        step.name()
    ))
}

/// Renders the stage's steps as the station's executor would.
fn render(
    order: &SealOrder<'_>,
    stage: &Stage,
    pins: Option<&PinSet>,
    imported: &BTreeMap<String, ImportedKey>,
    known: &Variables,
) -> Result<Vec<Rendered>> {
    let chip = &*order.plan.chip;
    let renderer = Renderer::new(chip, &chip.limits, chip.channel.protocol.level().is_some());
    let mut position = Position::default();
    position.selected(&stage.select);
    let before = stages_before(order.plan, &stage.name);
    let earlier = order.plan.stages.iter();
    // The PINs that have the holder's value already.
    let mut holders: BTreeSet<&str> = earlier
        .filter(|earlier| before.contains(&earlier.name.as_str()))
        .flat_map(set_by)
        .collect();
    let mut commands = Vec::new();
    for step in &stage.steps {
        let object = chip.object(step.verb.object(), &step.object);
        let object = object.ok_or_else(|| missing(step))?;
        let (operation, values) = match step.verb {
            Verb::SetHolderPin | Verb::VerifyPin => {
                let present = Present {
                    order,
                    pins,
                    holders: &holders,
                    carried: &stage.carries,
                };
                present.values(step, object)?
            }
            Verb::ImportKey => {
                let key = imported.get(&step.object).ok_or_else(|| missing(step))?;
                (Dialect::ImportKey, key.values())
            }
            Verb::SetState => (Dialect::SetState, Vec::new()),
            _ => return Err(missing(step)),
        };
        if let Some(application) = position.enters(chip, operation, object) {
            commands.extend(renderer.operation(Dialect::Enter, application, &[])?);
            position.entered(&application.name);
        }
        commands.extend(renderer.operation_in(operation, object, &values, known)?);
        if step.verb == Verb::SetHolderPin {
            holders.insert(&step.object);
        }
    }
    Ok(commands)
}

/// Returns the PINs whose holder's value a stage sets.
fn set_by(stage: &Stage) -> impl Iterator<Item = &str> {
    let steps = stage.steps.iter();
    steps
        .filter(|step| step.verb == Verb::SetHolderPin)
        .map(|step| step.object.as_str())
}

/// The values that PINs have at a step.
struct Present<'a> {
    order: &'a SealOrder<'a>,
    /// The holder's.
    pins: Option<&'a PinSet>,
    /// Which have the holder's value.
    holders: &'a BTreeSet<&'a str>,
    /// Which have a value that the personalization alone knows, and may tell.
    carried: &'a [String],
}

impl Present<'_> {
    fn made(&self, pin: &str) -> Option<&[u8]> {
        self.pins.and_then(|pins| pins.get(pin)).map(Pin::digits)
    }

    /// Returns the value that a PIN has: the holder's, the personalization's, or the maker's.
    fn now(&self, pin: &str) -> Option<&[u8]> {
        if self.holders.contains(pin) {
            return self.made(pin);
        }
        match self.order.known.get(pin) {
            Some(digits) => Some(digits.expose()),
            // The maker's is gone.
            None if self.carried.iter().any(|carried| carried == pin) => None,
            None => self
                .order
                .plan
                .chip
                .pin_rules(pin)?
                .default
                .as_deref()
                .map(|digits| &digits[..]),
        }
    }

    /// Returns how a PIN is set or presented, and the values for it.
    fn values(&self, step: &Step, pin: &Object) -> Result<(Dialect, Vec<(&'static str, Value)>)> {
        let Detail::Pin(rules) = &pin.detail else {
            return Err(missing(step));
        };
        let (operation, values) = if step.verb == Verb::SetHolderPin {
            // A PUK that has no value yet is set together with its PIN.
            let puk = rules.puk.as_ref().and_then(|name| {
                let puk = self.order.plan.chip.object(ObjectKind::Pin, name)?;
                Some((puk, self.now(name).or_else(|| self.made(name))?))
            });
            let values = PinValues {
                digits: self.made(&step.object).ok_or_else(|| missing(step))?,
                current: self.now(&step.object),
                puk,
            };
            let operation = step.operation.unwrap_or(Dialect::SetPin);
            if operation == Dialect::ChangePin && values.current.is_none() {
                return Err(untold(step));
            }
            (operation, values)
        } else {
            let digits = self.now(&step.object).ok_or_else(|| untold(step))?;
            (Dialect::VerifyPin, PinValues::of(digits))
        };
        Ok((operation, values.variables(pin)?))
    }
}

=======
>>>>>>> 4cc7dab (Give what may be sealed, its commands and what a chip said their own files)
fn bytes(command: &Command) -> Result<Vec<u8>> {
    let encoded = command
        .encode()
        .map_err(|error| CentralError::refused(format!("a command cannot be sealed: {error}")))?;
    Ok(encoded.to_vec())
}
