//! What keys a token holds: listing them, and reading what may be read of them.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectHandle};
use cryptoki::session::Session;

use crate::attributes::KeyAttributes;
use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::keys::MasterKeySize;
use crate::signer::{Curve, RsaSize};
use crate::spki;
use crate::token::Token;

/// What kind of key a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// An elliptic curve key pair.
    Ec(Curve),
    /// An RSA key pair.
    Rsa(RsaSize),
    /// An Ed25519 key pair.
    Ed25519,
    /// An AES key of that size.
    Aes(MasterKeySize),
    /// A triple DES key.
    Des3,
    /// Any other: not one of ours.
    Other,
}

impl KeyKind {
    /// Returns its name, as the command line writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ec(Curve::P256) => "p256",
            Self::Ec(Curve::P384) => "p384",
            Self::Ec(Curve::BrainpoolP256r1) => "bp256r1",
            Self::Ec(Curve::BrainpoolP384r1) => "bp384r1",
            Self::Rsa(RsaSize::Bits2048) => "rsa2048",
            Self::Rsa(RsaSize::Bits3072) => "rsa3072",
            Self::Rsa(RsaSize::Bits4096) => "rsa4096",
            Self::Ed25519 => "ed25519",
            Self::Aes(MasterKeySize::Aes128) => "aes128",
            Self::Aes(MasterKeySize::Aes192) => "aes192",
            Self::Aes(MasterKeySize::Aes256) => "aes256",
            Self::Des3 => "des3",
            Self::Other => "other",
        }
    }

    /// Says whether it is a secret key, which has a check value.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Aes(_) | Self::Des3)
    }
}

/// One key in a token's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key's label; empty where it has none that is text.
    pub label: String,
    /// What it is.
    pub kind: KeyKind,
    /// Where it was made, whether it can leave, and what it may do.
    pub attributes: KeyAttributes,
}

impl Token {
    /// Returns the attributes of the private or secret key labelled `label`, as read back.
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], [`HsmError::KeyAmbiguous`], or the device's failure.
    pub fn key_attributes(&self, label: &str) -> Result<KeyAttributes, HsmError> {
        self.with_session(|session| {
            let key = match self.handle(session, KeyClass::Private, label) {
                Err(HsmError::KeyNotFound { .. }) => {
                    self.handle(session, KeyClass::Secret, label)?
                }
                found => found?,
            };
            KeyAttributes::read(session, key)
        })
    }

    /// Returns the public key labelled `label` as `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], [`HsmError::KeyUnsuited`] for a key of another kind, or the
    /// device's failure.
    pub fn public_key(&self, label: &str) -> Result<Vec<u8>, HsmError> {
        self.with_session(|session| {
            let key = self.handle(session, KeyClass::Public, label)?;
            let point = || value_of(session, key, AttributeType::EcPoint);
            match kind_of(session, key)? {
                KeyKind::Ec(curve) => spki::ec_spki(curve, spki::ec_point(curve, &point()?)?),
                KeyKind::Ed25519 => spki::ed25519_spki(spki::ed25519_point(&point()?)?),
                KeyKind::Rsa(_) => spki::rsa_spki(
                    &value_of(session, key, AttributeType::Modulus)?,
                    &value_of(session, key, AttributeType::PublicExponent)?,
                ),
                KeyKind::Aes(_) | KeyKind::Des3 | KeyKind::Other => Err(HsmError::KeyUnsuited {
                    label: label.to_owned(),
                    purpose: "anything here: its kind is unknown",
                }),
            }
        })
    }

    /// Returns what kind of key the public key labelled `label` is.
    pub(crate) fn public_key_kind(&self, label: &str) -> Result<KeyKind, HsmError> {
        self.with_session(|session| {
            let key = self.handle(session, KeyClass::Public, label)?;
            kind_of(session, key)
        })
    }

    /// Returns every private and secret key in the token, in order of label.
    ///
    /// # Errors
    /// [`HsmError::Device`].
    pub fn keys(&self) -> Result<Vec<KeyInfo>, HsmError> {
        let mut keys = self.with_session(|session| {
            let mut keys = Vec::new();
            for class in [KeyClass::Private, KeyClass::Secret] {
                let template = [
                    Attribute::Class(class.object_class()),
                    Attribute::Token(true),
                ];
                let found = session
                    .find_objects(&template)
                    .map_err(device("list its keys"))?;
                for key in found {
                    let label = value_of(session, key, AttributeType::Label)?;
                    keys.push(KeyInfo {
                        label: String::from_utf8(label).unwrap_or_default(),
                        kind: kind_of(session, key)?,
                        attributes: KeyAttributes::read(session, key)?,
                    });
                }
            }
            Ok(keys)
        })?;
        keys.sort_by(|a, b| a.label.cmp(&b.label));
        Ok(keys)
    }
}

/// Reads an attribute that is a string of bytes.
pub(crate) fn value_of(
    session: &Session,
    key: ObjectHandle,
    wanted: AttributeType,
) -> Result<Vec<u8>, HsmError> {
    let told = session
        .get_attributes(key, &[wanted])
        .map_err(device("read a key's attributes"))?;
    match told.into_iter().next() {
        Some(
            Attribute::EcPoint(value)
            | Attribute::EcParams(value)
            | Attribute::Label(value)
            | Attribute::Modulus(value)
            | Attribute::PublicExponent(value)
            | Attribute::Value(value),
        ) => Ok(value),
        _ => Err(HsmError::Answer {
            operation: "read a key's attributes",
            reason: "no value",
        }),
    }
}

/// Returns the length of a secret key in bytes.
///
/// SoftHSM 2.6.1 does not note the length of a key that it unwraps, and takes none from who has it
/// unwrapped: such a key has it in `CKA_ID` ([`length_id`]).
pub(crate) fn secret_key_length(session: &Session, key: ObjectHandle) -> Result<usize, HsmError> {
    let told = session
        .get_attributes(key, &[AttributeType::ValueLen, AttributeType::Id])
        .map_err(device("read a key's attributes"))?;
    let mut noted = None;
    for attribute in told {
        match attribute {
            Attribute::ValueLen(length) if usize::from(length) > 0 => return Ok(length.into()),
            Attribute::Id(id) => noted = [16, 24, 32].into_iter().find(|n| length_id(*n) == id),
            _ => {}
        }
    }
    noted.ok_or(HsmError::Answer {
        operation: "read a key's length",
        reason: "no value",
    })
}

/// Returns the `CKA_ID` that notes the length of an AES key: "AES-128" and so on.
pub(crate) fn length_id(length: usize) -> Vec<u8> {
    format!("AES-{}", 8 * length).into_bytes()
}

pub(crate) fn kind_of(session: &Session, key: ObjectHandle) -> Result<KeyKind, HsmError> {
    let told = session
        .get_attributes(key, &[AttributeType::KeyType])
        .map_err(device("read a key's attributes"))?;
    let Some(Attribute::KeyType(kind)) = told.first() else {
        return Ok(KeyKind::Other);
    };
    Ok(match *kind {
        KeyType::EC => {
            let parameters = value_of(session, key, AttributeType::EcParams)?;
            Curve::from_parameters(&parameters).map_or(KeyKind::Other, KeyKind::Ec)
        }
        KeyType::EC_EDWARDS => KeyKind::Ed25519,
        KeyType::RSA => {
            let modulus = value_of(session, key, AttributeType::Modulus)?;
            RsaSize::of(modulus.len()).map_or(KeyKind::Other, KeyKind::Rsa)
        }
        KeyType::DES3 => KeyKind::Des3,
        KeyType::AES => match secret_key_length(session, key)? {
            16 => KeyKind::Aes(MasterKeySize::Aes128),
            24 => KeyKind::Aes(MasterKeySize::Aes192),
            32 => KeyKind::Aes(MasterKeySize::Aes256),
            _ => KeyKind::Other,
        },
        _ => KeyKind::Other,
    })
}
