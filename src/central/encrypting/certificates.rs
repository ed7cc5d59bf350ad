//! Certificates that were stored in the clear, with their requests and exchanges.

use cert::Certificate;
use document::DataClass;
use sqlx::Row;

use super::BATCH;
use crate::cells::Cell;
use crate::central::Central;
use crate::certificate_contents::{certificate_cell, owner, register_cell};
use crate::contention::retried;
use crate::database::Connection;
use crate::error::{CentralError, Result};
use crate::register::{CLEAR, SEALED};
use crate::statements::sql;

impl Central {
    pub(super) async fn encrypt_certificates(&self) -> Result<u64> {
        let mut encrypted = 0;
        loop {
            let some = retried!(self.encrypt_next_certificates())?;
            if some == 0 {
                return Ok(encrypted);
            }
            encrypted += some;
        }
    }

    async fn encrypt_next_certificates(&self) -> Result<u64> {
        let mut tx = self.write().await?;
        let rows = sqlx::query(sql!(
            "SELECT c.id, c.request, c.exchange, c.der, d.application FROM certificate c
                 JOIN document d ON d.id = c.document WHERE c.sealed = 0 ORDER BY c.id LIMIT $1"
        ))
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let (id, application): (&str, &str) = (row.get("id"), row.get("application"));
            let mut sealed = Vec::new();
            for column in ["request", "exchange", "der"] {
                sealed.push(match row.get::<Option<&[u8]>, _>(column) {
                    None => None,
                    Some(value) => {
                        let cell = certificate_cell(application, id, column);
                        Some(self.sealed_or_erased(&mut tx, &cell, value).await?)
                    }
                });
            }
            let mut update = sqlx::query(sql!(
                "UPDATE certificate SET request = $1, exchange = $2, der = $3, sealed = 1 WHERE id = $4"
            ));
            for value in sealed {
                update = update.bind(value);
            }
            update.bind(id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }

    /// Seals what is in the register of documents of this store's.
    pub(super) async fn encrypt_register(&self) -> Result<u64> {
        let mut encrypted = 0;
        while let Some(some) = retried!(self.encrypt_next_of_register())? {
            encrypted += some;
        }
        Ok(encrypted)
    }

    /// Returns how many of the next ones were sealed; none where all are sorted.
    async fn encrypt_next_of_register(&self) -> Result<Option<u64>> {
        let mut encrypted = 0;
        let mut tx = self.write().await?;
        let rows = sqlx::query(sql!(
            "SELECT serial, der FROM authority_register WHERE kept = 'unsorted' ORDER BY serial LIMIT $1"
        ))
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        for row in &rows {
            let (serial, der): (&str, &[u8]) = (row.get("serial"), row.get("der"));
            let certificate = Certificate::parse(der)
                .map_err(|_| CentralError::damaged("a certificate in the authority's register"))?;
            let application = owner(&mut tx, &certificate).await?;
            let (der, kept) = match &application {
                None => (der.to_vec(), CLEAR),
                Some(application) => {
                    let cell = register_cell(application, serial);
                    encrypted += 1;
                    (self.sealed_or_erased(&mut tx, &cell, der).await?, SEALED)
                }
            };
            sqlx::query(sql!(
                "UPDATE authority_register SET der = $1, kept = $2, application = $3 WHERE serial = $4"
            ))
            .bind(der)
            .bind(kept)
            .bind(&application)
            .bind(serial)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(Some(encrypted))
    }

    /// Seals a value; where the term of its class was over before, nothing of it is left.
    async fn sealed_or_erased(
        &self,
        tx: &mut Connection,
        cell: &Cell<'_>,
        value: &[u8],
    ) -> Result<Vec<u8>> {
        let protection = self.protection();
        let key = protection
            .find_key(tx, cell.subject, DataClass::Record)
            .await?;
        match key {
            None => Ok(Vec::new()),
            Some(key) => protection.seal(&key, cell, value),
        }
    }
}
