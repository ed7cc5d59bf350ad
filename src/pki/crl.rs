//! Certificate revocation lists (*RFC 5280 §5*).

use cert::{Curve, DistinguishedName, EcdsaSignature, PublicKey, SignatureError};
use der::asn1::Uint;
use der::{Decode, Encode};
use hsm::HsmError;
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::Version;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::pkix::{CrlNumber, CrlReason};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use crate::extensions::{authority_key_identifier, extension};
use crate::register::RegisterError;
use crate::to_be_signed::{ECDSA_SHA384, asn1_time, signed};

/// Why a certificate is on the list (*§5.3.1*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// Its private key may be in other hands.
    KeyCompromise,
    /// What it says of its holder is no longer so.
    AffiliationChanged,
    /// Another has taken its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// It is suspended: before the hand-over, or at the holder's wish. The only one that ends.
    CertificateHold,
    /// Its holder lost the right to it.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Returns the reason's code.
    pub fn number(self) -> u8 {
        self.code() as u8
    }

    fn code(self) -> CrlReason {
        match self {
            Self::KeyCompromise => CrlReason::KeyCompromise,
            Self::AffiliationChanged => CrlReason::AffiliationChanged,
            Self::Superseded => CrlReason::Superseded,
            Self::CessationOfOperation => CrlReason::CessationOfOperation,
            Self::CertificateHold => CrlReason::CertificateHold,
            Self::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        }
    }
}

/// One certificate on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// Its serial number: big-endian, no leading zero byte, as [`cert::Certificate::serial`].
    pub serial: Vec<u8>,
    /// Since when it is revoked or on hold.
    pub since: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// Why a CRL was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// The next list would come before this one, or an entry lies in the future.
    #[error("the times of the CRL contradict each other: {0}")]
    Times(&'static str),
    /// A serial number is empty, too long, or starts with a zero byte.
    #[error("an entry's serial number is malformed")]
    Serial,
    /// A certificate is listed twice.
    #[error("certificate {serial} is listed twice")]
    Repeated {
        /// Its serial number in hexadecimal.
        serial: String,
    },
    /// What was built does not encode.
    #[error("the CRL does not encode")]
    Encoding(#[source] der::Error),
    /// The CA's key does not serve.
    #[error("the CA's token does not serve")]
    Token(#[source] HsmError),
    /// The authority's register does not serve.
    #[error("the authority's register does not serve")]
    Register(#[source] RegisterError),
    /// The program is ending.
    #[error("the program is ending")]
    Ending,
    /// The token gave a wrong signature; nothing was given out.
    #[error("the CA's token gave a signature that does not verify; take it out of service")]
    WrongSignature(#[source] SignatureError),
}

/// Returns the part of a CRL that is signed.
pub(crate) fn to_be_signed(
    issuer: &DistinguishedName,
    issuer_key: &[u8],
    entries: &[CrlEntry],
    (this_update, next_update): (Timestamp, Timestamp),
    number: u64,
) -> Result<Vec<u8>, CrlError> {
    if next_update <= this_update {
        return Err(CrlError::Times("nextUpdate is not after thisUpdate"));
    }
    if entries.iter().any(|entry| entry.since > this_update) {
        return Err(CrlError::Times("an entry begins after thisUpdate"));
    }
    let mut entries: Vec<&CrlEntry> = entries.iter().collect();
    // Shorter numbers are smaller: none starts with a zero byte.
    entries.sort_by_key(|entry| (entry.serial.len(), &entry.serial));
    if let Some([entry, _]) = entries.array_windows().find(|[a, b]| a.serial == b.serial) {
        return Err(CrlError::Repeated {
            serial: entry
                .serial
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        });
    }
    let listed = entries
        .into_iter()
        .map(revoked)
        .collect::<Result<Vec<_>, _>>()?;
    let time = |time| asn1_time(time).ok_or(CrlError::Times("a time is out of range"));
    let (this_update, next_update) = (time(this_update)?, time(next_update)?);
    let encode = || {
        TbsCertList {
            version: Version::V2,
            signature: AlgorithmIdentifierOwned {
                oid: ECDSA_SHA384,
                parameters: None,
            },
            issuer: Name::from_der(issuer.as_der())?,
            this_update,
            next_update: Some(next_update),
            // An empty list is left out (§5.1.2.6).
            revoked_certificates: (!listed.is_empty()).then_some(listed),
            crl_extensions: Some(vec![
                authority_key_identifier(issuer_key)?,
                extension(&CrlNumber(Uint::new(&number.to_be_bytes())?), false)?,
            ]),
        }
        .to_der()
    };
    encode().map_err(CrlError::Encoding)
}

fn revoked(entry: &CrlEntry) -> Result<RevokedCert, CrlError> {
    if entry.serial.len() > 20 || entry.serial.first().is_none_or(|first| *first == 0) {
        return Err(CrlError::Serial);
    }
    let since = asn1_time(entry.since).ok_or(CrlError::Times("a time is out of range"))?;
    let reason = extension(&entry.reason.code(), false).map_err(CrlError::Encoding)?;
    Ok(RevokedCert {
        serial_number: SerialNumber::new(&entry.serial).map_err(|_| CrlError::Serial)?,
        revocation_date: since,
        crl_entry_extensions: Some(vec![reason]),
    })
}

/// Returns the CRL in DER, once its signature verifies.
pub(crate) fn proved(tbs: &[u8], signature: &[u8], key: &PublicKey) -> Result<Vec<u8>, CrlError> {
    EcdsaSignature::from_der(Curve::P384, signature)
        .and_then(|signature| key.verify_message(Curve::P384.hash(), tbs, &signature))
        .map_err(CrlError::WrongSignature)?;
    signed(tbs, signature).map_err(CrlError::Encoding)
}
