//! A certification authority outside the store, which has a register of its own, and trouble.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cert::Certificate;
use hsm::RandomSource;
use jiff::Timestamp;
use pki::{
    Answer, AuthorityError, CertificateAuthority, CertificateOrder, CrlEntry, EmbeddedCa, Entry,
    Exchange, Promises, Register, RegisterError, ServingCa, Status, Verdict,
};

use crate::fault::{Fault, Seam};
use crate::trip::Trip;

/// How often it has itself asked when it is late.
const LATE: u32 = 2;
/// After how long it wants to be asked again.
const AFTER: Duration = Duration::from_millis(10);

/// What it issued, in memory: it lives as long as a case.
#[derive(Debug, Default)]
struct Ledger(Mutex<BTreeMap<Vec<u8>, Entry>>);

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Register for Ledger {
    async fn issued(&self, exchange: &[u8]) -> Result<Option<Entry>, RegisterError> {
        Ok(self.entries().get(exchange).cloned())
    }

    async fn enter(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<Entry, RegisterError> {
        let mut entries = self.entries();
        let entry = entries.entry(exchange.to_vec()).or_insert_with(|| Entry {
            certificate: certificate.clone(),
            status: Status::OnHold,
            since: at,
        });
        Ok(entry.clone())
    }

    async fn find(&self, serial: &[u8]) -> Result<Option<Entry>, RegisterError> {
        let entries = self.entries();
        let mut all = entries.values();
        Ok(all
            .find(|entry| entry.certificate.serial() == serial)
            .cloned())
    }

    async fn set_status(
        &self,
        serial: &[u8],
        status: Status,
        at: Timestamp,
    ) -> Result<(), RegisterError> {
        let mut entries = self.entries();
        let mut all = entries.values_mut();
        let Some(entry) = all.find(|entry| entry.certificate.serial() == serial) else {
            let serial = serial.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(RegisterError::Unknown { serial });
        };
        match entry.status {
            same if same == status => {}
            Status::Revoked(_) => {
                let serial = entry.certificate.serial_hex();
                return Err(RegisterError::Revoked { serial });
            }
            _ => (entry.status, entry.since) = (status, at),
        }
        Ok(())
    }

    async fn listed(&self, _: Timestamp) -> Result<Vec<CrlEntry>, RegisterError> {
        // Nobody asks this authority for a list.
        Ok(Vec::new())
    }
}

/// The authority, in one case.
#[derive(Debug)]
pub(crate) struct Outside {
    ca: ServingCa,
    ledger: Arc<Ledger>,
    /// What the life of the station that is now has it meet.
    trip: Mutex<Arc<Trip>>,
    late: AtomicU32,
}

impl Outside {
    pub(crate) fn new(ca: Arc<EmbeddedCa>, random: Arc<dyn RandomSource>) -> Self {
        let ledger = Arc::new(Ledger::default());
        Self {
            ca: ServingCa::new(ca, Arc::clone(&ledger) as Arc<dyn Register>, random),
            ledger,
            trip: Mutex::default(),
            late: AtomicU32::new(0),
        }
    }

    /// Follows another life of the station.
    pub(crate) fn follow(&self, trip: &Arc<Trip>) {
        *self.trip.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(trip);
        self.late.store(0, Ordering::Relaxed);
    }

    fn trip(&self) -> Arc<Trip> {
        let trip = self.trip.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&trip)
    }

    /// Returns the serial numbers of what it issued and did not revoke, in hexadecimal, and since when each
    /// is what it is.
    pub(crate) fn live(&self) -> Vec<(String, Timestamp)> {
        let entries = self.ledger.entries();
        let live = entries.values();
        let live = live.filter(|entry| !matches!(entry.status, Status::Revoked(_)));
        live.map(|entry| (entry.certificate.serial_hex(), entry.since))
            .collect()
    }

    fn here(&self) -> Result<(), AuthorityError> {
        match self.trip().lasting(Seam::Order) {
            Some(Fault::AuthorityAway) => Err(away()),
            _ => Ok(()),
        }
    }
}

fn away() -> AuthorityError {
    AuthorityError::Unanswered {
        reason: "no route to it".into(),
    }
}

fn waiting(exchange: &Exchange) -> Answer {
    Answer::Waiting {
        exchange: exchange.clone(),
        after: AFTER,
    }
}

#[async_trait]
impl CertificateAuthority for Outside {
    fn promises(&self) -> Promises {
        self.ca.promises()
    }

    fn chain(&self) -> &[Certificate] {
        self.ca.chain()
    }

    async fn prepare(
        &self,
        order: &CertificateOrder,
        at: Timestamp,
    ) -> Result<Exchange, AuthorityError> {
        self.ca.prepare(order, at).await
    }

    async fn submit(
        &self,
        order: &CertificateOrder,
        exchange: &Exchange,
        at: Timestamp,
    ) -> Result<Answer, AuthorityError> {
        let later = |left: u32| left.checked_sub(1);
        let is_late = (self.late).fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        if is_late.is_ok() {
            return Ok(waiting(exchange));
        }
        match self.trip().pass(Seam::Order) {
            Some(Fault::AuthorityLate) => {
                self.late.store(LATE - 1, Ordering::Relaxed);
                Ok(waiting(exchange))
            }
            Some(Fault::AuthorityTwice) => {
                self.ca.submit(order, exchange, at).await?;
                self.ca.submit(order, exchange, at).await
            }
            Some(Fault::AuthorityNever) => {
                self.ca.submit(order, exchange, at).await?;
                Ok(waiting(exchange))
            }
            Some(Fault::AuthorityMute) => {
                self.ca.submit(order, exchange, at).await?;
                Err(away())
            }
            Some(Fault::AuthorityAway) => Err(away()),
            _ => self.ca.submit(order, exchange, at).await,
        }
    }

    async fn conclude(
        &self,
        exchange: &Exchange,
        certificate: &Certificate,
        verdict: Verdict,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        self.here()?;
        self.ca.conclude(exchange, certificate, verdict, at).await
    }

    async fn set_status(
        &self,
        certificate: &Certificate,
        status: Status,
        at: Timestamp,
    ) -> Result<(), AuthorityError> {
        self.here()?;
        self.ca.set_status(certificate, status, at).await
    }
}
