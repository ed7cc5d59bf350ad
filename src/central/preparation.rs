//! Data preparation: what an approved application becomes. Deterministic but for the number:
//! the same application on the same day gives the same record.

use std::collections::BTreeMap;

use api::Actor;
use audit::Control;
use document::life_cycle::{DocumentEvent, DocumentState, LifeCycle};
use document::{Application, DataClass, DocumentNumber, Priority, Record, Validity};
use jiff::Timestamp;
use profile::{DocumentProfile, NumberSource};
use uuid::Uuid;

use crate::central::Central;
use crate::database::{Write, stored};
use crate::error::{CentralError, Result, advance};
use crate::happenings::Facts;
use crate::scribe::Deed;
use crate::series::allot;
use crate::statements::sql;
use crate::waiting::prepared;

/// The day of an application and the day its document is due, as they are stored.
struct Terms {
    applied: String,
    due: String,
}

impl Central {
    /// Prepares the document of an application, which was entered then, and puts it into the queue.
    /// Returns its number, unless that comes with the blank.
    pub(crate) async fn prepare(
        &self,
        tx: &mut Write,
        actor: &Actor,
        application: &Application,
        entered: Timestamp,
    ) -> Result<Option<DocumentNumber>> {
        let profile = self.document_profile(application.kind)?;
        let id = Uuid::new_v4().to_string();
        let terms = self.terms(application, entered)?;
        if profile.number == NumberSource::Blank {
            self.check_preparable(profile, application)?;
            self.queue_waiting(tx, actor, application, profile, &id, &terms)
                .await?;
            return Ok(None);
        }
        let now = stored(self.now());
        let number = allot(tx, self.environment(), application.kind, &id, now).await?;
        let record = self.record_of(application, number)?;
        let subjects = self.subjects(profile, &record)?;
        let state = advance(DocumentState::INITIAL, DocumentEvent::Queue)?;
        let reference = &application.reference;
        let key = self
            .protection()
            .key_or_made(tx, reference.as_str(), DataClass::Record, self.now())
            .await?;
        let sealed = self
            .seal_record(tx, (reference, &id), &key, &record, &subjects)
            .await?;
        sqlx::query(sql!("INSERT INTO document (id, application, kind, profile, number, state, urgent, due, issued, expires, record, subjects, office, applied, place, turn)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"))
        .bind(&id)
        .bind(application.reference.as_str())
        .bind(record.kind.name())
        .bind(&profile.name)
        .bind(number.to_string())
        .bind(state.name())
        .bind(i64::from(application.priority == Priority::Urgent))
        .bind(&terms.due)
        .bind(record.issued.to_string())
        .bind(record.expires.to_string())
        .bind(sealed.record)
        .bind(sealed.subjects)
        .bind(application.office.as_str())
        .bind(&terms.applied)
        .bind(self.place(&application.office))
        .bind(Uuid::now_v7().to_string())
        .execute(&mut **tx)
        .await?;
        self.note_queued(tx, application, &id, &terms).await?;
        let deed = prepared(number, application, &record, profile).with("due", &terms.due);
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
        terms: &Terms,
    ) -> Result<()> {
        let state = advance(DocumentState::INITIAL, DocumentEvent::Queue)?;
        sqlx::query(sql!("INSERT INTO document (id, application, kind, profile, state, urgent, due, office, applied, place, turn)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"))
        .bind(id)
        .bind(application.reference.as_str())
        .bind(application.kind.name())
        .bind(&profile.name)
        .bind(state.name())
        .bind(i64::from(application.priority == Priority::Urgent))
        .bind(&terms.due)
        .bind(application.office.as_str())
        .bind(&terms.applied)
        .bind(self.place(&application.office))
        .bind(Uuid::now_v7().to_string())
        .execute(&mut **tx)
        .await?;
        self.note_queued(tx, application, id, terms).await?;
        let reference = &application.reference;
        let deed = Deed::new(
            "document.queued",
            Control::RECORDS,
            "application",
            reference,
        )
        .with("kind", application.kind)
        .with("profile", &profile.name)
        .with("due", &terms.due);
        self.record(tx, Some(actor), &deed).await
    }

    /// Returns the day of an application, and the day by which its document must be made: so many
    /// working days after it.
    fn terms(&self, application: &Application, entered: Timestamp) -> Result<Terms> {
        let applied = self.calendar().day_of(entered);
        let due = self.calendar().due(applied, application.priority);
        let due =
            due.ok_or_else(|| CentralError::refused("the day it is due leaves the calendar"))?;
        Ok(Terms {
            applied: applied.to_string(),
            due: due.to_string(),
        })
    }

    async fn note_queued(
        &self,
        tx: &mut Write,
        application: &Application,
        id: &str,
        terms: &Terms,
    ) -> Result<()> {
        let facts = Facts {
            kind: application.kind.name(),
            office: Some(application.office.as_str()),
            urgent: application.priority == Priority::Urgent,
            applied: Some(&terms.applied),
            due: &terms.due,
        };
        let state = advance(DocumentState::INITIAL, DocumentEvent::Queue)?;
        facts
            .note(tx, id, &[(DocumentEvent::Queue, state)], self.happens())
            .await
    }

    /// Returns what becomes of an application as of today, under a number.
    pub(crate) fn record_of(
        &self,
        application: &Application,
        number: DocumentNumber,
    ) -> Result<Record> {
        number.check_for(application.kind)?;
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
