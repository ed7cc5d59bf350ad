//! What can go wrong with a token, by whose fault it is.

use std::path::PathBuf;

use cryptoki::error::{Error as Pkcs11Error, RvError};

use crate::key_block::KeyBlockError;
use crate::share::hex;

/// Why a token kind's configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not TOML of the right shape; the source names line and column.
    #[error("token configuration does not parse")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A value is outside what the product can work with.
    #[error("token configuration: {field}: {reason}")]
    Value {
        /// The field's dotted name.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why a token did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HsmError {
    /// None of the configured PKCS#11 modules is there.
    #[error(
        "no PKCS#11 module found for token kind {kind:?}: tried {}; install it, or name its path in the token configuration",
        show(tried)
    )]
    ModuleMissing {
        /// The token kind's name.
        kind: String,
        /// The paths tried, in order.
        tried: Vec<PathBuf>,
    },
    /// The module is there and does not load or start.
    #[error("the PKCS#11 module {} does not start; is its own configuration readable?", path.display())]
    ModuleUnusable {
        /// The module's path.
        path: PathBuf,
        /// What the module said.
        #[source]
        source: Pkcs11Error,
    },
    /// No initialized token has this label.
    #[error("no token is labelled {label:?} (found: {}); initialize it first", found.join(", "))]
    TokenNotFound {
        /// The label asked for.
        label: String,
        /// The labels that are there.
        found: Vec<String>,
    },
    /// A token with this label exists already, or more than one.
    #[error("a token labelled {label:?} exists already")]
    TokenExists {
        /// The label.
        label: String,
    },
    /// More than one token has this label.
    #[error("several tokens are labelled {label:?}; rename one")]
    TokenAmbiguous {
        /// The label.
        label: String,
    },
    /// There is no uninitialized token to take.
    #[error("the module offers no uninitialized token; add a slot or a partition")]
    NoFreeSlot,
    /// A token's or key's label cannot be used.
    #[error("label {label:?}: {reason}")]
    Label {
        /// The label.
        label: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token refused the PIN.
    #[error("the PIN of token {label:?} is wrong; it locks after too many wrong tries")]
    PinIncorrect {
        /// The token's label.
        label: String,
    },
    /// The token refuses every PIN until its security officer acts.
    #[error("the PIN of token {label:?} is locked; its security officer can set a new one")]
    PinLocked {
        /// The token's label.
        label: String,
    },
    /// The token wants a PIN of another length or alphabet.
    #[error("the token takes PINs of {min} to {max} characters")]
    PinUnacceptable {
        /// The shortest PIN.
        min: usize,
        /// The longest PIN.
        max: usize,
    },
    /// The token lacks a mechanism that its configuration names.
    #[error("token {label:?} has no {mechanism}, which its configuration uses for {purpose}")]
    MechanismMissing {
        /// The token's label.
        label: String,
        /// The PKCS#11 mechanism's name.
        mechanism: String,
        /// What it is used for.
        purpose: &'static str,
    },
    /// The token kind's configuration says `none` for this purpose.
    #[error("token kind {kind:?} is configured without {purpose}")]
    NotConfigured {
        /// The token kind's name.
        kind: String,
        /// What was asked for.
        purpose: &'static str,
    },
    /// The token serves another environment.
    #[error(
        "token {token:?} was bound to {bound:?} for good; use a token of its own for another environment"
    )]
    BoundOtherwise {
        /// The token.
        token: String,
        /// What it is bound to.
        bound: String,
    },
    /// No key has this label.
    #[error("token {token:?} holds no {kind} labelled {label:?}")]
    KeyNotFound {
        /// The token's label.
        token: String,
        /// The key's label.
        label: String,
        /// The kind of key looked for.
        kind: &'static str,
    },
    /// A key with this label exists already: keys are never overwritten.
    #[error("token {token:?} already holds a key labelled {label:?}; choose another label")]
    KeyExists {
        /// The token's label.
        token: String,
        /// The key's label.
        label: String,
    },
    /// More than one key has this label, so that it cannot be told which is meant.
    #[error("token {token:?} holds several keys labelled {label:?}")]
    KeyAmbiguous {
        /// The token's label.
        token: String,
        /// The key's label.
        label: String,
    },
    /// The token made a key that it would give away; the key was destroyed.
    #[error(
        "key {label:?} was destroyed: the token reports {attribute}, so that the key could leave it"
    )]
    KeyUnprotected {
        /// The key's label.
        label: String,
        /// The attribute that is wrong, as PKCS#11 names it, with its value.
        attribute: &'static str,
    },
    /// A key has another check value than was said of it; it was not taken in.
    #[error(
        "key {label:?} has check value {found}, not {expected}: it was not taken in",
        found = hex(found), expected = hex(expected)
    )]
    CheckValue {
        /// The label that it was to have.
        label: String,
        /// Its check value.
        found: [u8; 3],
        /// What was said of it.
        expected: [u8; 3],
    },
    /// What was sent is no key under this zone key, or was altered.
    #[error("what was sent does not unwrap under key {zone:?}: another zone key, or altered")]
    Unwrap {
        /// The zone key's label.
        zone: String,
        /// What the token said.
        #[source]
        source: Pkcs11Error,
    },
    /// A wrapped data key is none under this wrapping key and for this use, or was altered.
    #[error(
        "a wrapped data key does not open under key {label:?}: altered, exchanged, or wrapped under another key"
    )]
    DataKey {
        /// The wrapping key's label.
        label: String,
    },
    /// What was sent is no key block under this zone key.
    #[error("what was sent is not taken in under key {zone:?}")]
    KeyBlock {
        /// The zone key's label.
        zone: String,
        /// Why not.
        #[source]
        source: KeyBlockError,
    },
    /// The key is not of a kind that serves this use.
    #[error("key {label:?} cannot be used for {purpose}")]
    KeyUnsuited {
        /// The key's label.
        label: String,
        /// What it was to be used for.
        purpose: &'static str,
    },
    /// The token's answer breaks PKCS#11.
    #[error("the token answered {operation} with {reason}")]
    Answer {
        /// The operation.
        operation: &'static str,
        /// What is wrong with the answer.
        reason: &'static str,
    },
    /// The random source gives values that cannot be random.
    #[error("the random source gives the same value again and again; take it out of service")]
    RandomSourceStuck,
    /// The token failed.
    #[error("the token failed to {operation}")]
    Device {
        /// What it was to do.
        operation: &'static str,
        /// What it said.
        #[source]
        source: Pkcs11Error,
    },
}

impl HsmError {
    /// Tells a wrapped key that is refused from a token that fails.
    pub(crate) fn of_unwrapping(zone: &str, source: Pkcs11Error) -> Self {
        let refused = matches!(
            source,
            Pkcs11Error::Pkcs11(
                // SoftHSM 2.6.1 has no better word for an integrity check that fails.
                RvError::WrappedKeyInvalid | RvError::WrappedKeyLenRange | RvError::GeneralError,
                _
            )
        );
        if refused {
            let zone = zone.to_owned();
            Self::Unwrap { zone, source }
        } else {
            device("unwrap a key")(source)
        }
    }
}

impl HsmError {
    /// Tells a wrapped data key that is refused from a token that fails.
    pub(crate) fn of_data_key(label: &str, source: Pkcs11Error) -> Self {
        let refused = matches!(
            source,
            Pkcs11Error::Pkcs11(
                RvError::EncryptedDataInvalid
                    | RvError::EncryptedDataLenRange
                    // SoftHSM 2.6.1 has no better word for a tag that does not fit.
                    | RvError::GeneralError,
                _
            )
        );
        if refused {
            Self::DataKey {
                label: label.to_owned(),
            }
        } else {
            device("unwrap a data key")(source)
        }
    }
}

fn show(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    names.join(", ")
}

/// Names the operation in which the token failed.
pub(crate) fn device(operation: &'static str) -> impl Fn(Pkcs11Error) -> HsmError {
    move |source| HsmError::Device { operation, source }
}
