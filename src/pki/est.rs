//! Certificates over EST (*RFC 7030*, as *RFC 8951* clarifies it).
//!
//! ```text
//!   prepare ──► exchange: run, name, digest of the chip's PKCS#10
//!   submit  ──► POST simpleenroll ─┬─► 200 certs-only      Issued
//!                                  ├─► 202, 503            Waiting: the same once more
//!                                  ├─► 4xx                 Refused
//!                                  └─► nothing, 5xx        Unanswered, and then Astray
//! ```
//!
//! EST has requests and answers and nothing else: no status, no revocation, no confirmation, and no
//! way to ask what became of a request. So
//!
//! - **a request is sent once.** An exchange belongs to the run of the program that prepared it;
//!   where it was sent and no answer came, or where another run prepared it and may have sent it,
//!   it is [`AuthorityError::Astray`]. Its key is then never sent again: whoever issues makes a new
//!   key (a new blank), and has the second channel revoke what the authority lists for the old one.
//! - an authority whose operator promises that a repeated request gives the same certificate is
//!   configured so (`answers_repeats`): then the same request may be sent at any time.
//! - hold, release and revocation are a second channel's ([`crate::Paired`]).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cert::request::Request;
use cert::{Certificate, Hash, certs_only};
use hsm::{RandomSource, Signer};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};

mod client;
mod config;
mod exchange;
mod identity;
mod sent;

pub use config::{EstConfig, EstConfigError};

use client::{Came, EstClient};
use exchange::{EstExchange, Operation};
use sent::{SentRequests, Taken, Took};

/// Why a connector was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstSetupError {
    /// There is neither a certificate nor a password to be known by.
    #[error("an EST server must know who asks: a client certificate, or user and password")]
    Nobody,
    /// A user without a password, or a password without a user.
    #[error("user and password go together")]
    Password,
    /// No anchor for the server's certificate.
    #[error("no anchor is given by which the EST server's certificate is judged")]
    Trust,
    /// An anchor is none.
    #[error("certificate {serial} is no anchor for TLS")]
    Anchor {
        /// Its serial number.
        serial: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// No certificate by which the authority's are judged.
    #[error("no chain is given by which the authority's certificates are judged")]
    Chain,
    /// The random source does not serve.
    #[error("the random source does not serve")]
    Random(#[source] hsm::HsmError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Whom an EST server is, and who we are to it.
pub struct EstAccess {
    /// The anchors of the server's certificate; no others are trusted.
    pub server_anchors: Vec<Certificate>,
    /// The registration authority's certificates, its own first, and its key (*§3.3.2*).
    pub identity: Option<(Vec<Certificate>, Arc<dyn Signer>)>,
    /// The password of the configuration's `user` (*§3.2.3*).
    pub password: Option<Zeroizing<String>>,
}

impl fmt::Debug for EstAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EstAccess({:?}, ..)", self.server_anchors)
    }
}

/// An authority that is asked over EST.
pub struct EstAuthority {
    client: EstClient,
    chain: Vec<Certificate>,
    random: Arc<dyn RandomSource>,
    run: exchange::Name,
    sent: SentRequests,
}

impl EstAuthority {
    /// Returns the connector to an authority whose certificates `chain` judges (the anchor first).
    ///
    /// # Errors
    /// [`EstSetupError`].
    pub fn new(
        config: EstConfig,
        access: EstAccess,
        chain: Vec<Certificate>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, EstSetupError> {
        if chain.is_empty() {
            return Err(EstSetupError::Chain);
        }
        Ok(Self {
            client: EstClient::new(config, access)?,
            chain,
            run: exchange::name(&*random).map_err(EstSetupError::Random)?,
            random,
            sent: SentRequests::default(),
        })
    }

    /// Returns the certificates that the server says are the authority's (*§4.1*). They are trusted
    /// for nothing: what the chain is, is configured; this shows that it is still the one, and that
    /// the server knows us.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub async fn ca_certificates(&self, at: Timestamp) -> Result<Vec<Certificate>, AuthorityError> {
        match self.client.get("cacerts", at).await {
            Came::Message(der) => certs_only(&der).map_err(foreign),
            Came::Refused(reason) => Err(AuthorityError::Refused { reason }),
            Came::Garbage(reason) => Err(AuthorityError::Foreign { reason }),
            Came::Later { after, .. } => Err(AuthorityError::Unanswered {
                reason: format!("it asks for {} s of time", after.as_secs()),
            }),
            Came::Unserved(reason) | Came::Silence(reason) => {
                Err(AuthorityError::Unanswered { reason })
            }
        }
    }

    /// Makes the exchange for a certificate that takes the place of an older one of the same
    /// subject (*§4.2.2*), for a new key or the old one; it is submitted like any other.
    ///
    /// # Errors
    /// As [`CertificateAuthority::prepare`].
    pub fn prepare_renewal(&self, order: &CertificateOrder) -> Result<Exchange, AuthorityError> {
        self.exchange(Operation::Renew, order)
    }

    fn exchange(
        &self,
        operation: Operation,
        order: &CertificateOrder,
    ) -> Result<Exchange, AuthorityError> {
        let refuse = |reason: &str| AuthorityError::Refused {
            reason: reason.to_owned(),
        };
        let der = order.request.as_deref().ok_or_else(|| {
            refuse("EST takes the chip's own PKCS#10 request, and the order has none")
        })?;
        let request = Request::parse_and_verify_allowing_sha1(der)
            .map_err(|_| refuse("the order's request is none, or is not signed by its key"))?;
        if *request.public_key() != order.public_key {
            return Err(refuse("the order's request is for another key"));
        }
        // Of the request an authority takes key and name (§4.2.1).
        if request.subject().attributes() != order.subject.attributes() {
            return Err(refuse("the order's request names another subject"));
        }
        let name = self.name()?;
        Ok(EstExchange {
            operation,
            run: self.run,
            name,
            digest: digest(der),
        }
        .encode())
    }

    fn name(&self) -> Result<exchange::Name, AuthorityError> {
        let random = exchange::name(&*self.random).map_err(crate::embedded::IssueError::Token)?;
        Ok(self.sent.next(random))
    }

    /// Takes an exchange to be sent now; where it must not be, says what is to be answered.
    fn take(&self, exchange: &EstExchange) -> Result<Taken<'_>, Result<Answer, AuthorityError>> {
        let repeats = self.client.answers_repeats();
        if exchange.run != self.run && !repeats {
            return Err(Err(astray("another run of the program may have sent it")));
        }
        match self.sent.take(exchange.name, repeats) {
            Took::Free(taken) => Ok(taken),
            Took::Answered(certificate) => Err(Ok(Answer::Issued(certificate))),
            Took::Sending => {
                let reason = "it is on its way".to_owned();
                Err(Err(AuthorityError::Unanswered { reason }))
            }
            Took::Sent => Err(Err(astray("it was sent, and its answer is not there"))),
            Took::Forgotten => Err(Err(astray("it is so old that it may have been sent"))),
        }
    }

    /// Returns the certificate of an answer that is for the order's key.
    fn issued(order: &CertificateOrder, der: &[u8]) -> Result<Box<Certificate>, AuthorityError> {
        let read = certs_only(der).map_err(foreign)?;
        let mut own = read
            .into_iter()
            .filter(|one| one.matches(&order.public_key));
        match (own.next(), own.next()) {
            (Some(certificate), None) => Ok(Box::new(certificate)),
            (None, _) => Err(AuthorityError::Foreign {
                reason: "no certificate in it is for the key".to_owned(),
            }),
            (Some(_), Some(_)) => Err(AuthorityError::Foreign {
                reason: "several certificates in it are for the key".to_owned(),
            }),
        }
    }
}

fn astray(reason: &str) -> AuthorityError {
    AuthorityError::Astray {
        reason: reason.to_owned(),
    }
}

fn foreign(error: impl std::error::Error) -> AuthorityError {
    AuthorityError::Foreign {
        reason: error.to_string(),
    }
}

fn digest(request: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    let all = Hash::Sha256.digest(request);
    digest.iter_mut().zip(all).for_each(|(to, from)| *to = from);
    digest
}

/// Returns what a body in base64 says. Servers break lines or do not, and pad (*RFC 8951 §3*).
pub(crate) fn unwrap_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(text).ok()
}

#[async_trait]
impl CertificateAuthority for EstAuthority {
    fn promises(&self) -> Promises {
        Promises {
            issues_on_hold: false,
            finds_again: self.client.answers_repeats(),
            withdraws_unconfirmed: false,
            sets_status: false,
        }
    }

    fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    async fn prepare(
        &self,
        order: &CertificateOrder,
        _at: Timestamp,
    ) -> Result<Exchange, AuthorityError> {
        self.exchange(Operation::Enroll, order)
    }

    async fn submit(
        &self,
        order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError> {
        let exchange = EstExchange::decode(exchange).ok_or(AuthorityError::Exchange)?;
        let request = order.request.as_deref().ok_or(AuthorityError::Exchange)?;
        if digest(request) != exchange.digest {
            return Err(AuthorityError::Exchange);
        }
        let taken = match self.take(&exchange) {
            Ok(taken) => taken,
            Err(answer) => return answer,
        };
        let operation = exchange.operation.path();
        match self.client.post(operation, request, at).await {
            Came::Message(der) => {
                let certificate = Self::issued(order, &der)?;
                taken.set_answered(&certificate);
                Ok(Answer::Issued(certificate))
            }
            Came::Later { after, is_pending } => {
                // §4.2.3: a pending request is asked for by sending it again.
                let next = match is_pending {
                    true => {
                        let name = self.name()?;
                        EstExchange { name, ..exchange }
                    }
                    false => exchange,
                };
                taken.set_free();
                Ok(Answer::Waiting {
                    exchange: next.encode(),
                    after,
                })
            }
            Came::Refused(reason) => {
                taken.set_free();
                Err(AuthorityError::Refused { reason })
            }
            Came::Unserved(reason) => {
                taken.set_free();
                Err(AuthorityError::Unanswered { reason })
            }
            Came::Silence(reason) => Err(AuthorityError::Unanswered { reason }),
            Came::Garbage(reason) => Err(AuthorityError::Foreign { reason }),
        }
    }

    async fn conclude(
        &self,
        exchange: &Exchange,
        _certificate: &Certificate,
        verdict: Verdict,
        _at: Timestamp,
    ) -> Result<(), AuthorityError> {
        let exchange = EstExchange::decode(exchange).ok_or(AuthorityError::Exchange)?;
        self.sent.conclude(exchange.name);
        match verdict {
            Verdict::Accepted => Ok(()),
            Verdict::Rejected => Err(AuthorityError::SecondChannel {
                protocol: exchange::PROTOCOL,
                act: "withdraw a certificate",
            }),
        }
    }

    async fn set_status(
        &self,
        _certificate: &Certificate,
        _status: Status,
        _at: Timestamp,
    ) -> Result<(), AuthorityError> {
        Err(AuthorityError::SecondChannel {
            protocol: exchange::PROTOCOL,
            act: "put a certificate on hold, release or revoke it",
        })
    }
}

impl fmt::Debug for EstAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EstAuthority({:?})", self.chain)
    }
}

#[cfg(test)]
mod tests;
