//! One command of an operation as the profile writes it: its templates, and the parts that it is
//! for.

use card::{Command, Limits};

use crate::chip::Object;
use crate::command::{MAX_CONTENT, Rendered};
use crate::error::RenderError;
use crate::sort::Sort;
use crate::status_pattern::StatusPattern;
use crate::take::Take;
use crate::template::Template;
use crate::value::{Scope, Value};
use crate::vocabulary::Dialect;

/// What only a command for a part of a content names.
const PARTS: [&str; 5] = ["chunk", "length", "offset", "block", "record"];

/// One command of an operation, as a template.
#[derive(Clone, Debug)]
pub struct CommandTemplate {
    /// The variants of the objects that it is for; none: all.
    pub(crate) variants: Vec<String>,
    pub(crate) turn: Turn,
    pub(crate) header: Template,
    pub(crate) data: Option<Template>,
    pub(crate) le: Option<ExpectedLength>,
    /// The status words that mean success.
    pub(crate) expect: Vec<StatusPattern>,
    pub(crate) take: Vec<(String, Take)>,
}

impl CommandTemplate {
    /// Renders the command; what it carries must fit into one command, or a chain of them.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(&self, scope: &dyn Scope, limits: &Limits) -> Result<Rendered, RenderError> {
        let limit = match limits.chaining {
            true => MAX_CONTENT,
            false => limits.command,
        };
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
            let le = match le {
                ExpectedLength::Fixed(le) => *le,
                ExpectedLength::Most => u32::try_from(limits.response).unwrap_or(u32::MAX),
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
            };
            command = command.with_le(le);
        }
        Ok(Rendered {
            // Before any protection, which covers the form of the length fields.
            command: limits.lower_le(command),
            expect: self.expect.clone(),
            take: self.take.clone(),
            secret: false,
        })
    }

    /// Returns whether it is repeated for each part of a content: it names a part, or its place.
    pub(crate) fn is_repeated(&self) -> bool {
        PARTS.iter().any(|name| self.mentions(name))
    }

    /// Returns whether it is for the part at `offset`.
    pub(crate) fn is_for(&self, offset: usize, is_last: bool) -> bool {
        let place = match self.turn.when {
            None => true,
            Some(When::First) => offset == 0,
            Some(When::More) => !is_last,
            Some(When::Last) => is_last,
        };
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        place
            && self.turn.from.is_none_or(|from| offset >= from)
            && self.turn.until.is_none_or(|until| offset < until)
    }

    /// Returns whether it is one of the commands for an object.
    pub(crate) fn is_for_object(&self, object: &Object) -> bool {
        let variant = object.variant.as_ref();
        self.variants.is_empty() || variant.is_some_and(|variant| self.variants.contains(variant))
    }

    /// Returns every variable that its header, data or length names.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for template in [Some(&self.header), self.data.as_ref()]
            .into_iter()
            .flatten()
        {
            names.extend(template.variables().into_iter().map(|(name, _)| name));
        }
        if let Some(ExpectedLength::Variable(name)) = &self.le {
            names.push(name);
        }
        names
    }

    /// Returns why the command cannot be rendered for an object, whatever else is known then.
    pub(crate) fn failing(&self, operation: Dialect, object: &Object) -> Option<String> {
        let own = OwnValues(operation, object);
        let sort = |name: &str| {
            let value = own.value(name);
            value.map_or_else(|| Sort::of(name), |value| Sort::of_value(&value))
        };
        let length = match &self.le {
            Some(ExpectedLength::Variable(name)) if sort(name) != Sort::Number => {
                Some(format!("the expected length \"{name}\" is not a number"))
            }
            _ => None,
        };
        let mut templates = [Some(&self.header), self.data.as_ref()]
            .into_iter()
            .flatten();
        let told = templates.find_map(|template| {
            let misuse = template.misuse(&sort).map(|misuse| misuse.fault);
            misuse.or_else(|| template.failing(&own).map(|(_, error)| error.to_string()))
        });
        told.or(length)
    }

    /// Returns the fewest bytes of data that it renders, whatever the values.
    pub(crate) fn least_data(&self) -> usize {
        self.data.as_ref().map_or(0, Template::least_length)
    }

    /// Returns whether its header, data or length names this variable.
    pub fn mentions(&self, variable: &str) -> bool {
        self.header.mentions(variable)
            || self
                .data
                .as_ref()
                .is_some_and(|data| data.mentions(variable))
            || self.le == Some(ExpectedLength::Variable(variable.to_owned()))
    }
}

/// What an object gives to an operation's templates beside the operation's own variables.
struct OwnValues<'a>(Dialect, &'a Object);

impl Scope for OwnValues<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let is_operations = self.0.variables().contains(&name);
        self.1.value(name).filter(|_| !is_operations)
    }
}

/// Which of the repetitions of a command it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub when: Option<When>,
    /// Only from this offset on.
    pub from: Option<u32>,
    /// Only below this offset.
    pub until: Option<u32>,
    /// The most bytes of content in one.
    pub chunk: Option<usize>,
}

/// Which of the repetitions, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    First,
    More,
    Last,
}

/// How many bytes a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExpectedLength {
    /// Always as many.
    Fixed(u32),
    /// As many as chip and reader give.
    Most,
    /// As many as a variable says.
    Variable(String),
}
