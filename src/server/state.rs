//! What the handlers share.

use std::sync::Arc;

use central::Central;
use report::Plan;
use tokio::sync::Semaphore;

use crate::limits::Limits;
use crate::people::Meters;
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
}

impl Server {
    /// Makes the server of a store whose office plans nothing.
    pub fn new(central: Central, limits: Limits) -> Self {
        Self::with_plan(central, limits, Plan::default())
    }

    /// Makes the server of a store, with what its office means to issue.
    pub fn with_plan(central: Central, limits: Limits, plan: Plan) -> Self {
        Self(Arc::new(Inner {
            central,
            requests: Arc::new(Semaphore::new(limits.requests)),
            large: Semaphore::new(limits.large),
            limits,
            turned_away: TurnedAway::default(),
            meters: Meters::default(),
            plan: Arc::new(plan),
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

    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.0.plan)
    }

    pub(crate) fn turned_away(&self) -> &TurnedAway {
        &self.0.turned_away
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.0.meters
    }

    pub(crate) fn large(&self) -> &Semaphore {
        &self.0.large
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
