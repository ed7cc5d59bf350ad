//! The chip's two-key triple DES, by openssl: never by the code that is judged with it.

use openssl::error::ErrorStack;
use openssl::symm::{Cipher, Crypter, Mode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Length of a DES block and of a MAC, bytes.
pub(crate) const BLOCK: usize = 8;

/// A two-key triple DES key, 16 bytes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub(crate) struct Key(Zeroizing<[u8; 16]>);

impl Key {
    /// Takes the key's bytes over.
    pub(crate) fn new(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns K1 ‖ K2 ‖ K1.
    fn triple(&self) -> Zeroizing<[u8; 24]> {
        let mut key = Zeroizing::new([0; 24]);
        for (to, from) in key.iter_mut().zip(self.0.iter().cycle()) {
            *to = *from;
        }
        key
    }

    /// Returns K1 ‖ K1 ‖ K1, which makes triple DES single DES: openssl 3 has that one only
    /// in its legacy provider.
    fn single(&self) -> Zeroizing<[u8; 24]> {
        let mut key = Zeroizing::new([0; 24]);
        for (to, from) in key.iter_mut().zip(self.0.iter().take(BLOCK).cycle()) {
            *to = *from;
        }
        key
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// Encrypts whole blocks, CBC, IV zero.
    pub(crate) fn cbc_encrypt(&self, blocks: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        cbc(Mode::Encrypt, &self.triple(), &[0; BLOCK], blocks)
    }

    /// Decrypts whole blocks, CBC, IV zero.
    pub(crate) fn cbc_decrypt(&self, blocks: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        cbc(Mode::Decrypt, &self.triple(), &[0; BLOCK], blocks).map(Zeroizing::new)
    }

    /// Encrypts whole blocks, each alone.
    pub(crate) fn ecb_encrypt(&self, blocks: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        let (cipher, key) = (Cipher::des_ede3(), self.triple());
        run(cipher, Mode::Encrypt, &key, None, blocks).map(Zeroizing::new)
    }

    /// Decrypts whole blocks, each alone.
    pub(crate) fn ecb_decrypt(&self, blocks: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        let (cipher, key) = (Cipher::des_ede3(), self.triple());
        run(cipher, Mode::Decrypt, &key, None, blocks).map(Zeroizing::new)
    }

    /// Encrypts one block with single DES under the key's first half.
    pub(crate) fn encrypt_single(&self, block: &[u8; BLOCK]) -> Result<[u8; BLOCK], ErrorStack> {
        let out = cbc(Mode::Encrypt, &self.single(), &[0; BLOCK], block)?;
        Ok(out.first_chunk().copied().unwrap_or_default())
    }

    /// Computes the retail MAC: ISO/IEC 9797-1 algorithm 3, padding method 2, beginning with
    /// this chaining value.
    pub(crate) fn retail_mac(
        &self,
        icv: &[u8; BLOCK],
        message: &[u8],
    ) -> Result<[u8; BLOCK], ErrorStack> {
        let padded = pad(message);
        let (before, last) = padded.split_at(padded.len().saturating_sub(BLOCK));
        let chained = cbc(Mode::Encrypt, &self.single(), icv, before)?;
        // The output transformation makes the last block's encryption a triple one.
        let iv = chained.last_chunk::<BLOCK>().unwrap_or(icv);
        let out = cbc(Mode::Encrypt, &self.triple(), iv, last)?;
        Ok(out.last_chunk().copied().unwrap_or_default())
    }

    /// Returns the key check value: the first 3 bytes of triple DES over eight 00
    /// (GP Card Specification 2.3 §B.5).
    pub(crate) fn check_value(&self) -> Result<[u8; 3], ErrorStack> {
        let out = self.ecb_encrypt(&[0; BLOCK])?;
        Ok(out.first_chunk().copied().unwrap_or_default())
    }
}

impl TryFrom<Secret> for Key {
    type Error = &'static str;

    fn try_from(secret: Secret) -> Result<Self, Self::Error> {
        let bytes = secret.bytes().try_into();
        bytes.map(Self::new).map_err(|_| "not 16 bytes")
    }
}

impl From<Key> for Secret {
    fn from(key: Key) -> Self {
        Self::new(*key.0)
    }
}

/// Pads to whole blocks: 80, then 00 as needed (ISO/IEC 9797-1 method 2).
pub(crate) fn pad(message: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = (message.len() / BLOCK + 1) * BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(message);
    padded.push(0x80);
    padded.resize(length, 0);
    padded
}

/// Removes such padding; `None` where there is none.
pub(crate) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    if padded.get(end) != Some(&0x80) || padded.len() - end > BLOCK {
        return None;
    }
    padded.get(..end)
}

fn cbc(mode: Mode, key: &[u8; 24], iv: &[u8], input: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    run(Cipher::des_ede3_cbc(), mode, key, Some(iv), input)
}

fn run(
    cipher: Cipher,
    mode: Mode,
    key: &[u8; 24],
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
    use crate::vectors::load;

    #[test]
    fn only_whole_padding_is_removed() {
        assert_eq!(unpad(&[1, 2, 0x80, 0, 0, 0, 0, 0]), Some(&[1, 2][..]));
        assert_eq!(unpad(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(&[][..]));
        assert_eq!(unpad(&[1, 2, 3, 4, 5, 6, 7, 8]), None);
        assert_eq!(unpad(&[0; 8]), None);
        assert_eq!(unpad(&[]), None);
        // A whole block of zeros behind the mark is no padding.
        assert_eq!(unpad(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        assert!(Key::try_from(Secret::new([0; 15])).is_err());
    }

    #[test]
    fn check_values_as_published() {
        let file = load("globalplatform/put_key_des3.json");
        let key = Key::new(std::array::from_fn(|at| 0x40 + at as u8));
        let published = file.row("published").bytes("kcv_3des_404142");
        assert_eq!(key.check_value().unwrap()[..], published);
        let row = file.rows("put_key").remove(0);
        for (key, value) in row.list("new_keys").into_iter().zip(row.list("kcv")) {
            let key = Key::new(key.try_into().unwrap());
            assert_eq!(key.check_value().unwrap()[..], value);
        }
    }
}
