//! The body of a request, read within bounds.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::problem::{Fault, Problem};
use crate::state::Server;

/// A request's body: JSON of this type, no longer and no slower than the limits have it.
///
/// What does not parse is told by place alone: its text may hold a secret.
#[derive(Clone, Copy, Debug)]
pub struct Posted<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Server> for Posted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE);
        let is_json = kind.is_some_and(|kind| {
            let kind = kind.as_bytes().split(|byte| *byte == b';').next();
            kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
        });
        if !is_json {
            let detail = "send the body as application/json";
            return Err(Problem::new(Fault::MediaType, detail));
        }
        let limits = server.limits();
        let reading = to_bytes(request.into_body(), limits.body);
        let body = tokio::time::timeout(limits.body_time, reading).await;
        let body = body.map_err(|_| {
            let seconds = limits.body_time.as_secs();
            let detail = format!("the body did not arrive within {seconds} s");
            Problem::new(Fault::TooSlow, detail)
        })?;
        let body = body.map_err(|error| unread(&error, limits.body))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "is not what this address takes",
                _ => "is no JSON",
            };
            let detail = format!("the body {what}, at line {line}, column {column}");
            Problem::new(Fault::Invalid, detail)
        })
    }
}

/// Says why a body was not read: it is too long, or the connection broke.
pub(crate) fn unread(error: &axum::Error, most: usize) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        // The type of the limit's own error is not public where it is made.
        if error.to_string().contains("length limit exceeded") {
            let detail = format!("a body is at most {most} bytes long");
            return Problem::new(Fault::TooLarge, detail);
        }
        cause = error.source();
    }
    Problem::new(Fault::Invalid, "the body broke off")
}
