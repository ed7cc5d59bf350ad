//! Whether the server lives, and whether it can work.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::problem::{Fault, Problem};
use crate::state::Server;

/// Returns `GET /health/live` and `GET /health/ready`, for whoever restarts servers and shares
/// requests out among them. They tell nothing that is not everybody's to know.
pub fn health_router() -> Router<Server> {
    Router::new()
        .route("/health/live", get(async || Json(json!({ "live": true }))))
        .route("/health/ready", get(ready))
}

/// Says whether the store can work: its database answers, its token is logged in to, and its log's
/// entries get into the tree. What it should do by itself and does not is told, too.
async fn ready(State(server): State<Server>) -> Response {
    match server.central().readiness().await {
        Ok(found) if !found.overdue => {
            let waits = found.oldest_waits.map(|wait| wait.as_secs());
            // Requests can be answered all the same: another instance would fail at it, too.
            let neglected = match server.central().neglected(|duty| server.period(duty)).await {
                Ok(neglected) => neglected,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the store is not ready");
                    return Problem::new(Fault::Unavailable, error.to_string()).into_response();
                }
            };
            let neglected: Vec<_> = neglected.iter().map(|one| one.duty.name()).collect();
            Json(json!({
                "ready": true, "database": true, "token": true, "log_waits_seconds": waits,
                "neglected": neglected,
            }))
            .into_response()
        }
        Ok(_) => {
            let detail = "audit entries wait for longer than a minute: the sequencer does not run";
            Problem::new(Fault::Unavailable, detail)
                .with("database", true)
                .with("token", true)
                .with("log", false)
                .into_response()
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "the store is not ready");
            Problem::new(Fault::Unavailable, error.to_string()).into_response()
        }
    }
}

/// Returns an error with its causes, for the server's own log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
