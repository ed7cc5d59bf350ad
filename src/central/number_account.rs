//! The account of document numbers: every number that a series gave, and every one that came on a
//! blank, is in exactly one state; what is in none is named.

use api::Actor;
use document::Act;
use document::life_cycle::BlankState;
use sqlx::Row;

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{Connection, DbRow, parsed};
use crate::error::Result;
use crate::series::StoredSeries;
use crate::statements::sql;

/// The most faults of one sort that a check names.
const MAX_NAMED: i64 = 1_000;

/// What became of the numbers of a series, or of those that came on blanks of the same letters.
/// The figures add up to [`NumbersOf::given`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumbersOf {
    /// The series by its first number, or the letters of the blanks.
    pub name: String,
    /// Whether they came on blanks.
    pub on_blanks: bool,
    /// How many there are: from the series' first number up to, but without, its next; or on blanks
    /// of any account.
    pub given: u64,
    /// On blanks that carry no document yet. None in a series.
    pub waiting: u64,
    /// Of documents that are not made yet.
    pub allotted: u64,
    /// Of documents that were made.
    pub issued: u64,
    /// On numbered blanks that came back untouched.
    pub returned: u64,
    /// Spoiled with a blank.
    pub spoiled: u64,
    /// Void: their document was given up, two persons voided them, or their blank is gone unused.
    pub void: u64,
}

impl NumbersOf {
    fn sum(&self) -> u64 {
        [
            self.waiting,
            self.allotted,
            self.issued,
            self.returned,
            self.spoiled,
            self.void,
        ]
        .iter()
        .sum()
    }

    fn add(&mut self, state: &str, numbers: u64) {
        match state {
            "allotted" => self.allotted += numbers,
            "issued" => self.issued += numbers,
            "returned" => self.returned += numbers,
            "spoiled" => self.spoiled += numbers,
            "cancelled" => self.void += numbers,
            _ => {}
        }
    }
}

/// What a check of the numbers found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberCheck {
    /// The account of each series, in the order of their turns, then of the blanks by letters.
    pub accounts: Vec<NumbersOf>,
    /// Every number, or run of numbers, that is not accounted for, in words.
    pub faults: Vec<String>,
}

impl Central {
    /// Proves that every number is accounted for: of each series those from the first to the next,
    /// and each that came on a blank. Names each that is not, or that is in two accounts.
    ///
    /// # Errors
    /// [`crate::CentralError::Refused`] without the right to reports.
    pub async fn check_numbers(&self, actor: &Actor) -> Result<NumberCheck> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        check(&mut tx).await
    }
}

/// Accounts for every number.
pub(crate) async fn check(tx: &mut Connection) -> Result<NumberCheck> {
    let (mut accounts, mut faults) = (Vec::new(), Vec::new());
    for series in StoredSeries::all(tx).await? {
        let account = of_series(tx, &series).await?;
        if account.sum() != account.given {
            faults.push(format!(
                "series {} gave {} numbers, and {} are accounted for",
                series.id,
                account.given,
                account.sum()
            ));
        }
        find_gaps(tx, &series, &mut faults).await?;
        accounts.push(account);
    }
    accounts.extend(of_blanks(tx).await?);
    find_strays(tx, &mut faults).await?;
    Ok(NumberCheck { accounts, faults })
}

fn figure(row: &DbRow, column: &str) -> u64 {
    row.get::<i64, _>(column).unsigned_abs()
}

async fn of_series(tx: &mut Connection, series: &StoredSeries) -> Result<NumbersOf> {
    let mut account = NumbersOf {
        name: series.id.clone(),
        given: (series.next - series.first).unsigned_abs(),
        ..NumbersOf::default()
    };
    let rows = sqlx::query(sql!("SELECT state, count(*) AS numbers FROM number WHERE series = $1 GROUP BY state ORDER BY state"))
    .bind(&series.id)
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        account.add(row.get("state"), figure(row, "numbers"));
    }
    for (first, last) in void_ranges(tx, series).await? {
        account.void += (last.min(series.next - 1) - first + 1).unsigned_abs();
    }
    Ok(account)
}

/// Returns the void ranges that a series has passed.
async fn void_ranges(tx: &mut Connection, series: &StoredSeries) -> Result<Vec<(i64, i64)>> {
    let rows = sqlx::query(sql!(
        "SELECT first, last FROM void_range WHERE series = $1 AND first < $2 ORDER BY first"
    ))
    .bind(&series.id)
    .bind(series.next)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .iter()
        .map(|row| (row.get("first"), row.get("last")))
        .collect())
}

/// Finds the numbers between a series' first and next that are in no account, and those that are
/// in one and were never given.
async fn find_gaps(
    tx: &mut Connection,
    series: &StoredSeries,
    faults: &mut Vec<String>,
) -> Result<()> {
    let rows = sqlx::query(sql!(
        "SELECT place, COALESCE(before, $1) AS before FROM (
             SELECT CAST(substr(number, 3) AS BIGINT) AS place,
                    lag(CAST(substr(number, 3) AS BIGINT)) OVER (ORDER BY number) AS before
             FROM number WHERE series = $2
         ) m WHERE place <> COALESCE(before, $3) + 1 ORDER BY place LIMIT $4"
    ))
    .bind(series.first - 1)
    .bind(&series.id)
    .bind(series.first - 1)
    .bind(MAX_NAMED)
    .fetch_all(&mut *tx)
    .await?;
    let mut gaps: Vec<(i64, i64)> = rows
        .iter()
        .map(|row| {
            (
                row.get::<i64, _>("before") + 1,
                row.get::<i64, _>("place") - 1,
            )
        })
        .collect();
    let last: Option<i64> = sqlx::query_scalar(sql!(
        "SELECT max(CAST(substr(number, 3) AS BIGINT)) FROM number WHERE series = $1"
    ))
    .bind(&series.id)
    .fetch_one(&mut *tx)
    .await?;
    let last = last.unwrap_or(series.first - 1);
    if last >= series.next {
        faults.push(format!(
            "number {} is in the books, and series {} comes to {} next",
            series.number(last),
            series.id,
            series.number(series.next)
        ));
    } else if last + 1 < series.next {
        gaps.push((last + 1, series.next - 1));
    }
    let void = void_ranges(tx, series).await?;
    for (mut from, to) in gaps {
        // What is void is accounted for: only what lies between is not.
        for &(first, last) in &void {
            if first > to || last < from {
                continue;
            }
            if first > from {
                faults.push(unaccounted(series, from, first - 1));
            }
            from = last + 1;
        }
        if from <= to {
            faults.push(unaccounted(series, from, to));
        }
    }
    Ok(())
}

fn unaccounted(series: &StoredSeries, from: i64, to: i64) -> String {
    match from == to {
        true => format!("number {} is not accounted for", series.number(from)),
        false => format!(
            "numbers {} to {} are not accounted for",
            series.number(from),
            series.number(to)
        ),
    }
}

/// Returns the accounts of the numbers that came on blanks. One that no document has had yet is
/// what its blank is.
async fn of_blanks(tx: &mut Connection) -> Result<Vec<NumbersOf>> {
    let rows = sqlx::query(sql!("SELECT substr(b.own_number, 1, 2) AS letters, b.state, n.state AS number_state, count(*) AS numbers
         FROM blank b LEFT JOIN number n ON n.number = b.own_number WHERE b.own_number IS NOT NULL
         GROUP BY substr(b.own_number, 1, 2), b.state, n.state ORDER BY letters, b.state, number_state"))
    .fetch_all(tx)
    .await?;
    let mut accounts: Vec<NumbersOf> = Vec::new();
    for row in &rows {
        let letters: &str = row.get("letters");
        if accounts.last().is_none_or(|last| last.name != letters) {
            accounts.push(NumbersOf {
                name: letters.to_owned(),
                on_blanks: true,
                ..NumbersOf::default()
            });
        }
        let Some(account) = accounts.last_mut() else {
            continue;
        };
        let numbers = figure(row, "numbers");
        account.given += numbers;
        let blank: BlankState = parsed("a blank's state", row.get("state"))?;
        match row.get::<Option<&str>, _>("number_state") {
            // It came back with its blank, and is what became of that since.
            Some("returned") if blank == BlankState::Returned => account.add("returned", numbers),
            Some(state) if state != "returned" => account.add(state, numbers),
            _ => match blank {
                BlankState::Spoiled | BlankState::Destroyed => account.spoiled += numbers,
                BlankState::Missing | BlankState::SentBack => account.void += numbers,
                _ => account.waiting += numbers,
            },
        }
    }
    Ok(accounts)
}

/// Finds numbers that contradict what has them.
async fn find_strays(tx: &mut Connection, faults: &mut Vec<String>) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT n.number, n.state, CASE WHEN n.series IS NULL AND b.serial IS NULL THEN 'no-source'
                    WHEN n.state IN ('allotted', 'issued') AND d.id IS NULL THEN 'no-document'
                    WHEN n.state NOT IN ('allotted', 'issued') AND d.id IS NOT NULL AND d.state NOT IN ('cancelled', 'destroyed') THEN 'in-use'
                    ELSE 'sound' END AS fault
         FROM number n LEFT JOIN document d ON d.number = n.number AND d.id = n.document
         LEFT JOIN blank b ON b.own_number = n.number
         WHERE (n.series IS NULL AND b.serial IS NULL) OR (n.state IN ('allotted', 'issued') AND d.id IS NULL)
            OR (n.state NOT IN ('allotted', 'issued') AND d.id IS NOT NULL AND d.state NOT IN ('cancelled', 'destroyed'))
         ORDER BY n.number LIMIT $1"))
    .bind(MAX_NAMED)
    .fetch_all(tx)
    .await?;
    for row in &rows {
        let (number, state): (&str, &str) = (row.get("number"), row.get("state"));
        faults.push(match row.get("fault") {
            "no-source" => format!("number {number} is of no series, and on no blank"),
            "no-document" => format!("number {number} is {state}, and its document has another"),
            _ => format!("number {number} is {state}, and a document has it"),
        });
    }
    Ok(())
}
