//! Several instances of the store beside one PostgreSQL database, and what a hard end of either leaves.
//! Only there: SQLite has one instance.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::{Actor, ApiError, Centre, Lease, Report};
use audit::Outcome;
use document::LifeCycle;
use document::life_cycle::{ApplicationState, BlankState, DocumentState, LeaseState};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;

use super::bench::{bare_report, untouched};
use super::cluster::{self, Cluster, Server};
use super::house::{House, PRODUCT, actor, request, sample, with_house};
use crate::{Central, DatabaseSource};

/// How many stations ask at once, of each of two instances.
pub(super) const STATIONS: usize = 4;

/// How many documents they make.
pub(super) const DOCUMENTS: usize = 24;

/// A second instance of the same store.
pub(super) async fn second(house: &House) -> Central {
    Central::open(house.config())
        .await
        .unwrap()
        .on_own_machine()
}

pub(super) fn is_shared(house: &House) -> bool {
    matches!(house.database, DatabaseSource::Postgres(_))
}

/// Returns a sample application as the one of this number.
pub(super) fn application(number: usize) -> Vec<u8> {
    let text = String::from_utf8(sample("applications/01-adult")).unwrap();
    let mut content: serde_json::Value = serde_json::from_str(&text).unwrap();
    content["reference"] = format!("APP-2026-9{number:05}").into();
    serde_json::to_vec(&content).unwrap()
}

/// Imports and approves applications on several instances at once; returns the numbers.
pub(super) async fn prepare(centrals: &[Central], many: usize) -> Vec<String> {
    let mut tasks = JoinSet::new();
    for number in 0..many {
        let central = centrals[number % centrals.len()].clone();
        tasks.spawn(async move {
            let reference = central
                .import(&actor("clerk"), &application(number))
                .await
                .unwrap();
            let approved = central
                .approve(&actor("approver"), reference.as_str())
                .await;
            approved.unwrap().unwrap().to_string()
        });
    }
    tasks.join_all().await
}

pub(super) fn station(number: usize) -> Actor {
    Actor {
        station: format!("station-{number}"),
        person: "operator".into(),
    }
}

/// Demands that what the books call a state is one of the life cycle.
async fn are_states<S: LifeCycle>(house: &House, sql: &'static str) {
    let mut tx = house.central.read().await.unwrap();
    let kept: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *tx).await.unwrap();
    for kept in kept {
        let is_one = S::all().iter().any(|state| state.to_string() == kept);
        assert!(is_one, "no {} is ever \"{kept}\"", S::SUBJECT);
    }
}

/// Checks what must hold at every moment, whatever happened.
pub(super) async fn check_invariants(house: &House) {
    let audit = house.central.audit_books(&actor("auditor")).await.unwrap();
    assert_eq!(audit.faults(), Vec::<String>::new());
    let none = [
        "SELECT count(*) FROM (SELECT document FROM lease WHERE state IN ('open', 'expired') GROUP BY document HAVING count(*) > 1) AS doubled",
        "SELECT count(*) FROM (SELECT application FROM document GROUP BY application HAVING count(*) > 1) AS doubled",
        // Whoever is at a station has a lease, and the reverse.
        "SELECT count(*) FROM document d WHERE d.state = 'at-station' AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.document = d.id AND l.state IN ('open', 'expired'))",
        "SELECT count(*) FROM lease l JOIN document d ON d.id = l.document WHERE l.state = 'open' AND d.state <> 'at-station'",
        // Every document has the number that is accounted for it.
        "SELECT count(*) FROM document d WHERE d.number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM number n WHERE n.number = d.number AND n.document = d.id)",
    ];
    for sql in none {
        assert_eq!(house.number(sql).await, 0, "{sql}");
    }
    are_states::<BlankState>(house, "SELECT DISTINCT state FROM blank").await;
    are_states::<DocumentState>(house, "SELECT DISTINCT state FROM document").await;
    are_states::<LeaseState>(house, "SELECT DISTINCT state FROM lease").await;
    are_states::<ApplicationState>(house, "SELECT DISTINCT state FROM application").await;
    // No number without an account, none accounted that the series did not give.
    let given = house.number("SELECT next - 1 FROM series").await;
    assert_eq!(house.number("SELECT count(*) FROM number").await, given);
    // Each act that lasts has one entry, and each entry its act.
    for (action, sql) in [
        ("document.leased", "SELECT count(*) FROM lease"),
        ("application.imported", "SELECT count(*) FROM application"),
        ("document.prepared", "SELECT count(*) FROM number"),
        ("lease.reported", "SELECT count(*) FROM report"),
    ] {
        let entries = house.count(action, Outcome::Done).await;
        assert_eq!(
            house.number(sql).await,
            i64::try_from(entries).unwrap(),
            "{action}"
        );
    }
    // The log is whole, and verifies to the end.
    house.central.sequence().await.unwrap();
    assert_eq!(
        house
            .number("SELECT count(*) FROM audit_entry WHERE leaf IS NULL")
            .await,
        0
    );
    let entries = house.number("SELECT count(*) FROM audit_entry").await;
    assert_eq!(
        house.number("SELECT max(leaf) + 1 FROM audit_entry").await,
        entries
    );
    let out = house.folder.path().join(format!("export-{entries}"));
    let export = house.central.export_audit(&actor("auditor"), &out).await;
    export.unwrap();
}

#[test]
fn two_instances_give_no_number_and_no_document_twice() {
    with_house(
        "scenarios::races::two_instances_give_no_number_and_no_document_twice",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            let centrals = [house.central.clone(), second(&house).await];
            let numbers = prepare(&centrals, DOCUMENTS).await;
            let numbers: BTreeSet<_> = numbers.into_iter().collect();
            assert_eq!(numbers.len(), DOCUMENTS, "each number once");
            let first = numbers.first().unwrap();
            assert_eq!(first, "XA0000001");
            assert_eq!(
                numbers.last().unwrap(),
                &format!("XA{DOCUMENTS:07}"),
                "and no gap"
            );

            // Until nobody gets any more.
            let mut tasks = JoinSet::new();
            for number in 0..2 * STATIONS {
                let central = centrals[number % 2].clone();
                tasks.spawn(async move {
                    let mut leases: Vec<Lease> = Vec::new();
                    loop {
                        let request = request(&format!("slot-{}", leases.len()), &[PRODUCT]);
                        match central.lease(&station(number), &request).await.unwrap() {
                            Some(lease) => leases.push(lease),
                            None => return (number, leases),
                        }
                    }
                });
            }
            let mut leases = vec![Vec::new(); 2 * STATIONS];
            for (number, given) in tasks.join_all().await {
                leases[number] = given;
            }
            let all: Vec<&Lease> = leases.iter().flatten().collect();
            assert_eq!(all.len(), DOCUMENTS);
            let leased: BTreeSet<_> = all
                .iter()
                .map(|lease| lease.record.number.to_string())
                .collect();
            assert_eq!(leased, numbers, "each document to one station");

            // The sequencers of both, over and over, beside what is written.
            let mut tasks = JoinSet::new();
            for number in 0..2 * STATIONS {
                let who = station(number);
                let centrals = centrals.clone();
                let leases = leases[number].clone();
                tasks.spawn(async move {
                    for (sequence, lease) in (1..).zip(&leases) {
                        let said = bare_report(lease, sequence, untouched());
                        centrals[number % 2].report(&who, &said).await.unwrap();
                        // Said again after a lost answer, to the other one.
                        centrals[1 - number % 2].report(&who, &said).await.unwrap();
                        centrals[number % 2].sequence().await.unwrap();
                    }
                });
            }
            tasks.join_all().await;
            assert_eq!(
                house.number("SELECT count(*) FROM report").await,
                DOCUMENTS as i64
            );
            check_invariants(&house).await;
            centrals[1].close().await;
        },
    );
}

#[test]
fn who_asks_at_once_does_not_wait_for_the_other() {
    with_house(
        "scenarios::races::who_asks_at_once_does_not_wait_for_the_other",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            prepare(std::slice::from_ref(&house.central), 2).await;
            // Somebody holds the first document, and does not let go.
            let mut other = second(&house).await.write().await.unwrap();
            let taken: String = sqlx::query_scalar(
                "SELECT number FROM document ORDER BY number LIMIT 1 FOR UPDATE",
            )
            .fetch_one(&mut *other)
            .await
            .unwrap();
            let lease = house.lease("a").await.unwrap();
            assert_ne!(lease.record.number.to_string(), taken);
            other.rollback().await.unwrap();
            assert_eq!(
                house.lease("b").await.unwrap().record.number.to_string(),
                taken
            );
        },
    );
}

/// What a station does all day: it takes a document, and gives it back. It stops where it gets no
/// answer.
async fn load(central: Central, number: usize, stop: Arc<AtomicBool>) -> Vec<Report> {
    let who = station(number);
    let mut said = Vec::new();
    for sequence in next_sequence(&central, &who).await.. {
        let Ok(Some(lease)) = central.lease(&who, &request("slot", &[PRODUCT])).await else {
            break;
        };
        let report = bare_report(&lease, sequence, untouched());
        let sent = central.report(&who, &report).await;
        said.push(report);
        if sent.is_err() || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    said
}

#[test]
fn a_server_that_is_killed_loses_nothing_that_was_said() {
    with_house(
        "scenarios::races::a_server_that_is_killed_loses_nothing_that_was_said",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            // Not the tests' shared one: this one is killed, and must be durable.
            let Some(cluster) = Cluster::start(Server::Durable) else {
                return;
            };
            cluster::administer(&cluster.folder, "CREATE DATABASE killed").await;
            let mut house = house;
            house.central.close().await;
            house.database = cluster::source(&cluster.folder, "killed");
            house.central = Central::establish(house.config())
                .await
                .unwrap()
                .on_own_machine();
            house.found().await;
            prepare(std::slice::from_ref(&house.central), DOCUMENTS).await;
            for _ in 0..2 {
                let both = [house.central.clone(), second(&house).await];
                let before = house.number("SELECT count(*) FROM report").await;
                let mut tasks = JoinSet::new();
                let stop = Arc::new(AtomicBool::new(false));
                for number in 0..2 * STATIONS {
                    let stop = Arc::clone(&stop);
                    let central = both[number % 2].clone();
                    tasks.spawn(async move { (number, load(central, number, stop).await) });
                }
                // In the midst of it, and not by the clock.
                while house.number("SELECT count(*) FROM report").await < before + 20 {
                    tokio::task::yield_now().await;
                }
                kill(cluster.postmaster(), Signal::KILL);
                stop.store(true, Ordering::Relaxed);
                cluster.restart();
                let said: Vec<(usize, Vec<Report>)> = tasks.join_all().await;
                // The same instances go on: their connections are made anew.
                check_again(&both[0], &said).await;
                check_invariants(&house).await;
                for number in 0..2 * STATIONS {
                    // What is still leased is given again to whom it was leased to, and reported.
                    let who = station(number);
                    let asked = request("slot", &[PRODUCT]);
                    let leased = insist(async || both[1].lease(&who, &asked).await);
                    if let Some(lease) = leased.await {
                        let sequence = next_sequence(&both[1], &who).await;
                        let report = bare_report(&lease, sequence, untouched());
                        insist(async || both[1].report(&who, &report).await).await;
                    }
                }
                check_invariants(&house).await;
                both[1].close().await;
            }
        },
    );
}

/// Ends a process of the server.
pub(super) fn kill(process: i32, by: Signal) {
    kill_process(Pid::from_raw(process).unwrap(), by).unwrap();
}

/// Says again what was said: it was taken in, or is now, once.
pub(super) async fn check_again(central: &Central, said: &[(usize, Vec<Report>)]) {
    for (number, reports) in said {
        for report in reports {
            insist(async || central.report(&station(*number), report).await).await;
        }
    }
}

/// Asks as stations do: again, where the store is not to be had. A connection that the server ended is
/// found out by whoever uses it next.
async fn insist<T>(ask: impl AsyncFn() -> Result<T, ApiError>) -> T {
    for _ in 0..100 {
        match ask().await {
            Err(ApiError::Unavailable { .. }) => tokio::task::yield_now().await,
            told => return told.unwrap(),
        }
    }
    panic!("the store is never to be had")
}

pub(super) async fn next_sequence(central: &Central, who: &Actor) -> u64 {
    let mut tx = central.read().await.unwrap();
    let last =
        sqlx::query_scalar("SELECT coalesce(max(sequence), 0) FROM report WHERE station = $1");
    let last: i64 = last.bind(&who.station).fetch_one(&mut *tx).await.unwrap();
    last.unsigned_abs() + 1
}

#[test]
fn an_instance_that_goes_midway_leaves_nothing_half() {
    with_house(
        "scenarios::races::an_instance_that_goes_midway_leaves_nothing_half",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            prepare(std::slice::from_ref(&house.central), DOCUMENTS).await;
            let going = second(&house).await;
            let mut tasks = JoinSet::new();
            for number in 0..2 * STATIONS {
                tasks.spawn(load(going.clone(), number, Arc::default()));
            }
            while house.number("SELECT count(*) FROM report").await < 10 {
                tokio::task::yield_now().await;
            }
            // Cut off wherever each of them is, with what it has begun.
            tasks.shutdown().await;
            // What was sent is done by the server, and what was not is rolled back.
            going.close().await;
            check_invariants(&house).await;
            // The other one serves all of it.
            for number in 0..2 * STATIONS {
                let who = station(number);
                let lease = house
                    .central
                    .lease(&who, &request("slot", &[PRODUCT]))
                    .await
                    .unwrap();
                let sequence = next_sequence(&house.central, &who).await;
                let report = bare_report(&lease.unwrap(), sequence, untouched());
                house.central.report(&who, &report).await.unwrap();
            }
            check_invariants(&house).await;
        },
    );
}
