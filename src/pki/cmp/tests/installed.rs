//! A connector as an installation sets it up: from files, over TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use hsm::Signer;
use hsm::test_support::with_private_tokens;
use jiff::Timestamp;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};

use super::world::{REFERENCE, SECRET, World, chip, prepared, run};
use crate::authority::{Answer, AuthorityError, CertificateAuthority, Verdict};
use crate::cmp::{
    CmpAuthority, CmpConfig, CmpFileError, CmpParts, CmpServerConfig, CmpServerError, Credential,
};
use crate::judge::judge;
use crate::testing::AUTHENTICATION;

/// Puts openssl's TLS before an endpoint.
fn behind_tls(world: &World, endpoint: SocketAddr) -> u16 {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    let (key, certificate) = (world.folder.path("tls.key"), world.folder.path("tls.pem"));
    acceptor
        .set_private_key_file(key, SslFiletype::PEM)
        .unwrap();
    acceptor.set_certificate_chain_file(certificate).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else {
                continue;
            };
            let mut plain = TcpStream::connect(endpoint).unwrap();
            let mut request = [0; 65_536];
            // One message at a time: what is there goes on, until somebody has enough.
            while let Ok(length @ 1..) = stream.read(&mut request) {
                plain.write_all(&request[..length]).unwrap();
                let ends = request[..length].ends_with(b"\r\n\r\n");
                if ends {
                    continue;
                }
                let length = plain.read(&mut request).unwrap();
                stream.write_all(&request[..length]).unwrap();
            }
        }
    });
    port
}

#[test]
fn a_connector_is_made_from_files_and_speaks_tls() {
    with_private_tokens(
        "cmp::tests::installed::a_connector_is_made_from_files_and_speaks_tls",
        || {
            let world = World::new();
            let identity = world.registration_authority();
            let mut clients = world.authorities();
            clients.push(World::known_by(&identity));
            let endpoint = world.serve(&world.server(clients, World::policy()));
            world.key("tls");
            world.stranger("tlsroot");
            world
                .folder
                .write("tls.ext", b"subjectAltName=DNS:localhost\n");
            world.folder.openssl(&[
                "req",
                "-new",
                "-key",
                "tls.key",
                "-subj",
                "/CN=localhost",
                "-out",
                "tls.csr",
            ]);
            world.folder.openssl(&[
                "x509",
                "-req",
                "-in",
                "tls.csr",
                "-CA",
                "tlsroot.pem",
                "-CAkey",
                "tlsroot.key",
                "-CAcreateserial",
                "-days",
                "2",
                "-extfile",
                "tls.ext",
                "-out",
                "tls.pem",
            ]);
            world.stranger("other");
            world
                .folder
                .write_secret("secret", format!("{SECRET}\r\n").as_bytes());
            let port = behind_tls(&world, endpoint);
            let folder = world.folder.path("");
            let token = world.token.clone();
            let open = |text: &str| -> Result<CmpAuthority, CmpFileError> {
                let config = CmpConfig::parse(text).unwrap();
                let token = token.clone();
                let parts = CmpParts::read(&config, &folder, |label| {
                    Ok(Arc::new(token.signer(label)?) as Arc<dyn Signer>)
                })?;
                let random = Arc::new(world.token.clone());
                Ok(CmpAuthority::new(config, parts, random).unwrap())
            };
            let by_secret = format!(
                "url = \"https://localhost:{port}/.well-known/cmp\"\n\
                 profile_naming = \"both\"\n\
                 chain_file = \"ca.pem\"\nresponders_file = \"cmp.pem\"\n\
                 tls_anchors_file = \"tlsroot.pem\"\n\
                 [protection.mac]\nreference = {REFERENCE:?}\nsecret_file = \"secret\"\n"
            );
            let (common, _) = by_secret.split_once("[protection").unwrap();
            let by_key = format!(
                "{common}[protection.signature]\nkey = \"ra\"\ncertificate_file = \"rauth.pem\"\n"
            );
            for (text, seed) in [(&by_secret, 5), (&by_key, 6)] {
                let client = open(text).unwrap();
                let order = chip(seed, AUTHENTICATION);
                world.runtime.block_on(async {
                    let at = Timestamp::now();
                    let exchange = client.prepare(&order, at).await.unwrap();
                    let answer = client.submit(&order, &exchange, at).await.unwrap();
                    let Answer::Issued(certificate) = answer else {
                        panic!("{answer:?}");
                    };
                    judge(&order, &certificate, client.chain(), Timestamp::now()).unwrap();
                    let accepted = client.conclude(&exchange, &certificate, Verdict::Accepted, at);
                    accepted.await.unwrap();
                });
            }
            // Another's TLS is not spoken to.
            let other = by_secret.replace("\"tlsroot.pem\"", "\"other.pem\"");
            let client = open(&other).unwrap();
            let order = chip(7, AUTHENTICATION);
            let refused = world.runtime.block_on(async {
                let at = Timestamp::now();
                let exchange = client.prepare(&order, at).await.unwrap();
                client.submit(&order, &exchange, at).await.unwrap_err()
            });
            let untrusted = matches!(&refused, AuthorityError::Unanswered { reason } if reason.contains("certificate"));
            assert!(untrusted, "{refused:?}");
            assert_eq!(world.register.entries().len(), 2);

            // What is wrong with a file is said, and no secret with it.
            world.folder.write_secret("short", b"short");
            world.folder.write("shown", SECRET.as_bytes());
            world.folder.permit("shown", 0o640);
            world.folder.write("text", b"no certificate");
            world.folder.write(
                "broken",
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            );
            for (from, to, said) in [
                ("\"secret\"", "\"short\"", "Credential"),
                ("\"secret\"", "\"none\"", "Read"),
                ("\"secret\"", "\"shown\"", "Exposed"),
                // It says that it is empty, and never ends.
                ("\"ca.pem\"", "\"/dev/zero\"", "Read"),
                ("\"ca.pem\"", "\"text\"", "Pem"),
                ("\"ca.pem\"", "\"broken\"", "Certificate"),
            ] {
                let error = open(&by_secret.replace(from, to)).unwrap_err();
                let error = format!("{error:?}");
                assert!(
                    error.starts_with(said) && !error.contains(SECRET),
                    "{error}"
                );
            }
            let error = open(&by_key.replace("\"ra\"", "\"nobody's\"")).unwrap_err();
            assert!(matches!(error, CmpFileError::Key(_)));
            let error = open(&by_key.replace("rauth.pem", "cmp.pem")).unwrap_err();
            assert!(matches!(error, CmpFileError::Credential(_)));
            // Nothing of a secret is shown.
            let shown = format!("{:?} {client:?}", World::by_secret());
            assert!(!shown.contains(SECRET) && matches!(World::by_secret(), Credential::Mac(_)));
        },
    );
}

#[test]
fn what_is_no_cmp_over_http_is_not_served() {
    with_private_tokens(
        "cmp::tests::installed::what_is_no_cmp_over_http_is_not_served",
        || {
            let world = World::new();
            let endpoint = world.serve(&world.server(world.clients(), World::policy()));
            let ask = |head: &str, body: &[u8]| {
                let mut stream = TcpStream::connect(endpoint).unwrap();
                let length = body.len();
                let head = format!(
                    "{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).unwrap();
                // The endpoint may have said no and gone.
                let _ = stream.write_all(body);
                let mut said = Vec::new();
                let _ = stream.read_to_end(&mut said);
                String::from_utf8_lossy(&said).into_owned()
            };
            let cmp = "Content-Type: application/pkixcmp";
            for (head, body, status) in [
                (
                    format!("GET /.well-known/cmp HTTP/1.1\r\n{cmp}"),
                    vec![],
                    "405",
                ),
                (format!("POST /other HTTP/1.1\r\n{cmp}"), vec![], "404"),
                ("POST /.well-known/cmp HTTP/1.1".to_owned(), vec![], "415"),
                (
                    format!("POST /.well-known/cmp HTTP/1.1\r\n{cmp}"),
                    vec![0; 65_537],
                    "413",
                ),
                (
                    format!("POST /.well-known/cmp HTTP/1.1\r\n{cmp}"),
                    vec![0; 100],
                    "200",
                ),
                (
                    format!("POST /.well-known/cmp/p/any HTTP/1.1\r\n{cmp}"),
                    vec![],
                    "200",
                ),
            ] {
                let said = ask(&head, &body);
                assert!(
                    said.starts_with(&format!("HTTP/1.1 {status}")),
                    "{head}: {said}"
                );
            }
        },
    );
}

#[test]
fn an_endpoint_is_made_from_files() {
    with_private_tokens(
        "cmp::tests::installed::an_endpoint_is_made_from_files",
        || {
            let world = World::new();
            let identity = world.registration_authority();
            world.folder.write_secret("secret", SECRET.as_bytes());
            let text = format!(
                r#"
                profiles = ["eid-authentication", "eid-signature"]
                default_profile = "eid-authentication"
                delay_seconds = 1

                [[client]]
                name = "station"
                credential.mac = {{ reference = {REFERENCE:?}, secret_file = "secret" }}
                profiles = ["eid-signature"]

                [[client]]
                name = "registration"
                registration_authority = true
                credential.signature = {{ certificate_file = "rauth.pem" }}
                "#
            );
            let config = CmpServerConfig::parse(&text).unwrap();
            let find = |name: &str| {
                let found = World::policy().profiles;
                found.get(name).cloned()
            };
            let policy = config.policy(find).unwrap();
            assert!(policy.issues_on_hold && !policy.implicit_confirmation);
            let folder = world.folder.path("");
            let url = |delayed: bool| {
                let mut policy = policy.clone();
                policy.delay = policy.delay.filter(|_| delayed);
                let server = world.server(config.clients(&folder).unwrap(), policy);
                format!("http://{}/.well-known/cmp", world.serve(&server))
            };
            let order = chip(5, AUTHENTICATION);
            let ask = |url: String, credential: Credential| {
                let client = world.own_client(url, credential, "");
                let exchange = prepared(&world, &client, &order);
                run(&world, client.submit(&order, &exchange, Timestamp::now()))
            };
            let by_key = Credential::Signature(identity);
            let waits = ask(url(true), by_key.clone()).unwrap();
            assert!(matches!(waits, Answer::Waiting { .. }));
            let issued = ask(url(false), by_key).unwrap();
            assert!(matches!(issued, Answer::Issued(_)));
            // Not this profile, and possession is not the station's to prove for others.
            let refused = ask(url(false), World::by_secret()).unwrap_err();
            assert!(refused.to_string().contains("notAuthorized"), "{refused}");

            for (from, to, said) in [
                ("delay_seconds = 1", "delay_seconds = 0", "delay_seconds"),
                ("delay_seconds", "delay", "line 4"),
                ("secret_file", "secret", "line 8"),
            ] {
                let error = CmpServerConfig::parse(&text.replace(from, to)).unwrap_err();
                let source = std::error::Error::source(&error).map(ToString::to_string);
                let all = format!("{error} {}", source.unwrap_or_default());
                assert!(all.contains(said), "{all}");
            }
            let other = text.replace("[\"eid-signature\"]", "[\"other\"]");
            let unknown = CmpServerConfig::parse(&other).unwrap().policy(find);
            assert!(
                matches!(unknown, Err(CmpServerError::UnknownProfile { name }) if name == "other")
            );
            let gone = text.replace("rauth.pem", "none.pem");
            let gone = CmpServerConfig::parse(&gone).unwrap().clients(&folder);
            assert!(matches!(gone, Err(CmpFileError::Read { .. })));
            world.folder.permit("secret", 0o604);
            let shown = config.clients(&folder);
            assert!(matches!(shown, Err(CmpFileError::Exposed { .. })));
        },
    );
}
