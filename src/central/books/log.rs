//! The log: whole, signed as it grew, and the same story as the books.
//!
//! ```text
//!   entries, by leaf ─► tree, against every checkpoint
//!   page by page     ─► where each thing can be by what the log says (a set of states)
//!        └─ window of time ◄─ transitions in the journals of documents and blanks
//! ```
//!
//! Kept for the whole audit are the states alone: of each application, lease, parcel, ribbon, incident and
//! station a hash and a set, 20 to 40 bytes.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{Hash as _, Hasher};

use audit::{Entry, Hash, Outcome, SignedCheckpoint, Tree};
use document::life_cycle::{
    ApplicationState, IncidentState, LeaseState, LifeCycle, ParcelState, RibbonState, StationState,
};
use sqlx::{AssertSqlSafe, Row};

use super::journals::{Journal, Step};
use super::{Findings, Rule};
use crate::central::Central;
use crate::database::{Connection, DbRow, parsed};
use crate::error::Result;
use crate::many_rows::{runs, tuples};
use crate::statements::{assembled, sql};

/// How many rows are read at once.
pub(super) const PAGE: i64 = 1_024;

/// How far a transition and its entry may be apart, in milliseconds: both take the time as they are
/// written, in one transaction.
const APART: i64 = 60_000;

/// A thing that the log speaks of, or an action on it.
pub(super) type Key = u64;

pub(super) fn key(parts: &[&str]) -> Key {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Judges the log, and the books by it.
pub(super) async fn audit(
    central: &Central,
    tx: &mut Connection,
    findings: &mut Findings<'_>,
) -> Result<()> {
    let mut story = Story::new();
    let mut tree = Tree::new();
    let mut next = 0;
    loop {
        let rows = sqlx::query(sql!(
            "SELECT leaf, entry, committed FROM audit_entry WHERE leaf >= $1 ORDER BY leaf LIMIT $2"
        ))
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
        story.hear(tx, &rows, findings).await?;
    }
    let last: Option<i64> = sqlx::query_scalar(sql!("SELECT max(size) FROM audit_checkpoint"))
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
async fn waiting(
    tx: &mut Connection,
    story: &mut Story,
    findings: &mut Findings<'_>,
) -> Result<()> {
    let mut after = 0;
    loop {
        let rows = sqlx::query(sql!("SELECT id, entry, committed FROM audit_entry WHERE leaf IS NULL AND id > $1 ORDER BY id LIMIT $2"))
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.get("id");
        story.hear(tx, &rows, findings).await?;
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
    let rows = sqlx::query(sql!(
        "SELECT size, note FROM audit_checkpoint WHERE size > $1 AND size <= $2 ORDER BY size"
    ))
    .bind(from)
    .bind(to)
    .fetch_all(tx)
    .await?;
    let read = |row: &DbRow| (row.get("size"), row.get("note"));
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
    /// Where each thing can be.
    states: HashMap<Key, u32>,
    /// Which acts there were lately: on what, and when.
    acts: HashMap<Key, VecDeque<i64>>,
    lately: VecDeque<(i64, Key)>,
    journals: [Journal; 2],
}

impl Story {
    fn new() -> Self {
        Self {
            states: HashMap::new(),
            acts: HashMap::new(),
            lately: VecDeque::new(),
            journals: [Journal::of_documents(), Journal::of_blanks()],
        }
    }

    /// Takes the next page of entries.
    async fn hear(
        &mut self,
        tx: &mut Connection,
        rows: &[DbRow],
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        let mut page = Vec::new();
        for row in rows {
            match Entry::decode(row.get("entry")) {
                Ok(entry) => page.push((entry, row.get("committed"))),
                Err(_) => findings.fault(Rule::Log, "an entry cannot be read"),
            }
        }
        let owners = Owners::of(tx, &page).await?;
        for (entry, committed) in &page {
            self.take(entry, *committed, &owners);
            self.compare(tx, Some(*committed), findings).await?;
        }
        findings.checked(Rule::Log, rows.len() as u64);
        findings.passed(rows.len() as u64);
        Ok(())
    }

    /// Takes the next entry.
    fn take(&mut self, entry: &Entry, committed: i64, owners: &Owners) {
        // A report that is not believed is refused, and what it is about put aside: that was done. It
        // has an entry of its own (`lease.put-aside`); before it had one, the refusal said it.
        let is_put_aside = entry.details.get("put-aside") == Some("true");
        if entry.outcome != Outcome::Done && !is_put_aside {
            return;
        }
        let applications = owners.applications(entry);
        self.move_on(entry, &applications);
        let action = entry.action.as_str();
        let things = named(entry).map(|(kind, reference)| key(&[kind, reference]));
        for thing in things.chain(applications) {
            let act = key(&[action, &thing.to_string()]);
            self.acts.entry(act).or_default().push_back(committed);
            self.lately.push_back((committed, act));
        }
    }

    /// Moves what an entry is about to where it can be after it.
    fn move_on(&mut self, entry: &Entry, applications: &[Key]) {
        let action = entry.action.as_str();
        let (kind, reference) = (
            entry.subject.kind.as_str(),
            entry.subject.reference.as_str(),
        );
        let own = key(&[kind, reference]);
        match kind {
            "parcel" => self.go::<ParcelState>(own, action),
            "ribbon" => self.go::<RibbonState>(own, action),
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
        for (_, reference) in named(entry).filter(|(kind, _)| *kind == "application") {
            self.go::<ApplicationState>(key(&["application", reference]), action);
        }
        for &application in applications {
            self.go::<ApplicationState>(application, action);
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
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        let mut oldest = i64::MAX;
        for journal in &mut self.journals {
            while let Some(at) = journal.next_at(tx).await? {
                if until.is_some_and(|until| at > until - APART) {
                    oldest = oldest.min(at);
                    break;
                }
                if let Some(step) = journal.take() {
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
    async fn end(mut self, tx: &mut Connection, findings: &mut Findings<'_>) -> Result<()> {
        self.compare(tx, None, findings).await?;
        let [lease, parcel, ribbon, station, incident, application] = SETTLED;
        self.settle::<LeaseState>(tx, lease, findings).await?;
        self.settle::<ParcelState>(tx, parcel, findings).await?;
        self.settle::<RibbonState>(tx, ribbon, findings).await?;
        self.settle::<StationState>(tx, station, findings).await?;
        self.settle::<IncidentState>(tx, incident, findings).await?;
        self.settle::<ApplicationState>(tx, application, findings)
            .await
    }

    /// Finds rows of a table whose state the log does not lead to.
    async fn settle<S: LifeCycle + std::str::FromStr>(
        &self,
        tx: &mut Connection,
        (table, column, kind): Settled,
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        let mut after = String::new();
        loop {
            let rows = sqlx::query(AssertSqlSafe(page(table, column)))
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

/// A table, its column with the identity, and how entries name the kind.
type Settled = (&'static str, &'static str, &'static str);

/// What rows have a state that the log leads to.
const SETTLED: [Settled; 6] = [
    ("lease", "id", "lease"),
    ("parcel", "serial", "parcel"),
    ("ribbon", "serial", "ribbon"),
    ("station", "name", "station"),
    ("incident", "CAST(number AS TEXT)", "incident"),
    ("application", "reference", "application"),
];

fn page(table: &str, column: &str) -> String {
    format!(
        "SELECT {column} AS what, state FROM {table} WHERE {column} > $1 ORDER BY {column} LIMIT {PAGE}"
    )
}

assembled!(page => |_| {
    let settled = SETTLED.into_iter();
    settled.map(|(table, column, _)| page(table, column)).collect()
});

/// Returns the bit of a state in a set.
fn bit<S: LifeCycle>(state: S) -> u32 {
    let at = S::all().iter().position(|&one| one == state);
    at.map_or(0, |at| 1 << at)
}

/// Returns what an entry names: its subject, and of its details documents, blanks and applications.
fn named(entry: &Entry) -> impl Iterator<Item = (&str, &str)> {
    let subject = (
        entry.subject.kind.as_str(),
        entry.subject.reference.as_str(),
    );
    let details = entry.details.iter();
    let details = details.filter(|(name, _)| matches!(*name, "document" | "blank" | "application"));
    std::iter::once(subject).chain(details)
}

fn owners_of(numbers: usize) -> String {
    let some = tuples(1, numbers);
    format!(
        "SELECT n.number, d.application FROM number n JOIN document d ON d.id = n.document WHERE n.number IN {some}
         UNION SELECT l.number, d.application FROM lease l JOIN document d ON d.id = l.document WHERE l.number IN {some}
         ORDER BY 1, 2"
    )
}

assembled!(owners_of => |_| vec![owners_of(1), owners_of(2)]);

/// The applications of the documents that a page of entries names by their numbers.
struct Owners(HashMap<String, Vec<Key>>);

impl Owners {
    async fn of(tx: &mut Connection, page: &[(Entry, i64)]) -> Result<Self> {
        let numbers = page.iter().flat_map(|(entry, _)| numbers(entry));
        // What no text of a database can be is in none.
        let numbers: BTreeSet<&str> = numbers.filter(|number| !number.contains('\0')).collect();
        let numbers: Vec<&str> = numbers.into_iter().collect();
        let mut owners: HashMap<String, Vec<Key>> = HashMap::new();
        for run in runs(&numbers) {
            let mut statement = sqlx::query(AssertSqlSafe(owners_of(run.len())));
            for number in run {
                statement = statement.bind(*number);
            }
            for row in &statement.fetch_all(&mut *tx).await? {
                let application = key(&["application", row.get("application")]);
                let of = owners.entry(row.get("number")).or_default();
                of.push(application);
            }
        }
        Ok(Self(owners))
    }

    /// Returns the applications of the documents that an entry names.
    fn applications(&self, entry: &Entry) -> Vec<Key> {
        let of = numbers(entry).filter_map(|number| self.0.get(number));
        of.flatten().copied().collect()
    }
}

/// Returns the numbers of documents that an entry names.
fn numbers(entry: &Entry) -> impl Iterator<Item = &str> {
    let documents = named(entry).filter(|(kind, _)| *kind == "document");
    documents.map(|(_, number)| number)
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
