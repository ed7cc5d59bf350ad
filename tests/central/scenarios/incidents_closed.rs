//! An incident from what was found until another person agrees why.

use audit::Outcome;
use document::Role;
use document::life_cycle::{IncidentKind, IncidentState};

use super::house::{actor, is_conflict, is_refused, with_house};
use crate::CentralError;

#[test]
fn an_incident_is_explained_by_one_and_closed_by_another() {
    with_house(
        "scenarios::incidents_closed::an_incident_is_explained_by_one_and_closed_by_another",
        async |house| {
            let central = &house.central;
            let (keeper, officer) = (actor("keeper"), actor("officer"));
            let found = "it lay in the corridor";
            let report = async |text| {
                central
                    .report_incident(&keeper, IncidentKind::BlankFound, "blank/LV-1", text)
                    .await
            };
            assert_eq!(report(found).await.unwrap(), 1);
            assert_eq!(report(found).await.unwrap(), 1, "the same finding");
            assert_eq!(report("it lay in the yard").await.unwrap(), 2);
            assert_eq!(house.count("incident.opened", Outcome::Done).await, 2);

            assert!(is_conflict(&central.close_incident(&officer, 1).await));
            central
                .explain_incident(&keeper, 1, "it fell")
                .await
                .unwrap();
            central
                .explain_incident(&officer, 1, "the box was torn")
                .await
                .unwrap();
            assert!(is_refused(&central.close_incident(&officer, 1).await));
            assert!(is_refused(&central.close_incident(&keeper, 1).await));
            let administrator = actor("administrator");
            let roles = [Role::SecurityOfficer];
            let added = central.add_account(&administrator, "second", &roles).await;
            added.unwrap();
            let second = actor("second");
            central.close_incident(&second, 1).await.unwrap();
            assert!(is_conflict(&central.close_incident(&second, 1).await));
            let again = central.explain_incident(&keeper, 1, "other").await;
            assert!(is_conflict(&again));

            let auditor = actor("auditor");
            let left = central.incidents(&auditor, false).await.unwrap();
            assert_eq!(left.len(), 1);
            assert_eq!((left[0].number, left[0].state), (2, IncidentState::Open));
            let all = central.incidents(&auditor, true).await.unwrap();
            assert_eq!(all.len(), 2);
            let closed = central.incident(&auditor, 1).await.unwrap();
            assert_eq!(closed, all[0]);
            assert_eq!(closed.text, found);
            let text = |text: &Option<String>| text.clone().unwrap();
            assert_eq!(text(&closed.explanation), "the box was torn");
            assert_eq!(text(&closed.explained_by), "officer");
            assert_eq!(text(&closed.closed_by), "second");
            let said: Vec<_> = house
                .entries()
                .await
                .iter()
                .filter_map(|entry| entry.details.get("explanation").map(str::to_owned))
                .collect();
            assert_eq!(said, ["it fell", "the box was torn"], "the log keeps both");
            // What was closed does not swallow what is found anew.
            assert_eq!(report(found).await.unwrap(), 3);
        },
    );
}

#[test]
fn what_no_incident_can_be_is_refused() {
    with_house(
        "scenarios::incidents_closed::what_no_incident_can_be_is_refused",
        async |house| {
            let central = &house.central;
            let keeper = actor("keeper");
            for (subject, text) in [
                ("", "text"),
                ("a b", "text"),
                ("blank/Ā", "text"),
                (&*"x".repeat(129), "text"),
                ("blank/1", ""),
                ("blank/1", "two\nlines"),
            ] {
                let kind = IncidentKind::Other;
                let done = central.report_incident(&keeper, kind, subject, text).await;
                assert!(matches!(done, Err(CentralError::Invalid { .. })));
            }
            let unknown = central.explain_incident(&keeper, 7, "why").await;
            assert!(matches!(unknown, Err(CentralError::NotFound { .. })));
            let nothing = central.incident(&actor("auditor"), 7).await;
            assert!(matches!(nothing, Err(CentralError::NotFound { .. })));
        },
    );
}
