//! The journal of one lease as a slot writes it: here first, and to the centre.

use api::{JournalLine, Lease, LeaseId};
use perso::{JournalEntry, Moment};
use profile::Plan;

use crate::bridge::insist;
use crate::drive::Notebook;
use crate::error::chain;
use crate::parking::SlotParking;
use crate::slot::Slot;
use crate::telling::{Lines, Weight};

/// The journal of one lease, locked for one entry at a time.
pub(crate) struct SlotNotebook<'a> {
    slot: &'a Slot,
    lease: LeaseId,
    /// What the lines of the run weigh, and where the card is held while the centre has them not.
    awaited: Option<(Lines, SlotParking)>,
}

impl Slot {
    /// Returns the notebook of a lease.
    pub(crate) fn notebook(&self, lease: &Lease) -> SlotNotebook<'_> {
        SlotNotebook {
            slot: self,
            lease: lease.id,
            awaited: None,
        }
    }

    /// Returns the notebook of a lease for the run of a plan. In a printer nothing is gone on with, and
    /// no card waits.
    pub(crate) fn notebook_for(&self, lease: &Lease, plan: &Plan) -> SlotNotebook<'_> {
        let awaited = (self.config.printer.is_none())
            .then(|| (Lines::of(plan), SlotParking::of(self, lease)));
        SlotNotebook {
            awaited,
            ..self.notebook(lease)
        }
    }
}

impl SlotNotebook<'_> {
    /// Waits until the centre has what is written.
    pub(crate) fn await_centre(&self, parking: &SlotParking) -> Result<(), String> {
        let shared = &self.slot.shared;
        let within = (shared.patience.answer, &*shared.patience.pauses);
        let written = shared.telling.written(self.lease);
        let told = written.and_then(|lines| {
            shared.wait(insist(within, Some(parking), || {
                shared.telling.tell(self.lease, lines)
            }))
        });
        told.map_err(|error| {
            format!(
                "the centre must have it before it is done: {}",
                chain(&error)
            )
        })
    }
}

impl SlotNotebook<'_> {
    /// Writes down that the step which was announced is not begun, where it would have been the first that
    /// lasts: else a blank that nothing was done to were spoiled for a centre that was away.
    fn withdraw(&self, announced: &JournalEntry) -> Result<(), String> {
        let mut journal = self.slot.journal();
        let lines = journal.lines(self.lease).map_err(|error| chain(&error))?;
        let before = lines.split_last().map_or(&[][..], |(_, before)| before);
        let is_last =
            |line: &JournalLine| line.step == announced.step && line.moment == JournalLine::INTENT;
        if !lines.last().is_some_and(is_last) || JournalLine::begin_anything(before) {
            return Ok(());
        }
        let withdrawn = JournalEntry {
            moment: Moment::Withdrawn,
            ..announced.clone()
        };
        let written = journal.notebook(self.lease).write(&withdrawn);
        drop(journal);
        written
    }
}

impl Notebook for SlotNotebook<'_> {
    fn write(&mut self, entry: &JournalEntry) -> Result<(), String> {
        let weight = self
            .awaited
            .as_ref()
            .map(|(lines, parking)| (lines.weigh(entry), parking));
        if let Some((Weight::Light, _)) = weight {
            return self.slot.journal().write_soon(self.lease, entry);
        }
        self.slot.journal().notebook(self.lease).write(entry)?;
        match weight {
            Some((Weight::Awaited, parking)) => {
                let told = self.await_centre(parking);
                if told.is_err() {
                    self.withdraw(entry)?;
                }
                told
            }
            Some((Weight::Told, _)) => {
                self.slot.shared.telling.nudge(self.lease);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
