//! What goes wrong between client and endpoint: nothing is lost, and nothing issued twice.

use std::sync::Arc;
use std::time::Duration;

use cert::Certificate;
use hsm::test_support::with_private_tokens;
use jiff::{SignedDuration, Timestamp};

use super::faulty::{Fault, Faulty, at_another_time};
use super::world::{DELAY, Setup, World, chip, prepared, run};
use crate::authority::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Status, Verdict,
};
use crate::cmp::body::{Body, CertOrEncCert, Enrolment};
use crate::cmp::header::Header;
use crate::cmp::protection::Credential;
use crate::cmp::{CmpAuthority, CmpServer, CmpServerPolicy, SharedSecret, SigningIdentity};
use crate::crl::RevocationReason;
use crate::judge::{Misissued, judge};
use crate::register::Register;
use crate::testing::{AUTHENTICATION, SIGNATURE, profile};

const WITHDRAWN: Status = Status::Revoked(RevocationReason::Superseded);

fn submitted(
    world: &World,
    client: &CmpAuthority,
    order: &CertificateOrder,
    exchange: &Exchange,
) -> Result<Answer, AuthorityError> {
    run(world, client.submit(order, exchange, Timestamp::now()))
}

fn concluded(
    world: &World,
    client: &CmpAuthority,
    exchange: &Exchange,
    certificate: &Certificate,
    verdict: Verdict,
) -> Result<(), AuthorityError> {
    run(
        world,
        client.conclude(exchange, certificate, verdict, Timestamp::now()),
    )
}

fn issued(answer: Result<Answer, AuthorityError>) -> Certificate {
    match answer.unwrap() {
        Answer::Issued(certificate) => *certificate,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_was_lost_is_found_again() {
    with_private_tokens(
        "cmp::tests::faults::an_answer_that_was_lost_is_found_again",
        || {
            let world = World::new();
            let server = world.server(world.authorities(), World::policy());
            let faulty = Faulty::start(&world, &server);
            let mut wanted = 0;
            for (seed, request) in [(5, "ir"), (6, "cr"), (7, "p10cr")] {
                let also = format!("request = {request:?}\nfinds_again = true");
                let new_client = || world.own_client(faulty.url.clone(), World::by_secret(), &also);
                let client = new_client();
                assert!(client.promises().finds_again);
                let mut order = chip(seed, AUTHENTICATION);
                if request == "p10cr" {
                    // PKCS#10 has no way to say when the document ends.
                    order.not_after = crate::testing::time("2036-03-01T23:59:59Z");
                }
                let exchange = prepared(&world, &client, &order);
                let hasty = format!("{also}\ntimeout_seconds = 1");
                let hasty = world.own_client(faulty.url.clone(), World::by_secret(), &hasty);
                for (client, fault) in [
                    (&client, Fault::LoseRequest),
                    (&client, Fault::LoseAnswer),
                    (&client, Fault::CutAnswer),
                    (&hasty, Fault::Slow),
                ] {
                    faulty.next([fault]);
                    let error = submitted(&world, client, &order, &exchange).unwrap_err();
                    assert!(
                        matches!(error, AuthorityError::Unanswered { .. }),
                        "{error:?}"
                    );
                }
                // As after a restart: the bytes are all that is left.
                let exchange = Exchange::from_bytes(exchange.as_bytes().to_vec());
                let client = new_client();
                let certificate = issued(submitted(&world, &client, &order, &exchange));
                wanted += 1;
                assert_eq!(world.register.entries().len(), wanted);
                judge(&order, &certificate, client.chain(), Timestamp::now()).unwrap();
                assert_eq!(world.status(&certificate), Status::OnHold);
                let again = issued(submitted(&world, &client, &order, &exchange));
                assert_eq!(again, certificate);

                // The confirmation is lost on its way there and back, before and after a restart.
                let accepted = Verdict::Accepted;
                for (client, faults) in [
                    (&client, vec![Fault::LoseRequest]),
                    (&client, vec![Fault::LoseAnswer]),
                    (&new_client(), vec![Fault::LoseAnswer]),
                    (&new_client(), vec![Fault::None, Fault::LoseAnswer]),
                ] {
                    faulty.next(faults);
                    let error = concluded(&world, client, &exchange, &certificate, accepted);
                    assert!(error.unwrap_err().is_passing());
                }
                for client in [&client, &client, &new_client()] {
                    concluded(&world, client, &exchange, &certificate, accepted).unwrap();
                    assert_eq!(world.status(&certificate), Status::Good);
                }
                assert_eq!(world.register.entries().len(), wanted);
            }
        },
    );
}

#[test]
fn after_a_restart_of_both_a_certificate_is_confirmed_or_rejected() {
    with_private_tokens(
        "cmp::tests::faults::after_a_restart_of_both_a_certificate_is_confirmed_or_rejected",
        || {
            let world = World::new();
            let (accepted, rejected) = (Verdict::Accepted, Verdict::Rejected);
            for (seed, verdict, status, also) in [
                (5, accepted, Status::Good, "finds_again = true"),
                (6, rejected, WITHDRAWN, "finds_again = true"),
                // It could issue again if it were asked again: it is not.
                (7, accepted, Status::Good, "finds_again = false"),
                (8, rejected, WITHDRAWN, "finds_again = false"),
                (9, accepted, Status::Good, "confirmation = \"implicit\""),
                (10, rejected, WITHDRAWN, "confirmation = \"implicit\""),
            ] {
                let order = chip(seed, AUTHENTICATION);
                let new = || {
                    let server = world.server(world.authorities(), World::policy());
                    let faulty = Faulty::start(&world, &server);
                    world.own_client(faulty.url, World::by_secret(), also)
                };
                let client = new();
                let exchange = prepared(&world, &client, &order);
                let certificate = issued(submitted(&world, &client, &order, &exchange));
                for _ in 0..2 {
                    let client = new();
                    concluded(&world, &client, &exchange, &certificate, verdict).unwrap();
                    assert_eq!(world.status(&certificate), status);
                }
                // What was withdrawn is not given again.
                if verdict == Verdict::Rejected {
                    let error = submitted(&world, &new(), &order, &exchange).unwrap_err();
                    assert!(matches!(error, AuthorityError::Lost { .. }), "{error:?}");
                }
            }
            assert_eq!(world.register.entries().len(), 6);
        },
    );
}

fn of_another_request(_: &mut Header, body: &mut Body) {
    if let Body::Response(_, content) = body {
        content.response[0].cert_req_id = 7;
    }
}

fn as_another_response(_: &mut Header, body: &mut Body) {
    if let Body::Response(kind, _) = body {
        *kind = Enrolment::KeyUpdate;
    }
}

fn with_garbage_for_a_certificate(_: &mut Header, body: &mut Body) {
    if let Body::Response(_, content) = body {
        let pair = content.response[0].certified_key_pair.as_mut().unwrap();
        pair.cert_or_enc_cert = CertOrEncCert::Certificate(der::asn1::Any::null());
    }
}

fn without_certificate(_: &mut Header, body: &mut Body) {
    if let Body::Response(_, content) = body {
        content.response[0].certified_key_pair = None;
    }
}

fn as_if_implicit(header: &mut Header, _: &mut Body) {
    let null = crate::cmp::header::any(&der::asn1::Null).unwrap();
    header.inform(crate::cmp::header::IMPLICIT_CONFIRM, null);
}

fn polls_at_once(_: &mut Header, body: &mut Body) {
    if let Body::PollResponse(entries) = body {
        entries[0].check_after = 0;
    }
}

fn octets(byte: u8) -> Option<der::asn1::OctetString> {
    der::asn1::OctetString::new([byte; 16]).ok()
}

#[test]
fn what_is_not_the_authority_s_answer_is_not_taken() {
    with_private_tokens(
        "cmp::tests::faults::what_is_not_the_authority_s_answer_is_not_taken",
        || {
            let world = World::new();
            let server = world.server(world.authorities(), World::policy());
            let faulty = Faulty::start(&world, &server);
            let client = world.own_client(faulty.url.clone(), World::by_secret(), "");
            // An answer to an earlier request.
            let earlier = chip(9, AUTHENTICATION);
            let exchange = prepared(&world, &client, &earlier);
            issued(submitted(&world, &client, &earlier, &exchange));
            let order = chip(5, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            let changed = |change: fn(&mut Header, &mut Body)| {
                Fault::Changed(Box::new(World::by_secret()), change)
            };
            let stranger = SharedSecret::new(b"station-7", b"another long secret").unwrap();
            for (fault, said) in [
                (Fault::Before, "another transaction"),
                (Fault::Bytes(b"garbage".to_vec()), "not a CMP message"),
                (Fault::Bytes(Vec::new()), "not a CMP message"),
                (Fault::Bytes(vec![0x30; 70_000]), "longer"),
                (Fault::Broken, ""),
                (
                    Fault::Changed(Box::new(Credential::Mac(stranger)), |_, _| {}),
                    "MAC is wrong",
                ),
                (
                    changed(|header, _| header.transaction_id = octets(1)),
                    "another transaction",
                ),
                (
                    changed(|header, _| header.recip_nonce = octets(1)),
                    "recipNonce",
                ),
                (changed(|header, _| header.recip_nonce = None), "recipNonce"),
                (changed(at_another_time), "clocks"),
                (changed(of_another_request), "certReqId"),
                (changed(as_another_response), "kup was not expected"),
                (changed(with_garbage_for_a_certificate), "does not read"),
                (changed(without_certificate), "has none"),
                (
                    changed(|_, body| *body = Body::Confirmation),
                    "pkiconf was not expected",
                ),
                (
                    Fault::Http(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
                    ),
                    "no CMP message",
                ),
            ] {
                faulty.next([fault]);
                let error = submitted(&world, &client, &order, &exchange).unwrap_err();
                let is_foreign =
                    matches!(&error, AuthorityError::Foreign { reason } if reason.contains(said));
                assert!(is_foreign && error.is_passing(), "{said}: {error:?}");
            }
            for text in [
                "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                "no HTTP at all",
            ] {
                faulty.next([Fault::Http(text)]);
                let error = submitted(&world, &client, &order, &exchange).unwrap_err();
                assert!(
                    matches!(error, AuthorityError::Unanswered { .. }),
                    "{error:?}"
                );
            }
            // A confirmation that nobody asked to leave out is sent all the same.
            faulty.next([changed(as_if_implicit)]);
            let certificate = issued(submitted(&world, &client, &order, &exchange));
            assert_eq!(world.status(&certificate), Status::OnHold);
            let accepted = Verdict::Accepted;
            concluded(&world, &client, &exchange, &certificate, accepted).unwrap();
            assert_eq!(world.status(&certificate), Status::Good);
            faulty.next([Fault::Twice]);
            let certificate = issued(submitted(&world, &client, &order, &exchange));
            let accepted = Verdict::Accepted;
            concluded(&world, &client, &exchange, &certificate, accepted).unwrap();
            assert_eq!(world.register.entries().len(), 2);
            // Nobody listens any more.
            let gone = world.own_client("http://127.0.0.1:1/cmp".into(), World::by_secret(), "");
            let error = submitted(&world, &gone, &order, &exchange).unwrap_err();
            assert!(
                matches!(error, AuthorityError::Unanswered { .. }),
                "{error:?}"
            );
            let nothing = Exchange::from_bytes(b"nothing".to_vec());
            let error = submitted(&world, &client, &order, &nothing).unwrap_err();
            assert!(matches!(error, AuthorityError::Exchange));
        },
    );
}

/// Puts the certificate in "other.der" of the test's process into an answer.
static OTHER: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());

fn with_another_certificate(_: &mut Header, body: &mut Body) {
    if let Body::Response(_, content) = body {
        let pair = content.response[0].certified_key_pair.as_mut().unwrap();
        let other = <der::asn1::Any as der::Decode>::from_der(&OTHER.lock().unwrap());
        pair.cert_or_enc_cert = CertOrEncCert::Certificate(other.unwrap());
    }
}

#[test]
fn a_certificate_that_was_not_ordered_is_withdrawn() {
    with_private_tokens(
        "cmp::tests::faults::a_certificate_that_was_not_ordered_is_withdrawn",
        || {
            let world = World::new();
            // The authority's own mistake: another profile under the name.
            let mut policy = World::policy();
            let wrong = Arc::new(profile(SIGNATURE));
            policy.profiles.insert("eid-authentication".into(), wrong);
            let server = world.server(world.authorities(), policy);
            let faulty = Faulty::start(&world, &server);
            let client = world.own_client(faulty.url.clone(), World::by_secret(), "");
            let order = chip(5, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            let certificate = issued(submitted(&world, &client, &order, &exchange));
            let judged = judge(&order, &certificate, client.chain(), Timestamp::now());
            assert!(
                matches!(judged, Err(Misissued::Profile { .. })),
                "{judged:?}"
            );
            faulty.next([Fault::LoseAnswer]);
            let lost = concluded(&world, &client, &exchange, &certificate, Verdict::Rejected);
            assert!(lost.unwrap_err().is_passing());
            concluded(&world, &client, &exchange, &certificate, Verdict::Rejected).unwrap();
            assert_eq!(world.status(&certificate), WITHDRAWN);

            // Another key's, and an expired one, in the authority's name: rejected, and what the
            // authority has issued in truth is withdrawn when nobody confirms it.
            let server = world.server(world.authorities(), World::policy());
            let faulty = Faulty::start(&world, &server);
            let client = world.own_client(faulty.url.clone(), World::by_secret(), "");
            let others = [
                world
                    .ca
                    .ca()
                    .issue(&chip(8, AUTHENTICATION), Timestamp::now())
                    .unwrap(),
                {
                    let mut short = chip(6, AUTHENTICATION);
                    let from = crate::testing::time("2026-02-01T00:00:00Z");
                    short.not_after = from + SignedDuration::from_hours(24);
                    world.ca.ca().issue(&short, from).unwrap()
                },
            ];
            for (other, seed) in others.into_iter().zip([5, 6]) {
                *OTHER.lock().unwrap() = other.as_der().to_vec();
                let order = chip(seed, AUTHENTICATION);
                let exchange = prepared(&world, &client, &order);
                faulty.next([Fault::Changed(
                    Box::new(World::by_secret()),
                    with_another_certificate,
                )]);
                let got = issued(submitted(&world, &client, &order, &exchange));
                assert_eq!(got, other);
                let judged = judge(&order, &got, client.chain(), Timestamp::now());
                assert!(
                    matches!(judged, Err(Misissued::Key { .. } | Misissued::Path(_))),
                    "{judged:?}"
                );
                let refused = concluded(&world, &client, &exchange, &got, Verdict::Rejected);
                let refused = refused.unwrap_err();
                assert!(
                    matches!(&refused, AuthorityError::Refused { reason } if reason.contains("badCertId"))
                );
            }
            assert_eq!(world.register.entries().len(), 3);
            let later = Timestamp::now() + SignedDuration::from_secs(700);
            assert_eq!(run(&world, server.sweep(later)).unwrap(), 2);
            let listed = run(&world, world.register.listed(later)).unwrap();
            assert_eq!(listed.len(), 3);
            assert!(
                listed
                    .iter()
                    .all(|entry| entry.reason == RevocationReason::Superseded)
            );
        },
    );
}

#[test]
fn a_certificate_that_is_confirmed_too_late_is_lost() {
    with_private_tokens(
        "cmp::tests::faults::a_certificate_that_is_confirmed_too_late_is_lost",
        || {
            let world = World::new();
            let policy = CmpServerPolicy {
                confirm_within: Duration::ZERO,
                ..World::policy()
            };
            let server = world.server(world.authorities(), policy);
            let faulty = Faulty::start(&world, &server);
            let client = world.own_client(faulty.url.clone(), World::by_secret(), "");
            let order = chip(5, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            let certificate = issued(submitted(&world, &client, &order, &exchange));
            for _ in 0..2 {
                let error = concluded(&world, &client, &exchange, &certificate, Verdict::Accepted);
                assert!(
                    matches!(error, Err(AuthorityError::Lost { .. })),
                    "{error:?}"
                );
                assert_eq!(world.status(&certificate), WITHDRAWN);
            }
            concluded(&world, &client, &exchange, &certificate, Verdict::Rejected).unwrap();
        },
    );
}

#[test]
fn what_is_issued_on_hold_is_released_and_nothing_else_releases_it() {
    with_private_tokens(
        "cmp::tests::faults::what_is_issued_on_hold_is_released_and_nothing_else_releases_it",
        || {
            let world = World::new();
            let policy = CmpServerPolicy {
                issues_on_hold: true,
                ..World::policy()
            };
            let server = world.server(world.authorities(), policy);
            let faulty = Faulty::start(&world, &server);
            for (seed, confirmation) in [(5, "explicit"), (6, "implicit")] {
                let also = format!("issues_on_hold = true\nconfirmation = {confirmation:?}");
                let client = world.own_client(faulty.url.clone(), World::by_secret(), &also);
                assert!(client.promises().issues_on_hold);
                let order = chip(seed, AUTHENTICATION);
                let exchange = prepared(&world, &client, &order);
                let certificate = issued(submitted(&world, &client, &order, &exchange));
                concluded(&world, &client, &exchange, &certificate, Verdict::Accepted).unwrap();
                assert_eq!(world.status(&certificate), Status::OnHold);
                let released = client.set_status(&certificate, Status::Good, Timestamp::now());
                run(&world, released).unwrap();
                assert_eq!(world.status(&certificate), Status::Good);
            }
            // Both were confirmed: time takes nothing away.
            let later = Timestamp::now() + SignedDuration::from_hours(24);
            assert_eq!(run(&world, server.sweep(later)).unwrap(), 0);
        },
    );
}

#[test]
fn implicit_confirmation_and_status_by_the_registration_authority() {
    with_private_tokens(
        "cmp::tests::faults::implicit_confirmation_and_status_by_the_registration_authority",
        || {
            let world = World::new();
            let identity = world.registration_authority();
            let mut clients = world.authorities();
            clients.push(World::known_by(&identity));
            let server = world.server(clients, World::policy());
            let faulty = Faulty::start(&world, &server);
            let also = "confirmation = \"implicit\"";
            let credential = Credential::Signature(identity);
            let client = world.own_client(faulty.url.clone(), credential.clone(), also);
            assert!(!client.promises().withdraws_unconfirmed);
            let order = chip(5, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            faulty.next([Fault::LoseAnswer]);
            submitted(&world, &client, &order, &exchange).unwrap_err();
            let certificate = issued(submitted(&world, &client, &order, &exchange));
            assert_eq!(world.status(&certificate), Status::Good);
            concluded(&world, &client, &exchange, &certificate, Verdict::Accepted).unwrap();

            let moved = |status| {
                let done = client.set_status(&certificate, status, Timestamp::now());
                run(&world, done)
            };
            let revoked = Status::Revoked(RevocationReason::KeyCompromise);
            for status in [Status::OnHold, Status::OnHold, Status::Good, Status::Good] {
                moved(status).unwrap();
                assert_eq!(world.status(&certificate), status);
                // The request for the certificate comes again: it lifts no hold.
                assert_eq!(
                    issued(submitted(&world, &client, &order, &exchange)),
                    certificate
                );
                assert_eq!(world.status(&certificate), status);
            }
            for lost in [Fault::LoseRequest, Fault::LoseAnswer] {
                faulty.next([lost]);
                assert!(moved(revoked).unwrap_err().is_passing());
            }
            // Done already, and done again is no fault; back is none of the ways.
            moved(revoked).unwrap();
            moved(Status::Revoked(RevocationReason::Superseded)).unwrap();
            let back = moved(Status::Good);
            assert!(
                matches!(back, Err(AuthorityError::Refused { .. })),
                "{back:?}"
            );
            assert_eq!(world.status(&certificate), revoked);

            // Granted implicitly, a rejected one is revoked.
            let order = chip(6, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            let next = issued(submitted(&world, &client, &order, &exchange));
            let fresh = world.own_client(faulty.url.clone(), credential, also);
            concluded(&world, &fresh, &exchange, &next, Verdict::Rejected).unwrap();
            assert_eq!(world.status(&next), WITHDRAWN);

            // A renewal names what it replaces, which must be in use.
            let order = chip(7, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            let third = issued(submitted(&world, &client, &order, &exchange));
            let order = chip(10, AUTHENTICATION);
            let renewal = run(&world, client.prepare_renewal(&order, &third)).unwrap();
            let fourth = issued(submitted(&world, &client, &order, &renewal));
            judge(&order, &fourth, client.chain(), Timestamp::now()).unwrap();
            // It is found again also where what it replaced is not in use any more.
            run(&world, client.set_status(&third, revoked, Timestamp::now())).unwrap();
            let again = issued(submitted(&world, &client, &order, &renewal));
            assert_eq!(again, fourth);
            let order = chip(11, AUTHENTICATION);
            let renewal = run(&world, client.prepare_renewal(&order, &next)).unwrap();
            let refused = submitted(&world, &client, &order, &renewal);
            assert!(
                matches!(refused, Err(AuthorityError::Refused { .. })),
                "{refused:?}"
            );
        },
    );
}

#[test]
fn polling_survives_restarts_and_lost_polls() {
    with_private_tokens(
        "cmp::tests::faults::polling_survives_restarts_and_lost_polls",
        || {
            let world = World::new();
            let policy = CmpServerPolicy {
                delay: Some(DELAY),
                ..World::policy()
            };
            let order = chip(5, AUTHENTICATION);
            let new = || {
                let server = world.server(world.authorities(), policy.clone());
                let faulty = Faulty::start(&world, &server);
                let client = world.own_client(faulty.url.clone(), World::by_secret(), "");
                (client, faulty)
            };
            let waiting = |answer| match answer {
                Ok(Answer::Waiting { exchange, after }) => (exchange, after),
                other => panic!("{other:?}"),
            };
            let (client, faulty) = new();
            let exchange = prepared(&world, &client, &order);
            let (exchange, after) = waiting(submitted(&world, &client, &order, &exchange));
            assert_eq!(after, Duration::ZERO);
            faulty.next([Fault::LoseAnswer]);
            submitted(&world, &client, &order, &exchange).unwrap_err();
            let (exchange, after) = waiting(submitted(&world, &client, &order, &exchange));
            assert!(after >= Duration::from_secs(1) && after <= Duration::from_secs(2));
            let at_once = Fault::Changed(Box::new(World::by_secret()), polls_at_once);
            faulty.next([at_once]);
            let (exchange, after) = waiting(submitted(&world, &client, &order, &exchange));
            assert_eq!(after, Duration::from_secs(1));
            // Client and endpoint begin anew: the endpoint has forgotten, and is asked again.
            let (client, faulty) = new();
            let (exchange, _) = waiting(submitted(&world, &client, &order, &exchange));
            let (exchange, after) = waiting(submitted(&world, &client, &order, &exchange));
            assert!(after > Duration::ZERO);
            faulty.advance(after);
            faulty.next([Fault::LoseAnswer]);
            submitted(&world, &client, &order, &exchange).unwrap_err();
            let certificate = issued(submitted(&world, &client, &order, &exchange));
            let accepted = Verdict::Accepted;
            concluded(&world, &client, &exchange, &certificate, accepted).unwrap();
            // After another restart the polled exchange still leads to its certificate.
            let (client, _faulty) = new();
            let again = issued(submitted(&world, &client, &order, &exchange));
            assert_eq!(again, certificate);
            assert_eq!(world.register.entries().len(), 1);
        },
    );
}

#[test]
fn the_same_request_at_the_same_time_is_one_certificate() {
    with_private_tokens(
        "cmp::tests::faults::the_same_request_at_the_same_time_is_one_certificate",
        || {
            let world = World::new();
            let server = world.server(world.authorities(), World::policy());
            let url = format!("http://{}/.well-known/cmp", world.serve(&server));
            let client = world.own_client(url, World::by_secret(), "");
            let order = chip(5, AUTHENTICATION);
            let exchange = prepared(&world, &client, &order);
            let certificates = run(&world, async {
                let mut asked = tokio::task::JoinSet::new();
                for _ in 0..8 {
                    let (client, order, exchange) =
                        (client.clone(), order.clone(), exchange.clone());
                    asked.spawn(
                        async move { client.submit(&order, &exchange, Timestamp::now()).await },
                    );
                }
                asked.join_all().await
            });
            let certificates: Vec<_> = certificates.into_iter().map(issued).collect();
            assert!(certificates.iter().all(|other| *other == certificates[0]));
            assert_eq!(world.register.entries().len(), 1);
        },
    );
}

#[test]
fn only_who_may_answer_for_the_authority_does() {
    with_private_tokens(
        "cmp::tests::faults::only_who_may_answer_for_the_authority_does",
        || {
            let world = World::new();
            let identity = world.registration_authority();
            let credential = Credential::Signature(identity.clone());
            let order = chip(5, AUTHENTICATION);
            let ask = |answers_as: SigningIdentity,
                       chain: Vec<Certificate>,
                       responders: Vec<Certificate>| {
                let server = CmpServer::new(
                    world.ca.clone(),
                    answers_as,
                    vec![World::known_by(&identity)],
                    World::policy(),
                    world.confirmations.clone(),
                    Arc::new(world.token.clone()),
                );
                let faulty = Faulty::start(&world, &Arc::new(server.unwrap()));
                let client = world.client(Setup {
                    url: faulty.url,
                    credential: credential.clone(),
                    also: "",
                    chain,
                    responders,
                });
                let exchange = prepared(&world, &client, &order);
                submitted(&world, &client, &order, &exchange)
            };
            let refused = |answer: Result<Answer, AuthorityError>, said: &str| match answer {
                Err(AuthorityError::Foreign { reason }) => {
                    assert!(reason.contains(said), "{reason}")
                }
                other => panic!("{other:?}"),
            };
            let ca = world.ca.certificate().clone();
            let own = world.identity.certificate().clone();
            ask(world.identity.clone(), vec![ca.clone()], vec![own]).unwrap();
            // Signed by itself, and nowhere named.
            refused(
                ask(world.identity.clone(), vec![ca.clone()], Vec::new()),
                "not trusted",
            );
            let other = identity.certificate().clone();
            refused(
                ask(world.identity.clone(), vec![ca.clone()], vec![other]),
                "responders",
            );
            // A holder's certificate has the authority's chain, and no right to answer.
            world
                .token
                .generate_signing_key("holder", hsm::Curve::P384)
                .unwrap();
            let signer = Arc::new(world.token.signer("holder").unwrap());
            let mut holder = chip(6, AUTHENTICATION);
            holder.public_key =
                cert::PublicKey::from_spki_der(hsm::Signer::public_key_spki_der(&*signer)).unwrap();
            let certificate = world.ca.ca().issue(&holder, Timestamp::now()).unwrap();
            let as_holder = SigningIdentity::new(signer.clone(), certificate, Vec::new()).unwrap();
            refused(ask(as_holder, vec![ca], Vec::new()), "may not answer");
            // With the purpose of an authority, by the same chain, it has it.
            for (purpose, may) in [("1.3.6.1.5.5.7.3.27", true), ("clientAuth", false)] {
                let (root, responder) = world.responder(&*signer, purpose);
                let as_responder =
                    SigningIdentity::new(signer.clone(), responder, Vec::new()).unwrap();
                let answer = ask(as_responder, vec![root], Vec::new());
                if may {
                    answer.unwrap();
                } else {
                    refused(answer, "may not answer");
                }
            }
        },
    );
}
