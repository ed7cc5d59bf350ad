//! Which certificates wait for their requester's word (*RFC 9810 §5.3.18*).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::register::RegisterError;

/// The exchanges whose certificates are not confirmed yet. An implementation in the product is
/// durable, and stands beside the [`crate::Register`]: a certificate that nobody confirms is
/// revoked, also after a crash.
#[async_trait]
pub trait Confirmations: Send + Sync {
    /// Enters an exchange that is to be confirmed until then. Where it stands already, it stays as
    /// it is.
    async fn expect(&self, exchange: &[u8], until: Timestamp) -> Result<(), RegisterError>;

    /// Returns until when an exchange is to be confirmed; nothing where it is not waited for.
    async fn expected(&self, exchange: &[u8]) -> Result<Option<Timestamp>, RegisterError>;

    /// Takes an exchange out. May be repeated.
    async fn settle(&self, exchange: &[u8]) -> Result<(), RegisterError>;

    /// Returns the exchanges that were to be confirmed before this moment.
    async fn overdue(&self, at: Timestamp) -> Result<Vec<Vec<u8>>, RegisterError>;
}

/// Confirmations that are forgotten when the process ends. What was not confirmed then stays as it
/// was issued, on hold, and nobody revokes it: for an authority that issues on hold in any case.
#[derive(Debug, Default)]
pub struct MemoryConfirmations(Mutex<BTreeMap<Vec<u8>, Timestamp>>);

impl MemoryConfirmations {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Vec<u8>, Timestamp>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Confirmations for MemoryConfirmations {
    async fn expect(&self, exchange: &[u8], until: Timestamp) -> Result<(), RegisterError> {
        self.with(|all| *all.entry(exchange.to_vec()).or_insert(until));
        Ok(())
    }

    async fn expected(&self, exchange: &[u8]) -> Result<Option<Timestamp>, RegisterError> {
        Ok(self.with(|all| all.get(exchange).copied()))
    }

    async fn settle(&self, exchange: &[u8]) -> Result<(), RegisterError> {
        self.with(|all| all.remove(exchange));
        Ok(())
    }

    async fn overdue(&self, at: Timestamp) -> Result<Vec<Vec<u8>>, RegisterError> {
        Ok(self.with(|all| {
            let overdue = all.iter().filter(|(_, until)| **until < at);
            overdue.map(|(exchange, _)| exchange.clone()).collect()
        }))
    }
}
