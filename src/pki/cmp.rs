//! The Certificate Management Protocol (*RFC 9810*, over HTTP *RFC 9811*, in the profile of
//! *RFC 9483*).
//!
//! ```text
//!   CmpAuthority ── Transport ──►  HTTP  ──► router ── CmpServer ──► ServingCa, Confirmations
//!        │ kept: the exchange                             │ party: who asks
//!        └──────────► CmpMessage { header, body } ◄───────┘
//!                       protection: password_mac, signature
//! ```

mod body;
mod certificate_hash;
mod client;
mod config;
mod confirmations;
mod crmf;
mod files;
mod header;
mod identity;
mod kept;
mod message;
mod password_mac;
mod protection;
mod revocation;
mod router;
mod server;
mod status;
mod transport;

pub use client::{CmpAuthority, CmpParts};
pub use config::{
    CmpConfig, CmpConfigError, CmpConfirmation, CmpProtection, CmpRequest, ProfileNaming,
};
pub use confirmations::{Confirmations, MemoryConfirmations};
pub use files::CmpFileError;
pub use identity::{CmpIdentityError, CmpRole};
pub use message::{CmpMessage, CmpMessageError};
pub use protection::{Credential, ProtectionError, SharedSecret, SigningIdentity};
pub use server::{
    CmpClient, CmpClientConfig, CmpClientCredential, CmpClientProof, CmpServer, CmpServerConfig,
    CmpServerError, CmpServerPolicy,
};
pub use status::Failure;

#[cfg(test)]
mod tests;
