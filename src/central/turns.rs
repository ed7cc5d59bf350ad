//! Taking turns: one errand at a time for each certificate.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The certificates whose authority is being asked just now.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashSet<String>>);

/// A turn; it ends when this is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    id: String,
}

impl Turns {
    /// Takes the turn of a certificate, unless somebody has it.
    pub(crate) fn take(&self, id: &str) -> Option<Turn<'_>> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(id.to_owned()).then(|| Turn {
            turns: self,
            id: id.to_owned(),
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.id);
    }
}
