//! What goes wrong with a document after it was leased: it is damaged or missing before its holder
//! has it, its parcel is lost, its station never reports, it is wanted no more.

use api::{Actor, LeaseId};
use audit::Control;
use document::life_cycle::{
    ApplicationState, BlankEvent, DocumentEvent, DocumentState, IncidentKind, LeaseEvent,
    LeaseState, ParcelEvent, ParcelState,
};
use document::{Act, DocumentNumber, Purpose};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::authorise;
use crate::applications::check_cause;
use crate::blanks::Blank;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, Write, moment, parsed};
use crate::documents::{Document, account_number};
use crate::error::{CentralError, Result, advance};
use crate::expected::tag_of;
use crate::happenings::Facts;
use crate::in_use::witnessed;
use crate::lease::Held;
use crate::parcels::Parcel;
use crate::register_reports::application_changed;
use crate::ribbon_cards::MadeCard;
use crate::scribe::Deed;
use crate::statements::sql;
use crate::told_lines::forget_ended;

/// A lease that no report has ended, in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseLine {
    /// Its identity.
    pub id: LeaseId,
    /// What it is for.
    pub purpose: Purpose,
    /// The document's number.
    pub number: String,
    /// The station that it was given to.
    pub station: String,
    /// The station's slot.
    pub slot: String,
    /// The serial number of the blank that is bound to it.
    pub blank: Option<String>,
    /// Its state: `open` or `expired`.
    pub state: LeaseState,
    /// When its time passes, or passed.
    pub expires: Timestamp,
    /// Where it stands in lists: behind all that were given before it.
    pub turn: String,
}

/// The leases that no report has ended.
const LIVE: &str =
    "SELECT id, purpose, number, station, slot, blank, state, expires, turn FROM lease
     WHERE state IN ('open', 'expired')";

impl LeaseLine {
    /// Returns the tag of what is shown of it.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&format!("{self:?}"))
    }

    /// Loads the one of an identity, as a text.
    pub(crate) async fn named(tx: &mut Connection, id: &str) -> Result<Self> {
        let row = sqlx::query(sql!(LIVE, " AND id = $1"))
            .bind(id)
            .fetch_optional(tx)
            .await?;
        Self::read(&row.ok_or_else(|| CentralError::NotFound {
            what: "lease of this identity that no report has ended".to_owned(),
        })?)
    }

    fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            id: LeaseId(parsed("a lease's identity", row.get("id"))?),
            purpose: parsed("a lease's purpose", row.get("purpose"))?,
            number: row.get("number"),
            station: row.get("station"),
            slot: row.get("slot"),
            blank: row.get("blank"),
            state: parsed("a lease's state", row.get("state"))?,
            expires: moment(row.get("expires"))?,
            turn: row.get("turn"),
        })
    }
}

impl Central {
    /// Notes that a document was damaged in its parcel or at its office. Its blank is spoiled, and
    /// the document goes back to the queue under a new number, which is returned; none where it comes
    /// with the next blank.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Conflict`] for a document
    /// that is not at an office, nor missed in a parcel that was counted in;
    /// [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn document_damaged(
        &self,
        actor: &Actor,
        number: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        let deed = Deed::new("document.damaged", Control::MEDIA, "document", number);
        let result = retried!(self.try_damaged(actor, &deed, number, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_damaged(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ReportMishap).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        let old = document.number();
        let is_at_office = matches!(
            document.state,
            DocumentState::Dispatched | DocumentState::AtOffice
        );
        if !is_at_office {
            return Err(CentralError::conflict(format!(
                "the document is {}: quality fails one that is still where it was made, and one that was handed over is revoked",
                document.state
            )));
        }
        self.check_not_in_work(&mut tx, &document).await?;
        if document.state == DocumentState::Dispatched {
            let parcel = Parcel::of_document(&mut tx, &document.id).await?;
            let parcel = parcel.ok_or_else(|| CentralError::damaged("a document's parcel"))?;
            if parcel.state != ParcelState::Received {
                return Err(CentralError::conflict(format!(
                    "parcel {} is {}; count it in first",
                    parcel.serial, parcel.state
                )));
            }
            parcel.note(&mut tx, &old.to_string(), "arrived").await?;
        }
        let mut blank = document.blank(&mut tx).await?;
        let movement = self.movement(actor).of(&document.id).because(cause);
        blank.apply(&mut tx, BlankEvent::Spoil, &movement).await?;
        self.move_document(
            &mut tx,
            Some(actor),
            &mut document,
            DocumentEvent::SpoilBlank,
            self.happens().because(cause),
        )
        .await?;
        self.give_up_blank(&mut tx, actor, &mut document).await?;
        let deed = deed
            .clone()
            .about(old)
            .with("blank", &blank.serial)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        self.settle_document(&document.id).await;
        Ok(Some(document.number()).filter(|new| *new != old))
    }

    /// Notes, before a witness, that a document that nobody holds is not where it must be. Its blank
    /// is missing, an incident is open, and the document goes back to the queue under a new number,
    /// which is returned; none where it comes with the next blank.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, and for one's own witness;
    /// [`CentralError::Conflict`] for a document that is not made, that its holder has, or that is in
    /// a parcel under way; [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn document_missing(
        &self,
        actor: &Actor,
        number: &str,
        witness: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        let deed = Deed::new("document.missing", Control::MEDIA, "document", number);
        let result = retried!(self.try_missing(actor, &deed, number, witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_missing(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        witness: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ReportMishap).await?;
        let witness = witnessed(&mut tx, self.presence(), &person, witness).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        let old = document.number();
        if document.state == DocumentState::AtStation {
            return Err(CentralError::conflict(
                "the document is at a station, which reports how it ends; a security officer gives the lease of a lost station up",
            ));
        }
        self.check_not_in_work(&mut tx, &document).await?;
        if document.state == DocumentState::Dispatched {
            let parcel = Parcel::of_document(&mut tx, &document.id).await?;
            let parcel = parcel.ok_or_else(|| CentralError::damaged("a document's parcel"))?;
            if !matches!(parcel.state, ParcelState::Open | ParcelState::Received) {
                return Err(CentralError::conflict(format!(
                    "parcel {} is {}; open it again, or count it in first",
                    parcel.serial, parcel.state
                )));
            }
            parcel.note(&mut tx, &old.to_string(), "missing").await?;
        }
        let about = format!("document/{old}");
        let deed = deed
            .clone()
            .about(old)
            .with("witness", &witness.id)
            .with("cause", cause);
        let incident = Some((IncidentKind::DocumentMissing, &*about));
        self.lose(&mut tx, actor, &mut document, deed, cause, incident)
            .await?;
        tx.commit().await?;
        self.settle_document(&document.id).await;
        Ok(Some(document.number()).filter(|new| *new != old))
    }

    /// Books a finished document's blank as missing, and lets the document go on. `incident`: what
    /// is to be opened, where it is not open already.
    async fn lose(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &mut Document,
        deed: Deed,
        cause: &str,
        incident: Option<(IncidentKind, &str)>,
    ) -> Result<()> {
        // The life cycle says better than the books why one that has no blank cannot be missing.
        advance(document.state, DocumentEvent::LoseBlank)?;
        let mut blank = document.blank(tx).await?;
        let mut deed = deed.with("blank", &blank.serial);
        if let Some((kind, about)) = incident {
            let incident = self.open_incident(tx, actor, kind, about, cause).await?;
            deed = deed.with("incident", incident);
        }
        let movement = self.movement(actor).of(&document.id).because(cause);
        blank
            .apply(tx, BlankEvent::ReportMissing, &movement)
            .await?;
        let happening = self.happens().because(cause);
        self.move_document(
            tx,
            Some(actor),
            document,
            DocumentEvent::LoseBlank,
            happening,
        )
        .await?;
        self.give_up_missing(tx, actor, document).await?;
        self.record(tx, Some(actor), &deed).await
    }

    /// Notes, before a witness, that a parcel never arrived. All that is in it is missing, and goes
    /// back to the queue. Returns how many documents that are.
    ///
    /// # Errors
    /// As [`Central::document_missing`]; [`CentralError::Conflict`] for a parcel that is not under
    /// way.
    pub async fn lose_parcel(
        &self,
        actor: &Actor,
        parcel: &str,
        witness: &str,
        cause: &str,
    ) -> Result<usize> {
        let deed = Deed::new("parcel.lost", Control::MEDIA, "parcel", parcel);
        let result = retried!(self.try_lose_parcel(actor, &deed, parcel, witness, cause));
        let lost = self.settle(actor, &deed, result).await?;
        for document in &lost {
            self.settle_document(document).await;
        }
        Ok(lost.len())
    }

    async fn try_lose_parcel(
        &self,
        actor: &Actor,
        deed: &Deed,
        parcel: &str,
        witness: &str,
        cause: &str,
    ) -> Result<Vec<String>> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ReportMishap).await?;
        let witness = witnessed(&mut tx, self.presence(), &person, witness).await?;
        let mut parcel = Parcel::load(&mut tx, parcel).await?;
        parcel.apply(&mut tx, ParcelEvent::Lose).await?;
        let content = parcel.content(&mut tx).await?;
        let numbers: Vec<_> = content.iter().map(|one| one.number.as_str()).collect();
        let text = format!("lost with: {}", numbers.join(", "));
        let about = format!("parcel/{}", parcel.serial);
        let incident = self
            .open_incident(&mut tx, actor, IncidentKind::ParcelMissing, &about, &text)
            .await?;
        let deed = deed
            .clone()
            .about(&parcel.serial)
            .with("witness", &witness.id)
            .with("documents", content.len())
            .with("incident", incident)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        let mut lost = Vec::new();
        for packed in content {
            let mut document = Document::load(&mut tx, &packed.document).await?;
            parcel.note(&mut tx, &packed.number, "missing").await?;
            let deed = Deed::new(
                "document.missing",
                Control::MEDIA,
                "document",
                &packed.number,
            )
            .with("witness", &witness.id)
            .with("parcel", &parcel.serial)
            .with("incident", incident);
            self.lose(&mut tx, actor, &mut document, deed, cause, None)
                .await?;
            lost.push(packed.document);
        }
        tx.commit().await?;
        Ok(lost)
    }

    /// Ends, before a witness, the expired lease of a station that will never report: its blank is
    /// missing, an incident is open, and the document goes back to the queue under a new number,
    /// which is returned; none where it comes with the next blank.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, and for one's own witness;
    /// [`CentralError::Conflict`] for a lease that is not expired, or ended;
    /// [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn give_up_lease(
        &self,
        actor: &Actor,
        lease: LeaseId,
        witness: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        let deed = Deed::new("lease.given-up", Control::MEDIA, "lease", lease);
        let result = retried!(self.try_give_up(actor, &deed, lease, witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_give_up(
        &self,
        actor: &Actor,
        deed: &Deed,
        lease: LeaseId,
        witness: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::GiveUpLease).await?;
        let witness = witnessed(&mut tx, self.presence(), &officer, witness).await?;
        self.expire_leases(&mut tx).await?;
        let mut held = Held::find(&mut tx, lease).await?;
        if held.state == LeaseState::Open {
            return Err(CentralError::conflict(format!(
                "the lease is open until {}: its station may still report",
                held.expires
            )));
        }
        advance(held.state, LeaseEvent::Lose)?;
        let serial = held.blank.clone();
        let serial = serial.ok_or_else(|| CentralError::damaged("a lease without its blank"))?;
        let mut document = Document::load(&mut tx, &held.document).await?;
        let old = document.number();
        let incident = self
            .open_incident(
                &mut tx,
                actor,
                IncidentKind::BlankMissing,
                &format!("blank/{serial}"),
                cause,
            )
            .await?;
        // What its printer did is known as far as the station told of it.
        let told = self.told_lines(&mut tx, &held).await?;
        self.note_card(&mut tx, actor, MadeCard::of(&held, &told))
            .await?;
        held.apply(&mut tx, LeaseEvent::Lose).await?;
        let mut blank = Blank::load(&mut tx, &serial).await?;
        let movement = self.movement(actor).under(held.id).of(&held.document);
        let movement = movement.before(&witness).because(cause);
        let steps = [(BlankEvent::ReportMissing, &movement)];
        blank
            .pass_through(&mut tx, &steps, Some((&document.id, old)))
            .await?;
        self.move_document(
            &mut tx,
            Some(actor),
            &mut document,
            DocumentEvent::LoseBlank,
            self.happens().because(cause),
        )
        .await?;
        self.give_up_missing(&mut tx, actor, &mut document).await?;
        forget_ended(&mut tx, &held).await?;
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("station", &held.station)
            .with("blank", &serial)
            .with("witness", &witness.id)
            .with("incident", incident)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        self.sealed().forget(self.now(), held.id);
        self.settle_document(&document.id).await;
        Ok(Some(document.number()).filter(|new| *new != old))
    }

    /// Returns up to `limit` leases that no report has ended and whose turns come after `after`:
    /// those that were given first come first.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents.
    pub async fn leases_after(
        &self,
        actor: &Actor,
        after: &str,
        limit: u32,
    ) -> Result<Vec<LeaseLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let rows = sqlx::query(sql!(LIVE, " AND turn > $1 ORDER BY turn LIMIT $2"))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        rows.iter().map(LeaseLine::read).collect()
    }

    /// Cancels the document of an application that nobody holds, and withdraws the application. What
    /// its blank got is taken back.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Conflict`] for a document
    /// that is at a station, in a parcel, or in its holder's hands; [`CentralError::NotFound`];
    /// [`CentralError::Invalid`] without a cause.
    pub async fn cancel_document(
        &self,
        actor: &Actor,
        application: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new(
            "document.cancelled",
            Control::RECORDS,
            "application",
            application,
        );
        let result = retried!(self.try_cancel(actor, &deed, application, cause));
        let document = self.settle(actor, &deed, result).await?;
        self.settle_document(&document).await;
        Ok(())
    }

    async fn try_cancel(
        &self,
        actor: &Actor,
        deed: &Deed,
        application: &str,
        cause: &str,
    ) -> Result<String> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::CancelDocument).await?;
        let row = sqlx::query(sql!("SELECT id, number, state, kind, office, urgent, applied, due FROM document WHERE application = $1"))
            .bind(application)
            .fetch_optional(&mut *tx)
            .await?;
        // The reference is not repeated: what a caller sends may be anything.
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "document of this application".to_owned(),
        })?;
        let id: String = row.get("id");
        let mut deed = deed.clone().with("cause", cause);
        if row.get::<Option<&str>, _>("number").is_none() {
            // It waits for a blank, and has nothing else.
            let state: DocumentState = parsed("a document's state", row.get("state"))?;
            let next = advance(state, DocumentEvent::Cancel)?;
            sqlx::query(sql!(
                "UPDATE document SET state = $1 WHERE id = $2 AND state = $3"
            ))
            .bind(next.name())
            .bind(&id)
            .bind(state.name())
            .execute(&mut *tx)
            .await?;
            Facts {
                kind: row.get("kind"),
                office: row.get("office"),
                urgent: row.get::<i64, _>("urgent") != 0,
                applied: row.get("applied"),
                due: row.get("due"),
            }
            .note(
                &mut tx,
                &id,
                &[(DocumentEvent::Cancel, next)],
                self.happens().because(cause),
            )
            .await?;
            application_changed(
                &mut tx,
                application,
                ApplicationState::Withdrawn,
                self.now(),
            )
            .await?;
        } else {
            let mut document = Document::load(&mut tx, &id).await?;
            self.check_not_in_work(&mut tx, &document).await?;
            let number = document.number();
            let has_blank = document.state != DocumentState::Queued;
            self.move_document(
                &mut tx,
                Some(actor),
                &mut document,
                DocumentEvent::Cancel,
                self.happens().because(cause).by(&person),
            )
            .await?;
            if has_blank {
                let mut blank = document.blank(&mut tx).await?;
                let movement = self.movement(actor).of(&document.id).because(cause);
                blank.apply(&mut tx, BlankEvent::Spoil, &movement).await?;
                deed = deed.with("blank", &blank.serial);
            }
            self.annul_envelopes(&mut tx, actor, number).await?;
            account_number(&mut tx, number, "cancelled").await?;
            deed = deed.with("document", number);
        }
        self.record(&mut tx, Some(actor), &deed).await?;
        self.withdraw_with_document(&mut tx, actor, application, cause)
            .await?;
        tx.commit().await?;
        Ok(id)
    }
}
