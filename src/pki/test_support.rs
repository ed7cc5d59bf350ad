//! A register in memory, for tests: durable as long as the process is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use cert::Certificate;
use jiff::Timestamp;

use crate::authority::Status;
use crate::crl::{CrlEntry, RevocationReason};
use crate::register::{Entry, Register, RegisterError};

/// A register in memory.
#[derive(Debug, Default)]
pub struct MemoryRegister(Mutex<BTreeMap<Vec<u8>, Entry>>);

impl MemoryRegister {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<Vec<u8>, Entry>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns every certificate that was entered.
    pub fn entries(&self) -> Vec<Entry> {
        self.with(|entries| entries.values().cloned().collect())
    }
}

#[async_trait]
impl Register for MemoryRegister {
    async fn issued(&self, exchange: &[u8]) -> Result<Option<Entry>, RegisterError> {
        Ok(self.with(|entries| entries.get(exchange).cloned()))
    }

    async fn enter(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<Entry, RegisterError> {
        let entry = Entry {
            certificate: certificate.clone(),
            status: Status::OnHold,
            since: at,
        };
        Ok(self.with(|entries| {
            entries
                .entry(exchange.to_vec())
                .or_insert_with(|| entry)
                .clone()
        }))
    }

    async fn find(&self, serial: &[u8]) -> Result<Option<Entry>, RegisterError> {
        Ok(self.with(|entries| {
            let mut entries = entries.values();
            entries
                .find(|entry| entry.certificate.serial() == serial)
                .cloned()
        }))
    }

    async fn set_status(
        &self,
        serial: &[u8],
        status: Status,
        at: Timestamp,
    ) -> Result<(), RegisterError> {
        self.with(|entries| {
            let mut entries = entries.values_mut();
            let entry = entries.find(|entry| entry.certificate.serial() == serial);
            match entry {
                None => Err(RegisterError::Unknown {
                    serial: hex(serial),
                }),
                Some(entry) if entry.status == status => Ok(()),
                Some(entry) if matches!(entry.status, Status::Revoked(_)) => {
                    Err(RegisterError::Revoked {
                        serial: hex(serial),
                    })
                }
                Some(entry) => {
                    (entry.status, entry.since) = (status, at);
                    Ok(())
                }
            }
        })
    }

    async fn listed(&self, at: Timestamp) -> Result<Vec<CrlEntry>, RegisterError> {
        Ok(self.with(|entries| {
            let live = entries
                .values()
                .filter(|entry| entry.certificate.validity().not_after >= at);
            let listed = live.filter_map(|entry| {
                Some(CrlEntry {
                    serial: entry.certificate.serial().to_vec(),
                    since: entry.since,
                    reason: match entry.status {
                        Status::Good => return None,
                        Status::OnHold => RevocationReason::CertificateHold,
                        Status::Revoked(reason) => reason,
                    },
                })
            });
            listed.collect()
        }))
    }
}

fn hex(serial: &[u8]) -> String {
    serial.iter().map(|byte| format!("{byte:02x}")).collect()
}
