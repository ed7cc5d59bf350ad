//! Reading and verifying certificates, pure: no key, no clock, no file.
//!
//! ```text
//!   Certificate::parse ──► PathVerifier { anchors, intermediates }.verify(leaf, at)
//!          │                        signature, validity, CA flag, key usage, path length
//!          └──► public_key().verify_message(..)        ECDSA on P-256 and P-384
//!
//!   request::RequestInfo ──► to_be_signed() ──► the chip signs ──► assemble() ──► PKCS#10
//!                                               Request::parse_and_verify() ◄──┘
//! ```
//!
//! Everything read here may come from an enemy: lengths are bounded, nothing panics, and what is
//! not understood and critical is refused. Errors name serial numbers and positions, never a
//! holder's name.

mod certificate;
mod extensions;
mod name;
mod path;
mod public_key;
pub mod request;
mod signature;
#[cfg(test)]
mod testing;

pub use certificate::{Certificate, CertificateError, Validity};
pub use extensions::Extensions;
pub use name::{Attribute, AttributeType, DistinguishedName, NameBuilder, NameError};
pub use path::{MAX_PATH, Path, PathError, PathVerifier};
pub use public_key::{Curve, PublicKey, PublicKeyError};
pub use signature::{EcdsaSignature, Hash, SignatureAlgorithm, SignatureError};
pub use x509_cert::ext::pkix::KeyUsage;
