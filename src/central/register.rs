//! The register of the embedded authority, in the store's database: what it issued, to whomever,
//! and where each certificate stands. That of a document lies under the key of its records, and is
//! erased with them; its serial number, its days and where it stands stay.

use std::sync::Arc;

use async_trait::async_trait;
use audit::{Control, Outcome};
use cert::Certificate;
use document::DataClass;
use document::life_cycle::RevocationReason as Reason;
use jiff::Timestamp;
use pki::{CrlEntry, Entry, Register, RegisterError, RevocationReason, Status};
use sqlx::Row;
use zeroize::Zeroizing;

use crate::certificate_contents::{owner, register_cell};
use crate::contention::retried;
use crate::database::{Connection, Database, DbRow, moment, stored};
use crate::error::{CentralError, Result};
use crate::protection::{Protection, erased, open};
use crate::scribe::{Deed, Scribe};
use crate::statements::sql;

/// The register. Each change is a transaction with its entry in the audit log.
pub(crate) struct StoredRegister {
    pub(crate) database: Database,
    pub(crate) scribe: Arc<Scribe>,
    pub(crate) protection: Protection,
}

impl StoredRegister {
    async fn try_enter(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<Entry> {
        let mut tx = self.database.write().await?;
        if let Some(entry) = self.by_exchange(&mut tx, exchange).await? {
            return Ok(entry);
        }
        let serial = certificate.serial_hex();
        let (application, der) = match owner(&mut tx, certificate).await? {
            // Somebody else's, over CMP: no document of this store's, and no key.
            None => (None, certificate.as_der().to_vec()),
            Some(application) => {
                let protection = &self.protection;
                let key = protection
                    .key(&mut tx, &application, DataClass::Record)
                    .await?;
                let cell = register_cell(&application, &serial);
                let der = protection.seal(&key, &cell, certificate.as_der())?;
                (Some(application), der)
            }
        };
        let kept = match application {
            Some(_) => SEALED,
            None => CLEAR,
        };
        sqlx::query(sql!("INSERT INTO authority_register (serial, exchange, der, status, since, not_after, application, kept) VALUES ($1, $2, $3, 'on-hold', $4, $5, $6, $7)"))
            .bind(&serial)
            .bind(exchange)
            .bind(der)
            .bind(stored(at))
            .bind(stored(certificate.validity().not_after))
            .bind(application)
            .bind(kept)
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
        let Some((before, _)) = standing(&mut tx, serial).await? else {
            return Ok(Moved::Unknown);
        };
        if before == status {
            return Ok(Moved::Yes);
        }
        if matches!(before, Status::Revoked(_)) {
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

const COLUMNS: &str = "SELECT serial, der, status, since, application FROM authority_register";

impl StoredRegister {
    /// Finds what was issued under an exchange's name.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where the certificate was erased.
    async fn by_exchange(&self, tx: &mut Connection, exchange: &[u8]) -> Result<Option<Entry>> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE exchange = $1"))
            .bind(exchange)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let entry = self.entry(tx, &row).await?;
        entry.map(Some).ok_or_else(|| erased(DataClass::Record))
    }

    /// Finds a certificate that is kept still.
    async fn by_serial(&self, tx: &mut Connection, serial: &str) -> Result<Option<Entry>> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE serial = $1"))
            .bind(serial)
            .fetch_optional(&mut *tx)
            .await?;
        match row {
            None => Ok(None),
            Some(row) => self.entry(tx, &row).await,
        }
    }

    /// Reads an entry; none where its certificate was erased.
    async fn entry(&self, tx: &mut Connection, row: &DbRow) -> Result<Option<Entry>> {
        let (application, stored): (Option<String>, Vec<u8>) =
            (row.get("application"), row.get("der"));
        let der = match application {
            _ if stored.is_empty() => return Ok(None),
            None => Zeroizing::new(stored),
            Some(application) => {
                let class = DataClass::Record;
                let Some(key) = self.protection.find_key(tx, &application, class).await? else {
                    return Ok(None);
                };
                open(
                    &key,
                    &register_cell(&application, row.get("serial")),
                    &stored,
                )?
            }
        };
        Ok(Some(Entry {
            certificate: Certificate::parse(&der)
                .map_err(|_| CentralError::damaged("a certificate in the authority's register"))?,
            status: status_of(row.get("status"))?,
            since: moment(row.get("since"))?,
        }))
    }
}

/// Returns where a certificate stands, and since when.
async fn standing(tx: &mut Connection, serial: &str) -> Result<Option<(Status, Timestamp)>> {
    let row = sqlx::query(sql!(
        "SELECT status, since FROM authority_register WHERE serial = $1"
    ))
    .bind(serial)
    .fetch_optional(tx)
    .await?;
    let read = |row: &DbRow| Ok((status_of(row.get("status"))?, moment(row.get("since"))?));
    row.as_ref().map(read).transpose()
}

/// A certificate of a document of this store's, under the key of its records.
pub(crate) const SEALED: &str = "sealed";

/// A certificate of somebody else's.
pub(crate) const CLEAR: &str = "clear";

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
            self.by_exchange(&mut tx, exchange).await
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
            self.by_serial(&mut tx, &hex::encode(serial)).await
        };
        found.await.map_err(storage)
    }

    async fn standing(&self, serial: &[u8]) -> Result<Option<(Status, Timestamp)>, RegisterError> {
        let found = async {
            let mut tx = self.database.read().await?;
            standing(&mut tx, &hex::encode(serial)).await
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
