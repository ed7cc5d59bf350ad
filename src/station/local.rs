//! The station's own interface, for the people who stand at it: loopback only, HTTP, JSON.
//!
//! ```text
//!  browser, zimogs station … ── 127.0.0.1 ──► door ──► /v1/station…   orders, shift, what stands where
//!                                              │          │
//!                                              │          └─► Station, Board
//!                                              └────────► /v1/…       passed on to the centre, under the
//!                                                                     station's certificate and the
//!                                                                     person's session
//! ```
//!
//! Who signs in through the station has one session: its token opens the station's own interface and
//! the centre's. There are no cookies, and a request that was not meant for this machine's own name
//! is refused: no page of somebody else's reaches it.

mod client;
mod door;
mod orders;
mod overview;
mod passing;
mod problem;
mod shifts;
mod stream;
mod visitors;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{any, get, post};
use document::{Environment, OfficeCode};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::board::Board;
use crate::event::Event;
use crate::remote::RemoteCentre;
use crate::station::Station;

pub use client::{Act, Confirmation, Entry, LocalClient, LocalError};
pub use overview::{CentreView, Overview};

use problem::LocalProblem;
use visitors::Visitors;

/// The longest body of a request, in bytes: a delivery's list of blanks is the longest.
const MAX_BODY: usize = 8 << 20;

/// What the local interface shows and moves.
#[derive(Clone)]
pub struct Local(Arc<Inner>);

struct Inner {
    name: String,
    environment: Environment,
    office: Option<OfficeCode>,
    station: Station,
    centre: Arc<RemoteCentre>,
    board: Mutex<Board>,
    centre_view: Mutex<CentreView>,
    visitors: Visitors,
}

impl Local {
    /// Makes the interface of a running station.
    pub fn new(
        name: String,
        environment: Environment,
        office: Option<OfficeCode>,
        station: Station,
        centre: Arc<RemoteCentre>,
        board: Board,
    ) -> Self {
        let centre_view = CentreView::unknown(centre.server());
        Self(Arc::new(Inner {
            name,
            environment,
            office,
            station,
            centre,
            board: Mutex::new(board),
            centre_view: Mutex::new(centre_view),
            visitors: Visitors::default(),
        }))
    }

    /// Returns the station.
    pub fn station(&self) -> &Station {
        &self.0.station
    }

    /// Returns the board.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in how the station stands with its centre.
    pub fn note_centre(&self, view: CentreView) {
        *self.centre_view() = view;
    }

    fn centre_view(&self) -> MutexGuard<'_, CentreView> {
        let view = self.0.centre_view.lock();
        view.unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the events of a watch onto the board, until the station is gone.
    pub async fn follow(self, mut events: broadcast::Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => self.board().note(&event, jiff::Timestamp::now()),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }
}

/// Returns everything that is answered locally.
fn router(local: Local) -> Router {
    Router::new()
        .route("/v1/station", get(overview::show))
        .route("/v1/station/events", get(stream::events))
        .route("/v1/station/acts", get(shifts::acts))
        .route("/v1/station/shift", post(shifts::begin).delete(shifts::end))
        .route("/v1/station/pause", post(orders::pause_all))
        .route("/v1/station/start", post(orders::start_all))
        .route("/v1/station/slots/{slot}/pause", post(orders::pause))
        .route("/v1/station/slots/{slot}/start", post(orders::start))
        .route("/v1/station/slots/{slot}/giving-up", post(orders::give_up))
        .route("/v1/{*path}", any(passing::pass))
        .fallback(async || LocalProblem::nothing_here())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(door::meant_for_here))
        .with_state(local)
}

/// Answers until `stop` comes. Long answers end with it.
///
/// # Errors
/// Those of the network; a listener that others than this machine reach is refused.
pub async fn serve_local(
    listener: TcpListener,
    local: Local,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    if !listener.local_addr()?.ip().is_loopback() {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "the station's own interface listens on the loopback interface only",
        ));
    }
    tokio::select! {
        served = axum::serve(listener, router(local)).into_future() => served,
        () = stop => Ok(()),
    }
}

#[cfg(test)]
#[path = "../../tests/station/local.rs"]
mod scenarios;
