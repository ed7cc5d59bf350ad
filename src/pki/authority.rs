//! What a certification authority is asked, whichever it is.

use cert::request::Request;
use cert::{Certificate, CertificateError, KeyAlgorithm, SignatureError};
use hsm::HsmError;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::profile::CertificateProfile;
use crate::subject::{Holder, SubjectError};

/// An order for one certificate.
#[derive(Clone, Copy, Debug)]
pub struct CertificateOrder<'a> {
    /// What the certificate contains.
    pub profile: &'a CertificateProfile,
    /// The chip's request. Its public key is certified; the name in it is not looked at.
    pub request: &'a Request,
    /// Whom the certificate names, from the approved application.
    pub holder: &'a Holder,
    /// The document's last day; the certificate does not outlast it.
    pub document_expires: Date,
    /// The time of issue: the certificate holds from then.
    pub at: Timestamp,
}

/// A certificate that has been issued and is **on hold**: whoever ordered it records that before
/// it leaves the house, shows it in the next CRL, and releases it at the hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// When it was issued, and since when it is on hold.
    pub on_hold_since: Timestamp,
}

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The profile is a CA's own.
    #[error("certificate profile {name:?} is a CA's own, not a holder's")]
    NotALeafProfile {
        /// The profile's name.
        name: String,
    },
    /// The request's key is of a kind that the profile does not allow.
    #[error("certificate profile {name:?} does not allow a {} key", algorithm.map_or("foreign".to_owned(), |a| a.to_string()))]
    Key {
        /// The profile's name.
        name: String,
        /// The kind of key, if it is a known one.
        algorithm: Option<KeyAlgorithm>,
    },
    /// The holder's data do not make a subject.
    #[error("the holder cannot be named")]
    Subject(#[source] SubjectError),
    /// The document has expired.
    #[error("the document expires on {expires}, before the certificate would begin")]
    DocumentExpired {
        /// The document's last day.
        expires: Date,
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
    #[error("the CA's certificate holds from {from} only")]
    IssuerNotYetValid {
        /// The beginning of the CA's certificate.
        from: Timestamp,
    },
    /// A time is outside what certificates can express.
    #[error("a time is outside what a certificate can express")]
    Time,
    /// The CA's key or the random source does not serve.
    #[error("the CA's token does not serve")]
    Token(#[source] HsmError),
    /// What was built does not encode.
    #[error("the certificate does not encode")]
    Encoding(#[source] der::Error),
    /// What was built does not read; nothing was given out.
    #[error("the certificate that was made does not read")]
    Unreadable(#[source] CertificateError),
    /// The token gave a wrong signature; nothing was given out.
    #[error("the CA's token gave a signature that does not verify; take it out of service")]
    WrongSignature(#[source] SignatureError),
}

/// A certification authority.
pub trait CertificateAuthority: Send + Sync {
    /// Returns the certificate that the authority signs with.
    fn certificate(&self) -> &Certificate;

    /// Issues a certificate, on hold.
    ///
    /// # Errors
    /// [`IssueError`]; nothing is then issued.
    fn issue(&self, order: &CertificateOrder<'_>) -> Result<IssuedCertificate, IssueError>;
}
