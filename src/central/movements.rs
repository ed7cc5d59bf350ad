//! The journal of blanks: double entry, one line for each change of account.
//!
//! An account is a state at a place. A line takes one blank out of an account and puts it into
//! another, and is written with the change itself, by [`Blank::apply`] alone; a balance is a sum
//! over the journal, and `stock_check` proves that it is what the states say.

use api::{Actor, LeaseId};
use document::life_cycle::{BlankEvent, BlankState, LifeCycle};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use sqlx::Row;

use crate::accounts::Person;
use crate::blanks::Blank;
use crate::central::Central;
use crate::database::{Connection, parsed, stored};
use crate::error::{CentralError, Result, advance};

/// The event of a blank's first line: it came with its delivery.
pub(crate) const DELIVERED: &str = "deliver";

/// What is known of a movement besides the blank and what happened to it.
#[derive(Clone)]
pub(crate) struct Movement<'a> {
    at: Timestamp,
    actor: &'a Actor,
    witness: Option<&'a str>,
    cause: Option<&'a str>,
    lease: Option<LeaseId>,
    document: Option<&'a str>,
    to: Option<&'a str>,
    slot: Option<(&'a str, &'a str)>,
}

impl Central {
    /// Begins to tell of a movement that this actor makes now.
    pub(crate) fn movement<'a>(&self, actor: &'a Actor) -> Movement<'a> {
        Movement {
            at: self.now(),
            actor,
            witness: None,
            cause: None,
            lease: None,
            document: None,
            to: None,
            slot: None,
        }
    }
}

impl<'a> Movement<'a> {
    /// Names the second person.
    pub(crate) fn before(mut self, witness: &'a Person) -> Self {
        self.witness = Some(&witness.id);
        self
    }

    /// Says why. It must not be about a holder.
    pub(crate) fn because(mut self, cause: &'a str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Names the lease under which it happens.
    pub(crate) fn under(mut self, lease: LeaseId) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Names the document that it is about.
    pub(crate) fn of(mut self, document: &'a str) -> Self {
        self.document = Some(document);
        self
    }

    /// Names the place that it goes to.
    pub(crate) fn to(mut self, place: &'a str) -> Self {
        self.to = Some(place);
        self
    }

    /// Names the station and the slot that it goes into.
    pub(crate) fn into_slot(mut self, station: &'a str, slot: &'a str) -> Self {
        self.slot = Some((station, slot));
        self
    }

    fn day(&self) -> Date {
        self.at.to_zoned(jiff::tz::TimeZone::UTC).date()
    }
}

/// Returns the day that a movement of `today` is booked on at a place: a closed day takes none, so
/// it is the first day after those that were closed there.
async fn booked_on(tx: &mut Connection, today: Date, place: &str) -> Result<Date> {
    let row = sqlx::query("SELECT max(day) AS day FROM day_close WHERE place = $1")
        .bind(place)
        .fetch_one(tx)
        .await?;
    let closed: Option<&str> = row.get("day");
    match closed {
        None => Ok(today),
        Some(closed) => {
            let closed: Date = parsed("a closed day", closed)?;
            let next = closed
                .checked_add(1.day())
                .map_err(|_| CentralError::damaged("a closed day"))?;
            Ok(today.max(next))
        }
    }
}

impl Blank {
    /// Moves the blank on: the one way in which a blank changes its account. The change and its
    /// line in the journal are one.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where the life cycle has no such event here, and where the blank
    /// changed meanwhile.
    pub(crate) async fn apply(
        &mut self,
        tx: &mut Connection,
        event: BlankEvent,
        movement: &Movement<'_>,
    ) -> Result<()> {
        let next = advance(self.state, event)?;
        let to = movement.to.unwrap_or(&self.place).to_owned();
        let slot = match next {
            BlankState::Loaded | BlankState::AtStation => {
                let slot = movement.slot;
                slot.map(|(station, slot)| (station.to_owned(), slot.to_owned()))
            }
            _ => None,
        };
        let (station, slot_name) = match &slot {
            Some((station, slot)) => (Some(&**station), Some(&**slot)),
            None => (None, None),
        };
        // Written so that no planner looks through the account: it reads, and so locks, all blanks in it.
        let changed = sqlx::query(
            "UPDATE blank SET state = $1, place = $2, station = $3, slot = $4
             WHERE serial = $5 AND CASE WHEN state = $6 AND place = $7 THEN 1 ELSE 0 END = 1",
        )
        .bind(next.name())
        .bind(&to)
        .bind(station)
        .bind(slot_name)
        .bind(&self.serial)
        .bind(self.state.name())
        .bind(&self.place)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() != 1 {
            return Err(CentralError::conflict(
                "the blank changed meanwhile; ask again",
            ));
        }
        let from = Some((self.state, &*self.place));
        write(
            tx,
            (&self.serial, event.name()),
            from,
            (next, &to, slot.as_ref()),
            movement,
        )
        .await?;
        self.state = next;
        self.place = to;
        self.slot = slot;
        Ok(())
    }

    /// Writes the first line of a blank, whose row was just made: it came to a place.
    pub(crate) async fn begin(
        tx: &mut Connection,
        serial: &str,
        place: &str,
        movement: &Movement<'_>,
    ) -> Result<()> {
        let to = (BlankState::INITIAL, place, None);
        write(tx, (serial, DELIVERED), None, to, movement).await
    }

    /// Returns the account of who moved it last.
    pub(crate) async fn moved_by(&self, tx: &mut Connection) -> Result<Option<String>> {
        let row = sqlx::query(
            "SELECT a.name FROM blank_movement m LEFT JOIN account a ON a.id = m.person WHERE m.blank = $1 ORDER BY m.id DESC LIMIT 1",
        )
        .bind(&self.serial)
        .fetch_optional(tx)
        .await?;
        Ok(row.and_then(|row| row.get("name")))
    }
}

/// Where a blank came to: its account, the place, and the station and slot where it is in one.
type Came<'a> = (BlankState, &'a str, Option<&'a (String, String)>);

async fn write(
    tx: &mut Connection,
    blank: (&str, &str),
    from: Option<(BlankState, &str)>,
    to: Came<'_>,
    movement: &Movement<'_>,
) -> Result<()> {
    let today = movement.day();
    // As a rule the day is closed at neither place, and one statement does.
    let days = (from.map(|_| today), today);
    let is_booked = insert(tx, blank, from, to, days, movement, Some(today)).await?;
    if is_booked {
        return Ok(());
    }
    let to_day = booked_on(tx, today, to.1).await?;
    let from_day = match from {
        None => None,
        Some((_, left)) if left == to.1 => Some(to_day),
        Some((_, left)) => Some(booked_on(tx, today, left).await?),
    };
    insert(tx, blank, from, to, (from_day, to_day), movement, None).await?;
    Ok(())
}

/// Writes a line of the journal, unless one of its places has closed this day, or a later one, already.
/// Returns whether it is written.
async fn insert(
    tx: &mut Connection,
    (serial, event): (&str, &str),
    from: Option<(BlankState, &str)>,
    (state, to, slot): Came<'_>,
    (from_day, to_day): (Option<Date>, Date),
    movement: &Movement<'_>,
    unless_closed: Option<Date>,
) -> Result<bool> {
    let written = sqlx::query(
        "INSERT INTO blank_movement (blank, event, from_state, from_place, to_state, to_place, station, slot, person, witness, moved, from_day, to_day, cause, document, lease)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, (SELECT id FROM account WHERE name = $9), $10, $11, $12, $13, $14, $15, $16
         WHERE NOT EXISTS (SELECT 1 FROM day_close WHERE day >= $17 AND place IN ($6, $4))",
    )
    .bind(serial)
    .bind(event)
    .bind(from.map(|(state, _)| state.name()))
    .bind(from.map(|(_, place)| place))
    .bind(state.name())
    .bind(to)
    .bind(slot.map(|(station, _)| &**station))
    .bind(slot.map(|(_, slot)| &**slot))
    .bind(movement.actor.person.to_lowercase())
    .bind(movement.witness)
    .bind(stored(movement.at))
    .bind(from_day.map(|day| day.to_string()))
    .bind(to_day.to_string())
    .bind(movement.cause)
    .bind(movement.document)
    .bind(movement.lease.map(|lease| lease.to_string()))
    .bind(unless_closed.map(|day| day.to_string()))
    .execute(tx)
    .await?;
    Ok(written.rows_affected() == 1)
}
