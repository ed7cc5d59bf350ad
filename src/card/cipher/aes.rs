//! AES: one block, ECB and CBC without padding, CMAC.

use ::aes::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit,
    KeyIvInit,
};
use ::aes::{Aes128, Aes192, Aes256};
use cmac::{Cmac, Mac};

use super::key::{Bytes, Key};

/// Bytes in one AES block.
pub(crate) const AES_BLOCK: usize = 16;

/// Runs `$body` with `$cipher` standing for the AES of the key's length and `$bytes` for
/// the key as that cipher takes it.
macro_rules! with_cipher {
    ($key:expr, $cipher:ident, $bytes:ident => $body:expr) => {
        match $key.bytes() {
            Bytes::B16(key) => {
                type $cipher = Aes128;
                let $bytes: &Array<u8, _> = (&***key).into();
                $body
            }
            Bytes::B24(key) => {
                type $cipher = Aes192;
                let $bytes: &Array<u8, _> = (&***key).into();
                $body
            }
            Bytes::B32(key) => {
                type $cipher = Aes256;
                let $bytes: &Array<u8, _> = (&***key).into();
                $body
            }
        }
    };
}

/// Encrypts one block.
pub(crate) fn encrypt_block(key: &Key, block: [u8; AES_BLOCK]) -> [u8; AES_BLOCK] {
    let mut block = Array::from(block);
    with_cipher!(key, Cipher, bytes => Cipher::new(bytes).encrypt_block(&mut block));
    block.into()
}

/// Encrypts whole blocks in place, each by itself; bytes beyond the last whole block stay
/// as they are, so callers check the length first.
pub(super) fn ecb_encrypt(key: &Key, data: &mut [u8]) {
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    with_cipher!(key, Cipher, bytes => Cipher::new(bytes).encrypt_blocks(blocks));
}

/// Decrypts whole blocks in place, each by itself; bytes beyond the last whole block stay
/// as they are, so callers check the length first.
pub(super) fn ecb_decrypt(key: &Key, data: &mut [u8]) {
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    with_cipher!(key, Cipher, bytes => Cipher::new(bytes).decrypt_blocks(blocks));
}

/// Encrypts whole blocks in place with CBC; bytes beyond the last whole block stay as they
/// are, so callers pad first.
pub(crate) fn cbc_encrypt(key: &Key, iv: [u8; AES_BLOCK], data: &mut [u8]) {
    let iv = Array::from(iv);
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    with_cipher!(key, Cipher, bytes => {
        cbc::Encryptor::<Cipher>::new(bytes, &iv).encrypt_blocks(blocks);
    });
}

/// Decrypts whole blocks in place with CBC; bytes beyond the last whole block stay as they
/// are, so callers check the length first.
pub(crate) fn cbc_decrypt(key: &Key, iv: [u8; AES_BLOCK], data: &mut [u8]) {
    let iv = Array::from(iv);
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    with_cipher!(key, Cipher, bytes => {
        cbc::Decryptor::<Cipher>::new(bytes, &iv).decrypt_blocks(blocks);
    });
}

/// Returns the CMAC over the parts, one after another (*NIST SP 800-38B, RFC 4493*).
pub(crate) fn cmac(key: &Key, parts: &[&[u8]]) -> [u8; AES_BLOCK] {
    with_cipher!(key, Cipher, bytes => {
        let mut mac = Cmac::<Cipher>::new(bytes);
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::testing::{hex, key, vectors};

    #[test]
    fn cmac_of_rfc_4493_and_sp_800_38b() {
        let file = vectors("aes_cmac.json");
        let rows = file["vectors"].as_array().unwrap();
        assert_eq!(rows.len(), 12);
        for row in rows {
            let message = hex(&row["msg"]);
            let (head, tail) = message.split_at(message.len() / 3);
            assert_eq!(
                cmac(&key(&row["key"]), &[head, tail])[..],
                hex(&row["tag"]),
                "{row}"
            );
        }
    }
}
