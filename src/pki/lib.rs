//! Issuing certificates.
//!
//! ```text
//!   certs/*.toml ──► CertificateProfile ─┐
//!   key, proof of possession ────────────┤
//!   subject, document's last second ─────┴─► CertificateOrder
//!                                                 │
//!      trait CertificateAuthority ◄───────────────┘        judge(order, certificate)
//!        ├─ ServingCa: EmbeddedCa (key in the HSM) and its Register; crl()
//!        │    └─ OcspResponder, validation_router: what relying parties ask
//!        ├─ EstAuthority: another authority, over EST
//!        ├─ CmpAuthority: another's, over CMP ◄─ ─► CmpServer: ServingCa for others
//!        └─ Paired: one channel issues, another revokes
//!
//!   StationAuthority: certificates of stations, for TLS
//!   CvAuthority: card-verifiable certificates of borders; CvFolder is its register
//!   certs/country/*.toml ──► country: CSCA, document signers, master lists, EF.SOD
//! ```
//!
//! What is certified comes from the application and the profile; of the request only the public
//! key is taken. Times are given, never read from a clock here.

mod authority;
mod cmp;
pub mod country;
mod crl;
mod cv;
mod embedded;
mod environment;
mod est;
mod extensions;
mod judge;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
mod ocsp;
mod paired;
mod profile;
mod qualified;
mod received;
mod register;
mod station;
mod subject;
#[cfg(any(test, feature = "test-support"))]
pub mod test_support;
#[cfg(test)]
mod testing;
mod to_be_signed;
mod vocabulary;

pub use authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};
pub use cmp::{
    CmpAuthority, CmpClient, CmpClientConfig, CmpClientCredential, CmpClientProof, CmpConfig,
    CmpConfigError, CmpConfirmation, CmpFileError, CmpIdentityError, CmpMessage, CmpMessageError,
    CmpParts, CmpProtection, CmpRequest, CmpRole, CmpServer, CmpServerConfig, CmpServerError,
    CmpServerPolicy, Confirmations, Credential, Failure, MemoryConfirmations, ProfileNaming,
    ProtectionError, SharedSecret, SigningIdentity,
};
pub use crl::{CrlEntry, CrlError, RevocationReason};
pub use cv::{
    CvAuthority, CvFolder, CvFolderError, CvGrant, CvIssueError, CvKey, CvKeyError, CvRenewal,
    CvTerm, CvTerminal, CvTerminalError, CvTrustError, CvVoucher, TermError, accepts_own,
    write_new,
};
pub use embedded::{CaError, EmbeddedCa, IssueError, ServingCa};
pub use environment::{is_named_for_test, is_reference_for_test};
pub use est::{EstAccess, EstAuthority, EstConfig, EstConfigError, EstSetupError};
pub use judge::{Misissued, judge};
pub use ocsp::{Clock, OcspResponder, Published, ResponderError, router as validation_router};
pub use paired::Paired;
pub use profile::{CertificateProfile, ProfileError, ProfileKind, Publication};
pub use register::{Entry, Register, RegisterError};
pub use station::{HostName, StationAuthority};
pub use subject::{Holder, SubjectError};
