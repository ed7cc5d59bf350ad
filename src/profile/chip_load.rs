//! Loading a chip profile proves it: every name resolves, every template uses only what its
//! operation knows, every step has the operations that it needs.

mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use card::gp::SecurityLevel;
use card::tlv::Tag;
use card::{Limits, Status};
use serde::Deserialize;
use toml::Spanned;

use self::objects::{ObjectLoader, Objects};
use crate::chip::{
    ChannelProfile, ChipProfile, CommandTemplate, Diversification, Expectation, ExpectedLength,
    Identify, Interface, KeySet, StageProfile, TakePath,
};
use crate::chip_file::{
    ChipFile, CommandFile, IdentifyFile, InterfaceName, LeFile, StageFile, Text,
};
use crate::error::ProfileError;
use crate::source::{Shelf, Sources};
use crate::template::Template;
use crate::vocabulary::{Dialect, ObjectKind, Verb};

/// The format of chip profiles that this program reads.
const FORMAT: u32 = 1;

impl ChipProfile {
    /// Loads and proves the chip profile `name` of a shelf, with all that it extends.
    ///
    /// # Errors
    /// The first fault, with file, line, column and a hint.
    pub fn load(shelf: &Shelf, name: &str) -> Result<Self, ProfileError> {
        let (sources, table) = Sources::parse(shelf, name)?;
        let file = ChipFile::deserialize(toml::Deserializer::from(table)).map_err(|error| {
            sources.error(error.span().unwrap_or(0..0), error.message().to_owned(), "")
        })?;
        Loader { sources }.chip(file)
    }
}

type Checked<T> = Result<T, ProfileError>;

pub(crate) struct Loader<'a> {
    pub(crate) sources: Sources<'a>,
}

impl Loader<'_> {
    pub(crate) fn fault<T>(
        &self,
        span: Range<usize>,
        fault: impl Into<String>,
        hint: impl AsRef<str>,
    ) -> Checked<T> {
        Err(self.sources.error(span, fault.into(), hint.as_ref()))
    }

    /// Parses a template; its faults are placed inside the string that holds it.
    pub(crate) fn template(&self, text: &Text) -> Checked<Template> {
        Template::parse(text.get_ref()).or_else(|fault| {
            let start = self.sources.inside(text.span()) + fault.span.start;
            self.fault(start..start, fault.fault, fault.hint)
        })
    }

    /// Parses a template and checks that it names only `known` variables.
    fn template_of(
        &self,
        text: &Text,
        known: &dyn Fn(&str) -> bool,
        hint: &str,
    ) -> Checked<Template> {
        let template = self.template(text)?;
        for (name, span) in template.variables() {
            if !known(name) {
                let start = self.sources.inside(text.span()) + span.start;
                return self.fault(
                    start..start,
                    format!("variable \"{name}\" is not known here"),
                    hint,
                );
            }
        }
        Ok(template)
    }

    pub(crate) fn hexadecimal(&self, text: &Text) -> Checked<Vec<u8>> {
        match hex::decode(text.get_ref()) {
            Ok(bytes) => Ok(bytes),
            Err(_) => self.fault(
                text.span(),
                format!("\"{}\" is not hexadecimal", text.get_ref()),
                "two digits a byte",
            ),
        }
    }

    fn status(&self, text: &Text) -> Checked<Status> {
        match self.hexadecimal(text)?.as_slice() {
            [first, second] => Ok(Status::new(u16::from_be_bytes([*first, *second]))),
            _ => self.fault(text.span(), "a status word has four hexadecimal digits", ""),
        }
    }

    fn chip(&self, file: ChipFile) -> Checked<ChipProfile> {
        if *file.format.get_ref() != FORMAT {
            return self.fault(
                file.format.span(),
                format!("format {} is not known", file.format.get_ref()),
                format!("this program reads format {FORMAT}"),
            );
        }
        let limits = self.limits(&file)?;
        let channel = self.channel(&file)?;
        let objects = ObjectLoader::load(self, &file, &channel)?;
        let identify = self.identify(&file.identify)?;
        let operations = self.operations(&file, &objects)?;
        let mut status = BTreeMap::new();
        for (word, meaning) in &file.status {
            status.insert(self.status(word)?.value(), meaning.clone());
        }
        let mut stages = Vec::new();
        for stage in &file.stages {
            stages.push(self.stage(stage, &objects, &operations)?);
        }
        Ok(ChipProfile {
            name: file.name.into_inner(),
            title: file.title,
            digest: self.sources.digest(),
            interface: match file.interface.get_ref() {
                InterfaceName::Contact => Interface::Contact,
                InterfaceName::Contactless => Interface::Contactless,
            },
            identify,
            limits,
            channel,
            status,
            objects,
            operations,
            stages,
        })
    }

    fn limits(&self, file: &ChipFile) -> Checked<Limits> {
        let limits = &file.limits;
        for (value, most) in [(&limits.command, 255), (&limits.response, 256)] {
            if !(16..=most).contains(value.get_ref()) {
                return self.fault(
                    value.span(),
                    format!("{} is not a length of a short command", value.get_ref()),
                    format!("from 16 to {most}"),
                );
            }
        }
        Ok(Limits {
            command: *limits.command.get_ref(),
            response: *limits.response.get_ref(),
            extended: limits.extended,
            chaining: limits.chaining,
        })
    }

    fn channel(&self, file: &ChipFile) -> Checked<ChannelProfile> {
        let channel = &file.channel;
        if channel.protocol.get_ref() != "scp03" {
            return self.fault(
                channel.protocol.span(),
                format!(
                    "secure channel protocol \"{}\" is not known",
                    channel.protocol.get_ref()
                ),
                "known is \"scp03\"",
            );
        }
        let mut words: Vec<_> = channel.level.get_ref().split_whitespace().collect();
        words.sort_unstable();
        // GP Amendment D §7.1.2, table 7-3: what EXTERNAL AUTHENTICATE can ask for.
        let level = match words.as_slice() {
            ["c-mac"] => SecurityLevel::MAC,
            ["c-enc", "c-mac"] => SecurityLevel::ENC_MAC,
            ["c-mac", "r-mac"] => SecurityLevel::MAC_RMAC,
            ["c-enc", "c-mac", "r-mac"] => SecurityLevel::ENC_MAC_RMAC,
            ["c-enc", "c-mac", "r-enc", "r-mac"] => SecurityLevel::FULL,
            _ => {
                return self.fault(
                    channel.level.span(),
                    "no security level of SCP03 is this combination",
                    "write \"c-mac c-enc r-mac\"",
                );
            }
        };
        let mut keys = BTreeMap::new();
        for (name, set) in &channel.keys {
            let set = set.get_ref();
            let diversification = match set.diversification.get_ref().as_str() {
                "kdf3" => Diversification::Kdf3,
                other => {
                    return self.fault(
                        set.diversification.span(),
                        format!("diversification \"{other}\" is not known"),
                        "known is \"kdf3\"",
                    );
                }
            };
            if !matches!(*set.version.get_ref(), 0x01..=0x7F | 0xFF) {
                return self.fault(
                    set.version.span(),
                    "no key version of GlobalPlatform is this number",
                    "01 to 7F, or FF for the maker's first keys",
                );
            }
            keys.insert(
                name.clone(),
                KeySet {
                    version: *set.version.get_ref(),
                    diversification,
                },
            );
        }
        Ok(ChannelProfile { level, keys })
    }

    fn identify(&self, file: &IdentifyFile) -> Checked<Identify> {
        let mut atr = Vec::new();
        for text in &file.atr {
            atr.push(self.hexadecimal(text)?);
        }
        let mut taken = BTreeSet::new();
        let mut commands = Vec::new();
        for command in &file.commands {
            commands.push(self.command(
                command,
                &|name| taken.contains(name),
                "only what earlier commands took is known yet",
            )?);
            for name in command.take.keys() {
                if !name.get_ref().starts_with("chip.") {
                    return self.fault(
                        name.span(),
                        format!("\"{}\" is not a name of the chip", name.get_ref()),
                        "identification takes chip.…",
                    );
                }
                taken.insert(name.get_ref().clone());
            }
        }
        let from_taken = |text: &Text| {
            self.template_of(
                text,
                &|name| taken.contains(name),
                "use what the identification's commands take",
            )
        };
        let mut expect = Vec::new();
        for expectation in &file.expect {
            expect.push(Expectation {
                what: expectation.what.clone(),
                value: from_taken(&expectation.value)?,
                equals: self.hexadecimal(&expectation.equals)?,
            });
        }
        Ok(Identify {
            atr,
            commands,
            expect,
            serial: from_taken(&file.serial)?,
            os: from_taken(&file.os)?,
        })
    }

    fn operations(
        &self,
        file: &ChipFile,
        objects: &Objects,
    ) -> Checked<BTreeMap<Dialect, Vec<CommandTemplate>>> {
        let mut operations = BTreeMap::new();
        for (name, commands) in &file.operations {
            let Some(operation) = Dialect::named(name.get_ref()) else {
                let names: Vec<_> = Dialect::ALL
                    .iter()
                    .map(|(_, name, ..)| name.to_string())
                    .collect();
                return self.fault(
                    name.span(),
                    format!("there is no operation \"{}\"", name.get_ref()),
                    known(names.iter()),
                );
            };
            // What every object of the kind has is known; what only some have is known in the
            // commands for their variant, so any object's value will do here and rendering says
            // which object lacks it.
            let mut variables: BTreeSet<&str> = objects
                .iter()
                .filter(|((kind, _), _)| *kind == operation.object())
                .flat_map(|(_, object)| object.values.keys().map(String::as_str))
                .collect();
            variables.extend(operation.variables());
            if operation.object() == ObjectKind::File {
                variables.insert("file.size");
            }
            let hint = format!(
                "{operation} knows {}",
                variables.iter().copied().collect::<Vec<_>>().join(", ")
            );
            let mut list = Vec::new();
            for command in commands {
                if let Some(variant) = &command.variant {
                    let used = objects.iter().any(|((kind, _), object)| {
                        *kind == operation.object()
                            && object.variant.as_deref() == Some(variant.get_ref())
                    });
                    if !used {
                        return self.fault(
                            variant.span(),
                            format!(
                                "no {} has the variant \"{}\"",
                                operation.object().word(),
                                variant.get_ref()
                            ),
                            "",
                        );
                    }
                }
                list.push(self.command(command, &|name| variables.contains(name), &hint)?);
            }
            if let Some(result) = operation.result()
                && !list
                    .iter()
                    .any(|command| command.take.iter().any(|(name, _)| name == result))
            {
                return self.fault(
                    name.span(),
                    format!("{operation} takes no \"{result}\" out of its answers"),
                    format!(
                        "write take = {{ {result} = \"7F49/86\" }}, or \"\" for the whole answer"
                    ),
                );
            }
            operations.insert(operation, list);
        }
        Ok(operations)
    }

    fn command(
        &self,
        file: &CommandFile,
        known: &dyn Fn(&str) -> bool,
        hint: &str,
    ) -> Checked<CommandTemplate> {
        let le = match file.le.as_ref().map(|le| (le.span(), le.get_ref())) {
            None => None,
            Some((_, LeFile::Number(number))) if (1..=65_536).contains(number) => {
                Some(ExpectedLength::Fixed(*number))
            }
            Some((_, LeFile::Variable(name))) if known(name) => {
                Some(ExpectedLength::Variable(name.clone()))
            }
            Some((span, _)) => {
                return self.fault(
                    span,
                    "this is not an expected length",
                    "1 to 256, to 65536 with extended length, or a variable",
                );
            }
        };
        let mut expect = Vec::new();
        for word in &file.expect {
            expect.push(self.status(word)?);
        }
        if expect.is_empty() {
            expect.push(Status::OK);
        }
        let mut take = Vec::new();
        for (name, path) in &file.take {
            take.push((name.get_ref().clone(), self.take_path(path)?));
        }
        Ok(CommandTemplate {
            variant: file
                .variant
                .as_ref()
                .map(|variant| variant.get_ref().clone()),
            header: self.template_of(&file.header, known, hint)?,
            data: file
                .data
                .as_ref()
                .map(|data| self.template_of(data, known, hint))
                .transpose()?,
            le,
            expect,
            take,
        })
    }

    fn take_path(&self, text: &Text) -> Checked<TakePath> {
        let mut path = Vec::new();
        for part in text.get_ref().split('/').filter(|part| !part.is_empty()) {
            path.push(
                match (part, hex::decode(part).ok().as_deref().map(Tag::parse)) {
                    ("*", _) => None,
                    (_, Some(Ok((tag, [])))) => Some(tag),
                    _ => {
                        return self.fault(
                            text.span(),
                            format!("\"{part}\" is not one BER-TLV tag"),
                            "a path of tags: 7F49/86; * is any object",
                        );
                    }
                },
            );
        }
        Ok(TakePath(path))
    }

    fn stage(
        &self,
        file: &Spanned<StageFile>,
        objects: &Objects,
        operations: &BTreeMap<Dialect, Vec<CommandTemplate>>,
    ) -> Checked<StageProfile> {
        let stage = file.get_ref();
        let exists = |kind: ObjectKind, name: &Text| match objects
            .contains_key(&(kind, name.get_ref().clone()))
        {
            true => Ok(()),
            false => self.fault(
                name.span(),
                format!("no {} is named \"{}\"", kind.word(), name.get_ref()),
                known(
                    objects
                        .keys()
                        .filter(|(found, _)| *found == kind)
                        .map(|(_, name)| name),
                ),
            ),
        };
        exists(ObjectKind::Application, &stage.select)?;
        if let Some(channel) = &stage.channel {
            exists(ObjectKind::KeySet, channel)?;
        }
        if stage.sealed && stage.channel.is_none() {
            return self.fault(
                file.span(),
                format!("stage \"{}\" is sealed, but opens no channel", stage.name),
                "name the key set: channel = \"issuer\"",
            );
        }
        let mut steps = Vec::new();
        for text in &stage.steps {
            let Some((verb, object)) = text.get_ref().split_once(' ') else {
                return self.fault(
                    text.span(),
                    format!("\"{}\" is not a verb and an object", text.get_ref()),
                    "for example \"write_file certificate\"",
                );
            };
            let Some(verb) = Verb::named(verb) else {
                let names: Vec<_> = Verb::ALL
                    .iter()
                    .map(|(_, name, ..)| name.to_string())
                    .collect();
                return self.fault(
                    text.span(),
                    format!("there is no verb \"{verb}\""),
                    known(names.iter()),
                );
            };
            exists(verb.object(), &Spanned::new(text.span(), object.to_owned()))?;
            for operation in verb.operations() {
                if !operations.contains_key(operation) {
                    return self.fault(text.span(), format!("{verb} needs the operation \"{operation}\", which this chip does not have"), format!("write [[operations.{operation}]]"));
                }
            }
            let sealable = matches!(verb, Verb::SetHolderPin | Verb::SetState);
            if (stage.sealed && !sealable) || (!stage.sealed && verb == Verb::SetHolderPin) {
                return self.fault(
                    text.span(),
                    format!(
                        "{verb} does not belong into {} stage",
                        if stage.sealed { "a sealed" } else { "an open" }
                    ),
                    "a sealed stage sets the holder's PINs or a state, and nothing else",
                );
            }
            let channel_fits = match verb {
                Verb::ReplaceKeys | Verb::SetHolderPin => stage.channel.is_some(),
                // INITIALIZE UPDATE would end an open channel.
                Verb::CheckRefused => stage.channel.is_none(),
                _ => true,
            };
            if !channel_fits {
                return self.fault(
                    text.span(),
                    format!(
                        "{verb} needs a stage {} a channel",
                        if verb == Verb::CheckRefused {
                            "without"
                        } else {
                            "with"
                        }
                    ),
                    "",
                );
            }
            steps.push((verb, object.to_owned()));
        }
        Ok(StageProfile {
            name: stage.name.clone(),
            select: stage.select.get_ref().clone(),
            channel: stage
                .channel
                .as_ref()
                .map(|channel| channel.get_ref().clone()),
            sealed: stage.sealed,
            steps,
        })
    }
}

fn known<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    if names.is_empty() {
        "there is none".to_owned()
    } else {
        format!("known are {}", names.join(", "))
    }
}
