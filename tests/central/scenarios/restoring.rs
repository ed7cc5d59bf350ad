//! What the scenarios of a restoration share: a station's bench with a journal, a store that is set
//! back to its copy, and what must hold of it afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use api::{ApiError, BlankEnd, Centre, Lease};
use document::life_cycle::{BlankState, DocumentState};
use jiff::SignedDuration;
use perso::{JournalEntry, Moment};
use station::{Ending, Journal, Notebook, StationError, reconcile};
use vcard::{Chip, Fault};

use super::bench::{Run, personalize, reported};
use super::house::{House, PRODUCT, actor, operator, printed, request, with_file_house};
use crate::{Central, CentralError, IncidentLine, mark_restored};

/// A station in the small: the product's journal and outbox, over chips in this process.
pub(super) struct Bench {
    pub(super) journal: Mutex<Journal>,
}

impl Bench {
    pub(super) fn new(house: &House) -> Self {
        let path = house.folder.path().join("journal.db");
        Self {
            journal: Mutex::new(Journal::open(&path).unwrap()),
        }
    }

    pub(super) fn begin(&self, lease: &Lease) {
        let mut journal = self.journal.lock().unwrap();
        let number = lease.record.number;
        assert!(
            journal
                .begin(lease.id, lease.identity, number, "a")
                .unwrap()
        );
    }

    /// Writes down what a run wrote down.
    pub(super) fn note(&self, lease: &Lease, run: &Run) {
        let mut journal = self.journal.lock().unwrap();
        let mut notebook = journal.notebook(lease.id);
        for line in &run.journal {
            let evidence = line.evidence.iter();
            let evidence: BTreeMap<&'static str, String> = evidence
                .map(|(key, value)| (&*key.clone().leak(), value.clone()))
                .collect();
            let moment = match &*line.moment {
                "intent" => Moment::Intent,
                _ => Moment::Outcome,
            };
            let entry = JournalEntry {
                step: line.step.clone(),
                moment,
                evidence,
            };
            notebook.write(&entry).unwrap();
        }
    }

    /// Ends a lease in the journal, and sends nothing.
    pub(super) fn end(&self, lease: &Lease, run: &Run, end: BlankEnd) {
        self.note(lease, run);
        let ending = Ending {
            end,
            chips: vec![reported(PRODUCT, run)],
            certificates: 0,
            milliseconds: 41_000,
        };
        let mut journal = self.journal.lock().unwrap();
        journal.end(lease.id, ending).unwrap();
    }

    pub(super) async fn reconcile(&self, house: &House) -> Result<(), StationError> {
        reconcile(&self.journal, &house.central, &operator()).await
    }

    /// Personalizes a blank under a lease as a station does, and reports.
    pub(super) async fn make(&self, house: &House, lease: &Lease, chip: Chip) -> Run {
        let run = self.make_silently(house, lease, chip).await;
        self.reconcile(house).await.unwrap();
        run
    }

    /// Personalizes a blank under a lease, and has not reported yet.
    pub(super) async fn make_silently(&self, house: &House, lease: &Lease, chip: Chip) -> Run {
        self.begin(lease);
        let run = personalize(house, lease, chip, Vec::new()).await;
        assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
        self.end(lease, &run, BlankEnd::Personalized);
        run
    }

    /// Begins a blank under a lease, which the fault cuts off, and reports how it ended.
    pub(super) async fn break_off(
        &self,
        house: &House,
        lease: &Lease,
        chip: Chip,
        fault: Fault,
        end: BlankEnd,
    ) -> Run {
        self.begin(lease);
        let run = personalize(house, lease, chip, vec![fault]).await;
        self.end(lease, &run, end);
        self.reconcile(house).await.unwrap();
        run
    }
}

pub(super) async fn back_up(house: &House) -> PathBuf {
    let file = house.folder.path().join("copy.db");
    let administrator = actor("administrator");
    house.central.back_up(&administrator, &file).await.unwrap();
    file
}

/// Loses the store's database, and opens it as it was when the copy was made.
pub(super) async fn restore(house: &mut House, copy: &std::path::Path, name: &str, pass_over: u32) {
    house.central.close().await;
    house.clock.pass(SignedDuration::from_mins(30));
    let file = house.folder.path().join(name);
    std::fs::copy(copy, &file).unwrap();
    let now = crate::Clock::now(&*house.clock);
    let copied = Some(now - SignedDuration::from_hours(2));
    let mut config = house.config();
    config.database = crate::DatabaseSource::Sqlite(file);
    mark_restored(&config.database, now, copied, Some(7), pass_over)
        .await
        .unwrap();
    house.central = Central::open(config).await.unwrap().on_own_machine();
}

pub(super) async fn states(house: &House) -> BTreeMap<String, BlankState> {
    let blanks = house.central.blanks(&actor("keeper")).await.unwrap();
    let line = |blank: crate::BlankLine| (blank.serial, blank.state);
    blanks.into_iter().map(line).collect()
}

pub(super) async fn numbers(house: &House) -> BTreeMap<String, DocumentState> {
    let documents = house.central.documents(&actor("auditor")).await.unwrap();
    let line = |one: crate::DocumentLine| (one.number.unwrap(), one.state);
    documents.into_iter().map(line).collect()
}

/// What must hold at any time: every blank in one account by an unbroken journal, every number too.
pub(super) async fn is_whole(house: &House) {
    let auditor = actor("auditor");
    let stock = house.central.check_stock(&auditor).await.unwrap();
    assert_eq!(stock.differences, Vec::<String>::new());
    let numbers = house.central.check_numbers(&auditor).await.unwrap();
    assert_eq!(numbers.faults, Vec::<String>::new());
}

pub(super) async fn end(house: &House, given_up: &[&str]) -> Result<usize, CentralError> {
    let given_up = given_up.iter().map(|&name| name.to_owned());
    let given_up: BTreeSet<String> = given_up.collect();
    house
        .central
        .end_reconciliation(&actor("officer"), "keeper", &given_up, "it burnt")
        .await
}

pub(super) async fn leased(house: &House) -> Result<Option<Lease>, ApiError> {
    let request = request("a", &[PRODUCT]);
    house.central.lease(&operator(), &request).await
}

/// Leases the next document, which there is.
pub(super) async fn next_leased(house: &House) -> Lease {
    leased(house)
        .await
        .unwrap()
        .expect("a document in the queue")
}

pub(super) async fn open_incidents(house: &House) -> Vec<IncidentLine> {
    let auditor = actor("auditor");
    house.central.incidents(&auditor, false).await.unwrap()
}

/// Runs a scenario with an installation whose books are in a file, and a station's bench.
pub(super) fn with_bench(test: &str, body: impl AsyncFnOnce(House, Bench)) {
    let test = format!("scenarios::restoration::{test}");
    with_file_house(
        &test,
        |_| {},
        async |house| {
            let bench = Bench::new(&house);
            body(house, bench).await;
        },
    );
}

pub(super) fn serial(run: &Run) -> String {
    printed(&run.chip)
}
