//! Refused packages as evidence: whole as they came, sealed, until their term is over.
//!
//! Only what was refused whole: of a package of which something was taken, the biometrics would
//! outlive their own term here.

use api::Actor;
use audit::Control;
use document::{Act, DataClass, SourceName};
use jiff::Timestamp;
use sqlx::Row;
use zeroize::Zeroizing;

use crate::accounts::authorise;
use crate::cells::Cell;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, stored};
use crate::error::{CentralError, Result};
use crate::protection::open;
use crate::scribe::Deed;
use crate::statements::sql;

/// Most refused packages of one source that are kept whole: a source that sends rubbish fills no
/// disk. Of more, digest and faults are kept.
const MAX_KEPT: i64 = 200;

/// Returns how a package is known by its bytes: what the log and the table of evidence have.
pub(crate) fn reference(source: &SourceName, digest: &[u8]) -> String {
    format!("{source}/{}", hex::encode(digest))
}

pub(crate) fn cell(reference: &str) -> Cell<'_> {
    Cell {
        class: DataClass::RefusedPackage,
        subject: reference,
        table: "refused_package",
        column: "content",
        row: reference,
    }
}

impl Central {
    /// Keeps a package that was refused. One that is there already is kept once.
    pub(crate) async fn keep_evidence(
        &self,
        tx: &mut Connection,
        source: &SourceName,
        reference: &str,
        bytes: &[u8],
        codes: &str,
    ) -> Result<()> {
        let row = sqlx::query(sql!("SELECT CAST(coalesce(sum(CASE WHEN reference = $1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS known,
                    CAST(coalesce(sum(CASE WHEN content IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS kept
             FROM refused_package WHERE source = $2"))
        .bind(reference)
        .bind(source.as_str())
        .fetch_one(&mut *tx)
        .await?;
        if row.get::<i64, _>("known") > 0 {
            return Ok(());
        }
        let fits = bytes.len() <= document::MAX_PACKAGE_BYTES;
        let content = if fits && row.get::<i64, _>("kept") < MAX_KEPT {
            Some(self.sealed_evidence(tx, reference, bytes).await?)
        } else {
            None
        };
        sqlx::query(sql!("INSERT INTO refused_package (reference, source, received, faults, content) VALUES ($1, $2, $3, $4, $5)"))
        .bind(reference)
        .bind(source.as_str())
        .bind(stored(self.now()))
        .bind(codes)
        .bind(content)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Seals a package under a key of its own, which is destroyed when the term is over.
    async fn sealed_evidence(
        &self,
        tx: &mut Connection,
        reference: &str,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        let (protection, class) = (self.protection(), DataClass::RefusedPackage);
        let now: Timestamp = self.now();
        let [key] = protection.make_keys(tx, reference, [class], now).await?;
        sqlx::query(sql!(
            "UPDATE data_key SET due = $1 WHERE subject = $2 AND class = $3"
        ))
        .bind(self.due(class)?)
        .bind(reference)
        .bind(class.name())
        .execute(&mut *tx)
        .await?;
        protection.seal(&key, &cell(reference), bytes)
    }

    /// Erases the evidence of a package that was refused before, and is taken now: what it holds has
    /// terms of its own.
    pub(crate) async fn drop_evidence(&self, tx: &mut Write, reference: &str) -> Result<()> {
        self.erase_class(tx, None, reference, DataClass::RefusedPackage)
            .await
    }

    /// Returns a refused package as it came, for who has to answer for the refusal. `digest` is what
    /// the answer had, in hexadecimal.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see applications; [`CentralError::NotFound`];
    /// [`CentralError::Conflict`] where it was erased.
    pub async fn refused_package(
        &self,
        actor: &Actor,
        source: &SourceName,
        digest: &str,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let reference = format!("{source}/{digest}");
        let deed = Deed::new(
            "package.seen",
            Control::PERSONAL_DATA,
            "package",
            &reference,
        );
        let result = retried!(self.try_see(actor, &deed, &reference));
        self.settle(actor, &deed, result).await
    }

    async fn try_see(
        &self,
        actor: &Actor,
        deed: &Deed,
        reference: &str,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ViewApplication).await?;
        let row = sqlx::query(sql!(
            "SELECT content FROM refused_package WHERE reference = $1"
        ))
        .bind(reference)
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "refused package of this source and digest".to_owned(),
        })?;
        let class = DataClass::RefusedPackage;
        let key = self.protection().key(&mut tx, reference, class).await?;
        let content: Option<Vec<u8>> = row.get("content");
        let content = content.ok_or_else(|| CentralError::damaged("a refused package"))?;
        let bytes = open(&key, &cell(reference), &content)?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(bytes)
    }
}
