//! What relying parties fetch, over HTTP: a status (*RFC 6960 Appendix A*), the CRL and the
//! authority's certificate (*RFC 5280 §4.2.1.13*, *§4.2.2.1*; media types of *RFC 2585*).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cert::ocsp::{MAX_OCSP, Refusal, refusal};
use jiff::Timestamp;

use super::OcspResponder;
use crate::received::{PATIENCE, whole};

const REQUEST: &str = "application/ocsp-request";
const RESPONSE: &str = "application/ocsp-response";

/// Some clients leave the filling out, which in an address would have to be escaped.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The list that was signed last. Clones are the same one.
#[derive(Clone, Default)]
pub struct Published(Arc<RwLock<Option<Bytes>>>);

impl Published {
    /// Puts a list in the place of the one before.
    pub fn put(&self, crl: Vec<u8>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(crl.into());
    }

    fn get(&self) -> Option<Bytes> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.get().map(|crl| crl.len());
        write!(f, "Published({length:?} bytes)")
    }
}

#[derive(Clone)]
struct Served {
    responder: OcspResponder,
    published: Published,
    clock: Clock,
}

/// Returns what answers for an authority: `POST /` and `GET /{request}` for a status, `GET /ca.crl`
/// and `GET /ca.cer`. It knows no user: what it gives is signed, and public.
pub fn router(responder: OcspResponder, published: Published, clock: Clock) -> Router {
    Router::new()
        .route("/", post(posted))
        .route("/ca.cer", get(certificate))
        .route("/ca.crl", get(list))
        .route("/{*request}", get(got))
        .with_state(Served {
            responder,
            published,
            clock,
        })
}

async fn posted(State(served): State<Served>, headers: HeaderMap, body: Body) -> Response {
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind.as_bytes() != REQUEST.as_bytes()) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match whole(body, MAX_OCSP, PATIENCE).await {
        Ok(request) => answered(served.responder.handle(&request, (served.clock)()).await),
        Err(status) => status.into_response(),
    }
}

/// *RFC 6960 Appendix A.1*: the request in base64, escaped as an address wants it; a slash in it
/// may stand as it is.
async fn got(State(served): State<Served>, Path(request): Path<String>) -> Response {
    // A longer address is no request (RFC 5019 §5: 255 bytes), and need not be read.
    let read = (request.len() <= MAX_OCSP).then(|| BASE64.decode(request));
    match read {
        Some(Ok(request)) => answered(served.responder.handle(&request, (served.clock)()).await),
        _ => answered(refusal(Refusal::Malformed)),
    }
}

fn answered(answer: Vec<u8>) -> Response {
    // A hold that ends is to be seen at once; an answer says itself how long it holds.
    let headers = [
        (header::CONTENT_TYPE, RESPONSE),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, answer).into_response()
}

async fn certificate(State(served): State<Served>) -> Response {
    let der = served.responder.ca().certificate().as_der().to_vec();
    ([(header::CONTENT_TYPE, "application/pkix-cert")], der).into_response()
}

async fn list(State(served): State<Served>) -> Response {
    match served.published.get() {
        Some(crl) => ([(header::CONTENT_TYPE, "application/pkix-crl")], crl).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
