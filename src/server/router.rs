//! What is served, at which address.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::guard::guard;
use crate::health::health_router;
use crate::people::people_router;
use crate::problem::{Fault, Problem};
use crate::state::Server;
use crate::station::station_router;

/// Returns everything that the server answers, guarded. Each part of `/v1` brings its own routes.
pub fn router(server: Server) -> Router {
    let body = DefaultBodyLimit::max(server.limits().body);
    Router::new()
        .merge(health_router())
        .merge(station_router())
        .merge(people_router())
        .fallback(async || Problem::new(Fault::NoSuchAddress, "nothing is served at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(Fault::Method, "this address does not take the method")
        })
        .layer(body)
        .layer(from_fn_with_state(server.clone(), guard))
        .with_state(server)
}
