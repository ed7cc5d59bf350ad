//! The audit of the books: sound whatever was done, and whatever is changed behind the store's back
//! is found and named.

use std::sync::Mutex;

use api::{BlankEnd, Centre, LeaseRequest};
use document::life_cycle::{DocumentState, EnvelopeState};
use jiff::SignedDuration;

use super::bench::{bare_report, make, untouched};
use super::house::{
    House, PRODUCT, actor, is_conflict, is_refused, operator, request, sample, with_house,
};
use crate::{AuditPart, AuditProgress};

/// Returns what breaks one invariant.
async fn faults(house: &House, name: &str) -> Vec<String> {
    let audit = house.central.audit_books(&actor("auditor")).await.unwrap();
    let mut others = audit.invariants.iter();
    let invariant = others.find(|invariant| invariant.name == name).unwrap();
    invariant.faults.clone()
}

/// Makes a document that is judged good, one that is at a station, and one that waits.
async fn three(house: &House) -> String {
    let number = house.prepared("01-adult").await.to_string();
    make(house, 1).await;
    let quality = actor("quality");
    house.central.pass_quality(&quality, &number).await.unwrap();
    house.prepared("07-every-latvian-diacritic").await;
    let chip = house.blank().await;
    let lease = house.lease("slot-1").await.unwrap();
    house
        .claim(&lease, &chip.serial().to_string())
        .await
        .unwrap();
    house.prepared("08-new-style-code").await;
    house.central.sequence().await.unwrap();
    number
}

#[test]
fn the_audit_needs_the_right_to_the_log_and_counts_what_it_saw() {
    with_house(
        "scenarios::books::the_audit_needs_the_right_to_the_log_and_counts_what_it_saw",
        async |house| {
            three(&house).await;
            let central = &house.central;
            assert!(is_refused(&central.audit_books(&actor("clerk")).await));
            let audit = central.audit_books(&actor("auditor")).await.unwrap();
            assert_eq!(audit.faults(), Vec::<String>::new());
            assert!(audit.is_sound());
            let checked = |name: &str| {
                let mut all = audit.invariants.iter();
                all.find(|one| one.name == name).unwrap().checked
            };
            // Three applications and their documents; two blanks with two and four movements.
            assert_eq!((checked("documents"), checked("queue")), (6, 1));
            assert_eq!((checked("leases"), checked("certificates")), (2, 2));
            assert_eq!((checked("reports"), checked("envelopes")), (1, 1));
            assert!(checked("log") > 30 && checked("protection") > 15);
        },
    );
}

#[test]
fn whatever_is_changed_behind_the_stores_back_is_found() {
    with_house(
        "scenarios::books::whatever_is_changed_behind_the_stores_back_is_found",
        async |house| {
            three(&house).await;
            for (change, back, invariant, says) in [
                (
                    "UPDATE document SET state = 'handed-over' WHERE state = 'quality-passed'",
                    "UPDATE document SET state = 'quality-passed' WHERE state = 'handed-over'",
                    "history",
                    "its history ends at quality-passed",
                ),
                (
                    "UPDATE application SET state = 'completed' WHERE reference = (SELECT min(reference) FROM application)",
                    "UPDATE application SET state = 'in-production'",
                    "documents",
                    "its application is completed",
                ),
                (
                    "UPDATE document SET place = 'RIGA-9' WHERE state = 'queued'",
                    "UPDATE document SET place = ''",
                    "queue",
                    "where no station of its office looks",
                ),
                (
                    "UPDATE blank SET state = 'spoiled' WHERE state = 'personalized'",
                    "UPDATE blank SET state = 'personalized' WHERE state = 'spoiled'",
                    "blanks",
                    "is spoiled at CENTRAL, and by the journal it is personalized",
                ),
                (
                    "UPDATE number SET state = 'spoiled' WHERE state = 'issued'",
                    "UPDATE number SET state = 'issued' WHERE state = 'spoiled'",
                    "numbers",
                    "is spoiled",
                ),
                (
                    "UPDATE lease SET state = 'released' WHERE state = 'open'",
                    "UPDATE lease SET state = 'open' WHERE state = 'released'",
                    "leases",
                    "0 leases to make it are live",
                ),
                (
                    "UPDATE certificate SET state = 'active' WHERE state = 'ready'",
                    "UPDATE certificate SET state = 'ready' WHERE state = 'active'",
                    "certificates",
                    "is active",
                ),
                (
                    "UPDATE envelope SET number = (SELECT number FROM document WHERE state = 'queued')",
                    "UPDATE envelope SET number = (SELECT number FROM document WHERE state = 'quality-passed')",
                    "envelopes",
                    "is of a card that was given up",
                ),
                (
                    "INSERT INTO report (station, sequence, digest, lease, end_state, milliseconds, received)
                     SELECT station, 3, digest, lease, end_state, milliseconds, received FROM report",
                    "DELETE FROM report WHERE sequence = 3",
                    "reports",
                    "has reports with a gap",
                ),
                (
                    "UPDATE lease SET station = 'station-2' WHERE state = 'completed'",
                    "UPDATE lease SET station = 'station-1'",
                    "reports",
                    "by another station than has it",
                ),
                (
                    "INSERT INTO audit_checkpoint (size, note, signed) SELECT 7, note, signed FROM audit_checkpoint",
                    "",
                    "log",
                    "the checkpoint over 7 entries is not one of this tree",
                ),
                (
                    "UPDATE lease SET state = 'lost' WHERE state = 'completed'",
                    "UPDATE lease SET state = 'completed' WHERE state = 'lost'",
                    "evidence",
                    "is lost, and the log does not lead there",
                ),
                (
                    "UPDATE document_event SET at = at + 86400000 WHERE event = 'pass-quality'",
                    "UPDATE document_event SET at = at - 86400000 WHERE event = 'pass-quality'",
                    "evidence",
                    "pass-quality of the document of application",
                ),
                (
                    "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE class = 'identity' ORDER BY subject LIMIT 1) WHERE class = 'record'",
                    "",
                    "protection",
                    "does not open",
                ),
                (
                    "DELETE FROM data_key WHERE class = 'identity'",
                    "",
                    "protection",
                    "is there, and its key is gone",
                ),
            ] {
                house.meddle(change).await;
                let found = faults(&house, invariant).await;
                assert!(
                    found.iter().any(|fault| fault.contains(says)),
                    "{change}: {found:?}"
                );
                house.meddle(back).await;
            }
        },
    );
}

#[test]
fn a_key_that_does_not_open_in_the_middle_of_a_page_is_named_by_itself() {
    with_house(
        "scenarios::books::a_key_that_does_not_open_in_the_middle_of_a_page_is_named_by_itself",
        async |house| {
            three(&house).await;
            let middle = "SELECT min(subject) FROM data_key WHERE class = 'identity' AND subject > (SELECT min(subject) FROM data_key WHERE class = 'identity')";
            let middle = house.scalar(middle).await;
            // Another's key, and what is no key at all.
            let none = house.either(
                "UPDATE data_key SET wrapped = x'00' WHERE class = 'identity' AND subject = (SELECT min(subject) FROM data_key WHERE class = 'identity' AND subject > (SELECT min(subject) FROM data_key WHERE class = 'identity'))",
                "UPDATE data_key SET wrapped = '\\x00' WHERE class = 'identity' AND subject = (SELECT min(subject) FROM data_key WHERE class = 'identity' AND subject > (SELECT min(subject) FROM data_key WHERE class = 'identity'))",
            );
            for change in [
                "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE class = 'identity' ORDER BY subject LIMIT 1)
                 WHERE class = 'identity' AND subject = (SELECT min(subject) FROM data_key WHERE class = 'identity' AND subject > (SELECT min(subject) FROM data_key WHERE class = 'identity'))",
                none,
            ] {
                house.meddle(change).await;
                assert_eq!(
                    faults(&house, "protection").await,
                    [format!("the identity key of {middle} does not open")]
                );
            }
        },
    );
}

#[test]
fn whoever_watches_an_audit_is_told_how_far_it_is() {
    with_house(
        "scenarios::books::whoever_watches_an_audit_is_told_how_far_it_is",
        async |house| {
            three(&house).await;
            let told = Mutex::new(Vec::new());
            let watch = |progress: AuditProgress| told.lock().unwrap().push(progress);
            let auditor = actor("auditor");
            let audit = house.central.audit_books_watched(&auditor, &watch);
            assert!(audit.await.unwrap().is_sound());
            let told = told.into_inner().unwrap();
            assert!(told.is_sorted_by_key(|one| one.done));
            assert_eq!(told[0].done, 0);
            let last = told.last().unwrap();
            assert_eq!((last.part, last.done), (AuditPart::Protection, last.total));
            let count = "SELECT (SELECT count(*) FROM document) + (SELECT count(*) FROM audit_entry) + (SELECT count(*) FROM data_key)";
            assert_eq!(last.total, house.number(count).await.unsigned_abs());
        },
    );
}

#[test]
fn an_entry_that_was_altered_breaks_the_tree() {
    with_house(
        "scenarios::books::an_entry_that_was_altered_breaks_the_tree",
        async |house| {
            three(&house).await;
            for trigger in ["audit_entry_is_sequenced_once", "audit_entry_stays"] {
                house.drop_trigger(trigger, "audit_entry").await;
            }
            house
                .meddle(
                    "UPDATE audit_entry SET entry = (SELECT entry FROM audit_entry WHERE leaf = 3) WHERE leaf = 4",
                )
                .await;
            let found = faults(&house, "log").await;
            assert!(found[0].contains("is not one of this tree"), "{found:?}");
            house.meddle("DELETE FROM audit_entry WHERE leaf = 5").await;
            assert_eq!(faults(&house, "log").await, ["leaf 5 has no entry"]);
        },
    );
}

#[test]
fn a_document_that_expires_leaves_no_letter_under_way() {
    with_house(
        "scenarios::books::a_document_that_expires_leaves_no_letter_under_way",
        async |house| {
            let central = &house.central;
            let number = three(&house).await;
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            let clerk = actor("envelopes");
            let job = central.print_envelope(&clerk, &number).await.unwrap();
            central.envelope_printed(&clerk, &job.serial).await.unwrap();
            // New PINs are being set when its last day passes.
            let renewing = operator();
            let lease = central.lease_new_pins(&renewing, &number, "letter lost");
            lease.await.unwrap();
            house
                .meddle("UPDATE document SET expires = '2026-11-19' WHERE state = 'handed-over'")
                .await;
            assert_eq!(central.expire_documents().await.unwrap(), 1);
            let envelopes = central.envelopes(&clerk).await.unwrap();
            assert_eq!(envelopes[0].state, EnvelopeState::Void);
            assert!(is_conflict(
                &central.dispatch_envelope(&clerk, &job.serial, "post").await
            ));
            let leases = central.leases(&actor("auditor")).await.unwrap();
            assert_eq!(leases.len(), 1, "the one that makes another document");
            let audit = central.audit_books(&actor("auditor")).await.unwrap();
            assert_eq!(audit.faults(), Vec::<String>::new());
        },
    );
}

#[test]
fn a_lease_that_went_back_by_itself_is_reported_once() {
    with_house(
        "scenarios::books::a_lease_that_went_back_by_itself_is_reported_once",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = house.lease("slot-1").await.unwrap();
            house.clock.pass(SignedDuration::from_mins(11));
            let nothing = LeaseRequest {
                article: Some("none".into()),
                ..request("slot-2", &[PRODUCT])
            };
            assert!(
                central
                    .lease(&operator(), &nothing)
                    .await
                    .unwrap()
                    .is_none()
            );
            let state = "SELECT state FROM lease";
            assert_eq!(house.scalar(state).await, "released");
            // The station says once how it ended there; what it says again is in the log alone.
            for (sequence, honoured) in [(1, 1), (2, 1), (3, 1)] {
                let end = match sequence {
                    3 => BlankEnd::Spoiled {
                        cause: "torn".into(),
                    },
                    _ => untouched(),
                };
                let report = bare_report(&lease, sequence, end);
                central.report(&operator(), &report).await.unwrap();
                let counted = "SELECT count(*) FROM report WHERE day IS NOT NULL";
                assert_eq!(house.number(counted).await, honoured);
                assert_eq!(house.scalar(state).await, "released");
            }
        },
    );
}

#[test]
fn a_clerk_withdraws_what_nobody_decided_on() {
    with_house(
        "scenarios::books::a_clerk_withdraws_what_nobody_decided_on",
        async |house| {
            let (central, clerk) = (&house.central, actor("clerk"));
            let content = sample("applications/01-adult");
            let reference = central.import(&clerk, &content).await.unwrap();
            let reference = reference.as_str();
            assert!(is_refused(
                &central
                    .withdraw_application(&actor("approver"), reference, "no")
                    .await
            ));
            assert!(
                central
                    .withdraw_application(&clerk, reference, "")
                    .await
                    .is_err()
            );
            central
                .withdraw_application(&clerk, reference, "moved abroad")
                .await
                .unwrap();
            let approver = actor("approver");
            assert!(is_conflict(&central.approve(&approver, reference).await));
            assert!(is_conflict(
                &central
                    .withdraw_application(&clerk, reference, "again")
                    .await
            ));
            house.prepared("07-every-latvian-diacritic").await;
            let documents = central.documents(&actor("auditor")).await.unwrap();
            let in_production = documents[0].application.to_string();
            assert!(is_conflict(
                &central
                    .withdraw_application(&clerk, &in_production, "no")
                    .await
            ));
            assert_eq!(documents[0].state, DocumentState::Queued);
        },
    );
}
