//! The accounts of blanks as sums of the journal, and the proof that journal and states agree.

use std::collections::HashMap;

use api::Actor;
use document::life_cycle::{BlankEvent, BlankState, LifeCycle};
use document::{Act, OfficeCode};
use jiff::civil::Date;
use sqlx::Row;

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{Connection, DbRow, parsed};
use crate::error::{CentralError, Result};
use crate::expected::tag_of;
use crate::movements::DELIVERED;
use crate::ribbon_check;
use crate::statements::sql;

/// The first line of a blank that was in the books before the journal began.
pub(crate) const OPENING: &str = "opening";

/// The most differences of one sort that a check names.
const MAX_NAMED: i64 = 1_000;

/// How many blanks of one sort are in one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StockAccount {
    /// The place; of blanks on their way, where they go.
    pub place: OfficeCode,
    /// What they are: their article, or the products of their chips joined by `+`.
    pub item: String,
    /// The account.
    pub state: BlankState,
    /// How many there are.
    pub blanks: u64,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAccount {
    /// The delivery's reference.
    pub reference: String,
    /// How many blanks its list has.
    pub delivered: u64,
    /// How many were counted when it came.
    pub counted: u64,
    /// Whether it was accepted.
    pub accepted: bool,
    /// How many of its blanks are in each account now.
    pub accounts: Vec<(BlankState, u64)>,
}

impl DeliveryAccount {
    /// Returns the tag of what is shown of it.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&format!("{self:?}"))
    }

    pub(crate) async fn load(tx: &mut Connection, reference: &str) -> Result<Self> {
        let rows = sqlx::query(sql!(
            "SELECT reference, blanks, counted, accepted FROM delivery WHERE reference = $1"
        ))
        .bind(reference)
        .fetch_all(&mut *tx)
        .await?;
        let sums = sqlx::query(sql!(
            "SELECT delivery, state, count(*) AS blanks FROM blank WHERE delivery = $1
             GROUP BY delivery, state ORDER BY delivery, state"
        ))
        .bind(reference)
        .fetch_all(tx)
        .await?;
        let account = accounts(&rows, &sums)?.pop();
        account.ok_or_else(|| CentralError::NotFound {
            what: "delivery of this reference".to_owned(),
        })
    }
}

/// What a check of the stock found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockCheck {
    /// How many blanks were ever delivered.
    pub blanks: u64,
    /// How many ribbons were ever received.
    pub ribbons: u64,
    /// How many lines the two journals have.
    pub movements: u64,
    /// Every difference, in words; none where journal and states are one.
    pub differences: Vec<String>,
}

impl Central {
    /// Returns the accounts that are not empty, as the blanks are in them now: what the journal adds
    /// up to, as long as [`Central::check_stock`] finds no difference.
    ///
    /// # Errors
    /// [`crate::CentralError::Refused`] without the right to reports.
    pub async fn stock(&self, actor: &Actor) -> Result<Vec<StockAccount>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        // The index of accounts has all of it; the journal is several times as long.
        let rows = sqlx::query(sql!("SELECT place, item, state, count(*) AS blanks FROM blank GROUP BY place, state, item ORDER BY place, item, state"))
        .fetch_all(&mut *tx)
        .await?;
        rows.iter().map(account).collect()
    }

    /// Returns what became of up to `limit` deliveries whose references come after `after`, in their
    /// order.
    ///
    /// # Errors
    /// As [`Central::stock`].
    pub async fn deliveries_after(
        &self,
        actor: &Actor,
        after: &str,
        limit: u32,
    ) -> Result<Vec<DeliveryAccount>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT reference, blanks, counted, accepted FROM delivery WHERE reference > $1 ORDER BY reference LIMIT $2"))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last() else {
            return Ok(Vec::new());
        };
        // The blanks say it, as in `stock`; the journal has several lines for each.
        let sums = sqlx::query(sql!("SELECT delivery, state, count(*) AS blanks FROM blank WHERE delivery > $1 AND delivery <= $2
             GROUP BY delivery, state ORDER BY delivery, state"))
        .bind(after)
        .bind(last.get::<&str, _>("reference"))
        .fetch_all(&mut *tx)
        .await?;
        accounts(&rows, &sums)
    }

    /// Proves that the journals of blanks and ribbons and their states are one: every blank has one
    /// unbroken line from its delivery to the account that it is in, each step one that the life
    /// cycle has, and each delivery is in the books whole. Names what differs.
    ///
    /// # Errors
    /// As [`Central::stock`].
    pub async fn check_stock(&self, actor: &Actor) -> Result<StockCheck> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let mut found = check(&mut tx).await?;
        let ribbons = ribbon_check::check(&mut tx).await?;
        found.ribbons = ribbons.ribbons;
        found.movements += ribbons.movements;
        found.differences.extend(ribbons.differences);
        Ok(found)
    }
}

/// Puts sums to the deliveries that they are of.
fn accounts(deliveries: &[DbRow], sums: &[DbRow]) -> Result<Vec<DeliveryAccount>> {
    let mut of_delivery: HashMap<&str, Vec<(BlankState, u64)>> = HashMap::new();
    for sum in sums {
        let state = parsed("an account of blanks", sum.get("state"))?;
        let accounts = of_delivery.entry(sum.get("delivery")).or_default();
        accounts.push((state, figure(sum, "blanks")));
    }
    let delivery = |row: &DbRow| {
        let reference: String = row.get("reference");
        DeliveryAccount {
            delivered: figure(row, "blanks"),
            counted: figure(row, "counted"),
            accepted: row.get::<Option<i64>, _>("accepted").is_some(),
            accounts: of_delivery.remove(&*reference).unwrap_or_default(),
            reference,
        }
    };
    Ok(deliveries.iter().map(delivery).collect())
}

/// Compares the journal of blanks with their states.
pub(crate) async fn check(tx: &mut Connection) -> Result<StockCheck> {
    let mut differences = Vec::new();
    ends_differ(tx, &mut differences).await?;
    lines_break(tx, &mut differences).await?;
    steps_differ(tx, &mut differences).await?;
    deliveries_differ(tx, &mut differences).await?;
    let row = sqlx::query(sql!("SELECT (SELECT count(*) FROM blank) AS blanks, (SELECT count(*) FROM blank_movement) AS movements"))
    .fetch_one(&mut *tx)
    .await?;
    Ok(StockCheck {
        blanks: figure(&row, "blanks"),
        ribbons: 0,
        movements: figure(&row, "movements"),
        differences,
    })
}

/// Returns the balances of one place, or of all, at the end of a day, or now.
pub(crate) async fn balances(
    tx: &mut Connection,
    place: Option<&str>,
    until: Option<Date>,
) -> Result<Vec<StockAccount>> {
    let until = until.map(|day| day.to_string());
    let rows = sqlx::query(sql!("SELECT m.place, b.item, m.state, CAST(sum(m.change) AS BIGINT) AS blanks FROM (
             SELECT blank, to_place AS place, to_state AS state, to_day AS day, 1 AS change FROM blank_movement
             UNION ALL
             SELECT blank, from_place AS place, from_state AS state, from_day AS day, -1 AS change FROM blank_movement WHERE from_state IS NOT NULL
         ) m JOIN blank b ON b.serial = m.blank
         WHERE (CAST($1 AS TEXT) IS NULL OR m.place = $2) AND (CAST($3 AS TEXT) IS NULL OR m.day <= $4)
         GROUP BY m.place, b.item, m.state HAVING sum(m.change) <> 0 ORDER BY m.place, b.item, m.state"))
    .bind(place)
    .bind(place)
    .bind(until.as_deref())
    .bind(until.as_deref())
    .fetch_all(tx)
    .await?;
    rows.iter().map(account).collect()
}

fn account(row: &DbRow) -> Result<StockAccount> {
    Ok(StockAccount {
        place: parsed("a place's code", row.get("place"))?,
        item: row.get("item"),
        state: parsed("an account of blanks", row.get("state"))?,
        blanks: figure(row, "blanks"),
    })
}

fn figure(row: &DbRow, column: &str) -> u64 {
    row.get::<i64, _>(column).unsigned_abs()
}

/// Finds blanks that are elsewhere than their last line says, or have none.
async fn ends_differ(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT b.serial, b.state, b.place, m.to_state, m.to_place FROM blank b
         LEFT JOIN (SELECT blank, max(id) AS id FROM blank_movement GROUP BY blank) l ON l.blank = b.serial
         LEFT JOIN blank_movement m ON m.id = l.id
         WHERE m.id IS NULL OR m.to_state <> b.state OR m.to_place <> b.place ORDER BY b.serial LIMIT $1"))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let text = |column| row.get::<Option<&str>, _>(column).unwrap_or_default();
        let (serial, state, place) = (text("serial"), text("state"), text("place"));
        differences.push(match text("to_state") {
            "" => format!("blank {serial} is {state} at {place}, and the journal does not know it"),
            to => format!(
                "blank {serial} is {state} at {place}, and by the journal it is {to} at {}",
                text("to_place")
            ),
        });
    }
    Ok(())
}

/// Finds lines that do not begin where the one before them ended.
async fn lines_break(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT id, blank, from_state, from_place, was_state, was_place FROM (
             SELECT id, blank, from_state, from_place,
                    lag(to_state) OVER (PARTITION BY blank ORDER BY id) AS was_state,
                    lag(to_place) OVER (PARTITION BY blank ORDER BY id) AS was_place
             FROM blank_movement
         ) m WHERE COALESCE(from_state, '') <> COALESCE(was_state, '') OR COALESCE(from_place, '') <> COALESCE(was_place, '')
         ORDER BY id LIMIT $1"))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let account = |state, place| match row.get::<Option<&str>, _>(state) {
            None => "with its maker".to_owned(),
            Some(state) => format!("{state} at {}", row.get::<&str, _>(place)),
        };
        differences.push(format!(
            "line {} of the journal takes blank {} from where it was not: it was {}, and the line says {}",
            row.get::<i64, _>("id"),
            row.get::<&str, _>("blank"),
            account("was_state", "was_place"),
            account("from_state", "from_place")
        ));
    }
    Ok(())
}

/// Finds steps that the life cycle does not have.
async fn steps_differ(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT event, from_state, to_state, count(*) AS times, min(blank) AS blank FROM blank_movement
         GROUP BY event, from_state, to_state ORDER BY event, from_state, to_state"))
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let (event, to): (&str, &str) = (row.get("event"), row.get("to_state"));
        let from: Option<&str> = row.get("from_state");
        let is_known = match from {
            None => event == OPENING || (event == DELIVERED && to == BlankState::INITIAL.name()),
            Some(from) => {
                let (from, event) = (from.parse::<BlankState>(), event.parse::<BlankEvent>());
                let next = from.ok().zip(event.ok());
                let next = next.and_then(|(from, event)| from.apply(event).ok());
                next.is_some_and(|next| next.name() == to)
            }
        };
        if !is_known {
            differences.push(format!(
                "{} lines of the journal say {event} from {} to {to}, blank {} among them; no life cycle has that",
                figure(row, "times"),
                from.unwrap_or("the maker"),
                row.get::<&str, _>("blank")
            ));
        }
    }
    Ok(())
}

/// Finds deliveries that are not whole in the books.
async fn deliveries_differ(tx: &mut Connection, differences: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!(
        "SELECT d.reference, d.blanks, count(b.serial) AS booked FROM delivery d
         LEFT JOIN blank b ON b.delivery = d.reference GROUP BY d.reference, d.blanks
         HAVING count(b.serial) <> d.blanks ORDER BY d.reference LIMIT $1"
    ))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        differences.push(format!(
            "delivery {} had {} blanks, and {} are in the books",
            row.get::<&str, _>("reference"),
            figure(row, "blanks"),
            figure(row, "booked")
        ));
    }
    Ok(())
}
