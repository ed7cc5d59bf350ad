//! Documents without a chip are made at a desk: no slot, no keys, no journal. The books have the
//! same: a lease, a blank that is taken out and accounted for, an operator whom another person
//! judges.

use api::{Actor, LeaseId};
use audit::Control;
use document::life_cycle::{BlankEvent, DocumentEvent, LeaseEvent, LeaseState, LifeCycle};
use document::{Act, DocumentNumber, Purpose};
use profile::NumberSource;
use sqlx::Row;
use uuid::Uuid;

use crate::accounts::authorise;
use crate::applications::check_cause;
use crate::blanks::{Blank, blank_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::parsed;
use crate::documents::{Document, account_number};
use crate::error::{CentralError, Result, advance};
use crate::lease::Held;
use crate::queue::TERM;
use crate::scribe::Deed;
use crate::statements::sql;

/// The name that a desk has among a station's slots.
pub(crate) const SLOT: &str = "desk";

/// How a blank ended at a desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskEnd {
    /// It is the document now.
    Made,
    /// It is spoiled; the document goes back to the queue.
    Spoiled {
        /// Why.
        cause: String,
    },
}

impl DeskEnd {
    fn of_lease(&self) -> LeaseEvent {
        match self {
            Self::Made => LeaseEvent::Complete,
            Self::Spoiled { .. } => LeaseEvent::Spoil,
        }
    }

    /// Returns the account of a blank's number that a document takes with this end.
    fn of_number(&self) -> &'static str {
        match self {
            Self::Made => "issued",
            Self::Spoiled { .. } => "allotted",
        }
    }
}

impl Central {
    /// Books that a document without a chip was made at a desk of a blank, or that the blank was
    /// spoiled with it. Returns the number that stands on the blank.
    ///
    /// Two people make it: another one judges it before it is handed over.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an operator; for a document that has chips; for
    /// a blank that is not in stock, of another article, or numbered where the document is, or the
    /// reverse; [`CentralError::Conflict`] for a document that is not in the queue;
    /// [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn produce(
        &self,
        actor: &Actor,
        application: &str,
        blank: &str,
        end: &DeskEnd,
    ) -> Result<DocumentNumber> {
        let deed = Deed::new(
            "document.produced",
            Control::MEDIA,
            "application",
            application,
        );
        let result = retried!(self.try_produce(actor, &deed, application, blank, end));
        self.settle(actor, &deed, result).await
    }

    async fn try_produce(
        &self,
        actor: &Actor,
        deed: &Deed,
        application: &str,
        blank: &str,
        end: &DeskEnd,
    ) -> Result<DocumentNumber> {
        if let DeskEnd::Spoiled { cause } = end {
            check_cause(cause)?;
        }
        let mut tx = self.write().await?;
        let operator = authorise(&mut tx, actor, Act::PersonalizeDocument).await?;
        let row = sqlx::query(sql!(
            "SELECT id, kind, state FROM document WHERE application = $1"
        ))
        .bind(application)
        .fetch_optional(&mut *tx)
        .await?;
        // The reference is not repeated: what a caller sends may be anything.
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "document of this application".to_owned(),
        })?;
        self.check_not_reconciling(&mut tx).await?;
        let profile = self.document_profile(parsed("a document's kind", row.get("kind"))?)?;
        if !profile.chips.is_empty() {
            return Err(CentralError::refused(format!(
                "documents of profile \"{}\" have chips; a station makes them",
                profile.name
            )));
        }
        let (id, state): (String, &str) = (row.get("id"), row.get("state"));
        if state != "queued" {
            return Err(CentralError::conflict(format!(
                "this document is {state}, not in the queue"
            )));
        }
        let mut blank = Blank::load(&mut tx, &blank_serial(blank)?).await?;
        blank.check_fits(profile)?;
        if blank.has_chips {
            return Err(CentralError::refused(format!(
                "blank {} has chips; take a blank without any",
                blank.serial
            )));
        }
        blank
            .check_issuable(&mut tx, (&actor.station, SLOT))
            .await?;
        let mut document = match profile.number {
            NumberSource::Allotted => Document::load(&mut tx, &id).await?,
            NumberSource::Blank => {
                self.prepare_on(&mut tx, actor, &id, (&blank, end.of_number()))
                    .await?
            }
        };
        let number = document.number();
        let mut held = Held {
            id: LeaseId(Uuid::new_v4()),
            purpose: Purpose::Personalization,
            document: id,
            number: number.to_string(),
            station: actor.station.clone(),
            slot: SLOT.to_owned(),
            operator: operator.id,
            chips: Vec::new(),
            document_digest: profile.digest.to_vec(),
            blank: Some(blank.serial.clone()),
            state: LeaseState::INITIAL,
            expires: self.now() + TERM,
            is_printed: false,
        };
        // It is given out and ends in one act: each row is written as it is at the end of it.
        held.state = advance(held.state, end.of_lease())?;
        held.store(&mut tx, self.now()).await?;
        let deed = deed
            .clone()
            .with("document", number)
            .with("blank", &blank.serial)
            .with("lease", held.id);
        let ending = self.movement(actor).under(held.id).of(&held.document);
        let issue = ending.clone().into_slot(&actor.station, SLOT);
        let carried = Some((&*held.document, number));
        let deed = match end {
            DeskEnd::Made => {
                let events = [DocumentEvent::Lease, DocumentEvent::Personalize];
                let happening = self.happens().made_by(&held.operator);
                document.pass_through(&mut tx, &events, happening).await?;
                let steps = [
                    (BlankEvent::Issue, &issue),
                    (BlankEvent::Personalize, &ending),
                ];
                blank.pass_through(&mut tx, &steps, carried).await?;
                if profile.number == NumberSource::Allotted {
                    account_number(&mut tx, number, end.of_number()).await?;
                }
                deed.with("end", "made")
            }
            DeskEnd::Spoiled { cause } => {
                document
                    .apply(&mut tx, DocumentEvent::Lease, self.happens())
                    .await?;
                let ending = ending.because(cause);
                let steps = [(BlankEvent::Issue, &issue), (BlankEvent::Spoil, &ending)];
                blank.pass_through(&mut tx, &steps, carried).await?;
                let happening = self.happens().because(cause);
                self.move_document(
                    &mut tx,
                    Some(actor),
                    &mut document,
                    DocumentEvent::SpoilBlank,
                    happening,
                )
                .await?;
                self.give_up_blank(&mut tx, actor, &mut document).await?;
                deed.with("end", "spoiled").with("cause", cause)
            }
        };
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(number)
    }
}
