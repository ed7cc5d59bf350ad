//! A store that is restored from a backup, and the stations that tell it what it forgot: every
//! blank is in one account, no number is used twice, and nothing is made twice.

use std::collections::{BTreeMap, BTreeSet};

use api::{ApiError, BlankEnd, Centre, Hello, Standing};
use audit::Outcome;
use document::life_cycle::{BlankState, DocumentState, IncidentKind};
use jiff::SignedDuration;
use station::StationError;
use vcard::{Fault, FaultKind};

use super::bench::{spoiled, untouched};
use super::house::{
    PRODUCT, actor, is_conflict, is_refused, operator, printed, unbooked, with_house,
};
use super::restoring::{
    Bench, back_up, end, is_whole, leased, next_leased, numbers, open_incidents, restore, serial,
    states, with_bench,
};
use crate::Central;

#[test]
fn what_was_made_after_the_backup_is_accounted_for_and_made_again_under_another_number() {
    with_bench(
        "what_was_made_after_the_backup_is_accounted_for_and_made_again_under_another_number",
        async |mut house, bench| {
            let samples = [
                "01-adult",
                "05-nineteen",
                "06-twenty",
                "07-every-latvian-diacritic",
                "08-new-style-code",
            ];
            let mut known = Vec::new();
            for name in samples {
                known.push(house.prepared(name).await.to_string());
            }
            let mut chips = Vec::new();
            for _ in 0..6 {
                chips.push(house.blank().await);
            }
            let mut next = || chips.pop().unwrap();
            bench.reconcile(&house).await.unwrap();

            // Before the backup: one whole life; one made and not reported; one leased and not begun.
            let lease = next_leased(&house).await;
            let first = bench.make(&house, &lease, next()).await;
            let lease = next_leased(&house).await;
            let second = bench.make_silently(&house, &lease, next()).await;
            let unbound = house.lease("b").await.unwrap();
            let copy = back_up(&house).await;

            // After it: the second is reported, the third claimed and made.
            bench.reconcile(&house).await.unwrap();
            let third = bench.make(&house, &unbound, next()).await;
            // A number that is known, under a lease that is not.
            let lease = next_leased(&house).await;
            let fourth = bench.make(&house, &lease, next()).await;
            // One that is torn, and its document on a blank that goes back untouched.
            let lease = next_leased(&house).await;
            let torn = Fault {
                at: 60,
                kind: FaultKind::RemoveAfter,
            };
            let fifth = bench
                .break_off(&house, &lease, next(), torn, spoiled())
                .await;
            let lease = next_leased(&house).await;
            let torn = Fault {
                at: 2,
                kind: FaultKind::RemoveBefore,
            };
            let sixth = bench
                .break_off(&house, &lease, next(), torn, untouched())
                .await;
            assert!(!sixth.outcome.touched);
            // An application and a delivery that came later, and a document of both.
            house
                .central
                .cancel_document(&actor("officer"), "APP-2026-000008", "moved away")
                .await
                .unwrap();
            let late = house.prepared("16-born-on-leap-day").await.to_string();
            let delivered_late = unbooked();
            house.book(&delivered_late).await;
            let lease = next_leased(&house).await;
            assert_eq!(lease.record.number.to_string(), late);
            let seventh = bench.make(&house, &lease, delivered_late).await;
            let lost = numbers(&house).await;

            restore(&mut house, &copy, "restored.db", 100).await;
            let entries = house.entries().await;
            let mut restored = entries.iter();
            let restored = restored.find(|one| one.action.as_str() == "store.restored");
            assert_eq!(restored.unwrap().details.get("entries-lost"), Some("7"));
            // Nothing is made, and no number given that was given before.
            assert!(matches!(
                leased(&house).await,
                Err(ApiError::Unavailable { .. })
            ));
            assert!(is_refused(&end(&house, &[]).await), "station-1 is awaited");
            let fresh = house.prepared("13-hyphens").await.to_string();
            assert!(!lost.contains_key(&fresh) && fresh > late, "{fresh}");
            // One was in work when the store was lost, and ends as the station settles it.
            let told = bench.reconcile(&house).await;
            assert!(matches!(told, Err(StationError::Reconciling)), "{told:?}");
            is_whole(&house).await;
            assert_eq!(house.count("station.reconciled", Outcome::Done).await, 1);

            let now = states(&house).await;
            let personalized = [serial(&first), serial(&second)];
            for blank in &personalized {
                assert_eq!(now[blank], BlankState::Personalized, "{blank}");
            }
            for run in [&third, &fourth, &fifth] {
                assert_eq!(now[&serial(run)], BlankState::Spoiled);
            }
            assert_eq!(now[&serial(&sixth)], BlankState::Returned);
            assert!(
                !now.contains_key(&serial(&seventh)),
                "of no delivery in the books"
            );
            let open = open_incidents(&house).await;
            let unknown = open
                .iter()
                .filter(|one| one.kind == IncidentKind::UnknownLease);
            assert_eq!(unknown.count(), 4, "{open:#?}");
            let named = |text: &str| open.iter().any(|one| one.text.contains(text));
            assert!(named("station-1") && named(&late) && named("of no delivery"));

            // Its delivery is booked again: the blank is what it became.
            house.book(&seventh.chip).await;
            assert_eq!(states(&house).await[&serial(&seventh)], BlankState::Spoiled);
            let send_back = crate::Handling::SendBack {
                witness: "quality".into(),
                cause: "unused".into(),
            };
            let (keeper, which) = (actor("keeper"), [serial(&seventh)]);
            let sent_back = house
                .central
                .handle_blanks(&keeper, &which, &send_back)
                .await;
            assert!(is_refused(&sent_back), "it carried a document");

            // People end it; only those who may.
            let who = async |person: &str, witness: &str| {
                house
                    .central
                    .end_reconciliation(&actor(person), witness, &BTreeSet::new(), "")
                    .await
            };
            assert!(is_refused(&who("operator", "keeper").await));
            assert!(is_refused(&who("officer", "officer").await));
            assert_eq!(who("officer", "keeper").await.unwrap(), 0);
            assert!(is_conflict(&who("officer", "keeper").await), "once");
            bench.reconcile(&house).await.unwrap();

            // All that is left is made, and no number that stands on a lost blank is any document's.
            let mut made = BTreeMap::new();
            while let Some(lease) = leased(&house).await.unwrap() {
                let run = bench.make(&house, &lease, house.blank().await).await;
                made.insert(lease.record.number.to_string(), serial(&run));
            }
            is_whole(&house).await;
            let live = numbers(&house).await;
            assert_eq!(
                live.len(),
                6,
                "one for each application that the store has: {live:?}"
            );
            assert!(
                live.values()
                    .all(|state| *state == DocumentState::Personalized)
            );
            for number in made.keys() {
                assert!(!lost.contains_key(number), "{number} was on a card before");
            }
            assert_eq!(made.len(), 4);
            assert!(live.contains_key(&known[0]) && live.contains_key(&known[1]));
        },
    );
}

#[test]
fn each_restoration_is_another_and_reports_are_heard_again_each_time() {
    with_bench(
        "each_restoration_is_another_and_reports_are_heard_again_each_time",
        async |mut house, bench| {
            house.prepared("01-adult").await;
            let copy = back_up(&house).await;
            let lease = next_leased(&house).await;
            let chip = house.blank().await;
            let run = bench.make(&house, &lease, chip).await;
            let mut epochs = BTreeSet::new();
            for name in ["once.db", "twice.db"] {
                restore(&mut house, &copy, name, 10).await;
                assert!(bench.reconcile(&house).await.is_err());
                house.book(&run.chip).await;
                assert_eq!(states(&house).await[&serial(&run)], BlankState::Spoiled);
                epochs.insert(bench.journal.lock().unwrap().epoch().unwrap().unwrap().0);
                assert_eq!(end(&house, &[]).await.unwrap(), 0);
                let number = lease.record.number.to_string();
                assert!(!numbers(&house).await.contains_key(&number));
                is_whole(&house).await;
            }
            assert_eq!(epochs.len(), 2);
        },
    );
}

#[test]
fn a_station_that_never_comes_back_takes_the_numbers_along_that_it_may_have_used() {
    with_bench(
        "a_station_that_never_comes_back_takes_the_numbers_along_that_it_may_have_used",
        async |mut house, bench| {
            house.prepared("01-adult").await;
            house.prepared("05-nineteen").await;
            let lease = next_leased(&house).await;
            let first = house.blank().await;
            let before = lease.record.number;
            bench.make(&house, &lease, first).await;
            let copy = back_up(&house).await;
            let lease = next_leased(&house).await;
            let second = house.blank().await;
            let run = bench.make(&house, &lease, second).await;

            restore(&mut house, &copy, "restored.db", 10).await;
            assert!(is_refused(&end(&house, &[]).await));
            assert_eq!(end(&house, &["station-1"]).await.unwrap(), 1);
            is_whole(&house).await;
            let live = numbers(&house).await;
            assert_eq!(live[&before.to_string()], DocumentState::Personalized);
            assert!(!live.contains_key(&lease.record.number.to_string()));

            // It does come back: it gets no work before it has told, and then it does.
            assert!(matches!(
                leased(&house).await,
                Err(ApiError::Unavailable { .. })
            ));
            bench.reconcile(&house).await.unwrap();
            house.book(&run.chip).await;
            assert_eq!(states(&house).await[&serial(&run)], BlankState::Spoiled);
            let lease = next_leased(&house).await;
            assert!(live.contains_key(&lease.record.number.to_string()));
            is_whole(&house).await;
        },
    );
}

#[test]
fn a_store_that_was_set_back_and_not_told_gives_no_work_to_who_knows_better() {
    with_bench(
        "a_store_that_was_set_back_and_not_told_gives_no_work_to_who_knows_better",
        async |mut house, bench| {
            house.prepared("01-adult").await;
            let copy = back_up(&house).await;
            let lease = next_leased(&house).await;
            let chip = house.blank().await;
            let run = bench.make(&house, &lease, chip).await;
            house.central.close().await;
            house.clock.pass(SignedDuration::from_mins(30));
            let mut config = house.config();
            config.database = crate::DatabaseSource::Sqlite(copy);
            house.central = Central::open(config).await.unwrap().on_own_machine();
            house.book(&run.chip).await;

            for _ in 0..2 {
                let told = bench.reconcile(&house).await;
                assert!(matches!(
                    told,
                    Err(StationError::Behind {
                        acknowledged: 1,
                        reports: 0
                    })
                ));
            }
            let open = open_incidents(&house).await;
            assert_eq!(open.len(), 1);
            assert_eq!(
                (open[0].kind, &*open[0].subject),
                (IncidentKind::StoreBehind, "station/station-1")
            );

            // An officer says so; a clerk cannot.
            let begin = async |person: &str| {
                house
                    .central
                    .begin_reconciliation(&actor(person), "keeper", None, 10)
                    .await
            };
            assert!(is_refused(&begin("clerk").await));
            begin("officer").await.unwrap();
            assert!(is_conflict(&begin("officer").await));
            assert!(matches!(
                bench.reconcile(&house).await,
                Err(StationError::Reconciling)
            ));
            assert_eq!(states(&house).await[&serial(&run)], BlankState::Spoiled);
            assert_eq!(end(&house, &[]).await.unwrap(), 0);
            bench.reconcile(&house).await.unwrap();
            is_whole(&house).await;
        },
    );
}

#[test]
fn an_unknown_lease_is_evidence_at_any_time_and_moves_nothing_without_a_restoration() {
    with_house(
        "scenarios::restoration::an_unknown_lease_is_evidence_at_any_time_and_moves_nothing_without_a_restoration",
        async |house| {
            let (bench, other) = (Bench::new(&house), house.blank().await);
            let number = house.prepared("01-adult").await;
            let lease = next_leased(&house).await;
            let mut foreign = super::bench::bare_report(&lease, 1, BlankEnd::Personalized);
            foreign.lease = api::LeaseId(uuid::Uuid::now_v7());
            foreign.chips = vec![api::ReportedChip {
                interface: "contact".into(),
                product: PRODUCT.into(),
                serial: Some(other.serial().to_string()),
                os: None,
                commands: 1,
                bytes: 1,
            }];
            for _ in 0..2 {
                house.central.report(&operator(), &foreign).await.unwrap();
            }
            assert_eq!(states(&house).await[&printed(&other)], BlankState::InStock);
            assert_eq!(
                numbers(&house).await[&number.to_string()],
                DocumentState::AtStation
            );
            assert_eq!(
                house
                    .number("SELECT count(*) FROM quarantined_report")
                    .await,
                1
            );
            assert_eq!(house.number("SELECT count(*) FROM incident").await, 1);
            // The order goes on behind it, and another one under its number is a fork.
            let mut forked = foreign.clone();
            forked.milliseconds += 1;
            let forked = house.central.report(&operator(), &forked).await;
            assert!(matches!(forked, Err(ApiError::Conflict { .. })));
            let next = super::bench::bare_report(&lease, 2, untouched());
            house.central.report(&operator(), &next).await.unwrap();

            // A journal that ends before what the store has is not this station's.
            let hello = Hello {
                acknowledged: 0,
                last: 1,
                in_work: 0,
                epoch: None,
            };
            let told = house.central.hello(&operator(), &hello).await;
            assert!(matches!(told, Err(ApiError::Conflict { .. })));

            // After a restoration reports that are gone everywhere hold up none that follow.
            let officer = actor("officer");
            let begun = house
                .central
                .begin_reconciliation(&officer, "keeper", None, 10);
            let epoch = begun.await.unwrap();
            let gauges = house.central.gauges().await.unwrap();
            assert!(gauges.reconciling);
            assert_eq!(gauges.incidents, [("unknown-lease".to_owned(), 1)]);
            assert_eq!(gauges.queue[0].documents, 1);
            let lease = api::LeaseId(uuid::Uuid::now_v7());
            let mut late = foreign.clone();
            (late.lease, late.sequence) = (lease, 9);
            // A station that has not heard of it may have what lacks, and sends it first.
            assert!(matches!(
                house.central.report(&operator(), &late).await,
                Err(ApiError::Conflict { .. })
            ));
            let heard = Hello {
                acknowledged: 2,
                last: 9,
                in_work: 1,
                epoch: Some(epoch),
            };
            house.central.hello(&operator(), &heard).await.unwrap();
            house.central.report(&operator(), &late).await.unwrap();
            assert_eq!(states(&house).await[&printed(&other)], BlankState::Spoiled);
            let open = open_incidents(&house).await;
            assert!(open.iter().any(|one| one.text.contains("reports 3 to 8")));
            let hello = Hello {
                acknowledged: 9,
                last: 9,
                in_work: 1,
                epoch: Some(epoch),
            };
            let welcome = house.central.hello(&operator(), &hello).await.unwrap();
            assert_eq!(
                (welcome.reports, welcome.standing),
                (9, Standing::Reconciling)
            );
            assert!(
                is_refused(&end(&house, &[]).await),
                "a document is in work there"
            );
            // What it said before it heard of the restoration, and came late, says nothing.
            let hello = Hello {
                in_work: 0,
                ..hello
            };
            let late = Hello {
                epoch: None,
                ..hello
            };
            house.central.hello(&operator(), &late).await.unwrap();
            assert!(is_refused(&end(&house, &[]).await), "it is awaited still");
            house.central.hello(&operator(), &hello).await.unwrap();
            end(&house, &[]).await.unwrap();
            let welcome = house.central.hello(&operator(), &hello).await.unwrap();
            assert_eq!(welcome.standing, Standing::Known);
            drop(bench);
            is_whole(&house).await;
        },
    );
}
