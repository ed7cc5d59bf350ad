//! How far a batch is: its plan, compared with the station's journal and with the centre.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use api::LeaseId;
use document::life_cycle::DocumentState;
use jiff::Timestamp;
use station::{EndedBlank, StationError};
use uuid::Uuid;

use crate::cli::batch::ledger::{Ledger, Line};
use crate::cli::batch::plan::{Plan, results_of};
use crate::cli::batch::queue::Queued;
use crate::cli::failure::{Failure, Kind, OrFail};

/// A batch under way.
pub(crate) struct Course {
    planned: Timestamp,
    documents: BTreeMap<Uuid, Queued>,
    ledger: Ledger,
    /// Those of which something is left to be made.
    open: BTreeSet<Uuid>,
    /// The number of the latest report that was looked at.
    seen: u64,
    is_resumed: bool,
}

impl Course {
    /// Begins, or goes on, where the results beside the plan end.
    pub(crate) fn of(path: &Path, plan: &Plan) -> Result<Self, Failure> {
        let ledger = Ledger::open(&results_of(path))?;
        let documents = plan.documents.iter().map(|one| (one.id, one.clone()));
        let documents: BTreeMap<_, _> = documents.collect();
        let over = ledger.over();
        let open = documents.keys().filter(|id| !over.contains(id));
        Ok(Self {
            planned: plan.planned,
            open: open.copied().collect(),
            documents,
            ledger,
            seen: 0,
            is_resumed: false,
        })
    }

    /// Says that the batch was begun before: others may have gone on with it meanwhile.
    pub(crate) fn resumed(self) -> Self {
        Self {
            is_resumed: true,
            ..self
        }
    }

    /// Returns whether the batch was begun before.
    pub(crate) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Returns the documents of which something is left to be made.
    pub(crate) fn open(&self) -> &BTreeSet<Uuid> {
        &self.open
    }

    /// Returns how many documents there are in all.
    pub(crate) fn documents(&self) -> usize {
        self.documents.len()
    }

    /// Returns the lines so far.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.ledger.lines
    }

    /// Writes a line for each blank that ended and has none: `ended` gives what the station's journal
    /// has after a report's number. Returns the documents that are made by them.
    pub(crate) fn catch_up(
        &mut self,
        ended: impl FnOnce(u64, &dyn Fn(LeaseId, Uuid) -> bool) -> Result<Vec<EndedBlank>, StationError>,
    ) -> Result<Vec<Uuid>, Failure> {
        let known = self.ledger.leases();
        let documents = &self.documents;
        let is_missing =
            |lease, document| documents.contains_key(&document) && !known.contains(&lease);
        let found = ended(self.seen, &is_missing).or_fail(Kind::Failed)?;
        let mut made = Vec::new();
        for blank in found {
            let (sequence, id) = (blank.sequence, blank.document);
            // A blank that was spoiled before the batch was planned is none of its own.
            let document = self.documents.get(&id);
            if let Some(document) = document.filter(|_| blank.at >= self.planned) {
                let line = Line::of(blank, document);
                let is_made = line.is_made();
                self.ledger.add(line)?;
                if is_made && self.open.remove(&id) {
                    made.push(id);
                }
            }
            self.seen = sequence;
        }
        Ok(made)
    }

    /// Writes a line for each document that is not to be made any more, as the centre says; one that
    /// is made here is none. Returns them.
    pub(crate) fn let_go(
        &mut self,
        gone: BTreeMap<Uuid, Option<DocumentState>>,
    ) -> Result<Vec<Uuid>, Failure> {
        let mut let_go = Vec::new();
        for (id, state) in gone {
            if let Some(document) = self.documents.get(&id).filter(|_| self.open.contains(&id)) {
                self.ledger.add(Line::gone(document, state))?;
                self.open.remove(&id);
                let_go.push(id);
            }
        }
        Ok(let_go)
    }
}

#[cfg(test)]
mod tests {
    use api::BlankEnd;
    use document::DocumentNumber;
    use station::{Ending, Journal};

    use super::*;

    /// A batch of three documents, and a journal at which it was killed.
    fn killed(folder: &Path) -> (Plan, Journal) {
        let queued = |number| Queued {
            id: Uuid::from_u128(number),
            application: format!("APP-{number}"),
            kind: "id-card".into(),
            due: "2026-12-01".parse().unwrap(),
            urgent: false,
        };
        let mut journal = Journal::open(&folder.join("journal.db")).unwrap();
        let number = DocumentNumber::parse("XA0000001").unwrap();
        let mut make = |lease: u128, document: u128, end| {
            let lease = LeaseId(Uuid::from_u128(lease));
            let document = Uuid::from_u128(document);
            journal.begin(lease, document, number, "left").unwrap();
            let ending = Ending {
                end,
                chips: Vec::new(),
                certificates: 2,
                milliseconds: 1500,
            };
            journal.end(lease, ending).unwrap();
        };
        let spoiled = || BlankEnd::Spoiled {
            cause: "torn out".into(),
        };
        // Before the batch: of the same document, and none of its own.
        make(1, 1, spoiled());
        let plan = Plan::new("all", (1..=3).map(queued).collect());
        make(2, 1, spoiled());
        make(3, 1, BlankEnd::Personalized);
        make(4, 9, BlankEnd::Personalized);
        make(5, 2, BlankEnd::Personalized);
        (plan, journal)
    }

    #[test]
    fn lines_that_are_missing_are_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, journal) = killed(folder.path());
        let path = folder.path().join("a.batch.json");
        let id = Uuid::from_u128;
        let mut course = Course::of(&path, &plan).ok().unwrap();
        assert_eq!(course.open().len(), 3);
        let ended = |after, wanted: &dyn Fn(LeaseId, Uuid) -> bool| journal.ended(after, wanted);
        assert_eq!(course.catch_up(ended).ok().unwrap(), [id(1), id(2)]);
        assert_eq!(course.lines().len(), 3);
        assert!(course.catch_up(ended).ok().unwrap().is_empty());
        drop(course);
        // Another command, which has seen nothing, finds the lines.
        let mut course = Course::of(&path, &plan).ok().unwrap();
        assert_eq!(course.open().iter().collect::<Vec<_>>(), [&id(3)]);
        assert!(course.catch_up(ended).ok().unwrap().is_empty());
        let seconds: Vec<_> = course.lines().iter().map(|line| line.seconds).collect();
        assert_eq!(seconds, [1.5; 3]);
        // What is made here is not called gone.
        let gone = [(id(1), None), (id(3), Some(DocumentState::Personalized))].into();
        assert_eq!(course.let_go(gone).ok().unwrap(), [id(3)]);
        drop(course);
        assert!(Course::of(&path, &plan).ok().unwrap().open().is_empty());
    }
}
