//! `/v1` for people: each operation is one value that says everything of it.
//!
//! ```text
//!   operations() ─┬─► routes          method, path ─► serve: rate, session, body, once ─► handler
//!                 ├─► openapi.json    schemas, errors, security, examples
//!                 ├─► form            what a schema forbids is refused before the handler
//!                 └─► tests           a case for each: nobody, the wrong role, the right one
//! ```
//!
//! An endpoint is added in one place: the list of its subject ([`accounts`], [`documents`], …).

mod accounts;
mod answer;
mod applications;
mod audit_log;
mod blanks;
mod bodies;
mod call;
mod confirmations;
mod counts;
mod cursor;
mod document_life;
mod documents;
mod envelopes;
mod form;
mod handling;
mod incidents;
mod leases;
mod named;
mod once;
mod openapi;
mod operation;
mod pace;
mod parcels;
mod protection;
mod reconciliation;
mod registers;
mod reports;
mod ribbons;
#[cfg(test)]
#[path = "../../tests/server/people/mod.rs"]
mod scenarios;
mod series;
mod serve;
mod sign_in;
mod sources;
mod stations;
mod stock;

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
        document_life::operations(),
        parcels::operations(),
        leases::operations(),
        envelopes::operations(),
        blanks::operations(),
        handling::operations(),
        stock::operations(),
        counts::operations(),
        ribbons::operations(),
        series::operations(),
        incidents::operations(),
        reports::operations(),
        sources::operations(),
        registers::operations(),
        protection::operations(),
        reconciliation::operations(),
        stations::operations(),
        audit_log::operations(),
        vec![openapi::operation()],
    ]
    .into_iter()
    .flatten()
    .collect()
}
