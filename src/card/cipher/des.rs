//! Triple DES and the MACs made of it.

use ::des::cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit,
    KeyIvInit,
};
use ::des::{Des, TdesEde3};
use zeroize::Zeroizing;

use super::CipherError;
use super::key::Key;
use super::padding::pad;

/// Bytes in one DES block.
pub(crate) const DES_BLOCK: usize = 8;

/// A triple DES key as three DES keys; of two, the first is also the third (*NIST SP
/// 800-67 §3.1*, keying options 1 and 2). Parity bits are ignored.
#[derive(Clone)]
pub(crate) struct TripleDes(Box<Zeroizing<[u8; 24]>>);

impl TripleDes {
    /// Takes a key of 16 or 24 bytes.
    pub(crate) fn new(key: &Key) -> Result<Self, CipherError> {
        let bytes = key.as_bytes();
        if !matches!(bytes.len(), 16 | 24) {
            return Err(CipherError::KeyLength {
                length: bytes.len(),
                algorithm: "triple DES",
                needed: "16 or 24",
            });
        }
        let mut three = Box::new(Zeroizing::new([0; 24]));
        for (to, from) in three.iter_mut().zip(bytes.iter().cycle()) {
            *to = *from;
        }
        Ok(Self(three))
    }

    /// Takes a key of 16 bytes: what has a first and a second half.
    pub(crate) fn two_key(key: &Key) -> Result<Self, CipherError> {
        match key.as_bytes().len() {
            16 => Self::new(key),
            length => Err(CipherError::KeyLength {
                length,
                algorithm: "triple DES with two keys",
                needed: "16",
            }),
        }
    }

    fn cipher(&self) -> TdesEde3 {
        TdesEde3::new((&**self.0).into())
    }

    /// Encrypts whole blocks in place, each by itself.
    pub(crate) fn ecb_encrypt(&self, data: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(data);
        self.cipher().encrypt_blocks(blocks);
    }

    /// Decrypts whole blocks in place, each by itself.
    pub(crate) fn ecb_decrypt(&self, data: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(data);
        self.cipher().decrypt_blocks(blocks);
    }

    /// Encrypts whole blocks in place with CBC from an IV of zeros.
    pub(crate) fn cbc_encrypt(&self, data: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(data);
        cbc::Encryptor::<TdesEde3>::new((&**self.0).into(), &Array::from([0; DES_BLOCK]))
            .encrypt_blocks(blocks);
    }

    /// Decrypts whole blocks in place with CBC from an IV of zeros.
    pub(crate) fn cbc_decrypt(&self, data: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(data);
        cbc::Decryptor::<TdesEde3>::new((&**self.0).into(), &Array::from([0; DES_BLOCK]))
            .decrypt_blocks(blocks);
    }

    fn single(&self, at: usize) -> Des {
        let mut key = Zeroizing::new([0; DES_BLOCK]);
        for (to, from) in key.iter_mut().zip(self.0.iter().skip(at)) {
            *to = *from;
        }
        Des::new((&*key).into())
    }

    /// Encrypts one block with single DES under the first key.
    pub(crate) fn encrypt_single(&self, block: [u8; DES_BLOCK]) -> [u8; DES_BLOCK] {
        let mut block = Array::from(block);
        self.single(0).encrypt_block(&mut block);
        block.into()
    }

    /// Returns the MAC with triple DES in each block, over the padded parts, one after
    /// another (*GP Card Specification 2.3 §B.1.2.1*).
    pub(crate) fn full_mac(&self, parts: &[&[u8]]) -> [u8; DES_BLOCK] {
        chain([0; DES_BLOCK], parts, |block| {
            self.cipher().encrypt_block(block);
        })
    }

    /// Returns the MAC with single DES, and triple DES in the last block, over the padded
    /// parts, one after another (*GP Card Specification 2.3 §B.1.2.2*, *ISO/IEC 9797-1* MAC
    /// algorithm 3).
    pub(crate) fn retail_mac(&self, icv: [u8; DES_BLOCK], parts: &[&[u8]]) -> [u8; DES_BLOCK] {
        let first = self.single(0);
        let mut block = Array::from(chain(icv, parts, |block| first.encrypt_block(block)));
        self.single(8).decrypt_block(&mut block);
        self.single(16).encrypt_block(&mut block);
        block.into()
    }
}

/// Returns the last block of CBC over the padded parts under a block cipher.
fn chain(
    icv: [u8; DES_BLOCK],
    parts: &[&[u8]],
    encrypt: impl Fn(&mut Array<u8, ::des::cipher::consts::U8>),
) -> [u8; DES_BLOCK] {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    // One allocation: plain text must not stay behind in an outgrown one.
    let mut message = Zeroizing::new(Vec::with_capacity(length + DES_BLOCK));
    for part in parts {
        message.extend_from_slice(part);
    }
    pad(&mut message, DES_BLOCK);
    let mut state = Array::from(icv);
    for piece in message.chunks(DES_BLOCK) {
        for (to, from) in state.iter_mut().zip(piece) {
            *to ^= from;
        }
        encrypt(&mut state);
    }
    state.into()
}
