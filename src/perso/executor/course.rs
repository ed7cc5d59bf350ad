//! The course of a plan: which stage, which channel, which step comes next, and what follows
//! when its commands are answered.

use std::collections::BTreeMap;

use card::Status;
use card::gp::initialize_update;
use profile::{Dialect, ObjectKind, Protection, Rendered, Renderer, Stage, Value, Variables, Verb};

use super::{Answers, Asked, Executor, Running, host_challenge};
use crate::channel::ChannelState;
use crate::fault::Fault;
use crate::inspection::Written;
use crate::journal::Moment;
use crate::request::{Opening, Request};
use crate::resume::{PUBLIC_KEYS, Resumption};
use crate::step::{Begun, StepContext, begin, finish, has_nothing, known_digits};

/// The most bytes of a chip's serial number that the books take.
const MAX_SERIAL: usize = 32;
/// The most bytes that name its operating system's version in the books.
const MAX_OS: usize = 64;

impl Executor {
    pub(super) fn enter_stage(&mut self, stage: &Stage) -> Result<(), Fault> {
        self.entered = true;
        self.channel = ChannelState::Closed;
        let Some(steps) = self.resumption.steps(self.stage, stage) else {
            self.pending.clear();
            self.done += stage.steps.len();
            return Ok(());
        };
        self.done += stage.steps.len() - steps.len();
        self.pending = steps.into();
        if !self.position.is_selected(&stage.select) {
            let application = self.object(ObjectKind::Application, &stage.select)?;
            self.running = Some(Running::Select);
            self.commands = self.render(None, |renderer| {
                renderer.operation_in(Dialect::Select, &application, &[], &self.variables)
            })?;
        } else if stage.channel.is_some() && !stage.sealed {
            self.open_challenge(stage)?;
        }
        Ok(())
    }

    /// Has the chip give its challenge.
    pub(super) fn open_challenge(&mut self, stage: &Stage) -> Result<(), Fault> {
        let plan = self.plan.clone();
        let name = stage.channel.clone().unwrap_or_default();
        let missing = || Fault::Plan {
            step: stage.name.clone(),
            cause: format!("no key set \"{name}\""),
        };
        let channel = &plan.chip.channel;
        let set = channel.keys.get(&name).ok_or_else(missing)?;
        self.answers = Answers::default();
        self.running = Some(Running::Challenge);
        if set.protocol.is_global_platform() {
            let host = host_challenge(&set.protocol, &mut self.random).map_err(|source| {
                Fault::Channel {
                    step: stage.name.clone(),
                    source,
                }
            })?;
            let bytes = Value::bytes(host.as_bytes());
            self.variables.set("channel.host", bytes);
            let command = initialize_update(set.version, &host);
            self.commands.push_back(Rendered::plain(command));
        } else {
            let mut host = vec![
                0;
                set.protocol
                    .challenge()
                    .map_or(0, |challenge| challenge.host)
            ];
            (self.random)(&mut host);
            self.variables.set("channel.host", Value::bytes(host));
            let object = self.object(ObjectKind::KeySet, &name)?;
            self.commands = self.render(None, |renderer| {
                renderer.open_channel(&object, false, &self.variables)
            })?;
        }
        Ok(())
    }

    /// Begins a sealed stage: with its channel's challenge, or at once.
    pub(super) fn open_sealed(&mut self, stage: &Stage) -> Result<(), Fault> {
        match stage.channel {
            Some(_) => self.open_challenge(stage),
            None => {
                self.ask_to_seal(stage, None);
                Ok(())
            }
        }
    }

    fn ask_to_seal(&mut self, stage: &Stage, opening: Option<Opening>) {
        self.awaiting_grant = true;
        let pins = stage.carries.iter().filter_map(|pin| {
            let digits = known_digits(&self.variables, pin);
            // One that died with the process is not told; it may not be needed.
            (!digits.is_empty()).then(|| (pin.clone(), Value::Bytes(digits)))
        });
        let pins = pins.collect();
        self.ask(
            Asked::Seal,
            Request::Seal {
                stage: stage.name.clone(),
                opening,
                limits: self.limits,
                pins,
            },
        );
    }

    /// Asks for the files that hold the chip's keys as soon as these are known: the centre signs
    /// while the chip is written.
    pub(super) fn ask_for_lds(&mut self) {
        let plan = self.plan.clone();
        let Some(lds) = plan.lds.as_ref().filter(|_| !self.lds_asked) else {
            return;
        };
        let keys = lds.keys.iter().map(|key| {
            let spki = self.variables.bytes(&format!("key.{key}.spki"))?;
            Some((key.clone(), spki.to_vec()))
        });
        let Some(keys) = keys.collect() else {
            return;
        };
        self.lds_asked = true;
        self.ask(Asked::Lds, Request::SignLds { keys });
    }

    /// Notes that something that lasts begins: once that is written down the blank is touched. Not
    /// before the centre has given what it takes, so that a centre that does not serve spoils no
    /// blank.
    pub(super) fn begins(&mut self, name: String) {
        self.note(name, Moment::Intent, BTreeMap::new());
    }

    /// As [`Executor::begins`], of a sealed stage, with the public keys that it imports: where only the
    /// centre knows that it was done, they are known from here.
    pub(super) fn begins_sealed(&mut self) {
        let keys = Some(self.sealed_keys.clone()).filter(|keys| !keys.is_empty());
        let evidence = keys.map(|keys| (PUBLIC_KEYS, keys)).into_iter().collect();
        self.note(self.stage_name(), Moment::Intent, evidence);
    }

    pub(super) fn leave_stage(&mut self) {
        if !matches!(self.channel, ChannelState::Closed) {
            // A channel ends with the next SELECT, so the next stage must begin with one.
            self.position.lost();
        }
        self.channel = ChannelState::Closed;
        self.entered = false;
        self.stage += 1;
    }

    pub(super) fn start_step(&mut self, stage: &Stage, index: usize) -> Result<(), Fault> {
        let Some(step) = stage.steps.get(index) else {
            return Ok(());
        };
        let object = self.object(step.verb.object(), &step.object)?;
        if has_nothing(step, &object, &self.plan, &self.variables)? {
            self.done += 1;
            return Ok(());
        }
        if step.verb == Verb::Inspect {
            let written = Written::of(&self.plan, &self.variables).ok_or_else(|| Fault::Plan {
                step: step.name(),
                cause: "what was written is no travel document".into(),
            })?;
            self.inspection = Some(Box::new(written));
            self.running = Some(Running::Step { index });
            return Ok(());
        }
        // The one by which a PIN is set is chosen by the plan; the others belong to the verb.
        let operations = step.verb.operations().iter().copied();
        for operation in operations.chain(step.operation) {
            if let Some(application) = self.position.enters(&self.plan.chip, operation, &object) {
                let application = application.clone();
                self.running = Some(Running::Enter {
                    application: application.name.clone(),
                    then: index,
                });
                self.commands = self.render(self.protection(), |renderer| {
                    renderer.operation_in(Dialect::Enter, &application, &[], &self.variables)
                })?;
                return Ok(());
            }
        }
        self.answers = Answers::default();
        let protection = self.protection();
        let name = step.name();
        let is_again = self.resumption.is_again(self.stage, index);
        let begun = begin(
            step,
            (&object, is_again),
            &mut StepContext {
                plan: &self.plan,
                variables: &mut self.variables,
                subjects: &self.subjects,
                random: &mut self.random,
                renderer: Renderer::new(&self.plan.chip.clone(), &self.limits, protection),
            },
        )?;
        match begun {
            Begun::Commands(commands) => {
                if step.verb.is_lasting() {
                    self.begins(name);
                }
                self.commands = commands.into();
                self.running = Some(Running::Step { index });
            }
            Begun::PutKeys { new, adds } => {
                let Some(opening) = self.channel.opening().cloned() else {
                    return Err(Fault::Plan {
                        step: step.name(),
                        cause: "no channel is open".into(),
                    });
                };
                self.awaiting_grant = true;
                self.keys_asked_for = Some(step.name());
                self.ask(Asked::Step(index), Request::PutKeys { opening, new, adds });
            }
        }
        Ok(())
    }

    /// Returns what the open channel does to commands, where one is open that does.
    pub(super) fn protection(&self) -> Option<Protection> {
        let open = self.channel.is_protected().then(|| self.stage_key_set());
        self.plan.chip.channel.protection(open.as_deref())
    }

    /// Goes on after the last command of a piece of work was answered.
    pub(super) fn complete(&mut self, running: Running) -> Result<(), Fault> {
        match running {
            Running::Identify => {
                if self.next_identification() {
                    self.running = Some(Running::Identify);
                    return Ok(());
                }
                self.identified()
            }
            Running::Select => {
                let plan = self.plan.clone();
                let Some(stage) = plan.stages.get(self.stage) else {
                    return Ok(());
                };
                self.position.selected(&stage.select);
                if stage.channel.is_some() && !stage.sealed {
                    self.open_challenge(stage)
                } else {
                    Ok(())
                }
            }
            Running::Challenge => self.challenged(),
            Running::Authenticate => {
                let answer = self.answers.taken.get("channel.answer");
                match self.channel.proved(answer.map(|answer| &answer[..])) {
                    true => Ok(()),
                    false => Err(Fault::NotProved {
                        chip: self.chip.clone().unwrap_or_default(),
                        key_set: self.stage_key_set(),
                    }),
                }
            }
            Running::Sealed => {
                let answers = std::mem::take(&mut self.answers.whole);
                self.awaiting_grant = true;
                self.position.lost();
                let stage = self.stage_name();
                self.ask(Asked::Confirm, Request::Confirm { stage, answers });
                Ok(())
            }
            Running::Enter { application, then } => {
                self.position.entered(&application);
                let plan = self.plan.clone();
                match plan.stages.get(self.stage) {
                    Some(stage) => self.start_step(stage, then),
                    None => Ok(()),
                }
            }
            Running::Step { index } => self.step_done(index),
        }
    }

    pub(super) fn identified(&mut self) -> Result<(), Fault> {
        let mut found = Variables::default();
        for (name, value) in std::mem::take(&mut self.answers.taken) {
            self.variables
                .set(name.clone(), Value::Bytes(value.clone()));
            found.set(name, Value::Bytes(value));
        }
        let spell = |source| Fault::Render {
            step: "identify".into(),
            source,
        };
        let identify = &self.plan.chip.identify;
        for expectation in &identify.expect {
            let value = expectation.value.render(&found).map_err(spell)?;
            if !expectation.holds(&value) {
                return Err(Fault::WrongChip {
                    product: self.plan.chip.name.clone(),
                    what: expectation.what.clone(),
                    found: hex::encode_upper(&value[..]),
                    expected: expectation.expected(),
                });
            }
        }
        let serial = match (&identify.serial, &self.blank) {
            (Some(serial), _) => hex::encode_upper(&serial.render(&found).map_err(spell)?[..]),
            (None, Some(blank)) => blank.clone(),
            (None, None) => String::new(),
        };
        if !(2..=2 * MAX_SERIAL).contains(&serial.len()) {
            return Err(Fault::WrongChip {
                product: self.plan.chip.name.clone(),
                what: "the length of its serial number".into(),
                found: format!("{} bytes", serial.len() / 2),
                expected: format!("1 to {MAX_SERIAL}"),
            });
        }
        let os = identify.os.as_ref().map(|os| os.render(&found)).transpose();
        let os = os.map_err(spell)?;
        if let Some(os) = os.as_ref().filter(|os| os.len() > MAX_OS) {
            return Err(Fault::WrongChip {
                product: self.plan.chip.name.clone(),
                what: "the length of its operating system's version".into(),
                found: format!("{} bytes", os.len()),
                expected: format!("at most {MAX_OS}"),
            });
        }
        self.os = os.map(|os| hex::encode_upper(&os[..]));
        self.variables
            .set("chip.serial", Value::text(serial.clone()));
        self.chip = Some(serial);
        self.position.lost();
        self.take_up()?;
        let evidence = BTreeMap::from([
            ("interface", self.plan.chip.interface.to_string()),
            ("product", self.plan.chip.name.clone()),
            ("os", self.os.clone().unwrap_or_default()),
        ]);
        self.note("identify".into(), Moment::Outcome, evidence);
        self.awaiting_grant = true;
        self.ask(Asked::Claim, Request::Claim);
        Ok(())
    }

    /// Takes up what an earlier run wrote down of this chip, if there was one.
    fn take_up(&mut self) -> Result<(), Fault> {
        let plan = self.plan.clone();
        let past = std::mem::take(&mut self.past);
        self.resumption = Resumption::plan(&plan, &past)?;
        for (key, spki) in past.public_keys(&plan) {
            self.imported(&key, &spki)?;
        }
        Ok(())
    }

    pub(super) fn challenged(&mut self) -> Result<(), Fault> {
        let plan = self.plan.clone();
        let Some(stage) = plan.stages.get(self.stage) else {
            return Ok(());
        };
        let mut answers = BTreeMap::new();
        let key_set = self.stage_key_set();
        if plan.chip.channel.protocol(&key_set).is_global_platform() {
            let name = Opening::INITIALIZE_UPDATE.to_owned();
            answers.insert(name, self.answers.data.to_vec());
        } else {
            for (name, value) in std::mem::take(&mut self.answers.taken) {
                self.variables
                    .set(name.clone(), Value::Bytes(value.clone()));
                answers.insert(name, value.to_vec());
            }
        }
        let opening = Opening {
            key_set,
            host_challenge: self
                .variables
                .bytes("channel.host")
                .unwrap_or_default()
                .to_vec(),
            answers,
        };
        if stage.sealed {
            self.ask_to_seal(stage, Some(opening));
        } else {
            self.awaiting_grant = true;
            self.channel = ChannelState::Challenged(opening.clone());
            self.ask(Asked::Channel, Request::OpenChannel(opening));
        }
        Ok(())
    }

    pub(super) fn step_done(&mut self, index: usize) -> Result<(), Fault> {
        let plan = self.plan.clone();
        let Some(step) = plan
            .stages
            .get(self.stage)
            .and_then(|stage| stage.steps.get(index))
        else {
            return Ok(());
        };
        let object = self.object(step.verb.object(), &step.object)?;
        let answers = std::mem::take(&mut self.answers);
        let protection = self.protection();
        let result = finish(
            step,
            &object,
            &answers,
            &mut StepContext {
                plan: &plan,
                variables: &mut self.variables,
                subjects: &self.subjects,
                random: &mut self.random,
                renderer: Renderer::new(&plan.chip, &self.limits, protection),
            },
        )?;
        if step.verb == Verb::Install && answers.last == Some(Status::OK) {
            // A new dedicated file is the current one (ISO/IEC 7816-9 §6.2).
            self.position.entered(&step.object);
        }
        if let Some(request) = result.request {
            let asked = match &request {
                Request::Prove { .. } => Asked::Proof,
                _ => Asked::Certificate(step.object.clone()),
            };
            self.ask(asked, request);
        }
        if step.verb.is_lasting() {
            self.note(step.name(), Moment::Outcome, result.evidence);
        }
        self.done += 1;
        Ok(())
    }
}
