//! What the handlers share.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use central::{Central, Duty};
use report::Plan;
use tokio::sync::Semaphore;

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::people::{Meters, Pace};
use crate::problem::{Fault, Problem};
use crate::station::TurnedAway;

/// The server's state. Clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    central: Central,
    limits: Limits,
    /// One permit for each request in work.
    requests: Arc<Semaphore>,
    /// One permit for each request in work whose body may be longer than usual.
    large: Semaphore,
    turned_away: TurnedAway,
    meters: Meters,
    plan: Arc<Plan>,
    metrics: Option<Metrics>,
    adopt: OnceLock<Adopt>,
    periods: BTreeMap<Duty, Duration>,
}

/// Makes the span of a request a child of what its `traceparent` names (*W3C Trace Context §3.2*).
pub type Adopt = fn(&tracing::Span, &str);

impl Server {
    /// Makes the server of a store whose office plans nothing.
    pub fn new(central: Central, limits: Limits) -> Self {
        Self::with_plan(central, limits, Plan::default())
    }

    /// Makes the server of a store, with what its office means to issue.
    pub fn with_plan(central: Central, limits: Limits, plan: Plan) -> Self {
        Self::planned(central, limits, plan, BTreeMap::new())
    }

    /// Makes the server of a store, with what its office means to issue, and how often its duties are
    /// done where that is not as usual.
    pub fn planned(
        central: Central,
        limits: Limits,
        plan: Plan,
        periods: BTreeMap<Duty, Duration>,
    ) -> Self {
        Self(Arc::new(Inner {
            // Whatever it was opened for: over the network, nobody stands before the machine.
            central: central.with_nobody(),
            requests: Arc::new(Semaphore::new(limits.requests)),
            large: Semaphore::new(limits.large),
            limits,
            turned_away: TurnedAway::default(),
            meters: Meters::default(),
            plan: Arc::new(plan),
            metrics: metrics(),
            adopt: OnceLock::new(),
            periods,
        }))
    }

    /// Returns the store.
    pub fn central(&self) -> &Central {
        &self.0.central
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns how often a duty is to be done.
    pub fn period(&self, duty: Duty) -> Duration {
        let own = self.0.periods.get(&duty);
        own.copied().unwrap_or_else(|| duty.usual())
    }

    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.0.plan)
    }

    pub(crate) fn turned_away(&self) -> &TurnedAway {
        &self.0.turned_away
    }

    /// Takes one request of somebody who may ask so fast.
    ///
    /// # Errors
    /// [`Fault::TooMany`], with the seconds to wait.
    pub(crate) fn pace(&self, whose: &str, pace: Pace) -> Result<(), Problem> {
        let taken = self.0.meters.take(whose, pace, Instant::now());
        taken.map_err(|seconds| {
            Problem::new(Fault::TooMany, "too many requests; ask more slowly")
                .with("retry_after", seconds)
        })
    }

    pub(crate) fn large(&self) -> &Semaphore {
        &self.0.large
    }

    /// Lets the requests of stations be parts of the traces that they say they are of. The first call
    /// counts.
    pub fn adopt_traces(&self, adopt: Adopt) {
        let _ = self.0.adopt.set(adopt);
    }

    pub(crate) fn adopt(&self) -> Option<Adopt> {
        self.0.adopt.get().copied()
    }

    /// Returns the figures that are kept.
    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.0.metrics.as_ref()
    }

    /// Notes that something which runs by the clock beside the server did its work, or failed.
    pub fn timer_ran(&self, timer: &'static str, is_done: bool) {
        if let Some(metrics) = self.metrics() {
            metrics.timer(timer, is_done);
        }
    }

    pub(crate) fn requests(&self) -> &Arc<Semaphore> {
        &self.0.requests
    }

    /// Waits until no request is in work, at most as long as the limits have it. Returns whether
    /// all came to their end.
    pub(crate) async fn drained(&self) -> bool {
        let all = u32::try_from(self.0.limits.requests).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(self.0.limits.drain, self.requests().acquire_many(all));
        drained.await.is_ok()
    }
}

/// Returns new instruments. A server without any serves all the same.
fn metrics() -> Option<Metrics> {
    Metrics::new()
        .inspect_err(|error| tracing::error!(%error, "no figures are kept"))
        .ok()
}
