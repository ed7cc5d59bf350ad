//! A person's own requests to the centre, passed on as they are: verdicts, blanks, counts, the close of
//! the day, confirmations of a second person. The station adds its certificate, and hears only who
//! comes and goes.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use document::Role;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::local::Local;
use crate::local::problem::LocalProblem;
use crate::local::visitors::Visitor;
use crate::wiped::{Wiped, taken};

/// What goes on of a request's header.
const ASKED: [HeaderName; 4] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    HeaderName::from_static("idempotency-key"),
];
/// What comes back of an answer's.
const ANSWERED: [HeaderName; 4] = [CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER];

/// An answer of the centre's to a sign-in, as far as it says who is in.
/// Before the second factor there is neither token nor session.
#[derive(Deserialize)]
struct HowFar {
    token: Option<String>,
    session: Option<Session>,
}

#[derive(Deserialize)]
struct Session {
    account: String,
    roles: Vec<String>,
    expires: Timestamp,
}

pub(crate) async fn pass(
    State(local): State<Local>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, LocalProblem> {
    let body = taken(body);
    let path = uri.path();
    // What the station itself asks is not asked by others in its name.
    if path.starts_with("/v1/station/") || !path.starts_with("/v1/") {
        return Err(LocalProblem::nothing_here());
    }
    let is_sign_out = method == Method::DELETE && path == "/v1/session";
    let sender = local.0.visitors.sender(&headers, Timestamp::now());
    if let Some(visitor) = sender.as_ref().filter(|_| is_sign_out) {
        local.let_go(&visitor.person)?;
    }
    let is_sign_in = method == Method::POST && path.starts_with("/v1/sign-ins");
    let target = uri.path_and_query().map_or(path, |target| target.as_str());
    let headers = only(&ASKED, &headers);
    let answer = local.0.centre.pass(method, target, headers, body).await?;
    if is_sign_in && answer.status == StatusCode::OK.as_u16() {
        local.welcome(&answer.body);
    }
    if let Some(visitor) = sender.filter(|_| is_sign_out) {
        local.0.visitors.dismiss(&visitor.person);
        local.0.centre.dismiss(&visitor.person);
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = only(&ANSWERED, &answer.headers);
    let body = Wiped::from(answer.body).into_bytes();
    Ok((status, headers, body).into_response())
}

fn only(names: &[HeaderName], headers: &HeaderMap) -> HeaderMap {
    let kept = names.iter().filter_map(|name| {
        let value = headers.get(name)?;
        Some((name.clone(), value.clone()))
    });
    kept.collect()
}

impl Local {
    /// Remembers who signed in.
    fn welcome(&self, answer: &[u8]) {
        let Ok(how_far) = serde_json::from_slice::<HowFar>(answer) else {
            return;
        };
        let (Some(token), Some(session)) = (how_far.token.map(Zeroizing::new), how_far.session)
        else {
            return;
        };
        let visitor = Visitor {
            roles: session
                .roles
                .iter()
                .filter_map(|role| role.parse::<Role>().ok())
                .collect(),
            token: api::Secret::new(token.as_bytes()),
            expires: session.expires,
            person: session.account,
        };
        // Who has the shift and signs in again goes on with the new session.
        let shift = self.0.station.shift();
        if shift.is_some_and(|actor| actor.person == visitor.person) {
            self.0.centre.admit(&visitor.person, visitor.token.clone());
        }
        self.0.visitors.admit(visitor);
    }
}
