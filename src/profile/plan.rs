//! The plan: what is done to one chip for one holder, as data.
//!
//! A plan follows from a chip profile, a document profile and the record alone, so that
//! the station that runs it and the centre that seals a part of it have the same one.

use std::sync::Arc;

use document::Record;

use crate::chip::{ChipProfile, Detail, PinRules};
use crate::document::DocumentChip;
use crate::error::ProfileError;
use crate::vocabulary::{ObjectKind, Verb};

/// What is done to one chip, stage after stage.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the chip speaks.
    pub chip: Arc<ChipProfile>,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// The holder's keys: the chip profile's name of each, and the certificate profile.
    pub keys: Vec<(String, String)>,
    /// The holder's PINs: the chip profile's name of each, its rules, and its digits.
    pub pins: Vec<(String, PinRules, u8)>,
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
    /// Whether the channel's keys stay at the centre, which gives ready commands.
    pub sealed: bool,
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
}

impl Step {
    /// Returns the step as a profile writes it: `write_file certificate`.
    pub fn name(&self) -> String {
        format!("{} {}", self.verb, self.object)
    }
}

impl Plan {
    /// Makes the plan for one chip of a document.
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
        let mismatch = |fault: String| ProfileError::Mismatch {
            document: document.to_owned(),
            chip: chip.name.clone(),
            fault,
        };
        if !wanted.products.contains(&chip.name) {
            return Err(mismatch(format!(
                "it takes only {}",
                wanted.products.join(", ")
            )));
        }
        let mut keys = Vec::new();
        for (name, key) in &wanted.keys {
            if chip.object(ObjectKind::Key, name).is_none() {
                return Err(mismatch(format!("the chip has no key \"{name}\"")));
            }
            if record.certificates && record.age() >= key.minimum_age {
                keys.push((name.clone(), key.certificate.clone()));
            }
        }
        let wants = |object_key: &Option<String>| {
            object_key
                .as_ref()
                .is_none_or(|key| keys.iter().any(|(name, _)| name == key))
        };
        let mut pins = Vec::new();
        for object in chip.objects(ObjectKind::Pin) {
            let Detail::Pin(rules) = object.detail else {
                continue;
            };
            if !wants(&object.key) {
                continue;
            }
            let Some(digits) = wanted.pins.get(&object.name) else {
                return Err(mismatch(format!(
                    "it does not say how many digits {} has",
                    object.title
                )));
            };
            if !(rules.minimum..=rules.stored).contains(digits) {
                return Err(mismatch(format!(
                    "{} has {digits} digits, the chip takes {} to {}",
                    object.title, rules.minimum, rules.stored
                )));
            }
            pins.push((object.name.clone(), rules, *digits));
        }

        let mut stages = Vec::new();
        for stage in &chip.stages {
            let steps: Vec<_> = stage
                .steps
                .iter()
                .filter(|(verb, name)| {
                    chip.object(verb.object(), name)
                        .is_some_and(|object| wants(&object.key))
                })
                .map(|(verb, name)| Step {
                    verb: *verb,
                    object: name.clone(),
                    needs: needs(&chip, *verb, name),
                })
                .collect();
            if !steps.is_empty() {
                stages.push(Stage {
                    name: stage.name.clone(),
                    select: stage.select.clone(),
                    channel: stage.channel.clone(),
                    sealed: stage.sealed,
                    steps,
                });
            }
        }
        Ok(Self {
            chip,
            stages,
            keys,
            pins,
        })
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

fn needs(chip: &ChipProfile, verb: Verb, name: &str) -> Vec<String> {
    match verb {
        Verb::WriteFile | Verb::CheckFile => match chip
            .object(ObjectKind::File, name)
            .map(|object| &object.detail)
        {
            Some(Detail::File { content }) => content
                .variables()
                .into_iter()
                // Key references are the profile's own and need no waiting.
                .filter(|(variable, _)| !variable.ends_with(".reference"))
                .map(|(variable, _)| variable.to_owned())
                .collect(),
            _ => Vec::new(),
        },
        Verb::VerifyPin => vec![format!("pin.{name}.value")],
        Verb::RequestCertificate => vec![format!("key.{name}.public")],
        Verb::CheckKey => vec![format!("certificate.{name}")],
        _ => Vec::new(),
    }
}
