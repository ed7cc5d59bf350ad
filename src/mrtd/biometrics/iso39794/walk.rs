//! Walks a block along its schema.

use card::tlv::{self, Tag, Tlv, TlvError};
use thiserror::Error;

use super::schema::{Codes, Field, Kind, Sequence};

/// Most fields of later editions behind those that are known.
const MAX_EXTENSIONS: usize = 16;

/// Why bytes are not a block of ISO/IEC 39794.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{field} of the biometric data block: {fault}")]
pub struct BlockError {
    /// The innermost field that is wrong, by its name in the schema.
    pub field: &'static str,
    /// What is wrong.
    pub fault: BlockFault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockFault {
    /// Not a well-formed data object.
    #[error(transparent)]
    Tlv(TlvError),
    /// A length in more bytes than it needs, which DER forbids.
    #[error("the length is not in its shortest form")]
    Length,
    /// A mandatory field is not there, or not where it must be.
    #[error("it is missing, or not in its place")]
    Missing,
    /// A field that the schema doesn't have there.
    #[error("data object {0} does not belong there")]
    Unexpected(Tag),
    /// Something stands behind it.
    #[error("something follows it")]
    Trailing,
    /// Not exactly one alternative of a choice that is known.
    #[error("it is not exactly one of the alternatives")]
    Choice,
    /// A number that is empty or in more bytes than it needs.
    #[error("the number is not in its shortest form")]
    Number,
    /// A number outside of its bounds.
    #[error("{0} is out of range")]
    Range(i64),
    /// A number that no field needs.
    #[error("the number is too long")]
    TooLong,
    /// A code that this edition doesn't know.
    #[error("code {0} is unknown")]
    Code(i64),
    /// Neither true nor false.
    #[error("it is neither true nor false")]
    Boolean,
    /// More or fewer elements than a list may have.
    #[error("the list has {0} elements")]
    Elements(usize),
    /// It holds nothing that can be read.
    #[error("it is of a form that is not read here")]
    Unsupported,
}

impl BlockFault {
    /// Says where the fault is.
    pub(super) const fn of(self, field: &'static str) -> BlockError {
        BlockError { field, fault: self }
    }
}

/// Checks that `bytes` are exactly one data object `tag` with this sequence in it, and
/// returns its content.
///
/// Deep as the schema and linear in the bytes.
pub(super) fn check<'a>(
    bytes: &'a [u8],
    tag: Tag,
    name: &'static str,
    schema: &Sequence,
) -> Result<&'a [u8], BlockError> {
    match take(bytes, name)? {
        (Tlv { tag: found, value }, []) if found == tag => {
            sequence(value, name, schema)?;
            Ok(value)
        }
        (Tlv { tag: found, .. }, []) => Err(BlockFault::Unexpected(found).of(name)),
        _ => Err(BlockFault::Trailing.of(name)),
    }
}

/// Takes a data object whose length is in its shortest form.
fn take<'a>(bytes: &'a [u8], name: &'static str) -> Result<(Tlv<'a>, &'a [u8]), BlockError> {
    let (object, rest) = tlv::parse(bytes).map_err(|error| BlockFault::Tlv(error).of(name))?;
    let header = object.tag.encode().len() + tlv::encode_length(object.value.len()).len();
    if header + object.value.len() + rest.len() == bytes.len() {
        Ok((object, rest))
    } else {
        Err(BlockFault::Length.of(name))
    }
}

fn sequence(content: &[u8], name: &'static str, schema: &Sequence) -> Result<(), BlockError> {
    let mut known = schema.fields.iter();
    let mut last = schema.fields.last().map(|field| u32::from(field.number));
    let (mut rest, mut extensions) = (content, 0);
    while !rest.is_empty() {
        let (object, after) = take(rest, name)?;
        rest = after;
        let field = loop {
            match known.next() {
                Some(field) if field.tag() == object.tag.value() => break Some(field),
                Some(field) if field.mandatory => return Err(BlockFault::Missing.of(field.name)),
                Some(_) => {}
                None => break None,
            }
        };
        if let Some(field) = field {
            value(object.value, field.name, &field.kind)?;
            continue;
        }
        // What is behind the last known field is a later edition's, in ascending order.
        let number = context_number(object.tag);
        extensions += 1;
        if !schema.extensible || number.is_none() || number <= last || extensions > MAX_EXTENSIONS {
            return Err(BlockFault::Unexpected(object.tag).of(name));
        }
        last = number;
    }
    match known.find(|field| field.mandatory) {
        Some(field) => Err(BlockFault::Missing.of(field.name)),
        None => Ok(()),
    }
}

/// Returns the number of a context tag in its shortest form.
fn context_number(tag: Tag) -> Option<u32> {
    let value = tag.value();
    match value {
        0x80..=0xBF => Some(value & 0x1F),
        0x9F00..=0x9FFF | 0xBF00..=0xBFFF => Some(value & 0x7F).filter(|&number| number > 30),
        _ => None,
    }
}

fn value(content: &[u8], name: &'static str, kind: &Kind) -> Result<(), BlockError> {
    match *kind {
        Kind::Integer(least, most) => {
            let number = number(content, name)?;
            if (least..=most).contains(&number) {
                Ok(())
            } else {
                Err(BlockFault::Range(number).of(name))
            }
        }
        Kind::Enumerated(codes) => code(content, name, codes),
        Kind::Code(codes) => match take(content, name)? {
            (Tlv { tag, value }, []) if tag.value() == 0x80 => code(value, name, codes),
            (Tlv { tag, value }, []) if tag.value() == 0xA1 => fallback(value, name, codes),
            _ => Err(BlockFault::Choice.of(name)),
        },
        Kind::Boolean => match content {
            [0x00 | 0xFF] => Ok(()),
            _ => Err(BlockFault::Boolean.of(name)),
        },
        Kind::Octets => Ok(()),
        Kind::Sequence(schema) => sequence(content, name, schema),
        Kind::List(tag, of, least, most) => {
            let (mut rest, mut elements) = (content, 0);
            while !rest.is_empty() {
                let (object, after) = take(rest, name)?;
                rest = after;
                if object.tag.value() != u32::from(tag) {
                    return Err(BlockFault::Unexpected(object.tag).of(name));
                }
                elements += 1;
                if elements > most {
                    return Err(BlockFault::Elements(elements).of(name));
                }
                value(object.value, name, of)?;
            }
            if elements < least {
                return Err(BlockFault::Elements(elements).of(name));
            }
            Ok(())
        }
        Kind::Choice(alternatives) => {
            let (object, rest) = take(content, name)?;
            let chosen = |field: &&Field| field.tag() == object.tag.value();
            match alternatives.iter().find(chosen) {
                Some(field) if rest.is_empty() => value(object.value, field.name, &field.kind),
                _ => Err(BlockFault::Choice.of(name)),
            }
        }
    }
}

/// Reads `extensionBlock`: the code to fall back to, then what later editions add.
fn fallback(content: &[u8], name: &'static str, codes: Codes) -> Result<(), BlockError> {
    if content.is_empty() {
        return Err(BlockFault::Missing.of(name));
    }
    let (Tlv { tag, value }, mut rest) = take(content, name)?;
    if tag.value() != 0x80 {
        return Err(BlockFault::Missing.of(name));
    }
    code(value, name, codes)?;
    for _ in 0..MAX_EXTENSIONS {
        if rest.is_empty() {
            return Ok(());
        }
        rest = take(rest, name)?.1;
    }
    Err(BlockFault::Elements(MAX_EXTENSIONS + 1).of(name))
}

fn code(content: &[u8], name: &'static str, codes: Codes) -> Result<(), BlockError> {
    let code = number(content, name)?;
    if codes
        .iter()
        .any(|&(first, last)| (first..=last).contains(&code))
    {
        Ok(())
    } else {
        Err(BlockFault::Code(code).of(name))
    }
}

/// Reads a number in two's complement (*X.690 §8.3*).
pub(super) fn number(content: &[u8], name: &'static str) -> Result<i64, BlockError> {
    match *content {
        [] => return Err(BlockFault::Number.of(name)),
        [0x00, next, ..] if next < 0x80 => return Err(BlockFault::Number.of(name)),
        [0xFF, next, ..] if next >= 0x80 => return Err(BlockFault::Number.of(name)),
        _ if content.len() > 8 => return Err(BlockFault::TooLong.of(name)),
        _ => {}
    }
    let sign = if content.first().is_some_and(|&byte| byte >= 0x80) {
        -1
    } else {
        0
    };
    Ok(content
        .iter()
        .fold(sign, |number, &byte| number << 8 | i64::from(byte)))
}
