//! One command of an operation: header, data, length, status words, results.

use std::collections::BTreeSet;

use card::tlv::Tag;

use super::{Checked, Loader};
use crate::chip_file::{CommandFile, LeFile, TakeFile, Text, WhenName};
use crate::command_template::{CommandTemplate, ExpectedLength, Turn, When};
use crate::placed::Placed;
use crate::sort::Sort;
use crate::status_pattern::StatusPattern;
use crate::take::{Take, TakePath, TakeTag};

/// The word for as many bytes as chip and reader give.
const MOST: &str = "most";

impl Loader<'_> {
    pub(super) fn command(
        &self,
        file: &CommandFile,
        known: &dyn Fn(&str) -> Option<Sort>,
        hint: &str,
    ) -> Checked<CommandTemplate> {
        let mut expect = Vec::new();
        for word in &file.expect {
            expect.push(self.status_pattern(word)?);
        }
        if expect.is_empty() {
            expect.push(StatusPattern::OK);
        }
        let mut take = Vec::new();
        for (name, place) in &file.take {
            take.push((name.get_ref().clone(), self.take(place)?));
        }
        let command = CommandTemplate {
            variants: file
                .variants
                .as_ref()
                .map(|variants| variants.get_ref().texts().to_vec())
                .unwrap_or_default(),
            turn: Turn {
                when: file.when.as_ref().map(|when| match when.get_ref() {
                    WhenName::First => When::First,
                    WhenName::More => When::More,
                    WhenName::Last => When::Last,
                }),
                from: file.from.as_ref().map(|from| *from.get_ref()),
                until: file.until.as_ref().map(|until| *until.get_ref()),
                chunk: file.chunk.as_ref().map(|chunk| *chunk.get_ref()),
            },
            header: self.template_of(&file.header, known, hint)?,
            data: file
                .data
                .as_ref()
                .map(|data| self.template_of(data, known, hint))
                .transpose()?,
            le: self.expected_length(file.le.as_ref(), known)?,
            expect,
            take,
        };
        self.header_is_whole(&file.header, &command)?;
        self.turn_is_for_repetitions(file, &command)?;
        Ok(command)
    }

    /// A header of nothing but literal bytes and numbers is known now: four bytes.
    fn header_is_whole(&self, text: &Text, command: &CommandTemplate) -> Checked<()> {
        let Some(length) = command.header.fixed_length() else {
            return Ok(());
        };
        match length {
            4 => Ok(()),
            _ => self.fault(
                text.span(),
                format!("a header has four bytes, this one has {length}"),
                "CLA INS P1 P2; the length and the data are written apart",
            ),
        }
    }

    fn turn_is_for_repetitions(
        &self,
        file: &CommandFile,
        command: &CommandTemplate,
    ) -> Checked<()> {
        if command.is_repeated() {
            let Some(chunk) = file.chunk.as_ref().filter(|chunk| *chunk.get_ref() == 0) else {
                return Ok(());
            };
            return self.fault(
                chunk.span(),
                "a chunk has at least one byte",
                "leave \"chunk\" out for as many as fit",
            );
        }
        let spans = [
            file.when.as_ref().map(Placed::span),
            file.from.as_ref().map(Placed::span),
            file.until.as_ref().map(Placed::span),
            file.chunk.as_ref().map(Placed::span),
        ];
        match spans.into_iter().flatten().next() {
            Some(span) => self.fault(
                span,
                "this command is not repeated",
                "only one that names \"chunk\", \"length\", \"offset\", \"block\" or \"record\" is",
            ),
            None => Ok(()),
        }
    }

    fn expected_length(
        &self,
        le: Option<&Placed<LeFile>>,
        known: &dyn Fn(&str) -> Option<Sort>,
    ) -> Checked<Option<ExpectedLength>> {
        let Some(le) = le else {
            return Ok(None);
        };
        match le.get_ref() {
            LeFile::Number(number) if (1..=65_536).contains(number) => {
                Ok(Some(ExpectedLength::Fixed(*number)))
            }
            LeFile::Variable(word) if word == MOST => Ok(Some(ExpectedLength::Most)),
            LeFile::Variable(name) if matches!(known(name), Some(Sort::Number | Sort::Any)) => {
                Ok(Some(ExpectedLength::Variable(name.clone())))
            }
            LeFile::Variable(name) if known(name).is_some() => self.fault(
                le.span(),
                format!("an expected length is a number, \"{name}\" is not"),
                "a variable that holds a number, as \"length\"",
            ),
            _ => self.fault(
                le.span(),
                "this is not an expected length",
                "1 to 256, to 65536 with extended length, \"most\", or a variable",
            ),
        }
    }

    pub(super) fn status_pattern(&self, text: &Text) -> Checked<StatusPattern> {
        text.get_ref().parse().or_else(|_| {
            self.fault(
                text.span(),
                format!("\"{}\" is not a status word", text.get_ref()),
                "four hexadecimal digits, X for any: \"9000\", \"63CX\"",
            )
        })
    }

    fn take(&self, place: &Placed<TakeFile>) -> Checked<Take> {
        match place.get_ref() {
            TakeFile::Path(path) => Ok(Take {
                path: self.take_path(place, path)?,
                value: None,
            }),
            TakeFile::Template(file) => {
                let value = self.template(&file.value, place.span())?;
                let known: BTreeSet<&str> = BTreeSet::from(["found"]);
                if let Some((name, _)) = value
                    .variables()
                    .into_iter()
                    .find(|(name, _)| !known.contains(name))
                {
                    return self.fault(
                        place.span(),
                        format!("variable \"{name}\" is not known here"),
                        "a result is made of \"found\"",
                    );
                }
                Ok(Take {
                    path: self.take_path(place, &file.path)?,
                    value: Some(value),
                })
            }
        }
    }

    fn take_path(&self, place: &Placed<TakeFile>, path: &str) -> Checked<TakePath> {
        if path == "SW" {
            return Ok(TakePath::TriesLeft { full: None });
        }
        let mut tags = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let (word, index) = match part.split_once('[') {
                None => (part, Some(0)),
                Some((word, rest)) => {
                    let number = rest
                        .strip_suffix(']')
                        .and_then(|number| number.parse().ok());
                    (word, number.and_then(|number: usize| number.checked_sub(1)))
                }
            };
            let tag = match (word, hex::decode(word).ok().as_deref().map(Tag::parse)) {
                ("*", _) => Some(None),
                (_, Some(Ok((tag, [])))) => Some(Some(tag)),
                _ => None,
            };
            match (tag, index) {
                (Some(tag), Some(index)) => tags.push(TakeTag { tag, index }),
                _ => {
                    return self.fault(
                        place.span(),
                        format!("\"{part}\" is not one BER-TLV tag"),
                        "a path of tags: 7F49/86; * is any object, 02[2] the second with that tag, SW the status word",
                    );
                }
            }
        }
        Ok(TakePath::Tags(tags))
    }
}
