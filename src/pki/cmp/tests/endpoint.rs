//! What the endpoint refuses, and why it says so.

use hsm::test_support::with_private_tokens;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::faulty::at_another_time;
use super::world::{DELAY, REFERENCE, SECRET, World, chip, prepared, run};
use crate::authority::{CertificateAuthority, Status};
use crate::cmp::body::{Body, Enrolment};
use crate::cmp::header::{Header, generalized_time};
use crate::cmp::message::CmpMessage;
use crate::cmp::status::{Failure, WAITING};
use crate::cmp::{CmpServer, CmpServerPolicy, Confirmations, SharedSecret};
use crate::register::Register;
use crate::testing::AUTHENTICATION;

/// Sends a message that is made anew from another's parts, and returns how it is answered.
fn retold(
    world: &World,
    server: &CmpServer,
    message: &CmpMessage,
    change: impl FnOnce(&mut Header, &mut Body),
) -> CmpMessage {
    let (mut header, mut body) = (message.header.clone(), message.body.clone());
    change(&mut header, &mut body);
    let told = World::by_secret().protect(header, body, &world.token);
    answered(world, server, &told.unwrap().to_der().unwrap())
}

fn answered(world: &World, server: &CmpServer, request: &[u8]) -> CmpMessage {
    let answer = run(world, server.handle(None, request, Timestamp::now()));
    CmpMessage::parse(&answer).unwrap()
}

/// Checks that an answer is a refusal for this cause.
fn assert_refused(answer: &CmpMessage, failure: Failure) {
    let status = match &answer.body {
        Body::Error(content) => &content.status,
        Body::Response(_, content) => &content.response[0].status,
        Body::RevocationResponse(content) => &content.status[0],
        other => panic!("{}", other.name()),
    };
    assert!(status.has(failure), "{failure}: {status}");
}

#[test]
fn the_endpoint_says_what_is_wrong() {
    with_private_tokens(
        "cmp::tests::endpoint::the_endpoint_says_what_is_wrong",
        || {
            let world = World::new();
            let server = world.server(world.authorities(), World::policy());
            // It makes requests; they are sent otherwise.
            let client = world.own_client("http://127.0.0.1:1".into(), World::by_secret(), "");
            let request = |seed| {
                let exchange = prepared(&world, &client, &chip(seed, AUTHENTICATION));
                crate::cmp::kept::Kept::read(&exchange).unwrap().1
            };
            let (one, other) = (request(5), request(6));
            let tell = |message: &CmpMessage, change: fn(&mut Header, &mut Body)| {
                retold(&world, &server, message, change)
            };
            for (change, failure) in [
                (
                    (|header, _| header.pvno = 1) as fn(&mut Header, &mut Body),
                    Failure::UnsupportedVersion,
                ),
                (
                    |header, _| header.transaction_id = None,
                    Failure::BadDataFormat,
                ),
                (
                    |header, _| header.sender_nonce = None,
                    Failure::BadSenderNonce,
                ),
                (at_another_time, Failure::BadTime),
                (|_, body| *body = Body::Confirmation, Failure::BadRequest),
                (
                    |_, body| *body = Body::Request(Enrolment::Initialization, Vec::new()),
                    Failure::BadRequest,
                ),
                (
                    |_, body| *body = Body::CertificateConfirmation(Vec::new()),
                    Failure::BadRequest,
                ),
                (
                    |_, body| *body = Body::PollRequest(Vec::new()),
                    Failure::BadRequest,
                ),
                (
                    |_, body| *body = Body::Revocation(Vec::new()),
                    Failure::BadTime,
                ),
                (
                    |header, _| header.general_info.as_mut().unwrap()[0].info_value = None,
                    Failure::BadRequest,
                ),
                (
                    |_, body| {
                        if let Body::Request(_, messages) = body {
                            let template = &mut messages[0].cert_req.cert_template;
                            template.serial_number = der::asn1::Int::new(&[1]).ok();
                        }
                    },
                    Failure::BadCertTemplate,
                ),
                (
                    |_, body| {
                        if let Body::Request(_, messages) = body {
                            messages[0].cert_req.cert_template.public_key = None;
                        }
                    },
                    Failure::BadCertTemplate,
                ),
                (
                    |_, body| {
                        if let Body::Request(_, messages) = body {
                            messages[0].popo = None;
                        }
                    },
                    Failure::BadPop,
                ),
            ] {
                let answer = tell(&one, change);
                assert_refused(&answer, failure);
            }
            assert_eq!(world.register.entries().len(), 0);
            // One transaction, one request.
            assert!(matches!(
                answered(&world, &server, &one.to_der().unwrap()).body,
                Body::Response(..)
            ));
            let transaction = one.header.transaction_id.clone();
            let same = retold(&world, &server, &other, |header, _| {
                header.transaction_id = transaction.clone()
            });
            assert_refused(&same, Failure::TransactionIdInUse);
            // Also where the endpoint began anew.
            let fresh = world.server(world.authorities(), World::policy());
            let same = retold(&world, &fresh, &other, |header, _| {
                header.transaction_id = transaction
            });
            assert_refused(&same, Failure::TransactionIdInUse);
            assert_eq!(world.register.entries().len(), 1);
            // A revocation is obeyed once: sent again later, it would undo what came between.
            let certificate = run(&world, world.register.listed(Timestamp::now())).unwrap();
            let entry = run(&world, world.register.find(&certificate[0].serial))
                .unwrap()
                .unwrap();
            let details = crate::cmp::body::RevDetails {
                cert_details: crate::cmp::crmf::CertTemplate {
                    serial_number: der::asn1::Int::new(&crate::cmp::server::positive(
                        entry.certificate.serial(),
                    ))
                    .ok(),
                    issuer: crate::cmp::crmf::name_field(entry.certificate.issuer()).ok(),
                    ..Default::default()
                },
                crl_entry_details: Some(vec![
                    crate::cmp::revocation::reason_code(Status::Good).unwrap(),
                ]),
            };
            let release = |header: &mut Header, body: &mut Body| {
                header.message_time = generalized_time(Timestamp::now());
                *body = Body::Revocation(vec![details.clone()]);
            };
            let fresh_name = request(7);
            let first = retold(&world, &server, &fresh_name, release);
            assert!(matches!(first.body, Body::RevocationResponse(_)));
            assert_eq!(world.status(&entry.certificate), Status::Good);
            run(
                &world,
                world
                    .ca
                    .set_status(&entry.certificate, Status::OnHold, Timestamp::now()),
            )
            .unwrap();
            // Nor where the endpoint began anew, or was swept.
            let fresh = world.server(world.authorities(), World::policy());
            for server in [&server, &fresh] {
                let second = retold(&world, server, &fresh_name, release);
                assert_refused(&second, Failure::TransactionIdInUse);
                assert_eq!(world.status(&entry.certificate), Status::OnHold);
                run(&world, server.sweep(Timestamp::now())).unwrap();
            }
            let expired = Timestamp::now() + jiff::SignedDuration::from_secs(301);
            run(&world, server.sweep(expired)).unwrap();
            let waiting = run(&world, world.confirmations.overdue(Timestamp::MAX)).unwrap();
            assert_eq!(waiting.len(), 1, "the certificate's own");
        },
    );
}

#[test]
fn strangers_do_not_have_the_token_sign_as_often_as_they_like() {
    with_private_tokens(
        "cmp::tests::endpoint::strangers_do_not_have_the_token_sign_as_often_as_they_like",
        || {
            let world = World::new();
            let server = world.server(world.authorities(), World::policy());
            let client = world.own_client("http://127.0.0.1:1".into(), World::by_secret(), "");
            let exchange = prepared(&world, &client, &chip(5, AUTHENTICATION));
            let (_, known) = crate::cmp::kept::Kept::read(&exchange).unwrap();
            let mut bare = known.clone();
            bare.protection = None;
            let bare = bare.to_der().unwrap();
            let at = Timestamp::now();
            let answers: Vec<_> = (0..40)
                .map(|_| CmpMessage::parse(&run(&world, server.handle(None, &bare, at))).unwrap())
                .collect();
            for answer in &answers {
                assert_refused(answer, Failure::BadMessageCheck);
            }
            let signed = answers.iter().filter(|answer| answer.protection.is_some());
            assert_eq!(signed.count(), 16);
            // A client whose clock is wrong is told so by a MAC, which it believes.
            let wrong = retold(&world, &server, &known, at_another_time);
            assert_refused(&wrong, Failure::BadTime);
            let secret = SharedSecret::new(REFERENCE.as_bytes(), SECRET.as_bytes()).unwrap();
            wrong.verify_mac(&secret).unwrap();
        },
    );
}

/// The name that is ordered, with a common name that would clear a terminal.
fn steering(_: &mut Header, body: &mut Body) {
    if let Body::Request(_, messages) = body {
        let template = &mut messages[0].cert_req.cert_template;
        let mut name = der::Encode::to_der(template.subject.as_ref().unwrap()).unwrap();
        let common = name.windows(3).position(|oid| oid == [0x55, 4, 3]).unwrap();
        name[common + 6] = 0x1B;
        template.subject = <der::asn1::Any as der::Decode>::from_der(&name).ok();
    }
}

/// A key of a kind that the profile does not certify.
fn another_kind_of_key(_: &mut Header, body: &mut Body) {
    if let Body::Request(_, messages) = body {
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1);
        let key = openssl::ec::EcKey::generate(&group.unwrap()).unwrap();
        let key = key.public_key_to_der().unwrap();
        messages[0].cert_req.cert_template.public_key = der::Decode::from_der(&key).ok();
    }
}

#[test]
fn what_will_not_be_certified_is_not_waited_for() {
    with_private_tokens(
        "cmp::tests::endpoint::what_will_not_be_certified_is_not_waited_for",
        || {
            let world = World::new();
            let policy = CmpServerPolicy {
                delay: Some(DELAY),
                ..World::policy()
            };
            let server = world.server(world.authorities(), policy);
            let client = world.own_client("http://127.0.0.1:1".into(), World::by_secret(), "");
            let exchange = prepared(&world, &client, &chip(5, AUTHENTICATION));
            let (_, request) = crate::cmp::kept::Kept::read(&exchange).unwrap();
            for change in [steering, another_kind_of_key] {
                let answer = retold(&world, &server, &request, change);
                assert_refused(&answer, Failure::BadCertTemplate);
            }
            let waits = answered(&world, &server, &request.to_der().unwrap());
            let Body::Response(_, content) = waits.body else {
                panic!("{}", waits.body.name());
            };
            assert_eq!(content.response[0].status.status, WAITING);
        },
    );
}

#[test]
fn altered_requests_are_never_served() {
    with_private_tokens(
        "cmp::tests::endpoint::altered_requests_are_never_served",
        || {
            let world = World::new();
            let server = world.server(world.authorities(), World::policy());
            // It makes requests; they are sent otherwise.
            let client = world.own_client("http://127.0.0.1:1".into(), World::by_secret(), "");
            let exchange = prepared(&world, &client, &chip(5, AUTHENTICATION));
            let (kept, _) = crate::cmp::kept::Kept::read(&exchange).unwrap();
            let der = kept.request.as_bytes();
            let mut runner = TestRunner::new(ProptestConfig {
                cases: 64,
                failure_persistence: None,
                ..ProptestConfig::default()
            });
            let changes = (any::<prop::sample::Index>(), 1..=255_u8);
            runner
                .run(&changes, |(place, bits)| {
                    let mut altered = der.to_vec();
                    *place.get_mut(&mut altered) ^= bits;
                    let answer = answered(&world, &server, &altered);
                    prop_assert!(matches!(answer.body, Body::Error(_)));
                    prop_assert_eq!(world.register.entries().len(), 0);
                    Ok(())
                })
                .unwrap();
        },
    );
}
