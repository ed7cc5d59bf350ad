//! What a run of the program sent, so that nothing is sent twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cert::Certificate;

use super::exchange::Name;

/// The most requests that are remembered. What is forgotten counts as sent: the first that is
/// over, which nobody will ask for again, gives way.
const MOST: usize = 65_536;

/// Where a request of this run stands.
enum Sent {
    /// On its way.
    Sending,
    /// Its answer is not here, or the caller has it.
    Unanswered,
    /// This came; kept until the caller concludes.
    Answered(Box<Certificate>),
}

/// The requests that were sent. Their names are in the order in which they were made.
#[derive(Default)]
pub(super) struct SentRequests {
    names: AtomicU64,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    sent: BTreeMap<Name, Sent>,
    /// Names before this one, or this one, may have been forgotten.
    forgotten: Option<Name>,
}

/// What came of taking a request to be sent.
pub(super) enum Took<'a> {
    /// It may be sent.
    Free(Taken<'a>),
    /// It was answered.
    Answered(Box<Certificate>),
    /// It is on its way.
    Sending,
    /// It was sent.
    Sent,
    /// It may have been sent, so long ago that it is forgotten.
    Forgotten,
}

impl SentRequests {
    /// Returns a name behind all before it; its other half is random.
    pub(super) fn next(&self, mut random: Name) -> Name {
        let count = self.names.fetch_add(1, Ordering::Relaxed);
        let count = count.to_be_bytes();
        random
            .iter_mut()
            .zip(count)
            .for_each(|(to, from)| *to = from);
        random
    }

    /// Takes a request to be sent now; where the authority answers repeats, also once more.
    pub(super) fn take(&self, name: Name, repeats: bool) -> Took<'_> {
        self.take_of(name, repeats, MOST)
    }

    fn take_of(&self, name: Name, repeats: bool, most: usize) -> Took<'_> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        match book.sent.get(&name) {
            Some(Sent::Answered(certificate)) => return Took::Answered(certificate.clone()),
            Some(Sent::Sending) => return Took::Sending,
            Some(Sent::Unanswered) if !repeats => return Took::Sent,
            None if !repeats && book.forgotten.is_some_and(|last| name <= last) => {
                return Took::Forgotten;
            }
            Some(Sent::Unanswered) | None => {}
        }
        if book.sent.len() >= most {
            let is_over = |sent: &Sent| matches!(sent, Sent::Unanswered);
            let mut over = book.sent.iter().filter(|(_, sent)| is_over(sent));
            // Without any, one that came and that nobody concluded.
            let first = over.next().or_else(|| {
                let mut came = book.sent.iter();
                came.find(|(_, sent)| !matches!(sent, Sent::Sending))
            });
            if let Some(first) = first.map(|(name, _)| *name) {
                book.sent.remove(&first);
                book.forgotten = book.forgotten.max(Some(first));
            }
        }
        book.sent.insert(name, Sent::Sending);
        Took::Free(Taken {
            all: self,
            name,
            becomes: Some(Sent::Unanswered),
        })
    }

    /// The caller has the answer; what was sent once is not sent again.
    pub(super) fn conclude(&self, name: Name) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = book.sent.get_mut(&name) {
            *known = Sent::Unanswered;
        }
    }
}

/// A request that is on its way. Dropped before it is known what came of it, it went unanswered:
/// so a caller that gives up waiting does not make it unsent.
pub(super) struct Taken<'a> {
    all: &'a SentRequests,
    name: Name,
    /// Where it stands once this is dropped; nowhere, if it may be sent as if for the first time.
    becomes: Option<Sent>,
}

impl Taken<'_> {
    /// It was not sent, or the authority says that it did nothing.
    pub(super) fn set_free(mut self) {
        self.becomes = None;
    }

    pub(super) fn set_answered(mut self, certificate: &Certificate) {
        self.becomes = Some(Sent::Answered(Box::new(certificate.clone())));
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let book = self.all.book.lock();
        let mut book = book.unwrap_or_else(PoisonError::into_inner);
        match self.becomes.take() {
            Some(becomes) => book.sent.insert(self.name, becomes),
            None => book.sent.remove(&self.name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{SentRequests, Took};

    #[test]
    fn what_is_forgotten_counts_as_sent() {
        let sent = SentRequests::default();
        let names: Vec<_> = (0..5).map(|byte| sent.next([byte; 16])).collect();
        assert!(names.is_sorted());
        let take = |place: usize, repeats| sent.take_of(names[place], repeats, 2);
        let send = |place| match take(place, false) {
            Took::Free(taken) => drop(taken),
            _ => panic!("{place} was not sent before"),
        };
        send(1);
        send(2);
        assert!(matches!(take(1, false), Took::Sent));
        send(3);
        // The first two: one was sent and is forgotten, one was not, for all that is known.
        for place in [0, 1] {
            assert!(matches!(take(place, false), Took::Forgotten));
        }
        assert!(matches!(take(2, false), Took::Sent));
        // What is on its way is not forgotten.
        let Took::Free(on_its_way) = take(4, false) else {
            panic!("4 was not sent before");
        };
        assert!(matches!(take(4, false), Took::Sending));
        assert!(matches!(take(3, false), Took::Sent));
        on_its_way.set_free();
        assert!(matches!(take(4, false), Took::Free(_)));
        // An authority that answers repeats is asked again.
        assert!(matches!(take(1, true), Took::Free(_)));
        assert_eq!(sent.book.lock().unwrap().sent.len(), 2);
    }
}
