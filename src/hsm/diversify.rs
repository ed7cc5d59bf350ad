//! Card keys from a master key that stays in the token.
//!
//! ```text
//!            i(1) ‖ 000000 k 00 ‖ KDD(10)
//!                        │                        in the token
//!   master key ──► AES-CMAC ──► block i ──┐
//!                                         ├──► K-ENC (k=1), K-MAC (k=2), K-DEK (k=3)
//!                                 i = 1…n │        one card's, wiped after use
//!                                         │
//!   master key ──► 3DES-ECB ──────────────┘
//!                        │                        in the token
//!       KDD F0 k ‖ KDD 0F k   (six bytes of it: EMV CPS 1.1, VISA2)
//! ```
//!
//! With "none" nothing is derived: every card has the key itself, so that its value passes host
//! memory each time. The token gives it only if it was put there as a transport key.

use card::cipher::Key;
use card::gp::{self, Diversification as Method, MAX_CONTEXT, SINGLE_KEY, StaticKeys};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{AttributeType, ObjectHandle};
use cryptoki::session::Session;
use zeroize::{Zeroize, Zeroizing};

use crate::config::{DesDiversification, Diversification, KeyCheckValue};
use crate::error::{HsmError, device};
use crate::handle::{KeyClass, SecretKey};
use crate::inventory::{KeyKind, kind_of, value_of};
use crate::token::Token;

const BLOCK: usize = 16;

impl Token {
    /// Derives a card's static keys from the AES master key labelled `master`: *SP 800-108* in
    /// counter mode over AES-CMAC ("KDF3"), each as long as the master key.
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
        self.diversify_by(Method::Kdf3, master, diversification)
    }

    /// Derives a card's static keys from the master key labelled `master` by a method: an AES key
    /// for KDF3, a triple DES key for EMV CPS 1.1 and VISA2, whose keys have 16 bytes. With
    /// "none" the key itself is all three; it must be a transport key
    /// ([`Token::import_transport_key`]).
    ///
    /// # Errors
    /// As [`Token::diversify`]; with "none" [`HsmError::KeyUnsuited`] for a key whose value the
    /// token keeps.
    pub fn diversify_by(
        &self,
        method: Method,
        master: &str,
        diversification: &[u8; 10],
    ) -> Result<StaticKeys, HsmError> {
        if method == Method::None {
            let key = self.value(master)?;
            return Ok(StaticKeys {
                enc: key.clone(),
                mac: key.clone(),
                dek: key,
            });
        }
        self.check_configured(method)?;
        self.with_session(|session| {
            let secret = self.master(session, master)?;
            let key = |k| match method.des_blocks(k, diversification) {
                Some(blocks) => encrypt_des3(session, master, secret, &blocks),
                None => derive(session, master, secret, k, diversification),
            };
            Ok(StaticKeys {
                enc: key(1)?,
                mac: key(2)?,
                dek: key(3)?,
            })
        })
    }

    /// Derives the one key of a chip that is opened by challenge and response, as
    /// [`card::gp::diversify_one`] does it: by KDF3 from an AES master key and a context of 1 to
    /// 32 bytes, as long as the master key, or "none".
    ///
    /// # Errors
    /// As [`Token::diversify_by`]; [`HsmError::KeyUnsuited`] for another method or context.
    pub fn diversify_one(
        &self,
        method: Method,
        master: &str,
        context: &[u8],
    ) -> Result<Key, HsmError> {
        let unsuited = |purpose| HsmError::KeyUnsuited {
            label: master.to_owned(),
            purpose,
        };
        match method {
            Method::None => self.value(master),
            Method::Kdf3 if (1..=MAX_CONTEXT).contains(&context.len()) => {
                self.check_configured(method)?;
                self.with_session(|session| {
                    let secret = self.master(session, master)?;
                    derive(session, master, secret, SINGLE_KEY, context)
                })
            }
            Method::Kdf3 => Err(unsuited(
                "diversification: the context has not 1 to 32 bytes",
            )),
            Method::EmvCps11 | Method::Visa2 => {
                Err(unsuited("diversification: the method makes no single key"))
            }
        }
    }

    fn check_configured(&self, method: Method) -> Result<(), HsmError> {
        let mechanisms = self.config().mechanisms();
        match method {
            Method::Kdf3 if mechanisms.diversification == Diversification::None => {
                Err(self.not_configured("diversification"))
            }
            Method::EmvCps11 | Method::Visa2
                if mechanisms.diversification_des == DesDiversification::None =>
            {
                Err(self.not_configured("diversification with triple DES"))
            }
            _ => Ok(()),
        }
    }

    /// Finds a master key, which cannot leave the token.
    fn master(&self, session: &Session, master: &str) -> Result<SecretKey, HsmError> {
        let secret = self.secret_key(session, master)?;
        if secret.can_leave {
            return Err(HsmError::KeyUnsuited {
                label: master.to_owned(),
                purpose: "diversification: it could leave the token",
            });
        }
        Ok(secret)
    }

    /// Reads the value of a transport key.
    fn value(&self, label: &str) -> Result<Key, HsmError> {
        let unsuited = |purpose| HsmError::KeyUnsuited {
            label: label.to_owned(),
            purpose,
        };
        let attributes = self.key_attributes(label)?;
        if attributes.sensitive || !attributes.extractable {
            return Err(unsuited(
                "cards that have the key itself (\"none\"): the token keeps its value; put it there as a transport key",
            ));
        }
        self.with_session(|session| {
            let key = self.handle(session, KeyClass::Secret, label)?;
            let kind = kind_of(session, key)?;
            if !matches!(kind, KeyKind::Aes(_) | KeyKind::Des3) {
                return Err(unsuited("cards: it is neither an AES nor a triple DES key"));
            }
            let mut value = Zeroizing::new(value_of(session, key, AttributeType::Value)?);
            // The token holds a key of two DES keys with the first again as the third.
            if kind == KeyKind::Des3 && value.get(..8) == value.get(16..) {
                value.truncate(16);
            }
            Key::new(&value).map_err(|_| HsmError::Answer {
                operation: "read a transport key",
                reason: "a value of the wrong length",
            })
        })
    }

    /// Returns the check value of the key labelled `label`: the first three bytes of sixteen bytes
    /// 01 encrypted under an AES key, of eight bytes 00 under a triple DES key (*GP Card
    /// Specification 2.3, appendix B*).
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], [`HsmError::NotConfigured`], or the device's failure.
    pub fn kcv(&self, label: &str) -> Result<[u8; 3], HsmError> {
        if self.config().mechanisms().key_check_value == KeyCheckValue::None {
            return Err(self.not_configured("key check values"));
        }
        self.with_session(|session| {
            let key = self.handle(session, KeyClass::Secret, label)?;
            let block = self.check_block(session, key)?;
            block.first_chunk().copied().ok_or(HsmError::Answer {
                operation: "compute a key check value",
                reason: "a block of the wrong length",
            })
        })
    }

    pub(crate) fn check_block(
        &self,
        session: &Session,
        key: ObjectHandle,
    ) -> Result<Vec<u8>, HsmError> {
        let encrypted = if kind_of(session, key)? == KeyKind::Des3 {
            if self.config().mechanisms().diversification_des == DesDiversification::None {
                return Err(self.not_configured("triple DES"));
            }
            session.encrypt(&Mechanism::Des3Ecb, key, &[0; 8])
        } else {
            session.encrypt(&Mechanism::AesEcb, key, &[1; BLOCK])
        };
        encrypted.map_err(device("compute a key check value"))
    }
}

/// Derives a key as long as the master key, by SP 800-108 over AES-CMAC.
fn derive(
    session: &Session,
    master: &str,
    secret: SecretKey,
    k: u8,
    context: &[u8],
) -> Result<Key, HsmError> {
    let unsuited = || HsmError::KeyUnsuited {
        label: master.to_owned(),
        purpose: "diversification: it is not an AES key",
    };
    let KeyKind::Aes(size) = secret.kind else {
        return Err(unsuited());
    };
    let length = size.bytes();
    let mut derived = Zeroizing::new(Vec::with_capacity(length + BLOCK));
    let mut counter = 0;
    while derived.len() < length {
        counter += 1;
        let input = gp::kdf3_input(counter, k, context);
        let mut block = session
            .sign(&Mechanism::AesCMac, secret.handle, &input)
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
    Key::new(&derived).map_err(|_| unsuited())
}

fn encrypt_des3(
    session: &Session,
    master: &str,
    secret: SecretKey,
    blocks: &[u8; BLOCK],
) -> Result<Key, HsmError> {
    if secret.kind != KeyKind::Des3 {
        return Err(HsmError::KeyUnsuited {
            label: master.to_owned(),
            purpose: "diversification: it is not a triple DES key",
        });
    }
    let derived = session
        .encrypt(&Mechanism::Des3Ecb, secret.handle, blocks)
        .map(Zeroizing::new)
        .map_err(device("encrypt with triple DES"))?;
    match derived.len() {
        BLOCK => Key::new(&derived).ok(),
        _ => None,
    }
    .ok_or(HsmError::Answer {
        operation: "encrypt with triple DES",
        reason: "blocks of the wrong length",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use card::cipher::{Key, KeyAlgorithm};
    use card::gp::{self, Diversification};
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

    #[test]
    fn published_des_keys_come_out() {
        with_private_tokens("diversify::tests::published_des_keys_come_out", || {
            let token = token("des");
            let file = include_str!("../../tests/vectors/globalplatform/emv_visa2.json");
            let file: Value = serde_json::from_str(file).unwrap();
            let rows = file["vectors"].as_array().unwrap();
            let master = Key::new(&field(&rows[0], "master")).unwrap();
            token.import_des3_master_key("master", &master).unwrap();
            assert_eq!(hex::encode_upper(token.kcv("master").unwrap()), "8BAF47");
            for (number, vector) in rows.iter().enumerate() {
                assert_eq!(field(vector, "master"), master.as_bytes());
                let method = match vector["scheme"].as_str().unwrap() {
                    "VISA2" => Diversification::Visa2,
                    _ => Diversification::EmvCps11,
                };
                let kdd = field(vector, "KDD").try_into().unwrap();
                let keys = token.diversify_by(method, "master", &kdd).unwrap();
                let key = match vector["key_index"].as_u64().unwrap() {
                    1 => keys.enc,
                    2 => keys.mac,
                    _ => keys.dek,
                };
                assert_eq!(key.as_bytes(), field(vector, "derived"));
                let derived = format!("derived {number}");
                token.import_des3_master_key(&derived, &key).unwrap();
                assert_eq!(token.kcv(&derived).unwrap()[..], field(vector, "kcv_3des"));
            }
            assert_eq!(rows.len(), 6);

            // A master key of three DES keys, against the host's computation.
            let long = Key::new(&std::array::from_fn::<u8, 24, _>(|i| i as u8 * 7)).unwrap();
            token.import_des3_master_key("long", &long).unwrap();
            let ours = token.diversify_by(Diversification::Visa2, "long", &[9; 10]);
            let host = Diversification::Visa2.keys(&long, &[9; 10]).unwrap();
            assert_eq!(ours.unwrap(), host);

            // Each method wants its own kind of key.
            token.import_master_key("aes", &master).unwrap();
            for (method, label) in [
                (Diversification::EmvCps11, "aes"),
                (Diversification::Kdf3, "master"),
                (Diversification::None, "aes"),
                (Diversification::None, "master"),
            ] {
                assert!(matches!(
                    token.diversify_by(method, label, &[0; 10]),
                    Err(HsmError::KeyUnsuited { .. })
                ));
            }
            let wide = Key::new(&[1; 32]).unwrap();
            assert!(matches!(
                token.import_des3_master_key("wide", &wide),
                Err(HsmError::KeyUnsuited { .. })
            ));
            token.generate_des3_master_key("made").unwrap();
            assert_eq!(token.key_attributes("made").unwrap().fault(), None);
            let one = token.diversify_by(Diversification::EmvCps11, "made", &[0; 10]);
            let two = token.diversify_by(Diversification::EmvCps11, "made", &[1; 10]);
            assert_ne!(one.unwrap().enc, two.unwrap().enc);
        });
    }

    #[test]
    fn transport_keys_pass_as_they_are_and_nothing_else_does() {
        with_private_tokens(
            "diversify::tests::transport_keys_pass_as_they_are_and_nothing_else_does",
            || {
                let token = token("transport");
                for (label, length, algorithm) in [
                    ("aes", 32, KeyAlgorithm::Aes),
                    ("two", 16, KeyAlgorithm::TripleDes),
                    ("three", 24, KeyAlgorithm::TripleDes),
                ] {
                    let bytes: Vec<u8> = (0x40..0x40 + length).collect();
                    let key = Key::new(&bytes).unwrap();
                    token.import_transport_key(label, &key, algorithm).unwrap();
                    let keys = token.diversify_by(Diversification::None, label, &[0; 10]);
                    let keys = keys.unwrap();
                    assert!(keys.enc == key && keys.mac == key && keys.dek == key);
                    let one = token.diversify_one(Diversification::None, label, &[]);
                    assert_eq!(one.unwrap(), key);
                    assert_eq!(
                        token.kcv(label).unwrap(),
                        card::cipher::kcv(&key, algorithm).unwrap()
                    );
                    // It shows as what it is, and serves as no master key.
                    assert!(token.key_attributes(label).unwrap().fault().is_some());
                    for method in [Diversification::Kdf3, Diversification::EmvCps11] {
                        assert!(matches!(
                            token.diversify_by(method, label, &[0; 10]),
                            Err(HsmError::KeyUnsuited { .. })
                        ));
                    }
                }
            },
        );
    }

    #[test]
    fn single_keys_are_those_of_the_host() {
        with_private_tokens(
            "diversify::tests::single_keys_are_those_of_the_host",
            || {
                let token = token("single");
                for length in [16, 24, 32] {
                    let master = Key::new(&vec![length; length.into()]).unwrap();
                    let label = format!("m{length}");
                    token.import_master_key(&label, &master).unwrap();
                    for context in [&[1][..], &[2; 10], &[3; 32]] {
                        let ours = token.diversify_one(Diversification::Kdf3, &label, context);
                        let host = gp::diversify_one(Diversification::Kdf3, &master, context);
                        assert_eq!(ours.unwrap(), host.unwrap());
                    }
                    for context in [&[][..], &[0; 33]] {
                        let refused = token.diversify_one(Diversification::Kdf3, &label, context);
                        assert!(matches!(refused, Err(HsmError::KeyUnsuited { .. })));
                    }
                    let refused = token.diversify_one(Diversification::Visa2, &label, &[1]);
                    assert!(matches!(refused, Err(HsmError::KeyUnsuited { .. })));
                }
            },
        );
    }
}
