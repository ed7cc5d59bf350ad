//! Issuing card-verifiable certificates: who may read fingerprints (*BSI TR-03110-3 §2;
//! domain: TR-03139*).
//!
//! ```text
//!   CvKey (a key in the HSM) ─┬─► CvAuthority::create ──► CVCA ── renew() ──► next CVCA, link
//!                             │                            │
//!                             └─► request(), vouch() ──► issue(request, CvGrant) ──► CvFolder
//!                                  DV, terminal           possession, who asks, rights, term,
//!                                                         references that nobody had before
//! ```
//!
//! A request says which key; what it may, and how long, the issuer grants. Nothing is granted
//! that the issuer has not, nothing outlives the issuer, and no reference or key comes twice.

mod authority;
mod error;
mod file;
mod folder;
mod grant;
mod key;
mod terminal;
#[cfg(test)]
mod tests;
mod trust;

pub use authority::{CvAuthority, CvRenewal};
pub use error::{CvFolderError, CvIssueError};
pub use file::write_new;
pub use folder::CvFolder;
pub use grant::{CvGrant, CvTerm, CvVoucher, TermError};
pub use key::{CvKey, CvKeyError, accepts_own};
pub use terminal::{CvTerminal, CvTerminalError};
pub use trust::CvTrustError;
