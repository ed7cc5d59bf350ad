//! An operation of stations: who may, what it leaves in the log, and what answers it.

use api::wire;
use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use document::Act;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::posted::Posted;
use crate::problem::Problem;
use crate::state::Server;
use crate::station::asker::{Asker, At};

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A station, by its certificate, whoever is at it.
    Station,
    /// A person with this right, who is signed in at a station.
    Right(Act),
}

/// What it leaves in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// Nothing: it shows a station what is known of it.
    Nothing,
    /// The act's own entry, whether it is done or refused.
    Always(&'static str),
    /// The act's own entry where something changes by it, and that of a refusal.
    Changes(&'static str),
    /// The entry of a refusal alone.
    Refused(&'static str),
}

impl Trace {
    /// Returns how the log calls it, and when it is there.
    pub(crate) fn said(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Nothing => None,
            Self::Always(action) => Some((action, "always")),
            Self::Changes(action) => Some((action, "changed-or-refused")),
            Self::Refused(action) => Some((action, "refused")),
        }
    }
}

/// An operation.
pub(crate) struct Operation {
    /// The last part of its address, below [`wire::STATION`].
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) trace: Trace,
    pub(crate) answers: MethodRouter<Server>,
}

impl Operation {
    /// One that a station asks for itself.
    pub(crate) fn own(
        name: &'static str,
        summary: &'static str,
        (method, answers): (Method, MethodRouter<Server>),
        trace: Trace,
    ) -> Self {
        Self {
            name,
            method,
            summary,
            access: Access::Station,
            trace,
            answers,
        }
    }

    /// One that a person at a station asks for.
    pub(crate) fn of_person(
        name: &'static str,
        summary: &'static str,
        (method, answers): (Method, MethodRouter<Server>),
        right: Act,
        trace: Trace,
    ) -> Self {
        Self {
            access: Access::Right(right),
            ..Self::own(name, summary, (method, answers), trace)
        }
    }

    /// Returns its address.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", wire::STATION, self.name)
    }
}

/// Answers a station that asks what is known of it.
pub(crate) fn shows<A, F>(handler: fn(Server, At) -> F) -> (Method, MethodRouter<Server>)
where
    A: Serialize + 'static,
    F: Future<Output = Result<A, Problem>> + Send + 'static,
{
    let answer = move |State(server): State<Server>, at: At| async move {
        handler(server, at).await.map(Json)
    };
    (Method::GET, get(answer))
}

/// Answers a station that sends something.
pub(crate) fn takes<Q, A, F>(handler: fn(Server, At, Q) -> F) -> (Method, MethodRouter<Server>)
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + 'static,
    F: Future<Output = Result<A, Problem>> + Send + 'static,
{
    let answer = move |State(server): State<Server>, at: At, Posted(asked): Posted<Q>| async move {
        handler(server, at, asked).await.map(Json)
    };
    (Method::POST, post(answer))
}

/// Answers a person at a station.
pub(crate) fn does<Q, A, F>(handler: fn(Server, Asker, Q) -> F) -> (Method, MethodRouter<Server>)
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + 'static,
    F: Future<Output = Result<A, Problem>> + Send + 'static,
{
    let answer = move |State(server): State<Server>, asker: Asker, Posted(asked): Posted<Q>| async move {
        handler(server, asker, asked).await.map(Json)
    };
    (Method::POST, post(answer))
}
