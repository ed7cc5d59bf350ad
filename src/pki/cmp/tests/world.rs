//! An authority with its endpoint on loopback, and the keys of those who ask it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cert::request::RequestInfo;
use cert::{AttributeType, Certificate, Curve, DistinguishedName, PublicKey};
use hsm::{Curve as TokenCurve, Token};
use jiff::Timestamp;
use p384::ecdsa::signature::hazmat::PrehashSigner;
use p384::elliptic_curve::sec1::ToSec1Point;
use tokio::runtime::Runtime;

use crate::authority::{CertificateAuthority, Exchange, Status};
use crate::cmp::{
    CmpAuthority, CmpClient, CmpClientCredential, CmpConfig, CmpParts, CmpRole, CmpServer,
    CmpServerPolicy, Credential, MemoryConfirmations, SharedSecret, SigningIdentity,
};
use crate::register::{Entry, Register};
use crate::test_support::MemoryRegister;
use crate::testing::{AUTHENTICATION, CA, Folder, SIGNATURE, holder, profile, time};
use crate::{CertificateOrder, EmbeddedCa, ServingCa};

pub(super) const REFERENCE: &str = "station-7";
pub(super) const SECRET: &str = "a-long-shared-secret-8402617395";
/// An invented person, in ASCII: openssl's command line takes no other.
pub(super) const SUBJECT: &str =
    "/C=LV/CN=ANNA IZDOMATA/SN=IZDOMATA/GN=ANNA/serialNumber=PNOLV-321990-12347";

pub(super) fn name(text: &str) -> DistinguishedName {
    DistinguishedName::builder()
        .with(AttributeType::Country, "LV")
        .with(AttributeType::CommonName, text)
        .build()
        .unwrap()
}

/// A token, an authority in it, and its register.
pub(super) struct World {
    pub(super) runtime: Runtime,
    pub(super) folder: Folder,
    pub(super) token: Token,
    pub(super) ca: ServingCa,
    pub(super) register: Arc<MemoryRegister>,
    pub(super) confirmations: Arc<MemoryConfirmations>,
    pub(super) identity: SigningIdentity,
}

impl World {
    /// Makes it; only within `with_private_tokens`.
    pub(super) fn new() -> Self {
        let token = hsm::test_support::token("pilot");
        for label in ["ca", "cmp"] {
            token.generate_signing_key(label, TokenCurve::P384).unwrap();
        }
        let random = Arc::new(token.clone());
        let from = time("2026-01-01T00:00:00Z");
        let signer = Arc::new(token.signer("ca").unwrap());
        let ca = EmbeddedCa::create(&profile(CA), signer, random.clone(), from).unwrap();
        let register = Arc::new(MemoryRegister::default());
        let ca = ServingCa::new(Arc::new(ca), register.clone(), random);
        let identity = SigningIdentity::create(
            Arc::new(token.signer("cmp").unwrap()),
            &token,
            &name("Pilot CMP"),
            CmpRole::Authority,
            from,
            5,
        )
        .unwrap();
        let folder = Folder::new();
        folder.write("cmp.der", identity.certificate().as_der());
        folder.write("ca.der", ca.certificate().as_der());
        for name in ["cmp", "ca"] {
            let (from, to) = (format!("{name}.der"), format!("{name}.pem"));
            folder.openssl(&["x509", "-inform", "DER", "-in", &from, "-out", &to]);
        }
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
            folder,
            token,
            ca,
            register,
            confirmations: Arc::default(),
            identity,
        }
    }

    pub(super) fn policy() -> CmpServerPolicy {
        let profiles = [AUTHENTICATION, SIGNATURE].map(|text| {
            let profile = Arc::new(profile(text));
            (profile.name().to_owned(), profile)
        });
        CmpServerPolicy {
            profiles: BTreeMap::from(profiles),
            default_profile: Some("eid-authentication".into()),
            implicit_confirmation: true,
            issues_on_hold: false,
            holders_renew: true,
            ..CmpServerPolicy::default()
        }
    }

    /// Makes a key and a certificate of openssl's, signed by itself.
    pub(super) fn stranger(&self, name: &str) -> Certificate {
        let (key, pem, der) = (
            format!("{name}.key"),
            format!("{name}.pem"),
            format!("{name}.der"),
        );
        self.key(name);
        let subject = format!("/C=LV/CN={name}");
        self.folder.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            &key,
            "-subj",
            &subject,
            "-days",
            "30",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-out",
            &pem,
        ]);
        self.folder
            .openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        Certificate::parse(&self.folder.read(&der)).unwrap()
    }

    /// Makes a P-384 key of openssl's.
    pub(super) fn key(&self, name: &str) {
        let key = format!("{name}.key");
        self.folder.openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-384",
            "-out",
            &key,
        ]);
    }

    /// A client with the secret, and the registration authority "ra" with its certificate.
    pub(super) fn clients(&self) -> Vec<CmpClient> {
        let secret = SharedSecret::new(REFERENCE.as_bytes(), SECRET.as_bytes()).unwrap();
        vec![
            CmpClient {
                name: "station".into(),
                credential: CmpClientCredential::Secret(secret),
                is_registration_authority: false,
                profiles: None,
            },
            CmpClient {
                name: "ra".into(),
                credential: CmpClientCredential::Certificate(Box::new(self.stranger("ra"))),
                is_registration_authority: true,
                profiles: None,
            },
        ]
    }

    pub(super) fn server(
        &self,
        clients: Vec<CmpClient>,
        policy: CmpServerPolicy,
    ) -> Arc<CmpServer> {
        let server = CmpServer::new(
            self.ca.clone(),
            self.identity.clone(),
            clients,
            policy,
            self.confirmations.clone(),
            Arc::new(self.token.clone()),
        );
        Arc::new(server.unwrap())
    }

    /// Serves on loopback as long as the world stands.
    pub(super) fn serve(&self, server: &Arc<CmpServer>) -> SocketAddr {
        let router = Arc::clone(server).router(Timestamp::now);
        self.runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, router).await });
            address
        })
    }

    /// Runs `openssl cmp` against an endpoint; returns whether it was served, and what it said.
    pub(super) fn cmp(&self, address: SocketAddr, arguments: &[&str]) -> (bool, String) {
        let server = address.to_string();
        let mut all = vec!["cmp", "-config", "", "-batch", "-server", &server];
        if !arguments.contains(&"-path") {
            all.extend(["-path", "/.well-known/cmp"]);
        }
        all.extend(["-msg_timeout", "20", "-total_timeout", "60"]);
        all.extend(arguments);
        self.folder.run("openssl", &all)
    }

    /// Reads a certificate that openssl saved.
    pub(super) fn saved(&self, pem: &str) -> Certificate {
        self.folder
            .openssl(&["x509", "-in", pem, "-outform", "DER", "-out", "saved.der"]);
        Certificate::parse(&self.folder.read("saved.der")).unwrap()
    }

    pub(super) fn entry(&self, certificate: &Certificate) -> Entry {
        let found = self
            .runtime
            .block_on(self.register.find(certificate.serial()));
        found.unwrap().unwrap()
    }

    pub(super) fn status(&self, certificate: &Certificate) -> Status {
        self.entry(certificate).status
    }
}

/// How long a poll takes in tests.
pub(super) const DELAY: Duration = Duration::from_millis(1200);

/// Stands for a chip: the order for a key of its own, with its request.
pub(super) fn chip(seed: u8, profile_text: &str) -> CertificateOrder {
    let key = p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap();
    let point = p384::PublicKey::from(key.verifying_key()).to_sec1_point(false);
    let profile = profile(profile_text);
    let subject = profile.subject(Some(&holder())).unwrap();
    let info = RequestInfo::new(&subject, Curve::P384, point.as_bytes()).unwrap();
    let signature: p384::ecdsa::Signature = key.sign_prehash(&info.digest()).unwrap();
    CertificateOrder {
        profile: Arc::new(profile),
        public_key: PublicKey::from_point(Curve::P384, point.as_bytes()).unwrap(),
        request: Some(info.assemble(&signature.to_bytes()).unwrap()),
        subject,
        not_after: time("2031-03-01T23:59:59Z"),
    }
}

/// How our client is set up in a test.
pub(super) struct Setup<'a> {
    pub(super) url: String,
    pub(super) credential: Credential,
    /// What else stands in the configuration.
    pub(super) also: &'a str,
    pub(super) chain: Vec<Certificate>,
    pub(super) responders: Vec<Certificate>,
}

impl World {
    /// Our credential by the secret.
    pub(super) fn by_secret() -> Credential {
        let secret = SharedSecret::new(REFERENCE.as_bytes(), SECRET.as_bytes());
        Credential::Mac(secret.unwrap())
    }

    /// A registration authority's identity in the token, in "rauth.pem" too.
    pub(super) fn registration_authority(&self) -> SigningIdentity {
        self.token
            .generate_signing_key("ra", TokenCurve::P384)
            .unwrap();
        let identity = SigningIdentity::create(
            Arc::new(self.token.signer("ra").unwrap()),
            &self.token,
            &name("Registration Authority"),
            CmpRole::RegistrationAuthority,
            time("2026-01-01T00:00:00Z"),
            5,
        )
        .unwrap();
        self.folder
            .write("rauth.der", identity.certificate().as_der());
        self.folder.openssl(&[
            "x509",
            "-inform",
            "DER",
            "-in",
            "rauth.der",
            "-out",
            "rauth.pem",
        ]);
        identity
    }

    pub(super) fn client(&self, setup: Setup<'_>) -> CmpAuthority {
        let protection = match setup.credential {
            Credential::Mac(_) => {
                format!("[protection.mac]\nreference = {REFERENCE:?}\nsecret_file = \"secret\"")
            }
            Credential::Signature(_) => {
                "[protection.signature]\nkey = \"ra\"\ncertificate_file = \"ra.pem\"".to_owned()
            }
        };
        let text = format!(
            "url = {:?}\nchain_file = \"chain.pem\"\n{}\n{protection}\n",
            setup.url, setup.also
        );
        let parts = CmpParts {
            credential: setup.credential,
            chain: setup.chain,
            responders: setup.responders,
            tls_anchors: Vec::new(),
        };
        let config = CmpConfig::parse(&text).unwrap();
        CmpAuthority::new(config, parts, Arc::new(self.token.clone())).unwrap()
    }

    /// Our client of our own endpoint.
    pub(super) fn own_client(
        &self,
        url: String,
        credential: Credential,
        also: &str,
    ) -> CmpAuthority {
        self.client(Setup {
            url,
            credential,
            also,
            chain: vec![self.ca.certificate().clone()],
            responders: vec![self.identity.certificate().clone()],
        })
    }
}

impl World {
    /// The clients of an endpoint that our own connector asks: the secret is a registration
    /// authority's.
    pub(super) fn authorities(&self) -> Vec<CmpClient> {
        let secret = SharedSecret::new(REFERENCE.as_bytes(), SECRET.as_bytes()).unwrap();
        vec![CmpClient {
            name: "station".into(),
            credential: CmpClientCredential::Secret(secret),
            is_registration_authority: true,
            profiles: None,
        }]
    }

    /// A registration authority with this identity.
    pub(super) fn known_by(identity: &SigningIdentity) -> CmpClient {
        CmpClient {
            name: "registration".into(),
            credential: CmpClientCredential::Certificate(Box::new(identity.certificate().clone())),
            is_registration_authority: true,
            profiles: None,
        }
    }

    /// Has openssl certify a key for a purpose; returns the root, and the certificate.
    pub(super) fn responder(
        &self,
        signer: &dyn hsm::Signer,
        purpose: &str,
    ) -> (Certificate, Certificate) {
        self.key("root");
        self.folder.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            "root.key",
            "-subj",
            "/C=LV/CN=Root",
            "-days",
            "30",
            "-out",
            "root.pem",
        ]);
        self.folder.write("key.der", signer.public_key_spki_der());
        self.folder.openssl(&[
            "pkey", "-pubin", "-inform", "DER", "-in", "key.der", "-out", "key.pem",
        ]);
        self.key("any");
        self.folder.openssl(&[
            "req",
            "-new",
            "-key",
            "any.key",
            "-subj",
            "/C=LV/CN=Responder",
            "-out",
            "any.csr",
        ]);
        let extensions = format!("keyUsage=digitalSignature\nextendedKeyUsage={purpose}\n");
        self.folder.write("extensions", extensions.as_bytes());
        self.folder.openssl(&[
            "x509",
            "-req",
            "-in",
            "any.csr",
            "-force_pubkey",
            "key.pem",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            "extensions",
            "-out",
            "responder.pem",
        ]);
        (self.saved("root.pem"), self.saved("responder.pem"))
    }
}

/// Runs a client's act to its end.
pub(super) fn run<T>(world: &World, act: impl Future<Output = T>) -> T {
    world.runtime.block_on(act)
}

pub(super) fn prepared(world: &World, client: &CmpAuthority, order: &CertificateOrder) -> Exchange {
    run(world, client.prepare(order, Timestamp::now())).unwrap()
}
