//! Verifying signatures of terminal authentication (*TR-03110-3 §A.7.1*).

use crate::algorithm::{Curve, KeyAlgorithm};
use crate::cvc::algorithm::CvAlgorithm;
use crate::cvc::error::CvcError;
use crate::hash::Hash;
use crate::public_key::PublicKey;
use crate::signature::EcdsaSignature;
use crate::signature_algorithm::SignatureAlgorithm;
use crate::verify::verify_rsa;

/// What strength a signature must have to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strength {
    /// What may be used: no SHA-1, RSA of 2048 bits at least.
    #[default]
    Current,
    /// Also SHA-1 and RSA of 1024 bits: for samples of the first years, never for a decision.
    Legacy,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CvVerifyError {
    /// Not by this key over these bytes.
    #[error("the signature does not verify under this key")]
    Wrong,
    /// It has another length than signatures by this key.
    #[error("a signature by this key is {expected} bytes long, not {actual}")]
    Length {
        /// The length in bytes.
        expected: usize,
        /// The length found.
        actual: usize,
    },
    /// SHA-1, or RSA of 1024 bits.
    #[error("a signature by {algorithm} with a key of this length is worth nothing any more")]
    Weak {
        /// The algorithm.
        algorithm: CvAlgorithm,
    },
}

/// A key with its algorithm: what verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CvVerifyingKey {
    key: PublicKey,
    algorithm: CvAlgorithm,
}

impl CvVerifyingKey {
    /// Returns the key with its algorithm.
    ///
    /// # Errors
    /// [`CvcError::KeyKind`] where they do not fit.
    pub fn new(key: PublicKey, algorithm: CvAlgorithm) -> Result<Self, CvcError> {
        let fits = match &key {
            PublicKey::Ec(_) => algorithm.is_ecdsa(),
            PublicKey::Rsa(_) => !algorithm.is_ecdsa(),
            PublicKey::Other { .. } => false,
        };
        match fits {
            true => Ok(Self { key, algorithm }),
            false => Err(CvcError::KeyKind),
        }
    }

    /// Returns the key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> CvAlgorithm {
        self.algorithm
    }

    /// Returns the curve, for ECDSA.
    pub fn curve(&self) -> Option<Curve> {
        self.key.curve()
    }

    /// Returns the length of a signature in bytes: r ‖ s, or as long as the modulus.
    pub fn signature_length(&self) -> usize {
        self.key
            .algorithm()
            .map_or(0, KeyAlgorithm::signature_length)
    }

    /// Returns whether signatures by this key count only as [`Strength::Legacy`].
    pub fn is_legacy(&self) -> bool {
        let short = self.key.algorithm().is_some_and(|kind| !kind.may_sign());
        short || self.algorithm.hash() == Hash::Sha1
    }

    /// Verifies a signature over `message`: r ‖ s for ECDSA, as long as the modulus for RSA.
    ///
    /// # Errors
    /// [`CvVerifyError`].
    pub fn verify(
        &self,
        message: &[u8],
        signature: &[u8],
        strength: Strength,
    ) -> Result<(), CvVerifyError> {
        if self.is_legacy() && strength == Strength::Current {
            return Err(CvVerifyError::Weak {
                algorithm: self.algorithm,
            });
        }
        let expected = self.signature_length();
        if signature.len() != expected {
            return Err(CvVerifyError::Length {
                expected,
                actual: signature.len(),
            });
        }
        let hash = self.algorithm.hash();
        let digest = hash.digest(message);
        let padding = match self.algorithm.is_pss() {
            true => SignatureAlgorithm::rsa_pss(hash),
            false => SignatureAlgorithm::RsaPkcs1(hash),
        };
        let verified = match &self.key {
            PublicKey::Ec(key) => EcdsaSignature::from_raw(key.curve(), signature)
                .and_then(|signature| key.verify(&digest, &signature))
                .is_ok(),
            // Also short keys, which count as legacy: that was judged above.
            PublicKey::Rsa(key) => key
                .openssl_key()
                .and_then(|key| verify_rsa(&key, padding, hash, &digest, signature))
                .unwrap_or(false),
            PublicKey::Other { .. } => false,
        };
        verified.then_some(()).ok_or(CvVerifyError::Wrong)
    }
}
