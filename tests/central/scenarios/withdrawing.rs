//! An application is withdrawn before any document is prepared of it.

use api::REPORT_TYPE;
use audit::Outcome;
use document::life_cycle::ApplicationState;

use super::house::{actor, is_conflict, is_refused, sample, with_house};
use super::registers::{FakeRegister, new, opened};

const REFERENCE: &str = "APP-2026-000001";

#[test]
fn what_no_document_was_prepared_of_is_withdrawn() {
    with_house(
        "scenarios::withdrawing::what_no_document_was_prepared_of_is_withdrawn",
        async |house| {
            let central = &house.central;
            let (clerk, approver) = (actor("clerk"), actor("approver"));
            let application = sample("applications/01-adult");
            central.import(&clerk, &application).await.unwrap();
            for other in ["approver", "officer", "administrator"] {
                let other = actor(other);
                let refused = central.withdraw_application(&other, REFERENCE, "why").await;
                assert!(is_refused(&refused), "{}", other.person);
            }
            let blank = central.withdraw_application(&clerk, REFERENCE, " ").await;
            assert!(matches!(blank, Err(crate::CentralError::Invalid { .. })));
            let none = central.withdraw_application(&clerk, "APP-0", "why").await;
            assert!(matches!(none, Err(crate::CentralError::NotFound { .. })));

            let cause = "ordered twice";
            central
                .withdraw_application(&clerk, REFERENCE, cause)
                .await
                .unwrap();
            let shown = central.application(&approver, REFERENCE).await.unwrap();
            assert_eq!(shown.line.state, ApplicationState::Withdrawn);
            assert_eq!(shown.line.cause.as_deref(), Some(cause));
            let entries = house.entries().await;
            let done = entries
                .iter()
                .rfind(|entry| entry.action.as_str() == "application.withdrawn")
                .unwrap();
            assert_eq!(done.outcome, Outcome::Done);
            // It is over for good.
            assert!(is_conflict(
                &central.withdraw_application(&clerk, REFERENCE, cause).await
            ));
            assert!(is_conflict(&central.approve(&approver, REFERENCE).await));
        },
    );
}

#[test]
fn what_has_a_document_is_cancelled_instead() {
    with_house(
        "scenarios::withdrawing::what_has_a_document_is_cancelled_instead",
        async |house| {
            let central = &house.central;
            let application = sample("applications/01-adult");
            central.import(&actor("clerk"), &application).await.unwrap();
            central
                .approve(&actor("approver"), REFERENCE)
                .await
                .unwrap();
            let late = central
                .withdraw_application(&actor("clerk"), REFERENCE, "late")
                .await;
            assert!(is_conflict(&late));
            central
                .cancel_document(&actor("approver"), REFERENCE, "late")
                .await
                .unwrap();
        },
    );
}

#[test]
fn the_register_that_sent_it_is_told() {
    with_house(
        "scenarios::withdrawing::the_register_that_sent_it_is_told",
        async |house| {
            let register = FakeRegister::new("population-register", 7)
                .admitted(&house)
                .await;
            let answer = register
                .send(
                    &house,
                    &register.package(1, serde_json::json!([new("applications/01-adult")])),
                )
                .await;
            assert_eq!(answer["state"], "taken", "{answer}");
            let central = &house.central;
            central
                .withdraw_application(&actor("clerk"), REFERENCE, "ordered twice")
                .await
                .unwrap();
            let reports = central.reports(&register.name, 0).await.unwrap();
            let report = opened(&house, &reports[0].1, REPORT_TYPE).await;
            let event = &report["events"][0];
            assert_eq!(event["application"], REFERENCE);
            assert_eq!(event["state"], "withdrawn");
        },
    );
}
