//! What fails, as problem details (*RFC 9457*).
//!
//! Each [`Fault`] has a `type` URI, a status and the exit code that a command would end with. A new
//! kind of fault gets a new name; a name is never given another meaning.

use api::{ApiError, wire};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use central::CentralError;
use serde_json::{Map, Value, json};

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The request makes no sense.
    Invalid,
    /// An application has faults; each of them is named.
    Application,
    /// Nobody is signed in.
    Unauthenticated,
    /// The client shows no certificate, or one that is not accepted.
    Certificate,
    /// A rule or a missing right forbids it.
    Refused,
    /// It takes a second person, who did not confirm it.
    SecondPerson,
    /// There is no such thing.
    NotFound,
    /// There is nothing at this address.
    NoSuchAddress,
    /// The address does not take this method.
    Method,
    /// The thing is in another state than the request supposes.
    Conflict,
    /// The thing was changed since it was read.
    Precondition,
    /// An `Idempotency-Key` was another request's.
    KeyReused,
    /// The chip's cryptogram does not fit its keys.
    WrongKeys,
    /// The chips are not those of one blank.
    NotOneBlank,
    /// The document's card was moved to another station.
    Moved,
    /// A card that was begun elsewhere may lie in the slot: its chips are to be named.
    ChipsWanted,
    /// The request is longer than it may be.
    TooLarge,
    /// The body is of another media type than this address takes.
    MediaType,
    /// The request did not arrive in time.
    TooSlow,
    /// The client asks too often.
    TooMany,
    /// The server has too much to do.
    Busy,
    /// The server did not answer in time. What was asked for may be done yet.
    NoAnswer,
    /// The store cannot do it now.
    Unavailable,
    /// Stored data are damaged.
    Damaged,
}

impl Fault {
    /// Every kind of problem.
    pub const ALL: [Self; 24] = [
        Self::Invalid,
        Self::Application,
        Self::Unauthenticated,
        Self::Certificate,
        Self::Refused,
        Self::SecondPerson,
        Self::NotFound,
        Self::NoSuchAddress,
        Self::Method,
        Self::Conflict,
        Self::Precondition,
        Self::KeyReused,
        Self::WrongKeys,
        Self::NotOneBlank,
        Self::Moved,
        Self::ChipsWanted,
        Self::TooLarge,
        Self::MediaType,
        Self::TooSlow,
        Self::TooMany,
        Self::Busy,
        Self::NoAnswer,
        Self::Unavailable,
        Self::Damaged,
    ];

    /// Returns name, status, exit code and title.
    const fn parts(self) -> (&'static str, u16, u8, &'static str) {
        match self {
            Self::Invalid => ("invalid", 400, 2, "The request is not valid"),
            Self::Application => ("application", 422, 4, "The application is refused"),
            Self::Unauthenticated => ("unauthenticated", 401, 4, "Nobody is signed in"),
            Self::Certificate => ("certificate", 403, 4, "The certificate is not accepted"),
            Self::Refused => ("refused", 403, 4, "Refused"),
            Self::SecondPerson => ("second-person", 403, 4, "A second person is wanted"),
            Self::NotFound => ("not-found", 404, 4, "There is no such thing"),
            Self::NoSuchAddress => ("no-such-address", 404, 2, "There is nothing here"),
            Self::Method => ("method", 405, 2, "This address does not take the method"),
            Self::Conflict => ("conflict", 409, 4, "It is in another state"),
            Self::Precondition => ("precondition", 412, 4, "It was changed meanwhile"),
            Self::KeyReused => ("key-reused", 422, 2, "The key was another request's"),
            Self::WrongKeys => ("wrong-keys", 422, 3, "The keys of the chip are not ours"),
            Self::NotOneBlank => ("not-one-blank", 422, 4, "The chips are not of one blank"),
            Self::Moved => ("moved", 409, 4, "The card was moved to another station"),
            Self::ChipsWanted => ("chips-wanted", 409, 4, "The chips in the slot are wanted"),
            Self::TooLarge => ("too-large", 413, 2, "The request is too large"),
            Self::MediaType => ("media-type", 415, 2, "The media type is not taken"),
            Self::TooSlow => ("too-slow", 408, 1, "The request did not arrive in time"),
            Self::TooMany => ("too-many", 429, 4, "Too many requests"),
            Self::Busy => ("busy", 503, 1, "The server is busy"),
            Self::NoAnswer => ("no-answer", 503, 1, "There is no answer in time"),
            Self::Unavailable => ("unavailable", 503, 1, "The store cannot answer now"),
            Self::Damaged => ("damaged", 500, 5, "Stored data are damaged"),
        }
    }

    /// Returns the name, the last part of the `type` URI.
    pub const fn name(self) -> &'static str {
        self.parts().0
    }

    /// Returns the HTTP status.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.parts().1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the exit code that a command would end with.
    pub const fn exit(self) -> u8 {
        self.parts().2
    }

    /// Returns what stands for an answer that is no success and says no more.
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Refused,
            404 => Self::NoSuchAddress,
            405 => Self::Method,
            408 => Self::TooSlow,
            409 => Self::Conflict,
            412 => Self::Precondition,
            413 => Self::TooLarge,
            415 => Self::MediaType,
            429 => Self::TooMany,
            500.. => Self::Unavailable,
            _ => Self::Invalid,
        }
    }
}

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    fault: Fault,
    detail: String,
    members: Map<String, Value>,
}

impl Problem {
    /// Makes a problem that says what happened and what to do. The text goes to the client: it names
    /// no holder and holds no secret.
    pub fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self {
            fault,
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// Adds a member of this kind of problem (*RFC 9457 §3.2*).
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Returns what kind of problem it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Returns the problem that an answer of another origin is: a framework's own refusals say in
    /// plain text what they have read, which need not go further.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let fault = Fault::of_status(status);
        Self::new(fault, fault.parts().3)
    }

    /// Returns the problem as it travels.
    pub fn wire(&self, request: Option<&str>) -> wire::Problem {
        let (name, status, exit, title) = self.fault.parts();
        wire::Problem {
            kind: format!("{}{name}", wire::PROBLEMS),
            title: title.to_owned(),
            status,
            detail: self.detail.clone(),
            instance: request.map(|request| format!("urn:uuid:{request}")),
            exit,
            members: self.members.clone(),
        }
    }

    /// Returns the answer to a request of this identity.
    pub(crate) fn answer(self, request: Option<&str>) -> Response {
        let body = serde_json::to_vec(&self.wire(request)).unwrap_or_default();
        let mut response = (self.fault.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::PROBLEM_JSON));
        if matches!(self.fault.status().as_u16(), 408 | 429 | 503) {
            let seconds = self.members.get("retry_after").and_then(Value::as_u64);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.unwrap_or(1)));
        }
        if self.fault == Fault::Unauthenticated {
            // RFC 6750 §3.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.answer(None)
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let fault = match &error {
            ApiError::Invalid { .. } => Fault::Invalid,
            ApiError::Refused { .. } => Fault::Refused,
            ApiError::NotFound { .. } => Fault::NotFound,
            ApiError::Conflict { .. } => Fault::Conflict,
            ApiError::WrongKeys => Fault::WrongKeys,
            ApiError::NotOneBlank { .. } => Fault::NotOneBlank,
            ApiError::Moved { .. } => Fault::Moved,
            ApiError::ChipsWanted => Fault::ChipsWanted,
            _ => Fault::Unavailable,
        };
        let members = match serde_json::to_value(&error) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        Self {
            fault,
            detail: error.to_string(),
            members,
        }
    }
}

impl From<CentralError> for Problem {
    fn from(error: CentralError) -> Self {
        match error {
            CentralError::Application { faults } => {
                let listed = faults.iter().map(|fault| {
                    json!({
                        "field": fault.field, "code": fault.code.to_string(),
                        "message": fault.message,
                    })
                });
                let listed: Vec<_> = listed.collect();
                let detail = format!("the application has {} faults", listed.len());
                Self::new(Fault::Application, detail).with("faults", listed)
            }
            CentralError::Damaged { .. } => {
                tracing::error!(%error, "stored data are damaged");
                Self::new(Fault::Damaged, error.to_string())
            }
            CentralError::SignIn | CentralError::NoSession => {
                Self::new(Fault::Unauthenticated, error.to_string())
            }
            CentralError::TooSoon { seconds } => {
                Self::new(Fault::TooMany, error.to_string()).with("retry_after", seconds)
            }
            CentralError::Changed => Self::new(Fault::Precondition, error.to_string()),
            CentralError::SecondPerson => Self::new(Fault::SecondPerson, error.to_string()),
            CentralError::Busy { .. } => Self::new(Fault::Busy, error.to_string()),
            error => ApiError::from(error).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_no_success() {
        let names: BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            assert!(fault.status().as_u16() >= 400 && (1..=5).contains(&fault.exit()));
        }
    }

    proptest! {
        #[test]
        fn a_client_reads_the_error_that_was_made_a_problem(which in 0..9, text in any::<String>()) {
            let reason = text.clone();
            let error = match which {
                0 => ApiError::Invalid { reason },
                1 => ApiError::Refused { reason },
                2 => ApiError::NotFound { what: text },
                3 => ApiError::Conflict { reason },
                4 => ApiError::WrongKeys,
                5 => ApiError::NotOneBlank { reason },
                6 => ApiError::Moved { reason },
                7 => ApiError::ChipsWanted,
                _ => ApiError::Unavailable { reason },
            };
            let problem = Problem::from(error.clone());
            let sent = serde_json::to_vec(&problem.wire(Some("0192f0c1"))).unwrap();
            let read: wire::Problem = serde_json::from_slice(&sent).unwrap();
            prop_assert_eq!(read.status, problem.fault().status().as_u16());
            prop_assert_eq!(read.error(), error);
        }
    }
}
