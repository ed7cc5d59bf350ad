//! `openssl cmp -port` as the authority of our client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cert::Certificate;
use hsm::test_support::with_private_tokens;
use jiff::Timestamp;

use super::world::{REFERENCE, SECRET, Setup, World, chip};
use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Status, Verdict,
};
use crate::cmp::{CmpAuthority, Credential};
use crate::crl::RevocationReason;
use crate::testing::AUTHENTICATION;

/// openssl's server, ended when it is dropped.
///
/// It listens on all of the machine's addresses, and has no option for fewer.
struct Mock {
    child: Child,
    url: String,
    certificate: Certificate,
}

impl Mock {
    /// Starts it with these options; it gives the certificate in "given.pem".
    fn start(world: &World, options: &[&str]) -> Self {
        let certificate = match std::fs::read(world.folder.path("mock.der")) {
            Ok(der) => Certificate::parse(&der).unwrap(),
            Err(_) => world.stranger("mock"),
        };
        let secret = format!("pass:{SECRET}");
        let mut child = Command::new("openssl")
            .args(["cmp", "-config", "", "-port", "0", "-accept_raverified"])
            .args(["-srv_cert", "mock.pem", "-srv_key", "mock.key"])
            .args(["-srv_trusted", "rauth.pem", "-srv_untrusted", "rauth.pem"])
            .args(["-srv_ref", REFERENCE, "-srv_secret", &secret])
            .args(["-rsp_cert", "given.pem"])
            .args(options)
            .current_dir(world.folder.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (address, _) = line.strip_prefix("ACCEPT ")?.split_once(' ')?;
            Some(address.rsplit_once(':')?.1.to_owned())
        });
        // Read on, or it could block.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            url: format!("http://127.0.0.1:{}/pkix/", port.unwrap()),
            certificate,
        }
    }

    fn client(&self, world: &World, credential: &Credential, also: &str) -> CmpAuthority {
        world.client(Setup {
            url: self.url.clone(),
            credential: credential.clone(),
            also,
            chain: vec![self.certificate.clone()],
            responders: vec![self.certificate.clone()],
        })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What openssl's server gives for an order: the certificate that our own authority would.
fn given(world: &World, order: &CertificateOrder) -> Certificate {
    let certificate = world.ca.ca().issue(order, Timestamp::now()).unwrap();
    world.folder.write("given.der", certificate.as_der());
    world.folder.openssl(&[
        "x509",
        "-inform",
        "DER",
        "-in",
        "given.der",
        "-out",
        "given.pem",
    ]);
    certificate
}

/// Prepares an order and submits it until there is more than waiting; returns how often it waited.
fn enrol(
    world: &World,
    client: &CmpAuthority,
    order: &CertificateOrder,
) -> (Exchange, Result<Certificate, AuthorityError>, Vec<Duration>) {
    world.runtime.block_on(async {
        let mut exchange = client.prepare(order, Timestamp::now()).await.unwrap();
        let mut waited = Vec::new();
        loop {
            match client.submit(order, &exchange, Timestamp::now()).await {
                Ok(Answer::Issued(certificate)) => return (exchange, Ok(*certificate), waited),
                Ok(Answer::Waiting {
                    exchange: next,
                    after,
                }) => {
                    assert!(waited.len() < 10);
                    exchange = Exchange::from_bytes(next.as_bytes().to_vec());
                    waited.push(after);
                }
                Err(error) => return (exchange, Err(error), waited),
            }
        }
    })
}

#[test]
fn openssl_s_server_gives_certificates_to_our_client() {
    with_private_tokens(
        "cmp::tests::openssl_answers::openssl_s_server_gives_certificates_to_our_client",
        || {
            let world = World::new();
            let by_key = Credential::Signature(world.registration_authority());
            let order = chip(5, AUTHENTICATION);
            let certificate = given(&world, &order);
            let mock = Mock::start(&world, &[]);
            let granting = Mock::start(&world, &["-grant_implicitconf"]);
            for credential in [World::by_secret(), by_key] {
                for request in ["ir", "cr", "p10cr"] {
                    for (mock, confirmation) in [
                        (&mock, "explicit"),
                        (&granting, "implicit"),
                        (&mock, "implicit"),
                    ] {
                        let also =
                            format!("request = {request:?}\nconfirmation = {confirmation:?}");
                        let client = mock.client(&world, &credential, &also);
                        let (exchange, got, waited) = enrol(&world, &client, &order);
                        assert_eq!(got.unwrap(), certificate, "{also}");
                        assert!(waited.is_empty());
                        for _ in 0..2 {
                            let accepted = Verdict::Accepted;
                            let done = client.conclude(
                                &exchange,
                                &certificate,
                                accepted,
                                Timestamp::now(),
                            );
                            world.runtime.block_on(done).unwrap();
                        }
                        let withdraws = client.promises().withdraws_unconfirmed;
                        assert_eq!(withdraws, confirmation == "explicit");
                    }
                }
                // It confirms nothing that it did not issue, and takes a rejection.
                let client = mock.client(&world, &credential, "");
                let (exchange, got, _) = enrol(&world, &client, &order);
                let got = got.unwrap();
                let rejected =
                    client.conclude(&exchange, &got, Verdict::Rejected, Timestamp::now());
                world.runtime.block_on(rejected).unwrap();
            }
        },
    );
}

#[test]
fn openssl_s_server_has_our_client_poll_renew_and_revoke() {
    with_private_tokens(
        "cmp::tests::openssl_answers::openssl_s_server_has_our_client_poll_renew_and_revoke",
        || {
            let world = World::new();
            let by_key = Credential::Signature(world.registration_authority());
            let order = chip(5, AUTHENTICATION);
            let certificate = given(&world, &order);
            let polled = Mock::start(&world, &["-poll_count", "2", "-check_after", "1"]);
            for credential in [World::by_secret(), by_key.clone()] {
                let client = polled.client(&world, &credential, "");
                let (exchange, got, waited) = enrol(&world, &client, &order);
                assert_eq!(got.unwrap(), certificate);
                let second = Duration::from_secs(1);
                assert_eq!(waited, [Duration::ZERO, second]);
                let accepted =
                    client.conclude(&exchange, &certificate, Verdict::Accepted, Timestamp::now());
                world.runtime.block_on(accepted).unwrap();
            }
            let mock = Mock::start(&world, &[]);
            for credential in [World::by_secret(), by_key] {
                let client = mock.client(&world, &credential, "");
                world.runtime.block_on(async {
                    // openssl takes a key update of the certificate that it gives.
                    let renewal = client.prepare_renewal(&order, &certificate).await.unwrap();
                    let answer = client.submit(&order, &renewal, Timestamp::now()).await;
                    assert_eq!(
                        answer.unwrap(),
                        Answer::Issued(Box::new(certificate.clone()))
                    );
                    for status in [
                        Status::OnHold,
                        Status::Good,
                        Status::Revoked(RevocationReason::KeyCompromise),
                    ] {
                        let moved = client
                            .set_status(&certificate, status, Timestamp::now())
                            .await;
                        moved.unwrap();
                    }
                });
            }
        },
    );
}

#[test]
fn openssl_s_refusals_are_told_apart() {
    with_private_tokens(
        "cmp::tests::openssl_answers::openssl_s_refusals_are_told_apart",
        || {
            let world = World::new();
            world.registration_authority();
            let order = chip(5, AUTHENTICATION);
            given(&world, &order);
            let credential = World::by_secret();
            let failure = |bit: &'static str| {
                [
                    "-pkistatus",
                    "2",
                    "-failure",
                    bit,
                    "-statusstring",
                    "because",
                ]
            };
            let ask = |options: &[&str], also: &str| {
                let mock = Mock::start(&world, options);
                let client = mock.client(&world, &credential, also);
                enrol(&world, &client, &order).1.unwrap_err()
            };
            for (options, is_refusal) in [
                (&failure("9")[..], true),
                (&failure("23"), true),
                (&failure("24"), false),
                (&failure("25"), false),
                (&["-send_error"], true),
            ] {
                let error = ask(options, "");
                match &error {
                    AuthorityError::Refused { reason } if is_refusal => {
                        // With this option it has words of its own.
                        let words = match options {
                            ["-send_error"] => "error processing message",
                            _ => "because",
                        };
                        assert!(reason.contains(words), "{reason}");
                    }
                    AuthorityError::Unanswered { .. } if !is_refusal => {}
                    other => panic!("{options:?}: {other:?}"),
                }
                assert_eq!(error.is_passing(), !is_refusal);
            }
            // In use: what was issued under it is withdrawn where it must be confirmed.
            let in_use = failure("21");
            assert!(matches!(ask(&in_use, ""), AuthorityError::Lost { .. }));
            let implicit = ask(&in_use, "confirmation = \"implicit\"");
            assert!(matches!(implicit, AuthorityError::Unanswered { .. }));
            // Anybody may have said it: it is shown, and not believed.
            let unprotected = [&failure("9")[..], &["-send_error", "-send_unprot_err"]].concat();
            for options in [&["-send_unprotected"][..], &unprotected] {
                let error = ask(options, "");
                assert!(matches!(error, AuthorityError::Foreign { .. }), "{error:?}");
            }
        },
    );
}
