//! Virtual chips that refuse what real chips refuse, and a farm of them behind a private
//! `pcscd`. The chip's manual is `README.md` beside this file.
//!
//! ```text
//!               ┌─────────────────────── Chip ───────────────────────┐
//! InProcess ──┐ │ transmission   class, chains, 61xx, 6Cxx           │    ┌─► FileStore
//!             ├─┤                                                    ├────┤   (sealed JSON)
//! vpcd socket ┘ │ eid::Os        ISD and eID application, SCP03/02   │    └─► Memory
//!   ▲    │      │ or JavaCard ─► eid::Os (its ISD) │ one Applet      │
//!   │    ▼      └────────────────────────────────────────────────────┘
//!  pcscd (Farm)        Circumstances: faults, pace, the reader's buffer
//! ```
//!
//! The chip's cryptography is openssl's, so that the code it judges is not its own judge.

mod aes;
mod applet;
mod chip;
mod circumstances;
mod command;
mod curve;
mod des;
mod eid;
pub mod farm;
mod fault;
mod gids;
mod icao;
mod identity;
mod in_process;
mod inspection;
mod isoapplet;
mod java_card;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
mod mrtd;
mod objects;
mod openpgp;
#[cfg(test)]
mod opensc;
mod piv;
mod product;
mod recording;
#[cfg(test)]
mod replay;
mod rsa;
mod scp;
mod secret;
mod store;
mod timing;
mod transmission;
mod transport;
#[cfg(test)]
mod vectors;
mod vpcd;

pub use chip::Chip;
pub use circumstances::{Circumstances, ReaderBuffer};
pub use fault::{Fault, FaultKind};
pub use identity::{ChipNumber, ChipNumberError, ChipSerial};
pub use in_process::InProcess;
pub use product::{PRODUCTS, Product};
pub use recording::{Event, Recording, RecordingError};
pub use scp::{Scp, ScpError};
pub use store::{FileStore, Image, Memory, Store, StoreError};
pub use timing::{Pace, TIMINGS, Timing};
pub use transmission::{Chaining, Excess, Transmission};
pub use transport::{TransportKeyError, TransportMasterKey};
pub use vpcd::{PlugError, Plugged};
