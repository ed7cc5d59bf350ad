//! Zone keys, and the keys that a supplier sends under one.
//!
//! ```text
//!   supplier                                  here
//!   zone key in 2 or 3 letters ─────────────► ceremony ──► import_key(Zone)
//!   key wrapped under it, its check value ──► unwrap_key ──► a session object: check value?
//!                                                       └──► the key, its attributes read back
//! ```
//!
//! A wrapped key is unwrapped first into an object that dies with its session, and compared with
//! the check value that was sent: a key with a wrong one never is among the token's keys.

use card::cipher::{Key, KeyAlgorithm};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use crate::check_method::{CheckMethod, CheckValue};
use crate::config::{DesDiversification, KeyWrap};
use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::inventory::{KeyKind, kind_of, length_id};
use crate::key_block::{KeyBlock, KeyBlockError};
use crate::keys::{des3_template, master_key_template, readable, three_des_keys};
use crate::token::Token;

/// What an imported key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// Card keys are derived from it; it cannot leave the token.
    Master,
    /// Every card of a delivery has it as it is; its value can be read by whoever logs in.
    Transport,
    /// Suppliers send keys under it; it cannot leave the token.
    Zone,
}

/// A key as a supplier sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrappedKey {
    /// Under an AES key by AES Key Wrap (*RFC 3394*, *SP 800-38F* KW): unwrapped in the token.
    AesKeyWrap(Vec<u8>),
    /// Under a triple DES key, block by block (ECB), as it was done before. Nothing protects it
    /// against changes but the check value, and no token unwraps it: it is decrypted in the
    /// token, **and the key passes host memory**, where it is wiped.
    Des3Ecb(Vec<u8>),
    /// In a key block under an AES key (*ANSI X9.143*, version D). No token unwraps it: the block's
    /// own keys are derived in the token, **and the key passes host memory**, where it is wiped.
    KeyBlock(KeyBlock),
}

impl Token {
    /// Puts a key into the token under a role. Its value came to the host, by a ceremony say.
    ///
    /// # Errors
    /// As [`Token::import_master_key`].
    pub fn import_key(
        &self,
        role: KeyRole,
        label: &str,
        key: &Key,
        algorithm: KeyAlgorithm,
    ) -> Result<(), HsmError> {
        match (role, algorithm) {
            (KeyRole::Transport, _) => self.import_transport_key(label, key, algorithm),
            (KeyRole::Master, KeyAlgorithm::Aes) => self.import_master_key(label, key),
            (KeyRole::Master, KeyAlgorithm::TripleDes) => self.import_des3_master_key(label, key),
            (KeyRole::Zone, _) => {
                self.check_zone_use(algorithm)?;
                let value = match algorithm {
                    KeyAlgorithm::Aes => Zeroizing::new(key.as_bytes().to_vec()),
                    KeyAlgorithm::TripleDes => three_des_keys(label, key)?,
                };
                self.import_value(label, zone_template(label, algorithm), &value)
            }
        }
    }

    /// Takes in a key that was wrapped under the zone key labelled `zone`, if it has the check
    /// value that was sent with it.
    ///
    /// # Errors
    /// [`HsmError::Unwrap`] where the wrapped key is not one under this zone key,
    /// [`HsmError::CheckValue`] where it is another key, [`HsmError::KeyUnsuited`] where the zone
    /// key is none; otherwise as [`Token::import_master_key`]. The token's keys are as before.
    pub fn unwrap_key(
        &self,
        zone: &str,
        wrapped: &WrappedKey,
        label: &str,
        role: KeyRole,
        algorithm: KeyAlgorithm,
        sent: CheckValue,
    ) -> Result<(), HsmError> {
        self.check_zone_key(zone, wrapped)?;
        match wrapped {
            WrappedKey::AesKeyWrap(bytes) => {
                self.unwrap_inside(zone, bytes, label, role, algorithm, sent)
            }
            WrappedKey::Des3Ecb(_) | WrappedKey::KeyBlock(_) => {
                let key = match wrapped {
                    WrappedKey::Des3Ecb(bytes) => self.decrypt_key(zone, bytes)?,
                    WrappedKey::KeyBlock(block) if block.algorithm() == algorithm => {
                        self.open_key_block(zone, block)?
                    }
                    _ => return Err(unsuited(label, "this: its key block names another cipher")),
                };
                let found = sent
                    .method
                    .value(&key, algorithm)
                    .map_err(|_| unsuited(label, "triple DES: it has 32 bytes"))?;
                compare(label, found, sent.value)?;
                self.import_key(role, label, &key, algorithm)
            }
        }
    }

    fn check_zone_use(&self, algorithm: KeyAlgorithm) -> Result<(), HsmError> {
        let mechanisms = self.config().mechanisms();
        let served = match algorithm {
            KeyAlgorithm::Aes => mechanisms.key_wrap == KeyWrap::AesKeyWrap,
            KeyAlgorithm::TripleDes => {
                mechanisms.diversification_des == DesDiversification::Des3Ecb
            }
        };
        served
            .then_some(())
            .ok_or_else(|| self.not_configured("zone keys of this algorithm"))
    }

    /// Demands a zone key that fits and cannot leave the token.
    fn check_zone_key(&self, zone: &str, wrapped: &WrappedKey) -> Result<(), HsmError> {
        let attributes = self.key_attributes(zone)?;
        if attributes.fault().is_some() {
            return Err(unsuited(zone, "unwrapping: it could leave the token"));
        }
        if !attributes.unwrap {
            return Err(unsuited(zone, "unwrapping: it is no zone key"));
        }
        let kind = self.with_session(|session| {
            let key = self.handle(session, KeyClass::Secret, zone)?;
            kind_of(session, key)
        })?;
        match (wrapped, kind) {
            (WrappedKey::AesKeyWrap(_) | WrappedKey::KeyBlock(_), KeyKind::Aes(_)) => {
                self.check_zone_use(KeyAlgorithm::Aes)
            }
            (WrappedKey::Des3Ecb(_), KeyKind::Des3) => self.check_zone_use(KeyAlgorithm::TripleDes),
            (WrappedKey::AesKeyWrap(_) | WrappedKey::KeyBlock(_), _) => Err(unsuited(
                zone,
                "AES Key Wrap and key blocks: it is not an AES key",
            )),
            (WrappedKey::Des3Ecb(_), _) => {
                Err(unsuited(zone, "triple DES: it is not a triple DES key"))
            }
        }
    }

    fn unwrap_inside(
        &self,
        zone: &str,
        wrapped: &[u8],
        label: &str,
        role: KeyRole,
        algorithm: KeyAlgorithm,
        sent: CheckValue,
    ) -> Result<(), HsmError> {
        let length = wrapped.len().saturating_sub(8);
        match (algorithm, length) {
            (KeyAlgorithm::Aes, 16 | 24 | 32) | (KeyAlgorithm::TripleDes, 24) => {}
            (KeyAlgorithm::TripleDes, 16) => {
                return Err(unsuited(
                    label,
                    "triple DES: it was wrapped as two DES keys, and a token takes three",
                ));
            }
            _ => {
                return Err(unsuited(
                    label,
                    "this: what was wrapped has no length of a key of its algorithm",
                ));
            }
        }
        let template = match role {
            KeyRole::Zone => zone_template(label, algorithm),
            KeyRole::Master | KeyRole::Transport => {
                let mut template = match algorithm {
                    KeyAlgorithm::Aes => master_key_template(label),
                    KeyAlgorithm::TripleDes => des3_template(label),
                };
                if role == KeyRole::Transport {
                    readable(&mut template);
                }
                template
            }
        };
        let unwrap = |session: &Session, kept: bool| {
            let mut template = template.clone();
            template.push(Attribute::Class(ObjectClass::SECRET_KEY));
            if algorithm == KeyAlgorithm::Aes {
                template.push(Attribute::Id(length_id(length)));
            }
            for attribute in &mut template {
                match attribute {
                    Attribute::Token(token) => *token = kept,
                    // For a check value that is a MAC.
                    Attribute::Sign(sign) if !kept => *sign = algorithm == KeyAlgorithm::Aes,
                    _ => {}
                }
            }
            let key = self.handle(session, KeyClass::Secret, zone)?;
            session
                .unwrap_key(&Mechanism::AesKeyWrap, key, wrapped, &template)
                .map_err(|source| HsmError::of_unwrapping(zone, source))
        };
        let own = self.with_session(|session| {
            let tried = unwrap(session, false)?;
            let found = self
                .check_value_of(session, tried, algorithm, sent.method)
                .and_then(|found| {
                    let own = CheckMethod::GlobalPlatform;
                    Ok((found, self.check_value_of(session, tried, algorithm, own)?))
                });
            session
                .destroy_object(tried)
                .map_err(device("destroy a key"))?;
            let (found, own) = found?;
            compare(label, found, sent.value)?;
            Ok(own)
        })?;
        self.make_imported(label, role == KeyRole::Transport, |session| {
            unwrap(session, true)
        })?;
        compare(label, self.kcv(label)?, own)
    }

    fn check_value_of(
        &self,
        session: &Session,
        key: ObjectHandle,
        algorithm: KeyAlgorithm,
        method: CheckMethod,
    ) -> Result<[u8; 3], HsmError> {
        let block = match (algorithm, method) {
            (KeyAlgorithm::Aes, CheckMethod::Zeros) => {
                session.encrypt(&Mechanism::AesEcb, key, &[0; 16])
            }
            (KeyAlgorithm::Aes, CheckMethod::Cmac) => {
                session.sign(&Mechanism::AesCMac, key, &[0; 16])
            }
            _ => return self.check_own(session, key),
        };
        let block = block.map_err(device("compute a key check value"))?;
        first_three(&block)
    }

    fn check_own(&self, session: &Session, key: ObjectHandle) -> Result<[u8; 3], HsmError> {
        let block = self.check_block(session, key)?;
        first_three(&block)
    }

    fn open_key_block(&self, zone: &str, block: &KeyBlock) -> Result<Key, HsmError> {
        let fault = |source| HsmError::KeyBlock {
            zone: zone.to_owned(),
            source,
        };
        self.with_session(|session| {
            let secret = self.secret_key(session, zone)?;
            let KeyKind::Aes(size) = secret.kind else {
                return Err(unsuited(zone, "key blocks: it is not an AES key"));
            };
            // The block's faults and the token's are told apart.
            let mut failed = None;
            let opened = block.open(size.bytes(), |data| {
                let mac = session.sign(&Mechanism::AesCMac, secret.handle, data);
                mac.map(Zeroizing::new).map_err(|source| {
                    failed = Some(device("compute an AES-CMAC")(source));
                    KeyBlockError::Mac
                })
            });
            match (opened, failed) {
                (_, Some(error)) => Err(error),
                (Err(source), None) => Err(fault(source)),
                (Ok(key), None) => Ok(key),
            }
        })
    }

    fn decrypt_key(&self, zone: &str, wrapped: &[u8]) -> Result<Key, HsmError> {
        let wrong = || unsuited(zone, "this: what was wrapped has no length of a key");
        if !matches!(wrapped.len(), 16 | 24 | 32) {
            return Err(wrong());
        }
        let value = self.with_session(|session| {
            let key = self.handle(session, KeyClass::Secret, zone)?;
            session
                .decrypt(&Mechanism::Des3Ecb, key, wrapped)
                .map(Zeroizing::new)
                .map_err(device("decrypt a wrapped key"))
        })?;
        Key::new(&value).map_err(|_| wrong())
    }
}

fn first_three(block: &[u8]) -> Result<[u8; 3], HsmError> {
    block.first_chunk().copied().ok_or(HsmError::Answer {
        operation: "compute a key check value",
        reason: "a block of the wrong length",
    })
}

fn unsuited(label: &str, purpose: &'static str) -> HsmError {
    HsmError::KeyUnsuited {
        label: label.to_owned(),
        purpose,
    }
}

fn compare(label: &str, found: [u8; 3], expected: [u8; 3]) -> Result<(), HsmError> {
    if found == expected {
        return Ok(());
    }
    Err(HsmError::CheckValue {
        label: label.to_owned(),
        found,
        expected,
    })
}

/// A zone key unwraps, and encrypts one known block for its check value. It does not decrypt: what
/// comes under it could be read otherwise. But what comes block by block under triple DES can be
/// had in no other way, and the keys of a key block are MACs under an AES key.
fn zone_template(label: &str, algorithm: KeyAlgorithm) -> Vec<Attribute> {
    let mut template = master_key_template(label);
    for attribute in &mut template {
        match attribute {
            Attribute::KeyType(kind) if algorithm == KeyAlgorithm::TripleDes => {
                *kind = KeyType::DES3;
            }
            Attribute::Decrypt(decrypt) => *decrypt = algorithm == KeyAlgorithm::TripleDes,
            Attribute::Sign(sign) => *sign = algorithm == KeyAlgorithm::Aes,
            Attribute::Unwrap(unwrap) => *unwrap = true,
            _ => {}
        }
    }
    template
}

#[cfg(test)]
#[path = "../../tests/hsm/zone.rs"]
mod tests;
