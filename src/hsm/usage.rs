//! What a token was asked, and how long it took: for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::HsmError;

/// What a token was asked by this program, all in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// How many calls there were.
    pub calls: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How long they took, the wait for a free session included.
    pub time: Duration,
}

/// Counts the calls.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    calls: AtomicU64,
    failures: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Usage {
    /// Counts a call that ended so.
    pub(crate) fn count<T>(&self, begun: Instant, ended: &Result<T, HsmError>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if ended.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
    }

    /// Returns the counts.
    pub(crate) fn get(&self) -> TokenUsage {
        TokenUsage {
            calls: self.calls.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
    }
}
