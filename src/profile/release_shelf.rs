//! The releases that an installation has, and whose signatures count there.

use std::collections::BTreeMap;

use crate::release::Release;
use crate::release_error::ReleaseError;
use crate::release_text::{ProfileKind, Released};
use crate::releasers::Releasers;

/// The releases at hand, by the profile's name, and the people whose signatures count. Nothing is
/// read or verified before [`ReleaseShelf::judge`].
#[derive(Clone, Debug, Default)]
pub struct ReleaseShelf {
    files: BTreeMap<(ProfileKind, String), Vec<u8>>,
    releasers: Option<Releasers>,
}

impl ReleaseShelf {
    /// Puts the file of a release on the shelf under the profile's name.
    pub fn put(&mut self, kind: ProfileKind, name: impl Into<String>, file: impl Into<Vec<u8>>) {
        self.files.insert((kind, name.into()), file.into());
    }

    /// Says whose signatures count. Until then nobody's do.
    pub fn set_releasers(&mut self, releasers: Releasers) {
        self.releasers = Some(releasers);
    }

    /// Says whether there is a release of a profile, whatever it is worth.
    pub fn has(&self, kind: ProfileKind, name: &str) -> bool {
        self.files.contains_key(&(kind, name.to_owned()))
    }

    /// Returns the release of a profile, not verified.
    ///
    /// # Errors
    /// [`ReleaseError::Missing`] or [`ReleaseError::Damaged`].
    pub fn release(&self, kind: ProfileKind, name: &str) -> Result<Release, ReleaseError> {
        let name = name.to_owned();
        let Some(file) = self.files.get(&(kind, name.clone())) else {
            return Err(ReleaseError::Missing { kind, name });
        };
        Release::parse(file).map_err(|source| ReleaseError::Damaged {
            kind,
            name,
            source: Box::new(source),
        })
    }

    /// Judges whether a profile is released as it is now, and returns the people who did it.
    ///
    /// # Errors
    /// Why it is not released. What was altered
    /// ([`is_alteration`](ReleaseError::is_alteration)) is told before what is missing.
    pub fn judge(&self, profile: &Released) -> Result<Vec<String>, ReleaseError> {
        let release = self.release(profile.kind(), profile.name())?;
        release.check(profile)?;
        match &self.releasers {
            Some(releasers) => release.verify(releasers),
            None => Err(ReleaseError::NoReleasers {
                kind: profile.kind(),
                name: profile.name().to_owned(),
            }),
        }
    }
}
