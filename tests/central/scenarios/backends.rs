//! Connections that are cut under load, at any moment: by the server's owner, and with the process that
//! serves one. What was said is said again, as stations do, and the books hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::{Actor, ApiError, Centre, Lease, Report};
use rustix::process::Signal;
use tokio::task::JoinSet;

use super::bench::{bare_report, untouched};
use super::cluster::{self, Cluster, Server};
use super::house::{PRODUCT, request, with_house};
use super::races::{
    DOCUMENTS, STATIONS, check_invariants, is_shared, kill, next_sequence, prepare, second, station,
};
use crate::Central;

/// How many connections are cut.
const CUTS: usize = 60;

/// How many reports each station makes at least.
const REPORTS: u64 = 6;

/// Whoever this server's process serves, among those who work in the books.
const ANYBODY: &str = "SELECT pid FROM pg_stat_activity WHERE datname = 'cut'
    AND backend_type = 'client backend' ORDER BY random() LIMIT 1";

/// How often a station asks without an answer before the test fails.
const PATIENCE: usize = 10_000;

/// A station whose connections break, and that asks until it is answered.
struct Stubborn {
    central: Central,
    who: Actor,
    unanswered: usize,
}

impl Stubborn {
    fn new(central: &Central, number: usize) -> Self {
        Self {
            central: central.clone(),
            who: station(number),
            unanswered: 0,
        }
    }

    async fn lease(&mut self) -> Option<Lease> {
        let wanted = request("slot", &[PRODUCT]);
        loop {
            match self.central.lease(&self.who, &wanted).await {
                Ok(lease) => return lease,
                Err(error) => self.wait(&error).await,
            }
        }
    }

    async fn report(&mut self, said: &Report) {
        loop {
            match self.central.report(&self.who, said).await {
                Ok(()) => return,
                Err(error) => self.wait(&error).await,
            }
        }
    }

    async fn wait(&mut self, error: &ApiError) {
        // Nothing is refused that is only said again.
        assert!(matches!(error, ApiError::Unavailable { .. }), "{error}");
        self.unanswered += 1;
        assert!(self.unanswered < PATIENCE, "no answer any more: {error}");
        tokio::task::yield_now().await;
    }
}

/// Takes documents and gives them back until the cuts are over. It numbers its reports itself, and
/// says each until it is taken in.
async fn works(mut station: Stubborn, cuts: Arc<AtomicUsize>) -> (u64, usize) {
    let mut sequence = 0;
    while sequence < REPORTS || cuts.load(Ordering::Relaxed) < CUTS {
        let Some(lease) = station.lease().await else {
            continue;
        };
        sequence += 1;
        let said = bare_report(&lease, sequence, untouched());
        station.report(&said).await;
        // The answer may have been lost: it is the same report.
        station.report(&said).await;
    }
    (sequence, station.unanswered)
}

#[test]
fn connections_that_are_cut_under_load_leave_nothing_half() {
    with_house(
        "scenarios::backends::connections_that_are_cut_under_load_leave_nothing_half",
        async |house| {
            if !is_shared(&house) {
                return;
            }
            // Not the tests' shared one: with a process that is killed it begins anew as a whole.
            let Some(cluster) = Cluster::start(Server::Durable) else {
                return;
            };
            let cluster = Arc::new(cluster);
            cluster::administer(&cluster.folder, "CREATE DATABASE cut").await;
            let mut house = house;
            house.central.close().await;
            house.database = cluster::source(&cluster.folder, "cut");
            house.central = Central::establish(house.config())
                .await
                .unwrap()
                .on_own_machine();
            house.found().await;
            prepare(std::slice::from_ref(&house.central), DOCUMENTS).await;
            let both = [house.central.clone(), second(&house).await];
            let cuts = Arc::new(AtomicUsize::new(0));
            let mut tasks = JoinSet::new();
            for number in 0..2 * STATIONS {
                let station = Stubborn::new(&both[number % 2], number);
                tasks.spawn(works(station, Arc::clone(&cuts)));
            }
            let cutter = {
                let (cluster, cuts) = (Arc::clone(&cluster), Arc::clone(&cuts));
                // Beside them: whatever they are at is where they are cut.
                tokio::task::spawn_blocking(move || {
                    let terminate =
                        format!("SELECT pg_terminate_backend(pid) FROM ({ANYBODY}) one");
                    while cuts.load(Ordering::Relaxed) < CUTS {
                        if cluster.ask(&terminate) == "t" {
                            cuts.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            };
            let sequencing = async {
                // A cut that meets the sequencer is as good as any.
                while cuts.load(Ordering::Relaxed) < CUTS {
                    let _ = both[0].sequence().await;
                    tokio::task::yield_now().await;
                }
            };
            let (worked, cut, ()) = tokio::join!(tasks.join_all(), cutter, sequencing);
            cut.unwrap();
            let said: u64 = worked.iter().map(|(reports, _)| reports).sum();
            let unanswered: usize = worked.iter().map(|(_, unanswered)| unanswered).sum();
            assert!(unanswered > 0, "no cut met anybody");
            let taken = house.number("SELECT count(*) FROM report").await;
            assert_eq!(taken.unsigned_abs(), said, "each once");
            check_invariants(&house).await;

            // A process that dies takes the server's memory with it: all connections are cut at once,
            // and it recovers from its log.
            let process = cluster.ask(ANYBODY).parse().unwrap();
            kill(process, Signal::KILL);
            for number in 0..2 * STATIONS {
                let mut station = Stubborn::new(&both[number % 2], number);
                let lease = station.lease().await.unwrap();
                let sequence = next_sequence(&station.central, &station.who).await;
                station
                    .report(&bare_report(&lease, sequence, untouched()))
                    .await;
            }
            check_invariants(&house).await;
            both[1].close().await;
        },
    );
}
