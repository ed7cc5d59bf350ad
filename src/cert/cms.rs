//! Signed messages (*RFC 5652 §5*), as travel documents have them (*ICAO 9303-10 §4.6.2, 9303-12
//! §9*): EF.SOD, EF.CardSecurity, master lists.
//!
//! ```text
//!   bytes ──► SignedData::parse, parse_ef_sod ──► verify(certificates) ──► VerifiedSigner…
//!                   │ content_type, content            digest, signature      certificate,
//!                   │ certificates, signers            under its certificate  signing time
//!                   ▼
//!             whom to trust is a matter of the path: crate::PathVerifier, crate::CountryVerifier
//!
//!   Message ──► UnsignedMessage ──► to_be_signed() ──► a key signs ──► assemble() ──► bytes
//! ```

mod attributes;
mod build;
mod parse;
#[cfg(test)]
mod tests;
mod verify;

pub use attributes::SignedAttributes;
pub(crate) use build::tlv;
pub use build::{BuildError, Message, SignerNaming, UnsignedMessage};
pub use parse::{MAX_SIGNED_DATA, SignedData, SignedDataError, SignerId, SignerInfo};
pub(crate) use parse::{element, inside};
pub use verify::{CmsVerifyError, VerifiedSigner};

use spki::ObjectIdentifier;

/// `id-icao-mrtd-security-ldsSecurityObject`: the content of EF.SOD (*ICAO 9303-10 §4.6.2.2*).
pub const LDS_SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");
/// `id-icao-cscaMasterList` (*ICAO 9303-12 §9*).
pub const CSCA_MASTER_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.2");
/// `id-SecurityObject`: the content of EF.CardSecurity (*TR-03110-3 §A.1.2.5*).
pub const SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.2.1");

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// Plain bytes: the only content that may be signed without attributes (*RFC 5652 §5.3*).
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// The tag of EF.SOD: 77, application class, constructed (*ICAO 9303-10 §4.6.2*).
const EF_SOD: der::Tag = der::Tag::Application {
    constructed: true,
    number: der::TagNumber(23),
};
