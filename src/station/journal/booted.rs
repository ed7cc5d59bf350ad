//! The machine's own restarts: one without power may have forgotten the last lines, which a process that
//! was killed never does.

use rusqlite::{OptionalExtension, params};

use super::{Journal, Result, at};

/// What the line is called that says that the machine was started again in the middle of a document's
/// work. What stands before it may lack its last lines.
pub(crate) const BOOTED: &str = "machine restart";

impl Journal {
    /// Takes note of which start of the machine this is. Where it is another one than before, or nobody
    /// knows, each document in work gets a line that says so. Returns to how many it was said.
    ///
    /// # Errors
    /// [`StationError::Journal`](crate::StationError::Journal).
    pub(super) fn note_boot(&mut self, boot: Option<&str>) -> Result<usize> {
        let context = at("noting the start of the machine");
        let known = "SELECT boot FROM boot";
        let known: Option<String> = self
            .database
            .query_row(known, [], |row| row.get(0))
            .optional()
            .map_err(&context)?;
        if boot.is_some() && known.as_deref() == boot {
            return Ok(0);
        }
        let now = self.clock.now().to_string();
        let mut say = || {
            let transaction = self.database.transaction()?;
            let insert = "INSERT INTO line (lease, at, step, moment, evidence)
                SELECT DISTINCT lease, ?1, ?2, 'outcome', '{}' FROM line
                WHERE lease NOT IN (SELECT lease FROM outbox WHERE lease IS NOT NULL)";
            let said = transaction.execute(insert, params![now, BOOTED])?;
            let insert = "INSERT OR REPLACE INTO boot (id, boot) VALUES (1, ?1)";
            transaction.execute(insert, [boot.unwrap_or_default()])?;
            transaction.commit()?;
            Ok(said)
        };
        say().map_err(context)
    }
}
