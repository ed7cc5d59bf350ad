//! What carries a request to the centre's server, and its answer back: HTTPS, or where a rehearsal has
//! a network of its own.

use async_trait::async_trait;
use axum::body::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Url};
use zeroize::Zeroizing;

use crate::wiped::taken;

/// The longest answer that is read, in bytes: a lease with its portraits is the longest.
const MAX_ANSWER: usize = 8 << 20;

/// A request on its way. Each copy shares its body.
#[derive(Clone)]
pub struct Asked {
    /// The HTTP method.
    pub method: Method,
    /// The path and the query.
    pub target: String,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body; empty where there is none.
    pub body: Bytes,
}

/// The server's answer.
pub struct Passed {
    /// The HTTP status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// Carries requests to one server.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Carries a request there, once, and its answer back. Inside: nothing where the answer is longer
    /// than any that a centre gives.
    ///
    /// # Errors
    /// Why there is no answer. Whether the request arrived is not known then.
    async fn carry(&self, asked: Asked) -> Result<Option<Passed>, String>;
}

/// By HTTPS.
pub(crate) struct Https {
    pub(crate) client: Client,
    pub(crate) server: Url,
}

#[async_trait]
impl Courier for Https {
    async fn carry(&self, asked: Asked) -> Result<Option<Passed>, String> {
        let address = self.server.join(&asked.target);
        let address = address.map_err(|_| "there is no such address".to_owned())?;
        let mut request = self.client.request(asked.method, address);
        request = request.headers(asked.headers);
        if !asked.body.is_empty() {
            request = request.body(asked.body);
        }
        let response = request.send().await.map_err(|error| said(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = body_of(response).await?;
        Ok(body.map(|body| Passed {
            status,
            headers,
            body,
        }))
    }
}

/// Reads an answer's body; nothing where it is too long.
async fn body_of(mut response: reqwest::Response) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| said(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&taken(chunk));
    }
    Ok(Some(body))
}

/// Says that an answer was not read to its end.
pub(crate) fn too_long() -> String {
    format!("the answer is longer than {MAX_ANSWER} bytes")
}

/// Returns an error with its causes, without the address.
fn said(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "the centre was not reached"
    } else {
        "the connection broke"
    };
    let mut text = what.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
