//! The threads of all stations, of which one moves at a time: whoever has the turn goes on until there
//! is nothing to do but wait.
//!
//! ```text
//!   play ── let_go ──► slot's thread ── … commands, writes, calls … ── pass ──► play
//! ```

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use station::Turns;

/// With what a killed thread is unwound.
pub(super) struct Killed;

/// A thread, by its place in the order in which they came.
pub(super) type Place = usize;

struct Thread {
    station: usize,
    slot: String,
    is_over: bool,
    /// It is killed when it has the turn again.
    is_condemned: bool,
}

#[derive(Default)]
struct State {
    /// Who has the turn; none: the play.
    turn: Option<Place>,
    threads: Vec<Thread>,
}

/// Where the threads of one simulation stand.
#[derive(Default)]
pub(super) struct Floor {
    state: Mutex<State>,
    changed: Condvar,
}

/// A thread's place, which it leaves at its end.
struct Seat {
    floor: Arc<Floor>,
    place: Place,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.floor.state();
        if let Some(thread) = state.threads.get_mut(self.place) {
            thread.is_over = true;
        }
        if state.turn == Some(self.place) {
            state.turn = None;
        }
        self.floor.changed.notify_all();
    }
}

thread_local! {
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

impl Floor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the calling thread, a slot's, move by turns from now on.
    pub(super) fn enter(self: &Arc<Self>, station: usize) {
        if SEAT.with_borrow(Option::is_some) {
            return;
        }
        let slot = std::thread::current().name().unwrap_or_default().to_owned();
        let place = {
            let mut state = self.state();
            state.threads.push(Thread {
                station,
                slot,
                is_over: false,
                is_condemned: false,
            });
            state.threads.len() - 1
        };
        self.changed.notify_all();
        let floor = Arc::clone(self);
        SEAT.set(Some(Seat { floor, place }));
        self.wait_for_turn(place);
    }

    fn wait_for_turn(&self, place: Place) {
        let waits = |state: &mut State| state.turn != Some(place);
        let state = self.changed.wait_while(self.state(), waits);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let is_condemned = state.threads.get(place).is_some_and(|own| own.is_condemned);
        drop(state);
        if is_condemned {
            resume_unwind(Box::new(Killed));
        }
    }

    /// Waits until so many threads of a station are there that are not over. Returns them in the order
    /// of their slots.
    pub(super) fn entered(&self, station: usize, count: usize) -> Vec<Place> {
        let living = |state: &State| {
            let threads = state.threads.iter().enumerate();
            let own = threads.filter(|(_, thread)| thread.station == station && !thread.is_over);
            let mut own: Vec<_> = own
                .map(|(place, thread)| (thread.slot.clone(), place))
                .collect();
            own.sort_unstable();
            own
        };
        let lacks = |state: &mut State| living(state).len() < count;
        let state = self.changed.wait_while(self.state(), lacks);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        living(&state).into_iter().map(|(_, place)| place).collect()
    }

    /// Gives a thread the turn, and waits until it gives it back. Returns whether it is over.
    pub(super) fn let_go(&self, place: Place) -> bool {
        let is_over = |state: &State| state.threads.get(place).is_none_or(|own| own.is_over);
        let mut state = self.state();
        if is_over(&state) {
            return true;
        }
        state.turn = Some(place);
        self.changed.notify_all();
        let goes = |state: &mut State| state.turn.is_some();
        let state = self.changed.wait_while(state, goes);
        is_over(&state.unwrap_or_else(PoisonError::into_inner))
    }

    /// Kills a thread where it waits.
    pub(super) fn kill(&self, place: Place) {
        if let Some(thread) = self.state().threads.get_mut(place) {
            thread.is_condemned = true;
        }
        while !self.let_go(place) {}
    }
}

/// The turns of slots' threads.
pub(super) struct ByTurns(pub(super) Arc<Floor>);

impl Turns for ByTurns {
    fn pass(&self) {
        let place = SEAT.with_borrow(|seat| seat.as_ref().map(|seat| seat.place));
        // What is no slot's thread has the turn all the time.
        let Some(place) = place else { return };
        {
            let mut state = self.0.state();
            state.turn = None;
            self.0.changed.notify_all();
        }
        self.0.wait_for_turn(place);
    }
}
