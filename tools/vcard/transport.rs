//! The chip maker's keys: what a blank carries until its owner replaces them.

use openssl::error::ErrorStack;
use thiserror::Error;

use crate::aes;
use crate::des;
use crate::eid::session::StaticKeys;
use crate::identity::ChipSerial;
use crate::scp::Scp;
use crate::secret::Secret;

/// The maker's master key, from which each blank's transport keys are derived: AES-128, or
/// two-key triple DES for chips that speak SCP02.
#[derive(Clone, Debug)]
pub struct TransportMasterKey(Secret);

/// The text is no such key.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a transport master key is 32 hexadecimal digits (AES-128, two-key triple DES)")]
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

    /// Derives one chip's transport keys over its diversification data, numbered k = 1 ENC,
    /// 2 MAC, 3 DEK. For SCP03 by KDF3, SP 800-108 in counter mode with the label `000000 k`;
    /// for SCP02 by EMV CPS 1.1, triple DES over the last six bytes with `F0 k`, then `0F k`.
    pub(crate) fn diversify(
        &self,
        serial: &ChipSerial,
        scp: Scp,
    ) -> Result<StaticKeys, ErrorStack> {
        let key = |number| {
            if scp.is_scp02() {
                self.emv(number, serial)
            } else {
                self.kdf3(number, serial)
            }
        };
        Ok(StaticKeys {
            enc: key(1)?,
            mac: key(2)?,
            dek: key(3)?,
        })
    }

    fn kdf3(&self, number: u8, serial: &ChipSerial) -> Result<Secret, ErrorStack> {
        let label = [1, 0, 0, 0, number, 0];
        aes::cmac(self.0.bytes(), &[&label, serial.as_bytes()]).map(Secret::new)
    }

    fn emv(&self, number: u8, serial: &ChipSerial) -> Result<Secret, ErrorStack> {
        let [_, _, _, _, own @ ..] = serial.as_bytes();
        let blocks = [&own[..], &[0xF0, number], own, &[0x0F, number]].concat();
        let mut master = zeroize::Zeroizing::new([0; 16]);
        for (to, from) in master.iter_mut().zip(self.0.bytes()) {
            *to = *from;
        }
        let derived = des::Key::new(*master).ecb_encrypt(&blocks)?;
        Ok(Secret::new(derived.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ChipNumber;
    use crate::product::{PRODUCTS, Product};
    use crate::vectors::load;

    #[test]
    fn the_published_keys_are_derived() {
        assert_eq!(published("kdf3.json", None, Scp::SCP03_I70), 3);
        assert_eq!(
            published("emv_visa2.json", Some("EMV CPS 1.1"), Scp::SCP02_I15),
            3
        );
    }

    /// Compares with the vectors of a file, those of a scheme alone; returns how many.
    fn published(file: &str, scheme: Option<&str>, scp: Scp) -> usize {
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
        for row in load(&format!("globalplatform/{file}")).rows("vectors") {
            if row.bytes("master").len() != 16
                || row.bytes("KDD") != serial.as_bytes()
                || scheme.is_some_and(|scheme| row.text("scheme") != scheme)
            {
                continue;
            }
            let master = TransportMasterKey::from_hex(row.text("master")).unwrap();
            let keys = master.diversify(&serial, scp).unwrap();
            let key = match row.text("key") {
                "ENC" => keys.enc,
                "MAC" => keys.mac,
                _ => keys.dek,
            };
            assert_eq!(key.bytes(), row.bytes("derived"));
            checked += 1;
        }
        checked
    }

    #[test]
    fn the_error_does_not_repeat_the_key() {
        let error = TransportMasterKey::from_hex("0102").unwrap_err();
        assert!(!error.to_string().contains("0102"));
    }
}
