//! Results that are taken out of a chip's answers.

use card::tlv::{self, Tag};
use card::{Response, Status};
use zeroize::Zeroizing;

use crate::command::Extra;
use crate::template::Template;
use crate::value::Value;

/// A result that is taken out of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    pub(crate) path: TakePath,
    pub(crate) value: Option<Template>,
}

impl Take {
    /// Returns whether it is the whole of the answer.
    pub(crate) fn is_whole(&self) -> bool {
        self.value.is_none() && matches!(&self.path, TakePath::Tags(tags) if tags.is_empty())
    }
}

/// Where in an answer a result stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TakePath {
    /// Under a path of tags; an empty path is the whole answer.
    Tags(Vec<TakeTag>),
    /// The tries that a status word says are left.
    TriesLeft {
        /// How many the PIN has in all, which is what 9000 says.
        full: Option<u8>,
    },
}

/// One step of a path of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakeTag {
    /// The tag; none is any.
    pub(crate) tag: Option<Tag>,
    /// Which of those with the tag, from 0.
    pub(crate) index: usize,
}

impl Take {
    /// Finds the result in an answer, if it stands there.
    pub fn find(&self, answer: &Response) -> Option<Zeroizing<Vec<u8>>> {
        let found = match &self.path {
            TakePath::TriesLeft { full } => vec![match answer.status() {
                Status::AUTHENTICATION_BLOCKED => 0,
                // A PIN that stands presented has all of its tries.
                Status::OK => (*full)?,
                status => status.tries_left()?,
            }],
            TakePath::Tags(tags) => tags
                .iter()
                .try_fold(answer.data(), |value, part| {
                    tlv::parse_all(value)
                        .ok()?
                        .into_iter()
                        .filter(|object| part.tag.is_none_or(|tag| tag == object.tag))
                        .nth(part.index)
                        .map(|object| object.value)
                })?
                .to_vec(),
        };
        match &self.value {
            None => Some(Zeroizing::new(found)),
            Some(template) => template
                .render(&Extra(&[("found", Value::bytes(found))]))
                .ok(),
        }
    }
}
