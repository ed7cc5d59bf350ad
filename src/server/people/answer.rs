//! What an operation answers.

use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Fault, Problem};

/// The answer of an operation that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: Option<String>,
    tag: Option<String>,
    location: Option<String>,
    /// The media type of what is no JSON.
    #[serde(default)]
    media: Option<String>,
}

impl Answer {
    /// It is done; there is nothing to say.
    pub(crate) fn nothing() -> Self {
        Self {
            status: 204,
            body: None,
            tag: None,
            location: None,
            media: None,
        }
    }

    /// JSON.
    pub(crate) fn json<T: Serialize>(value: &T) -> Result<Self, Problem> {
        let body = serde_json::to_string(value)
            .map_err(|_| Problem::new(Fault::Damaged, "the answer cannot be written down"))?;
        Ok(Self {
            status: 200,
            body: Some(body),
            ..Self::nothing()
        })
    }

    /// Text of another media type.
    pub(crate) fn text(media: &str, body: String) -> Self {
        Self {
            status: 200,
            body: Some(body),
            media: Some(media.to_owned()),
            ..Self::nothing()
        }
    }

    /// Something new is there.
    pub(crate) fn created<T: Serialize>(at: String, value: &T) -> Result<Self, Problem> {
        Ok(Self {
            status: 201,
            location: Some(at),
            ..Self::json(value)?
        })
    }

    /// It is asked for, and not done yet.
    pub(crate) fn awaited<T: Serialize>(at: String, value: &T) -> Result<Self, Problem> {
        Ok(Self {
            status: 202,
            location: Some(at),
            ..Self::json(value)?
        })
    }

    /// Adds the tag of what is shown.
    pub(crate) fn tagged(mut self, tag: &str) -> Self {
        self.tag = Some(format!("\"{tag}\""));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = match self.body {
            Some(body) => (status, body).into_response(),
            None => status.into_response(),
        };
        let headers = response.headers_mut();
        if status != StatusCode::NO_CONTENT {
            let json = HeaderValue::from_static("application/json");
            let media = self
                .media
                .and_then(|media| HeaderValue::from_str(&media).ok());
            headers.insert(CONTENT_TYPE, media.unwrap_or(json));
        }
        for (name, value) in [(ETAG, self.tag), (LOCATION, self.location)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// The `cursor` of the next page; null on the last.
    pub(crate) next: Option<String>,
}
