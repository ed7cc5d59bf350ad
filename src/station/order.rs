//! What people told a slot to do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The latest order to a slot: to work, at first.
#[derive(Default)]
pub(crate) struct Order {
    paused: AtomicBool,
    given_up: AtomicBool,
    starts: AtomicU64,
}

impl Order {
    /// Lets the slot work, or has it begin nothing more.
    pub(crate) fn give(&self, work: bool) {
        self.paused.store(!work, Ordering::Relaxed);
        if work {
            self.starts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how often it was told to work: who waits for a person waits for the next time.
    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Returns whether the slot is to begin nothing.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Gives the card up that the slot holds.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Returns whether the card that the slot holds is given up.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Forgets what was said of the card before.
    pub(crate) fn take_up(&self) {
        self.given_up.store(false, Ordering::Relaxed);
    }
}
