//! What registers are told of their applications: each change once, in order, in numbered and signed
//! reports.
//!
//! ```text
//!   transition ──one transaction──► register_event (report: none)
//!                                        │ make_reports(): the next number of the source
//!                                        ▼
//!                             register_report ─► signed ─► reports(source, after) ─► acknowledged
//! ```

use api::{REPORT_TYPE, RegisterEvent, RegisterReport};
use audit::{Control, Outcome};
use document::SourceName;
use document::life_cycle::{ApplicationState, DocumentState};
use jiff::Timestamp;
use sqlx::Row;

use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, parsed, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::packages::written;
use crate::scribe::Deed;
use crate::sources::{Sender, count};
use crate::statements::sql;

/// Most events of one report.
const MAX_EVENTS: i64 = 1000;

/// Most reports that are given at once.
const MAX_REPORTS: i64 = 100;

/// States of a document that are the office's own business: nobody has it yet.
pub(crate) const UNTOLD: [&str; 8] = [
    "prepared",
    "queued",
    "at-station",
    "personalized",
    "quality-passed",
    "quality-failed",
    "dispatched",
    "at-office",
];

/// Notes that a document came to a state, for the register that asked for it, if one did.
pub(crate) async fn document_changed(
    tx: &mut Connection,
    document: &Document,
    state: DocumentState,
    at: Timestamp,
) -> Result<()> {
    if UNTOLD.contains(&state.name()) {
        return Ok(());
    }
    sqlx::query(sql!("INSERT INTO register_event (source, application, subject, state, number, kind, issued, expires, at)
         SELECT o.source, o.application, 'document', CAST($1 AS TEXT), d.number, d.kind, d.issued, d.expires, CAST($2 AS BIGINT)
         FROM application_origin o JOIN document d ON d.application = o.application WHERE d.id = $3"))
    .bind(state.name())
    .bind(stored(at))
    .bind(&document.id)
    .execute(tx)
    .await?;
    Ok(())
}

/// Notes that an application ended without a document, for the register that sent it, if one did.
pub(crate) async fn application_changed(
    tx: &mut Connection,
    reference: &str,
    state: ApplicationState,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(sql!("INSERT INTO register_event (source, application, subject, state, at)
         SELECT source, application, 'application', CAST($1 AS TEXT), CAST($2 AS BIGINT) FROM application_origin WHERE application = $3"))
    .bind(state.name())
    .bind(stored(at))
    .bind(reference)
    .execute(tx)
    .await?;
    Ok(())
}

impl Central {
    /// Puts what happened into reports, and signs them. Returns how many were made.
    ///
    /// # Errors
    /// The token's and the database's failures: nothing is lost, try again.
    pub async fn make_reports(&self) -> Result<usize> {
        let waiting: Vec<String> = {
            let mut tx = self.read().await?;
            sqlx::query_scalar(sql!(
                "SELECT DISTINCT source FROM register_event WHERE report IS NULL ORDER BY source"
            ))
            .fetch_all(&mut *tx)
            .await?
        };
        let mut made = 0;
        for source in waiting {
            let source = SourceName::parse(&source)
                .map_err(|_| CentralError::damaged("the name of a source"))?;
            while retried!(self.make_report(&source))? {
                made += 1;
            }
        }
        self.sign_reports().await?;
        Ok(made)
    }

    /// Makes the next report of a source; returns whether there was anything to tell.
    async fn make_report(&self, source: &SourceName) -> Result<bool> {
        let mut tx = self.write().await?;
        let last: i64 = sqlx::query_scalar(sql!("SELECT last_report FROM source WHERE name = $1"))
            .bind(source.as_str())
            .fetch_one(&mut *tx)
            .await?;
        let until: Option<i64> = sqlx::query_scalar(sql!("SELECT max(id) FROM (SELECT id FROM register_event WHERE source = $1 AND report IS NULL ORDER BY id LIMIT $2) AS next"))
        .bind(source.as_str())
        .bind(MAX_EVENTS)
        .fetch_one(&mut *tx)
        .await?;
        let Some(until) = until else {
            return Ok(false);
        };
        let number = last.saturating_add(1);
        // Marked first, then read: what is told is what is marked, whoever else writes.
        sqlx::query(sql!("UPDATE register_event SET report = $1 WHERE source = $2 AND report IS NULL AND id <= $3"))
        .bind(number)
        .bind(source.as_str())
        .bind(until)
        .execute(&mut *tx)
        .await?;
        let rows = sqlx::query(sql!("SELECT application, subject, state, number, kind, issued, expires, at FROM register_event
             WHERE source = $1 AND report = $2 ORDER BY id"))
        .bind(source.as_str())
        .bind(number)
        .fetch_all(&mut *tx)
        .await?;
        let now = self.now();
        let report = RegisterReport {
            format: 1,
            source: source.clone(),
            environment: self.environment(),
            sequence: count(number)?,
            created: now,
            events: rows.iter().map(event).collect::<Result<_>>()?,
        };
        sqlx::query(sql!(
            "INSERT INTO register_report (source, number, payload, made) VALUES ($1, $2, $3, $4)"
        ))
        .bind(source.as_str())
        .bind(number)
        .bind(written(&report)?)
        .bind(stored(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query(sql!("UPDATE source SET last_report = $1 WHERE name = $2"))
            .bind(number)
            .bind(source.as_str())
            .execute(&mut *tx)
            .await?;
        let deed = Deed::new(
            "report.made",
            Control::RECORDS,
            "report",
            format!("{source}/{number}"),
        )
        .with("events", rows.len());
        self.scribe()
            .write(&mut tx, None, &deed, Outcome::Done, None)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Signs the reports that are not signed yet: their numbers and contents stand already.
    async fn sign_reports(&self) -> Result<()> {
        let rows = {
            let mut tx = self.read().await?;
            sqlx::query(sql!("SELECT source, number, payload FROM register_report WHERE report IS NULL ORDER BY source, number"))
            .fetch_all(&mut *tx)
            .await?
        };
        for row in rows {
            let signed = self
                .sign_for_register(REPORT_TYPE, row.get("payload"))
                .await?;
            retried!(async {
                let mut tx = self.write().await?;
                sqlx::query(sql!("UPDATE register_report SET report = $1 WHERE source = $2 AND number = $3 AND report IS NULL"))
                .bind(&signed)
                .bind(row.get::<String, _>("source"))
                .bind(row.get::<i64, _>("number"))
                .execute(&mut *tx)
                .await?;
                tx.commit().await?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Returns the signed reports of a source after a number, in order, at most a hundred, each with
    /// its number.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for an unknown source; the token's and the database's failures.
    pub async fn reports(&self, source: &SourceName, after: u64) -> Result<Vec<(u64, Vec<u8>)>> {
        self.make_reports().await?;
        let mut tx = self.read().await?;
        exists(&mut tx, source).await?;
        let rows = sqlx::query(sql!(
            "SELECT number, report FROM register_report
             WHERE source = $1 AND number > $2 AND report IS NOT NULL ORDER BY number LIMIT $3"
        ))
        .bind(source.as_str())
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(MAX_REPORTS)
        .fetch_all(&mut *tx)
        .await?;
        let report = |row: &DbRow| Ok((count(row.get("number"))?, row.get("report")));
        rows.iter().map(report).collect()
    }

    /// Returns the last report that a source has said it has.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for an unknown source.
    pub async fn acknowledged(&self, source: &SourceName) -> Result<u64> {
        let mut tx = self.read().await?;
        let number: Option<i64> =
            sqlx::query_scalar(sql!("SELECT acknowledged FROM source WHERE name = $1"))
                .bind(source.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        count(number.ok_or_else(unknown)?)
    }

    /// Notes that a source has every report up to a number. Said again, it changes nothing.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for an unknown source; [`CentralError::Refused`] for a report
    /// that was never made.
    pub async fn acknowledge_reports(&self, source: &SourceName, until: u64) -> Result<()> {
        let actor = Sender::actor(source, &self.scribe().station);
        let deed = Deed::new(
            "report.acknowledged",
            Control::RECORDS,
            "report",
            format!("{source}/{until}"),
        );
        let result = retried!(self.try_acknowledge(&actor, &deed, source, until));
        self.settle(&actor, &deed, result).await
    }

    async fn try_acknowledge(
        &self,
        actor: &api::Actor,
        deed: &Deed,
        source: &SourceName,
        until: u64,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let row = sqlx::query(sql!(
            "SELECT last_report, acknowledged FROM source WHERE name = $1"
        ))
        .bind(source.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or_else(unknown)?;
        let (last, known) = (
            count(row.get("last_report"))?,
            count(row.get("acknowledged"))?,
        );
        if until > last {
            return Err(CentralError::refused(format!(
                "the last report of this source is {last}"
            )));
        }
        if until <= known {
            return Ok(());
        }
        sqlx::query(sql!("UPDATE source SET acknowledged = $1 WHERE name = $2"))
            .bind(i64::try_from(until).unwrap_or(i64::MAX))
            .bind(source.as_str())
            .execute(&mut *tx)
            .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn exists(tx: &mut Connection, source: &SourceName) -> Result<()> {
    let there: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM source WHERE name = $1"))
        .bind(source.as_str())
        .fetch_one(tx)
        .await?;
    if there == 0 { Err(unknown()) } else { Ok(()) }
}

fn unknown() -> CentralError {
    CentralError::NotFound {
        what: "source of this name".to_owned(),
    }
}

fn event(row: &DbRow) -> Result<RegisterEvent> {
    let text = |column| row.get::<Option<String>, _>(column);
    let day = |column, what| text(column).map(|day| parsed(what, &day)).transpose();
    Ok(RegisterEvent {
        application: parsed("a reference", row.get("application"))?,
        subject: row.get("subject"),
        state: row.get("state"),
        at: moment(row.get("at"))?,
        number: text("number"),
        kind: text("kind")
            .map(|kind| parsed("a kind", &kind))
            .transpose()?,
        issued: day("issued", "a day of issue")?,
        expires: day("expires", "a last day")?,
    })
}
