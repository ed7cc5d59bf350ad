//! ECDSA signatures: their forms, and the algorithms that certificates name.

use der::asn1::{AnyRef, UintRef};
use der::{Decode, Encode, Sequence};
use sha2::{Digest, Sha256, Sha384, Sha512};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};

use crate::public_key::Curve;

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The bytes are no signature of this form.
    #[error("not an ECDSA signature for {curve}: {reason}")]
    Form {
        /// The curve of the key.
        curve: Curve,
        /// What is wrong.
        reason: &'static str,
    },
    /// It is well formed, and not by this key over this message.
    #[error("the signature does not verify under this key")]
    Wrong,
    /// The key is not one that signatures are checked with here.
    #[error("signatures by keys of this kind are not supported; P-256 and P-384 are")]
    Unsupported,
    /// The digest is of a length that no supported hash has.
    #[error("a digest of {length} bytes is not of SHA-256, SHA-384 or SHA-512")]
    Digest {
        /// The length in bytes.
        length: usize,
    },
}

/// A hash function of the SHA-2 family (*FIPS 180-4*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Returns the digest of `message`.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// The algorithm with which a certificate or request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ECDSA over that hash (*RFC 5758 §3.2*); the curve is the key's.
    Ecdsa(Hash),
    /// Any other; it is read, and never verified.
    Other(ObjectIdentifier),
}

const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

impl SignatureAlgorithm {
    /// Returns the algorithm that an `AlgorithmIdentifier` names; ECDSA has no parameters
    /// (*RFC 5758 §3.2*), and with any it is not ECDSA.
    pub(crate) fn read(oid: ObjectIdentifier, has_parameters: bool) -> Self {
        match oid {
            ECDSA_SHA256 if !has_parameters => Self::Ecdsa(Hash::Sha256),
            ECDSA_SHA384 if !has_parameters => Self::Ecdsa(Hash::Sha384),
            ECDSA_SHA512 if !has_parameters => Self::Ecdsa(Hash::Sha512),
            other => Self::Other(other),
        }
    }

    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Ecdsa(Hash::Sha256) => ECDSA_SHA256,
            Self::Ecdsa(Hash::Sha384) => ECDSA_SHA384,
            Self::Ecdsa(Hash::Sha512) => ECDSA_SHA512,
            Self::Other(oid) => oid,
        }
    }

    pub(crate) fn identifier(self) -> AlgorithmIdentifierRef<'static> {
        AlgorithmIdentifierRef {
            oid: self.oid(),
            parameters: None::<AnyRef<'static>>,
        }
    }
}

/// A well-formed ECDSA signature: r and s, each as long as the curve's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcdsaSignature {
    curve: Curve,
    raw: Vec<u8>,
}

#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl EcdsaSignature {
    /// Returns the signature that `raw` (r ‖ s, both of full length) is, as a card gives it.
    ///
    /// # Errors
    /// [`SignatureError::Form`] for a wrong length; whether r and s are in range is found when
    /// verifying.
    pub fn from_raw(curve: Curve, raw: &[u8]) -> Result<Self, SignatureError> {
        if raw.len() != 2 * curve.field_length() {
            return Err(SignatureError::Form {
                curve,
                reason: "r and s are not each as long as the curve's field",
            });
        }
        Ok(Self {
            curve,
            raw: raw.to_vec(),
        })
    }

    /// Returns the signature that `der` (`ECDSA-Sig-Value`, *RFC 3279 §2.2.3*) holds.
    ///
    /// # Errors
    /// [`SignatureError::Form`] for anything but DER, bytes that follow, negative or too long
    /// numbers.
    pub fn from_der(curve: Curve, der: &[u8]) -> Result<Self, SignatureError> {
        let form = |reason| SignatureError::Form { curve, reason };
        let EcdsaSigValue { r, s } = EcdsaSigValue::from_der(der)
            .map_err(|_| form("it is not DER of two unsigned numbers"))?;
        let length = curve.field_length();
        let mut raw = Vec::with_capacity(2 * length);
        for number in [r, s] {
            let number = number.as_bytes();
            let filler = length
                .checked_sub(number.len())
                .ok_or(form("a number is longer than the curve's field"))?;
            raw.resize(raw.len() + filler, 0);
            raw.extend_from_slice(number);
        }
        Ok(Self { curve, raw })
    }

    /// Returns the curve for which the signature was read.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns r ‖ s.
    pub fn as_raw(&self) -> &[u8] {
        &self.raw
    }

    /// Returns the signature as `ECDSA-Sig-Value` in DER.
    ///
    /// # Errors
    /// [`SignatureError::Form`], in theory only: two such numbers have an encoding.
    pub fn to_der(&self) -> Result<Vec<u8>, SignatureError> {
        let (r, s) = self.raw.split_at(self.curve.field_length());
        let encode = || {
            let (r, s) = (UintRef::new(r)?, UintRef::new(s)?);
            EcdsaSigValue { r, s }.to_der()
        };
        encode().map_err(|_| SignatureError::Form {
            curve: self.curve,
            reason: "it has no DER encoding",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::EcdsaSignature;
    use crate::public_key::Curve;

    #[test]
    fn der_is_strict() {
        let read = |hex: &str| EcdsaSignature::from_der(Curve::P256, &hex::decode(hex).unwrap());
        let good = read("3006020101020102").unwrap();
        assert_eq!(good.as_raw()[31], 1);
        assert_eq!(good.as_raw()[63], 2);
        for bad in [
            "",
            "30",
            "300602010102010200",     // bytes follow
            "300702010102020002",     // a number with a needless zero
            "30060201ff020102",       // negative
            "3081060201010201020000", // length not minimal
            "30030201010201",         // cut off
            "3009020101020102020103", // three numbers
            "3006020101040102",       // not a number
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let long = format!("3026022101{}020101", "00".repeat(32));
        assert!(read(&long).is_err());
    }

    proptest! {
        #[test]
        fn forms_agree(raw in prop::collection::vec(any::<u8>(), 96)) {
            let signature = EcdsaSignature::from_raw(Curve::P384, &raw).unwrap();
            let back = EcdsaSignature::from_der(Curve::P384, &signature.to_der().unwrap()).unwrap();
            prop_assert_eq!(back.as_raw(), &raw[..]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            let _ = EcdsaSignature::from_der(Curve::P256, &bytes);
            let _ = EcdsaSignature::from_raw(Curve::P384, &bytes);
        }
    }
}
