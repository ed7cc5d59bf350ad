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

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cert::request::Request;
use cert::{Certificate, PathVerifier};
use der::asn1::{Any, Int, Null, OctetString};
use der::{Decode, Encode};
use hsm::RandomSource;
use jiff::{SignedDuration, Timestamp};
use spki::SubjectPublicKeyInfoOwned;

use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};
use crate::cmp::body::{
    Body, CertOrEncCert, CertRepMessage, CertStatus, Enrolment, PollReqEntry, RevDetails,
    RevRepContent,
};
use crate::cmp::certificate_hash::certificate_hash;
use crate::cmp::config::{CmpConfig, CmpConfigError, CmpConfirmation, CmpProtection, CmpRequest};
use crate::cmp::crmf::{
    CertId, CertReqMsg, CertRequest, CertTemplate, OLD_CERT_ID, OptionalValidity,
    ProofOfPossession, name_field, serial,
};
use crate::cmp::header::{
    CERT_PROFILE, Header, IMPLICIT_CONFIRM, InfoTypeAndValue, VERSION_3, any, general_name,
    generalized_time, nobody,
};
use crate::cmp::identity::{CMC_CA, CMC_RA};
use crate::cmp::kept::{Kept, Poll};
use crate::cmp::message::CmpMessage;
use crate::cmp::protection::{Credential, ProtectionError};
use crate::cmp::revocation::reason_code;
use crate::cmp::server::positive;
use crate::cmp::status::{Failure, PkiStatusInfo, REJECTION, WAITING};
use crate::cmp::transport::Transport;
use crate::crl::RevocationReason;
use crate::to_be_signed::asn1_time;

/// The most transactions whose last answer is remembered.
const MOST: usize = 4096;
/// The longest that an authority may have us wait before the next poll.
const LONGEST_WAIT: u32 = 86_400;

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
    answered: Arc<Mutex<BTreeMap<Vec<u8>, Answered>>>,
}

/// The last answer in a transaction: what a confirmation needs.
#[derive(Clone)]
struct Answered {
    nonce: Option<OctetString>,
    certificate: Certificate,
    cert_req_id: i32,
    is_implicit: bool,
    concluded: Option<Verdict>,
}

/// What an answer comes to.
enum Outcome {
    Issued(Box<Answered>),
    Waiting { poll: Poll, after: Duration },
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

    /// Returns a header with a fresh nonce: of a new transaction, or of one that goes on and
    /// answers a nonce.
    fn header(
        &self,
        transaction: Option<&Header>,
        answers: Option<&OctetString>,
    ) -> Result<Header, AuthorityError> {
        let issuing = self.chain.last().map(Certificate::subject);
        let recipient = issuing
            .map_or_else(nobody, general_name)
            .map_err(encoding)?;
        let mut header = Header::new(self.credential.sender().map_err(encoding)?, recipient);
        header.sender_nonce = Some(self.fresh()?);
        header.transaction_id = match transaction {
            Some(earlier) => earlier.transaction_id.clone(),
            None => Some(self.fresh()?),
        };
        header.recip_nonce = answers
            .filter(|nonce| !nonce.as_bytes().is_empty())
            .cloned();
        Ok(header)
    }

    fn fresh(&self) -> Result<OctetString, AuthorityError> {
        let mut bytes = [0; 16];
        self.random
            .fill(&mut bytes)
            .map_err(ProtectionError::Token)
            .map_err(|error| not_protected(&error))?;
        OctetString::new(bytes).map_err(encoding)
    }

    /// Protects a message beside the async threads: the token may be slow.
    async fn protected(&self, header: Header, body: Body) -> Result<CmpMessage, AuthorityError> {
        let (credential, random) = (self.credential.clone(), Arc::clone(&self.random));
        let work = move || credential.protect(header, body, &*random);
        let made = tokio::task::spawn_blocking(work).await;
        let made = made.map_err(|_| AuthorityError::Unanswered {
            reason: "the program is ending".into(),
        })?;
        made.map_err(|error| not_protected(&error))
    }

    /// Sends a message, and returns the answer once it is the authority's to this one.
    async fn ask(
        &self,
        profile: &str,
        message: &CmpMessage,
        at: Timestamp,
    ) -> Result<CmpMessage, AuthorityError> {
        let url = self
            .config
            .endpoint(Some(profile))
            .map_err(|_| AuthorityError::Exchange)?;
        let sent = message.to_der().map_err(encoding)?;
        let came = self.transport.send(url, sent).await?;
        let answer = CmpMessage::parse(&came).map_err(|error| foreign(error.to_string()))?;
        self.check(message, &answer, at)?;
        Ok(answer)
    }

    /// Checks that an answer is the authority's, and to this message (*RFC 9483 §3.5*).
    fn check(
        &self,
        sent: &CmpMessage,
        answer: &CmpMessage,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        if answer.is_mac_protected() {
            let Credential::Mac(secret) = &self.credential else {
                return Err(foreign("a MAC, and there is no shared secret"));
            };
            answer
                .verify_mac(secret)
                .map_err(|error| unproved(answer, &error))?;
        } else {
            self.check_signer(answer, at)?;
        }
        if answer.header.transaction() != sent.header.transaction() {
            return Err(foreign("it is of another transaction"));
        }
        if answer.header.answered_nonce() != sent.header.nonce() {
            return Err(foreign(
                "it answers another message: recipNonce is not ours",
            ));
        }
        if let Some(time) = answer.header.time() {
            let most = SignedDuration::from_secs(self.config.clocks_seconds.into());
            if at.duration_since(time).abs() > most {
                return Err(foreign(format!(
                    "it says that it was made at {time}, and it is {at} here; compare the clocks"
                )));
            }
        }
        Ok(())
    }

    /// Checks that an answer is signed by whom the authority lets answer: a certificate that is
    /// named in the configuration, or one that the chain vouches for as an authority's own. A
    /// holder's certificate has the same chain, and must not answer for it.
    fn check_signer(&self, answer: &CmpMessage, at: Timestamp) -> Result<(), AuthorityError> {
        let beside = answer.certificates();
        let verify = |signer: &Certificate| {
            answer
                .verify_signature(signer)
                .map_err(|error| unproved(answer, &error))
        };
        if !self.responders.is_empty() {
            let sender = answer.header.sender_name();
            let mut named = self.responders.iter();
            let signer = named.find(|known| match beside.first() {
                Some(own) => own == *known,
                // One that is signed by itself may be left out.
                None => sender.as_ref() == Some(known.subject()),
            });
            let Some(signer) = signer else {
                return Err(unproved(answer, &"its signer is none of the responders"));
            };
            if !signer.validity().contains(at) {
                return Err(foreign("its signer's certificate does not hold now"));
            }
            return verify(signer);
        }
        let sender = answer.header.sender_name();
        let mut own = self.chain.iter();
        let signer = match beside.first() {
            Some(signer) => signer,
            None => own
                .find(|known| sender.as_ref() == Some(known.subject()))
                .ok_or_else(|| unproved(answer, &"its signer is not known"))?,
        };
        let purposes = &signer.extensions().extended_key_usage;
        let may =
            self.chain.contains(signer) || purposes.contains(&CMC_CA) || purposes.contains(&CMC_RA);
        if !may {
            return Err(unproved(
                answer,
                &"its signer may not answer for the authority",
            ));
        }
        verify(signer)?;
        let (anchors, between) = self.chain.split_at(1);
        let intermediates: Vec<Certificate> = between.iter().chain(&beside).cloned().collect();
        let verifier = PathVerifier {
            anchors,
            intermediates: &intermediates,
        };
        let path = verifier.verify(signer, at);
        path.map_err(|error| foreign(format!("its signer is not trusted: {error}")))?;
        Ok(())
    }

    /// Sends the request of an exchange, or polls; where a poll's transaction is not known any
    /// more, sends the request again.
    async fn turn(
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

    fn outcome(&self, request: &CmpMessage, answer: CmpMessage) -> Result<Outcome, AuthorityError> {
        let wanted = match &request.body {
            Body::Request(kind, _) => *kind,
            _ => Enrolment::Certification,
        };
        let nonce = answer.header.sender_nonce.clone();
        let is_implicit = answer.header.is_implicitly_confirmed();
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
                    entry.check_after.min(LONGEST_WAIT),
                ),
                _ => Err(foreign("a pollRep of one request was expected")),
            },
            // RFC 9483 §4.4: the whole request waits, not one certificate in it.
            Body::Error(content) if content.status.status == WAITING => waiting(-1, nonce, 0),
            Body::Error(content) => Err(self.refused(&content.status)),
            other => Err(foreign(format!("a body {} was not expected", other.name()))),
        }
    }

    fn response(
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
    fn refused(&self, status: &PkiStatusInfo) -> AuthorityError {
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

    fn remembered(&self, transaction: &[u8]) -> Option<Answered> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.get(transaction).cloned()
    }

    fn remember(&self, transaction: &[u8], answer: Answered) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        // What is forgotten is asked again.
        if answered.len() >= MOST {
            answered.clear();
        }
        answered.insert(transaction.to_vec(), answer);
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

/// The number of the one request in a message (*RFC 9483 §4.1.1*).
const CERT_REQ_ID: i32 = 0;

/// Returns a request by template: name, key and end are ours, everything else is the authority's.
fn templated(
    order: &CertificateOrder,
    kind: Enrolment,
    controls: Option<Vec<InfoTypeAndValue>>,
) -> der::Result<Body> {
    let spki = order
        .public_key
        .to_spki_der()
        .map_err(|_| der::Error::from(der::Tag::Sequence.value_error()))?;
    let template = CertTemplate {
        subject: Some(name_field(&order.subject)?),
        public_key: Some(SubjectPublicKeyInfoOwned::from_der(&spki)?),
        validity: asn1_time(order.not_after).map(|not_after| OptionalValidity {
            not_before: None,
            not_after: Some(not_after),
        }),
        ..CertTemplate::default()
    };
    let message = CertReqMsg {
        cert_req: CertRequest {
            cert_req_id: CERT_REQ_ID,
            cert_template: template,
            controls,
        },
        // The chip proved it to the registration authority (RFC 9483 §5.1.1).
        popo: Some(ProofOfPossession::RaVerified(Null)),
        reg_info: None,
    };
    Ok(Body::Request(kind, vec![message]))
}

/// Returns the chip's own request; it must ask for what is ordered, since the authority takes the
/// name from it.
fn pkcs10(order: &CertificateOrder) -> Result<Body, AuthorityError> {
    let refuse = |reason: &str| AuthorityError::Refused {
        reason: reason.to_owned(),
    };
    let der = order.request.as_ref();
    let der = der.ok_or_else(|| refuse("p10cr needs the chip's own PKCS#10 request"))?;
    let request = Request::parse_and_verify(der)
        .map_err(|error| refuse(&format!("the chip's request does not serve: {error}")))?;
    if *request.public_key() != order.public_key {
        return Err(refuse(
            "the chip's request is for another key than is ordered",
        ));
    }
    if *request.subject() != order.subject {
        return Err(refuse(
            "the chip's request names another subject than is ordered",
        ));
    }
    Ok(Body::Pkcs10(Any::from_der(der).map_err(encoding)?))
}

fn waiting(
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

fn foreign(reason: impl Into<String>) -> AuthorityError {
    AuthorityError::Foreign {
        reason: reason.into(),
    }
}

/// Returns why an answer proves nothing, with what it says if it is an error: anybody could have
/// said it, and a person may still want to read it.
fn unproved(answer: &CmpMessage, why: &dyn fmt::Display) -> AuthorityError {
    match &answer.body {
        Body::Error(content) => foreign(format!("{why}; it says: {}", content.status)),
        _ => foreign(why.to_string()),
    }
}

/// In theory only: what is written here was made here.
fn encoding(_: der::Error) -> AuthorityError {
    AuthorityError::Refused {
        reason: "the request does not encode".into(),
    }
}

fn not_protected(error: &ProtectionError) -> AuthorityError {
    AuthorityError::Unanswered {
        reason: format!("the request was not made: {error}"),
    }
}

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
                self.remember(request.header.transaction(), *answered);
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
            .remembered(transaction)
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
        self.remember(transaction, answered);
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
