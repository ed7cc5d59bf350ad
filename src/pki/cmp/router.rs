//! The endpoint over HTTP (*RFC 9811*, *RFC 9483 §6.1*).

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::post;
use jiff::Timestamp;

use crate::cmp::message::MAX_MESSAGE;
use crate::cmp::server::CmpServer;
use crate::received::{PATIENCE, whole};

/// The type of CMP messages (*RFC 9811 §3.4*).
pub(crate) const PKIXCMP: &str = "application/pkixcmp";

#[derive(Clone)]
struct Endpoint {
    server: Arc<CmpServer>,
    clock: fn() -> Timestamp,
}

impl CmpServer {
    /// Returns the routes: `POST /.well-known/cmp`, and `/.well-known/cmp/p/PROFILE`.
    pub fn router(self: Arc<Self>, clock: fn() -> Timestamp) -> Router {
        let endpoint = Endpoint {
            server: self,
            clock,
        };
        Router::new()
            .route("/.well-known/cmp", post(plain))
            .route("/.well-known/cmp/p/{profile}", post(profiled))
            .with_state(endpoint)
    }
}

async fn plain(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Body) -> Response<Body> {
    endpoint.answer(None, &headers, body).await
}

async fn profiled(
    State(endpoint): State<Endpoint>,
    Path(profile): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    endpoint.answer(Some(&profile), &headers, body).await
}

impl Endpoint {
    async fn answer(
        &self,
        profile: Option<&str>,
        headers: &HeaderMap,
        body: Body,
    ) -> Response<Body> {
        let kind = headers.get(header::CONTENT_TYPE);
        let is_cmp =
            kind.is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(PKIXCMP.as_bytes()));
        let mut response = Response::new(Body::empty());
        if !is_cmp {
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let request = match whole(body, MAX_MESSAGE, PATIENCE).await {
            Ok(request) => request,
            Err(status) => {
                *response.status_mut() = status;
                return response;
            }
        };
        // What goes wrong is told in the message; HTTP's part of it is done.
        let answer = self.server.handle(profile, &request, (self.clock)()).await;
        *response.body_mut() = Body::from(answer);
        let kind = header::HeaderValue::from_static(PKIXCMP);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().insert(
            header::CACHE_CONTROL,
            header::HeaderValue::from_static("no-store"),
        );
        response
    }
}
