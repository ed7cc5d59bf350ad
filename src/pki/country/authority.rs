//! The embedded country signing CA: for pilots and tests, its key in the HSM.

use std::fmt;
use std::sync::Arc;

use cert::request::Request;
use cert::{Certificate, CountryQuestion, CountryRole, CountryVerifier, PublicKey};
use hsm::{RandomSource, Signer};
use jiff::Timestamp;

use crate::country::error::CountryError;
use crate::country::extensions::{Said, extensions};
use crate::country::list::{self, RevokedSigner};
use crate::country::profile::{CountryKind, CountryProfile, Times};
use crate::embedded::{IssueError, belongs, proved, serial, whole_seconds};
use crate::extensions::key_identifier;
use crate::to_be_signed::Content;

/// A country signing CA. It signs, and keeps no book of what.
pub struct CountryAuthority {
    profile: CountryProfile,
    certificate: Certificate,
    key_identifier: Vec<u8>,
    signer: Arc<dyn Signer>,
    random: Arc<dyn RandomSource>,
}

/// A CSCA with a new key.
#[derive(Debug)]
pub struct Renewed {
    /// The CSCA that signs from now on: everything, revocation lists as well (*ICAO 9303-12
    /// §4.1.4.3*).
    pub authority: CountryAuthority,
    /// The certificate of the new key under the old: whoever trusts the old one trusts the new.
    pub link: Certificate,
}

/// Whose certificate is made: name, key, and what is said of them.
struct Subject<'a> {
    profile: &'a CountryProfile,
    key: &'a PublicKey,
    key_identifier: &'a [u8],
    times: Times,
}

impl CountryAuthority {
    /// Makes a CSCA: its self-signed certificate for the signer's key, holding from `at`.
    ///
    /// # Errors
    /// [`CountryError`].
    pub fn create(
        profile: &CountryProfile,
        signer: Arc<dyn Signer>,
        random: Arc<dyn RandomSource>,
        at: Timestamp,
    ) -> Result<Self, CountryError> {
        let key = csca_key(profile, &*signer)?;
        let identifier = identifier(&key)?;
        let times = times(profile, at)?;
        let subject = Subject {
            profile,
            key: &key,
            key_identifier: &identifier,
            times,
        };
        let certificate = certify(&subject, profile, &identifier, &*signer, &key, &*random)?;
        Ok(Self {
            profile: profile.clone(),
            certificate,
            key_identifier: identifier,
            signer,
            random,
        })
    }

    /// Opens a CSCA that was made before.
    ///
    /// # Errors
    /// [`CountryError::Mismatch`] where certificate, profile and key do not belong together.
    pub fn open(
        profile: &CountryProfile,
        certificate: Certificate,
        signer: Arc<dyn Signer>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, CountryError> {
        let key = csca_key(profile, &*signer)?;
        let mismatch = |reason| CountryError::Mismatch {
            serial: certificate.serial_hex(),
            reason,
        };
        let subject = profile.subject().map_err(CountryError::Name)?;
        let key_identifier = belongs(&certificate, &key, &subject).map_err(mismatch)?;
        Ok(Self {
            profile: profile.clone(),
            key_identifier,
            certificate,
            signer,
            random,
        })
    }

    /// Returns the certificate that it signs with.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Goes over to a new key: a self-signed certificate for it, and a link from the old one. The
    /// name may change with it, the country may not.
    ///
    /// # Errors
    /// [`CountryError`].
    pub fn renew(
        &self,
        profile: &CountryProfile,
        signer: Arc<dyn Signer>,
        at: Timestamp,
    ) -> Result<Renewed, CountryError> {
        if profile.country() != self.profile.country() {
            return Err(CountryError::Country {
                name: profile.name().to_owned(),
            });
        }
        let authority = Self::create(profile, signer, Arc::clone(&self.random), at)?;
        let key = authority.certificate.public_key();
        if key == self.certificate.public_key() {
            return Err(CountryError::SameKey);
        }
        let mut times = times(profile, at)?;
        // No path through it holds longer than the old certificate.
        times.until = times.until.min(self.certificate.validity().not_after);
        if times.until <= times.from {
            return Err(CountryError::Outlasts {
                until: times.from,
                issuer: self.certificate.validity().not_after,
            });
        }
        let subject = Subject {
            profile,
            key,
            key_identifier: &authority.key_identifier,
            times,
        };
        let link = self.certify(&subject)?;
        Ok(Renewed { authority, link })
    }

    /// Signs the certificate of a document signer or a master list signer, of whose request only
    /// the key is taken, holding from `at`.
    ///
    /// # Errors
    /// [`CountryError`].
    pub fn issue(
        &self,
        profile: &CountryProfile,
        request: &Request,
        at: Timestamp,
    ) -> Result<Certificate, CountryError> {
        let role = match profile.kind() {
            CountryKind::DocumentSigner => CountryRole::DocumentSigner,
            CountryKind::MasterListSigner => CountryRole::MasterListSigner,
            CountryKind::Csca => return Err(kind(profile)),
        };
        if profile.country() != self.profile.country() {
            return Err(CountryError::Country {
                name: profile.name().to_owned(),
            });
        }
        let own = self
            .certificate
            .extensions()
            .private_key_usage
            .unwrap_or_default();
        let validity = self.certificate.validity();
        let from = own.not_before.unwrap_or(validity.not_before);
        let until = own.not_after.unwrap_or(validity.not_after);
        if at < from || at > until {
            return Err(CountryError::KeyUse { from, until });
        }
        let times = times(profile, at)?;
        if times.until > validity.not_after {
            return Err(CountryError::Outlasts {
                until: times.until,
                issuer: validity.not_after,
            });
        }
        let key = request.public_key();
        allowed(profile, key)?;
        let identifier = identifier(key)?;
        let subject = Subject {
            profile,
            key,
            key_identifier: &identifier,
            times,
        };
        let certificate = self.certify(&subject)?;
        let verifier = CountryVerifier {
            anchors: std::slice::from_ref(&self.certificate),
            links: &[],
            lists: &[],
        };
        let question = CountryQuestion {
            role,
            at: times.from,
            signed_at: Some(times.from),
            document_type: None,
        };
        let verified = verifier.verify(&certificate, &question).map(drop);
        verified.map_err(CountryError::SelfCheck)?;
        Ok(certificate)
    }

    /// Returns a signed revocation list in DER (*ICAO 9303-12 §7.1.4*): of everything that the
    /// CSCA issued under whatever key, signed also where nothing is on it.
    ///
    /// `number` must be larger than that of any list before; the caller keeps count.
    ///
    /// # Errors
    /// [`CountryError`].
    pub fn crl(
        &self,
        revoked: &[RevokedSigner],
        this_update: Timestamp,
        next_update: Timestamp,
        number: u64,
    ) -> Result<Vec<u8>, CountryError> {
        let times = (whole_seconds(this_update)?, whole_seconds(next_update)?);
        let issuer = list::Issuer {
            certificate: &self.certificate,
            key_identifier: &self.key_identifier,
            signer: &*self.signer,
        };
        list::sign(&issuer, revoked, times, number)
    }

    fn certify(&self, subject: &Subject<'_>) -> Result<Certificate, CountryError> {
        certify(
            subject,
            &self.profile,
            &self.key_identifier,
            &*self.signer,
            self.certificate.public_key(),
            &*self.random,
        )
    }
}

impl fmt::Debug for CountryAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CountryAuthority({:?})", self.certificate)
    }
}

fn certify(
    subject: &Subject<'_>,
    issuer: &CountryProfile,
    issuer_identifier: &[u8],
    signer: &dyn Signer,
    issuer_key: &PublicKey,
    random: &dyn RandomSource,
) -> Result<Certificate, CountryError> {
    let name = |profile: &CountryProfile| profile.subject().map_err(CountryError::Name);
    let (issuer_name, subject_name) = (name(issuer)?, name(subject.profile)?);
    let is_csca = subject.profile.kind() == CountryKind::Csca;
    let spki = match subject.profile.spells_curves_out() {
        true => subject.key.to_spki_der_spelt_out(),
        false => subject.key.to_spki_der(),
    }
    .map_err(|error| IssueError::Unreadable(cert::CertificateError::PublicKey(error)))?;
    let said = Said {
        subject: subject.profile,
        subject_key: subject.key_identifier,
        issuer,
        issuer_key: issuer_identifier,
        times: subject.times,
        name_changed: is_csca && issuer_name != subject_name,
    };
    let content = Content {
        serial: &serial(random).map_err(IssueError::Token)?,
        issuer: issuer_name.as_der(),
        subject: subject_name.as_der(),
        public_key: &spki,
        not_before: subject.times.from,
        not_after: subject.times.until,
        extensions: extensions(&said).map_err(IssueError::Encoding)?,
    };
    Ok(proved(&content.sign(signer)?, issuer_key)?)
}

fn times(profile: &CountryProfile, at: Timestamp) -> Result<Times, CountryError> {
    let times = profile.times(whole_seconds(at)?);
    Ok(times.ok_or(IssueError::Time)?)
}

fn identifier(key: &PublicKey) -> Result<Vec<u8>, CountryError> {
    let bits = key.subject_public_key();
    let bits =
        bits.map_err(|error| IssueError::Unreadable(cert::CertificateError::PublicKey(error)))?;
    Ok(key_identifier(&bits).to_vec())
}

fn csca_key(profile: &CountryProfile, signer: &dyn Signer) -> Result<PublicKey, CountryError> {
    if profile.kind() != CountryKind::Csca {
        return Err(kind(profile));
    }
    let key = PublicKey::from_spki_der(signer.public_key_spki_der());
    let key =
        key.map_err(|error| IssueError::Unreadable(cert::CertificateError::PublicKey(error)))?;
    allowed(profile, &key)?;
    Ok(key)
}

fn allowed(profile: &CountryProfile, key: &PublicKey) -> Result<(), CountryError> {
    let algorithm = key.algorithm();
    if algorithm.is_some_and(|algorithm| profile.allows(algorithm)) {
        return Ok(());
    }
    Err(CountryError::Key {
        name: profile.name().to_owned(),
        algorithm,
    })
}

fn kind(profile: &CountryProfile) -> CountryError {
    CountryError::Kind {
        name: profile.name().to_owned(),
        is: profile.kind(),
    }
}
