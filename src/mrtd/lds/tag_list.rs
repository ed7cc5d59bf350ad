//! The tag list, object `5C`.

use card::tlv::Tag;

use super::error::{LdsError, LdsFault};
use super::file::File;

/// The tag of a tag list.
pub(crate) const TAG_LIST: Tag = Tag::known::<0x5C>();

/// The most tags that are read of a list; a file has at most sixteen kinds of object.
const MAX_TAGS: usize = 64;

/// Returns the tags of a list in its order.
pub(crate) fn parse(file: File, mut bytes: &[u8]) -> Result<Vec<Tag>, LdsError> {
    let mut tags = Vec::new();
    while !bytes.is_empty() {
        if tags.len() == MAX_TAGS {
            return Err(LdsError::at(file, TAG_LIST, LdsFault::TooMany(MAX_TAGS)));
        }
        let (tag, rest) = Tag::parse(bytes).map_err(|error| LdsError::at(file, TAG_LIST, error))?;
        tags.push(tag);
        bytes = rest;
    }
    Ok(tags)
}

/// Returns the object with these tags in this order.
pub(crate) fn encode(tags: impl IntoIterator<Item = Tag>) -> Vec<u8> {
    let value: Vec<u8> = tags.into_iter().flat_map(Tag::encode).collect();
    card::tlv::encode(TAG_LIST, &value)
}
