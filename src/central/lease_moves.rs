//! A lease that goes to another station with its card: taken from the one by an act of two persons, and
//! taken over by the other one's slot in which the card lies.
//!
//! ```text
//!   open, expired ── move: officer and witness ──► expired, awaited ── take-over ──► open, of another station
//!        the station that had it is fenced from here on         │ the card's own chips lie in its slot
//!                                                               └ or given up, as any that expired
//! ```
//!
//! It stays the same lease: what was begun under it, at the authority, in the envelopes, in the books, is
//! gone on with as after a restart of one station.

use api::{Actor, BegunElsewhere, BlankEnd, LeaseId, LeaseRequest, Report};
use audit::Control;
use document::Act;
use document::life_cycle::{BlankEvent, LeaseEvent, LeaseState};

use crate::accounts::{Person, authorise};
use crate::applications::check_cause;
use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::claims::{at_slot, check_whole_blank};
use crate::contention::retried;
use crate::database::{Connection, Write, parsed, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::in_use::witnessed;
use crate::lease::Held;
use crate::queue::TERM;
use crate::reports::end_name;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Takes a lease from its station, before a witness, so that another one may go on with its card: the
    /// station is dead, or the card was carried away from it. From then on that station is told that it
    /// was moved, whatever it asks under it, and what it reports of it is kept as evidence and changes
    /// nothing.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, for one's own witness, and for a
    /// lease of a slot with a printer; [`CentralError::Conflict`] for a lease that has no blank, that is
    /// moved already, or ended; [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn move_lease(
        &self,
        actor: &Actor,
        lease: LeaseId,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new("lease.moved", Control::MEDIA, "lease", lease);
        let result = retried!(self.try_move_lease(actor, &deed, lease, witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_move_lease(
        &self,
        actor: &Actor,
        deed: &Deed,
        lease: LeaseId,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::MoveLease).await?;
        let witness = witnessed(&mut tx, self.presence(), &officer, witness).await?;
        let mut held = Held::find(&mut tx, lease).await?;
        held.check_personalizes()?;
        let Some(blank) = held.blank.clone() else {
            return Err(CentralError::conflict(
                "no blank is bound to this lease: nothing was begun, and it goes back to the queue when its time has passed",
            ));
        };
        if held.is_printed {
            return Err(CentralError::refused(
                "its card was in a printer, and what is in a printer is never gone on with; wait for the station's report, or give the lease up",
            ));
        }
        if is_awaited(&mut tx, held.id).await? {
            return Err(CentralError::conflict(
                "the lease is moved already, and awaits the slot in which its card is laid",
            ));
        }
        let now = self.now();
        held.apply(&mut tx, LeaseEvent::Move).await?;
        held.extend(&mut tx, now).await?;
        sqlx::query(sql!(
            "INSERT INTO lease_move (lease, number, station, slot, operator, moved, moved_by, witness, cause)
             SELECT $1, COALESCE(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM lease_move WHERE lease = $9"
        ))
        .bind(held.id.to_string())
        .bind(&held.station)
        .bind(&held.slot)
        .bind(&held.operator)
        .bind(stored(now))
        .bind(&officer.id)
        .bind(&witness.id)
        .bind(cause)
        .bind(held.id.to_string())
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("station", &held.station)
            .with("slot", &held.slot)
            .with("blank", &blank)
            .with("witness", &witness.id)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        // Whoever takes it over opens channels of its own.
        self.sealed().forget(now, held.id);
        Ok(())
    }

    /// Tells whether a moved card of such chips is awaited, which may lie in a slot of this station.
    pub(crate) async fn awaits_card(
        &self,
        tx: &mut Connection,
        station: &str,
        request: &LeaseRequest,
    ) -> Result<bool> {
        let awaited: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT l.id FROM lease_move m JOIN lease l ON l.id = m.lease
             WHERE m.taken IS NULL AND m.station <> $1 AND l.state = 'expired'"
        ))
        .bind(station)
        .fetch_all(&mut *tx)
        .await?;
        for id in awaited {
            let id = LeaseId(parsed("a lease's identity", &id)?);
            let held = Held::find(tx, id).await?;
            if held.takes(request.products.iter().map(String::as_str)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a slot the moved lease of the card that lies in it, if it is one: the chips that were read
    /// there are all those of its blank.
    pub(crate) async fn take_over(
        &self,
        tx: &mut Write,
        (actor, operator): (&Actor, &Person),
        request: &LeaseRequest,
    ) -> Result<Option<Held>> {
        let Some((first, beside)) = request.chips.split_first() else {
            return Ok(None);
        };
        let first = chip_serial(first)?;
        let Some(chip) = BookedChip::find(tx, &first).await? else {
            return Ok(None);
        };
        let id: Option<String> = sqlx::query_scalar(sql!(
            "SELECT l.id FROM lease l JOIN lease_move m ON m.lease = l.id
             WHERE l.blank = $1 AND l.state = 'expired' AND m.taken IS NULL"
        ))
        .bind(&chip.blank)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(id) = id else {
            return Ok(None);
        };
        let id = LeaseId(parsed("a lease's identity", &id)?);
        let mut held = Held::find(tx, id).await?;
        let mut blank = Blank::load(tx, &chip.blank).await?;
        let at_slot = at_slot(&first, beside)?;
        let chips = blank.chips(tx).await?;
        if let Some(stray) = at_slot
            .iter()
            .find(|serial| chips.iter().all(|chip| chip.serial != **serial))
        {
            return Err(CentralError::NotOneBlank {
                reason: format!("chip {stray} is not of blank {}", blank.serial),
            });
        }
        check_whole_blank(tx, &blank, &held, &at_slot).await?;
        if had_it(tx, id, &actor.station).await? {
            return Err(CentralError::conflict(format!(
                "document {} was in work at this station before, and was taken from it; go on with it at a third one, or give its lease up",
                held.number
            )));
        }
        let document = Document::load(tx, &held.document).await?;
        self.check_pinned(&held, &document)?;
        let place: String = sqlx::query_scalar(sql!("SELECT place FROM document WHERE id = $1"))
            .bind(&document.id)
            .fetch_one(&mut **tx)
            .await?;
        if place != self.place_of_station(request.office.as_ref())? {
            return Err(CentralError::refused(format!(
                "document {} is not made by stations of this place; carry its card to one that makes it",
                held.number
            )));
        }
        blank.check_place(tx, &actor.station).await?;
        let from = held.station.clone();
        let now = self.now();
        held.apply(tx, LeaseEvent::TakeOver).await?;
        (held.station, held.slot, held.operator) = (
            actor.station.clone(),
            request.slot.clone(),
            operator.id.clone(),
        );
        held.expires = now + TERM;
        sqlx::query(sql!(
            "UPDATE lease SET station = $1, slot = $2, operator = $3, expires = $4 WHERE id = $5"
        ))
        .bind(&held.station)
        .bind(&held.slot)
        .bind(&held.operator)
        .bind(stored(held.expires))
        .bind(held.id.to_string())
        .execute(&mut **tx)
        .await?;
        sqlx::query(sql!(
            "UPDATE lease_move SET taken = $1, taken_by = $2 WHERE lease = $3 AND taken IS NULL"
        ))
        .bind(stored(now))
        .bind(&actor.station)
        .bind(held.id.to_string())
        .execute(&mut **tx)
        .await?;
        let movement = self.movement(actor).under(held.id).of(&held.document);
        let movement = movement.into_slot(&actor.station, &request.slot);
        blank.apply(tx, BlankEvent::Carry, &movement).await?;
        let deed = Deed::new("lease.taken-over", Control::MEDIA, "lease", held.id)
            .with("document", &held.number)
            .with("blank", &blank.serial)
            .with("from", from)
            .with("slot", &request.slot);
        self.record(tx, Some(actor), &deed).await?;
        Ok(Some(held))
    }

    /// Returns what the station before had written down of a lease that was moved; none of any other.
    pub(crate) async fn begun_elsewhere(
        &self,
        tx: &mut Connection,
        held: &Held,
    ) -> Result<Option<BegunElsewhere>> {
        let station: Option<String> = sqlx::query_scalar(sql!(
            "SELECT station FROM lease_move WHERE lease = $1 AND taken IS NOT NULL ORDER BY number DESC LIMIT 1"
        ))
        .bind(held.id.to_string())
        .fetch_optional(&mut *tx)
        .await?;
        match station {
            None => Ok(None),
            Some(station) => Ok(Some(BegunElsewhere {
                station,
                journal: self.told_lines(tx, held).await?,
            })),
        }
    }

    /// Takes in the report of a station on a lease that was taken from it: it has its place in the
    /// station's order, stands in the log as refused, and changes nothing.
    pub(crate) async fn fence(
        &self,
        tx: &mut Write,
        (actor, deed): (&Actor, &Deed),
        report: &Report,
        (sequence, digest): (i64, &[u8]),
        error: &CentralError,
    ) -> Result<()> {
        sqlx::query(sql!(
            "INSERT INTO fenced_report (station, sequence, digest, lease, end_state, received) VALUES ($1, $2, $3, $4, $5, $6)"
        ))
        .bind(&actor.station)
        .bind(sequence)
        .bind(digest)
        .bind(report.lease.to_string())
        .bind(end_name(&report.end))
        .bind(stored(self.now()))
        .execute(&mut **tx)
        .await?;
        let mut deed = deed.clone().with("fenced", true);
        if let BlankEnd::Spoiled { cause } | BlankEnd::Untouched { cause } = &report.end {
            deed = deed.with("cause-told", api::cause_of(cause));
        }
        self.record_refusal(tx, actor, &deed, error).await
    }
}

/// Tells whether a lease was taken from its station, and no other one has it yet.
pub(crate) async fn is_awaited(tx: &mut Connection, lease: LeaseId) -> Result<bool> {
    let found: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM lease_move WHERE lease = $1 AND taken IS NULL"
    ))
    .bind(lease.to_string())
    .fetch_one(tx)
    .await?;
    Ok(found > 0)
}

/// Tells whether a lease was taken from this station.
pub(crate) async fn had_it(tx: &mut Connection, lease: LeaseId, station: &str) -> Result<bool> {
    let found: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM lease_move WHERE lease = $1 AND station = $2"
    ))
    .bind(lease.to_string())
    .bind(station)
    .fetch_one(tx)
    .await?;
    Ok(found > 0)
}

/// Tells whether somebody had a document in work at a station that its lease was taken from.
pub(crate) async fn began_it(tx: &mut Connection, document: &str, person: &str) -> Result<bool> {
    let found: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM lease_move m WHERE m.operator = $1
         AND EXISTS (SELECT 1 FROM lease l WHERE l.id = m.lease AND l.document = $2 AND l.state = $3)"
    ))
    .bind(person)
    .bind(document)
    .bind(LeaseState::Completed.name())
    .fetch_one(tx)
    .await?;
    Ok(found > 0)
}

/// Says that a lease was taken from the station that asks.
pub(crate) fn moved(lease: LeaseId) -> CentralError {
    CentralError::Moved {
        reason: format!(
            "lease {lease} was taken from this station by two persons; nothing more is to be done to its card here: hand it over if it still lies here"
        ),
    }
}
