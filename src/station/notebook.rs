//! The journal of one lease as a slot writes it: here first, and to the centre.

use api::{Lease, LeaseId};
use perso::JournalEntry;
use profile::Plan;

use crate::bridge::insist;
use crate::drive::Notebook;
use crate::error::chain;
use crate::parking::SlotParking;
use crate::slot::Slot;
use crate::telling::Awaited;

/// The journal of one lease, locked for one entry at a time.
pub(crate) struct SlotNotebook<'a> {
    slot: &'a Slot,
    lease: LeaseId,
    /// Which lines the card waits for until the centre has them, and where it is held meanwhile.
    awaited: Option<(Awaited, SlotParking)>,
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
            .then(|| (Awaited::of(plan), SlotParking::of(self, lease)));
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
        let told = shared.wait(insist(within, Some(parking), || {
            shared.telling.tell(self.lease)
        }));
        told.map_err(|error| {
            format!(
                "the centre must have it before it is done: {}",
                chain(&error)
            )
        })
    }
}

impl Notebook for SlotNotebook<'_> {
    fn write(&mut self, entry: &JournalEntry) -> Result<(), String> {
        self.slot.journal().notebook(self.lease).write(entry)?;
        match &self.awaited {
            Some((awaited, parking)) if awaited.is_awaited(entry) => self.await_centre(parking),
            _ => {
                self.slot.shared.telling.nudge();
                Ok(())
            }
        }
    }
}
