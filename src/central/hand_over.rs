//! After personalization: a second person judges the document, then its holder gets it.

use api::Actor;
use audit::Control;
use document::life_cycle::{ApplicationEvent, BlankEvent, DocumentEvent, DocumentState};
use document::{Act, DataClass, DocumentNumber, four_eyes};
use sqlx::Row;

use crate::accounts::{Person, authorise};
use crate::applications::{self, check_cause};
use crate::central::Central;
use crate::contention::retried;
use crate::database::Connection;
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::lease_moves::began_it;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Passes a finished document.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, and for a document that one made
    /// oneself; [`CentralError::Conflict`] for a document in another state;
    /// [`CentralError::NotFound`].
    pub async fn pass_quality(&self, actor: &Actor, number: &str) -> Result<()> {
        let deed = Deed::new("quality.passed", Control::SEGREGATION, "document", number);
        let result = retried!(self.try_pass(actor, &deed, number));
        self.settle(actor, &deed, result).await
    }

    async fn try_pass(&self, actor: &Actor, deed: &Deed, number: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let judge = authorise(&mut tx, actor, Act::JudgeDocument).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        judged_by_another(&mut tx, &document, &judge).await?;
        document
            .apply(
                &mut tx,
                DocumentEvent::PassQuality,
                self.happens().by(&judge),
            )
            .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Fails a finished document, or scraps one that is held: its blank is spoiled with all it
    /// carries, and the document goes back to the queue under a new number, which is returned; none
    /// where it comes with the next blank.
    ///
    /// # Errors
    /// As [`Central::pass_quality`]; [`CentralError::Invalid`] without a cause.
    pub async fn fail_quality(
        &self,
        actor: &Actor,
        number: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        let deed = Deed::new("quality.failed", Control::SEGREGATION, "document", number);
        let result = retried!(self.try_fail(actor, &deed, number, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_fail(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        cause: &str,
    ) -> Result<Option<DocumentNumber>> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let judge = authorise(&mut tx, actor, Act::JudgeDocument).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        let failed = document.number();
        judged_by_another(&mut tx, &document, &judge).await?;
        let happening = self.happens().because(cause);
        if document.state != DocumentState::QualityFailed {
            document
                .apply(&mut tx, DocumentEvent::FailQuality, happening)
                .await?;
        }
        self.check_not_in_work(&mut tx, &document).await?;
        let deed = deed.clone().with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        let movement = self.movement(actor).of(&document.id).because(cause);
        document
            .blank(&mut tx)
            .await?
            .apply(&mut tx, BlankEvent::Spoil, &movement)
            .await?;
        self.move_document(
            &mut tx,
            Some(actor),
            &mut document,
            DocumentEvent::SpoilBlank,
            happening,
        )
        .await?;
        self.give_up_blank(&mut tx, actor, &mut document).await?;
        tx.commit().await?;
        self.settle_document(&document.id).await;
        Ok(Some(document.number()).filter(|new| *new != failed))
    }

    /// Hands a document to its holder, who was identified: its certificates become active. One that
    /// its office got in a parcel is handed over there; one that was judged good and is in no parcel,
    /// where it was made, which must be its office.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a clerk, and for a document that was made in
    /// another office; [`CentralError::Conflict`] for a document that was not judged good, is on its
    /// way, or is in another state; [`CentralError::NotFound`].
    pub async fn hand_over(&self, actor: &Actor, number: &str) -> Result<()> {
        let deed = Deed::new(
            "document.handed-over",
            Control::IDENTITIES,
            "document",
            number,
        );
        let result = retried!(self.try_hand_over(actor, &deed, number));
        self.settle(actor, &deed, result).await
    }

    async fn try_hand_over(&self, actor: &Actor, deed: &Deed, number: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let clerk = authorise(&mut tx, actor, Act::HandOverDocument).await?;
        let mut document = Document::numbered(&mut tx, number).await?;
        let beside = Beside::load(&mut tx, &document).await?;
        if beside.has_envelopes {
            self.check_envelope(&mut tx, &document).await?;
        }
        let mut deed = deed.clone();
        let event = match document.state {
            DocumentState::QualityPassed => {
                let station = beside.made_here(&mut tx, &document).await?;
                deed = deed.with("made-at", station);
                DocumentEvent::HandOverHere
            }
            _ => DocumentEvent::HandOver,
        };
        let happening = self.happens().by(&clerk);
        if beside.has_certificates {
            self.move_document(&mut tx, Some(actor), &mut document, event, happening)
                .await?;
        } else {
            document.apply(&mut tx, event, happening).await?;
        }
        if beside.has_new_pins {
            self.check_not_in_work(&mut tx, &document).await?;
            self.check_pins_known(&mut tx, &document).await?;
        }
        if beside.has_envelopes {
            self.delete_puk(&mut tx, actor, &document).await?;
        }
        // Only until the document is collected (Regulation (EU) 2019/1157, article 10(3)).
        self.erase_class(
            &mut tx,
            Some(actor),
            &document.application,
            DataClass::Biometrics,
        )
        .await?;
        applications::apply(&mut tx, &document.application, ApplicationEvent::Complete).await?;
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        if beside.has_certificates {
            self.settle_document(&document.id).await;
        }
        Ok(())
    }
}

/// What there is beside a document that is handed over: most documents have little of it.
struct Beside {
    /// PIN envelopes, in whatever state.
    has_envelopes: bool,
    /// Certificates, in whatever state.
    has_certificates: bool,
    /// Leases that gave it new PINs, or are about to.
    has_new_pins: bool,
    /// The station that made it; none while it is not made.
    made_at: Option<String>,
    /// The office in which that station is booked.
    made_in: Option<String>,
    /// Whether any station is booked to an office.
    has_booked: bool,
}

impl Beside {
    async fn load(tx: &mut Connection, document: &Document) -> Result<Self> {
        let row = sqlx::query(sql!("SELECT (SELECT count(*) FROM envelope WHERE number = $1) + (SELECT count(*) FROM envelope WHERE document = $2) AS envelopes,
                    (SELECT count(*) FROM certificate WHERE document = $2) AS certificates,
                    (SELECT count(*) FROM lease WHERE document = $2 AND purpose = 'new-pins') AS new_pins,
                    made.station AS made_at,
                    (SELECT office FROM station_office WHERE station = made.station) AS made_in,
                    (SELECT count(*) FROM station_office) AS booked
             FROM (SELECT 1 AS one) AS always
             LEFT JOIN (SELECT station FROM lease WHERE document = $2 AND number = $1 AND state = 'completed'
                        AND purpose = 'personalization') AS made ON one = 1"))
        .bind(document.number().to_string())
        .bind(&document.id)
        .fetch_one(tx)
        .await?;
        let has = |column| row.get::<i64, _>(column) > 0;
        Ok(Self {
            has_envelopes: has("envelopes"),
            has_certificates: has("certificates"),
            has_new_pins: has("new_pins"),
            made_at: row.get("made_at"),
            made_in: row.get("made_in"),
            has_booked: has("booked"),
        })
    }

    /// Demands that a document was made in the office that hands it over. Returns the station that
    /// made it. Where no station is booked to any office, all that the installation has is one place.
    async fn made_here(&self, tx: &mut Connection, document: &Document) -> Result<&str> {
        let damaged = || CentralError::damaged("a finished document without its lease");
        let station = self.made_at.as_deref().ok_or_else(damaged)?;
        if !self.has_booked {
            return Ok(station);
        }
        let office = applications::office(tx, &document.application).await?;
        if self.made_in.as_deref() == Some(office.as_str()) {
            return Ok(station);
        }
        Err(CentralError::refused(format!(
            "the document was made at {station}, which is not in office {office}: send it there in a parcel"
        )))
    }
}

/// Demands that who judges a document is not who made it, nor who began it at another station.
pub(crate) async fn judged_by_another(
    tx: &mut Connection,
    document: &Document,
    judge: &Person,
) -> Result<()> {
    let Some(operator) = &document.operator else {
        // Not made yet: the life cycle says so better.
        return Ok(());
    };
    // An account keeps its identity and its name: either tells two of them apart.
    let is_another = four_eyes(operator, &judge.id).is_ok();
    match is_another && !began_it(tx, &document.id, &judge.id).await? {
        true => Ok(()),
        false => Err(CentralError::refused(
            "nobody judges what they made; another person must judge it",
        )),
    }
}
