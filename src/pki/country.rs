//! The PKI of travel documents (*ICAO 9303-12*): country signing CA, document signers, master
//! lists.
//!
//! ```text
//!   certs/country/*.toml ──► CountryProfile
//!                               │
//!   CountryAuthority (embedded CSCA, key in the HSM)          for pilots and tests: the real one
//!     create, renew (link), issue ◄── PKCS#10 ──┐             is another authority's, and files
//!     crl                          certificate ─┤             go to and fro
//!                                               ▼
//!   examine(certificate) ──► MessageSigner ──► EF.SOD, EF.CardSecurity, master list
//!                               ▲               each verified with its chain before it is given out
//!   DocumentSigners ────────────┘  which of them signs now, and when another is wanted
//! ```

mod authority;
mod book;
mod error;
mod examine;
mod extensions;
mod list;
mod message;
mod profile;
#[cfg(test)]
mod tests;

pub use crate::to_be_signed::certificate_algorithm as signature_algorithm;
pub use authority::{CountryAuthority, Renewed};
pub use book::{BookError, DocumentSigners, NoSigner, SignerEntry, Unfit};
pub use error::{CountryError, MessageError};
pub use examine::{CountryFault, Expected, examine};
pub use list::RevokedSigner;
pub use message::MessageSigner;
pub use profile::{CountryKind, CountryProfile, CountryProfileError};
