//! Ribbons as they are stored, and their journal: one line for each change, written with the change.

use api::Actor;
use document::Act;
use document::life_cycle::{LifeCycle, RibbonEvent, RibbonState};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sqlx::Row;

use crate::accounts::{Person, authorise, name_of};
use crate::central::Central;
use crate::database::{Connection, DbRow, moment, parsed, stored};
use crate::error::{CentralError, Result, advance};
use crate::expected::tag_of;
use crate::movements::{DELIVERED, booked_on};
use crate::statements::sql;

/// A ribbon in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RibbonLine {
    /// What stands on it.
    pub serial: String,
    /// What it is: its panels, say.
    pub item: String,
    /// Its state.
    pub state: RibbonState,
    /// Where it is; of one on its way, where it goes.
    pub place: String,
    /// The station and the slot whose printer it is in.
    pub slot: Option<(String, String)>,
    /// When it was received.
    pub received: Timestamp,
    /// How many cards of documents were printed with it, as far as their stations told.
    pub cards: u64,
    /// How many cards its printer counted beside these, between the first of them and the last: test
    /// cards, and those of stations that never told of them.
    pub beside: u64,
    /// How many cards more it is for, as its printer said last.
    pub cards_left: Option<u64>,
}

impl RibbonLine {
    /// Returns the tag of what people change of it; cards that are printed with it leave it as it is.
    #[must_use]
    pub fn tag(&self) -> String {
        let Self { serial, state, .. } = self;
        tag_of(&format!(
            "{serial}\n{state}\n{}\n{:?}",
            self.place, self.slot
        ))
    }

    /// Loads the one of this serial number.
    pub(crate) async fn load(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(sql!(LINE, " WHERE r.serial = $1"))
            .bind(ribbon_serial(serial)?)
            .fetch_optional(tx)
            .await?;
        Self::read(&row.ok_or_else(unknown)?)
    }

    fn read(row: &DbRow) -> Result<Self> {
        let station: Option<String> = row.get("station");
        let left: Option<i64> = row.get("cards_left");
        let first: Option<i64> = row.get("first_left");
        let used = first.zip(left).map_or(0, |(first, left)| first - left);
        Ok(Self {
            serial: row.get("serial"),
            item: row.get("item"),
            state: parsed("a ribbon's state", row.get("state"))?,
            place: row.get("place"),
            slot: station.zip(row.get("slot")),
            received: moment(row.get("received"))?,
            cards: row.get::<i64, _>("cards").unsigned_abs(),
            beside: (used - row.get::<i64, _>("cards_between"))
                .max(0)
                .unsigned_abs(),
            cards_left: left.map(i64::unsigned_abs),
        })
    }
}

/// A ribbon, with what its printer said behind the first card that it said anything of and behind the
/// last such, and the cards between: behind the one, up to the other.
const LINE: &str = "SELECT r.serial, r.item, r.state, r.place, r.station, r.slot, r.received,
            (SELECT count(*) FROM ribbon_card c WHERE c.ribbon = r.serial) AS cards,
            (SELECT c.cards_left FROM ribbon_card c WHERE c.ribbon = r.serial AND c.cards_left IS NOT NULL
             ORDER BY c.printed, c.lease LIMIT 1) AS first_left,
            (SELECT c.cards_left FROM ribbon_card c WHERE c.ribbon = r.serial AND c.cards_left IS NOT NULL
             ORDER BY c.printed DESC, c.lease DESC LIMIT 1) AS cards_left,
            (SELECT count(*) FROM ribbon_card c WHERE c.ribbon = r.serial
              AND c.printed > (SELECT min(f.printed) FROM ribbon_card f WHERE f.ribbon = r.serial AND f.cards_left IS NOT NULL)
              AND c.printed <= (SELECT max(l.printed) FROM ribbon_card l WHERE l.ribbon = r.serial AND l.cards_left IS NOT NULL)
            ) AS cards_between
     FROM ribbon r";

/// Those that are somewhere.
const LEFT: &str = "r.state <> 'destroyed'";

/// Returns up to `limit` ribbons whose serial numbers come after `after`, in their order: those that are
/// not destroyed, or all.
pub(crate) async fn page(
    tx: &mut Connection,
    all: bool,
    after: &str,
    limit: u32,
) -> Result<Vec<RibbonLine>> {
    let page = match all {
        true => sql!(LINE, " WHERE r.serial > $1 ORDER BY r.serial LIMIT $2"),
        false => sql!(
            LINE,
            " WHERE r.serial > $1 AND ",
            LEFT,
            " ORDER BY r.serial LIMIT $2"
        ),
    };
    let rows = sqlx::query(page)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(tx)
        .await?;
    rows.iter().map(RibbonLine::read).collect()
}

/// A ribbon that is moved.
pub(crate) struct Ribbon {
    pub(crate) serial: String,
    pub(crate) state: RibbonState,
    pub(crate) place: String,
    pub(crate) slot: Option<(String, String)>,
}

/// What is known of a movement besides the ribbon and what happened to it.
#[derive(Clone, Copy)]
pub(crate) struct RibbonStep<'a> {
    pub(crate) at: Timestamp,
    pub(crate) person: &'a Person,
    pub(crate) witness: Option<&'a Person>,
    pub(crate) cause: Option<&'a str>,
    /// Where it goes.
    pub(crate) to: Option<&'a str>,
    /// Whose printer it is put into.
    pub(crate) slot: Option<(&'a str, &'a str)>,
}

impl RibbonStep<'_> {
    fn day(&self) -> Date {
        self.at.to_zoned(TimeZone::UTC).date()
    }
}

impl Ribbon {
    /// Loads the one of this serial number.
    pub(crate) async fn load(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT serial, state, place, station, slot FROM ribbon WHERE serial = $1"
        ))
        .bind(ribbon_serial(serial)?)
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or_else(unknown)?;
        let station: Option<String> = row.get("station");
        Ok(Self {
            serial: row.get("serial"),
            state: parsed("a ribbon's state", row.get("state"))?,
            place: row.get("place"),
            slot: station.zip(row.get("slot")),
        })
    }

    /// Books one that came to a place.
    pub(crate) async fn receive(
        tx: &mut Connection,
        (serial, item, place): (&str, &str, &str),
        step: RibbonStep<'_>,
    ) -> Result<Self> {
        let ribbon = Self {
            serial: ribbon_serial(serial)?,
            state: RibbonState::INITIAL,
            place: place.to_owned(),
            slot: None,
        };
        let done = sqlx::query(sql!("INSERT INTO ribbon (serial, item, state, place, received) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (serial) DO NOTHING"))
            .bind(&ribbon.serial)
            .bind(item)
            .bind(ribbon.state.name())
            .bind(place)
            .bind(stored(step.at))
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() != 1 {
            return Err(CentralError::conflict(format!(
                "ribbon {} is in the books already",
                ribbon.serial
            )));
        }
        ribbon.write(tx, DELIVERED, None, step).await?;
        Ok(ribbon)
    }

    /// Moves it on: the one way in which a ribbon changes its state. The change and its line in the
    /// journal are one.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where the life cycle has no such event here, and where the ribbon
    /// changed meanwhile.
    pub(crate) async fn apply(
        &mut self,
        tx: &mut Connection,
        event: RibbonEvent,
        step: RibbonStep<'_>,
    ) -> Result<()> {
        let (was, was_at) = (self.state, self.place.clone());
        self.state = advance(was, event)?;
        self.place = step.to.unwrap_or(&was_at).to_owned();
        let slot = step.slot.filter(|_| self.state == RibbonState::Loaded);
        self.slot = slot.map(|(station, slot)| (station.to_owned(), slot.to_owned()));
        let changed = sqlx::query(sql!("UPDATE ribbon SET state = $1, place = $2, station = $3, slot = $4 WHERE serial = $5 AND state = $6 AND place = $7"))
            .bind(self.state.name())
            .bind(&self.place)
            .bind(slot.map(|(station, _)| station))
            .bind(slot.map(|(_, slot)| slot))
            .bind(&self.serial)
            .bind(was.name())
            .bind(&was_at)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() != 1 {
            return Err(CentralError::conflict(
                "the ribbon changed meanwhile; ask again",
            ));
        }
        self.write(tx, event.name(), Some((was, &was_at)), step)
            .await
    }

    /// Writes a line of the journal, which ends where the ribbon is.
    async fn write(
        &self,
        tx: &mut Connection,
        event: &str,
        from: Option<(RibbonState, &str)>,
        step: RibbonStep<'_>,
    ) -> Result<()> {
        let to_day = booked_on(tx, step.day(), &self.place).await?;
        let from_day = match from {
            None => None,
            Some((_, left)) if left == self.place => Some(to_day),
            Some((_, left)) => Some(booked_on(tx, step.day(), left).await?),
        };
        let (station, slot) = self.slot.clone().unzip();
        sqlx::query(sql!("INSERT INTO ribbon_movement (ribbon, event, from_state, from_place, to_state, to_place, station, slot, person, witness, moved, from_day, to_day, cause)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"))
        .bind(&self.serial)
        .bind(event)
        .bind(from.map(|(state, _)| state.name()))
        .bind(from.map(|(_, place)| place))
        .bind(self.state.name())
        .bind(&self.place)
        .bind(station)
        .bind(slot)
        .bind(&step.person.id)
        .bind(step.witness.map(|witness| &*witness.id))
        .bind(stored(step.at))
        .bind(from_day.map(|day| day.to_string()))
        .bind(to_day.to_string())
        .bind(step.cause)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Returns the account of who moved it last.
    pub(crate) async fn moved_by(&self, tx: &mut Connection) -> Result<String> {
        let id: Option<String> = sqlx::query_scalar(sql!(
            "SELECT person FROM ribbon_movement WHERE ribbon = $1 ORDER BY id DESC LIMIT 1"
        ))
        .bind(&self.serial)
        .fetch_optional(&mut *tx)
        .await?;
        let id = id.ok_or_else(|| CentralError::damaged("a ribbon without its journal"))?;
        name_of(tx, &id).await
    }

    /// Demands that the printer of a slot has no other ribbon, and that it stands where this one is.
    ///
    /// # Errors
    /// [`CentralError::Refused`].
    pub(crate) async fn check_loadable(
        &self,
        tx: &mut Connection,
        (station, slot): (&str, &str),
    ) -> Result<()> {
        let inside: Option<String> = sqlx::query_scalar(sql!(
            "SELECT serial FROM ribbon WHERE station = $1 AND slot = $2 AND state = 'loaded'"
        ))
        .bind(station)
        .bind(slot)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(inside) = inside {
            return Err(CentralError::refused(format!(
                "ribbon {inside} is in the printer of slot \"{slot}\" of {station} in the books; book first what became of it: zimogs central ribbon used or unload"
            )));
        }
        let office: Option<String> =
            sqlx::query_scalar(sql!("SELECT office FROM station_office WHERE station = $1"))
                .bind(station)
                .fetch_optional(tx)
                .await?;
        match office {
            Some(office) if office != self.place => Err(CentralError::refused(format!(
                "ribbon {} is at {} in the books, and station {station} stands at {office}; have the stock-keepers book its way: zimogs central ribbon move and take-in",
                self.serial, self.place
            ))),
            _ => Ok(()),
        }
    }
}

impl Central {
    /// Returns up to `limit` ribbons whose serial numbers come after `after`, in their order: those that
    /// are not destroyed, or all.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn ribbons_after(
        &self,
        actor: &Actor,
        all: bool,
        after: &str,
        limit: u32,
    ) -> Result<Vec<RibbonLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        page(&mut tx, all, after, limit).await
    }

    /// Returns one ribbon.
    ///
    /// # Errors
    /// As [`Central::ribbons_after`]; [`CentralError::NotFound`].
    pub async fn ribbon(&self, actor: &Actor, serial: &str) -> Result<RibbonLine> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        RibbonLine::load(&mut tx, serial).await
    }
}

/// Returns a ribbon's serial number in its one spelling: in capitals.
pub(crate) fn ribbon_serial(serial: &str) -> Result<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=32).contains(&serial.len()) && serial.bytes().all(allowed) {
        Ok(serial.to_ascii_uppercase())
    } else {
        Err(CentralError::invalid(
            "a ribbon's serial number is 1 to 32 of A-Z, 0-9 and -, as it stands on it",
        ))
    }
}

/// The serial number is not repeated: what a caller sends may be anything.
fn unknown() -> CentralError {
    CentralError::NotFound {
        what: "ribbon of this serial number".to_owned(),
    }
}
