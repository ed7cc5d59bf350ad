//! Public keys: from chips, certificates and requests, and back into `SubjectPublicKeyInfo`.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode};
use openssl::sha::sha1;
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::algorithm::{Curve, KeyAlgorithm};
use crate::explicit;
use crate::rsa::RsaPublicKey;
use crate::verify;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

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
    /// A point was given for a key that is none.
    #[error("an {0} key is no point of a curve; give modulus and exponent")]
    NotEc(KeyAlgorithm),
    /// The numbers are no RSA key that is used here.
    #[error("not an RSA key that can be used: {reason}")]
    Rsa {
        /// What is wrong.
        reason: &'static str,
    },
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// A point of a supported curve.
    Ec(EcPublicKey),
    /// An RSA key of a supported length.
    Rsa(RsaPublicKey),
    /// A key of another kind: it can be compared, and may verify what another state signed.
    Other {
        /// The algorithm's object identifier.
        algorithm: ObjectIdentifier,
        /// The `SubjectPublicKeyInfo` in DER.
        spki: Vec<u8>,
    },
}

/// A point of a curve, checked to be on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcPublicKey {
    curve: Curve,
    point: Vec<u8>,
}

impl EcPublicKey {
    /// Returns the curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns the uncompressed point: 04 ‖ x ‖ y.
    pub fn point(&self) -> &[u8] {
        &self.point
    }
}

impl PublicKey {
    /// Returns the key that is this uncompressed point: 04 ‖ x ‖ y, of a [`Curve`] or of the curve
    /// of a [`KeyAlgorithm`].
    ///
    /// # Errors
    /// [`PublicKeyError::Point`]; [`PublicKeyError::NotEc`] for RSA.
    pub fn from_point(
        algorithm: impl Into<KeyAlgorithm>,
        point: &[u8],
    ) -> Result<Self, PublicKeyError> {
        let curve = match algorithm.into() {
            KeyAlgorithm::Ec(curve) => curve,
            rsa @ KeyAlgorithm::Rsa(_) => return Err(PublicKeyError::NotEc(rsa)),
        };
        let uncompressed = point.len() == 1 + 2 * curve.field_length() && point.first() == Some(&4);
        if !uncompressed || !verify::is_on_curve(curve, point) {
            return Err(PublicKeyError::Point(curve));
        }
        Ok(Self::Ec(EcPublicKey {
            curve,
            point: point.to_vec(),
        }))
    }

    /// Returns the RSA key of this modulus and public exponent, both big-endian; leading zeros
    /// are allowed, as some chips give them.
    ///
    /// # Errors
    /// [`PublicKeyError::Rsa`] for a modulus that is even or not of a length in
    /// [`crate::RsaLength`], and for an exponent that is even, 1, or longer than 256 bits.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        RsaPublicKey::new(modulus, exponent).map(Self::Rsa)
    }

    /// Returns the key that `der` (`SubjectPublicKeyInfo`) holds. A curve may be named or spelt
    /// out (*ICAO 9303-12 §4.1.6.3*).
    ///
    /// # Errors
    /// [`PublicKeyError`]; keys of other algorithms, curves and lengths are no error, see
    /// [`PublicKey::Other`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| PublicKeyError::Syntax)?;
        let bits = || {
            spki.subject_public_key
                .as_bytes()
                .ok_or(PublicKeyError::Syntax)
        };
        let parameters = spki.algorithm.parameters;
        if spki.algorithm.oid == EC_PUBLIC_KEY {
            let named = spki.algorithm.parameters_oid().ok();
            let spelt_out = || parameters.and_then(explicit::curve);
            if let Some(curve) = named.and_then(Curve::from_oid).or_else(spelt_out) {
                return Self::from_point(curve, bits()?);
            }
        } else if spki.algorithm.oid == RSA_ENCRYPTION
            && parameters.is_some_and(|any| any.is_null())
            && let Some(key) = RsaPublicKey::from_der(bits()?)?
        {
            return Ok(Self::Rsa(key));
        }
        Ok(Self::Other {
            algorithm: spki.algorithm.oid,
            spki: der.to_vec(),
        })
    }

    /// Returns the key as `SubjectPublicKeyInfo` in DER (*RFC 5480 §2, RFC 3279 §2.3.1*).
    ///
    /// # Errors
    /// [`PublicKeyError::Syntax`], in theory only.
    pub fn to_spki_der(&self) -> Result<Vec<u8>, PublicKeyError> {
        let curve;
        let (oid, parameters, bits) = match self {
            Self::Other { spki, .. } => return Ok(spki.clone()),
            Self::Ec(key) => {
                curve = key.curve.oid();
                (EC_PUBLIC_KEY, AnyRef::from(&curve), key.point())
            }
            Self::Rsa(key) => (RSA_ENCRYPTION, AnyRef::NULL, key.as_der()),
        };
        let encode = || {
            SubjectPublicKeyInfoRef {
                algorithm: AlgorithmIdentifierRef {
                    oid,
                    parameters: Some(parameters),
                },
                subject_public_key: BitStringRef::from_bytes(bits)?,
            }
            .to_der()
        };
        encode().map_err(|_| PublicKeyError::Syntax)
    }

    /// Returns the key as [`PublicKey::to_spki_der`] does, its curve spelt out with all parameters,
    /// as certificates of travel documents have it (*ICAO 9303-12 §4.1.6.3*).
    ///
    /// # Errors
    /// [`PublicKeyError::Syntax`], in theory only.
    pub fn to_spki_der_spelt_out(&self) -> Result<Vec<u8>, PublicKeyError> {
        let Self::Ec(key) = self else {
            return self.to_spki_der();
        };
        let encode = || {
            let parameters = explicit::parameters(key.curve)?;
            SubjectPublicKeyInfoRef {
                algorithm: AlgorithmIdentifierRef {
                    oid: EC_PUBLIC_KEY,
                    parameters: Some(AnyRef::try_from(parameters.as_slice())?),
                },
                subject_public_key: BitStringRef::from_bytes(key.point())?,
            }
            .to_der()
        };
        encode().map_err(|_| PublicKeyError::Syntax)
    }

    /// Returns the content of `subjectPublicKey`: the uncompressed point, or `RSAPublicKey` in DER.
    ///
    /// # Errors
    /// [`PublicKeyError::Syntax`] for a key of another kind that does not read.
    pub fn subject_public_key(&self) -> Result<Vec<u8>, PublicKeyError> {
        match self {
            Self::Ec(key) => Ok(key.point.clone()),
            Self::Rsa(key) => Ok(key.as_der().to_vec()),
            Self::Other { spki, .. } => SubjectPublicKeyInfoRef::from_der(spki)
                .ok()
                .and_then(|spki| spki.subject_public_key.as_bytes().map(<[u8]>::to_vec))
                .ok_or(PublicKeyError::Syntax),
        }
    }

    /// Returns the key identifier: SHA-1 of [`PublicKey::subject_public_key`]
    /// (*RFC 5280 §4.2.1.2 (1)*), as PKCS#15 files name keys. It identifies, and protects nothing.
    ///
    /// # Errors
    /// [`PublicKeyError::Syntax`] for a key of another kind that does not read.
    pub fn key_identifier(&self) -> Result<[u8; 20], PublicKeyError> {
        self.subject_public_key().map(|bits| sha1(&bits))
    }

    /// Returns the kind of key, if it is one of ours.
    pub fn algorithm(&self) -> Option<KeyAlgorithm> {
        match self {
            Self::Ec(key) => Some(KeyAlgorithm::Ec(key.curve)),
            Self::Rsa(key) => Some(KeyAlgorithm::Rsa(key.length())),
            Self::Other { .. } => None,
        }
    }

    /// Returns the curve, if it is one of ours.
    pub fn curve(&self) -> Option<Curve> {
        self.algorithm().and_then(KeyAlgorithm::curve)
    }

    /// Returns the uncompressed point 04 ‖ x ‖ y, if the curve is one of ours.
    pub fn point(&self) -> Option<&[u8]> {
        match self {
            Self::Ec(key) => Some(&key.point),
            Self::Rsa(_) | Self::Other { .. } => None,
        }
    }

    /// Returns modulus and exponent, if the key is an RSA key of a known length.
    pub fn rsa(&self) -> Option<&RsaPublicKey> {
        match self {
            Self::Rsa(key) => Some(key),
            Self::Ec(_) | Self::Other { .. } => None,
        }
    }

    /// Returns whether the key is this uncompressed point, 04 ‖ x ‖ y, as a chip gives it.
    pub fn matches_point(&self, point: &[u8]) -> bool {
        self.point() == Some(point)
    }

    /// Returns whether the key has this modulus and exponent, with or without leading zeros, as a
    /// chip gives them.
    pub fn matches_rsa(&self, modulus: &[u8], exponent: &[u8]) -> bool {
        Self::from_rsa(modulus, exponent).is_ok_and(|key| key == *self)
    }
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use proptest::prelude::*;

    use super::{PublicKey, PublicKeyError};
    use crate::algorithm::{Curve, KeyAlgorithm, RsaLength};
    use crate::hash::Hash;
    use crate::signature::{EcdsaSignature, SignatureError, ecdsa_der_to_raw, ecdsa_raw_to_der};
    use crate::signature_algorithm::SignatureAlgorithm;
    use crate::testing::EC_CURVES;

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
            "NIST521p" | "P-521" => Curve::P521,
            "BRAINPOOLP256r1" | "brainpoolP256r1" => Curve::BrainpoolP256r1,
            "BRAINPOOLP384r1" | "brainpoolP384r1" => Curve::BrainpoolP384r1,
            "BRAINPOOLP512r1" | "brainpoolP512r1" => Curve::BrainpoolP512r1,
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
    fn other_makers_signatures_verify() {
        let computed = vectors("computed");
        assert_eq!(computed.len(), 7);
        for vector in computed {
            let curve = curve(&vector);
            let hash = Hash::named(vector["hash"].as_str().unwrap()).unwrap();
            let key = PublicKey::from_point(curve, &bytes(&vector, "public")).unwrap();
            let (message, der) = (bytes(&vector, "message"), bytes(&vector, "der"));
            let raw = bytes(&vector, "raw_r_s");
            assert_eq!(ecdsa_der_to_raw(curve, &der).unwrap(), raw);
            assert_eq!(ecdsa_raw_to_der(curve, &raw).unwrap(), der);
            let algorithm = SignatureAlgorithm::Ecdsa(hash);
            key.verify(algorithm, &message, &der).unwrap();
            let digest = hash.digest(&message);
            key.verify_prehashed(algorithm, &digest, &der).unwrap();
            assert_eq!(
                key.verify(algorithm, b"other", &der),
                Err(SignatureError::Wrong)
            );
            // Raw is not DER.
            assert!(matches!(
                key.verify(algorithm, &message, &raw),
                Err(SignatureError::Form { .. })
            ));
        }
    }

    #[test]
    fn edge_cases_convert() {
        let cases = vectors("edge_cases");
        assert!(cases.len() >= 16);
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

    #[test]
    fn openssl_s_keys_of_every_kind_are_read_and_written() {
        for (curve, nid) in EC_CURVES {
            let group = openssl::ec::EcGroup::from_curve_name(nid).unwrap();
            let theirs = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
            let spki = theirs.public_key_to_der().unwrap();
            let key = PublicKey::from_spki_der(&spki).unwrap();
            assert_eq!(key.algorithm(), Some(KeyAlgorithm::Ec(curve)));
            assert_eq!(key.to_spki_der().unwrap(), spki);
            let point = key.point().unwrap();
            let again = PublicKey::from_point(KeyAlgorithm::Ec(curve), point).unwrap();
            assert_eq!(again, key);
            assert!(key.matches_point(point) && !key.matches_rsa(point, &[3]));
            let mut off = point.to_vec();
            *off.last_mut().unwrap() ^= 1;
            let refused = Err(PublicKeyError::Point(curve));
            assert_eq!(PublicKey::from_point(curve, &off), refused);
            assert_eq!(
                PublicKey::from_point(curve, &point[..point.len() - 1]),
                refused
            );
            // The point at infinity, compressed and hybrid forms.
            let hybrid = [&[6 | (point[point.len() - 1] & 1)], &point[1..]].concat();
            let compressed = [&[2], &point[1..=curve.field_length()]].concat();
            for odd in [&[0][..], &[], &compressed, &hybrid] {
                assert_eq!(PublicKey::from_point(curve, odd), refused);
            }
            // Of full length, and 0, 0: on none of the curves.
            let zero = [&[4][..], &vec![0; 2 * curve.field_length()]].concat();
            assert_eq!(PublicKey::from_point(curve, &zero), refused);
        }
        let length = KeyAlgorithm::Rsa(RsaLength::Bits2048);
        assert_eq!(
            PublicKey::from_point(length, &[4; 65]),
            Err(PublicKeyError::NotEc(length))
        );
        for bits in [1024, 2048] {
            let rsa = Rsa::generate(bits).unwrap();
            let (n, e) = (rsa.n().to_vec(), rsa.e().to_vec());
            let spki = PKey::from_rsa(rsa).unwrap().public_key_to_der().unwrap();
            let key = PublicKey::from_spki_der(&spki).unwrap();
            assert_eq!(key.algorithm(), KeyAlgorithm::named(&format!("rsa{bits}")));
            assert_eq!(key.to_spki_der().unwrap(), spki);
            assert_eq!(PublicKey::from_rsa(&n, &e).unwrap(), key);
            assert!(key.matches_rsa(&n, &e) && !key.matches_rsa(&n, &[3]));
            assert!(!key.matches_point(&n));
        }
        // Of a length that is not used: compared only.
        let odd = PKey::from_rsa(Rsa::generate(1536).unwrap()).unwrap();
        let spki = odd.public_key_to_der().unwrap();
        let key = PublicKey::from_spki_der(&spki).unwrap();
        assert!(matches!(key, PublicKey::Other { .. }));
        assert_eq!(key.to_spki_der().unwrap(), spki);
        assert_eq!(key.key_identifier().unwrap().len(), 20);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(key) = PublicKey::from_spki_der(&bytes) {
                let _ = key.key_identifier();
            }
            let _ = PublicKey::from_rsa(&bytes, &bytes);
            for curve in Curve::ALL {
                let _ = PublicKey::from_point(curve, &bytes);
            }
        }
    }
}
