//! The accounts of ribbons as sums of their journal, and the proof that journal and states agree.

use std::collections::BTreeMap;

use api::Actor;
use document::life_cycle::{LifeCycle, RibbonEvent, RibbonState};
use document::{Act, OfficeCode};
use jiff::civil::Date;
use report::RibbonTally;
use sqlx::Row;

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{Connection, DbRow, parsed};
use crate::error::{CentralError, Result};
use crate::movements::DELIVERED;
use crate::statements::sql;

/// The most differences of one sort that a check names.
const MAX_NAMED: i64 = 1_000;

/// How many ribbons of one sort are in one state at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RibbonAccount {
    /// The place; of ribbons on their way, where they go.
    pub place: OfficeCode,
    /// What they are.
    pub item: String,
    /// The state.
    pub state: RibbonState,
    /// How many there are.
    pub ribbons: u64,
}

/// How many ribbons of one sort were counted in one state. What is not told of counts as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRibbons {
    /// What they are.
    pub item: String,
    /// The state: one whose ribbons lie at the place.
    pub state: RibbonState,
    /// How many there are.
    pub ribbons: u64,
}

/// What a check of the ribbons found.
pub(crate) struct RibbonCheck {
    pub(crate) ribbons: u64,
    pub(crate) movements: u64,
    pub(crate) differences: Vec<String>,
}

impl Central {
    /// Returns how many ribbons of each sort are in each state at each place.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn ribbon_accounts(&self, actor: &Actor) -> Result<Vec<RibbonAccount>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT place, item, state, count(*) AS ribbons FROM ribbon GROUP BY place, state, item ORDER BY place, item, state"))
            .fetch_all(&mut *tx)
            .await?;
        rows.iter().map(account).collect()
    }

    /// Returns how many ribbons of each sort are in each state, and how many cards were printed with them.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn ribbon_figures(&self, actor: &Actor) -> Result<Vec<RibbonTally>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!(
            "SELECT r.item, r.state, count(*) AS ribbons, CAST(sum((SELECT count(*) FROM ribbon_card c WHERE c.ribbon = r.serial)) AS BIGINT) AS cards
             FROM ribbon r GROUP BY r.item, r.state ORDER BY r.item, r.state"
        ))
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| RibbonTally {
            item: row.get("item"),
            account: row.get("state"),
            ribbons: figure(row, "ribbons"),
            cards: figure(row, "cards"),
        };
        Ok(rows.iter().map(line).collect())
    }
}

/// Returns the balances of a place at the end of a day, or now.
pub(crate) async fn balances(
    tx: &mut Connection,
    place: &str,
    until: Option<Date>,
) -> Result<Vec<RibbonAccount>> {
    let until = until.map(|day| day.to_string());
    let rows = sqlx::query(sql!("SELECT m.place, r.item, m.state, CAST(sum(m.change) AS BIGINT) AS ribbons FROM (
             SELECT ribbon, to_place AS place, to_state AS state, to_day AS day, 1 AS change FROM ribbon_movement
             UNION ALL
             SELECT ribbon, from_place AS place, from_state AS state, from_day AS day, -1 AS change FROM ribbon_movement WHERE from_state IS NOT NULL
         ) m JOIN ribbon r ON r.serial = m.ribbon
         WHERE m.place = $1 AND (CAST($2 AS TEXT) IS NULL OR m.day <= $3)
         GROUP BY m.place, r.item, m.state HAVING sum(m.change) <> 0 ORDER BY m.place, r.item, m.state"))
    .bind(place)
    .bind(until.as_deref())
    .bind(until.as_deref())
    .fetch_all(tx)
    .await?;
    rows.iter().map(account).collect()
}

fn account(row: &DbRow) -> Result<RibbonAccount> {
    Ok(RibbonAccount {
        place: parsed("a place's code", row.get("place"))?,
        item: row.get("item"),
        state: parsed("an account of ribbons", row.get("state"))?,
        ribbons: figure(row, "ribbons"),
    })
}

fn figure(row: &DbRow, column: &str) -> u64 {
    row.get::<i64, _>(column).unsigned_abs()
}

/// Compares the journal of ribbons with their states.
pub(crate) async fn check(tx: &mut Connection) -> Result<RibbonCheck> {
    let mut differences = Vec::new();
    ends_differ(tx, &mut differences).await?;
    lines_break(tx, &mut differences).await?;
    steps_differ(tx, &mut differences).await?;
    cards_differ(tx, &mut differences).await?;
    let row = sqlx::query(sql!("SELECT (SELECT count(*) FROM ribbon) AS ribbons, (SELECT count(*) FROM ribbon_movement) AS movements"))
        .fetch_one(&mut *tx)
        .await?;
    Ok(RibbonCheck {
        ribbons: figure(&row, "ribbons"),
        movements: figure(&row, "movements"),
        differences,
    })
}

/// Finds ribbons that are elsewhere than their last line says, or have none.
async fn ends_differ(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT r.serial, r.state, r.place, m.to_state, m.to_place FROM ribbon r
         LEFT JOIN (SELECT ribbon, max(id) AS id FROM ribbon_movement GROUP BY ribbon) l ON l.ribbon = r.serial
         LEFT JOIN ribbon_movement m ON m.id = l.id
         WHERE m.id IS NULL OR m.to_state <> r.state OR m.to_place <> r.place
            OR COALESCE(m.station, '') <> COALESCE(r.station, '') OR COALESCE(m.slot, '') <> COALESCE(r.slot, '')
         ORDER BY r.serial LIMIT $1"))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let text = |column| row.get::<Option<&str>, _>(column).unwrap_or_default();
        let (serial, state, place) = (text("serial"), text("state"), text("place"));
        differences.push(match text("to_state") {
            "" => {
                format!("ribbon {serial} is {state} at {place}, and the journal does not know it")
            }
            to => format!(
                "ribbon {serial} is {state} at {place}, and by the journal it is {to} at {}",
                text("to_place")
            ),
        });
    }
    Ok(())
}

/// Finds lines that do not begin where the one before them ended.
async fn lines_break(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT id, ribbon FROM (
             SELECT id, ribbon, from_state, from_place,
                    lag(to_state) OVER (PARTITION BY ribbon ORDER BY id) AS was_state,
                    lag(to_place) OVER (PARTITION BY ribbon ORDER BY id) AS was_place
             FROM ribbon_movement
         ) m WHERE COALESCE(from_state, '') <> COALESCE(was_state, '') OR COALESCE(from_place, '') <> COALESCE(was_place, '')
         ORDER BY id LIMIT $1"))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        differences.push(format!(
            "line {} of the journal takes ribbon {} from where it was not",
            row.get::<i64, _>("id"),
            row.get::<&str, _>("ribbon")
        ));
    }
    Ok(())
}

/// Finds steps that the life cycle does not have.
async fn steps_differ(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!(
        "SELECT event, from_state, to_state, min(ribbon) AS ribbon FROM ribbon_movement
         GROUP BY event, from_state, to_state ORDER BY event, from_state, to_state"
    ))
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let (event, to): (&str, &str) = (row.get("event"), row.get("to_state"));
        let from: Option<&str> = row.get("from_state");
        let is_known = match from {
            None => event == DELIVERED && to == RibbonState::INITIAL.name(),
            Some(from) => {
                let (from, event) = (from.parse::<RibbonState>(), event.parse::<RibbonEvent>());
                let next = from.ok().zip(event.ok());
                let next = next.and_then(|(from, event)| from.apply(event).ok());
                next.is_some_and(|next| next.name() == to)
            }
        };
        if !is_known {
            differences.push(format!(
                "the journal says {event} from {} to {to}, of ribbon {} for one; no life cycle has that",
                from.unwrap_or("the maker"),
                row.get::<&str, _>("ribbon")
            ));
        }
    }
    Ok(())
}

/// Finds cards that were printed with a ribbon that was never in the printer of their slot.
async fn cards_differ(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT c.lease, c.ribbon FROM ribbon_card c
         WHERE NOT EXISTS (SELECT 1 FROM ribbon_movement m WHERE m.ribbon = c.ribbon AND m.to_state = 'loaded'
                             AND m.station = c.station AND m.slot = c.slot AND m.moved <= c.printed)
         ORDER BY c.lease LIMIT $1"))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        differences.push(format!(
            "the card of lease {} was printed with ribbon {}, which was not in that printer",
            row.get::<&str, _>("lease"),
            row.get::<&str, _>("ribbon")
        ));
    }
    Ok(())
}

/// Compares a count of ribbons with the books, as of the end of a day or of now.
pub(crate) async fn differences(
    tx: &mut Connection,
    place: &str,
    day: Option<Date>,
    counted: &[CountedRibbons],
) -> Result<Vec<RibbonDifference>> {
    let mut lines: BTreeMap<(String, RibbonState), (u64, u64)> = BTreeMap::new();
    for line in counted {
        if !line.state.is_counted() {
            return Err(CentralError::invalid(format!(
                "ribbons that are {} do not lie at the place: nobody can count them there",
                line.state
            )));
        }
        let name = (line.item.clone(), line.state);
        if lines.insert(name, (line.ribbons, 0)).is_some() {
            return Err(CentralError::invalid(format!(
                "ribbons {} {} are counted twice; say it once",
                line.item, line.state
            )));
        }
    }
    for account in balances(tx, place, day).await? {
        if account.state.is_counted() {
            let line = lines.entry((account.item, account.state)).or_default();
            line.1 = account.ribbons;
        }
    }
    let differs = lines
        .into_iter()
        .filter(|(_, (told, booked))| told != booked);
    let difference = differs.map(|((item, state), (counted, booked))| RibbonDifference {
        item,
        state,
        counted,
        booked,
    });
    Ok(difference.collect())
}

/// Where a count of ribbons and the books differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RibbonDifference {
    /// What the ribbons are.
    pub item: String,
    /// The state.
    pub state: RibbonState,
    /// How many were counted.
    pub counted: u64,
    /// How many the books have.
    pub booked: u64,
}

/// Notes what was counted when a day was closed.
pub(crate) async fn note_count(
    tx: &mut Connection,
    place: &str,
    day: Date,
    counted: &[CountedRibbons],
) -> Result<()> {
    for line in counted {
        let ribbons = i64::try_from(line.ribbons)
            .map_err(|_| CentralError::invalid("nobody counts so many ribbons"))?;
        sqlx::query(sql!("INSERT INTO ribbon_count (place, day, item, state, counted) VALUES ($1, $2, $3, $4, $5)"))
            .bind(place)
            .bind(day.to_string())
            .bind(&line.item)
            .bind(line.state.name())
            .bind(ribbons)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
