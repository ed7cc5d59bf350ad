//! The stages: each step is a verb and an object, and fits where it stands.

use std::collections::BTreeSet;
use std::ops::Range;

use document::Purpose;

use super::operations::DEK;
use super::{Checked, Loader};
use crate::chip::{ChipProfile, Detail, Object, PinBefore, StageProfile};
use crate::chip_file::{ChipFile, StageFile, Text};
use crate::placed::Placed;
use crate::plan::Given;
use crate::position::Position;
use crate::value::Scope;
use crate::vocabulary::{Dialect, ObjectKind, Verb};

/// What is known of the PINs' values, step after step.
pub(super) struct PinsSoFar {
    /// What the stages are for.
    purpose: Purpose,
    /// Those whose value an open step can present.
    known: BTreeSet<String>,
    /// Those that have the value with which the centre hands them over.
    settled: BTreeSet<String>,
}

impl PinsSoFar {
    fn new(profile: &ChipProfile) -> Self {
        let pins = profile.objects(ObjectKind::Pin);
        let known =
            pins.filter(|pin| matches!(&pin.detail, Detail::Pin(rules) if rules.default.is_some()));
        Self {
            purpose: Purpose::Personalization,
            known: known.map(|pin| pin.name.clone()).collect(),
            settled: BTreeSet::new(),
        }
    }

    /// Begins with a finished chip: its holder alone knows its PINs, if anybody does.
    fn of_a_finished_chip() -> Self {
        Self {
            purpose: Purpose::NewPins,
            known: BTreeSet::new(),
            settled: BTreeSet::new(),
        }
    }

    /// Returns what is known of a PIN's value.
    fn before(&self, pin: &str) -> PinBefore {
        match self.purpose {
            Purpose::NewPins => PinBefore::Holders,
            Purpose::Personalization if self.known.contains(pin) => PinBefore::Known,
            Purpose::Personalization => PinBefore::Unknown,
        }
    }
}

impl Loader<'_> {
    pub(super) fn stages(
        &self,
        file: &ChipFile,
        profile: &ChipProfile,
    ) -> Checked<Vec<StageProfile>> {
        let mut pins = PinsSoFar::new(profile);
        let mut names = BTreeSet::new();
        let mut given = Given::default();
        let mut sealed_before = None;
        let mut stages = Vec::new();
        for stage in &file.stages {
            if !names.insert(stage.get_ref().name.as_str()) {
                return self.fault(
                    stage.span(),
                    format!("two stages are named \"{}\"", stage.get_ref().name),
                    "the journal knows a stage by its name: choose another",
                );
            }
            let purpose = self.purpose(stage.get_ref(), pins.purpose)?;
            if purpose != pins.purpose {
                // Another run, on a chip that has everything.
                pins = PinsSoFar::of_a_finished_chip();
                (given, sealed_before) = (Given::default(), None);
            }
            let loaded = self.stage(stage, profile, &mut pins)?;
            self.gives_new_pins(stage, &loaded)?;
            self.channel_is_open_here(stage.get_ref(), profile, sealed_before)?;
            self.centre_knows_the_proof(stage.get_ref(), profile)?;
            self.needs_are_given(stage.get_ref(), &loaded.steps, profile, &mut given)?;
            if loaded.sealed {
                sealed_before = sealed_before.or(Some(stage.get_ref().name.as_str()));
            }
            stages.push(loaded);
        }
        self.key_sets_are_there(file, &stages)?;
        self.new_pins_are_whole(file, &stages)?;
        Ok(stages)
    }

    fn exists<'p>(
        &self,
        profile: &'p ChipProfile,
        kind: ObjectKind,
        name: &str,
        span: Range<usize>,
    ) -> Checked<&'p Object> {
        match profile.object(kind, name) {
            Some(object) => Ok(object),
            None => self.unknown(
                span,
                &format!("no {} is named", kind.word()),
                name,
                profile.objects(kind).map(|object| object.name.as_str()),
            ),
        }
    }

    fn stage(
        &self,
        file: &Placed<StageFile>,
        profile: &ChipProfile,
        pins: &mut PinsSoFar,
    ) -> Checked<StageProfile> {
        let stage = file.get_ref();
        let select = &stage.select;
        let application = self.exists(
            profile,
            ObjectKind::Application,
            select.get_ref(),
            select.span(),
        )?;
        if matches!(&application.detail, Detail::Application { within: Some(_) }) {
            return self.fault(
                select.span(),
                format!("\"{}\" is inside another application", select.get_ref()),
                "select the outer one; a step enters the inner one by itself",
            );
        }
        if !profile.speaks(Dialect::Select, application) {
            return self.fault(
                select.span(),
                "a stage selects its application, and this chip has no operation \"select\" for it",
                "write [[operations.select]]",
            );
        }
        let by_aid = profile.mentions(Dialect::Select, application, "application.aid");
        if by_aid && application.value("application.aid").is_none() {
            return self.fault(
                select.span(),
                format!(
                    "application \"{}\" is selected by its identifier, and has none",
                    select.get_ref()
                ),
                "give it an \"aid\", or a variant that [[operations.select]] selects otherwise",
            );
        }
        if let Some(channel) = &stage.channel {
            self.exists(
                profile,
                ObjectKind::KeySet,
                channel.get_ref(),
                channel.span(),
            )?;
        }
        let mut steps = Vec::new();
        let mut position = Position::default();
        position.selected(select.get_ref());
        for text in &stage.steps {
            let (verb, object) = self.step(text, profile)?;
            self.fits(text, (verb, &object.name), stage, profile)?;
            self.keys_are_others(text, verb, &object.name, stage)?;
            let before = pins.before(&object.name);
            self.dek_is_at_hand(text, (verb, object), before, stage, profile)?;
            self.step_is_whole(text, (verb, object), stage, profile, before, &mut position)?;
            self.pin_is_settable(text, verb, object, profile, pins)?;
            steps.push((verb, object.name.clone()));
        }
        Ok(StageProfile {
            name: stage.name.clone(),
            select: select.get_ref().clone(),
            channel: stage
                .channel
                .as_ref()
                .map(|channel| channel.get_ref().clone()),
            sealed: stage.sealed,
            purpose: pins.purpose,
            steps,
        })
    }

    fn step<'p>(&self, text: &Text, profile: &'p ChipProfile) -> Checked<(Verb, &'p Object)> {
        let Some((verb, name)) = text.get_ref().split_once(' ') else {
            return self.fault(
                text.span(),
                format!("\"{}\" is not a verb and an object", text.get_ref()),
                "for example \"write_file certificate\"",
            );
        };
        let Some(verb) = Verb::named(verb) else {
            return self.unknown(
                text.span(),
                "there is no verb",
                verb,
                Verb::ALL.iter().map(|(_, name, ..)| *name),
            );
        };
        let object = self.exists(profile, verb.object(), name, text.span())?;
        for operation in verb.operations() {
            if !profile.speaks(*operation, object) {
                return self.fault(
                    text.span(),
                    format!("{verb} needs the operation \"{operation}\", which this chip does not have for \"{name}\""),
                    format!("write [[operations.{operation}]]"),
                );
            }
        }
        Ok((verb, object))
    }

    /// A step must fit its stage: sealed or open, with or without a channel.
    fn fits(
        &self,
        text: &Text,
        (verb, name): (Verb, &str),
        stage: &StageFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        if (stage.sealed && !verb.is_sealable()) || (!stage.sealed && verb.is_sealed()) {
            return self.fault(
                text.span(),
                format!(
                    "{verb} does not belong into {} stage",
                    if stage.sealed { "a sealed" } else { "an open" }
                ),
                "a sealed stage sets the holder's PINs, imports keys and sets states, and nothing else",
            );
        }
        if verb == Verb::Inspect && stage.channel.is_some() {
            return self.fault(
                text.span(),
                "a border has no channel of the issuer, in which inspect would stand",
                "put it into a stage without \"channel\"",
            );
        }
        let new = profile.channel.protocol(name);
        let global = new.is_global_platform();
        let open = stage.channel.as_ref();
        let open = open.map(|set| profile.channel.protocol(set.get_ref()));
        let (fits, needs) = match verb {
            Verb::ReplaceKeys => (
                open.is_some_and(|open| open.name() == new.name()),
                match open {
                    None => "a stage with a channel",
                    Some(_) => "a stage with a channel of the same protocol",
                },
            ),
            Verb::AddKeys | Verb::RemoveKeys => (
                global && open.is_some_and(|open| open.name() == new.name()),
                "a stage with a channel of GlobalPlatform",
            ),
            // INITIALIZE UPDATE would end an open channel.
            Verb::CheckRefused => (
                stage.channel.is_none() && global,
                "a stage without a channel, and a key set of GlobalPlatform",
            ),
            _ => (true, ""),
        };
        if !fits {
            return self.fault(
                text.span(),
                format!("{verb} needs {needs}"),
                "move it to such a stage, or change the stage's \"channel\"",
            );
        }
        if verb == Verb::ReplaceKeys
            && !global
            && !profile.operations.contains_key(&Dialect::PutKey)
        {
            return self.fault(
                text.span(),
                "replace_keys needs the operation \"put_key\", which this chip does not have",
                "write [[operations.put_key]]",
            );
        }
        Ok(())
    }

    /// What is encrypted under the channel's DEK is encrypted by the centre.
    fn dek_is_at_hand(
        &self,
        text: &Text,
        (verb, object): (Verb, &Object),
        before: PinBefore,
        stage: &StageFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let operations = profile.operations_of(verb, object, before);
        let mut operations = operations.into_iter();
        let needs = operations.any(|operation| profile.mentions(operation, object, DEK));
        let key_set = stage.channel.as_ref().map(|set| set.get_ref().as_str());
        let is_protected = profile.channel.protection(key_set).is_some();
        match needs && !(stage.sealed && is_protected) {
            false => Ok(()),
            true => self.fault(
                text.span(),
                format!("{verb} encrypts under {DEK}, which only the centre has"),
                "put the step into a sealed stage with a channel of GlobalPlatform",
            ),
        }
    }

    /// A key whose PIN is presented before every signature needs the PIN at hand.
    fn consent_is_possible(
        &self,
        text: &Text,
        key: &Object,
        profile: &ChipProfile,
        known_pins: &BTreeSet<String>,
    ) -> Checked<()> {
        let Detail::Key(rules) = &key.detail else {
            return Ok(());
        };
        let Some(name) = rules.pin.as_ref().filter(|_| rules.consent) else {
            return Ok(());
        };
        let pin = profile.object(ObjectKind::Pin, name);
        let is_at_hand = pin.is_some_and(|pin| {
            let global = matches!(&pin.detail, Detail::Pin(rules) if rules.global);
            profile.speaks(Dialect::VerifyPin, pin)
                && (global || pin.application == key.application)
        });
        if !is_at_hand {
            return self.fault(
                text.span(),
                format!("key \"{}\" wants PIN \"{name}\" before every signature, and it cannot be presented there", key.name),
                "write [[operations.verify_pin]]; the PIN is in the key's application, or global",
            );
        }
        match known_pins.contains(name) {
            true => Ok(()),
            false => self.fault(
                text.span(),
                format!("key \"{}\" wants PIN \"{name}\" before every signature, and its value is not known here", key.name),
                "say its \"default\", or set_temporary_pin before",
            ),
        }
    }

    /// A PIN is set by the operation that fits what is known of it.
    fn pin_is_settable(
        &self,
        text: &Text,
        verb: Verb,
        pin: &Object,
        profile: &ChipProfile,
        pins: &mut PinsSoFar,
    ) -> Checked<()> {
        let name = &pin.name;
        let is_known = pins.known.contains(name);
        match verb {
            Verb::SetTemporaryPin | Verb::SetHolderPin | Verb::SetIssuerPin => {
                let has_issuer =
                    matches!(&pin.detail, Detail::Pin(rules) if rules.issuer.is_some());
                if verb == Verb::SetIssuerPin && !has_issuer {
                    return self.fault(
                        text.span(),
                        format!(
                            "PIN \"{name}\" does not say from which master key its value comes"
                        ),
                        "write issuer = \"NAME\", the name of a master key of the installation",
                    );
                }
                if pins.settled.contains(name) {
                    return self.fault(
                        text.span(),
                        format!("{verb} {name}: the centre has set its last value already"),
                        "nobody could tell the holder another: set it once, in the last step about it",
                    );
                }
                let operation = profile.pin_setting(pin, pins.before(name));
                if !profile.speaks(operation, pin) {
                    let (fault, hint) = match profile.speaks(Dialect::ChangePin, pin) {
                        true => (
                            "the value that it has before is not known",
                            "say its \"default\", or set_temporary_pin before",
                        ),
                        false => (
                            "this chip has neither \"set_pin\" nor \"change_pin\" for it",
                            "write [[operations.set_pin]]",
                        ),
                    };
                    return self.fault(text.span(), format!("{verb} {name}: {fault}"), hint);
                }
                // What the centre sets, no open step knows.
                match verb {
                    Verb::SetTemporaryPin => {
                        pins.known.insert(name.clone());
                    }
                    _ => {
                        pins.known.remove(name);
                        pins.settled.insert(name.clone());
                    }
                }
                Ok(())
            }
            Verb::RequestCertificate | Verb::CheckKey => {
                self.consent_is_possible(text, pin, profile, &pins.known)
            }
            Verb::VerifyPin if !is_known => self.fault(
                text.span(),
                format!("the value of PIN \"{name}\" is not known here"),
                "say its \"default\", or set_temporary_pin before",
            ),
            _ => Ok(()),
        }
    }
}
