//! A program that was built without traces (`--no-default-features`) says so where it is told to
//! send any.

use tracing::Span;

use crate::cli::failure::{Failure, Kind};

/// Names the collector where no installation does: at a station.
pub(crate) const VARIABLE: &str = "ZIMOGS_OTLP";

/// What would send traces.
pub(crate) enum Traces {}

impl Traces {
    /// Refuses.
    pub(crate) fn to(_collector: &str) -> Result<Self, Failure> {
        let fault = "this program was built without traces";
        Err(Failure::new(Kind::Usage, fault).with_hint("build it with the feature otlp"))
    }

    /// Sends what is left.
    pub(crate) fn end(self) {
        match self {}
    }
}

/// Returns the present span as a `traceparent`: there is none.
pub(crate) fn traceparent() -> Option<String> {
    None
}

/// Makes a span of the server a child of what its station was doing: there is nothing to be a child
/// of.
pub(crate) fn adopt(_span: &Span, _traceparent: &str) {}
