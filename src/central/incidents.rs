//! Incidents: what is not as the books say, from the transaction that found it until another
//! person agrees with its explanation.

use api::Actor;
use audit::Control;
use document::life_cycle::{IncidentEvent, IncidentKind, IncidentState, LifeCycle};
use document::{Act, four_eyes};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::{authorise, name_of};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, Write, moment, parsed, stored};
use crate::error::{CentralError, Result, advance};
use crate::expected::tag_of;
use crate::scribe::Deed;
use crate::statements::sql;

/// The longest text of an incident, in bytes.
const MAX_TEXT: usize = 2_000;
/// The longest name of what an incident is about, in bytes.
const MAX_SUBJECT: usize = 128;

/// An incident in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentLine {
    /// Its running number, from 1.
    pub number: i64,
    /// What kind it is of.
    pub kind: IncidentKind,
    /// What it is about, as the log names it, for example `place/RIGA-1`.
    pub subject: String,
    /// What was found.
    pub text: String,
    /// Its state.
    pub state: IncidentState,
    /// The account of who found it; none where the store itself did.
    pub opened_by: Option<String>,
    /// When it was found.
    pub opened: Timestamp,
    /// Why it was so.
    pub explanation: Option<String>,
    /// The account of who explained it.
    pub explained_by: Option<String>,
    /// The account of who agreed.
    pub closed_by: Option<String>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT i.number, i.kind, i.subject, i.text, i.state, o.name AS opened_by, i.opened,
            i.explanation, e.name AS explained_by, c.name AS closed_by, i.closed
     FROM incident i LEFT JOIN account o ON o.id = i.opened_by LEFT JOIN account e ON e.id = i.explained_by
     LEFT JOIN account c ON c.id = i.closed_by";

impl IncidentLine {
    /// Returns the tag of what is shown of it.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&format!("{self:?}"))
    }

    /// Loads the one of a number, as a text.
    pub(crate) async fn named(tx: &mut Connection, number: &str) -> Result<Self> {
        let none = || CentralError::NotFound {
            what: "incident of this number".to_owned(),
        };
        let number = number.parse().map_err(|_| none())?;
        Self::load(tx, number).await
    }

    async fn load(tx: &mut Connection, number: i64) -> Result<Self> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE i.number = $1"))
            .bind(number)
            .fetch_optional(tx)
            .await?;
        Self::read(&row.ok_or_else(|| unknown(number))?)
    }

    fn read(row: &DbRow) -> Result<Self> {
        let closed: Option<i64> = row.get("closed");
        Ok(Self {
            number: row.get("number"),
            kind: parsed("an incident's kind", row.get("kind"))?,
            subject: row.get("subject"),
            text: row.get("text"),
            state: parsed("an incident's state", row.get("state"))?,
            opened_by: row.get("opened_by"),
            opened: moment(row.get("opened"))?,
            explanation: row.get("explanation"),
            explained_by: row.get("explained_by"),
            closed_by: row.get("closed_by"),
            closed: closed.map(moment).transpose()?,
        })
    }
}

impl Central {
    /// Opens an incident in the transaction that found it, with an entry of its own. `subject` is
    /// a pseudonymous reference of at most 128 bytes; `text` says what was found, without a
    /// holder's data, and is cut at 2000 bytes. Returns its number.
    ///
    /// The same finding about the same thing is one incident as long as that is not closed.
    ///
    /// # Errors
    /// The database's and the log's failures.
    pub(crate) async fn open_incident(
        &self,
        tx: &mut Write,
        actor: &Actor,
        kind: IncidentKind,
        subject: &str,
        text: &str,
    ) -> Result<i64> {
        let text = cut(text);
        let known: Option<i64> = sqlx::query_scalar(sql!("SELECT number FROM incident WHERE subject = $1 AND kind = $2 AND text = $3 AND state <> $4 ORDER BY number LIMIT 1"))
        .bind(subject)
        .bind(kind.name())
        .bind(text)
        .bind(IncidentState::Closed.name())
        .fetch_optional(&mut **tx)
        .await?;
        if let Some(number) = known {
            return Ok(number);
        }
        let last: i64 = sqlx::query_scalar(sql!("SELECT COALESCE(max(number), 0) FROM incident"))
            .fetch_one(&mut **tx)
            .await?;
        let number = last + 1;
        sqlx::query(sql!(
            "INSERT INTO incident (number, kind, subject, text, state, opened_by, opened)
             VALUES ($1, $2, $3, $4, $5, (SELECT id FROM account WHERE name = $6), $7)"
        ))
        .bind(number)
        .bind(kind.name())
        .bind(subject)
        .bind(text)
        .bind(IncidentState::INITIAL.name())
        .bind(actor.person.to_lowercase())
        .bind(stored(self.now()))
        .execute(&mut **tx)
        .await?;
        let deed = Deed::new("incident.opened", Control::EVIDENCE, "incident", number)
            .with("kind", kind)
            .with("about", subject)
            .with("found", text);
        self.record(tx, Some(actor), &deed).await?;
        Ok(number)
    }

    /// Opens an incident that a person found, and that no other act opens. Returns its number.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Invalid`] for a text or
    /// a subject that is empty, too long or of several lines.
    pub async fn report_incident(
        &self,
        actor: &Actor,
        kind: IncidentKind,
        subject: &str,
        text: &str,
    ) -> Result<i64> {
        let deed = Deed::new("incident.opened", Control::EVIDENCE, "incident", "new");
        let result = retried!(self.try_report_incident(actor, kind, subject, text));
        self.settle(actor, &deed, result).await
    }

    async fn try_report_incident(
        &self,
        actor: &Actor,
        kind: IncidentKind,
        subject: &str,
        text: &str,
    ) -> Result<i64> {
        check_cause(text)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
        if !(1..=MAX_SUBJECT).contains(&subject.len()) || !subject.bytes().all(allowed) {
            return Err(CentralError::invalid(format!(
                "what an incident is about is named with 1 to {MAX_SUBJECT} ASCII letters, digits and . _ : / -, for example blank/LV-0001"
            )));
        }
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ReportIncident).await?;
        let number = self
            .open_incident(&mut tx, actor, kind, subject, text)
            .await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Says why an incident is; what was said before is replaced, and stays in the log.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Invalid`] without an
    /// explanation; [`CentralError::Conflict`] for one that is closed; [`CentralError::NotFound`].
    pub async fn explain_incident(
        &self,
        actor: &Actor,
        number: i64,
        explanation: &str,
    ) -> Result<()> {
        let deed = Deed::new("incident.explained", Control::EVIDENCE, "incident", number);
        let result = retried!(self.try_explain(actor, &deed, number, explanation));
        self.settle(actor, &deed, result).await
    }

    async fn try_explain(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: i64,
        explanation: &str,
    ) -> Result<()> {
        check_cause(explanation)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::ReportIncident).await?;
        let (state, _) = state_of(&mut tx, number).await?;
        let next = advance(state, IncidentEvent::Explain)?;
        sqlx::query(sql!("UPDATE incident SET state = $1, explanation = $2, explained_by = $3, explained = $4 WHERE number = $5"))
        .bind(next.name())
        .bind(explanation)
        .bind(&person.id)
        .bind(stored(self.now()))
        .bind(number)
        .execute(&mut *tx)
        .await?;
        let deed = deed.clone().with("explanation", explanation);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Closes an incident, by a person who agrees with another's explanation.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, and for one's own
    /// explanation; [`CentralError::Conflict`] for one that nobody explained, or that is closed;
    /// [`CentralError::NotFound`].
    pub async fn close_incident(&self, actor: &Actor, number: i64) -> Result<()> {
        let deed = Deed::new("incident.closed", Control::SEGREGATION, "incident", number);
        let result = retried!(self.try_close_incident(actor, &deed, number));
        self.settle(actor, &deed, result).await
    }

    async fn try_close_incident(&self, actor: &Actor, deed: &Deed, number: i64) -> Result<()> {
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::CloseIncident).await?;
        let (state, explained_by) = state_of(&mut tx, number).await?;
        let next = advance(state, IncidentEvent::Close)?;
        let explained_by = explained_by
            .ok_or_else(|| CentralError::damaged("an explained incident without who said it"))?;
        four_eyes(&name_of(&mut tx, &explained_by).await?, &person.name).map_err(|_| {
            CentralError::refused(
                "nobody closes an incident that they explained; another person must agree",
            )
        })?;
        sqlx::query(sql!(
            "UPDATE incident SET state = $1, closed_by = $2, closed = $3 WHERE number = $4"
        ))
        .bind(next.name())
        .bind(&person.id)
        .bind(stored(self.now()))
        .bind(number)
        .execute(&mut *tx)
        .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns up to `limit` incidents whose numbers come after `after`, in their order: of those that
    /// are not closed, or of all.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn incidents_after(
        &self,
        actor: &Actor,
        closed_too: bool,
        after: i64,
        limit: u32,
    ) -> Result<Vec<IncidentLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let page = match closed_too {
            true => sql!(COLUMNS, " WHERE i.number > $1 ORDER BY i.number LIMIT $2"),
            false => sql!(
                COLUMNS,
                " WHERE i.number > $1 AND i.state <> 'closed' ORDER BY i.number LIMIT $2"
            ),
        };
        let rows = sqlx::query(page)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        rows.iter().map(IncidentLine::read).collect()
    }

    /// Returns one incident.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports; [`CentralError::NotFound`].
    pub async fn incident(&self, actor: &Actor, number: i64) -> Result<IncidentLine> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        IncidentLine::load(&mut tx, number).await
    }
}

/// Returns an incident's state and the account of who explained it.
async fn state_of(tx: &mut Connection, number: i64) -> Result<(IncidentState, Option<String>)> {
    let row = sqlx::query(sql!(
        "SELECT state, explained_by FROM incident WHERE number = $1"
    ))
    .bind(number)
    .fetch_optional(tx)
    .await?;
    let row = row.ok_or_else(|| unknown(number))?;
    let state = parsed("an incident's state", row.get("state"))?;
    Ok((state, row.get("explained_by")))
}

fn unknown(number: i64) -> CentralError {
    CentralError::NotFound {
        what: format!("incident {number}"),
    }
}

/// Returns as much of a text as an incident takes.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = "ā".repeat(MAX_TEXT);
        assert_eq!(cut(&long), "ā".repeat(MAX_TEXT / 2));
        let odd = format!("x{long}");
        assert_eq!(cut(&odd).len(), MAX_TEXT - 1);
    }
}
