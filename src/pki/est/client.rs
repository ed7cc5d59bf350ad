//! One request over HTTPS, and what came of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cert::MAX_CERTS_ONLY;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use zeroize::Zeroizing;

use super::config::EstConfig;
use super::{EstAccess, EstSetupError, identity};

const REQUEST: &str = "application/pkcs10";
const ANSWER: &str = "application/pkcs7-mime";

/// The longest answer that is read: the longest message in base64, with line ends.
const MAX_ANSWER: usize = MAX_CERTS_ONLY / 2 * 3;

/// How long to wait where a server does not say it.
const UNSAID: Duration = Duration::from_secs(60);
/// The longest that is waited, whatever a server says.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// What came of a request.
#[derive(Debug)]
pub(super) enum Came {
    /// The server answered with this message, in DER.
    Message(Vec<u8>),
    /// It works on it, or has no time: the same again, after this long. Nothing was issued.
    Later { after: Duration, is_pending: bool },
    /// It refuses this request, and nothing was issued.
    Refused(String),
    /// It was not reached, or does not serve us: nothing was issued, and it is not the request's
    /// fault.
    Unserved(String),
    /// The request may have arrived, and no answer to it came.
    Silence(String),
    /// Something answered, and not as an EST server does.
    Garbage(String),
}

/// A client of one server.
pub(super) struct EstClient {
    http: Client,
    config: EstConfig,
    password: Option<Zeroizing<String>>,
}

impl EstClient {
    pub(super) fn new(config: EstConfig, access: EstAccess) -> Result<Self, EstSetupError> {
        if access.identity.is_none() && access.password.is_none() {
            return Err(EstSetupError::Nobody);
        }
        if config.user.is_some() != access.password.is_some() {
            return Err(EstSetupError::Password);
        }
        let mut roots = rustls::RootCertStore::empty();
        for anchor in &access.server_anchors {
            let serial = anchor.serial_hex();
            roots
                .add(anchor.as_der().to_vec().into())
                .map_err(|source| EstSetupError::Anchor { serial, source })?;
        }
        if roots.is_empty() {
            return Err(EstSetupError::Trust);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(EstSetupError::Tls)?
            .with_root_certificates(roots);
        let tls = match access.identity {
            None => tls.with_no_client_auth(),
            Some((chain, signer)) => {
                let resolver = identity::resolver(&chain, signer);
                tls.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            // RFC 7030 §3.2.1 allows redirects with care; a request for a key goes nowhere else.
            .redirect(Policy::none())
            // On a connection of its own, a request that could not be sent is told from one that
            // was sent and not answered.
            .pool_max_idle_per_host(0)
            .retry(reqwest::retry::never())
            .timeout(Duration::from_secs(config.timeout_seconds.0))
            .build()
            .map_err(EstSetupError::Client)?;
        Ok(Self {
            http,
            config,
            password: access.password,
        })
    }

    pub(super) fn answers_repeats(&self) -> bool {
        self.config.answers_repeats
    }

    /// Asks for the authority's certificates (*RFC 7030 §4.1*).
    pub(super) async fn get(&self, operation: &str, at: Timestamp) -> Came {
        let request = self.http.get(self.config.address(operation));
        self.send(request.header(ACCEPT, ANSWER), at).await
    }

    /// Sends a PKCS#10 request in DER (*§4.2*; the encoding as *RFC 8951 §3* has it).
    pub(super) async fn post(&self, operation: &str, der: &[u8], at: Timestamp) -> Came {
        let request = self.http.post(self.config.address(operation));
        let request = request
            .header(CONTENT_TYPE, REQUEST)
            .header("content-transfer-encoding", "base64")
            .header(ACCEPT, ANSWER)
            .body(STANDARD.encode(der));
        self.send(request, at).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, at: Timestamp) -> Came {
        let request = match (&self.config.user, &self.password) {
            (Some(user), Some(password)) => request.basic_auth(&user.0, Some(password.as_str())),
            _ => request,
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => {
                return Came::Unserved(told(&error));
            }
            Err(error) => return Came::Silence(told(&error)),
        };
        let status = response.status();
        let said = || format!("HTTP {status}");
        match status {
            StatusCode::OK if is_message(response.headers()) => match read(&mut response).await {
                Ok(Some(text)) => decoded(&text),
                Ok(None) => Came::Garbage("the answer is longer than any".to_owned()),
                Err(error) => Came::Silence(told(&error)),
            },
            StatusCode::OK => Came::Garbage(format!("the answer is no {ANSWER}")),
            StatusCode::ACCEPTED
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS => Came::Later {
                after: retry_after(response.headers(), at),
                is_pending: status == StatusCode::ACCEPTED,
            },
            // Whom it does not know, it does not serve; nor at an address that it does not have.
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED => Came::Unserved(said()),
            _ if status.is_redirection() => Came::Unserved(said()),
            _ if status.is_client_error() => Came::Refused(said()),
            // It may have failed after it issued.
            _ if status.is_server_error() => Came::Silence(said()),
            _ => Came::Garbage(said()),
        }
    }
}

/// `Zeroizing` shows what it holds: the password stays out.
impl fmt::Debug for EstClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EstClient({:?})", self.config)
    }
}

/// Returns what an error says without its address: an address is the configuration's to show.
fn told(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        causes.push(source.to_string());
        cause = source.source();
    }
    match causes.is_empty() {
        true if error.is_timeout() => "no answer in time".to_owned(),
        true => "the connection failed".to_owned(),
        false => causes.join(": "),
    }
}

fn is_message(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(ANSWER))
}

/// Reads a body up to the longest that is allowed.
async fn read(response: &mut Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn decoded(text: &[u8]) -> Came {
    match super::unwrap_base64(text) {
        Some(der) => Came::Message(der),
        None => Came::Garbage("the answer is not in base64".to_owned()),
    }
}

/// Returns how long a server asks to wait (*RFC 9110 §10.2.3*): seconds, or until a date.
fn retry_after(headers: &HeaderMap, at: Timestamp) -> Duration {
    let said = headers.get(RETRY_AFTER).and_then(|said| said.to_str().ok());
    said.map_or(UNSAID, |said| wait(said.trim(), at))
}

fn wait(said: &str, at: Timestamp) -> Duration {
    let until = || DateTimeParser::new().parse_timestamp(said).ok();
    let seconds = said.parse::<u64>().ok();
    let wait = seconds.map(Duration::from_secs).or_else(|| {
        let left = until()?.duration_since(at);
        Some(Duration::try_from(left).unwrap_or_default())
    });
    wait.unwrap_or(UNSAID)
        .clamp(Duration::from_secs(1), LONGEST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::wait;

    #[test]
    fn servers_say_seconds_or_dates() {
        let at = "1994-11-06T08:49:30Z".parse().unwrap();
        for (said, seconds) in [
            ("120", 120),
            ("0", 1),
            ("99999999999", 7 * 86_400),
            // RFC 9110 §5.6.7's example.
            ("Sun, 06 Nov 1994 08:49:37 GMT", 7),
            ("Sat, 05 Nov 1994 08:49:37 GMT", 1),
            ("soon", 60),
            ("-5", 60),
        ] {
            assert_eq!(wait(said, at), Duration::from_secs(seconds), "{said}");
        }
    }
}
