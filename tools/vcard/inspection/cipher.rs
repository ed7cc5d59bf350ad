//! The ciphers of inspection, and the keys that are derived for them (ICAO Doc 9303-11
//! §9.7, §9.8).

use openssl::error::ErrorStack;
use openssl::sha::{sha1, sha256};
use openssl::symm::{Cipher as Symmetric, Crypter, Mode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::aes;
use crate::des;
use crate::secret::{Secret, same};

/// Bytes of a MAC on the wire.
pub(crate) const MAC: usize = 8;

/// A cipher, with its MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cipher {
    /// Two-key triple DES, retail MAC.
    TripleDes,
    /// AES, CMAC.
    Aes128,
    Aes192,
    Aes256,
}

/// What a derived key is for: the counter of the key derivation function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Encryption = 1,
    Mac = 2,
    Password = 3,
}

impl Cipher {
    /// Reads the last arc of a protocol's object identifier: 1 to 4.
    pub(crate) fn from_arc(arc: u8) -> Option<Self> {
        match arc {
            1 => Some(Self::TripleDes),
            2 => Some(Self::Aes128),
            3 => Some(Self::Aes192),
            4 => Some(Self::Aes256),
            _ => None,
        }
    }

    /// Returns the bytes of a key.
    pub(crate) fn key(self) -> usize {
        match self {
            Self::TripleDes | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Returns the bytes of a block.
    pub(crate) fn block(self) -> usize {
        match self {
            Self::TripleDes => des::BLOCK,
            _ => aes::BLOCK,
        }
    }

    /// Derives a key from a shared secret, or a password's (ICAO Doc 9303-11 §9.7.1).
    pub(crate) fn derive(self, secret: &[u8], purpose: Purpose) -> Secret {
        let input = Zeroizing::new([secret, &[0, 0, 0, purpose as u8]].concat());
        let mut hash = Zeroizing::new(match self {
            Self::TripleDes | Self::Aes128 => sha1(&input).to_vec(),
            Self::Aes192 | Self::Aes256 => sha256(&input).to_vec(),
        });
        hash.truncate(self.key());
        if self == Self::TripleDes {
            for byte in hash.iter_mut() {
                // Odd parity, in the lowest bit.
                *byte = *byte & 0xFE | u8::from((*byte & 0xFE).count_ones() % 2 == 0);
            }
        }
        Secret::new(std::mem::take(&mut *hash))
    }

    /// Encrypts whole blocks, CBC.
    pub(crate) fn encrypt(
        self,
        key: &Secret,
        iv: &[u8],
        blocks: &[u8],
    ) -> Result<Vec<u8>, ErrorStack> {
        self.run(Mode::Encrypt, key, iv, blocks)
    }

    /// Decrypts whole blocks, CBC.
    pub(crate) fn decrypt(
        self,
        key: &Secret,
        iv: &[u8],
        blocks: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        self.run(Mode::Decrypt, key, iv, blocks).map(Zeroizing::new)
    }

    fn run(self, mode: Mode, key: &Secret, iv: &[u8], input: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let triple;
        let (cipher, key) = match self {
            Self::TripleDes => {
                // K1 ‖ K2 ‖ K1.
                let bytes = key.bytes();
                let again = bytes.get(..des::BLOCK).unwrap_or_default();
                triple = Zeroizing::new([bytes, again].concat());
                (Symmetric::des_ede3_cbc(), triple.as_slice())
            }
            Self::Aes128 => (Symmetric::aes_128_cbc(), key.bytes()),
            Self::Aes192 => (Symmetric::aes_192_cbc(), key.bytes()),
            Self::Aes256 => (Symmetric::aes_256_cbc(), key.bytes()),
        };
        let mut crypter = Crypter::new(cipher, mode, key, Some(iv))?;
        crypter.pad(false);
        let mut out = vec![0; input.len() + self.block()];
        let mut length = crypter.update(input, &mut out)?;
        length += crypter.finalize(out.get_mut(length..).unwrap_or_default())?;
        out.truncate(length);
        Ok(out)
    }

    /// Computes the MAC over a message: the retail MAC, which pads, or the first half of the
    /// CMAC, which does not.
    pub(crate) fn mac(self, key: &Secret, message: &[u8]) -> Result<[u8; MAC], ErrorStack> {
        match self {
            Self::TripleDes => {
                let bytes = key.bytes().first_chunk().copied().unwrap_or_default();
                des::Key::new(bytes).retail_mac(&[0; des::BLOCK], message)
            }
            _ => {
                let whole = aes::cmac(key.bytes(), &[message])?;
                Ok(whole.first_chunk().copied().unwrap_or_default())
            }
        }
    }

    /// Pads to whole blocks: 80, then 00 as needed (ISO/IEC 9797-1 method 2).
    pub(crate) fn pad(self, message: &[u8]) -> Zeroizing<Vec<u8>> {
        let length = (message.len() / self.block() + 1) * self.block();
        let mut padded = Zeroizing::new(Vec::with_capacity(length));
        padded.extend_from_slice(message);
        padded.push(0x80);
        padded.resize(length, 0);
        padded
    }

    /// Removes such padding; `None` where there is none.
    pub(crate) fn unpad(self, padded: &[u8]) -> Option<&[u8]> {
        let end = padded.iter().rposition(|byte| *byte != 0)?;
        if padded.get(end) != Some(&0x80) || padded.len() - end > self.block() {
            return None;
        }
        padded.get(..end)
    }
}

/// The keys of a session, or of a document with basic access control.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub(crate) struct Keys {
    pub(crate) cipher: Cipher,
    pub(crate) enc: Secret,
    pub(crate) mac: Secret,
}

/// Keys out of a chip's image, of whatever length.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    cipher: Cipher,
    enc: Secret,
    mac: Secret,
}

impl TryFrom<Stored> for Keys {
    type Error = &'static str;

    fn try_from(Stored { cipher, enc, mac }: Stored) -> Result<Self, Self::Error> {
        let whole = [&enc, &mac].map(|key| key.bytes().len() == cipher.key());
        match whole {
            [true, true] => Ok(Self { cipher, enc, mac }),
            _ => Err("a key of another length than its cipher's"),
        }
    }
}

impl Keys {
    /// Derives both from what the two sides share.
    pub(crate) fn derive(cipher: Cipher, shared: &[u8]) -> Self {
        Self {
            cipher,
            enc: cipher.derive(shared, Purpose::Encryption),
            mac: cipher.derive(shared, Purpose::Mac),
        }
    }

    /// Computes a MAC.
    pub(crate) fn mac(&self, message: &[u8]) -> Result<[u8; MAC], ErrorStack> {
        self.cipher.mac(&self.mac, message)
    }

    /// Says whether this is the message's MAC, in constant time.
    pub(crate) fn verifies(&self, message: &[u8], mac: &[u8]) -> Result<bool, ErrorStack> {
        Ok(same(&self.mac(message)?, mac))
    }
}
