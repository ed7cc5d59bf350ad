//! Blanks from their delivery to their end: each in one account, and the journal says the same.

use audit::Outcome;
use document::life_cycle::{BlankState, IncidentKind};
use document::{OfficeCode, Role};
use jiff::SignedDuration;
use jiff::civil::date;

use super::house::{House, PRODUCT, actor, is_conflict, is_refused, receipt, with_house};
use crate::{
    CountEnd, Counted, DeliveredBlank, DeliveredChip, Delivery, Handling, Receipt, Received,
    StockCount,
};

fn office(code: &str) -> OfficeCode {
    OfficeCode::parse(code).unwrap()
}

pub(super) fn list(reference: &str, blanks: std::ops::Range<u32>) -> Delivery {
    let blank = |index: u32| {
        let chip = DeliveredChip::new(PRODUCT, format!("{index:016X}"));
        DeliveredBlank::of_chips(format!("LV-{index:04}"), vec![chip])
    };
    Delivery {
        reference: reference.into(),
        blanks: blanks.map(blank).collect(),
    }
}

fn named(blanks: std::ops::Range<u32>) -> Vec<String> {
    blanks.map(|index| format!("LV-{index:04}")).collect()
}

fn counted(state: BlankState, blanks: u64) -> Counted {
    Counted {
        item: PRODUCT.into(),
        state,
        blanks,
    }
}

/// Adds a second stock-keeper and an office.
async fn peopled(house: &House) {
    let administrator = actor("administrator");
    let central = &house.central;
    let roles = [Role::StockKeeper];
    let added = central.add_account(&administrator, "relief", &roles).await;
    added.unwrap();
    let added = central
        .add_place(&administrator, &office("RIGA-1"), "Riga, first office")
        .await;
    added.unwrap();
}

async fn handle(house: &House, who: &str, blanks: &[String], handling: Handling) -> Vec<i64> {
    let done = house
        .central
        .handle_blanks(&actor(who), blanks, &handling)
        .await;
    done.unwrap()
}

/// Returns the accounts of a place.
async fn accounts(house: &House, place: &str) -> Vec<(BlankState, u64)> {
    let all = house.central.stock(&actor("auditor")).await.unwrap();
    let here = all.iter().filter(|line| line.place.as_str() == place);
    here.map(|line| (line.state, line.blanks)).collect()
}

async fn sound(house: &House) {
    let check = house.central.check_stock(&actor("auditor")).await.unwrap();
    assert_eq!(check.differences, Vec::<String>::new());
}

#[test]
fn a_delivery_that_differs_is_set_apart_until_it_is_explained() {
    with_house(
        "scenarios::stock_accounts::a_delivery_that_differs_is_set_apart_until_it_is_explained",
        async |house| {
            let (central, keeper) = (&house.central, actor("keeper"));
            let delivery = list("D-1", 0..5);
            let alone = Receipt {
                witness: "Keeper".into(),
                ..receipt(5)
            };
            let done = central.receive_blanks(&keeper, &delivery, &alone).await;
            assert!(is_refused(&done));
            let nowhere = Receipt {
                place: office("NOWHERE"),
                ..receipt(5)
            };
            let done = central.receive_blanks(&keeper, &delivery, &nowhere).await;
            assert!(done.is_err());
            assert_eq!(house.number("SELECT count(*) FROM blank").await, 0);

            let done = central
                .receive_blanks(&keeper, &delivery, &receipt(4))
                .await;
            let expected = Received {
                blanks: 5,
                incident: Some(1),
            };
            assert_eq!(done.unwrap(), expected);
            assert_eq!(
                accounts(&house, "CENTRAL").await,
                [(BlankState::Received, 5)]
            );
            let incident = central.incident(&actor("auditor"), 1).await.unwrap();
            assert_eq!(incident.kind, IncidentKind::DeliveryDiffers);
            assert_eq!(incident.subject, "delivery/D-1");
            assert!(incident.text.contains("5 blanks are announced, and 4"));

            // None of them is given to a station, or accepted under a count that is not the books'.
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let claim = house.claim(&lease, &format!("{:016X}", 1)).await;
            assert!(claim.unwrap_err().to_string().contains("received"));
            let early = central.accept_delivery(&keeper, "D-1", "quality", 4).await;
            assert!(is_refused(&early));
            let miss = Handling::ReportMissing {
                cause: "not in its box".into(),
            };
            assert_eq!(handle(&house, "keeper", &named(3..4), miss).await, [2]);
            let accepted = central.accept_delivery(&keeper, "D-1", "quality", 4).await;
            assert_eq!(accepted.unwrap(), 4);
            let twice = central.accept_delivery(&keeper, "D-1", "quality", 0).await;
            assert!(is_conflict(&twice));
            house.claim(&lease, &format!("{:016X}", 1)).await.unwrap();
            let deliveries = central.deliveries(&actor("auditor")).await.unwrap();
            assert_eq!((deliveries[0].delivered, deliveries[0].counted), (5, 4));
            let expected = [
                (BlankState::AtStation, 1),
                (BlankState::InStock, 3),
                (BlankState::Missing, 1),
            ];
            assert_eq!(deliveries[0].accounts, expected);
            sound(&house).await;
        },
    );
}

#[test]
fn blanks_go_between_places_by_two_persons_and_into_their_slot() {
    with_house(
        "scenarios::stock_accounts::blanks_go_between_places_by_two_persons_and_into_their_slot",
        async |house| {
            peopled(&house).await;
            let (central, keeper) = (&house.central, actor("keeper"));
            let received = central
                .receive_blanks(&keeper, &list("D-1", 0..6), &receipt(6))
                .await;
            received.unwrap();
            let to = office("RIGA-1");
            let away = named(0..4);
            handle(&house, "keeper", &away, Handling::Send { to: to.clone() }).await;
            assert_eq!(
                accounts(&house, "RIGA-1").await,
                [(BlankState::InTransit, 4)]
            );
            let own = central
                .handle_blanks(&keeper, &away, &Handling::TakeIn)
                .await;
            assert!(is_refused(&own), "by another person");
            handle(&house, "relief", &away, Handling::TakeIn).await;
            assert_eq!(accounts(&house, "RIGA-1").await, [(BlankState::InStock, 4)]);
            let again = central
                .handle_blanks(&keeper, &away, &Handling::Send { to })
                .await;
            assert!(is_refused(&again), "it is there already");

            // One that is loaded goes to its own slot alone.
            let load = |slot: &str| Handling::Load {
                station: "station-1".into(),
                slot: slot.into(),
            };
            handle(&house, "relief", &named(0..1), load("b")).await;
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let claim = house.claim(&lease, &format!("{:016X}", 0)).await;
            assert!(claim.unwrap_err().to_string().contains("slot \"b\""));
            handle(&house, "relief", &named(0..1), Handling::Unload).await;
            handle(&house, "relief", &named(0..1), load("a")).await;
            house.claim(&lease, &format!("{:016X}", 0)).await.unwrap();
            let expected = [(BlankState::AtStation, 1), (BlankState::InStock, 3)];
            assert_eq!(accounts(&house, "RIGA-1").await, expected);
            for handling in [
                Handling::Spoil {
                    cause: "wet".into(),
                },
                Handling::ReportMissing {
                    cause: "gone".into(),
                },
            ] {
                let done = central
                    .handle_blanks(&keeper, &named(0..1), &handling)
                    .await;
                assert!(is_refused(&done), "the lease says what became of it");
            }
            let all_or_none = central
                .handle_blanks(&keeper, &named(0..2), &Handling::TakeIn)
                .await;
            assert!(all_or_none.is_err());
            sound(&house).await;
        },
    );
}

#[test]
fn what_is_lost_is_never_used_and_what_goes_takes_two() {
    with_house(
        "scenarios::stock_accounts::what_is_lost_is_never_used_and_what_goes_takes_two",
        async |house| {
            let (central, keeper) = (&house.central, actor("keeper"));
            let received = central
                .receive_blanks(&keeper, &list("D-1", 0..4), &receipt(4))
                .await;
            received.unwrap();
            let (witness, cause) = ("quality".to_owned(), "seen".to_owned());
            let miss = Handling::ReportMissing {
                cause: cause.clone(),
            };
            let find = |witness: &str| Handling::Find {
                witness: witness.into(),
                cause: "behind the shelf".into(),
            };
            let destroy = |witness: &str| Handling::Destroy {
                witness: witness.into(),
                cause: "shredded".into(),
            };
            assert_eq!(handle(&house, "keeper", &named(0..1), miss).await, [1]);
            let alone = central
                .handle_blanks(&keeper, &named(0..1), &find("keeper"))
                .await;
            assert!(is_refused(&alone));
            assert_eq!(
                handle(&house, "keeper", &named(0..1), find("quality")).await,
                [2]
            );
            let expected = [(BlankState::InStock, 3), (BlankState::Spoiled, 1)];
            assert_eq!(accounts(&house, "CENTRAL").await, expected);
            let restock = central
                .handle_blanks(&keeper, &named(0..1), &Handling::Restock)
                .await;
            assert!(is_conflict(&restock));
            let whole = central
                .handle_blanks(&keeper, &named(1..2), &destroy("quality"))
                .await;
            assert!(is_conflict(&whole), "a sound one is not destroyed");
            let alone = central
                .handle_blanks(&keeper, &named(0..1), &destroy(" KEEPER"))
                .await;
            assert!(alone.is_err());
            handle(&house, "keeper", &named(0..1), destroy("quality")).await;
            let back = Handling::SendBack {
                witness: witness.clone(),
                cause: cause.clone(),
            };
            handle(&house, "keeper", &named(1..2), back.clone()).await;
            // What carried anything of a document goes back to nobody.
            let number = house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            house.claim(&lease, &format!("{:016X}", 2)).await.unwrap();
            let report = super::bench::bare_report(&lease, 1, super::bench::spoiled());
            api::Centre::report(central, &super::house::operator(), &report)
                .await
                .unwrap();
            let done = central.handle_blanks(&keeper, &named(2..3), &back).await;
            assert!(is_refused(&done), "{number} was on it");
            let expected = [
                (BlankState::Destroyed, 1),
                (BlankState::InStock, 1),
                (BlankState::SentBack, 1),
                (BlankState::Spoiled, 1),
            ];
            assert_eq!(accounts(&house, "CENTRAL").await, expected);
            assert_eq!(house.count("blank.destroyed", Outcome::Done).await, 1);
            assert_eq!(house.count("blank.destroyed", Outcome::Refused).await, 2);
            sound(&house).await;
        },
    );
}

#[test]
fn a_day_is_closed_as_it_was_counted_or_not_at_all() {
    with_house(
        "scenarios::stock_accounts::a_day_is_closed_as_it_was_counted_or_not_at_all",
        async |house| {
            peopled(&house).await;
            let (central, keeper) = (&house.central, actor("keeper"));
            let received = central
                .receive_blanks(&keeper, &list("D-1", 0..5), &receipt(5))
                .await;
            received.unwrap();
            let (place, day) = (office("CENTRAL"), date(2026, 11, 20));
            let close = async |day, witness: &str, counts: &[Counted]| {
                central
                    .close_day(&keeper, &place, day, witness, StockCount::of_blanks(counts))
                    .await
            };
            let right = [counted(BlankState::InStock, 5)];
            assert!(is_refused(&close(day, "keeper", &right).await));
            let tomorrow = date(2026, 11, 21);
            assert!(is_refused(&close(tomorrow, "relief", &right).await));
            for wrong in [
                vec![right[0].clone(), right[0].clone()],
                vec![counted(BlankState::Personalized, 1)],
            ] {
                assert!(close(day, "relief", &wrong).await.is_err());
            }

            let short = close(day, "relief", &[counted(BlankState::InStock, 4)]).await;
            let Ok(CountEnd::Differs {
                incident,
                differences,
                ..
            }) = short
            else {
                panic!("4 are not 5")
            };
            assert_eq!((differences[0].counted, differences[0].booked), (4, 5));
            let opened = central.incident(&actor("auditor"), incident).await.unwrap();
            assert_eq!(opened.subject, "place/CENTRAL/2026-11-20");
            assert!(opened.text.contains("in-stock: 4 counted, 5 booked"));
            let recount = close(day, "relief", &[counted(BlankState::InStock, 4)]).await;
            assert!(
                matches!(recount, Ok(CountEnd::Differs { incident: again, .. }) if again == incident)
            );
            assert_eq!(
                close(day, "relief", &right).await.unwrap(),
                CountEnd::Agrees
            );
            assert!(is_conflict(&close(day, "relief", &right).await));
            assert_eq!(house.count("stock.closed", Outcome::Done).await, 1);
            assert_eq!(house.count("stock.differs", Outcome::Done).await, 2);

            // What moves on that day after its close is the next day's at the closed place, and
            // this day's at the other.
            let to = office("RIGA-1");
            handle(
                &house,
                "keeper",
                &named(0..2),
                Handling::Send { to: to.clone() },
            )
            .await;
            handle(&house, "relief", &named(0..2), Handling::TakeIn).await;
            let there = [counted(BlankState::InStock, 2)];
            let there = StockCount::of_blanks(&there);
            let closed = central.close_day(&keeper, &to, day, "relief", there).await;
            assert_eq!(closed.unwrap(), CountEnd::Agrees);
            house.clock.pass(SignedDuration::from_hours(48));
            let days = central.days(&actor("auditor")).await.unwrap();
            let overdue: Vec<_> = days
                .iter()
                .map(|line| (line.place.code.as_str(), line.overdue))
                .collect();
            let expected = [("CENTRAL", Some(date(2026, 11, 21))), ("RIGA-1", None)];
            assert_eq!(overdue, expected);
            let left = [counted(BlankState::InStock, 3)];
            let closed = close(date(2026, 11, 21), "relief", &left).await;
            assert_eq!(closed.unwrap(), CountEnd::Agrees);
            let left = StockCount::of_blanks(&left);
            let count = central.count_place(&keeper, &place, left).await.unwrap();
            assert_eq!(count, CountEnd::Agrees);
            sound(&house).await;
        },
    );
}

#[test]
fn a_check_names_what_was_altered() {
    with_house(
        "scenarios::stock_accounts::a_check_names_what_was_altered",
        async |house| {
            let (central, keeper) = (&house.central, actor("keeper"));
            let received = central
                .receive_blanks(&keeper, &list("D-1", 0..3), &receipt(3))
                .await;
            received.unwrap();
            sound(&house).await;
            house
                .meddle("UPDATE blank SET state = 'spoiled' WHERE serial = 'LV-0001'")
                .await;
            house
                .meddle("INSERT INTO blank_movement (blank, event, from_state, from_place, to_state, to_place, moved, from_day, to_day) VALUES ('LV-0002', 'find', 'missing', 'CENTRAL', 'in-stock', 'CENTRAL', 0, '2026-11-20', '2026-11-20')")
                .await;
            house
                .meddle("INSERT INTO blank (serial, delivery, state) VALUES ('LV-9999', 'D-1', 'in-stock')")
                .await;
            let check = central.check_stock(&actor("auditor")).await.unwrap();
            let has = |text: &str| {
                let named = check.differences.iter().any(|line| line.contains(text));
                assert!(named, "{text}: {:?}", check.differences);
            };
            has(
                "blank LV-0001 is spoiled at CENTRAL, and by the journal it is in-stock at CENTRAL",
            );
            has(
                "takes blank LV-0002 from where it was not: it was in-stock at CENTRAL, and the line says missing at CENTRAL",
            );
            has(
                "1 lines of the journal say find from missing to in-stock, blank LV-0002 among them",
            );
            has("blank LV-9999 is in-stock at CENTRAL, and the journal does not know it");
            has("delivery D-1 had 3 blanks, and 4 are in the books");
            assert_eq!(check.differences.len(), 5);
            // Nothing in the journal is ever changed.
            let mut tx = central.write().await.unwrap();
            for sql in [
                "UPDATE blank_movement SET to_day = ''",
                "DELETE FROM blank_movement",
            ] {
                assert!(sqlx::raw_sql(sql).execute(&mut *tx).await.is_err());
            }
        },
    );
}

#[test]
fn a_station_takes_the_blanks_of_the_place_where_it_stands() {
    with_house(
        "scenarios::stock_accounts::a_station_takes_the_blanks_of_the_place_where_it_stands",
        async |house| {
            peopled(&house).await;
            let (central, keeper) = (&house.central, actor("keeper"));
            let received = central
                .receive_blanks(&keeper, &list("D-1", 0..2), &receipt(2))
                .await;
            received.unwrap();
            let placed = central
                .place_station(&actor("administrator"), "station-1", Some("RIGA-1"))
                .await;
            placed.unwrap();
            let load = Handling::Load {
                station: "station-1".into(),
                slot: "a".into(),
            };
            let loaded = central.handle_blanks(&keeper, &named(0..1), &load).await;
            assert!(is_refused(&loaded), "it is at the central store");
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let chip = format!("{:016X}", 0);
            house.claim(&lease, &chip).await.unwrap_err();
            let expected = [(BlankState::InStock, 2)];
            assert_eq!(accounts(&house, "CENTRAL").await, expected);
            assert_eq!(house.count("chip.claimed", Outcome::Refused).await, 1);

            let to = office("RIGA-1");
            handle(&house, "keeper", &named(0..2), Handling::Send { to }).await;
            handle(&house, "relief", &named(0..2), Handling::TakeIn).await;
            house.claim(&lease, &chip).await.unwrap();
            handle(&house, "keeper", &named(1..2), load).await;
            let expected = [(BlankState::AtStation, 1), (BlankState::Loaded, 1)];
            assert_eq!(accounts(&house, "RIGA-1").await, expected);

            // Where nobody booked where a station stands, nobody can tell.
            let placed = central
                .place_station(&actor("administrator"), "station-1", None)
                .await;
            placed.unwrap();
            let received = central
                .receive_blanks(&keeper, &list("D-2", 2..3), &receipt(1))
                .await;
            received.unwrap();
            let load = Handling::Load {
                station: "station-1".into(),
                slot: "b".into(),
            };
            handle(&house, "keeper", &named(2..3), load).await;
        },
    );
}
