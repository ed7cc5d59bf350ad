//! The certificate saga, with an authority outside that fails in every way there is: nothing is
//! issued twice, nothing that nobody holds stays usable, and everything is said.

use api::{ApiError, BlankEnd, Centre, CertifyGrant, CertifyRequest, ProveRequest};
use audit::Outcome;
use document::life_cycle::CertificateState;
use jiff::SignedDuration;
use pki::Status;
use vcard::{Fault, FaultKind};

use super::bench::{Run, personalize, report, spoiled};
use super::house::{House, actor, is_refused, operator, product_file, with_adapted_house};
use super::moody::{Mood, moody, outside};
use crate::Central;

/// Personalizes the next document, and reports how it ended.
async fn made(house: &House, sequence: u64) -> (api::Lease, Run) {
    let lease = house.lease("a").await.unwrap();
    let run = personalize(house, &lease, house.blank().await, Vec::new()).await;
    let end = match run.outcome.fault {
        None => BlankEnd::Personalized,
        Some(_) => spoiled(),
    };
    let report = report(&lease, sequence, &run, end);
    house.central.report(&operator(), &report).await.unwrap();
    (lease, run)
}

async fn states(house: &House) -> String {
    let states = house
        .scalars("SELECT state || '/' || standing FROM certificate WHERE key_name = 'authentication' ORDER BY id")
        .await;
    states.join(" ")
}

fn fault(run: &Run) -> String {
    format!("{:?}", run.outcome.fault)
}

#[test]
fn two_authorities_serve_one_document_and_each_is_told() {
    with_adapted_house(
        "scenarios::saga::two_authorities_serve_one_document_and_each_is_told",
        outside,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let (lease, run) = made(&house, 1).await;
            assert!(run.outcome.fault.is_none(), "{}", fault(&run));
            let number = lease.record.number.to_string();
            let certificates = central
                .certificates(&actor("quality"), &number)
                .await
                .unwrap();
            let by: Vec<_> = certificates
                .iter()
                .map(|one| (&*one.key, &*one.authority))
                .collect();
            assert_eq!(
                by,
                [("authentication", "outside"), ("signature", "embedded")]
            );
            let outsides = certificates[0].der.as_ref().unwrap();
            assert_eq!(moody().status(outsides).await, Status::OnHold);
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();

            // The hand-over is done, whether or not the authority is there to hear of it.
            moody().be(Mood::Down);
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            assert_eq!(states(&house).await, "active/on-hold");
            assert_eq!(moody().status(outsides).await, Status::OnHold);
            let left = central
                .unsettled_after(&actor("auditor"), "", 200)
                .await
                .unwrap();
            assert_eq!(left.len(), 1);
            assert_eq!(
                (&*left[0].authority, &*left[0].standing),
                ("outside", "on-hold")
            );
            assert!(left[0].trouble.as_ref().unwrap().contains("no route"));
            moody().be(Mood::Good);
            let swept = central.sweep_certificates().await.unwrap();
            assert_eq!(
                (swept.settled, swept.left),
                (0, 1),
                "not asked again at once"
            );
            house.clock.pass(SignedDuration::from_mins(5));
            let swept = central.sweep_certificates().await.unwrap();
            assert_eq!((swept.settled, swept.left), (1, 0));
            assert_eq!(states(&house).await, "active/good");
            assert_eq!(moody().status(outsides).await, Status::Good);
            assert_eq!(moody().issued(), 1);
        },
    );
}

#[test]
fn whatever_the_authority_does_nothing_is_issued_twice_and_no_orphan_lives() {
    with_adapted_house(
        "scenarios::saga::whatever_the_authority_does_nothing_is_issued_twice_and_no_orphan_lives",
        outside,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            // The mood, whether the blank becomes the document, and how the order ends.
            let moods = [
                (Mood::Down, "revoked:superseded/revoked"),
                (Mood::Mute, "revoked:superseded/revoked"),
                (Mood::Slow(9), "revoked:superseded/revoked"),
                (Mood::Garbage, "revoked:superseded/revoked"),
                (Mood::Refuses, "abandoned/none"),
                (Mood::OtherProfile, "revoked:superseded/revoked"),
                (Mood::Expired, "revoked:superseded/revoked"),
                (Mood::Ahead, "revoked:superseded/revoked"),
                (Mood::Stubborn, "revoked:superseded/revoked"),
            ];
            let mut ends: Vec<&str> = Vec::new();
            for (sequence, (mood, end)) in (1..).zip(moods) {
                moody().be(mood);
                let (_, run) = made(&house, sequence).await;
                assert!(run.outcome.fault.is_some(), "{mood:?}");
                // The authority recovers, and the sweep asks what it did.
                moody().be(Mood::Good);
                house.clock.pass(SignedDuration::from_hours(2));
                let swept = central.sweep_certificates().await.unwrap();
                assert_eq!(swept.left, 0, "{mood:?}");
                ends.push(end);
                assert_eq!(states(&house).await, ends.join(" "), "{mood:?}");
                assert_eq!(moody().live(), 0, "{mood:?}");
                assert_eq!(house.number("SELECT count(*) FROM authority_register WHERE status NOT LIKE 'revoked%'").await, 0);
            }
            // A slow one, and one that had lost the first request, serve in the end.
            for (sequence, mood) in (10..).zip([Mood::Slow(3), Mood::Forgets]) {
                house
                    .prepared(if sequence == 10 {
                        "06-twenty"
                    } else {
                        "05-nineteen"
                    })
                    .await;
                moody().be(mood);
                let (_, run) = made(&house, sequence).await;
                assert!(run.outcome.fault.is_none(), "{mood:?}: {}", fault(&run));
            }
            assert_eq!(moody().live(), 2);
            let orders = house
                .number("SELECT count(*) FROM certificate WHERE key_name = 'authentication'")
                .await;
            assert!(moody().issued() <= usize::try_from(orders).unwrap());
            assert!(house.count("certificate.misissued", Outcome::Done).await >= 3);
        },
    );
}

#[test]
fn a_certificate_of_another_key_is_never_used_and_never_ours_to_revoke() {
    with_adapted_house(
        "scenarios::saga::a_certificate_of_another_key_is_never_used_and_never_ours_to_revoke",
        outside,
        async |house| {
            house.prepared("01-adult").await;
            moody().be(Mood::OtherKey);
            let (_, run) = made(&house, 1).await;
            assert!(fault(&run).contains("of another key"), "{}", fault(&run));
            house.clock.pass(SignedDuration::from_hours(2));
            let swept = house.central.sweep_certificates().await.unwrap();
            // It stays in doubt, and in sight.
            assert_eq!(swept.left, 1);
            assert_eq!(states(&house).await, "in-doubt/none");
            let left = house
                .central
                .unsettled_after(&actor("auditor"), "", 200)
                .await
                .unwrap();
            assert_eq!(left[0].state, CertificateState::InDoubt);
            assert!(left[0].trouble.as_ref().unwrap().contains("another key"));
            // Once the authority says what it did, it is settled.
            moody().be(Mood::Good);
            house.clock.pass(SignedDuration::from_hours(2));
            assert_eq!(house.central.sweep_certificates().await.unwrap().left, 0);
            assert_eq!(moody().live(), 0);
        },
    );
}

#[test]
fn one_that_cannot_be_asked_again_certifies_a_key_once_or_never() {
    with_adapted_house(
        "scenarios::saga::one_that_cannot_be_asked_again_certifies_a_key_once_or_never",
        outside,
        async |house| {
            house.prepared("01-adult").await;
            // As over EST: an answer that was lost is not found again.
            moody().promise(|promises| promises.finds_again = false);
            moody().be(Mood::Mute);
            let (_, run) = made(&house, 1).await;
            assert!(fault(&run).contains("cannot be asked"), "{}", fault(&run));
            assert_eq!(moody().issued(), 1, "it was asked once");
            house.clock.pass(SignedDuration::from_hours(2));
            assert_eq!(house.central.sweep_certificates().await.unwrap().left, 1);
            let left = house
                .central
                .unsettled_after(&actor("auditor"), "", 200)
                .await
                .unwrap();
            assert!(
                left[0]
                    .trouble
                    .as_ref()
                    .unwrap()
                    .contains("cannot be sent again")
            );
            // Somebody looks at the authority itself, and says what there is.
            let (central, order) = (&house.central, left[0].order.as_str());
            let clear = async |who, cause| {
                central
                    .clear_doubt(&actor(who), order, "keeper", cause)
                    .await
            };
            assert!(is_refused(&clear("operator", "never issued").await));
            assert!(clear("officer", "").await.is_err());
            clear("officer", "revoked at their counter").await.unwrap();
            assert_eq!(central.sweep_certificates().await.unwrap().left, 0);
            assert!(clear("officer", "again").await.is_err());
        },
    );
}

#[test]
fn what_is_not_issued_on_hold_is_put_on_hold_before_a_card_gets_it() {
    with_adapted_house(
        "scenarios::saga::what_is_not_issued_on_hold_is_put_on_hold_before_a_card_gets_it",
        outside,
        async |house| {
            house.prepared("01-adult").await;
            moody().promise(|promises| promises.issues_on_hold = false);
            let (lease, run) = made(&house, 1).await;
            assert!(run.outcome.fault.is_none(), "{}", fault(&run));
            let number = lease.record.number.to_string();
            let certificates = house
                .central
                .certificates(&actor("quality"), &number)
                .await
                .unwrap();
            assert_eq!(
                moody().status(certificates[0].der.as_ref().unwrap()).await,
                Status::OnHold
            );
            let settled = house.count("certificate.settled", Outcome::Done).await;
            assert_eq!(settled, 1, "the hold was noted");
        },
    );
}

#[test]
fn a_certificate_is_ready_when_its_key_signed_the_centres_challenge() {
    with_adapted_house(
        "scenarios::saga::a_certificate_is_ready_when_its_key_signed_the_centres_challenge",
        outside,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            // Both certificates are there, and nothing is proved.
            let at = |at| {
                vec![Fault {
                    at,
                    kind: FaultKind::RemoveBefore,
                }]
            };
            let run = personalize(&house, &lease, house.blank().await, at(70)).await;
            assert_eq!(states(&house).await, "issued-on-hold/on-hold");
            let chip = run.chip.serial().to_string();
            let again: &CertifyRequest = &run.certified[0];
            let CertifyGrant::Issued { challenge, .. } =
                central.certify(&operator(), again).await.unwrap()
            else {
                panic!("it was issued");
            };
            assert_eq!(challenge.len(), 32);
            let prove = async |key: &str, signature: Vec<u8>| {
                let request = ProveRequest {
                    lease: lease.id,
                    chip: chip.clone(),
                    key: key.into(),
                    signature,
                };
                central.prove(&operator(), &request).await
            };
            for (key, signature) in [
                ("authentication", Vec::new()),
                ("authentication", vec![1; 96]),
                ("authentication", challenge.clone()),
            ] {
                assert!(matches!(
                    prove(key, signature).await,
                    Err(ApiError::Refused { .. })
                ));
            }
            assert!(matches!(
                prove("none", vec![1; 96]).await,
                Err(ApiError::NotFound { .. })
            ));
            assert_eq!(house.count("certificate.proved", Outcome::Refused).await, 4);
            assert_eq!(states(&house).await, "issued-on-hold/on-hold");
            // A document whose keys were not proved is not whole, whatever its station says.
            let claim = report(&lease, 1, &run, BlankEnd::Personalized);
            central.report(&operator(), &claim).await.unwrap();
            assert_eq!(states(&house).await, "revoked:superseded/revoked");
            let revoked = Status::Revoked(pki::RevocationReason::Superseded);
            let der = run.outcome.certificates["authentication"].clone();
            assert_eq!(moody().status(&der).await, revoked);
            assert_eq!(
                house.number("SELECT count(*) FROM authority_register WHERE status = 'revoked:superseded'").await,
                1
            );
        },
    );
}

#[test]
fn an_authority_that_is_gone_holds_up_no_other() {
    with_adapted_house(
        "scenarios::saga::an_authority_that_is_gone_holds_up_no_other",
        outside,
        async |house| {
            let number = house.prepared("01-adult").await.to_string();
            made(&house, 1).await;
            house
                .central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            house
                .central
                .hand_over(&actor("clerk"), &number)
                .await
                .unwrap();
            // Neither authority has heard of it, for all that the books know.
            house
                .meddle("UPDATE certificate SET standing = 'on-hold', next_try = 0")
                .await;
            let mut config = house.config();
            config.authorities.clear();
            let text = product_file("certs/eid-authentication.toml");
            config.certificates.put("eid-authentication", text);
            let central = Central::open(config).await.unwrap().on_own_machine();
            house.clock.pass(SignedDuration::from_hours(2));
            let swept = central.sweep_certificates().await.unwrap();
            assert_eq!((swept.settled, swept.left), (1, 1));
            let left = central
                .unsettled_after(&actor("auditor"), "", 200)
                .await
                .unwrap();
            assert_eq!(left[0].authority, "outside");
            let trouble = left[0].trouble.as_ref().unwrap();
            assert!(
                trouble.contains("no certification authority is named \"outside\""),
                "{trouble}"
            );
        },
    );
}

/// A blank is reported as spoiled while its certificate is being asked for: the report sees a request
/// that was never sent.
#[test]
fn a_report_that_overtakes_a_request_leaves_no_orphan() {
    with_adapted_house(
        "scenarios::saga::a_report_that_overtakes_a_request_leaves_no_orphan",
        outside,
        async |house| {
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            moody().be(Mood::Forgetful);
            let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
            moody().be(Mood::Good);
            let request = run.certified[0].clone();
            let told = report(&lease, 1, &run, spoiled());
            // Both wait for the one writer, the report behind; where there are several, whichever comes
            // first, nothing is left.
            let gate = house.central.write().await.unwrap();
            let (one, two) = (house.central.clone(), house.central.clone());
            let certify = tokio::spawn(async move { one.certify(&operator(), &request).await });
            tokio::task::yield_now().await;
            let reported = tokio::spawn(async move { two.report(&operator(), &told).await });
            tokio::task::yield_now().await;
            drop(gate);
            let certified = certify.await.unwrap();
            let is_alone = matches!(house.database, crate::DatabaseSource::Sqlite(_));
            assert!(certified.is_err() || !is_alone);
            reported.await.unwrap().unwrap();
            house.clock.pass(SignedDuration::from_hours(2));
            assert_eq!(house.central.sweep_certificates().await.unwrap().left, 0);
            assert_eq!(moody().live(), 0, "{}", states(&house).await);
        },
    );
}

#[test]
fn somebody_elses_certificate_is_left_alone() {
    with_adapted_house(
        "scenarios::saga::somebody_elses_certificate_is_left_alone",
        outside,
        async |house| {
            let central = &house.central;
            let number = house.prepared("01-adult").await.to_string();
            made(&house, 1).await;
            let certificates = central.certificates(&actor("quality"), &number).await;
            let first = certificates.unwrap()[0].der.clone().unwrap();
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            house.prepared("06-twenty").await;
            moody().be(Mood::SomebodyElses);
            let (_, run) = made(&house, 2).await;
            assert!(fault(&run).contains("of another key"), "{}", fault(&run));
            house.clock.pass(SignedDuration::from_hours(2));
            central.sweep_certificates().await.unwrap();
            assert_eq!(moody().status(&first).await, Status::Good);
        },
    );
}

#[test]
fn what_an_authority_refuses_or_does_not_know_is_not_taken_for_done() {
    with_adapted_house(
        "scenarios::saga::what_an_authority_refuses_or_does_not_know_is_not_taken_for_done",
        outside,
        async |house| {
            moody().promise(|promises| promises.withdraws_unconfirmed = true);
            for (sequence, mood) in (1..).zip([Mood::NotAuthorised, Mood::Reconnected]) {
                house
                    .prepared(if sequence == 1 {
                        "01-adult"
                    } else {
                        "06-twenty"
                    })
                    .await;
                moody().be(Mood::Mute);
                let lease = house.lease("a").await.unwrap();
                let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
                moody().be(mood);
                let told = report(&lease, sequence, &run, spoiled());
                house.central.report(&operator(), &told).await.unwrap();
                house.clock.pass(SignedDuration::from_hours(2));
                let swept = house.central.sweep_certificates().await.unwrap();
                assert_eq!(
                    (swept.left, moody().live()),
                    (1, 1),
                    "{mood:?}: it stays in sight"
                );
                moody().be(Mood::Good);
                house.clock.pass(SignedDuration::from_hours(2));
                let swept = house.central.sweep_certificates().await.unwrap();
                assert_eq!((swept.left, moody().live()), (0, 0), "{mood:?}");
            }
        },
    );
}

#[test]
fn what_an_authority_says_of_a_holder_stands_in_no_log() {
    with_adapted_house(
        "scenarios::saga::what_an_authority_says_of_a_holder_stands_in_no_log",
        outside,
        async |house| {
            house.prepared("01-adult").await;
            moody().be(Mood::Talkative);
            let (_, run) = made(&house, 1).await;
            // Whoever asked is told; the log says what happened in words of our own.
            assert!(fault(&run).contains("BERZINA"), "{}", fault(&run));
            let entries = house.entries().await;
            let refused = entries.iter().find(|entry| {
                entry.action.as_str() == "certificate.issued" && entry.outcome == Outcome::Refused
            });
            let cause = refused.unwrap().cause.as_ref().unwrap();
            assert_eq!(cause.as_str(), "the certification authority refused");
            for entry in entries {
                let text = String::from_utf8_lossy(&entry.encode().unwrap()).into_owned();
                assert!(
                    !text.contains("BERZINA") && !text.contains("010190-12345"),
                    "{text}"
                );
            }
            assert_eq!(states(&house).await, "abandoned/none");
        },
    );
}
