//! From steps to commands: rendering what the dialect writes, a content part by part.

use std::collections::BTreeMap;

use card::{Command, Limits, Response, Status};
use zeroize::Zeroizing;

use crate::chip::{ChipProfile, Detail, Object};
use crate::command_template::CommandTemplate;
use crate::error::RenderError;
use crate::issuer_channel::Protection;
use crate::status_pattern::StatusPattern;
use crate::take::{Take, TakePath};
use crate::template::MAX_RENDERED;
use crate::value::{Nested, Scope, Value, Variables};
use crate::vocabulary::{Dialect, ObjectKind};

/// The most bytes that one file or data object holds.
pub const MAX_CONTENT: usize = MAX_RENDERED;

/// A command ready to be sent, and what to make of its answer.
#[derive(Debug)]
pub struct Rendered {
    /// The command, not yet protected.
    pub command: Command,
    /// The status words that mean success; none: any.
    pub expect: Vec<StatusPattern>,
    /// What to take out of the answer: name and place.
    pub take: Vec<(String, Take)>,
    /// Whether it carries a PIN or a key: whoever shows it hides its data.
    pub secret: bool,
}

impl Rendered {
    /// Makes a command that is no template's: success is 9000, and nothing is taken out.
    pub fn plain(command: Command) -> Self {
        Self {
            command,
            expect: vec![StatusPattern::OK],
            take: Vec::new(),
            secret: false,
        }
    }

    /// Makes a command whose answer is judged by whoever asked.
    pub fn asking(command: Command) -> Self {
        Self {
            expect: Vec::new(),
            ..Self::plain(command)
        }
    }

    /// Returns whether a status word means success.
    pub fn accepts(&self, status: Status) -> bool {
        self.expect.is_empty() || self.expect.iter().any(|pattern| pattern.matches(status))
    }

    /// Takes the results out of an answer.
    ///
    /// # Errors
    /// The name of the first that does not stand where the profile looks for it.
    pub fn results(&self, answer: &Response) -> Result<Taken, String> {
        let mut taken = Taken::new();
        for (name, take) in &self.take {
            let value = take.find(answer).ok_or_else(|| name.clone())?;
            taken.insert(name.clone(), value);
        }
        Ok(taken)
    }
}

/// What was taken out of the answers of one operation.
pub type Taken = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Extra variables of one operation.
pub(crate) struct Extra<'a>(pub(crate) &'a [(&'a str, Value)]);

impl Scope for Extra<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
    }
}

/// Where a part of a content stands in it.
struct PartPlace<'a> {
    offset: usize,
    block: u64,
    /// The size of file or data object, under its name.
    size: &'a (&'a str, Value),
    /// The whole content, where a command for the part names it.
    whole: Option<&'a Value>,
}

impl<'a> PartPlace<'a> {
    /// Returns the variables of the part.
    fn values(&self, chunk: &[u8]) -> Vec<(&'a str, Value)> {
        let mut values = vec![
            self.size.clone(),
            ("offset", Value::Number(self.offset as u64)),
            ("chunk", Value::bytes(chunk)),
            ("block", Value::Number(self.block)),
            ("record", Value::Number(self.block + 1)),
        ];
        values.extend(self.whole.map(|content| ("content", content.clone())));
        values
    }
}

/// Renders the commands of operations on one chip, in the clear or for a protected channel.
#[derive(Clone, Debug)]
pub struct Renderer<'a> {
    chip: &'a ChipProfile,
    limits: Limits,
    /// How many bytes one command reads.
    step: usize,
    protection: Option<Protection>,
}

impl<'a> Renderer<'a> {
    /// Makes a renderer for what chip and reader take; a secure channel's protection leaves room for
    /// its additions.
    pub fn new(chip: &'a ChipProfile, limits: &Limits, protection: Option<Protection>) -> Self {
        let mut limits = *limits;
        if let Some(Protection { mode, level }) = protection {
            limits.command = mode.command_capacity(level, limits.command);
            // A chain carries one protected command, not many: what is rendered fits into one.
            limits.chaining = false;
        }
        Self {
            chip,
            limits,
            step: match protection {
                Some(Protection { mode, level }) => mode.response_capacity(level, limits.response),
                None => limits.response,
            }
            .max(1),
            protection,
        }
    }

    /// Renders an operation on an object, with the variables of the operation.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn operation(
        &self,
        operation: Dialect,
        object: &Object,
        extra: &[(&str, Value)],
    ) -> Result<Vec<Rendered>, RenderError> {
        self.operation_in(operation, object, extra, &Variables::default())
    }

    /// Renders an operation that may use what is known of the chip.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn operation_in(
        &self,
        operation: Dialect,
        object: &Object,
        extra: &[(&str, Value)],
        known: &Variables,
    ) -> Result<Vec<Rendered>, RenderError> {
        self.chip
            .commands(operation, object)
            .into_iter()
            .map(|command| self.render(operation, command, object, extra, known))
            .collect()
    }

    /// Renders those commands of `open_channel` that come before the proof, or those that bring
    /// it. `known` has what was taken before, and the proof.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn open_channel(
        &self,
        key_set: &Object,
        has_proof: bool,
        known: &Variables,
    ) -> Result<Vec<Rendered>, RenderError> {
        let operation = Dialect::OpenChannel;
        let (before, after) = self.chip.opening(key_set);
        let wanted = if has_proof { after } else { before };
        wanted
            .into_iter()
            .map(|command| self.render(operation, command, key_set, &[], known))
            .collect()
    }

    fn render(
        &self,
        operation: Dialect,
        command: &CommandTemplate,
        object: &Object,
        extra: &[(&str, Value)],
        known: &Variables,
    ) -> Result<Rendered, RenderError> {
        let extra = Extra(extra);
        let of_object = Nested(&extra, object);
        let mut rendered = command.render(&Nested(&of_object, known), &self.limits)?;
        rendered.secret = self.chip.is_secret(operation, command, object);
        if let Detail::Pin(rules) = &object.detail {
            for (_, take) in &mut rendered.take {
                if let TakePath::TriesLeft { full } = &mut take.path {
                    *full = Some(rules.tries);
                }
            }
        }
        // Asks for an answer where the chip has nothing to say but its R-MAC: without Le a chip
        // has to announce it by 61xx, and each command costs a GET RESPONSE more.
        let mut protection = self.protection.iter();
        let needs_le = protection.any(|protection| protection.level.has_rmac());
        if needs_le && rendered.command.le().is_none() {
            rendered.command = self.limits.lower_le(rendered.command.with_le(256));
        }
        Ok(rendered)
    }

    /// Renders the making and writing of a file, or the putting of a data object.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn write(
        &self,
        object: &Object,
        content: &[u8],
        known: &Variables,
    ) -> Result<Vec<Rendered>, RenderError> {
        let (operation, size_name) = match object.detail {
            Detail::Data { .. } => (Dialect::PutData, "data.size"),
            _ => (Dialect::WriteFile, "file.size"),
        };
        let size = match object.detail {
            Detail::File {
                size: Some(size), ..
            } if content.len() > size => {
                return Err(RenderError::TooLarge {
                    length: content.len(),
                    size,
                });
            }
            Detail::File {
                size: Some(size), ..
            } => size,
            _ => content.len(),
        };
        let size = (size_name, Value::Number(size as u64));
        let mut rendered = Vec::new();
        if operation == Dialect::WriteFile {
            rendered = self.operation_in(
                Dialect::CreateFile,
                object,
                std::slice::from_ref(&size),
                known,
            )?;
        }
        let commands = self.chip.commands(operation, object);
        // Commands that are repeated stand together: each part goes through all of them.
        for run in commands.chunk_by(|a, b| a.is_repeated() == b.is_repeated()) {
            if run.iter().all(|command| !command.is_repeated()) {
                let values = [size.clone(), ("content", Value::bytes(content))];
                for command in run {
                    rendered.push(self.render(operation, command, object, &values, known)?);
                }
                continue;
            }
            let names = |name: &str| run.iter().any(|command| command.mentions(name));
            let whole = names("content").then(|| Value::bytes(content));
            let writes = names("chunk");
            let (mut offset, mut block) = (0, 0u64);
            while offset < content.len() || block == 0 {
                let rest = content.get(offset..).unwrap_or_default();
                let place = PartPlace {
                    offset,
                    block,
                    size: &size,
                    whole: whole.as_ref(),
                };
                let part = self.part(run, object, rest, &place, known)?;
                let is_last = offset + part == content.len();
                let values = place.values(rest.get(..part).unwrap_or_default());
                let mut is_written = !writes;
                for command in run.iter().filter(|command| command.is_for(offset, is_last)) {
                    rendered.push(self.render(operation, command, object, &values, known)?);
                    is_written |= command.mentions("chunk");
                }
                if !is_written {
                    return Err(RenderError::NoCommand { offset });
                }
                if part == 0 {
                    break;
                }
                offset += part;
                block += 1;
            }
        }
        Ok(rendered)
    }

    /// Returns how many bytes of `rest` fit into each of the commands for this part.
    fn part(
        &self,
        run: &[&CommandTemplate],
        object: &Object,
        rest: &[u8],
        place: &PartPlace<'_>,
        known: &Variables,
    ) -> Result<usize, RenderError> {
        let mut part = rest.len();
        for command in run {
            // Which are for the last part is known only when the part is: room for either.
            if !(command.is_for(place.offset, false) || command.is_for(place.offset, true)) {
                continue;
            }
            let most = self
                .limits
                .command
                .min(command.turn.chunk.unwrap_or(usize::MAX));
            part = part.min(most);
            let Some(data) = &command.data else { continue };
            let length = |part: usize| {
                let values = place.values(rest.get(..part).unwrap_or_default());
                let data = data.render(&Nested(&Nested(&Extra(&values), object), known))?;
                Ok(data.len())
            };
            let limit = self.limits.command;
            if length(part)? <= limit {
                continue;
            }
            // What stands around the chunk grows with it: the longest that fits is between
            // nothing and what does not.
            let (mut fits, mut over) = (0, part);
            while over - fits > 1 {
                let half = fits + (over - fits) / 2;
                match length(half)? <= limit {
                    true => fits = half,
                    false => over = half,
                }
            }
            part = fits;
            if part == 0 {
                return Err(RenderError::TooLong {
                    length: length(over)?,
                    limit,
                });
            }
        }
        Ok(part)
    }

    /// Renders the reading of `length` bytes of a file or data object. What the commands'
    /// `content` takes, one after another, is the content; else the answers' data.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn read(
        &self,
        object: &Object,
        length: usize,
        known: &Variables,
    ) -> Result<Vec<Rendered>, RenderError> {
        let (operation, size_name) = match object.detail {
            Detail::Data { .. } => (Dialect::GetData, "data.size"),
            _ => (Dialect::ReadFile, "file.size"),
        };
        let size = (size_name, Value::Number(length as u64));
        let mut rendered = Vec::new();
        if operation == Dialect::ReadFile {
            rendered = self.operation_in(Dialect::SelectFile, object, &[], known)?;
        }
        let commands = self.chip.commands(operation, object);
        for run in commands.chunk_by(|a, b| a.is_repeated() == b.is_repeated()) {
            if run.iter().all(|command| !command.is_repeated()) {
                for command in run {
                    let size = std::slice::from_ref(&size);
                    rendered.push(self.render(operation, command, object, size, known)?);
                }
                continue;
            }
            let (mut offset, mut block) = (0, 0u64);
            while offset < length {
                let most = run.iter().filter_map(|command| command.turn.chunk).min();
                let step = self.reading_step().min(most.unwrap_or(usize::MAX)).max(1);
                let part = (length - offset).min(step);
                let values = [
                    size.clone(),
                    ("offset", Value::Number(offset as u64)),
                    ("length", Value::Number(part as u64)),
                    ("block", Value::Number(block)),
                    ("record", Value::Number(block + 1)),
                ];
                let is_last = offset + part == length;
                let before = rendered.len();
                for command in run.iter().filter(|command| command.is_for(offset, is_last)) {
                    rendered.push(self.render(operation, command, object, &values, known)?);
                }
                if rendered.len() == before {
                    return Err(RenderError::NoCommand { offset });
                }
                offset += part;
                block += 1;
            }
        }
        Ok(rendered)
    }

    /// Renders the reading of up to `step` bytes from `offset` on, of an object whose length is
    /// not known; or of the whole object, where the chip reads no parts of it.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn read_from(
        &self,
        object: &Object,
        offset: usize,
        step: usize,
        known: &Variables,
    ) -> Result<Vec<Rendered>, RenderError> {
        let operation = match object.detail {
            Detail::Data { .. } => Dialect::GetData,
            _ => Dialect::ReadFile,
        };
        let block = (offset / step.max(1)) as u64;
        let values = [
            ("offset", Value::Number(offset as u64)),
            ("length", Value::Number(step as u64)),
            ("block", Value::Number(block)),
            ("record", Value::Number(block + 1)),
        ];
        self.chip
            .commands(operation, object)
            .into_iter()
            .filter(|command| !command.is_repeated() || command.is_for(offset, false))
            .map(|command| self.render(operation, command, object, &values, known))
            .collect()
    }

    /// Returns how many bytes one command reads.
    pub fn reading_step(&self) -> usize {
        self.step
    }
}

/// Returns what a file or data object holds.
///
/// # Errors
/// [`RenderError::Unset`] while something that it holds is not known.
pub fn content(
    chip: &ChipProfile,
    object: &Object,
    variables: &Variables,
) -> Result<Zeroizing<Vec<u8>>, RenderError> {
    let Some(content) = object.detail.content() else {
        return Ok(Zeroizing::new(Vec::new()));
    };
    content.render(&Nested(variables, &References(chip)))
}

/// `key.NAME.reference` (`.oid`, `.bits`) and `pin.NAME.reference`, which the profile itself knows.
struct References<'a>(&'a ChipProfile);

impl Scope for References<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let (kind, rest) = name.split_once('.')?;
        let (name, part) = rest.rsplit_once('.')?;
        let kind = match (kind, part) {
            ("key", "reference" | "oid" | "bits") => ObjectKind::Key,
            ("pin", "reference") => ObjectKind::Pin,
            _ => return None,
        };
        self.0
            .object(kind, name)?
            .value(&format!("{}.{part}", kind.word()))
    }
}
