//! One request there, one answer back, over HTTP (*RFC 8010 §4*).

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;

use super::address::IppAddress;
use super::message::IppMessage;

/// What requests and answers are.
const IPP: HeaderValue = HeaderValue::from_static("application/ipp");
/// The most bytes of an answer.
const MOST: usize = 1024 * 1024;

/// A printer's side of HTTP.
pub(super) struct Exchange {
    client: reqwest::Client,
    runtime: Runtime,
    url: String,
}

/// Why there is no answer.
pub(super) type Failed = Box<dyn Error + Send + Sync>;

impl Exchange {
    /// Makes ready for a printer. Over TLS, it or its issuer is one of `trusted`, DER; in clear, it
    /// is in a private network. No proxy, no redirection, no second try that nobody knows of.
    pub(super) fn new(
        address: &IppAddress,
        trusted: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Self, Failed> {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add(CertificateDer::from(certificate.clone()))?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .timeout(patience)
            .connect_timeout(patience);
        if !address.secure {
            let near = address.address.resolve()?;
            builder = builder.resolve_to_addrs(address.address.host(), &near);
        }
        Ok(Self {
            client: builder.build()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            url: address.url(),
        })
    }

    /// Sends a request with the document behind it, if any, and returns the answer.
    pub(super) fn ask(&self, mut request: Vec<u8>, document: &[u8]) -> Result<IppMessage, Failed> {
        request.extend_from_slice(document);
        let sent = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, IPP)
            .body(request);
        self.runtime.block_on(async {
            let mut response = sent.send().await.map_err(said)?;
            if !response.status().is_success() {
                return Err(format!("it answers {}", response.status()).into());
            }
            if response.headers().get(CONTENT_TYPE) != Some(&IPP) {
                return Err("its answer is no application/ipp".into());
            }
            let mut bytes = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(said)? {
                bytes.extend_from_slice(&piece);
                if bytes.len() > MOST {
                    return Err(format!("its answer has more than {MOST} bytes").into());
                }
            }
            Ok(IppMessage::parse(&bytes)?)
        })
    }
}

/// Says what happened with all its causes: reqwest's own words name the address alone.
fn said(error: reqwest::Error) -> Failed {
    let is_connect = error.is_connect();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // A text takes everything.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    match is_connect {
        true => Box::new(NotConnected(text)),
        false => text.into(),
    }
}

/// No connection was made: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotConnected(String);
