//! What a certification authority is asked, whichever it is.
//!
//! ```text
//!   prepare ──► exchange, kept by the caller ──► submit ──► issued ──► judged, recorded ──► conclude
//!                    ▲                             │ waiting, unanswered
//!                    └──────── the same again ◄────┘
//! ```
//!
//! The exchange is written down before anything is sent: whatever breaks, the same exchange is
//! submitted again, and never gives a second certificate that anybody accepts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cert::{Certificate, DistinguishedName, PublicKey};
use jiff::Timestamp;

use crate::crl::RevocationReason;
use crate::embedded::IssueError;
use crate::profile::CertificateProfile;
use crate::register::RegisterError;

/// An order for one certificate. Possession of the key was proved before.
#[derive(Clone, Debug)]
pub struct CertificateOrder {
    /// What the certificate contains.
    pub profile: Arc<CertificateProfile>,
    /// The key that is certified.
    pub public_key: PublicKey,
    /// The chip's own proof of possession: a PKCS#10 request, DER. Not there where it was given in
    /// another form.
    pub request: Option<Vec<u8>>,
    /// Whom the certificate names, from the approved application.
    pub subject: DistinguishedName,
    /// The document's last second; the certificate does not outlast it.
    pub not_after: Timestamp,
}

/// A request on its way, in a form of its connector's: kept by the caller from before it is sent
/// until it is concluded. Holds no key and no secret, but a holder's name.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange(Vec<u8>);

impl Exchange {
    /// Returns the exchange that these bytes are.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to be kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({} bytes)", self.0.len())
    }
}

/// What an authority answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It issued this certificate. Nobody looked at it yet ([`crate::judge`]).
    Issued(Box<Certificate>),
    /// It takes its time: submit this exchange, not before this long from now.
    Waiting {
        /// The exchange as it stands now; it takes the place of the one that was submitted.
        exchange: Exchange,
        /// How long to wait.
        after: Duration,
    },
}

/// What the caller says of the certificate that it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was ordered, and it is recorded.
    Accepted,
    /// It is not; the authority is to withdraw it.
    Rejected,
}

/// Where a certificate is to stand with its authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not to be relied on for now (`certificateHold`).
    OnHold,
    /// In use.
    Good,
    /// Not to be relied on any more.
    Revoked(RevocationReason),
}

/// What a connector keeps by its protocol alone. What it does not keep, a second channel to the
/// same authority must ([`crate::Paired`]), or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// What is issued is on hold until it is released. Where not, the caller puts it on hold.
    pub issues_on_hold: bool,
    /// An exchange whose answer was lost gives the same certificate when it is submitted again.
    /// Where not, it gives [`AuthorityError::Astray`], and its key is lost with it.
    pub finds_again: bool,
    /// A certificate that is not concluded as accepted is withdrawn by the authority itself.
    pub withdraws_unconfirmed: bool,
    /// It takes [`CertificateAuthority::set_status`].
    pub sets_status: bool,
}

/// Why an authority did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// It says no, for good: nothing was issued, nothing changed.
    #[error("the certification authority refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// It was not reached, or its answer did not come: whether it acted is not known. Submit the
    /// same exchange again.
    #[error("the certification authority did not answer: {reason}")]
    Unanswered {
        /// What happened.
        reason: String,
    },
    /// What came is not an answer of this authority's to this request: not protected, altered,
    /// somebody else's, or garbage. Whether the authority acted is not known.
    #[error("the answer is not one of the certification authority's: {reason}")]
    Foreign {
        /// What is wrong with it.
        reason: String,
    },
    /// The authority does not know this exchange any more, and what it may have issued under it is
    /// withdrawn or was never made: prepare a new one.
    #[error("the certification authority does not know this request any more: {reason}")]
    Lost {
        /// What it said.
        reason: String,
    },
    /// The request may have arrived, its answer is lost, and the protocol cannot ask again: the
    /// authority may have issued a certificate that nobody holds. This key is never sent again;
    /// take a new one (a new blank), and have a second channel, or a person, revoke whatever the
    /// authority lists for the old one.
    #[error("the request may have been answered, and cannot be sent again: {reason}")]
    Astray {
        /// What is known of it.
        reason: String,
    },
    /// The protocol has no way to do it: a second channel must.
    #[error("{protocol} cannot {act}; a second channel to the authority must")]
    SecondChannel {
        /// The protocol.
        protocol: &'static str,
        /// What was asked.
        act: &'static str,
    },
    /// The bytes are no exchange of this connector's.
    #[error("this is no exchange of this connector's")]
    Exchange,
    /// The embedded authority does not issue it.
    #[error("the embedded authority does not issue this certificate")]
    Issue(#[source] Box<IssueError>),
    /// The embedded authority's register does not serve.
    #[error("the authority's register does not serve")]
    Register(#[source] RegisterError),
}

impl AuthorityError {
    /// Returns whether asking the same again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unanswered { .. } | Self::Foreign { .. } | Self::Register(_) => true,
            Self::Issue(error) => error.is_passing(),
            Self::Refused { .. }
            | Self::Lost { .. }
            | Self::Astray { .. }
            | Self::SecondChannel { .. }
            | Self::Exchange => false,
        }
    }
}

impl AuthorityError {
    /// Returns what happened, in words of ours alone: what an authority said may name a holder.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Unanswered { .. } => "did not answer",
            Self::Foreign { .. } => "gave an answer that is not its own",
            Self::Lost { .. } => "does not know the request any more",
            Self::Astray { .. } => "cannot be asked what it did",
            Self::SecondChannel { .. } => "needs a second channel",
            Self::Exchange => "is reached by another connector than before",
            Self::Issue(_) => "did not issue",
            Self::Register(_) => "could not use its register",
        }
    }

    /// Returns whether it says for sure that nothing was issued that is not withdrawn.
    pub fn issued_nothing(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Lost { .. } => true,
            // The embedded authority signs nothing before it has judged the order.
            Self::Issue(error) => !error.is_passing(),
            _ => false,
        }
    }
}

impl From<IssueError> for AuthorityError {
    fn from(error: IssueError) -> Self {
        Self::Issue(Box::new(error))
    }
}

impl From<RegisterError> for AuthorityError {
    fn from(error: RegisterError) -> Self {
        Self::Register(error)
    }
}

/// A certification authority, as the registration authority sees it.
#[async_trait]
pub trait CertificateAuthority: fmt::Debug + Send + Sync {
    /// Returns what it keeps by itself.
    fn promises(&self) -> Promises;

    /// Returns the certificates by which its own are judged: the anchor first, then what may stand
    /// between it and a holder's.
    fn chain(&self) -> &[Certificate];

    /// Makes the exchange for an order; nothing is sent.
    ///
    /// # Errors
    /// [`AuthorityError`] for an order that this authority cannot be asked.
    async fn prepare(
        &self,
        order: &CertificateOrder,
        at: Timestamp,
    ) -> Result<Exchange, AuthorityError>;

    /// Sends the exchange that was prepared for an order, or asks how it stands.
    ///
    /// # Errors
    /// [`AuthorityError`]; where it [passes](AuthorityError::is_passing), submit the same again.
    async fn submit(
        &self,
        order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError>;

    /// Says what becomes of the certificate that an exchange gave. May be repeated.
    ///
    /// # Errors
    /// [`AuthorityError`].
    async fn conclude(
        &self,
        exchange: &Exchange,
        certificate: &Certificate,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), AuthorityError>;

    /// Moves a certificate: on hold, in use, or revoked, which is for good. May be repeated.
    ///
    /// # Errors
    /// [`AuthorityError`].
    async fn set_status(
        &self,
        certificate: &Certificate,
        status: Status,
        at: Timestamp,
    ) -> Result<(), AuthorityError>;
}
