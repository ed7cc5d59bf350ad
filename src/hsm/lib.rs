//! Keys that never leave: PKCS#11 tokens, and what is built on them.
//!
//! ```text
//!   TokenConfig (TOML) ──► Token ──► signer()      ECDSA, RSA, Ed25519 CA, documents, checkpoints
//!   which mechanism         │  ├──► diversify()     AES-CMAC (KDF3)     card keys from a master key
//!   for what                │  ├──► random()        C_GenerateRandom    PINs, serial numbers
//!                           │  └──► open_envelope() ECDH P-384 (HPKE)   PIN envelopes
//!                           │  ├──► wrap_data_key() AES-GCM             keys of personal data
//!                           └── pool of logged-in sessions
//!
//!   ceremonies:  split_key ──► KeyShare… ──► join_key        m of n, shares on paper
//!                join_components                             a supplier's letters, XOR
//!                Token::unwrap_key                           a supplier's key under a zone key
//!                SignedEntry, verify_protocol                two people sign who did what
//!                Backup                                      SoftHSM2's files, sealed
//! ```
//!
//! Private and master keys are made in the token as sensitive and non-extractable, and the
//! token's own word for it is read back ([`KeyAttributes`]). What does pass host memory: a card's
//! derived keys ([`Token::diversify`]), a transport key that every card of a delivery has
//! ([`Token::import_transport_key`], the one kind of key that can leave the token), one shared secret per opened envelope, and the PINs; each
//! is wiped when dropped.

mod attributes;
mod backup;
mod binding;
mod check_method;
mod component;
mod config;
mod data_key;
mod diversify;
mod envelope;
mod error;
mod examine;
mod gf256;
mod handle;
mod inventory;
mod key_block;
mod keys;
mod module;
mod pin;
mod pool;
mod protocol;
mod random;
mod record;
mod secret;
mod share;
mod signer;
mod softhsm;
mod spki;
mod split;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
mod token;
mod usage;
mod zone;

pub use attributes::{KeyAttributes, KeyOrigin};
pub use backup::{Backup, BackupError, BackupFile, MAX_BACKUP, Manifest};
pub use card::{PinFault, PinPolicy};
pub use check_method::{CheckMethod, CheckValue};
pub use component::{
    ComponentError, MAX_COMPONENTS, check_component, join_components, parse_component,
};
pub use config::{
    Brainpool, DataKeys, DesDiversification, Diversification, Ecdsa, Ed25519, Ed25519Parameters,
    Envelope, KeyCheckValue, KeyWrap, Mechanisms, RsaPss, SessionLimits, TokenConfig,
};
pub use data_key::{DATA_KEY_LENGTH, WRAPPED_DATA_KEY_LENGTH};
pub use envelope::{ENVELOPE_CAPACITY, EnvelopeError, EnvelopeKey, SEALED_LENGTH};
pub use error::{ConfigError, HsmError};
pub use examine::{Finding, Verdict, examine};
pub use inventory::{KeyInfo, KeyKind};
pub use key_block::{KeyBlock, KeyBlockError};
pub use keys::MasterKeySize;
pub use pin::{Pin, PinError, PinSet};
pub use protocol::{
    Act, Entry, KeyRecord, OFFICERS_NEEDED, ProtocolError, ProtocolReport, ShareRecord,
    SignedEntry, Stage, TokenRecord, check_officers, sha256_hex, verify_protocol,
};
pub use random::RandomSource;
pub use record::Proof;
pub use secret::Secret;
pub use share::{KeyShare, MAX_CUSTODIANS, ShareError, ShareInfo};
pub use signer::{Curve, RsaSize, SignatureAlgorithm, Signer, TokenSigner};
pub use softhsm::SoftHsmFolder;
pub use split::{join_key, split_key};
pub use token::{Token, TokenInfo};
pub use usage::TokenUsage;
pub use zone::{KeyRole, WrappedKey};
