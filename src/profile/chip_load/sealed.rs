//! What the centre renders: a sealed stage hides it and proves the answers, and nothing there
//! asks for what the centre does not know.

use super::{Checked, Loader};
use crate::chip::{ChipProfile, Object};
use crate::chip_file::{ChipFile, StageFile, Text};
use crate::command_template::CommandTemplate;
use crate::issuer_channel::Protocol;
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
        let Some(name) = &stage.channel else {
            return match profile.opens_a_tunnel(stage.select.get_ref()) {
                false => Ok(()),
                true => self.fault(
                    placed.span(),
                    format!("stage \"{}\" is sealed and opens no channel", stage.name),
                    "name the key set: channel = \"issuer\"",
                ),
            };
        };
        let protocol = profile.channel.protocol(name.get_ref());
        let Some(level) = protocol.level() else {
            return Ok(());
        };
        let channel = file.channel.as_ref();
        let set = channel.and_then(|channel| channel.keys.get(name.get_ref()));
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
        if !level.has_rmac() && !matches!(protocol, Protocol::Scp02 { .. }) {
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
