//! The log: with the change or not at all, in order, and tampering found.

use api::Centre;
use audit::{Outcome, SignedCheckpoint};
use jiff::SignedDuration;

use super::bench::{bare_report, untouched};
use super::house::{actor, operator, sample, with_house};
use crate::CentralError;

#[test]
fn a_change_that_fails_leaves_no_entry_and_an_entry_that_fails_no_change() {
    with_house(
        "scenarios::audit_log::a_change_that_fails_leaves_no_entry_and_an_entry_that_fails_no_change",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let before = house.entries().await.len();
            house.break_inserts("report").await;
            let result = central
                .report(&operator(), &bare_report(&lease, 1, untouched()))
                .await;
            assert!(
                matches!(result, Err(api::ApiError::Unavailable { .. })),
                "{result:?}"
            );
            assert_eq!(house.entries().await.len(), before);
            assert_eq!(
                house.scalar("SELECT state FROM document").await,
                "at-station"
            );

            house.drop_trigger("broken_report", "report").await;
            house.break_inserts("audit_entry").await;
            let result = central
                .report(&operator(), &bare_report(&lease, 1, untouched()))
                .await;
            assert!(matches!(result, Err(api::ApiError::Unavailable { .. })));
            let imported = central
                .import(&actor("clerk"), &sample("applications/06-twenty"))
                .await;
            assert!(matches!(imported, Err(CentralError::Database(_))));
            // A refusal that cannot be written down is not a refusal that nobody hears of.
            let refused = central.approve(&actor("clerk"), "APP-0").await;
            assert!(matches!(refused, Err(CentralError::Database(_))));
            assert_eq!(house.number("SELECT count(*) FROM report").await, 0);
            assert_eq!(house.number("SELECT count(*) FROM application").await, 1);

            house
                .drop_trigger("broken_audit_entry", "audit_entry")
                .await;
            central
                .report(&operator(), &bare_report(&lease, 1, untouched()))
                .await
                .unwrap();
            assert_eq!(house.scalar("SELECT state FROM document").await, "queued");
        },
    );
}

#[test]
fn the_sequencer_goes_on_where_it_stopped() {
    with_house(
        "scenarios::audit_log::the_sequencer_goes_on_where_it_stopped",
        async |house| {
            let central = &house.central;
            let waiting = central.audit_health().await.unwrap();
            assert_eq!((waiting.sequenced, waiting.overdue), (0, false));
            assert!(waiting.waiting > 0);
            house.clock.pass(SignedDuration::from_secs(61));
            assert!(central.audit_health().await.unwrap().overdue);
            let mut sizes = Vec::new();
            for name in ["01-adult", "05-nineteen", "06-twenty"] {
                house.prepared(name).await;
                assert!(central.sequence().await.unwrap() > 0);
                assert_eq!(central.sequence().await.unwrap(), 0);
                let note = house
                    .scalar("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
                    .await;
                let checkpoint =
                    SignedCheckpoint::open(note.as_bytes(), central.audit_key()).unwrap();
                sizes.push(checkpoint.checkpoint().size);
            }
            assert!(sizes.is_sorted() && sizes[0] < sizes[2]);
            let health = central.audit_health().await.unwrap();
            assert_eq!(
                (health.entries, health.waiting, health.oldest_waiting),
                (sizes[2], 0, None)
            );
        },
    );
}

#[test]
fn history_is_not_changed_by_a_slip_and_tampering_is_found() {
    with_house(
        "scenarios::audit_log::history_is_not_changed_by_a_slip_and_tampering_is_found",
        async |house| {
            let central = &house.central;
            central.sequence().await.unwrap();
            for slip in [
                "DELETE FROM audit_entry",
                "UPDATE audit_entry SET entry = (SELECT hash FROM audit_node ORDER BY height, position LIMIT 1)",
                "UPDATE audit_entry SET leaf = NULL",
                "UPDATE audit_node SET position = position + 1000",
                "DELETE FROM audit_checkpoint",
            ] {
                let mut tx = central.write().await.unwrap();
                let refused = sqlx::raw_sql(slip).execute(&mut *tx).await.unwrap_err();
                assert!(refused.to_string().contains("never"), "{slip}: {refused}");
            }
            // Somebody who means to, and has the file.
            let out = house.folder.path().join("export");
            central.export_audit(&actor("auditor"), &out).await.unwrap();
            house
                .drop_trigger("audit_entry_is_sequenced_once", "audit_entry")
                .await;
            house
                .meddle(house.either(
                    "UPDATE audit_entry SET entry = CAST(replace(CAST(entry AS TEXT), 'done', 'gone') AS BLOB) WHERE leaf = 3",
                    "UPDATE audit_entry SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'done', 'gone'), 'UTF8') WHERE leaf = 3",
                ))
                .await;
            let export = central.export_audit(&actor("auditor"), &out).await;
            assert!(
                matches!(export, Err(CentralError::Damaged { .. })),
                "{export:?}"
            );
            assert!(
                !out.join("checkpoint").exists(),
                "an export that failed has no checkpoint"
            );
            let failed = house.number(house.either(
                "SELECT count(*) FROM audit_entry WHERE CAST(entry AS TEXT) LIKE '%audit.exported%failed%'",
                "SELECT count(*) FROM audit_entry WHERE convert_from(entry, 'UTF8') LIKE '%audit.exported%failed%'",
            ));
            assert_eq!(failed.await, 1);
            house
                .drop_trigger("audit_node_is_final", "audit_node")
                .await;
            house
                .meddle(house.either(
                    "UPDATE audit_node SET hash = zeroblob(32)",
                    "UPDATE audit_node SET hash = decode(repeat('00', 32), 'hex')",
                ))
                .await;
            assert!(
                matches!(central.sequence().await, Err(CentralError::Damaged { .. })),
                "no second history is signed"
            );
        },
    );
}

#[test]
fn what_a_caller_sends_does_not_get_into_the_log() {
    with_house(
        "scenarios::audit_log::what_a_caller_sends_does_not_get_into_the_log",
        async |house| {
            let central = &house.central;
            for text in ["120190-12347", "Anna Izdomāta", "a\nb", &"x".repeat(5000)] {
                central.approve(&actor("approver"), text).await.unwrap_err();
                central.hand_over(&actor("clerk"), text).await.unwrap_err();
                central
                    .print_envelope(&actor("envelopes"), text)
                    .await
                    .unwrap_err();
            }
            // `entries` reads each entry strictly: what is there, is well-formed.
            let entries = house.entries().await;
            assert_eq!(
                entries
                    .iter()
                    .filter(|entry| entry.outcome == Outcome::Refused)
                    .count(),
                12
            );
            for entry in entries {
                let text = String::from_utf8(entry.encode().unwrap()).unwrap();
                assert!(
                    !text.contains("12347") && !text.contains("Izdom") && text.len() < 2000,
                    "{text}"
                );
            }
        },
    );
}
