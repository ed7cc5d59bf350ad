//! After the hand-over: a document is suspended and released, lost, revoked, expires, comes back
//! and is destroyed.

use api::Actor;
use audit::Control;
use document::life_cycle::{
    ApplicationEvent, BlankEvent, DocumentEvent, DocumentState, RevocationCause,
};
use document::{Act, LifeCycle, Purpose, four_eyes};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::Row;

use crate::accounts::{Person, authorise, name_of};
use crate::applications::{self, check_cause};
use crate::blanks::Blank;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, moment, parsed};
use crate::documents::Document;
use crate::error::{CentralError, Result, advance};
use crate::following::Moved;
use crate::lease::Held;
use crate::scribe::Deed;
use crate::second_persons::Presence;
use crate::statements::sql;

/// How long a finished document waits for its holder, in months.
pub const COLLECTION_MONTHS: i32 = 6;

/// How many documents a sweep loads at a time.
const BATCH: i64 = 256;

/// A move of a document that is in use: by whose right, and what the log calls it.
struct Change<'a> {
    act: Act,
    event: DocumentEvent,
    action: &'static str,
    control: Control,
    cause: &'a str,
    why: Option<RevocationCause>,
}

impl Central {
    /// Takes a document out of use for a time, at its holder's word: by telephone, say. Its
    /// certificates go on hold.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Conflict`] for a document
    /// that is not in use; [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn suspend(&self, actor: &Actor, number: &str, cause: &str) -> Result<Moved> {
        let change = Change {
            act: Act::SuspendDocument,
            event: DocumentEvent::Suspend,
            action: "document.suspended",
            control: Control::IDENTITIES,
            cause,
            why: None,
        };
        self.change(actor, number, change).await
    }

    /// Brings a suspended document into use again, with its certificates: its holder, who has it,
    /// was identified.
    ///
    /// # Errors
    /// As [`Central::suspend`]; [`CentralError::Refused`] for who suspended it.
    pub async fn resume(&self, actor: &Actor, number: &str, cause: &str) -> Result<Moved> {
        let change = Change {
            act: Act::ResumeDocument,
            event: DocumentEvent::Resume,
            action: "document.resumed",
            control: Control::SEGREGATION,
            cause,
            why: None,
        };
        self.change(actor, number, change).await
    }

    /// Notes that a document is lost, as its holder reported in writing. It is never in use again;
    /// its certificates are revoked.
    ///
    /// # Errors
    /// As [`Central::suspend`].
    pub async fn report_lost(&self, actor: &Actor, number: &str, cause: &str) -> Result<Moved> {
        let change = Change {
            act: Act::ReportDocumentLost,
            event: DocumentEvent::ReportLost,
            action: "document.lost",
            control: Control::IDENTITIES,
            cause,
            why: None,
        };
        self.change(actor, number, change).await
    }

    /// Notes that a document was stolen. As [`Central::report_lost`].
    ///
    /// # Errors
    /// As [`Central::suspend`].
    pub async fn report_stolen(&self, actor: &Actor, number: &str, cause: &str) -> Result<Moved> {
        let change = Change {
            act: Act::ReportDocumentLost,
            event: DocumentEvent::ReportStolen,
            action: "document.stolen",
            control: Control::IDENTITIES,
            cause,
            why: None,
        };
        self.change(actor, number, change).await
    }

    /// Ends a document that was handed over, and revokes its certificates for the same reason.
    ///
    /// # Errors
    /// As [`Central::suspend`].
    pub async fn revoke_document(
        &self,
        actor: &Actor,
        number: &str,
        why: RevocationCause,
        cause: &str,
    ) -> Result<Moved> {
        let change = Change {
            act: Act::RevokeDocument,
            event: DocumentEvent::Revoke,
            action: "document.revoked",
            control: Control::IDENTITIES,
            cause,
            why: Some(why),
        };
        self.change(actor, number, change).await
    }

    async fn change(&self, actor: &Actor, number: &str, change: Change<'_>) -> Result<Moved> {
        let deed = Deed::new(change.action, change.control, "document", number);
        let result = retried!(self.try_change(actor, &deed, number, &change));
        let result = self.settle(actor, &deed, result).await;
        let document = result?;
        self.moved(&document.id, document.number().to_string(), document.state)
            .await
    }

    async fn try_change(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        change: &Change<'_>,
    ) -> Result<Document> {
        check_cause(change.cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, change.act).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        if change.event == DocumentEvent::Resume && document.state == DocumentState::Suspended {
            released_by_another(&mut tx, &document, &person).await?;
        }
        let happening = self.happens().because(change.cause).by(&person);
        match change.why {
            Some(why) => {
                self.end_document(&mut tx, actor, &mut document, why, happening)
                    .await?;
            }
            None => {
                self.move_document(&mut tx, Some(actor), &mut document, change.event, happening)
                    .await?;
            }
        }
        if document.state != DocumentState::Suspended && document.state != DocumentState::HandedOver
        {
            self.end_pins(&mut tx, Some(actor), &document).await?;
        }
        let mut deed = deed.clone().with("cause", change.cause);
        if let Some(why) = change.why {
            deed = deed.with("why", why);
        }
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(document)
    }

    /// Ends what is done about the PINs of a document that is out of use for good.
    async fn end_pins(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        document: &Document,
    ) -> Result<()> {
        // New PINs that are just being set end here: what the chip confirmed counts, and nothing
        // that is destroyed below.
        let held = Held::of_document(tx, &document.id).await?;
        if let Some(mut held) = held.filter(|held| held.purpose == Purpose::NewPins) {
            self.conclude_new_pins(tx, actor, &mut held).await?;
        }
        self.annul_undelivered(tx, actor, document).await
    }

    /// Takes a document back that is in hand and goes to its destruction: from its holder, from
    /// whoever found it, or because nobody came for it within [`COLLECTION_MONTHS`]. Where its holder
    /// never had it, its application ends as withdrawn.
    ///
    /// # Errors
    /// As [`Central::suspend`]; [`CentralError::Conflict`] for one that still waits for its holder,
    /// or is getting new PINs just now.
    pub async fn take_back(&self, actor: &Actor, number: &str, cause: &str) -> Result<Moved> {
        let deed = Deed::new("document.returned", Control::MEDIA, "document", number);
        let result = retried!(self.try_take_back(actor, &deed, number, cause));
        let result = self.settle(actor, &deed, result).await;
        let document = result?;
        self.moved(&document.id, document.number().to_string(), document.state)
            .await
    }

    async fn try_take_back(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        cause: &str,
    ) -> Result<Document> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let clerk = authorise(&mut tx, actor, Act::TakeBackDocument).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        self.check_not_in_work(&mut tx, &document).await?;
        let mut deed = deed
            .clone()
            .with("from", document.state)
            .with("cause", cause);
        let is_waiting = document.state.is_before_hand_over();
        let event = if is_waiting {
            deed = deed.named("document.not-collected");
            if advance(document.state, DocumentEvent::NotCollected).is_ok() {
                self.check_term(document.since(&mut tx).await?)?;
            }
            DocumentEvent::NotCollected
        } else {
            DocumentEvent::TakeBack
        };
        let happening = self.happens().because(cause).by(&clerk);
        self.move_document(&mut tx, Some(actor), &mut document, event, happening)
            .await?;
        if is_waiting {
            let number = document.number();
            self.annul_envelopes(&mut tx, actor, number).await?;
            self.withdraw_with_document(&mut tx, actor, &document.application, cause)
                .await?;
        } else {
            self.annul_undelivered(&mut tx, Some(actor), &document)
                .await?;
        }
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(document)
    }

    /// Demands that the term passed in which a holder may come, in the office's own days.
    fn check_term(&self, since: Timestamp) -> Result<()> {
        let until = self
            .calendar()
            .day_of(since)
            .checked_add(COLLECTION_MONTHS.months())
            .map_err(|_| CentralError::damaged("a moment outside the calendar"))?;
        if self.calendar().day_of(self.now()) >= until {
            return Ok(());
        }
        Err(CentralError::conflict(format!(
            "the document waits for its holder until {until}; cancel it if it is wanted no more"
        )))
    }

    /// Ends an application whose document is no more, and never can be.
    pub(crate) async fn withdraw_with_document(
        &self,
        tx: &mut Write,
        actor: &Actor,
        application: &str,
        cause: &str,
    ) -> Result<()> {
        applications::apply(tx, application, ApplicationEvent::Withdraw).await?;
        let deed = Deed::new(
            "application.withdrawn",
            Control::RECORDS,
            "application",
            application,
        )
        .with("cause", cause);
        self.record(tx, Some(actor), &deed).await
    }

    /// Destroys a document that came back, before a witness: another account. Its blank ends with
    /// it.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper, and where the witness is the
    /// same person; [`CentralError::Conflict`] for a document that did not come back;
    /// [`CentralError::NotFound`].
    pub async fn destroy_document(&self, actor: &Actor, number: &str, witness: &str) -> Result<()> {
        let deed = Deed::new("document.destroyed", Control::DISPOSAL, "document", number);
        let result = retried!(self.try_destroy_document(actor, &deed, number, witness));
        self.settle(actor, &deed, result).await
    }

    async fn try_destroy_document(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        witness: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let keeper = authorise(&mut tx, actor, Act::DestroyDocument).await?;
        let witness = witnessed(&mut tx, self.presence(), &keeper, witness).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        self.move_document(
            &mut tx,
            Some(actor),
            &mut document,
            DocumentEvent::Destroy,
            self.happens().by(&keeper),
        )
        .await?;
        let mut blank = document.blank(&mut tx).await?;
        let movement = self.movement(actor).of(&document.id).before(&witness);
        blank.apply(&mut tx, BlankEvent::Destroy, &movement).await?;
        let deed = deed
            .clone()
            .with("witness", &witness.id)
            .with("blank", &blank.serial);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends every document whose last day has passed. Returns how many there were; called again,
    /// it finds none. For a timer, once a day.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn expire_documents(&self) -> Result<u64> {
        let today = self.today().to_string();
        let (mut expired, mut last, mut failed) = (0, String::new(), None);
        loop {
            let due = sqlx::query(sql!("SELECT id, expires FROM document WHERE state IN ('handed-over', 'suspended') AND expires < $1 AND id > $2 ORDER BY id LIMIT $3"))
            .bind(&today)
            .bind(&last)
            .bind(BATCH)
            .fetch_all(&mut *self.read().await?)
            .await?;
            let Some(row) = due.last() else {
                return failed.map_or(Ok(expired), Err);
            };
            last = row.get("id");
            for row in &due {
                match retried!(self.expire_document(row.get("id"), row.get("expires"))) {
                    Ok(is_done) => expired += u64::from(is_done),
                    Err(
                        error @ (CentralError::Database(_)
                        | CentralError::Busy { .. }
                        | CentralError::Ending),
                    ) => {
                        return Err(error);
                    }
                    // One that is damaged holds up no other.
                    Err(error) => failed = Some(error),
                }
            }
        }
    }

    /// Expires one document whose last day has passed, if it is still in use.
    async fn expire_document(&self, id: &str, last_day: &str) -> Result<bool> {
        let mut tx = self.write().await?;
        let mut document = Document::load(&mut tx, id).await?;
        if document.state.apply(DocumentEvent::Expire).is_err() {
            return Ok(false);
        }
        let happening = self.happens().by_itself();
        self.move_document(
            &mut tx,
            None,
            &mut document,
            DocumentEvent::Expire,
            happening,
        )
        .await?;
        self.end_pins(&mut tx, None, &document).await?;
        let deed = Deed::new(
            "document.expired",
            Control::RECORDS,
            "document",
            document.number(),
        )
        .with("last-day", last_day);
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Demands that who releases a document is not the one who suspended it.
async fn released_by_another(
    tx: &mut Connection,
    document: &Document,
    person: &Person,
) -> Result<()> {
    let suspended_by: Option<String> =
        sqlx::query_scalar(sql!("SELECT moved_by FROM document WHERE id = $1"))
            .bind(&document.id)
            .fetch_one(&mut *tx)
            .await?;
    let suspended_by =
        suspended_by.ok_or_else(|| CentralError::damaged("who suspended a document"))?;
    let suspended_by = name_of(tx, &suspended_by).await?;
    four_eyes(&suspended_by, &person.name).map_err(|_| {
        CentralError::refused(
            "nobody releases a document that they suspended; another person must release it",
        )
    })
}

/// Finds a witness, who is another person.
pub(crate) async fn witnessed(
    tx: &mut Connection,
    presence: &Presence,
    person: &Person,
    witness: &str,
) -> Result<Person> {
    let witness = Person::witness(tx, presence, witness).await?;
    four_eyes(&person.name, &witness.name).map_err(|_| {
        CentralError::refused("two persons are needed for this; name another one as the witness")
    })?;
    Ok(witness)
}

impl Document {
    /// Returns since when it is where it is; of one that was moved before that was written down, the
    /// first moment of its day of issue.
    async fn since(&self, tx: &mut Connection) -> Result<Timestamp> {
        let since: Option<i64> = sqlx::query_scalar(sql!(
            "SELECT at FROM document_event WHERE document = $1 ORDER BY id DESC LIMIT 1"
        ))
        .bind(&self.id)
        .fetch_optional(&mut *tx)
        .await?;
        match since {
            Some(since) => moment(since),
            None => {
                let issued: Option<String> =
                    sqlx::query_scalar(sql!("SELECT issued FROM document WHERE id = $1"))
                        .bind(&self.id)
                        .fetch_one(tx)
                        .await?;
                let issued: Date = parsed("a day", issued.as_deref().unwrap_or_default())?;
                let issued = issued.to_zoned(TimeZone::UTC);
                let issued = issued.map_err(|_| CentralError::damaged("a day"))?;
                Ok(issued.timestamp())
            }
        }
    }

    /// Returns the blank that carries it.
    pub(crate) async fn blank(&self, tx: &mut Connection) -> Result<Blank> {
        let serial: Option<String> = sqlx::query_scalar(sql!("SELECT serial FROM blank WHERE document = $1 AND number = $2 AND state = 'personalized'"))
        .bind(&self.id)
        .bind(self.number().to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let serial =
            serial.ok_or_else(|| CentralError::damaged("a finished document without its blank"))?;
        Blank::load(tx, &serial).await
    }
}
