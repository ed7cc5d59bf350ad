//! A token: opened by its label and PIN, and reached through a pool of sessions.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;

use crate::config::{
    DataKeys, DesDiversification, Diversification, Ecdsa, Ed25519, Envelope, KeyCheckValue,
    KeyWrap, RsaPss, TokenConfig,
};
use crate::error::{HsmError, device};
use crate::handle::{KeyClass, SecretKey};
use crate::module;
use crate::pool::SessionPool;
use crate::secret::Secret;
use crate::usage::TokenUsage;

/// An open token. Clones share the same sessions; the last one dropped logs out.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

struct Inner {
    config: TokenConfig,
    info: TokenInfo,
    pool: SessionPool,
    /// Held from looking whether a label is free until the key is made.
    making: Mutex<()>,
}

/// What a token says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its label, by which it is opened.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Its manufacturer.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// The path of the PKCS#11 module it is reached through.
    pub module: PathBuf,
}

/// The tokens open in this process: a token that is logged in takes any PIN as right, hence a
/// second `open` is compared with the first instead of being asked of the token.
static OPEN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

impl Token {
    /// Opens the token labelled `label` and logs in.
    ///
    /// A token that this process has open already is shared, if the PIN is the same.
    ///
    /// # Errors
    /// [`HsmError`]: module missing, token not found or ambiguous, PIN wrong or locked, or a
    /// mechanism missing that the configuration names.
    pub fn open(config: &TokenConfig, label: &str, pin: Secret) -> Result<Self, HsmError> {
        let (path, module) = module::load(config)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|token| token.strong_count() > 0);
        let (slot, info) = find_token(&module, path, label)?;
        let same = open
            .iter()
            .filter_map(Weak::upgrade)
            .find(|token| token.info == info);
        if let Some(inner) = same {
            return if *inner.pool.pin() == pin {
                Ok(Self(inner))
            } else {
                Err(HsmError::PinIncorrect {
                    label: label.to_owned(),
                })
            };
        }
        check_mechanisms(&module, slot, config, label)?;
        let pool = SessionPool::new(module, slot, info.clone(), pin, config.sessions().max);
        pool.prove_pin()
            .map_err(|error| name_pin_fault(error, label))?;
        let inner = Arc::new(Inner {
            config: config.clone(),
            info,
            pool,
            making: Mutex::default(),
        });
        open.push(Arc::downgrade(&inner));
        Ok(Self(inner))
    }

    /// Makes a new token out of a free slot, with a security officer's PIN and a user's PIN, and
    /// opens it.
    ///
    /// # Errors
    /// [`HsmError`]: label taken or unusable, PIN too short or long for the token, no free slot.
    pub fn initialize(
        config: &TokenConfig,
        label: &str,
        officer_pin: &Secret,
        pin: Secret,
    ) -> Result<Self, HsmError> {
        check_label(label)?;
        let (path, module) = module::load(config)?;
        {
            let _one_at_a_time = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            match find_token(&module, path.clone(), label) {
                Err(HsmError::TokenNotFound { .. }) => {}
                Ok(_) | Err(HsmError::TokenAmbiguous { .. }) => {
                    return Err(HsmError::TokenExists {
                        label: label.to_owned(),
                    });
                }
                Err(error) => return Err(error),
            }
            let slot = free_slot(&module, officer_pin, &pin)?;
            module
                .init_token(slot, &officer_pin.to_auth_pin(), label)
                .map_err(device("initialize a token"))?;
            // The new token may have moved to another slot.
            let (slot, _) = find_token(&module, path, label)?;
            let session = module
                .open_rw_session(slot)
                .map_err(device("open a session"))?;
            session
                .login(UserType::So, Some(&officer_pin.to_auth_pin()))
                .map_err(device("log in the security officer"))?;
            session
                .init_pin(&pin.to_auth_pin())
                .map_err(device("set the user's PIN"))?;
            session.logout().map_err(device("log out"))?;
        }
        Self::open(config, label, pin)
    }

    /// Returns what the token says of itself.
    pub fn info(&self) -> &TokenInfo {
        &self.0.info
    }

    /// Returns the configuration of the token's kind.
    pub fn config(&self) -> &TokenConfig {
        &self.0.config
    }

    /// Returns what the token was asked by this program.
    pub fn usage(&self) -> TokenUsage {
        self.0.pool.usage().get()
    }

    /// Runs `act` on a logged-in session, repeating it once where the session was lost.
    pub(crate) fn with_session<T>(
        &self,
        act: impl FnMut(&Session) -> Result<T, HsmError>,
    ) -> Result<T, HsmError> {
        self.0.pool.run(act)
    }

    /// Returns the handles of all keys of this class and label.
    pub(crate) fn find(
        &self,
        session: &Session,
        class: KeyClass,
        label: &str,
    ) -> Result<Vec<ObjectHandle>, HsmError> {
        self.0.pool.handles().find(session, class, label)
    }

    /// Returns the handle of the one key of this class and label.
    pub(crate) fn handle(
        &self,
        session: &Session,
        class: KeyClass,
        label: &str,
    ) -> Result<ObjectHandle, HsmError> {
        self.0
            .pool
            .handles()
            .get(session, &self.0.info.label, class, label)
    }

    /// Returns the one secret key of this label, with what is known of it.
    pub(crate) fn secret_key(&self, session: &Session, label: &str) -> Result<SecretKey, HsmError> {
        let handles = self.0.pool.handles();
        handles.secret(session, &self.0.info.label, label)
    }

    pub(crate) fn forget_handles(&self) {
        self.0.pool.handles().forget();
    }

    /// Runs `make` while no other thread of this process makes a key in this token.
    pub(crate) fn alone<T>(&self, make: impl FnOnce() -> T) -> T {
        let _held = self.0.making.lock().unwrap_or_else(PoisonError::into_inner);
        make()
    }

    pub(crate) fn not_configured(&self, purpose: &'static str) -> HsmError {
        HsmError::NotConfigured {
            kind: self.0.config.name().to_owned(),
            purpose,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.0.info).finish()
    }
}

/// Refuses labels that a token would cut off or pad (*PKCS#11*, `CK_TOKEN_INFO.label`: 32 bytes,
/// blank padded).
pub(crate) fn check_label(label: &str) -> Result<(), HsmError> {
    let reason = if label.is_empty() || label.trim() != label {
        "is empty, or starts or ends with a blank"
    } else if label.len() > 32 {
        "is longer than 32 bytes"
    } else if label.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Ok(());
    };
    Err(HsmError::Label {
        label: label.to_owned(),
        reason,
    })
}

pub(crate) fn find_token(
    module: &Pkcs11,
    path: PathBuf,
    label: &str,
) -> Result<(Slot, TokenInfo), HsmError> {
    let slots = module
        .get_slots_with_initialized_token()
        .map_err(device("list its slots"))?;
    let mut labels = Vec::new();
    let mut found = None;
    for slot in slots {
        let said = module
            .get_token_info(slot)
            .map_err(device("describe itself"))?;
        if said.label() != label {
            labels.push(said.label().to_owned());
            continue;
        }
        let info = TokenInfo {
            label: said.label().to_owned(),
            serial: said.serial_number().to_owned(),
            manufacturer: said.manufacturer_id().to_owned(),
            model: said.model().to_owned(),
            module: path.clone(),
        };
        if found.replace((slot, info)).is_some() {
            return Err(HsmError::TokenAmbiguous {
                label: label.to_owned(),
            });
        }
    }
    found.ok_or_else(|| HsmError::TokenNotFound {
        label: label.to_owned(),
        found: labels,
    })
}

fn free_slot(module: &Pkcs11, officer_pin: &Secret, pin: &Secret) -> Result<Slot, HsmError> {
    let slots = module
        .get_slots_with_token()
        .map_err(device("list its slots"))?;
    for slot in slots {
        let said = module
            .get_token_info(slot)
            .map_err(device("describe itself"))?;
        if said.token_initialized() {
            continue;
        }
        let (min, max) = (said.min_pin_length(), said.max_pin_length());
        let fits = |pin: &Secret| (min..=max).contains(&pin.expose().len());
        return if fits(officer_pin) && fits(pin) {
            Ok(slot)
        } else {
            Err(HsmError::PinUnacceptable { min, max })
        };
    }
    Err(HsmError::NoFreeSlot)
}

fn name_pin_fault(error: HsmError, label: &str) -> HsmError {
    let label = label.to_owned();
    match error {
        HsmError::Device {
            source:
                Pkcs11Error::Pkcs11(
                    RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid,
                    _,
                ),
            ..
        } => HsmError::PinIncorrect { label },
        HsmError::Device {
            source: Pkcs11Error::Pkcs11(RvError::PinLocked, _),
            ..
        } => HsmError::PinLocked { label },
        other => other,
    }
}

/// Returns the mechanisms that a configuration counts on, each with what it serves.
pub(crate) fn needed_mechanisms(config: &TokenConfig) -> Vec<(MechanismType, &'static str)> {
    let chosen = config.mechanisms();
    let mut needed = Vec::new();
    if chosen.ecdsa == Ecdsa::Raw {
        needed.push((MechanismType::ECDSA, "ECDSA signatures"));
        needed.push((MechanismType::ECC_KEY_PAIR_GEN, "making ECDSA keys"));
    }
    if chosen.rsa_pss == RsaPss::Raw {
        needed.push((MechanismType::RSA_PKCS_PSS, "RSA-PSS signatures"));
        needed.push((MechanismType::RSA_PKCS_KEY_PAIR_GEN, "making RSA keys"));
    }
    if chosen.ed25519 == Ed25519::Eddsa {
        needed.push((MechanismType::EDDSA, "Ed25519 signatures"));
        needed.push((
            MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
            "making Ed25519 keys",
        ));
    }
    if chosen.diversification == Diversification::AesCmac {
        needed.push((MechanismType::AES_CMAC, "diversification"));
        needed.push((MechanismType::AES_KEY_GEN, "making master keys"));
    }
    if chosen.diversification_des == DesDiversification::Des3Ecb {
        needed.push((MechanismType::DES3_ECB, "diversification with triple DES"));
        needed.push((MechanismType::DES3_KEY_GEN, "making triple DES master keys"));
    }
    if chosen.key_check_value == KeyCheckValue::AesEcb {
        needed.push((MechanismType::AES_ECB, "key check values"));
    }
    if chosen.envelope == Envelope::Ecdh1Derive {
        needed.push((MechanismType::ECDH1_DERIVE, "opening envelopes"));
    }
    if chosen.key_wrap == KeyWrap::AesKeyWrap {
        needed.push((MechanismType::AES_KEY_WRAP, "keys under a zone key"));
    }
    if chosen.data_keys == DataKeys::AesGcm {
        needed.push((MechanismType::AES_GCM, "keys of personal data"));
        needed.push((MechanismType::AES_KEY_GEN, "keys of personal data"));
    }
    needed
}

/// Compares the token's mechanism list with what its configuration counts on, so that a wrong file
/// is found when the token is opened and not at the first card.
fn check_mechanisms(
    module: &Pkcs11,
    slot: Slot,
    config: &TokenConfig,
    label: &str,
) -> Result<(), HsmError> {
    let needed = needed_mechanisms(config);
    let offered = module
        .get_mechanism_list(slot)
        .map_err(device("list its mechanisms"))?;
    match needed.iter().find(|(need, _)| !offered.contains(need)) {
        None => Ok(()),
        Some((mechanism, purpose)) => Err(HsmError::MechanismMissing {
            label: label.to_owned(),
            mechanism: mechanism.to_string(),
            purpose,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, device};
    use crate::config::TokenConfig;
    use crate::error::HsmError;
    use crate::secret::Secret;
    use crate::signer::{Curve, Signer};
    use crate::test_support::{PIN, config, token, with_private_tokens};

    #[test]
    fn only_the_right_pin_opens() {
        with_private_tokens("token::tests::only_the_right_pin_opens", || {
            let first = token("pilot");
            first.generate_signing_key("ca", Curve::P256).unwrap();
            let open = |label: &str, pin: &str| Token::open(&config(), label, Secret::new(pin));
            // Also while the token is logged in, when it would take any PIN itself.
            assert!(matches!(
                open("pilot", "wrong pin"),
                Err(HsmError::PinIncorrect { .. })
            ));
            let shared = open("pilot", PIN).unwrap();
            shared.signer("ca").unwrap();
            drop((first, shared));
            assert!(matches!(
                open("pilot", "wrong pin"),
                Err(HsmError::PinIncorrect { .. })
            ));
            open("pilot", PIN).unwrap().signer("ca").unwrap();
            assert!(matches!(
                open("other", PIN),
                Err(HsmError::TokenNotFound { found, .. }) if found.contains(&"pilot".to_owned())
            ));
        });
    }

    #[test]
    fn a_label_is_taken_once() {
        with_private_tokens("token::tests::a_label_is_taken_once", || {
            token("pilot");
            let officer = Secret::new("officer-204968137");
            let initialize = |label: &str, pin: &str| {
                Token::initialize(&config(), label, &officer, Secret::new(pin))
            };
            assert!(matches!(
                initialize("pilot", PIN),
                Err(HsmError::TokenExists { .. })
            ));
            assert!(matches!(
                initialize("second", "123"),
                Err(HsmError::PinUnacceptable { .. })
            ));
            assert!(matches!(
                initialize(&"x".repeat(33), PIN),
                Err(HsmError::Label { .. })
            ));
            let second = initialize("second", PIN).unwrap();
            assert_eq!(second.info().label, "second");
        });
    }

    #[test]
    fn a_lost_login_is_repaired() {
        with_private_tokens("token::tests::a_lost_login_is_repaired", || {
            let token = token("lost");
            token.generate_signing_key("ca", Curve::P256).unwrap();
            let signer = token.signer("ca").unwrap();
            signer.sign(b"before").unwrap();
            let log_out =
                || token.with_session(|session| session.logout().map_err(device("log out")));
            log_out().unwrap();
            signer.sign(b"after").unwrap();
            log_out().unwrap();
            token.key_attributes("ca").unwrap();
            log_out().unwrap();
            token.forget_handles();
            signer.sign(b"after, and the handle searched anew").unwrap();
        });
    }

    #[test]
    fn a_missing_module_is_named() {
        let text = include_str!("../../hsm-config/softhsm2.toml");
        let absent = text.replace("/lib", "/no-lib").replace("/opt", "/no-opt");
        let config = TokenConfig::parse(&absent).unwrap();
        let error = Token::open(&config, "x", Secret::new(PIN)).unwrap_err();
        assert!(matches!(&error, HsmError::ModuleMissing { tried, .. } if tried.len() == 7));
        assert!(!error.to_string().contains(PIN));
    }

    #[test]
    fn random_bytes_differ() {
        with_private_tokens("token::tests::random_bytes_differ", || {
            let token = token("random");
            assert_ne!(*token.random(32).unwrap(), *token.random(32).unwrap());
            assert!(token.random(0).unwrap().is_empty());
        });
    }
}
