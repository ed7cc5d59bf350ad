//! Virtual chips that refuse what real chips refuse, and a farm of them behind a private
//! `pcscd`. The chip's manual is `README.md` beside this file.
//!
//! ```text
//!                    ┌───────────── Chip ─────────────┐
//! InProcess ──┐      │ transmission  class, chains,   │
//!             ├─────►│               61xx, 6Cxx       │     ┌─► FileStore (sealed JSON)
//! vpcd socket ┘      │ scp03         secure channel   ├─────┤
//!   ▲    │ Fault     │ ISD · eID     instructions     │     └─► Memory
//!   │    ▼           └────────────────────────────────┘
//!  pcscd (Farm)
//! ```
//!
//! The chip's cryptography is openssl's, so that the code it judges is not its own judge.

mod access;
mod aes;
mod authentication;
mod chip;
mod curve;
pub mod farm;
mod fault;
mod files;
mod identity;
mod in_process;
mod instructions;
mod key_sets;
mod keys;
mod life_cycle;
mod objects;
mod pin_objects;
mod pins;
mod product;
mod registry;
#[cfg(test)]
mod scenarios;
mod scp03;
mod secret;
mod select;
mod signing;
mod state;
mod store;
mod transmission;
mod transport;
mod turn;
#[cfg(test)]
mod vectors;
mod vpcd;

pub use chip::Chip;
pub use fault::{Fault, FaultKind};
pub use identity::{ChipNumber, ChipNumberError, ChipSerial};
pub use in_process::InProcess;
pub use product::{PRODUCTS, Product};
pub use store::{FileStore, Image, Memory, Store, StoreError};
pub use transport::{TransportKeyError, TransportMasterKey};
pub use vpcd::{PlugError, Plugged};
