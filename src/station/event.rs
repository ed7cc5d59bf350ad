//! What happens at a station, for whoever watches.

use api::{BlankEnd, ReportedChip};
use document::Kind;

/// Something that happened at a slot.
#[derive(Clone, Debug)]
pub struct Event {
    /// The slot's name.
    pub slot: String,
    /// What happened.
    pub happening: Happening,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The slot waits for a blank.
    WaitingForCard,
    /// There is a blank, but nothing to make.
    NothingToDo,
    /// A document was begun.
    Started {
        /// Its number.
        number: String,
        /// Its kind.
        kind: Kind,
    },
    /// It went on.
    Progress {
        /// The running step.
        step: String,
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// It ended.
    Finished {
        /// Its number.
        number: String,
        /// Where the blank ended.
        end: BlankEnd,
        /// The chips that were reached, with what passed through their readers.
        chips: Vec<ReportedChip>,
        /// The certificates that were issued.
        certificates: usize,
        /// How long it took.
        milliseconds: u64,
    },
    /// The slot cannot go on by itself.
    NeedsPerson {
        /// Why, and what to do.
        reason: String,
    },
}
