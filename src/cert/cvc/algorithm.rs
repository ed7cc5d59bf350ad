//! The algorithms of terminal authentication (*TR-03110-3 §A.7.1.1, Tables 21 and 22*).

use std::fmt;

use spki::ObjectIdentifier;

use crate::cvc::error::CvcError;
use crate::hash::Hash;
use crate::public_key::PublicKey;

/// How a key signs: it stands with the key, not with the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CvAlgorithm {
    /// id-TA-RSA-v1-5-SHA-1.
    RsaPkcs1Sha1,
    /// id-TA-RSA-v1-5-SHA-256.
    RsaPkcs1Sha256,
    /// id-TA-RSA-v1-5-SHA-512.
    RsaPkcs1Sha512,
    /// id-TA-RSA-PSS-SHA-1, with MGF1 and a salt of the hash.
    RsaPssSha1,
    /// id-TA-RSA-PSS-SHA-256.
    RsaPssSha256,
    /// id-TA-RSA-PSS-SHA-512.
    RsaPssSha512,
    /// id-TA-ECDSA-SHA-1; signatures are r ‖ s.
    EcdsaSha1,
    /// id-TA-ECDSA-SHA-224.
    EcdsaSha224,
    /// id-TA-ECDSA-SHA-256.
    EcdsaSha256,
    /// id-TA-ECDSA-SHA-384.
    EcdsaSha384,
    /// id-TA-ECDSA-SHA-512.
    EcdsaSha512,
}

impl CvAlgorithm {
    /// All algorithms.
    pub const ALL: [Self; 11] = [
        Self::RsaPkcs1Sha1,
        Self::RsaPkcs1Sha256,
        Self::RsaPssSha1,
        Self::RsaPssSha256,
        Self::RsaPkcs1Sha512,
        Self::RsaPssSha512,
        Self::EcdsaSha1,
        Self::EcdsaSha224,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
    ];

    /// Returns how a key signs where nothing else is said: ECDSA with the curve's hash, RSA-PSS
    /// with SHA-256.
    ///
    /// # Errors
    /// [`CvcError::KeyKind`] for a key of another kind.
    pub fn usual(key: &PublicKey) -> Result<Self, CvcError> {
        match (key, key.curve().map(crate::algorithm::Curve::hash)) {
            (PublicKey::Rsa(_), _) => Ok(Self::RsaPssSha256),
            (_, Some(Hash::Sha256)) => Ok(Self::EcdsaSha256),
            (_, Some(Hash::Sha384)) => Ok(Self::EcdsaSha384),
            (_, Some(Hash::Sha512)) => Ok(Self::EcdsaSha512),
            _ => Err(CvcError::KeyKind),
        }
    }

    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        const fn oid(text: &str) -> ObjectIdentifier {
            ObjectIdentifier::new_unwrap(text)
        }
        match self {
            Self::RsaPkcs1Sha1 => const { oid("0.4.0.127.0.7.2.2.2.1.1") },
            Self::RsaPkcs1Sha256 => const { oid("0.4.0.127.0.7.2.2.2.1.2") },
            Self::RsaPssSha1 => const { oid("0.4.0.127.0.7.2.2.2.1.3") },
            Self::RsaPssSha256 => const { oid("0.4.0.127.0.7.2.2.2.1.4") },
            Self::RsaPkcs1Sha512 => const { oid("0.4.0.127.0.7.2.2.2.1.5") },
            Self::RsaPssSha512 => const { oid("0.4.0.127.0.7.2.2.2.1.6") },
            Self::EcdsaSha1 => const { oid("0.4.0.127.0.7.2.2.2.2.1") },
            Self::EcdsaSha224 => const { oid("0.4.0.127.0.7.2.2.2.2.2") },
            Self::EcdsaSha256 => const { oid("0.4.0.127.0.7.2.2.2.2.3") },
            Self::EcdsaSha384 => const { oid("0.4.0.127.0.7.2.2.2.2.4") },
            Self::EcdsaSha512 => const { oid("0.4.0.127.0.7.2.2.2.2.5") },
        }
    }

    /// Returns the algorithm of an object identifier's bytes, without tag and length.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, CvcError> {
        let oid = ObjectIdentifier::from_bytes(bytes).map_err(|_| CvcError::ObjectIdentifier)?;
        let known = Self::ALL.into_iter().find(|known| known.oid() == oid);
        known.ok_or(CvcError::Algorithm(oid))
    }

    /// Returns the hash function.
    pub fn hash(self) -> Hash {
        match self {
            Self::RsaPkcs1Sha1 | Self::RsaPssSha1 | Self::EcdsaSha1 => Hash::Sha1,
            Self::EcdsaSha224 => Hash::Sha224,
            Self::RsaPkcs1Sha256 | Self::RsaPssSha256 | Self::EcdsaSha256 => Hash::Sha256,
            Self::EcdsaSha384 => Hash::Sha384,
            Self::RsaPkcs1Sha512 | Self::RsaPssSha512 | Self::EcdsaSha512 => Hash::Sha512,
        }
    }

    /// Returns whether it is ECDSA, rather than RSA.
    pub fn is_ecdsa(self) -> bool {
        matches!(
            self,
            Self::EcdsaSha1
                | Self::EcdsaSha224
                | Self::EcdsaSha256
                | Self::EcdsaSha384
                | Self::EcdsaSha512
        )
    }

    /// Returns whether it is RSA-PSS.
    pub fn is_pss(self) -> bool {
        matches!(
            self,
            Self::RsaPssSha1 | Self::RsaPssSha256 | Self::RsaPssSha512
        )
    }
}

impl fmt::Display for CvAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RsaPkcs1Sha1 => "RSA PKCS#1 v1.5 with SHA-1",
            Self::RsaPkcs1Sha256 => "RSA PKCS#1 v1.5 with SHA-256",
            Self::RsaPkcs1Sha512 => "RSA PKCS#1 v1.5 with SHA-512",
            Self::RsaPssSha1 => "RSA-PSS with SHA-1",
            Self::RsaPssSha256 => "RSA-PSS with SHA-256",
            Self::RsaPssSha512 => "RSA-PSS with SHA-512",
            Self::EcdsaSha1 => "ECDSA with SHA-1",
            Self::EcdsaSha224 => "ECDSA with SHA-224",
            Self::EcdsaSha256 => "ECDSA with SHA-256",
            Self::EcdsaSha384 => "ECDSA with SHA-384",
            Self::EcdsaSha512 => "ECDSA with SHA-512",
        })
    }
}
