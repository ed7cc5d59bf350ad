//! Requests for certificates: `ir`, `cr`, `kur`, `p10cr`, and polling.

use std::sync::Arc;

use cert::request::{Request, RequestError};
use cert::{Certificate, DistinguishedName, PublicKey};
use der::asn1::{Any, Int};
use der::{Decode, Encode};
use jiff::{SignedDuration, Timestamp};
use spki::AlgorithmIdentifierOwned;

use super::live::{Turn, Wish};
use super::party::Party;
use super::{CmpServer, Confirmation, Refusal, Reply, encoding};
use crate::authority::{Answer, CertificateAuthority, CertificateOrder, Exchange, Status};
use crate::cmp::body::{
    Body, CertOrEncCert, CertRepMessage, CertResponse, CertifiedKeyPair, Enrolment, PollRepEntry,
    PollReqEntry,
};
use crate::cmp::crmf::{self, CertId, CertReqMsg, CertTemplate, OLD_CERT_ID, ProofOfPossession};
use crate::cmp::header::directory_name;
use crate::cmp::message::CmpMessage;
use crate::cmp::protection::signature_algorithm;
use crate::cmp::status::{ACCEPTED, Failure, GRANTED_WITH_MODS, PkiStatusInfo, WAITING};
use crate::judge::judge;
use crate::profile::CertificateProfile;
use crate::register::Entry;

impl CmpServer {
    /// Answers a request for a certificate. What is wrong with the request itself is told in the
    /// response's own status.
    pub(super) async fn enrol(
        &self,
        party: &Party,
        message: &CmpMessage,
        path_profile: Option<&str>,
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        let (kind, cert_req_id) = match &message.body {
            Body::Request(kind, messages) => {
                let [request] = messages.as_slice() else {
                    let words = "a message has one request";
                    return Err(Refusal::new(Failure::BadRequest, words));
                };
                (*kind, request.cert_req.cert_req_id)
            }
            // RFC 9810 §5.3.4: a PKCS#10 request has no number of its own.
            _ => (Enrolment::Certification, -1),
        };
        let done = match self.wish(party, message, path_profile).await {
            Ok(wish) => self.grant(party, message, wish, at).await,
            Err(refusal) => Err(refusal),
        };
        done.or_else(|refusal| Ok(rejection(kind, cert_req_id, &refusal).into()))
    }

    async fn grant(
        &self,
        party: &Party,
        message: &CmpMessage,
        wish: Wish,
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        let exchange = Self::exchange(party, message);
        if let Some(entry) = self.ca.register().issued(&exchange).await? {
            self.check_same(&wish.order, &entry)?;
            let turn = self.turn(party, exchange, wish, Timestamp::MIN)?;
            return self.issued(&exchange, &turn, &entry, at).await;
        }
        let ready = match self.policy.delay {
            None => Timestamp::MIN,
            Some(delay) => later(at, delay)?,
        };
        let turn = self.turn(party, exchange, wish.clone(), ready)?;
        if turn.wish.order.public_key != wish.order.public_key
            || turn.wish.order.subject != wish.order.subject
            || turn.wish.order.profile.name() != wish.order.profile.name()
        {
            return Err(in_use());
        }
        if at < turn.ready {
            let status = PkiStatusInfo::plain(WAITING);
            let body = response(turn.wish.kind, turn.wish.cert_req_id, status, None);
            return Ok(Reply {
                body,
                nonce: Some(turn.nonce),
                confirmation: Confirmation::None,
            });
        }
        self.issue(&exchange, &turn, at).await
    }

    /// Answers a poll (*RFC 9810 §5.3.22*).
    pub(super) async fn poll(
        &self,
        party: &Party,
        message: &CmpMessage,
        entries: &[PollReqEntry],
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        let exchange = Self::exchange(party, message);
        let turn = self.live.find(&exchange).ok_or_else(|| {
            let words = "no such transaction waits; send its request again";
            Refusal::new(Failure::BadRequest, words)
        })?;
        check_nonce(message, &turn)?;
        if !matches!(entries, [entry] if entry.cert_req_id == turn.wish.cert_req_id) {
            let words = "the poll is for another request than the transaction's";
            return Err(Refusal::new(Failure::BadRequest, words));
        }
        if at < turn.ready {
            let left = turn.ready.duration_since(at).as_millis();
            let check_after = u32::try_from((left + 999) / 1000).unwrap_or(u32::MAX);
            return Ok(Reply {
                body: Body::PollResponse(vec![PollRepEntry {
                    cert_req_id: turn.wish.cert_req_id,
                    check_after,
                    reason: None,
                }]),
                nonce: Some(turn.nonce),
                confirmation: Confirmation::None,
            });
        }
        let (kind, id) = (turn.wish.kind, turn.wish.cert_req_id);
        let done = match self.ca.register().issued(&exchange).await? {
            Some(entry) => self.issued(&exchange, &turn, &entry, at).await,
            None => self.issue(&exchange, &turn, at).await,
        };
        done.or_else(|refusal| Ok(rejection(kind, id, &refusal).into()))
    }

    fn turn(
        &self,
        party: &Party,
        exchange: [u8; 16],
        wish: Wish,
        ready: Timestamp,
    ) -> Result<Turn, Refusal> {
        let nonce = self.fresh()?;
        Ok(self.live.begin(party.owner(), exchange, wish, nonce, ready))
    }

    async fn issue(
        &self,
        exchange: &[u8; 16],
        turn: &Turn,
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        // Entered first: what is issued and never confirmed is found, whatever happens between.
        let until = later(at, self.policy.confirm_within)?;
        self.confirmations.expect(exchange, until).await?;
        let name = Exchange::from_bytes(exchange.to_vec());
        let answer = self.ca.submit(&turn.wish.order, &name, at).await;
        let entry = match answer {
            Ok(Answer::Issued(_)) => self.ca.register().issued(exchange).await?,
            Ok(Answer::Waiting { .. }) => None,
            Err(error) => {
                // The expectation stays: the same request may be issuing beside this one.
                self.live.end(exchange);
                return Err(error.into());
            }
        };
        let entry = entry.ok_or_else(|| {
            Refusal::new(
                Failure::SystemFailure,
                "the register does not have what was entered",
            )
        })?;
        self.issued(exchange, turn, &entry, at).await
    }

    /// Gives out what was issued, now or before.
    async fn issued(
        &self,
        exchange: &[u8; 16],
        turn: &Turn,
        entry: &Entry,
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        if matches!(entry.status, Status::Revoked(_)) {
            let words = "the transaction's certificate was withdrawn";
            return Err(Refusal::new(Failure::CertRevoked, words));
        }
        let _settling = self.settling.lock().await;
        let expected = self.confirmations.expected(exchange).await?;
        let confirmation = if turn.wish.is_implicit {
            if expected.is_some() {
                self.finish(exchange, &entry.certificate, at).await?;
            }
            Confirmation::Implicit
        } else {
            expected.map_or(Confirmation::None, Confirmation::Until)
        };
        let status = PkiStatusInfo::plain(if turn.wish.is_changed {
            GRANTED_WITH_MODS
        } else {
            ACCEPTED
        });
        let certificate = Any::from_der(entry.certificate.as_der()).map_err(encoding)?;
        Ok(Reply {
            body: response(
                turn.wish.kind,
                turn.wish.cert_req_id,
                status,
                Some(certificate),
            ),
            nonce: Some(turn.nonce),
            confirmation,
        })
    }

    /// Checks that what was issued under a transaction is what it asks for now.
    fn check_same(&self, order: &CertificateOrder, entry: &Entry) -> Result<(), Refusal> {
        let certificate = &entry.certificate;
        let from = certificate.validity().not_before;
        judge(order, certificate, self.ca.chain(), from).map_err(|_| in_use())
    }

    /// Reads what is asked for, and checks that this party may.
    async fn wish(
        &self,
        party: &Party,
        message: &CmpMessage,
        path_profile: Option<&str>,
    ) -> Result<Wish, Refusal> {
        let profile = self.profile(party, message, path_profile)?;
        let is_implicit =
            self.policy.implicit_confirmation && message.header.is_implicitly_confirmed();
        let (kind, cert_req_id, order, is_changed) = match &message.body {
            Body::Request(kind, messages) => {
                let [request] = messages.as_slice() else {
                    let words = "a message has one request";
                    return Err(Refusal::new(Failure::BadRequest, words));
                };
                let id = request.cert_req.cert_req_id;
                // What is issued already was allowed then.
                let exchange = Self::exchange(party, message);
                let is_issued = self.ca.register().issued(&exchange).await?.is_some();
                let (order, is_changed) = self
                    .templated(party, (*kind, is_issued), request, profile)
                    .await?;
                (*kind, id, order, is_changed)
            }
            Body::Pkcs10(request) => {
                let order = pkcs10(party, request, profile)?;
                (Enrolment::Certification, -1, order, false)
            }
            _ => return Err(Refusal::new(Failure::BadRequest, "no request")),
        };
        check_order(&order)?;
        Ok(Wish {
            kind,
            cert_req_id,
            order,
            is_changed,
            is_implicit,
        })
    }

    /// Returns the profile that a request is for: as its address says, or its header, or the
    /// usual one (*RFC 9483 §4.1, §6.1*).
    fn profile(
        &self,
        party: &Party,
        message: &CmpMessage,
        path_profile: Option<&str>,
    ) -> Result<Arc<CertificateProfile>, Refusal> {
        let refuse = |words: &str| Refusal::new(Failure::BadRequest, words);
        let in_header = message
            .header
            .cert_profile()
            .map_err(|_| refuse("certProfile names one profile"))?;
        let name = match (path_profile, in_header.as_deref()) {
            (Some(path), Some(header)) if path != header => {
                return Err(refuse("address and header name different profiles"));
            }
            (Some(name), _) | (None, Some(name)) => Some(name),
            (None, None) => self.policy.default_profile.as_deref(),
        };
        let name = name.ok_or_else(|| refuse("no certificate profile is named"))?;
        let profile = self.policy.profiles.get(name);
        let profile =
            profile.ok_or_else(|| refuse("no such certificate profile is served here"))?;
        match party {
            Party::Client(client) => match &client.profiles {
                Some(allowed) if !allowed.iter().any(|allowed| allowed == name) => {
                    Err(Refusal::new(
                        Failure::NotAuthorized,
                        "this profile is not for this client",
                    ))
                }
                _ => Ok(Arc::clone(profile)),
            },
            Party::Holder(_) => Ok(Arc::clone(profile)),
        }
    }

    /// Reads a request by template (*RFC 4211*).
    async fn templated(
        &self,
        party: &Party,
        (kind, is_issued): (Enrolment, bool),
        request: &CertReqMsg,
        profile: Arc<CertificateProfile>,
    ) -> Result<(CertificateOrder, bool), Refusal> {
        let template = &request.cert_req.cert_template;
        self.check_template(template)?;
        let replaced = self
            .replaced(party, (kind, is_issued), request, &profile)
            .await?;
        let subject = match (&template.subject, &replaced) {
            (Some(_), _) => template.subject_name(),
            (None, Some(replaced)) => Some(replaced.subject().clone()),
            (None, None) => None,
        };
        let refuse = |words: &str| Refusal::new(Failure::BadCertTemplate, words);
        let subject = subject.ok_or_else(|| refuse("the template has no subject that reads"))?;
        if replaced
            .as_ref()
            .is_some_and(|replaced| *replaced.subject() != subject)
        {
            return Err(refuse("a key update is for the same subject"));
        }
        let key = template
            .public_key
            .as_ref()
            .and_then(|key| key.to_der().ok());
        let public_key = key
            .and_then(|key| PublicKey::from_spki_der(&key).ok())
            .ok_or_else(|| refuse("the template has no public key that reads"))?;
        check_possession(party, request, &public_key)?;
        let until = template.validity.as_ref();
        let until = until.and_then(|validity| validity.not_after.as_ref());
        let not_after = match until {
            None => Timestamp::MAX,
            Some(until) => i64::try_from(until.to_unix_duration().as_secs())
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .ok_or_else(|| refuse("the template's validity is out of range"))?,
        };
        // Of the document's end, a holder's request shows no more than the certificate does.
        let most = match (party, &replaced) {
            (Party::Holder(_), Some(replaced)) => replaced.validity().not_after,
            _ => Timestamp::MAX,
        };
        let is_shortened = until.is_some() && not_after > most;
        let not_after = not_after.min(most);
        let order = CertificateOrder {
            profile,
            public_key,
            request: None,
            subject,
            not_after,
        };
        // Extensions are the profile's, whatever is asked for.
        let extensions = template.extensions.as_ref();
        let is_changed = is_shortened || extensions.is_some_and(|all| !all.is_empty());
        Ok((order, is_changed))
    }

    /// Checks that a template leaves to the authority what is the authority's (*RFC 4211 §5*).
    fn check_template(&self, template: &CertTemplate) -> Result<(), Refusal> {
        let is_foreign = template.serial_number.is_some()
            || template.signing_alg.is_some()
            || template.issuer_uid.is_some()
            || template.subject_uid.is_some()
            || template.version.is_some_and(|version| version != 2);
        if is_foreign {
            let words = "the template says what the authority decides";
            return Err(Refusal::new(Failure::BadCertTemplate, words));
        }
        self.check_issuer(template)
    }

    /// Checks that a template that names an issuer names this one.
    pub(super) fn check_issuer(&self, template: &CertTemplate) -> Result<(), Refusal> {
        let ours = self.ca.certificate().subject();
        if template.issuer.is_some() && template.issuer_name().as_ref() != Some(ours) {
            let words = "the template names another issuer";
            return Err(Refusal::new(Failure::WrongAuthority, words));
        }
        Ok(())
    }

    /// Returns the certificate that a key update replaces (*RFC 9483 §4.1.3*): the holder's own,
    /// or the one that a registration authority names.
    async fn replaced(
        &self,
        party: &Party,
        (kind, is_issued): (Enrolment, bool),
        request: &CertReqMsg,
        profile: &CertificateProfile,
    ) -> Result<Option<Certificate>, Refusal> {
        let refuse = |failure, words: &str| Err(Refusal::new(failure, words));
        if kind != Enrolment::KeyUpdate {
            return match party {
                Party::Client(_) => Ok(None),
                Party::Holder(_) => refuse(
                    Failure::NotAuthorized,
                    "a holder asks for a key update and nothing else",
                ),
            };
        }
        let named = old_certificate(request)?;
        if matches!(party, Party::Holder(_)) && !self.policy.holders_renew {
            let words = "certificates are not renewed by their holders here";
            return refuse(Failure::NotAuthorized, words);
        }
        let entry = match (party, named) {
            (Party::Holder(own), None) => (**own).clone(),
            (Party::Client(client), Some(named)) if client.is_registration_authority => {
                match self.named(&named).await? {
                    Some(entry) => entry,
                    None => return refuse(Failure::BadCertId, "there is no such certificate"),
                }
            }
            (Party::Holder(own), Some(named)) => match self.named(&named).await? {
                Some(entry) if entry.certificate == own.certificate => entry,
                _ => {
                    return refuse(
                        Failure::BadCertId,
                        "the certificate to be replaced is not the signer's",
                    );
                }
            },
            (Party::Client(_), _) => {
                return refuse(
                    Failure::NotAuthorized,
                    "a key update is its holder's, or names the certificate that it replaces",
                );
            }
        };
        if entry.status != Status::Good && !is_issued {
            return refuse(
                Failure::BadCertId,
                "the certificate to be replaced is not in use",
            );
        }
        // Two profiles may differ in their policies alone: a trial's, and the real one.
        let said = entry.certificate.extensions();
        if said.key_usage != Some(profile.key_usage())
            || said.extended_key_usage != profile.purposes()
            || said.policies != profile.policy_identifiers()
        {
            return refuse(
                Failure::NotAuthorized,
                "a key update is for the same profile",
            );
        }
        Ok(Some(entry.certificate))
    }

    async fn named(&self, id: &CertId) -> Result<Option<Entry>, Refusal> {
        let ours = self.ca.certificate().subject();
        if directory_name(&id.issuer).as_ref() != Some(ours) {
            return Ok(None);
        }
        self.registered(&id.serial_number).await
    }

    /// Returns the certificate of a serial number as messages have it.
    pub(super) async fn registered(&self, number: &Int) -> Result<Option<Entry>, Refusal> {
        match crmf::serial(number) {
            None => Ok(None),
            Some(serial) => Ok(self.ca.register().find(serial).await?),
        }
    }
}

/// Checks what can be said at once, before a requester waits for nothing: the kind of key, and
/// that the name is one that could be written here. Nobody sees what a requester puts into it
/// before a certificate has it.
fn check_order(order: &CertificateOrder) -> Result<(), Refusal> {
    let refuse = |words: &str| Err(Refusal::new(Failure::BadCertTemplate, words));
    let kind = order.public_key.algorithm();
    if !kind.is_some_and(|kind| order.profile.allows(kind)) {
        return refuse("the profile does not certify this kind of key");
    }
    let attributes = order.subject.attributes().iter();
    let again = attributes.fold(DistinguishedName::builder(), |name, attribute| {
        name.with(attribute.kind, attribute.value.as_str())
    });
    match again.build() {
        Ok(_) => Ok(()),
        Err(error) => refuse(&format!("the subject cannot be certified: {error}")),
    }
}

/// Returns the certificate that a request's controls name (*RFC 4211 §6.5*).
fn old_certificate(request: &CertReqMsg) -> Result<Option<CertId>, Refusal> {
    let mut controls = request.cert_req.controls.iter().flatten();
    let Some(control) = controls.find(|control| control.info_type == OLD_CERT_ID) else {
        return Ok(None);
    };
    let value = control.info_value.as_ref();
    let id = value.and_then(|value| CertId::from_der(&value.to_der().ok()?).ok());
    id.map(Some)
        .ok_or_else(|| Refusal::new(Failure::BadDataFormat, "oldCertID does not read"))
}

/// Checks that the requester has the private key (*RFC 4211 §4*).
fn check_possession(party: &Party, request: &CertReqMsg, key: &PublicKey) -> Result<(), Refusal> {
    let refuse = |words: &str| Err(Refusal::new(Failure::BadPop, words));
    match &request.popo {
        Some(ProofOfPossession::RaVerified(_)) if party.is_registration_authority() => Ok(()),
        Some(ProofOfPossession::RaVerified(_)) => {
            refuse("only a registration authority proves possession for others")
        }
        Some(ProofOfPossession::Signature(proof)) if proof.input.is_none() => {
            let signed = request.cert_req.to_der().map_err(encoding)?;
            verified(key, &proof.algorithm, &signed, proof.signature.as_bytes())
        }
        Some(ProofOfPossession::Signature(_)) => {
            refuse("a template with subject and key is signed itself")
        }
        Some(_) => refuse("keys here sign; they prove it by a signature"),
        None => refuse("possession of the key is not proved"),
    }
}

fn verified(
    key: &PublicKey,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: Option<&[u8]>,
) -> Result<(), Refusal> {
    let Some(known) = signature_algorithm(algorithm) else {
        let words = format!("algorithm {} proves no possession here", algorithm.oid);
        return Err(Refusal::new(Failure::BadAlg, words));
    };
    match signature.map(|signature| key.verify(known, message, signature)) {
        Some(Ok(())) => Ok(()),
        _ => Err(Refusal::new(
            Failure::BadPop,
            "the proof of possession does not verify",
        )),
    }
}

/// Reads a PKCS#10 request, which proves possession by itself.
fn pkcs10(
    party: &Party,
    request: &Any,
    profile: Arc<CertificateProfile>,
) -> Result<CertificateOrder, Refusal> {
    if let Party::Holder(_) = party {
        let words = "a holder asks for a key update and nothing else";
        return Err(Refusal::new(Failure::NotAuthorized, words));
    }
    let der = request.to_der().map_err(encoding)?;
    let read = Request::parse_and_verify(&der).map_err(|error| {
        let failure = match error {
            RequestError::Possession(_) => Failure::BadPop,
            RequestError::Subject(_) | RequestError::PublicKey(_) => Failure::BadCertTemplate,
            _ => Failure::BadDataFormat,
        };
        Refusal::new(failure, error.to_string())
    })?;
    Ok(CertificateOrder {
        profile,
        public_key: read.public_key().clone(),
        // It proved what it had to.
        request: None,
        subject: read.subject().clone(),
        not_after: Timestamp::MAX,
    })
}

/// Checks that a message in a transaction answers what was sent in it, where it says so.
pub(super) fn check_nonce(message: &CmpMessage, turn: &Turn) -> Result<(), Refusal> {
    let answered = message.header.answered_nonce();
    if !answered.is_empty() && answered != turn.nonce {
        let words = "recipNonce is not the nonce that was sent";
        return Err(Refusal::new(Failure::BadRecipientNonce, words));
    }
    Ok(())
}

fn later(at: Timestamp, by: std::time::Duration) -> Result<Timestamp, Refusal> {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .ok_or_else(|| Refusal::new(Failure::SystemFailure, "a time is out of range"))
}

fn in_use() -> Refusal {
    Refusal::new(
        Failure::TransactionIdInUse,
        "the transactionID belongs to another request",
    )
}

fn rejection(kind: Enrolment, cert_req_id: i32, refusal: &Refusal) -> Body {
    let status = PkiStatusInfo::rejected(refusal.failure, &refusal.words);
    response(kind, cert_req_id, status, None)
}

fn response(
    kind: Enrolment,
    cert_req_id: i32,
    status: PkiStatusInfo,
    certificate: Option<Any>,
) -> Body {
    let content = CertRepMessage {
        ca_pubs: None,
        response: vec![CertResponse {
            cert_req_id,
            status,
            certified_key_pair: certificate.map(|certificate| CertifiedKeyPair {
                cert_or_enc_cert: CertOrEncCert::Certificate(certificate),
                private_key: None,
                publication_info: None,
            }),
            rsp_info: None,
        }],
    };
    Body::Response(kind, content)
}
