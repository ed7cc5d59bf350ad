//! A centre that is lost and set back to an older copy of its books: it has forgotten what came after
//! the copy, its stations tell it again, and two persons end that before there is work.
//!
//! ```text
//!   copy ── work goes on ──► lost: restored from the copy ── stations tell ──► ended by two persons
//!                                                                               │
//!              what the authority outside issued in between is in no book: people have it revoked
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use central::CentralError;
use jiff::Timestamp;

use super::later::Later;
use super::play::Play;
use crate::Failure;
use crate::installation::actor;

/// After how many milliseconds people try again to end what is not ended yet.
const AGAIN: u64 = 60_000;
/// How far apart copy and loss are at most, in milliseconds.
const APART: u64 = 15 * 60_000;
/// So many numbers as no simulation gives between a copy and the loss.
const PASS_OVER: u32 = 1_000;

/// A copy of the centre's books, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    file: PathBuf,
    at: Timestamp,
    /// When the books were set back to it.
    restored: Option<Timestamp>,
    is_ended: bool,
}

impl Copied {
    /// Returns between which moments everything was forgotten.
    pub(super) fn forgotten(&self) -> Option<(Timestamp, Timestamp)> {
        self.restored.map(|restored| (self.at, restored))
    }
}

impl Play<'_> {
    /// Copies the centre's books, which are lost some time after it, as the only ones of a simulation.
    pub(super) fn copy_centre(&mut self) -> Result<(), Failure> {
        if self.copied.is_some() {
            return Ok(());
        }
        let file = self.centre.store.with_file_name("copy.db");
        let copied = self.centre.with(async |central| {
            let administrator = actor("administrator");
            central.back_up(&administrator, &file).await?;
            Ok(())
        });
        if copied.transpose()?.is_some() {
            self.note("the centre's books are copied".into());
            self.copied = Some(Copied {
                file,
                at: self.centre.now(),
                restored: None,
                is_ended: false,
            });
            let after = 1_000 + self.dice.throw(APART);
            self.plan(after, Later::Restore);
        }
        Ok(())
    }

    /// Loses the centre, and sets it back to its copy.
    pub(super) fn restore_centre(&mut self) -> Result<(), Failure> {
        let Some(copied) = self.copied.as_mut() else {
            return Ok(());
        };
        self.centre.stop();
        let store = &self.centre.store;
        for beside in ["db-wal", "db-shm"] {
            let beside = store.with_extension(beside);
            if beside.exists() {
                fs::remove_file(beside)?;
            }
        }
        fs::copy(&copied.file, store)?;
        copied.restored = Some(self.centre.now());
        self.centre.mark_restored(copied.at, PASS_OVER)?;
        self.figures.restored += 1;
        self.note("the centre is lost, and restored from its copy".into());
        self.centre.start()?;
        self.plan(AGAIN, Later::Reconcile);
        Ok(())
    }

    /// Has two persons end the reconciliation, or try it again later.
    pub(super) fn reconcile_centre(&mut self) -> Result<(), Failure> {
        let ended = self.centre.with(async |central| {
            let (officer, none) = (actor("officer"), BTreeSet::new());
            let ended = central.end_reconciliation(&officer, "keeper", &none, "");
            match ended.await {
                Ok(renumbered) => Ok(Some(renumbered)),
                Err(CentralError::Refused { .. } | CentralError::Conflict { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        });
        match ended.transpose()?.flatten() {
            Some(renumbered) => {
                self.note(format!(
                    "the reconciliation is ended, {renumbered} documents get other numbers"
                ));
                if let Some(copied) = &mut self.copied {
                    copied.is_ended = true;
                }
            }
            None => self.plan(AGAIN, Later::Reconcile),
        }
        Ok(())
    }

    /// Does what is still to be done for a restored centre, where all is to be mended.
    pub(super) fn end_restoration(&mut self) {
        let is_open = |copied: &Copied| copied.restored.is_some() && !copied.is_ended;
        if self.copied.as_ref().is_some_and(is_open) {
            self.plan(AGAIN, Later::Reconcile);
        }
    }
}
