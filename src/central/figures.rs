//! Figures for reports: sums that the database makes, never row by row. What is counted, and on which
//! day, is in `docs/reports.md`.

use std::collections::BTreeMap;

use api::Actor;
use document::life_cycle::DocumentEvent;
use document::{Act, Kind};
use jiff::civil::Date;
use report::{
    By, CauseLine, ChipLine, Delay, NumberLine, Quality, QualityTally, Span, StationLine,
    StockLine, Tally, Waiting,
};
use sqlx::{AssertSqlSafe, Row};

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{Connection, DbRow, parsed};
use crate::error::Result;
use crate::statements::{assembled, sql};
use crate::turn::IN_WORK;

/// How many causes are told apart; the rarer ones are one line.
const CAUSES: i64 = 20;

impl Central {
    /// Returns how many documents were ordered, made, issued and cancelled in some days, by month, kind
    /// and office.
    ///
    /// # Errors
    /// [`CentralError::Refused`](crate::CentralError::Refused) without the right to reports.
    pub async fn tallies(&self, actor: &Actor, span: Span) -> Result<Vec<Tally>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        // First by day, in the order of the index, so that nothing is sorted but the sums.
        let rows = sqlx::query(sql!(
            "SELECT substr(day, 1, 7) AS month, kind, office, event, CAST(sum(events) AS BIGINT) AS documents FROM (
                 SELECT event, day, kind, office, count(*) AS events FROM document_event
                 WHERE event IN ('queue', 'personalize', 'hand-over', 'hand-over-here', 'cancel') AND day >= $1 AND day <= $2
                 GROUP BY event, day, kind, office
             ) days GROUP BY substr(day, 1, 7), kind, office, event
             ORDER BY month, kind, office"
        ))
        .bind(span.from().to_string())
        .bind(span.until().to_string())
        .fetch_all(&mut *tx)
        .await?;
        let mut tallies: Vec<Tally> = Vec::new();
        for row in &rows {
            let kind: Kind = parsed("a document's kind", row.get("kind"))?;
            let (month, office): (&str, Option<String>) = (row.get("month"), row.get("office"));
            let is_same = tallies.last().is_some_and(|tally| {
                tally.month == month && tally.kind == kind && tally.office == office
            });
            if !is_same {
                tallies.push(Tally {
                    month: month.to_owned(),
                    kind,
                    office,
                    ordered: 0,
                    made: 0,
                    issued: 0,
                    cancelled: 0,
                });
            }
            let documents = count(row, "documents");
            if let Some(tally) = tallies.last_mut() {
                match parsed("a document's event", row.get("event"))? {
                    DocumentEvent::Queue => tally.ordered = documents,
                    DocumentEvent::Personalize => tally.made = documents,
                    DocumentEvent::HandOver | DocumentEvent::HandOverHere => {
                        tally.issued += documents;
                    }
                    _ => tally.cancelled = documents,
                }
            }
        }
        Ok(tallies)
    }

    /// Returns how long documents took that passed quality in some days: by what the report's lines are
    /// told apart by, priority, and the days of application, due and ready.
    ///
    /// # Errors
    /// As [`Central::tallies`].
    pub async fn delays(&self, actor: &Actor, span: Span, by: By) -> Result<Vec<Delay>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(AssertSqlSafe(delays(by)))
            .bind(span.from().to_string())
            .bind(span.until().to_string())
            .fetch_all(&mut *tx)
            .await?;
        let delay = |row: &DbRow| {
            Ok(Delay {
                key: line(row),
                urgent: row.get::<i64, _>("urgent") != 0,
                applied: parsed("a day", row.get("applied"))?,
                due: parsed("a day", row.get("due"))?,
                ready: parsed("a day", row.get("day"))?,
                documents: count(row, "documents"),
            })
        };
        rows.iter().map(delay).collect()
    }

    /// Returns what is not ready yet: queued, at a station, or not judged good.
    ///
    /// # Errors
    /// As [`Central::tallies`].
    pub async fn waiting(&self, actor: &Actor) -> Result<Vec<Waiting>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT kind, urgent, count(*) AS documents, min(applied) AS oldest, min(due) AS first_due,
                    CAST(sum(CASE WHEN due < $1 THEN 1 ELSE 0 END) AS BIGINT) AS overdue
             FROM document WHERE ", IN_WORK, " AND state <> 'quality-passed'
             GROUP BY kind, urgent ORDER BY kind, urgent DESC"))
        .bind(self.calendar().day_of(self.now()).to_string())
        .fetch_all(&mut *tx)
        .await?;
        let waiting = |row: &DbRow| {
            let day = |column| {
                let text: Option<&str> = row.get(column);
                text.map(|text| parsed::<Date>("a day", text)).transpose()
            };
            Ok(Waiting {
                kind: parsed("a document's kind", row.get("kind"))?,
                urgent: row.get::<i64, _>("urgent") != 0,
                documents: count(row, "documents"),
                overdue: count(row, "overdue"),
                oldest: day("oldest")?,
                first_due: day("first_due")?,
            })
        };
        rows.iter().map(waiting).collect()
    }

    /// Returns how good the documents of some days were, what stations and chips took, and why blanks
    /// were spoiled.
    ///
    /// # Errors
    /// As [`Central::tallies`].
    pub async fn quality_figures(&self, actor: &Actor, span: Span, by: By) -> Result<Quality> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        Ok(Quality {
            tallies: tallies_of_quality(&mut tx, span, by).await?,
            stations: stations(&mut tx, span).await?,
            chips: chips(&mut tx, span).await?,
            causes: causes(&mut tx, span).await?,
        })
    }

    /// Returns how many blanks of each article are in each account.
    ///
    /// # Errors
    /// As [`Central::tallies`].
    pub async fn stock_figures(&self, actor: &Actor) -> Result<Vec<StockLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!(
            "SELECT coalesce(b.article, c.product, '-') AS article, b.state, count(*) AS blanks
             FROM blank b LEFT JOIN chip c ON c.blank = b.serial AND c.position = 0
             GROUP BY coalesce(b.article, c.product, '-'), b.state ORDER BY article, b.state"
        ))
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| StockLine {
            article: row.get("article"),
            account: row.get("state"),
            blanks: count(row, "blanks"),
        };
        Ok(rows.iter().map(line).collect())
    }

    /// Returns how many numbers of each series are in each account.
    ///
    /// # Errors
    /// As [`Central::tallies`].
    pub async fn number_figures(&self, actor: &Actor) -> Result<Vec<NumberLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT prefix, state, count(*) AS numbers FROM
                 (SELECT substr(n.number, 1, 2) AS prefix,
                         CASE WHEN n.state = 'returned' AND b.state IN ('spoiled', 'destroyed') THEN 'spoiled'
                              WHEN n.state = 'returned' AND b.state IN ('missing', 'sent-back') THEN 'void'
                              ELSE n.state END AS state
                  FROM number n LEFT JOIN blank b ON b.own_number = n.number) accounts
             GROUP BY prefix, state ORDER BY prefix, state"))
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| NumberLine {
            prefix: row.get("prefix"),
            account: row.get("state"),
            numbers: count(row, "numbers"),
        };
        Ok(rows.iter().map(line).collect())
    }
}

/// Returns what a line is told apart by, as SQL over `document_event`.
const fn key(by: By) -> &'static str {
    match by {
        By::Year => "substr(day, 1, 4)",
        By::Month => "substr(day, 1, 7)",
        By::Office => "office",
        By::Kind => "kind",
    }
}

fn delays(by: By) -> String {
    let key = key(by);
    format!(
        "SELECT {key} AS line, urgent, applied, due, day, count(*) AS documents FROM document_event
         WHERE event IN ('pass-quality', 'concede') AND day >= $1 AND day <= $2 AND applied IS NOT NULL
         GROUP BY {key}, urgent, applied, due, day
         ORDER BY line, urgent, applied, due, day"
    )
}

fn judged(by: By) -> String {
    let key = key(by);
    format!(
        "SELECT {key} AS line, event, count(*) AS documents FROM document_event
         WHERE event IN ('personalize', 'pass-quality', 'concede', 'fail-quality', 'spoil-blank') AND day >= $1 AND day <= $2
         GROUP BY {key}, event ORDER BY line, event"
    )
}

fn passed_at_once(by: By) -> String {
    let key = key(by);
    format!(
        "SELECT {key} AS line, count(*) AS documents FROM document_event e
         WHERE e.event = 'pass-quality' AND e.day >= $1 AND e.day <= $2
           AND NOT EXISTS (SELECT 1 FROM document_event b
                           WHERE b.document = e.document AND b.id < e.id AND b.event IN ('fail-quality', 'spoil-blank'))
         GROUP BY {key}"
    )
}

assembled!(delays => |_| By::ALL.iter().copied().map(delays).collect());
assembled!(judged => |_| By::ALL.iter().copied().map(judged).collect());
assembled!(passed_at_once => |_| By::ALL.iter().copied().map(passed_at_once).collect());

/// Reads what a line is told apart by; an office that was not kept is empty.
fn line(row: &DbRow) -> String {
    row.get::<Option<String>, _>("line").unwrap_or_default()
}

fn count(row: &DbRow, column: &str) -> u64 {
    row.get::<i64, _>(column).unsigned_abs()
}

async fn tallies_of_quality(tx: &mut Connection, span: Span, by: By) -> Result<Vec<QualityTally>> {
    let (from, until) = (span.from().to_string(), span.until().to_string());
    let rows = sqlx::query(AssertSqlSafe(judged(by)))
        .bind(&from)
        .bind(&until)
        .fetch_all(&mut *tx)
        .await?;
    let mut lines: BTreeMap<String, QualityTally> = BTreeMap::new();
    for row in &rows {
        let key = line(row);
        let tally = lines.entry(key.clone()).or_default();
        tally.key = key;
        let documents = count(row, "documents");
        match parsed("a document's event", row.get("event"))? {
            DocumentEvent::Personalize => tally.made += documents,
            DocumentEvent::PassQuality => tally.passed += documents,
            DocumentEvent::Concede => {
                tally.passed += documents;
                tally.conceded += documents;
            }
            DocumentEvent::FailQuality => tally.failed += documents,
            _ => tally.spoiled += documents,
        }
    }
    let rows = sqlx::query(AssertSqlSafe(passed_at_once(by)))
        .bind(&from)
        .bind(&until)
        .fetch_all(&mut *tx)
        .await?;
    for row in &rows {
        if let Some(tally) = lines.get_mut(&line(row)) {
            tally.first_pass = count(row, "documents");
        }
    }
    Ok(lines.into_values().collect())
}

/// Documents that took longer than an hour count as an hour: the lines stay few.
async fn stations(tx: &mut Connection, span: Span) -> Result<Vec<StationLine>> {
    let rows = sqlx::query(sql!("SELECT station, end_state, CASE WHEN milliseconds > 3600000 THEN 3600 ELSE milliseconds / 1000 END AS seconds, count(*) AS blanks
         FROM report WHERE day >= $1 AND day <= $2
         GROUP BY station, end_state, CASE WHEN milliseconds > 3600000 THEN 3600 ELSE milliseconds / 1000 END
         ORDER BY station, seconds"))
    .bind(span.from().to_string())
    .bind(span.until().to_string())
    .fetch_all(tx)
    .await?;
    let mut lines: Vec<StationLine> = Vec::new();
    for row in &rows {
        let station: &str = row.get("station");
        if lines.last().is_none_or(|line| line.station != station) {
            lines.push(StationLine {
                station: station.to_owned(),
                made: 0,
                spoiled: 0,
                untouched: 0,
                seconds: Vec::new(),
            });
        }
        let Some(line) = lines.last_mut() else {
            continue;
        };
        let blanks = count(row, "blanks");
        match row.get("end_state") {
            "personalized" => {
                line.made += blanks;
                line.seconds.push((count(row, "seconds"), blanks));
            }
            "spoiled" => line.spoiled += blanks,
            _ => line.untouched += blanks,
        }
    }
    Ok(lines)
}

async fn chips(tx: &mut Connection, span: Span) -> Result<Vec<ChipLine>> {
    let rows = sqlx::query(sql!(
        "SELECT c.product, count(*) AS chips, min(c.commands) AS fewest, max(c.commands) AS most,
                CAST(sum(c.commands) AS BIGINT) AS commands, CAST(sum(c.bytes) AS BIGINT) AS bytes
         FROM report r JOIN reported_chip c ON c.station = r.station AND c.sequence = r.sequence
         WHERE r.day >= $1 AND r.day <= $2 AND r.end_state = 'personalized'
         GROUP BY c.product ORDER BY c.product"
    ))
    .bind(span.from().to_string())
    .bind(span.until().to_string())
    .fetch_all(tx)
    .await?;
    let line = |row: &DbRow| ChipLine {
        product: row.get("product"),
        chips: count(row, "chips"),
        commands: count(row, "commands"),
        fewest: count(row, "fewest"),
        most: count(row, "most"),
        bytes: count(row, "bytes"),
    };
    Ok(rows.iter().map(line).collect())
}

async fn causes(tx: &mut Connection, span: Span) -> Result<Vec<CauseLine>> {
    let (from, until) = (span.from().to_string(), span.until().to_string());
    let rows = sqlx::query(sql!(
        "SELECT cause, count(*) AS blanks FROM document_event
         WHERE event = 'spoil-blank' AND day >= $1 AND day <= $2 AND cause IS NOT NULL
         GROUP BY cause ORDER BY blanks DESC, cause LIMIT $3"
    ))
    .bind(&from)
    .bind(&until)
    .bind(CAUSES)
    .fetch_all(&mut *tx)
    .await?;
    let all: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM document_event WHERE event = 'spoil-blank' AND day >= $1 AND day <= $2"))
    .bind(&from)
    .bind(&until)
    .fetch_one(&mut *tx)
    .await?;
    let mut lines: Vec<_> = rows
        .iter()
        .map(|row| CauseLine {
            cause: row.get("cause"),
            blanks: count(row, "blanks"),
        })
        .collect();
    let named: u64 = lines.iter().map(|line| line.blanks).sum();
    let others = all.unsigned_abs().saturating_sub(named);
    if others > 0 {
        lines.push(CauseLine {
            cause: None,
            blanks: others,
        });
    }
    Ok(lines)
}
