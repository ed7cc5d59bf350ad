//! Ribbons of printers from their receipt to their destruction, and what was printed with them.

use api::{BlankEnd, Centre, JournalLine, JournalPart, Lease, LeaseId, Report};
use audit::Outcome;
use document::life_cycle::{IncidentKind, RibbonState};
use document::{OfficeCode, Role};
use jiff::SignedDuration;
use jiff::civil::date;
use uuid::Uuid;

use super::bench::{bare_report, spoiled, untouched};
use super::house::{House, actor, is_conflict, is_refused, operator, with_house};
use crate::{CentralError, CountEnd, CountedRibbons, RibbonHandling, RibbonLine, StockCount};

fn office(code: &str) -> OfficeCode {
    OfficeCode::parse(code).unwrap()
}

/// Adds a second stock-keeper, an office, and three ribbons.
async fn stocked(house: &House) {
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

async fn handle(
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

fn load(slot: &str) -> RibbonHandling {
    RibbonHandling::Load {
        station: operator().station,
        slot: slot.into(),
    }
}

fn use_up() -> RibbonHandling {
    let cause = "at its end".into();
    RibbonHandling::UseUp { cause }
}

fn miss(witness: &str) -> RibbonHandling {
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

async fn ribbon(house: &House, serial: &str) -> RibbonLine {
    let shown = house.central.ribbon(&actor("auditor"), serial).await;
    shown.unwrap()
}

async fn state(house: &House, serial: &str) -> RibbonState {
    ribbon(house, serial).await.state
}

/// Returns a report of a card on which a printer began to print now.
fn printed(house: &House, lease: &Lease, sequence: u64, end: BlankEnd) -> Report {
    let said = &[(JournalLine::RIBBON_LEFT, "80")];
    printed_with(house, lease, sequence, end, said)
}

/// Returns such a report, with what the printer says of its ribbon.
fn printed_with(
    house: &House,
    lease: &Lease,
    sequence: u64,
    end: BlankEnd,
    said: &[(&str, &str)],
) -> Report {
    let line = |step: &str, moment: &str, evidence: &[(&str, &str)]| JournalLine {
        at: house.central.now(),
        step: step.into(),
        moment: moment.into(),
        evidence: evidence
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect(),
    };
    Report {
        journal: vec![
            line(JournalLine::PRINT_FACES, "intent", &[("sides", "front")]),
            line(JournalLine::PRINT_FACES, "outcome", &[]),
            line("deliver card", "outcome", said),
        ],
        ..bare_report(lease, sequence, end)
    }
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
fn the_books_have_what_was_printed_with_which_ribbon() {
    with_house(
        "scenarios::ribbons::the_books_have_what_was_printed_with_which_ribbon",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            let mut sequence = 0;
            let mut lease = async |end: BlankEnd| {
                let chip = house.blank().await;
                let lease = house.lease(slot).await.unwrap();
                house
                    .claim(&lease, &chip.serial().to_string())
                    .await
                    .unwrap();
                sequence += 1;
                printed(&house, &lease, sequence, end)
            };
            let told = async |report: Report| {
                for _ in 0..2 {
                    central.report(&operator(), &report).await.unwrap();
                }
            };
            let later = || house.clock.pass(SignedDuration::from_secs(10));

            // No ribbon was booked into the printer: nothing is known.
            told(lease(spoiled()).await).await;
            later();
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            handle(&house, "operator", "R-2", load("other"))
                .await
                .unwrap();
            later();
            told(lease(spoiled()).await).await;
            // Not believed, and on the ribbon all the same.
            told(lease(untouched()).await).await;
            let first = ribbon(&house, "R-1").await;
            assert_eq!((first.cards, first.cards_left), (2, Some(80)));

            // What is told late was printed with the ribbon that was inside then.
            let late = lease(spoiled()).await;
            later();
            handle(&house, "operator", "R-1", use_up()).await.unwrap();
            handle(&house, "operator", "R-3", load(slot)).await.unwrap();
            later();
            told(late).await;
            assert_eq!(ribbon(&house, "R-1").await.cards, 3);
            assert_eq!(ribbon(&house, "R-3").await.cards, 0);
            told(lease(spoiled()).await).await;
            assert_eq!(ribbon(&house, "R-3").await.cards, 1);
            assert_eq!(ribbon(&house, "R-2").await.cards, 0);
            let figures = central.ribbon_figures(&actor("auditor")).await.unwrap();
            let cards: u64 = figures.iter().map(|line| line.cards).sum();
            assert_eq!((figures.len(), cards), (2, 4));

            let incidents = handle(&house, "keeper", "R-1", miss("quality")).await;
            let incident = central
                .incident(&actor("auditor"), incidents.unwrap()[0])
                .await;
            assert!(incident.unwrap().text.contains("3 cards"));
        },
    );
}

#[test]
fn a_card_that_no_report_counts_is_on_its_ribbon_once() {
    with_house(
        "scenarios::ribbons::a_card_that_no_report_counts_is_on_its_ribbon_once",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            let leased = async || {
                house.clock.pass(SignedDuration::from_secs(10));
                let chip = house.blank().await.serial().to_string();
                let lease = house.lease(slot).await.unwrap();
                house.claim(&lease, &chip).await.unwrap();
                lease
            };
            let give_up = async |lease: &Lease| {
                house.clock.pass(SignedDuration::from_mins(11));
                let officer = actor("officer");
                let gone = central.give_up_lease(&officer, lease.id, "keeper", "burnt");
                gone.await.unwrap();
            };

            // Its station burnt, and had told that the printer began.
            let burnt = leased().await;
            let whole = printed(&house, &burnt, 1, BlankEnd::Personalized);
            let begun = JournalPart {
                lease: burnt.id,
                first: 1,
                lines: whole.journal[..1].to_vec(),
            };
            central.tell(&operator(), &begun).await.unwrap();
            assert_eq!(ribbon(&house, "R-1").await.cards, 0);
            give_up(&burnt).await;
            assert_eq!(ribbon(&house, "R-1").await.cards, 1);
            // Nothing was told of printing: there is no card.
            give_up(&leased().await).await;
            assert_eq!(ribbon(&house, "R-1").await.cards, 1);
            // It did not burn after all.
            central.report(&operator(), &whole).await.unwrap();
            assert_eq!(ribbon(&house, "R-1").await.cards, 1);

            // A lease that the store does not know: the journal says which printer it was.
            let mut unknown = leased().await;
            unknown.id = LeaseId(Uuid::now_v7());
            let mut report = printed(&house, &unknown, 2, spoiled());
            let line = &mut report.journal[0];
            let told = (JournalLine::SLOT.to_owned(), slot.to_owned());
            line.evidence.extend([told]);
            for _ in 0..2 {
                central.report(&operator(), &report).await.unwrap();
            }
            assert_eq!(ribbon(&house, "R-1").await.cards, 2);
            let check = central.check_stock(&actor("auditor")).await.unwrap();
            assert_eq!(check.differences, [""; 0]);
        },
    );
}

#[test]
fn what_a_printer_counts_beside_the_books_is_told() {
    with_house(
        "scenarios::ribbons::what_a_printer_counts_beside_the_books_is_told",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            let mut sequence = 0;
            let mut card = async |left: &str| {
                house.clock.pass(SignedDuration::from_secs(10));
                let chip = house.blank().await.serial().to_string();
                let lease = house.lease(slot).await.unwrap();
                house.claim(&lease, &chip).await.unwrap();
                sequence += 1;
                let said = [(JournalLine::RIBBON_LEFT, left)];
                let report = printed_with(&house, &lease, sequence, spoiled(), &said);
                central.report(&operator(), &report).await.unwrap();
                report
            };
            let counted = async || {
                let line = ribbon(&house, "R-1").await;
                (line.cards, line.beside, line.cards_left)
            };
            card("80").await;
            assert_eq!(counted().await, (1, 0, Some(80)));
            let second = card("79").await;
            assert_eq!(counted().await, (2, 0, Some(79)));
            // Three cards more went through it meanwhile: test cards, or what a lost station made.
            card("75").await;
            assert_eq!(counted().await, (3, 3, Some(75)));
            // One of them is told of: it was among the three.
            let late = Report {
                lease: LeaseId(Uuid::now_v7()),
                sequence: 4,
                journal: vec![JournalLine {
                    at: second.journal[0].at + SignedDuration::from_secs(5),
                    evidence: [(JournalLine::SLOT.into(), slot.into())].into(),
                    ..second.journal[0].clone()
                }],
                ..second
            };
            central.report(&operator(), &late).await.unwrap();
            assert_eq!(counted().await, (4, 2, Some(75)));

            handle(&house, "operator", "R-1", use_up()).await.unwrap();
            let incidents = handle(&house, "keeper", "R-1", miss("quality")).await;
            let incident = central
                .incident(&actor("auditor"), incidents.unwrap()[0])
                .await
                .unwrap();
            assert!(
                incident
                    .text
                    .contains("4 cards were printed with it, and 2 more by its printer's count"),
                "{}",
                incident.text
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

#[test]
fn a_printer_with_another_ribbon_than_the_books_say_is_an_incident() {
    with_house(
        "scenarios::ribbons::a_printer_with_another_ribbon_than_the_books_say_is_an_incident",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            let mut sequence = 0;
            let mut told = async |kind: &str, left: &str| {
                house.clock.pass(SignedDuration::from_secs(10));
                let chip = house.blank().await;
                let lease = house.lease(slot).await.unwrap();
                let chip = chip.serial().to_string();
                house.claim(&lease, &chip).await.unwrap();
                sequence += 1;
                let said = [
                    (JournalLine::RIBBON, kind),
                    (JournalLine::RIBBON_LEFT, left),
                ];
                let report = printed_with(&house, &lease, sequence, spoiled(), &said);
                for _ in 0..2 {
                    central.report(&operator(), &report).await.unwrap();
                }
                let all = central
                    .incidents_after(&actor("auditor"), true, 0, 100)
                    .await
                    .unwrap();
                let of_ribbons = all
                    .into_iter()
                    .filter(|incident| incident.kind == IncidentKind::RibbonDiffers);
                let texts: Vec<_> = of_ribbons.map(|incident| incident.text).collect();
                texts
            };
            // As the books have it, in whatever letters.
            assert_eq!(told("YMCKO", "80").await, [""; 0]);
            assert_eq!(told("ymcko", "79").await, [""; 0]);
            let found = told("ymcko", "200").await;
            assert!(
                found.len() == 1
                    && found[0].contains("is for 200 cards more, and R-1 was for 79")
                    && found[0].contains("slot press"),
                "{found:?}"
            );
            let found = told("kblack", "199").await;
            assert!(
                found.len() == 2
                    && found[1].contains("a ribbon \"kblack\", and the books the ymcko R-1"),
                "{found:?}"
            );
            // A card is of the books' ribbon all the same: nobody knows of another one.
            assert_eq!(ribbon(&house, "R-1").await.cards, 4);
        },
    );
}
