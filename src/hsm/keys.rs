//! Making, importing and destroying keys.
//!
//! A key is known by its label, which is unique in its token: a key is never made over another.

use card::cipher::{Key, KeyAlgorithm};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use zeroize::{Zeroize, Zeroizing};

use crate::attributes::KeyAttributes;
use crate::config::{
    Brainpool, DesDiversification, Diversification, Ecdsa, Ed25519, Ed25519Parameters, Envelope,
    RsaPss,
};
use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::signer::{Curve, RsaSize};
use crate::spki;
use crate::token::{Token, check_label};

/// The size of an AES master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterKeySize {
    /// AES-128.
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
}

impl MasterKeySize {
    /// Returns the number of bytes.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    fn length(self) -> Ulong {
        Ulong::new(self.bytes() as u64)
    }
}

/// What a new key pair may do: one thing, never both.
#[derive(Clone, Copy)]
enum Use {
    Sign,
    Agree,
}

impl Token {
    /// Makes an ECDSA key pair that cannot leave the token; returns its public key as
    /// `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`HsmError`]: label taken or unusable, not configured, or a key that the token would give
    /// away (it is destroyed).
    pub fn generate_signing_key(&self, label: &str, curve: Curve) -> Result<Vec<u8>, HsmError> {
        let mechanisms = self.config().mechanisms();
        if mechanisms.ecdsa == Ecdsa::None {
            return Err(self.not_configured("ECDSA signatures"));
        }
        let is_brainpool = matches!(curve, Curve::BrainpoolP256r1 | Curve::BrainpoolP384r1);
        if is_brainpool && mechanisms.brainpool == Brainpool::None {
            return Err(self.not_configured("ECDSA signatures on brainpool curves"));
        }
        let parameters = vec![Attribute::EcParams(curve.parameters()?)];
        self.generate_pair(label, &Mechanism::EccKeyPairGen, parameters, Use::Sign)?;
        self.public_key(label)
    }

    /// Makes an RSA key pair that signs by RSASSA-PSS and cannot leave the token; returns its
    /// public key as `SubjectPublicKeyInfo` in DER. The public exponent is 65537.
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn generate_rsa_key(&self, label: &str, size: RsaSize) -> Result<Vec<u8>, HsmError> {
        if self.config().mechanisms().rsa_pss == RsaPss::None {
            return Err(self.not_configured("RSA-PSS signatures"));
        }
        let parameters = vec![
            Attribute::ModulusBits(Ulong::new(size.bits())),
            Attribute::PublicExponent(vec![1, 0, 1]),
        ];
        self.generate_pair(label, &Mechanism::RsaPkcsKeyPairGen, parameters, Use::Sign)?;
        self.public_key(label)
    }

    /// Makes an Ed25519 key pair that cannot leave the token; returns its public key as
    /// `SubjectPublicKeyInfo` in DER, the key itself being the last 32 bytes.
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn generate_ed25519(&self, label: &str) -> Result<Vec<u8>, HsmError> {
        let mechanisms = self.config().mechanisms();
        if mechanisms.ed25519 == Ed25519::None {
            return Err(self.not_configured("Ed25519 signatures"));
        }
        let parameters = match mechanisms.ed25519_parameters {
            Ed25519Parameters::ObjectIdentifier => spki::ed25519_identifier()?,
            // PrintableString, 12 characters.
            Ed25519Parameters::CurveName => b"\x13\x0cedwards25519".to_vec(),
        };
        let parameters = vec![Attribute::EcParams(parameters)];
        let mechanism = Mechanism::EccEdwardsKeyPairGen;
        self.generate_pair(label, &mechanism, parameters, Use::Sign)?;
        self.public_key(label)
    }

    /// Makes the P-384 key pair to which PIN envelopes are sealed; returns its public key as
    /// `SubjectPublicKeyInfo` in DER, for [`crate::EnvelopeKey::from_spki_der`].
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn generate_envelope_key(&self, label: &str) -> Result<Vec<u8>, HsmError> {
        if self.config().mechanisms().envelope == Envelope::None {
            return Err(self.not_configured("PIN envelopes"));
        }
        let parameters = vec![Attribute::EcParams(Curve::P384.parameters()?)];
        self.generate_pair(label, &Mechanism::EccKeyPairGen, parameters, Use::Agree)?;
        self.public_key(label)
    }

    /// Makes an AES master key that cannot leave the token.
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn generate_master_key(&self, label: &str, size: MasterKeySize) -> Result<(), HsmError> {
        self.check_master_key_use()?;
        self.generate_aes(label, &master_key_template(label), size)
    }

    /// Makes an AES key by a template, and keeps it only if it cannot leave the token.
    pub(crate) fn generate_aes(
        &self,
        label: &str,
        template: &[Attribute],
        size: MasterKeySize,
    ) -> Result<(), HsmError> {
        let template = [template, &[Attribute::ValueLen(size.length())]].concat();
        self.make(label, |session| {
            session
                .generate_key(&Mechanism::AesKeyGen, &template)
                .map_err(device("make an AES key"))
        })
    }

    /// Makes a triple DES master key of three DES keys that cannot leave the token.
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn generate_des3_master_key(&self, label: &str) -> Result<(), HsmError> {
        self.check_des3_use()?;
        self.make(label, |session| {
            session
                .generate_key(&Mechanism::Des3KeyGen, &des3_template(label))
                .map_err(device("make a master key"))
        })
    }

    /// Puts an AES master key into the token, from where it cannot leave.
    ///
    /// For keys that others made: a maker's transport key, a published test key. A key that only
    /// this house needs is made in the token ([`Token::generate_master_key`]).
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn import_master_key(&self, label: &str, key: &Key) -> Result<(), HsmError> {
        self.check_master_key_use()?;
        self.make(label, |session| {
            import(session, master_key_template(label), key.as_bytes())
        })
    }

    /// Puts a triple DES master key of 16 or 24 bytes into the token, from where it cannot leave.
    /// The token holds one of 16 bytes with its first half again as its third.
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`]; [`HsmError::KeyUnsuited`] for a key of 32 bytes.
    pub fn import_des3_master_key(&self, label: &str, key: &Key) -> Result<(), HsmError> {
        self.check_des3_use()?;
        let value = three_des_keys(label, key)?;
        self.make(label, |session| {
            import(session, des3_template(label), &value)
        })
    }

    /// Puts a key into the token that every card of a delivery has as it is ("none"), as cards
    /// come from a maker: **its value can be read by whoever logs in**, since the card's session
    /// keys are made of it in host memory. The list of keys shows it as one that can leave the
    /// token. For transport and test keys only; a master key is imported by
    /// [`Token::import_master_key`].
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`]; [`HsmError::KeyUnsuited`] for a triple DES key of 32
    /// bytes.
    pub fn import_transport_key(
        &self,
        label: &str,
        key: &Key,
        algorithm: KeyAlgorithm,
    ) -> Result<(), HsmError> {
        let (mut template, value) = match algorithm {
            KeyAlgorithm::Aes => {
                self.check_master_key_use()?;
                let value = Zeroizing::new(key.as_bytes().to_vec());
                (master_key_template(label), value)
            }
            KeyAlgorithm::TripleDes => {
                self.check_des3_use()?;
                (des3_template(label), three_des_keys(label, key)?)
            }
        };
        readable(&mut template);
        self.make_imported(label, true, |session| {
            import(session, template.clone(), &value)
        })
    }

    /// Makes a secret key of a value and a template, and keeps it only if it cannot leave the
    /// token.
    pub(crate) fn import_value(
        &self,
        label: &str,
        template: Vec<Attribute>,
        value: &[u8],
    ) -> Result<(), HsmError> {
        self.make_imported(label, false, |session| {
            import(session, template.clone(), value)
        })
    }

    /// Makes a key that others have as well; one that is readable may leave the token.
    pub(crate) fn make_imported(
        &self,
        label: &str,
        readable: bool,
        create: impl FnMut(&Session) -> Result<ObjectHandle, HsmError>,
    ) -> Result<(), HsmError> {
        if readable {
            self.alone(|| self.make_any(label, create)).map(drop)
        } else {
            self.make(label, create)
        }
    }

    /// Destroys the key labelled `label`, its public key with it. There is no way back.
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], or the device's failure.
    pub fn destroy_key(&self, label: &str) -> Result<(), HsmError> {
        self.alone(|| {
            self.with_session(|session| {
                let mut found = Vec::new();
                for class in KeyClass::ALL {
                    found.extend(self.find(session, class, label)?);
                }
                if found.is_empty() {
                    return Err(HsmError::KeyNotFound {
                        token: self.info().label.clone(),
                        label: label.to_owned(),
                        kind: "key",
                    });
                }
                for key in found {
                    session
                        .destroy_object(key)
                        .map_err(device("destroy a key"))?;
                }
                self.forget_handles();
                Ok(())
            })
        })
    }

    fn check_master_key_use(&self) -> Result<(), HsmError> {
        match self.config().mechanisms().diversification {
            Diversification::AesCmac => Ok(()),
            Diversification::None => Err(self.not_configured("diversification")),
        }
    }

    fn check_des3_use(&self) -> Result<(), HsmError> {
        match self.config().mechanisms().diversification_des {
            DesDiversification::Des3Ecb => Ok(()),
            DesDiversification::None => Err(self.not_configured("diversification with triple DES")),
        }
    }

    fn generate_pair(
        &self,
        label: &str,
        mechanism: &Mechanism<'_>,
        parameters: Vec<Attribute>,
        usage: Use,
    ) -> Result<(), HsmError> {
        let (sign, agree) = match usage {
            Use::Sign => (true, false),
            Use::Agree => (false, true),
        };
        let mut id = vec![0; 16];
        self.random_into(&mut id)?;
        let common = [
            Attribute::Token(true),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Id(id),
            Attribute::Derive(agree),
        ];
        let public = [
            &common[..],
            &[Attribute::Private(false), Attribute::Verify(sign)],
            &parameters[..],
        ]
        .concat();
        let private = [
            &common[..],
            &[
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(sign),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
            ],
        ]
        .concat();
        self.make(label, |session| {
            let (_, private) = session
                .generate_key_pair(mechanism, &public, &private)
                .map_err(device("make a key pair"))?;
            Ok(private)
        })
    }

    /// Removes the public half of a key pair whose making was cut off: one whose private half the
    /// token does not have. Returns whether there was one.
    ///
    /// # Errors
    /// [`HsmError`] where the token does not look or does not remove.
    pub fn remove_half_made(&self, label: &str) -> Result<bool, HsmError> {
        self.alone(|| {
            self.with_session(|session| {
                for class in [KeyClass::Private, KeyClass::Secret] {
                    if !self.find(session, class, label)?.is_empty() {
                        return Ok(false);
                    }
                }
                let halves = self.find(session, KeyClass::Public, label)?;
                for half in &halves {
                    session
                        .destroy_object(*half)
                        .map_err(device("remove half a key pair"))?;
                }
                Ok(!halves.is_empty())
            })
        })
    }

    /// Makes a key under a label that is free, and keeps it only if it cannot leave the token.
    fn make(
        &self,
        label: &str,
        create: impl FnMut(&Session) -> Result<ObjectHandle, HsmError>,
    ) -> Result<(), HsmError> {
        self.alone(|| {
            let Some(attribute) = self.make_any(label, create)?.fault() else {
                return Ok(());
            };
            self.with_session(|session| {
                for class in KeyClass::ALL {
                    for object in self.find(session, class, label)? {
                        session
                            .destroy_object(object)
                            .map_err(device("destroy an unprotected key"))?;
                    }
                }
                Err(HsmError::KeyUnprotected {
                    label: label.to_owned(),
                    attribute,
                })
            })
        })
    }

    /// Makes a key under a label that is free, and returns what the token says of it.
    fn make_any(
        &self,
        label: &str,
        mut create: impl FnMut(&Session) -> Result<ObjectHandle, HsmError>,
    ) -> Result<KeyAttributes, HsmError> {
        check_label(label)?;
        self.with_session(|session| {
            for class in KeyClass::ALL {
                if !self.find(session, class, label)?.is_empty() {
                    return Err(HsmError::KeyExists {
                        token: self.info().label.clone(),
                        label: label.to_owned(),
                    });
                }
            }
            let key = create(session)?;
            KeyAttributes::read(session, key)
        })
    }
}

/// Makes a master key's template one of a transport key, whose value can be read.
pub(crate) fn readable(template: &mut [Attribute]) {
    for attribute in template {
        match attribute {
            Attribute::Sensitive(sensitive) => *sensitive = false,
            Attribute::Extractable(extractable) => *extractable = true,
            // It makes no other keys: nothing but its check value is computed with it.
            Attribute::Sign(sign) => *sign = false,
            _ => {}
        }
    }
}

/// Returns a triple DES key as a token holds it: three DES keys.
pub(crate) fn three_des_keys(label: &str, key: &Key) -> Result<Zeroizing<Vec<u8>>, HsmError> {
    let bytes = key.as_bytes();
    if !matches!(bytes.len(), 16 | 24) {
        return Err(HsmError::KeyUnsuited {
            label: label.to_owned(),
            purpose: "triple DES: it has neither 16 nor 24 bytes",
        });
    }
    let mut value = Zeroizing::new(Vec::with_capacity(24));
    value.extend(bytes.iter().cycle().take(24));
    Ok(value)
}

/// Makes a secret key of a value. The template's copy of the value is wiped.
fn import(
    session: &Session,
    mut template: Vec<Attribute>,
    value: &[u8],
) -> Result<ObjectHandle, HsmError> {
    template.push(Attribute::Class(ObjectClass::SECRET_KEY));
    template.push(Attribute::Value(value.to_vec()));
    let made = session
        .create_object(&template)
        .map_err(device("import a master key"));
    for attribute in &mut template {
        if let Attribute::Value(value) = attribute {
            value.zeroize();
        }
    }
    made
}

/// A triple DES master key encrypts, which is how card keys and its check value are made.
pub(crate) fn des3_template(label: &str) -> Vec<Attribute> {
    let mut template = master_key_template(label);
    for attribute in &mut template {
        match attribute {
            Attribute::KeyType(kind) => *kind = KeyType::DES3,
            Attribute::Sign(sign) => *sign = false,
            _ => {}
        }
    }
    template
}

/// A master key makes MACs, which is how card keys are derived, and encrypts one known block for
/// its check value. Whoever may do the first can derive every card's keys, so that the second
/// gives nothing away.
pub(crate) fn master_key_template(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(false),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use card::gp::Key;

    use super::MasterKeySize;
    use crate::attributes::KeyOrigin;
    use crate::error::HsmError;
    use crate::inventory::KeyKind;
    use crate::signer::Curve;
    use crate::test_support::{PIN, token, with_private_tokens};

    #[test]
    fn made_keys_cannot_leave() {
        with_private_tokens("keys::tests::made_keys_cannot_leave", || {
            let token = token("protected");
            token.generate_signing_key("ca", Curve::P384).unwrap();
            token.generate_ed25519("checkpoint").unwrap();
            token.generate_envelope_key("envelope").unwrap();
            token
                .generate_master_key("master", MasterKeySize::Aes256)
                .unwrap();
            for label in ["ca", "checkpoint", "envelope", "master"] {
                let attributes = token.key_attributes(label).unwrap();
                assert_eq!(attributes.fault(), None, "{label}");
                assert_eq!(attributes.origin, KeyOrigin::Generated);
                assert_eq!(attributes.sign, label != "envelope", "{label}");
                assert_eq!(attributes.derive, label == "envelope", "{label}");
            }
            // OpenSC sees the same keys and the same protection.
            let list = Command::new("pkcs11-tool")
                .args(["--module", token.info().module.to_str().unwrap()])
                .args(["--token-label", "protected", "--login", "--pin", PIN])
                .arg("--list-objects")
                .output()
                .unwrap();
            let list = String::from_utf8(list.stdout).unwrap();
            let access = "sensitive, always sensitive, never extractable, local";
            assert_eq!(list.matches(access).count(), 4, "{list}");
            for label in ["ca", "checkpoint", "envelope", "master"] {
                assert!(list.contains(&format!("label:      {label}")), "{list}");
            }
        });
    }

    #[test]
    fn keys_are_listed_never_overwritten_and_destroyed() {
        with_private_tokens(
            "keys::tests::keys_are_listed_never_overwritten_and_destroyed",
            || {
                let token = token("list");
                token.generate_signing_key("b", Curve::P256).unwrap();
                let imported = Key::new(&[7; 16]).unwrap();
                token.import_master_key("a", &imported).unwrap();
                let keys = token.keys().unwrap();
                let shown: Vec<_> = keys.iter().map(|k| (k.label.as_str(), k.kind)).collect();
                assert_eq!(
                    shown,
                    [
                        ("a", KeyKind::Aes(MasterKeySize::Aes128)),
                        ("b", KeyKind::Ec(Curve::P256)),
                    ]
                );
                assert_eq!(keys[0].attributes.origin, KeyOrigin::Imported);
                assert_eq!(keys[0].attributes.fault(), None);

                for taken in ["a", "b"] {
                    assert!(matches!(
                        token.generate_master_key(taken, MasterKeySize::Aes128),
                        Err(HsmError::KeyExists { .. })
                    ));
                    assert!(matches!(
                        token.generate_signing_key(taken, Curve::P256),
                        Err(HsmError::KeyExists { .. })
                    ));
                }
                assert!(matches!(
                    token.generate_signing_key(" blank ", Curve::P256),
                    Err(HsmError::Label { .. })
                ));
                token.destroy_key("b").unwrap();
                assert!(matches!(
                    token.public_key("b"),
                    Err(HsmError::KeyNotFound { .. })
                ));
                assert!(matches!(
                    token.destroy_key("b"),
                    Err(HsmError::KeyNotFound { .. })
                ));
                token.generate_signing_key("b", Curve::P384).unwrap();
            },
        );
    }
}
