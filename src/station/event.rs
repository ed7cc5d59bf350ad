//! What happens at a station, for whoever watches.

use std::time::Duration;

use api::{BlankEnd, ReportedChip};
use document::Kind;
use uuid::Uuid;

/// Something that happened at a slot.
#[derive(Clone, Debug)]
pub struct Event {
    /// The slot's name.
    pub slot: String,
    /// What happened.
    pub happening: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The slot does not work until somebody lets it.
    Paused,
    /// The slot does not work until somebody takes the shift.
    NobodyOnShift,
    /// The slot waits for a blank.
    WaitingForCard,
    /// There is a blank, but nothing to make.
    NothingToDo,
    /// The centre cannot be reached: nothing is begun.
    CentreAway {
        /// Why.
        reason: String,
    },
    /// A document was begun.
    Started {
        /// Its number.
        number: String,
        /// Its identity at the store, which stays when it gets another number.
        document: Uuid,
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
    /// The centre cannot be reached: the open card is held, and goes on when it can.
    Parked {
        /// Its number.
        number: String,
    },
    /// It ended.
    Finished {
        /// Its number.
        number: String,
        /// Its identity at the store.
        document: Uuid,
        /// Where the blank ended.
        end: BlankEnd,
        /// The chips that were reached, with what passed through their readers.
        chips: Vec<ReportedChip>,
        /// The certificates that were issued.
        certificates: usize,
        /// How long it took.
        milliseconds: u64,
        /// What it waited for.
        spent: Spent,
    },
    /// The slot has no working reader, or the station's clock is wrong: it works again by itself when
    /// that is mended.
    OutOfService {
        /// Why, and what to do.
        reason: String,
    },
    /// The slot cannot go on by itself.
    NeedsPerson {
        /// Why, and what to do.
        reason: String,
    },
}

/// Where the time of one document went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The cards answered.
    pub card: Duration,
    /// The centre was waited for, and nothing else could be done.
    pub centre: Duration,
    /// As `centre`, for certificates: an authority made them.
    pub authority: Duration,
    /// The printer moved the card and printed it: whatever else passed while a card was inside.
    pub printer: Duration,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.card += other.card;
        self.centre += other.centre;
        self.authority += other.authority;
        self.printer += other.printer;
    }
}
