//! A request as a handler sees it: who asks, for what, with what.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Actor;
use axum::body::Bytes;
use central::{Central, Expected, Session, Visit};
use report::Plan;
use serde::de::DeserializeOwned;

use crate::people::cursor;
use crate::problem::{Fault, Problem};
use crate::state::Server;

/// The most items of a page where the request says nothing.
const USUAL: u32 = 50;

/// The most items of a page.
const MOST: u32 = 200;

/// A request.
pub(crate) struct Call {
    pub(crate) central: Central,
    pub(crate) server: Server,
    /// How many documents the office means to issue.
    pub(crate) plan: Arc<Plan>,
    pub(crate) visit: Visit,
    pub(crate) session: Option<Session>,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    /// What the caller saw, as `If-Match` says it.
    pub(crate) seen: Option<Expected>,
}

impl Call {
    /// Returns who is signed in.
    ///
    /// # Errors
    /// A [`Problem`] where nobody is.
    pub(crate) fn session(&self) -> Result<&Session, Problem> {
        self.session
            .as_ref()
            .ok_or_else(|| Problem::new(Fault::Unauthenticated, "sign in first"))
    }

    /// Returns who acts.
    ///
    /// # Errors
    /// A [`Problem`] where nobody is signed in.
    pub(crate) fn actor(&self) -> Result<&Actor, Problem> {
        Ok(&self.session()?.actor)
    }

    /// Returns a part of the path.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// Reads the body as JSON. What it is not is told by the place alone: its text may hold a
    /// secret.
    ///
    /// # Errors
    /// A [`Problem`].
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "is not what this address takes",
                _ => "is no JSON",
            };
            let (line, column) = (error.line(), error.column());
            let detail = format!("the body {what}, at line {line}, column {column}");
            Problem::new(Fault::Invalid, detail)
        })
    }

    /// Reads a field of the query that has a text form of its own.
    ///
    /// # Errors
    /// A [`Problem`] for one that is not.
    pub(crate) fn field<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.query.get(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            Problem::new(
                Fault::Invalid,
                format!("{name} is not what this address takes"),
            )
        })
    }

    /// Returns behind which key the page of a list begins, and how many items it may have.
    ///
    /// # Errors
    /// A [`Problem`] for a cursor or limit that is none.
    pub(crate) fn page(&self, list: &str) -> Result<(String, u32), Problem> {
        let limit = self.field::<u32>("limit")?.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::new(
                Fault::Invalid,
                format!("limit is 1 to {MOST}"),
            ));
        }
        let after = match self.query.get("cursor") {
            Some(cursor) => cursor::decode(list, cursor)?,
            None => String::new(),
        };
        Ok((after, limit))
    }
}

/// Splits a page off: what is more than `limit` says only that there is a next one.
pub(crate) fn page_of<T, L>(
    list: &str,
    mut found: Vec<T>,
    limit: u32,
    key: impl Fn(&T) -> String,
    line: impl Fn(T) -> L,
) -> crate::people::answer::Page<L> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|last| cursor::encode(list, &key(last)));
    crate::people::answer::Page {
        items: found.into_iter().map(line).collect(),
        next,
    }
}
