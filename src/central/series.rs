//! Series of document numbers as they are stored: numbers come from the first of a kind, in order, each
//! once.

use document::{DocumentNumber, Environment, Kind, Series};
use sqlx::Row;

use crate::database::{Connection, DbRow, parsed};
use crate::error::{CentralError, Result};
use crate::expected::tag_of;
use crate::statements::sql;

/// A series as it is stored.
pub(crate) struct StoredSeries {
    pub(crate) id: String,
    pub(crate) prefix: String,
    pub(crate) first: i64,
    pub(crate) next: i64,
    pub(crate) last: i64,
    pub(crate) open: bool,
}

impl StoredSeries {
    pub(crate) fn read(row: &DbRow) -> Self {
        Self {
            id: row.get("id"),
            prefix: row.get("prefix"),
            first: row.get("first"),
            next: row.get("next"),
            last: row.get("last"),
            open: row.get::<&str, _>("state") == "open",
        }
    }

    /// Loads every series in the order of their turns.
    pub(crate) async fn all(tx: &mut Connection) -> Result<Vec<Self>> {
        let rows = sqlx::query(sql!(
            "SELECT id, prefix, first, next, last, state FROM series ORDER BY turn"
        ))
        .fetch_all(tx)
        .await?;
        Ok(rows.iter().map(Self::read).collect())
    }

    pub(crate) async fn load(tx: &mut Connection, id: &str) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT id, prefix, first, next, last, state FROM series WHERE id = $1"
        ))
        .bind(id)
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "series that begins with this number".to_owned(),
        })?;
        Ok(Self::read(&row))
    }

    /// Returns the tag of what people change of it: numbers are given from it all the time.
    pub(crate) fn tag(&self, kinds: &[Kind]) -> String {
        series_tag(&self.id, kinds, &self.number(self.last), self.open)
    }

    /// Returns one of its numbers in its spelling.
    pub(crate) fn number(&self, place: i64) -> String {
        format!("{}{place:07}", self.prefix)
    }

    pub(crate) async fn kinds(&self, tx: &mut Connection) -> Result<Vec<Kind>> {
        let names: Vec<String> = sqlx::query_scalar(sql!(
            "SELECT kind FROM series_kind WHERE series = $1 ORDER BY kind"
        ))
        .bind(&self.id)
        .fetch_all(tx)
        .await?;
        let kinds = names.iter().map(|name| parsed("a kind of document", name));
        kinds.collect()
    }
}

/// Returns the tag of a series, by what people change of it.
pub(crate) fn series_tag(id: &str, kinds: &[Kind], last: &str, open: bool) -> String {
    tag_of(&format!("{id}\n{kinds:?}\n{last}\n{open}"))
}

/// Voids the numbers of a range that no series gave and that are not void yet, without anybody's
/// doing: the store itself found out that they must not be given.
pub(crate) async fn void_free(
    tx: &mut Connection,
    series: &StoredSeries,
    (from, to): (i64, i64),
    now: i64,
    cause: &str,
) -> Result<()> {
    let rows = sqlx::query(sql!("SELECT first, last FROM void_range WHERE series = $1 AND first <= $2 AND last >= $3 ORDER BY first"))
    .bind(&series.id)
    .bind(to)
    .bind(from)
    .fetch_all(&mut *tx)
    .await?;
    let (mut at, mut free) = (from.max(series.next), Vec::new());
    for row in &rows {
        let (first, last): (i64, i64) = (row.get("first"), row.get("last"));
        if first > at {
            free.push((at, first - 1));
        }
        at = at.max(last + 1);
    }
    if at <= to {
        free.push((at, to));
    }
    for (first, last) in free {
        sqlx::query(sql!("INSERT INTO void_range (series, first, last, voided, cause) VALUES ($1, $2, $3, $4, $5)"))
        .bind(&series.id)
        .bind(first)
        .bind(last)
        .bind(now)
        .bind(cause)
        .execute(&mut *tx)
        .await?;
    }
    go_past_void(tx, &series.id, series.next).await
}

/// Writes a series into the books.
pub(crate) async fn insert(
    tx: &mut Connection,
    now: i64,
    series: &Series,
    kinds: &[Kind],
    turn: i64,
    opened_by: Option<(&str, &str)>,
) -> Result<()> {
    let id = format!("{}{:07}", series.prefix(), series.next());
    sqlx::query(sql!("INSERT INTO series (id, prefix, environment, first, next, last, turn, state, opened_by, opened_with, opened)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', $8, $9, $10)"))
    .bind(&id)
    .bind(series.prefix())
    .bind(series.environment().name())
    .bind(i64::from(series.next()))
    .bind(i64::from(series.next()))
    .bind(i64::from(series.last()))
    .bind(turn)
    .bind(opened_by.map(|(person, _)| person))
    .bind(opened_by.map(|(_, witness)| witness))
    .bind(now)
    .execute(&mut *tx)
    .await?;
    for kind in kinds {
        sqlx::query(sql!(
            "INSERT INTO series_kind (series, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        ))
        .bind(&id)
        .bind(kind.name())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Takes the next number for a document of a kind, from the first series of that kind that has any.
///
/// One statement reads and moves the series on, so that no two transactions get one number: the
/// second waits for the row, or is begun anew.
pub(crate) async fn allot(
    tx: &mut Connection,
    environment: Environment,
    kind: Kind,
    document: &str,
    now: i64,
) -> Result<DocumentNumber> {
    let row = sqlx::query(sql!("UPDATE series SET next = next + 1 WHERE next <= last AND id = (
             SELECT s.id FROM series s JOIN series_kind k ON k.series = s.id
             WHERE k.kind = $1 AND s.environment = $2 AND s.state = 'open' AND s.next <= s.last ORDER BY s.turn LIMIT 1)
         RETURNING id, prefix, next"))
    .bind(kind.name())
    .bind(environment.name())
    .fetch_optional(&mut *tx)
    .await?;
    let row = row.ok_or_else(|| {
        CentralError::refused(format!("no number is left for {kind}; open another series"))
    })?;
    let (id, prefix): (String, String) = (row.get("id"), row.get("prefix"));
    let next: i64 = row.get("next");
    let number = format!("{prefix}{:07}", next - 1);
    let number: DocumentNumber = parsed("a number series", &number)?;
    go_past_void(tx, &id, next).await?;
    sqlx::query(sql!("INSERT INTO number (number, document, state, series, given) VALUES ($1, $2, 'allotted', $3, $4)"))
    .bind(number.to_string())
    .bind(document)
    .bind(&id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(number)
}

/// Moves a series past the void numbers that would come next.
pub(crate) async fn go_past_void(tx: &mut Connection, series: &str, next: i64) -> Result<()> {
    let mut at = next;
    loop {
        let last: Option<i64> = sqlx::query_scalar(sql!(
            "SELECT last FROM void_range WHERE series = $1 AND first <= $2 AND last >= $3"
        ))
        .bind(series)
        .bind(at)
        .bind(at)
        .fetch_optional(&mut *tx)
        .await?;
        match last {
            Some(last) => at = last + 1,
            None => break,
        }
    }
    if at > next {
        sqlx::query(sql!("UPDATE series SET next = $1 WHERE id = $2"))
            .bind(at)
            .bind(series)
            .execute(tx)
            .await?;
    }
    Ok(())
}
