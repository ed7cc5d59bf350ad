//! Why an embedded authority was not made, or did not issue.

use cert::{CertificateError, KeyAlgorithm, SignatureError};
use hsm::HsmError;
use jiff::Timestamp;

use crate::subject::SubjectError;

/// Why the embedded CA was not made or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The profile is not a CA's.
    #[error("certificate profile {name:?} is a holder's, not a CA's")]
    NotACaProfile {
        /// The profile's name.
        name: String,
    },
    /// The signer's key is not a P-384 key.
    #[error("the CA's key must be a P-384 key")]
    Key,
    /// The profile's subject does not make a name.
    #[error("the CA cannot be named")]
    Subject(#[source] SubjectError),
    /// The certificate is not this profile's and this key's.
    #[error("the CA certificate {serial} does not fit: {reason}")]
    Mismatch {
        /// The certificate's serial number.
        serial: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// The certificate was not made.
    #[error("the CA's certificate was not made")]
    Issue(#[source] Box<IssueError>),
}

impl From<IssueError> for CaError {
    fn from(error: IssueError) -> Self {
        Self::Issue(Box::new(error))
    }
}

/// Why a certificate was not issued; nothing was then given out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The profile is a CA's own.
    #[error("certificate profile {name:?} is a CA's own, not a holder's")]
    NotALeafProfile {
        /// The profile's name.
        name: String,
    },
    /// The profile is not a responder's.
    #[error("certificate profile {name:?} is not a responder's")]
    NotAResponderProfile {
        /// The profile's name.
        name: String,
    },
    /// Only a qualified authority issues it, which the embedded one is not.
    #[error("certificate profile {name:?} is for a qualified authority, which this one is not")]
    Qualified {
        /// The profile's name.
        name: String,
    },
    /// The key is of a kind that the profile does not allow.
    #[error("certificate profile {name:?} does not allow a {} key", algorithm.map_or("foreign".to_owned(), |a| a.to_string()))]
    Key {
        /// The profile's name.
        name: String,
        /// The kind of key, if it is a known one.
        algorithm: Option<KeyAlgorithm>,
    },
    /// The subject is not one that the profile has.
    #[error("certificate profile {name:?} has another subject: {reason}")]
    Subject {
        /// The profile's name.
        name: String,
        /// What differs; no value is shown.
        reason: String,
    },
    /// The document has expired.
    #[error("the document expires at {expires}, before the certificate would begin")]
    DocumentExpired {
        /// The document's last second.
        expires: Timestamp,
    },
    /// The certificate would outlast its issuer's.
    #[error(
        "the certificate would hold until {until}, the CA's own only until {issuer}; renew the CA"
    )]
    OutlastsIssuer {
        /// The end of the certificate.
        until: Timestamp,
        /// The end of the CA's certificate.
        issuer: Timestamp,
    },
    /// The CA's certificate does not hold yet at the time of issue.
    #[error("the CA's certificate holds from {from} only; compare the clocks")]
    IssuerNotYetValid {
        /// The beginning of the CA's certificate.
        from: Timestamp,
    },
    /// A time is outside what certificates can express.
    #[error("a time is outside what a certificate can express")]
    Time,
    /// The CA's key signs no certificates.
    #[error("an Ed25519 key signs no certificates here")]
    SignerKey,
    /// The CA's key or the random source does not serve.
    #[error("the CA's token does not serve")]
    Token(#[source] HsmError),
    /// What was built does not encode.
    #[error("the certificate does not encode")]
    Encoding(#[source] der::Error),
    /// What was built does not read.
    #[error("the certificate that was made does not read")]
    Unreadable(#[source] CertificateError),
    /// The token gave a wrong signature.
    #[error("the CA's token gave a signature that does not verify; take it out of service")]
    WrongSignature(#[source] SignatureError),
}

impl IssueError {
    /// Returns whether the same order may be issued later: what failed is not the order.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Token(_) | Self::IssuerNotYetValid { .. } | Self::OutlastsIssuer { .. }
        )
    }
}
