//! The embedded authority's CMP endpoint.
//!
//! ```text
//!   POST ─► parse ─► whose? ─► ir cr kur p10cr ─► order ─► ServingCa ─► ip cp kup
//!              │     secret,                └► waiting ◄─ pollReq ─┘       │
//!              │     certificate ─► certConf ─► confirmed, or revoked ◄────┘ sweep: not in time
//!              └► error             rr ─► the register
//! ```
//!
//! A transaction's name among its client's is the exchange's name in the [`crate::Register`]: the
//! same request again gives the same certificate, also after a restart.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cert::Certificate;
use der::Decode;
use der::asn1::{Any, Null, OctetString};
use hsm::RandomSource;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::authority::AuthorityError;
use crate::cmp::body::{Body, ErrorMsgContent};
use crate::cmp::confirmations::Confirmations;
use crate::cmp::header::{
    CA_CERTS, CONFIRM_WAIT_TIME, Header, IMPLICIT_CONFIRM, InfoTypeAndValue, VERSION_2, VERSION_3,
    any, general_name, generalized_time,
};
use crate::cmp::message::CmpMessage;
use crate::cmp::protection::{Credential, ProtectionError, SigningIdentity};
use crate::cmp::server::live::Live;
use crate::cmp::server::party::Party;
use crate::cmp::server::strangers::Strangers;
use crate::cmp::status::{Failure, PkiStatusInfo};
use crate::embedded::ServingCa;
use crate::profile::{CertificateProfile, ProfileKind};
use crate::register::RegisterError;

mod config;
mod enrolment;
mod live;
mod party;
mod standing;
mod strangers;

pub use config::{CmpClientConfig, CmpClientProof, CmpServerConfig};
pub use party::{CmpClient, CmpClientCredential};
pub(crate) use standing::positive;

/// How a CMP endpoint behaves.
#[derive(Clone, Debug)]
pub struct CmpServerPolicy {
    /// The certificate profiles that may be asked for, by the name that requests say.
    pub profiles: BTreeMap<String, Arc<CertificateProfile>>,
    /// The profile of a request that names none.
    pub default_profile: Option<String>,
    /// Whether a requester that asks for it need not confirm (*RFC 9810 §5.1.1.1*).
    pub implicit_confirmation: bool,
    /// How long a certificate waits for its requester's confirmation, before it is revoked.
    pub confirm_within: Duration,
    /// Whether a certificate is still on hold when it is confirmed, until it is released.
    pub issues_on_hold: bool,
    /// How long requesters must poll; not at all where nothing stands here.
    pub delay: Option<Duration>,
    /// Whether a holder may renew its own certificate. Nothing then shows that the new key is in a
    /// chip, as the old one was.
    pub holders_renew: bool,
    /// How far a message's time may be from ours.
    pub clocks: Duration,
}

impl Default for CmpServerPolicy {
    /// Returns a policy without any profile: explicit confirmation within ten minutes, clocks
    /// within five, no renewal by holders.
    fn default() -> Self {
        Self {
            profiles: BTreeMap::new(),
            default_profile: None,
            implicit_confirmation: false,
            confirm_within: Duration::from_secs(600),
            issues_on_hold: true,
            delay: None,
            holders_renew: false,
            clocks: Duration::from_secs(300),
        }
    }
}

/// Why a CMP endpoint was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmpServerError {
    /// The policy's default is none of its profiles.
    #[error("the default profile {name:?} is none of the profiles")]
    DefaultProfile {
        /// Its name.
        name: String,
    },
    /// A profile is named that there is not.
    #[error("there is no certificate profile {name:?} at this endpoint")]
    UnknownProfile {
        /// The name.
        name: String,
    },
    /// A profile is not a holder's.
    #[error("certificate profile {name:?} is a CA's own, not a holder's")]
    NotALeafProfile {
        /// Its name.
        name: String,
    },
    /// Two clients have one name, or one credential.
    #[error("client {name:?} has the name or the credential of another")]
    Client {
        /// The second one's name.
        name: String,
    },
}

/// Why a request is not served: what the requester is told.
#[derive(Debug)]
struct Refusal {
    failure: Failure,
    words: String,
}

impl Refusal {
    fn new(failure: Failure, words: impl Into<String>) -> Self {
        Self {
            failure,
            words: words.into(),
        }
    }
}

impl From<RegisterError> for Refusal {
    fn from(_: RegisterError) -> Self {
        Self::new(Failure::SystemFailure, "the register does not serve")
    }
}

impl From<AuthorityError> for Refusal {
    fn from(error: AuthorityError) -> Self {
        match error {
            // What a requester can mend; it shows no value.
            AuthorityError::Issue(error) if !error.is_passing() => {
                Self::new(Failure::BadCertTemplate, error.to_string())
            }
            AuthorityError::Refused { reason } => Self::new(Failure::BadRequest, reason),
            _ => Self::new(
                Failure::SystemUnavail,
                "the authority does not issue for now",
            ),
        }
    }
}

/// What is answered: a body, and what stands in its header.
struct Reply {
    body: Body,
    nonce: Option<[u8; 16]>,
    confirmation: Confirmation,
}

/// What an answer says of confirming.
#[derive(Clone, Copy)]
enum Confirmation {
    None,
    Implicit,
    Until(Timestamp),
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        Self {
            body,
            nonce: None,
            confirmation: Confirmation::None,
        }
    }
}

/// The CMP endpoint of an embedded authority.
pub struct CmpServer {
    ca: ServingCa,
    identity: SigningIdentity,
    clients: Vec<CmpClient>,
    policy: CmpServerPolicy,
    confirmations: Arc<dyn Confirmations>,
    random: Arc<dyn RandomSource>,
    live: Live,
    strangers: Strangers,
    /// Held while it is settled what becomes of a certificate: confirmed, or withdrawn.
    settling: tokio::sync::Mutex<()>,
}

impl CmpServer {
    /// Returns the endpoint of `ca`. It signs its answers as `identity`, except to a client with a
    /// shared secret, who gets a MAC.
    ///
    /// # Errors
    /// [`CmpServerError`].
    pub fn new(
        ca: ServingCa,
        identity: SigningIdentity,
        clients: Vec<CmpClient>,
        policy: CmpServerPolicy,
        confirmations: Arc<dyn Confirmations>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, CmpServerError> {
        if let Some(name) = &policy.default_profile
            && !policy.profiles.contains_key(name)
        {
            return Err(CmpServerError::DefaultProfile { name: name.clone() });
        }
        let foreign = |(_, profile): &(&String, &Arc<CertificateProfile>)| {
            profile.kind() != ProfileKind::Leaf
        };
        if let Some((name, _)) = policy.profiles.iter().find(foreign) {
            return Err(CmpServerError::NotALeafProfile { name: name.clone() });
        }
        for (place, client) in clients.iter().enumerate() {
            let mut earlier = clients.iter().take(place);
            if earlier.any(|other| other.is_confused_with(client)) {
                return Err(CmpServerError::Client {
                    name: client.name.clone(),
                });
            }
        }
        Ok(Self {
            ca,
            identity,
            clients,
            policy,
            confirmations,
            random,
            live: Live::default(),
            strangers: Strangers::default(),
            settling: tokio::sync::Mutex::default(),
        })
    }

    /// Answers a request: a message in DER, whatever was sent. `path_profile` is the profile that
    /// the address names (*RFC 9483 §6.1*).
    pub async fn handle(
        &self,
        path_profile: Option<&str>,
        request: &[u8],
        at: Timestamp,
    ) -> Vec<u8> {
        let message = match CmpMessage::parse(request) {
            Ok(message) => message,
            Err(error) => {
                // Nothing binds an answer to what does not read: it is not worth a signature, and
                // strangers would have the token sign as often as they like.
                let refusal = Refusal::new(Failure::BadDataFormat, error.to_string());
                return self.unprotected(None, &refusal, at).unwrap_or_default();
            }
        };
        let Ok(_turn) = self.strangers.served.try_acquire() else {
            let refusal = Refusal::new(Failure::SystemUnavail, "too many ask at a time");
            let answer = self.unprotected(Some(&message), &refusal, at);
            return answer.unwrap_or_default();
        };
        let party = match self.party(&message, at).await {
            Ok(party) => party,
            Err(refusal) if self.strangers.is_signed(at) => {
                let reply = error_body(&refusal).into();
                return self.send(Some(&message), None, reply, at).await;
            }
            Err(refusal) => {
                let answer = self.unprotected(Some(&message), &refusal, at);
                return answer.unwrap_or_default();
            }
        };
        let served = match self.check_time(message.header.time(), at) {
            Ok(()) => self.serve(&party, &message, path_profile, at).await,
            Err(refusal) => Err(refusal),
        };
        let reply = served.unwrap_or_else(|refusal| error_body(&refusal).into());
        self.send(Some(&message), Some(&party), reply, at).await
    }

    async fn serve(
        &self,
        party: &Party,
        message: &CmpMessage,
        path_profile: Option<&str>,
        at: Timestamp,
    ) -> Result<Reply, Refusal> {
        match &message.body {
            Body::Request(..) | Body::Pkcs10(_) => {
                self.enrol(party, message, path_profile, at).await
            }
            Body::PollRequest(entries) => self.poll(party, message, entries, at).await,
            Body::CertificateConfirmation(statuses) => {
                self.confirm(party, message, statuses, at).await
            }
            Body::Revocation(details) => self.revoke(party, message, details, at).await,
            Body::General(asked) => self.inform(asked).map(Reply::from),
            other => Err(Refusal::new(
                Failure::BadRequest,
                format!("a body {} is no request that is served here", other.name()),
            )),
        }
    }

    /// Answers a general message: the CA's certificate, and nothing to what else is asked
    /// (*RFC 9483 §4.3*).
    fn inform(&self, asked: &[InfoTypeAndValue]) -> Result<Body, Refusal> {
        let ours = || {
            let certificates = vec![Any::from_der(self.ca.certificate().as_der())?];
            any(&certificates)
        };
        let mut answers = Vec::new();
        for info in asked.iter().take(16) {
            let info_value = match info.info_type {
                CA_CERTS => Some(ours().map_err(encoding)?),
                _ => None,
            };
            answers.push(InfoTypeAndValue {
                info_type: info.info_type,
                info_value,
            });
        }
        Ok(Body::GeneralResponse(answers))
    }

    /// Returns the name of a transaction in the register: nobody reaches another's.
    fn exchange(party: &Party, message: &CmpMessage) -> [u8; 16] {
        Self::name_of(b"zimogs cmp transaction", party, message)
    }

    /// Returns the name under which it is remembered that a message was obeyed; no certificate is
    /// ever issued under it.
    fn order_name(party: &Party, message: &CmpMessage) -> [u8; 16] {
        Self::name_of(b"zimogs cmp order", party, message)
    }

    fn name_of(kind: &[u8], party: &Party, message: &CmpMessage) -> [u8; 16] {
        let (owner, transaction) = (party.owner(), message.header.transaction());
        let digest = Sha256::new()
            .chain_update(kind)
            .chain_update([u8::try_from(owner.len()).unwrap_or(u8::MAX)])
            .chain_update(owner)
            .chain_update(transaction)
            .finalize();
        let mut name = [0; 16];
        name.iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        name
    }

    fn fresh(&self) -> Result<[u8; 16], Refusal> {
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce).map_err(|_| {
            Refusal::new(Failure::SystemFailure, "the random source does not serve")
        })?;
        Ok(nonce)
    }

    /// Protects and encodes an answer. Where the token fails it goes out without protection, as an
    /// error that nobody has to believe.
    async fn send(
        &self,
        request: Option<&CmpMessage>,
        party: Option<&Party>,
        reply: Reply,
        at: Timestamp,
    ) -> Vec<u8> {
        let credential = match party.and_then(Party::secret) {
            Some(secret) => Credential::Mac(secret.clone()),
            None => Credential::Signature(self.identity.clone()),
        };
        let sent = match self.header(request, &reply, at) {
            Ok(header) => {
                let random = Arc::clone(&self.random);
                let body = reply.body;
                let work = move || credential.protect(header, body, &*random);
                tokio::task::spawn_blocking(work)
                    .await
                    .ok()
                    .and_then(Result::ok)
                    .and_then(|message| message.to_der().ok())
            }
            Err(_) => None,
        };
        sent.or_else(|| {
            let words = "the authority's token does not serve";
            let refusal = Refusal::new(Failure::SystemFailure, words);
            self.unprotected(request, &refusal, at)
        })
        .unwrap_or_default()
    }

    fn unprotected(
        &self,
        request: Option<&CmpMessage>,
        refusal: &Refusal,
        at: Timestamp,
    ) -> Option<Vec<u8>> {
        let mut reply = Reply::from(error_body(refusal));
        // Without the token, there is no random source either.
        reply.nonce = Some([0; 16]);
        let header = self.header(request, &reply, at).ok()?;
        let message = CmpMessage::bare(header, reply.body, &[]).ok()?;
        message.to_der().ok()
    }

    fn header(
        &self,
        request: Option<&CmpMessage>,
        reply: &Reply,
        at: Timestamp,
    ) -> Result<Header, Refusal> {
        let sender = general_name(self.identity.certificate().subject()).map_err(encoding)?;
        let recipient = match request {
            Some(request) => request.header.sender.clone(),
            None => crate::cmp::header::nobody().map_err(encoding)?,
        };
        let nonce = match reply.nonce {
            Some(nonce) => nonce,
            None => self.fresh()?,
        };
        let mut header = Header::new(sender, recipient);
        header.message_time = generalized_time(at);
        header.sender_nonce = Some(OctetString::new(nonce).map_err(encoding)?);
        if let Some(request) = request {
            header.pvno = request.header.pvno.clamp(VERSION_2, VERSION_3);
            header.transaction_id = request.header.transaction_id.clone();
            header.recip_nonce = request.header.sender_nonce.clone();
        }
        match reply.confirmation {
            Confirmation::None => {}
            Confirmation::Implicit => {
                header.inform(IMPLICIT_CONFIRM, any(&Null).map_err(encoding)?);
            }
            Confirmation::Until(until) => {
                if let Some(until) = generalized_time(until) {
                    header.inform(CONFIRM_WAIT_TIME, any(&until).map_err(encoding)?);
                }
            }
        }
        Ok(header)
    }

    /// Returns the authority's certificate.
    pub fn certificate(&self) -> &Certificate {
        self.ca.certificate()
    }
}

fn encoding(_: der::Error) -> Refusal {
    Refusal::new(Failure::SystemFailure, "the answer does not encode")
}

fn error_body(refusal: &Refusal) -> Body {
    Body::Error(ErrorMsgContent {
        status: PkiStatusInfo::rejected(refusal.failure, &refusal.words),
        error_code: None,
        error_details: None,
    })
}

/// Returns what a wrong protection is called towards the sender: not whether the secret, the
/// reference or the bytes were wrong.
fn protection_refusal(error: &ProtectionError) -> Refusal {
    match error {
        ProtectionError::Algorithm { .. } | ProtectionError::Iterations { .. } => {
            Refusal::new(Failure::BadAlg, error.to_string())
        }
        ProtectionError::KeyUsage { .. } => {
            Refusal::new(Failure::SignerNotTrusted, error.to_string())
        }
        ProtectionError::Missing => Refusal::new(Failure::BadMessageCheck, error.to_string()),
        _ => Refusal::new(
            Failure::BadMessageCheck,
            "the message's protection does not verify",
        ),
    }
}

impl fmt::Debug for CmpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CmpServer({:?}, {} clients)",
            self.ca,
            self.clients.len()
        )
    }
}
