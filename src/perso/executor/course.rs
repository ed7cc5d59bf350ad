//! The course of a plan: which stage, which channel, which step comes next, and what follows
//! when its commands are answered.

use std::collections::BTreeMap;

use card::gp::{HostChallenge, InitializeUpdate, initialize_update};
use profile::{Dialect, Expectation, ObjectKind, Renderer, Stage, Value, Variables, Verb};

use super::{Answers, Asked, Executor, Running, plain};
use crate::channel::ChannelState;
use crate::fault::Fault;
use crate::journal::Moment;
use crate::request::Request;
use crate::step::{Begun, StepContext, begin, finish};

/// The most bytes of a chip's serial number that the books take.
const MAX_SERIAL: usize = 32;

impl Executor {
    pub(super) fn enter_stage(&mut self, stage: &Stage) -> Result<(), Fault> {
        self.entered = true;
        self.channel = ChannelState::Closed;
        self.pending = (0..stage.steps.len()).collect();
        if !self.position.is_selected(&stage.select) {
            let application = self.object(ObjectKind::Application, &stage.select)?;
            self.running = Some(Running::Select);
            self.commands = self.render(false, |renderer| {
                renderer.operation(Dialect::Select, &application, &[])
            })?;
        } else if stage.channel.is_some() && !stage.sealed {
            self.open_challenge(stage)?;
        }
        Ok(())
    }

    pub(super) fn open_challenge(&mut self, stage: &Stage) -> Result<(), Fault> {
        let key_set = stage.channel.clone().unwrap_or_default();
        let version = match self.plan.chip.channel.keys.get(&key_set) {
            Some(set) => set.version,
            None => {
                return Err(Fault::Plan {
                    step: stage.name.clone(),
                    cause: format!("no key set \"{key_set}\""),
                });
            }
        };
        let mut host = [0; 8];
        (self.random)(&mut host);
        self.answers = Answers::default();
        self.variables.set("channel.host", Value::bytes(host));
        self.running = Some(Running::Challenge);
        self.commands
            .push_back(plain(initialize_update(version, &HostChallenge::new(host))));
        Ok(())
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
        for operation in step.verb.operations() {
            if let Some(application) = self.position.enters(&self.plan.chip, *operation, &object) {
                let application = application.clone();
                self.running = Some(Running::Enter {
                    application: application.name.clone(),
                    then: index,
                });
                self.commands = self.render(self.is_open(), |renderer| {
                    renderer.operation(Dialect::Enter, &application, &[])
                })?;
                return Ok(());
            }
        }
        self.answers = Answers::default();
        let protected = self.is_open();
        let name = step.name();
        let begun = begin(
            step,
            &object,
            &mut StepContext {
                plan: &self.plan,
                variables: &mut self.variables,
                subjects: &self.subjects,
                random: &mut self.random,
                renderer: Renderer::new(&self.plan.chip.clone(), protected),
            },
        )?;
        if step.verb.is_lasting() {
            self.touched = true;
            self.note(name, Moment::Intent, BTreeMap::new());
        }
        match begun {
            Begun::Commands(commands) => {
                self.commands = commands.into();
                self.running = Some(Running::Step { index });
            }
            Begun::ReplaceKeys { new } => {
                let current = stage.channel.clone().unwrap_or_default();
                let diversification = self.diversification();
                self.awaiting_grant = true;
                self.ask(
                    Asked::Step(index),
                    Request::ReplaceKeys {
                        current,
                        new,
                        diversification,
                    },
                );
            }
        }
        Ok(())
    }

    pub(super) fn diversification(&self) -> [u8; 10] {
        self.variables
            .bytes("channel.diversification")
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or_default()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.channel, ChannelState::Open(_))
    }

    /// Goes on after the last command of a piece of work was answered.
    pub(super) fn complete(&mut self, running: Running) -> Result<(), Fault> {
        match running {
            Running::Identify => self.identified(),
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
            Running::Authenticate => Ok(()),
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
            found.set(name, Value::Bytes(value));
        }
        let spell = |source| Fault::Render {
            step: "identify".into(),
            source,
        };
        let identify = &self.plan.chip.identify;
        for Expectation {
            what,
            value,
            equals,
        } in &identify.expect
        {
            let value = value.render(&found).map_err(spell)?;
            if value[..] != equals[..] {
                return Err(Fault::WrongChip {
                    product: self.plan.chip.name.clone(),
                    what: what.clone(),
                    found: hex::encode_upper(&value[..]),
                    expected: hex::encode_upper(equals),
                });
            }
        }
        let serial = identify.serial.render(&found).map_err(spell)?;
        if !(1..=MAX_SERIAL).contains(&serial.len()) {
            return Err(Fault::WrongChip {
                product: self.plan.chip.name.clone(),
                what: "the length of its serial number".into(),
                found: format!("{} bytes", serial.len()),
                expected: format!("1 to {MAX_SERIAL}"),
            });
        }
        let serial = hex::encode_upper(&serial[..]);
        self.os = Some(hex::encode_upper(
            &identify.os.render(&found).map_err(spell)?[..],
        ));
        self.variables
            .set("chip.serial", Value::text(serial.clone()));
        self.chip = Some(serial);
        self.position.lost();
        let evidence = BTreeMap::from([
            ("interface", self.plan.chip.interface.to_string()),
            ("product", self.plan.chip.name.clone()),
            ("os", self.os.clone().unwrap_or_default()),
        ]);
        self.note("identify".into(), Moment::Outcome, evidence);
        Ok(())
    }

    pub(super) fn challenged(&mut self) -> Result<(), Fault> {
        let answer =
            InitializeUpdate::parse(&self.answers.data).map_err(|source| Fault::Channel {
                step: self.what(),
                source,
            })?;
        let plan = self.plan.clone();
        let Some(stage) = plan.stages.get(self.stage) else {
            return Ok(());
        };
        let key_set = self.stage_key_set();
        let host: [u8; 8] = self
            .variables
            .bytes("channel.host")
            .and_then(|host| host.try_into().ok())
            .unwrap_or_default();
        self.variables.set(
            "channel.diversification",
            Value::bytes(*answer.diversification()),
        );
        let initialize_update = self.answers.data.to_vec();
        self.awaiting_grant = true;
        if stage.sealed {
            self.touched = true;
            self.note(stage.name.clone(), Moment::Intent, BTreeMap::new());
            let stage = stage.name.clone();
            self.ask(
                Asked::Seal,
                Request::Seal {
                    stage,
                    key_set,
                    host_challenge: host,
                    initialize_update,
                },
            );
        } else {
            self.channel = ChannelState::Challenged { host, answer };
            self.ask(
                Asked::Channel,
                Request::OpenChannel {
                    key_set,
                    host_challenge: host,
                    initialize_update,
                },
            );
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
        let protected = self.is_open();
        let result = finish(
            step,
            &object,
            &answers,
            &mut StepContext {
                plan: &plan,
                variables: &mut self.variables,
                subjects: &self.subjects,
                random: &mut self.random,
                renderer: Renderer::new(&plan.chip, protected),
            },
        )?;
        if step.verb == Verb::Install {
            // A new dedicated file is the current one (ISO/IEC 7816-9 §6.2).
            self.position.entered(&step.object);
        }
        if let Some(request) = result.request {
            self.ask(Asked::Certificate(step.object.clone()), request);
        }
        if step.verb.is_lasting() {
            self.note(step.name(), Moment::Outcome, result.evidence);
        }
        self.done += 1;
        Ok(())
    }
}
