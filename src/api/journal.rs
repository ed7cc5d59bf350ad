//! A station's journal of a document in work, at the centre too: so that another station can go on with
//! its card where this one never comes back.

use serde::{Deserialize, Serialize};

use crate::{JournalLine, LeaseId};

/// The most lines of one [`JournalPart`].
pub const MOST_LINES: usize = 256;

/// Lines of a lease's journal, in their order. A part that comes twice, or overlaps with what the centre
/// has, adds nothing twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPart {
    /// The lease.
    pub lease: LeaseId,
    /// The place of the first of these lines in the lease's journal, from 1.
    pub first: u64,
    /// The lines, at most [`MOST_LINES`].
    pub lines: Vec<JournalLine>,
}

/// How far the centre has a lease's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalKept {
    /// How many lines, from the first on. Fewer than came before the part: it was not taken, and the
    /// station sends what lies between.
    pub lines: u64,
}
