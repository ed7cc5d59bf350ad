//! Loading a chip profile proves it: every name resolves, every template uses only what its
//! operation knows, every step has the operations that it needs, and nothing is longer than the
//! chip takes.

mod again;
mod channel;
mod commands;
mod fits;
mod key_sets;
mod left_open;
mod new_pins;
mod objects;
mod operations;
mod order;
mod parts;
mod pins;
mod sealed;
mod stages;
mod steps;
mod unused;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use card::{Limits, Status};
use serde::Deserialize;

use self::objects::ObjectLoader;
use crate::chip::{AtrPattern, ChipProfile, Expectation, Identify, Interface, Timing};
use crate::chip_file::{ChipFile, IdentifyFile, InterfaceName, OneOrMore, Text, TimingFile};
use crate::error::{ProfileError, nearest};
use crate::placed::Placed;
use crate::sort::Sort;
use crate::source::{Shelf, Sources};
use crate::template::Template;
use crate::value::Variables;

/// The format of chip profiles that this program reads.
const FORMAT: u32 = 1;

/// The longest that one thing takes on a chip, in milliseconds: ten minutes.
const MAX_TIME: f64 = 600_000.0;

/// What identification may use before its first command.
const NOTHING_YET: &str = "only what earlier commands of the identification took is known yet";

impl ChipProfile {
    /// Loads and proves the chip profile `name` of a shelf, with all that it extends.
    ///
    /// # Errors
    /// The first fault, with file, line, column and a hint.
    pub fn load(shelf: &Shelf, name: &str) -> Result<Self, ProfileError> {
        let (sources, table) = Sources::parse(shelf, name)?;
        let file = ChipFile::deserialize(toml::Deserializer::from(table))
            .map_err(|error| sources.unreadable(&error))?;
        Loader { sources }.chip(file)
    }
}

pub(crate) type Checked<T> = Result<T, ProfileError>;

pub(crate) struct Loader<'a> {
    pub(crate) sources: Sources<'a>,
}

impl Loader<'_> {
    #[cfg_attr(test, track_caller)]
    pub(crate) fn fault<T>(
        &self,
        span: Range<usize>,
        fault: impl Into<String>,
        hint: impl AsRef<str>,
    ) -> Checked<T> {
        Err(self.sources.error(span, fault.into(), hint.as_ref()))
    }

    /// Says that a name is not known, and which was probably meant.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn unknown<'n, T>(
        &self,
        span: Range<usize>,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) -> Checked<T> {
        self.fault(span, format!("{what} \"{name}\""), nearest(name, known))
    }

    /// Parses a template; its faults are placed inside the string that holds it.
    pub(crate) fn template(&self, text: &str, span: Range<usize>) -> Checked<Template> {
        let template = Template::parse(text).or_else(|fault| {
            let start = self.sources.inside(span.clone()) + fault.span.start;
            self.fault(start..start, fault.fault, fault.hint)
        })?;
        match template.failing(&Variables::default()) {
            None => Ok(template),
            Some((found, error)) => {
                let start = self.sources.inside(span) + found.start;
                self.fault(
                    start..start,
                    format!("this call always fails: {error}"),
                    "its arguments are all written here: change them",
                )
            }
        }
    }

    /// Parses a template and checks that it names only `known` variables, each where its sort
    /// belongs.
    fn template_of(
        &self,
        text: &Text,
        known: &dyn Fn(&str) -> Option<Sort>,
        hint: &str,
    ) -> Checked<Template> {
        let template = self.template(text.get_ref(), text.span())?;
        for (name, span) in template.variables() {
            if known(name).is_none() {
                let start = self.sources.inside(text.span()) + span.start;
                return self.fault(
                    start..start,
                    format!("variable \"{name}\" is not known here"),
                    hint,
                );
            }
        }
        match template.misuse(&|name| known(name).unwrap_or(Sort::Any)) {
            None => Ok(template),
            Some(misuse) => {
                let start = self.sources.inside(text.span()) + misuse.span.start;
                self.fault(start..start, misuse.fault, misuse.hint)
            }
        }
    }

    pub(crate) fn hexadecimal(&self, text: &Text) -> Checked<Vec<u8>> {
        let written: String = text.get_ref().split_whitespace().collect();
        match hex::decode(written) {
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
            _ => self.fault(
                text.span(),
                "a status word has four hexadecimal digits",
                "for example \"6A82\"",
            ),
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
        let (identify, taken) = self.identify(&file.identify)?;
        let channel = self.channel(&file)?;
        self.channel_leaves_room(&file.limits, &channel)?;
        let objects = ObjectLoader::load(self, &file, &channel, &taken)?;
        self.global_pins_are_apart(&file)?;
        let operations = self.operations(&file, &objects, &taken)?;
        self.commands_fit(&file, &limits, &identify.commands, |operation| {
            operations.get(&operation).cloned().unwrap_or_default()
        })?;
        let mut status = BTreeMap::new();
        for (word, meaning) in &file.status {
            status.insert(self.status(word)?.value(), meaning.clone());
        }
        let timing = self.timing(&file.timing)?;
        let mut profile = ChipProfile {
            name: file.name.get_ref().clone(),
            title: file.title.clone(),
            digest: self.sources.digest(),
            ancestors: self.sources.ancestors(),
            interface: match file.interface.get_ref() {
                InterfaceName::Contact => Interface::Contact,
                InterfaceName::Contactless => Interface::Contactless,
            },
            identify,
            limits,
            channel,
            status,
            timing,
            objects,
            operations,
            again: BTreeMap::new(),
            stages: Vec::new(),
            warnings: Vec::new(),
        };
        profile.again = self.again(&file, &profile)?;
        profile.stages = self.stages(&file, &profile)?;
        for stage in &file.stages {
            self.sealing_is_tight(stage, &file, &profile)?;
        }
        self.versions_tell_sets_apart(&file, &profile)?;
        self.sources.named(&file.name)?;
        profile.warnings = self.unused(&file, &profile);
        profile.warnings.extend(self.left_open(&file, &profile));
        Ok(profile)
    }

    fn limits(&self, file: &ChipFile) -> Checked<Limits> {
        let limits = &file.limits;
        let most = match limits.extended {
            true => (0xFFFF, 0x1_0000, "extended"),
            false => (255, 256, "short"),
        };
        for (value, most, form) in [
            (&limits.command, most.0, most.2),
            (&limits.response, most.1, most.2),
        ] {
            if !(16..=most).contains(value.get_ref()) {
                return self.fault(
                    value.span(),
                    format!("{} is not a length of a {form} command", value.get_ref()),
                    format!("from 16 to {most}; beyond 256 needs extended = true"),
                );
            }
        }
        // Longer data would go as one extended command, which the chip was not said to take.
        if limits.extended && limits.chaining && *limits.command.get_ref() <= 255 {
            return self.fault(
                limits.command.span(),
                format!(
                    "chains of {} bytes, on a chip that takes extended length",
                    limits.command.get_ref()
                ),
                "say what one extended command takes, or leave \"chaining\" or \"extended\" out",
            );
        }
        Ok(Limits {
            command: *limits.command.get_ref(),
            response: *limits.response.get_ref(),
            extended: limits.extended,
            chaining: limits.chaining,
            ..Limits::default()
        })
    }

    /// Reads the identification, and which names its commands take.
    fn identify(&self, file: &IdentifyFile) -> Checked<(Identify, BTreeSet<String>)> {
        let mut atr = Vec::new();
        for text in &file.atr {
            atr.push(self.atr(text)?);
        }
        let mut taken = BTreeSet::new();
        let mut commands = Vec::new();
        for command in &file.commands {
            let known = |name: &str| taken.contains(name).then_some(Sort::Bytes);
            commands.push(self.command(command, &known, NOTHING_YET)?);
            for name in command.take.keys() {
                let reserved = ["chip.serial", "chip.os"].contains(&name.get_ref().as_str());
                if !name.get_ref().starts_with("chip.") || reserved {
                    return self.fault(
                        name.span(),
                        format!("\"{}\" is not a name to take", name.get_ref()),
                        "identification takes chip.…, but chip.serial and chip.os are computed by \"serial\" and \"os\"",
                    );
                }
                taken.insert(name.get_ref().clone());
            }
        }
        let from_taken = |text: &Text| {
            self.template_of(
                text,
                &|name| taken.contains(name).then_some(Sort::Bytes),
                "use what the identification's commands take",
            )
        };
        let mut expect = Vec::new();
        for expectation in &file.expect {
            expect.push(Expectation {
                what: expectation.what.clone(),
                value: from_taken(&expectation.value)?,
                equals: self.right_values(&expectation.equals)?,
            });
        }
        let identify = Identify {
            atr,
            commands,
            expect,
            serial: file.serial.as_ref().map(from_taken).transpose()?,
            os: file.os.as_ref().map(from_taken).transpose()?,
        };
        Ok((identify, taken))
    }

    fn right_values(&self, equals: &Placed<OneOrMore>) -> Checked<Vec<Vec<u8>>> {
        let texts = equals.get_ref().texts();
        if texts.is_empty() {
            return self.fault(
                equals.span(),
                "no value would be right",
                "write the bytes that must come out, or a list of them",
            );
        }
        let read = |text: &String| self.hexadecimal(&Placed::new(equals.span(), text.clone()));
        texts.iter().map(read).collect()
    }

    fn atr(&self, text: &Text) -> Checked<AtrPattern> {
        let written: Vec<char> = text
            .get_ref()
            .split_whitespace()
            .flat_map(str::chars)
            .collect();
        let byte = |pair: &[char]| match pair {
            ['X', 'X'] => Some(None),
            [high, low] => {
                let digits = (high.to_digit(16)?, low.to_digit(16)?);
                u8::try_from(digits.0 << 4 | digits.1).ok().map(Some)
            }
            _ => None,
        };
        match written.chunks(2).map(byte).collect::<Option<Vec<_>>>() {
            // ISO/IEC 7816-3 §8.1: TS, and at most 32 characters behind it.
            Some(bytes) if (2..=33).contains(&bytes.len()) => Ok(AtrPattern(bytes)),
            _ => self.fault(
                text.span(),
                format!("\"{}\" is not an answer to reset", text.get_ref()),
                "2 to 33 bytes of hexadecimal; XX is any byte",
            ),
        }
    }

    fn timing(&self, file: &TimingFile) -> Checked<Timing> {
        let mut generate = BTreeMap::new();
        for (name, time) in &file.generate {
            generate.insert(self.algorithm(name)?.name(), self.milliseconds(time)?);
        }
        Ok(Timing {
            command: self.milliseconds(&file.command)?,
            byte: self.milliseconds(&file.byte)?,
            written: self.milliseconds(&file.written)?,
            sign: self.milliseconds(&file.sign)?,
            generate,
        })
    }

    fn milliseconds(&self, time: &Placed<f64>) -> Checked<f64> {
        // What is no number is in no range.
        match (0.0..=MAX_TIME).contains(time.get_ref()) {
            true => Ok(*time.get_ref()),
            false => self.fault(
                time.span(),
                format!("{} milliseconds", time.get_ref()),
                format!("from 0 to {MAX_TIME}"),
            ),
        }
    }
}
