//! How a blank ends: as the document, spoiled with all it carries, or back in its account.

use std::collections::BTreeSet;

use api::{Actor, BlankEnd, JournalLine, Report};
use audit::Control;
use document::life_cycle::{
    BlankEvent, CertificateMove, DocumentEvent, LeaseEvent, LeaseState, RevocationReason,
};
use profile::{NumberSource, Verb};

use crate::applications::check_cause;
use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::database::{Connection, Write};
use crate::documents::{Document, account_number};
use crate::error::{CentralError, Result, advance};
use crate::lds::check_signed;
use crate::lease::Held;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Judges whether a report can be true, by the books and by its own journal. Changes nothing.
    pub(crate) async fn judge(
        &self,
        tx: &mut Connection,
        held: &Held,
        document: &Document,
        report: &Report,
    ) -> Result<()> {
        // A lease that expired unbound went back to the queue by itself; its station still says, once,
        // how it ended there.
        let is_over = held.state == LeaseState::Released
            && held.blank.is_none()
            && !was_reported(tx, held).await?;
        match &report.end {
            BlankEnd::Personalized => {
                advance(held.state, LeaseEvent::Complete)?;
                self.check_personalized(tx, held, document, report).await
            }
            BlankEnd::Spoiled { .. } if is_over => Ok(()),
            BlankEnd::Spoiled { .. } => advance(held.state, LeaseEvent::Spoil).map(drop),
            BlankEnd::Untouched { .. } => {
                if !is_over {
                    advance(held.state, LeaseEvent::Release)?;
                }
                check_untouched(tx, held, report).await
            }
        }
    }

    /// Demands that the blank that is bound became the document, with the profiles of the lease.
    async fn check_personalized(
        &self,
        tx: &mut Connection,
        held: &Held,
        document: &Document,
        report: &Report,
    ) -> Result<()> {
        let serial = held.blank.as_ref().ok_or_else(|| {
            CentralError::refused(
                "no blank was bound to this lease: nothing can have been personalized",
            )
        })?;
        let chips = Blank::load(tx, serial).await?.chips(tx).await?;
        check_named(report, serial, &chips)?;
        if report.journal.is_empty() {
            return Err(CentralError::refused(
                "the station's journal is missing from the report",
            ));
        }
        self.check_pinned(held, document)?;
        for chip in &chips {
            self.check_whole(tx, held, chip, document).await?;
        }
        Ok(())
    }

    /// The blank is the document now, made by whom the lease was given to.
    pub(crate) async fn complete(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        document: &mut Document,
    ) -> Result<()> {
        held.apply(tx, LeaseEvent::Complete).await?;
        let serial = held.blank.as_ref();
        let serial = serial.ok_or_else(|| CentralError::damaged("a lease without its blank"))?;
        let mut blank = Blank::load(tx, serial).await?;
        let happening = self.happens().made_by(&held.operator);
        document
            .apply(tx, DocumentEvent::Personalize, happening)
            .await?;
        let movement = self.movement(actor).under(held.id).of(&document.id);
        let carried = (&*document.id, document.number());
        blank
            .pass_through(tx, &[(BlankEvent::Personalize, &movement)], Some(carried))
            .await?;
        for chip in blank.chips(tx).await? {
            self.note_removed_keys(tx, actor, held, &chip, document)
                .await?;
        }
        account_number(tx, document.number(), "issued").await
    }

    /// Writes down which key sets a finished chip has no more: a station removes them by itself,
    /// in a channel that was given to it.
    async fn note_removed_keys(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &Held,
        chip: &BookedChip,
        document: &Document,
    ) -> Result<()> {
        let profile = self.document_profile(document.kind)?;
        let record = self.open_record(tx, document).await?;
        let plan = self.plan(profile, &chip.product, &record)?;
        let steps = plan.stages.iter().flat_map(|stage| &stage.steps);
        for step in steps.filter(|step| step.verb == Verb::RemoveKeys) {
            let deed = Deed::new("keys.removed", Control::CRYPTOGRAPHY, "lease", held.id)
                .with("document", document.number())
                .with("chip", &chip.serial)
                .with("key-set", &step.object);
            self.record(tx, Some(actor), &deed).await?;
        }
        Ok(())
    }

    /// Demands that everything the plan has for a chip of this document came from here: each
    /// certificate issued under this lease, each sealed stage confirmed.
    async fn check_whole(
        &self,
        tx: &mut Connection,
        held: &Held,
        chip: &BookedChip,
        document: &Document,
    ) -> Result<()> {
        let profile = self.document_profile(document.kind)?;
        let record = self.open_record(tx, document).await?;
        let plan = self.plan(profile, &chip.product, &record)?;
        self.check_proved(tx, held, chip, &plan.keys).await?;
        check_signed(tx, (held, chip), &plan).await?;
        for stage in plan.stages.iter().filter(|stage| stage.sealed) {
            let confirmed: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM sealed_stage WHERE lease = $1 AND chip = $2 AND stage = $3 AND answers IS NOT NULL"))
            .bind(held.id.to_string())
            .bind(&chip.serial)
            .bind(&stage.name)
            .fetch_one(&mut *tx)
            .await?;
            if confirmed != 1 {
                return Err(CentralError::refused(format!(
                    "stage \"{}\" of chip {} was not confirmed: it is not known that it was done",
                    stage.name, chip.serial
                )));
            }
        }
        Ok(())
    }

    /// Something that lasts was begun on the blank, and it failed.
    pub(crate) async fn spoil(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        document: &mut Document,
        report: &Report,
    ) -> Result<()> {
        let Some(serial) = held.blank.clone() else {
            return self.spoil_unbound(tx, actor, held, document, report).await;
        };
        held.apply(tx, LeaseEvent::Spoil).await?;
        let mut blank = Blank::load(tx, &serial).await?;
        let movement = self.movement(actor).under(held.id).of(&document.id);
        let cause = spoiled_by(report);
        let movement = movement.because(&cause);
        let carried = (&*document.id, document.number());
        blank
            .pass_through(tx, &[(BlankEvent::Spoil, &movement)], Some(carried))
            .await?;
        // A report that is put aside may say anything.
        let cause = cause_of(&report.end).filter(|cause| check_cause(cause).is_ok());
        let cause = cause.unwrap_or("what was reported cannot be true");
        let happening = self.happens().because(cause);
        self.move_document(
            tx,
            Some(actor),
            document,
            DocumentEvent::SpoilBlank,
            happening,
        )
        .await?;
        self.give_up_blank(tx, actor, document).await
    }

    /// A blank broke before a channel was opened: it carries nothing, and the number stays.
    async fn spoil_unbound(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        document: &mut Document,
        report: &Report,
    ) -> Result<()> {
        // A lease that expired unbound went back to the queue by itself.
        if held.state != LeaseState::Released {
            held.apply(tx, LeaseEvent::Spoil).await?;
            document
                .apply(tx, DocumentEvent::Release, self.happens())
                .await?;
        }
        let mut broken = BTreeSet::new();
        for serial in serials(report) {
            if let Some(chip) = BookedChip::find(tx, &serial).await? {
                broken.insert(chip.blank);
            }
        }
        for serial in broken {
            let mut blank = Blank::load(tx, &serial).await?;
            // One that is in another account is another lease's, or a document: who only read its
            // number has no say in it.
            if blank.state.is_idle() {
                let movement = self.movement(actor).under(held.id);
                let cause = spoiled_by(report);
                let movement = movement.because(&cause);
                blank.apply(tx, BlankEvent::Spoil, &movement).await?;
                let deed = Deed::new("blank.spoiled", Control::MEDIA, "blank", &serial)
                    .with("lease", held.id);
                self.record(tx, Some(actor), &deed).await?;
            }
        }
        Ok(())
    }

    /// Puts aside what a report is about that cannot be honoured: nobody can say what is on the
    /// blank. Returns whether there was anything left to put aside: what a lease ended as before
    /// stays.
    pub(crate) async fn put_aside(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        document: &mut Document,
        report: &Report,
    ) -> Result<bool> {
        let is_open = advance(held.state, LeaseEvent::Spoil).is_ok();
        if is_open || (held.state == LeaseState::Released && held.blank.is_none()) {
            self.spoil(tx, actor, held, document, report).await?;
        }
        Ok(is_open)
    }

    /// Takes back what a spoiled blank was given: its certificates are revoked, its envelope is
    /// destroyed, its number is never used again. The document goes on under a new one, at once or
    /// with the next blank.
    pub(crate) async fn give_up_blank(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &mut Document,
    ) -> Result<()> {
        self.go_on(tx, actor, document, "spoiled", "spoiled").await
    }

    /// As [`Central::give_up_blank`], of a blank that is missing.
    pub(crate) async fn give_up_missing(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &mut Document,
    ) -> Result<()> {
        self.go_on(tx, actor, document, "cancelled", "missing")
            .await
    }

    /// Lets a document go on whose number is accounted as `state`, after its blank became `word`.
    async fn go_on(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &mut Document,
        state: &'static str,
        word: &'static str,
    ) -> Result<()> {
        // Its life cycle has revoked them; whoever gives a blank up otherwise leaves none either.
        self.move_certificates(
            tx,
            Some(actor),
            document,
            CertificateMove::Revoke(RevocationReason::Superseded),
        )
        .await?;
        let old = document.number();
        self.annul_envelopes(tx, actor, old).await?;
        let profile = self.document_profile(document.kind)?;
        if profile.number == NumberSource::Blank {
            document.unnumber(tx, state).await?;
            let reference = &document.application;
            let deed = Deed::new(
                "document.queued",
                Control::RECORDS,
                "application",
                reference,
            )
            .with(word, old);
            return self.record(tx, Some(actor), &deed).await;
        }
        // Biometrics are erased in time, wherever the document is: then it is made no more, and what
        // became of this blank has to be booked all the same.
        let can_be_made = self.has_biometrics(tx, &document.application).await?;
        let mut record = match can_be_made {
            true => self.open_record(tx, document).await?,
            false => self.open_bare_record(tx, document).await?,
        };
        let new = document
            .renumber(tx, self.environment(), self.now())
            .await?;
        account_number(tx, old, state).await?;
        record.number = new;
        if can_be_made {
            self.prepare_again(tx, document, &mut record).await?;
        }
        self.update_record(tx, document, &record).await?;
        // A subject may have the number in it.
        let subjects = self.subjects(profile, &record)?;
        self.update_subjects(tx, document, &subjects).await?;
        let deed =
            Deed::new("document.renumbered", Control::RECORDS, "document", new).with(word, old);
        self.record(tx, Some(actor), &deed).await
    }

    /// Nothing that lasts was begun on the blank.
    pub(crate) async fn release(
        &self,
        tx: &mut Connection,
        actor: &Actor,
        held: &mut Held,
        document: &mut Document,
    ) -> Result<()> {
        if held.state == LeaseState::Released {
            // It expired before a blank was bound, and went back to the queue by itself.
            return Ok(());
        }
        held.apply(tx, LeaseEvent::Release).await?;
        document
            .apply(tx, DocumentEvent::Release, self.happens())
            .await?;
        let profile = self.document_profile(document.kind)?;
        if profile.number == NumberSource::Blank {
            document.unnumber(tx, "returned").await?;
        }
        if let Some(serial) = &held.blank {
            let movement = self.movement(actor).under(held.id).of(&document.id);
            Blank::load(tx, serial)
                .await?
                .apply(tx, BlankEvent::Return, &movement)
                .await?;
        }
        Ok(())
    }
}

/// Tells whether a report on this lease was taken in before.
async fn was_reported(tx: &mut Connection, held: &Held) -> Result<bool> {
    let reports: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM report WHERE lease = $1"))
        .bind(held.id.to_string())
        .fetch_one(tx)
        .await?;
    Ok(reports > 0)
}

/// Returns why a blank was not made the document, as its station says.
pub(crate) fn cause_of(end: &BlankEnd) -> Option<&str> {
    match end {
        BlankEnd::Personalized => None,
        BlankEnd::Spoiled { cause } | BlankEnd::Untouched { cause } => Some(cause),
    }
}

/// Returns why a report has a blank spoiled.
fn spoiled_by(report: &Report) -> String {
    match &report.end {
        BlankEnd::Spoiled { cause } => api::cause_of(cause),
        _ => "the report could not be honoured".to_owned(),
    }
}

/// Demands that nothing that lasts was begun on a blank: nothing of the kind was given out, and
/// the station's journal knows of no intent. Keys that were given for a step which it announced and
/// withdrew never reached the chip.
async fn check_untouched(tx: &mut Connection, held: &Held, report: &Report) -> Result<()> {
    let lease = held.id.to_string();
    let given: i64 = sqlx::query_scalar(sql!("SELECT (SELECT count(*) FROM certificate WHERE lease = $1) + (SELECT count(*) FROM sealed_stage WHERE lease = $2) + (SELECT count(*) FROM signed_lds WHERE lease = $3)"))
    .bind(&lease)
    .bind(&lease)
    .bind(&lease)
    .fetch_one(&mut *tx)
    .await?;
    let keys: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM key_grant WHERE lease = $1"))
        .bind(&lease)
        .fetch_one(&mut *tx)
        .await?;
    if given > 0 || (keys > 0 && !JournalLine::withdraw_all(&report.journal)) {
        return Err(CentralError::refused(
            "keys, certificates, signed files or sealed stages were given out under this lease: the blank is not untouched",
        ));
    }
    match JournalLine::begin_anything(&report.journal) {
        false => Ok(()),
        true => Err(CentralError::refused(
            "the station's journal has begun something that lasts: the blank is not untouched",
        )),
    }
}

/// Returns the serial numbers that a report names, as far as they are serial numbers.
pub(crate) fn serials(report: &Report) -> impl Iterator<Item = String> {
    let named = report
        .chips
        .iter()
        .filter_map(|chip| chip.serial.as_deref());
    named.filter_map(|serial| chip_serial(serial).ok())
}

/// Counts the chips of a report that are not of the blank, among those that said who they are.
pub(crate) fn foreign(report: &Report, chips: &[BookedChip]) -> usize {
    let is_foreign = |serial: &String| chips.iter().all(|chip| chip.serial != *serial);
    serials(report).filter(is_foreign).count()
}

/// Demands that a report names each chip of the blank once, and none beside.
fn check_named(report: &Report, blank: &str, chips: &[BookedChip]) -> Result<()> {
    let mut left: Vec<_> = chips.iter().collect();
    for named in &report.chips {
        let serial = named.serial.as_deref().map(chip_serial).transpose()?;
        let place = left.iter().position(|chip| {
            Some(&chip.serial) == serial.as_ref() && chip.product == named.product
        });
        let Some(place) = place else {
            return Err(CentralError::refused(format!(
                "the report names chip {} ({}) beside those of blank {blank}",
                serial.as_deref().unwrap_or("without a serial number"),
                named.product
            )));
        };
        left.remove(place);
    }
    match left.first() {
        None => Ok(()),
        Some(chip) => Err(CentralError::refused(format!(
            "the report does not name chip {} of blank {blank}, which is bound to the lease",
            chip.serial
        ))),
    }
}
