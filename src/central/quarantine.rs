//! Reports under leases that the store does not know: they are kept as evidence, their blanks and
//! numbers are accounted for, and an incident tells people what is left to them.
//!
//! After a restoration such a report is expected: the lease was given after the backup. What it was
//! done with is spoiled, whatever became of it: the store does not know its certificates and PINs,
//! and makes the document again under another number. At any other time nothing is moved: nobody
//! knows how a station came by such a lease.

use std::collections::BTreeSet;

use api::{Actor, BlankEnd, JournalLine, Report};
use audit::Control;
use document::DocumentNumber;
use document::life_cycle::{BlankEvent, BlankState, DocumentState, IncidentKind};

use crate::blanks::{Blank, BookedChip};
use crate::central::Central;
use crate::database::{Connection, Write, stored};
use crate::documents::Document;
use crate::endings::serials;
use crate::error::{CentralError, Result};
use crate::reports::{end_name, figure};
use crate::restoration::Restoration;
use crate::ribbon_cards::MadeCard;
use crate::scribe::Deed;
use crate::series::{StoredSeries, void_free};
use crate::statements::sql;

/// Why a number is void that stands on a blank of an unknown lease.
const ON_A_BLANK: &str =
    "it stands on a blank that was made under a lease which the store does not know";

/// Tells whether anything that lasts was begun, as the report itself has it.
pub(crate) fn is_touched(report: &Report) -> bool {
    let is_untouched = matches!(report.end, BlankEnd::Untouched { .. });
    !is_untouched || JournalLine::begin_anything(&report.journal)
}

impl Central {
    /// Takes in a report under a lease that the store does not know. `is_sound`: it is not malformed.
    pub(crate) async fn quarantine(
        &self,
        tx: &mut Write,
        actor: &Actor,
        deed: &Deed,
        report: &Report,
        (sequence, digest, is_sound): (i64, &[u8], bool),
    ) -> Result<()> {
        let restoration = Restoration::awaiting(tx, &actor.station).await?;
        // One that cannot be read says nothing of the blank, least of all that it is untouched.
        let touched = is_touched(report) || !is_sound;
        let content = match is_sound {
            true => Some(
                serde_json::to_string(report)
                    .map_err(|_| CentralError::invalid("the report cannot be written down"))?,
            ),
            false => None,
        };
        sqlx::query(sql!("INSERT INTO quarantined_report (station, sequence, digest, epoch, lease, number, end_state, touched, milliseconds, received, content)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"))
        .bind(&actor.station)
        .bind(sequence)
        .bind(digest)
        .bind(restoration.as_ref().map(|one| one.epoch.to_string()))
        .bind(report.lease.to_string())
        .bind(report.number.map(|number| number.to_string()))
        .bind(end_name(&report.end))
        .bind(i64::from(touched))
        .bind(figure(report.milliseconds))
        .bind(stored(self.now()))
        .bind(content)
        .execute(&mut **tx)
        .await?;
        let named: BTreeSet<String> = serials(report).take(crate::stock::MAX_CHIPS).collect();
        for (place, serial) in (0_i64..).zip(&named) {
            sqlx::query(sql!("INSERT INTO quarantined_chip (station, sequence, place, serial) VALUES ($1, $2, $3, $4)"))
                .bind(&actor.station)
                .bind(sequence)
                .bind(place)
                .bind(serial)
                .execute(&mut **tx)
                .await?;
        }
        let mut found = Vec::new();
        let document = match report.number {
            Some(number) => of_number(tx, number).await?,
            None => None,
        };
        let blanks = self.blanks_of(tx, &named, &mut found).await?;
        let mut returned = None;
        for serial in blanks {
            let ended = match &restoration {
                Some(_) => {
                    let of = document.as_ref().zip(report.number);
                    self.account_for(tx, actor, report, &serial, (touched, of))
                        .await?
                }
                None => Blank::load(tx, &serial).await?.state,
            };
            found.push(format!("blank {serial} is {ended} now"));
            if ended == BlankState::Returned {
                returned = Some(serial);
            }
        }
        match (report.number, &restoration) {
            (Some(number), Some(_)) if touched => {
                found.push(self.burn(tx, actor, number).await?);
            }
            (Some(number), _) => found.push(format!("its document was {number}")),
            (None, _) => found.push("its document is not named".to_owned()),
        }
        let text = format!(
            "station {} reported a lease that the store does not know, as {}: {}",
            actor.station,
            end_name(&report.end),
            found.join("; ")
        );
        let subject = format!("lease/{}", report.lease);
        let incident = self
            .open_incident(tx, actor, IncidentKind::UnknownLease, &subject, &text)
            .await?;
        if is_sound {
            let card = MadeCard::of_unknown(report.lease, &actor.station, &report.journal);
            self.note_card(tx, actor, card).await?;
        }
        let mut deed = deed
            .clone()
            .with("quarantined", true)
            .with("incident", incident);
        if let Some(number) = report.number {
            deed = deed.with("document", number);
        }
        if let Some(blank) = returned {
            deed = deed.with("blank", blank);
        }
        self.record(tx, Some(actor), &deed).await
    }

    /// Finds the blanks of the chips that a report names, and says which chips are in no book.
    async fn blanks_of(
        &self,
        tx: &mut Connection,
        named: &BTreeSet<String>,
        found: &mut Vec<String>,
    ) -> Result<BTreeSet<String>> {
        let mut blanks = BTreeSet::new();
        for serial in named {
            match BookedChip::find(tx, serial).await? {
                Some(chip) => {
                    blanks.insert(chip.blank);
                }
                None => found.push(format!(
                    "chip {serial} is of no delivery in the books; book the delivery again"
                )),
            }
        }
        Ok(blanks)
    }

    /// Books where the blank of an unknown lease ended, as far as nobody else has it in work.
    async fn account_for(
        &self,
        tx: &mut Write,
        actor: &Actor,
        report: &Report,
        serial: &str,
        (touched, of): (bool, Option<(&Document, DocumentNumber)>),
    ) -> Result<BlankState> {
        let mut blank = Blank::load(tx, serial).await?;
        let cause = format!(
            "{} under lease {}, which the restored store does not know",
            end_name(&report.end),
            report.lease
        );
        let movement = self.movement(actor).because(&cause);
        if touched && blank.state.is_idle() {
            let carried = of.map(|(document, number)| (&*document.id, number));
            blank
                .pass_through(tx, &[(BlankEvent::Spoil, &movement)], carried)
                .await?;
            let deed = Deed::new("blank.spoiled", Control::MEDIA, "blank", serial)
                .with("lease", report.lease);
            self.record(tx, Some(actor), &deed).await?;
        } else if matches!(blank.state, BlankState::InStock | BlankState::Loaded) && !touched {
            // It lies at the station, and is counted back from there.
            blank.apply(tx, BlankEvent::Issue, &movement).await?;
            let deed = Deed::new("blank.issued", Control::MEDIA, "blank", serial)
                .with("lease", report.lease);
            self.record(tx, Some(actor), &deed).await?;
            blank.apply(tx, BlankEvent::Return, &movement).await?;
        }
        Ok(blank.state)
    }

    /// Sees to it that a number that stands on a blank is nobody else's. Returns what became of it.
    async fn burn(&self, tx: &mut Write, actor: &Actor, number: DocumentNumber) -> Result<String> {
        if let Some(mut document) = of_number(tx, number).await? {
            if document.state != DocumentState::Queued {
                return Ok(format!(
                    "document {number} is {} in the books, and on this blank too",
                    document.state
                ));
            }
            self.give_up_blank(tx, actor, &mut document).await?;
            return Ok(match document.number() {
                new if new == number => format!("{number} is used up, and its document waits"),
                new => format!("{number} is used up, and its document goes on as {new}"),
            });
        }
        let prefix: String = number.prefix().map(char::from).iter().collect();
        let place = i64::from(number.place());
        for series in StoredSeries::all(tx).await? {
            if series.prefix == prefix && (series.next..=series.last).contains(&place) {
                let range = (place, place);
                void_free(tx, &series, range, stored(self.now()), ON_A_BLANK).await?;
            }
        }
        Ok(format!(
            "{number} is of no document in the books, and used up"
        ))
    }

    /// After a restoration a lease may be known whose blank was claimed after the backup: what its
    /// report says was begun, was begun on a blank with this number.
    pub(crate) async fn burn_of_unbound(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &mut Document,
        leased: &str,
        report: &Report,
    ) -> Result<()> {
        let number = document.number();
        if document.state != DocumentState::Queued || number.to_string() != leased {
            return Ok(());
        }
        for serial in serials(report) {
            if let Some(chip) = BookedChip::find(tx, &serial).await? {
                let blank = Blank::load(tx, &chip.blank).await?;
                if blank.state == BlankState::Spoiled && blank.document.is_none() {
                    blank.carries(tx, &document.id, number).await?;
                }
            }
        }
        self.give_up_blank(tx, actor, document).await
    }
}

/// Tells whether a blank was touched under a lease that the store does not know.
pub(crate) async fn carries_unknown(tx: &mut Connection, blank: &str) -> Result<bool> {
    let found: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM chip c JOIN quarantined_chip q ON q.serial = c.serial
         JOIN quarantined_report r ON r.station = q.station AND r.sequence = q.sequence
         WHERE c.blank = $1 AND r.touched = 1"
    ))
    .bind(blank)
    .fetch_one(tx)
    .await?;
    Ok(found > 0)
}

/// Finds the document that has a number now.
async fn of_number(tx: &mut Connection, number: DocumentNumber) -> Result<Option<Document>> {
    let id: Option<String> = sqlx::query_scalar(sql!("SELECT id FROM document WHERE number = $1"))
        .bind(number.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    match id {
        Some(id) => Document::load(tx, &id).await.map(Some),
        None => Ok(None),
    }
}
