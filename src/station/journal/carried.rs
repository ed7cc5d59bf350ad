//! Documents that were begun at another station: what that one wrote down is this journal's too.

use api::{JournalLine, Lease};
use rusqlite::params;

use super::{Journal, Result, at};

/// What the line is called that says that a document was taken over from another station. What that one
/// wrote down stands before it, and may lack its last lines.
pub(crate) const TAKEN_OVER: &str = "take-over";

/// The evidence under which the station stands that a document was taken over from.
const FROM: &str = "from";

impl Journal {
    /// Notes that a slot goes on with a document that was begun at another station, which wrote these
    /// lines down. Returns whether it is new here.
    ///
    /// # Errors
    /// [`StationError::Journal`](crate::StationError::Journal).
    pub(crate) fn take_over(
        &mut self,
        lease: &Lease,
        slot: &str,
        (from, lines): (&str, &[JournalLine]),
    ) -> Result<bool> {
        let now = self.clock.now();
        let (id, document) = (lease.id.to_string(), lease.identity.to_string());
        let number = lease.record.number.to_string();
        let taken_over = JournalLine {
            at: now,
            step: TAKEN_OVER.into(),
            moment: "outcome".into(),
            evidence: [(FROM.to_owned(), from.to_owned())].into(),
        };
        let added = self.change(|tx| {
            let insert = "INSERT OR IGNORE INTO run (lease, document, number, slot, started)
                VALUES (?1, ?2, ?3, ?4, ?5)";
            let run = params![id, document, number, slot, now.to_string()];
            if tx.execute(insert, run)? == 0 {
                return Ok(false);
            }
            let insert =
                "INSERT INTO line (lease, at, step, moment, evidence) VALUES (?1, ?2, ?3, ?4, ?5)";
            for line in lines.iter().chain([&taken_over]) {
                let evidence = serde_json::to_string(&line.evidence)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                let at = line.at.to_string();
                tx.execute(insert, params![id, at, line.step, line.moment, evidence])?;
            }
            Ok(true)
        });
        added.map_err(at("taking a document over"))
    }
}
