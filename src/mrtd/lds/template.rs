//! Reading and writing the one object that a file is, and the objects in it.

use card::tlv::{self, Tag, Tlv};
use zeroize::Zeroizing;

use super::error::{LdsError, LdsFault, within_bound};
use super::file::File;

/// Returns the value of the object `tag` that is all of `bytes`.
///
/// # Errors
/// [`LdsError`] for a file that is too long, starts with another tag or goes on after its end.
pub(crate) fn outer(file: File, tag: Tag, bytes: &[u8]) -> Result<&[u8], LdsError> {
    within_bound(file, bytes)?;
    let failed = |error| LdsError::of(file, LdsFault::Syntax(error));
    match Tag::parse(bytes) {
        Ok((found, _)) if found == tag => {}
        _ => return Err(LdsError::of(file, LdsFault::OuterTag)),
    }
    let (object, rest) = tlv::parse(bytes).map_err(failed)?;
    if rest.is_empty() {
        Ok(object.value)
    } else {
        Err(LdsError::of(file, LdsFault::Trailing(rest.len())))
    }
}

/// Returns the objects of a template, of which there are at most `limit`.
pub(crate) fn objects(
    file: File,
    mut bytes: &[u8],
    limit: usize,
) -> Result<Vec<Tlv<'_>>, LdsError> {
    let mut objects = Vec::new();
    while !bytes.is_empty() {
        if objects.len() == limit {
            return Err(LdsError::of(file, LdsFault::TooMany(limit)));
        }
        let (object, rest) =
            tlv::parse(bytes).map_err(|error| LdsError::of(file, LdsFault::Syntax(error)))?;
        objects.push(object);
        bytes = rest;
    }
    Ok(objects)
}

/// Puts `value` where there is none yet.
///
/// # Errors
/// [`LdsFault::Repeated`].
pub(crate) fn once<T>(
    slot: &mut Option<T>,
    value: T,
    file: File,
    tag: Tag,
) -> Result<(), LdsError> {
    if slot.is_some() {
        return Err(LdsError::at(file, tag, LdsFault::Repeated));
    }
    *slot = Some(value);
    Ok(())
}

/// Returns what must be there.
///
/// # Errors
/// [`LdsFault::Missing`].
pub(crate) fn required<T>(slot: Option<T>, file: File, tag: Tag) -> Result<T, LdsError> {
    slot.ok_or_else(|| LdsError::at(file, tag, LdsFault::Missing))
}

/// Returns the parts one behind the other. They are copied once: a vector that grows leaves what it
/// held in memory that nobody wipes.
pub(crate) fn joined(parts: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Returns the object, to be wiped.
pub(crate) fn secret(tag: Tag, value: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(tlv::encode(tag, value))
}
