//! The disk under the journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ffi::{self, ErrorCode};
use station::WriteWatch;

use crate::fault::{Fault, Seam};
use crate::trip::Trip;

/// A disk that may be full, and under which the station may be killed.
pub(crate) struct Disk {
    pub(crate) trip: Arc<Trip>,
    /// What a machine without power still has, where it is to lose it.
    pub(crate) lasting: Option<Lasting>,
}

/// The files of a journal, as the disk has them for good.
#[derive(Clone)]
pub(crate) struct Lasting {
    journal: PathBuf,
}

impl Lasting {
    /// Of the journal in this file.
    pub(crate) fn of(journal: &Path) -> Self {
        Self {
            journal: journal.to_owned(),
        }
    }

    /// Returns the files beside each other: what is in use, and what lasts.
    fn files(&self) -> [(PathBuf, PathBuf); 2] {
        ["", "-wal"].map(|end| {
            let mut name = self.journal.clone().into_os_string();
            name.push(end);
            let mut kept = name.clone();
            kept.push(".lasting");
            (name.into(), kept.into())
        })
    }

    /// What is there now lasts.
    fn keep(&self) -> io::Result<()> {
        for (used, kept) in self.files() {
            fs::copy(used, kept)?;
        }
        Ok(())
    }

    /// The power is gone: what did not last is not there any more.
    pub(crate) fn lose_the_rest(&self) -> io::Result<()> {
        for (used, kept) in self.files() {
            fs::rename(kept, used)?;
        }
        Ok(())
    }
}

impl WriteWatch for Disk {
    fn before(&self) -> rusqlite::Result<()> {
        match self.trip.pass(Seam::Write) {
            Some(Fault::KilledBeforeWrite) => self.trip.die(),
            Some(Fault::KilledAfterWrite | Fault::PowerLost) => {
                self.trip.die_next();
                Ok(())
            }
            Some(Fault::DiskFull) => Err(full()),
            _ => Ok(()),
        }
    }

    fn after(&self, is_durable: bool) {
        // A disk that keeps nothing is found out when the power is lost.
        if let Some(lasting) = self.lasting.as_ref().filter(|_| is_durable) {
            let _ = lasting.keep();
        }
        self.trip.die_if_due();
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
