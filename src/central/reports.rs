//! Reports: how each lease ended, in each station's order, exactly once.

use api::{Actor, BlankEnd, JournalLine, Report};
use audit::{Control, Outcome};
use document::{Act, Kind, Purpose};
use sha2::{Digest, Sha256};

use crate::accounts::authorise;
use crate::applications::check_cause;
use crate::blanks::{Blank, chip_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, stored};
use crate::documents::Document;
use crate::endings::{cause_of, foreign};
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::quarantine::is_touched;
use crate::restoration::Restoration;
use crate::ribbon_cards::MadeCard;
use crate::scribe::Deed;
use crate::statements::sql;
use crate::stock::MAX_CHIPS;
use crate::told_lines::forget_ended;

/// The most lines of a journal.
pub(crate) const MAX_LINES: usize = 10_000;

/// The longest text of a journal line, in bytes: a step, a moment, all its evidence.
const MAX_TEXT: usize = 8_192;

/// The entry of what a report was about that cannot be honoured.
const PUT_ASIDE: &str = "lease.put-aside";

impl Central {
    /// Takes in how a lease ended.
    pub(crate) async fn take_report(&self, actor: &Actor, report: &Report) -> Result<()> {
        let deed = Deed::new("lease.reported", Control::EVIDENCE, "lease", report.lease)
            .with("sequence", report.sequence)
            .with("end", end_name(&report.end));
        let result = retried!(self.try_report(actor, &deed, report));
        self.settle(actor, &deed, result).await
    }

    async fn try_report(&self, actor: &Actor, deed: &Deed, report: &Report) -> Result<()> {
        let sequence = i64::try_from(report.sequence)
            .map_err(|_| CentralError::invalid("a sequence number this large does not occur"))?;
        let bytes = serde_json::to_vec(report)
            .map_err(|_| CentralError::invalid("the report cannot be written down"))?;
        let digest = Sha256::digest(&bytes);
        let mut tx = self.write().await?;
        let found = Held::load(&mut tx, actor, report.lease).await;
        let act = found.as_ref().map(Held::act);
        authorise(&mut tx, actor, act.unwrap_or(Act::PersonalizeDocument)).await?;
        let awaited = Restoration::awaiting(&mut tx, &actor.station)
            .await?
            .is_some();
        if !self
            .is_next(&mut tx, actor, (sequence, &digest), awaited)
            .await?
        {
            return Ok(());
        }
        if let Err(error @ CentralError::Moved { .. }) = &found {
            let how = (sequence, digest.as_slice());
            self.fence(&mut tx, (actor, deed), report, how, error)
                .await?;
            tx.commit().await?;
            return Ok(());
        }
        let is_unknown = matches!(found, Err(CentralError::NotFound { .. }));
        // After a restoration it may be another station's in the books: it was moved after the backup.
        if is_unknown && (awaited || !Held::is_known(&mut tx, report.lease).await?) {
            let is_sound = check_report(report).is_ok();
            let how = (sequence, digest.as_slice(), is_sound);
            self.quarantine(&mut tx, actor, deed, report, how).await?;
            tx.commit().await?;
            return Ok(());
        }
        let mut held = found?;
        let was_bound = held.blank.is_some();
        let mut document = Document::load(&mut tx, &held.document).await?;
        let number = document.number();
        let sound = check_report(report);
        let is_sound = sound.is_ok();
        let judged = match sound {
            Ok(()) if held.purpose == Purpose::NewPins => {
                self.judge_new_pins(&mut tx, &held, report).await
            }
            Ok(()) => self.judge(&mut tx, &held, &document, report).await,
            unsound => unsound,
        };
        let mut deed = deed
            .clone()
            .with("document", &held.number)
            .with("milliseconds", report.milliseconds);
        let made = Some(document.kind).filter(|_| held.purpose == Purpose::Personalization);
        let incident = match judged {
            judged if held.purpose == Purpose::NewPins => {
                let is_done = self
                    .conclude_new_pins(&mut tx, Some(actor), &mut held)
                    .await?;
                deed = deed.with("new-pins", is_done);
                match judged {
                    Err(error) if error.outcome() != Some(Outcome::Refused) => return Err(error),
                    judged => judged.err(),
                }
            }
            Ok(()) => {
                match &report.end {
                    BlankEnd::Personalized => {
                        self.complete(&mut tx, actor, &mut held, &mut document)
                            .await?
                    }
                    BlankEnd::Spoiled { .. } => {
                        self.spoil(&mut tx, actor, &mut held, &mut document, report)
                            .await?
                    }
                    BlankEnd::Untouched { .. } => {
                        self.release(&mut tx, actor, &mut held, &mut document)
                            .await?
                    }
                }
                None
            }
            // What cannot be honoured is taken in all the same: a report that were refused would
            // hold up every later one of its station.
            Err(error) if error.outcome() == Some(Outcome::Refused) => {
                let is_put_aside = self
                    .put_aside(&mut tx, actor, &mut held, &mut document, report)
                    .await?;
                let entry = match is_put_aside {
                    // What was not believed is refused; what was done for it, is done.
                    true => {
                        let aside = Deed::new(PUT_ASIDE, Control::EVIDENCE, "lease", report.lease)
                            .with("sequence", report.sequence)
                            .with("document", &held.number);
                        let aside = match &held.blank {
                            Some(blank) => aside.with("blank", blank),
                            None => aside,
                        };
                        self.record(&mut tx, Some(actor), &aside).await?;
                        PUT_ASIDE
                    }
                    false => "nothing",
                };
                deed = deed.with("put-aside", entry);
                Some(error)
            }
            Err(error) => return Err(error),
        };
        if awaited && !was_bound && is_touched(report) && held.purpose == Purpose::Personalization {
            self.burn_of_unbound(&mut tx, actor, &mut document, &held.number, report)
                .await?;
        }
        // A card that cannot be believed was printed all the same, and its ribbon shows it.
        let told = match is_sound {
            true => None,
            false => Some(self.told_lines(&mut tx, &held).await?),
        };
        let journal = told.as_deref().unwrap_or(&report.journal);
        self.note_card(&mut tx, actor, MadeCard::of(&held, journal))
            .await?;
        // What could not be honoured was made in no book, and is in no figure.
        let made = made.filter(|_| incident.is_none());
        self.store_report(&mut tx, actor, report, (sequence, &digest), made, is_sound)
            .await?;
        forget_ended(&mut tx, &held).await?;
        if let Some(blank) = &held.blank {
            deed = deed.with("blank", blank);
            let blank = Blank::load(&mut tx, blank).await?;
            let foreign = foreign(report, &blank.chips(&mut tx).await?);
            if foreign > 0 {
                // The blank ended as it did all the same; somebody must look into the other one.
                deed = deed.with("foreign-chips", foreign);
            }
        }
        if document.number() != number {
            deed = deed.with("new-number", document.number());
        }
        match incident {
            None => self.record(&mut tx, Some(actor), &deed).await?,
            Some(error) => {
                tracing::warn!(
                    lease = %held.id,
                    error = %error,
                    "a report cannot be honoured"
                );
                self.record_refusal(&mut tx, actor, &deed, &error).await?;
            }
        }
        tx.commit().await?;
        self.sealed().forget(self.now(), held.id);
        self.settle_document(&document.id).await;
        Ok(())
    }

    /// Stores a report; of one that is not sound, only that there was one. `made` is the kind of what
    /// was made or tried; none where a finished document got new PINs, which is not counted.
    async fn store_report(
        &self,
        tx: &mut Connection,
        actor: &Actor,
        report: &Report,
        (sequence, digest): (i64, &[u8]),
        made: Option<Kind>,
        is_sound: bool,
    ) -> Result<()> {
        sqlx::query(sql!("INSERT INTO report (station, sequence, digest, lease, end_state, milliseconds, received, day, kind, cause) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"))
            .bind(&actor.station)
            .bind(sequence)
            .bind(digest)
            .bind(report.lease.to_string())
            .bind(end_name(&report.end))
            .bind(figure(report.milliseconds))
            .bind(stored(self.now()))
            .bind(made.map(|_| self.calendar().day_of(self.now()).to_string()))
            .bind(made.map(Kind::name))
            .bind(cause_of(&report.end).filter(|_| is_sound))
            .execute(&mut *tx)
            .await?;
        if !is_sound {
            return Ok(());
        }
        for (place, chip) in (0_i64..).zip(&report.chips) {
            let serial = chip.serial.as_deref().map(chip_serial).transpose()?;
            sqlx::query(sql!("INSERT INTO reported_chip (station, sequence, place, interface, product, serial, os, commands, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"))
            .bind(&actor.station)
            .bind(sequence)
            .bind(place)
            .bind(&chip.interface)
            .bind(&chip.product)
            .bind(serial)
            .bind(&chip.os)
            .bind(figure(chip.commands))
            .bind(figure(chip.bytes))
            .execute(&mut *tx)
            .await?;
        }
        for (place, line) in (0_i64..).zip(&report.journal) {
            let evidence = serde_json::to_string(&line.evidence)
                .map_err(|_| CentralError::invalid("a journal line cannot be written down"))?;
            sqlx::query(sql!("INSERT INTO journal_line (station, sequence, place, at, step, moment, evidence) VALUES ($1, $2, $3, $4, $5, $6, $7)"))
                .bind(&actor.station)
                .bind(sequence)
                .bind(place)
                .bind(line.at.to_string())
                .bind(&line.step)
                .bind(&line.moment)
                .bind(evidence)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }
}

/// Returns a figure as it is stored; one that is larger does not occur.
pub(crate) fn figure(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

pub(crate) fn end_name(end: &BlankEnd) -> &'static str {
    match end {
        BlankEnd::Personalized => "personalized",
        BlankEnd::Spoiled { .. } => "spoiled",
        BlankEnd::Untouched { .. } => "untouched",
    }
}

fn check_report(report: &Report) -> Result<()> {
    if let BlankEnd::Spoiled { cause } | BlankEnd::Untouched { cause } = &report.end {
        check_cause(cause)?;
    }
    if report.journal.len() > MAX_LINES || report.chips.len() > MAX_CHIPS {
        return Err(CentralError::invalid(format!(
            "a report has at most {MAX_LINES} journal lines and {MAX_CHIPS} chips"
        )));
    }
    report.journal.iter().try_for_each(check_line)?;
    for chip in &report.chips {
        if chip.interface.len() > 64
            || chip.product.len() > 128
            || chip.os.as_ref().is_some_and(|os| os.len() > 128)
        {
            return Err(CentralError::invalid(
                "a chip's interface, product or operating system has too long a name",
            ));
        }
        if let Some(serial) = &chip.serial {
            chip_serial(serial)?;
        }
    }
    Ok(())
}

/// Demands that a line is not longer than any that a station writes.
pub(crate) fn check_line(line: &JournalLine) -> Result<()> {
    let evidence = line.evidence.iter();
    let evidence: usize = evidence.map(|(key, value)| key.len() + value.len()).sum();
    if line.step.len() + line.moment.len() + evidence > MAX_TEXT {
        return Err(CentralError::invalid(format!(
            "a journal line has at most {MAX_TEXT} bytes"
        )));
    }
    Ok(())
}
