//! Who signed in at this station.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api::Secret;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use document::{Act, Role, may};
use jiff::Timestamp;

use crate::local::problem::LocalProblem;

/// A person who signed in here.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The account's name.
    pub(crate) person: String,
    /// Its roles, as they were then; the centre judges by those of the moment.
    pub(crate) roles: Vec<Role>,
    /// The session's token.
    pub(crate) token: Secret,
    /// When the session ends at the latest.
    pub(crate) expires: Timestamp,
}

impl Visitor {
    /// Demands the right to make documents.
    pub(crate) fn operates(&self) -> Result<(), LocalProblem> {
        let mut roles = self.roles.iter();
        match roles.any(|role| may(*role, Act::PersonalizeDocument)) {
            true => Ok(()),
            false => Err(LocalProblem::refused(format!(
                "{} is no operator: only an operator takes the shift and gives orders to slots",
                self.person
            ))),
        }
    }
}

/// The sessions that were opened at this station.
#[derive(Default)]
pub(crate) struct Visitors(Mutex<BTreeMap<String, Visitor>>);

impl Visitors {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Visitor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a session; one that the same person opened before is forgotten here.
    pub(crate) fn admit(&self, visitor: Visitor) {
        self.lock().insert(visitor.person.clone(), visitor);
    }

    /// Forgets a person's session.
    pub(crate) fn dismiss(&self, person: &str) {
        self.lock().remove(person);
    }

    /// Returns who sends a request, if somebody who signed in here does.
    pub(crate) fn sender(&self, headers: &HeaderMap, now: Timestamp) -> Option<Visitor> {
        let shown = headers.get(AUTHORIZATION)?.as_bytes();
        let shown = Secret::new(shown.strip_prefix(b"Bearer ")?);
        let mut visitors = self.lock();
        visitors.retain(|_, visitor| visitor.expires > now);
        // `Secret` compares in a time that does not tell where tokens differ.
        let found = visitors.values().find(|visitor| visitor.token == shown);
        found.cloned()
    }

    /// As [`Visitors::sender`], and demands one.
    pub(crate) fn demand(&self, headers: &HeaderMap) -> Result<Visitor, LocalProblem> {
        let sender = self.sender(headers, Timestamp::now());
        sender.ok_or_else(LocalProblem::unauthenticated)
    }
}
