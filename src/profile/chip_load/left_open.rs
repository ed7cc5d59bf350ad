//! What a finished chip would leave open, and what a signature might lack: warnings, since the
//! chip, a desk or a later profile may see to it.

use std::collections::BTreeSet;

use super::Loader;
use crate::chip::{ChipProfile, Detail};
use crate::chip_file::{ChipFile, Text};
use crate::error::Warning;
use crate::held_keys::HeldKeys;
use crate::issuer_channel::KeySource;
use crate::position::Position;
use crate::vocabulary::{ObjectKind, Verb};

impl Loader<'_> {
    /// Returns a warning for each key set of the maker's that stays or is still there when the
    /// holder's data are written, each PIN that keeps the maker's value or one that nobody knows,
    /// and each signature whose PIN no step before presents.
    pub(super) fn left_open(&self, file: &ChipFile, profile: &ChipProfile) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |at: usize, what: String, hint: &str| {
            warnings.push(Warning {
                place: self.sources.place(at),
                what,
                hint: hint.into(),
            });
        };
        let mut held = HeldKeys::at_first(&profile.stages);
        let mut told = BTreeSet::new();
        for (stage, placed) in profile.stages.iter().zip(&file.stages) {
            for ((verb, name), text) in stage.steps.iter().zip(&placed.get_ref().steps) {
                held.step(*verb, name, stage.channel.as_deref());
                if !writes_personal_data(profile, *verb, name) {
                    continue;
                }
                for set in held.names().filter(|set| who_has(profile, set).is_some()) {
                    if told.insert(set) {
                        warn(
                            text.span().start,
                            format!(
                                "{verb} {name} writes the holder's data while the chip still has key set \"{set}\""
                            ),
                            "replace or remove the maker's keys in a stage before",
                        );
                    }
                }
            }
        }
        for name in held.names() {
            if let Some(who) = who_has(profile, name) {
                let channel = file.channel.as_ref();
                let placed = channel.and_then(|channel| channel.keys.get(name));
                warn(
                    placed.map_or(0, |placed| placed.span().start),
                    format!("{who} key set \"{name}\", and it stays on the chip"),
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
        for pin in profile.objects(ObjectKind::Pin) {
            let setters = profile.stages.iter().zip(&file.stages);
            let setters = setters.flat_map(|(stage, placed)| {
                let steps = stage.steps.iter().zip(&placed.get_ref().steps);
                steps.filter(|((verb, name), _)| *name == pin.name && SETTERS.contains(verb))
            });
            if let Some(((Verb::SetTemporaryPin, _), text)) = setters.last() {
                warn(
                    text.span().start,
                    format!(
                        "PIN \"{}\" keeps a value that nobody knows when the run ends",
                        pin.name
                    ),
                    "set it in a sealed stage behind, as \"set_holder_pin\" does",
                );
            }
        }
        for (text, signing) in unproved(file, profile) {
            warn(
                text.span().start,
                signing,
                "write \"verify_pin\" before it, unless the chip signs without it until then",
            );
        }
        warnings
    }
}

/// What gives a PIN another value.
const SETTERS: [Verb; 3] = [
    Verb::SetTemporaryPin,
    Verb::SetHolderPin,
    Verb::SetIssuerPin,
];

/// Says who else has a key set, where somebody does.
fn who_has(profile: &ChipProfile, name: &str) -> Option<&'static str> {
    let set = profile.channel.keys.get(name)?;
    match &set.source {
        KeySource::Known(_) => Some("all the world knows"),
        _ if set.is_anybodys() => Some("anybody opens"),
        _ if profile.channel.is_makers(name) => Some("the maker has"),
        _ => None,
    }
}

/// Returns whether a step writes a content that is made of the document, its holder or their
/// certificates.
fn writes_personal_data(profile: &ChipProfile, verb: Verb, name: &str) -> bool {
    let writes = [Verb::WriteFile, Verb::PutData].contains(&verb);
    let object = profile.object(verb.object(), name).filter(|_| writes);
    let content = object.and_then(|object| object.detail.content());
    let personal = ["document", "holder", "prepared", "certificate"];
    content.is_some_and(|content| {
        let mut names = content.variables().into_iter();
        names.any(|(name, _)| {
            let first = name.split('.').next();
            first.is_some_and(|first| personal.contains(&first))
        })
    })
}

/// Returns each signature whose PIN no step presents before it, since the latest selection.
fn unproved<'f>(file: &'f ChipFile, profile: &ChipProfile) -> Vec<(&'f Text, String)> {
    let mut found = Vec::new();
    let mut presented = BTreeSet::new();
    let mut position = Position::default();
    for (stage, placed) in profile.stages.iter().zip(&file.stages) {
        if !position.is_selected(&stage.select) {
            position.selected(&stage.select);
            presented.clear();
        }
        for ((verb, name), text) in stage.steps.iter().zip(&placed.get_ref().steps) {
            if let Some(object) = profile.object(verb.object(), name) {
                position.passes(profile, *verb, object);
            }
            if *verb == Verb::VerifyPin {
                presented.insert(name.as_str());
            }
            let signs = [Verb::RequestCertificate, Verb::CheckKey].contains(verb);
            let rules = profile
                .key_rules(name)
                .filter(|rules| signs && !rules.consent);
            let pin = rules.and_then(|rules| rules.pin.as_deref());
            if let Some(pin) = pin.filter(|pin| !presented.contains(pin)) {
                let what = format!(
                    "{verb} {name} signs, and no step before it presents PIN \"{pin}\" in this selection"
                );
                found.push((text, what));
            }
        }
        if stage.sealed || stage.channel.is_some() {
            position.lost();
        }
    }
    found
}

/// Returns whether a step gives a PIN another value.
fn is_set(profile: &ChipProfile, name: &str) -> bool {
    let mut steps = profile.stages.iter().flat_map(|stage| &stage.steps);
    steps.any(|(verb, object)| object == name && SETTERS.contains(verb))
}
