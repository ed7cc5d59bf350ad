//! The close of a day at a place: two persons tell what they counted, and it is what the books say,
//! or an incident is open.

use std::collections::BTreeMap;

use api::Actor;
use audit::Control;
use document::life_cycle::{BlankState, IncidentKind};
use document::{Act, OfficeCode};
use jiff::civil::Date;
use sqlx::Row;

use crate::accounts::{authorise, second_person};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, parsed, stored};
use crate::error::{CentralError, Result};
use crate::expected::tag_of;
use crate::places::{Place, check_place};
use crate::ribbon_check::{self, CountedRibbons, RibbonDifference};
use crate::scribe::Deed;
use crate::statements::sql;
use crate::stock_check::balances;

/// The most lines of a count.
const MAX_LINES: usize = 1_000;

/// How many blanks of one sort were counted in one account. What is not told of counts as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What they are, as the accounts name it.
    pub item: String,
    /// The account: one whose blanks lie at the place.
    pub state: BlankState,
    /// How many there are.
    pub blanks: u64,
}

/// What was counted at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockCount<'a> {
    /// The blanks.
    pub blanks: &'a [Counted],
    /// The ribbons of printers.
    pub ribbons: &'a [CountedRibbons],
}

impl<'a> StockCount<'a> {
    /// A count of blanks, where there are no ribbons.
    #[must_use]
    pub const fn of_blanks(blanks: &'a [Counted]) -> Self {
        let ribbons = &[];
        Self { blanks, ribbons }
    }
}

/// Where a count and the books differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountDifference {
    /// What the blanks are.
    pub item: String,
    /// The account.
    pub state: BlankState,
    /// How many were counted.
    pub counted: u64,
    /// How many the books have.
    pub booked: u64,
}

/// How a count ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountEnd {
    /// It is what the books say.
    Agrees,
    /// It is not.
    Differs {
        /// The incident that is open for it.
        incident: i64,
        /// Each difference in blanks.
        differences: Vec<CountDifference>,
        /// Each difference in ribbons.
        ribbons: Vec<RibbonDifference>,
    },
}

/// A place with its days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceDays {
    /// The place.
    pub place: Place,
    /// The last day that was closed.
    pub closed: Option<Date>,
    /// The first day with movements that is over and was not closed.
    pub overdue: Option<Date>,
}

impl PlaceDays {
    /// Returns the tag of what people change of it; what is overdue changes with the days.
    #[must_use]
    pub fn tag(&self) -> String {
        place_tag(self.place.code.as_str(), &self.place.name, self.closed)
    }
}

fn place_tag(code: &str, name: &str, closed: Option<Date>) -> String {
    tag_of(&format!("{code}\n{name}\n{closed:?}"))
}

/// Returns the tag of the place of this code as it is now.
pub(crate) async fn tag(tx: &mut Connection, code: &str) -> Result<String> {
    let name: Option<String> = sqlx::query_scalar(sql!("SELECT name FROM place WHERE code = $1"))
        .bind(code)
        .fetch_optional(&mut *tx)
        .await?;
    // One that there is not is none that anybody saw (RFC 9110 §13.1.1).
    let name = name.ok_or(CentralError::Changed)?;
    Ok(place_tag(code, &name, last_closed(tx, code).await?))
}

impl Central {
    /// Counts a place as it is now, beside the daily close. A difference opens an incident.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper; [`CentralError::Invalid`] for
    /// a count that says one thing twice, or tells of an account that nobody can count;
    /// [`CentralError::NotFound`].
    pub async fn count_place(
        &self,
        actor: &Actor,
        place: &OfficeCode,
        counted: StockCount<'_>,
    ) -> Result<CountEnd> {
        let deed = Deed::new("stock.counted", Control::MEDIA, "place", place);
        let result = retried!(self.try_count(actor, &deed, place, counted));
        self.settle(actor, &deed, result).await
    }

    async fn try_count(
        &self,
        actor: &Actor,
        deed: &Deed,
        place: &OfficeCode,
        counted: StockCount<'_>,
    ) -> Result<CountEnd> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::CountBlanks).await?;
        check_place(&mut tx, place.as_str()).await?;
        let found = compare(&mut tx, place, None, counted).await?;
        let subject = format!("place/{place}");
        let end = self.end_of_count(&mut tx, actor, &subject, found).await?;
        let deed = deed.clone().with("agrees", end == CountEnd::Agrees);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(end)
    }

    /// Closes a day at a place, by two persons: what they counted at its end is what the books
    /// have. The days before it that were not closed are closed with it. What moves later is
    /// booked on a later day, also where it moves on that very day. A difference opens an
    /// incident, and the day stays open.
    ///
    /// # Errors
    /// As [`Central::count_place`]; [`CentralError::Refused`] where the witness is the same person,
    /// and for a day to come; [`CentralError::Conflict`] for a day that was closed.
    pub async fn close_day(
        &self,
        actor: &Actor,
        place: &OfficeCode,
        day: Date,
        witness: &str,
        counted: StockCount<'_>,
    ) -> Result<CountEnd> {
        let deed = Deed::new("stock.closed", Control::SEGREGATION, "place", place).with("day", day);
        let result = retried!(self.try_close_day(actor, &deed, place, day, witness, counted));
        self.settle(actor, &deed, result).await
    }

    async fn try_close_day(
        &self,
        actor: &Actor,
        deed: &Deed,
        place: &OfficeCode,
        day: Date,
        witness: &str,
        counted: StockCount<'_>,
    ) -> Result<CountEnd> {
        let mut tx = self.write().await?;
        let keeper = authorise(&mut tx, actor, Act::CountBlanks).await?;
        let witness = second_person(&mut tx, self.presence(), &keeper, witness).await?;
        check_place(&mut tx, place.as_str()).await?;
        if day > self.today() {
            return Err(CentralError::refused("that day is still to come"));
        }
        if let Some(last) = last_closed(&mut tx, place.as_str()).await?
            && last >= day
        {
            return Err(CentralError::conflict(format!(
                "this place is closed until {last}; close a later day"
            )));
        }
        let found = compare(&mut tx, place, Some(day), counted).await?;
        let subject = format!("place/{place}/{day}");
        let end = self.end_of_count(&mut tx, actor, &subject, found).await?;
        let deed = deed.clone().with("witness", &witness.id);
        let deed = match &end {
            CountEnd::Agrees => {
                self.note_close(&mut tx, place, day, (&keeper.id, &witness.id), counted)
                    .await?;
                deed
            }
            CountEnd::Differs { incident, .. } => {
                deed.named("stock.differs").with("incident", incident)
            }
        };
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(end)
    }

    async fn note_close(
        &self,
        tx: &mut Connection,
        place: &OfficeCode,
        day: Date,
        (keeper, witness): (&str, &str),
        counted: StockCount<'_>,
    ) -> Result<()> {
        sqlx::query(sql!("INSERT INTO day_close (place, day, closed_by, witness, closed) VALUES ($1, $2, $3, $4, $5)"))
        .bind(place.as_str())
        .bind(day.to_string())
        .bind(keeper)
        .bind(witness)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        for line in counted.blanks {
            let blanks = i64::try_from(line.blanks)
                .map_err(|_| CentralError::invalid("nobody counts so many blanks"))?;
            sqlx::query(sql!("INSERT INTO day_count (place, day, item, state, counted) VALUES ($1, $2, $3, $4, $5)"))
            .bind(place.as_str())
            .bind(day.to_string())
            .bind(&line.item)
            .bind(line.state.name())
            .bind(blanks)
            .execute(&mut *tx)
            .await?;
        }
        ribbon_check::note_count(tx, place.as_str(), day, counted.ribbons).await
    }

    async fn end_of_count(
        &self,
        tx: &mut Write,
        actor: &Actor,
        subject: &str,
        (differences, ribbons): Differences,
    ) -> Result<CountEnd> {
        if differences.is_empty() && ribbons.is_empty() {
            return Ok(CountEnd::Agrees);
        }
        let of_blanks = differences.iter().map(|line| {
            format!(
                "{} {}: {} counted, {} booked",
                line.item, line.state, line.counted, line.booked
            )
        });
        let of_ribbons = ribbons.iter().map(|line| {
            format!(
                "ribbons {} {}: {} counted, {} booked",
                line.item, line.state, line.counted, line.booked
            )
        });
        let text = of_blanks.chain(of_ribbons).collect::<Vec<_>>().join("; ");
        let kind = IncidentKind::CountDiffers;
        let incident = self.open_incident(tx, actor, kind, subject, &text).await?;
        Ok(CountEnd::Differs {
            incident,
            differences,
            ribbons,
        })
    }

    /// Returns every place with the last day that was closed there, and the first that should have
    /// been and was not.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn days(&self, actor: &Actor) -> Result<Vec<PlaceDays>> {
        let places = self.places(actor).await?;
        let mut tx = self.read().await?;
        let mut days = Vec::new();
        for place in places {
            let code = place.code.as_str();
            let closed = last_closed(&mut tx, code).await?;
            let since = closed.map_or_else(String::new, |day| day.to_string());
            let row = sqlx::query(sql!("SELECT min(day) AS day FROM (
                     SELECT to_day AS day FROM blank_movement WHERE to_place = $1 AND event <> 'opening'
                     UNION ALL SELECT from_day AS day FROM blank_movement WHERE from_place = $2
                     UNION ALL SELECT to_day AS day FROM ribbon_movement WHERE to_place = $3
                     UNION ALL SELECT from_day AS day FROM ribbon_movement WHERE from_place = $4
                 ) m WHERE day > $5 AND day < $6"))
            .bind(code)
            .bind(code)
            .bind(code)
            .bind(code)
            .bind(since)
            .bind(self.today().to_string())
            .fetch_one(&mut *tx)
            .await?;
            let overdue: Option<&str> = row.get("day");
            days.push(PlaceDays {
                overdue: overdue.map(|day| parsed("a day", day)).transpose()?,
                place,
                closed,
            });
        }
        Ok(days)
    }
}

async fn last_closed(tx: &mut Connection, place: &str) -> Result<Option<Date>> {
    let row = sqlx::query(sql!(
        "SELECT max(day) AS day FROM day_close WHERE place = $1"
    ))
    .bind(place)
    .fetch_one(tx)
    .await?;
    let last: Option<&str> = row.get("day");
    last.map(|day| parsed("a closed day", day)).transpose()
}

/// Where blanks and ribbons differ from the books.
type Differences = (Vec<CountDifference>, Vec<RibbonDifference>);

/// Compares a count with the books, as of the end of a day or of now.
async fn compare(
    tx: &mut Connection,
    place: &OfficeCode,
    day: Option<Date>,
    counted: StockCount<'_>,
) -> Result<Differences> {
    let StockCount { blanks, ribbons } = counted;
    if blanks.len() + ribbons.len() > MAX_LINES {
        return Err(CentralError::invalid(format!(
            "a count has at most {MAX_LINES} lines"
        )));
    }
    let blanks = differences(tx, place, day, blanks).await?;
    let ribbons = ribbon_check::differences(tx, place.as_str(), day, ribbons).await?;
    Ok((blanks, ribbons))
}

/// Compares a count of blanks with the books.
async fn differences(
    tx: &mut Connection,
    place: &OfficeCode,
    day: Option<Date>,
    counted: &[Counted],
) -> Result<Vec<CountDifference>> {
    let mut lines: BTreeMap<(String, BlankState), (u64, u64)> = BTreeMap::new();
    for line in counted {
        if !line.state.is_counted() {
            return Err(CentralError::invalid(format!(
                "blanks that are {} do not lie at the place: nobody can count them there",
                line.state
            )));
        }
        // A line per account and sort: one that is told twice might be counted twice.
        let name = (line.item.clone(), line.state);
        if lines.insert(name, (line.blanks, 0)).is_some() {
            return Err(CentralError::invalid(format!(
                "{} {} is counted twice; say it once",
                line.item, line.state
            )));
        }
    }
    for account in balances(tx, Some(place.as_str()), day).await? {
        if account.state.is_counted() {
            let line = lines.entry((account.item, account.state)).or_default();
            line.1 = account.blanks;
        }
    }
    let differs = lines
        .into_iter()
        .filter(|(_, (told, booked))| told != booked);
    let difference = differs.map(|((item, state), (counted, booked))| CountDifference {
        item,
        state,
        counted,
        booked,
    });
    Ok(difference.collect())
}
