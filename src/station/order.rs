//! What people told a slot to do.

use std::sync::atomic::{AtomicBool, Ordering};

/// The latest order to a slot: to work, at first.
#[derive(Default)]
pub(crate) struct Order {
    paused: AtomicBool,
    given_up: AtomicBool,
}

impl Order {
    /// Lets the slot work, or has it begin nothing more.
    pub(crate) fn give(&self, work: bool) {
        self.paused.store(!work, Ordering::Relaxed);
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
