//! Public keys as `SubjectPublicKeyInfo` (*RFC 5280 §4.1.2.7*, *RFC 5480*, *RFC 8410*).

use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::error::HsmError;
use crate::signer::Curve;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const BRAINPOOL_P256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7");
const BRAINPOOL_P384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.11");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const BAD_POINT: HsmError = HsmError::Answer {
    operation: "read a public key",
    reason: "a point that is none of its curve",
};

impl Curve {
    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => P256,
            Self::P384 => P384,
            Self::BrainpoolP256r1 => BRAINPOOL_P256R1,
            Self::BrainpoolP384r1 => BRAINPOOL_P384R1,
        }
    }

    /// Returns the length of a coordinate in bytes.
    pub(crate) fn field_length(self) -> usize {
        match self {
            Self::P256 | Self::BrainpoolP256r1 => 32,
            Self::P384 | Self::BrainpoolP384r1 => 48,
        }
    }

    /// Returns the curve as `CKA_EC_PARAMS`: its object identifier in DER.
    pub(crate) fn parameters(self) -> Result<Vec<u8>, HsmError> {
        der_of(&self.oid())
    }

    /// Returns the curve that `CKA_EC_PARAMS` names, if it is one of ours.
    pub(crate) fn from_parameters(parameters: &[u8]) -> Option<Self> {
        match ObjectIdentifier::from_der(parameters).ok()? {
            P256 => Some(Self::P256),
            P384 => Some(Self::P384),
            BRAINPOOL_P256R1 => Some(Self::BrainpoolP256r1),
            BRAINPOOL_P384R1 => Some(Self::BrainpoolP384r1),
            _ => None,
        }
    }
}

/// Returns the identifier of Ed25519 in DER.
pub(crate) fn ed25519_identifier() -> Result<Vec<u8>, HsmError> {
    der_of(&ED25519)
}

/// Returns `CKA_EC_POINT` as an uncompressed point: 04, x, y.
pub(crate) fn ec_point(curve: Curve, attribute: &[u8]) -> Result<&[u8], HsmError> {
    let point = unwrapped(attribute, 1 + 2 * curve.field_length());
    point.filter(|p| p.first() == Some(&4)).ok_or(BAD_POINT)
}

/// Returns `CKA_EC_POINT` of an Ed25519 key as its 32 bytes.
pub(crate) fn ed25519_point(attribute: &[u8]) -> Result<&[u8], HsmError> {
    unwrapped(attribute, 32).ok_or(BAD_POINT)
}

/// The standard has the point in an OCTET STRING; some modules give it bare.
fn unwrapped(attribute: &[u8], length: usize) -> Option<&[u8]> {
    if attribute.len() == length {
        return Some(attribute);
    }
    let inner = <&OctetStringRef>::from_der(attribute).ok()?.as_bytes();
    (inner.len() == length).then_some(inner)
}

/// Returns the `SubjectPublicKeyInfo` of an uncompressed point.
pub(crate) fn ec_spki(curve: Curve, point: &[u8]) -> Result<Vec<u8>, HsmError> {
    let oid = curve.oid();
    spki_of(EC_PUBLIC_KEY, Some(AnyRef::from(&oid)), point)
}

/// Returns the `SubjectPublicKeyInfo` of an Ed25519 key.
pub(crate) fn ed25519_spki(key: &[u8]) -> Result<Vec<u8>, HsmError> {
    spki_of(ED25519, None, key)
}

/// Returns the `SubjectPublicKeyInfo` of an RSA key (*RFC 3279 §2.3.1*).
pub(crate) fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, HsmError> {
    let encode = || vec![UintRef::new(modulus)?, UintRef::new(exponent)?].to_der();
    let key = encode().map_err(|_| BAD_POINT)?;
    spki_of(RSA_ENCRYPTION, Some(AnyRef::NULL), &key)
}

fn spki_of(
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Result<Vec<u8>, HsmError> {
    let subject_public_key = BitStringRef::from_bytes(key).map_err(|_| BAD_POINT)?;
    der_of(&SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifier { oid, parameters },
        subject_public_key,
    })
}

fn der_of(value: &impl Encode) -> Result<Vec<u8>, HsmError> {
    value.to_der().map_err(|_| BAD_POINT)
}
