//! One life of a station's process, which may end at any write of its journal and at any command to a
//! chip.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use station::WriteWatch;

use super::floor::Killed;

/// Where a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doom {
    /// At so many writes from now, before it is durable.
    BeforeWrite(u64),
    /// At so many writes from now, when it is durable.
    AfterWrite(u64),
    /// At so many commands from now, when the chip carried it out.
    AtCommand(u64),
}

#[derive(Debug, Default)]
struct State {
    doom: Option<Doom>,
    is_dead: bool,
    writes: u64,
}

/// One life. All that a dead one still does is to unwind.
#[derive(Clone, Debug, Default)]
pub(super) struct Life(Arc<Mutex<State>>);

impl Life {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where it is killed.
    pub(super) fn doom(&self, doom: Doom) {
        self.state().doom = Some(doom);
    }

    /// Forgets where it was to be killed.
    pub(super) fn spare(&self) {
        self.state().doom = None;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// Returns how often it wrote into its journal.
    pub(super) fn writes(&self) -> u64 {
        self.state().writes
    }

    fn die(&self) -> ! {
        self.state().is_dead = true;
        resume_unwind(Box::new(Killed))
    }

    /// Counts one of what it may be killed at. Tells whether it is now.
    fn is_met(&self, counted: fn(&mut Doom) -> Option<&mut u64>) -> bool {
        let mut state = self.state();
        let Some(left) = state.doom.as_mut().and_then(counted) else {
            return false;
        };
        *left = left.saturating_sub(1);
        *left == 0
    }

    /// A command was carried out.
    pub(super) fn commanded(&self) {
        if self.is_met(at_command) {
            self.die();
        }
    }
}

fn at_command(doom: &mut Doom) -> Option<&mut u64> {
    match doom {
        Doom::AtCommand(left) => Some(left),
        _ => None,
    }
}

fn before(doom: &mut Doom) -> Option<&mut u64> {
    match doom {
        Doom::BeforeWrite(left) => Some(left),
        _ => None,
    }
}

fn after(doom: &mut Doom) -> Option<&mut u64> {
    match doom {
        Doom::AfterWrite(left) => Some(left),
        _ => None,
    }
}

impl WriteWatch for Life {
    fn before(&self) -> rusqlite::Result<()> {
        if self.is_met(before) {
            self.die();
        }
        Ok(())
    }

    fn after(&self, _: bool) {
        self.state().writes += 1;
        if self.is_met(after) {
            self.die();
        }
    }
}
