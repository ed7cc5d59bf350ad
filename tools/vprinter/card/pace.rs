//! How long a printer takes.

use std::time::{Duration, Instant};

/// When a printer was ordered something, and how long it was about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// When the first order was heard.
    pub first: Option<Instant>,
    /// When the last one was answered.
    pub last: Option<Instant>,
    /// How long it was about all of them: from each that was heard whole to its answer.
    pub busy: Duration,
}

impl Worked {
    /// Notes an order that was heard at a moment, and is answered now.
    pub(super) fn note(&mut self, heard: Instant) {
        self.first.get_or_insert(heard);
        let answered = Instant::now();
        self.busy += answered - heard;
        self.last = Some(answered);
    }
}

/// How long each motion takes. Round figures of a desktop printer, not measured on one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Nothing takes time.
    #[default]
    None,
    /// As long as a printer takes.
    Real,
}

impl Pace {
    /// Returns how long a card takes from one place to the next.
    pub(super) const fn motion(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Real => Duration::from_millis(1500),
        }
    }

    /// Returns how long a panel takes.
    pub(super) const fn panel(self, letter: char) -> Duration {
        match (self, letter) {
            (Self::None, _) => Duration::ZERO,
            (Self::Real, 'k') => Duration::from_millis(2000),
            (Self::Real, 'o') => Duration::from_millis(3000),
            (Self::Real, _) => Duration::from_millis(4000),
        }
    }
}
