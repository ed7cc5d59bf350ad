//! The certification authorities of an installation, chosen by certificate profile.

use std::collections::BTreeMap;
use std::sync::Arc;

use pki::{CertificateAuthority, CertificateProfile, ServingCa};

use crate::error::{CentralError, Result};

/// The installation's name of its embedded authority.
pub(crate) const EMBEDDED: &str = "embedded";

/// Every authority that certificates are ordered from.
pub(crate) struct Authorities {
    embedded: Arc<ServingCa>,
    others: BTreeMap<String, Arc<dyn CertificateAuthority>>,
}

impl Authorities {
    /// Returns the embedded authority and others by name.
    ///
    /// # Errors
    /// [`CentralError::Setup`] where another has the embedded one's name.
    pub(crate) fn new(
        embedded: ServingCa,
        others: BTreeMap<String, Arc<dyn CertificateAuthority>>,
    ) -> Result<Self> {
        if others.contains_key(EMBEDDED) {
            return Err(CentralError::Setup {
                reason: format!(
                    "an authority is named \"{EMBEDDED}\", which is the embedded one's name; name it otherwise"
                ),
            });
        }
        Ok(Self {
            embedded: Arc::new(embedded),
            others,
        })
    }

    /// Returns the embedded authority.
    pub(crate) fn embedded(&self) -> &Arc<ServingCa> {
        &self.embedded
    }

    /// Returns the name of the authority that issues by a profile.
    pub(crate) fn name_for(profile: &CertificateProfile) -> &str {
        profile.authority().unwrap_or(EMBEDDED)
    }

    /// Returns the authority of this name.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<dyn CertificateAuthority>> {
        if name == EMBEDDED {
            return Ok(Arc::<ServingCa>::clone(&self.embedded));
        }
        self.others.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = self.others.keys().map(String::as_str).collect();
            CentralError::Unfit {
                reason: format!(
                    "no certification authority is named \"{name}\"; there are {EMBEDDED} {}: name it in the installation",
                    known.join(" ")
                ),
            }
        })
    }

    /// Demands that a holder's certificate by a profile can be had: that there is its authority,
    /// and that it is not the embedded one where only a qualified one may issue.
    pub(crate) fn check(&self, profile: &CertificateProfile) -> Result<()> {
        let name = Self::name_for(profile);
        if profile.is_qualified() && name == EMBEDDED {
            return Err(CentralError::Unfit {
                reason: format!(
                    "certificate profile \"{}\" is for a qualified authority, and the embedded one is none; name yours in its \"authority\"",
                    profile.name()
                ),
            });
        }
        self.get(name).map(drop)
    }
}
