//! One message there, one message back (*RFC 9811*).

use std::sync::Arc;
use std::time::Duration;

use cert::Certificate;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::authority::AuthorityError;
use crate::cmp::config::{CmpConfig, CmpConfigError};
use crate::cmp::message::MAX_MESSAGE;
use crate::cmp::router::PKIXCMP;

/// How long a connection waits for the next message of its transaction.
const IDLE: Duration = Duration::from_secs(5);

/// An authority's endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    client: reqwest::Client,
}

impl Transport {
    /// Returns the transport of a configuration: no proxy, no redirection, no second try that we
    /// do not know of. Connections stay open for the messages of a transaction, since there are
    /// servers (openssl's) for which it ends with its connection.
    pub(crate) fn new(
        config: &CmpConfig,
        tls_anchors: &[Certificate],
    ) -> Result<Self, CmpConfigError> {
        let http = |error: Box<dyn std::error::Error + Send + Sync>| CmpConfigError::Http(error);
        let mut roots = RootCertStore::empty();
        for anchor in tls_anchors {
            roots
                .add(CertificateDer::from(anchor.as_der().to_vec()))
                .map_err(|error| http(error.into()))?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| http(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(IDLE)
            .http1_only()
            .timeout(config.timeout())
            .connect_timeout(config.timeout())
            .build()
            .map_err(|error| http(error.into()))?;
        Ok(Self { client })
    }

    /// Sends a message and returns what came back, in its whole length.
    pub(crate) async fn send(
        &self,
        url: reqwest::Url,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, AuthorityError> {
        let unanswered = |error: reqwest::Error| AuthorityError::Unanswered {
            reason: said(&error),
        };
        let mut response = self
            .client
            .post(url)
            .header(CONTENT_TYPE, HeaderValue::from_static(PKIXCMP))
            .body(message)
            .send()
            .await
            .map_err(unanswered)?;
        let kind = response.headers().get(CONTENT_TYPE);
        let is_cmp = kind.is_some_and(|kind| {
            let kind = kind.as_bytes().split(|byte| *byte == b';').next();
            kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(PKIXCMP.as_bytes()))
        });
        // An error message may come with an error of HTTP's.
        if !is_cmp {
            let status = response.status();
            let reason = format!("HTTP status {status}, and no CMP message");
            return Err(if status.is_success() {
                AuthorityError::Foreign { reason }
            } else {
                AuthorityError::Unanswered { reason }
            });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
            if body.len() + chunk.len() > MAX_MESSAGE {
                let reason = format!("the answer is longer than {MAX_MESSAGE} bytes");
                return Err(AuthorityError::Foreign { reason });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Returns an error with its causes, without the address, which the caller knows.
fn said(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it was not reached"
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
