//! The embedded authority's OCSP responder (*RFC 6960*): what its register says, signed by a key
//! that the authority appointed for it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cert::ocsp::{
    CertId, CertStatus, OCSP_SIGNING, OcspRequest, Refusal, SingleStatus, StatusReport, refusal,
};
use cert::{Certificate, PublicKey};
use hsm::{SignatureAlgorithm, Signer};
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::authority::Status;
use crate::crl::RevocationReason;
use crate::embedded::ServingCa;

mod router;

pub use router::{Clock, Published, router};

/// The code of `certificateHold` (*RFC 5280 §5.3.1*).
const HOLD: u8 = 6;

/// The most requests that are answered at a time. Anybody may ask, and each answer is a signature of
/// the token's: what comes beside them is to come later, and costs nothing.
const MOST: usize = 64;

/// Why a responder was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponderError {
    /// The certificate is not one of this authority's for this key.
    #[error("certificate {serial} does not make a responder: {reason}")]
    Certificate {
        /// Its serial number.
        serial: String,
        /// What does not fit.
        reason: &'static str,
    },
}

/// Says for an embedded authority where its certificates stand. Clones are the same one.
///
/// - What the register has: `good`, or `revoked` with time and reason; a hold is `revoked` with
///   `certificateHold`, and ends.
/// - What it does not have was never given out: `revoked` with `certificateHold` since 1970 (*RFC
///   6960 §2.2*, extended revoke), so that a forged certificate is refused also by those who take
///   `unknown` for "perhaps".
/// - Another authority's: `unknown`.
#[derive(Clone)]
pub struct OcspResponder {
    ca: ServingCa,
    certificate: Arc<RwLock<Arc<Certificate>>>,
    signer: Arc<dyn Signer>,
    algorithm: cert::SignatureAlgorithm,
    term: Duration,
    turns: Arc<Semaphore>,
}

impl OcspResponder {
    /// Returns the responder that answers with this certificate ([`crate::EmbeddedCa::appoint`])
    /// and its key; an answer may be kept for `term`.
    ///
    /// # Errors
    /// [`ResponderError`].
    pub fn new(
        ca: ServingCa,
        certificate: Certificate,
        signer: Arc<dyn Signer>,
        term: Duration,
    ) -> Result<Self, ResponderError> {
        check(&certificate, &ca, &*signer)?;
        let hash = match signer.algorithm() {
            SignatureAlgorithm::EcdsaP256Sha256 => cert::Hash::Sha256,
            SignatureAlgorithm::EcdsaP384Sha384 => cert::Hash::Sha384,
            _ => {
                return Err(refused(&certificate, "its key is no P-256 or P-384 key"));
            }
        };
        Ok(Self {
            ca,
            certificate: Arc::new(RwLock::new(Arc::new(certificate))),
            signer,
            algorithm: cert::SignatureAlgorithm::Ecdsa(hash),
            term,
            turns: Arc::new(Semaphore::new(MOST)),
        })
    }

    /// Returns the responder's certificate: [renew](Self::renew) it while it holds.
    pub fn certificate(&self) -> Arc<Certificate> {
        let held = self.certificate.read();
        Arc::clone(&held.unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers with a newer certificate of the same key from now on, all clones of it.
    ///
    /// # Errors
    /// [`ResponderError`]; the one before then stays.
    pub fn renew(&self, certificate: Certificate) -> Result<(), ResponderError> {
        check(&certificate, &self.ca, &*self.signer)?;
        let held = self.certificate.write();
        *held.unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
        Ok(())
    }

    /// Returns the authority.
    pub fn ca(&self) -> &ServingCa {
        &self.ca
    }

    /// Returns the answer to a request in DER; the answer may be a refusal, and is always one.
    pub async fn handle(&self, request: &[u8], at: Timestamp) -> Vec<u8> {
        match self.answer(request, at).await {
            Ok(answer) => answer,
            Err(fault) => refusal(fault),
        }
    }

    async fn answer(&self, request: &[u8], at: Timestamp) -> Result<Vec<u8>, Refusal> {
        let request = OcspRequest::parse(request).map_err(|_| Refusal::Malformed)?;
        let _turn = self.turns.try_acquire().map_err(|_| Refusal::TryLater)?;
        let certificate = self.certificate();
        if !certificate.validity().contains(at) {
            // An answer that nobody can believe.
            return Err(Refusal::TryLater);
        }
        // Whole seconds, which is what answers show.
        let this_update = Timestamp::from_second(at.as_second()).map_err(|_| Refusal::Internal)?;
        // Nobody believes it longer than the key that signs it.
        let next_update = this_update
            .checked_add(self.term)
            .map_err(|_| Refusal::Internal)?
            .min(certificate.validity().not_after);
        let mut report = StatusReport {
            produced_at: this_update,
            statuses: Vec::with_capacity(request.ids.len()),
            nonce: request.nonce,
            extended_revoke: false,
        };
        for id in request.ids {
            let (status, was_issued) = self.status(&id).await?;
            report.extended_revoke |= !was_issued;
            report.statuses.push(SingleStatus {
                id,
                status,
                this_update,
                next_update: Some(next_update),
            });
        }
        let internal = |_| Refusal::Internal;
        let signed = report.to_be_signed(&certificate).map_err(internal)?;
        let (signer, message) = (Arc::clone(&self.signer), signed.clone());
        let signature = tokio::task::spawn_blocking(move || signer.sign(&message))
            .await
            .map_err(|_| Refusal::TryLater)?
            .map_err(|_| Refusal::Internal)?;
        // What the token made is proved before anybody relies on it.
        certificate
            .public_key()
            .verify(self.algorithm, &signed, &signature)
            .map_err(|_| Refusal::Internal)?;
        StatusReport::assemble(&signed, self.algorithm, &signature, &certificate).map_err(internal)
    }

    /// Returns where a certificate stands, and whether it was issued, as far as this authority is
    /// asked.
    async fn status(&self, id: &CertId) -> Result<(CertStatus, bool), Refusal> {
        if !id.is_issued_by(self.ca.certificate()) {
            return Ok((CertStatus::Unknown, true));
        }
        let found = self.ca.register().standing(id.serial()).await;
        let Some((status, since)) = found.map_err(|_| Refusal::TryLater)? else {
            let status = CertStatus::Revoked {
                since: Timestamp::UNIX_EPOCH,
                reason: Some(HOLD),
            };
            return Ok((status, false));
        };
        let revoked = |reason: RevocationReason| CertStatus::Revoked {
            since,
            reason: Some(reason.number()),
        };
        let status = match status {
            Status::Good => CertStatus::Good,
            Status::OnHold => revoked(RevocationReason::CertificateHold),
            Status::Revoked(reason) => revoked(reason),
        };
        Ok((status, true))
    }
}

/// Checks that the authority appointed the signer's key by this certificate.
fn check(
    certificate: &Certificate,
    ca: &ServingCa,
    signer: &dyn Signer,
) -> Result<(), ResponderError> {
    let issuer = ca.certificate();
    if certificate.issuer() != issuer.subject()
        || certificate.verify_signature(issuer.public_key()).is_err()
    {
        return Err(refused(certificate, "the authority did not sign it"));
    }
    let purposes = &certificate.extensions().extended_key_usage;
    if !purposes.contains(&OCSP_SIGNING) {
        return Err(refused(certificate, "it is not for signing OCSP"));
    }
    let key = PublicKey::from_spki_der(signer.public_key_spki_der());
    if key.ok().as_ref() != Some(certificate.public_key()) {
        return Err(refused(certificate, "its key is not the one in the HSM"));
    }
    Ok(())
}

fn refused(certificate: &Certificate, reason: &'static str) -> ResponderError {
    ResponderError::Certificate {
        serial: certificate.serial_hex(),
        reason,
    }
}

impl fmt::Debug for OcspResponder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OcspResponder({:?})", self.certificate())
    }
}

#[cfg(test)]
mod tests;
