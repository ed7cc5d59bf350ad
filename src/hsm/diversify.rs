//! Card keys from a master key that stays in the token.
//!
//! ```text
//!            i(1) ‖ 000000 k 00 ‖ KDD(10)
//!                        │                        in the token
//!   master key ──► AES-CMAC ──► block i ──┐
//!                                         ├──► K-ENC (k=1), K-MAC (k=2), K-DEK (k=3)
//!                                 i = 1…n ┘        one card's, wiped after use
//! ```

use card::gp::{Key, StaticKeys};
use cryptoki::mechanism::Mechanism;
use zeroize::{Zeroize, Zeroizing};

use crate::config::{Diversification, KeyCheckValue};
use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::inventory::secret_key_length;
use crate::token::Token;

const BLOCK: usize = 16;

impl Token {
    /// Derives a card's static keys from the master key labelled `master`: *SP 800-108* in counter
    /// mode over AES-CMAC ("KDF3"), each as long as the master key.
    ///
    /// `diversification` is what the card answers to INITIALIZE UPDATE, bytes 1 to 10. The blocks
    /// are computed in the token; the derived keys pass host memory and are wiped when dropped.
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], [`HsmError::NotConfigured`], [`HsmError::KeyUnsuited`] for a
    /// master key that could leave the token, or the device's failure.
    pub fn diversify(
        &self,
        master: &str,
        diversification: &[u8; 10],
    ) -> Result<StaticKeys, HsmError> {
        if self.config().mechanisms().diversification == Diversification::None {
            return Err(self.not_configured("diversification"));
        }
        if self.key_attributes(master)?.fault().is_some() {
            return Err(HsmError::KeyUnsuited {
                label: master.to_owned(),
                purpose: "diversification: it could leave the token",
            });
        }
        Ok(StaticKeys {
            enc: self.derive(master, 1, diversification)?,
            mac: self.derive(master, 2, diversification)?,
            dek: self.derive(master, 3, diversification)?,
        })
    }

    fn derive(&self, master: &str, k: u8, diversification: &[u8; 10]) -> Result<Key, HsmError> {
        let unsuited = || HsmError::KeyUnsuited {
            label: master.to_owned(),
            purpose: "diversification: it is not an AES key",
        };
        let derived = self.with_session(|session| {
            let key = self.handle(session, KeyClass::Secret, master)?;
            let length = match secret_key_length(session, key)? {
                length @ (16 | 24 | 32) => length,
                _ => return Err(unsuited()),
            };
            let mut derived = Zeroizing::new(Vec::with_capacity(2 * BLOCK));
            let mut counter = 0;
            while derived.len() < length {
                counter += 1;
                let mut input = [counter, 0, 0, 0, k, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                input[6..].copy_from_slice(diversification);
                let mut block = session
                    .sign(&Mechanism::AesCMac, key, &input)
                    .map_err(device("compute an AES-CMAC"))?;
                if block.len() != BLOCK {
                    return Err(HsmError::Answer {
                        operation: "compute an AES-CMAC",
                        reason: "a block of the wrong length",
                    });
                }
                derived.extend_from_slice(&block);
                block.zeroize();
            }
            derived.truncate(length);
            Ok(derived)
        })?;
        Key::new(&derived).map_err(|_| unsuited())
    }

    /// Returns the check value of the AES key labelled `label`: the first three bytes of sixteen
    /// bytes 01 encrypted under it (*GP Amendment D*, PUT KEY).
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], [`HsmError::NotConfigured`], or the device's failure.
    pub fn kcv(&self, label: &str) -> Result<[u8; 3], HsmError> {
        if self.config().mechanisms().key_check_value == KeyCheckValue::None {
            return Err(self.not_configured("key check values"));
        }
        self.with_session(|session| {
            let key = self.handle(session, KeyClass::Secret, label)?;
            let block = session
                .encrypt(&Mechanism::AesEcb, key, &[1; BLOCK])
                .map_err(device("compute a key check value"))?;
            block.first_chunk().copied().ok_or(HsmError::Answer {
                operation: "compute a key check value",
                reason: "a block of the wrong length",
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use card::gp::Key;
    use serde_json::Value;

    use crate::error::HsmError;
    use crate::keys::MasterKeySize;
    use crate::signer::Curve;
    use crate::test_support::{token, with_private_tokens};

    fn field(vector: &Value, name: &str) -> Vec<u8> {
        hex::decode(vector[name].as_str().unwrap()).unwrap()
    }

    #[test]
    fn published_keys_come_out() {
        with_private_tokens("diversify::tests::published_keys_come_out", || {
            let token = token("diversify");
            let file = include_str!("../../tests/vectors/globalplatform/kdf3.json");
            let file: Value = serde_json::from_str(file).unwrap();
            let mut masters = BTreeMap::new();
            let mut checked = 0;
            for vector in file["vectors"].as_array().unwrap() {
                let master = field(vector, "master");
                let label = format!("master {}", masters.len());
                let label = masters.entry(master.clone()).or_insert_with(|| {
                    let key = Key::new(&master).unwrap();
                    token.import_master_key(&label, &key).unwrap();
                    label
                });
                let kdd = field(vector, "KDD").try_into().unwrap();
                let keys = token.diversify(label, &kdd).unwrap();
                let key = match vector["key_index"].as_u64().unwrap() {
                    1 => keys.enc,
                    2 => keys.mac,
                    _ => keys.dek,
                };
                assert_eq!(key.as_bytes(), field(vector, "derived"));
                // The check value of the derived key, by way of the token.
                let derived = format!("derived {checked}");
                token.import_master_key(&derived, &key).unwrap();
                assert_eq!(token.kcv(&derived).unwrap()[..], field(vector, "kcv_aes"));
                checked += 1;
            }
            assert_eq!(checked, 10);
        });
    }

    #[test]
    fn only_master_keys_serve() {
        with_private_tokens("diversify::tests::only_master_keys_serve", || {
            let token = token("wrong");
            token.generate_signing_key("ca", Curve::P384).unwrap();
            assert!(token.diversify("ca", &[0; 10]).is_err());
            assert!(token.kcv("ca").is_err());
            assert!(matches!(
                token.diversify("none", &[0; 10]),
                Err(HsmError::KeyNotFound { .. })
            ));
            token
                .generate_master_key("m", MasterKeySize::Aes128)
                .unwrap();
            let one = token.diversify("m", &[0; 10]).unwrap();
            let two = token.diversify("m", &[1; 10]).unwrap();
            assert_ne!(one.enc.as_bytes(), two.enc.as_bytes());
            assert_ne!(one.enc.as_bytes(), one.mac.as_bytes());
        });
    }
}
