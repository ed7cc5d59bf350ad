//! Ciphers and MACs as chips use them: AES and triple DES, whole blocks, zero IV.
//!
//! For the answers to a chip's challenge (*ISO/IEC 7816-4* external and mutual
//! authentication, PIV management key) and for what GlobalPlatform builds on them.
//!
//! ```text
//!   Key ─┬─► aes_ecb_* aes_cbc_* aes_cmac     16, 24, 32 bytes
//!        ├─► des3_ecb_* des3_cbc_*            16 (two keys), 24 (three keys) bytes
//!        ├─► retail_mac                       16 bytes
//!        └─► kcv                              how two places compare a key without showing it
//! ```
//!
//! AES runs in constant time. Triple DES looks up tables of 64 entries, as every software
//! DES does that is not bit-sliced: use it where a chip knows nothing better.

mod aes;
mod des;
mod key;
pub mod padding;

use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use self::aes::{AES_BLOCK, cbc_decrypt, cbc_encrypt, cmac, encrypt_block};
pub(crate) use self::des::{DES_BLOCK, TripleDes};
pub use self::key::{Key, KeyAlgorithm, KeyError, kcv};

/// Says why nothing was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CipherError {
    /// The data are not whole blocks; nothing is padded here.
    #[error("{length} bytes are not whole blocks of {block}; pad them first")]
    Length {
        /// Length of the data in bytes.
        length: usize,
        /// Length of a block in bytes.
        block: usize,
    },
    /// The key's length is none of this algorithm.
    #[error("key of {length} bytes; {algorithm} needs {needed}")]
    KeyLength {
        /// Length of the key in bytes.
        length: usize,
        /// The algorithm's name.
        algorithm: &'static str,
        /// The lengths that it takes.
        needed: &'static str,
    },
}

/// Copies whole blocks, so that they are worked on in place.
fn blocks(data: &[u8], block: usize) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    if data.len().is_multiple_of(block) {
        Ok(Zeroizing::new(data.to_vec()))
    } else {
        Err(CipherError::Length {
            length: data.len(),
            block,
        })
    }
}

/// Encrypts whole blocks of 16 bytes with AES, each by itself (*NIST SP 800-38A §6.1*).
///
/// # Errors
/// [`CipherError::Length`].
pub fn aes_ecb_encrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut data = blocks(data, AES_BLOCK)?;
    aes::ecb_encrypt(key, &mut data);
    Ok(data)
}

/// Decrypts whole blocks of 16 bytes with AES, each by itself (*NIST SP 800-38A §6.1*).
///
/// # Errors
/// [`CipherError::Length`].
pub fn aes_ecb_decrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut data = blocks(data, AES_BLOCK)?;
    aes::ecb_decrypt(key, &mut data);
    Ok(data)
}

/// Encrypts whole blocks of 16 bytes with AES, chained, from an IV of zeros (*NIST SP
/// 800-38A §6.2*).
///
/// # Errors
/// [`CipherError::Length`].
pub fn aes_cbc_encrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut data = blocks(data, AES_BLOCK)?;
    cbc_encrypt(key, [0; AES_BLOCK], &mut data);
    Ok(data)
}

/// Decrypts whole blocks of 16 bytes with AES, chained, from an IV of zeros (*NIST SP
/// 800-38A §6.2*).
///
/// # Errors
/// [`CipherError::Length`].
pub fn aes_cbc_decrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut data = blocks(data, AES_BLOCK)?;
    cbc_decrypt(key, [0; AES_BLOCK], &mut data);
    Ok(data)
}

/// Returns the AES-CMAC of a message (*NIST SP 800-38B, RFC 4493*).
pub fn aes_cmac(key: &Key, message: &[u8]) -> [u8; 16] {
    cmac(key, &[message])
}

/// Encrypts whole blocks of 8 bytes with triple DES, each by itself (*NIST SP 800-67*).
///
/// # Errors
/// [`CipherError::Length`], [`CipherError::KeyLength`] for a key of 32 bytes.
pub fn des3_ecb_encrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let (key, mut data) = (TripleDes::new(key)?, blocks(data, DES_BLOCK)?);
    key.ecb_encrypt(&mut data);
    Ok(data)
}

/// Decrypts whole blocks of 8 bytes with triple DES, each by itself (*NIST SP 800-67*).
///
/// # Errors
/// As [`des3_ecb_encrypt`].
pub fn des3_ecb_decrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let (key, mut data) = (TripleDes::new(key)?, blocks(data, DES_BLOCK)?);
    key.ecb_decrypt(&mut data);
    Ok(data)
}

/// Encrypts whole blocks of 8 bytes with triple DES, chained, from an IV of zeros.
///
/// # Errors
/// As [`des3_ecb_encrypt`].
pub fn des3_cbc_encrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let (key, mut data) = (TripleDes::new(key)?, blocks(data, DES_BLOCK)?);
    key.cbc_encrypt(&mut data);
    Ok(data)
}

/// Decrypts whole blocks of 8 bytes with triple DES, chained, from an IV of zeros.
///
/// # Errors
/// As [`des3_ecb_encrypt`].
pub fn des3_cbc_decrypt(key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let (key, mut data) = (TripleDes::new(key)?, blocks(data, DES_BLOCK)?);
    key.cbc_decrypt(&mut data);
    Ok(data)
}

/// Returns the retail MAC of a message: *ISO/IEC 9797-1* MAC algorithm 3 with DES and
/// padding method 2, single DES under the first half of the key and triple DES at the end.
///
/// # Errors
/// [`CipherError::KeyLength`] unless the key has 16 bytes.
pub fn retail_mac(key: &Key, message: &[u8]) -> Result<[u8; 8], CipherError> {
    Ok(TripleDes::two_key(key)?.retail_mac([0; DES_BLOCK], &[message]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::testing::{hex, key, vectors};

    type Run = fn(&Key, &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError>;

    #[test]
    fn published_blocks_come_out_both_ways() {
        let modes: [(&str, Run, Run, usize); 4] = [
            ("aes_ecb", aes_ecb_encrypt, aes_ecb_decrypt, 4),
            ("aes_cbc", aes_cbc_encrypt, aes_cbc_decrypt, 3),
            ("des3_ecb", des3_ecb_encrypt, des3_ecb_decrypt, 3),
            ("des3_cbc", des3_cbc_encrypt, des3_cbc_decrypt, 2),
        ];
        let file = vectors("block_ciphers.json");
        for (name, encrypt, decrypt, count) in modes {
            let rows = file[name].as_array().unwrap();
            assert_eq!(rows.len(), count, "{name}");
            for row in rows {
                let (key, plain, sealed) =
                    (key(&row["key"]), hex(&row["plain"]), hex(&row["cipher"]));
                // A vector with an IV of its own is one whose first block holds plain ⊕ IV.
                assert_eq!(*encrypt(&key, &plain).unwrap(), sealed, "{name} {row}");
                assert_eq!(*decrypt(&key, &sealed).unwrap(), plain, "{name} {row}");
            }
        }
    }

    #[test]
    fn published_macs_come_out() {
        let file = vectors("block_ciphers.json");
        let rows = file["retail_mac"].as_array().unwrap();
        assert_eq!(rows.len(), 5);
        for row in rows {
            let mac = retail_mac(&key(&row["key"]), &hex(&row["msg"])).unwrap();
            assert_eq!(mac[..], hex(&row["tag"]), "{row}");
        }
        let file = vectors("aes_cmac.json");
        for row in file["vectors"].as_array().unwrap() {
            let mac = aes_cmac(&key(&row["key"]), &hex(&row["msg"]));
            assert_eq!(mac[..], hex(&row["tag"]), "{row}");
        }
    }

    #[test]
    fn broken_blocks_and_wrong_keys_are_named() {
        let key = |length| Key::new(&vec![7; length]).unwrap();
        for (run, block) in [
            (aes_ecb_encrypt as Run, 16),
            (aes_ecb_decrypt, 16),
            (aes_cbc_encrypt, 16),
            (aes_cbc_decrypt, 16),
            (des3_ecb_encrypt, 8),
            (des3_ecb_decrypt, 8),
            (des3_cbc_encrypt, 8),
            (des3_cbc_decrypt, 8),
        ] {
            for length in [1, block - 1, block + 1, 3 * block + 4] {
                let refused = run(&key(16), &vec![0; length]);
                assert_eq!(refused, Err(CipherError::Length { length, block }));
            }
            assert!(run(&key(24), &[]).unwrap().is_empty());
            let wide = run(&key(32), &[0; 16]);
            assert_eq!(wide.is_ok(), block == 16);
        }
        for length in [24, 32] {
            assert!(matches!(
                retail_mac(&key(length), &[]),
                Err(CipherError::KeyLength { .. })
            ));
        }
    }
}
