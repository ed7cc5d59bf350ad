//! The embedded certification authority: for pilots and tests, its key in the HSM.

use std::fmt;
use std::sync::Arc;

use cert::{Certificate, DistinguishedName, KeyUsage, PublicKey};
use hsm::{HsmError, RandomSource, SignatureAlgorithm, Signer};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::authority::CertificateOrder;
use crate::crl::{self, CrlEntry, CrlError};
use crate::extensions::{extensions, key_identifier};
use crate::profile::{CertificateProfile, ProfileKind, Publication};
use crate::to_be_signed::Content;

mod error;
mod serving;

pub use error::{CaError, IssueError};
pub use serving::ServingCa;

/// A self-signed certification authority whose key is in an HSM. It never claims a qualified
/// status. It signs, and keeps no book of what: that is [`crate::ServingCa`]'s.
pub struct EmbeddedCa {
    certificate: Certificate,
    publication: Publication,
    key_identifier: Vec<u8>,
    signer: Arc<dyn Signer>,
    random: Arc<dyn RandomSource>,
}

impl EmbeddedCa {
    /// Makes a CA: its self-signed certificate for the signer's key, holding from `at`. The caller
    /// keeps the certificate ([`EmbeddedCa::certificate`]) for [`EmbeddedCa::open`].
    ///
    /// # Errors
    /// [`CaError`].
    pub fn create(
        profile: &CertificateProfile,
        signer: Arc<dyn Signer>,
        random: Arc<dyn RandomSource>,
        at: Timestamp,
    ) -> Result<Self, CaError> {
        let (subject, publication) = ca_parts(profile)?;
        let key = signer_key(&*signer)?;
        let identifier = key_identifier(key.point().ok_or(CaError::Key)?);
        let content = Content {
            serial: &serial(&*random).map_err(IssueError::Token)?,
            issuer: subject.as_der(),
            subject: subject.as_der(),
            public_key: signer.public_key_spki_der(),
            not_before: whole_seconds(at)?,
            not_after: last_second(at, profile.years())?,
            extensions: extensions(profile, &identifier, &identifier, publication)
                .map_err(IssueError::Encoding)?,
        };
        let certificate = proved(&content.sign(&*signer)?, &key)?;
        Ok(Self {
            certificate,
            publication: publication.clone(),
            key_identifier: identifier.to_vec(),
            signer,
            random,
        })
    }

    /// Opens a CA that was made before.
    ///
    /// # Errors
    /// [`CaError::Mismatch`] where certificate, profile and key do not belong together.
    pub fn open(
        profile: &CertificateProfile,
        certificate: Certificate,
        signer: Arc<dyn Signer>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, CaError> {
        let (subject, publication) = ca_parts(profile)?;
        let key = signer_key(&*signer)?;
        let mismatch = |reason| CaError::Mismatch {
            serial: certificate.serial_hex(),
            reason,
        };
        let key_identifier = belongs(&certificate, &key, &subject).map_err(mismatch)?;
        Ok(Self {
            publication: publication.clone(),
            key_identifier,
            certificate,
            signer,
            random,
        })
    }

    /// Returns a signed CRL in DER: every certificate that is on hold or revoked.
    ///
    /// `number` must be larger than that of any CRL before (*RFC 5280 §5.2.3*); the caller keeps
    /// count. The entries may come in any order; the list is in order of serial number.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn crl(
        &self,
        entries: &[CrlEntry],
        this_update: Timestamp,
        next_update: Timestamp,
        number: u64,
    ) -> Result<Vec<u8>, CrlError> {
        let unsigned = crl::Unsigned::new(
            self.certificate.subject(),
            &self.key_identifier,
            entries,
            (this_update, next_update),
            number,
        )?;
        let signature = self
            .signer
            .sign(unsigned.to_be_signed())
            .map_err(CrlError::Token)?;
        unsigned.proved(&signature, self.certificate.public_key())
    }
}

impl EmbeddedCa {
    /// Returns the certificate that the authority signs with.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs a certificate for an order, holding from `at`.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue(
        &self,
        order: &CertificateOrder,
        at: Timestamp,
    ) -> Result<Certificate, IssueError> {
        let profile = &*order.profile;
        if profile.kind() != ProfileKind::Leaf {
            return Err(IssueError::NotALeafProfile {
                name: profile.name().to_owned(),
            });
        }
        if profile.is_qualified() {
            return Err(IssueError::Qualified {
                name: profile.name().to_owned(),
            });
        }
        profile
            .check_subject(&order.subject)
            .map_err(|reason| IssueError::Subject {
                name: profile.name().to_owned(),
                reason,
            })?;
        self.certify(profile, &order.public_key, &order.subject, || {
            self.period(order, at)
        })
    }

    /// Signs the certificate of a responder of this authority's, for the key of `responder`, holding
    /// from `at`. It names no responder that was appointed before: several may serve at a time.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn appoint(
        &self,
        profile: &CertificateProfile,
        responder: &dyn Signer,
        at: Timestamp,
    ) -> Result<Certificate, IssueError> {
        let name = || profile.name().to_owned();
        if profile.kind() != ProfileKind::Responder {
            return Err(IssueError::NotAResponderProfile { name: name() });
        }
        let subject = profile.subject(None);
        let subject = subject.map_err(|error| IssueError::Subject {
            name: name(),
            reason: error.to_string(),
        })?;
        let key = PublicKey::from_spki_der(responder.public_key_spki_der());
        let key = key.map_err(|_| IssueError::Key {
            name: name(),
            algorithm: None,
        })?;
        self.certify(profile, &key, &subject, || {
            let from = whole_seconds(at)?;
            let days = SignedDuration::from_hours(24 * i64::from(profile.days()));
            let until = from
                .checked_add(days)
                .and_then(|end| end.checked_sub(SignedDuration::from_secs(1)))
                .map_err(|_| IssueError::Time)?;
            self.within(from, until)
        })
    }

    /// Signs what was found in order, for a key of a kind that the profile allows.
    fn certify(
        &self,
        profile: &CertificateProfile,
        key: &PublicKey,
        subject: &DistinguishedName,
        period: impl FnOnce() -> Result<(Timestamp, Timestamp), IssueError>,
    ) -> Result<Certificate, IssueError> {
        let algorithm = key.algorithm();
        if !algorithm.is_some_and(|algorithm| profile.allows(algorithm)) {
            return Err(IssueError::Key {
                name: profile.name().to_owned(),
                algorithm,
            });
        }
        let unreadable = |error| IssueError::Unreadable(cert::CertificateError::PublicKey(error));
        let (not_before, not_after) = period()?;
        let identifier = key_identifier(&key.subject_public_key().map_err(unreadable)?);
        let content = Content {
            serial: &serial(&*self.random).map_err(IssueError::Token)?,
            issuer: self.certificate.subject().as_der(),
            subject: subject.as_der(),
            public_key: &key.to_spki_der().map_err(unreadable)?,
            not_before,
            not_after,
            extensions: extensions(
                profile,
                &identifier,
                &self.key_identifier,
                &self.publication,
            )
            .map_err(IssueError::Encoding)?,
        };
        let der = content.sign(&*self.signer)?;
        proved(&der, self.certificate.public_key())
    }

    /// Returns first and last second of a certificate: as long as the profile has it, within the
    /// document's days and the CA's own.
    fn period(
        &self,
        order: &CertificateOrder,
        at: Timestamp,
    ) -> Result<(Timestamp, Timestamp), IssueError> {
        let from = whole_seconds(at)?;
        if order.not_after < from {
            return Err(IssueError::DocumentExpired {
                expires: order.not_after,
            });
        }
        let until = last_second(from, order.profile.years())?.min(whole_seconds(order.not_after)?);
        self.within(from, until)
    }

    /// Returns a period that lies in the CA's own.
    fn within(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<(Timestamp, Timestamp), IssueError> {
        let own = self.certificate.validity();
        if from < own.not_before {
            return Err(IssueError::IssuerNotYetValid {
                from: own.not_before,
            });
        }
        if until > own.not_after {
            return Err(IssueError::OutlastsIssuer {
                until,
                issuer: own.not_after,
            });
        }
        Ok((from, until))
    }
}

impl fmt::Debug for EmbeddedCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmbeddedCa({:?})", self.certificate)
    }
}

/// Checks that a self-signed certificate is this key's under this name, and a CA's; returns its key
/// identifier, or what does not fit.
pub(crate) fn belongs(
    certificate: &Certificate,
    key: &PublicKey,
    subject: &DistinguishedName,
) -> Result<Vec<u8>, &'static str> {
    if certificate.public_key() != key {
        return Err("its key is not the one in the HSM");
    }
    if certificate.subject() != subject {
        return Err("its name is not the profile's");
    }
    let said = certificate.extensions();
    let usage = said.key_usage.as_ref();
    if !said.ca || !usage.is_some_and(|u| KeyUsage::key_cert_sign(u) && KeyUsage::crl_sign(u)) {
        return Err("it is not a CA certificate");
    }
    if certificate.verify_signature(key).is_err() {
        return Err("it is not signed by its own key");
    }
    let identifier = said.subject_key_identifier.clone();
    identifier.ok_or("it has no key identifier")
}

fn ca_parts(profile: &CertificateProfile) -> Result<(DistinguishedName, &Publication), CaError> {
    let (ProfileKind::Ca, Some(publication)) = (profile.kind(), profile.publication()) else {
        return Err(CaError::NotACaProfile {
            name: profile.name().to_owned(),
        });
    };
    let subject = profile.subject(None).map_err(CaError::Subject)?;
    Ok((subject, publication))
}

fn signer_key(signer: &dyn Signer) -> Result<PublicKey, CaError> {
    if signer.algorithm() != SignatureAlgorithm::EcdsaP384Sha384 {
        return Err(CaError::Key);
    }
    PublicKey::from_spki_der(signer.public_key_spki_der()).map_err(|_| CaError::Key)
}

/// Reads back what was made, as a relying party will, before anybody else sees it.
pub(crate) fn proved(der: &[u8], issuer_key: &PublicKey) -> Result<Certificate, IssueError> {
    let certificate = Certificate::parse(der).map_err(IssueError::Unreadable)?;
    certificate
        .verify_signature(issuer_key)
        .map_err(IssueError::WrongSignature)?;
    Ok(certificate)
}

/// Returns a random serial number of 16 bytes: positive, and never shorter, so that all look
/// alike; 126 bits are drawn.
pub(crate) fn serial(random: &dyn RandomSource) -> Result<[u8; 16], HsmError> {
    let mut serial = [0; 16];
    random.fill(&mut serial)?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}

pub(crate) fn whole_seconds(at: Timestamp) -> Result<Timestamp, IssueError> {
    Timestamp::from_second(at.as_second()).map_err(|_| IssueError::Time)
}

/// Returns the last second of a period of whole years that begins at `from`.
fn last_second(from: Timestamp, years: u8) -> Result<Timestamp, IssueError> {
    whole_seconds(from)?
        .to_zoned(TimeZone::UTC)
        .checked_add(Span::new().years(years))
        .and_then(|end| end.timestamp().checked_sub(SignedDuration::from_secs(1)))
        .map_err(|_| IssueError::Time)
}

#[cfg(test)]
mod tests;
