//! How `/v1` looks on the wire: paths, header names, and errors as problem details (*RFC 9457*).

use document::{Environment, OfficeCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_with::hex::Hex;
use serde_with::serde_as;

use crate::ApiError;

/// Below it stands each method of [`crate::Centre`] as `POST STATION/NAME`: the request as JSON in
/// the body, the answer as JSON. The station is the one of the TLS client certificate.
pub const STATION: &str = "/v1/station";

/// The header that names the person who is signed in at the station.
pub const PERSON: &str = "zimogs-person";

/// The header that tells what a request is part of (*W3C Trace Context §3.2*).
pub const TRACEPARENT: &str = "traceparent";

/// The media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What the `type` of each problem begins with; the name of its kind follows.
pub const PROBLEMS: &str = "https://zimogs.example/problems/";

/// An answer that is no success, as it travels (*RFC 9457 §3.1*).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem it is: a URI that stays the same, [`PROBLEMS`] and a name.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and what to do.
    #[serde(default)]
    pub detail: String,
    /// The request that it is about: `urn:uuid:` and its identity, which the server's log has too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The exit code that a command would end with: 1 failed, 2 usage, 3 device, 4 refused, 5
    /// integrity.
    #[serde(default = "failed")]
    pub exit: u8,
    /// What else is said: of an [`ApiError`] its own members.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// How the store knows a station that asks: the answer of `GET /v1/station/self`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationSelf {
    /// Its name.
    pub name: String,
    /// The office that it stands in.
    pub office: Option<OfficeCode>,
    /// What the installation is for.
    pub environment: Environment,
    /// Until when its certificate holds.
    pub not_after: Timestamp,
    /// The server's clock.
    pub now: Timestamp,
}

/// Asks for a station's next certificate: `POST /v1/station/renew`.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// The certification request (PKCS#10) for a new key, DER.
    #[serde_as(as = "Hex")]
    pub request: Vec<u8>,
}

/// A station's next certificate. The one before holds until this one is shown.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewedCertificate {
    /// The certificate, DER.
    #[serde_as(as = "Hex")]
    pub certificate: Vec<u8>,
}

fn failed() -> u8 {
    1
}

impl Problem {
    /// Returns the error that a station is told: the one that the problem was made of, and where it
    /// was made of none (a limit, a certificate, a proxy between), what a station does about it.
    pub fn error(&self) -> ApiError {
        let members = Value::Object(self.members.clone());
        if let Ok(error) = serde_json::from_value(members) {
            return error;
        }
        let reason = match self.detail.is_empty() {
            true => self.title.clone(),
            false => self.detail.clone(),
        };
        match self.status {
            401 | 403 => ApiError::Refused { reason },
            408 | 429 | 500.. => ApiError::Unavailable { reason },
            404 => ApiError::NotFound { what: reason },
            409 | 412 => ApiError::Conflict { reason },
            _ => ApiError::Invalid { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_gives_back_the_error_it_was_made_of() {
        let form = json!({
            "type": "https://zimogs.example/problems/not-one-blank", "title": "t", "status": 422,
            "detail": "the chips are not of one blank: 00 of B-1", "exit": 3,
            "error": "not-one-blank", "reason": "00 of B-1", "later": 1,
        });
        let problem: Problem = serde_json::from_value(form).unwrap();
        let reason = "00 of B-1".to_owned();
        assert_eq!(problem.error(), ApiError::NotOneBlank { reason });
    }

    #[test]
    fn a_problem_of_no_error_is_taken_by_its_status() {
        let said = |status: u16| {
            let form = json!({ "type": "about:blank", "title": "said", "status": status });
            serde_json::from_value::<Problem>(form).unwrap().error()
        };
        let reason = || "said".to_owned();
        assert_eq!(said(403), ApiError::Refused { reason: reason() });
        assert_eq!(said(413), ApiError::Invalid { reason: reason() });
        assert_eq!(said(502), ApiError::Unavailable { reason: reason() });
        assert_eq!(said(429), ApiError::Unavailable { reason: reason() });
        assert_eq!(said(404), ApiError::NotFound { what: reason() });
    }
}
