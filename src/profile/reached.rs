//! For tests: which of the places that raise an error were reached.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::Mutex;

static REACHED: Mutex<BTreeSet<(&'static str, u32)>> = Mutex::new(BTreeSet::new());

/// Notes a place that raised an error.
pub(crate) fn note(place: &'static Location<'static>) {
    REACHED.lock().unwrap().insert((place.file(), place.line()));
}

/// Returns whether a place raised an error, by the end of its file's name and its line.
pub(crate) fn is_reached(file: &str, line: u32) -> bool {
    let reached = REACHED.lock().unwrap();
    reached
        .iter()
        .any(|(found, at)| *at == line && found.ends_with(&format!("profile/{file}")))
}
