//! A lease that goes to another station with its card: what of the journal is here, the act of two, the
//! fence round the station before, and the slot that takes it over.

use api::{
    Actor, ApiError, BlankEnd, Centre, JournalKept, JournalLine, JournalPart, Lease, LeaseRequest,
};
use audit::Outcome;
use document::life_cycle::{BlankState, DocumentState, LeaseState};
use jiff::{SignedDuration, Timestamp};
use vcard::{Chip, Fault, FaultKind};

use super::bench::{Run, bare_report, make, personalize, report, spoiled};
use super::dispatching::state;
use super::house::{House, PRODUCT, actor, is_conflict, is_refused, operator, request, with_house};
use crate::CentralError;

/// The operator at another station.
fn elsewhere() -> Actor {
    Actor {
        station: "station-2".into(),
        ..operator()
    }
}

/// What the slot of the other station asks for, with these chips in it.
fn asked(chips: &[String]) -> LeaseRequest {
    LeaseRequest {
        chips: chips.to_vec(),
        ..request("slot 9", &[PRODUCT])
    }
}

fn part(lease: &Lease, first: u64, lines: &[JournalLine]) -> JournalPart {
    JournalPart {
        lease: lease.id,
        first,
        lines: lines.to_vec(),
    }
}

fn kept(lines: usize) -> Result<JournalKept, ApiError> {
    Ok(JournalKept {
        lines: lines as u64,
    })
}

/// A card that is torn in the middle.
async fn torn(house: &House) -> (Lease, Run) {
    house.prepared("01-adult").await;
    let chip = house.blank().await;
    let lease = house.lease("slot-1").await.unwrap();
    let fault = Fault {
        at: 60,
        kind: FaultKind::RemoveAfter,
    };
    let run = personalize(house, &lease, chip, vec![fault]).await;
    assert!(run.outcome.fault.is_some());
    (lease, run)
}

/// Returns how many keys and encrypted values an audit of the books opens.
async fn opened(house: &House) -> u64 {
    let audit = house.central.audit_books(&actor("auditor")).await.unwrap();
    assert!(audit.is_sound(), "{:?}", audit.faults());
    let mut invariants = audit.invariants.iter();
    let protection = invariants.find(|one| one.name == "protection");
    protection.unwrap().checked
}

async fn lines_at_rest(house: &House) -> i64 {
    house.number("SELECT count(*) FROM told_line").await
}

#[test]
fn a_journal_is_kept_line_by_line_and_only_as_long_as_its_lease() {
    with_house(
        "scenarios::lease_moves::a_journal_is_kept_line_by_line_and_only_as_long_as_its_lease",
        async |house| {
            let (central, who) = (&house.central, operator());
            let (lease, run) = torn(&house).await;
            let lines = &run.journal;
            assert!(lines.len() > 4);
            let opened_before = opened(&house).await;
            assert_eq!(
                central.tell(&who, &part(&lease, 1, &lines[..2])).await,
                kept(2)
            );
            // What comes again, and what overlaps, adds nothing twice.
            assert_eq!(
                central.tell(&who, &part(&lease, 1, &lines[..2])).await,
                kept(2)
            );
            assert_eq!(
                central.tell(&who, &part(&lease, 2, &lines[1..4])).await,
                kept(4)
            );
            // What lies between is asked for.
            assert_eq!(
                central.tell(&who, &part(&lease, 7, &lines[..1])).await,
                kept(4)
            );
            let mut other = lines[1].clone();
            other.step = "something else".into();
            let forked = central.tell(&who, &part(&lease, 2, &[other])).await;
            assert!(matches!(forked, Err(ApiError::Conflict { .. })));
            let mut long = lines[4].clone();
            long.step = "x".repeat(9_000);
            let long = central.tell(&who, &part(&lease, 5, &[long])).await;
            assert!(matches!(long, Err(ApiError::Invalid { .. })));
            let none = central.tell(&who, &part(&lease, 0, &lines[..1])).await;
            assert!(matches!(none, Err(ApiError::Invalid { .. })));
            let foreign = central.tell(&elsewhere(), &part(&lease, 1, lines)).await;
            assert!(matches!(foreign, Err(ApiError::NotFound { .. })));
            let clerk = Actor {
                person: "clerk".into(),
                ..who.clone()
            };
            let clerk = central.tell(&clerk, &part(&lease, 5, lines)).await;
            assert!(matches!(clerk, Err(ApiError::Refused { .. })));
            assert_eq!(lines_at_rest(&house).await, 4);

            // Each opens under the document's key, and nothing of it can be read without.
            assert_eq!(opened(&house).await, opened_before + 4);
            let sealed = house
                .bytes("SELECT line FROM told_line WHERE place = 1")
                .await;
            let serial = run.chip.serial().to_string();
            assert!(
                !sealed
                    .windows(serial.len())
                    .any(|part| part == serial.as_bytes())
            );

            let said = report(&lease, 1, &run, spoiled());
            central.report(&who, &said).await.unwrap();
            assert_eq!(lines_at_rest(&house).await, 0);
            // Whoever works on has to stop.
            let late = central.tell(&who, &part(&lease, 1, lines)).await;
            assert!(matches!(late, Err(ApiError::Conflict { .. })), "{late:?}");
        },
    );
}

#[test]
fn a_lease_is_taken_from_its_station_by_two_and_its_card_goes_on_at_another() {
    with_house(
        "scenarios::lease_moves::a_lease_is_taken_from_its_station_by_two_and_its_card_goes_on_at_another",
        async |house| {
            let (central, who, officer) = (&house.central, operator(), actor("officer"));
            let (lease, run) = torn(&house).await;
            let number = lease.record.number.to_string();
            central
                .tell(&who, &part(&lease, 1, &run.journal))
                .await
                .unwrap();
            let chips = [run.chip.serial().to_string()];
            let before = central.lease(&elsewhere(), &asked(&chips)).await;
            assert!(
                matches!(before, Err(ApiError::Refused { .. })),
                "it is at a station"
            );

            let quality = actor("quality");
            let by_another = central.move_lease(&quality, lease.id, "keeper", "dead");
            assert!(is_refused(&by_another.await));
            let alone = central.move_lease(&officer, lease.id, "officer", "dead");
            assert!(is_refused(&alone.await));
            let why_not = central.move_lease(&officer, lease.id, "keeper", "");
            assert!(matches!(why_not.await, Err(CentralError::Invalid { .. })));
            let moved = central.move_lease(&officer, lease.id, "keeper", "its computer is broken");
            moved.await.unwrap();
            let again = central.move_lease(&officer, lease.id, "keeper", "twice");
            assert!(is_conflict(&again.await));
            assert_eq!(house.count("lease.moved", Outcome::Done).await, 1);

            // The station before is fenced.
            let more = central.tell(&who, &part(&lease, 1, &run.journal)).await;
            assert!(matches!(more, Err(ApiError::Moved { .. })), "{more:?}");
            let claim = house.claim(&lease, &chips[0]).await;
            assert!(matches!(claim, Err(ApiError::Moved { .. })), "{claim:?}");
            let goes_on = LeaseRequest {
                again: Some(lease.id),
                ..request("slot-1", &[PRODUCT])
            };
            let goes_on = central.lease(&who, &goes_on).await;
            assert!(
                matches!(goes_on, Err(ApiError::Moved { .. })),
                "{goes_on:?}"
            );
            let said = report(&lease, 1, &run, spoiled());
            central.report(&who, &said).await.unwrap();
            central.report(&who, &said).await.unwrap();
            assert_eq!(house.count("lease.reported", Outcome::Refused).await, 1);
            assert_eq!(state(&house, &number).await, DocumentState::AtStation);

            // Nobody takes it without its card, and not the station before.
            let unread = central.lease(&elsewhere(), &asked(&[])).await;
            assert_eq!(unread.unwrap_err(), ApiError::ChipsWanted);
            let other = house.blank().await;
            let other = central
                .lease(&elsewhere(), &asked(&[other.serial().to_string()]))
                .await;
            assert!(other.unwrap().is_none(), "there is nothing else to be made");
            let back = LeaseRequest {
                chips: chips.to_vec(),
                ..request("slot-1", &[PRODUCT])
            };
            let back = central.lease(&who, &back).await;
            assert!(matches!(back, Err(ApiError::Conflict { .. })), "{back:?}");

            let taken = central.lease(&elsewhere(), &asked(&chips)).await;
            let taken = taken.unwrap().unwrap();
            assert_eq!((taken.id, taken.identity), (lease.id, lease.identity));
            assert_eq!(taken.record.number, lease.record.number);
            let begun = taken.begun.clone().unwrap();
            assert_eq!(begun.station, who.station);
            assert_eq!(begun.journal, run.journal);
            // Asked again, it is the same.
            let again = central.lease(&elsewhere(), &asked(&[])).await;
            assert_eq!(again.unwrap().unwrap().begun, taken.begun);
            let blank = central.blanks(&actor("keeper")).await.unwrap();
            let blank = blank.iter().find(|one| one.state == BlankState::AtStation);
            assert!(blank.is_some());
            assert_eq!(house.count("lease.taken-over", Outcome::Done).await, 1);
            let fenced = house.claim(&lease, &chips[0]).await;
            assert!(matches!(fenced, Err(ApiError::Moved { .. })), "{fenced:?}");

            // The next line of the new station follows those of the one before.
            let line = JournalLine {
                at: Timestamp::UNIX_EPOCH,
                step: "take-over".into(),
                moment: "outcome".into(),
                evidence: Default::default(),
            };
            let next = run.journal.len() as u64 + 1;
            let next = part(&lease, next, &[line]);
            let told = central.tell(&elsewhere(), &next).await;
            assert_eq!(told, kept(run.journal.len() + 1));

            let said = report(&taken, 1, &run, spoiled());
            central.report(&elsewhere(), &said).await.unwrap();
            assert_eq!(lines_at_rest(&house).await, 0);
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            let spoiled = blanks.iter().filter(|one| one.state == BlankState::Spoiled);
            assert_eq!(spoiled.count(), 1);
            // Both stations go on in their own order.
            make(&house, 2).await;
        },
    );
}

#[test]
fn what_is_not_moved() {
    with_house("scenarios::lease_moves::what_is_not_moved", async |house| {
        let (central, officer) = (&house.central, actor("officer"));
        let move_it = async |lease: &Lease| {
            central
                .move_lease(&officer, lease.id, "keeper", "its computer is broken")
                .await
        };
        house.prepared("01-adult").await;
        let unbound = house.lease("slot-1").await.unwrap();
        assert!(is_conflict(&move_it(&unbound).await), "nothing was begun");
        house.clock.pass(SignedDuration::from_mins(11));
        let chip: Chip = house.blank().await;
        let lease = house.lease("slot-1").await.unwrap();
        assert!(is_conflict(&move_it(&unbound).await), "it is over");
        let run = personalize(&house, &lease, chip, Vec::new()).await;
        // Moved and never taken over, it is given up as any other is.
        move_it(&lease).await.unwrap();
        let gone = central.give_up_lease(&officer, lease.id, "keeper", "never found");
        gone.await.unwrap();
        assert_eq!(
            house
                .scalar("SELECT state FROM lease ORDER BY opened DESC LIMIT 1")
                .await,
            LeaseState::Lost.name()
        );
        assert!(is_conflict(&move_it(&lease).await));
        let nothing = central.lease(&elsewhere(), &asked(&[])).await;
        assert!(nothing.unwrap().is_some(), "it is made anew, of any blank");
        let late = report(&lease, 1, &run, BlankEnd::Personalized);
        central.report(&operator(), &late).await.unwrap();
        let made = bare_report(&lease, 2, spoiled());
        central.report(&operator(), &made).await.unwrap();
        assert_eq!(house.count("lease.reported", Outcome::Refused).await, 2);
    });
}
