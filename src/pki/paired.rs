//! Two channels to one authority: one issues, the other keeps what the first cannot.

use std::sync::Arc;

use async_trait::async_trait;
use cert::Certificate;
use jiff::Timestamp;

use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};
use crate::crl::RevocationReason;

/// An authority that is asked for certificates over one protocol and told of their status over
/// another, as EST needs it.
#[derive(Clone, Debug)]
pub struct Paired {
    issues: Arc<dyn CertificateAuthority>,
    status: Arc<dyn CertificateAuthority>,
}

impl Paired {
    /// Returns the authority that `issues` issues for, and that `status` revokes for.
    pub fn new(
        issues: Arc<dyn CertificateAuthority>,
        status: Arc<dyn CertificateAuthority>,
    ) -> Self {
        Self { issues, status }
    }
}

#[async_trait]
impl CertificateAuthority for Paired {
    fn promises(&self) -> Promises {
        Promises {
            sets_status: self.status.promises().sets_status,
            ..self.issues.promises()
        }
    }

    fn chain(&self) -> &[Certificate] {
        self.issues.chain()
    }

    async fn prepare(
        &self,
        order: &CertificateOrder,
        at: Timestamp,
    ) -> Result<Exchange, AuthorityError> {
        self.issues.prepare(order, at).await
    }

    async fn submit(
        &self,
        order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError> {
        self.issues.submit(order, exchange, at).await
    }

    async fn conclude(
        &self,
        exchange: &Exchange,
        certificate: &Certificate,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        match self
            .issues
            .conclude(exchange, certificate, verdict, at)
            .await
        {
            // What the first cannot withdraw, the second revokes.
            Err(AuthorityError::SecondChannel { .. }) if verdict == Verdict::Rejected => {
                let status = Status::Revoked(RevocationReason::Superseded);
                self.status.set_status(certificate, status, at).await
            }
            done => done,
        }
    }

    async fn set_status(
        &self,
        certificate: &Certificate,
        status: Status,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        self.status.set_status(certificate, status, at).await
    }
}
