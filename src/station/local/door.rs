//! What every request passes: that it was meant for this machine's own name.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::local::problem::LocalProblem;

/// Names of this machine for itself.
const OWN: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Refuses a request for another host's name (a name that was bound anew to this machine), and one
/// that another place's page sends.
pub(crate) async fn meant_for_here(request: Request, next: Next) -> Response {
    match is_meant_for_here(request.headers()) {
        true => next.run(request).await,
        false => LocalProblem::foreign().into_response(),
    }
}

fn is_meant_for_here(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let is_own_host = headers.get(HOST).is_some_and(|host| is_own(&text(host)));
    let is_own_origin = headers.get(ORIGIN).is_none_or(|origin| {
        let origin = text(origin);
        origin.strip_prefix("http://").is_some_and(is_own)
    });
    is_own_host && is_own_origin
}

/// Returns whether a host, with or without its port, is this machine by its own name.
fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    OWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_its_own() {
        for own in [
            "localhost",
            "localhost:8447",
            "127.0.0.1:8447",
            "[::1]:8447",
            "[::1]",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "evil.example",
            "localhost.evil.example:8447",
            "127.0.0.1.evil.example",
            "",
            "10.0.0.1:8447",
            "localhost:evil",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }
}
