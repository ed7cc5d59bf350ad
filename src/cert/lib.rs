//! Reading and verifying certificates, pure: no key, no clock, no file.
//!
//! ```text
//!   Certificate::parse ──► PathVerifier { anchors, intermediates }.verify(leaf, at)
//!          │                        signature, validity, CA flag, key usage, path length
//!          └──► public_key() ◄── PublicKey::from_point, from_rsa: as a chip gives it
//!                    └──► verify(..)                ECDSA on six curves, RSA from 2048 bits
//!
//!   cms::SignedData ──► verify() ──► signer ──► CountryVerifier { anchors, links, lists }
//!          └──► MasterList                     role, country, key's time, revocation
//!
//!   cvc::CvCertificate ──► Holder::of_root, accepts(..) ──► Holder  who may read fingerprints
//!          └──► CvRequest, EfCvca                    signature, role, dates, rights along the chain
//!
//!   ocsp::OcspRequest ──► ocsp::OcspResponse::parse ──► verify()      a status of now
//!
//!   jws::Jws::parse ──► verify(key) ──► payload      jws::Unsigned ──► the token signs ──► JWS
//!
//!   request::RequestInfo ──► digest() ──► the chip signs ──► assemble() ──► PKCS#10
//!                               └► digest_info, emsa_…: for chips that do not pad     │
//!                                         Request::parse_and_verify() ◄───────────────┘
//! ```
//!
//! Everything read here may come from an enemy: lengths are bounded, nothing panics, and what is
//! not understood and critical is refused. Errors name serial numbers and positions, never a
//! holder's name.

mod algorithm;
mod certificate;
mod certs_only;
pub mod cms;
mod country;
mod crl;
pub mod cvc;
mod domain;
mod emsa;
mod explicit;
mod extensions;
mod hash;
pub mod jws;
mod master_list;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
mod name;
pub mod ocsp;
mod other_key;
mod path;
mod policies;
mod public_key;
mod qc_statements;
pub mod request;
mod rsa;
mod signature;
mod signature_algorithm;
#[cfg(test)]
mod testing;
mod verify;

pub use algorithm::{Curve, KeyAlgorithm, RsaLength};
pub use certificate::{Certificate, CertificateError, Validity};
pub use certs_only::{CertsOnlyError, MAX_CERTS_ONLY, certs_only};
pub use country::{
    CountryPath, CountryPathError, CountryQuestion, CountryRole, CountryVerifier, KeptPath,
    Revocation, document_type_includes,
};
pub use crl::{
    CrlError, CrlVerifyError, MAX_CRL, OutOfScope, RevocationList, Revoked, UnverifiedCrl,
};
pub use domain::DomainParameters;
pub use emsa::{EmsaError, digest_info, emsa_pkcs1_v1_5, emsa_pss};
pub use extensions::{CARD_AUTHENTICATION, DOCUMENT_TYPES, Extensions, KeyUsePeriod};
pub use hash::Hash;
pub use master_list::{MASTER_LIST_SIGNER, MasterList, MasterListError, Unread};
pub use name::{Attribute, AttributeType, DistinguishedName, NameBuilder, NameError};
pub use path::{MAX_PATH, Path, PathError, PathVerifier};
pub use policies::{PolicyQualifier, QualifierKind};
pub use public_key::{EcPublicKey, PublicKey, PublicKeyError};
pub use qc_statements::{
    DisclosureStatement, QC_COMPLIANCE, QC_DISCLOSURE, QC_LEGISLATION, QC_RETENTION,
    QC_SECURE_DEVICE, QC_STATEMENTS, QC_SYNTAX, QC_TYPE, QC_TYPE_SIGNATURE, QcStatements,
    SEMANTICS_NATURAL,
};
pub use rsa::RsaPublicKey;
pub use signature::{
    EcdsaSignature, SignatureError, certificate_form, ecdsa_der_to_raw, ecdsa_raw_to_der,
};
pub use signature_algorithm::SignatureAlgorithm;
pub use x509_cert::ext::pkix::KeyUsage;
