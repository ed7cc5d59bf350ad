//! Keys that never show themselves, and their check values.

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{CipherError, TripleDes, aes};

/// Says that key bytes have no length that a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("key of {0} bytes; 16, 24 or 32 are needed")]
pub struct KeyError(pub usize);

/// A key of 16, 24 or 32 bytes: on the heap, wiped on drop, compared in constant time,
/// shown by its length only. All three are AES keys; 16 bytes are also a triple DES key of
/// two DES keys, 24 bytes one of three.
#[derive(Clone)]
pub struct Key(Bytes);

/// The key bytes by length, so that no cipher can be given a wrong length.
#[derive(Clone)]
pub(super) enum Bytes {
    B16(Box<Zeroizing<[u8; 16]>>),
    B24(Box<Zeroizing<[u8; 24]>>),
    B32(Box<Zeroizing<[u8; 32]>>),
}

impl Key {
    /// Copies a key from 16, 24 or 32 bytes.
    ///
    /// # Errors
    /// [`KeyError`] with the length for any other number of bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut key = match bytes.len() {
            16 => Bytes::B16(Box::default()),
            24 => Bytes::B24(Box::default()),
            32 => Bytes::B32(Box::default()),
            other => return Err(KeyError(other)),
        };
        key.as_mut().copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// Returns a key of the same length as this one, its bytes written by `fill`.
    pub(crate) fn sibling(&self, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut key = match self.0 {
            Bytes::B16(_) => Bytes::B16(Box::default()),
            Bytes::B24(_) => Bytes::B24(Box::default()),
            Bytes::B32(_) => Bytes::B32(Box::default()),
        };
        fill(key.as_mut());
        Self(key)
    }

    /// Returns a key of 16 bytes, written by `fill`.
    pub(crate) fn double(fill: impl FnOnce(&mut [u8; 16])) -> Self {
        let mut bytes = Box::<Zeroizing<[u8; 16]>>::default();
        fill(&mut bytes);
        Self(Bytes::B16(bytes))
    }

    /// Returns the key bytes. Whoever copies them wipes the copy.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::B16(bytes) => &bytes[..],
            Bytes::B24(bytes) => &bytes[..],
            Bytes::B32(bytes) => &bytes[..],
        }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Returns the check value of an AES key: the first three bytes of the AES encryption
    /// of sixteen bytes `01` (*GP Card Specification 2.3, appendix B*).
    pub fn kcv(&self) -> [u8; 3] {
        let [a, b, c, ..] = aes::encrypt_block(self, [0x01; 16]);
        [a, b, c]
    }
}

/// Which cipher a key is for: the bytes do not tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyAlgorithm {
    /// Triple DES: 16 or 24 bytes.
    TripleDes,
    /// AES: 16, 24 or 32 bytes.
    Aes,
}

/// Returns a key's check value, by which two places compare a key without showing it: the
/// first three bytes of eight bytes `00` under triple DES, of sixteen bytes `01` under AES
/// (*GP Card Specification 2.3, appendix B*).
///
/// # Errors
/// [`CipherError::KeyLength`] for a triple DES key of 32 bytes.
pub fn kcv(key: &Key, algorithm: KeyAlgorithm) -> Result<[u8; 3], CipherError> {
    match algorithm {
        KeyAlgorithm::TripleDes => {
            let mut block = [0; 8];
            TripleDes::new(key)?.ecb_encrypt(&mut block);
            let [a, b, c, ..] = block;
            Ok([a, b, c])
        }
        KeyAlgorithm::Aes => Ok(key.kcv()),
    }
}

impl Bytes {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::B16(bytes) => &mut bytes[..],
            Self::B24(bytes) => &mut bytes[..],
            Self::B32(bytes) => &mut bytes[..],
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
        write!(f, "Key({} bytes, hidden)", self.as_bytes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::testing::{hex, vectors};

    #[test]
    fn keys_have_three_lengths_and_hide() {
        for length in [0, 8, 15, 17, 31, 33, 64] {
            assert_eq!(Key::new(&vec![0; length]), Err(KeyError(length)));
        }
        let key = Key::new(&[0xAB; 24]).unwrap();
        assert_eq!(format!("{key:?}"), "Key(24 bytes, hidden)");
        assert_eq!(key, Key::new(&[0xAB; 24]).unwrap());
        assert_ne!(key, Key::new(&[0xAB; 16]).unwrap());
    }

    #[test]
    fn check_values_are_the_published_ones() {
        let file = vectors("put_key_des3.json");
        let published = &file["published"];
        let key = Key::new(&std::array::from_fn::<u8, 16, _>(|i| 0x40 + i as u8)).unwrap();
        for (algorithm, name) in [
            (KeyAlgorithm::TripleDes, "kcv_3des_404142"),
            (KeyAlgorithm::Aes, "kcv_aes_404142"),
        ] {
            assert_eq!(kcv(&key, algorithm).unwrap()[..], hex(&published[name]));
        }
        let long = Key::new(&[1; 32]).unwrap();
        assert!(kcv(&long, KeyAlgorithm::TripleDes).is_err());
    }
}
