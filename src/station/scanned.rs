//! The scanner of a slot: what is printed on each blank is read, and the centre is told with the chips
//! of it, so that a blank whose label is another one's is refused before anything is written.

use std::time::Duration;

use crate::error::StationError;
use crate::slot::Slot;

/// How long a code is waited for, once the blank lies there.
const SCAN_WAIT: Duration = Duration::from_secs(20);

impl Slot {
    /// Forgets what was read of the blank before.
    pub(crate) fn arm_scanner(&self) -> Result<(), StationError> {
        self.scanned.replace(None);
        let Some(mut scanner) = self.scanner.take() else {
            return Ok(());
        };
        let armed = scanner.arm();
        self.scanner.set(Some(scanner));
        Ok(armed?)
    }

    /// Reads what is printed on the blank, where the slot has a scanner.
    pub(crate) fn scan(&self) -> Result<(), StationError> {
        let Some(mut scanner) = self.scanner.take() else {
            return Ok(());
        };
        let read = scanner.read(SCAN_WAIT);
        self.scanner.set(Some(scanner));
        self.scanned.replace(Some(read?.to_string()));
        Ok(())
    }
}
