//! Each method of [`api::Centre`] as `POST /v1/station/NAME`.
//!
//! A method may be repeated after a lost answer, so that a client need not know whether its request
//! arrived: the store gives the same answer and does nothing twice.

use api::{
    Centre, CertifyRequest, ChannelRequest, ClaimRequest, ConfirmRequest, Hello, Lease,
    LeaseRequest, ProveRequest, PutKeyRequest, Report, SealRequest, SignLdsRequest,
};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};

use crate::posted::Posted;
use crate::problem::Problem;
use crate::state::Server;
use crate::station::asker::Asker;

/// Leases a document. For which office the station works is in the books, whatever it says itself.
async fn lease(
    State(server): State<Server>,
    Asker { actor, office }: Asker,
    Posted(mut request): Posted<LeaseRequest>,
) -> Result<Json<Option<Lease>>, Problem> {
    request.office = office;
    let lease = server.central().lease(&actor, &request).await?;
    if let (Some(_), Some(metrics)) = (&lease, server.metrics()) {
        metrics.leased();
    }
    Ok(Json(lease))
}

/// Takes in how a lease ended.
async fn report(
    State(server): State<Server>,
    Asker { actor, .. }: Asker,
    Posted(report): Posted<Report>,
) -> Result<Json<()>, Problem> {
    server.central().report(&actor, &report).await?;
    if let Some(metrics) = server.metrics() {
        metrics.reported(&report.end);
    }
    Ok(Json(()))
}

macro_rules! methods {
    ($( $path:literal = $method:ident ( $request:ty ); )+) => {
        /// Returns the routes.
        pub(crate) fn routes() -> Router<Server> {
            let own = Router::new()
                .route("/v1/station/lease", post(lease))
                .route("/v1/station/report", post(report));
            own$(.route(
                concat!("/v1/station/", $path),
                post(async |
                    State(server): State<Server>,
                    Asker { actor, .. }: Asker,
                    Posted(request): Posted<$request>,
                | {
                    let answer = server.central().$method(&actor, &request).await;
                    answer.map(Json).map_err(Problem::from)
                }),
            ))+
        }
    };
}

methods! {
    "hello" = hello(Hello);
    "claim" = claim(ClaimRequest);
    "open-channel" = open_channel(ChannelRequest);
    "put-keys" = put_keys(PutKeyRequest);
    "certify" = certify(CertifyRequest);
    "prove" = prove(ProveRequest);
    "sign-lds" = sign_lds(SignLdsRequest);
    "seal" = seal(SealRequest);
    "confirm" = confirm(ConfirmRequest);
}
