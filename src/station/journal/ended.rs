//! The blanks that ended here: what whoever missed the events looks up.

use api::{BlankEnd, LeaseId, Report, ReportedChip};
use jiff::Timestamp;
use uuid::Uuid;

use super::{Journal, Result, at, unread};

/// How the work under a lease ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Where the blank ended.
    pub end: BlankEnd,
    /// The chips that were reached.
    pub chips: Vec<ReportedChip>,
    /// How many certificates were made.
    pub certificates: usize,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
}

/// A blank that ended at this station.
#[derive(Clone, Debug)]
pub struct EndedBlank {
    /// The number of its report.
    pub sequence: u64,
    /// The lease under which it was used.
    pub lease: LeaseId,
    /// The document's identity at the store.
    pub document: Uuid,
    /// The number that the document had then.
    pub number: String,
    /// The slot's name.
    pub slot: String,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
}

impl Journal {
    /// Returns the blanks whose reports are numbered after `sequence`, in the order in which they
    /// ended, of those under leases and for documents that are `wanted`.
    ///
    /// # Errors
    /// [`StationError::Journal`](crate::StationError::Journal).
    pub fn ended(
        &self,
        after: u64,
        wanted: &dyn Fn(LeaseId, Uuid) -> bool,
    ) -> Result<Vec<EndedBlank>> {
        let context = at("reading what ended");
        let mut found = Vec::new();
        let select = "SELECT sequence, lease, document, number, slot, ended, certificates, report
            FROM outbox JOIN run USING (lease)
            WHERE sequence > ?1 AND document IS NOT NULL AND ended IS NOT NULL ORDER BY sequence";
        let mut statement = self.database.prepare(select).map_err(&context)?;
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut rows = statement.query([after]).map_err(&context)?;
        while let Some(row) = rows.next().map_err(&context)? {
            let identity = |column: &str| {
                let text = row.get::<_, String>(column)?;
                Uuid::parse_str(&text).map_err(|error| unread(error.into()))
            };
            let read = || {
                let (lease, document) = (LeaseId(identity("lease")?), identity("document")?);
                if !wanted(lease, document) {
                    return Ok(None);
                }
                // Only now: a report has every line of its journal in it.
                let report = row.get::<_, String>("report")?;
                let report: Report =
                    serde_json::from_str(&report).map_err(|error| unread(error.into()))?;
                let at = row.get::<_, String>("ended")?;
                let certificates = row.get::<_, i64>("certificates")?;
                Ok(Some(EndedBlank {
                    sequence: report.sequence,
                    lease,
                    document,
                    number: row.get::<_, Option<String>>("number")?.unwrap_or_default(),
                    slot: row.get("slot")?,
                    at: at
                        .parse()
                        .map_err(|error: jiff::Error| unread(error.into()))?,
                    ending: Ending {
                        end: report.end,
                        chips: report.chips,
                        certificates: usize::try_from(certificates).unwrap_or_default(),
                        milliseconds: report.milliseconds,
                    },
                }))
            };
            found.extend(read().map_err(&context)?);
        }
        Ok(found)
    }
}
