//! The embedded certificate authority and its profiles, as this store uses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cert::Certificate;
use cert::request::Request;
use document::Record;
use hsm::Token;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pki::{CertificateOrder, CertificateProfile, CrlEntry, EmbeddedCa, Holder, IssueError};
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

    fn load(&self) -> Result<BTreeMap<String, Shelved>> {
        let mut profiles = BTreeMap::new();
        for (name, text) in &self.texts {
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
            let digest = *Released::certificate(name, text)?.digest();
            profiles.insert(
                name.clone(),
                Shelved {
                    profile: Arc::new(profile),
                    digest,
                },
            );
        }
        Ok(profiles)
    }
}

/// The embedded certificate authority with its profiles, its key in a token.
pub struct IssuingAuthority {
    ca: EmbeddedCa,
    der: Vec<u8>,
    profiles: BTreeMap<String, Shelved>,
}

/// A certificate profile that was proved.
struct Shelved {
    profile: Arc<CertificateProfile>,
    /// What a release of it is about.
    digest: [u8; 32],
}

impl IssuingAuthority {
    /// Makes the authority for the key labelled `label`, with a new certificate of its own under
    /// the profile `own`. Keep that certificate ([`IssuingAuthority::der`]).
    ///
    /// # Errors
    /// [`CentralError::Setup`] and [`CentralError::Authority`] for profiles that are not sound or
    /// do not fit; the token's failures.
    pub fn create(
        token: Arc<Token>,
        label: &str,
        shelf: &CertificateShelf,
        own: &str,
        at: Timestamp,
    ) -> Result<Self> {
        let profiles = shelf.load()?;
        let signer = Arc::new(token.signer(label)?);
        let ca = EmbeddedCa::create(own_profile(&profiles, own)?, signer, token, at)
            .map_err(|source| fault("its own certificate was not made")(source.into()))?;
        Ok(Self {
            der: ca.certificate().as_der().to_vec(),
            ca,
            profiles,
        })
    }

    /// Opens an authority that was made before, by its certificate.
    ///
    /// # Errors
    /// As [`IssuingAuthority::create`], and where certificate, key and profile do not belong
    /// together.
    pub fn restore(
        token: Arc<Token>,
        label: &str,
        shelf: &CertificateShelf,
        own: &str,
        certificate: &[u8],
    ) -> Result<Self> {
        let profiles = shelf.load()?;
        let signer = Arc::new(token.signer(label)?);
        let parsed = Certificate::parse(certificate)
            .map_err(|_| CentralError::damaged("the authority's certificate"))?;
        let ca = EmbeddedCa::open(own_profile(&profiles, own)?, parsed, signer, token)
            .map_err(|source| fault("it does not fit what it was made as")(source.into()))?;
        Ok(Self {
            ca,
            der: certificate.to_vec(),
            profiles,
        })
    }

    /// Returns the authority's certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the certificate profile of this name.
    pub(crate) fn profile(&self, name: &str) -> Result<&CertificateProfile> {
        self.shelved(name).map(|shelved| &*shelved.profile)
    }

    /// Returns the digest of the certificate profile of this name, as a release has it.
    pub(crate) fn profile_digest(&self, name: &str) -> Result<[u8; 32]> {
        self.shelved(name).map(|shelved| shelved.digest)
    }

    fn shelved(&self, name: &str) -> Result<&Shelved> {
        self.profiles.get(name).ok_or_else(|| {
            let known: Vec<_> = self.profiles.keys().map(String::as_str).collect();
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
        let name = self.profile(profile)?.subject(Some(&holder(record)));
        Ok(name
            .map_err(|source| fault("the holder cannot be named")(source.into()))?
            .as_der()
            .to_vec())
    }

    /// Issues a certificate, on hold: whoever asks records that before it leaves the house.
    ///
    /// # Errors
    /// [`CentralError::Refused`] for a key that the profile does not allow and for an expired
    /// document; [`CentralError::Authority`] where the authority does not serve.
    pub fn issue(
        &self,
        profile: &str,
        request: &Request,
        record: &Record,
        at: Timestamp,
    ) -> Result<Certificate> {
        let order = self.order(profile, request, record)?;
        match self.ca.issue(&order, at) {
            Ok(issued) => Ok(issued),
            // What was asked for is at fault, not the authority.
            Err(error @ (IssueError::Key { .. } | IssueError::DocumentExpired { .. })) => {
                Err(CentralError::refused(error.to_string()))
            }
            Err(error) => Err(fault("no certificate was issued")(error.into())),
        }
    }

    /// Returns the order for a document's certificate under a profile.
    fn order(&self, profile: &str, request: &Request, record: &Record) -> Result<CertificateOrder> {
        let profile = &self.shelved(profile)?.profile;
        let subject = profile.subject(Some(&holder(record)));
        let last = record.expires.at(23, 59, 59, 0).to_zoned(TimeZone::UTC);
        Ok(CertificateOrder {
            profile: Arc::clone(profile),
            public_key: request.public_key().clone(),
            request: None,
            subject: subject
                .map_err(|source| fault("the holder cannot be named")(source.into()))?,
            not_after: last
                .map_err(|source| fault("the document's last day is no day")(source.into()))?
                .timestamp(),
        })
    }

    /// Returns a signed revocation list in DER.
    pub(crate) fn crl(
        &self,
        entries: &[CrlEntry],
        at: Timestamp,
        next: Timestamp,
        number: u64,
    ) -> Result<Vec<u8>> {
        self.ca
            .crl(entries, at, next, number)
            .map_err(|source| fault("no revocation list was made")(source.into()))
    }
}

fn fault(
    reason: impl Into<String>,
) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> CentralError {
    move |source| CentralError::Authority {
        reason: reason.into(),
        source,
    }
}

fn own_profile<'a>(
    profiles: &'a BTreeMap<String, Shelved>,
    own: &str,
) -> Result<&'a CertificateProfile> {
    let shelved = profiles.get(own).map(|shelved| &*shelved.profile);
    shelved.ok_or_else(|| CentralError::Setup {
        reason: format!("the authority's own certificate profile \"{own}\" is not on the shelf"),
    })
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
