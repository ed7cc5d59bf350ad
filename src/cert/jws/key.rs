//! Keys of signed JSON: three algorithms, each with one kind of key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use super::JwsError;
use crate::algorithm::Curve;
use crate::hash::Hash;
use crate::public_key::PublicKey;
use crate::signature::EcdsaSignature;

/// `SubjectPublicKeyInfo` of an Ed25519 key up to the key itself (*RFC 8410 §10.1*).
const ED25519: [u8; 12] = [
    0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// An algorithm of signatures over JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// ECDSA on P-256 over SHA-256 (*RFC 7518 §3.4*).
    Es256,
    /// ECDSA on P-384 over SHA-384 (*RFC 7518 §3.4*).
    Es384,
    /// Ed25519 (*RFC 8037 §3.1*).
    EdDsa,
}

impl JwsAlgorithm {
    /// Returns the name in a header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns whether a header's `alg` names it. Ed25519 has two names (*RFC 9864 §2.2*).
    #[must_use]
    pub fn is_named(self, name: &str) -> bool {
        name == self.name() || (self == Self::EdDsa && name == "Ed25519")
    }
}

impl fmt::Display for JwsAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a public key does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for signed JSON is on P-256 or P-384, or Ed25519, as SubjectPublicKeyInfo")]
pub struct JwsKeyError;

/// A public key, which fixes the algorithm of what it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwsKey {
    kind: Kind,
    spki: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Ec(JwsAlgorithm, PublicKey),
    Ed25519(VerifyingKey),
}

impl JwsKey {
    /// Returns the key that `der` (`SubjectPublicKeyInfo`) holds.
    ///
    /// # Errors
    /// [`JwsKeyError`], also for weak points of Ed25519.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, JwsKeyError> {
        if let Some(key) = der.strip_prefix(&ED25519) {
            let key: &[u8; 32] = key.try_into().map_err(|_| JwsKeyError)?;
            let key = VerifyingKey::from_bytes(key).map_err(|_| JwsKeyError)?;
            if key.is_weak() {
                return Err(JwsKeyError);
            }
            return Ok(Self {
                kind: Kind::Ed25519(key),
                spki: der.to_vec(),
            });
        }
        let key = PublicKey::from_spki_der(der).map_err(|_| JwsKeyError)?;
        let algorithm = match key.curve() {
            Some(Curve::P256) => JwsAlgorithm::Es256,
            Some(Curve::P384) => JwsAlgorithm::Es384,
            _ => return Err(JwsKeyError),
        };
        let spki = key.to_spki_der().map_err(|_| JwsKeyError)?;
        Ok(Self {
            kind: Kind::Ec(algorithm, key),
            spki,
        })
    }

    /// Returns the key as `SubjectPublicKeyInfo` in DER.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the algorithm of its signatures.
    pub fn algorithm(&self) -> JwsAlgorithm {
        match &self.kind {
            Kind::Ec(algorithm, _) => *algorithm,
            Kind::Ed25519(_) => JwsAlgorithm::EdDsa,
        }
    }

    /// Returns its thumbprint by SHA-256, base64url (*RFC 7638 §3*; Ed25519: *RFC 8037 §2*): the
    /// `kid` of what it signs, and what two people compare.
    pub fn thumbprint(&self) -> String {
        let members = match &self.kind {
            Kind::Ec(algorithm, key) => {
                let curve = match algorithm {
                    JwsAlgorithm::Es384 => "P-384",
                    _ => "P-256",
                };
                // 04 ‖ x ‖ y.
                let point = key.point().unwrap_or_default();
                let numbers = point.get(1..).unwrap_or_default();
                let (x, y) = numbers.split_at(numbers.len() / 2);
                let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
                format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Kind::Ed25519(key) => {
                let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
            }
        };
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }

    /// Verifies a signature as such objects have it: r ‖ s, or Ed25519's own form.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JwsError> {
        let verified = match &self.kind {
            Kind::Ec(algorithm, key) => {
                let (curve, hash) = match algorithm {
                    JwsAlgorithm::Es384 => (Curve::P384, Hash::Sha384),
                    _ => (Curve::P256, Hash::Sha256),
                };
                EcdsaSignature::from_raw(curve, signature)
                    .and_then(|signature| key.verify_message(hash, message, &signature))
                    .is_ok()
            }
            Kind::Ed25519(key) => Signature::from_slice(signature)
                .and_then(|signature| key.verify_strict(message, &signature))
                .is_ok(),
        };
        verified.then_some(()).ok_or(JwsError::Signature)
    }
}
