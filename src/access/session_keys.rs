//! From a shared secret to the keys of a session (*ICAO 9303-11 §9.7*).
//!
//! ```text
//!   MRZ, CAN, PIN, PUK ─► 3 ─► K_π            opens PACE's nonce
//!   shared secret      ─┬ 1 ─► KS_enc ─┐
//!                       └ 2 ─► KS_mac ─┴─► SecureMessaging
//! ```

use card::cipher::{Key, aes_cmac, retail_mac};
use openssl::sha::{Sha1, Sha256};
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;

/// Counter of the key that encrypts.
const ENCRYPTION: u32 = 1;
/// Counter of the key that authenticates.
const AUTHENTICATION: u32 = 2;
/// Counter of the key that a password gives.
const PASSWORD: u32 = 3;

/// A block cipher in CBC mode with its MAC, as protocols are named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// Triple DES with two keys and the retail MAC.
    TripleDes,
    /// AES with 128 bits, and CMAC.
    Aes128,
    /// AES with 192 bits, and CMAC.
    Aes192,
    /// AES with 256 bits, and CMAC.
    Aes256,
}

impl Cipher {
    /// Returns the length of a key in bytes: 16, 24 or 32.
    pub fn key_length(self) -> usize {
        match self {
            Self::TripleDes | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Returns the length of a block in bytes: 8 or 16.
    pub fn block_length(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }

    /// Returns the MAC of a message, eight bytes: the retail MAC, or the first half of a CMAC
    /// (*ICAO 9303-11 §9.8.6.2, §9.8.7.2*).
    pub(crate) fn mac(self, key: &Key, message: &[u8]) -> Result<[u8; 8], CryptoError> {
        if self == Self::TripleDes {
            return Ok(retail_mac(key, message)?);
        }
        let [a, b, c, d, e, f, g, h, ..] = aes_cmac(key, message);
        Ok([a, b, c, d, e, f, g, h])
    }

    /// Derives the key with this counter from a shared secret and, in chip authentication
    /// version 2, a nonce (*ICAO 9303-11 §9.7.1*, *TR-03110-3 §A.2.3*).
    fn derive(self, secret: &[u8], nonce: &[u8], counter: u32) -> Result<Key, CryptoError> {
        let parts = [secret, nonce, &counter.to_be_bytes()];
        match self {
            Self::TripleDes | Self::Aes128 => {
                let mut hash = Sha1::new();
                parts.into_iter().for_each(|part| hash.update(part));
                let digest = Zeroizing::new(hash.finish());
                let mut key = Zeroizing::new([0; 16]);
                for (to, from) in key.iter_mut().zip(digest.iter()) {
                    *to = *from;
                }
                if self == Self::TripleDes {
                    key.iter_mut().for_each(|byte| *byte = odd_parity(*byte));
                }
                Ok(Key::new(&*key)?)
            }
            Self::Aes192 | Self::Aes256 => {
                let mut hash = Sha256::new();
                parts.into_iter().for_each(|part| hash.update(part));
                let digest = Zeroizing::new(hash.finish());
                let key = digest.get(..self.key_length()).unwrap_or_default();
                Ok(Key::new(key)?)
            }
        }
    }

    /// Derives the key that opens PACE's nonce (*ICAO 9303-11 §9.7.3*).
    pub(crate) fn password_key(self, password: &[u8]) -> Result<Key, CryptoError> {
        self.derive(password, &[], PASSWORD)
    }
}

/// Sets a byte's lowest bit so that the number of its ones is odd, as DES keys have it.
fn odd_parity(byte: u8) -> u8 {
    let high = byte & 0xFE;
    high | u8::from(high.count_ones().is_multiple_of(2))
}

/// The two keys of a session: on the heap, wiped on drop, never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeys {
    pub(crate) cipher: Cipher,
    pub(crate) encryption: Key,
    pub(crate) authentication: Key,
}

impl SessionKeys {
    /// Takes keys as they are.
    ///
    /// # Errors
    /// [`CryptoError`] unless both are as long as the cipher's.
    pub fn new(
        cipher: Cipher,
        encryption: &[u8],
        authentication: &[u8],
    ) -> Result<Self, CryptoError> {
        for key in [encryption, authentication] {
            if key.len() != cipher.key_length() {
                return Err(card::cipher::KeyError(key.len()).into());
            }
        }
        Ok(Self {
            cipher,
            encryption: Key::new(encryption)?,
            authentication: Key::new(authentication)?,
        })
    }

    /// Derives both keys from a shared secret and, in chip authentication version 2 only, the
    /// chip's nonce; empty elsewhere (*ICAO 9303-11 §9.7.1*, *TR-03110-3 §A.2.3*).
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn derive(cipher: Cipher, secret: &[u8], nonce: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            cipher,
            encryption: cipher.derive(secret, nonce, ENCRYPTION)?,
            authentication: cipher.derive(secret, nonce, AUTHENTICATION)?,
        })
    }

    /// Returns the cipher.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Returns the MAC of a message, eight bytes.
    pub(crate) fn mac(&self, message: &[u8]) -> Result<[u8; 8], CryptoError> {
        self.cipher.mac(&self.authentication, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes, vectors};

    #[test]
    fn passwords_give_their_keys() {
        let file = vectors("access/pace.json");
        let rows = file["password_keys_computed"]["keys"].as_array().unwrap();
        assert_eq!(rows.len(), 20);
        for row in rows {
            let cipher = match row["cipher"].as_str().unwrap() {
                "3DES" => Cipher::TripleDes,
                "AES128" => Cipher::Aes128,
                "AES192" => Cipher::Aes192,
                _ => Cipher::Aes256,
            };
            let password = match row.get("K_sha1") {
                Some(hash) => bytes(hash),
                None => row["password"].as_str().unwrap().into(),
            };
            let key = cipher.password_key(&password).unwrap();
            assert_eq!(key.as_bytes(), bytes(&row["K_pi"]), "{row}");
        }
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert!(SessionKeys::new(Cipher::Aes192, &[1; 24], &[2; 24]).is_ok());
        assert!(SessionKeys::new(Cipher::Aes192, &[1; 24], &[2; 16]).is_err());
        assert!(SessionKeys::new(Cipher::TripleDes, &[1; 24], &[2; 24]).is_err());
        let keys = SessionKeys::new(Cipher::Aes128, &[0xAB; 16], &[0xCD; 16]).unwrap();
        let shown = format!("{keys:?}").to_lowercase();
        assert!(!shown.contains("ab, ") && !shown.contains("171") && !shown.contains("abab"));
    }
}
