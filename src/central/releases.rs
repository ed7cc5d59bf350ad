//! Which profiles may run here: in production only what two people released, as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use document::Environment;
use profile::{ChipProfile, DocumentProfile, ReleaseError, ReleaseShelf, Released};

use crate::central::Central;
use crate::certificate_profiles::CertificateShelf;
use crate::error::Result;

/// What an installation would run with.
pub(crate) struct Candidates<'a> {
    /// Those that nothing takes and nobody released are left out.
    pub(crate) chips: &'a mut BTreeMap<String, Arc<ChipProfile>>,
    pub(crate) documents: &'a [DocumentProfile],
    pub(crate) certificates: &'a CertificateShelf,
    /// The certificate profile of the authority itself.
    pub(crate) authority: &'a str,
}

/// Demands what the environment demands of every profile.
///
/// In production every document profile, and every chip profile and certificate profile that one
/// of them takes, must be released, and that of the authority's own certificate. A chip profile
/// that nothing takes and nobody released (a draft on the same shelf) is left out, so that no blank
/// of it can be booked and no channel to it opened; by such a certificate profile nothing is issued
/// anyway. A test installation runs what is not released; what was altered after its release runs
/// nowhere. Returns the names of the certificate profiles that are released.
pub(crate) fn admit(
    environment: Environment,
    releases: &ReleaseShelf,
    candidates: Candidates<'_>,
) -> Result<BTreeSet<String>> {
    let Candidates {
        chips,
        documents,
        certificates,
        authority,
    } = candidates;
    let is_production = environment == Environment::Production;
    for document in documents {
        match judge(releases, Released::document(document)) {
            Err(error) if is_production || error.is_alteration() => return Err(error.into()),
            _ => {}
        }
    }
    let taken: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| &document.chips)
        .flat_map(|chip| &chip.products)
        .map(String::as_str)
        .collect();
    let mut drafts = Vec::new();
    for (name, chip) in chips.iter() {
        match judge(releases, Released::chip(chip)) {
            Err(error) if error.is_alteration() => return Err(error.into()),
            Err(error) if is_production && taken.contains(name.as_str()) => {
                return Err(error.into());
            }
            Err(_) if is_production => drafts.push(name.clone()),
            _ => {}
        }
    }
    for name in drafts {
        tracing::info!(
            chip = name,
            "this chip profile is not released and left out"
        );
        chips.remove(&name);
    }
    let mut issued_by: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| &document.chips)
        .flat_map(|chip| chip.keys.values())
        .filter_map(|key| key.certificate.as_deref())
        .collect();
    issued_by.insert(authority);
    let mut released = BTreeSet::new();
    for (name, text) in certificates.texts() {
        match judge(releases, Released::certificate(name, text)) {
            Ok(_) => {
                released.insert(name.to_owned());
            }
            Err(error) if error.is_alteration() => return Err(error.into()),
            Err(error) if is_production && issued_by.contains(name) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(released)
}

impl Central {
    /// Demands that the layout of a letter, a list or a label may be printed here: in production what two
    /// people released as it is now, and nowhere what was altered after its release.
    ///
    /// # Errors
    /// [`CentralError::Release`](crate::CentralError::Release).
    pub fn admit_sheet(&self, name: &str, text: &str) -> Result<()> {
        admit_sheet(self.environment(), self.releases(), (name, text))
    }
}

fn admit_sheet(
    environment: Environment,
    releases: &ReleaseShelf,
    (name, text): (&str, &str),
) -> Result<()> {
    match judge(releases, Released::sheet(name, text)) {
        Err(error) if environment == Environment::Production || error.is_alteration() => {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

fn judge(
    releases: &ReleaseShelf,
    profile: Result<Released, ReleaseError>,
) -> Result<Vec<String>, ReleaseError> {
    releases.judge(&profile?)
}

#[cfg(test)]
#[path = "../../tests/central/releases.rs"]
mod tests;
