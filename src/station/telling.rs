//! The journal of a document in work goes to the centre as it is written, so that another station can
//! go on with its card where this one never comes back.
//!
//! ```text
//!   line ─┬─ before what may not be done twice: the card waits until the centre has it
//!         ├─ behind it: on its way behind the card's back
//!         └─ all others: with the next of those
//! ```
//!
//! So the centre knows of everything that was begun and may not be done twice; of the rest it may lack
//! the last lines, all of one stage, and whoever goes on takes each step of that stage for begun
//! (`perso::Past::suppose`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api::{Actor, ApiError, Centre, JournalPart, LeaseId, MOST_LINES};
use perso::{JournalEntry, Moment};
use profile::Plan;
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

use crate::error::{StationError, chain};
use crate::journal::Journal;

/// How far the centre has the journal of a document in work here.
struct Told {
    actor: Actor,
    lines: u64,
    is_moved: bool,
    /// Held by whoever tells its lines, so that their order holds.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Somebody waits for the turn, and will tell all that is written by then.
    is_queued: bool,
}

/// Tells the centre what is written down of the documents in work. Each is told by itself: none waits for
/// the centre's answer to another.
pub(crate) struct Telling {
    centre: Arc<dyn Centre>,
    /// Held while it is read, and none once the station has ended: what is on its way does not keep the
    /// journal open.
    journal: Mutex<Weak<Mutex<Journal>>>,
    runtime: Handle,
    in_work: Mutex<BTreeMap<LeaseId, Told>>,
}

impl Telling {
    pub(crate) fn new(
        centre: Arc<dyn Centre>,
        journal: &Arc<Mutex<Journal>>,
        runtime: Handle,
    ) -> Self {
        Self {
            centre,
            journal: Mutex::new(Arc::downgrade(journal)),
            runtime,
            in_work: Mutex::default(),
        }
    }

    /// Does something with what is known of a lease in work.
    fn with<T>(&self, lease: LeaseId, act: impl FnOnce(&mut Told) -> T) -> Option<T> {
        let mut in_work = self.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        in_work.get_mut(&lease).map(act)
    }

    /// Tells what is written under a lease, in this person's name, from now on. How far the centre has
    /// it already, its first answer says.
    pub(crate) fn take_up(&self, lease: LeaseId, actor: &Actor) {
        let told = Told {
            actor: actor.clone(),
            lines: 0,
            is_moved: false,
            turn: Arc::default(),
            is_queued: false,
        };
        let mut in_work = self.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        in_work.insert(lease, told);
    }

    /// Tells nothing more of a lease: its report has all. Returns whether its card was moved to another
    /// station meanwhile.
    pub(crate) fn lay_down(&self, lease: LeaseId) -> bool {
        let mut in_work = self.in_work.lock().unwrap_or_else(PoisonError::into_inner);
        in_work.remove(&lease).is_some_and(|told| told.is_moved)
    }

    /// Takes note that a card was moved to another station.
    pub(crate) fn note_moved(&self, lease: LeaseId) {
        self.with(lease, |told| told.is_moved = true);
    }

    /// Reads nothing more of the journal.
    pub(crate) fn close(&self) {
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
    }

    /// Sends what is written of a lease on its way, and does not wait for it. What is not told now goes
    /// with what is written next, or with the report.
    pub(crate) fn nudge(self: &Arc<Self>, lease: LeaseId) {
        let was_queued = self.with(lease, |told| std::mem::replace(&mut told.is_queued, true));
        if was_queued != Some(false) {
            return;
        }
        let telling = Arc::clone(self);
        let work = async move {
            if let Err(error) = telling.tell_durable(lease).await {
                tracing::info!(%lease, error = chain(&error), "lines are told later");
            }
        };
        self.runtime.spawn(work.in_current_span());
    }

    /// Makes all that is written under a lease durable. Returns how many lines that are.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`]: the journal cannot be written.
    pub(crate) fn written(&self, lease: LeaseId) -> Result<u64, ApiError> {
        self.reading(|journal| {
            journal.harden()?;
            journal.durable(lease)
        })
    }

    /// Tells what is written under a lease, of which the centre must have so many lines. What another chip
    /// of the blank writes meanwhile goes with them as far as it fits, and is waited for by nobody: else a
    /// card could wait for the other's lines for ever.
    ///
    /// # Errors
    /// [`ApiError`]: the centre does not have them all.
    pub(crate) async fn tell(&self, lease: LeaseId, lines: u64) -> Result<(), ApiError> {
        let Some(_turn) = self.turn(lease).await else {
            return Ok(());
        };
        self.send(lease, lines).await
    }

    /// Tells what is durable under a lease.
    async fn tell_durable(&self, lease: LeaseId) -> Result<(), ApiError> {
        let Some(_turn) = self.turn(lease).await else {
            return Ok(());
        };
        let lines = self.reading(|journal| journal.durable(lease))?;
        self.send(lease, lines).await
    }

    /// Waits until nobody else tells the lines of a lease; none where it is not in work.
    async fn turn(&self, lease: LeaseId) -> Option<OwnedMutexGuard<()>> {
        let turn = self.with(lease, |told| Arc::clone(&told.turn))?;
        let turn = turn.lock_owned().await;
        self.with(lease, |told| told.is_queued = false);
        Some(turn)
    }

    /// Returns in whose name a lease's lines are told, and how many are.
    fn known(&self, lease: LeaseId) -> Option<(Actor, u64)> {
        self.with(lease, |told| (told.actor.clone(), told.lines))
    }

    /// Does something with the journal; nothing once the station has ended.
    fn reading<T: Default>(
        &self,
        act: impl FnOnce(&mut Journal) -> Result<T, StationError>,
    ) -> Result<T, ApiError> {
        let reading = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(journal) = reading.upgrade() else {
            return Ok(T::default());
        };
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut journal).map_err(|error| ApiError::Unavailable {
            reason: chain(&error),
        })
    }

    async fn send(&self, lease: LeaseId, until: u64) -> Result<(), ApiError> {
        let mut last_asked = None;
        loop {
            let known = self.known(lease).filter(|(_, known)| *known < until);
            let Some((actor, known)) = known else {
                return Ok(());
            };
            let lines = self.reading(|journal| journal.lines_after(lease, known, MOST_LINES))?;
            if lines.is_empty() {
                return Ok(());
            }
            if last_asked.replace(known) == Some(known) {
                return Err(ApiError::Conflict {
                    reason: "the centre takes no more lines of this document".to_owned(),
                });
            }
            let first = known + 1;
            let part = JournalPart {
                lease,
                first,
                lines,
            };
            let kept = self.centre.tell(&actor, &part).await;
            if matches!(kept, Err(ApiError::Moved { .. })) {
                self.note_moved(lease);
            }
            let kept = kept?;
            self.with(lease, |told| told.lines = kept.lines);
        }
    }
}

/// What becomes of a line beside that it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The card waits until the centre has it: it announces what may not be done twice, or the first
    /// step of a stage.
    Awaited,
    /// It is on its way behind the card's back: so ended what may not be done twice.
    Told,
    /// It is of what may be done once more, behind the first step of its stage: a station that lost it does
    /// that.
    Light,
}

/// What the lines of a chip's run weigh.
pub(crate) struct Lines {
    /// The stage of each step that lasts, and whether it may be done twice.
    steps: BTreeMap<String, (usize, bool)>,
    /// The stage of the last step that was begun.
    stage: Cell<Option<usize>>,
}

impl Lines {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut steps = BTreeMap::new();
        for (at, stage) in plan.stages.iter().enumerate() {
            if stage.sealed {
                steps.insert(stage.name.clone(), (at, false));
                continue;
            }
            for step in stage.steps.iter().filter(|step| step.verb.is_lasting()) {
                steps.insert(step.name(), (at, plan.may_repeat(step)));
            }
        }
        Self {
            steps,
            stage: Cell::new(None),
        }
    }

    pub(crate) fn weigh(&self, entry: &JournalEntry) -> Weight {
        // What the plan does not know is not known to be harmless.
        let known = self.steps.get(&entry.step).copied();
        let (stage, may_repeat) = known.map_or((None, false), |(stage, may)| (Some(stage), may));
        match (entry.moment, may_repeat) {
            (Moment::Outcome, true) => Weight::Light,
            (Moment::Outcome | Moment::Withdrawn, _) => Weight::Told,
            (Moment::Intent, _) => {
                let is_entered = self.stage.replace(stage) == stage;
                match may_repeat && is_entered {
                    true => Weight::Light,
                    false => Weight::Awaited,
                }
            }
        }
    }
}
