//! What the centre renders: a sealed stage hides it and proves the answers, and nothing there
//! asks for what the centre does not know.

use super::{Checked, Loader};
use crate::chip::{ChipProfile, Object};
use crate::chip_file::{ChipFile, StageFile, Text};
use crate::command_template::CommandTemplate;
use crate::issuer_channel::{Protection, Protocol};
use crate::placed::Placed;
use crate::vocabulary::{Dialect, ObjectKind, Verb};

impl Loader<'_> {
    /// Proves that a sealed stage hides its commands and proves the answers, where its application
    /// speaks through a channel that can.
    pub(super) fn sealing_is_tight(
        &self,
        placed: &Placed<StageFile>,
        file: &ChipFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let stage = placed.get_ref();
        if !stage.sealed {
            return Ok(());
        }
        if stage.steps.is_empty() {
            return self.fault(
                placed.span(),
                format!("stage \"{}\" is sealed and has no steps", stage.name),
                "give it steps; to prove a key, open its channel in an open stage before",
            );
        }
        let key_set = stage.channel.as_ref().map(|set| set.get_ref().as_str());
        let Some(Protection { level, .. }) = profile.channel.protection(key_set) else {
            return self.clear_is_meant(placed, profile);
        };
        let channel = file.channel.as_ref();
        let set = channel.zip(key_set);
        let set = set.and_then(|(channel, key_set)| channel.keys.get(key_set));
        let own = set.and_then(|set| set.get_ref().level.as_ref());
        let written = own.or(channel.and_then(|channel| channel.level.as_ref()));
        let written = written.map_or(placed.span(), Placed::span);
        if !level.has_cenc() {
            return self.fault(
                written,
                format!(
                    "stage \"{}\" is sealed, and this channel does not encrypt its commands",
                    stage.name
                ),
                "write level = \"c-mac c-enc r-mac\"",
            );
        }
        // SCP02 stock mostly has no R-MAC: there the status words must do.
        let is_scp02 = key_set
            .is_some_and(|set| matches!(profile.channel.protocol(set), Protocol::Scp02 { .. }));
        if !level.has_rmac() && !is_scp02 {
            return self.fault(
                written,
                format!(
                    "stage \"{}\" is sealed, and this channel does not authenticate the answers",
                    stage.name
                ),
                "write level = \"c-mac c-enc r-mac\"",
            );
        }
        Ok(())
    }

    /// Where a chip has a channel that hides what passes, what the centre seals passes in the clear
    /// only where its application speaks through none, and where that is written.
    fn clear_is_meant(&self, placed: &Placed<StageFile>, profile: &ChipProfile) -> Checked<()> {
        let stage = placed.get_ref();
        if profile.hides(stage.select.get_ref()) {
            return self.fault(
                placed.span(),
                format!(
                    "stage \"{}\" is sealed and opens no channel that hides it, as other stages of its application do",
                    stage.name
                ),
                "name the key set: channel = \"issuer\"",
            );
        }
        match stage.clear || profile.channel.of_global_platform().next().is_none() {
            true => Ok(()),
            false => self.fault(
                placed.span(),
                format!(
                    "stage \"{}\" is sealed, and its commands would pass in the clear",
                    stage.name
                ),
                "name the key set; or write clear = true, where its application speaks through no channel",
            ),
        }
    }

    /// Proves that an operation which the centre renders names nothing that the station alone
    /// took out of the chip.
    pub(super) fn centre_knows(
        &self,
        text: &Text,
        verb: Verb,
        operation: Dialect,
        object: &Object,
        stage: &StageFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let is_the_centres = stage.sealed || verb == Verb::ReplaceKeys;
        match is_the_centres {
            true => self.names_no_finding(text, operation, &profile.commands(operation, object)),
            false => Ok(()),
        }
    }

    /// The same of the commands by which a sealed stage's proof is brought.
    pub(super) fn centre_knows_the_proof(
        &self,
        stage: &StageFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let Some(channel) = stage.channel.as_ref().filter(|_| stage.sealed) else {
            return Ok(());
        };
        let Some(set) = profile.object(ObjectKind::KeySet, channel.get_ref()) else {
            return Ok(());
        };
        let operation = Dialect::OpenChannel;
        let (_, proving) = profile.opening(set);
        self.names_no_finding(channel, operation, &proving)
    }

    fn names_no_finding(
        &self,
        text: &Text,
        operation: Dialect,
        commands: &[&CommandTemplate],
    ) -> Checked<()> {
        let mut names = commands.iter().flat_map(|command| command.variables());
        match names.find(|name| name.starts_with("chip.") && *name != "chip.serial") {
            None => Ok(()),
            Some(name) => self.fault(
                text.span(),
                format!("the centre renders {operation} here, and does not know \"{name}\""),
                "of the chip the centre knows chip.serial alone",
            ),
        }
    }
}
