//! Which certificates wait for their requester's word (*RFC 9810 §5.3.18*).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::register::RegisterError;

/// The exchanges whose certificates are not confirmed yet. An implementation in the product is
/// durable, and stands beside the [`crate::Register`]: a certificate that nobody confirms is
/// revoked, also after a crash.
///
/// An endpoint enters messages too that are obeyed once, under names under which nothing is ever
/// issued; they are forgotten like any other such.
#[async_trait]
pub trait Confirmations: Send + Sync {
    /// Enters an exchange that is to be confirmed until then, or moves that moment. Where it was
    /// settled nothing changes: the same request may come again while the certificate that it
    /// gave is confirmed, and must not have it revoked.
    async fn expect(&self, exchange: &[u8], until: Timestamp) -> Result<(), RegisterError>;

    /// Returns until when an exchange is to be confirmed; nothing where it is not waited for.
    async fn expected(&self, exchange: &[u8]) -> Result<Option<Timestamp>, RegisterError>;

    /// Settles an exchange, for good. May be repeated.
    async fn settle(&self, exchange: &[u8]) -> Result<(), RegisterError>;

    /// Returns the exchanges that were to be confirmed before this moment.
    async fn overdue(&self, at: Timestamp) -> Result<Vec<Vec<u8>>, RegisterError>;

    /// Takes out an exchange that was to be confirmed before this moment, and under which nothing
    /// was issued.
    async fn forget(&self, exchange: &[u8], at: Timestamp) -> Result<(), RegisterError>;
}

/// Confirmations that are forgotten when the process ends. What was not confirmed then stays as it
/// was issued, on hold, and nobody revokes it: for tests, and an authority that issues on hold in
/// any case. They grow with every certificate.
#[derive(Debug, Default)]
pub struct MemoryConfirmations(Mutex<BTreeMap<Vec<u8>, Option<Timestamp>>>);

impl MemoryConfirmations {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Vec<u8>, Option<Timestamp>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Confirmations for MemoryConfirmations {
    async fn expect(&self, exchange: &[u8], until: Timestamp) -> Result<(), RegisterError> {
        self.with(|all| {
            let entry = all.entry(exchange.to_vec()).or_insert(Some(until));
            *entry = entry.map(|_| until);
        });
        Ok(())
    }

    async fn expected(&self, exchange: &[u8]) -> Result<Option<Timestamp>, RegisterError> {
        Ok(self.with(|all| all.get(exchange).copied().flatten()))
    }

    async fn settle(&self, exchange: &[u8]) -> Result<(), RegisterError> {
        self.with(|all| all.insert(exchange.to_vec(), None));
        Ok(())
    }

    async fn overdue(&self, at: Timestamp) -> Result<Vec<Vec<u8>>, RegisterError> {
        Ok(self.with(|all| {
            let overdue = all.iter().filter(|(_, until)| is_before(**until, at));
            overdue.map(|(exchange, _)| exchange.clone()).collect()
        }))
    }

    async fn forget(&self, exchange: &[u8], at: Timestamp) -> Result<(), RegisterError> {
        self.with(|all| {
            if all.get(exchange).is_some_and(|until| is_before(*until, at)) {
                all.remove(exchange);
            }
        });
        Ok(())
    }
}

fn is_before(until: Option<Timestamp>, at: Timestamp) -> bool {
    until.is_some_and(|until| until < at)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Confirmations, MemoryConfirmations};

    #[tokio::test]
    async fn what_is_settled_is_never_overdue_and_what_was_never_issued_is_forgotten() {
        let all = MemoryConfirmations::default();
        let second = |second| Timestamp::from_second(second).unwrap();
        all.expect(b"one", second(10)).await.unwrap();
        all.expect(b"one", second(20)).await.unwrap();
        assert_eq!(all.expected(b"one").await.unwrap(), Some(second(20)));
        assert!(all.overdue(second(20)).await.unwrap().is_empty());
        assert_eq!(all.overdue(second(21)).await.unwrap(), [b"one"]);
        all.settle(b"one").await.unwrap();
        all.settle(b"one").await.unwrap();
        // The same request, again and late.
        all.expect(b"one", second(30)).await.unwrap();
        assert_eq!(all.expected(b"one").await.unwrap(), None);
        all.forget(b"one", second(99)).await.unwrap();
        all.expect(b"one", second(30)).await.unwrap();
        assert!(all.overdue(second(99)).await.unwrap().is_empty());

        all.expect(b"two", second(10)).await.unwrap();
        all.forget(b"two", second(10)).await.unwrap();
        assert_eq!(all.overdue(second(11)).await.unwrap(), [b"two"]);
        all.forget(b"two", second(11)).await.unwrap();
        assert!(all.overdue(second(11)).await.unwrap().is_empty());
        all.expect(b"two", second(30)).await.unwrap();
        assert_eq!(all.expected(b"two").await.unwrap(), Some(second(30)));
    }
}
