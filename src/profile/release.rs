//! Releases: two people sign what a profile says, and production runs nothing else.
//!
//! A release is a signed note (*C2SP signed-note*) beside the profile, with signatures of type
//! `01` (Ed25519):
//!
//! ```text
//!   zimogs-profile-release/v1
//!   kind chip
//!   name variant
//!   digest sha256:5f2c…          over the texts of the profile and of all that it extends
//!   extends parent               one line an ancestor, the nearest first
//!
//!   — anna base64…
//!   — juris base64…
//! ```

use std::collections::BTreeSet;
use std::fmt;

use audit::{CheckpointSigner, KeyError, NoteError, SignedNote, VerifierKey};

use crate::release_error::ReleaseError;
use crate::release_text::{ProfileKind, Released};
use crate::releasers::Releasers;

/// The people who have to sign a release.
pub const SIGNATURES_NEEDED: usize = 2;

/// The most bytes that a release may have.
pub(crate) const MAX_RELEASE: usize = 16 * 1024;
/// The most signatures that a release may have.
pub(crate) const MAX_SIGNATURES: usize = 16;

/// A release with the signatures that it has so far.
#[derive(Clone, Debug)]
pub struct Release {
    about: Released,
    note: SignedNote,
}

impl Release {
    /// Begins a release, without signatures.
    ///
    /// # Errors
    /// [`ReleaseError::Note`], which does not happen to a text of this form.
    pub fn new(about: Released) -> Result<Self, ReleaseError> {
        let note = SignedNote::new(about.to_string()).map_err(ReleaseError::Note)?;
        Ok(Self { about, note })
    }

    /// Reads a release strictly: printed again, it gives the same bytes. Nothing is verified.
    ///
    /// # Errors
    /// What is malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReleaseError> {
        if bytes.len() > MAX_RELEASE {
            return Err(ReleaseError::TooLong {
                length: bytes.len(),
            });
        }
        let note = SignedNote::parse(bytes).map_err(ReleaseError::Note)?;
        let about = Released::parse(note.text())?;
        let release = Self { about, note };
        if release.note.signers().count() > MAX_SIGNATURES {
            return Err(release.too_many());
        }
        Ok(release)
    }

    /// Returns what it is about. Nobody vouches for it before [`Release::verify`].
    pub const fn about(&self) -> &Released {
        &self.about
    }

    /// Returns the names on the signatures, which may be false.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        self.note.signers().map(|(name, _)| name)
    }

    /// Demands that the release is about this profile as it is now.
    ///
    /// # Errors
    /// [`ReleaseError::Differs`].
    pub fn check(&self, profile: &Released) -> Result<(), ReleaseError> {
        profile.check(&self.about)
    }

    /// Adds a person's signature; the name of the person is the name of the key.
    ///
    /// # Errors
    /// [`ReleaseError::SignedAlready`], [`ReleaseError::SameKey`] for one key under two names,
    /// [`ReleaseError::TooManySignatures`], or [`ReleaseError::Sign`]. The release is as before.
    pub fn sign(&mut self, signer: &dyn CheckpointSigner) -> Result<(), ReleaseError> {
        let key = signer.key();
        let (kind, name) = self.profile();
        for (other, id) in self.note.signers() {
            if other == key.name() {
                return Err(ReleaseError::SignedAlready {
                    kind,
                    name,
                    person: other.to_owned(),
                });
            }
            // A key's ID is made of name and key: the same key under that name would have it.
            if is_id(id, other, key) {
                return Err(ReleaseError::SameKey {
                    kind,
                    name,
                    person: key.name().to_owned(),
                    other: other.to_owned(),
                });
            }
        }
        if self.note.signers().count() >= MAX_SIGNATURES {
            return Err(self.too_many());
        }
        self.note
            .sign(signer)
            .map_err(|source| ReleaseError::Sign { kind, name, source })
    }

    /// Verifies that enough people signed, each with a key of their own, and returns them in the
    /// order of their names. Signatures of keys that are not in the list are ignored, as the
    /// specification asks.
    ///
    /// # Errors
    /// [`ReleaseError::FalseSignature`] if any signature in the name of a listed key does not
    /// hold, else [`ReleaseError::TooFew`].
    pub fn verify(&self, releasers: &Releasers) -> Result<Vec<String>, ReleaseError> {
        let (kind, name) = self.profile();
        // The list has no key twice, so that people with different names have different keys.
        let mut people = BTreeSet::new();
        for key in releasers.keys() {
            match self.note.verify(key) {
                Ok(_) => people.insert(key.name().to_owned()),
                Err(NoteError::NotSigned { .. }) => continue,
                Err(source) => return Err(ReleaseError::FalseSignature { kind, name, source }),
            };
        }
        let people: Vec<_> = people.into_iter().collect();
        if people.len() < SIGNATURES_NEEDED {
            return Err(ReleaseError::TooFew { kind, name, people });
        }
        Ok(people)
    }

    fn profile(&self) -> (ProfileKind, String) {
        (self.about.kind(), self.about.name().to_owned())
    }

    fn too_many(&self) -> ReleaseError {
        let (kind, name) = self.profile();
        ReleaseError::TooManySignatures { kind, name }
    }
}

fn is_id(id: [u8; 4], name: &str, key: &VerifierKey) -> bool {
    let renamed: Result<_, KeyError> = VerifierKey::new(key.kind(), name, key.public_key());
    renamed.is_ok_and(|renamed| renamed.id() == id)
}

impl fmt::Display for Release {
    /// Writes the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

#[cfg(test)]
#[path = "../../tests/profile/release.rs"]
mod tests;
