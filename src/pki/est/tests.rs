//! A server of openssl's making behind TLS, asked by the connector.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cert::Certificate;
use hsm::test_support::{token, with_private_tokens};
use hsm::{Curve, Signer, Token};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

use super::{EstAccess, EstAuthority, EstConfig, EstSetupError};
use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Promises, Status,
    Verdict,
};
use crate::crl::RevocationReason;
use crate::embedded::ServingCa;
use crate::judge::judge;
use crate::paired::Paired;
use crate::register::Register;
use crate::test_support::MemoryRegister;
use crate::testing::{
    AUTHENTICATION, CA, Folder, holder, order, profile, request, request_der, time,
};

/// How the server takes the next request for a certificate.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// It issues, and answers.
    Issue,
    /// It issues, and the answer never comes.
    Silence,
    /// It issues, and sends that in its place.
    Answer(&'static str),
    /// It issues for another key.
    AnotherKey,
    /// It does nothing, and says so.
    Status(u16),
    /// The same, and when to come again.
    Wait(u16, &'static str),
}

/// What the server knows.
#[derive(Clone)]
struct Known(Arc<Inside>);

struct Inside {
    folder: Folder,
    next: Mutex<VecDeque<Next>>,
    /// The requests that came, in DER, and where to.
    came: Mutex<Vec<(&'static str, Vec<u8>)>>,
    /// Whose password is wanted; nobody's where a certificate is.
    basic: Option<&'static str>,
}

const LEAF: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=clientAuth,emailProtection\n\
    certificatePolicies=1.3.6.1.4.1.32473.1.1.1,0.4.0.2042.1.2\n";

impl Inside {
    /// Makes a certificate of openssl's, in `NAME.pem`, for the key in `NAME.key` or for a public
    /// key that is there already.
    fn certify(&self, name: &str, public: Option<&str>, issuer: Option<&str>, extensions: &str) {
        let folder = &self.folder;
        folder.write("extensions", extensions.as_bytes());
        let (key, pem, subject) = (
            format!("{name}.key"),
            format!("{name}.pem"),
            format!("/C=LV/O=Example/CN={name}"),
        );
        folder.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-384",
            "-nodes",
            "-keyout",
            &key,
            "-subj",
            &subject,
            "-out",
            "csr",
        ]);
        let by = issuer.unwrap_or(name);
        let (by, by_key) = (format!("{by}.pem"), format!("{by}.key"));
        let signed = match issuer {
            None => vec!["-signkey", &key],
            Some(_) => vec!["-CA", &by, "-CAkey", &by_key, "-CAcreateserial"],
        };
        let forced = public.map_or(vec![], |public| vec!["-force_pubkey", public]);
        folder.openssl(
            &[
                &[
                    "x509",
                    "-req",
                    "-in",
                    "csr",
                    "-sha384",
                    "-days",
                    "30",
                    "-extfile",
                    "extensions",
                ],
                &signed[..],
                &forced,
                &["-out", &pem],
            ]
            .concat(),
        );
    }

    fn certificate(&self, name: &str) -> Certificate {
        let pem = format!("{name}.pem");
        self.folder
            .openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", "der"]);
        Certificate::parse(&self.folder.read("der")).unwrap()
    }

    /// Certifies a request by the authority; returns the answer as a server writes it, with line
    /// ends.
    fn enroll(&self, der: &[u8]) -> String {
        self.folder.write("asked", der);
        self.folder.write("leaf.cnf", LEAF.as_bytes());
        self.folder.openssl(&[
            "x509",
            "-req",
            "-inform",
            "DER",
            "-in",
            "asked",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-sha384",
            "-days",
            "30",
            "-extfile",
            "leaf.cnf",
            "-out",
            "leaf.pem",
        ]);
        self.message("leaf.pem")
    }

    fn message(&self, pem: &str) -> String {
        self.folder.openssl(&[
            "crl2pkcs7",
            "-nocrl",
            "-certfile",
            pem,
            "-outform",
            "DER",
            "-out",
            "message",
        ]);
        self.folder.openssl(&["base64", "-in", "message"])
    }
}

struct Listener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let (tcp, from) = self.tcp.accept().await.unwrap();
            // Whoever does not get through the handshake is not served.
            if let Ok(tls) = self.acceptor.accept(tcp).await {
                return (tls, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A server, with what a client of it needs.
struct Server {
    known: Known,
    address: SocketAddr,
    token: Token,
    signer: Arc<dyn Signer>,
}

/// Starts a server; only within a runtime and private tokens.
async fn server(label: &str, basic: Option<&'static str>) -> Server {
    let inside = Inside {
        folder: Folder::new(),
        next: Mutex::default(),
        came: Mutex::default(),
        basic,
    };
    let token = token(label);
    token.generate_signing_key("ra", Curve::P384).unwrap();
    let signer: Arc<dyn Signer> = Arc::new(token.signer("ra").unwrap());
    inside.folder.write("ra.der", signer.public_key_spki_der());
    inside.folder.openssl(&[
        "pkey", "-pubin", "-inform", "DER", "-in", "ra.der", "-out", "ra.pub",
    ]);
    let own = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
        subjectKeyIdentifier=hash\n";
    inside.certify("root", None, None, own);
    inside.certify("ca", None, None, own);
    inside.certify(
        "server",
        None,
        Some("root"),
        "subjectAltName=IP:127.0.0.1\n",
    );
    let client = "extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n";
    inside.certify("ra", Some("ra.pub"), Some("root"), client);

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pem = |name: &str| CertificateDer::from_pem_slice(&inside.folder.read(name)).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&inside.folder.read("server.key")).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let tls = match basic {
        Some(_) => tls.with_no_client_auth(),
        None => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(pem("root.pem")).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            tls.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let tls = tls.with_single_cert(vec![pem("server.pem")], key).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let known = Known(Arc::new(inside));
    let path = |operation: &str| format!("/.well-known/est/eid/{operation}");
    let app = Router::new()
        .route(&path("cacerts"), get(cacerts))
        .route(&path("simpleenroll"), post(enroll))
        .route(&path("simplereenroll"), post(reenroll))
        .with_state(known.clone());
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    tokio::spawn(async move {
        axum::serve(Listener { tcp, acceptor }, app).await.unwrap();
    });
    Server {
        known,
        address,
        token,
        signer,
    }
}

const MESSAGE: [(&str, &str); 2] = [
    (
        "content-type",
        "application/pkcs7-mime; smime-type=certs-only",
    ),
    ("content-transfer-encoding", "base64"),
];

async fn cacerts(State(Known(known)): State<Known>) -> Response {
    (MESSAGE, known.message("ca.pem")).into_response()
}

async fn enroll(known: State<Known>, headers: HeaderMap, body: Bytes) -> Response {
    asked(known, "simpleenroll", &headers, &body).await
}

async fn reenroll(known: State<Known>, headers: HeaderMap, body: Bytes) -> Response {
    asked(known, "simplereenroll", &headers, &body).await
}

async fn asked(
    State(Known(known)): State<Known>,
    operation: &'static str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let said = |name: &str| {
        headers
            .get(name)
            .map(|said| said.to_str().unwrap().to_owned())
    };
    if let Some(wanted) = known.basic {
        let given = format!("Basic {}", STANDARD.encode(wanted));
        if said("authorization") != Some(given) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    assert_eq!(said("content-type").as_deref(), Some("application/pkcs10"));
    let der = STANDARD.decode(body).unwrap();
    known.folder.write("request", &der);
    known.folder.openssl(&[
        "req", "-inform", "DER", "-in", "request", "-verify", "-noout",
    ]);
    known.came.lock().unwrap().push((operation, der.clone()));
    let next = known.next.lock().unwrap().pop_front().unwrap();
    match next {
        Next::Issue => (MESSAGE, known.enroll(&der)).into_response(),
        Next::AnotherKey => (MESSAGE, known.enroll(&request_der(9))).into_response(),
        Next::Answer(text) => {
            known.enroll(&der);
            (MESSAGE, text).into_response()
        }
        Next::Silence => {
            known.enroll(&der);
            std::future::pending().await
        }
        Next::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Next::Wait(status, after) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", after)]).into_response()
        }
    }
}

impl Server {
    fn config(&self, more: &str) -> EstConfig {
        EstConfig::parse(&format!(
            "url = \"https://{}\"\nlabel = \"eid\"\ntimeout_seconds = 8\n{more}",
            self.address
        ))
        .unwrap()
    }

    fn access(&self) -> EstAccess {
        EstAccess {
            server_anchors: vec![self.known.0.certificate("root")],
            identity: Some((vec![self.known.0.certificate("ra")], self.signer.clone())),
            password: None,
        }
    }

    fn connector(&self, more: &str) -> EstAuthority {
        self.with(self.config(more), self.access()).unwrap()
    }

    fn with(&self, config: EstConfig, access: EstAccess) -> Result<EstAuthority, EstSetupError> {
        let chain = vec![self.known.0.certificate("ca")];
        EstAuthority::new(config, access, chain, Arc::new(self.token.clone()))
    }

    fn does(&self, next: &[Next]) {
        self.known.0.next.lock().unwrap().extend(next);
    }

    /// Returns how many requests came.
    fn came(&self) -> usize {
        self.known.0.came.lock().unwrap().len()
    }
}

/// Orders for chips of their own: `not_after` lies behind what the server gives.
fn ordered(seed: u8) -> CertificateOrder {
    CertificateOrder {
        request: Some(request_der(seed)),
        not_after: time("2036-03-01T23:59:59Z"),
        ..order(&profile(AUTHENTICATION), &request(seed).0, &holder())
    }
}

/// Prepares and submits.
async fn ask(
    est: &EstAuthority,
    order: &CertificateOrder,
) -> (Exchange, Result<Answer, AuthorityError>) {
    let exchange = est.prepare(order, Timestamp::now()).await.unwrap();
    let answer = est.submit(order, &exchange, Timestamp::now()).await;
    (exchange, answer)
}

fn issued(answer: Result<Answer, AuthorityError>) -> Certificate {
    match answer.unwrap() {
        Answer::Issued(certificate) => *certificate,
        waiting @ Answer::Waiting { .. } => panic!("{waiting:?}"),
    }
}

fn run<F: Future<Output = ()>>(test: &str, act: impl FnOnce() -> F) {
    with_private_tokens(&format!("est::tests::{test}"), || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(act());
    });
}

#[test]
fn a_certificate_comes_over_tls_with_a_key_in_the_token() {
    run(
        "a_certificate_comes_over_tls_with_a_key_in_the_token",
        || async {
            let server = server("est", None).await;
            let est = server.connector("");
            let now = Timestamp::now();
            assert_eq!(est.ca_certificates(now).await.unwrap(), est.chain());
            assert_eq!(
                est.promises(),
                Promises {
                    issues_on_hold: false,
                    finds_again: false,
                    withdraws_unconfirmed: false,
                    sets_status: false,
                }
            );
            server.does(&[Next::Issue, Next::Issue]);
            let order = ordered(5);
            let (exchange, answer) = ask(&est, &order).await;
            let certificate = issued(answer);
            assert_eq!(
                judge(&order, &certificate, est.chain(), Timestamp::now()),
                Ok(())
            );
            // The caller was interrupted before it wrote the answer down.
            let again = issued(est.submit(&order, &exchange, now).await);
            assert_eq!(again, certificate);
            assert_eq!(server.came(), 1);
            est.conclude(&exchange, &certificate, Verdict::Accepted, now)
                .await
                .unwrap();
            let over = est.submit(&order, &exchange, now).await;
            assert!(
                matches!(over, Err(AuthorityError::Astray { .. })),
                "{over:?}"
            );

            let renewal = est.prepare_renewal(&order).unwrap();
            let renewed = issued(est.submit(&order, &renewal, now).await);
            assert_ne!(renewed.serial(), certificate.serial());
            let came = server.known.0.came.lock().unwrap().clone();
            let asked = order.request.clone().unwrap();
            assert_eq!(
                came,
                [("simpleenroll", asked.clone()), ("simplereenroll", asked)]
            );
        },
    );
}

#[test]
fn a_request_whose_answer_is_lost_is_never_sent_again() {
    run(
        "a_request_whose_answer_is_lost_is_never_sent_again",
        || async {
            let server = server("est", None).await;
            let est = server.connector("");
            let order = ordered(5);
            let now = Timestamp::now();
            for next in [
                Next::Silence,
                Next::Status(500),
                Next::Answer("no base64"),
                Next::Answer("MAA="),
                Next::AnotherKey,
            ] {
                server.does(&[next]);
                let before = server.came();
                let (exchange, first) = ask(&est, &order).await;
                let first = first.unwrap_err();
                assert!(first.is_passing(), "{next:?}: {first:?}");
                let again = est.submit(&order, &exchange, now).await.unwrap_err();
                assert!(matches!(again, AuthorityError::Astray { .. }), "{again:?}");
                assert!(!again.is_passing());
                assert_eq!(server.came(), before + 1, "{next:?}");
            }
            // Whoever stops waiting does not make it unsent.
            server.does(&[Next::Silence]);
            let exchange = est.prepare(&order, now).await.unwrap();
            let before = server.came();
            {
                let submit = est.submit(&order, &exchange, now);
                tokio::pin!(submit);
                while server.came() == before {
                    let step = tokio::time::timeout(Duration::from_millis(20), &mut submit);
                    assert!(step.await.is_err(), "the server is silent");
                }
            }
            let again = est.submit(&order, &exchange, now).await;
            assert!(matches!(again, Err(AuthorityError::Astray { .. })));

            // Another run of the program cannot know whether this one sent it.
            let exchange = est.prepare(&order, now).await.unwrap();
            let restarted = server.connector("");
            let elsewhere = restarted.submit(&order, &exchange, now).await;
            assert!(matches!(elsewhere, Err(AuthorityError::Astray { .. })));
            assert_eq!(server.came(), before + 1);
        },
    );
}

#[test]
fn an_authority_that_promises_it_is_asked_again() {
    run("an_authority_that_promises_it_is_asked_again", || async {
        let server = server("est", None).await;
        let est = server.connector("answers_repeats = true");
        assert!(est.promises().finds_again);
        server.does(&[Next::Silence, Next::Issue]);
        let order = ordered(5);
        let (exchange, answer) = ask(&est, &order).await;
        assert!(matches!(answer, Err(AuthorityError::Unanswered { .. })));
        let restarted = server.connector("answers_repeats = true");
        issued(restarted.submit(&order, &exchange, Timestamp::now()).await);
        assert_eq!(server.came(), 2);
    });
}

#[test]
fn what_was_not_done_may_be_asked_again() {
    run("what_was_not_done_may_be_asked_again", || async {
        let server = server("est", None).await;
        let est = server.connector("");
        let order = ordered(5);
        let now = Timestamp::now();
        server.does(&[
            Next::Wait(202, "7"),
            Next::Wait(202, "Sun, 06 Nov 1994 08:49:37 GMT"),
            Next::Wait(503, "3"),
            Next::Status(401),
            Next::Status(404),
            Next::Issue,
        ]);
        let mut exchange = est.prepare(&order, now).await.unwrap();
        for seconds in [7, 1, 3] {
            let Answer::Waiting {
                exchange: next,
                after,
            } = est.submit(&order, &exchange, now).await.unwrap()
            else {
                panic!("it was to wait");
            };
            assert_eq!(after, Duration::from_secs(seconds));
            exchange = next;
        }
        for _ in 0..2 {
            let unserved = est.submit(&order, &exchange, now).await;
            assert!(matches!(unserved, Err(AuthorityError::Unanswered { .. })));
        }
        issued(est.submit(&order, &exchange, now).await);

        server.does(&[Next::Status(400)]);
        let (_, refused) = ask(&est, &order).await;
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, AuthorityError::Refused { reason } if reason.contains("400")));
        assert!(!refused.is_passing());

        // Nobody listens there any more: certainly not sent.
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = format!("url = \"https://{}\"", gone.local_addr().unwrap());
        drop(gone);
        let est = server
            .with(EstConfig::parse(&config).unwrap(), server.access())
            .unwrap();
        let (exchange, first) = ask(&est, &order).await;
        let second = est.submit(&order, &exchange, now).await;
        for answer in [first, second] {
            assert!(
                matches!(answer, Err(AuthorityError::Unanswered { .. })),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn both_sides_must_be_known() {
    run("both_sides_must_be_known", || async {
        let server = server("est", None).await;
        let order = ordered(5);
        // Another server, by its certificate: nothing is sent to it.
        let access = EstAccess {
            server_anchors: vec![server.known.0.certificate("ca")],
            ..server.access()
        };
        let est = server.with(server.config(""), access).unwrap();
        let (exchange, answer) = ask(&est, &order).await;
        assert!(matches!(&answer, Err(AuthorityError::Unanswered { .. })));
        let again = est.submit(&order, &exchange, Timestamp::now()).await;
        assert!(matches!(again, Err(AuthorityError::Unanswered { .. })));
        // A certificate of somebody else's making is not let in.
        server.known.0.certify(
            "ra",
            Some("ra.pub"),
            Some("ca"),
            "extendedKeyUsage=clientAuth\n",
        );
        let est = server.connector("");
        assert!(est.ca_certificates(Timestamp::now()).await.is_err());
        assert_eq!(server.came(), 0);

        let fails = |config: &str, access: EstAccess| {
            let made = server.with(server.config(config), access);
            made.unwrap_err()
        };
        let bare = || EstAccess {
            identity: None,
            ..server.access()
        };
        assert!(matches!(fails("", bare()), EstSetupError::Nobody));
        assert!(matches!(
            fails("user = \"ra\"", server.access()),
            EstSetupError::Password
        ));
        let blind = EstAccess {
            server_anchors: vec![],
            ..server.access()
        };
        assert!(matches!(fails("", blind), EstSetupError::Trust));
    });
}

#[test]
fn a_password_serves_where_no_certificate_is_asked_for() {
    run(
        "a_password_serves_where_no_certificate_is_asked_for",
        || async {
            let server = server("est", Some("ra:long and secret")).await;
            let with = |password: &str| EstAccess {
                identity: None,
                password: Some(Zeroizing::new(password.to_owned())),
                ..server.access()
            };
            let order = ordered(5);
            let config = || server.config("user = \"ra\"");
            let est = server.with(config(), with("wrong")).unwrap();
            let (_, answer) = ask(&est, &order).await;
            assert!(matches!(answer, Err(AuthorityError::Unanswered { .. })));
            let access = with("long and secret");
            assert!(!format!("{access:?}").contains("secret"));
            let est = server.with(config(), access).unwrap();
            server.does(&[Next::Issue]);
            let (_, answer) = ask(&est, &order).await;
            issued(answer);
            assert!(!format!("{est:?} {:?}", est.client).contains("secret"));
        },
    );
}

#[test]
fn orders_that_cannot_be_asked_are_refused_before_anything_is_sent() {
    run(
        "orders_that_cannot_be_asked_are_refused_before_anything_is_sent",
        || async {
            let server = server("est", None).await;
            let est = server.connector("");
            let now = Timestamp::now();
            let good = ordered(5);
            let another = crate::Holder::new("LV", "CITA", "ANNA", "121282-88882", "XA0000001");
            for odd in [
                CertificateOrder {
                    request: None,
                    ..good.clone()
                },
                CertificateOrder {
                    request: Some(vec![0x30, 0]),
                    ..good.clone()
                },
                CertificateOrder {
                    request: Some(request_der(6)),
                    ..good.clone()
                },
                CertificateOrder {
                    subject: good.profile.subject(Some(&another)).unwrap(),
                    ..good.clone()
                },
            ] {
                let refused = est.prepare(&odd, now).await;
                assert!(matches!(refused, Err(AuthorityError::Refused { .. })));
            }
            let exchange = est.prepare(&good, now).await.unwrap();
            let another = est.submit(&ordered(6), &exchange, now).await;
            assert!(matches!(another, Err(AuthorityError::Exchange)));
            let foreign = Exchange::from_bytes(vec![7; 16]);
            let foreign = est.submit(&good, &foreign, now).await;
            assert!(matches!(foreign, Err(AuthorityError::Exchange)));
            assert_eq!(server.came(), 0);
        },
    );
}

#[test]
fn what_est_cannot_do_a_second_channel_does() {
    run("what_est_cannot_do_a_second_channel_does", || async {
        let server = server("est", None).await;
        let est = Arc::new(server.connector(""));
        server.does(&[Next::Issue]);
        let order = ordered(5);
        let now = Timestamp::now();
        let (exchange, answer) = ask(&est, &order).await;
        let certificate = issued(answer);
        let revoked = Status::Revoked(RevocationReason::KeyCompromise);
        for refused in [
            est.conclude(&exchange, &certificate, Verdict::Rejected, now)
                .await,
            est.set_status(&certificate, revoked, now).await,
        ] {
            assert!(matches!(
                refused,
                Err(AuthorityError::SecondChannel {
                    protocol: "EST",
                    ..
                })
            ));
        }
        // Here another register stands for the channel over which the authority takes revocations.
        server
            .token
            .generate_signing_key("second", Curve::P384)
            .unwrap();
        let second = crate::EmbeddedCa::create(
            &profile(CA),
            Arc::new(server.token.signer("second").unwrap()),
            Arc::new(server.token.clone()),
            now,
        );
        let register = Arc::new(MemoryRegister::default());
        register.enter(b"second", &certificate, now).await.unwrap();
        let second = ServingCa::new(
            Arc::new(second.unwrap()),
            register.clone(),
            Arc::new(server.token.clone()),
        );
        let paired = Paired::new(est, Arc::new(second));
        assert!(paired.promises().sets_status && !paired.promises().finds_again);
        paired
            .conclude(&exchange, &certificate, Verdict::Rejected, now)
            .await
            .unwrap();
        let entry = register.find(certificate.serial()).await.unwrap().unwrap();
        assert_eq!(entry.status, Status::Revoked(RevocationReason::Superseded));
    });
}
