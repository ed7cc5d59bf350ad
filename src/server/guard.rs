//! What every request passes: it gets an identity, its time is bounded, it runs to its end, and
//! what fails is a problem detail.

use std::time::Instant;

use api::wire::TRACEPARENT;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;
use uuid::Uuid;

use crate::peer::Peer;
use crate::problem::{Fault, Problem};
use crate::state::Server;

/// The header that tells a client how the server's log knows its request.
const REQUEST: HeaderName = HeaderName::from_static("x-request-id");

/// Runs a request.
pub(crate) async fn guard(State(server): State<Server>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let method = request.method().clone();
    // The route, not the address: in an address may stand what is no log's business.
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id, %method, route = &*route);
    if let (Some(adopt), Some(trace)) = (server.adopt(), trace_of(&request)) {
        adopt(&span, trace);
    }
    let begun = Instant::now();
    let response = run(&server, request, next).instrument(span.clone()).await;
    let response = dressed(response, &id);
    let took = begun.elapsed();
    let milliseconds = took.as_millis();
    let status = response.status().as_u16();
    let problem = response.extensions().get::<Problem>();
    let outcome = problem.map_or("ok", |problem| problem.fault().name());
    if let Some(metrics) = server.metrics() {
        metrics.answered(&method, &route, outcome, took);
    }
    span.in_scope(|| match response.extensions().get::<Problem>() {
        Some(problem) => {
            tracing::info!(
                status,
                milliseconds,
                problem = problem.fault().name(),
                "answered"
            );
        }
        None => tracing::info!(status, milliseconds, "answered"),
    });
    response
}

/// Returns the trace that a request says it is part of. Only who shows a certificate is heard: nobody
/// else has traces here.
fn trace_of(request: &Request) -> Option<&str> {
    let peer = request.extensions().get::<Peer>()?;
    peer.certificate.as_ref()?;
    request.headers().get(TRACEPARENT)?.to_str().ok()
}

async fn run(server: &Server, request: Request, next: Next) -> Response {
    let Ok(permit) = server.requests().clone().try_acquire_owned() else {
        return Problem::new(Fault::Busy, "the server has too much to do; ask again").answer(None);
    };
    // What was begun is brought to its end: a certificate must not be signed for a client that
    // went away, and then be in no book.
    let work = async move {
        let response = next.run(request).await;
        drop(permit);
        response
    };
    let work = tokio::spawn(work.in_current_span());
    match tokio::time::timeout(server.limits().answer, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a handler ended without an answer");
            Problem::new(Fault::Unavailable, "the server failed at this request").answer(None)
        }
        Err(_) => {
            let detail = "it takes longer than clients are let wait; ask the same again";
            Problem::new(Fault::NoAnswer, detail).answer(None)
        }
    }
}

/// Makes the answer one of this server's.
fn dressed(response: Response, id: &str) -> Response {
    let status = response.status();
    let problem = response.extensions().get::<Problem>().cloned();
    let foreign = status.is_client_error() || status.is_server_error();
    let allowed = response.headers().get(ALLOW).cloned();
    let mut response = match problem {
        Some(problem) => problem.answer(Some(id)),
        None if foreign => Problem::of_status(status).answer(Some(id)),
        None => response,
    };
    let headers = response.headers_mut();
    if let Some(allowed) = allowed {
        headers.insert(ALLOW, allowed);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST, id);
    }
    // Answers hold keys and people's data: nobody on the way keeps them.
    let store = HeaderValue::from_static("no-store");
    headers.entry(CACHE_CONTROL).or_insert(store);
    let year = HeaderValue::from_static("max-age=31536000");
    headers.insert(STRICT_TRANSPORT_SECURITY, year);
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(HeaderName::from_static("x-content-type-options"), nosniff);
    response
}
