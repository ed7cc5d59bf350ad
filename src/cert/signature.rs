//! ECDSA signatures: their forms, raw as cards give them and DER as certificates have them.

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

use crate::algorithm::{Curve, KeyAlgorithm, RsaLength};
use crate::hash::Hash;

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
    /// Key and algorithm are not a pair with which signatures are checked here.
    #[error("signatures of this algorithm by a key of this kind are not verified here")]
    Unsupported,
    /// The key is too short for its signatures to mean anything.
    #[error("signatures by a key of {} bits are worth nothing; {} is the least", .length.bits(), RsaLength::Bits2048.bits())]
    WeakKey {
        /// The length of the modulus.
        length: RsaLength,
    },
    /// An RSA signature is not as long as the modulus.
    #[error("an RSA signature by this key is {expected} bytes long, not {actual}")]
    RsaLength {
        /// The length of the modulus in bytes.
        expected: usize,
        /// The signature's.
        actual: usize,
    },
    /// The digest is not of the hash that the algorithm names.
    #[error("a digest of {length} bytes is not of {hash}")]
    DigestOf {
        /// The hash.
        hash: Hash,
        /// The length in bytes.
        length: usize,
    },
    /// The digest is of a length that no supported hash has.
    #[error("a digest of {length} bytes is not of SHA-256, SHA-384 or SHA-512")]
    Digest {
        /// The length in bytes.
        length: usize,
    },
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

/// Returns r ‖ s, each as long as the curve's field, of a signature in DER.
///
/// # Errors
/// [`SignatureError::Form`], see [`EcdsaSignature::from_der`].
pub fn ecdsa_der_to_raw(curve: Curve, der: &[u8]) -> Result<Vec<u8>, SignatureError> {
    EcdsaSignature::from_der(curve, der).map(|signature| signature.raw)
}

/// Returns `ECDSA-Sig-Value` in DER of r ‖ s.
///
/// # Errors
/// [`SignatureError::Form`], see [`EcdsaSignature::from_raw`].
pub fn ecdsa_raw_to_der(curve: Curve, raw: &[u8]) -> Result<Vec<u8>, SignatureError> {
    EcdsaSignature::from_raw(curve, raw)?.to_der()
}

/// Returns a chip's signature in the form that certificates have, which is what
/// [`crate::PublicKey::verify`] takes: of r ‖ s (each as long as the curve's field) or ECDSA in
/// DER, the DER; an RSA signature, which must be as long as the modulus, as it is.
///
/// What is exactly as long as r ‖ s is taken for it. DER of that length would have r and s six
/// bytes too short between them; should a chip ever make one, it does not verify.
///
/// # Errors
/// [`SignatureError::Form`] and [`SignatureError::RsaLength`] for bytes of neither form.
pub fn certificate_form(key: KeyAlgorithm, signature: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let expected = key.signature_length();
    match key {
        KeyAlgorithm::Ec(curve) if signature.len() == expected => {
            ecdsa_raw_to_der(curve, signature)
        }
        KeyAlgorithm::Ec(curve) => EcdsaSignature::from_der(curve, signature)?.to_der(),
        KeyAlgorithm::Rsa(_) if signature.len() == expected => Ok(signature.to_vec()),
        KeyAlgorithm::Rsa(_) => Err(SignatureError::RsaLength {
            expected,
            actual: signature.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EcdsaSignature, SignatureError, certificate_form};
    use crate::algorithm::{Curve, KeyAlgorithm, RsaLength};

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
            "30050200020101",         // an empty number
            "30800201010201020000",   // of indefinite length
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let long = format!("3026022101{}020101", "00".repeat(32));
        assert!(read(&long).is_err());
    }

    #[test]
    fn chips_answers_take_the_form_of_certificates() {
        let ec = KeyAlgorithm::Ec(Curve::P256);
        let der = hex::decode("3006020101020102").unwrap();
        let mut raw = [0; 64];
        (raw[31], raw[63]) = (1, 2);
        assert_eq!(certificate_form(ec, &raw), Ok(der.clone()));
        assert_eq!(certificate_form(ec, &der), Ok(der.clone()));
        assert!(certificate_form(ec, &raw[..62]).is_err());
        let rsa = KeyAlgorithm::Rsa(RsaLength::Bits2048);
        assert_eq!(certificate_form(rsa, &[7; 256]), Ok(vec![7; 256]));
        assert_eq!(
            certificate_form(rsa, &der),
            Err(SignatureError::RsaLength {
                expected: 256,
                actual: 8
            })
        );
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
            let _ = EcdsaSignature::from_der(Curve::P521, &bytes);
            let _ = EcdsaSignature::from_raw(Curve::P384, &bytes);
        }
    }
}
