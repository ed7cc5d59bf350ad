//! Documents that get their number from the blank: they wait without one, and what depends on it is
//! prepared when it is known which blank lies in the slot.

use api::Actor;
use audit::Control;
use document::{Application, DocumentNumber, Record};
use profile::DocumentProfile;
use sqlx::Row;

use crate::blanks::Blank;
use crate::central::Central;
use crate::database::{Connection, Write, parsed};
use crate::documents::{Document, Unstored, account_number};
use crate::error::{CentralError, Result};
use crate::personal::SealedApplication;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Proves that a document can be prepared, with a number that nobody has: what is found when
    /// the blank lies in the slot is found too late.
    pub(crate) fn check_preparable(
        &self,
        profile: &DocumentProfile,
        application: &Application,
    ) -> Result<()> {
        let prefix = match self.environment() {
            document::Environment::Production => "AA",
            document::Environment::Test => "XA",
        };
        let number = DocumentNumber::parse(&format!("{prefix}0000001"))
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        let record = self.record_of(application, number)?;
        self.subjects(profile, &record).map(drop)
    }

    /// Prepares a document that waited for its blank, under the blank's number, which is `account`
    /// from now on. It is stored with the document's next step, which the same act takes.
    pub(crate) async fn prepare_on(
        &self,
        tx: &mut Write,
        actor: &Actor,
        id: &str,
        (blank, account): (&Blank, &'static str),
    ) -> Result<Document> {
        let number = blank
            .own_number
            .filter(|number| self.environment().owns(number.prefix()))
            .ok_or_else(|| CentralError::damaged("a blank's number"))?;
        let row = sqlx::query(sql!("SELECT a.reference, a.content, b.images, d.number, d.state, d.office, d.urgent, d.applied, d.due FROM document d
             JOIN application a ON a.reference = d.application LEFT JOIN biometric_data b ON b.application = d.application WHERE d.id = $1"))
        .bind(id)
        .fetch_one(&mut **tx)
        .await?;
        if row.get::<Option<String>, _>("number").is_some() {
            return Err(CentralError::damaged("a waiting document with a number"));
        }
        // Judged again as of today: what was whole when it was approved may be so no more.
        let reference: String = row.get("reference");
        let sealed = SealedApplication {
            content: row.get("content"),
            images: row.get("images"),
        };
        let (application, key) = self
            .open_to_prepare(tx, &reference, &sealed, self.today())
            .await?;
        let record = self.record_of(&application, number)?;
        let profile = self.document_profile(application.kind)?;
        take_number(tx, id, number, account).await?;
        let subjects = self.subjects(profile, &record)?;
        let sealed = self
            .seal_record(tx, (&application.reference, id), &key, &record, &subjects)
            .await?;
        let deed = prepared(number, &application, &record, profile).with("blank", &blank.serial);
        self.record(tx, Some(actor), &deed).await?;
        Ok(Document {
            id: id.to_owned(),
            application: reference,
            kind: application.kind,
            profile: profile.name.clone(),
            state: parsed("a document's state", row.get("state"))?,
            issued: record.issued,
            number,
            record: sealed.record,
            subjects: sealed.subjects,
            operator: None,
            office: row.get("office"),
            urgent: row.get::<i64, _>("urgent") != 0,
            applied: row.get("applied"),
            due: row.get("due"),
            unstored: Some(Unstored {
                expires: record.expires,
            }),
        })
    }
}

/// Returns what the log says of a document that was prepared.
pub(crate) fn prepared(
    number: DocumentNumber,
    application: &Application,
    record: &Record,
    profile: &DocumentProfile,
) -> Deed {
    Deed::new("document.prepared", Control::RECORDS, "document", number)
        .with("application", &application.reference)
        .with("kind", record.kind)
        .with("profile", &profile.name)
}

/// Takes the number of a blank for a document: one that no document had, but for those whose blank
/// came back untouched.
async fn take_number(
    tx: &mut Connection,
    document: &str,
    number: DocumentNumber,
    account: &'static str,
) -> Result<()> {
    let taken = sqlx::query(sql!("INSERT INTO number (number, document, state) VALUES ($1, $2, $3)
         ON CONFLICT (number) DO UPDATE SET document = excluded.document, state = excluded.state WHERE number.state = 'returned'"))
    .bind(number.to_string())
    .bind(document)
    .bind(account)
    .execute(tx)
    .await?;
    match taken.rows_affected() {
        1 => Ok(()),
        _ => Err(CentralError::refused(format!(
            "number {number} was used before; set the blank aside, and treat this as an incident"
        ))),
    }
}

impl Document {
    /// Takes the blank's number from the document, which waits for another blank. What was prepared
    /// stays until it is prepared anew.
    pub(crate) async fn unnumber(&self, tx: &mut Connection, state: &'static str) -> Result<()> {
        sqlx::query(sql!(
            "UPDATE document SET number = NULL, operator = NULL WHERE id = $1"
        ))
        .bind(&self.id)
        .execute(&mut *tx)
        .await?;
        account_number(tx, self.number(), state).await
    }
}
