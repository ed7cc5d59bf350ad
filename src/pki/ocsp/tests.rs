//! The responder asked by openssl's client; and our client beside openssl's responder.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cert::ocsp::{
    CertId, CertStatus, OcspRequest, OcspResponse, OcspVerifyError, Refusal, Responder, refusal,
};
use cert::{Certificate, Hash};
use hsm::test_support::{token, with_private_tokens};
use hsm::{Curve, HsmError, SignatureAlgorithm, Signer};
use jiff::{SignedDuration, Timestamp};

use super::{MOST, OcspResponder, Published, ResponderError, router};
use crate::authority::{Answer, CertificateAuthority, Status};
use crate::crl::RevocationReason;
use crate::embedded::{EmbeddedCa, IssueError, ServingCa};
use crate::missing;
use crate::test_support::MemoryRegister;
use crate::testing::{AUTHENTICATION, CA, Folder, OCSP, holder, order, profile, request};

const TERM: Duration = Duration::from_secs(3600);

/// An authority of now, since openssl's client has no clock but the machine's.
struct House {
    serving: ServingCa,
    responder: OcspResponder,
    signer: Arc<dyn Signer>,
    folder: Folder,
    at: Timestamp,
}

fn house(curve: Curve) -> House {
    let token = token(&format!("pilot {curve:?}"));
    token.generate_signing_key("ca", Curve::P384).unwrap();
    token.generate_signing_key("ocsp", curve).unwrap();
    let at = Timestamp::now();
    let day = SignedDuration::from_hours(24);
    let ca = EmbeddedCa::create(
        &profile(CA),
        Arc::new(token.signer("ca").unwrap()),
        Arc::new(token.clone()),
        at - day,
    )
    .unwrap();
    let signer: Arc<dyn Signer> = Arc::new(token.signer("ocsp").unwrap());
    let certificate = ca.appoint(&profile(OCSP), &*signer, at).unwrap();
    let serving = ServingCa::new(
        Arc::new(ca),
        Arc::new(MemoryRegister::default()),
        Arc::new(token),
    );
    let responder = OcspResponder::new(serving.clone(), certificate, signer.clone(), TERM).unwrap();
    let folder = Folder::new();
    folder.write("ca.der", serving.certificate().as_der());
    folder.openssl(&["x509", "-inform", "DER", "-in", "ca.der", "-out", "ca.pem"]);
    House {
        serving,
        responder,
        signer,
        folder,
        at,
    }
}

impl House {
    /// Issues a certificate; it stands as `NAME.pem` in the folder.
    async fn issue(&self, name: &str, seed: u8) -> Certificate {
        let order = order(&profile(AUTHENTICATION), &request(seed).0, &holder());
        let exchange = self.serving.prepare(&order, self.at).await.unwrap();
        let answer = self.serving.submit(&order, &exchange, self.at).await;
        let Answer::Issued(certificate) = answer.unwrap() else {
            panic!("an embedded authority does not wait");
        };
        self.folder.write("leaf.der", certificate.as_der());
        let pem = format!("{name}.pem");
        self.folder
            .openssl(&["x509", "-inform", "DER", "-in", "leaf.der", "-out", &pem]);
        *certificate
    }

    /// Asks with openssl's client; returns what it said.
    fn ask(&self, address: SocketAddr, arguments: &[&str]) -> String {
        let url = format!("http://{address}/");
        let arguments = [
            &[
                "ocsp", "-issuer", "ca.pem", "-CAfile", "ca.pem", "-url", &url,
            ],
            arguments,
        ]
        .concat();
        self.folder.run("openssl", &arguments).1
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Serves on this machine until the runtime ends.
async fn serve(house: &House, published: &Published) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Arc::new(Timestamp::now);
    let app = router(house.responder.clone(), published.clone(), clock);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

#[test]
fn openssl_s_client_is_told_where_certificates_stand() {
    with_private_tokens(
        "ocsp::tests::openssl_s_client_is_told_where_certificates_stand",
        || {
            for curve in [Curve::P384, Curve::P256] {
                let house = house(curve);
                runtime().block_on(openssl_s_client(&house));
            }
        },
    );
}

async fn openssl_s_client(house: &House) {
    let address = serve(house, &Published::default()).await;
    let (good, held, gone) = (
        house.issue("good", 5).await,
        house.issue("held", 6).await,
        house.issue("gone", 7).await,
    );
    let set = |certificate: Certificate, status| async move {
        let set = house.serving.set_status(&certificate, status, house.at);
        set.await.unwrap();
    };
    set(good, Status::Good).await;
    set(gone, Status::Revoked(RevocationReason::KeyCompromise)).await;
    let said = house.ask(
        address,
        &[
            "-cert", "good.pem", "-cert", "held.pem", "-cert", "gone.pem",
        ],
    );
    // With a nonce, which openssl sends and compares unless it is told not to.
    assert!(said.contains("Response verify OK"), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
    assert!(said.contains("good.pem: good"), "{said}");
    let of = |name: &str| {
        said.split_once(&format!("{name}.pem: "))
            .unwrap()
            .1
            .to_owned()
    };
    assert!(of("held").starts_with("revoked"), "{said}");
    assert!(of("held").contains("Reason: certificateHold"), "{said}");
    assert!(of("gone").contains("Reason: keyCompromise"), "{said}");

    set(held, Status::Good).await;
    for hash in ["-sha1", "-sha256", "-sha384"] {
        let said = house.ask(address, &["-no_nonce", hash, "-cert", "held.pem"]);
        assert!(said.contains("held.pem: good"), "{said}");
        assert!(said.contains("Response verify OK"), "{said}");
    }
    // A number that was never given: as if on hold for ever. With its extension, and no nonce.
    let said = house.ask(address, &["-no_nonce", "-serial", "0x1234", "-resp_text"]);
    assert!(said.contains("0x1234: revoked"), "{said}");
    assert!(
        said.contains("Revocation Time: Jan  1 00:00:00 1970"),
        "{said}"
    );
    // openssl knows id-pkix-ocsp-extended-revoke by the short name "valid".
    let (_, extensions) = said.split_once("Response Extensions:").unwrap();
    assert!(extensions.trim_start().starts_with("valid:"), "{said}");

    // Another authority's certificate.
    house.folder.openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "other.key",
        "-subj",
        "/CN=Other",
        "-out",
        "other.pem",
    ]);
    let said = house.folder.run(
        "openssl",
        &[
            "ocsp",
            "-issuer",
            "other.pem",
            "-CAfile",
            "ca.pem",
            "-url",
            &format!("http://{address}/"),
            "-serial",
            "1",
        ],
    );
    assert!(said.1.contains("1: unknown"), "{}", said.1);
}

#[test]
fn a_request_may_stand_in_the_address_and_the_list_beside_it() {
    with_private_tokens(
        "ocsp::tests::a_request_may_stand_in_the_address_and_the_list_beside_it",
        || {
            let house = house(Curve::P384);
            runtime().block_on(addresses(&house));
        },
    );
}

async fn addresses(house: &House) {
    use base64::Engine;
    let published = Published::default();
    let address = serve(house, &published).await;
    let held = house.issue("held", 5).await;
    let issuer = house.serving.certificate().clone();
    let client = crate::testing::http_client();
    let get = async |path: &str| {
        let got = client.get(format!("http://{address}/{path}")).send().await;
        let got = got.unwrap();
        let kind = got.headers().get("content-type");
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
        (got.status().as_u16(), kind, got.bytes().await.unwrap())
    };
    // In base64 this has every character that an address treats in its own way.
    let mut nonce = [0xFB; 32];
    nonce[16..].fill(0xFF);
    let asked = OcspRequest::for_certificate(&held, &issuer, Some(nonce)).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(asked.to_der().unwrap());
    assert!(text.contains('/') && text.contains('+'), "{text}");
    let escaped = text.replace('+', "%2B").replace('=', "%3D");
    let bare = text.trim_end_matches('=').to_owned();
    for path in [escaped.replace('/', "%2F"), escaped, text, bare] {
        let (status, kind, body) = get(&path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(kind.as_deref(), Some("application/ocsp-response"));
        let answer = OcspResponse::parse(&body).unwrap().unwrap();
        let (said, by) = answer.verify(&asked, &issuer, Timestamp::now()).unwrap();
        assert!(matches!(
            said[..],
            [CertStatus::Revoked {
                reason: Some(6),
                ..
            }]
        ));
        assert_eq!(by, Responder::Delegated);
    }
    let (status, _, body) = get("not-base64!").await;
    assert_eq!((status, &body[..]), (200, &refusal(Refusal::Malformed)[..]));

    let (status, ..) = get("ca.crl").await;
    assert_eq!(status, 503);
    published.put(house.serving.crl(Timestamp::now(), TERM, 7).await.unwrap());
    let (_, kind, crl) = get("ca.crl").await;
    assert_eq!(kind.as_deref(), Some("application/pkix-crl"));
    house.folder.write("crl", &crl);
    let said = house.folder.openssl(&[
        "crl", "-inform", "DER", "-in", "crl", "-noout", "-text", "-CAfile", "ca.pem",
    ]);
    assert!(
        said.contains("verify OK") && said.contains("Certificate Hold"),
        "{said}"
    );
    let (_, kind, certificate) = get("ca.cer").await;
    assert_eq!(kind.as_deref(), Some("application/pkix-cert"));
    assert_eq!(&certificate[..], issuer.as_der());

    // The wrong kind of body, and one that is too long.
    let post = |kind: &'static str, body: Vec<u8>| {
        let post = client.post(format!("http://{address}/"));
        post.header("content-type", kind).body(body).send()
    };
    let wrong = post("text/plain", Vec::new()).await.unwrap();
    assert_eq!(wrong.status().as_u16(), 415);
    let long = post("application/ocsp-request", vec![0; 70_000])
        .await
        .unwrap();
    assert_eq!(long.status().as_u16(), 413);
    let garbage = post("application/ocsp-request", vec![0x30; 9])
        .await
        .unwrap();
    assert_eq!(
        &garbage.bytes().await.unwrap()[..],
        &refusal(Refusal::Malformed)[..]
    );
}

#[test]
fn only_the_appointed_key_answers_and_only_while_it_holds() {
    with_private_tokens(
        "ocsp::tests::only_the_appointed_key_answers_and_only_while_it_holds",
        || {
            let house = house(Curve::P384);
            let own = Certificate::clone(&house.responder.certificate());
            let other = token("other");
            other.generate_signing_key("ocsp", Curve::P384).unwrap();
            let signer = Arc::new(other.signer("ocsp").unwrap());
            let made = |certificate: &Certificate| {
                OcspResponder::new(
                    house.serving.clone(),
                    certificate.clone(),
                    signer.clone(),
                    TERM,
                )
            };
            let fault = |made: Result<OcspResponder, ResponderError>| match made.unwrap_err() {
                ResponderError::Certificate { reason, .. } => reason,
            };
            assert_eq!(fault(made(&own)), "its key is not the one in the HSM");
            assert_eq!(
                fault(made(house.serving.certificate())),
                "it is not for signing OCSP"
            );
            assert!(matches!(
                house
                    .serving
                    .ca()
                    .appoint(&profile(AUTHENTICATION), &*signer, house.at),
                Err(IssueError::NotAResponderProfile { .. })
            ));
            runtime().block_on(async {
                let leaf = house.issue("leaf", 5).await;
                let issuer = house.serving.certificate();
                let asked = OcspRequest::for_certificate(&leaf, issuer, None).unwrap();
                let asked = asked.to_der().unwrap();
                let late = own.validity().not_after + SignedDuration::from_secs(2);
                let answer = house.responder.handle(&asked, late).await;
                assert_eq!(answer, refusal(Refusal::TryLater));
                // Renewed, it answers again; also where it was handed out before.
                let served = house.responder.clone();
                let ca = house.serving.ca();
                let foreign = ca.appoint(&profile(OCSP), &*signer, late).unwrap();
                assert!(house.responder.renew(foreign).is_err());
                let newer = ca.appoint(&profile(OCSP), &*house.signer, late).unwrap();
                house.responder.renew(newer).unwrap();
                let answer = OcspResponse::parse(&served.handle(&asked, late).await);
                assert!(answer.unwrap().is_ok());
            });
        },
    );
}

#[test]
fn our_client_judges_openssl_s_responder() {
    let folder = Folder::new();
    let own = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
        subjectKeyIdentifier=hash\n";
    let delegated = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
        extendedKeyUsage=OCSPSigning\nnoCheck=ignored\n";
    let issue = |name: &str, issuer: Option<&str>, extensions: &str| {
        folder.write("ext", extensions.as_bytes());
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        folder.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-subj",
            &format!("/CN={name}"),
            "-out",
            "csr",
        ]);
        let (by, by_key) = (
            format!("{}.pem", issuer.unwrap_or(name)),
            format!("{}.key", issuer.unwrap_or(name)),
        );
        let signed = match issuer {
            None => vec!["-signkey", &key],
            Some(_) => vec!["-CA", &by, "-CAkey", &by_key],
        };
        let serial = format!("{}", name.len());
        let arguments = [
            &[
                "x509",
                "-req",
                "-in",
                "csr",
                "-days",
                "20",
                "-extfile",
                "ext",
                "-set_serial",
            ],
            &[&serial[..]][..],
            &signed,
            &["-out", &pem],
        ]
        .concat();
        folder.openssl(&arguments);
        folder.openssl(&["x509", "-in", &pem, "-outform", "DER", "-out", "der"]);
        Certificate::parse(&folder.read("der")).unwrap()
    };
    let ca = issue("root", None, own);
    issue("other", None, own);
    issue("responder", Some("root"), delegated);
    issue(
        "mute",
        Some("root"),
        &delegated.replace("OCSPSigning", "clientAuth"),
    );
    issue(
        "checked",
        Some("root"),
        &delegated.replace("noCheck=ignored\n", ""),
    );
    issue("stranger", Some("other"), delegated);
    let leaf = issue(
        "leafcert",
        Some("root"),
        "basicConstraints=critical,CA:FALSE\n",
    );
    let gone = issue(
        "goneleafcert",
        Some("root"),
        "basicConstraints=critical,CA:FALSE\n",
    );
    let index = "V\t360101000000Z\t\t08\tunknown\t/CN=leafcert\n\
        R\t360101000000Z\t260102030405Z,CACompromise\t0C\tunknown\t/CN=goneleafcert\n";
    folder.write("index", index.as_bytes());
    let nonce = Some([9; 32]);
    let answer = |asked: &OcspRequest, signer: &str, more: &[&str]| {
        folder.write("asked", &asked.to_der().unwrap());
        let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let arguments = [
            &[
                "ocsp", "-index", "index", "-CA", "root.pem", "-rsigner", &pem, "-rkey", &key,
                "-reqin", "asked", "-respout", "answer",
            ],
            more,
        ]
        .concat();
        folder.openssl(&arguments);
        OcspResponse::parse(&folder.read("answer"))
            .unwrap()
            .unwrap()
    };
    let asked = OcspRequest::for_certificate(&leaf, &ca, nonce).unwrap();
    let ndays = ["-ndays", "1"];
    let at = Timestamp::now();
    let good = Ok((vec![CertStatus::Good], Responder::Delegated));
    let by_responder = answer(&asked, "responder", &ndays);
    assert_eq!(by_responder.verify(&asked, &ca, at), good);
    let by_name_or_key = answer(&asked, "responder", &["-ndays", "1", "-resp_key_id"]);
    assert_eq!(by_name_or_key.verify(&asked, &ca, at), good);
    let by_ca = answer(&asked, "root", &ndays).verify(&asked, &ca, at);
    assert_eq!(by_ca, Ok((vec![CertStatus::Good], Responder::Issuer)));
    let both = OcspRequest {
        ids: [gone.serial(), leaf.serial(), &[0x77]]
            .map(|serial| cert::ocsp::CertId::hashed(Hash::Sha256, &ca, serial).unwrap())
            .into(),
        nonce: None,
    };
    let (said, _) = answer(&both, "responder", &ndays)
        .verify(&both, &ca, at)
        .unwrap();
    let revoked = CertStatus::Revoked {
        since: "2026-01-02T03:04:05Z".parse().unwrap(),
        reason: Some(2),
    };
    assert_eq!(said, [revoked, CertStatus::Good, CertStatus::Unknown]);

    for (signer, reason) in [
        ("mute", "it is not for signing OCSP"),
        (
            "checked",
            "it would have to be checked itself (no ocsp-nocheck)",
        ),
        ("stranger", "the issuer did not sign it"),
    ] {
        let told = answer(&asked, signer, &ndays).verify(&asked, &ca, at);
        assert!(
            matches!(&told, Err(OcspVerifyError::Appointment { reason: said, .. }) if *said == reason),
            "{told:?}"
        );
    }
    let alone = answer(&asked, "responder", &["-ndays", "1", "-resp_no_certs"]);
    assert_eq!(
        alone.verify(&asked, &ca, at),
        Err(OcspVerifyError::Responder)
    );
    let other_nonce = OcspRequest {
        nonce: Some(vec![8; 32]),
        ..asked.clone()
    };
    let told = by_responder.verify(&other_nonce, &ca, at);
    assert_eq!(told, Err(OcspVerifyError::Nonce));
    let about_another = OcspRequest::for_certificate(&gone, &ca, nonce).unwrap();
    assert!(matches!(
        by_responder.verify(&about_another, &ca, at),
        Err(OcspVerifyError::Missing { .. })
    ));
    let hours = |hours| SignedDuration::from_hours(hours);
    for when in [at + hours(25), at - hours(1)] {
        let told = by_responder.verify(&asked, &ca, when);
        assert!(
            matches!(
                told,
                Err(OcspVerifyError::Stale { .. } | OcspVerifyError::Appointment { .. })
            ),
            "{told:?}"
        );
    }
    let undated = answer(&asked, "responder", &[]);
    assert_eq!(undated.verify(&asked, &ca, at), good);
    assert!(matches!(
        undated.verify(&asked, &ca, at + hours(2)),
        Err(OcspVerifyError::Stale { .. })
    ));
    // Every byte that is altered is noticed, or was no part of what is said.
    let der = folder.read("answer");
    for place in (0..der.len()).step_by(3) {
        let mut altered = der.clone();
        altered[place] ^= 0x11;
        if let Ok(Ok(read)) = OcspResponse::parse(&altered)
            && let Ok((said, _)) = read.verify(&asked, &ca, at)
        {
            assert_eq!(said, [CertStatus::Good], "byte {place}");
        }
    }
}

/// A token that signs when it is let.
struct Slow {
    signer: Arc<dyn Signer>,
    asked: std::sync::atomic::AtomicUsize,
    gate: std::sync::RwLock<()>,
}

impl Signer for Slow {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.signer.algorithm()
    }

    fn public_key_spki_der(&self) -> &[u8] {
        self.signer.public_key_spki_der()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _open = self.gate.read().unwrap();
        self.signer.sign(message)
    }
}

#[test]
fn a_crowd_does_not_take_the_token_and_an_answer_ends_with_its_key() {
    with_private_tokens(
        "ocsp::tests::a_crowd_does_not_take_the_token_and_an_answer_ends_with_its_key",
        || {
            let house = house(Curve::P256);
            let slow = Arc::new(Slow {
                signer: house.signer.clone(),
                asked: 0.into(),
                gate: std::sync::RwLock::default(),
            });
            let certificate = Certificate::clone(&house.responder.certificate());
            let last = certificate.validity().not_after;
            let responder =
                OcspResponder::new(house.serving.clone(), certificate, slow.clone(), TERM).unwrap();
            let issuer = house.serving.certificate().clone();
            let ask = || CertId::new(&issuer, &[7]).unwrap();
            let asked = OcspRequest {
                ids: vec![ask()],
                nonce: None,
            };
            let der = asked.to_der().unwrap();
            let runtime = runtime();
            let shut = slow.gate.write().unwrap();
            let waiting: Vec<_> = (0..MOST)
                .map(|_| {
                    let (responder, der) = (responder.clone(), der.clone());
                    runtime.spawn(async move { responder.handle(&der, Timestamp::now()).await })
                })
                .collect();
            while slow.asked.load(Ordering::SeqCst) < MOST {
                std::thread::yield_now();
            }
            let more = runtime.block_on(responder.handle(&der, Timestamp::now()));
            assert_eq!(more, refusal(Refusal::TryLater));
            drop(shut);
            for one in waiting {
                let answer = runtime.block_on(one).unwrap();
                let answer = OcspResponse::parse(&answer).unwrap().unwrap();
                answer.verify(&asked, &issuer, Timestamp::now()).unwrap();
            }
            // In the last minute of the responder's certificate.
            let at = last - SignedDuration::from_secs(60);
            let answer = runtime.block_on(responder.handle(&der, at));
            house.folder.write("last", &answer);
            let said =
                house
                    .folder
                    .openssl(&["ocsp", "-respin", "last", "-noverify", "-resp_text"]);
            let end = last
                .strftime("Next Update: %b %e %H:%M:%S %Y GMT")
                .to_string();
            assert!(said.contains(&end), "{end}: {said}");
        },
    );
}

/// Runs where `ZIMOGS_PKILINT` names the folder of pkilint's programs.
#[test]
fn pkilint_finds_answers_and_the_responder_sound() {
    let Ok(programs) = std::env::var("ZIMOGS_PKILINT") else {
        missing::program("pkilint; ZIMOGS_PKILINT names the folder of its programs");
        return;
    };
    with_private_tokens(
        "ocsp::tests::pkilint_finds_answers_and_the_responder_sound",
        || {
            let house = house(Curve::P384);
            let lint = |program: &str, arguments: &[&str]| {
                let arguments = [&["lint"], arguments, &["-s", "WARNING", "judged"]].concat();
                let program = format!("{programs}/{program}");
                let (clean, said) = house.folder.run(&program, &arguments);
                assert!(clean, "{said}");
            };
            house
                .folder
                .write("judged", house.responder.certificate().as_der());
            lint("lint_pkix_cert", &[]);
            let answer = runtime().block_on(async {
                let leaf = house.issue("leaf", 5).await;
                let issuer = house.serving.certificate();
                let asked = OcspRequest::for_certificate(&leaf, issuer, Some([3; 32])).unwrap();
                let asked = asked.to_der().unwrap();
                house.responder.handle(&asked, Timestamp::now()).await
            });
            house.folder.write("judged", &answer);
            lint("lint_ocsp_response", &[]);
        },
    );
}
