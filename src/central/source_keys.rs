//! The keys with which sources sign.
//!
//! An administrator proposes a key; a security officer admits it, having compared the thumbprint with
//! the register's people by another way. Either takes it back alone.

use api::Actor;
use audit::Control;
use cert::jws::JwsKey;
use document::{Act, SourceName, four_eyes};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::{authorise, name_of};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, stored};
use crate::error::{CentralError, Result};
use crate::expected::tag_of;
use crate::scribe::Deed;
use crate::sources::Sender;
use crate::statements::sql;

/// Most keys of one source that are proposed or admitted: the present, the next, and one to spare.
const MAX_KEYS: i64 = 4;

/// A key of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceKey {
    /// Its thumbprint (*RFC 7638*).
    pub thumbprint: String,
    /// From when it counts.
    pub not_before: Timestamp,
    /// Until when it counts.
    pub not_after: Timestamp,
    /// `proposed`, `admitted` or `withdrawn`.
    pub state: &'static str,
}

impl SourceKey {
    /// Returns the tag of what is shown of it.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&format!("{self:?}"))
    }

    /// Loads the one of this thumbprint.
    pub(crate) async fn load(tx: &mut Connection, thumbprint: &str) -> Result<Self> {
        let source: String = key_row(tx, thumbprint).await?.get("source");
        let keys = keys(tx, &source).await?;
        let own = keys.into_iter().find(|key| key.thumbprint == thumbprint);
        own.ok_or_else(unknown_key)
    }
}

/// Returns the keys of a source that count at a moment.
pub(crate) async fn valid_keys(
    tx: &mut Connection,
    source: &SourceName,
    at: Timestamp,
) -> Result<Vec<JwsKey>> {
    let keys: Vec<Vec<u8>> = sqlx::query_scalar(sql!("SELECT spki FROM source_key WHERE source = $1 AND admitted IS NOT NULL AND withdrawn IS NULL
         AND not_before <= $2 AND not_after > $3 ORDER BY thumbprint"))
    .bind(source.as_str())
    .bind(stored(at))
    .bind(stored(at))
    .fetch_all(tx)
    .await?;
    let read = |spki: &Vec<u8>| {
        JwsKey::from_spki_der(spki).map_err(|_| CentralError::damaged("a source's key"))
    };
    keys.iter().map(read).collect()
}

impl Central {
    /// Proposes a key of a source, `SubjectPublicKeyInfo` in DER; returns its thumbprint, which
    /// whoever admits it compares with what the register says of it.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::Invalid`]
    /// for a key that signs nothing here, and a validity that is none; [`CentralError::Conflict`]
    /// for a key that is known, and for too many.
    pub async fn propose_source_key(
        &self,
        actor: &Actor,
        source: &SourceName,
        spki: &[u8],
        validity: (Timestamp, Timestamp),
    ) -> Result<String> {
        let deed = Deed::new(
            "source.key-proposed",
            Control::CRYPTOGRAPHY,
            "source",
            source,
        );
        let result = retried!(self.try_propose(actor, &deed, source, spki, validity));
        self.settle(actor, &deed, result).await
    }

    async fn try_propose(
        &self,
        actor: &Actor,
        deed: &Deed,
        source: &SourceName,
        spki: &[u8],
        (not_before, not_after): (Timestamp, Timestamp),
    ) -> Result<String> {
        let mut tx = self.write().await?;
        let administrator = authorise(&mut tx, actor, Act::ManageSources).await?;
        Sender::load(&mut tx, source).await?;
        let key = JwsKey::from_spki_der(spki)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        if not_before >= not_after || not_after <= self.now() {
            return Err(CentralError::invalid(
                "a key counts from a moment until a later one that is still to come",
            ));
        }
        let thumbprint = key.thumbprint();
        let row = sqlx::query(sql!("SELECT CAST(coalesce(sum(CASE WHEN thumbprint = $1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS known,
                    CAST(coalesce(sum(CASE WHEN source = $2 AND withdrawn IS NULL AND not_after > $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS held
             FROM source_key"))
        .bind(&thumbprint)
        .bind(source.as_str())
        .bind(stored(self.now()))
        .fetch_one(&mut *tx)
        .await?;
        if row.get::<i64, _>("known") > 0 {
            return Err(CentralError::conflict(
                "this key was proposed before; a source makes a new one for each proposal",
            ));
        }
        if row.get::<i64, _>("held") >= MAX_KEYS {
            return Err(CentralError::conflict(format!(
                "a source has at most {MAX_KEYS} keys; withdraw one first"
            )));
        }
        sqlx::query(sql!("INSERT INTO source_key (thumbprint, source, spki, not_before, not_after, proposed_by, proposed)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"))
        .bind(&thumbprint)
        .bind(source.as_str())
        .bind(key.spki_der())
        .bind(stored(not_before))
        .bind(stored(not_after))
        .bind(&administrator.id)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("key", &thumbprint)
            .with("not_before", not_before)
            .with("not_after", not_after);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(thumbprint)
    }

    /// Admits a key that another person proposed.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, and another person;
    /// [`CentralError::NotFound`]; [`CentralError::Conflict`] for a key that was decided.
    pub async fn admit_source_key(&self, actor: &Actor, thumbprint: &str) -> Result<()> {
        let deed = Deed::new(
            "source.key-admitted",
            Control::SEGREGATION,
            "key",
            thumbprint,
        );
        let result = retried!(self.try_admit(actor, &deed, thumbprint));
        self.settle(actor, &deed, result).await
    }

    async fn try_admit(&self, actor: &Actor, deed: &Deed, thumbprint: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::AdmitSourceKey).await?;
        let row = key_row(&mut tx, thumbprint).await?;
        let proposer = name_of(&mut tx, row.get("proposed_by")).await?;
        four_eyes(&proposer, &officer.name).map_err(|_| {
            CentralError::refused("nobody admits a key that they proposed; another person must")
        })?;
        let decided = row.get::<Option<i64>, _>("admitted").is_some();
        if decided || row.get::<Option<i64>, _>("withdrawn").is_some() {
            return Err(CentralError::conflict(
                "this key was admitted or withdrawn already",
            ));
        }
        sqlx::query(sql!(
            "UPDATE source_key SET admitted_by = $1, admitted = $2 WHERE thumbprint = $3"
        ))
        .bind(&officer.id)
        .bind(stored(self.now()))
        .bind(thumbprint)
        .execute(&mut *tx)
        .await?;
        let deed = deed.clone().with("source", row.get::<String, _>("source"));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Withdraws a key: nothing is taken under it from now on. What was taken stays.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor may propose or admit keys;
    /// [`CentralError::NotFound`]; [`CentralError::Conflict`] where it is withdrawn;
    /// [`CentralError::Invalid`] without a cause.
    pub async fn withdraw_source_key(
        &self,
        actor: &Actor,
        thumbprint: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new(
            "source.key-withdrawn",
            Control::CRYPTOGRAPHY,
            "key",
            thumbprint,
        );
        let result = retried!(self.try_withdraw_key(actor, &deed, thumbprint, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_withdraw_key(
        &self,
        actor: &Actor,
        deed: &Deed,
        thumbprint: &str,
        cause: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        self.manages_or_admits(&mut tx, actor).await?;
        check_cause(cause)?;
        let row = key_row(&mut tx, thumbprint).await?;
        if row.get::<Option<i64>, _>("withdrawn").is_some() {
            return Err(CentralError::conflict("this key is withdrawn already"));
        }
        sqlx::query(sql!(
            "UPDATE source_key SET withdrawn = $1 WHERE thumbprint = $2"
        ))
        .bind(stored(self.now()))
        .bind(thumbprint)
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("source", row.get::<String, _>("source"))
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn key_row(tx: &mut Connection, thumbprint: &str) -> Result<DbRow> {
    let row = sqlx::query(sql!(
        "SELECT source, proposed_by, admitted, withdrawn FROM source_key WHERE thumbprint = $1"
    ))
    .bind(thumbprint)
    .fetch_optional(tx)
    .await?;
    row.ok_or_else(unknown_key)
}

fn unknown_key() -> CentralError {
    CentralError::NotFound {
        what: "key of this thumbprint".to_owned(),
    }
}

pub(crate) async fn keys(tx: &mut Connection, source: &str) -> Result<Vec<SourceKey>> {
    let rows = sqlx::query(sql!(
        "SELECT thumbprint, not_before, not_after, admitted, withdrawn FROM source_key
         WHERE source = $1 ORDER BY proposed, thumbprint"
    ))
    .bind(source)
    .fetch_all(tx)
    .await?;
    let key = |row: &DbRow| {
        let there = |column| row.get::<Option<i64>, _>(column).is_some();
        Ok(SourceKey {
            thumbprint: row.get("thumbprint"),
            not_before: moment(row.get("not_before"))?,
            not_after: moment(row.get("not_after"))?,
            state: match (there("withdrawn"), there("admitted")) {
                (true, _) => "withdrawn",
                (false, true) => "admitted",
                (false, false) => "proposed",
            },
        })
    };
    rows.iter().map(key).collect()
}
