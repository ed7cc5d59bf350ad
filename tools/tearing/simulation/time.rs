//! The time of one simulation. It stands still unless it is moved on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The time that is right, in milliseconds from the beginning.
#[derive(Debug)]
pub(super) struct Time {
    begin: Timestamp,
    passed: AtomicI64,
}

impl Time {
    pub(super) fn from(begin: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            begin,
            passed: AtomicI64::new(0),
        })
    }

    /// Returns how many milliseconds have passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed).unsigned_abs()
    }

    /// Moves on.
    pub(super) fn pass(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or_default();
        self.passed.fetch_add(by, Ordering::Relaxed);
    }

    fn shown(&self, wrong: i64) -> Timestamp {
        let passed = self.passed.load(Ordering::Relaxed).saturating_add(wrong);
        self.begin + SignedDuration::from_millis(passed)
    }
}

/// The centre's clock, which is right.
#[derive(Debug)]
pub(super) struct CentreClock(pub(super) Arc<Time>);

impl central::Clock for CentreClock {
    fn now(&self) -> Timestamp {
        self.0.shown(0)
    }
}

/// A station's clock, which is wrong by some milliseconds.
#[derive(Clone, Debug)]
pub(super) struct StationClock {
    time: Arc<Time>,
    wrong: Arc<AtomicI64>,
}

impl StationClock {
    pub(super) fn of(time: &Arc<Time>) -> Self {
        Self {
            time: Arc::clone(time),
            wrong: Arc::default(),
        }
    }

    /// Sets it wrong by so many milliseconds.
    pub(super) fn set_wrong(&self, by: i64) {
        self.wrong.store(by, Ordering::Relaxed);
    }
}

impl station::Clock for StationClock {
    fn now(&self) -> Timestamp {
        self.time.shown(self.wrong.load(Ordering::Relaxed))
    }
}
