//! What a register's system sends over the network. It shows no certificate of ours: the signature
//! is what lets it in, before anything is kept of what was sent.

use api::{PACKAGE_TYPE, REQUEST_TYPE, RegisterRequest};
use audit::{Control, Outcome};
use cert::jws::{Jws, JwsKey};
use document::{MAX_PACKAGE_BYTES, SourceName};
use jiff::SignedDuration;
use sqlx::Row;

use crate::central::Central;
use crate::contention::retried;
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::source_keys::valid_keys;
use crate::statements::sql;

/// The longest request for reports, signature and all.
pub const MAX_REQUEST: usize = 16 << 10;

/// How old a request for reports may be, and how far a source's clock ahead.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

impl Central {
    /// Takes in a package that a source posted, as [`Central::take_package`] does, if a key that is
    /// admitted for that source signed it. Of what is not signed nothing is kept: anybody could
    /// fill the store with it.
    ///
    /// # Errors
    /// [`CentralError::Refused`] for what no such key signed, and from a removed source;
    /// [`CentralError::NotFound`] for an unknown one; the token's and the database's failures.
    pub async fn post_package(&self, source: &SourceName, bytes: &[u8]) -> Result<Vec<u8>> {
        self.signed_by(source, bytes, MAX_PACKAGE_BYTES, PACKAGE_TYPE)
            .await?;
        self.take_package(source.as_str(), bytes).await
    }

    /// Gives a source its reports after the last that it says it has, at most a hundred, each
    /// signed, in order. `bytes` is its [request](RegisterRequest), signed like a package.
    ///
    /// # Errors
    /// [`CentralError::Refused`] for what none of its keys signed, that is another's, or that is
    /// older than five minutes; [`CentralError::Invalid`] for what is no request;
    /// [`CentralError::NotFound`] for an unknown source; the token's and the database's failures.
    pub async fn post_request(
        &self,
        source: &SourceName,
        bytes: &[u8],
    ) -> Result<Vec<(u64, Vec<u8>)>> {
        let payload = self
            .signed_by(source, bytes, MAX_REQUEST, REQUEST_TYPE)
            .await?;
        let request: RegisterRequest = serde_json::from_slice(&payload)
            .map_err(|_| CentralError::invalid("the payload is no request of format 1"))?;
        if request.format != 1 {
            return Err(CentralError::invalid("the request's format must be 1"));
        }
        if request.source != *source || request.environment != self.environment() {
            return Err(CentralError::refused(
                "the request is another source's, or for another environment",
            ));
        }
        if self.now().duration_since(request.created).abs() > FRESH {
            return Err(CentralError::refused(
                "the request was not made within the last five minutes; look at the clock, and make another",
            ));
        }
        self.acknowledge_reports(source, request.after).await?;
        self.reports(source, request.after).await
    }

    /// Writes down that something came in a source's name that was refused, and why.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn source_turned_away(&self, source: &SourceName, cause: &str) -> Result<()> {
        let deed = Deed::new(
            "source.turned-away",
            Control::AUTHENTICATION,
            "source",
            source,
        );
        retried!(async {
            let mut tx = self.write().await?;
            self.scribe()
                .write(&mut tx, None, &deed, Outcome::Refused, Some(cause))
                .await?;
            tx.commit().await?;
            Ok(())
        })
    }

    /// Returns the payload of what one of the keys that are admitted for a source signed.
    async fn signed_by(
        &self,
        source: &SourceName,
        bytes: &[u8],
        most: usize,
        media_type: &'static str,
    ) -> Result<Vec<u8>> {
        let keys = {
            let mut tx = self.read().await?;
            let row = sqlx::query(sql!("SELECT removed FROM source WHERE name = $1"))
                .bind(source.as_str())
                .fetch_optional(&mut *tx)
                .await?;
            let row = row.ok_or_else(|| CentralError::NotFound {
                what: "source of this name".to_owned(),
            })?;
            if media_type == PACKAGE_TYPE && row.get::<Option<i64>, _>("removed").is_some() {
                return Err(CentralError::refused(
                    "this source was removed; nothing is taken from it",
                ));
            }
            valid_keys(&mut tx, source, self.now()).await?
        };
        let copy = bytes.to_vec();
        let read = self.blocking(move || verified(&copy, &keys, most, media_type));
        read.await?.ok_or_else(|| {
            CentralError::refused("it is not signed with a key that is admitted for this source")
        })
    }
}

fn verified(
    bytes: &[u8],
    keys: &[JwsKey],
    most: usize,
    media_type: &'static str,
) -> Option<Vec<u8>> {
    let jws = Jws::parse(bytes, most).ok()?;
    let named = |key: &&JwsKey| jws.key_id().is_none_or(|id| id == key.thumbprint());
    let mut candidates = keys.iter().filter(named);
    let (Some(key), None) = (candidates.next(), candidates.next()) else {
        return None;
    };
    jws.verify(key, media_type).ok()
}
