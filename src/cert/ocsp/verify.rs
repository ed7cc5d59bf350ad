//! Whether an answer is the authority's, to this question, and of now (*RFC 6960 §3.2*).

use jiff::{SignedDuration, Timestamp};

use super::response::{ResponderId, key_hash};
use super::{CertStatus, OCSP_SIGNING, OcspRequest, OcspResponse};
use crate::certificate::Certificate;
use crate::signature::SignatureError;

/// How far a responder's clock may be from ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// How old an answer may be that does not say when the next one comes: its responder could have
/// made a new one at any time.
const UNDATED: SignedDuration = SignedDuration::from_hours(1);

/// Why an answer is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspVerifyError {
    /// Neither the issuer nor a responder of its own is the one that is named.
    #[error("the response names a responder that is neither the issuer nor one that it appointed")]
    Responder,
    /// The responder's certificate is not one of the issuer's for this purpose, or not now.
    #[error("certificate {serial} is no responder's of this issuer now: {reason}")]
    Appointment {
        /// The responder's certificate.
        serial: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// It is not signed by its responder.
    #[error("the response is not signed by its responder")]
    Signature(#[source] SignatureError),
    /// The nonce is not the request's: an older answer, or one to somebody else.
    #[error("the response is not to this request: its nonce is another or missing")]
    Nonce,
    /// It says nothing of a certificate that was asked about.
    #[error("the response says nothing of certificate {serial}")]
    Missing {
        /// The certificate.
        serial: String,
    },
    /// It was made in the future, or would have been replaced by now.
    #[error("the response is of {this_update}: not of now")]
    Stale {
        /// When its status was known.
        this_update: Timestamp,
    },
}

/// Whose key signed an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responder {
    /// The authority's own.
    Issuer,
    /// That of a responder which it appointed (*§4.2.2.2*).
    Delegated,
}

impl OcspResponse {
    /// Verifies an answer to `request` as of `at`: signed by `issuer`, or by a responder whose
    /// certificate the issuer itself signed for that (`id-kp-OCSPSigning`), and about every
    /// certificate that was asked about. Returns the statuses in the order of the request.
    ///
    /// A responder's certificate without `id-pkix-ocsp-nocheck` would need a status of its own,
    /// and is refused.
    ///
    /// # Errors
    /// [`OcspVerifyError`].
    pub fn verify(
        &self,
        request: &OcspRequest,
        issuer: &Certificate,
        at: Timestamp,
    ) -> Result<(Vec<CertStatus>, Responder), OcspVerifyError> {
        let responder = self.verify_signature(issuer, at)?;
        if request.nonce.is_some() && request.nonce != self.nonce {
            return Err(OcspVerifyError::Nonce);
        }
        let mut statuses = Vec::with_capacity(request.ids.len());
        for id in &request.ids {
            let mut said = self.statuses.iter();
            let said = said.find(|said| said.id.is_same(id));
            let said = said.ok_or_else(|| OcspVerifyError::Missing {
                serial: hex::encode(id.serial()),
            })?;
            let next = match said.next_update {
                Some(next) => next,
                None => said
                    .this_update
                    .saturating_add(UNDATED)
                    .unwrap_or(said.this_update),
            };
            let early = said.this_update.duration_since(at) > CLOCKS;
            let late = at.duration_since(next) > CLOCKS;
            if early || late {
                return Err(OcspVerifyError::Stale {
                    this_update: said.this_update,
                });
            }
            statuses.push(said.status);
        }
        Ok((statuses, responder))
    }

    fn verify_signature(
        &self,
        issuer: &Certificate,
        at: Timestamp,
    ) -> Result<Responder, OcspVerifyError> {
        let is_named = |certificate: &&Certificate| match &self.responder {
            ResponderId::Name(name) => certificate.subject() == name,
            ResponderId::Key(hash) => key_hash(certificate).is_ok_and(|key| key == *hash),
        };
        let signs = |certificate: &Certificate| {
            certificate
                .public_key()
                .verify(self.algorithm, &self.tbs, &self.signature)
                .map_err(OcspVerifyError::Signature)
        };
        let mut fault = OcspVerifyError::Responder;
        if is_named(&issuer) {
            match signs(issuer) {
                Ok(()) => return Ok(Responder::Issuer),
                // A responder may have its issuer's name.
                Err(error) => fault = error,
            }
        }
        for certificate in self.certificates.iter().filter(is_named) {
            let told = appointed(certificate, issuer, at).and_then(|()| signs(certificate));
            match told {
                Ok(()) => return Ok(Responder::Delegated),
                Err(error) => fault = error,
            }
        }
        Err(fault)
    }
}

/// Checks that the issuer itself appointed this responder, and that it still is one.
fn appointed(
    certificate: &Certificate,
    issuer: &Certificate,
    at: Timestamp,
) -> Result<(), OcspVerifyError> {
    let refuse = |reason| OcspVerifyError::Appointment {
        serial: certificate.serial_hex(),
        reason,
    };
    let extensions = certificate.extensions();
    let signs = extensions.key_usage;
    if certificate.issuer() != issuer.subject()
        || certificate.verify_signature(issuer.public_key()).is_err()
    {
        return Err(refuse("the issuer did not sign it"));
    }
    if !extensions.extended_key_usage.contains(&OCSP_SIGNING) {
        return Err(refuse("it is not for signing OCSP"));
    }
    if signs.is_some_and(|usage| !usage.digital_signature()) {
        return Err(refuse("its key may not sign"));
    }
    if !certificate.validity().contains(at) {
        return Err(refuse("it does not hold now"));
    }
    if !extensions.unknown_critical.is_empty() {
        return Err(refuse("a critical extension of it is not understood"));
    }
    if !extensions.ocsp_no_check {
        return Err(refuse(
            "it would have to be checked itself (no ocsp-nocheck)",
        ));
    }
    Ok(())
}
