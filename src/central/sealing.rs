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

use api::{Carries, ChannelOpening, SealedCommand, Secret};
use card::gp::{Handshake, Secured};
use card::{Command, Limits, Response, Status};
use document::Holder;
use hsm::{EnvelopeKey, PinSet};
use profile::{ObjectKind, Plan, Rendered, Renderer, StatusPattern, Take, Value, Variables};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};
use crate::keys::{KeyService, Opened, answer, host_challenge, of_chip};
use crate::sealable::{prove, sets_pins};
use crate::sealed_commands::{
    DEK, Made, check_told, import, issuer_pins, make_pins, render, uses_dek,
};

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
    /// What chip and reader take together.
    pub carries: Carries,
    /// The digits of PINs that only the personalization knows so far.
    pub known: &'a BTreeMap<String, Secret>,
    /// The holder's PINs, where an earlier stage set some of them; they are made where not.
    pub pins: Option<&'a PinSet>,
    /// The holder: no PIN has four digits in a row of the birth date or the personal code.
    pub holder: &'a Holder,
    /// What the envelope is for; it opens for the same context only.
    pub context: &'a [u8],
}

impl SealOrder<'_> {
    /// Returns the limits within which commands are made: the chip's, narrowed to the reader's.
    pub(crate) fn limits(&self) -> Limits {
        let chip = self.plan.chip.limits;
        let least = |ours: usize, theirs: u32| {
            usize::try_from(theirs).map_or(ours, |theirs| ours.min(theirs.max(1)))
        };
        Limits {
            command: least(chip.command, self.carries.command),
            response: least(chip.response, self.carries.response),
            extended: chip.extended && self.carries.extended,
            ..chip
        }
    }
}

/// To whom PINs are sealed.
#[derive(Clone)]
pub struct EnvelopeKeys {
    /// The envelope printer.
    pub printer: EnvelopeKey,
    /// Whoever seals, until all PINs are set.
    pub own: EnvelopeKey,
}

/// A stage that was sealed. The channel's keys are inside; they are wiped when the answers were
/// checked, and when this is dropped.
pub struct SealedStage {
    envelope: Option<Vec<u8>>,
    kept: Option<Vec<u8>>,
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
        envelopes: &EnvelopeKeys,
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
            kept: None,
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
            sealed.envelope = Some(envelopes.printer.seal(&content, order.context)?);
            sealed.kept = Some(envelopes.own.seal(&content, order.context)?);
            made = Some(pins);
        }
        let pins = made.as_ref().or(order.pins);
        let issuers = issuer_pins(keys, order)?;
        let imported = import(order.plan, stage)?;
        let mut known = of_chip(order.chip);
        if let Some(opening) = order.opening
            && uses_dek(order.plan, stage)
        {
            let dek = keys.dek(&order.plan.chip, opening)?;
            known.set(DEK, Value::Bytes(dek));
        }
        let made = Made {
            pins,
            issuers: &issuers,
            imported: &imported,
            known: &known,
        };
        for rendered in render(order, stage, &made)? {
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
                let level = chip.channel.protocol(&opening.key_set).level();
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
                // Whatever the station says: the books know which chip this is.
                known.set("chip.serial", Value::text(order.chip));
                known.set("channel.host", Value::bytes(&opening.host_challenge[..]));
                known.set("channel.proof", Value::Bytes(proof.proof));
                let limits = order.limits();
                let renderer = Renderer::new(chip, &limits, None);
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

    /// Returns the same PINs, sealed to whoever sealed the stage: for the stages that set the others
    /// of one envelope.
    pub fn kept(&self) -> Option<&[u8]> {
        self.kept.as_deref()
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

fn bytes(command: &Command) -> Result<Vec<u8>> {
    let encoded = command
        .encode()
        .map_err(|error| CentralError::refused(format!("a command cannot be sealed: {error}")))?;
    Ok(encoded.to_vec())
}
