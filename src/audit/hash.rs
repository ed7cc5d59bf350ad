//! Leaf and node hashes (*RFC 9162 §2.1.1*).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 value in the tree: 32 bytes. Displays and parses as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; Hash::LENGTH]);

impl Hash {
    /// The length of a hash in bytes.
    pub const LENGTH: usize = 32;

    /// The root of a tree without leaves: SHA-256 of the empty string.
    pub const EMPTY_ROOT: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);

    /// Wraps 32 bytes that are a hash already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Hashes one leaf: SHA-256(`00` ‖ data). The prefix keeps a leaf from being passed off as a
    /// node (*RFC 9162 §2.1.1*).
    #[must_use]
    pub fn of_leaf(data: &[u8]) -> Self {
        Self(
            Sha256::new_with_prefix([0])
                .chain_update(data)
                .finalize()
                .into(),
        )
    }

    /// Hashes two children: SHA-256(`01` ‖ left ‖ right).
    #[must_use]
    pub fn of_node(left: &Self, right: &Self) -> Self {
        // One buffer and one call: this is the inner loop of every verification.
        let mut block = [1; 1 + 2 * Self::LENGTH];
        block[1..=Self::LENGTH].copy_from_slice(&left.0);
        block[1 + Self::LENGTH..].copy_from_slice(&right.0);
        Self(Sha256::digest(block).into())
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashLength;

    fn try_from(bytes: &[u8]) -> Result<Self, HashLength> {
        bytes.try_into().map(Self).map_err(|_| HashLength)
    }
}

impl FromStr for Hash {
    type Err = HashLength;

    fn from_str(text: &str) -> Result<Self, HashLength> {
        let mut bytes = [0; Self::LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HashLength)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Hash {
    type Error = HashLength;

    fn try_from(text: String) -> Result<Self, HashLength> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says that something is not a hash: it must be 32 bytes, or 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 value: give 32 bytes or 64 hex digits")]
pub struct HashLength;
