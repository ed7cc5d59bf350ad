//! AES keys that never show themselves.

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::aes;

/// Says that key bytes have no AES length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("AES key of {0} bytes; 16, 24 or 32 are needed")]
pub struct KeyError(pub usize);

/// An AES key of 16, 24 or 32 bytes: on the heap, wiped on drop, compared in constant
/// time, shown by its length only.
#[derive(Clone)]
pub struct Key(Bytes);

/// The key bytes by length, so that no cipher can be given a wrong length.
#[derive(Clone)]
pub(super) enum Bytes {
    Aes128(Box<Zeroizing<[u8; 16]>>),
    Aes192(Box<Zeroizing<[u8; 24]>>),
    Aes256(Box<Zeroizing<[u8; 32]>>),
}

impl Key {
    /// Copies a key from 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyError`] with the length for any other number of bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut key = match bytes.len() {
            16 => Bytes::Aes128(Box::default()),
            24 => Bytes::Aes192(Box::default()),
            32 => Bytes::Aes256(Box::default()),
            other => return Err(KeyError(other)),
        };
        key.as_mut().copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// Returns a key of the same length as this one, its bytes written by `fill`.
    pub(super) fn sibling(&self, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut key = match self.0 {
            Bytes::Aes128(_) => Bytes::Aes128(Box::default()),
            Bytes::Aes192(_) => Bytes::Aes192(Box::default()),
            Bytes::Aes256(_) => Bytes::Aes256(Box::default()),
        };
        fill(key.as_mut());
        Self(key)
    }

    /// Returns the key bytes. Whoever copies them wipes the copy.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Aes128(bytes) => &bytes[..],
            Bytes::Aes192(bytes) => &bytes[..],
            Bytes::Aes256(bytes) => &bytes[..],
        }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns the key check value: the first three bytes of the AES encryption of
    /// sixteen bytes `01` (*GP Card Specification 2.3, appendix B*).
    pub fn kcv(&self) -> [u8; 3] {
        let [a, b, c, ..] = aes::encrypt_block(self, [0x01; 16]);
        [a, b, c]
    }
}

impl Bytes {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Aes128(bytes) => &mut bytes[..],
            Self::Aes192(bytes) => &mut bytes[..],
            Self::Aes256(bytes) => &mut bytes[..],
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(AES-{}, hidden)", self.as_bytes().len() * 8)
    }
}

/// The static keys of one key version (*GP Amendment D §4.1.2*): secrets of the issuer,
/// valid for the card's life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticKeys {
    /// Key-ENC: session encryption keys are derived from it.
    pub enc: Key,
    /// Key-MAC: session MAC keys are derived from it.
    pub mac: Key,
    /// Key-DEK: encrypts keys that are put on the card.
    pub dek: Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_aes_lengths_and_hide() {
        for length in [0, 8, 15, 17, 31, 33, 64] {
            assert_eq!(Key::new(&vec![0; length]), Err(KeyError(length)));
        }
        let key = Key::new(&[0xAB; 24]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(AES-192, hidden)");
        assert_eq!(key, Key::new(&[0xAB; 24]).unwrap());
        assert_ne!(key, Key::new(&[0xAB; 16]).unwrap());
    }
}
