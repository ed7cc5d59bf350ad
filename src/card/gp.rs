//! GlobalPlatform: secure channel protocols 02 and 03 and the card management around them
//! (*GlobalPlatform Card Specification 2.3, appendix E; Amendment D, Secure Channel Protocol
//! '03'*).
//!
//! Every stage of a secure channel is its own type; a step consumes the stage before. The
//! types are the same for both protocols: the card's answer tells which one it speaks.
//!
//! ```text
//!   master key ─► Diversification ─► StaticKeys ─┐
//!   HostChallenge ─► initialize_update ──card──► InitializeUpdate
//!               │                                     │ session_keys
//!               └─► SessionKeys ──► Handshake::new ◄──┘   card cryptogram checked
//!                                      │ external_authenticate(level)   the card announces it
//!                                      ▼
//!                                   Opening ──card──► complete
//!                                      ▼
//!                                   Secured   wrap / unwrap; one bad answer: Terminated
//! ```
//!
//! Session keys may come from elsewhere: a key service derives them, and the side that
//! talks to the card never sees a static key.

mod card_data;
#[cfg(test)]
mod card_side;
mod commands;
mod cplc;
mod diversify;
mod error;
mod handshake;
mod initialize;
mod kdf;
mod key_info;
mod keys;
mod level;
mod lifecycle;
mod options;
mod put_key;
#[cfg(test)]
mod recorded;
mod scp02;
mod scp03;
mod secured;
#[cfg(test)]
pub(crate) mod testing;

pub use crate::cipher::{Key, KeyAlgorithm, KeyError, kcv};
pub use card_data::parse_card_data;
pub use commands::{
    delete_key, get_data, get_status, parse_delete, select, set_status_application,
    set_status_card, store_data,
};
pub use cplc::{Cplc, CplcDate};
pub use diversify::{
    Diversification, DiversifyError, MAX_CONTEXT, SINGLE_KEY, diversify_one, kdf3_input,
};
pub use error::ScpError;
pub use handshake::{Handshake, Opening};
pub use initialize::{HostChallenge, InitializeUpdate, initialize_update};
pub use kdf::{KdfError, kdf};
pub use key_info::{KeyInfo, KeyKind, parse_key_information};
pub use keys::{SessionKeys, StaticKeys};
pub use level::SecurityLevel;
pub use lifecycle::{CardState, StatusEntry, StatusScope, parse_status};
pub use options::{ChannelMode, ChannelOptions};
pub use put_key::{Dek, NewKeyType, PutKey, PutKeyError, put_key_set};
pub use secured::Secured;

/// Says why data that a card gave about itself cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The data objects are malformed.
    #[error("{what} is no well-formed BER-TLV")]
    Tlv {
        /// The name of the data.
        what: &'static str,
        /// The first fault.
        source: crate::tlv::TlvError,
    },
    /// A data object has a length that the specification does not know.
    #[error("{what} of {length} bytes has no known form")]
    Length {
        /// The name of the data.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// A mandatory data object is missing.
    #[error("{what} lacks the data object {tag}")]
    Missing {
        /// The name of the data.
        what: &'static str,
        /// The missing tag.
        tag: crate::tlv::Tag,
    },
    /// The value is no card life-cycle state.
    #[error("{0:02X} is no card life-cycle state")]
    State(u8),
}
