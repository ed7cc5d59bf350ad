//! Documents as they are stored, and the numbers they have.

use std::collections::BTreeMap;

use document::life_cycle::{DocumentEvent, DocumentState};
use document::{DocumentNumber, Environment, Kind};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Row;

use crate::database::{Connection, DbRow, parsed, stored};
use crate::error::{CentralError, Result, advance};
use crate::happenings::Happening;
use crate::register_reports;
use crate::series::allot;
use crate::statements::sql;

/// The subjects of a document's certificates: a DER Name, by the key's name.
pub(crate) type Subjects = BTreeMap<String, Vec<u8>>;

/// A document as it is stored. What is personal of it is sealed: [`Central::open_record`] opens it.
///
/// [`Central::open_record`]: crate::Central
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) application: String,
    pub(crate) kind: Kind,
    pub(crate) profile: String,
    pub(crate) state: DocumentState,
    /// The day of issue that was prepared.
    pub(crate) issued: Date,
    pub(crate) number: DocumentNumber,
    /// Sealed; empty once it was erased.
    pub(crate) record: String,
    /// Sealed as well.
    pub(crate) subjects: String,
    /// The account that personalized it.
    pub(crate) operator: Option<String>,
    /// The office that hands it over; none of what was prepared before it was kept here.
    pub(crate) office: Option<String>,
    pub(crate) urgent: bool,
    /// The day of its application.
    pub(crate) applied: Option<String>,
    /// The day it is due.
    pub(crate) due: String,
    /// What was prepared for a blank in a slot and is not stored yet: the document's next step
    /// stores it with its own change of the row.
    pub(crate) unstored: Option<Unstored>,
}

/// The part of what was prepared that [`Document`] has not.
pub(crate) struct Unstored {
    pub(crate) expires: Date,
}

/// A document that waits for another blank has the number of its last lease.
const COLUMNS: &str = "SELECT d.id, d.application, d.kind, d.profile, d.state, d.issued, d.record, d.subjects, d.operator, d.office, d.urgent, d.applied, d.due,
    COALESCE(d.number, (SELECT l.number FROM lease l WHERE l.document = d.id ORDER BY l.opened DESC, l.turn DESC LIMIT 1)) AS number
    FROM document d";

const MOVED: &str = "UPDATE document SET state = $1, moved_by = CASE WHEN $2 = 1 THEN $3 ELSE moved_by END, operator = COALESCE($4, operator)";

impl Document {
    fn read(row: &DbRow) -> Result<Self> {
        // One that waits for its first blank was never prepared, and nothing is done with it yet.
        let written = |column| {
            let text: Option<String> = row.get(column);
            text.ok_or_else(|| CentralError::damaged("a document that is not prepared"))
        };
        Ok(Self {
            id: row.get("id"),
            application: row.get("application"),
            kind: parsed("a document's kind", row.get("kind"))?,
            profile: row.get("profile"),
            state: parsed("a document's state", row.get("state"))?,
            issued: parsed("a day", &written("issued")?)?,
            number: parsed("a document's number", &written("number")?)?,
            record: written("record")?,
            subjects: written("subjects")?,
            operator: row.get("operator"),
            office: row.get("office"),
            urgent: row.get::<i64, _>("urgent") != 0,
            applied: row.get("applied"),
            due: row.get("due"),
            unstored: None,
        })
    }

    /// Loads the document that has this number now.
    pub(crate) async fn numbered(tx: &mut Connection, number: &str) -> Result<Self> {
        let number = DocumentNumber::parse(number)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        let row = sqlx::query(sql!(COLUMNS, " WHERE d.number = $1"))
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
        let row = sqlx::query(sql!(COLUMNS, " WHERE d.id = $1"))
            .bind(id)
            .fetch_optional(tx)
            .await?;
        Self::read(&row.ok_or_else(|| CentralError::damaged("a document that is referred to"))?)
    }

    /// Returns the number that it has now; of one that waits for another blank, the one that it
    /// had last.
    pub(crate) fn number(&self) -> DocumentNumber {
        self.number
    }

    /// Moves the document on, and writes down when, and by whom.
    pub(crate) async fn apply(
        &mut self,
        tx: &mut Connection,
        event: DocumentEvent,
        happening: Happening<'_>,
    ) -> Result<()> {
        self.pass_through(tx, &[event], happening).await
    }

    /// Moves the document on by several events of one act: each is written down, and its row changes
    /// once.
    pub(crate) async fn pass_through(
        &mut self,
        tx: &mut Connection,
        events: &[DocumentEvent],
        happening: Happening<'_>,
    ) -> Result<()> {
        let mut next = self.state;
        let mut passed = Vec::with_capacity(events.len());
        for event in events {
            next = advance(next, *event)?;
            passed.push((*event, next));
        }
        let (mover, is_another) = happening.mover();
        let moved = match &self.unstored {
            None => sql!(MOVED, " WHERE id = $5 AND state = $6"),
            Some(_) => sql!(
                MOVED,
                ", profile = $7, number = $8, issued = $9, expires = $10, record = $11, subjects = $12
                 WHERE id = $5 AND state = $6"
            ),
        };
        let mut update = sqlx::query(moved)
            .bind(next.name())
            .bind(i64::from(is_another))
            .bind(mover)
            .bind(happening.maker())
            .bind(&self.id)
            .bind(self.state.name());
        if let Some(unstored) = &self.unstored {
            update = update
                .bind(&self.profile)
                .bind(self.number.to_string())
                .bind(self.issued.to_string())
                .bind(unstored.expires.to_string())
                .bind(&self.record)
                .bind(&self.subjects);
        }
        let changed = update.execute(&mut *tx).await?;
        if changed.rows_affected() != 1 {
            return Err(CentralError::conflict(
                "the document changed meanwhile; ask again",
            ));
        }
        self.state = next;
        self.unstored = None;
        if let Some(maker) = happening.maker() {
            self.operator = Some(maker.to_owned());
        }
        self.note(tx, &passed, happening).await?;
        for (_, state) in passed {
            register_reports::document_changed(tx, self, state, happening.at()).await?;
        }
        Ok(())
    }

    /// Gives the document another number: the one it had stands on a spoiled blank, and is never
    /// used again. Whoever does puts it into the record too.
    pub(crate) async fn renumber(
        &mut self,
        tx: &mut Connection,
        environment: Environment,
        now: Timestamp,
    ) -> Result<DocumentNumber> {
        let old = self.number();
        let new = allot(tx, environment, self.kind, &self.id, stored(now)).await?;
        sqlx::query(sql!(
            "UPDATE document SET number = $1, operator = NULL WHERE id = $2"
        ))
        .bind(new.to_string())
        .bind(&self.id)
        .execute(&mut *tx)
        .await?;
        self.number = new;
        self.operator = None;
        account_number(tx, old, "spoiled").await?;
        Ok(new)
    }
}

/// Accounts for a number that was allotted.
pub(crate) async fn account_number(
    tx: &mut Connection,
    number: DocumentNumber,
    state: &'static str,
) -> Result<()> {
    sqlx::query(sql!("UPDATE number SET state = $1 WHERE number = $2"))
        .bind(state)
        .bind(number.to_string())
        .execute(tx)
        .await?;
    Ok(())
}
