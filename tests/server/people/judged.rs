//! Which rights the store judges while an operation runs, as it traces them.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What the store calls its traces of this.
const TARGET: &str = "central::judged";

/// The rights that were judged in this process since it was asked last.
#[derive(Clone, Default)]
pub(super) struct Judged(Arc<Mutex<Vec<String>>>);

impl Judged {
    /// Listens to all of this process, which is one test's own.
    pub(super) fn listen() -> Self {
        let judged = Self::default();
        tracing::subscriber::set_global_default(judged.clone()).unwrap();
        judged
    }

    pub(super) fn take(&self) -> Vec<String> {
        mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Judged {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Right(self));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Right<'a>(&'a Judged);

impl Visit for Right<'_> {
    fn record_str(&mut self, _: &Field, right: &str) {
        self.0.0.lock().unwrap().push(right.to_owned());
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
