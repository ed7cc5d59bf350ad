//! What a finished chip would leave open, and what a signature might lack: warnings, since the
//! chip, a desk or a later profile may see to it.

use std::collections::BTreeSet;

use super::Loader;
use crate::chip::{ChipProfile, Detail, KeySource};
use crate::chip_file::ChipFile;
use crate::error::Warning;
use crate::vocabulary::{ObjectKind, Verb};

impl Loader<'_> {
    /// Returns a warning for each key that all the world knows and that stays, each value of the
    /// maker's that stays, and each signature whose PIN no step before presents.
    pub(super) fn left_open(&self, file: &ChipFile, profile: &ChipProfile) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |at: usize, what: String, hint: &str| {
            warnings.push(Warning {
                place: self.sources.place(at),
                what,
                hint: hint.into(),
            });
        };
        for (name, set) in &profile.channel.keys {
            if matches!(set.source, KeySource::Known(_)) && profile.keeps_keys(name) {
                let channel = file.channel.as_ref();
                let placed = channel.and_then(|channel| channel.keys.get(name));
                warn(
                    placed.map_or(0, |placed| placed.span().start),
                    format!("all the world knows key set \"{name}\", and it stays on the chip"),
                    "write \"replace_keys …\" in a stage under it, or \"remove_keys\" in one under another",
                );
            }
        }
        for pin in profile.objects(ObjectKind::Pin) {
            let has_default = matches!(&pin.detail, Detail::Pin(rules) if rules.default.is_some());
            if has_default && !is_set(profile, &pin.name) {
                let placed = file.pins.get(&pin.name);
                warn(
                    placed.map_or(0, |placed| placed.span().start),
                    format!("PIN \"{}\" keeps the value that its maker set", pin.name),
                    "set it in a step, as \"set_holder_pin\" does",
                );
            }
        }
        let mut presented = BTreeSet::new();
        for (stage, placed) in profile.stages.iter().zip(&file.stages) {
            for ((verb, name), text) in stage.steps.iter().zip(&placed.get_ref().steps) {
                if verb.object() == ObjectKind::Pin && *verb != Verb::CheckTries {
                    presented.insert(name.as_str());
                }
                let signs = [Verb::RequestCertificate, Verb::CheckKey].contains(verb);
                let rules = profile
                    .key_rules(name)
                    .filter(|rules| signs && !rules.consent);
                let pin = rules.and_then(|rules| rules.pin.as_deref());
                if let Some(pin) = pin.filter(|pin| !presented.contains(pin)) {
                    warn(
                        text.span().start,
                        format!("{verb} {name} signs, and no step before presents PIN \"{pin}\""),
                        "write \"verify_pin\" before it, unless the chip signs without it until then",
                    );
                }
            }
        }
        warnings
    }
}

/// Returns whether a step gives a PIN another value.
fn is_set(profile: &ChipProfile, name: &str) -> bool {
    let steps = profile.stages.iter().flat_map(|stage| &stage.steps);
    let keeps = [Verb::CreatePin, Verb::VerifyPin, Verb::CheckTries];
    let mut steps = steps.filter(|(_, object)| object == name);
    steps.any(|(verb, _)| verb.object() == ObjectKind::Pin && !keeps.contains(verb))
}
