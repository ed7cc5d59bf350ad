//! How a file deviates from the standard without being unreadable.

use card::tlv::Tag;
use thiserror::Error;

/// A file's content, and how its bytes deviate from the standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<T> {
    /// What the file says.
    pub content: T,
    /// The deviations, in the order found; none for a file as the standard has it.
    pub remarks: Vec<Remark>,
}

/// One deviation of a file that reads nevertheless. Documents in the field have them; they are
/// shown, and are no ground to refuse a document whose signature is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Remark {
    /// The tag list names an object that is not there.
    #[error("the tag list names {0}, which is not there")]
    ListedNotPresent(Tag),
    /// An object is there that the tag list does not name.
    #[error("{0} is there and not in the tag list")]
    PresentNotListed(Tag),
    /// The tag list names an object twice.
    #[error("the tag list names {0} twice")]
    ListedTwice(Tag),
    /// An object that the standard does not know here.
    #[error("{0} is not of the standard")]
    UnknownTag(Tag),
    /// A date or time in packed digits, which the standard recommends reading and does not write.
    #[error("{0} is in packed digits")]
    PackedDate(Tag),
    /// A text longer than the standard allows.
    #[error("{tag} has {length} bytes; the standard allows {limit}")]
    LongText {
        /// The object.
        tag: Tag,
        /// Its length in bytes.
        length: usize,
        /// What the standard allows, in bytes.
        limit: usize,
    },
    /// Names outside the template that counts them.
    #[error("{0} stands outside the template A0")]
    OutsideTemplate(Tag),
    /// A signed security object whose message calls it plain data.
    #[error("the signed message calls its content plain data")]
    PlainContent,
    /// Hashes of SHA-1, as the first documents have them; collisions are known.
    #[error("the hashes are of SHA-1")]
    OldHash,
    /// Entries not in the order of their numbers.
    #[error("entries are not in the order of their numbers")]
    Unordered,
    /// The same content in other bytes than the standard's: objects in another order, lengths
    /// longer than needed.
    #[error("objects in another order or with longer lengths than the standard's")]
    OtherForm,
}
