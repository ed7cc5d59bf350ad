//! The chip maker's keys: what a blank carries until its owner replaces them.

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::aes;
use crate::eid::scp03::StaticKeys;
use crate::identity::ChipSerial;
use crate::secret::Secret;

/// The maker's master key, AES-128, from which each blank's transport keys are derived.
#[derive(Clone, Debug)]
pub struct TransportMasterKey(Secret);

/// The text is no AES-128 key.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a transport master key is 32 hexadecimal digits (AES-128)")]
pub struct TransportKeyError;

impl TransportMasterKey {
    /// Takes 16 bytes.
    pub fn new(key: [u8; 16]) -> Self {
        Self(Secret::new(key))
    }

    /// Reads 32 hexadecimal digits; white space around them is ignored.
    ///
    /// # Errors
    /// [`TransportKeyError`], which does not repeat the text.
    pub fn from_hex(text: &str) -> Result<Self, TransportKeyError> {
        let mut key = zeroize::Zeroizing::new([0; 16]);
        hex::decode_to_slice(text.trim(), &mut key[..]).map_err(|_| TransportKeyError)?;
        Ok(Self(Secret::new(*key)))
    }

    /// Derives one chip's transport keys with KDF3 over its diversification data:
    /// SP 800-108 counter mode, label `000000 k`, k = 1 ENC, 2 MAC, 3 DEK.
    pub(crate) fn diversify(&self, serial: &ChipSerial) -> Result<StaticKeys, ErrorStack> {
        Ok(StaticKeys {
            enc: self.key(1, serial)?,
            mac: self.key(2, serial)?,
            dek: self.key(3, serial)?,
        })
    }

    fn key(&self, number: u8, serial: &ChipSerial) -> Result<Secret, ErrorStack> {
        let label = [1, 0, 0, 0, number, 0];
        aes::cmac(self.0.bytes(), &[&label, serial.as_bytes()]).map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ChipNumber;
    use crate::product::{PRODUCTS, Product};
    use crate::vectors::load;

    #[test]
    fn kdf3_gives_the_published_keys() {
        // The published diversification data 00010203040506070809, cut into a product
        // (fabricator, type) and a number (batch, serial).
        let product = Product {
            fabricator: [0x00, 0x01],
            ic_type: [0x02, 0x03],
            ..PRODUCTS[0]
        };
        let number = ChipNumber::new([0x04, 0x05], [0x06, 0x07, 0x08, 0x09]);
        let serial = ChipSerial::of(&product, number);
        let mut checked = 0;
        for row in load("globalplatform/kdf3.json").rows("vectors") {
            if row.bytes("master").len() != 16 || row.bytes("KDD") != serial.as_bytes() {
                continue;
            }
            let master = TransportMasterKey::from_hex(row.text("master")).unwrap();
            let keys = master.diversify(&serial).unwrap();
            let key = match row.text("key") {
                "ENC" => keys.enc,
                "MAC" => keys.mac,
                _ => keys.dek,
            };
            assert_eq!(key.bytes(), row.bytes("derived"));
            checked += 1;
        }
        assert_eq!(checked, 3);
    }

    #[test]
    fn the_error_does_not_repeat_the_key() {
        let error = TransportMasterKey::from_hex("0102").unwrap_err();
        assert!(!error.to_string().contains("0102"));
    }
}
