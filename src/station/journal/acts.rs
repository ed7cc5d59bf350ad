//! What people did at the station itself.

use api::StationAct;
use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Journal, Result, at, next_number};

/// What a person did at the station itself: the shift, and orders to its slots. The centre is told it; what
/// they did at the centre through the station stands in its log anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonsAct {
    /// When.
    pub at: Timestamp,
    /// The account's name.
    pub person: String,
    /// What they did: one of [`StationAct::KNOWN`].
    pub act: String,
    /// The slot, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
}

impl Journal {
    /// Notes what a person did at the station, and puts it into the outbox.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn note_act(&mut self, act: &PersonsAct) -> Result<()> {
        let insert = "INSERT INTO act (at, person, act, slot) VALUES (?1, ?2, ?3, ?4)";
        let when = act.at.to_string();
        self.change(|tx| {
            tx.execute(insert, params![when, act.person, act.act, act.slot])?;
            let sequence = next_number(tx)?;
            let told = StationAct {
                sequence: u64::try_from(sequence).unwrap_or_default(),
                at: act.at,
                person: act.person.clone(),
                act: act.act.clone(),
                slot: act.slot.clone(),
            };
            let text = serde_json::to_string(&told)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            let insert = "INSERT INTO outbox (sequence, report, ended) VALUES (?1, ?2, ?3)";
            tx.execute(insert, params![sequence, text, when])
        })
        .map_err(at("noting what a person did"))?;
        Ok(())
    }

    /// Returns the latest acts of people at the station, the newest first.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn acts(&self, most: u32) -> Result<Vec<PersonsAct>> {
        let read = |row: &rusqlite::Row<'_>| {
            let at: String = row.get(0)?;
            Ok(PersonsAct {
                at: at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
                person: row.get(1)?,
                act: row.get(2)?,
                slot: row.get(3)?,
            })
        };
        self.database
            .prepare("SELECT at, person, act, slot FROM act ORDER BY number DESC LIMIT ?1")
            .and_then(|mut found| found.query_map([most], read)?.collect())
            .map_err(at("reading what people did"))
    }
}
