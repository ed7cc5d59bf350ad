//! What is done with series of document numbers: two persons open and close them, void what is left of
//! them, and see how long they last.

use api::Actor;
use audit::Control;
use document::{Act, DocumentNumber, Kind, Series};
use jiff::civil::Date;
use jiff::{SignedDuration, Span};

use crate::accounts::{authorise, second_person};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, parsed, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::series::{StoredSeries, go_past_void, insert, series_tag, void_free};
use crate::statements::sql;

/// Over how many days the pace is taken at which numbers are given.
const PACE_DAYS: i32 = 30;
/// A series that is used up within so many days at the present pace is nearly used up.
const WARNING_DAYS: i64 = 60;

/// A series to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSeries {
    /// Its two capital letters.
    pub prefix: String,
    /// Its first number, from 1.
    pub first: u32,
    /// Its last, at most 9 999 999.
    pub last: u32,
    /// The kinds that get their numbers from it.
    pub kinds: Vec<Kind>,
}

/// A series in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesLine {
    /// How it is called: its first number.
    pub id: String,
    /// The kinds that get their numbers from it.
    pub kinds: Vec<Kind>,
    /// Its last number.
    pub last: String,
    /// The next that it gives; none where it is used up.
    pub next: Option<String>,
    /// Whether numbers are given from it.
    pub open: bool,
    /// How many are left.
    pub remaining: u64,
    /// How many were given a day, on the average of the last thirty.
    pub pace: f64,
    /// The day on which it is used up at that pace; none while nothing is given from it.
    pub used_up: Option<Date>,
    /// Whether that day is near, or has come and no series follows.
    pub nearly_used_up: bool,
    /// The open series that follows for all of its kinds, where there is one.
    pub followed_by: Option<String>,
}

impl SeriesLine {
    /// Returns the tag of what people change of it: numbers are given from it all the time.
    #[must_use]
    pub fn tag(&self) -> String {
        series_tag(&self.id, &self.kinds, &self.last, self.open)
    }
}

impl Central {
    /// Opens a series for some kinds, by two persons. It gives numbers once those before it for
    /// the same kind are used up or closed. Returns how it is called: its first number.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator, where the witness is the same
    /// person, for letters of the other environment, for numbers that another series has or had,
    /// and for letters that numbered blanks have; [`CentralError::Invalid`] for an impossible
    /// range, or without a kind; [`CentralError::NotFound`].
    pub async fn open_series(
        &self,
        actor: &Actor,
        series: &NewSeries,
        witness: &str,
    ) -> Result<String> {
        let deed = Deed::new("series.opened", Control::RECORDS, "series", &series.prefix);
        let result = retried!(self.try_open_series(actor, &deed, series, witness));
        self.settle(actor, &deed, result).await
    }

    async fn try_open_series(
        &self,
        actor: &Actor,
        deed: &Deed,
        new: &NewSeries,
        witness: &str,
    ) -> Result<String> {
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ManageSeries).await?;
        let witness = second_person(&mut tx, self.presence(), &person, witness).await?;
        let series = Series::new(self.environment(), &new.prefix, new.first, new.last)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        if new.kinds.is_empty() {
            return Err(CentralError::invalid("a series is for at least one kind"));
        }
        if let Ok((first, _)) = series.allot() {
            for &kind in &new.kinds {
                first.check_for(kind)?;
            }
        }
        let all = StoredSeries::all(&mut tx).await?;
        let (first, last) = (i64::from(new.first), i64::from(new.last));
        let meets = |other: &&StoredSeries| {
            other.prefix == series.prefix() && first <= other.last && other.first <= last
        };
        if let Some(other) = all.iter().find(meets) {
            return Err(CentralError::refused(format!(
                "series {} has numbers of this range already; no number is given twice",
                other.id
            )));
        }
        let on_blanks: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM blank WHERE substr(own_number, 1, 2) = $1"
        ))
        .bind(series.prefix())
        .fetch_one(&mut *tx)
        .await?;
        if on_blanks > 0 {
            return Err(CentralError::refused(format!(
                "numbered blanks have the letters {}; numbers are allotted from series of other letters",
                series.prefix()
            )));
        }
        let id = format!("{}{first:07}", series.prefix());
        let turn: i64 = sqlx::query_scalar(sql!("SELECT COALESCE(max(turn), 0) FROM series"))
            .fetch_one(&mut *tx)
            .await?;
        insert(
            &mut tx,
            self.stored_now(),
            &series,
            &new.kinds,
            turn + 1,
            Some((&person.id, &witness.id)),
        )
        .await?;
        self.void_used(&mut tx, &id).await?;
        let kinds: Vec<_> = new.kinds.iter().map(|kind| kind.name()).collect();
        let deed = deed
            .clone()
            .about(&id)
            .with("last", format!("{}{last:07}", series.prefix()))
            .with("kinds", kinds.join(" "))
            .with("witness", &witness.id);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Closes a series, by two persons: it gives no more numbers, and what is left of it never
    /// becomes a document's.
    ///
    /// # Errors
    /// As [`Central::open_series`]; [`CentralError::Conflict`] for one that is closed.
    pub async fn close_series(
        &self,
        actor: &Actor,
        id: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new("series.closed", Control::RECORDS, "series", id);
        let result = retried!(self.try_close_series(actor, &deed, id, witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_close_series(
        &self,
        actor: &Actor,
        deed: &Deed,
        id: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ManageSeries).await?;
        let witness = second_person(&mut tx, self.presence(), &person, witness).await?;
        let series = StoredSeries::load(&mut tx, id).await?;
        if !series.open {
            return Err(CentralError::conflict("this series is closed already"));
        }
        sqlx::query(sql!("UPDATE series SET state = 'closed', closed_by = $1, closed_with = $2, closed = $3 WHERE id = $4"))
        .bind(&person.id)
        .bind(&witness.id)
        .bind(self.stored_now())
        .bind(id)
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("left", series.last + 1 - series.next)
            .with("witness", &witness.id)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Voids numbers that nobody was given yet, by two persons: they were printed by mistake, say.
    /// The series goes past them.
    ///
    /// # Errors
    /// As [`Central::close_series`]; [`CentralError::Refused`] for numbers that were given, that
    /// are void, or that the series does not have.
    pub async fn void_numbers(
        &self,
        actor: &Actor,
        (from, to): (DocumentNumber, DocumentNumber),
        witness: &str,
        cause: &str,
    ) -> Result<u64> {
        let deed = Deed::new("numbers.voided", Control::RECORDS, "number", from).with("last", to);
        let result = retried!(self.try_void(actor, &deed, (from, to), witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_void(
        &self,
        actor: &Actor,
        deed: &Deed,
        (from, to): (DocumentNumber, DocumentNumber),
        witness: &str,
        cause: &str,
    ) -> Result<u64> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ManageSeries).await?;
        let witness = second_person(&mut tx, self.presence(), &person, witness).await?;
        let prefix: String = from.prefix().map(char::from).iter().collect();
        let (first, last) = (i64::from(from.place()), i64::from(to.place()));
        if from.prefix() != to.prefix() || first > last {
            return Err(CentralError::invalid(
                "numbers are voided from one to a later one of the same letters",
            ));
        }
        let all = StoredSeries::all(&mut tx).await?;
        let has = |series: &&StoredSeries| {
            series.prefix == prefix && series.first <= first && last <= series.last
        };
        let Some(series) = all.iter().find(has) else {
            return Err(CentralError::refused(
                "no series has all of these numbers; void those of each series apart",
            ));
        };
        if first < series.next {
            return Err(CentralError::refused(format!(
                "series {} has given numbers up to {} already; what became of each of those is in the books",
                series.id,
                series.number(series.next - 1)
            )));
        }
        let void: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM void_range WHERE series = $1 AND first <= $2 AND last >= $3"
        ))
        .bind(&series.id)
        .bind(last)
        .bind(first)
        .fetch_one(&mut *tx)
        .await?;
        if void > 0 {
            return Err(CentralError::refused(
                "some of these numbers are void already",
            ));
        }
        sqlx::query(sql!("INSERT INTO void_range (series, first, last, person, witness, voided, cause) VALUES ($1, $2, $3, $4, $5, $6, $7)"))
        .bind(&series.id)
        .bind(first)
        .bind(last)
        .bind(&person.id)
        .bind(&witness.id)
        .bind(self.stored_now())
        .bind(cause)
        .execute(&mut *tx)
        .await?;
        go_past_void(&mut tx, &series.id, series.next).await?;
        let deed = deed
            .clone()
            .with("series", &series.id)
            .with("witness", &witness.id)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok((last - first).unsigned_abs() + 1)
    }

    /// Returns every series in the order of their turns, with how long it lasts.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn series(&self, actor: &Actor) -> Result<Vec<SeriesLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let since = stored(self.now() - SignedDuration::from_hours(24 * i64::from(PACE_DAYS)));
        let mut all = Vec::new();
        for series in StoredSeries::all(&mut tx).await? {
            let kinds = series.kinds(&mut tx).await?;
            let given: i64 = sqlx::query_scalar(sql!(
                "SELECT count(*) FROM number WHERE series = $1 AND given >= $2"
            ))
            .bind(&series.id)
            .bind(since)
            .fetch_one(&mut *tx)
            .await?;
            let ahead: Option<i64> = sqlx::query_scalar(sql!("SELECT CAST(sum(last - first + 1) AS BIGINT) FROM void_range WHERE series = $1 AND first >= $2"))
            .bind(&series.id)
            .bind(series.next)
            .fetch_one(&mut *tx)
            .await?;
            let left = series.last + 1 - series.next - ahead.unwrap_or(0);
            all.push((series, kinds, given, left));
        }
        let mut lines = Vec::new();
        for (at, (series, kinds, given, left)) in all.iter().enumerate() {
            let later = all.iter().skip(at + 1);
            let follows = |other: &&(StoredSeries, Vec<Kind>, i64, i64)| {
                other.0.open && other.3 > 0 && kinds.iter().all(|kind| other.1.contains(kind))
            };
            let days = (*given > 0).then(|| left * i64::from(PACE_DAYS) / given);
            // One that lasts longer than the calendar is as good as one that is not used.
            let span = days.and_then(|days| Span::new().try_days(days).ok());
            let used_up = span.and_then(|span| self.today().checked_add(span).ok());
            let followed_by = later.filter(follows).map(|(other, ..)| &other.id).next();
            let is_near = match *left {
                0 => followed_by.is_none(),
                _ => days.is_some_and(|days| days < WARNING_DAYS),
            };
            lines.push(SeriesLine {
                id: series.id.clone(),
                kinds: kinds.clone(),
                last: series.number(series.last),
                next: (*left > 0).then(|| series.number(series.next)),
                open: series.open,
                remaining: left.unsigned_abs(),
                pace: f64::from(i32::try_from(*given).unwrap_or(i32::MAX)) / f64::from(PACE_DAYS),
                used_up: used_up.filter(|_| series.open),
                nearly_used_up: series.open && is_near,
                followed_by: followed_by.cloned(),
            });
        }
        Ok(lines)
    }

    /// Voids the numbers of a new series that stand on blanks already, by reports of unknown leases.
    async fn void_used(&self, tx: &mut Connection, series: &str) -> Result<()> {
        let series = StoredSeries::load(tx, series).await?;
        let used: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT DISTINCT number FROM quarantined_report
             WHERE touched = 1 AND number >= $1 AND number <= $2 ORDER BY number"
        ))
        .bind(series.number(series.first))
        .bind(series.number(series.last))
        .fetch_all(&mut *tx)
        .await?;
        for number in &used {
            let number: DocumentNumber = parsed("a quarantined number", number)?;
            let place = i64::from(number.place());
            let cause = "it stands on a blank already";
            void_free(tx, &series, (place, place), self.stored_now(), cause).await?;
        }
        Ok(())
    }

    fn stored_now(&self) -> i64 {
        stored(self.now())
    }
}
