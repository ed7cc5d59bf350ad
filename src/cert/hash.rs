//! Hash functions.

use std::fmt;

use openssl::sha::sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use spki::ObjectIdentifier;

/// A hash function (*FIPS 180-4*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-1. Collisions are known, so that it is accepted only where a caller asks for it: for a
    /// proof of possession by a chip that hashes with SHA-1 inside, over bytes that we chose, and
    /// to read what states signed in the first years. No X.509 certificate or request that is read
    /// leads to it.
    Sha1,
    /// SHA-224, as old travel documents are signed.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// All hash functions.
    pub const ALL: [Self; 5] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// Returns the digest of `message`, [`Hash::length`] bytes.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1(message).to_vec(),
            Self::Sha224 => Sha224::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// Returns the length of a digest in bytes: 20, 28, 32, 48 or 64.
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Returns the name that profiles use: `sha1`, `sha224`, `sha256`, `sha384` or `sha512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the hash function of that [`Hash::name`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.name() == name)
    }

    /// Returns the hash function's object identifier (*RFC 8017 Appendix B.1*).
    pub fn oid(self) -> ObjectIdentifier {
        const fn oid(text: &str) -> ObjectIdentifier {
            ObjectIdentifier::new_unwrap(text)
        }
        match self {
            Self::Sha1 => const { oid("1.3.14.3.2.26") },
            Self::Sha224 => const { oid("2.16.840.1.101.3.4.2.4") },
            Self::Sha256 => const { oid("2.16.840.1.101.3.4.2.1") },
            Self::Sha384 => const { oid("2.16.840.1.101.3.4.2.2") },
            Self::Sha512 => const { oid("2.16.840.1.101.3.4.2.3") },
        }
    }

    pub(crate) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.oid() == oid)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Hash;

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-4, "abc"; the first bytes tell the functions apart.
        for (hash, start) in [
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Hash::Sha224,
                "23097d223405d8228642a477bda255b32aadbce4bda0b3f7",
            ),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223"),
            (Hash::Sha384, "cb00753f45a35e8bb5a03d699ac65007"),
            (Hash::Sha512, "ddaf35a193617abacc417349ae204131"),
        ] {
            let digest = hash.digest(b"abc");
            assert_eq!(digest.len(), hash.length());
            assert!(hex::encode(digest).starts_with(start), "{hash}");
            assert_eq!(Hash::named(hash.name()), Some(hash));
            assert_eq!(Hash::from_oid(hash.oid()), Some(hash));
        }
    }
}
