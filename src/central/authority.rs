//! The embedded certificate authority of an installation, or of a desk.

use std::sync::Arc;

use cert::Certificate;
use cert::request::Request;
use document::Record;
use hsm::Token;
use jiff::Timestamp;
use pki::{EmbeddedCa, IssueError};

use crate::certificate_profiles::{CertificateProfiles, CertificateShelf, fault};
use crate::error::{CentralError, Result};

/// The embedded certificate authority with its profiles, its key in a token.
pub struct IssuingAuthority {
    ca: Arc<EmbeddedCa>,
    profiles: CertificateProfiles,
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
        let profiles = CertificateProfiles::load(shelf)?;
        let signer = Arc::new(token.signer(label)?);
        let ca = EmbeddedCa::create(profiles.own(own)?, signer, token, at)
            .map_err(|source| fault("its own certificate was not made")(source.into()))?;
        Ok(Self {
            ca: Arc::new(ca),
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
        let profiles = CertificateProfiles::load(shelf)?;
        let signer = Arc::new(token.signer(label)?);
        let parsed = Certificate::parse(certificate)
            .map_err(|_| CentralError::damaged("the authority's certificate"))?;
        let ca = EmbeddedCa::open(profiles.own(own)?, parsed, signer, token)
            .map_err(|source| fault("it does not fit what it was made as")(source.into()))?;
        Ok(Self {
            ca: Arc::new(ca),
            profiles,
        })
    }

    /// Returns the authority's certificate in DER.
    pub fn der(&self) -> &[u8] {
        self.ca.certificate().as_der()
    }

    /// Returns the certificate profiles.
    pub fn profiles(&self) -> &CertificateProfiles {
        &self.profiles
    }

    /// Takes it apart, for whoever keeps a register.
    pub(crate) fn into_parts(self) -> (Arc<EmbeddedCa>, CertificateProfiles) {
        (self.ca, self.profiles)
    }

    /// Issues a certificate, for a desk: whoever asks records that before it leaves the house.
    ///
    /// # Errors
    /// [`CentralError::Refused`] for a key that the profile does not allow and for an expired
    /// document; [`CentralError::Authority`] where the authority does not serve.
    pub fn issue(
        &self,
        profile: &str,
        request: &Request,
        der: &[u8],
        record: &Record,
        at: Timestamp,
    ) -> Result<Certificate> {
        let order = self.profiles.order(profile, request, der, record)?;
        match self.ca.issue(&order, at) {
            Ok(issued) => Ok(issued),
            // What was asked for is at fault, not the authority.
            Err(error @ (IssueError::Key { .. } | IssueError::DocumentExpired { .. })) => {
                Err(CentralError::refused(error.to_string()))
            }
            Err(error) => Err(fault("no certificate was issued")(error.into())),
        }
    }
}
