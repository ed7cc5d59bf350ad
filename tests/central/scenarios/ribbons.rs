//! Ribbons of printers from their receipt to their destruction.

use audit::Outcome;
use document::life_cycle::RibbonState;
use document::{OfficeCode, Role};
use jiff::SignedDuration;
use jiff::civil::date;

use super::house::{House, actor, is_conflict, is_refused, operator, with_house};
use crate::{CentralError, CountEnd, CountedRibbons, RibbonHandling, RibbonLine, StockCount};

fn office(code: &str) -> OfficeCode {
    OfficeCode::parse(code).unwrap()
}

/// Adds a second stock-keeper, an office, and three ribbons.
pub(super) async fn stocked(house: &House) {
    let (central, administrator) = (&house.central, actor("administrator"));
    let relief = [Role::StockKeeper];
    let added = central.add_account(&administrator, "relief", &relief).await;
    added.unwrap();
    let riga = office("RIGA-1");
    let added = central.add_place(&administrator, &riga, "Riga").await;
    added.unwrap();
    let new: Vec<_> = (1..=3).map(|number| format!("r-{number}")).collect();
    let received = central
        .receive_ribbons(&actor("keeper"), &new, "ymcko", &office("CENTRAL"))
        .await;
    received.unwrap();
}

pub(super) async fn handle(
    house: &House,
    who: &str,
    ribbon: &str,
    handling: RibbonHandling,
) -> Result<Vec<i64>, CentralError> {
    let ribbons = [ribbon.to_owned()];
    let central = &house.central;
    central
        .handle_ribbons(&actor(who), &ribbons, &handling)
        .await
}

pub(super) fn load(slot: &str) -> RibbonHandling {
    RibbonHandling::Load {
        station: operator().station,
        slot: slot.into(),
    }
}

pub(super) fn use_up() -> RibbonHandling {
    let cause = "at its end".into();
    RibbonHandling::UseUp { cause }
}

pub(super) fn miss(witness: &str) -> RibbonHandling {
    let (witness, cause) = (witness.into(), "not in its box".into());
    RibbonHandling::ReportMissing { witness, cause }
}

fn find(witness: &str) -> RibbonHandling {
    let (witness, cause) = (witness.into(), "behind the printer".into());
    RibbonHandling::Find { witness, cause }
}

fn destroy(witness: &str) -> RibbonHandling {
    let (witness, cause) = (witness.into(), "shredded".into());
    RibbonHandling::Destroy { witness, cause }
}

pub(super) async fn ribbon(house: &House, serial: &str) -> RibbonLine {
    let shown = house.central.ribbon(&actor("auditor"), serial).await;
    shown.unwrap()
}

async fn state(house: &House, serial: &str) -> RibbonState {
    ribbon(house, serial).await.state
}

#[test]
fn a_ribbon_is_in_one_state_from_receipt_to_destruction() {
    with_house(
        "scenarios::ribbons::a_ribbon_is_in_one_state_from_receipt_to_destruction",
        async |house| {
            stocked(&house).await;
            let (central, keeper) = (&house.central, actor("keeper"));
            for (serials, item) in [
                (vec!["R-9".to_owned(), "r-1".to_owned()], "ymcko"),
                (vec!["R 9".to_owned()], "ymcko"),
                (vec!["R-9".to_owned()], "YMCKO"),
                (vec![], "ymcko"),
            ] {
                let here = office("CENTRAL");
                let again = central.receive_ribbons(&keeper, &serials, item, &here);
                assert!(again.await.is_err(), "{serials:?} {item}");
            }
            assert!(matches!(
                central.ribbon(&actor("auditor"), "R-9").await,
                Err(CentralError::NotFound { .. })
            ));

            // To another place, by two persons.
            let to = office("RIGA-1");
            let send = || RibbonHandling::Send { to: to.clone() };
            handle(&house, "keeper", "R-3", send()).await.unwrap();
            let back = handle(&house, "keeper", "R-3", RibbonHandling::TakeIn).await;
            assert!(is_refused(&back));
            handle(&house, "relief", "R-3", RibbonHandling::TakeIn)
                .await
                .unwrap();
            assert!(is_refused(&handle(&house, "keeper", "R-3", send()).await));

            // Into the printer of a slot, which has one at a time and stands where the ribbon is.
            let administrator = actor("administrator");
            let station = operator().station;
            let placed = central
                .place_station(&administrator, &station, Some("CENTRAL"))
                .await;
            placed.unwrap();
            assert!(is_refused(
                &handle(&house, "operator", "R-3", load("a")).await
            ));
            handle(&house, "operator", "R-1", load("a")).await.unwrap();
            let second = handle(&house, "operator", "R-2", load("a")).await;
            assert!(second.unwrap_err().to_string().contains("ribbon R-1 is in"));
            handle(&house, "operator", "R-2", load("b")).await.unwrap();
            assert!(is_conflict(&handle(&house, "keeper", "R-1", send()).await));
            handle(&house, "operator", "R-1", RibbonHandling::Unload)
                .await
                .unwrap();
            assert_eq!(state(&house, "R-1").await, RibbonState::Opened);
            // What was in a printer travels as waste alone, and is never new again.
            assert!(is_conflict(&handle(&house, "keeper", "R-1", send()).await));
            handle(&house, "operator", "R-1", load("a")).await.unwrap();
            handle(&house, "operator", "R-1", use_up()).await.unwrap();
            handle(&house, "keeper", "R-1", send()).await.unwrap();
            assert_eq!(state(&house, "R-1").await, RibbonState::UsedInTransit);
            handle(&house, "relief", "R-1", RibbonHandling::TakeIn)
                .await
                .unwrap();

            // What goes out of sight does so before two persons, as what is destroyed.
            assert!(is_refused(
                &handle(&house, "operator", "R-2", miss("operator")).await
            ));
            let incidents = handle(&house, "operator", "R-2", miss("keeper")).await;
            let incident = central
                .incident(&actor("auditor"), incidents.unwrap()[0])
                .await
                .unwrap();
            assert_eq!(incident.subject, "ribbon/R-2");
            assert!(incident.text.contains("0 cards"), "{}", incident.text);
            handle(&house, "keeper", "R-2", find("relief"))
                .await
                .unwrap();
            assert_eq!(state(&house, "R-2").await, RibbonState::Used);
            assert!(is_refused(
                &handle(&house, "operator", "R-2", destroy("keeper")).await
            ));
            assert!(is_refused(
                &handle(&house, "keeper", "R-2", destroy("keeper")).await
            ));
            assert!(is_conflict(
                &handle(&house, "keeper", "R-3", destroy("relief")).await
            ));
            for serial in ["R-1", "R-2"] {
                handle(&house, "keeper", serial, destroy("relief"))
                    .await
                    .unwrap();
            }
            assert_eq!(house.count("ribbon.destroyed", Outcome::Done).await, 2);
            let left = central
                .ribbons_after(&actor("auditor"), false, "", 10)
                .await;
            let left: Vec<_> = left.unwrap().into_iter().map(|line| line.serial).collect();
            assert_eq!(left, ["R-3"]);
            let all = central
                .ribbons_after(&actor("auditor"), true, "R-1", 1)
                .await;
            assert_eq!(all.unwrap()[0].serial, "R-2");
            let check = central.check_stock(&actor("auditor")).await.unwrap();
            assert_eq!(
                (check.ribbons, check.differences),
                (3, Vec::<String>::new())
            );
        },
    );
}

#[test]
fn ribbons_are_counted_when_a_day_is_closed() {
    with_house(
        "scenarios::ribbons::ribbons_are_counted_when_a_day_is_closed",
        async |house| {
            stocked(&house).await;
            handle(&house, "operator", "R-1", load("a")).await.unwrap();
            let (central, keeper, here) = (&house.central, actor("keeper"), office("CENTRAL"));
            let line = |state, ribbons| CountedRibbons {
                item: "ymcko".into(),
                state,
                ribbons,
            };
            let close = async |day, lines: &[CountedRibbons]| {
                let count = StockCount {
                    blanks: &[],
                    ribbons: lines,
                };
                central
                    .close_day(&keeper, &here, day, "relief", count)
                    .await
            };
            let day = date(2026, 11, 20);
            let (stock, loaded) = (RibbonState::InStock, RibbonState::Loaded);
            for wrong in [
                [line(stock, 2), line(stock, 2)],
                [line(stock, 2), line(RibbonState::Missing, 1)],
            ] {
                assert!(close(day, &wrong).await.is_err());
            }
            let Ok(CountEnd::Differs {
                incident, ribbons, ..
            }) = close(day, &[line(stock, 2)]).await
            else {
                panic!("one is in a printer")
            };
            assert_eq!((ribbons.len(), ribbons[0].booked), (1, 1));
            let incident = central.incident(&actor("auditor"), incident).await.unwrap();
            assert_eq!(incident.text, "ribbons ymcko loaded: 0 counted, 1 booked");
            let right = [line(stock, 2), line(loaded, 1)];
            assert_eq!(close(day, &right).await.unwrap(), CountEnd::Agrees);
            // What moves after the close is the next day's.
            handle(&house, "operator", "R-1", use_up()).await.unwrap();
            house.clock.pass(SignedDuration::from_hours(48));
            let days = central.days(&actor("auditor")).await.unwrap();
            let overdue = days.iter().find(|line| line.place.code == here).unwrap();
            assert_eq!(overdue.overdue, Some(date(2026, 11, 21)));
            let used = [line(stock, 2), line(RibbonState::Used, 1)];
            let closed = close(date(2026, 11, 21), &used).await;
            assert_eq!(closed.unwrap(), CountEnd::Agrees);
        },
    );
}

#[test]
fn a_check_names_ribbons_that_were_altered() {
    with_house(
        "scenarios::ribbons::a_check_names_ribbons_that_were_altered",
        async |house| {
            stocked(&house).await;
            for sql in [
                "UPDATE ribbon_movement SET cause = 'x'",
                "DELETE FROM ribbon_movement",
            ] {
                let mut tx = house.central.write().await.unwrap();
                let altered = sqlx::query(sql).execute(&mut *tx).await;
                assert!(altered.is_err(), "{sql}");
            }
            house
                .meddle("UPDATE ribbon SET state = 'used' WHERE serial = 'R-1'")
                .await;
            let check = central_check(&house).await;
            assert_eq!(
                check,
                ["ribbon R-1 is used at CENTRAL, and by the journal it is in-stock at CENTRAL"]
            );
            let audit = house.central.audit_books(&actor("auditor")).await.unwrap();
            let faults = audit.faults();
            assert!(
                faults
                    .iter()
                    .any(|fault| fault.starts_with("ribbons: ribbon R-1 is used")),
                "{faults:?}"
            );
            assert!(
                faults.contains(
                    &"evidence: ribbon R-1 is used, and the log does not lead there".to_owned()
                ),
                "{faults:?}"
            );
        },
    );
}

async fn central_check(house: &House) -> Vec<String> {
    let check = house.central.check_stock(&actor("auditor")).await;
    check.unwrap().differences
}
