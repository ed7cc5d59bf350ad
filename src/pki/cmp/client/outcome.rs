//! What an answer to a request comes to.

use std::time::Duration;

use cert::Certificate;
use der::Encode;
use der::asn1::OctetString;
use jiff::Timestamp;

use super::CmpAuthority;
use super::conversation::{encoding, foreign};
use super::orders::CERT_REQ_ID;
use super::remembered::Answered;
use crate::authority::AuthorityError;
use crate::cmp::body::{Body, CertOrEncCert, CertRepMessage, Enrolment, PollReqEntry};
use crate::cmp::config::CmpConfirmation;
use crate::cmp::kept::{Kept, Poll};
use crate::cmp::message::CmpMessage;
use crate::cmp::status::{Failure, PkiStatusInfo, REJECTION, WAITING};

/// The longest that an authority may have us wait before the next poll.
pub(super) const LONGEST_WAIT: u32 = 86_400;

/// What an answer comes to.
pub(super) enum Outcome {
    Issued(Box<Answered>),
    Waiting { poll: Poll, after: Duration },
}

impl CmpAuthority {
    /// Sends the request of an exchange, or polls; where a poll's transaction is not known any
    /// more, sends the request again.
    pub(super) async fn turn(
        &self,
        kept: &Kept,
        request: &CmpMessage,
        at: Timestamp,
    ) -> Result<Outcome, AuthorityError> {
        if let Some(poll) = &kept.poll {
            let header = self.header(Some(&request.header), Some(&poll.nonce))?;
            let body = Body::PollRequest(vec![PollReqEntry {
                cert_req_id: poll.cert_req_id,
            }]);
            let message = self.protected(header, body).await?;
            let answer = self.ask(kept.profile(), &message, at).await?;
            let forgotten = match &answer.body {
                Body::Error(content) => {
                    content.status.has(Failure::BadRequest)
                        || content.status.has(Failure::BadRecipientNonce)
                }
                _ => false,
            };
            if !forgotten {
                return self.outcome(request, answer);
            }
        }
        let answer = self.ask(kept.profile(), request, at).await?;
        self.outcome(request, answer)
    }

    pub(super) fn outcome(
        &self,
        request: &CmpMessage,
        answer: CmpMessage,
    ) -> Result<Outcome, AuthorityError> {
        let wanted = match &request.body {
            Body::Request(kind, _) => *kind,
            _ => Enrolment::Certification,
        };
        let nonce = answer.header.sender_nonce.clone();
        // Granted where it was asked for, and not otherwise (RFC 9810 §5.1.1.1): else a certificate
        // that nobody confirms would stay.
        let is_implicit =
            request.header.is_implicitly_confirmed() && answer.header.is_implicitly_confirmed();
        match answer.body {
            Body::Response(kind, content) if kind == wanted => {
                let replaced = kind == Enrolment::KeyUpdate;
                match self.response(request, content, nonce, is_implicit) {
                    // It may be the replaced one that is revoked; a new request would change nothing.
                    Err(AuthorityError::Lost { reason }) if replaced => {
                        Err(AuthorityError::Refused { reason })
                    }
                    outcome => outcome,
                }
            }
            Body::PollResponse(entries) => match entries.as_slice() {
                [entry] => waiting(
                    entry.cert_req_id,
                    nonce,
                    // Of "at once" there would be no end.
                    entry.check_after.clamp(1, LONGEST_WAIT),
                ),
                _ => Err(foreign("a pollRep of one request was expected")),
            },
            // RFC 9483 §4.4: the whole request waits, not one certificate in it.
            Body::Error(content) if content.status.status == WAITING => waiting(-1, nonce, 0),
            Body::Error(content) => Err(self.refused(&content.status)),
            other => Err(foreign(format!("a body {} was not expected", other.name()))),
        }
    }

    pub(super) fn response(
        &self,
        request: &CmpMessage,
        content: CertRepMessage,
        nonce: Option<OctetString>,
        is_implicit: bool,
    ) -> Result<Outcome, AuthorityError> {
        let Ok([response]) = <[_; 1]>::try_from(content.response) else {
            return Err(foreign("the answer to one request was expected"));
        };
        let id = response.cert_req_id;
        // A PKCS#10 request has no number: authorities say -1, and older ones 0.
        let is_ours = match &request.body {
            Body::Pkcs10(_) => matches!(id, -1 | 0),
            _ => id == CERT_REQ_ID,
        };
        if !is_ours {
            return Err(foreign("its certReqId is not the request's"));
        }
        if response.status.status == WAITING {
            return waiting(id, nonce, 0);
        }
        if response.status.status == REJECTION {
            return Err(self.refused(&response.status));
        }
        if !response.status.is_granted() {
            return Err(foreign(format!("{} with a certificate", response.status)));
        }
        let pair = response
            .certified_key_pair
            .map(|pair| pair.cert_or_enc_cert);
        let certificate = match pair {
            Some(CertOrEncCert::Certificate(certificate)) => certificate,
            Some(CertOrEncCert::Encrypted(_)) => {
                return Err(foreign(
                    "its certificate is encrypted, which was not asked for",
                ));
            }
            None => return Err(foreign("it grants a certificate and has none")),
        };
        let certificate = certificate.to_der().map_err(encoding)?;
        let certificate = Certificate::parse(&certificate)
            .map_err(|error| foreign(format!("its certificate does not read: {error}")))?;
        Ok(Outcome::Issued(Box::new(Answered {
            nonce,
            certificate,
            cert_req_id: id,
            is_implicit,
            concluded: None,
        })))
    }

    /// Returns what a rejection means.
    pub(super) fn refused(&self, status: &PkiStatusInfo) -> AuthorityError {
        let reason = status.to_string();
        let has_any = |failures: &[Failure]| failures.iter().any(|failure| status.has(*failure));
        if has_any(&[Failure::TransactionIdInUse, Failure::DuplicateCertReq]) {
            // It may have issued. Where certificates are confirmed, this one never will be, and is
            // withdrawn; where not, somebody must look.
            return match self.config.confirmation {
                CmpConfirmation::Explicit => AuthorityError::Lost { reason },
                CmpConfirmation::Implicit => AuthorityError::Unanswered { reason },
            };
        }
        if has_any(&[Failure::CertRevoked]) {
            return AuthorityError::Lost { reason };
        }
        if has_any(&[
            Failure::SystemUnavail,
            Failure::SystemFailure,
            Failure::TimeNotAvailable,
            Failure::BadTime,
        ]) {
            return AuthorityError::Unanswered { reason };
        }
        AuthorityError::Refused { reason }
    }
}

pub(super) fn waiting(
    cert_req_id: i32,
    nonce: Option<OctetString>,
    seconds: u32,
) -> Result<Outcome, AuthorityError> {
    let nonce = match nonce {
        Some(nonce) => nonce,
        None => OctetString::new([]).map_err(encoding)?,
    };
    Ok(Outcome::Waiting {
        poll: Poll { cert_req_id, nonce },
        after: Duration::from_secs(seconds.into()),
    })
}
