//! The chip's AES, by openssl: never by the code that is judged with it.

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

/// Length of an AES block, bytes.
pub(crate) const BLOCK: usize = 16;

/// Encrypts one block.
pub(crate) fn encrypt_block(key: &[u8], block: &[u8; BLOCK]) -> Result<[u8; BLOCK], ErrorStack> {
    let cipher = match key.len() {
        24 => Cipher::aes_192_ecb(),
        32 => Cipher::aes_256_ecb(),
        _ => Cipher::aes_128_ecb(),
    };
    let out = run(cipher, Mode::Encrypt, key, None, block)?;
    let mut result = [0; BLOCK];
    result.copy_from_slice(out.get(..BLOCK).unwrap_or(&[0; BLOCK]));
    Ok(result)
}

/// Encrypts whole blocks, CBC, no padding.
pub(crate) fn cbc_encrypt(
    key: &[u8],
    iv: &[u8; BLOCK],
    blocks: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    run(cbc(key), Mode::Encrypt, key, Some(iv), blocks)
}

/// Decrypts whole blocks, CBC, no padding.
pub(crate) fn cbc_decrypt(
    key: &[u8],
    iv: &[u8; BLOCK],
    blocks: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    run(cbc(key), Mode::Decrypt, key, Some(iv), blocks)
}

/// Computes AES-CMAC (NIST SP 800-38B) over the parts, 16 bytes.
pub(crate) fn cmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; BLOCK], ErrorStack> {
    let key = PKey::cmac(&cbc(key), key)?;
    let mut signer = Signer::new_without_digest(&key)?;
    for part in parts {
        signer.update(part)?;
    }
    let mut mac = [0; BLOCK];
    signer.sign(&mut mac)?;
    Ok(mac)
}

/// Returns the key check value: the first 3 bytes of AES over sixteen 01 (GP Amendment D §7.2).
pub(crate) fn check_value(key: &[u8]) -> Result<[u8; 3], ErrorStack> {
    let [a, b, c, ..] = encrypt_block(key, &[0x01; BLOCK])?;
    Ok([a, b, c])
}

fn cbc(key: &[u8]) -> Cipher {
    match key.len() {
        24 => Cipher::aes_192_cbc(),
        32 => Cipher::aes_256_cbc(),
        _ => Cipher::aes_128_cbc(),
    }
}

fn run(
    cipher: Cipher,
    mode: Mode,
    key: &[u8],
    iv: Option<&[u8]>,
    input: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let mut crypter = Crypter::new(cipher, mode, key, iv)?;
    crypter.pad(false);
    let mut out = vec![0; input.len() + BLOCK];
    let mut length = crypter.update(input, &mut out)?;
    length += crypter.finalize(out.get_mut(length..).unwrap_or_default())?;
    out.truncate(length);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cmac_of_rfc_4493() {
        let key = hex::decode("2B7E151628AED2A6ABF7158809CF4F3C").unwrap();
        let message = hex::decode("6BC1BEE22E409F96E93D7E117393172A").unwrap();
        let expected = "070a16b46b4d4144f79bdd9dd04a287c";
        assert_eq!(hex::encode(cmac(&key, &[&message]).unwrap()), expected);
        let (left, right) = message.split_at(5);
        assert_eq!(hex::encode(cmac(&key, &[left, right]).unwrap()), expected);
    }

    #[test]
    fn check_values_as_published() {
        // put_key.json: GlobalPlatformPro's AES check value of 404142…4F.
        let key: Vec<u8> = (0x40..0x50).collect();
        assert_eq!(hex::encode_upper(check_value(&key).unwrap()), "504A77");
    }

    #[test]
    fn cbc_undoes_itself() {
        let key = [7; 16];
        let text = [9; 48];
        let sealed = cbc_encrypt(&key, &[1; 16], &text).unwrap();
        assert_eq!(sealed.len(), 48);
        assert_eq!(cbc_decrypt(&key, &[1; 16], &sealed).unwrap(), text);
    }
}
