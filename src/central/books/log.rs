//! The log: whole, signed as it grew, and the same story as the books.
//!
//! ```text
//!   entries, by leaf ─► tree, against every checkpoint
//!        │           ─► where each thing can be by what the log says (a set of states)
//!        └─ window of time ◄─ transitions in the journals of documents and blanks
//! ```

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash as _, Hasher};

use audit::{Entry, Hash, Outcome, SignedCheckpoint, Tree};
use document::life_cycle::{
    ApplicationState, BlankEvent, BlankState, DocumentEvent, DocumentState, IncidentState,
    LeaseState, LifeCycle, ParcelState, StationState,
};
use sqlx::{AssertSqlSafe, Row};

use super::{Findings, Rule};
use crate::central::Central;
use crate::database::{Connection, parsed};
use crate::error::Result;
use crate::movements::DELIVERED;
use crate::stock_check::OPENING;

/// How many rows are read at once.
const PAGE: i64 = 1_024;

/// How far a transition and its entry may be apart, in milliseconds: both take the time as they are
/// written, in one transaction.
const APART: i64 = 60_000;

/// A thing that the log speaks of, or an action on it.
type Key = u64;

fn key(parts: &[&str]) -> Key {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Judges the log, and the books by it.
pub(super) async fn audit(
    central: &Central,
    tx: &mut Connection,
    findings: &mut Findings,
) -> Result<()> {
    let mut story = Story::begin(tx).await?;
    let mut tree = Tree::new();
    let mut next = 0;
    loop {
        let rows = sqlx::query(
            "SELECT leaf, entry, committed FROM audit_entry WHERE leaf >= $1 ORDER BY leaf LIMIT $2",
        )
        .bind(next)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let first = next;
        for row in &rows {
            if row.get::<i64, _>("leaf") != next {
                findings.fault(Rule::Log, format!("leaf {next} has no entry"));
                return Ok(());
            }
            next += 1;
        }
        let Some(checkpoints) = checkpoints(tx, first, next).await? else {
            break;
        };
        let mut checkpoints = checkpoints.into_iter().peekable();
        for row in &rows {
            tree.append_to(Hash::of_leaf(row.get("entry")), &mut Vec::new());
            story
                .hear(tx, row.get("entry"), row.get("committed"), findings)
                .await?;
            while let Some((size, note)) =
                checkpoints.next_if(|(size, _)| size.unsigned_abs() <= tree.size())
            {
                findings.checked(Rule::Log, 1);
                if !is_of(central, &note, &tree) {
                    findings.fault(
                        Rule::Log,
                        format!("the checkpoint over {size} entries is not one of this tree"),
                    );
                }
            }
        }
        if rows.is_empty() {
            break;
        }
    }
    let last: Option<i64> = sqlx::query_scalar("SELECT max(size) FROM audit_checkpoint")
        .fetch_one(&mut *tx)
        .await?;
    if last.unwrap_or_default().unsigned_abs() != tree.size() {
        findings.fault(
            Rule::Log,
            format!(
                "{} entries have leaves, and the last checkpoint is over {}",
                tree.size(),
                last.unwrap_or_default()
            ),
        );
    }
    waiting(tx, &mut story, findings).await?;
    story.end(tx, findings).await
}

/// Reads what the sequencer has not taken yet.
async fn waiting(tx: &mut Connection, story: &mut Story, findings: &mut Findings) -> Result<()> {
    let mut after = 0;
    loop {
        let rows = sqlx::query(
            "SELECT id, entry, committed FROM audit_entry WHERE leaf IS NULL AND id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.get("id");
        for row in &rows {
            story
                .hear(tx, row.get("entry"), row.get("committed"), findings)
                .await?;
        }
    }
}

/// Returns the checkpoints over more than `from` and at most `to` entries.
async fn checkpoints(
    tx: &mut Connection,
    from: i64,
    to: i64,
) -> Result<Option<Vec<(i64, String)>>> {
    if from == to {
        return Ok(None);
    }
    let rows = sqlx::query(
        "SELECT size, note FROM audit_checkpoint WHERE size > $1 AND size <= $2 ORDER BY size",
    )
    .bind(from)
    .bind(to)
    .fetch_all(tx)
    .await?;
    let read = |row: &crate::database::DbRow| (row.get("size"), row.get("note"));
    Ok(Some(rows.iter().map(read).collect()))
}

fn is_of(central: &Central, note: &str, tree: &Tree) -> bool {
    SignedCheckpoint::open(note.as_bytes(), central.audit_key()).is_ok_and(|signed| {
        let signed = signed.checkpoint();
        signed.size == tree.size() && signed.root == tree.root()
    })
}

/// What the log says happened.
struct Story {
    /// The applications that a document number was of.
    applications: HashMap<Key, Vec<Key>>,
    /// Where each thing can be.
    states: HashMap<Key, u32>,
    /// Which acts there were lately: on what, and when.
    acts: HashMap<Key, VecDeque<i64>>,
    lately: VecDeque<(i64, Key)>,
    journals: [Journal; 2],
}

impl Story {
    async fn begin(tx: &mut Connection) -> Result<Self> {
        let rows = sqlx::query(
            "SELECT n.number, d.application FROM number n JOIN document d ON d.id = n.document
             UNION SELECT l.number, d.application FROM lease l JOIN document d ON d.id = l.document",
        )
        .fetch_all(tx)
        .await?;
        let mut applications: HashMap<Key, Vec<Key>> = HashMap::new();
        for row in &rows {
            let of = key(&["application", row.get("application")]);
            let number = key(&["document", row.get("number")]);
            applications.entry(number).or_default().push(of);
        }
        Ok(Self {
            applications,
            states: HashMap::new(),
            acts: HashMap::new(),
            lately: VecDeque::new(),
            journals: [Journal::of_documents(), Journal::of_blanks()],
        })
    }

    /// Takes the next entry.
    async fn hear(
        &mut self,
        tx: &mut Connection,
        bytes: &[u8],
        committed: i64,
        findings: &mut Findings,
    ) -> Result<()> {
        findings.checked(Rule::Log, 1);
        let Ok(entry) = Entry::decode(bytes) else {
            findings.fault(Rule::Log, "an entry cannot be read");
            return Ok(());
        };
        // A report that is not believed is refused, and what it is about put aside: that was done.
        let is_put_aside = entry.details.get("put-aside") == Some("true");
        if entry.outcome == Outcome::Done || is_put_aside {
            self.move_on(&entry);
            let action = entry.action.as_str();
            for thing in self.things(&entry) {
                let act = key(&[action, &thing.to_string()]);
                self.acts.entry(act).or_default().push_back(committed);
                self.lately.push_back((committed, act));
            }
        }
        self.compare(tx, Some(committed), findings).await
    }

    /// Returns what an entry is about: applications and their documents, blanks, deliveries.
    fn things(&self, entry: &Entry) -> Vec<Key> {
        let (kind, reference) = (
            entry.subject.kind.as_str(),
            entry.subject.reference.as_str(),
        );
        let mut things = vec![key(&[kind, reference])];
        for (name, detail) in entry.details.iter() {
            if matches!(name, "document" | "blank" | "application") {
                things.push(key(&[name, detail]));
            }
        }
        let numbers = things
            .iter()
            .filter_map(|thing| self.applications.get(thing));
        let of: Vec<Key> = numbers.flatten().copied().collect();
        things.extend(of);
        things
    }

    /// Moves what an entry is about to where it can be after it.
    fn move_on(&mut self, entry: &Entry) {
        let action = entry.action.as_str();
        let (kind, reference) = (
            entry.subject.kind.as_str(),
            entry.subject.reference.as_str(),
        );
        let own = key(&[kind, reference]);
        match kind {
            "parcel" => self.go::<ParcelState>(own, action),
            "incident" => self.go::<IncidentState>(own, action),
            "station" => self.go::<StationState>(own, action),
            _ => {}
        }
        let lease = match kind {
            "lease" => Some(reference),
            _ => entry.details.get("lease"),
        };
        if let Some(lease) = lease {
            self.go::<LeaseState>(key(&["lease", lease]), action);
        }
        let things = self.things(entry);
        for thing in things {
            self.go::<ApplicationState>(thing, action);
        }
    }

    fn go<S: LifeCycle>(&mut self, thing: Key, action: &str) {
        let steps = S::transitions();
        let mut steps = steps
            .iter()
            .filter(|step| step.rule.evidence.contains(&action))
            .peekable();
        if steps.peek().is_none() {
            return;
        }
        let of_kind = key(&[S::SUBJECT, &thing.to_string()]);
        let states = self.states.entry(of_kind).or_insert(bit(S::INITIAL));
        let mut reached = 0;
        // One entry may be the evidence of several steps: of each that follows too.
        let mut from = *states;
        let steps: Vec<_> = steps.collect();
        loop {
            let mut to = 0;
            for step in &steps {
                if from & bit(step.from) != 0 {
                    to |= bit(step.to);
                }
            }
            if to & !reached == 0 {
                break;
            }
            reached |= to;
            from = to;
        }
        if reached != 0 {
            *states = reached;
        }
    }

    /// Compares the journals with the entries, as far as every entry that may belong to a
    /// transition was heard.
    async fn compare(
        &mut self,
        tx: &mut Connection,
        until: Option<i64>,
        findings: &mut Findings,
    ) -> Result<()> {
        let mut oldest = i64::MAX;
        for journal in &mut self.journals {
            while let Some(at) = journal.next_at(tx).await? {
                if until.is_some_and(|until| at > until - APART) {
                    oldest = oldest.min(at);
                    break;
                }
                if let Some(step) = journal.rows.pop_front() {
                    findings.checked(Rule::Evidence, 1);
                    if !is_evident(&self.acts, &step) {
                        findings.fault(
                            Rule::Evidence,
                            format!("{} has no entry in the log", step.what),
                        );
                    }
                }
            }
        }
        while let Some(&(at, act)) = self.lately.front()
            && at < oldest.saturating_sub(APART)
            && until.is_some_and(|until| at < until - 2 * APART)
        {
            self.lately.pop_front();
            if let Some(times) = self.acts.get_mut(&act) {
                times.pop_front();
                if times.is_empty() {
                    self.acts.remove(&act);
                }
            }
        }
        Ok(())
    }

    /// Compares what is left, and where the log has everything with where the books have it.
    async fn end(mut self, tx: &mut Connection, findings: &mut Findings) -> Result<()> {
        self.compare(tx, None, findings).await?;
        self.settle::<LeaseState>(tx, ("lease", "id", "lease"), findings)
            .await?;
        self.settle::<ParcelState>(tx, ("parcel", "serial", "parcel"), findings)
            .await?;
        self.settle::<StationState>(tx, ("station", "name", "station"), findings)
            .await?;
        self.settle::<IncidentState>(
            tx,
            ("incident", "CAST(number AS TEXT)", "incident"),
            findings,
        )
        .await?;
        self.settle::<ApplicationState>(tx, ("application", "reference", "application"), findings)
            .await
    }

    /// Finds rows of a table whose state the log does not lead to.
    async fn settle<S: LifeCycle + std::str::FromStr>(
        &self,
        tx: &mut Connection,
        (table, column, kind): (&str, &str, &str),
        findings: &mut Findings,
    ) -> Result<()> {
        let mut after = String::new();
        loop {
            let rows = sqlx::query(AssertSqlSafe(format!(
                "SELECT {column} AS what, state FROM {table} WHERE {column} > $1 ORDER BY {column} LIMIT {PAGE}"
            )))
            .bind(&after)
            .fetch_all(&mut *tx)
            .await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.get("what");
            for row in &rows {
                let what: &str = row.get("what");
                let state: S = parsed("a state", row.get("state"))?;
                let thing = key(&[kind, what]);
                let of_kind = key(&[S::SUBJECT, &thing.to_string()]);
                let states = self.states.get(&of_kind).copied();
                findings.checked(Rule::Evidence, 1);
                if states.unwrap_or(bit(S::INITIAL)) & bit(state) == 0 {
                    findings.fault(
                        Rule::Evidence,
                        format!("{table} {what} is {state}, and the log does not lead there"),
                    );
                }
            }
        }
    }
}

/// Returns the bit of a state in a set.
fn bit<S: LifeCycle>(state: S) -> u32 {
    let at = S::all().iter().position(|&one| one == state);
    at.map_or(0, |at| 1 << at)
}

/// A transition that a journal has.
struct Step {
    what: String,
    at: i64,
    things: Vec<Key>,
    evidence: Vec<&'static str>,
}

fn is_evident(acts: &HashMap<Key, VecDeque<i64>>, step: &Step) -> bool {
    step.evidence.is_empty()
        || step.evidence.iter().any(|action| {
            step.things.iter().any(|thing| {
                let times = acts.get(&key(&[action, &thing.to_string()]));
                times.is_some_and(|times| times.iter().any(|at| (at - step.at).abs() <= APART))
            })
        })
}

/// A journal of transitions, read page by page.
struct Journal {
    sql: &'static str,
    read: fn(&crate::database::DbRow) -> Result<Step>,
    after: i64,
    rows: VecDeque<Step>,
    is_over: bool,
}

impl Journal {
    fn of_documents() -> Self {
        Self {
            sql: "SELECT e.id, e.event, e.state, e.at, d.application FROM document_event e JOIN document d ON d.id = e.document
                  WHERE e.id > $1 ORDER BY e.id LIMIT $2",
            read: |row| {
                let event: DocumentEvent =
                    parsed("what happened to a document", row.get("event"))?;
                let state: DocumentState = parsed("a document's state", row.get("state"))?;
                let application: &str = row.get("application");
                let steps = DocumentState::transitions();
                let steps = steps.iter();
                let steps = steps.filter(|step| step.event == event && step.to == state);
                Ok(Step {
                    what: format!("{event} of the document of application {application}"),
                    at: row.get("at"),
                    things: vec![key(&["application", application])],
                    evidence: steps.flat_map(|step| step.rule.evidence).copied().collect(),
                })
            },
            after: 0,
            rows: VecDeque::new(),
            is_over: false,
        }
    }

    fn of_blanks() -> Self {
        Self {
            sql: "SELECT m.id, m.event, m.from_state, m.to_state, m.moved AS at, m.blank, b.delivery, d.application
                  FROM blank_movement m JOIN blank b ON b.serial = m.blank LEFT JOIN document d ON d.id = m.document
                  WHERE m.id > $1 ORDER BY m.id LIMIT $2",
            read: |row| {
                let (event, blank): (&str, &str) = (row.get("event"), row.get("blank"));
                let from: Option<&str> = row.get("from_state");
                let evidence = match (from, event) {
                    (_, OPENING) => Vec::new(),
                    (_, DELIVERED) | (None, _) => vec!["blanks.received"],
                    (Some(from), event) => {
                        let from: BlankState = parsed("a blank's state", from)?;
                        let event: BlankEvent = parsed("a movement of a blank", event)?;
                        let step = from.step(event);
                        step.map_or_else(Vec::new, |(_, rule)| rule.evidence.to_vec())
                    }
                };
                let mut things = vec![
                    key(&["blank", blank]),
                    key(&["delivery", row.get("delivery")]),
                ];
                if let Some(application) = row.get::<Option<&str>, _>("application") {
                    things.push(key(&["application", application]));
                }
                Ok(Step {
                    what: format!("{event} of blank {blank}"),
                    at: row.get("at"),
                    things,
                    evidence,
                })
            },
            after: 0,
            rows: VecDeque::new(),
            is_over: false,
        }
    }

    /// Returns when the next transition was; none where there are no more.
    async fn next_at(&mut self, tx: &mut Connection) -> Result<Option<i64>> {
        if self.rows.is_empty() && !self.is_over {
            let rows = sqlx::query(self.sql)
                .bind(self.after)
                .bind(PAGE)
                .fetch_all(tx)
                .await?;
            match rows.last() {
                Some(last) => self.after = last.get("id"),
                None => self.is_over = true,
            }
            for row in &rows {
                self.rows.push_back((self.read)(row)?);
            }
        }
        Ok(self.rows.front().map(|step| step.at))
    }
}
