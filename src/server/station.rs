//! `/v1/station`: what a station asks, over TLS with its certificate. Each operation is one value that
//! says everything of it.
//!
//! ```text
//!   operations() ─┬─► routes
//!                 ├─► openapi.json
//!                 └─► tests         a case for each: no certificate, a suspended station, the wrong
//!                                   person, the right one
//!
//!   Peer's certificate ──► books ──► the station     never what the request says
//!   Authorization: Bearer ──► session ──► the person, signed in at this station
//!                                 └──► Actor ──► api::Centre, one POST for each method
//! ```

mod asker;
mod centre;
mod described;
mod operation;
mod turned_away;

use api::wire::{Renewal, RenewedCertificate, StationSelf};
use axum::Router;
use jiff::Timestamp;

pub(crate) use asker::station_of;
pub(crate) use described::{SCHEME, described, scheme};
pub(crate) use operation::Operation;
pub(crate) use turned_away::TurnedAway;

use crate::problem::Problem;
use crate::state::Server;
use crate::station::asker::At;
use crate::station::operation::{Trace, shows, takes};

#[cfg(test)]
pub(crate) use operation::Access;

/// Returns every operation of stations.
pub(crate) fn operations() -> Vec<Operation> {
    let mut operations = vec![
        Operation::own(
            "self",
            "Tells a station how the store knows it.",
            shows(own),
            Trace::Nothing,
        ),
        Operation::own(
            "renew",
            "Gives a station its next certificate.",
            takes(renew),
            Trace::Always("station.renewed"),
        ),
    ];
    operations.extend(centre::operations());
    operations
}

/// Returns the routes of stations.
pub(crate) fn station_router() -> Router<Server> {
    let route = |router: Router<Server>, operation: Operation| {
        router.route(&operation.path(), operation.answers)
    };
    operations().into_iter().fold(Router::new(), route)
}

/// Tells a station how the store knows it.
async fn own(server: Server, At(station): At) -> Result<StationSelf, Problem> {
    Ok(StationSelf {
        name: station.name,
        office: station.office,
        environment: server.central().environment(),
        not_after: station.not_after,
        now: Timestamp::now(),
    })
}

/// Gives a station its next certificate.
async fn renew(
    server: Server,
    At(station): At,
    renewal: Renewal,
) -> Result<RenewedCertificate, Problem> {
    let central = server.central();
    let certificate = central.renew_station(&station, &renewal.request).await?;
    Ok(RenewedCertificate { certificate })
}
