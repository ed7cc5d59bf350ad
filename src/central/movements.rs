//! The journal of blanks: double entry, one line for each change of account.
//!
//! An account is a state at a place. A line takes one blank out of an account and puts it into
//! another, and is written with the change itself, by [`Blank::apply`] alone; a balance is a sum
//! over the journal, and `stock_check` proves that it is what the states say.

use api::{Actor, LeaseId};
use document::DocumentNumber;
use document::life_cycle::{BlankEvent, BlankState, LifeCycle};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use sqlx::{AssertSqlSafe, Row};

use crate::accounts::Person;
use crate::blanks::Blank;
use crate::central::Central;
use crate::database::{Connection, parsed, stored};
use crate::error::{CentralError, Result, advance};
use crate::statements::{assembled, sql};

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
pub(crate) async fn booked_on(tx: &mut Connection, today: Date, place: &str) -> Result<Date> {
    let row = sqlx::query(sql!(
        "SELECT max(day) AS day FROM day_close WHERE place = $1"
    ))
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
        self.pass_through(tx, &[(event, movement)], None).await
    }

    /// Moves the blank on by several events of one act, each with its line in the journal, and notes
    /// which document it carries from then on, finished or spoiled; none: as before.
    ///
    /// # Errors
    /// As [`Blank::apply`].
    pub(crate) async fn pass_through(
        &mut self,
        tx: &mut Connection,
        steps: &[(BlankEvent, &Movement<'_>)],
        carried: Option<(&str, DocumentNumber)>,
    ) -> Result<()> {
        let (mut next, mut to, mut slot) = (self.state, &*self.place, None);
        let mut lines = Vec::with_capacity(steps.len());
        for (event, movement) in steps {
            let from = Some((next, to));
            next = advance(next, *event)?;
            to = movement.to.unwrap_or(to);
            slot = match next {
                BlankState::Loaded | BlankState::AtStation => movement.slot,
                _ => None,
            };
            lines.push(Line {
                event: event.name(),
                from,
                to: (next, to, slot),
                movement,
            });
        }
        // Written so that no planner looks through the account: it reads, and so locks, all blanks in it.
        let changed = sqlx::query(sql!("UPDATE blank SET state = $1, place = $2, station = $3, slot = $4, document = COALESCE($5, document), number = COALESCE($6, number)
             WHERE serial = $7 AND CASE WHEN state = $8 AND place = $9 THEN 1 ELSE 0 END = 1"))
        .bind(next.name())
        .bind(to)
        .bind(slot.map(|(station, _)| station))
        .bind(slot.map(|(_, slot)| slot))
        .bind(carried.map(|(document, _)| document))
        .bind(carried.map(|(_, number)| number.to_string()))
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
        write(tx, &self.serial, &lines).await?;
        let slot = slot.map(|(station, slot)| (station.to_owned(), slot.to_owned()));
        (self.state, self.place, self.slot) = (next, to.to_owned(), slot);
        if let Some((document, _)) = carried {
            self.document = Some(document.to_owned());
        }
        Ok(())
    }

    /// Writes the first line of a blank, whose row was just made: it came to a place.
    pub(crate) async fn begin(
        tx: &mut Connection,
        serial: &str,
        place: &str,
        movement: &Movement<'_>,
    ) -> Result<()> {
        let line = Line {
            event: DELIVERED,
            from: None,
            to: (BlankState::INITIAL, place, None),
            movement,
        };
        write(tx, serial, &[line]).await
    }

    /// Returns the account of who moved it last.
    pub(crate) async fn moved_by(&self, tx: &mut Connection) -> Result<Option<String>> {
        let row = sqlx::query(sql!("SELECT a.name FROM blank_movement m LEFT JOIN account a ON a.id = m.person WHERE m.blank = $1 ORDER BY m.id DESC LIMIT 1"))
        .bind(&self.serial)
        .fetch_optional(tx)
        .await?;
        Ok(row.and_then(|row| row.get("name")))
    }
}

/// A line of the journal.
struct Line<'a> {
    event: &'static str,
    from: Option<(BlankState, &'a str)>,
    /// The account, the place, and the station and slot where it is in one.
    to: (BlankState, &'a str, Option<(&'a str, &'a str)>),
    movement: &'a Movement<'a>,
}

/// The days that a line is booked on: where the blank left, and where it came to.
type Days = (Option<Date>, Date);

/// Writes the lines of a blank, in their order.
async fn write(tx: &mut Connection, serial: &str, lines: &[Line<'_>]) -> Result<()> {
    // As a rule the day is closed at none of the places, and one statement does.
    let days: Vec<Days> = lines
        .iter()
        .map(|line| {
            let today = line.movement.day();
            (line.from.map(|_| today), today)
        })
        .collect();
    let today = days.first().map(|(_, today)| *today);
    if insert(tx, serial, lines, &days, today).await? {
        return Ok(());
    }
    for line in lines {
        let (today, (_, to, _)) = (line.movement.day(), line.to);
        let to_day = booked_on(tx, today, to).await?;
        let from_day = match line.from {
            None => None,
            Some((_, left)) if left == to => Some(to_day),
            Some((_, left)) => Some(booked_on(tx, today, left).await?),
        };
        let line = std::slice::from_ref(line);
        insert(tx, serial, line, &[(from_day, to_day)], None).await?;
    }
    Ok(())
}

/// Writes lines of the journal, unless one of their places has closed this day, or a later one,
/// already. Returns whether they are written.
async fn insert(
    tx: &mut Connection,
    serial: &str,
    lines: &[Line<'_>],
    days: &[Days],
    unless_closed: Option<Date>,
) -> Result<bool> {
    let mut statement = sqlx::query(AssertSqlSafe(new_lines(lines.len())));
    for (line, (from_day, to_day)) in lines.iter().zip(days) {
        let (movement, (state, to, slot)) = (line.movement, line.to);
        statement = statement
            .bind(serial)
            .bind(line.event)
            .bind(line.from.map(|(state, _)| state.name()))
            .bind(line.from.map(|(_, place)| place))
            .bind(state.name())
            .bind(to)
            .bind(slot.map(|(station, _)| station))
            .bind(slot.map(|(_, slot)| slot))
            .bind(movement.actor.person.to_lowercase())
            .bind(movement.witness)
            .bind(stored(movement.at))
            .bind(from_day.map(|day| day.to_string()))
            .bind(to_day.to_string())
            .bind(movement.cause)
            .bind(movement.document)
            .bind(movement.lease.map(|lease| lease.to_string()));
    }
    statement = statement.bind(unless_closed.map(|day| day.to_string()));
    for line in lines {
        statement = statement
            .bind(line.from.map(|(_, place)| place))
            .bind(line.to.1);
    }
    let written = statement.execute(tx).await?;
    Ok(written.rows_affected() == lines.len() as u64)
}

fn new_lines(lines: usize) -> String {
    let rows: Vec<_> = (0..lines).map(row).collect();
    let next = COLUMNS * lines + 1;
    let places: Vec<_> = (1..=2 * lines)
        .map(|place| format!("${}", next + place))
        .collect();
    format!(
        "INSERT INTO blank_movement (blank, event, from_state, from_place, to_state, to_place, station, slot, person, witness, moved, from_day, to_day, cause, document, lease)
         SELECT * FROM (VALUES {}) AS line
         WHERE NOT EXISTS (SELECT 1 FROM day_close WHERE day >= ${next} AND place IN ({}))",
        rows.join(", "),
        places.join(", ")
    )
}

assembled!(
    new_lines("TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, BIGINT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT")
        => |_| vec![new_lines(1)]
);

/// How many values a line has.
const COLUMNS: usize = 16;

/// The place of the name of who moved the blank among a line's values; its account is stored.
const PERSON: usize = 9;

/// Returns the values of a line as a row of `VALUES`.
fn row(place: usize) -> String {
    let values: Vec<_> = (1..=COLUMNS)
        .map(|column| match (column, place * COLUMNS + column) {
            (PERSON, number) => format!("(SELECT id FROM account WHERE name = ${number})"),
            (_, number) => format!("${number}"),
        })
        .collect();
    format!("({})", values.join(", "))
}
