//! Where one life of a station meets its fault.
//!
//! A killed process does nothing more. Here its threads are in this process: the one that meets the
//! fault is unwound, with a payload that is no panic of the product's, and every other is at its
//! next command, write or call.

use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::fault::{Fault, Point, Seam};

/// With what a killed thread is unwound.
struct Killed;

/// How often each seam was passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Seam::ALL.len()]);

impl Counts {
    /// Returns how often a seam was passed.
    #[must_use]
    pub fn of(&self, seam: Seam) -> u64 {
        self.0.get(seam as usize).copied().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct State {
    armed: Option<Point>,
    lasting: Option<Fault>,
    counts: Counts,
    /// It is killed as soon as the write is done that is just made.
    is_due: bool,
    is_dead: bool,
}

/// Counts what one life of a station does, and says where it meets its fault.
#[derive(Debug, Default)]
pub(crate) struct Trip {
    state: Mutex<State>,
    killed: Notify,
    /// What is said where the station is to be killed from outside: then its threads only halt.
    outside: Option<fn()>,
}

impl Trip {
    pub(crate) fn armed(point: Option<Point>) -> Self {
        Self {
            state: Mutex::new(State {
                armed: point,
                ..State::default()
            }),
            ..Self::default()
        }
    }

    /// Halts at the fault, and says so: somebody else kills the process.
    pub(crate) fn halting(point: Option<Point>, say: fn()) -> Self {
        Self {
            outside: Some(say),
            ..Self::armed(point)
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a seam; returns what goes wrong there. A dead station passes none, but what it asked
    /// before goes its way: an authority is behind the centre.
    pub(crate) fn pass(&self, seam: Seam) -> Option<Fault> {
        let mut state = self.state();
        if state.is_dead && seam != Seam::Order {
            drop(state);
            self.die();
        }
        if let Some(count) = state.counts.0.get_mut(seam as usize) {
            *count += 1;
        }
        let count = state.counts.of(seam);
        let is_here = |point: &Point| point.fault.seam() == seam && point.at == count;
        if let Some(point) = state.armed.take_if(|point| is_here(point)) {
            state.lasting = Some(point.fault).filter(|fault| fault.lasts());
            return Some(point.fault);
        }
        self.lasting_in(&state, seam)
    }

    /// Passes a seam without counting; returns what goes wrong there for good. A dead station passes none.
    pub(crate) fn pass_by(&self, seam: Seam) -> Option<Fault> {
        let state = self.state();
        if state.is_dead {
            drop(state);
            self.die();
        }
        self.lasting_in(&state, seam)
    }

    /// Returns what goes wrong at a seam for good, without counting.
    pub(crate) fn lasting(&self, seam: Seam) -> Option<Fault> {
        self.lasting_in(&self.state(), seam)
    }

    fn lasting_in(&self, state: &State, seam: Seam) -> Option<Fault> {
        state.lasting.filter(|fault| fault.seam() == seam)
    }

    /// Kills the station, this thread first.
    pub(crate) fn die(&self) -> ! {
        let was_dead = std::mem::replace(&mut self.state().is_dead, true);
        if let Some(say) = self.outside {
            if !was_dead {
                say();
            }
            loop {
                std::thread::park();
            }
        }
        self.killed.notify_one();
        resume_unwind(Box::new(Killed))
    }

    /// Kills the station after the write that is about to be made.
    pub(crate) fn die_next(&self) {
        self.state().is_due = true;
    }

    /// Kills the station, where its last write is done.
    pub(crate) fn die_if_due(&self) {
        let is_due = self.state().is_due;
        if is_due {
            self.die();
        }
    }

    /// Returns once the station is killed.
    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Tells whether the fault was met.
    pub(crate) fn is_met(&self) -> bool {
        self.state().armed.is_none()
    }
}
