//! The transitions that the journals of documents and blanks have, in their order.

use std::collections::VecDeque;

use document::life_cycle::{BlankEvent, BlankState, DocumentEvent, DocumentState, LifeCycle};
use sqlx::Row;

use super::log::{Key, PAGE, key};
use crate::database::{Connection, DbRow, parsed};
use crate::error::Result;
use crate::movements::DELIVERED;
use crate::statements::sql;
use crate::stock_check::OPENING;

/// A transition that a journal has.
pub(super) struct Step {
    pub(super) what: String,
    pub(super) at: i64,
    pub(super) things: Vec<Key>,
    pub(super) evidence: Vec<&'static str>,
}

/// A journal of transitions, read page by page.
pub(super) struct Journal {
    sql: &'static str,
    read: fn(&DbRow) -> Result<Step>,
    after: i64,
    rows: VecDeque<Step>,
    is_over: bool,
}

impl Journal {
    pub(super) fn of_documents() -> Self {
        Self {
            sql: sql!("SELECT e.id, e.event, e.state, e.at, d.application FROM document_event e JOIN document d ON d.id = e.document
                  WHERE e.id > $1 ORDER BY e.id LIMIT $2"),
            read: |row| {
                let event: DocumentEvent =
                    parsed("what happened to a document", row.get("event"))?;
                let state: DocumentState = parsed("a document's state", row.get("state"))?;
                let application: &str = row.get("application");
                let steps = DocumentState::transitions();
                let steps = steps.iter();
                let steps = steps.filter(|step| step.event == event && step.to == state);
                Ok(Step {
                    what: format!("{event} of the document of application {application}"),
                    at: row.get("at"),
                    things: vec![key(&["application", application])],
                    evidence: steps.flat_map(|step| step.rule.evidence).copied().collect(),
                })
            },
            after: 0,
            rows: VecDeque::new(),
            is_over: false,
        }
    }

    pub(super) fn of_blanks() -> Self {
        Self {
            sql: sql!("SELECT m.id, m.event, m.from_state, m.to_state, m.moved AS at, m.blank, b.delivery, d.application
                  FROM blank_movement m JOIN blank b ON b.serial = m.blank LEFT JOIN document d ON d.id = m.document
                  WHERE m.id > $1 ORDER BY m.id LIMIT $2"),
            read: |row| {
                let (event, blank): (&str, &str) = (row.get("event"), row.get("blank"));
                let from: Option<&str> = row.get("from_state");
                let evidence = match (from, event) {
                    (_, OPENING) => Vec::new(),
                    (_, DELIVERED) | (None, _) => vec!["blanks.received"],
                    (Some(from), event) => {
                        let from: BlankState = parsed("a blank's state", from)?;
                        let event: BlankEvent = parsed("a movement of a blank", event)?;
                        let step = from.step(event);
                        step.map_or_else(Vec::new, |(_, rule)| rule.evidence.to_vec())
                    }
                };
                let mut things = vec![
                    key(&["blank", blank]),
                    key(&["delivery", row.get("delivery")]),
                ];
                if let Some(application) = row.get::<Option<&str>, _>("application") {
                    things.push(key(&["application", application]));
                }
                Ok(Step {
                    what: format!("{event} of blank {blank}"),
                    at: row.get("at"),
                    things,
                    evidence,
                })
            },
            after: 0,
            rows: VecDeque::new(),
            is_over: false,
        }
    }

    /// Returns when the next transition was; none where there are no more.
    pub(super) async fn next_at(&mut self, tx: &mut Connection) -> Result<Option<i64>> {
        if self.rows.is_empty() && !self.is_over {
            let rows = sqlx::query(self.sql)
                .bind(self.after)
                .bind(PAGE)
                .fetch_all(tx)
                .await?;
            match rows.last() {
                Some(last) => self.after = last.get("id"),
                None => self.is_over = true,
            }
            for row in &rows {
                self.rows.push_back((self.read)(row)?);
            }
        }
        Ok(self.rows.front().map(|step| step.at))
    }

    /// Takes the next transition, once [`Journal::next_at`] said when it was.
    pub(super) fn take(&mut self) -> Option<Step> {
        self.rows.pop_front()
    }
}
