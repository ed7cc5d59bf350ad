//! Revocation lists of the embedded authority.

use std::time::Duration;

use api::Actor;
use audit::Control;
use document::Act;

use crate::accounts::authorise;
use crate::authorities::EMBEDDED;
use crate::central::Central;
use crate::certificate_profiles::fault;
use crate::contention::retried;
use crate::database::stored;
use crate::error::Result;
use crate::scribe::Deed;
use crate::statements::sql;

/// How long a revocation list may be relied on.
const CRL_TERM: Duration = Duration::from_secs(7 * 24 * 3600);

impl Central {
    /// Demands the right to publish for the embedded authority, and notes who begins to.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer.
    pub async fn begin_publishing(&self, actor: &Actor) -> Result<()> {
        let deed = Deed::new(
            "authority.published",
            Control::CRYPTOGRAPHY,
            "authority",
            EMBEDDED,
        );
        let result = retried!(self.try_begin_publishing(actor, &deed));
        self.settle(actor, &deed, result).await
    }

    async fn try_begin_publishing(&self, actor: &Actor, deed: &Deed) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ServeAuthority).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes a new revocation list of the embedded authority, DER: every certificate that is on
    /// hold or revoked, and not expired. Lists are numbered without gaps, and kept.
    ///
    /// # Errors
    /// The authority's and the database's failures.
    pub async fn crl(&self) -> Result<Vec<u8>> {
        // One list at a time: each has the number after the one before. Where another instance took
        // the number meanwhile, this one makes its list again.
        let _turn = self.listing().lock().await;
        retried!(self.try_crl())
    }

    async fn try_crl(&self) -> Result<Vec<u8>> {
        let now = self.now();
        let number: i64 = sqlx::query_scalar(sql!("SELECT coalesce(max(number), 0) + 1 FROM crl"))
            .fetch_one(&mut *self.read().await?)
            .await?;
        let embedded = self.authorities().embedded();
        let der = embedded
            .crl(now, CRL_TERM, number.unsigned_abs())
            .await
            .map_err(|source| fault("no revocation list was made")(source.into()))?;
        let mut tx = self.write().await?;
        sqlx::query(sql!(
            "INSERT INTO crl (number, issued, der) VALUES ($1, $2, $3)"
        ))
        .bind(number)
        .bind(stored(now))
        .bind(&der)
        .execute(&mut *tx)
        .await?;
        let deed = Deed::new("crl.issued", Control::CRYPTOGRAPHY, "crl", number);
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(der)
    }
}
