//! Two-key triple DES as the inspection procedures use it (ICAO Doc 9303-11 §9.8.2, App. D),
//! by openssl.

use openssl::error::ErrorStack;
use openssl::sha::sha1;
use openssl::symm::{Cipher, Crypter, Mode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::{Secret, same};

/// Length of a DES block and of a MAC, bytes.
pub(super) const BLOCK: usize = 8;

/// A two-key triple DES key, 16 bytes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub(super) struct Key(Zeroizing<[u8; 16]>);

impl Key {
    /// Takes the key's bytes over.
    pub(super) fn new(bytes: [u8; 16]) -> Self {
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
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..]
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

/// A pair of keys that were derived from one seed: of the document, or of a session.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    enc: Key,
    mac: Key,
}

impl Keys {
    /// Derives both keys from a key seed (ICAO Doc 9303-11 §9.7.1.1).
    pub(super) fn derive(seed: &[u8; 16]) -> Self {
        let one = |counter| {
            let mut input = Zeroizing::new([0; 20]);
            let (head, tail) = input.split_at_mut(16);
            head.copy_from_slice(seed);
            tail.copy_from_slice(&[0, 0, 0, counter]);
            let digest = Zeroizing::new(sha1(&input[..]));
            let mut key = [0; 16];
            for (byte, hashed) in key.iter_mut().zip(digest.iter()) {
                // Odd parity, in the lowest bit.
                *byte = hashed & 0xFE | u8::from((hashed & 0xFE).count_ones() % 2 == 0);
            }
            Key::new(key)
        };
        Self {
            enc: one(1),
            mac: one(2),
        }
    }

    /// Takes keys over.
    #[cfg(test)]
    pub(super) fn new(enc: [u8; 16], mac: [u8; 16]) -> Self {
        Self {
            enc: Key::new(enc),
            mac: Key::new(mac),
        }
    }

    #[cfg(test)]
    pub(super) fn enc(&self) -> &[u8] {
        self.enc.bytes()
    }

    #[cfg(test)]
    pub(super) fn mac_key(&self) -> &[u8] {
        self.mac.bytes()
    }

    /// Encrypts whole blocks, CBC, IV zero.
    pub(super) fn encrypt(&self, blocks: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        cbc(Mode::Encrypt, &self.enc.triple(), &[0; BLOCK], blocks)
    }

    /// Decrypts whole blocks, CBC, IV zero.
    pub(super) fn decrypt(&self, blocks: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        cbc(Mode::Decrypt, &self.enc.triple(), &[0; BLOCK], blocks).map(Zeroizing::new)
    }

    /// Computes the retail MAC: ISO/IEC 9797-1 algorithm 3, padding method 2.
    pub(super) fn mac(&self, message: &[u8]) -> Result<[u8; BLOCK], ErrorStack> {
        let padded = pad(message);
        let (before, last) = padded.split_at(padded.len().saturating_sub(BLOCK));
        let chained = cbc(Mode::Encrypt, &self.mac.single(), &[0; BLOCK], before)?;
        // The output transformation makes the last block's encryption a triple one.
        let iv = chained.last_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]);
        let out = cbc(Mode::Encrypt, &self.mac.triple(), iv, last)?;
        Ok(out.last_chunk().copied().unwrap_or_default())
    }

    /// Says whether this is the message's MAC, in constant time.
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8]) -> Result<bool, ErrorStack> {
        Ok(same(&self.mac(message)?, mac))
    }
}

/// Pads to whole blocks: 80, then 00 as needed (ISO/IEC 9797-1 method 2).
pub(super) fn pad(message: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = (message.len() / BLOCK + 1) * BLOCK;
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend_from_slice(message);
    padded.push(0x80);
    padded.resize(length, 0);
    padded
}

/// Removes such padding; `None` where there is none.
pub(super) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    if padded.get(end) != Some(&0x80) || padded.len() - end > BLOCK {
        return None;
    }
    padded.get(..end)
}

fn cbc(mode: Mode, key: &[u8; 24], iv: &[u8], input: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut crypter = Crypter::new(Cipher::des_ede3_cbc(), mode, key, Some(iv))?;
    crypter.pad(false);
    let mut out = vec![0; input.len() + BLOCK];
    let mut length = crypter.update(input, &mut out)?;
    length += crypter.finalize(out.get_mut(length..).unwrap_or_default())?;
    out.truncate(length);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn sealed_text_is_opened(text in prop::collection::vec(any::<u8>(), 0..80)) {
            let keys = Keys::new([0x23; 16], [0x45; 16]);
            let sealed = keys.encrypt(&pad(&text)).unwrap();
            let opened = keys.decrypt(&sealed).unwrap();
            prop_assert_eq!(unpad(&opened), Some(&text[..]));
        }
    }
}
