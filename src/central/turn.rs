//! Whose turn it is in the queue.
//!
//! What is due first is made first; of what is due on one day, urgent documents go before the others,
//! and then the oldest goes first.
//!
//! Where any order at all keeps every date, this one does: that is the rule of the earliest due date
//! (Jackson, 1955). An urgent document is due two working days after its application and a normal one
//! ten, so that urgent ones go first as long as there is time for both; yet a normal document whose day
//! has come goes before urgent ones that are due tomorrow, however many there are. A document's turn
//! never changes, and only those that are due sooner can come before it: none waits for ever.
//!
//! ```text
//!   document_queue (profile, place, due, urgent, id)      one search a profile that the slot serves,
//!        └─ the first entry is the next document          as deep as the index, however long the queue
//! ```

use document::OfficeCode;
use sqlx::Row;

use crate::central::Central;
use crate::database::Connection;
use crate::error::{CentralError, Result};

/// The first of a profile's queue at a place. Turns are ordered: the smaller one comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    /// The day it is due.
    due: String,
    /// Zero for an urgent one.
    rank: u8,
    /// The document; those that were prepared first come first.
    pub(crate) id: String,
}

/// The search; its placeholders are profile and place. A document whose biometrics are erased is made
/// no more.
pub(crate) const FIRST_IN_QUEUE: &str =
    "SELECT due, urgent, id FROM document WHERE state = 'queued' AND profile = $1 AND place = $2
     AND EXISTS (SELECT 1 FROM biometric_data b WHERE b.application = document.application)
     ORDER BY due, urgent DESC, id LIMIT 1";

/// Returns whose turn it is among the documents of a profile that are made at a place.
pub(crate) async fn first_in_queue(
    tx: &mut Connection,
    profile: &str,
    place: &str,
) -> Result<Option<Turn>> {
    let row = sqlx::query(FIRST_IN_QUEUE)
        .bind(profile)
        .bind(place)
        .fetch_optional(tx)
        .await?;
    Ok(row.map(|row| Turn {
        due: row.get("due"),
        rank: u8::from(row.get::<i64, _>("urgent") == 0),
        id: row.get("id"),
    }))
}

impl Central {
    /// Returns the place whose stations make the documents of an office: its own, or the centre's,
    /// which has no name.
    pub(crate) fn place<'a>(&self, office: &'a OfficeCode) -> &'a str {
        match self.own_stations().contains(office) {
            true => office.as_str(),
            false => "",
        }
    }

    /// Returns the place that a station stands at.
    pub(crate) fn place_of_station<'a>(&self, office: Option<&'a OfficeCode>) -> Result<&'a str> {
        match office {
            None => Ok(""),
            Some(office) if self.own_stations().contains(office) => Ok(office.as_str()),
            Some(office) => Err(CentralError::refused(format!(
                "office {office} has no stations of its own here; list it under own-stations of the installation, or take its name from the station"
            ))),
        }
    }

    /// Moves what waits to the places that the installation has today: an office may have got its own
    /// stations since, or lost them.
    pub(crate) async fn place_queued(&self) -> Result<()> {
        let mut tx = self.write().await?;
        let rows = sqlx::query(
            "SELECT DISTINCT place, office FROM document WHERE state = 'queued' AND office IS NOT NULL",
        )
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let (is, name): (&str, &str) = (row.get("place"), row.get("office"));
            let office = OfficeCode::parse(name).map_err(|_| CentralError::damaged("an office"))?;
            let should = self.place(&office);
            if is != should {
                sqlx::query(
                    "UPDATE document SET place = $1 WHERE state = 'queued' AND office = $2",
                )
                .bind(should)
                .bind(name)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}
