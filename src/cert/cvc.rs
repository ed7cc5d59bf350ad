//! Card-verifiable certificates of extended access control (*BSI TR-03110-3 Appendices C and D;
//! ICAO 9303-12 §7.2*).
//!
//! ```text
//!   CvCertificate::parse ──► Holder::of_root(CVCA) ── accepts(link) ──► Holder
//!     7F21 body 7F4E,                                    │ accepts(DV), accepts(terminal)
//!     signature 5F37                                     ▼
//!                                              effective rights: the AND of all the templates
//!
//!   CvRequest::parse ──► verify()  possession (inner signature)
//!     67 { 7F21, 42, 5F37 } ──► verify_outer(key)   who asks (outer signature)
//!
//!   CvContent ── body() ──► signed elsewhere ──► assemble() ──► certificate or request
//!   EfCvca                  the references of the authorities that a chip trusts
//! ```
//!
//! Encodings are DER with objects in one fixed order, so that there is one spelling of everything.
//! Elliptic curves are known ones: parameters that are not those of a [`crate::Curve`] are refused,
//! whatever they describe. SHA-1 and RSA of 1024 bits are read, for samples of the first years,
//! and verify only where the caller says [`Strength::Legacy`].

mod algorithm;
mod certificate;
mod chain;
mod chat;
mod content;
mod date;
mod ef_cvca;
mod error;
mod extension;
mod object;
mod public_key;
mod reference;
mod request;
#[cfg(test)]
mod tests;
mod verify;

pub use algorithm::CvAlgorithm;
pub use certificate::CvCertificate;
pub use chain::{ChainError, Holder, MAX_CHAIN, verify_chain};
pub use chat::{Chat, Right, Role, TerminalType};
pub use content::CvContent;
pub use ef_cvca::EfCvca;
pub use error::CvcError;
pub use extension::{CvExtension, MAX_EXTENSIONS};
pub use object::MAX_CVC;
pub use public_key::{CvPublicKey, Parameters};
pub use reference::{HolderReference, ReferenceError};
pub use request::{CvRequest, OuterSignature, assemble_outer, outer_message};
pub use verify::{CvVerifyError, CvVerifyingKey, Strength};
