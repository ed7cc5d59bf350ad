//! After the hand-over: suspended and released, lost, revoked, expired, taken back, destroyed; and
//! the certificates with it, at authorities that follow and at those that do not.

use audit::Outcome;
use document::Role;
use document::life_cycle::{
    BlankState, CertificateState, DocumentState, LifeCycle, Refused, RevocationCause,
};
use jiff::SignedDuration;
use openssl::x509::{CrlStatus, X509, X509Crl};
use pki::Status;

use super::bench::make;
use super::dispatching::{sent_to_office, state};
use super::house::{House, actor, is_conflict, is_refused, with_adapted_house, with_house};
use super::moody::{Mood, moody, outside};
use crate::{CentralError, Moved};

/// Makes a document and hands it over. Returns its number.
async fn handed_over(house: &House, sequence: u64, sample: &str) -> String {
    let number = house.prepared(sample).await.to_string();
    make(house, sequence).await;
    let central = &house.central;
    central
        .pass_quality(&actor("quality"), &number)
        .await
        .unwrap();
    central.hand_over(&actor("clerk"), &number).await.unwrap();
    number
}

async fn second_clerk(house: &House) {
    house
        .central
        .add_account(&actor("administrator"), "clerk-2", &[Role::Clerk])
        .await
        .unwrap();
}

fn states(moved: &Moved) -> Vec<String> {
    let all = moved.certificates.iter();
    all.map(|one| format!("{}/{}", one.state, one.standing))
        .collect()
}

/// Returns how openssl finds a document's certificates on the list: the reason's code, 0 for none.
async fn listed(house: &House, number: &str) -> Vec<i64> {
    let der = house.central.crl().await.unwrap();
    let list = X509Crl::from_der(&der).unwrap();
    let certificates = house.central.certificates(&actor("auditor"), number).await;
    let mut codes = Vec::new();
    for certificate in certificates.unwrap() {
        let certificate = X509::from_der(certificate.der.as_ref().unwrap()).unwrap();
        codes.push(match list.get_by_cert(&certificate) {
            CrlStatus::Revoked(entry) => {
                let reason = entry.extension::<openssl::x509::ReasonCode>();
                reason.unwrap().unwrap().1.get_i64().unwrap()
            }
            _ => 0,
        });
    }
    codes
}

// RFC 5280 §5.3.1.
const KEY_COMPROMISE: i64 = 1;
const CESSATION: i64 = 5;
const HOLD: i64 = 6;

#[test]
fn a_suspended_document_is_released_by_another_person_and_its_certificates_come_back() {
    with_house(
        "scenarios::in_use::a_suspended_document_is_released_by_another_person_and_its_certificates_come_back",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            second_clerk(&house).await;
            let number = handed_over(&house, 1, "01-adult").await;
            assert_eq!(listed(&house, &number).await, [0, 0]);
            assert!(is_refused(
                &central.suspend(&actor("operator"), &number, "lost?").await
            ));
            assert!(matches!(
                central.suspend(&clerk, &number, " ").await,
                Err(CentralError::Invalid { .. })
            ));
            assert!(is_conflict(&central.resume(&clerk, &number, "found").await));
            let moved = central
                .suspend(&clerk, &number, "the holder telephoned")
                .await
                .unwrap();
            assert_eq!(moved.state, DocumentState::Suspended);
            assert_eq!(states(&moved), ["suspended/on-hold"; 2]);
            assert!(moved.is_settled());
            assert_eq!(listed(&house, &number).await, [HOLD; 2]);
            assert!(is_conflict(
                &central.suspend(&clerk, &number, "again").await
            ));
            assert!(is_conflict(&central.hand_over(&clerk, &number).await));

            // Neither who suspended it, nor the officer, who sees no holder.
            assert!(is_refused(&central.resume(&clerk, &number, "found").await));
            assert!(is_refused(
                &central.resume(&actor("officer"), &number, "found").await
            ));
            let moved = central
                .resume(&actor("clerk-2"), &number, "it was under the sofa")
                .await
                .unwrap();
            assert_eq!(moved.state, DocumentState::HandedOver);
            assert_eq!(states(&moved), ["active/good"; 2]);
            assert_eq!(listed(&house, &number).await, [0, 0]);
            for (action, count) in [
                ("document.suspended", 1),
                ("document.resumed", 1),
                ("certificate.suspended", 2),
                ("certificate.resumed", 2),
            ] {
                assert_eq!(house.count(action, Outcome::Done).await, count, "{action}");
            }
        },
    );
}

#[test]
fn a_lost_document_is_never_in_use_again_and_is_destroyed_before_a_witness() {
    with_house(
        "scenarios::in_use::a_lost_document_is_never_in_use_again_and_is_destroyed_before_a_witness",
        async |house| {
            let (central, clerk, keeper) = (&house.central, actor("clerk"), actor("keeper"));
            second_clerk(&house).await;
            let other = actor("clerk-2");
            let number = handed_over(&house, 1, "01-adult").await;
            let moved = central
                .report_lost(&clerk, &number, "reported in writing")
                .await
                .unwrap();
            assert_eq!(moved.state, DocumentState::Lost);
            assert_eq!(states(&moved), ["revoked:key-compromise/revoked"; 2]);
            assert_eq!(listed(&house, &number).await, [KEY_COMPROMISE; 2]);
            // Found again: it comes back, and goes on to nobody.
            for wrong in [
                central.resume(&other, &number, "found").await,
                central.suspend(&clerk, &number, "found").await,
                central.report_stolen(&clerk, &number, "or stolen").await,
                central
                    .revoke_document(&clerk, &number, RevocationCause::Replaced, "new one")
                    .await,
            ] {
                assert!(is_conflict(&wrong), "{wrong:?}");
            }
            assert!(is_conflict(&central.hand_over(&clerk, &number).await));
            assert!(is_conflict(
                &central.destroy_document(&keeper, &number, "auditor").await
            ));
            let moved = central
                .take_back(&clerk, &number, "a finder handed it in")
                .await
                .unwrap();
            assert_eq!(moved.state, DocumentState::Returned);
            assert_eq!(
                states(&moved),
                ["revoked:key-compromise/revoked"; 2],
                "the first reason stays"
            );
            assert!(is_refused(
                &central.destroy_document(&clerk, &number, "auditor").await
            ));
            assert!(is_refused(
                &central.destroy_document(&keeper, &number, "keeper").await
            ));
            central
                .destroy_document(&keeper, &number, "auditor")
                .await
                .unwrap();
            assert!(is_conflict(
                &central.destroy_document(&keeper, &number, "auditor").await
            ));
            assert_eq!(state(&house, &number).await, DocumentState::Destroyed);
            let blanks = central.blanks(&keeper).await.unwrap();
            assert_eq!(blanks[0].state, BlankState::Destroyed);
            assert_eq!(
                house.scalar("SELECT state FROM application").await,
                "completed",
                "its holder had it"
            );
            let history = central.history(&actor("auditor"), &number).await.unwrap();
            assert_eq!(history.now.state, DocumentState::Destroyed);
            let lines = history.lines.iter();
            let lines: Vec<_> = lines
                .map(|line| format!("{} {}", line.event, line.cause.as_deref().unwrap_or("-")))
                .collect();
            assert_eq!(
                lines,
                [
                    "queue -",
                    "lease -",
                    "personalize -",
                    "pass-quality -",
                    "hand-over-here -",
                    "report-lost reported in writing",
                    "take-back a finder handed it in",
                    "destroy -"
                ]
            );
            // What happened is what the life cycle admits, step by step.
            let walked = history
                .lines
                .iter()
                .try_fold(DocumentState::INITIAL, |state, line| {
                    let next = state.apply(line.event)?;
                    assert_eq!(next, line.state);
                    Ok::<_, Refused<DocumentState>>(next)
                });
            assert_eq!(walked, Ok(DocumentState::Destroyed));
        },
    );
}

#[test]
fn certificates_are_revoked_for_the_reason_that_the_document_is() {
    with_house(
        "scenarios::in_use::certificates_are_revoked_for_the_reason_that_the_document_is",
        async |house| {
            let (central, officer) = (&house.central, actor("officer"));
            // The codes of RFC 5280 §5.3.1.
            let causes = [
                (RevocationCause::Replaced, 4),
                (RevocationCause::DataChanged, 3),
                (RevocationCause::Deceased, 5),
                (RevocationCause::RightEnded, 9),
                (RevocationCause::Compromised, 1),
            ];
            let samples = [
                "01-adult",
                "07-every-latvian-diacritic",
                "11-longest-names",
                "13-hyphens",
                "16-born-on-leap-day",
            ];
            for ((sequence, sample), (why, code)) in (1..).zip(samples).zip(causes) {
                let number = handed_over(&house, sequence, sample).await;
                if why == RevocationCause::DataChanged {
                    // Also of one that is suspended.
                    central
                        .suspend(&officer, &number, "marriage")
                        .await
                        .unwrap();
                }
                let moved = central
                    .revoke_document(&officer, &number, why, "decided")
                    .await;
                assert_eq!(moved.unwrap().state, DocumentState::Revoked);
                assert_eq!(listed(&house, &number).await, [code; 2], "{why}");
                let again = central
                    .revoke_document(&officer, &number, why, "decided")
                    .await;
                assert!(is_conflict(&again));
            }
        },
    );
}

#[test]
fn a_stolen_one_a_given_back_one_and_one_that_nobody_holds() {
    with_house(
        "scenarios::in_use::a_stolen_one_a_given_back_one_and_one_that_nobody_holds",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let stolen = handed_over(&house, 1, "01-adult").await;
            let moved = central
                .report_stolen(&clerk, &stolen, "police report 7")
                .await;
            assert_eq!(moved.unwrap().state, DocumentState::Stolen);
            assert_eq!(listed(&house, &stolen).await, [KEY_COMPROMISE; 2]);

            let given_back = handed_over(&house, 2, "11-longest-names").await;
            let moved = central
                .take_back(&clerk, &given_back, "no longer wanted")
                .await;
            assert_eq!(moved.unwrap().state, DocumentState::Returned);
            assert_eq!(listed(&house, &given_back).await, [CESSATION; 2]);

            // What its holder never had is neither lost nor suspended nor revoked.
            let number = house.prepared("13-hyphens").await.to_string();
            make(&house, 3).await;
            for wrong in [
                central.suspend(&clerk, &number, "no").await,
                central.report_lost(&clerk, &number, "no").await,
                central
                    .revoke_document(&clerk, &number, RevocationCause::Replaced, "no")
                    .await,
                central.take_back(&clerk, &number, "no").await,
            ] {
                assert!(is_conflict(&wrong), "{wrong:?}");
            }
            assert_eq!(state(&house, &number).await, DocumentState::Personalized);
        },
    );
}

#[test]
fn what_nobody_comes_for_is_taken_back_after_its_term() {
    with_house(
        "scenarios::in_use::what_nobody_comes_for_is_taken_back_after_its_term",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let number = house.prepared("01-adult").await.to_string();
            make(&house, 1).await;
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            house.clock.pass(SignedDuration::from_hours(24 * 30));
            sent_to_office(&house, &number).await;
            // The term runs from its arrival.
            house.clock.pass(SignedDuration::from_hours(24 * 170));
            let early = central.take_back(&clerk, &number, "not collected").await;
            assert!(is_conflict(&early));
            house.clock.pass(SignedDuration::from_hours(24 * 15));
            let moved = central
                .take_back(&clerk, &number, "not collected")
                .await
                .unwrap();
            assert_eq!(moved.state, DocumentState::Returned);
            assert_eq!(
                states(&moved),
                ["revoked:cessation-of-operation/revoked"; 2]
            );
            assert_eq!(
                house.scalar("SELECT state FROM application").await,
                "withdrawn"
            );
            // Its letter is not sent any more.
            assert!(
                central
                    .print_envelope(&actor("envelopes"), &number)
                    .await
                    .is_err()
            );
            central
                .destroy_document(&actor("keeper"), &number, "quality")
                .await
                .unwrap();
            assert_eq!(
                house.count("document.not-collected", Outcome::Done).await,
                1
            );
        },
    );
}

#[test]
fn documents_expire_by_themselves_once() {
    with_house(
        "scenarios::in_use::documents_expire_by_themselves_once",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let used = handed_over(&house, 1, "01-adult").await;
            let suspended = handed_over(&house, 2, "11-longest-names").await;
            central.suspend(&clerk, &suspended, "lost?").await.unwrap();
            let waiting = house.prepared("13-hyphens").await.to_string();
            make(&house, 3).await;
            assert_eq!(central.expire_documents().await.unwrap(), 0);
            let documents = central.documents(&actor("auditor")).await.unwrap();
            let last = documents
                .iter()
                .find(|one| one.number.as_deref() == Some(&used))
                .unwrap()
                .expires
                .unwrap();
            let today = central.today();
            let days = today.until(last).unwrap().get_days();
            house
                .clock
                .pass(SignedDuration::from_hours(24 * i64::from(days)));
            assert_eq!(
                central.expire_documents().await.unwrap(),
                0,
                "its last day is a day of its validity"
            );
            house.clock.pass(SignedDuration::from_hours(24));
            assert_eq!(central.expire_documents().await.unwrap(), 2);
            assert_eq!(central.expire_documents().await.unwrap(), 0);
            assert_eq!(state(&house, &used).await, DocumentState::Expired);
            assert_eq!(state(&house, &suspended).await, DocumentState::Expired);
            assert_eq!(state(&house, &waiting).await, DocumentState::Personalized);
            assert_eq!(house.count("document.expired", Outcome::Done).await, 2);
            assert_eq!(house.count("certificate.revoked", Outcome::Done).await, 0);
            for wrong in [
                central.suspend(&clerk, &used, "no").await,
                central.report_lost(&clerk, &used, "no").await,
            ] {
                assert!(is_conflict(&wrong));
            }
            let moved = central.take_back(&clerk, &used, "its time is over").await;
            assert_eq!(moved.unwrap().state, DocumentState::Returned);
        },
    );
}

#[test]
fn an_authority_that_is_away_follows_by_the_sweep() {
    with_adapted_house(
        "scenarios::in_use::an_authority_that_is_away_follows_by_the_sweep",
        outside,
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            second_clerk(&house).await;
            let number = handed_over(&house, 1, "01-adult").await;
            let certificates = central
                .certificates(&actor("auditor"), &number)
                .await
                .unwrap();
            let outside = certificates.iter().find(|one| one.authority == "outside");
            let der = outside.unwrap().der.clone().unwrap();
            assert_eq!(moody().status(&der).await, Status::Good);
            moody().be(Mood::Down);
            let moved = central.suspend(&clerk, &number, "lost?").await.unwrap();
            assert!(!moved.is_settled());
            let left: Vec<_> = moved
                .certificates
                .iter()
                .map(|one| (&*one.authority, one.is_settled, one.by_hand))
                .collect();
            assert_eq!(left, [("outside", false, false), ("embedded", true, false)]);
            assert_eq!(moody().status(&der).await, Status::Good);
            let unsettled = central
                .unsettled_after(&actor("auditor"), "", 200)
                .await
                .unwrap();
            assert_eq!(unsettled.len(), 1);
            assert_eq!(unsettled[0].state, CertificateState::Suspended);
            // Lost for good before the authority heard of the hold.
            moody().be(Mood::default());
            let swept = central.sweep_certificates_now().await.unwrap();
            assert_eq!((swept.settled, swept.left), (1, 0));
            assert_eq!(moody().status(&der).await, Status::OnHold);
            let moved = central
                .resume(&actor("clerk-2"), &number, "found")
                .await
                .unwrap();
            assert!(moved.is_settled());
            assert_eq!(moody().status(&der).await, Status::Good);

            // Where more is left than a page shows, each is on one page.
            house
                .meddle("UPDATE certificate SET standing = 'none', next_try = 5")
                .await;
            let auditor = actor("auditor");
            let whole = central.unsettled_after(&auditor, "", 200).await.unwrap();
            assert_eq!(whole.len(), 2);
            let (mut paged, mut after) = (Vec::new(), String::new());
            loop {
                let page = central.unsettled_after(&auditor, &after, 1).await.unwrap();
                let Some(last) = page.last() else { break };
                after = last.place();
                paged.extend(page);
            }
            assert_eq!(paged, whole);
            for wrong in ["1", "x y"] {
                let refused = central.unsettled_after(&auditor, wrong, 1).await;
                assert!(matches!(refused, Err(CentralError::Invalid { .. })));
            }
        },
    );
}

#[test]
fn a_connector_that_cannot_hold_says_so() {
    with_adapted_house(
        "scenarios::in_use::a_connector_that_cannot_hold_says_so",
        outside,
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let number = handed_over(&house, 1, "01-adult").await;
            // As EST is without a second channel.
            moody().promise(|promises| promises.sets_status = false);
            let moved = central.suspend(&clerk, &number, "lost?").await.unwrap();
            let by_hand: Vec<_> = moved
                .certificates
                .iter()
                .filter(|one| one.by_hand)
                .map(|one| &*one.authority)
                .collect();
            assert_eq!(by_hand, ["outside"]);
            let left = central.unsettled_after(&actor("auditor"), "", 200).await;
            let trouble = left.unwrap().remove(0).trouble.unwrap();
            assert!(trouble.contains("EST cannot hold"), "{trouble}");
            moody().promise(|promises| promises.sets_status = true);
        },
    );
}
