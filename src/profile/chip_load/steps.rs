//! What a step needs beside its verb's own operation: a way to its object, a value for every
//! variable, and room in the stage's channel.

use super::{Checked, Loader};
use crate::chip::{ChipProfile, Detail, Object, PinBefore};
use crate::chip_file::{StageFile, Text};
use crate::command_template::CommandTemplate;
use crate::issuer_channel::Protection;
use crate::position::Position;
use crate::vocabulary::{Dialect, ObjectKind, Verb};

/// What only RSA keys give to a template, and what only those on curves do.
const RSA_ALONE: &[&str] = &[
    "key.modulus",
    "key.exponent",
    "key.prime1",
    "key.prime2",
    "key.exponent1",
    "key.exponent2",
    "key.coefficient",
    "digest_info",
    "padded",
];
const CURVE_ALONE: &[&str] = &["key.public"];

impl Loader<'_> {
    /// Proves that a step can be done where it stands, and notes where it leaves the chip.
    pub(super) fn step_is_whole(
        &self,
        text: &Text,
        (verb, object): (Verb, &Object),
        stage: &StageFile,
        profile: &ChipProfile,
        before: PinBefore,
        position: &mut Position,
    ) -> Checked<()> {
        let operations = profile.operations_of(verb, object, before);
        for operation in &operations {
            if let Some(application) = position.enters(profile, *operation, object) {
                let home = outermost(profile, &application.name);
                let current = position.current().map(|name| outermost(profile, name));
                if home != stage.select.get_ref() && current != Some(home) {
                    return self.fault(
                        text.span(),
                        format!(
                            "\"{}\" lives in \"{home}\", and this stage selects \"{}\"",
                            object.name,
                            stage.select.get_ref()
                        ),
                        "move the step to a stage that selects it; \"enter\" stays inside the selected one",
                    );
                }
                if !profile.speaks(Dialect::Enter, application) {
                    return self.fault(
                        text.span(),
                        format!(
                            "\"{}\" is to be entered for this, and this chip has no operation \"enter\" for it",
                            application.name
                        ),
                        "write [[operations.enter]], or select it in a stage of its own",
                    );
                }
                let enter = Dialect::Enter;
                self.centre_knows(text, verb, enter, application, stage, profile)?;
                position.entered(&application.name);
            }
            self.centre_knows(text, verb, *operation, object, stage, profile)?;
            self.content_is_written(text, *operation, object, profile)?;
            self.every_part_has_a_command(text, *operation, object, profile)?;
            for command in profile.commands(*operation, object) {
                self.command_is_whole(text, *operation, command, object, stage, profile)?;
            }
        }
        if verb == Verb::Install {
            position.entered(&object.name);
        }
        Ok(())
    }

    /// A content reaches the chip in a command that names it, or in parts.
    fn content_is_written(
        &self,
        text: &Text,
        operation: Dialect,
        object: &Object,
        profile: &ChipProfile,
    ) -> Checked<()> {
        if ![Dialect::WriteFile, Dialect::PutData].contains(&operation) {
            return Ok(());
        }
        let commands = profile.commands(operation, object);
        let writes =
            |command: &&CommandTemplate| command.mentions("chunk") || command.mentions("content");
        if !commands.iter().any(writes) {
            return self.fault(
                text.span(),
                format!("{operation} never writes what \"{}\" holds", object.name),
                "name \"chunk\" in the data for parts, or \"content\" for the whole",
            );
        }
        let mut runs = commands.chunk_by(|a, b| a.is_repeated() == b.is_repeated());
        let is_idle = |run: &[&CommandTemplate]| {
            run.iter()
                .all(|command| command.is_repeated() && !command.mentions("chunk"))
        };
        if runs.any(is_idle) {
            return self.fault(
                text.span(),
                format!("{operation} of \"{}\" counts parts, and no command beside it writes a \"chunk\"", object.name),
                "name \"chunk\" in the data, or leave \"offset\", \"block\" and \"record\" out",
            );
        }
        Ok(())
    }

    fn command_is_whole(
        &self,
        text: &Text,
        operation: Dialect,
        command: &CommandTemplate,
        object: &Object,
        stage: &StageFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let missing = command
            .variables()
            .into_iter()
            .find(|name| lacks(object, operation, name));
        if let Some(name) = missing {
            return self.fault(
                text.span(),
                format!(
                    "{operation} uses \"{name}\", which \"{}\" does not have",
                    object.name
                ),
                "give it that attribute or field, or commands of its own with \"for\"",
            );
        }
        if let Some(fault) = command.failing(operation, object) {
            return self.fault(
                text.span(),
                format!(
                    "{operation} cannot be told for \"{}\": {fault}",
                    object.name
                ),
                "change the object's value, or write commands of its own with \"for\"",
            );
        }
        let key_set = stage.channel.as_ref().map(|set| set.get_ref().as_str());
        let Some(Protection { mode, level }) = profile.channel.protection(key_set) else {
            return Ok(());
        };
        let most = mode.command_capacity(level, profile.limits.command);
        let least = command.least_data();
        if least > most {
            return self.fault(
                text.span(),
                format!("{operation} has at least {least} bytes of data, the channel leaves room for {most}"),
                "cut its data into several commands, or move the step to a stage without a channel",
            );
        }
        Ok(())
    }
}

/// Returns whether an object has no value for a variable of its kind. Others are the chip's or
/// the operation's.
fn lacks(object: &Object, operation: Dialect, name: &str) -> bool {
    match &object.detail {
        Detail::Pin(rules) if ["pin.puk", "pin.puk_digits"].contains(&name) => {
            return rules.puk.is_none();
        }
        Detail::Key(rules) if RSA_ALONE.contains(&name) => return !rules.is_rsa(),
        Detail::Key(rules) if CURVE_ALONE.contains(&name) => return rules.is_rsa(),
        _ => {}
    }
    let is_of_an_object = ObjectKind::ALL.iter().any(|kind| {
        let rest = name.strip_prefix(kind.word());
        rest.is_some_and(|rest| rest.starts_with('.'))
    });
    is_of_an_object && !operation.variables().contains(&name) && !object.values.contains_key(name)
}

/// Returns the application that is selected to reach another. The loader has proved that there
/// is one.
fn outermost<'p>(profile: &'p ChipProfile, name: &'p str) -> &'p str {
    let mut name = name;
    while let Some(Detail::Application {
        within: Some(outer),
    }) = profile
        .object(ObjectKind::Application, name)
        .map(|application| &application.detail)
    {
        name = outer;
    }
    name
}
