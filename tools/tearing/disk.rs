//! The disk under the journal.

use std::sync::Arc;

use rusqlite::ffi::{self, ErrorCode};
use station::WriteWatch;

use crate::fault::{Fault, Seam};
use crate::trip::Trip;

/// A disk that may be full, and under which the station may be killed.
pub(crate) struct Disk(pub(crate) Arc<Trip>);

impl WriteWatch for Disk {
    fn before(&self) -> rusqlite::Result<()> {
        match self.0.pass(Seam::Write) {
            Some(Fault::KilledBeforeWrite) => self.0.die(),
            Some(Fault::KilledAfterWrite) => {
                self.0.die_next();
                Ok(())
            }
            Some(Fault::DiskFull) => Err(full()),
            _ => Ok(()),
        }
    }

    fn after(&self) {
        self.0.die_if_due();
    }
}

/// What SQLite says of a full disk.
fn full() -> rusqlite::Error {
    let code = ErrorCode::DiskFull;
    let extended_code = ffi::SQLITE_FULL;
    let error = ffi::Error {
        code,
        extended_code,
    };
    rusqlite::Error::SqliteFailure(error, Some("database or disk is full".into()))
}
