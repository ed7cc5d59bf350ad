//! The journal of a document in work goes to the centre as it is written, so that another station can
//! go on with its card where this one never comes back.
//!
//! ```text
//!   line, durable here ─┬─ most: on its way behind the card's back
//!                       └─ before what may not be done twice: the card waits until the centre has it
//! ```
//!
//! So the centre knows of everything that was begun and may not be done twice; of the rest it may lack
//! the last lines, all of one stage, and whoever goes on takes each step of that stage for begun
//! (`perso::Past::suppose`).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use api::{Actor, ApiError, Centre, JournalLine, JournalPart, LeaseId, MOST_LINES};
use perso::{JournalEntry, Moment};
use profile::Plan;
use tokio::runtime::Handle;
use tracing::Instrument;

use crate::error::chain;
use crate::journal::Journal;

/// How far the centre has the journal of a document in work here.
struct Told {
    lease: LeaseId,
    actor: Actor,
    lines: u64,
    is_moved: bool,
}

/// Tells the centre what is written down of the documents in work.
pub(crate) struct Telling {
    centre: Arc<dyn Centre>,
    /// Held while it is read, and none once the station has ended: what is on its way does not keep the
    /// journal open.
    journal: Mutex<Weak<Mutex<Journal>>>,
    runtime: Handle,
    /// In the order in which they were begun.
    in_work: Mutex<Vec<Told>>,
    /// Held by whoever tells, so that the order holds.
    turn: tokio::sync::Mutex<()>,
    /// Somebody waits for the turn, and will tell all that is written by then.
    is_queued: AtomicBool,
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
            turn: tokio::sync::Mutex::default(),
            is_queued: AtomicBool::new(false),
        }
    }

    fn in_work(&self) -> MutexGuard<'_, Vec<Told>> {
        self.in_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is written under a lease, in this person's name, from now on. How far the centre has
    /// it already, its first answer says.
    pub(crate) fn take_up(&self, lease: LeaseId, actor: &Actor) {
        let told = Told {
            lease,
            actor: actor.clone(),
            lines: 0,
            is_moved: false,
        };
        let mut in_work = self.in_work();
        in_work.retain(|told| told.lease != lease);
        in_work.push(told);
    }

    /// Tells nothing more of a lease: its report has all. Returns whether its card was moved to another
    /// station meanwhile.
    pub(crate) fn lay_down(&self, lease: LeaseId) -> bool {
        let mut in_work = self.in_work();
        let own = in_work.iter().position(|told| told.lease == lease);
        own.is_some_and(|own| in_work.remove(own).is_moved)
    }

    /// Takes note that a card was moved to another station.
    pub(crate) fn note_moved(&self, lease: LeaseId) {
        let mut in_work = self.in_work();
        if let Some(told) = in_work.iter_mut().find(|told| told.lease == lease) {
            told.is_moved = true;
        }
    }

    /// Reads nothing more of the journal.
    pub(crate) fn close(&self) {
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = Weak::new();
    }

    /// Sends what is written on its way, and does not wait for it. What is not told now goes with what
    /// is written next, or with the report.
    pub(crate) fn nudge(self: &Arc<Self>) {
        if self.is_queued.swap(true, Ordering::SeqCst) {
            return;
        }
        let telling = Arc::clone(self);
        let work = async move {
            let _turn = telling.turn.lock().await;
            telling.is_queued.store(false, Ordering::SeqCst);
            let leases: Vec<_> = telling.in_work().iter().map(|told| told.lease).collect();
            for lease in leases {
                if let Err(error) = telling.send(lease).await {
                    tracing::info!(%lease, error = chain(&error), "lines are told later");
                }
            }
        };
        self.runtime.spawn(work.in_current_span());
    }

    /// Tells all that is written under a lease.
    ///
    /// # Errors
    /// [`ApiError`]: the centre does not have it, or not all of it.
    pub(crate) async fn tell(&self, lease: LeaseId) -> Result<(), ApiError> {
        let _turn = self.turn.lock().await;
        self.send(lease).await
    }

    /// Returns in whose name a lease's lines are told, and how many are.
    fn known(&self, lease: LeaseId) -> Option<(Actor, u64)> {
        let in_work = self.in_work();
        let mut own = in_work.iter().filter(|told| told.lease == lease);
        own.next().map(|told| (told.actor.clone(), told.lines))
    }

    fn lines_after(&self, lease: LeaseId, known: u64) -> Result<Vec<JournalLine>, ApiError> {
        let reading = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(journal) = reading.upgrade() else {
            return Ok(Vec::new());
        };
        let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = journal.lines_after(lease, known, MOST_LINES);
        lines.map_err(|error| ApiError::Unavailable {
            reason: chain(&error),
        })
    }

    async fn send(&self, lease: LeaseId) -> Result<(), ApiError> {
        let mut last_asked = None;
        loop {
            let Some((actor, known)) = self.known(lease) else {
                return Ok(());
            };
            let lines = self.lines_after(lease, known)?;
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
            let mut in_work = self.in_work();
            if let Some(told) = in_work.iter_mut().find(|told| told.lease == lease) {
                told.lines = kept.lines;
            }
        }
    }
}

/// Which lines of a chip's run the centre must have before what they announce is done.
pub(crate) struct Awaited {
    /// The stage of each step that lasts, and whether it may be done twice.
    steps: BTreeMap<String, (usize, bool)>,
    /// The stage of the last step that was begun.
    stage: Cell<Option<usize>>,
}

impl Awaited {
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

    /// Returns whether the card waits until the centre has this line: where it announces what may not
    /// be done twice, and where a stage begins.
    pub(crate) fn is_awaited(&self, entry: &JournalEntry) -> bool {
        if entry.moment != Moment::Intent {
            return false;
        }
        // What the plan does not know is not known to be harmless.
        let known = self.steps.get(&entry.step).copied();
        let (stage, may_repeat) = known.map_or((None, false), |(stage, may)| (Some(stage), may));
        let is_entered = self.stage.replace(stage) == stage;
        !may_repeat || !is_entered
    }
}
