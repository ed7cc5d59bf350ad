//! Data preparation: what an approved application becomes. Deterministic but for the number:
//! the same application on the same day gives the same record.

use std::collections::BTreeMap;

use api::Actor;
use audit::Control;
use document::life_cycle::{DocumentEvent, DocumentState, LifeCycle};
use document::{Application, DocumentNumber, Priority, Record, Validity};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use profile::{DocumentProfile, NumberSource};
use uuid::Uuid;

use crate::central::Central;
use crate::database::Write;
use crate::documents::allot;
use crate::error::{CentralError, Result, advance};
use crate::scribe::Deed;
use crate::waiting::prepared;

impl Central {
    /// Prepares the document of an application and puts it into the queue. Returns its number,
    /// unless that comes with the blank.
    pub(crate) async fn prepare(
        &self,
        tx: &mut Write,
        actor: &Actor,
        application: &Application,
    ) -> Result<Option<DocumentNumber>> {
        let profile = self.document_profile(application.kind)?;
        let id = Uuid::now_v7().to_string();
        let due = due(self.today(), application.priority)?;
        if profile.number == NumberSource::Blank {
            self.check_preparable(profile, application)?;
            self.queue_waiting(tx, actor, application, profile, &id, due)
                .await?;
            return Ok(None);
        }
        let number = allot(tx, self.environment(), &id).await?;
        let record = self.record_of(application, number)?;
        let subjects = self.subjects(profile, &record)?;
        let state = advance(DocumentState::INITIAL, DocumentEvent::Queue)?;
        let damaged = |_| CentralError::damaged("a document's record");
        sqlx::query(
            "INSERT INTO document (id, application, kind, profile, number, state, urgent, due, issued, expires, record, subjects)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(&id)
        .bind(application.reference.as_str())
        .bind(record.kind.name())
        .bind(&profile.name)
        .bind(number.to_string())
        .bind(state.name())
        .bind(i64::from(application.priority == Priority::Urgent))
        .bind(due.to_string())
        .bind(record.issued.to_string())
        .bind(record.expires.to_string())
        .bind(serde_json::to_string(&record).map_err(damaged)?)
        .bind(serde_json::to_string(&subjects).map_err(damaged)?)
        .execute(&mut **tx)
        .await?;
        let deed = prepared(number, application, &record, profile).with("due", due);
        self.record(tx, Some(actor), &deed).await?;
        Ok(Some(number))
    }

    /// Puts a document into the queue that has no number before it has a blank.
    async fn queue_waiting(
        &self,
        tx: &mut Write,
        actor: &Actor,
        application: &Application,
        profile: &DocumentProfile,
        id: &str,
        due: Date,
    ) -> Result<()> {
        let state = advance(DocumentState::INITIAL, DocumentEvent::Queue)?;
        sqlx::query(
            "INSERT INTO document (id, application, kind, profile, state, urgent, due) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id)
        .bind(application.reference.as_str())
        .bind(application.kind.name())
        .bind(&profile.name)
        .bind(state.name())
        .bind(i64::from(application.priority == Priority::Urgent))
        .bind(due.to_string())
        .execute(&mut **tx)
        .await?;
        let reference = &application.reference;
        let deed = Deed::new(
            "document.queued",
            Control::RECORDS,
            "application",
            reference,
        )
        .with("kind", application.kind)
        .with("profile", &profile.name)
        .with("due", due);
        self.record(tx, Some(actor), &deed).await
    }

    /// Returns what becomes of an application as of today, under a number.
    pub(crate) fn record_of(
        &self,
        application: &Application,
        number: DocumentNumber,
    ) -> Result<Record> {
        let holder = &application.holder;
        let profile = self.document_profile(application.kind)?;
        let validity = Validity::of(application.kind, holder.birth_date, self.today())
            .map_err(|error| CentralError::refused(error.to_string()))?;
        let mut record = Record {
            number,
            kind: application.kind,
            issued: validity.issued(),
            expires: validity.expires(),
            holder: holder.clone(),
            certificates: application.certificates_consent,
            prepared: BTreeMap::new(),
        };
        record.prepared = self.prepared_files(profile, &record, application)?;
        Ok(record)
    }

    /// Returns the subject of each certificate, in hexadecimal, by the key's name.
    pub(crate) fn subjects(
        &self,
        profile: &DocumentProfile,
        record: &Record,
    ) -> Result<BTreeMap<String, String>> {
        let mut subjects = BTreeMap::new();
        for product in profile.chips.iter().flat_map(|chip| &chip.products) {
            for (key, certificate) in self.plan(profile, product, record)?.keys {
                let subject = self.certificate_profiles().subject(&certificate, record)?;
                subjects.insert(key, hex::encode(subject));
            }
        }
        Ok(subjects)
    }
}

/// Returns the day by which a document must be made: so many working days after `day`. Saturdays
/// and Sundays are not counted; public holidays are not known here, so that it errs on the early
/// side.
fn due(day: Date, priority: Priority) -> Result<Date> {
    let mut due = day;
    let mut left = priority.working_days();
    while left > 0 {
        due = due
            .checked_add(1.day())
            .map_err(|_| CentralError::refused("the day it is due leaves the calendar"))?;
        if !matches!(due.weekday(), Weekday::Saturday | Weekday::Sunday) {
            left -= 1;
        }
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn weekends_do_not_count() {
        // Friday 6 March 2026.
        assert_eq!(
            due(date(2026, 3, 6), Priority::Urgent).unwrap(),
            date(2026, 3, 10)
        );
        assert_eq!(
            due(date(2026, 3, 6), Priority::Normal).unwrap(),
            date(2026, 3, 20)
        );
        // A Sunday counts from Monday on.
        assert_eq!(
            due(date(2026, 3, 8), Priority::Urgent).unwrap(),
            date(2026, 3, 10)
        );
    }
}
