//! What fails at the station itself, as problem details (*RFC 9457*), named as at the centre.

use api::ApiError;
use api::wire::{PROBLEM_JSON, PROBLEMS, Problem};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::error::{StationError, chain};

/// A problem on its way out.
#[derive(Debug)]
pub(crate) struct LocalProblem {
    name: &'static str,
    status: StatusCode,
    exit: u8,
    title: &'static str,
    detail: String,
}

impl LocalProblem {
    const fn new(
        (name, status, exit, title): (&'static str, StatusCode, u8, &'static str),
        detail: String,
    ) -> Self {
        Self {
            name,
            status,
            exit,
            title,
            detail,
        }
    }

    /// Nobody is signed in.
    pub(crate) fn unauthenticated() -> Self {
        let kind = (
            "unauthenticated",
            StatusCode::UNAUTHORIZED,
            4,
            "Nobody is signed in",
        );
        Self::new(
            kind,
            "sign in at this station (POST /v1/sign-ins), and send the token as Authorization: Bearer"
                .to_owned(),
        )
    }

    /// A right is missing.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        let kind = ("refused", StatusCode::FORBIDDEN, 4, "Refused");
        Self::new(kind, detail.into())
    }

    /// The request was not meant for this machine's own name.
    pub(crate) fn foreign() -> Self {
        Self::refused("this interface is for this machine: ask it as localhost")
    }

    /// The thing is in another state.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        let kind = (
            "conflict",
            StatusCode::CONFLICT,
            4,
            "It is in another state",
        );
        Self::new(kind, detail.into())
    }

    /// There is no such slot.
    pub(crate) fn no_slot(slot: &str) -> Self {
        let kind = (
            "not-found",
            StatusCode::NOT_FOUND,
            4,
            "There is no such thing",
        );
        Self::new(kind, format!("there is no slot {slot:?} at this station"))
    }

    /// There is nothing at the address.
    pub(crate) fn nothing_here() -> Self {
        let kind = (
            "no-such-address",
            StatusCode::NOT_FOUND,
            2,
            "There is nothing here",
        );
        Self::new(kind, "nothing is served at this address".to_owned())
    }

    fn invalid(detail: String) -> Self {
        let kind = (
            "invalid",
            StatusCode::BAD_REQUEST,
            2,
            "The request is not valid",
        );
        Self::new(kind, detail)
    }

    fn unavailable(detail: String) -> Self {
        let kind = (
            "unavailable",
            StatusCode::SERVICE_UNAVAILABLE,
            1,
            "The store cannot answer now",
        );
        Self::new(kind, detail)
    }
}

impl From<ApiError> for LocalProblem {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Invalid { reason } => Self::invalid(reason),
            other => Self::unavailable(other.to_string()),
        }
    }
}

impl From<StationError> for LocalProblem {
    fn from(error: StationError) -> Self {
        Self::unavailable(chain(&error))
    }
}

impl IntoResponse for LocalProblem {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("{PROBLEMS}{}", self.name),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            instance: None,
            exit: self.exit,
            members: serde_json::Map::new(),
        };
        let body = serde_json::to_string(&problem).unwrap_or_default();
        (self.status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response()
    }
}
