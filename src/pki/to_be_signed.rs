//! The part of a certificate that is signed (*RFC 5280 §4.1.2*), and the signature around it.

use std::time::Duration;

use cert::{Hash, SignatureAlgorithm};
use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, Int, UtcTime};
use der::{DateTime, Decode, Encode, Sequence};
use hsm::Signer;
use jiff::Timestamp;
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use crate::embedded::IssueError;

/// ecdsa-with-SHA384 (*RFC 5758 §3.2*), without parameters.
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: Int,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: ValidityPeriod,
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct ValidityPeriod {
    not_before: Time,
    not_after: Time,
}

#[derive(Sequence)]
struct SignedData<'a> {
    tbs: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

/// What goes into a certificate, names and key in DER.
pub(crate) struct Content<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) public_key: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) extensions: Vec<Extension>,
}

impl Content<'_> {
    /// Returns the certificate in DER, signed.
    pub(crate) fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, IssueError> {
        let validity = ValidityPeriod {
            not_before: asn1_time(self.not_before).ok_or(IssueError::Time)?,
            not_after: asn1_time(self.not_after).ok_or(IssueError::Time)?,
        };
        let algorithm = certificate_algorithm(signer)?;
        let algorithm = algorithm.to_der().map_err(IssueError::Encoding)?;
        let encode = || {
            TbsCertificate {
                version: 2,
                serial: Int::new(self.serial)?,
                signature: AnyRef::from_der(&algorithm)?,
                issuer: AnyRef::from_der(self.issuer)?,
                validity,
                subject: AnyRef::from_der(self.subject)?,
                public_key: AnyRef::from_der(self.public_key)?,
                extensions: self.extensions,
            }
            .to_der()
        };
        let tbs = encode().map_err(IssueError::Encoding)?;
        let signature = signer.sign(&tbs).map_err(IssueError::Token)?;
        signed(&tbs, &algorithm, &signature).map_err(IssueError::Encoding)
    }
}

/// Returns how a key in the token signs certificates, requests and documents.
///
/// # Errors
/// [`IssueError::SignerKey`] for Ed25519.
pub fn certificate_algorithm(signer: &dyn Signer) -> Result<SignatureAlgorithm, IssueError> {
    use hsm::SignatureAlgorithm as Token;
    match signer.algorithm() {
        Token::EcdsaP256Sha256 | Token::EcdsaBrainpoolP256r1Sha256 => {
            Ok(SignatureAlgorithm::Ecdsa(Hash::Sha256))
        }
        Token::EcdsaP384Sha384 | Token::EcdsaBrainpoolP384r1Sha384 => {
            Ok(SignatureAlgorithm::Ecdsa(Hash::Sha384))
        }
        Token::RsaPssSha256 => Ok(SignatureAlgorithm::rsa_pss(Hash::Sha256)),
        Token::Ed25519 => Err(IssueError::SignerKey),
    }
}

/// Returns the signed form of a certificate or a list.
pub(crate) fn signed(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> der::Result<Vec<u8>> {
    SignedData {
        tbs: AnyRef::from_der(tbs)?,
        algorithm: AnyRef::from_der(algorithm)?,
        signature: BitStringRef::from_bytes(signature)?,
    }
    .to_der()
}

/// Returns ecdsa-with-SHA384 as certificates and CRLs have it.
pub(crate) fn algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef {
        oid: ECDSA_SHA384,
        parameters: None,
    }
}

/// Returns a time as certificates have it: whole seconds, UTCTime through 2049 (*§4.1.2.5*).
pub(crate) fn asn1_time(time: Timestamp) -> Option<Time> {
    let seconds = u64::try_from(time.as_second()).ok()?;
    let time = DateTime::from_unix_duration(Duration::from_secs(seconds)).ok()?;
    Some(if time.year() < 2050 {
        Time::UtcTime(UtcTime::from_date_time(time).ok()?)
    } else {
        Time::GeneralTime(GeneralizedTime::from_date_time(time))
    })
}

#[cfg(test)]
mod tests {
    use x509_cert::time::Time;

    use super::asn1_time;
    use crate::testing::time;

    #[test]
    fn the_form_of_a_time_changes_with_2050() {
        assert!(matches!(
            asn1_time(time("2049-12-31T23:59:59Z")),
            Some(Time::UtcTime(_))
        ));
        assert!(matches!(
            asn1_time(time("2050-01-01T00:00:00Z")),
            Some(Time::GeneralTime(_))
        ));
        assert!(asn1_time(time("1969-12-31T23:59:59Z")).is_none());
    }
}
