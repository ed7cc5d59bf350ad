//! The certificate profiles of an installation: proved when it opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use cert::request::Request;
use document::Record;
use jiff::tz::TimeZone;
use pki::{CertificateOrder, CertificateProfile, Holder};
use profile::Released;

use crate::error::{CentralError, Result};

/// The state that gives the personal codes, in certificates' subjects (*ISO 3166-1*).
const COUNTRY: &str = "LV";

/// Certificate profile texts at hand, by name (file name without `.toml`).
#[derive(Clone, Debug, Default)]
pub struct CertificateShelf {
    texts: BTreeMap<String, String>,
}

impl CertificateShelf {
    /// Puts a text on the shelf under its name.
    pub fn put(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.texts.insert(name.into(), text.into());
    }

    /// Returns every name and text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let texts = self.texts.iter();
        texts.map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// Certificate profiles that were proved, and what is made of them and a document's record.
pub struct CertificateProfiles(BTreeMap<String, Shelved>);

/// A certificate profile that was proved.
struct Shelved {
    profile: Arc<CertificateProfile>,
    /// What a release of it is about.
    digest: [u8; 32],
}

impl CertificateProfiles {
    /// Proves every profile on a shelf.
    ///
    /// # Errors
    /// [`CentralError::Authority`] and [`CentralError::Setup`] for one that is not sound, or
    /// stands under another name.
    pub fn load(shelf: &CertificateShelf) -> Result<Self> {
        let mut profiles = BTreeMap::new();
        for (name, text) in &shelf.texts {
            let profile = CertificateProfile::parse(text).map_err(|source| {
                fault(format!("certificate profile \"{name}\" is not sound"))(source.into())
            })?;
            if profile.name() != name {
                return Err(CentralError::Setup {
                    reason: format!(
                        "certificate profile \"{}\" stands under the name \"{name}\"",
                        profile.name()
                    ),
                });
            }
            let shelved = Shelved {
                profile: Arc::new(profile),
                digest: *Released::certificate(name, text)?.digest(),
            };
            profiles.insert(name.clone(), shelved);
        }
        Ok(Self(profiles))
    }

    /// Returns the profile of this name.
    pub(crate) fn get(&self, name: &str) -> Result<&Arc<CertificateProfile>> {
        self.shelved(name).map(|shelved| &shelved.profile)
    }

    /// Returns the digest of the profile of this name, as a release has it.
    pub(crate) fn digest(&self, name: &str) -> Result<[u8; 32]> {
        self.shelved(name).map(|shelved| shelved.digest)
    }

    /// Returns the profile of the embedded authority's own certificate.
    pub(crate) fn own(&self, name: &str) -> Result<&CertificateProfile> {
        let shelved = self.0.get(name).map(|shelved| &*shelved.profile);
        shelved.ok_or_else(|| CentralError::Setup {
            reason: format!(
                "the authority's own certificate profile \"{name}\" is not on the shelf"
            ),
        })
    }

    fn shelved(&self, name: &str) -> Result<&Shelved> {
        self.0.get(name).ok_or_else(|| {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            CentralError::Unfit {
                reason: format!(
                    "a document profile names the certificate profile \"{name}\", and there is none; there are: {}",
                    known.join(", ")
                ),
            }
        })
    }

    /// Returns the subject, a DER Name, that a document's holder has under a profile.
    ///
    /// # Errors
    /// [`CentralError::Authority`] where the holder's data do not make a name;
    /// [`CentralError::Unfit`] for an unknown profile.
    pub fn subject(&self, profile: &str, record: &Record) -> Result<Vec<u8>> {
        let name = self.get(profile)?.subject(Some(&holder(record)));
        Ok(name
            .map_err(|source| fault("the holder cannot be named")(source.into()))?
            .as_der()
            .to_vec())
    }

    /// Returns the order for a document's certificate under a profile. `request` proved possession.
    pub(crate) fn order(
        &self,
        profile: &str,
        request: &Request,
        der: &[u8],
        record: &Record,
    ) -> Result<CertificateOrder> {
        let profile = self.get(profile)?;
        let subject = profile.subject(Some(&holder(record)));
        let last = record.expires.at(23, 59, 59, 0).to_zoned(TimeZone::UTC);
        Ok(CertificateOrder {
            profile: Arc::clone(profile),
            public_key: request.public_key().clone(),
            request: Some(der.to_vec()),
            subject: subject
                .map_err(|source| fault("the holder cannot be named")(source.into()))?,
            not_after: last
                .map_err(|source| fault("the document's last day is no day")(source.into()))?
                .timestamp(),
        })
    }
}

/// Says that certificates are what does not work.
pub(crate) fn fault(
    reason: impl Into<String>,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> CentralError {
    move |source| CentralError::Authority {
        reason: reason.into(),
        source,
    }
}

fn holder(record: &Record) -> Holder {
    let holder = &record.holder;
    Holder::new(
        COUNTRY,
        holder.surname.upper(),
        holder.given_names.upper(),
        holder.personal_code.to_string(),
        record.number.to_string(),
    )
}
