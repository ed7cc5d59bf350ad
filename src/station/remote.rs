//! The centre over HTTPS.
//!
//! A request that got no answer is asked again: every method of [`Centre`] gives the same answer to
//! the same request, and does nothing twice. What was answered, also by a refusal, is not asked
//! again here. A station that asks too fast (429) waits as long as it is told, and asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::wire::{self, Problem, Renewal, RenewedCertificate, StationSelf};
use api::{
    Actor, ApiError, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelRequest,
    ClaimRequest, ConfirmRequest, Hello, JournalKept, JournalPart, Lease, LeaseRequest,
    ProveRequest, PutKeyGrant, PutKeyRequest, Report, SealGrant, SealRequest, Secret, SignLdsGrant,
    SignLdsRequest, StationAct, Welcome,
};
use async_trait::async_trait;
use axum::body::Bytes;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::Instant;
use tracing::Instrument;
use zeroize::Zeroizing;

use crate::courier::{Asked, Courier, Https, Passed, too_long};
use crate::wiped::Wiped;

/// How long it may take until the server is reached.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than the server keeps it.
const IDLE: Duration = Duration::from_secs(20);
/// The first pause before a request is asked again, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a station reaches its centre.
pub struct RemoteConfig {
    /// The server's address: `https://HOST:PORT`.
    pub server: String,
    /// The certificates that the server's own is looked for under, PEM. No other authority counts.
    pub authorities: Vec<u8>,
    /// The station's certificate, PEM.
    pub certificate: Vec<u8>,
    /// The station's key, PKCS#8 in PEM.
    pub key: Zeroizing<String>,
    /// How long one answer may take. The server's own limit is shorter.
    pub answer: Duration,
    /// For how long a request is asked again that did not reach the server, or whose answer was
    /// lost.
    pub patience: Duration,
    /// Tells what the present span is to the server, as a `traceparent` (*W3C Trace Context §3.2*).
    pub traceparent: fn() -> Option<String>,
}

impl RemoteConfig {
    /// Returns the configuration with the usual times.
    pub fn new(
        server: impl Into<String>,
        authorities: Vec<u8>,
        certificate: Vec<u8>,
        key: Zeroizing<String>,
    ) -> Self {
        Self {
            server: server.into(),
            authorities,
            certificate,
            key,
            answer: Duration::from_secs(110),
            patience: Duration::from_secs(25),
            traceparent: || None,
        }
    }
}

/// Why a station cannot reach any centre.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is none, or not of HTTPS.
    #[error("{address} is no address of a server: https://HOST:PORT")]
    Address {
        /// The address.
        address: String,
    },
    /// A file does not read.
    #[error("{what} does not read: {reason}")]
    Pem {
        /// What it should be.
        what: &'static str,
        /// Why it does not.
        reason: String,
    },
    /// Key and certificate do not serve.
    #[error("the station's key and certificate do not serve")]
    Tls(#[source] rustls::Error),
    /// There is no client.
    #[error("there is no HTTPS client")]
    Client(#[source] reqwest::Error),
}

/// The central store, over HTTPS.
pub struct RemoteCentre {
    courier: Arc<dyn Courier>,
    server: Url,
    patience: Duration,
    traceparent: fn() -> Option<String>,
    /// The sessions that were opened at this station, by person.
    sessions: Mutex<BTreeMap<String, Secret>>,
}

impl RemoteCentre {
    /// Prepares the way to a centre; nothing is sent yet.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn new(config: &RemoteConfig) -> Result<Self, RemoteError> {
        let server = address_of(&config.server)?;
        let pem = |what| {
            move |error: rustls::pki_types::pem::Error| RemoteError::Pem {
                what,
                reason: error.to_string(),
            }
        };
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&config.authorities) {
            let authority = authority.map_err(pem("the certificate of the server's authority"))?;
            roots.add(authority).map_err(RemoteError::Tls)?;
        }
        let chain = CertificateDer::pem_slice_iter(&config.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(pem("the station's certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(config.key.as_bytes())
            .map_err(pem("the station's key"))?;
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(RemoteError::Tls)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(RemoteError::Tls)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(IDLE)
            .connect_timeout(CONNECT)
            .timeout(config.answer)
            .build()
            .map_err(RemoteError::Client)?;
        let courier = Https {
            client,
            server: server.clone(),
        };
        Ok(Self {
            courier: Arc::new(courier),
            server,
            patience: config.patience,
            traceparent: config.traceparent,
            sessions: Mutex::default(),
        })
    }

    /// As [`RemoteCentre::new`], by another way than HTTPS, which proves to the server by itself which
    /// station it is.
    ///
    /// # Errors
    /// [`RemoteError::Address`].
    pub fn over(
        courier: Arc<dyn Courier>,
        server: &str,
        patience: Duration,
    ) -> Result<Self, RemoteError> {
        Ok(Self {
            courier,
            server: address_of(server)?,
            patience,
            traceparent: || None,
            sessions: Mutex::default(),
        })
    }

    /// Asks again for so long only: whoever asks has a way of waiting of their own.
    #[must_use]
    pub fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Takes the session of a person who signed in at the station: it goes with every request in
    /// their name from now on.
    pub fn admit(&self, person: &str, session: Secret) {
        self.sessions().insert(person.to_owned(), session);
    }

    /// Forgets a person's session.
    pub fn dismiss(&self, person: &str) {
        self.sessions().remove(person);
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the server's address.
    pub fn server(&self) -> &str {
        self.server.as_str()
    }

    /// Sends a person's own request as it is, and returns the answer as it is: the station shows its
    /// certificate, the request brings the person's session. It is sent once.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] where there is no answer; [`ApiError::Invalid`] for an address that is
    /// not in its plain form: `/v1/a/../b` would be another one there than it was here.
    pub async fn pass(
        &self,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Passed, ApiError> {
        let address = self.server.join(path_and_query);
        let address = address.map_err(|_| ApiError::Invalid {
            reason: "there is no such address".to_owned(),
        })?;
        let path = path_and_query.split('?').next();
        if path != Some(address.path()) || address.origin() != self.server.origin() {
            return Err(ApiError::Invalid {
                reason: "write the address in its plain form".to_owned(),
            });
        }
        let asked = Asked {
            method,
            target: path_and_query.to_owned(),
            headers,
            body: Wiped::from(body).into_bytes(),
        };
        let away = |reason| ApiError::Unavailable { reason };
        let passed = self.courier.carry(asked).await.map_err(away)?;
        passed.ok_or_else(|| away(too_long()))
    }

    /// Asks how the centre knows this station.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn own(&self) -> Result<StationSelf, ApiError> {
        let asked = Asked {
            method: Method::GET,
            target: target("self"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        self.insist(|| Ok(asked.clone())).await
    }

    /// Asks for the next certificate, by the request (PKCS#10, DER) for a new key. Returns it in DER.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn renew(&self, request: Vec<u8>) -> Result<Vec<u8>, ApiError> {
        let renewed: RenewedCertificate = self.post(None, "renew", &Renewal { request }).await?;
        Ok(renewed.certificate)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        actor: Option<&Actor>,
        method: &str,
        request: &impl Serialize,
    ) -> Result<T, ApiError> {
        let body = Wiped::new(serde_json::to_vec(request).map_err(|_| ApiError::Invalid {
            reason: "the request does not encode".to_owned(),
        })?);
        // Each repetition shares it.
        let body = body.into_bytes();
        self.insist(|| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let trace = (self.traceparent)().and_then(|trace| HeaderValue::from_str(&trace).ok());
            if let Some(trace) = trace {
                headers.insert(wire::TRACEPARENT, trace);
            }
            if let Some(actor) = actor {
                let person = HeaderValue::from_str(&actor.person);
                let person = person.map_err(|_| ApiError::Invalid {
                    reason: "no account has such a name".to_owned(),
                })?;
                headers.insert(wire::PERSON, person);
            }
            let sessions = self.sessions();
            if let Some(session) = actor.and_then(|actor| sessions.get(&actor.person)) {
                let bearer = [b"Bearer ", session.expose()].concat();
                let bearer = HeaderValue::from_bytes(&bearer);
                let mut bearer = bearer.map_err(|_| ApiError::Invalid {
                    reason: "the session is none".to_owned(),
                })?;
                bearer.set_sensitive(true);
                headers.insert(AUTHORIZATION, bearer);
            }
            Ok(Asked {
                method: Method::POST,
                target: target(method),
                headers,
                body: body.clone(),
            })
        })
        .instrument(tracing::info_span!("ask", method))
        .await
    }

    /// Asks until there is an answer, or patience ends.
    async fn insist<T: DeserializeOwned>(
        &self,
        request: impl Fn() -> Result<Asked, ApiError>,
    ) -> Result<T, ApiError> {
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let unanswered = match self.ask(request()?).await {
                Ok(answer) => return answer,
                Err(unanswered) => unanswered,
            };
            let wait = unanswered.wait.unwrap_or(pause);
            let reason = unanswered.reason;
            if begun.elapsed() + wait >= self.patience {
                return Err(ApiError::Unavailable { reason });
            }
            tracing::warn!(reason, ?wait, "the centre did not answer; asking again");
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks once. The outer error says why there is no answer of the centre's.
    async fn ask<T: DeserializeOwned>(
        &self,
        asked: Asked,
    ) -> Result<Result<T, ApiError>, Unanswered> {
        let Some(passed) = self.courier.carry(asked).await? else {
            return Ok(Err(ApiError::Unavailable { reason: too_long() }));
        };
        let (status, headers) = (passed.status, passed.headers);
        let kind = headers.get(CONTENT_TYPE);
        let is_problem =
            kind.is_some_and(|kind| kind.as_bytes().starts_with(wire::PROBLEM_JSON.as_bytes()));
        let wait = headers.get(RETRY_AFTER).and_then(seconds);
        if (200..300).contains(&status) {
            return Ok(serde_json::from_slice(&passed.body).map_err(|_| foreign(status)));
        }
        match serde_json::from_slice::<Problem>(&passed.body) {
            // It was not looked at: this station asks too fast.
            Ok(problem) if is_problem && status == StatusCode::TOO_MANY_REQUESTS => {
                let reason = problem.error().to_string();
                Err(Unanswered { reason, wait })
            }
            Ok(problem) if is_problem => Ok(Err(problem.error())),
            // Something between here and there, which may be gone the next time.
            _ if status >= 500 => Err(format!("HTTP status {status}").into()),
            _ => Ok(Err(foreign(status))),
        }
    }
}

/// Reads the server's address.
fn address_of(server: &str) -> Result<Url, RemoteError> {
    let found = Url::parse(server).ok();
    let found = found.filter(|url| url.scheme() == "https" && url.host().is_some());
    found.ok_or_else(|| RemoteError::Address {
        address: server.to_owned(),
    })
}

/// Returns where a method of a station is asked for.
fn target(method: &str) -> String {
    format!("{}/{method}", wire::STATION)
}

/// Why a request got no answer of the centre's.
struct Unanswered {
    reason: String,
    /// How long to wait before it is asked again, where the centre said so.
    wait: Option<Duration>,
}

impl From<String> for Unanswered {
    fn from(reason: String) -> Self {
        Self { reason, wait: None }
    }
}

/// Reads a `Retry-After` in seconds (*RFC 9110 §10.2.3*).
fn seconds(value: &HeaderValue) -> Option<Duration> {
    let seconds: u32 = value.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

fn foreign(status: u16) -> ApiError {
    ApiError::Unavailable {
        reason: format!("HTTP status {status}, and no answer of the centre's"),
    }
}

macro_rules! centre {
    ($( $method:ident ( $request:ty ) -> $answer:ty = $path:literal; )+) => {
        #[async_trait]
        impl Centre for RemoteCentre {
            $(
                async fn $method(&self, actor: &Actor, request: &$request) -> Result<$answer, ApiError> {
                    self.post(Some(actor), $path, request).await
                }
            )+
        }
    };
}

centre! {
    hello(Hello) -> Welcome = "hello";
    lease(LeaseRequest) -> Option<Lease> = "lease";
    claim(ClaimRequest) -> () = "claim";
    open_channel(ChannelRequest) -> ChannelGrant = "open-channel";
    put_keys(PutKeyRequest) -> PutKeyGrant = "put-keys";
    certify(CertifyRequest) -> CertifyGrant = "certify";
    prove(ProveRequest) -> () = "prove";
    sign_lds(SignLdsRequest) -> SignLdsGrant = "sign-lds";
    seal(SealRequest) -> SealGrant = "seal";
    confirm(ConfirmRequest) -> () = "confirm";
    tell(JournalPart) -> JournalKept = "journal";
    report(Report) -> () = "report";
    act(StationAct) -> () = "act";
}
