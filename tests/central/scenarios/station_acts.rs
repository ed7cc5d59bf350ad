//! What people did at a station itself: in the log once and in order, under who did it; what cannot be
//! true is an incident, and holds up nothing.

use api::{ApiError, Centre, StationAct};
use audit::Outcome;
use jiff::{SignedDuration, Timestamp};

use super::bench::{bare_report, untouched};
use super::house::{House, actor, operator, with_house};

fn act(house: &House, sequence: u64, what: &str) -> StationAct {
    StationAct {
        sequence,
        at: house.central.now() - SignedDuration::from_mins(3),
        person: "operator".into(),
        act: what.into(),
        slot: Some("a".into()),
    }
}

fn is_conflict(result: Result<(), ApiError>) -> bool {
    matches!(result, Err(ApiError::Conflict { .. }))
}

#[test]
fn an_act_counts_once_in_the_order_of_reports_and_is_its_persons() {
    with_house(
        "scenarios::station_acts::an_act_counts_once_in_the_order_of_reports_and_is_its_persons",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let paused = act(&house, 1, StationAct::SLOT_PAUSED);
            central.act(&operator(), &paused).await.unwrap();
            let entries = house.entries().await;
            let entry = entries.last().unwrap();
            assert_eq!(entry.action.as_str(), "station.act");
            let detail = |name| entry.details.get(name).unwrap();
            assert_eq!(
                (detail("act"), detail("slot"), detail("sequence")),
                ("slot.paused", "a", "1")
            );
            // The station's time beside the centre's, which is the entry's own.
            assert_eq!(detail("at").parse::<Timestamp>().unwrap(), paused.at);
            assert!(entry.time.as_str().parse::<Timestamp>().unwrap() > paused.at);
            assert_eq!(entry.details.get("sent-by"), None);

            central.act(&operator(), &paused).await.unwrap();
            assert_eq!(house.entries().await.len(), entries.len(), "it came before");
            let forked = act(&house, 1, StationAct::SLOT_STARTED);
            assert!(is_conflict(central.act(&operator(), &forked).await));
            let late = act(&house, 3, StationAct::SLOT_STARTED);
            assert!(is_conflict(central.act(&operator(), &late).await));
            let lease = house.lease("a").await.unwrap();
            let report = bare_report(&lease, 1, untouched());
            assert!(is_conflict(central.report(&operator(), &report).await));
            let report = bare_report(&lease, 2, untouched());
            central.report(&operator(), &report).await.unwrap();
            central.act(&operator(), &late).await.unwrap();
            let done = house.count("station.act", Outcome::Done).await;
            let refused = house.count("station.act", Outcome::Refused).await;
            assert_eq!((done, refused), (2, 2));
        },
    );
}

#[test]
fn what_cannot_be_true_is_an_incident_and_holds_up_nothing() {
    with_house(
        "scenarios::station_acts::what_cannot_be_true_is_an_incident_and_holds_up_nothing",
        async |house| {
            let central = &house.central;
            let mut by_nobody = act(&house, 1, StationAct::SHIFT_BEGUN);
            by_nobody.person = "nobody".into();
            let unheard_of = act(&house, 2, "slot.exploded");
            let mut too_early = act(&house, 3, StationAct::SLOT_PAUSED);
            too_early.at = house.central.now() + SignedDuration::from_hours(2);
            let mut on_lines = act(&house, 4, StationAct::SLOT_PAUSED);
            on_lines.slot = Some("a\nb".into());
            for wrong in [&by_nobody, &unheard_of, &too_early, &on_lines] {
                central.act(&operator(), wrong).await.unwrap();
            }
            assert_eq!(house.count("station.act", Outcome::Refused).await, 4);
            assert_eq!(house.count("station.act", Outcome::Done).await, 0);
            let incidents = house.number("SELECT count(*) FROM incident").await;
            assert_eq!(incidents, 4);
            // Repeated, they are no incident again.
            central.act(&operator(), &by_nobody).await.unwrap();
            assert_eq!(house.number("SELECT count(*) FROM incident").await, 4);

            // Whoever has the next shift sends what the one before did.
            let mut of_keeper = act(&house, 5, StationAct::SHIFT_ENDED);
            of_keeper.person = "keeper".into();
            central.act(&operator(), &of_keeper).await.unwrap();
            let entries = house.entries().await;
            let entry = entries.last().unwrap();
            let sender = entry.details.get("sent-by").unwrap();
            let whose = entry.actor.person.as_ref().unwrap().as_str();
            assert!(sender.starts_with("person/") && whose.starts_with("person/"));
            assert_ne!(sender, whose);
            let next = act(&house, 6, StationAct::SLOT_PAUSED);
            let wrong = central.act(&actor("clerk"), &next).await;
            assert!(matches!(wrong, Err(ApiError::Refused { .. })));
        },
    );
}
