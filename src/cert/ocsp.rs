//! Online certificate status (*RFC 6960*): requests and responses, read, verified and built.
//!
//! ```text
//!   OcspRequest::for_certificate ─► to_der ─► … ─► OcspResponse::parse ─► verify ─► CertStatus
//!
//!   OcspRequest::parse ─► StatusReport::to_be_signed ─► a responder signs ─► assemble
//! ```
//!
//! SHA-1 names a certificate's issuer, as most clients do; no signature is over it.

use std::fmt;

use der::asn1::{Any, GeneralizedTime, Int, Null, OctetString, Uint};
use der::{Choice, DateTime, Decode, Encode, Enumerated, Sequence};
use jiff::Timestamp;
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use x509_cert::ext::Extension;

use crate::certificate::{Certificate, read_serial};
use crate::hash::Hash;

mod request;
mod response;
mod verify;

pub use request::{MAX_NONCE, OcspRequest};
pub use response::{OcspResponse, Refusal, SingleStatus, StatusReport, refusal};
pub use verify::{OcspVerifyError, Responder};

/// The longest request or response that is read, in bytes.
pub const MAX_OCSP: usize = 65_536;

/// The most certificates that one request may ask about.
pub const MAX_IDS: usize = 32;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// `id-kp-OCSPSigning` (*§4.2.2.2*): the purpose of a responder's certificate.
pub const OCSP_SIGNING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.9");
/// `id-pkix-ocsp-nocheck` (*§4.2.2.2.1*): nobody asks for the responder's own status.
pub const OCSP_NO_CHECK: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.5");
const NONCE: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.2");
const EXTENDED_REVOKE: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.9");
const BASIC: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.1");

/// Why bytes were refused as a request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspError {
    /// Longer than any needs to be.
    #[error("an OCSP message is at most {MAX_OCSP} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not DER of this form.
    #[error("not an OCSP message in DER")]
    Syntax(#[source] der::Error),
    /// Asks or answers about no certificate, or about too many.
    #[error("an OCSP message is about 1 to {MAX_IDS} certificates, not {count}")]
    Count {
        /// How many.
        count: usize,
    },
    /// A serial number that no certificate has.
    #[error("a serial number is not a positive number of at most 20 bytes")]
    Serial,
    /// A nonce is too long, or none (*RFC 9654 §2.1*).
    #[error("a nonce is 1 to {MAX_NONCE} bytes long")]
    Nonce,
    /// A critical extension that is not understood here.
    #[error("the critical extension {oid} is not understood")]
    UnknownCritical {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
    /// An extension appears twice.
    #[error("extension {oid} appears twice")]
    Repeated {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
    /// Another version, or another kind of response than the basic one.
    #[error("not a basic response of version 1")]
    Kind,
    /// A time is out of range.
    #[error("a time is out of range")]
    Time,
}

impl From<der::Error> for OcspError {
    fn from(error: der::Error) -> Self {
        Self::Syntax(error)
    }
}

/// Which certificate is meant: its issuer by two hashes, and its serial number (*§4.1.1*).
#[derive(Clone, PartialEq, Eq)]
pub struct CertId {
    algorithm: AlgorithmIdentifierOwned,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
}

impl CertId {
    /// Returns the name of the certificate that `issuer` gave this serial number (big-endian, no
    /// leading zero byte), by SHA-1: what every responder knows.
    ///
    /// # Errors
    /// [`OcspError`] for an issuer's key that does not encode.
    pub fn new(issuer: &Certificate, serial: &[u8]) -> Result<Self, OcspError> {
        Self::hashed(Hash::Sha1, issuer, serial)
    }

    /// Returns the same by another hash.
    ///
    /// # Errors
    /// As [`CertId::new`].
    pub fn hashed(hash: Hash, issuer: &Certificate, serial: &[u8]) -> Result<Self, OcspError> {
        let (name_hash, key_hash) = issuer_hashes(hash, issuer)?;
        Ok(Self {
            algorithm: AlgorithmIdentifierOwned {
                oid: hash.oid(),
                parameters: Some(Any::null()),
            },
            name_hash,
            key_hash,
            serial: serial.to_vec(),
        })
    }

    /// Returns the serial number.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Returns whether `issuer` is the one that is meant; by a hash that is not known, nobody is.
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool {
        Hash::from_oid(self.algorithm.oid)
            .and_then(|hash| issuer_hashes(hash, issuer).ok())
            .is_some_and(|(name, key)| name == self.name_hash && key == self.key_hash)
    }

    /// Returns whether both name the same certificate; a hash may be written with parameters or
    /// without.
    fn is_same(&self, other: &Self) -> bool {
        self.algorithm.oid == other.algorithm.oid
            && self.name_hash == other.name_hash
            && self.key_hash == other.key_hash
            && self.serial == other.serial
    }

    fn read(id: CertIdDer) -> Result<Self, OcspError> {
        let serial = read_serial(id.serial.as_bytes()).map_err(|_| OcspError::Serial)?;
        Ok(Self {
            algorithm: id.algorithm,
            name_hash: id.name_hash.into_bytes().into_vec(),
            key_hash: id.key_hash.into_bytes().into_vec(),
            serial,
        })
    }

    fn to_sequence(&self) -> der::Result<CertIdDer> {
        let serial = Uint::new(&self.serial)?.to_der()?;
        Ok(CertIdDer {
            algorithm: self.algorithm.clone(),
            name_hash: OctetString::new(self.name_hash.as_slice())?,
            key_hash: OctetString::new(self.key_hash.as_slice())?,
            serial: Int::from_der(&serial)?,
        })
    }
}

impl fmt::Debug for CertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertId(serial {})", hex::encode(&self.serial))
    }
}

/// Returns the hashes of an issuer's name and of its key's bits (*§4.1.1*).
fn issuer_hashes(hash: Hash, issuer: &Certificate) -> Result<(Vec<u8>, Vec<u8>), OcspError> {
    let key = issuer.public_key().subject_public_key();
    let key = key.map_err(|_| OcspError::Kind)?;
    Ok((hash.digest(issuer.subject().as_der()), hash.digest(&key)))
}

/// Where a certificate stands (*§2.2*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// Not revoked.
    Good,
    /// Revoked, or on hold.
    Revoked {
        /// Since when.
        since: Timestamp,
        /// The code of the reason (*RFC 5280 §5.3.1*), where it is said; 6 is `certificateHold`.
        reason: Option<u8>,
    },
    /// The responder does not know it.
    Unknown,
}

#[derive(Clone, Sequence)]
struct CertIdDer {
    algorithm: AlgorithmIdentifierOwned,
    name_hash: OctetString,
    key_hash: OctetString,
    serial: Int,
}

/// *RFC 5280 §5.3.1*; 7 is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum Reason {
    Unspecified = 0,
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    RemoveFromCrl = 8,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10,
}

#[derive(Clone, Sequence)]
struct RevokedInfo {
    since: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    reason: Option<Reason>,
}

#[derive(Clone, Choice)]
enum CertStatusDer {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedInfo),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

fn read_time(time: GeneralizedTime) -> Result<Timestamp, OcspError> {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(OcspError::Time)
}

fn write_time(time: Timestamp) -> Result<GeneralizedTime, OcspError> {
    u64::try_from(time.as_second())
        .ok()
        .map(std::time::Duration::from_secs)
        .and_then(|since| DateTime::from_unix_duration(since).ok())
        .map(GeneralizedTime::from_date_time)
        .ok_or(OcspError::Time)
}

/// Returns the nonce of a message's extensions; those that are not understood and critical are
/// refused.
fn read_nonce(extensions: &[Extension]) -> Result<Option<Vec<u8>>, OcspError> {
    let mut nonce = None;
    for (place, extension) in extensions.iter().enumerate() {
        let oid = extension.extn_id;
        if extensions.iter().take(place).any(|e| e.extn_id == oid) {
            return Err(OcspError::Repeated { oid });
        }
        match oid {
            NONCE => {
                let value = OctetString::from_der(extension.extn_value.as_bytes())?;
                if !(1..=MAX_NONCE).contains(&value.as_bytes().len()) {
                    return Err(OcspError::Nonce);
                }
                nonce = Some(value.as_bytes().to_vec());
            }
            EXTENDED_REVOKE => {}
            oid if extension.critical => return Err(OcspError::UnknownCritical { oid }),
            _ => {}
        }
    }
    Ok(nonce)
}

fn nonce_extension(nonce: &[u8]) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: NONCE,
        critical: false,
        extn_value: OctetString::new(OctetString::new(nonce)?.to_der()?)?,
    })
}

#[cfg(test)]
mod tests;
