//! The operations: which commands tell them, and what their templates may use.

use std::collections::{BTreeMap, BTreeSet};

use super::objects::Objects;
use super::{Checked, Loader};
use crate::chip::Object;
use crate::chip_file::{ChannelFile, ChipFile, CommandFile, OneOrMore};
use crate::command_template::CommandTemplate;
use crate::placed::Placed;
use crate::sort::Sort;
use crate::vocabulary::{Dialect, ObjectKind};

/// The channel's key that encrypts other keys: known to the centre alone.
pub(super) const DEK: &str = "channel.dek";

impl Loader<'_> {
    pub(super) fn operations(
        &self,
        file: &ChipFile,
        objects: &Objects,
        taken: &BTreeSet<String>,
    ) -> Checked<BTreeMap<Dialect, Vec<CommandTemplate>>> {
        let mut operations = BTreeMap::new();
        let channel = file.channel.as_ref();
        let global = channel.is_some_and(ChannelFile::has_global_platform);
        for (name, commands) in &file.operations {
            let Some(operation) = Dialect::named(name.get_ref()) else {
                return self.unknown(
                    name.span(),
                    "there is no operation",
                    name.get_ref(),
                    Dialect::ALL.iter().map(|(_, name, ..)| *name),
                );
            };
            // What every object of the kind has is known; what only some have is known in the
            // commands for their variant, so any object's value will do here and rendering says
            // which object lacks it.
            let of_kind = || {
                objects
                    .iter()
                    .filter(|((kind, _), _)| *kind == operation.object())
                    .map(|(_, object)| object)
            };
            let mut variables: BTreeSet<&str> = of_kind()
                .flat_map(|object: &Object| object.values.keys().map(String::as_str))
                .collect();
            variables.extend(operation.variables());
            variables.extend(taken.iter().map(String::as_str));
            variables.insert("chip.serial");
            if operation.may_use_dek() && global {
                variables.insert(DEK);
            }
            let mut list = Vec::new();
            for command in commands {
                let used = || of_kind().filter_map(|object| object.variant.as_deref());
                if let Some(variants) = &command.variants {
                    self.variants_are_used(operation, variants, &used)?;
                }
                let hint = format!(
                    "{operation} knows {}",
                    variables.iter().copied().collect::<Vec<_>>().join(", ")
                );
                let known = |name: &str| {
                    let is_own = operation.variables().contains(&name);
                    let values = || of_kind().filter_map(|object| object.values.get(name));
                    let mut sorts = values().filter(|_| !is_own).map(Sort::of_value);
                    let first = sorts.next().unwrap_or_else(|| Sort::of(name));
                    let is_one = sorts.all(|sort| sort == first);
                    let sort = if is_one { first } else { Sort::Any };
                    variables.contains(name).then_some(sort)
                };
                list.push(self.command(command, &known, &hint)?);
                self.results(operation, command)?;
                if operation == Dialect::OpenChannel {
                    // What one command took, the next may use.
                    variables.extend(command.take.keys().map(|name| name.get_ref().as_str()));
                }
            }
            if list.is_empty() {
                return self.fault(
                    name.span(),
                    format!("{operation} has no command"),
                    "leave it out, or write its commands",
                );
            }
            operations.insert(operation, list);
        }
        self.keys_give_their_public_part(file, objects, &operations)?;
        Ok(operations)
    }

    /// Each variant that a command is for is one of an object.
    fn variants_are_used<'u, U: Iterator<Item = &'u str>>(
        &self,
        operation: Dialect,
        variants: &Placed<OneOrMore>,
        used: &dyn Fn() -> U,
    ) -> Checked<()> {
        let names = variants.get_ref().texts();
        if names.is_empty() {
            return self.fault(
                variants.span(),
                "this command is for no variant",
                "name one, or leave \"for\" out for all",
            );
        }
        match names.iter().find(|name| !used().any(|used| used == *name)) {
            None => Ok(()),
            Some(name) => self.unknown(
                variants.span(),
                &format!("no {} has the variant", operation.object().word()),
                name,
                used(),
            ),
        }
    }

    /// Only what an operation gives may be taken out of its answers.
    fn results(&self, operation: Dialect, command: &CommandFile) -> Checked<()> {
        for name in command.take.keys() {
            let known = operation.results();
            let is_channels =
                operation == Dialect::OpenChannel && name.get_ref().starts_with("channel.");
            let is_secret =
                ["channel.key", "channel.host", "channel.proof"].contains(&name.get_ref().as_str());
            if is_secret || !(known.contains(&name.get_ref().as_str()) || is_channels) {
                let hint = match (operation, known) {
                    (Dialect::OpenChannel, _) => {
                        "channel.… of your choice, channel.answer for the chip's proof".to_owned()
                    }
                    (_, []) => "nothing is taken out of its answers".to_owned(),
                    (_, known) => format!("it gives {}", known.join(", ")),
                };
                return self.fault(
                    name.span(),
                    format!("{operation} gives no \"{}\"", name.get_ref()),
                    hint,
                );
            }
        }
        Ok(())
    }

    /// Every key that the chip makes must come out of the chip; every signature, and the tries.
    /// What unblocks a PIN is known.
    fn keys_give_their_public_part(
        &self,
        file: &ChipFile,
        objects: &Objects,
        operations: &BTreeMap<Dialect, Vec<CommandTemplate>>,
    ) -> Checked<()> {
        let gives = |operation: Dialect, object: &Object, result: &str| {
            let commands = operations.get(&operation).map_or(&[][..], Vec::as_slice);
            commands
                .iter()
                .filter(|command| command.is_for_object(object))
                .any(|command| command.take.iter().any(|(name, _)| name == result))
        };
        let speaks = |operation: Dialect, object: &Object| {
            let mut commands = operations.get(&operation).into_iter().flatten();
            commands.any(|command| command.is_for_object(object))
        };
        let span = |operation: Dialect| {
            file.operations
                .keys()
                .find(|name| name.get_ref() == operation.name())
                .map_or(0..0, crate::placed::Placed::span)
        };
        for ((kind, name), object) in objects {
            let wanted: &[(Dialect, &str)] = match (kind, &object.detail) {
                (ObjectKind::Key, crate::chip::Detail::Key(rules)) => {
                    let part = match rules.is_rsa() {
                        true => "modulus",
                        false => "public",
                    };
                    let made = speaks(Dialect::GenerateKey, object)
                        && !gives(Dialect::GenerateKey, object, part)
                        && !gives(Dialect::ReadPublicKey, object, part);
                    if made {
                        return self.fault(
                            span(Dialect::GenerateKey),
                            format!("generate_key takes no \"{part}\" out of its answers for key \"{name}\""),
                            format!("write take = {{ {part} = \"7F49/86\" }}, \"\" for the whole answer, or [[operations.read_public_key]]"),
                        );
                    }
                    &[(Dialect::Sign, "signature")]
                }
                (ObjectKind::Pin, _) => &[
                    (Dialect::ReadTries, "tries"),
                    (Dialect::ReadChanged, "changed"),
                ],
                _ => &[],
            };
            if let crate::chip::Detail::Pin(rules) = &object.detail
                && speaks(Dialect::UnblockPin, object)
                && rules.puk.is_none()
            {
                return self.fault(
                    span(Dialect::UnblockPin),
                    format!("unblock_pin is for \"{name}\" too, which names no PUK"),
                    "write puk = \"NAME\" at the PIN, or keep the commands to others with \"for\"",
                );
            }
            for (operation, result) in wanted {
                if speaks(*operation, object) && !gives(*operation, object, result) {
                    return self.fault(
                        span(*operation),
                        format!("{operation} takes no \"{result}\" out of its answers for \"{name}\""),
                        format!("write take = {{ {result} = \"…\" }}, a path of tags, or \"\" for the whole answer"),
                    );
                }
            }
        }
        Ok(())
    }
}
