//! The embedded authority at work: with a register of what it issued.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cert::Certificate;
use hsm::RandomSource;
use jiff::Timestamp;

use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};
use crate::crl::{CrlError, RevocationReason};
use crate::embedded::{EmbeddedCa, IssueError};
use crate::register::{Register, RegisterError};

/// The length of an exchange's name.
const NAME: usize = 16;

/// An embedded authority with its register. Clones are the same one.
#[derive(Clone)]
pub struct ServingCa {
    ca: Arc<EmbeddedCa>,
    register: Arc<dyn Register>,
    random: Arc<dyn RandomSource>,
    chain: Arc<[Certificate]>,
}

impl ServingCa {
    /// Returns the authority that keeps its books in `register` and names exchanges from `random`.
    pub fn new(
        ca: Arc<EmbeddedCa>,
        register: Arc<dyn Register>,
        random: Arc<dyn RandomSource>,
    ) -> Self {
        Self {
            chain: [ca.certificate().clone()].into(),
            ca,
            register,
            random,
        }
    }

    /// Returns the authority's own certificate.
    pub fn certificate(&self) -> &Certificate {
        self.ca.certificate()
    }

    /// Returns the authority that signs.
    pub fn ca(&self) -> &Arc<EmbeddedCa> {
        &self.ca
    }

    /// Returns the register.
    pub fn register(&self) -> &Arc<dyn Register> {
        &self.register
    }

    /// Signs the list of what is on hold or revoked, DER. `number` must be larger than any before.
    ///
    /// # Errors
    /// [`CrlError`].
    pub async fn crl(
        &self,
        at: Timestamp,
        term: Duration,
        number: u64,
    ) -> Result<Vec<u8>, CrlError> {
        let entries = self.register.listed(at).await.map_err(CrlError::Register)?;
        let next = at
            .checked_add(term)
            .map_err(|_| CrlError::Times("a time is out of range"))?;
        self.blocking(move |ca| ca.crl(&entries, at, next, number))
            .await
            .unwrap_or(Err(CrlError::Ending))
    }

    /// Runs the token's work beside the async threads; nothing comes back where they end.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EmbeddedCa) -> T + Send + 'static,
    ) -> Option<T> {
        let ca = Arc::clone(&self.ca);
        tokio::task::spawn_blocking(move || work(&ca)).await.ok()
    }
}

#[async_trait]
impl CertificateAuthority for ServingCa {
    fn promises(&self) -> Promises {
        Promises {
            issues_on_hold: true,
            finds_again: true,
            withdraws_unconfirmed: false,
            sets_status: true,
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
        // Said before a chip makes a key for nothing.
        if order.profile.is_qualified() {
            let name = order.profile.name().to_owned();
            return Err(IssueError::Qualified { name }.into());
        }
        let mut name = vec![0; NAME];
        self.random.fill(&mut name).map_err(IssueError::Token)?;
        Ok(Exchange::from_bytes(name))
    }

    async fn submit(
        &self,
        order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError> {
        if exchange.as_bytes().len() != NAME {
            return Err(AuthorityError::Exchange);
        }
        if let Some(entry) = self.register.issued(exchange.as_bytes()).await? {
            return Ok(Answer::Issued(Box::new(entry.certificate)));
        }
        let order = order.clone();
        let made = self.blocking(move |ca| ca.issue(&order, at)).await;
        let made = made.ok_or_else(|| AuthorityError::Unanswered {
            reason: "the program is ending".into(),
        })??;
        // What was signed and not entered never leaves this function.
        let entry = self.register.enter(exchange.as_bytes(), &made, at).await?;
        Ok(Answer::Issued(Box::new(entry.certificate)))
    }

    async fn conclude(
        &self,
        _exchange: &Exchange,
        certificate: &Certificate,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        match verdict {
            Verdict::Accepted => Ok(()),
            Verdict::Rejected => {
                let status = Status::Revoked(RevocationReason::Superseded);
                self.set_status(certificate, status, at).await
            }
        }
    }

    async fn set_status(
        &self,
        certificate: &Certificate,
        status: Status,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        match self
            .register
            .set_status(certificate.serial(), status, at)
            .await
        {
            Err(error @ RegisterError::Revoked { .. }) => Err(AuthorityError::Refused {
                reason: error.to_string(),
            }),
            done => Ok(done?),
        }
    }
}

impl fmt::Debug for ServingCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServingCa({:?})", self.ca)
    }
}
