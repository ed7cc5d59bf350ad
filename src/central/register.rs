//! The register of the embedded authority, in the store's database: what it issued, to whomever,
//! and where each certificate stands.

use std::sync::Arc;

use async_trait::async_trait;
use audit::{Control, Outcome};
use cert::Certificate;
use document::life_cycle::RevocationReason as Reason;
use jiff::Timestamp;
use pki::{CrlEntry, Entry, Register, RegisterError, RevocationReason, Status};
use sqlx::Row;

use crate::contention::retried;
use crate::database::{Connection, Database, DbRow, moment, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::scribe::Scribe;
use crate::statements::sql;

/// The register. Each change is a transaction with its entry in the audit log.
pub(crate) struct StoredRegister {
    pub(crate) database: Database,
    pub(crate) scribe: Arc<Scribe>,
}

impl StoredRegister {
    async fn try_enter(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<Entry> {
        let mut tx = self.database.write().await?;
        if let Some(entry) = by_exchange(&mut tx, exchange).await? {
            return Ok(entry);
        }
        let serial = certificate.serial_hex();
        sqlx::query(sql!("INSERT INTO authority_register (serial, exchange, der, status, since, not_after) VALUES ($1, $2, $3, 'on-hold', $4, $5)"))
            .bind(&serial)
            .bind(exchange)
            .bind(certificate.as_der())
            .bind(stored(at))
            .bind(stored(certificate.validity().not_after))
            .execute(&mut *tx)
            .await?;
        let deed = Deed::new(
            "authority.issued",
            Control::CRYPTOGRAPHY,
            "certificate",
            &serial,
        );
        self.scribe
            .write(&mut tx, None, &deed, Outcome::Done, None)
            .await?;
        tx.commit().await?;
        Ok(Entry {
            certificate: certificate.clone(),
            status: Status::OnHold,
            since: at,
        })
    }

    /// Moves a certificate; returns whether it may be moved so.
    async fn try_set(&self, serial: &str, status: Status, at: Timestamp) -> Result<Moved> {
        let mut tx = self.database.write().await?;
        let Some(entry) = by_serial(&mut tx, serial).await? else {
            return Ok(Moved::Unknown);
        };
        if entry.status == status {
            return Ok(Moved::Yes);
        }
        if matches!(entry.status, Status::Revoked(_)) {
            return Ok(Moved::Revoked);
        }
        let name = name_of(status);
        sqlx::query(sql!(
            "UPDATE authority_register SET status = $1, since = $2 WHERE serial = $3"
        ))
        .bind(&name)
        .bind(stored(at))
        .bind(serial)
        .execute(&mut *tx)
        .await?;
        let deed = Deed::new(
            "authority.moved",
            Control::CRYPTOGRAPHY,
            "certificate",
            serial,
        )
        .with("status", &name);
        self.scribe
            .write(&mut tx, None, &deed, Outcome::Done, None)
            .await?;
        tx.commit().await?;
        Ok(Moved::Yes)
    }

    async fn try_list(&self, at: Timestamp) -> Result<Vec<CrlEntry>> {
        let mut tx = self.database.read().await?;
        let rows = sqlx::query(sql!(
            "SELECT serial, status, since FROM authority_register
             WHERE status <> 'good' AND not_after >= $1 ORDER BY serial"
        ))
        .bind(stored(at))
        .fetch_all(&mut *tx)
        .await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            let reason = match status_of(row.get("status"))? {
                Status::OnHold => RevocationReason::CertificateHold,
                Status::Revoked(reason) => reason,
                Status::Good => continue,
            };
            entries.push(CrlEntry {
                serial: hex::decode(row.get::<&str, _>("serial"))
                    .map_err(|_| CentralError::damaged("a certificate's serial number"))?,
                since: moment(row.get("since"))?,
                reason,
            });
        }
        Ok(entries)
    }
}

/// What became of a move.
enum Moved {
    Yes,
    Unknown,
    Revoked,
}

async fn by_exchange(tx: &mut Connection, exchange: &[u8]) -> Result<Option<Entry>> {
    let row = sqlx::query(sql!(
        "SELECT der, status, since FROM authority_register WHERE exchange = $1"
    ))
    .bind(exchange)
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(entry).transpose()
}

async fn by_serial(tx: &mut Connection, serial: &str) -> Result<Option<Entry>> {
    let row = sqlx::query(sql!(
        "SELECT der, status, since FROM authority_register WHERE serial = $1"
    ))
    .bind(serial)
    .fetch_optional(tx)
    .await?;
    row.as_ref().map(entry).transpose()
}

fn entry(row: &DbRow) -> Result<Entry> {
    Ok(Entry {
        certificate: Certificate::parse(row.get("der"))
            .map_err(|_| CentralError::damaged("a certificate in the authority's register"))?,
        status: status_of(row.get("status"))?,
        since: moment(row.get("since"))?,
    })
}

/// Returns a status as the register has it, and the log.
pub(crate) fn name_of(status: Status) -> String {
    match status {
        Status::OnHold => "on-hold".into(),
        Status::Good => "good".into(),
        Status::Revoked(reason) => {
            let reason = Reason::ALL.iter().find(|one| listed(**one) == reason);
            // A hold is a status of its own, so that every reason is one of the life cycle's.
            let reason = reason.unwrap_or(&Reason::Superseded);
            format!("revoked:{reason}")
        }
    }
}

fn status_of(text: &str) -> Result<Status> {
    match text {
        "on-hold" => Ok(Status::OnHold),
        "good" => Ok(Status::Good),
        other => {
            let reason = other
                .strip_prefix("revoked:")
                .and_then(|reason| reason.parse::<Reason>().ok());
            let reason = reason.ok_or_else(|| CentralError::damaged("a certificate's status"))?;
            Ok(Status::Revoked(listed(reason)))
        }
    }
}

/// Returns a reason as revocation lists have it.
pub(crate) fn listed(reason: Reason) -> RevocationReason {
    match reason {
        Reason::KeyCompromise => RevocationReason::KeyCompromise,
        Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
        Reason::Superseded => RevocationReason::Superseded,
        Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
        Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
    }
}

fn storage(error: CentralError) -> RegisterError {
    RegisterError::Storage(error.into())
}

#[async_trait]
impl Register for StoredRegister {
    async fn issued(&self, exchange: &[u8]) -> Result<Option<Entry>, RegisterError> {
        let found = async {
            let mut tx = self.database.read().await?;
            by_exchange(&mut tx, exchange).await
        };
        found.await.map_err(storage)
    }

    async fn enter(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<Entry, RegisterError> {
        let entered = retried!(self.try_enter(exchange, certificate, at));
        entered.map_err(storage)
    }

    async fn find(&self, serial: &[u8]) -> Result<Option<Entry>, RegisterError> {
        let found = async {
            let mut tx = self.database.read().await?;
            by_serial(&mut tx, &hex::encode(serial)).await
        };
        found.await.map_err(storage)
    }

    async fn set_status(
        &self,
        serial: &[u8],
        status: Status,
        at: Timestamp,
    ) -> Result<(), RegisterError> {
        let serial = hex::encode(serial);
        match retried!(self.try_set(&serial, status, at)).map_err(storage)? {
            Moved::Yes => Ok(()),
            Moved::Unknown => Err(RegisterError::Unknown { serial }),
            Moved::Revoked => Err(RegisterError::Revoked { serial }),
        }
    }

    async fn listed(&self, at: Timestamp) -> Result<Vec<CrlEntry>, RegisterError> {
        self.try_list(at).await.map_err(storage)
    }
}
