//! Why a profile is not released.

use audit::{NoteError, SignError};
use thiserror::Error;

use crate::release::{MAX_RELEASE, MAX_SIGNATURES, SIGNATURES_NEEDED};
use crate::release_text::{MAX_NAME, ProfileKind};

/// Why a profile is not released, or a release cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The name could not be told apart in a note or in a folder.
    #[error(
        "a profile named {name:?} cannot be released: a name has 1 to {MAX_NAME} ASCII letters, digits, dots, hyphens and underscores, and begins with a letter or a digit"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A file is longer than any release.
    #[error("the release has {length} bytes, more than {MAX_RELEASE}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A file is no signed note.
    #[error("the release is damaged: it is no signed note")]
    Note(#[source] NoteError),
    /// A line of the text is not what stands there in a release.
    #[error("the release is damaged: line {line} does not read {expected}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What would be right.
        expected: &'static str,
    },
    /// The file beside a profile is not read.
    #[error("the release of {kind} profile \"{name}\" cannot be read")]
    Damaged {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// Why not.
        #[source]
        source: Box<ReleaseError>,
    },
    /// There are more signatures than a release may have.
    #[error("the release of {kind} profile \"{name}\" has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
    },
    /// The release is about another state of the profile, or another profile.
    #[error(
        "the release of {kind} profile \"{name}\" is not about these texts: its {field} is {released}, the profile's {found}"
    )]
    Differs {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// What differs.
        field: &'static str,
        /// What the release says.
        released: String,
        /// What the profile says.
        found: String,
    },
    /// A signature of a known key does not hold.
    #[error("the release of {kind} profile \"{name}\" is false")]
    FalseSignature {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// Whose signature.
        #[source]
        source: NoteError,
    },
    /// There is no release.
    #[error(
        "{kind} profile \"{name}\" has no release: {SIGNATURES_NEEDED} people have to sign it (zimogs profile sign)"
    )]
    Missing {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
    },
    /// The installation does not know whose signatures count.
    #[error(
        "nobody may release {kind} profile \"{name}\": this installation has no list of releasers (releasers.txt)"
    )]
    NoReleasers {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
    },
    /// Too few people signed.
    #[error(
        "{kind} profile \"{name}\" is not released: {} of {SIGNATURES_NEEDED} people signed it{}",
        people.len(),
        named(people)
    )]
    TooFew {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// Who signed.
        people: Vec<String>,
    },
    /// The person signed before.
    #[error(
        "{person} has signed the release of {kind} profile \"{name}\" already: somebody else has to"
    )]
    SignedAlready {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// The person.
        person: String,
    },
    /// The key signed before, under another name.
    #[error(
        "the key of {person} has signed the release of {kind} profile \"{name}\" already as {other}: each person has a key of their own"
    )]
    SameKey {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// Who wants to sign.
        person: String,
        /// Whose name the signature has.
        other: String,
    },
    /// The key did not sign.
    #[error("the release of {kind} profile \"{name}\" could not be signed")]
    Sign {
        /// What the profile describes.
        kind: ProfileKind,
        /// The profile's name.
        name: String,
        /// Why not.
        #[source]
        source: SignError,
    },
}

fn named(people: &[String]) -> String {
    match people {
        [] => String::new(),
        people => format!(" ({})", people.join(", ")),
    }
}

impl ReleaseError {
    /// Says whether something was altered, rather than not done yet: a false signature, a damaged
    /// note, a release of other texts.
    pub const fn is_alteration(&self) -> bool {
        matches!(
            self,
            Self::TooLong { .. }
                | Self::Note(_)
                | Self::Line { .. }
                | Self::Damaged { .. }
                | Self::TooManySignatures { .. }
                | Self::Differs { .. }
                | Self::FalseSignature { .. }
        )
    }
}
