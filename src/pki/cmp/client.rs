//! A certification authority that is asked over CMP.
//!
//! ```text
//!   prepare ─► ir cr p10cr kur, protected ─► submit ─► ip cp kup ─► conclude ─► certConf ─► pkiconf
//!                                              │ waiting
//!                                              └─► pollReq ─► pollRep
//! ```
//!
//! What goes out again after a lost answer are the same bytes: same transaction, same nonce. They
//! carry no time, since it may be hours later. The nonce of the answer, to which the confirmation
//! answers, is not in the exchange: after a restart the request is sent again to learn it, where
//! the authority finds it again; where not, the confirmation goes without, since a second request
//! could be a second certificate.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cert::Certificate;
use der::asn1::{Int, Null, OctetString};
use hsm::RandomSource;
use jiff::Timestamp;

use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};
use crate::cmp::body::{Body, CertStatus, Enrolment, RevDetails, RevRepContent};
use crate::cmp::certificate_hash::certificate_hash;
use crate::cmp::client::conversation::{encoding, foreign};
use crate::cmp::client::orders::{CERT_REQ_ID, pkcs10, templated};
use crate::cmp::client::outcome::Outcome;
use crate::cmp::client::remembered::{Answered, Remembered};
use crate::cmp::config::{CmpConfig, CmpConfigError, CmpConfirmation, CmpProtection, CmpRequest};
use crate::cmp::crmf::{CertId, CertTemplate, OLD_CERT_ID, name_field, serial};
use crate::cmp::header::{
    CERT_PROFILE, IMPLICIT_CONFIRM, InfoTypeAndValue, VERSION_3, any, general_name,
    generalized_time,
};
use crate::cmp::kept::Kept;
use crate::cmp::message::CmpMessage;
use crate::cmp::protection::Credential;
use crate::cmp::revocation::reason_code;
use crate::cmp::server::positive;
use crate::cmp::status::{Failure, PkiStatusInfo, WAITING};
use crate::cmp::transport::Transport;
use crate::crl::RevocationReason;

mod conversation;
mod orders;
mod outcome;
mod remembered;

/// What an authority is reached with, beside its configuration.
#[derive(Debug)]
pub struct CmpParts {
    /// What protects our messages; of the kind that the configuration names.
    pub credential: Credential,
    /// The authority's certificates: its anchor first, then what stands between it and a holder's.
    pub chain: Vec<Certificate>,
    /// The certificates that may sign answers; empty where the chain vouches for them.
    pub responders: Vec<Certificate>,
    /// The anchors for `https`.
    pub tls_anchors: Vec<Certificate>,
}

/// A certification authority that is asked over CMP. Clones are the same one.
#[derive(Clone)]
pub struct CmpAuthority {
    config: Arc<CmpConfig>,
    credential: Credential,
    chain: Arc<[Certificate]>,
    responders: Arc<[Certificate]>,
    transport: Transport,
    random: Arc<dyn RandomSource>,
    answered: Arc<Remembered>,
}

impl CmpAuthority {
    /// Returns the authority that a configuration describes.
    ///
    /// # Errors
    /// [`CmpConfigError`].
    pub fn new(
        config: CmpConfig,
        parts: CmpParts,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, CmpConfigError> {
        config.check()?;
        let missing = |what| Err(CmpConfigError::Missing { what });
        match (&config.protection, &parts.credential) {
            (CmpProtection::Mac { reference, .. }, Credential::Mac(secret))
                if reference.as_bytes() == secret.reference() => {}
            (CmpProtection::Signature { .. }, Credential::Signature(_)) => {}
            _ => return missing("the credential that [protection] names"),
        }
        if parts.chain.is_empty() {
            return missing("the authority's certificates (chain_file)");
        }
        let is_https = config.endpoint(None)?.scheme() == "https";
        if is_https && parts.tls_anchors.is_empty() {
            return missing("the anchors for https (tls_anchors_file)");
        }
        Ok(Self {
            transport: Transport::new(&config, &parts.tls_anchors)?,
            config: Arc::new(config),
            credential: parts.credential,
            chain: parts.chain.into(),
            responders: parts.responders.into(),
            random,
            answered: Arc::default(),
        })
    }

    /// Makes the exchange for an order in the place of `replaced`, which the authority issued
    /// (`kur`, *RFC 9483 §4.1.3*; the registration authority signs, and names the certificate).
    /// It is submitted and concluded like any other.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub async fn prepare_renewal(
        &self,
        order: &CertificateOrder,
        replaced: &Certificate,
    ) -> Result<Exchange, AuthorityError> {
        let named = || {
            let id = CertId {
                issuer: general_name(replaced.issuer())?,
                serial_number: Int::new(&positive(replaced.serial()))?,
            };
            any(&id)
        };
        let control = InfoTypeAndValue {
            info_type: OLD_CERT_ID,
            info_value: Some(named().map_err(encoding)?),
        };
        let body = templated(order, Enrolment::KeyUpdate, Some(vec![control])).map_err(encoding)?;
        self.prepared(order, body).await
    }

    async fn prepared(
        &self,
        order: &CertificateOrder,
        body: Body,
    ) -> Result<Exchange, AuthorityError> {
        let profile = self.config.profile_name(order.profile.name()).to_owned();
        let mut header = self.header(None, None)?;
        if self.config.confirmation == CmpConfirmation::Implicit {
            header.inform(IMPLICIT_CONFIRM, any(&Null).map_err(encoding)?);
        }
        if self.config.names_profile_in_header() {
            let names = any(&vec![profile.clone()]).map_err(encoding)?;
            header.inform(CERT_PROFILE, names);
        }
        let message = self.protected(header, body).await?;
        Kept::new(&profile, &message)
            .and_then(|kept| kept.exchange())
            .map_err(encoding)
    }

    /// Sends the word on a certificate. Where the authority may have confirmed it implicitly, it
    /// may know of no transaction to which the word belongs.
    async fn confirm(
        &self,
        kept: &Kept,
        request: &CmpMessage,
        answered: &Answered,
        (verdict, may_be_implicit): (Verdict, bool),
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        let (hash, hash_alg) = certificate_hash(&answered.certificate);
        let mut header = self.header(Some(&request.header), answered.nonce.as_ref())?;
        if hash_alg.is_some() {
            header.pvno = VERSION_3;
        }
        let rejected = || {
            let words = "the certificate is not the one that was ordered";
            PkiStatusInfo::rejected(Failure::BadCertTemplate, words)
        };
        let status = CertStatus {
            cert_hash: OctetString::new(hash).map_err(encoding)?,
            cert_req_id: answered.cert_req_id,
            status_info: (verdict == Verdict::Rejected).then(rejected),
            hash_alg,
        };
        let body = Body::CertificateConfirmation(vec![status]);
        let message = self.protected(header, body).await?;
        let answer = self.ask(kept.profile(), &message, at).await?;
        match (&answer.body, verdict) {
            (Body::Confirmation, _) => Ok(()),
            (Body::Error(content), Verdict::Accepted)
                if content.status.has(Failure::CertConfirmed)
                    || (may_be_implicit && content.status.has(Failure::BadRequest)) =>
            {
                Ok(())
            }
            (Body::Error(content), Verdict::Rejected)
                if content.status.has(Failure::CertRevoked) =>
            {
                Ok(())
            }
            (Body::Error(content), _) => Err(self.refused(&content.status)),
            (other, _) => Err(foreign(format!("a body {} was not expected", other.name()))),
        }
    }
}

/// The profile of a message that asks for no certificate.
const NO_PROFILE: &str = "";

#[async_trait]
impl CertificateAuthority for CmpAuthority {
    fn promises(&self) -> Promises {
        Promises {
            issues_on_hold: self.config.issues_on_hold,
            finds_again: self.config.finds_again,
            withdraws_unconfirmed: self.config.confirmation == CmpConfirmation::Explicit,
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
        let body = match self.config.request {
            CmpRequest::Ir => {
                templated(order, Enrolment::Initialization, None).map_err(encoding)?
            }
            CmpRequest::Cr => templated(order, Enrolment::Certification, None).map_err(encoding)?,
            CmpRequest::P10cr => pkcs10(order)?,
        };
        self.prepared(order, body).await
    }

    async fn submit(
        &self,
        _order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError> {
        let (mut kept, request) = Kept::read(exchange)?;
        match self.turn(&kept, &request, at).await? {
            Outcome::Issued(answered) => {
                let certificate = answered.certificate.clone();
                self.answered.put(request.header.transaction(), *answered);
                Ok(Answer::Issued(Box::new(certificate)))
            }
            Outcome::Waiting { poll, after } => {
                kept.poll = Some(poll);
                Ok(Answer::Waiting {
                    exchange: kept.exchange().map_err(encoding)?,
                    after,
                })
            }
        }
    }

    async fn conclude(
        &self,
        exchange: &Exchange,
        certificate: &Certificate,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        let (kept, request) = Kept::read(exchange)?;
        let transaction = request.header.transaction();
        let revoked = Status::Revoked(RevocationReason::Superseded);
        let remembered = self
            .answered
            .get(transaction)
            .filter(|answered| answered.certificate == *certificate);
        let is_remembered = remembered.is_some();
        let mut answered = match remembered {
            Some(answered) => answered,
            None if !self.config.finds_again => Answered {
                nonce: None,
                certificate: certificate.clone(),
                cert_req_id: match request.body {
                    Body::Pkcs10(_) => -1,
                    _ => CERT_REQ_ID,
                },
                is_implicit: false,
                concluded: None,
            },
            None => match (self.turn(&kept, &request, at).await, verdict) {
                (Ok(Outcome::Issued(answered)), _) if answered.certificate == *certificate => {
                    *answered
                }
                (Ok(Outcome::Issued(_)), _) => {
                    return Err(foreign("it gave another certificate for the same request"));
                }
                (Ok(Outcome::Waiting { .. }), _) => {
                    return Err(foreign("it issued before, and has the request wait now"));
                }
                (Err(error), Verdict::Rejected) if !error.is_passing() => {
                    return self.set_status(certificate, revoked, at).await;
                }
                (Err(error), _) => return Err(error),
            },
        };
        // Whether it was granted is not known any more: an authority that granted it knows of
        // nothing to be confirmed.
        let may_be_implicit =
            !is_remembered && self.config.confirmation == CmpConfirmation::Implicit;
        if answered.concluded == Some(verdict) {
            return Ok(());
        }
        match (answered.is_implicit, verdict) {
            (true, Verdict::Accepted) => {}
            // It counts as confirmed, so that only revoking it withdraws it.
            (true, Verdict::Rejected) => self.set_status(certificate, revoked, at).await?,
            (false, _) => {
                let said = self
                    .confirm(&kept, &request, &answered, (verdict, may_be_implicit), at)
                    .await;
                match said {
                    Err(AuthorityError::Refused { .. }) if verdict == Verdict::Rejected => {
                        self.set_status(certificate, revoked, at).await?;
                    }
                    said => said?,
                }
            }
        }
        answered.concluded = Some(verdict);
        self.answered.put(transaction, answered);
        Ok(())
    }

    async fn set_status(
        &self,
        certificate: &Certificate,
        status: Status,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        let details = || {
            Ok(RevDetails {
                cert_details: CertTemplate {
                    serial_number: Some(Int::new(&positive(certificate.serial()))?),
                    issuer: Some(name_field(certificate.issuer())?),
                    ..CertTemplate::default()
                },
                crl_entry_details: Some(vec![reason_code(status)?]),
            })
        };
        let mut header = self.header(None, None)?;
        header.message_time = generalized_time(at);
        let body = Body::Revocation(vec![details().map_err(encoding)?]);
        let message = self.protected(header, body).await?;
        let answer = self.ask(NO_PROFILE, &message, at).await?;
        let said = match &answer.body {
            Body::RevocationResponse(RevRepContent {
                status, rev_certs, ..
            }) => {
                let names_another = rev_certs
                    .iter()
                    .flatten()
                    .any(|id| serial(&id.serial_number) != Some(certificate.serial()));
                match status.as_slice() {
                    [only] if !names_another => only,
                    _ => return Err(foreign("it is about another certificate")),
                }
            }
            Body::Error(content) => &content.status,
            other => {
                return Err(foreign(format!("a body {} was not expected", other.name())));
            }
        };
        // revocationWarning and revocationNotification are said of what is done (RFC 9810 §5.2.3).
        let is_done = said.is_granted() || matches!(said.status, 4 | 5);
        // Nobody relies on what is revoked: that is all that a hold is for.
        let is_so_already = said.has(Failure::CertRevoked) && status != Status::Good;
        match said.status {
            _ if is_done || is_so_already => Ok(()),
            WAITING => Err(AuthorityError::Unanswered {
                reason: "the authority takes its time with the revocation".into(),
            }),
            _ if said.has(Failure::CertRevoked) => Err(AuthorityError::Refused {
                reason: said.to_string(),
            }),
            _ => Err(self.refused(said)),
        }
    }
}

impl fmt::Debug for CmpAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CmpAuthority({:?})", self.config.url)
    }
}
