//! New PINs for a document that is made already: its letter was lost or destroyed, or its PUK is
//! blocked.
//!
//! ```text
//!   lease, for the document's own blank ─► sealed by the centre ─► confirmed by the chip ─► report
//!                                                │                       │
//!                                    not confirmed: the new envelope     the old envelope is
//!                                    is destroyed, and it is tried       annulled, the new one
//!                                    again                               is ready
//! ```
//!
//! The document's state does not change, and its blank stays what it is. From the moment in which
//! the commands are given out until a chip confirms them nobody knows which PINs it has: until
//! then no letter is printed, and the document is not handed over.

use api::{Actor, BlankEnd, Lease, LeaseId, Report};
use audit::Control;
use document::life_cycle::{DocumentState, LeaseEvent, LeaseState, LifeCycle};
use document::{Act, Purpose};
use profile::ProfileError;
use uuid::Uuid;

use crate::accounts::authorise;
use crate::applications::check_cause;
use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::lease::{Held, LeasedChip};
use crate::queue::TERM;
use crate::scribe::Deed;
use crate::statements::sql;

/// How such a lease names the place of the work: it takes no slot of a station.
const PLACE: &str = "new-pins";

/// The states in which a blank carries the document, and somebody has it or will.
const MADE: [DocumentState; 4] = [
    DocumentState::Personalized,
    DocumentState::QualityPassed,
    DocumentState::AtOffice,
    DocumentState::HandedOver,
];

impl Central {
    /// Leases a document that is made already, to give it a new PIN set; its own blank is bound to
    /// the lease at once. Under it a station gets what that needs, and nothing else. Asked again
    /// by the same person at the same station, the lease is the same until the chip has confirmed
    /// its PINs.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, for a document without PINs, and for a
    /// chip that gets no new ones; [`CentralError::Conflict`] for a document that is not made, and
    /// while another lease is open for it; [`CentralError::Invalid`] without a cause;
    /// [`CentralError::NotFound`].
    pub async fn lease_new_pins(&self, actor: &Actor, number: &str, cause: &str) -> Result<Lease> {
        let deed = Deed::new(
            "new-pins.leased",
            Control::AUTHENTICATION_INFORMATION,
            "document",
            number,
        );
        let result = retried!(self.try_lease_new_pins(actor, &deed, number, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_lease_new_pins(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        cause: &str,
    ) -> Result<Lease> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let operator = authorise(&mut tx, actor, Act::RenewPins).await?;
        self.expire_leases(&mut tx).await?;
        let document = Document::numbered(&mut tx, number).await?;
        if !MADE.contains(&document.state) {
            return Err(CentralError::conflict(format!(
                "the document is {}: only one that is made, and not given up, gets new PINs",
                document.state
            )));
        }
        if let Some(mut held) = Held::of_document(&mut tx, &document.id).await? {
            let is_own = held.purpose == Purpose::NewPins
                && held.operator == operator.id
                && held.station == actor.station;
            if !is_own {
                return Err(CentralError::conflict(format!(
                    "lease {} for this document, given to person/{} at {}, is open until {}; report it first",
                    held.id, held.operator, held.station, held.expires
                )));
            }
            let is_whole = self.check_pinned(&held, &document).is_ok();
            if is_whole && !has_new_pins(&mut tx, held.id).await? {
                let lease = self.given(&mut tx, &held, document).await?;
                tx.commit().await?;
                return Ok(lease);
            }
            // It was not reported, and cannot go on.
            self.conclude_new_pins(&mut tx, Some(actor), &mut held)
                .await?;
        }
        let chip = self.renewable(&mut tx, &document).await?;
        let profile = self.document_profile(document.kind)?;
        let held = Held {
            id: LeaseId(Uuid::new_v4()),
            purpose: Purpose::NewPins,
            document: document.id.clone(),
            number: document.number().to_string(),
            station: actor.station.clone(),
            slot: PLACE.to_owned(),
            operator: operator.id,
            chips: vec![LeasedChip {
                product: chip.product.clone(),
                digest: self.chip(&chip.product)?.digest.to_vec(),
            }],
            document_digest: profile.digest.to_vec(),
            blank: Some(chip.blank.clone()),
            state: LeaseState::INITIAL,
            expires: self.now() + TERM,
            is_printed: false,
        };
        held.store(&mut tx, self.now()).await?;
        let deed = deed
            .clone()
            .about(&held.number)
            .with("lease", held.id)
            .with("blank", &chip.blank)
            .with("chip", &chip.serial)
            .with("product", &chip.product)
            .with("state", document.state)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        let lease = self.given(&mut tx, &held, document).await?;
        tx.commit().await?;
        Ok(lease)
    }

    /// Returns the chip of a document's blank that has its holder's PINs, and can get others.
    async fn renewable(&self, tx: &mut Connection, document: &Document) -> Result<BookedChip> {
        let blank: Option<String> = sqlx::query_scalar(sql!("SELECT serial FROM blank WHERE document = $1 AND number = $2 AND state = 'personalized'"))
        .bind(&document.id)
        .bind(document.number().to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let blank =
            blank.ok_or_else(|| CentralError::damaged("a finished document without its blank"))?;
        let profile = self.document_profile(document.kind)?;
        let record = self.open_record(tx, document).await?;
        for chip in Blank::load(tx, &blank).await?.chips(tx).await? {
            let mut wanted = profile.chips.iter();
            let has_pins = wanted
                .any(|wanted| !wanted.pins.is_empty() && wanted.products.contains(&chip.product));
            if !has_pins {
                continue;
            }
            let plan = self.plan_for(Purpose::NewPins, profile, &chip.product, &record);
            return match plan {
                Ok(_) => Ok(chip),
                Err(CentralError::Profile(error @ ProfileError::Mismatch { .. })) => {
                    Err(CentralError::refused(error.to_string()))
                }
                Err(other) => Err(other),
            };
        }
        Err(CentralError::refused(
            "no chip of this document has PINs of its holder",
        ))
    }

    /// Takes the letters of the PINs that a chip had before out of the world, now that it has
    /// confirmed others; a PUK is kept only until the hand-over.
    pub(crate) async fn replace_envelopes(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &Held,
    ) -> Result<()> {
        self.annul_envelopes_before(tx, actor, held).await?;
        let document = Document::load(tx, &held.document).await?;
        match document.state {
            DocumentState::HandedOver => self.delete_puk(tx, actor, &document).await,
            _ => Ok(()),
        }
    }

    /// Judges whether a report on new PINs can be true. Changes nothing.
    pub(crate) async fn judge_new_pins(
        &self,
        tx: &mut Connection,
        held: &Held,
        report: &Report,
    ) -> Result<()> {
        if !matches!(report.end, BlankEnd::Personalized) {
            return Ok(());
        }
        if !has_new_pins(tx, held.id).await? {
            return Err(CentralError::refused(
                "the chip confirmed no new PINs under this lease",
            ));
        }
        let serial = held.blank.as_ref();
        let serial = serial.ok_or_else(|| CentralError::damaged("a lease without its blank"))?;
        let chips = Blank::load(tx, serial).await?.chips(tx).await?;
        for named in &report.chips {
            let serial = named.serial.as_deref().map(chip_serial).transpose()?;
            let is_own = |chip: &BookedChip| {
                Some(&chip.serial) == serial.as_ref() && chip.product == named.product
            };
            if !chips.iter().any(is_own) {
                return Err(CentralError::refused(format!(
                    "the report names a chip beside those of blank {}",
                    chips.first().map_or("", |chip| &chip.blank)
                )));
            }
        }
        Ok(())
    }

    /// Ends a lease for new PINs by what the chip confirmed, whatever is reported of it. An envelope
    /// that was not confirmed is destroyed. Returns whether the document has new PINs.
    pub(crate) async fn conclude_new_pins(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        held: &mut Held,
    ) -> Result<bool> {
        if held.state.is_final() {
            return Ok(held.state == LeaseState::Completed);
        }
        let is_done = has_new_pins(tx, held.id).await?;
        let (event, action) = match is_done {
            true => (LeaseEvent::Complete, "new-pins.set"),
            false => (LeaseEvent::Fail, "new-pins.failed"),
        };
        held.apply(tx, event).await?;
        self.annul_unconfirmed(tx, actor, held).await?;
        let control = Control::AUTHENTICATION_INFORMATION;
        let deed = Deed::new(action, control, "document", &held.number).with("lease", held.id);
        self.record(tx, actor, &deed).await?;
        Ok(is_done)
    }

    /// Says whether a document got its new PINs under a lease: whether its chip confirmed them.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to give new PINs; [`CentralError::NotFound`] for
    /// a lease that is not this station's.
    pub async fn new_pins_are_set(&self, actor: &Actor, lease: LeaseId) -> Result<bool> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::RenewPins).await?;
        let held = Held::load(&mut tx, actor, lease).await?;
        has_new_pins(&mut tx, held.id).await
    }

    /// Demands that nobody is giving a finished document new PINs just now.
    pub(crate) async fn check_not_in_work(
        &self,
        tx: &mut Write,
        document: &Document,
    ) -> Result<()> {
        match self.lease_of(tx, &document.id).await? {
            Some(held) if held.purpose == Purpose::NewPins => Err(CentralError::conflict(format!(
                "the document is getting new PINs under lease {}; wait until that is reported",
                held.id
            ))),
            _ => Ok(()),
        }
    }

    /// Demands that it is known which PINs a document's chip has: none were sealed for it that it
    /// did not confirm.
    pub(crate) async fn check_pins_known(
        &self,
        tx: &mut Connection,
        document: &Document,
    ) -> Result<()> {
        let last: Option<String> = sqlx::query_scalar(sql!("SELECT l.id FROM lease l WHERE l.document = $1 AND l.number = $2 AND l.purpose = 'new-pins'
             AND EXISTS (SELECT 1 FROM sealed_stage s WHERE s.lease = l.id)
             ORDER BY l.opened DESC, l.turn DESC LIMIT 1"))
        .bind(&document.id)
        .bind(document.number().to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(last) = last else { return Ok(()) };
        match is_confirmed(tx, &last).await? {
            true => Ok(()),
            false => Err(CentralError::conflict(
                "new PINs were begun on this document's chip and not confirmed: nobody knows which it has; give it new PINs again",
            )),
        }
    }
}

/// Says whether a chip has confirmed every new PIN of a lease.
async fn has_new_pins(tx: &mut Connection, lease: LeaseId) -> Result<bool> {
    is_confirmed(tx, &lease.to_string()).await
}

/// A lease's envelope waits, sealed, for the last of its stages; it is destroyed where that never
/// came, and its lease failed.
async fn is_confirmed(tx: &mut Connection, lease: &str) -> Result<bool> {
    let confirmed: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM envelope e JOIN lease l ON l.id = e.lease WHERE l.id = $1 AND e.state <> 'sealed' AND l.state <> 'failed'"))
    .bind(lease)
    .fetch_one(tx)
    .await?;
    Ok(confirmed > 0)
}
