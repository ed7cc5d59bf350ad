//! Why no certificate is issued, and why a folder does not serve.

use std::io;
use std::path::PathBuf;

use cert::cvc::{ChainError, CvVerifyError, CvcError, HolderReference, ReferenceError, Role};

use crate::cv::grant::TermError;
use crate::cv::key::CvKeyError;

/// Why a certificate is not issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CvIssueError {
    /// The key did not sign, or does not serve.
    #[error(transparent)]
    Key(#[from] CvKeyError),
    /// The key is not the one that the issuer's certificate is for.
    #[error("the key is not that of {holder}")]
    OtherKey {
        /// The holder of the certificate.
        holder: HolderReference,
    },
    /// The issuer's own certificate does not hold.
    #[error("the issuer's own certificate does not hold")]
    Own(#[source] ChainError),
    /// A role that this issuer does not certify.
    #[error("a {issuer} does not certify a {role}", issuer = issuer.name(), role = role.name())]
    Role {
        /// The issuer's role.
        issuer: Role,
        /// The role asked for.
        role: Role,
    },
    /// Domestic is who has the country code of the CVCA, foreign who has another.
    #[error("{holder} is of {other} country than {issuer}: that is no {role}", role = role.name(), other = if *.same { "the same" } else { "another" })]
    Country {
        /// The holder.
        holder: HolderReference,
        /// The issuer.
        issuer: HolderReference,
        /// The role asked for.
        role: Role,
        /// Whether both have the same country.
        same: bool,
    },
    /// More rights than the issuer has.
    #[error("{holder} would get more rights than {issuer} has")]
    Rights {
        /// The holder.
        holder: HolderReference,
        /// The issuer.
        issuer: HolderReference,
    },
    /// A term that is not allowed.
    #[error(transparent)]
    Term(#[from] TermError),
    /// The request's own signature is false: its sender has not the key.
    #[error("whoever made the request has not its key")]
    Possession(#[source] CvVerifyError),
    /// Nobody vouches for the request.
    #[error("the request has no outer signature: nobody says that it is {holder}'s")]
    NotVouched {
        /// The holder.
        holder: HolderReference,
    },
    /// The outer signature is by a key that was not certified here for this holder, or not any
    /// more.
    #[error("{signer} may not ask for {holder}")]
    Voucher {
        /// Whose key signed.
        signer: HolderReference,
        /// The holder.
        holder: HolderReference,
    },
    /// The outer signature is false.
    #[error("the outer signature is not by {signer}")]
    FalseVoucher {
        /// Whose key is to have signed.
        signer: HolderReference,
        /// Why.
        #[source]
        source: CvVerifyError,
    },
    /// The request is to another authority.
    #[error("the request is to {asked}, and this is {own}")]
    Addressed {
        /// Who is asked.
        asked: HolderReference,
        /// The issuer.
        own: HolderReference,
    },
    /// Another algorithm, curve or length than the issuer's (*TR-03110-3 §2.3*).
    #[error(
        "the key of {holder} is not of the issuer's kind: algorithm, curve and length are the CVCA's"
    )]
    KeyKind {
        /// The holder.
        holder: HolderReference,
    },
    /// The request wants extensions, which are not granted.
    #[error("the request wants extensions, and none are granted")]
    Extensions,
    /// The reference was given out before.
    #[error("{holder} was certified before: a new key has a new sequence number")]
    Reused {
        /// The holder.
        holder: HolderReference,
    },
    /// A sequence number that does not follow.
    #[error("{holder} does not follow {last}, which was certified before")]
    NotNext {
        /// The holder.
        holder: HolderReference,
        /// The last one.
        last: HolderReference,
    },
    /// The key was certified before.
    #[error("the key of {holder} was certified before, for {earlier}")]
    ReusedKey {
        /// The holder.
        holder: HolderReference,
        /// Under which reference.
        earlier: HolderReference,
    },
    /// The sequence numbers are used up.
    #[error("no reference follows")]
    Reference(#[from] ReferenceError),
    /// The register does not serve.
    #[error(transparent)]
    Folder(#[from] CvFolderError),
}

/// Why a folder of certificates does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CvFolderError {
    /// A file stands there already; none is ever written over.
    #[error("{} is there already, and nothing is written over", path.display())]
    There {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is none that was written here.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CvcError,
    },
    /// A file holds what belongs in another.
    #[error("{} holds {holder}", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// Whose certificate it is.
        holder: HolderReference,
    },
}
