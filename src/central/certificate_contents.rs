//! What an order of a certificate has of its holder: the request names them, and so do the exchange with
//! the authority and the certificate. It lies under the key of the application's records, in the books
//! and in the register of the embedded authority; serial numbers, days and states stay beside it in
//! the clear, for revocation lists and for whoever asks where a certificate stands.

use cert::Certificate;
use document::DataClass;
use pki::Exchange;
use sha2::{Digest, Sha256};
use sqlx::Row;
use zeroize::Zeroizing;

use crate::cells::{Cell, DataKey};
use crate::central::Central;
use crate::certificate_rows::{Issued, Ordered};
use crate::database::{Connection, stored};
use crate::error::{CentralError, Result};
use crate::protection::{Protection, open};
use crate::statements::sql;

/// Returns the place of a column of an order.
pub(crate) fn certificate_cell<'a>(
    application: &'a str,
    order: &'a str,
    column: &'static str,
) -> Cell<'a> {
    Cell {
        class: DataClass::Record,
        subject: application,
        table: "certificate",
        column,
        row: order,
    }
}

/// Returns the place of a certificate in the register of the embedded authority.
pub(crate) fn register_cell<'a>(application: &'a str, serial: &'a str) -> Cell<'a> {
    Cell {
        class: DataClass::Record,
        subject: application,
        table: "authority_register",
        column: "der",
        row: serial,
    }
}

impl Ordered {
    fn cell(&self, column: &'static str) -> Cell<'_> {
        certificate_cell(&self.application, &self.id, column)
    }

    /// Opens the exchange with the authority.
    pub(crate) fn exchange(&self, key: &DataKey) -> Result<Exchange> {
        let opened = open(key, &self.cell("exchange"), &self.exchange)?;
        Ok(Exchange::from_bytes(opened.to_vec()))
    }

    /// Opens the certificate; none where none came.
    pub(crate) fn certificate(&self, key: &DataKey) -> Result<Option<Certificate>> {
        let Some(issued) = &self.issued else {
            return Ok(None);
        };
        let der = open(key, &self.cell("der"), &issued.der)?;
        let certificate = Certificate::parse(&der);
        let certificate = certificate.map_err(|_| CentralError::damaged("a certificate"))?;
        Ok(Some(certificate))
    }

    /// Takes the exchange as it stands now.
    pub(crate) fn take_exchange(
        &mut self,
        protection: &Protection,
        key: &DataKey,
        exchange: &Exchange,
    ) -> Result<()> {
        self.exchange = protection.seal(key, &self.cell("exchange"), exchange.as_bytes())?;
        Ok(())
    }

    /// Takes the certificate that came.
    pub(crate) fn take_certificate(
        &mut self,
        protection: &Protection,
        key: &DataKey,
        certificate: &Certificate,
    ) -> Result<()> {
        let validity = certificate.validity();
        self.issued = Some(Issued {
            serial: certificate.serial_hex(),
            not_before: stored(validity.not_before),
            not_after: stored(validity.not_after),
            der: protection.seal(key, &self.cell("der"), certificate.as_der())?,
        });
        Ok(())
    }

    /// Seals the request of a new one.
    pub(crate) fn sealed_request(
        &self,
        protection: &Protection,
        key: &DataKey,
        request: &[u8],
    ) -> Result<Vec<u8>> {
        protection.seal(key, &self.cell("request"), request)
    }

    /// Loads the request, and the product of the chip that made it.
    pub(crate) async fn request(
        &self,
        tx: &mut Connection,
        key: &DataKey,
    ) -> Result<(Zeroizing<Vec<u8>>, String)> {
        let row = sqlx::query(sql!("SELECT c.request, chip.product FROM certificate c JOIN chip ON chip.serial = c.chip WHERE c.id = $1"))
            .bind(&self.id)
            .fetch_one(tx)
            .await?;
        let request = open(key, &self.cell("request"), row.get("request"))?;
        Ok((request, row.get("product")))
    }
}

/// Finds the application of the document that a certificate was ordered for, by its key, which is
/// certified once.
pub(crate) async fn owner(
    tx: &mut Connection,
    certificate: &Certificate,
) -> Result<Option<String>> {
    let key = certificate.public_key().to_spki_der();
    let key = key.map_err(|_| CentralError::damaged("a certificate's key"))?;
    let application = sqlx::query_scalar(sql!(
        "SELECT d.application FROM certificate c JOIN document d ON d.id = c.document WHERE c.public_key = $1"
    ))
    .bind(Sha256::digest(&key).to_vec())
    .fetch_optional(tx)
    .await?;
    Ok(application)
}

impl Central {
    /// Unwraps the key of what an order has of its holder.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it was erased.
    pub(crate) async fn order_key(
        &self,
        tx: &mut Connection,
        ordered: &Ordered,
    ) -> Result<DataKey> {
        self.protection()
            .key(tx, &ordered.application, DataClass::Record)
            .await
    }
}
