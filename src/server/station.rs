//! `/v1/station`: what a station asks, over TLS with its certificate.
//!
//! ```text
//!   Peer's certificate ──► books ──► the station     never what the request says
//!   Authorization: Bearer ──► session ──► the person, signed in at this station
//!                                 └──► Actor ──► api::Centre, one POST for each method
//! ```

mod asker;
mod centre;
mod turned_away;

use api::wire::{Renewal, RenewedCertificate, StationSelf};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;

pub(crate) use asker::station_of;
pub(crate) use turned_away::TurnedAway;

use crate::posted::Posted;
use crate::problem::Problem;
use crate::state::Server;
use crate::station::asker::At;

/// Returns the routes of stations.
pub(crate) fn station_router() -> Router<Server> {
    Router::new()
        .merge(centre::routes())
        .route("/v1/station/self", get(own))
        .route("/v1/station/renew", post(renew))
}

/// Tells a station how the store knows it.
async fn own(State(server): State<Server>, At(station): At) -> Json<StationSelf> {
    Json(StationSelf {
        name: station.name,
        office: station.office,
        environment: server.central().environment(),
        not_after: station.not_after,
        now: Timestamp::now(),
    })
}

/// Gives a station its next certificate.
async fn renew(
    State(server): State<Server>,
    At(station): At,
    Posted(renewal): Posted<Renewal>,
) -> Result<Json<RenewedCertificate>, Problem> {
    let central = server.central();
    let certificate = central.renew_station(&station, &renewal.request).await?;
    Ok(Json(RenewedCertificate { certificate }))
}
