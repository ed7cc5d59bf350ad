//! The centre: the store in its file, behind the routes of its server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use central::{Central, Clock, DatabaseSource, mark_restored};
use jiff::Timestamp;
use server::{Limits, Pace, Peer, Server, router};
use station::{Asked, Passed};
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;
use zeroize::Zeroizing;

use super::network::Answered;
use super::time::{CentreClock, Time};
use crate::Failure;
use crate::authority::Outside;
use crate::installation::Installation;
use crate::recipe::Recipe;

/// The centre of one simulation, which may be down.
pub(super) struct Centre<'a> {
    installation: &'a Installation,
    recipe: Recipe,
    pub(super) store: PathBuf,
    time: Arc<Time>,
    pub(super) outside: Arc<Outside>,
    runtime: Runtime,
    up: Option<(Central, Router)>,
}

/// So many requests as no simulation makes at once.
fn limits() -> Limits {
    Limits {
        requests: 100_000,
        // It is counted by the machine's clock, which is not the simulation's.
        station: Pace {
            burst: 1e12,
            each_second: 1e12,
        },
        ..Limits::default()
    }
}

impl<'a> Centre<'a> {
    pub(super) fn new(
        installation: &'a Installation,
        recipe: Recipe,
        store: PathBuf,
        time: &Arc<Time>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            outside: installation.authority(),
            installation,
            recipe,
            store,
            time: Arc::clone(time),
            runtime: Builder::new_current_thread().enable_all().build()?,
            up: None,
        })
    }

    /// Starts it, where it is down.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        if self.up.is_some() {
            return Ok(());
        }
        let clock = Arc::new(CentreClock(Arc::clone(&self.time)));
        let outside = Arc::clone(&self.outside);
        let (recipe, store) = (&self.recipe, &self.store);
        let opening = (self.installation).central_by(recipe, store, outside, clock);
        let central = self.runtime.block_on(opening)?;
        let routes = router(Server::new(central.clone(), limits()));
        self.up = Some((central, routes));
        Ok(())
    }

    /// Stops it: what it has in memory alone is gone.
    pub(super) fn stop(&mut self) {
        if let Some((central, routes)) = self.up.take() {
            drop(routes);
            self.runtime.block_on(central.close());
        }
    }

    /// Returns the moment that its clock shows.
    pub(super) fn now(&self) -> Timestamp {
        CentreClock(Arc::clone(&self.time)).now()
    }

    /// Writes into the store, which is down, that it is restored from a copy of that moment.
    pub(super) fn mark_restored(&self, copied: Timestamp, pass_over: u32) -> Result<(), Failure> {
        let source = DatabaseSource::Sqlite(self.store.clone());
        let marking = mark_restored(&source, self.now(), Some(copied), None, pass_over);
        self.runtime.block_on(marking)?;
        Ok(())
    }

    /// Does something at the store itself, where it is up.
    pub(super) fn with<T>(
        &self,
        act: impl AsyncFnOnce(&Central) -> Result<T, Failure>,
    ) -> Option<Result<T, Failure>> {
        let (central, _) = self.up.as_ref()?;
        Some(self.runtime.block_on(act(central)))
    }

    /// Answers a station's request.
    pub(super) fn answer(&mut self, certificate: &Arc<[u8]>, asked: Asked) -> Answered {
        let Some((_, routes)) = &mut self.up else {
            return Err("the centre was not reached".into());
        };
        let mut request = Request::new(Body::from(asked.body));
        *request.method_mut() = asked.method;
        *request.uri_mut() = asked
            .target
            .parse()
            .map_err(|_| "there is no such address")?;
        *request.headers_mut() = asked.headers;
        request.extensions_mut().insert(Peer {
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            certificate: Some(Arc::clone(certificate)),
        });
        self.runtime.block_on(async {
            let response = match routes.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await;
            Ok(Passed {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body: Zeroizing::new(body.map_err(|error| error.to_string())?.to_vec()),
            })
        })
    }
}
