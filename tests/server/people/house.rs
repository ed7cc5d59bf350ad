//! A server for a test: its own token, database and socket, and people who are signed in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use api::Actor;
use audit::Entry;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use central::{
    Central, CertificateShelf, Clock, Config, Enrolled, Enrolment, FactorProof, KeyLabels,
    NewFactor, SignedIn, SystemClock, TotpAlgorithm, TravelConfig, Visit,
};
use document::{Environment, Role, needs_second_factor};
use hsm::{Token, test_support};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use profile::{ReleaseShelf, Shelf};
use serde_json::Value;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::cluster;
use crate::{Limits, Pace, Paces, Peer, Server, router};

/// Who there is, with a role each.
pub(super) const PEOPLE: [(&str, Role); 9] = [
    ("clerk", Role::Clerk),
    ("approver", Role::Approver),
    ("operator", Role::Operator),
    ("quality", Role::Quality),
    ("keeper", Role::StockKeeper),
    ("envelopes", Role::EnvelopeClerk),
    ("officer", Role::SecurityOfficer),
    ("auditor", Role::Auditor),
    ("administrator", Role::Administrator),
];

pub(super) const PASSWORD: &str = "zila pogas kaste";

/// An answer.
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Got {
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns the last part of a problem's type.
    pub(super) fn problem(&self) -> &str {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.text("/type").rsplit('/').next().unwrap()
    }
}

/// The machine's clock, some seconds off.
#[derive(Default)]
pub(super) struct ShiftedClock(AtomicI64);

impl ShiftedClock {
    pub(super) fn shift(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> jiff::Timestamp {
        let off = jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        SystemClock.now() + off
    }
}

/// A server.
pub(super) struct House {
    pub(super) central: Central,
    pub(super) clock: Arc<ShiftedClock>,
    pub(super) address: SocketAddr,
    pub(super) server: Server,
    tokens: BTreeMap<&'static str, String>,
    client: reqwest::Client,
    _folder: TempDir,
}

/// Runs a test with a server, in a process with a token of its own: with a store on SQLite, and where
/// PostgreSQL is installed with one on that too. `test` is the test's full name.
pub(super) fn with_server(test: &str, limits: Limits, body: impl AsyncFnOnce(House)) {
    run(test, cluster::environments, limits, body);
}

/// As [`with_server`], on SQLite alone: for what no database has a part in.
pub(super) fn with_one_server(test: &str, limits: Limits, body: impl AsyncFnOnce(House)) {
    run(
        test,
        || vec![test_support::Environment::new()],
        limits,
        body,
    );
}

fn run(
    test: &str,
    environments: fn() -> Vec<test_support::Environment>,
    limits: Limits,
    body: impl AsyncFnOnce(House),
) {
    test_support::with_private_tokens_in(test, environments, || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { body(House::new(limits).await).await });
    });
}

/// Limits that no test meets by chance.
pub(super) fn wide() -> Limits {
    let pace = Pace {
        burst: 1e9,
        each_second: 1e9,
    };
    Limits {
        people: Paces {
            session: pace,
            address: pace,
        },
        station: pace,
        ..Limits::default()
    }
}

pub(super) fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    std::fs::read_to_string(path).unwrap()
}

pub(super) fn sample(name: &str) -> String {
    file(&format!("tests/samples/applications/{name}.json"))
}

fn config(folder: &TempDir, token: &Arc<Token>, clock: &Arc<ShiftedClock>) -> Config {
    let (mut chips, mut documents, mut certificates) = (
        Shelf::default(),
        Shelf::default(),
        CertificateShelf::default(),
    );
    chips.put("lateid-v2", file("firmware-profiles/chips/lateid-v2.toml"));
    documents.put("eid-card", file("tests/profiles/one-chip/eid-card.toml"));
    let paper = "firmware-profiles/documents/war-participant.toml";
    documents.put("war-participant", file(paper));
    for name in ["pilot-ca", "eid-authentication", "eid-signature"] {
        certificates.put(name, file(&format!("certs/{name}.toml")));
    }
    Config {
        database: cluster::own(folder.path()),
        environment: Environment::Test,
        token: Arc::clone(token),
        keys: KeyLabels::default(),
        chips,
        documents,
        releases: ReleaseShelf::default(),
        certificates,
        authority: "pilot-ca".into(),
        authorities: BTreeMap::new(),
        travel: TravelConfig::default(),
        envelope_printer: None,
        channels_a_minute: 2_400,
        series: "XA".into(),
        calendar: document::Calendar::default(),
        own_stations: Default::default(),
        origin: "test.example/central".into(),
        station: "central".into(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    }
}

/// The code that an app shows at a time step (*RFC 6238*), by openssl.
fn code(secret: &[u8], step: i64) -> String {
    let key = PKey::hmac(secret).unwrap();
    let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
    signer.update(&step.to_be_bytes()).unwrap();
    let hash = signer.sign_to_vec().unwrap();
    let at = usize::from(hash[19] & 15);
    let four: [u8; 4] = hash[at..at + 4].try_into().unwrap();
    format!(
        "{:06}",
        (u32::from_be_bytes(four) & 0x7FFF_FFFF) % 1_000_000
    )
}

fn typed(text: &str) -> Vec<u8> {
    let bits: String = text
        .bytes()
        .map(|letter| match letter {
            b'A'..=b'Z' => letter - b'A',
            _ => letter - b'2' + 26,
        })
        .map(|five| format!("{five:05b}"))
        .collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

impl House {
    async fn new(limits: Limits) -> Self {
        let token = Arc::new(test_support::token("server"));
        let labels = KeyLabels::default();
        let maker = card::gp::Key::new(b"maker's transpor").unwrap();
        token.import_master_key("transport-master", &maker).unwrap();
        labels.generate_missing(&token).unwrap();
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(ShiftedClock::default());
        let opened = Central::establish(config(&folder, &token, &clock)).await;
        let central = opened.unwrap();
        let administrator = Actor {
            station: "console".into(),
            person: "administrator".into(),
        };
        central.found(&administrator).await.unwrap();
        for (name, role) in PEOPLE {
            if role != Role::Administrator {
                central
                    .add_account(&administrator, name, &[role])
                    .await
                    .unwrap();
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // What the listener of the product knows of a connection.
        let seen = from_fn(async |mut request: Request, next: Next| {
            request.extensions_mut().insert(Peer {
                address: "127.0.0.1:1".parse().unwrap(),
                certificate: None,
            });
            next.run(request).await
        });
        // The server trusts nobody's word that a second person is there, whatever it is given.
        let server = Server::new(central.on_own_machine(), limits);
        let service = router(server.clone()).layer(seen);
        tokio::spawn(async move { axum::serve(listener, service).await });
        let mut house = Self {
            central,
            clock,
            address,
            server,
            tokens: BTreeMap::new(),
            client: client(),
            _folder: folder,
        };
        for (name, role) in PEOPLE {
            let token = house.enrolled(name, role).await;
            house.tokens.insert(name, token);
        }
        house
    }

    /// Enrols somebody, and signs them in.
    async fn enrolled(&self, name: &str, role: Role) -> String {
        let (central, visit) = (&self.central, visit());
        let administrator = visit.actor("administrator");
        let given = central.issue_code(&administrator, name).await.unwrap();
        let enrolment = Enrolment {
            account: name.into(),
            code: given.code,
            password: Zeroizing::new(PASSWORD.into()),
            factor: needs_second_factor(role).then_some(NewFactor::Totp(TotpAlgorithm::Sha1)),
        };
        let now = || jiff::Timestamp::now().as_second() / 30;
        let begun = central.enrol(&visit, &enrolment).await.unwrap();
        let secret = match begun {
            Enrolled::Whole => None,
            Enrolled::Confirm { ticket, totp, .. } => {
                let secret = typed(&totp.unwrap().typed);
                // The code before, so that the one of now is left for the sign-in.
                let shown = FactorProof::Totp(Zeroizing::new(code(&secret, now() - 1)));
                let done = central.confirm_enrolment(&visit, ticket.expose(), shown);
                done.await.unwrap();
                Some(secret)
            }
        };
        match (
            central.sign_in(&visit, name, PASSWORD).await.unwrap(),
            secret,
        ) {
            (SignedIn::Session(token, _), None) => token.expose().to_owned(),
            (SignedIn::SecondFactor { ticket, .. }, Some(secret)) => {
                let shown = FactorProof::Totp(Zeroizing::new(code(&secret, now())));
                let done = central.second_factor(&visit, ticket.expose(), shown).await;
                done.unwrap().0.expose().to_owned()
            }
            _ => panic!("{name} has another second factor than wanted"),
        }
    }

    pub(super) fn token(&self, person: &str) -> &str {
        &self.tokens[person]
    }

    /// Sends a request; `person` is signed in, or nobody.
    pub(super) async fn ask(
        &self,
        person: Option<&str>,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, String)>,
    ) -> Got {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method.clone(), url);
        if let Some(person) = person {
            let bearer = format!("Bearer {}", self.token(person));
            request = request.header("Authorization", bearer);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((media, body)) = body {
            request = request.header("Content-Type", media).body(body);
        }
        let answer = request.send().await.unwrap();
        let headers = answer.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let json = |media: &String| media.ends_with("json");
        let headers: BTreeMap<String, String> = headers;
        let body = if text.is_empty() {
            Value::Null
        } else if !headers.get("content-type").is_some_and(json) {
            Value::String(text)
        } else {
            serde_json::from_str(&text).unwrap()
        };
        Got {
            status,
            headers,
            body,
        }
    }

    pub(super) async fn get(&self, person: &str, path: &str) -> Got {
        self.ask(Some(person), &Method::GET, path, &[], None).await
    }

    pub(super) async fn post(&self, person: &str, path: &str, body: &Value) -> Got {
        let body = Some(("application/json", body.to_string()));
        self.ask(Some(person), &Method::POST, path, &[], body).await
    }

    /// Confirms as the second person.
    pub(super) async fn confirm(&self, witness: &str, id: &str) {
        let path = format!("/v1/confirmations/{id}/confirmation");
        let got = self
            .ask(Some(witness), &Method::POST, &path, &[], None)
            .await;
        assert_eq!(got.status, 204, "{}", got.body);
    }

    /// Returns every audit entry in the order of the tree.
    pub(super) async fn entries(&self) -> Vec<Entry> {
        self.central.sequence().await.unwrap();
        let auditor = visit().actor("auditor");
        let mut entries = Vec::new();
        loop {
            let from = u64::try_from(entries.len()).unwrap();
            let page = self.central.log_from(&auditor, from, 500).await.unwrap();
            if page.is_empty() {
                return entries;
            }
            entries.extend(page.into_iter().map(|logged| logged.entry));
        }
    }
}

pub(super) fn visit() -> Visit {
    Visit {
        source: "127.0.0.1".into(),
        station: None,
    }
}

/// A client that trusts no server: for plain HTTP on this machine.
pub(super) fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}
