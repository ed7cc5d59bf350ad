//! Asking a station that runs on this machine.

use std::net::SocketAddr;
use std::time::Duration;

use api::wire::Problem;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::journal::PersonsAct;
use crate::local::overview::Overview;
use crate::wiped::{Wiped, taken};

/// How long an answer may take: the centre may be asked for it.
const ANSWER: Duration = Duration::from_secs(120);

/// Why a station did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LocalError {
    /// No station answers.
    #[error("no station answers at {address}: {reason}")]
    Away {
        /// Where it was looked for.
        address: SocketAddr,
        /// What happened.
        reason: String,
    },
    /// It refused, or could not.
    #[error("{detail}")]
    Problem {
        /// What it said.
        detail: String,
        /// The exit code that a command ends with.
        exit: u8,
    },
    /// It answered something else than a station does.
    #[error("what answers at {address} is no station")]
    Foreign {
        /// Where.
        address: SocketAddr,
    },
}

/// How far a sign-in got.
#[derive(Debug)]
pub enum Entry {
    /// In.
    In,
    /// The second factor of this kind (`totp`, `card`) is wanted for the ticket.
    Factor {
        /// What stands for the password meanwhile.
        ticket: Zeroizing<String>,
        /// Which factor.
        factor: String,
    },
}

/// What came of an act at the centre.
#[derive(Debug)]
pub enum Act {
    /// It is done; what the centre said of it, or nothing.
    Done(Value),
    /// It can be done, and a second person must confirm it in a session of their own: the same is sent
    /// again then.
    Awaited(Confirmation),
}

/// What a second person is to confirm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Confirmation {
    /// Its identity.
    pub id: Uuid,
    /// Who is to confirm it.
    pub witness: String,
    /// Until when.
    pub expires: Timestamp,
}

/// The way to a station's own interface, perhaps with a session.
pub struct LocalClient {
    client: reqwest::Client,
    address: SocketAddr,
    token: Option<Zeroizing<String>>,
}

impl LocalClient {
    /// Prepares the way to the station at an address; nothing is sent yet.
    ///
    /// # Errors
    /// [`LocalError::Away`] where there is no client.
    pub fn new(address: SocketAddr, token: Option<Zeroizing<String>>) -> Result<Self, LocalError> {
        // The client is for plain HTTP, but will not be made without the means for TLS.
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map(|tls| {
                tls.with_root_certificates(rustls::RootCertStore::empty())
                    .with_no_client_auth()
            });
        let away = |reason: String| LocalError::Away { address, reason };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.map_err(|error| away(error.to_string()))?)
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .map_err(|error| away(error.to_string()))?;
        Ok(Self {
            client,
            address,
            token,
        })
    }

    /// Shows account and password.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn sign_in(&mut self, account: &str, password: &str) -> Result<Entry, LocalError> {
        let shown = json!({ "account": account, "password": password });
        self.come_in("/v1/sign-ins", &shown).await
    }

    /// Shows the code of an app.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn show_code(&mut self, ticket: &str, code: &str) -> Result<Entry, LocalError> {
        let shown = json!({ "ticket": ticket, "code": code });
        self.come_in("/v1/sign-ins/second-factor", &shown).await
    }

    async fn come_in(
        &mut self,
        path: &str,
        shown: &serde_json::Value,
    ) -> Result<Entry, LocalError> {
        let answer: serde_json::Value = self.ask(Method::POST, path, Some(shown)).await?;
        let text = |name: &str| {
            let text = answer.get(name).and_then(serde_json::Value::as_str);
            text.map(str::to_owned).ok_or(LocalError::Foreign {
                address: self.address,
            })
        };
        match &*text("state")? {
            "signed-in" => {
                self.token = Some(Zeroizing::new(text("token")?));
                Ok(Entry::In)
            }
            _ => Ok(Entry::Factor {
                ticket: Zeroizing::new(text("ticket")?),
                factor: text("second_factor")?,
            }),
        }
    }

    /// Returns the session's token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }

    /// Ends the session.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn sign_out(&mut self) -> Result<(), LocalError> {
        self.tell(Method::DELETE, "/v1/session").await?;
        self.token = None;
        Ok(())
    }

    /// Returns the station at a glance.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn overview(&self) -> Result<Overview, LocalError> {
        self.ask(Method::GET, "/v1/station", None::<&()>).await
    }

    /// Returns what people did at the station, the newest first.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn acts(&self) -> Result<Vec<PersonsAct>, LocalError> {
        self.ask(Method::GET, "/v1/station/acts", None::<&()>).await
    }

    /// Takes the shift.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn begin_shift(&self) -> Result<(), LocalError> {
        self.tell(Method::POST, "/v1/station/shift").await
    }

    /// Ends one's shift.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn end_shift(&self) -> Result<(), LocalError> {
        self.tell(Method::DELETE, "/v1/station/shift").await
    }

    /// Gives an order (`pause`, `start`) to a slot, or to all.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn order(&self, slot: Option<&str>, order: &str) -> Result<(), LocalError> {
        let path = match slot {
            None => format!("/v1/station/{order}"),
            Some(slot) => format!("/v1/station/slots/{}/{order}", encoded(slot)),
        };
        self.tell(Method::POST, &path).await
    }

    /// Gives up the card that a slot holds.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn give_up(&self, slot: &str) -> Result<(), LocalError> {
        self.order(Some(slot), "giving-up").await
    }

    /// Does something at the centre, by the station's certificate and this session: posts a body to an
    /// address under `/v1`, whose parts are given as they are.
    ///
    /// # Errors
    /// [`LocalError`].
    pub async fn act(
        &self,
        parts: &[&str],
        body: Option<&impl Serialize>,
    ) -> Result<Act, LocalError> {
        let foreign = |_| LocalError::Foreign {
            address: self.address,
        };
        let parts = parts.iter().map(|part| format!("/{}", encoded(part)));
        let path = format!("/v1{}", parts.collect::<String>());
        let (status, answer) = self.answered(Method::POST, &path, body).await?;
        Ok(match status {
            StatusCode::NO_CONTENT => Act::Done(Value::Null),
            StatusCode::ACCEPTED => Act::Awaited(serde_json::from_slice(&answer).map_err(foreign)?),
            _ => Act::Done(serde_json::from_slice(&answer).map_err(foreign)?),
        })
    }

    async fn tell(&self, method: Method, path: &str) -> Result<(), LocalError> {
        self.answered(method, path, None::<&()>).await.map(|_| ())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, LocalError> {
        let (_, answer) = self.answered(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|_| LocalError::Foreign {
            address: self.address,
        })
    }

    async fn answered(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), LocalError> {
        let foreign = || LocalError::Foreign {
            address: self.address,
        };
        let away = |error: reqwest::Error| LocalError::Away {
            address: self.address,
            reason: match error.is_timeout() {
                true => "no answer in time".to_owned(),
                false => "the connection was refused or broke".to_owned(),
            },
        };
        let address = format!("http://{}{path}", self.address);
        let mut asked = self.client.request(method, address);
        if let Some(body) = body {
            let text = Wiped::new(serde_json::to_vec(body).map_err(|_| foreign())?);
            let json = HeaderValue::from_static("application/json");
            asked = asked
                .header(reqwest::header::CONTENT_TYPE, json)
                .body(text.into_bytes());
        }
        if let Some(token) = &self.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
            let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| foreign())?;
            bearer.set_sensitive(true);
            asked = asked.header(AUTHORIZATION, bearer);
        }
        let response = asked.send().await.map_err(away)?;
        let status = response.status();
        let body = taken(response.bytes().await.map_err(away)?);
        if status.is_success() {
            return Ok((status, body));
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|_| foreign())?;
        let detail = match status {
            StatusCode::UNAUTHORIZED if problem.detail.is_empty() => "sign in first".to_owned(),
            _ if problem.detail.is_empty() => problem.title,
            _ => problem.detail,
        };
        Err(LocalError::Problem {
            detail,
            exit: problem.exit,
        })
    }
}

/// Returns a slot's name as a part of a path (*RFC 3986 §2.1*).
fn encoded(slot: &str) -> String {
    let part = slot.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    part.collect()
}
