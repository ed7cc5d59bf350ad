//! The plan: what is done to one chip for one holder, as data.
//!
//! A plan follows from a chip profile, a document profile and the record alone, so that
//! the station that runs it and the centre that seals a part of it have the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use card::PinPolicy;
use document::{Holder, Mrz, Purpose, Record};

use crate::chip::{ChipProfile, Detail, Object, PinBefore, PinRules};
use crate::command::{Renderer, content};
use crate::document::DocumentChip;
use crate::document_lds::{DocumentLds, KeyedData};
use crate::document_pin::{DocumentPin, PinKind, own_numbers};
use crate::error::{ProfileError, RenderError, nearest};
use crate::issuer_channel::Protection;
use crate::record::variables;
use crate::value::Variables;
use crate::vocabulary::{Dialect, ObjectKind, Verb};

/// What is done to one chip, stage after stage.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is done with it.
    pub purpose: Purpose,
    /// How the chip speaks.
    pub chip: Arc<ChipProfile>,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The holder's keys, with or without a certificate, by the chip profile's names.
    pub wanted_keys: Vec<String>,
    /// Those of them that get a certificate: the name of each, and the certificate profile.
    pub keys: Vec<(String, String)>,
    /// The holder's PINs: the chip profile's name of each, its rules, and its digits.
    pub pins: Vec<(String, PinRules, u8)>,
    /// What each of them is, by its name.
    pub pin_demands: BTreeMap<String, DocumentPin>,
    /// What the centre makes of the chip's keys, where the chip is a travel document's.
    pub lds: Option<KeyedData>,
    /// The machine-readable zone on the document's face, made of the record alone.
    pub zone: Option<Mrz>,
}

/// A part of the plan with one selected application and at most one secure channel. A stage
/// begins when the one before is done.
#[derive(Clone, Debug)]
pub struct Stage {
    /// What a person calls it.
    pub name: String,
    /// The application that is selected first.
    pub select: String,
    /// The key set under which a channel is opened.
    pub channel: Option<String>,
    /// Whether the centre gives its commands ready, and no key or PIN of it leaves the centre.
    pub sealed: bool,
    /// Of a sealed stage: the PINs whose present value only this personalization knows, and the
    /// centre must be told.
    pub carries: Vec<String>,
    /// The steps. Each waits only for what it needs.
    pub steps: Vec<Step>,
}

/// One step of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub verb: Verb,
    /// To what: the object's name in the chip profile.
    pub object: String,
    /// The variables that must be known before.
    pub needs: Vec<String>,
    /// The operation by which it is done, where the chip's dialect leaves a choice.
    pub operation: Option<Dialect>,
}

impl Step {
    /// Returns the step as a profile writes it: `write_file certificate`.
    pub fn name(&self) -> String {
        format!("{} {}", self.verb, self.object)
    }
}

impl Plan {
    /// Returns whether the chip profile lets a step be done twice. A PIN is not changed twice: its value
    /// before would have to be known.
    pub fn may_repeat(&self, step: &Step) -> bool {
        self.chip.again(step.verb).is_some() && step.operation != Some(Dialect::ChangePin)
    }

    /// Makes the plan by which one chip of a document is personalized.
    ///
    /// # Errors
    /// [`ProfileError::Mismatch`] when the document needs a key or PIN that the chip lacks, a
    /// PIN length that it does not take, or a chip that it does not name.
    pub fn new(
        chip: Arc<ChipProfile>,
        document: &str,
        wanted: &DocumentChip,
        record: &Record,
    ) -> Result<Self, ProfileError> {
        Self::of(Purpose::Personalization, chip, document, wanted, record)
    }

    /// Makes the plan for one chip of a document, for a purpose.
    ///
    /// # Errors
    /// As [`Plan::new`]; and where the chip has no stages for the purpose, or none that is left for
    /// this holder.
    pub fn of(
        purpose: Purpose,
        chip: Arc<ChipProfile>,
        document: &str,
        wanted: &DocumentChip,
        record: &Record,
    ) -> Result<Self, ProfileError> {
        let mismatch = |fault: String, hint: &str| ProfileError::Mismatch {
            document: document.to_owned(),
            chip: chip.name.clone(),
            fault,
            hint: hint.to_owned(),
        };
        if !wanted.products.contains(&chip.name) {
            return Err(mismatch(
                format!("it takes only {}", wanted.products.join(", ")),
                "add the chip profile's name to \"products\", or take another chip",
            ));
        }
        if wanted.interface != chip.interface {
            return Err(mismatch(
                format!(
                    "it reaches the chip as {}, and the chip is {}",
                    wanted.interface, chip.interface
                ),
                "change \"interface\" in the document profile, or take another chip",
            ));
        }
        if !chip.has_stages_for(purpose) && purpose == Purpose::NewPins {
            return Err(mismatch(
                "a finished chip of this product gets no new PINs".to_owned(),
                "write [[stages]] with when = \"new-pins\" in the chip profile, if its issuer can set PINs then; else its holder needs another document",
            ));
        }
        let known = |name: &String| chip.object(ObjectKind::Pin, name).is_some();
        if let Some(name) = wanted.pins.keys().find(|name| !known(name)) {
            return Err(mismatch(
                format!("the chip has no PIN \"{name}\""),
                &nearest(
                    name,
                    chip.objects(ObjectKind::Pin).map(|pin| pin.name.as_str()),
                ),
            ));
        }
        let record_alone = variables(record);
        let mut keys = Vec::new();
        let mut wanted_keys = Vec::new();
        for (name, key) in &wanted.keys {
            if chip.object(ObjectKind::Key, name).is_none() {
                return Err(mismatch(
                    format!("the chip has no key \"{name}\""),
                    &nearest(
                        name,
                        chip.objects(ObjectKind::Key).map(|key| key.name.as_str()),
                    ),
                ));
            }
            // Who did not agree to certificates gets no key for one.
            let agreed = key.certificate.is_none() || record.certificates;
            if !agreed || record.age() < key.minimum_age {
                continue;
            }
            wanted_keys.push(name.clone());
            if let Some(certificate) = &key.certificate {
                keys.push((name.clone(), certificate.clone()));
            }
        }
        let gets = |key: &str| wanted_keys.iter().any(|wanted| wanted == key);
        let travel = match purpose {
            Purpose::Personalization => wanted.lds.as_ref(),
            Purpose::NewPins => None,
        };
        let lds = travel.map(DocumentLds::keyed_data);
        let zone = travel.map(|lds| lds.zone(record)).transpose();
        let zone = zone.map_err(|error| {
            mismatch(
                error.to_string(),
                "correct the record, or the document profile's kinds",
            )
        })?;
        if let Some(key) = lds.iter().flat_map(|lds| &lds.keys).find(|key| !gets(key)) {
            return Err(mismatch(
                format!("[chips.lds] names key \"{key}\", which this holder does not get"),
                "write [chips.keys.…] for it, for every age",
            ));
        }
        let mut planned = chip.stages.iter().flat_map(|stage| &stage.steps);
        if lds.is_none()
            && purpose == Purpose::Personalization
            && planned.any(|(verb, _)| *verb == Verb::Inspect)
        {
            return Err(mismatch(
                "the chip is inspected as a travel document's, and nothing is said of its files"
                    .into(),
                "write [chips.lds], or leave \"inspect\" out of the chip profile",
            ));
        }
        let is_wanted = |verb: Verb, name: &str| {
            let object = chip.object(verb.object(), name);
            object.is_some_and(|object| object.is_wanted(gets))
        };
        let mut stages = Vec::new();
        let mut values = PinKnowledge::new(&chip, purpose);
        for stage in chip.stages.iter().filter(|stage| stage.purpose == purpose) {
            let mut steps = Vec::new();
            let mut carries = Vec::new();
            for (verb, name) in &stage.steps {
                if !is_wanted(*verb, name) {
                    continue;
                }
                if let Some(data) = missing(&chip, *verb, name, record, lds.as_ref()) {
                    return Err(mismatch(
                        format!(
                            "{verb} {name} needs prepared data \"{data}\", which the record does not have"
                        ),
                        "data preparation gives it, in the record's \"prepared\"",
                    ));
                }
                let protection = chip.channel.protection(stage.channel.as_deref());
                if let Some(fault) = never_fits(&chip, *verb, name, &record_alone, protection) {
                    return Err(mismatch(
                        format!("{verb} {name}: {fault}"),
                        "shorten what data preparation gives, or correct the chip profile",
                    ));
                }
                if stage.sealed
                    && values.is_temporary(name)
                    && verb.object() == ObjectKind::Pin
                    && !carries.contains(name)
                {
                    carries.push(name.clone());
                }
                steps.push(Step {
                    verb: *verb,
                    object: name.clone(),
                    needs: needs(&chip, *verb, name),
                    operation: values.step(&chip, *verb, name),
                });
            }
            // To open a channel is work by itself: it proves the key.
            let only_proves = stage.steps.is_empty() && stage.channel.is_some();
            if !steps.is_empty() || only_proves {
                stages.push(Stage {
                    name: stage.name.clone(),
                    select: stage.select.clone(),
                    channel: stage.channel.clone(),
                    sealed: stage.sealed,
                    carries,
                    steps,
                });
            }
        }

        if purpose == Purpose::NewPins {
            // Its keys have their certificates.
            keys.clear();
        }
        if let Some((fault, hint)) = never_given(&stages, &keys, lds.as_ref()) {
            return Err(mismatch(fault, &hint));
        }
        let mut pins = Vec::new();
        let mut pin_demands = BTreeMap::new();
        for object in chip.objects(ObjectKind::Pin) {
            let Detail::Pin(rules) = &object.detail else {
                continue;
            };
            let is_set = stages
                .iter()
                .flat_map(|stage| &stage.steps)
                .any(|step| step.verb == Verb::SetHolderPin && step.object == object.name);
            if !is_set {
                continue;
            }
            let Some(demand) = wanted.pins.get(&object.name) else {
                return Err(mismatch(
                    format!("it does not say how many digits {} has", object.title),
                    &format!("write [chips.pins.{}] with \"digits\"", object.name),
                ));
            };
            let digits = demand.policy.length();
            if !(rules.minimum..=rules.stored).contains(&digits) {
                return Err(mismatch(
                    format!(
                        "{} has {digits} digits, the chip takes {} to {}",
                        object.title, rules.minimum, rules.stored
                    ),
                    "change \"digits\" in the document profile",
                ));
            }
            if demand.kind == PinKind::Transport && !chip.speaks(Dialect::ChangePin, object) {
                return Err(mismatch(
                    format!(
                        "{} is a transport PIN, which its holder must change, and the chip has no change_pin for it",
                        object.title
                    ),
                    "write kind = \"holder\" in the document profile, or [[operations.change_pin]] in the chip's",
                ));
            }
            pins.push((object.name.clone(), rules.clone(), digits));
            pin_demands.insert(object.name.clone(), demand.clone());
        }
        if purpose == Purpose::NewPins && pins.is_empty() {
            return Err(mismatch(
                "its holder has no PINs on the chip".to_owned(),
                "there is nothing to renew",
            ));
        }
        Ok(Self {
            purpose,
            chip,
            stages,
            wanted_keys,
            keys,
            pins,
            pin_demands,
            lds,
            zone,
        })
    }

    /// Returns which values the holder's PINs may have, by name, in the order of
    /// [`pins`](Self::pins): none weak, none that the holder's own numbers give away.
    pub fn pin_policies(&self, holder: &Holder) -> Vec<(String, PinPolicy)> {
        let own = own_numbers(holder);
        let policy = |(name, ..): &(String, PinRules, u8)| {
            let demand = self.pin_demands.get(name)?;
            let policy = demand.policy.clone().forbidding(own.iter().cloned());
            Some((name.clone(), policy))
        };
        self.pins.iter().filter_map(policy).collect()
    }

    /// Returns how many steps there are in all.
    pub fn len(&self) -> usize {
        self.stages.iter().map(|stage| stage.steps.len()).sum()
    }

    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }
}

/// Who knows a PIN's value, as the steps go by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PinValue {
    /// The profile: the maker set it.
    Default,
    /// This personalization.
    Temporary,
    /// The centre alone, and whoever gets it from there.
    Final,
}

struct PinKnowledge {
    values: BTreeMap<String, PinValue>,
    purpose: Purpose,
}

impl PinKnowledge {
    fn new(chip: &ChipProfile, purpose: Purpose) -> Self {
        // A finished chip has nothing left of what its maker set.
        let has_default = |pin: &&Object| {
            purpose == Purpose::Personalization
                && matches!(&pin.detail, Detail::Pin(rules) if rules.default.is_some())
        };
        let pins = chip.objects(ObjectKind::Pin).filter(has_default);
        Self {
            values: pins
                .map(|pin| (pin.name.clone(), PinValue::Default))
                .collect(),
            purpose,
        }
    }

    fn is_temporary(&self, pin: &str) -> bool {
        self.values.get(pin) == Some(&PinValue::Temporary)
    }

    /// Notes a step, and returns the operation by which it is done.
    fn step(&mut self, chip: &ChipProfile, verb: Verb, name: &str) -> Option<Dialect> {
        let value = match verb {
            Verb::SetTemporaryPin => PinValue::Temporary,
            Verb::SetHolderPin | Verb::SetIssuerPin => PinValue::Final,
            _ => return None,
        };
        let pin = chip.object(ObjectKind::Pin, name)?;
        let before = match (self.purpose, self.values.insert(name.to_owned(), value)) {
            (Purpose::NewPins, _) => PinBefore::Holders,
            (Purpose::Personalization, Some(_)) => PinBefore::Known,
            (Purpose::Personalization, None) => PinBefore::Unknown,
        };
        Some(chip.pin_setting(pin, before))
    }
}

/// Returns why a content that the record alone makes is never written, or read again, whole.
fn never_fits(
    chip: &ChipProfile,
    verb: Verb,
    name: &str,
    record: &Variables,
    protection: Option<Protection>,
) -> Option<RenderError> {
    let object = chip.object(verb.object(), name)?;
    let content = || content(chip, object, record).ok();
    let renderer = Renderer::new(chip, &chip.limits, protection);
    let rendered = match verb {
        Verb::WriteFile | Verb::PutData => renderer.write(object, &content()?, record),
        Verb::CheckFile | Verb::CheckData => renderer.read(object, content()?.len(), record),
        _ => return None,
    };
    let error = rendered.err()?;
    // How much one command takes the reader says as well.
    let is_sure = matches!(
        error,
        RenderError::TooLarge { .. } | RenderError::NoCommand { .. }
    );
    is_sure.then_some(error)
}

/// Returns the prepared data that a step needs, the record lacks, and nobody makes later.
fn missing(
    chip: &ChipProfile,
    verb: Verb,
    name: &str,
    record: &Record,
    lds: Option<&KeyedData>,
) -> Option<String> {
    let content = chip.object(verb.object(), name)?.detail.content()?;
    content.variables().into_iter().find_map(|(variable, _)| {
        let data = variable.strip_prefix("prepared.")?;
        let comes_later = lds.is_some_and(|lds| lds.files.contains(data));
        (!record.prepared.contains_key(data) && !comes_later).then(|| data.to_owned())
    })
}

/// Returns what a step would wait for in vain: this holder lacks a key or its certificate.
fn never_given(
    stages: &[Stage],
    keys: &[(String, String)],
    lds: Option<&KeyedData>,
) -> Option<(String, String)> {
    let mut given = Given::default();
    for stage in stages {
        for step in &stage.steps {
            let is_certified = keys.iter().any(|(name, _)| *name == step.object);
            if step.verb == Verb::RequestCertificate && !is_certified {
                return Some((
                    format!(
                        "it names no certificate for key \"{}\", and {} asks for one",
                        step.object,
                        step.name()
                    ),
                    format!("write \"certificate\" in [chips.keys.{}]", step.object),
                ));
            }
        }
        for segment in stage.steps.split(|step| step.verb.closes()) {
            for step in segment {
                given.step(step.verb, &step.object);
            }
            for step in segment {
                if let Some((variable, _)) = given.lacks(&step.needs) {
                    return Some((
                        format!(
                            "{} waits for {variable}, which this holder does not get",
                            step.name()
                        ),
                        "give the object the same \"key\", so that it is left out with it".into(),
                    ));
                }
                if let Some((data, key)) = lds.and_then(|lds| given.lacks_for(&step.needs, lds)) {
                    return Some((
                        format!(
                            "{} waits for {data}, which the centre makes of key \"{key}\", and that comes later",
                            step.name()
                        ),
                        format!("make key \"{key}\" in the same stage, or in one before"),
                    ));
                }
            }
        }
    }
    None
}

/// What the steps so far give to others: parts of keys, and certificates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(BTreeSet<String>);

impl Given {
    /// Notes what a step gives.
    pub(crate) fn step(&mut self, verb: Verb, name: &str) {
        let given = match verb {
            Verb::GenerateKey | Verb::ImportKey => format!("key.{name}"),
            Verb::RequestCertificate => format!("certificate.{name}"),
            _ => return,
        };
        self.0.insert(given);
    }

    /// Returns the first of the needs that the centre makes of a key that no step has given yet, and
    /// the key.
    fn lacks_for<'n>(&self, needs: &'n [String], lds: &'n KeyedData) -> Option<(&'n str, &'n str)> {
        let mut keyed = needs.iter().filter(|need| {
            let name = need.strip_prefix("prepared.");
            name.is_some_and(|name| lds.files.contains(name))
        });
        let data = keyed.next()?;
        let mut keys = lds.keys.iter();
        let key = keys.find(|key| !self.0.contains(&format!("key.{key}")))?;
        Some((data, key))
    }

    /// Returns the first of the needs that no step has given yet, and what would give it.
    pub(crate) fn lacks<'n>(&self, needs: &'n [String]) -> Option<(&'n str, String)> {
        needs.iter().find_map(|need| {
            let mut parts = need.splitn(3, '.');
            let (kind, name) = (parts.next()?, parts.next()?);
            let giver = match kind {
                "key" => format!("\"generate_key {name}\" or \"import_key {name}\""),
                "certificate" => format!("\"request_certificate {name}\""),
                _ => return None,
            };
            let is_given = self.0.contains(&format!("{kind}.{name}"));
            (!is_given).then_some((need.as_str(), giver))
        })
    }
}

/// Returns the variables that a step waits for.
pub(crate) fn needs(chip: &ChipProfile, verb: Verb, name: &str) -> Vec<String> {
    match verb {
        Verb::WriteFile | Verb::CheckFile | Verb::PutData | Verb::CheckData => chip
            .object(verb.object(), name)
            .and_then(|object| object.detail.content())
            .map(|content| {
                let variables = content.variables().into_iter();
                variables
                    .filter(|(variable, _)| !is_the_profiles(variable))
                    .map(|(variable, _)| variable.to_owned())
                    .collect()
            })
            .unwrap_or_default(),
        Verb::VerifyPin => vec![format!("pin.{name}.digits")],
        Verb::RequestCertificate => signing_needs(chip, name, format!("key.{name}.spki")),
        Verb::CheckKey => signing_needs(chip, name, format!("certificate.{name}")),
        _ => Vec::new(),
    }
}

/// Returns whether a content's variable is the profile's own, and needs no waiting.
fn is_the_profiles(variable: &str) -> bool {
    let known = [".reference", ".oid", ".bits"];
    let of_an_object = variable.starts_with("key.") || variable.starts_with("pin.");
    of_an_object && known.iter().any(|ending| variable.ends_with(ending))
}

/// What a signature needs: and its PIN, where that is presented each time.
fn signing_needs(chip: &ChipProfile, key: &str, first: String) -> Vec<String> {
    let rules = chip.key_rules(key).filter(|rules| rules.consent);
    let pin = rules.and_then(|rules| rules.pin.as_ref());
    let digits = pin.map(|pin| format!("pin.{pin}.digits"));
    std::iter::once(first).chain(digits).collect()
}
