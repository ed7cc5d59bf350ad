//! Who has the shift at the station, and whose documents are in work.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use api::Actor;

/// The person in whose name the slots work; nobody before a shift and after it.
pub(crate) struct Shift {
    actor: Mutex<Option<Actor>>,
    /// In whose name each slot makes a document now.
    in_hand: Mutex<BTreeMap<String, String>>,
}

impl Shift {
    /// Begins with a person, or with nobody.
    pub(crate) fn begun(actor: Option<Actor>) -> Self {
        Self {
            actor: Mutex::new(actor),
            in_hand: Mutex::default(),
        }
    }

    /// Returns the station and the person.
    pub(crate) fn actor(&self) -> Option<Actor> {
        self.actor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Hands the shift over.
    pub(crate) fn begin(&self, actor: Actor) {
        *self.actor.lock().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    /// Ends the shift.
    pub(crate) fn end(&self) {
        *self.actor.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that a slot makes a document in a person's name, until what is returned is dropped.
    pub(crate) fn take_in_hand(&self, slot: &str, person: &str) -> InHand<'_> {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.insert(slot.to_owned(), person.to_owned());
        InHand {
            shift: self,
            slot: slot.to_owned(),
        }
    }

    /// Returns the slots that make documents in a person's name.
    pub(crate) fn in_hand_of(&self, person: &str) -> Vec<String> {
        let in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = in_hand.iter().filter(|(_, whose)| *whose == person);
        theirs.map(|(slot, _)| slot.clone()).collect()
    }
}

/// A document in work at a slot.
pub(crate) struct InHand<'a> {
    shift: &'a Shift,
    slot: String,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let in_hand = self.shift.in_hand.lock();
        let mut in_hand = in_hand.unwrap_or_else(PoisonError::into_inner);
        in_hand.remove(&self.slot);
    }
}
