//! What can never fit, whatever the values: a command beyond what the chip takes.

use card::Limits;

use super::{Checked, Loader};
use crate::chip_file::{ChipFile, CommandFile, LimitsFile};
use crate::command_template::{CommandTemplate, ExpectedLength};
use crate::issuer_channel::{ChannelProfile, Protection, Protocol};
use crate::vocabulary::Dialect;

impl Loader<'_> {
    /// Proves that every command of a chip fits into what the chip takes, sent in the clear.
    pub(super) fn commands_fit(
        &self,
        file: &ChipFile,
        limits: &Limits,
        identify: &[CommandTemplate],
        operations: impl Fn(Dialect) -> Vec<CommandTemplate>,
    ) -> Checked<()> {
        self.fit(&file.identify.commands, identify, limits)?;
        for (name, commands) in &file.operations {
            if let Some(operation) = Dialect::named(name.get_ref()) {
                self.fit(commands, &operations(operation), limits)?;
            }
        }
        Ok(())
    }

    fn fit(
        &self,
        files: &[CommandFile],
        commands: &[CommandTemplate],
        limits: &Limits,
    ) -> Checked<()> {
        for (file, command) in files.iter().zip(commands) {
            let least = command.least_data();
            if let Some(data) = file.data.as_ref().filter(|_| least > limits.command)
                && !limits.chaining
            {
                return self.fault(
                    data.span(),
                    format!(
                        "the data has at least {least} bytes, the chip takes {} in one command",
                        limits.command
                    ),
                    "cut it into several commands, or say chaining = true if the chip takes chains",
                );
            }
            let asked = match command.le {
                Some(ExpectedLength::Fixed(le)) => usize::try_from(le).unwrap_or(usize::MAX),
                _ => 0,
            };
            if let Some(le) = file.le.as_ref().filter(|_| asked > 256 && !limits.extended) {
                return self.fault(
                    le.span(),
                    format!("{asked} bytes are more than a short command asks for"),
                    "at most 256, \"most\", or extended = true if the chip takes extended length",
                );
            }
            let (most, whole) = match command.mentions("chunk") {
                true => (limits.command, "command"),
                false => (limits.response, "response"),
            };
            if let Some(chunk) = file.chunk.as_ref().filter(|chunk| *chunk.get_ref() > most) {
                return self.fault(
                    chunk.span(),
                    format!(
                        "a chunk of {} bytes is longer than one {whole}, which has {most}",
                        chunk.get_ref()
                    ),
                    "leave \"chunk\" out for as many as fit",
                );
            }
        }
        Ok(())
    }

    /// Proves that every secure channel leaves room in a command and in a response, also for the
    /// host's challenge and cryptogram that open it.
    pub(super) fn channel_leaves_room(
        &self,
        file: &LimitsFile,
        channel: &ChannelProfile,
    ) -> Checked<()> {
        let mut protocols = channel.keys.values().map(|set| &set.protocol);
        protocols.try_for_each(|protocol| self.protocol_leaves_room(file, protocol))
    }

    fn protocol_leaves_room(&self, file: &LimitsFile, protocol: &Protocol) -> Checked<()> {
        let Some(Protection { mode, level }) = protocol.protection() else {
            return Ok(());
        };
        // EXTERNAL AUTHENTICATE brings a cryptogram as long as the challenge, and its MAC.
        let opening = mode.host_challenge_length() + mode.mac_length();
        if mode.command_capacity(level, *file.command.get_ref()) == 0
            || *file.command.get_ref() < opening
        {
            return self.fault(
                file.command.span(),
                format!(
                    "under {protocol} nothing fits into commands of {} bytes",
                    file.command.get_ref()
                ),
                format!("the channel alone needs {opening} bytes, and more for what it protects"),
            );
        }
        if mode.response_capacity(level, *file.response.get_ref()) == 0 {
            return self.fault(
                file.response.span(),
                format!(
                    "under {protocol} nothing fits into responses of {} bytes",
                    file.response.get_ref()
                ),
                "the response's MAC and padding need room: raise it, or lower the channel's level",
            );
        }
        Ok(())
    }
}
