//! The key pairs of the inspection procedures (ICAO Doc 9303-11 §9.7.1, §9.8.2, App. D).

use openssl::error::ErrorStack;
use openssl::sha::sha1;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(super) use crate::des::{BLOCK, pad, unpad};

use crate::des::Key;
use crate::secret::same;

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
        self.enc.cbc_encrypt(blocks)
    }

    /// Decrypts whole blocks, CBC, IV zero.
    pub(super) fn decrypt(&self, blocks: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        self.enc.cbc_decrypt(blocks)
    }

    /// Computes the retail MAC: ISO/IEC 9797-1 algorithm 3, padding method 2.
    pub(super) fn mac(&self, message: &[u8]) -> Result<[u8; BLOCK], ErrorStack> {
        self.mac.retail_mac(&[0; BLOCK], message)
    }

    /// Says whether this is the message's MAC, in constant time.
    pub(super) fn verifies(&self, message: &[u8], mac: &[u8]) -> Result<bool, ErrorStack> {
        Ok(same(&self.mac(message)?, mac))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
