//! Going on with a document that was begun at another station, whose card was carried here: with that
//! station's journal from the centre, and by the rules of a restart.
//!
//! ```text
//! lease, with a journal ─► attempts counted ─► journal is this one's too ─► its chips lie here?
//!                                                                             │ no: settled by it
//!                                                                             ▼ yes
//!                                            behind what it says, and behind what it may lack
//! ```

use api::{Actor, BegunElsewhere, Lease};
use reader::AttemptFile;

use crate::attempted::told;
use crate::budget;
use crate::error::{StationError, chain};
use crate::journal::OpenRun;
use crate::resumption::lies_there;
use crate::slot::{Making, Slot};

impl Slot {
    /// Makes the document of a lease of the blank that lies here, or goes on with it where it was begun
    /// elsewhere, and reports it.
    pub(crate) fn make_here(&self, actor: &Actor, lease: &Lease) -> Result<(), StationError> {
        match &lease.begun {
            None => self.make(actor, lease, Making::Anew).map(drop),
            Some(begun) => self.make_behind(actor, lease, begun),
        }
    }

    fn make_behind(
        &self,
        actor: &Actor,
        lease: &Lease,
        begun: &BegunElsewhere,
    ) -> Result<(), StationError> {
        // Before it is this journal's: who is killed between the two counts once too often.
        self.count_attempts(begun)?;
        let slot = &*self.config.name;
        let from = (&*begun.station, &*begun.journal);
        if !self.journal().take_over(lease, slot, from)? {
            self.journal().settle(lease.id, None)?;
            return self.send_reports(actor);
        }
        let lines = self.journal().lines(lease.id)?;
        let (readers, catalogue) = (&*self.shared.readers, &self.catalogue);
        if let Err(why) = lies_there(readers, catalogue, &self.config, &lines) {
            let run = OpenRun {
                lease: lease.id,
                document: Some(lease.identity),
                number: Some(lease.record.number),
                slot: slot.to_owned(),
            };
            return self.give_up(actor, &run, &why);
        }
        self.make(actor, lease, Making::Behind(&lines)).map(drop)
    }

    /// Counts the attempts at the secrets of the chips that lie here: those that were told, and one more
    /// at each.
    fn count_attempts(&self, begun: &BegunElsewhere) -> Result<(), StationError> {
        let failed = |error: &dyn std::error::Error| StationError::Notebook {
            reason: chain(error),
        };
        let mut ledger =
            AttemptFile::open(&self.shared.attempts).map_err(|error| failed(&error))?;
        for place in &self.config.chips {
            let chip = self.catalogue.chip(&place.product)?;
            let (serial, _) = self.see(&chip)?;
            let told = told(&begun.journal, &serial);
            budget::take_over(&mut ledger, &chip, &serial, &told)
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}
