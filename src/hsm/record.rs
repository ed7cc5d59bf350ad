//! Keys as protocols and backups name them, and the proof that a key is the one named.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};

use crate::attributes::KeyOrigin;
use crate::envelope::EnvelopeKey;
use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::inventory::{KeyInfo, KeyKind};
use crate::protocol::{KeyRecord, sha256_hex};
use crate::share::hex;
use crate::signer::rsa_pss;
use crate::token::Token;

/// What a record was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The key is the one named: check value, or a signature or an envelope under the public key.
    Proved,
    /// The key is there and may do nothing by which it could be told.
    Unprovable,
    /// There is no such key.
    Missing,
    /// It is another key, or its attributes are others.
    Differs,
}

impl Token {
    /// Returns what protocols say of a key.
    ///
    /// # Errors
    /// As [`Token::keys`].
    pub fn key_record(&self, key: &KeyInfo) -> Result<KeyRecord, HsmError> {
        let attributes = key.attributes;
        let kcv = match key.kind.is_secret() {
            // A key of somebody else's may not be allowed to encrypt.
            true => self.kcv(&key.label).ok().map(|kcv| hex(&kcv)),
            false => None,
        };
        let public_key = match key.kind {
            KeyKind::Ec(_) | KeyKind::Rsa(_) | KeyKind::Ed25519 => self.public_key(&key.label).ok(),
            KeyKind::Aes(_) | KeyKind::Des3 | KeyKind::Other => None,
        };
        Ok(KeyRecord {
            label: key.label.clone(),
            key: key.kind.name().to_owned(),
            kcv,
            public_key: public_key.as_deref().map(sha256_hex),
            origin: match attributes.origin {
                KeyOrigin::Generated => "generated",
                KeyOrigin::Imported => "imported",
            }
            .to_owned(),
            sensitive: attributes.sensitive,
            always_sensitive: attributes.always_sensitive,
            extractable: attributes.extractable,
            never_extractable: attributes.never_extractable,
        })
    }

    /// Returns what protocols say of every key in the token.
    ///
    /// # Errors
    /// As [`Token::keys`].
    pub fn key_records(&self) -> Result<Vec<KeyRecord>, HsmError> {
        let keys = self.keys()?;
        keys.iter().map(|key| self.key_record(key)).collect()
    }

    /// Proves that the key with a record's label is the one that the record names.
    ///
    /// # Errors
    /// Where the token fails.
    pub fn prove(&self, record: &KeyRecord) -> Result<Proof, HsmError> {
        let keys = self.keys()?;
        let Some(key) = keys.iter().find(|key| key.label == record.label) else {
            return Ok(Proof::Missing);
        };
        if self.key_record(key)? != *record {
            return Ok(Proof::Differs);
        }
        let attributes = key.attributes;
        let proved = match key.kind {
            KeyKind::Aes(_) | KeyKind::Des3 if record.kcv.is_some() => true,
            KeyKind::Ec(_) | KeyKind::Rsa(_) | KeyKind::Ed25519 if attributes.sign => {
                self.signs_under_its_public_key(key)?
            }
            KeyKind::Ec(_) if attributes.derive => self.opens_what_is_sealed_to_it(&key.label)?,
            _ => return Ok(Proof::Unprovable),
        };
        Ok(if proved {
            Proof::Proved
        } else {
            Proof::Differs
        })
    }

    fn signs_under_its_public_key(&self, key: &KeyInfo) -> Result<bool, HsmError> {
        let mechanism = match key.kind {
            KeyKind::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
            KeyKind::Rsa(_) => rsa_pss(),
            _ => Mechanism::Ecdsa,
        };
        let challenge = self.random(32)?;
        self.with_session(|session| {
            let private = self.handle(session, KeyClass::Private, &key.label)?;
            let public = self.handle(session, KeyClass::Public, &key.label)?;
            let signature = session
                .sign(&mechanism, private, &challenge)
                .map_err(device("sign"))?;
            Ok(session
                .verify(&mechanism, public, &challenge, &signature)
                .is_ok())
        })
    }

    fn opens_what_is_sealed_to_it(&self, label: &str) -> Result<bool, HsmError> {
        let Ok(key) = EnvelopeKey::from_spki_der(&self.public_key(label)?) else {
            return Ok(false);
        };
        let challenge = self.random(32)?;
        let Ok(sealed) = key.seal(&challenge, b"proof") else {
            return Ok(false);
        };
        let opened = self.open_envelope(label, &sealed, b"proof");
        Ok(opened.is_ok_and(|opened| *opened == *challenge))
    }
}
