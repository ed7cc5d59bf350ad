//! Why a country signing CA or a document signer did not do what it was asked.

use cert::cms::{BuildError, CmsVerifyError, SignedDataError};
use cert::{CountryPathError, KeyAlgorithm, MasterListError, NameError};
use jiff::Timestamp;

use crate::country::profile::CountryKind;
use crate::embedded::IssueError;

/// Why a country signing CA was not made or opened, or issued nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountryError {
    /// The profile is for another kind of certificate.
    #[error("certificate profile {name:?} is of a {}", .is.name())]
    Kind {
        /// The profile's name.
        name: String,
        /// What it is for.
        is: CountryKind,
    },
    /// The key is of a kind that the profile does not allow.
    #[error("certificate profile {name:?} does not allow a {} key", algorithm.map_or("foreign".to_owned(), |a| a.to_string()))]
    Key {
        /// The profile's name.
        name: String,
        /// The kind of key, if it is a known one.
        algorithm: Option<KeyAlgorithm>,
    },
    /// The name does not build.
    #[error("the certificate's subject cannot be named")]
    Name(#[source] NameError),
    /// The certificate is not this profile's and this key's.
    #[error("the CSCA certificate {serial} does not fit: {reason}")]
    Mismatch {
        /// The certificate's serial number.
        serial: String,
        /// What does not fit.
        reason: &'static str,
    },
    /// A signer of another country.
    #[error("certificate profile {name:?} is of another country than the CSCA")]
    Country {
        /// The profile's name.
        name: String,
    },
    /// The CSCA's key is no longer to sign certificates: renew it.
    #[error("the CSCA's key signs from {from} to {until} only; renew the CSCA")]
    KeyUse {
        /// The first second.
        from: Timestamp,
        /// The last second.
        until: Timestamp,
    },
    /// The certificate would outlast the CSCA's.
    #[error("the certificate would hold until {until}, the CSCA's only until {issuer}")]
    Outlasts {
        /// The end of the certificate.
        until: Timestamp,
        /// The end of the CSCA's certificate.
        issuer: Timestamp,
    },
    /// The new key is the old one.
    #[error("the new CSCA has the key of the old one")]
    SameKey,
    /// The times of a list contradict each other, or it would come too late: one is due every 90
    /// days (*ICAO 9303-12 §4.1.5*).
    #[error("the times of the revocation list are wrong: {0}")]
    ListTimes(&'static str),
    /// An entry's serial number is malformed or there twice.
    #[error("an entry of the revocation list has a serial number that is malformed or repeated")]
    ListEntry,
    /// The certificate was not signed.
    #[error("the certificate was not made")]
    Issue(#[from] IssueError),
    /// What was made is not trusted under its own CSCA.
    #[error("what the CSCA made does not verify; nothing was given out")]
    SelfCheck(#[source] CountryPathError),
}

/// Why a message was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Certificate and key do not belong together.
    #[error("certificate {serial} is not of the signing key")]
    Mismatch {
        /// The certificate's serial number.
        serial: String,
    },
    /// The signer's certificate is not trusted, or not for this.
    #[error("the signer's certificate is not to be used")]
    Path(#[source] CountryPathError),
    /// The master list cannot be made.
    #[error("the master list was not made")]
    List(#[source] MasterListError),
    /// The message cannot be built.
    #[error("the signed message was not made")]
    Build(#[source] BuildError),
    /// The key does not sign such messages, or its token does not serve.
    #[error("the signing key does not serve")]
    Key(#[source] Box<IssueError>),
    /// What was made does not read.
    #[error("the signed message does not read; nothing was given out")]
    Unreadable(#[source] SignedDataError),
    /// The token gave a wrong signature.
    #[error("the token gave a signature that does not verify; take it out of service")]
    WrongSignature(#[source] CmsVerifyError),
    /// What was read back is not what was to be signed.
    #[error("the signed message holds another content; nothing was given out")]
    WrongContent,
}
