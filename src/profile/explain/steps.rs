//! Step by step: the commands as executor and centre render them, with stand-ins for what they
//! would know.

use std::collections::BTreeSet;

use card::cipher::Key;
use card::gp::{
    Dek, HostChallenge, NewKeyType, StaticKeys, delete_key, initialize_update, put_key_set,
};
use card::{Command, Limits, Status};

use crate::chip::{ChipProfile, Detail, KeyRules, Object, PinRules};
use crate::command::{Rendered, Renderer, content};
use crate::error::RenderError;
use crate::explain::stand_in::{self, StandIn};
use crate::explain::{ExplainedStage, ExplainedStep};
use crate::issuer_channel::{Cipher, Protection, Protocol};
use crate::pin_values::PinValues;
use crate::plan::{Plan, Stage, Step};
use crate::position::Position;
use crate::status_pattern::StatusPattern;
use crate::value::Variables;
use crate::vocabulary::{Dialect, Effect, ObjectKind, Verb};

/// What a chip says of a PIN's tries, in bytes.
const TRIES: usize = 20;
/// What an encoded public key has around it, in bytes.
const AROUND_A_KEY: usize = 10;
/// EXTERNAL AUTHENTICATE (*GP Card Specification 2.3 §E.5.2*).
const EXTERNAL_AUTHENTICATE: [u8; 2] = [0x84, 0x82];

pub(super) type Rendering<T> = Result<T, RenderError>;

/// Renders commands out of what is known.
type Drafting<'a> = Box<dyn Fn(&Variables) -> Rendering<Vec<Draft>> + 'a>;

/// A command of an operation, not yet told.
pub(super) struct Draft {
    pub(super) operation: String,
    pub(super) rendered: Rendered,
}

impl Draft {
    pub(super) fn of(operation: impl Into<String>, rendered: Rendered) -> Self {
        Self {
            operation: operation.into(),
            rendered,
        }
    }
}

/// What a group of commands costs beside what passes to the chip.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    /// Bytes that the chip answers to all of them.
    pub(super) answers: usize,
    pub(super) written: usize,
    /// Milliseconds of work on the chip.
    pub(super) work: f64,
}

/// What a step does, as a function of what is known.
pub(super) struct Work<'a> {
    pub(super) draft: Drafting<'a>,
    /// What only this step names.
    pub(super) own: Vec<StandIn>,
    pub(super) cost: Cost,
}

impl<'a> Work<'a> {
    fn of(draft: impl Fn(&Variables) -> Rendering<Vec<Draft>> + 'a) -> Self {
        Self {
            draft: Box::new(draft),
            own: Vec::new(),
            cost: Cost::default(),
        }
    }

    fn with(mut self, own: Vec<StandIn>) -> Self {
        self.own = own;
        self
    }

    fn costing(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }
}

pub(super) struct Explainer<'a> {
    plan: &'a Plan,
    pub(super) chip: &'a ChipProfile,
    pub(super) limits: Limits,
    known: &'a Variables,
    pub(super) stand_ins: Vec<StandIn>,
    /// What is known, and stand-ins for the rest.
    pub(super) variables: Variables,
    position: Position,
    /// The PINs whose value the personalization knows by now.
    pins: BTreeSet<String>,
}

impl<'a> Explainer<'a> {
    pub(super) fn new(plan: &'a Plan, known: &'a Variables, limits: &Limits) -> Self {
        let stand_ins = stand_in::all(plan, known, limits);
        let mut variables = known.clone();
        stand_in::set_all(&mut variables, &stand_ins);
        let pins = plan
            .chip
            .objects(ObjectKind::Pin)
            .filter(|pin| matches!(&pin.detail, Detail::Pin(rules) if rules.default.is_some()));
        Self {
            plan,
            chip: &plan.chip,
            limits: *limits,
            known,
            stand_ins,
            variables,
            position: Position::default(),
            pins: pins.map(|pin| pin.name.clone()).collect(),
        }
    }

    /// Explains how the chip is asked what it is.
    pub(super) fn identify(&mut self) -> ExplainedStep {
        let mut explained = ExplainedStep::named("identify", "what the chip is");
        let chip = self.chip;
        let limits = self.limits;
        let work = Work::of(move |variables| {
            let commands = chip.identify.commands.iter();
            commands
                .map(|command| Ok(Draft::of("identify", command.render(variables, &limits)?)))
                .collect()
        });
        let cost = Cost {
            answers: 64 * chip.identify.commands.len(),
            ..Cost::default()
        };
        self.tell(&mut explained, &work.costing(cost), None);
        explained
    }

    /// Explains one stage.
    pub(super) fn stage(&mut self, stage: &Stage) -> ExplainedStage {
        let opening = self.open(stage);
        let protection = self.chip.channel.protection(stage.channel.as_deref());
        let steps = stage.steps.iter();
        let steps = steps
            .map(|step| self.step(stage, step, protection))
            .collect();
        if stage.channel.is_some() || stage.sealed {
            self.position.lost();
        }
        ExplainedStage::of(stage, opening, steps)
    }

    fn open(&mut self, stage: &Stage) -> ExplainedStep {
        let mut explained = ExplainedStep::named(
            format!("open {}", stage.name),
            match &stage.channel {
                Some(set) => format!("select {}, channel with key set {set}", stage.select),
                None => format!("select {}", stage.select),
            },
        );
        let channels = &self.chip.channel;
        let protocol = stage.channel.as_deref().map(|set| channels.protocol(set));
        explained.centre = match (stage.sealed, protocol) {
            (true, _) => Some("every command of this stage, ready".into()),
            (false, Some(Protocol::Challenge(_))) => Some("the issuer's proof".into()),
            (false, Some(_)) => Some("session keys".into()),
            (false, None) => None,
        };
        if !self.position.is_selected(&stage.select) {
            let chip = self.chip;
            if let Some(application) = chip.object(ObjectKind::Application, &stage.select) {
                let work = self.operation(Dialect::Select, application, None);
                self.tell(&mut explained, &work, None);
                self.position.selected(&stage.select);
            }
        }
        if let Some(set) = &stage.channel {
            match channels.protocol(set).is_global_platform() {
                true => self.open_global_platform(&mut explained, set),
                false => self.open_by_challenge(&mut explained, set),
            }
        }
        explained
    }

    fn open_global_platform(&self, explained: &mut ExplainedStep, set: &str) {
        let protocol = self.chip.channel.protocol(set);
        let Some(Protection { mode, level }) = protocol.protection() else {
            return;
        };
        let version = self.chip.channel.keys.get(set).map_or(0, |set| set.version);
        let bytes =
            |variables: &Variables, name: &str| variables.bytes(name).unwrap_or_default().to_vec();
        let host = protocol.host_challenge();
        let own = vec![
            StandIn::bytes("channel.host", host),
            StandIn::bytes("host cryptogram", mode.mac_length()),
            StandIn::bytes("MAC", mode.mac_length()),
        ];
        let work = Work::of(move |variables| {
            let host = host_challenge(variables.bytes("channel.host").unwrap_or_default());
            let [cla, ins] = EXTERNAL_AUTHENTICATE;
            let proof = [bytes(variables, "host cryptogram"), bytes(variables, "MAC")].concat();
            let authenticate = Command::new(cla, ins, level.value(), 0).with_data(proof);
            let ask = Rendered::plain(initialize_update(version, &host));
            Ok(vec![
                Draft::of("INITIALIZE UPDATE", ask),
                Draft::of("EXTERNAL AUTHENTICATE", Rendered::plain(authenticate)),
            ])
        });
        // Diversification data, key information, challenge and cryptogram, sequence counter.
        let answers = 10 + 3 + 2 * mode.mac_length() + 3;
        let cost = Cost {
            answers,
            ..Cost::default()
        };
        self.tell(explained, &work.with(own).costing(cost), None);
    }

    fn open_by_challenge(&self, explained: &mut ExplainedStep, set: &str) {
        let Some(object) = self.chip.object(ObjectKind::KeySet, set) else {
            return;
        };
        let renderer = self.renderer(None);
        let work = Work::of(move |variables| {
            let before = renderer.open_channel(object, false, variables)?;
            let proof = renderer.open_channel(object, true, variables)?;
            let commands = before.into_iter().chain(proof);
            Ok(commands
                .map(|rendered| Draft::of(Dialect::OpenChannel.name(), rendered))
                .collect())
        });
        let own = stand_in::challenge(self.chip, set);
        let cost = Cost {
            answers: 16,
            ..Cost::default()
        };
        self.tell(explained, &work.with(own).costing(cost), None);
    }

    fn step(
        &mut self,
        stage: &Stage,
        step: &Step,
        protection: Option<Protection>,
    ) -> ExplainedStep {
        let chip = self.chip;
        let Some(object) = chip.object(step.verb.object(), &step.object) else {
            let mut explained = ExplainedStep::named(step.name(), "");
            explained.fault = Some("the chip profile has no such object".into());
            return explained;
        };
        let mut explained = ExplainedStep::named(step.name(), object.title.clone());
        explained.lasting(chip.effect(step.verb, &step.object));
        explained.centre = self.centre(stage, step);
        let waits = step.needs.iter().filter(|need| {
            let made = need.starts_with("certificate.") || need.starts_with("key.");
            made && !self.known.contains(need)
        });
        explained.waits_for = waits.cloned().collect();
        if self.is_empty(object) {
            explained.nothing = Some("its content is empty, and may be".into());
            explained.lasting(Effect::Nothing);
            return explained;
        }
        let operations = step.verb.operations().iter().copied();
        for operation in operations.chain(step.operation) {
            if let Some(application) = self.position.enters(chip, operation, object) {
                let work = self.operation(Dialect::Enter, application, protection);
                self.tell(&mut explained, &work, protection);
                self.position.entered(&application.name);
            }
        }
        match self.work(step, object, protection) {
            Ok(works) => {
                for work in works {
                    self.tell(&mut explained, &work, protection);
                }
            }
            Err(fault) => explained.fault = Some(fault),
        }
        self.after(step);
        explained
    }

    fn is_empty(&self, object: &Object) -> bool {
        object.optional
            && content(self.chip, object, &self.variables).is_ok_and(|content| content.is_empty())
    }

    fn centre(&self, stage: &Stage, step: &Step) -> Option<String> {
        let given = match step.verb {
            Verb::RequestCertificate => {
                let key = self.plan.keys.iter().find(|(key, _)| *key == step.object);
                let profile = key.map(|(_, profile)| profile.as_str());
                format!("a certificate of profile {}", profile.unwrap_or("?"))
            }
            Verb::AddKeys | Verb::ReplaceKeys => "the commands that put the keys".into(),
            _ if stage.sealed => "its commands, ready".into(),
            _ => return None,
        };
        Some(given)
    }

    /// Notes what a step leaves.
    fn after(&mut self, step: &Step) {
        match step.verb {
            // A new dedicated file is the current one (ISO/IEC 7816-9 §6.2).
            Verb::Install => self.position.entered(&step.object),
            Verb::SetTemporaryPin => {
                self.pins.insert(step.object.clone());
                let stored = self
                    .chip
                    .pin_rules(&step.object)
                    .map_or(0, |rules| rules.stored);
                let name = stand_in::digits(&step.object);
                let digits = StandIn::digits(name.clone(), usize::from(stored));
                self.variables.set(name.clone(), digits.value(0));
                self.stand_ins.retain(|stand_in| stand_in.name != name);
                self.stand_ins.push(digits);
            }
            Verb::SetHolderPin | Verb::SetIssuerPin => {
                self.pins.remove(&step.object);
            }
            _ => {}
        }
    }

    fn renderer(&self, protection: Option<Protection>) -> Renderer<'a> {
        Renderer::new(self.chip, &self.limits, protection)
    }

    fn operation(
        &self,
        operation: Dialect,
        object: &'a Object,
        protection: Option<Protection>,
    ) -> Work<'a> {
        let renderer = self.renderer(protection);
        Work::of(move |variables| {
            let rendered = renderer.operation_in(operation, object, &[], variables)?;
            Ok(drafts(operation, rendered))
        })
    }

    /// Returns what a step does, or why that cannot be told.
    fn work(
        &self,
        step: &Step,
        object: &'a Object,
        protection: Option<Protection>,
    ) -> Result<Vec<Work<'a>>, String> {
        let plain = |operation| Ok(vec![self.operation(operation, object, protection)]);
        let timing = &self.chip.timing;
        match step.verb {
            Verb::Install => plain(Dialect::Install),
            Verb::CreatePin => plain(Dialect::CreatePin),
            Verb::SetState => plain(Dialect::SetState),
            Verb::CheckTries => {
                let cost = Cost {
                    answers: TRIES,
                    ..Cost::default()
                };
                let work = self.operation(Dialect::ReadTries, object, protection);
                Ok(vec![work.costing(cost)])
            }
            Verb::WriteFile | Verb::PutData | Verb::CheckFile | Verb::CheckData => {
                Ok(vec![self.content(step.verb, object, protection)])
            }
            Verb::SetTemporaryPin | Verb::SetHolderPin | Verb::SetIssuerPin | Verb::VerifyPin => {
                self.pin(step, object, protection).map(|work| vec![work])
            }
            Verb::GenerateKey => {
                let rules = key_rules(object)?;
                let cost = Cost {
                    answers: public_length(rules) + AROUND_A_KEY,
                    work: timing
                        .generate
                        .get(rules.algorithm.name())
                        .copied()
                        .unwrap_or(0.0),
                    ..Cost::default()
                };
                let generate = self.operation(Dialect::GenerateKey, object, protection);
                let mut works = vec![generate];
                if self.chip.speaks(Dialect::ReadPublicKey, object) {
                    works.push(self.operation(Dialect::ReadPublicKey, object, protection));
                }
                // The last one gives the key.
                let last = works.pop().map(|work| work.costing(cost));
                works.extend(last);
                Ok(works)
            }
            Verb::ImportKey => {
                let rules = key_rules(object)?;
                let own = stand_in::imported(rules);
                let renderer = self.renderer(protection);
                let work = Work::of(move |variables| {
                    let operation = Dialect::ImportKey;
                    Ok(drafts(
                        operation,
                        renderer.operation_in(operation, object, &[], variables)?,
                    ))
                });
                let cost = Cost {
                    written: 2 * public_length(rules),
                    ..Cost::default()
                };
                Ok(vec![work.with(own).costing(cost)])
            }
            Verb::RequestCertificate | Verb::CheckKey => {
                let rules = key_rules(object)?;
                let own = stand_in::signed(rules, step.verb == Verb::RequestCertificate);
                let cost = Cost {
                    answers: rules.algorithm.signature_length(),
                    work: timing.sign,
                    ..Cost::default()
                };
                let work = self.operation(Dialect::Sign, object, protection);
                // Where the key wants that, its PIN is presented just before.
                let consent = rules.pin.as_ref().filter(|_| rules.consent);
                let pin = consent.and_then(|pin| self.chip.object(ObjectKind::Pin, pin));
                let mut works: Vec<_> = pin
                    .map(|pin| self.present(pin, protection))
                    .into_iter()
                    .collect();
                works.push(work.with(own).costing(cost));
                Ok(works)
            }
            // How the chip is opened and what it then answers, it says itself.
            Verb::Inspect => Ok(Vec::new()),
            Verb::CheckRefused => {
                let version = self.version(step)?;
                let own = vec![StandIn::bytes(
                    "channel.host",
                    self.chip.channel.protocol(&step.object).host_challenge(),
                )];
                let work = Work::of(move |variables| {
                    let host = host_challenge(variables.bytes("channel.host").unwrap_or_default());
                    let ask = Rendered {
                        expect: vec![StatusPattern::of(Status::REFERENCE_NOT_FOUND)],
                        ..Rendered::plain(initialize_update(version, &host))
                    };
                    Ok(vec![Draft::of("INITIALIZE UPDATE", ask)])
                });
                Ok(vec![work.with(own)])
            }
            Verb::RemoveKeys => {
                let version = self.version(step)?;
                let work = Work::of(move |_| {
                    Ok(vec![Draft::of(
                        "DELETE KEY",
                        Rendered::plain(delete_key(version)),
                    )])
                });
                Ok(vec![work])
            }
            Verb::AddKeys | Verb::ReplaceKeys => self.put_keys(step, object).map(|work| vec![work]),
        }
    }

    fn version(&self, step: &Step) -> Result<u8, String> {
        let set = self.chip.channel.keys.get(&step.object);
        set.map(|set| set.version)
            .ok_or_else(|| "the chip has no such key set".into())
    }

    fn content(&self, verb: Verb, object: &'a Object, protection: Option<Protection>) -> Work<'a> {
        let (chip, renderer) = (self.chip, self.renderer(protection));
        let length = content(chip, object, &self.variables).map_or(0, |content| content.len());
        let writes = matches!(verb, Verb::WriteFile | Verb::PutData);
        let name = match (writes, &object.detail) {
            (true, Detail::Data { .. }) => Dialect::PutData,
            (true, _) => Dialect::WriteFile,
            (false, Detail::Data { .. }) => Dialect::GetData,
            (false, _) => Dialect::ReadFile,
        };
        let draft = move |variables: &Variables| {
            let content = content(chip, object, variables)?;
            let rendered = match writes {
                true => renderer.write(object, &content, variables)?,
                false => renderer.read(object, content.len(), variables)?,
            };
            Ok(drafts(name, rendered))
        };
        Work::of(draft).costing(match writes {
            true => Cost {
                written: length,
                ..Cost::default()
            },
            false => Cost {
                answers: length,
                ..Cost::default()
            },
        })
    }

    fn pin(
        &self,
        step: &Step,
        object: &'a Object,
        protection: Option<Protection>,
    ) -> Result<Work<'a>, String> {
        let Detail::Pin(rules) = &object.detail else {
            return Err("it is not a PIN".into());
        };
        let (operation, new, own) = match step.verb {
            Verb::VerifyPin => (
                Dialect::VerifyPin,
                stand_in::digits(&object.name),
                Vec::new(),
            ),
            Verb::SetHolderPin | Verb::SetIssuerPin => {
                let name = stand_in::holder_digits(&object.name);
                (step.operation.unwrap_or(Dialect::SetPin), name, Vec::new())
            }
            _ => {
                let name = format!("pin.{}.temporary_digits", object.name);
                let digits = StandIn::digits(name.clone(), usize::from(rules.stored));
                (
                    step.operation.unwrap_or(Dialect::SetPin),
                    name,
                    vec![digits],
                )
            }
        };
        let current = self
            .pins
            .contains(&object.name)
            .then(|| stand_in::digits(&object.name));
        let puk = self.puk(step, rules);
        let renderer = self.renderer(protection);
        let is_verified = step.verb == Verb::VerifyPin;
        let work = Work::of(move |variables| {
            let digits = |name: &str| variables.bytes(name).unwrap_or_default();
            let values = PinValues {
                digits: digits(&new),
                current: current.as_deref().map(digits).filter(|_| !is_verified),
                puk: puk.as_ref().map(|(puk, name)| (*puk, digits(name))),
            };
            let values = values.variables(object)?;
            let rendered = renderer.operation_in(operation, object, &values, variables)?;
            Ok(drafts(operation, rendered))
        });
        Ok(work.with(own))
    }

    /// Presents the value that the personalization knows of a PIN.
    fn present(&self, pin: &'a Object, protection: Option<Protection>) -> Work<'a> {
        let renderer = self.renderer(protection);
        Work::of(move |variables| {
            let digits = variables.bytes(&stand_in::digits(&pin.name));
            let values = PinValues::of(digits.unwrap_or_default()).variables(pin)?;
            let operation = Dialect::VerifyPin;
            let rendered = renderer.operation_in(operation, pin, &values, variables)?;
            Ok(drafts(operation, rendered))
        })
    }

    /// Returns a PIN's PUK and whose digits are used of it.
    fn puk(&self, step: &Step, rules: &PinRules) -> Option<(&'a Object, String)> {
        let name = rules.puk.as_ref()?;
        let puk = self.chip.object(ObjectKind::Pin, name)?;
        let is_holders = self.plan.pins.iter().any(|(pin, ..)| pin == name);
        match step.verb {
            Verb::SetHolderPin | Verb::SetIssuerPin if is_holders => {
                Some((puk, stand_in::holder_digits(name)))
            }
            _ if self.pins.contains(name) => Some((puk, stand_in::digits(name))),
            _ => None,
        }
    }

    fn put_keys(&self, step: &Step, object: &'a Object) -> Result<Work<'a>, String> {
        let keys = &self.chip.channel.keys;
        let new = keys
            .get(&step.object)
            .ok_or("the chip has no such key set")?;
        let key = stand_in::single_key(new.cipher);
        if !new.protocol.is_global_platform() {
            let renderer = self.renderer(None);
            let work = Work::of(move |variables| {
                let operation = Dialect::PutKey;
                Ok(drafts(
                    operation,
                    renderer.operation_in(operation, object, &[], variables)?,
                ))
            });
            return Ok(work.with(vec![key]));
        }
        let stages = self.plan.stages.iter();
        let mut holding = stages.filter(|stage| stage.steps.contains(step));
        let old = holding.find_map(|stage| keys.get(stage.channel.as_ref()?));
        let old = old.ok_or("no channel is open")?;
        let replaced = match (step.verb, old.replaced_version()) {
            (Verb::AddKeys, _) => 0,
            (_, version) => version,
        };
        let is_scp02 = matches!(old.protocol, Protocol::Scp02 { .. });
        // Triple DES keys of GlobalPlatform have two parts.
        let lengths = [old.cipher, new.cipher].map(|cipher| match cipher {
            Cipher::Aes(bits) => usize::from(bits) / 8,
            Cipher::Des3 => 16,
        });
        let [old_length, new_length] = lengths;
        let kind = match new.cipher {
            Cipher::Aes(_) => NewKeyType::Aes,
            Cipher::Des3 => NewKeyType::Des,
        };
        let version = new.version;
        let work = Work::of(move |variables| {
            let fault = |fault: String| RenderError::Function {
                function: "PUT KEY",
                fault,
            };
            let bytes = variables.bytes("key_set.key").unwrap_or_default();
            let key = Key::new(bytes).map_err(|error| fault(error.to_string()))?;
            let dek =
                Key::new(&vec![0x5A; old_length]).map_err(|error| fault(error.to_string()))?;
            let dek = match is_scp02 {
                true => Dek::Scp02Session(&dek),
                false => Dek::Scp03Static(&dek),
            };
            let keys = StaticKeys {
                enc: key.clone(),
                mac: key.clone(),
                dek: key,
            };
            let put = put_key_set(dek, replaced, version, kind, &keys)
                .map_err(|error| fault(error.to_string()))?;
            let rendered = Rendered {
                secret: true,
                ..Rendered::plain(put.command)
            };
            Ok(vec![Draft::of("PUT KEY", rendered)])
        });
        let cost = Cost {
            answers: 10,
            written: 3 * new_length,
            ..Cost::default()
        };
        let key = StandIn::bytes("key_set.key", new_length).secret();
        Ok(work.with(vec![key]).costing(cost))
    }
}

fn drafts(operation: Dialect, rendered: Vec<Rendered>) -> Vec<Draft> {
    let named = |rendered| Draft::of(operation.name(), rendered);
    rendered.into_iter().map(named).collect()
}

fn key_rules(object: &Object) -> Result<&KeyRules, String> {
    match &object.detail {
        Detail::Key(rules) => Ok(rules),
        _ => Err("it is not a key".into()),
    }
}

fn public_length(rules: &KeyRules) -> usize {
    let algorithm = rules.algorithm;
    match (algorithm.field_length(), algorithm.modulus_length()) {
        (Some(field), _) => 1 + 2 * field,
        (None, modulus) => modulus.unwrap_or(0) + 3,
    }
}

fn host_challenge(bytes: &[u8]) -> HostChallenge {
    HostChallenge::try_from(bytes).unwrap_or_else(|_| HostChallenge::from([0; 8]))
}
