//! GlobalPlatform: secure channel protocol 03 and the card management around it
//! (*GlobalPlatform Card Specification 2.3; Amendment D, Secure Channel Protocol '03'*).
//!
//! Every stage of a secure channel is its own type; a step consumes the stage before:
//!
//! ```text
//!   StaticKeys ─┐ derive
//!   HostChallenge ─► initialize_update ──card──► InitializeUpdate
//!               │                                     │
//!               └─► SessionKeys ──► Handshake::new ◄──┘   card cryptogram checked
//!                                      │ external_authenticate(level)
//!                                      ▼
//!                                   Opening ──card──► complete
//!                                      ▼
//!                                   Secured   wrap / unwrap; one bad answer: Terminated
//! ```
//!
//! Session keys may come from elsewhere: a key service derives them, and the side that
//! talks to the card never sees a static key.

mod aes;
mod commands;
mod cplc;
mod kdf;
mod key;
mod key_info;
mod lifecycle;
mod put_key;
mod scp03;
mod secured;
#[cfg(test)]
mod testing;

pub use commands::{
    get_data, get_status, select, set_status_application, set_status_card, store_data,
};
pub use cplc::{Cplc, CplcDate};
pub use kdf::{KdfError, diversify_kdf3, kdf};
pub use key::{Key, KeyError, StaticKeys};
pub use key_info::{KeyInfo, KeyKind, parse_key_information};
pub use lifecycle::{CardState, StatusEntry, StatusScope, parse_status};
pub use put_key::{PutKey, PutKeyError, put_key};
pub use scp03::{
    Handshake, HostChallenge, InitializeUpdate, Opening, Scp03Error, SecurityLevel, SessionKeys,
    initialize_update,
};
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
