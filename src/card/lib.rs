//! How a card is talked to, without any I/O.
//!
//! ```text
//!   apdu    Command, Response, Masked        ISO/IEC 7816-4 §5.1 to §5.3
//!   status  Status                           ISO/IEC 7816-4 §5.6
//!   tlv     Tag, Tlv, parse, find, encode    ISO/IEC 7816-4 §5.2.2, X.690
//!   channel Channel, Limits, exchange        the way to a card, 61xx, 6Cxx, chaining
//!   gp      SCP03, PUT KEY, card data        GlobalPlatform Card Specification, Amendment D
//! ```
//!
//! A card is an adversary until it has proved otherwise: every parser here is bounded and
//! refuses what it does not understand. Data fields never reach a trace; see [`Masked`].

mod apdu;
mod channel;
pub mod gp;
mod status;
pub mod tlv;

pub use apdu::{ApduError, Command, Masked, Response};
pub use channel::{Channel, ChannelError, ExchangeError, Limits, exchange};
pub use status::Status;
