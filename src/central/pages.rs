//! Lists in pages: each goes on behind the last key of the one before, so that it costs the same
//! however long the list is, and what changes meanwhile shifts nothing.

use api::Actor;
use audit::{Entry, Hash, InclusionProof};
use document::life_cycle::{ApplicationState, BlankState, DocumentState};
use document::{Act, Kind};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Row;
use zeroize::Zeroizing;

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{DbRow, moment, parsed};
use crate::error::{CentralError, Result};
use crate::expected::{application_tag, document_tag};
use crate::statements::sql;

/// An application in a list, without its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationLine {
    /// Its reference.
    pub reference: String,
    /// Its kind.
    pub kind: Kind,
    /// `normal` or `urgent`.
    pub priority: String,
    /// Its state.
    pub state: ApplicationState,
    /// When it was entered.
    pub entered: Timestamp,
    /// When it was decided.
    pub decided: Option<Timestamp>,
    /// Why it was refused.
    pub cause: Option<String>,
    /// The number of its document, where it has one now.
    pub document: Option<String>,
}

/// An application with its holder.
#[derive(Clone, PartialEq, Eq)]
pub struct ApplicationContent {
    /// What a list shows of it.
    pub line: ApplicationLine,
    /// The application as it came in, JSON; once its images are erased, without them.
    pub content: Zeroizing<Vec<u8>>,
    /// Its tag: what [`crate::Expected`] compares.
    pub tag: String,
}

impl std::fmt::Debug for ApplicationContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApplicationContent({})", self.line.reference)
    }
}

/// A document by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentEntry {
    /// Its identity, which stays when it gets another number.
    pub id: String,
    /// Its number now.
    pub number: Option<String>,
    /// The reference of its application.
    pub application: String,
    /// Its kind.
    pub kind: Kind,
    /// Its state.
    pub state: DocumentState,
    /// Whether it is urgent.
    pub urgent: bool,
    /// The day it is due.
    pub due: Date,
    /// The day of issue; none while nothing is prepared.
    pub issued: Option<Date>,
    /// The day of expiry.
    pub expires: Option<Date>,
    /// Where it stands in lists: behind all that were prepared before it.
    pub turn: String,
}

/// A blank in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlankEntry {
    /// What is printed on it.
    pub serial: String,
    /// What it is, where its chips do not say it.
    pub article: Option<String>,
    /// The delivery it came with.
    pub delivery: String,
    /// The account it is in.
    pub state: BlankState,
    /// The document number that stands on it.
    pub number: Option<String>,
}

/// An entry of the log with its place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its leaf.
    pub leaf: u64,
    /// The entry.
    pub entry: Entry,
    /// Its bytes, over which the leaf's hash goes.
    pub bytes: Vec<u8>,
}

/// That an entry is in the tree under a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedProof {
    /// The leaf's hash.
    pub leaf: Hash,
    /// The proof.
    pub proof: InclusionProof,
    /// The signed checkpoint, a C2SP note.
    pub checkpoint: String,
}

const APPLICATION: &str = "SELECT a.reference, a.kind, a.priority, a.state, a.entered, a.decided, a.cause, d.number AS document
     FROM application a LEFT JOIN document d ON d.application = a.reference";

const DOCUMENT: &str =
    "SELECT id, number, application, kind, state, urgent, due, issued, expires, turn FROM document";

/// What somebody is told who goes on behind what is no place in a list.
pub(crate) fn no_place() -> CentralError {
    CentralError::invalid("this is no place in the list; begin without")
}

fn application(row: &DbRow) -> Result<ApplicationLine> {
    Ok(ApplicationLine {
        reference: row.get("reference"),
        kind: parsed("an application's kind", row.get("kind"))?,
        priority: row.get("priority"),
        state: parsed("an application's state", row.get("state"))?,
        entered: moment(row.get("entered"))?,
        decided: row
            .get::<Option<i64>, _>("decided")
            .map(moment)
            .transpose()?,
        cause: row.get("cause"),
        document: row.get("document"),
    })
}

fn document(row: &DbRow) -> Result<DocumentEntry> {
    let day = |column| {
        let text: Option<&str> = row.get(column);
        text.map(|text| parsed("a day", text)).transpose()
    };
    Ok(DocumentEntry {
        id: row.get("id"),
        number: row.get("number"),
        application: row.get("application"),
        kind: parsed("a document's kind", row.get("kind"))?,
        state: parsed("a document's state", row.get("state"))?,
        urgent: row.get::<i64, _>("urgent") != 0,
        due: parsed("a day", row.get("due"))?,
        issued: day("issued")?,
        expires: day("expires")?,
        turn: row.get("turn"),
    })
}

impl Central {
    /// Returns up to `limit` applications whose references come after `after`.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see applications.
    pub async fn applications_after(
        &self,
        actor: &Actor,
        state: Option<ApplicationState>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ApplicationLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewApplication).await?;
        let rows = match state {
            None => {
                sqlx::query(sql!(
                    APPLICATION,
                    " WHERE a.reference > $1 ORDER BY a.reference LIMIT $2"
                ))
                .bind(after)
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await?
            }
            Some(state) => {
                let page = match state {
                    ApplicationState::Completed => sql!(
                        APPLICATION,
                        " WHERE a.reference > $1 AND a.state = $3 ORDER BY a.reference LIMIT $2"
                    ),
                    // A database takes a partial index only where it finds its own words.
                    _ => sql!(
                        APPLICATION,
                        " WHERE a.reference > $1 AND a.state = $3 AND a.state <> 'completed'
                         ORDER BY a.reference LIMIT $2"
                    ),
                };
                sqlx::query(page)
                    .bind(after)
                    .bind(i64::from(limit))
                    .bind(state.name())
                    .fetch_all(&mut *tx)
                    .await?
            }
        };
        rows.iter().map(application).collect()
    }

    /// Returns an application with its holder.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::NotFound`].
    pub async fn application(&self, actor: &Actor, reference: &str) -> Result<ApplicationContent> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewApplication).await?;
        let row = sqlx::query(sql!(APPLICATION, " WHERE a.reference = $1"))
            .bind(reference)
            .fetch_optional(&mut *tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "application of this reference".to_owned(),
        })?;
        let content = self.application_content(&mut tx, reference).await?;
        Ok(ApplicationContent {
            line: application(&row)?,
            content,
            tag: application_tag(&mut tx, reference).await?,
        })
    }

    /// Returns up to `limit` documents whose turns come after `after`: the oldest first. Whoever goes
    /// on behind the last one finds all that there are, and at the end those that came meanwhile.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents.
    pub async fn documents_after(
        &self,
        actor: &Actor,
        state: Option<DocumentState>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<DocumentEntry>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let rows = match state {
            None => {
                sqlx::query(sql!(DOCUMENT, " WHERE turn > $1 ORDER BY turn LIMIT $2"))
                    .bind(after)
                    .bind(i64::from(limit))
                    .fetch_all(&mut *tx)
                    .await?
            }
            Some(state) => {
                let page = match state {
                    DocumentState::HandedOver => sql!(
                        DOCUMENT,
                        " WHERE turn > $1 AND state = $3 ORDER BY turn LIMIT $2"
                    ),
                    _ => sql!(
                        DOCUMENT,
                        " WHERE turn > $1 AND state = $3 AND state <> 'handed-over' ORDER BY turn LIMIT $2"
                    ),
                };
                sqlx::query(page)
                    .bind(after)
                    .bind(i64::from(limit))
                    .bind(state.name())
                    .fetch_all(&mut *tx)
                    .await?
            }
        };
        rows.iter().map(document).collect()
    }

    /// Returns the document of this number, with its tag: what [`crate::Expected`] compares.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents; [`CentralError::NotFound`].
    pub async fn document(&self, actor: &Actor, number: &str) -> Result<(DocumentEntry, String)> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let row = sqlx::query(sql!(DOCUMENT, " WHERE number = $1"))
            .bind(number)
            .fetch_optional(&mut *tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "document of this number".to_owned(),
        })?;
        Ok((document(&row)?, document_tag(&mut tx, number).await?))
    }

    /// Returns up to `limit` blanks whose serial numbers come after `after`.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn blanks_after(
        &self,
        actor: &Actor,
        after: &str,
        limit: u32,
    ) -> Result<Vec<BlankEntry>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT serial, article, delivery, state, number FROM blank WHERE serial > $1 ORDER BY serial LIMIT $2"))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| {
            Ok(BlankEntry {
                serial: row.get("serial"),
                article: row.get("article"),
                delivery: row.get("delivery"),
                state: parsed("a blank's state", row.get("state"))?,
                number: row.get("number"),
            })
        };
        rows.iter().map(line).collect()
    }

    /// Returns up to `limit` entries of the log from leaf `from` on. Entries that are not in the
    /// tree yet are not among them.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to read the log.
    pub async fn log_from(&self, actor: &Actor, from: u64, limit: u32) -> Result<Vec<LoggedEntry>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ReadAuditLog).await?;
        let rows = sqlx::query(sql!(
            "SELECT leaf, entry FROM audit_entry WHERE leaf >= $1 ORDER BY leaf LIMIT $2"
        ))
        .bind(i64::try_from(from).unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| {
            let bytes: Vec<u8> = row.get("entry");
            Ok(LoggedEntry {
                leaf: row.get::<i64, _>("leaf").unsigned_abs(),
                entry: Entry::decode(&bytes)
                    .map_err(|_| CentralError::damaged("an audit entry"))?,
                bytes,
            })
        };
        rows.iter().map(line).collect()
    }

    /// Returns the last signed checkpoint, a C2SP note.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to read the log; [`CentralError::NotFound`]
    /// while nothing was signed.
    pub async fn checkpoint(&self, actor: &Actor) -> Result<String> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ReadAuditLog).await?;
        let signed = self.last_checkpoint(&mut tx).await?;
        let signed = signed.ok_or_else(|| CentralError::NotFound {
            what: "checkpoint yet".to_owned(),
        })?;
        Ok(signed.note().to_string())
    }

    /// Proves that an entry is in the tree that the last checkpoint signs (*RFC 9162 §2.1.3*).
    ///
    /// # Errors
    /// As [`Central::checkpoint`]; [`CentralError::NotFound`] for a leaf that is not under it.
    pub async fn log_proof(&self, actor: &Actor, leaf: u64) -> Result<LoggedProof> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ReadAuditLog).await?;
        let none = || CentralError::NotFound {
            what: "entry of this leaf under the last checkpoint".to_owned(),
        };
        let signed = self.last_checkpoint(&mut tx).await?.ok_or_else(none)?;
        let size = signed.checkpoint().size;
        if leaf >= size {
            return Err(none());
        }
        let bytes: Option<Vec<u8>> =
            sqlx::query_scalar(sql!("SELECT entry FROM audit_entry WHERE leaf = $1"))
                .bind(i64::try_from(leaf).unwrap_or(i64::MAX))
                .fetch_optional(&mut *tx)
                .await?;
        let bytes = bytes.ok_or_else(|| CentralError::damaged("an audit entry is missing"))?;
        let wanted = InclusionProof::nodes(leaf, size)
            .map_err(|_| CentralError::damaged("the audit tree's size"))?;
        let mut nodes = std::collections::BTreeMap::new();
        for node in wanted {
            nodes.insert(node, crate::audit_log::fetch_node(&mut tx, node).await?);
        }
        let proof = InclusionProof::make(leaf, size, &nodes)
            .map_err(|_| CentralError::damaged("the audit tree's nodes"))?;
        Ok(LoggedProof {
            leaf: Hash::of_leaf(&bytes),
            proof,
            checkpoint: signed.note().to_string(),
        })
    }
}
