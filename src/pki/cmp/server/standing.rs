//! What becomes of certificates that are there: confirmed, revoked, withdrawn.

use cert::Certificate;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::enrolment::check_nonce;
use super::party::Party;
use super::{CmpServer, Refusal, Reply, encoding};
use crate::authority::{CertificateAuthority, Status};
use crate::cmp::body::{Body, CertStatus, RevDetails, RevRepContent};
use crate::cmp::certificate_hash::named_hash;
use crate::cmp::crmf::CertId;
use crate::cmp::header::{VERSION_3, general_name};
use crate::cmp::message::CmpMessage;
use crate::cmp::revocation::wanted_status;
use crate::cmp::status::{ACCEPTED, Failure, PkiStatusInfo};
use crate::crl::RevocationReason;
use crate::register::{Entry, RegisterError};

/// What a certificate that its requester did not take is revoked for.
const WITHDRAWN: Status = Status::Revoked(RevocationReason::Superseded);

impl CmpServer {
    /// Takes a requester's word on its certificate (*RFC 9810 §5.3.18*). The same word again is
    /// taken again, and changes nothing.
    pub(super) async fn confirm(
        &self,
        party: &Party,
        message: &CmpMessage,
        statuses: &[CertStatus],
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        let refuse = |failure, words: &str| Err(Refusal::new(failure, words));
        let exchange = Self::exchange(party, message);
        let turn = self.live.find(&exchange);
        if let Some(turn) = &turn {
            check_nonce(message, turn)?;
        }
        let _settling = self.settling.lock().await;
        let Some(entry) = self.ca.register().issued(&exchange).await? else {
            return refuse(
                Failure::BadRequest,
                "no certificate was issued in this transaction",
            );
        };
        let certificate = &entry.certificate;
        let is_accepted = match statuses {
            // Nothing is accepted (§5.3.18).
            [] => false,
            [status] => {
                if turn.is_some_and(|turn| turn.wish.cert_req_id != status.cert_req_id) {
                    return refuse(Failure::BadRequest, "the certReqId is not the request's");
                }
                check_hash(message, status, certificate)?;
                let info = status.status_info.as_ref();
                info.is_none_or(PkiStatusInfo::is_granted)
            }
            _ => return refuse(Failure::BadRequest, "the transaction has one certificate"),
        };
        if !is_accepted {
            self.withdraw(&exchange, certificate, at).await?;
            return Ok(Body::Confirmation.into());
        }
        if matches!(entry.status, Status::Revoked(_)) {
            return refuse(Failure::CertRevoked, "the certificate was withdrawn");
        }
        match self.confirmations.expected(&exchange).await? {
            // Confirmed before.
            None => {}
            Some(until) if at > until => {
                self.withdraw(&exchange, certificate, at).await?;
                return refuse(
                    Failure::CertRevoked,
                    "the certificate was not confirmed in time, and is withdrawn",
                );
            }
            Some(_) => self.finish(&exchange, certificate, at).await?,
        }
        Ok(Body::Confirmation.into())
    }

    /// Puts a certificate in use that its requester took.
    pub(super) async fn finish(
        &self,
        exchange: &[u8; 16],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        if !self.policy.issues_on_hold {
            let register = self.ca.register();
            register
                .set_status(certificate.serial(), Status::Good, at)
                .await?;
        }
        Ok(self.confirmations.settle(exchange).await?)
    }

    async fn withdraw(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<(), RegisterError> {
        let register = self.ca.register();
        match register
            .set_status(certificate.serial(), WITHDRAWN, at)
            .await
        {
            Ok(()) | Err(RegisterError::Revoked { .. }) => {}
            Err(error) => return Err(error),
        }
        self.confirmations.settle(exchange).await
    }

    /// Revokes what was not confirmed in time, and returns how many certificates that were. To be
    /// called now and then.
    ///
    /// # Errors
    /// [`RegisterError`]; what was not swept is the next time.
    pub async fn sweep(&self, at: Timestamp) -> Result<usize, RegisterError> {
        let mut swept = 0;
        for exchange in self.confirmations.overdue(at).await? {
            let _settling = self.settling.lock().await;
            // It may have been confirmed since.
            let until = self.confirmations.expected(&exchange).await?;
            if until.is_none_or(|until| until >= at) {
                continue;
            }
            match self.ca.register().issued(&exchange).await? {
                None => self.confirmations.forget(&exchange, at).await?,
                Some(entry) => {
                    self.withdraw(&exchange, &entry.certificate, at).await?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Moves a certificate as `rr` asks (*RFC 9810 §5.3.9*, *RFC 9483 §4.2*). A time is wanted: a
    /// message that was once sent must not lift a later hold.
    pub(super) async fn revoke(
        &self,
        party: &Party,
        message: &CmpMessage,
        details: &[RevDetails],
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        let Some(time) = message.header.time() else {
            let words = "a revocation request says when it was made";
            return Err(Refusal::new(Failure::BadTime, words));
        };
        let [details] = details else {
            let words = "a message revokes one certificate";
            return Err(Refusal::new(Failure::BadRequest, words));
        };
        let (status, rev_certs) = match self.moved(party, message, details, (time, at)).await {
            Ok(entry) => {
                let id = CertId {
                    issuer: general_name(entry.certificate.issuer()).map_err(encoding)?,
                    serial_number: der::asn1::Int::new(&positive(entry.certificate.serial()))
                        .map_err(encoding)?,
                };
                (PkiStatusInfo::plain(ACCEPTED), Some(vec![id]))
            }
            Err(refusal) => (
                PkiStatusInfo::rejected(refusal.failure, &refusal.words),
                None,
            ),
        };
        Ok(Body::RevocationResponse(RevRepContent {
            status: vec![status],
            rev_certs,
            crls: None,
        })
        .into())
    }

    async fn moved(
        &self,
        party: &Party,
        message: &CmpMessage,
        details: &RevDetails,
        (time, at): (Timestamp, Timestamp),
    ) -> Result<Entry, Refusal> {
        let refuse = |failure, words: &str| Err(Refusal::new(failure, words));
        let template = &details.cert_details;
        let (Some(number), Some(_)) = (&template.serial_number, &template.issuer) else {
            let words = "a certificate is named by its issuer and its serial number";
            return refuse(Failure::BadCertTemplate, words);
        };
        self.check_issuer(template)?;
        let Some(wanted) = wanted_status(details.crl_entry_details.as_deref()) else {
            return refuse(
                Failure::BadRequest,
                "the reason is none for a holder's certificate",
            );
        };
        let Some(entry) = self.registered(number).await? else {
            return refuse(Failure::BadCertId, "there is no such certificate");
        };
        match party {
            Party::Client(client) if client.is_registration_authority => {}
            Party::Holder(own)
                if own.certificate == entry.certificate && wanted != Status::Good => {}
            _ => return refuse(Failure::NotAuthorized, "the certificate is another's"),
        }
        if matches!(entry.status, Status::Revoked(_)) {
            return refuse(Failure::CertRevoked, "the certificate is revoked already");
        }
        let name = Self::order_name(party, message);
        let again = || {
            let words = "this revocation request came before; make a new one";
            Refusal::new(Failure::TransactionIdInUse, words)
        };
        let _obeyed = self.live.obey(name).ok_or_else(again)?;
        // Remembered as long as its time is accepted, also after a restart. Nothing is issued under
        // its name, so that the sweep forgets it.
        if self.confirmations.expected(&name).await?.is_some() {
            return Err(again());
        }
        let clocks = SignedDuration::try_from(self.policy.clocks).unwrap_or(SignedDuration::MAX);
        let until = time.checked_add(clocks).unwrap_or(Timestamp::MAX);
        self.confirmations.expect(&name, until).await?;
        self.ca.set_status(&entry.certificate, wanted, at).await?;
        Ok(entry)
    }
}

/// Checks that a confirmation is for this certificate.
fn check_hash(
    message: &CmpMessage,
    status: &CertStatus,
    certificate: &Certificate,
) -> Result<(), Refusal> {
    if status.hash_alg.is_some() && message.header.pvno < VERSION_3 {
        let words = "hashAlg is of version 3";
        return Err(Refusal::new(Failure::BadDataFormat, words));
    }
    let Some(hash) = named_hash(certificate, status.hash_alg.as_ref()) else {
        let words = "the hash algorithm is not known here";
        return Err(Refusal::new(Failure::BadAlg, words));
    };
    if bool::from(hash.ct_eq(status.cert_hash.as_bytes())) {
        Ok(())
    } else {
        let words = "the hash is another certificate's";
        Err(Refusal::new(Failure::BadCertId, words))
    }
}

/// Returns a serial number as INTEGER has it: with a zero byte before a set top bit.
pub(crate) fn positive(serial: &[u8]) -> Vec<u8> {
    let sign = serial.first().is_some_and(|first| *first >= 0x80);
    let mut bytes = vec![0; usize::from(sign)];
    bytes.extend(serial);
    bytes
}
