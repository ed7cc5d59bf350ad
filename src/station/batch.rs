//! The documents that the slots are confined to, where a batch is made.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use api::MOST_AMONG;
use uuid::Uuid;

/// What is left of a batch; none: the slots make whatever is next.
#[derive(Default)]
pub(crate) struct Batch(Mutex<Option<Left>>);

#[derive(Default)]
struct Left {
    documents: BTreeSet<Uuid>,
    /// Behind which of them the next request begins: one that cannot be had now does not stand in the
    /// way of the others.
    after: Option<Uuid>,
}

impl Batch {
    /// Has the slots make these alone.
    pub(crate) fn confine(&self, documents: impl IntoIterator<Item = Uuid>) {
        let documents = documents.into_iter().collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Left {
            documents,
            after: None,
        });
    }

    /// Takes one out that is done.
    pub(crate) fn strike_out(&self, document: Uuid) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = left.as_mut() {
            left.documents.remove(&document);
        }
    }

    /// Returns the documents to ask for next; none: any. Of a batch that is over it is the one that
    /// there is not.
    pub(crate) fn next(&self) -> Vec<Uuid> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = left.as_mut() else {
            return Vec::new();
        };
        let documents = &left.documents;
        let behind = left
            .after
            .map(|after| documents.range(after..).filter(move |one| **one > after));
        let behind = behind.into_iter().flatten();
        let mut named: Vec<_> = behind.take(MOST_AMONG).copied().collect();
        let more = MOST_AMONG - named.len();
        let from_start = documents
            .iter()
            .filter(|one| left.after.is_none_or(|after| **one <= after));
        named.extend(from_start.take(more));
        left.after = named.last().copied();
        match named.is_empty() {
            true => vec![Uuid::nil()],
            false => named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_batch_is_asked_for_in_turns() {
        let batch = Batch::default();
        assert!(batch.next().is_empty());
        batch.confine((1..=100).map(id));
        let ids = |from: u128, to: u128| (from..=to).map(id).collect::<Vec<_>>();
        assert_eq!(batch.next(), ids(1, 64));
        let rest = [ids(65, 100), ids(1, 28)].concat();
        assert_eq!(batch.next(), rest);
        for number in 3..=100 {
            batch.strike_out(id(number));
        }
        assert_eq!(batch.next(), ids(1, 2));
        batch.strike_out(id(1));
        batch.strike_out(id(2));
        // Whatever else is in the queue is not of this batch.
        assert_eq!(batch.next(), [Uuid::nil()]);
    }
}
