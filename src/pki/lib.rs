//! Issuing certificates.
//!
//! ```text
//!   certs/*.toml ──► CertificateProfile ─┐
//!   request (proof of possession) ───────┤
//!   holder, document's expiry, time ─────┴─► CertificateAuthority::issue ──► IssuedCertificate
//!                                              │                             (on hold)
//!                                              └─ EmbeddedCa: key in the HSM; crl()
//! ```
//!
//! What is certified comes from the application and the profile; of the request only the public
//! key is taken. Times are given, never read from a clock here.

mod authority;
mod crl;
mod embedded;
mod extensions;
mod profile;
mod subject;
#[cfg(test)]
mod testing;
mod to_be_signed;
mod vocabulary;

pub use authority::{CertificateAuthority, CertificateOrder, IssueError, IssuedCertificate};
pub use crl::{CrlEntry, CrlError, RevocationReason};
pub use embedded::{CaError, EmbeddedCa};
pub use profile::{CertificateProfile, ProfileError, ProfileKind, Publication};
pub use subject::{Holder, SubjectError};
