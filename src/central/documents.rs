//! Documents as they are stored, and the numbers they have.

use std::collections::BTreeMap;

use document::life_cycle::{DocumentEvent, DocumentState};
use document::{DocumentNumber, Environment, Prepared, Record, Series};
use sqlx::Row;

use crate::database::{Connection, DbRow, parsed};
use crate::error::{CentralError, Result, advance};
use crate::happenings::Happening;

/// The subjects of a document's certificates: a DER Name, by the key's name.
pub(crate) type Subjects = BTreeMap<String, Vec<u8>>;

/// A document as it is stored.
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) application: String,
    pub(crate) profile: String,
    pub(crate) state: DocumentState,
    pub(crate) record: Record,
    pub(crate) subjects: Subjects,
    /// The account that personalized it.
    pub(crate) operator: Option<String>,
    /// The office that hands it over; none of what was prepared before it was kept here.
    pub(crate) office: Option<String>,
    pub(crate) urgent: bool,
    /// The day of its application.
    pub(crate) applied: Option<String>,
    /// The day it is due.
    pub(crate) due: String,
}

const COLUMNS: &str = "SELECT id, application, profile, number, state, record, subjects, operator, office, urgent, applied, due FROM document";

impl Document {
    fn read(row: &DbRow) -> Result<Self> {
        // One that waits for its first blank was never prepared, and nothing is done with it yet.
        let written = |column| {
            let text: Option<&str> = row.get(column);
            text.ok_or_else(|| CentralError::damaged("a document that is not prepared"))
        };
        let record: Record = serde_json::from_str(written("record")?)
            .map_err(|_| CentralError::damaged("a document's record"))?;
        let subjects: BTreeMap<String, String> = serde_json::from_str(written("subjects")?)
            .map_err(|_| CentralError::damaged("a document's subjects"))?;
        let decode =
            |(key, subject): (String, String)| hex::decode(subject).map(|subject| (key, subject));
        let subjects: std::result::Result<Subjects, _> = subjects.into_iter().map(decode).collect();
        let number: Option<&str> = row.get("number");
        if number.is_some_and(|number| number != record.number.to_string()) {
            return Err(CentralError::damaged(
                "a document's record has another number",
            ));
        }
        Ok(Self {
            id: row.get("id"),
            application: row.get("application"),
            profile: row.get("profile"),
            state: parsed("a document's state", row.get("state"))?,
            record,
            subjects: subjects.map_err(|_| CentralError::damaged("a document's subjects"))?,
            operator: row.get("operator"),
            office: row.get("office"),
            urgent: row.get::<i64, _>("urgent") != 0,
            applied: row.get("applied"),
            due: row.get("due"),
        })
    }

    /// Loads the document that has this number now.
    pub(crate) async fn numbered(tx: &mut Connection, number: &str) -> Result<Self> {
        let number = DocumentNumber::parse(number)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE number = $1")))
            .bind(number.to_string())
            .fetch_optional(tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: format!("document {number}"),
        })?;
        Self::read(&row)
    }

    /// Loads the document of this identity.
    pub(crate) async fn load(tx: &mut Connection, id: &str) -> Result<Self> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1")))
            .bind(id)
            .fetch_optional(tx)
            .await?;
        Self::read(&row.ok_or_else(|| CentralError::damaged("a document that is referred to"))?)
    }

    /// Returns the number that it has now; of one that waits for another blank, the one that it
    /// had last.
    pub(crate) fn number(&self) -> DocumentNumber {
        self.record.number
    }

    /// Moves the document on, and writes down when.
    pub(crate) async fn apply(
        &mut self,
        tx: &mut Connection,
        event: DocumentEvent,
        happening: Happening<'_>,
    ) -> Result<()> {
        let next = advance(self.state, event)?;
        let changed = sqlx::query("UPDATE document SET state = $1 WHERE id = $2 AND state = $3")
            .bind(next.name())
            .bind(&self.id)
            .bind(self.state.name())
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() != 1 {
            return Err(CentralError::conflict(
                "the document changed meanwhile; ask again",
            ));
        }
        self.state = next;
        self.note(tx, event, happening).await
    }

    /// Gives the document another number: the one it had stands on a spoiled blank, and is never
    /// used again. Everything else stays as it was prepared.
    pub(crate) async fn renumber(
        &mut self,
        tx: &mut Connection,
        environment: Environment,
    ) -> Result<DocumentNumber> {
        let old = self.number();
        let new = allot(tx, environment, &self.id).await?;
        self.record.number = new;
        let record = serde_json::to_string(&self.record)
            .map_err(|_| CentralError::damaged("a document's record"))?;
        sqlx::query("UPDATE document SET number = $1, record = $2, operator = NULL WHERE id = $3")
            .bind(new.to_string())
            .bind(record)
            .bind(&self.id)
            .execute(&mut *tx)
            .await?;
        self.operator = None;
        account_number(tx, old, "spoiled").await?;
        Ok(new)
    }
}

impl Document {
    /// Puts other files of its travel chip into its record.
    pub(crate) async fn replace_prepared(
        &mut self,
        tx: &mut Connection,
        files: BTreeMap<String, Prepared>,
    ) -> Result<()> {
        self.record.prepared = files;
        let record = serde_json::to_string(&self.record)
            .map_err(|_| CentralError::damaged("a document's record"))?;
        sqlx::query("UPDATE document SET record = $1 WHERE id = $2")
            .bind(record)
            .bind(&self.id)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Gives its certificates other subjects, in hexadecimal by the key's name.
    pub(crate) async fn rename(
        &self,
        tx: &mut Connection,
        subjects: &BTreeMap<String, String>,
    ) -> Result<()> {
        let subjects = serde_json::to_string(subjects)
            .map_err(|_| CentralError::damaged("a document's subjects"))?;
        sqlx::query("UPDATE document SET subjects = $1 WHERE id = $2")
            .bind(subjects)
            .bind(&self.id)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// Takes the next number of the series for a document.
pub(crate) async fn allot(
    tx: &mut Connection,
    environment: Environment,
    document: &str,
) -> Result<DocumentNumber> {
    let row = sqlx::query("SELECT prefix, next, last FROM series WHERE environment = $1 AND next <= last ORDER BY prefix LIMIT 1")
        .bind(environment.name())
        .fetch_optional(&mut *tx)
        .await?;
    let row = row.ok_or_else(|| CentralError::refused("no number is left; open another series"))?;
    let prefix: String = row.get("prefix");
    let bound = |column| u32::try_from(row.get::<i64, _>(column)).ok();
    let series = bound("next")
        .zip(bound("last"))
        .and_then(|(next, last)| Series::restore(environment, &prefix, next, last).ok())
        .ok_or_else(|| CentralError::damaged("a number series"))?;
    let (number, series) = series
        .allot()
        .map_err(|error| CentralError::refused(error.to_string()))?;
    sqlx::query("UPDATE series SET next = $1 WHERE prefix = $2")
        .bind(i64::from(series.next()))
        .bind(prefix)
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO number (number, document, state) VALUES ($1, $2, 'allotted')")
        .bind(number.to_string())
        .bind(document)
        .execute(tx)
        .await?;
    Ok(number)
}

/// Accounts for a number that was allotted.
pub(crate) async fn account_number(
    tx: &mut Connection,
    number: DocumentNumber,
    state: &'static str,
) -> Result<()> {
    sqlx::query("UPDATE number SET state = $1 WHERE number = $2")
        .bind(state)
        .bind(number.to_string())
        .execute(tx)
        .await?;
    Ok(())
}
