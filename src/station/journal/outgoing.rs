//! What the centre is told, in one order: how leases ended, and what people did at the station itself.

use api::{Report, StationAct};
use rusqlite::{OptionalExtension, Transaction};
use serde::de::DeserializeOwned;

use super::{Journal, Result, at, unread};

/// What waits for the centre.
pub(crate) enum Outgoing {
    /// How a lease ended.
    Report(Box<Report>),
    /// What a person did.
    Act(StationAct),
}

impl Outgoing {
    /// Returns its running number.
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Self::Report(report) => report.sequence,
            Self::Act(act) => act.sequence,
        }
    }
}

/// Returns the number of what is put into the outbox next.
pub(super) fn next_number(tx: &Transaction<'_>) -> rusqlite::Result<i64> {
    let next = "SELECT COALESCE(MAX(sequence), 0) + 1 FROM outbox";
    tx.query_row(next, [], |row| row.get(0))
}

fn read<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| unread(error.into()))
}

impl Journal {
    /// Returns the oldest of what was not sent.
    pub(crate) fn next_outgoing(&self) -> Result<Option<Outgoing>> {
        let context = at("reading the outbox");
        let next =
            "SELECT report, lease IS NULL FROM outbox WHERE sent = 0 ORDER BY sequence LIMIT 1";
        let found = self.database.query_row(next, [], |row| {
            let (text, is_act): (String, bool) = (row.get(0)?, row.get(1)?);
            Ok(match is_act {
                true => Outgoing::Act(read(&text)?),
                false => Outgoing::Report(read(&text)?),
            })
        });
        found.optional().map_err(context)
    }

    /// Returns the oldest report on a lease that was not sent.
    ///
    /// # Errors
    /// [`StationError::Journal`](crate::StationError::Journal).
    pub fn next_report(&self) -> Result<Option<Report>> {
        let next = "SELECT report FROM outbox WHERE sent = 0 AND lease IS NOT NULL
            ORDER BY sequence LIMIT 1";
        let found = self.database.query_row(next, [], |row| {
            let text: String = row.get(0)?;
            read(&text)
        });
        found.optional().map_err(at("reading the outbox"))
    }
}
