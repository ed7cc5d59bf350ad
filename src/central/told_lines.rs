//! Stations' journals of documents in work, line by line as they are written: what another station goes
//! on by where one never comes back. Each line lies under the document's key, and is gone when its
//! lease has ended: then the report has the journal.

use api::{Actor, JournalKept, JournalLine, JournalPart, LeaseId, MOST_LINES};
use audit::Control;
use document::life_cycle::{LeaseEvent, LeaseState};
use document::{Act, DataClass};
use sqlx::Row;

use crate::accounts::authorise;
use crate::cells::{Cell, DataKey};
use crate::central::Central;
use crate::contention::retried;
use crate::database::Connection;
use crate::error::{CentralError, Result, admits};
use crate::lease::Held;
use crate::protection::open;
use crate::reports::{MAX_LINES, check_line};
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Takes in lines of the journal of a document in work. That they came leaves no entry in the log:
    /// the report does, with all of them.
    pub(crate) async fn keep_journal(
        &self,
        actor: &Actor,
        part: &JournalPart,
    ) -> Result<JournalKept> {
        let deed = Deed::new("journal.kept", Control::EVIDENCE, "lease", part.lease);
        let result = retried!(self.try_keep_journal(actor, part));
        self.settle(actor, &deed, result).await
    }

    async fn try_keep_journal(&self, actor: &Actor, part: &JournalPart) -> Result<JournalKept> {
        let mut tx = self.write().await?;
        let found = Held::load(&mut tx, actor, part.lease).await;
        let act = found.as_ref().map(Held::act);
        authorise(&mut tx, actor, act.unwrap_or(Act::PersonalizeDocument)).await?;
        let held = found?;
        // Whoever works on with what is over has to stop.
        admits(held.state, LeaseEvent::Spoil)?;
        let first = i64::try_from(part.first)
            .ok()
            .filter(|first| *first > 0)
            .ok_or_else(|| CentralError::invalid("lines are counted from 1"))?;
        let has_room = usize::try_from(first).is_ok_and(|first| first <= MAX_LINES);
        if part.lines.len() > MOST_LINES || !has_room {
            return Err(CentralError::invalid(format!(
                "at most {MOST_LINES} lines come at once, and a journal has at most {MAX_LINES}"
            )));
        }
        part.lines.iter().try_for_each(check_line)?;
        let known = count(&mut tx, held.id).await?;
        if first > known + 1 {
            return Ok(kept(known));
        }
        let (subject, key) = self.key_of_lines(&mut tx, &held).await?;
        let mut total = known;
        for (place, line) in (first..).zip(&part.lines) {
            if place <= known {
                check_same(&mut tx, (&subject, &key), held.id, (place, line)).await?;
                continue;
            }
            let row = row(held.id, place);
            let text = serde_json::to_vec(line)
                .map_err(|_| CentralError::invalid("a line cannot be written down"))?;
            let sealed = self.protection().seal(&key, &cell(&subject, &row), &text)?;
            sqlx::query(sql!(
                "INSERT INTO told_line (lease, place, line) VALUES ($1, $2, $3)"
            ))
            .bind(held.id.to_string())
            .bind(place)
            .bind(sealed)
            .execute(&mut *tx)
            .await?;
            total = place;
        }
        tx.commit().await?;
        Ok(kept(total))
    }

    async fn key_of_lines(&self, tx: &mut Connection, held: &Held) -> Result<(String, DataKey)> {
        let subject: String =
            sqlx::query_scalar(sql!("SELECT application FROM document WHERE id = $1"))
                .bind(&held.document)
                .fetch_one(&mut *tx)
                .await?;
        let key = self.protection().key(tx, &subject, DataClass::Record);
        let key = key.await?;
        Ok((subject, key))
    }

    /// Returns the lines that are here of a lease, in their order.
    pub(crate) async fn told_lines(
        &self,
        tx: &mut Connection,
        held: &Held,
    ) -> Result<Vec<JournalLine>> {
        let rows = sqlx::query(sql!(
            "SELECT place, line FROM told_line WHERE lease = $1 ORDER BY place"
        ))
        .bind(held.id.to_string())
        .fetch_all(&mut *tx)
        .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (subject, key) = self.key_of_lines(tx, held).await?;
        let lines = rows.iter().map(|stored| {
            let row = row(held.id, stored.get("place"));
            read(&key, &cell(&subject, &row), stored.get("line"))
        });
        lines.collect()
    }
}

/// Forgets the lines of a lease that has ended.
pub(crate) async fn forget_lines(tx: &mut Connection, lease: LeaseId) -> Result<()> {
    sqlx::query(sql!("DELETE FROM told_line WHERE lease = $1"))
        .bind(lease.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets the lines of a lease, if it has ended.
pub(crate) async fn forget_ended(tx: &mut Connection, held: &Held) -> Result<()> {
    match held.state {
        LeaseState::Open | LeaseState::Expired => Ok(()),
        _ => forget_lines(tx, held.id).await,
    }
}

/// Demands that a line which came before is the one that came then: else the journal forked.
async fn check_same(
    tx: &mut Connection,
    (subject, key): (&str, &DataKey),
    lease: LeaseId,
    (place, line): (i64, &JournalLine),
) -> Result<()> {
    let stored: Vec<u8> = sqlx::query_scalar(sql!(
        "SELECT line FROM told_line WHERE lease = $1 AND place = $2"
    ))
    .bind(lease.to_string())
    .bind(place)
    .fetch_one(tx)
    .await?;
    let row = row(lease, place);
    match read(key, &cell(subject, &row), &stored)? == *line {
        true => Ok(()),
        false => Err(CentralError::conflict(format!(
            "line {place} of this lease was another one: the station's journal was replaced or set back; report how it ended"
        ))),
    }
}

async fn count(tx: &mut Connection, lease: LeaseId) -> Result<i64> {
    let last = sqlx::query_scalar(sql!(
        "SELECT COALESCE(max(place), 0) FROM told_line WHERE lease = $1"
    ))
    .bind(lease.to_string())
    .fetch_one(tx)
    .await?;
    Ok(last)
}

fn kept(lines: i64) -> JournalKept {
    JournalKept {
        lines: lines.unsigned_abs(),
    }
}

fn row(lease: LeaseId, place: i64) -> String {
    format!("{lease} {place}")
}

/// Returns which value of the store a line is.
pub(crate) fn cell<'a>(subject: &'a str, row: &'a str) -> Cell<'a> {
    Cell {
        class: DataClass::Record,
        subject,
        table: "told_line",
        column: "line",
        row,
    }
}

fn read(key: &DataKey, cell: &Cell<'_>, sealed: &[u8]) -> Result<JournalLine> {
    let text = open(key, cell, sealed)?;
    serde_json::from_slice(&text).map_err(|_| CentralError::damaged("a station's line"))
}
