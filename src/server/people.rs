//! `/v1` for people: each operation is one value that says everything of it.
//!
//! ```text
//!   operations() ─┬─► routes          method, path ─► serve: rate, session, body, once ─► handler
//!                 ├─► openapi.json    schemas, errors, security, examples
//!                 └─► tests           a case for each: nobody, the wrong role, the right one
//! ```
//!
//! An endpoint is added in one place: the list of its subject ([`accounts`], [`documents`], …).

mod accounts;
mod answer;
mod applications;
mod audit_log;
mod blanks;
mod call;
mod confirmations;
mod cursor;
mod documents;
mod envelopes;
mod named;
mod once;
mod openapi;
mod operation;
mod pace;
#[cfg(test)]
#[path = "../../tests/server/people/mod.rs"]
mod scenarios;
mod serve;
mod sign_in;
mod stations;

use crate::people::operation::Operation;

pub use openapi::openapi;
pub(crate) use pace::Meters;
pub use pace::{Pace, Paces};
pub(crate) use serve::people_router;

/// Returns every operation, by subject.
pub(crate) fn operations() -> Vec<Operation> {
    [
        sign_in::operations(),
        confirmations::operations(),
        accounts::operations(),
        applications::operations(),
        documents::operations(),
        envelopes::operations(),
        blanks::operations(),
        stations::operations(),
        audit_log::operations(),
        vec![openapi::operation()],
    ]
    .into_iter()
    .flatten()
    .collect()
}
