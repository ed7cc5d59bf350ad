//! Public keys in certificates and requests.

use std::fmt;

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::signature::{EcdsaSignature, Hash, SignatureError};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Why a public key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The bytes are no `SubjectPublicKeyInfo`.
    #[error("not a SubjectPublicKeyInfo in DER")]
    Syntax,
    /// The point is not on the curve, or not in uncompressed form.
    #[error("not an uncompressed point of {0}")]
    Point(Curve),
}

/// A NIST curve on which signatures are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
}

impl Curve {
    /// Returns the length of a coordinate in bytes: 32 or 48.
    pub fn field_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// Returns the hash of the curve's strength, with which requests and certificates are signed
    /// here: SHA-256 or SHA-384.
    pub fn hash(self) -> Hash {
        match self {
            Self::P256 => Hash::Sha256,
            Self::P384 => Hash::Sha384,
        }
    }

    /// Returns the curve's object identifier (*RFC 5480 §2.1.1.1*).
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => P256,
            Self::P384 => P384,
        }
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        })
    }
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// A point of a supported curve.
    Ec(EcPublicKey),
    /// A key of another kind: it can be compared, not used.
    Other {
        /// The algorithm's object identifier.
        algorithm: ObjectIdentifier,
        /// The `SubjectPublicKeyInfo` in DER.
        spki: Vec<u8>,
    },
}

/// A point of P-256 or P-384, checked to be on its curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcPublicKey {
    curve: Curve,
    point: Vec<u8>,
}

impl PublicKey {
    /// Returns the key that is this uncompressed point: 04 ‖ x ‖ y.
    ///
    /// # Errors
    /// [`PublicKeyError::Point`].
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self, PublicKeyError> {
        let uncompressed = point.len() == 1 + 2 * curve.field_length() && point.first() == Some(&4);
        let on_curve = uncompressed
            && match curve {
                Curve::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
                Curve::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
            };
        if !on_curve {
            return Err(PublicKeyError::Point(curve));
        }
        Ok(Self::Ec(EcPublicKey {
            curve,
            point: point.to_vec(),
        }))
    }

    /// Returns the key that `der` (`SubjectPublicKeyInfo`) holds.
    ///
    /// # Errors
    /// [`PublicKeyError`]; keys of other algorithms are no error, see [`PublicKey::Other`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| PublicKeyError::Syntax)?;
        let curve = (spki.algorithm.oid == EC_PUBLIC_KEY)
            .then(|| spki.algorithm.parameters_oid().ok())
            .flatten()
            .and_then(|oid| match oid {
                P256 => Some(Curve::P256),
                P384 => Some(Curve::P384),
                _ => None,
            });
        let Some(curve) = curve else {
            return Ok(Self::Other {
                algorithm: spki.algorithm.oid,
                spki: der.to_vec(),
            });
        };
        let point = spki
            .subject_public_key
            .as_bytes()
            .ok_or(PublicKeyError::Syntax)?;
        Self::from_point(curve, point)
    }

    /// Returns the key as `SubjectPublicKeyInfo` in DER (*RFC 5480 §2*).
    ///
    /// # Errors
    /// [`PublicKeyError::Syntax`], in theory only.
    pub fn to_spki_der(&self) -> Result<Vec<u8>, PublicKeyError> {
        match self {
            Self::Other { spki, .. } => Ok(spki.clone()),
            Self::Ec(key) => {
                let curve = key.curve.oid();
                let encode = || {
                    SubjectPublicKeyInfoRef {
                        algorithm: AlgorithmIdentifierRef {
                            oid: EC_PUBLIC_KEY,
                            parameters: Some(AnyRef::from(&curve)),
                        },
                        subject_public_key: BitStringRef::from_bytes(&key.point)?,
                    }
                    .to_der()
                };
                encode().map_err(|_| PublicKeyError::Syntax)
            }
        }
    }

    /// Returns the curve, if it is one of ours.
    pub fn curve(&self) -> Option<Curve> {
        match self {
            Self::Ec(key) => Some(key.curve),
            Self::Other { .. } => None,
        }
    }

    /// Returns the uncompressed point 04 ‖ x ‖ y, if the curve is one of ours.
    pub fn point(&self) -> Option<&[u8]> {
        match self {
            Self::Ec(key) => Some(&key.point),
            Self::Other { .. } => None,
        }
    }

    /// Verifies a signature over `message`, hashed with `hash`.
    ///
    /// # Errors
    /// [`SignatureError::Wrong`], or [`SignatureError::Unsupported`] for other keys.
    pub fn verify_message(
        &self,
        hash: Hash,
        message: &[u8],
        signature: &EcdsaSignature,
    ) -> Result<(), SignatureError> {
        self.verify_digest(&hash.digest(message), signature)
    }

    /// Verifies a signature over a digest of 32, 48 or 64 bytes (*FIPS 186-5 §6.4.2*; a digest
    /// longer than the curve's field is cut to it).
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify_digest(
        &self,
        digest: &[u8],
        signature: &EcdsaSignature,
    ) -> Result<(), SignatureError> {
        let Self::Ec(key) = self else {
            return Err(SignatureError::Unsupported);
        };
        if !matches!(digest.len(), 32 | 48 | 64) {
            return Err(SignatureError::Digest {
                length: digest.len(),
            });
        }
        if signature.curve() != key.curve {
            return Err(SignatureError::Wrong);
        }
        let raw = signature.as_raw();
        let verified = match key.curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(&key.point)
                .and_then(|k| k.verify_prehash(digest, &p256::ecdsa::Signature::from_slice(raw)?)),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(&key.point)
                .and_then(|k| k.verify_prehash(digest, &p384::ecdsa::Signature::from_slice(raw)?)),
        };
        verified.map_err(|_| SignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::{Curve, PublicKey};
    use crate::signature::{EcdsaSignature, Hash, SignatureError};

    /// *RFC 6979 A.2.5, A.2.6*, message "sample", and the same signatures in DER.
    const VECTORS: &str = include_str!("../../tests/vectors/ecdsa/raw_der.json");

    fn vectors(kind: &str) -> Vec<serde_json::Value> {
        let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        file[kind].as_array().unwrap().clone()
    }

    fn bytes(vector: &serde_json::Value, name: &str) -> Vec<u8> {
        hex::decode(vector[name].as_str().unwrap()).unwrap()
    }

    fn curve(vector: &serde_json::Value) -> Curve {
        match vector["curve"].as_str().unwrap() {
            "NIST256p" | "P-256" => Curve::P256,
            "NIST384p" | "P-384" => Curve::P384,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn published_signatures_verify() {
        let published = vectors("published");
        assert_eq!(published.len(), 2);
        for vector in published {
            let hash = match vector["hash"].as_str().unwrap() {
                "sha256" => Hash::Sha256,
                "sha384" => Hash::Sha384,
                other => panic!("{other}"),
            };
            let curve = curve(&vector);
            let key = PublicKey::from_point(curve, &bytes(&vector, "public_uncompressed")).unwrap();
            let raw = EcdsaSignature::from_raw(curve, &bytes(&vector, "raw_r_s")).unwrap();
            let der = EcdsaSignature::from_der(curve, &bytes(&vector, "der")).unwrap();
            let message = vector["message"].as_str().unwrap().as_bytes();
            key.verify_message(hash, message, &raw).unwrap();
            key.verify_message(hash, message, &der).unwrap();
            let wrong = Err(SignatureError::Wrong);
            assert_eq!(key.verify_message(hash, b"other", &raw), wrong);
            assert_eq!(key.verify_message(Hash::Sha512, message, &raw), wrong);
            assert_eq!(
                key.verify_digest(&[0; 20], &raw),
                Err(SignatureError::Digest { length: 20 })
            );
        }
    }

    #[test]
    fn edge_cases_convert() {
        let cases = vectors("edge_cases");
        assert!(cases.len() >= 8);
        for vector in cases {
            let curve = curve(&vector);
            let raw = EcdsaSignature::from_raw(curve, &bytes(&vector, "raw_r_s")).unwrap();
            assert_eq!(
                raw.to_der().unwrap(),
                bytes(&vector, "der"),
                "{}",
                vector["case"]
            );
            let der = EcdsaSignature::from_der(curve, &bytes(&vector, "der")).unwrap();
            assert_eq!(der, raw, "{}", vector["case"]);
        }
    }

    #[test]
    fn keys_round_trip_and_foreign_points_are_refused() {
        for vector in vectors("published") {
            let mut point = bytes(&vector, "public_uncompressed");
            let key = PublicKey::from_point(curve(&vector), &point).unwrap();
            let spki = key.to_spki_der().unwrap();
            assert_eq!(PublicKey::from_spki_der(&spki).unwrap(), key);
            let last = point.len() - 1;
            point[last] ^= 1;
            assert!(PublicKey::from_point(curve(&vector), &point).is_err());
            point.truncate(last);
            assert!(PublicKey::from_point(curve(&vector), &point).is_err());
        }
        assert!(PublicKey::from_spki_der(&[0x30, 0]).is_err());
    }
}
