//! How a card is talked to, without any I/O.
//!
//! ```text
//!   apdu     Command, Response, Masked        ISO/IEC 7816-4 §5.1 to §5.3
//!   status   Status                           ISO/IEC 7816-4 §5.6
//!   tlv      Tag, Tlv, parse, find, encode    ISO/IEC 7816-4 §5.2.2, X.690
//!   atr      Atr, Protocol                    ISO/IEC 7816-3 §8.2, PC/SC part 3
//!   channel  Channel, Limits, exchange        the way to a card, 61xx, 6Cxx, chaining
//!   cipher   AES, triple DES, their MACs      answers to a chip's challenge
//!   gp       SCP02, SCP03, PUT KEY, card data GlobalPlatform Card Specification, Amendment D
//!   trace    Trace, Veil                      a session as readable text, secrets hidden
//!   attempts Account, Budget, AttemptStore    how often a secret may still be tried
//!   pin_policy PinPolicy, PinFault            which values a PIN may have, and which are weak
//! ```
//!
//! A card is an adversary until it has proved otherwise: every parser here is bounded and
//! refuses what it does not understand. Data fields never reach a log; see [`Masked`].

mod apdu;
pub mod atr;
pub mod attempts;
mod channel;
pub mod cipher;
pub mod gp;
mod pin_policy;
mod status;
pub mod tlv;
pub mod trace;

pub use apdu::{ApduError, Command, Masked, Response};
pub use channel::{Channel, ChannelError, ExchangeError, Limits, exchange, get_response};
pub use pin_policy::{PinFault, PinLengthError, PinPolicy, WeakRule};
pub use status::Status;
