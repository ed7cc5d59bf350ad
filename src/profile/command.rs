//! From steps to commands: rendering what the dialect writes, with chunks and the change of
//! the current dedicated file.

use std::collections::BTreeMap;

use card::tlv;
use card::{Command, Status};
use zeroize::Zeroizing;

use crate::chip::{ChipProfile, CommandTemplate, Detail, ExpectedLength, Object, TakePath};
use crate::error::RenderError;
use crate::value::{Nested, Scope, Value, Variables};
use crate::vocabulary::{Dialect, ObjectKind};

/// A command ready to be sent, and what to make of its answer.
#[derive(Debug)]
pub struct Rendered {
    /// The command, not yet protected.
    pub command: Command,
    /// The status words that mean success.
    pub expect: Vec<Status>,
    /// What to take out of the answer: name and place.
    pub take: Vec<(String, TakePath)>,
}

impl TakePath {
    /// Finds the result in an answer, if it stands there.
    pub fn find<'a>(&self, answer: &'a [u8]) -> Option<&'a [u8]> {
        self.0.iter().try_fold(answer, |value, part| {
            tlv::parse_all(value)
                .ok()?
                .into_iter()
                .find(|object| part.is_none_or(|tag| tag == object.tag))
                .map(|object| object.value)
        })
    }
}

impl CommandTemplate {
    /// Renders the command. `limit` is how many bytes of data one command may carry.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(&self, scope: &dyn Scope, limit: usize) -> Result<Rendered, RenderError> {
        let header = self.header.render(scope)?;
        let header: [u8; 4] = header
            .as_slice()
            .try_into()
            .map_err(|_| RenderError::Header {
                length: header.len(),
            })?;
        let mut command = Command::from_header(header);
        if let Some(data) = &self.data {
            let data = data.render(scope)?;
            if data.len() > limit {
                return Err(RenderError::TooLong {
                    length: data.len(),
                    limit,
                });
            }
            command = command.with_data(data.to_vec());
        }
        if let Some(le) = &self.le {
            command = command.with_le(match le {
                ExpectedLength::Fixed(le) => *le,
                ExpectedLength::Variable(name) => match scope.value(name) {
                    Some(Value::Number(number)) => u32::try_from(number).unwrap_or(u32::MAX),
                    Some(_) => {
                        return Err(RenderError::Kind {
                            name: name.clone(),
                            found: "not a number",
                            needed: "a number",
                        });
                    }
                    None => return Err(RenderError::Unset { name: name.clone() }),
                },
            });
        }
        Ok(Rendered {
            command,
            expect: self.expect.clone(),
            take: self.take.clone(),
        })
    }
}

/// Extra variables of one operation.
struct Extra<'a>(&'a [(&'a str, Value)]);

impl Scope for Extra<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
    }
}

/// Renders the commands of operations on one chip, in the clear or for a protected channel.
#[derive(Clone, Debug)]
pub struct Renderer<'a> {
    chip: &'a ChipProfile,
    protected: bool,
}

impl<'a> Renderer<'a> {
    /// Makes a renderer; `protected` leaves room for the secure channel's additions.
    pub fn new(chip: &'a ChipProfile, protected: bool) -> Self {
        Self { chip, protected }
    }

    fn limit(&self) -> usize {
        let limit = self.chip.limits.command;
        if self.protected {
            self.chip.channel.level.command_capacity(limit)
        } else {
            limit
        }
    }

    /// Renders an operation on an object.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn operation(
        &self,
        operation: Dialect,
        object: &Object,
        extra: &[(&str, Value)],
    ) -> Result<Vec<Rendered>, RenderError> {
        let extra = Extra(extra);
        let scope = Nested(&extra, object);
        self.chip
            .commands(operation, object)
            .into_iter()
            .map(|command| {
                let rendered = command.render(&scope, self.limit())?;
                Ok(self.expecting_mac(rendered))
            })
            .collect()
    }

    /// Asks for an answer where the chip has nothing to say but its R-MAC: without Le a chip
    /// has to announce it by 61xx, and each command costs a GET RESPONSE more.
    fn expecting_mac(&self, rendered: Rendered) -> Rendered {
        if self.protected && self.chip.channel.level.has_rmac() && rendered.command.le().is_none() {
            Rendered {
                command: rendered.command.with_le(256),
                ..rendered
            }
        } else {
            rendered
        }
    }

    /// Renders the creation of a file and the writing of its content.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn write_file(
        &self,
        object: &Object,
        content: &[u8],
    ) -> Result<Vec<Rendered>, RenderError> {
        let mut commands = self.operation(
            Dialect::CreateFile,
            object,
            &[("file.size", Value::Number(content.len() as u64))],
        )?;
        let mut offset = 0;
        for chunk in content.chunks(self.limit().max(1)) {
            let values = [
                ("offset", Value::Number(offset as u64)),
                ("chunk", Value::bytes(chunk)),
            ];
            commands.extend(self.operation(Dialect::WriteFile, object, &values)?);
            offset += chunk.len();
        }
        Ok(commands)
    }

    /// Renders the selection of a file and the reading of `length` bytes. The answers' data,
    /// one after another, are the content.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn read_file(&self, object: &Object, length: usize) -> Result<Vec<Rendered>, RenderError> {
        let mut commands = self.operation(Dialect::SelectFile, object, &[])?;
        let response = self.chip.limits.response;
        let step = if self.protected {
            self.chip.channel.level.response_capacity(response)
        } else {
            response
        }
        .max(1);
        let mut offset = 0;
        while offset < length {
            let wanted = (length - offset).min(step);
            let values = [
                ("offset", Value::Number(offset as u64)),
                ("length", Value::Number(wanted as u64)),
            ];
            commands.extend(self.operation(Dialect::ReadFile, object, &values)?);
            offset += wanted;
        }
        Ok(commands)
    }
}

/// Which dedicated file is current, so that it is entered only when it must be.
#[derive(Clone, Debug, Default)]
pub struct Position {
    selected: Option<String>,
    current: Option<String>,
}

impl Position {
    /// Returns whether `application` is the selected one, with its root current.
    pub fn is_selected(&self, application: &str) -> bool {
        self.selected.as_deref() == Some(application)
            && self.current.as_deref() == Some(application)
    }

    /// Notes that `application` was selected by its identifier.
    pub fn selected(&mut self, application: &str) {
        self.selected = Some(application.to_owned());
        self.current = Some(application.to_owned());
    }

    /// Notes that a dedicated file has become current.
    pub fn entered(&mut self, application: &str) {
        self.current = Some(application.to_owned());
    }

    /// Notes that nothing is known any more: after a reset.
    pub fn lost(&mut self) {
        *self = Self::default();
    }

    /// Returns the application that must be entered before an operation on `object`, if any.
    pub fn enters<'c>(
        &self,
        chip: &'c ChipProfile,
        operation: Dialect,
        object: &Object,
    ) -> Option<&'c Object> {
        let home = match &object.detail {
            // A new dedicated file is made inside the one that holds it.
            Detail::Application { within } if operation == Dialect::Install => within.as_ref()?,
            Detail::Pin(rules) if rules.global && operation != Dialect::CreatePin => return None,
            Detail::KeySet | Detail::State => return None,
            _ => &object.application,
        };
        if self.current.as_deref() == Some(home) {
            return None;
        }
        chip.object(ObjectKind::Application, home)
    }
}

/// Returns a file's content.
///
/// # Errors
/// [`RenderError::Unset`] while something that it holds is not known.
pub fn file_content(
    chip: &ChipProfile,
    file: &Object,
    variables: &Variables,
) -> Result<Zeroizing<Vec<u8>>, RenderError> {
    let Detail::File { content } = &file.detail else {
        return Ok(Zeroizing::new(Vec::new()));
    };
    content.render(&Nested(variables, &KeyReferences(chip)))
}

/// `key.NAME.reference`, which the profile itself knows.
struct KeyReferences<'a>(&'a ChipProfile);

impl Scope for KeyReferences<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let key = name.strip_prefix("key.")?.strip_suffix(".reference")?;
        self.0.object(ObjectKind::Key, key)?.value("key.reference")
    }
}

/// Returns a PIN value as its field stands in a command: ASCII digits, filled to its length.
///
/// # Errors
/// [`RenderError::Function`] when the value is longer than the field.
pub fn pin_field(object: &Object, digits: &[u8]) -> Result<Value, RenderError> {
    let Detail::Pin(rules) = object.detail else {
        return Err(RenderError::Unset {
            name: "pin.value".into(),
        });
    };
    let mut field = Zeroizing::new(vec![rules.fill; usize::from(rules.stored)]);
    match field.get_mut(..digits.len()) {
        Some(place) => place.copy_from_slice(digits),
        None => {
            return Err(RenderError::Function {
                function: "pin",
                fault: format!("the value is longer than {} digits", rules.stored),
            });
        }
    }
    Ok(Value::Bytes(field))
}

/// What was taken out of the answers of one operation.
pub type Taken = BTreeMap<String, Zeroizing<Vec<u8>>>;
