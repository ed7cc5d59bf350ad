//! A slot of readers with a feeder: blanks come without a hand, and go to the output or to the reject box.
//!
//! ```text
//!   nothing lies there? ─► feed ─► the reader sees it ─► (as where a person put it in)
//!        │ a card that was not fed now                        ├─ finished ──► output
//!        ▼                                                    └─ otherwise ─► reject box
//!      a person looks
//! ```
//!
//! After an answer that was lost, a jam or unknown words nobody knows where the blank is: a person looks
//! before another is fed.

use std::time::Duration;

use print::{Bin, FeederError};
use reader::{Insertion, ReaderError};

use crate::error::{StationError, chain};
use crate::event::Happening;
use crate::printed::Round;
use crate::readers::CardWatch;
use crate::slot::{OTHERS_WAIT, Slot};

/// How a blank lies before a slot's readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// It was fed now.
    Now,
    /// It was fed before, and no document was there for it yet.
    Before,
    /// None lies there.
    Nothing,
}

impl Slot {
    /// Has the feeder bring a blank, where none lies there.
    pub(crate) fn bring(
        &self,
        readers: &dyn CardWatch,
        reader: &str,
    ) -> Result<Brought, StationError> {
        let lies_there = |patience| match readers.wait_for_card(reader, patience, &|| false) {
            Ok(_) => Ok(true),
            Err(ReaderError::NoCardCame { .. }) => Ok(false),
            Err(error) => Err(StationError::from(error)),
        };
        let lies = lies_there(Duration::ZERO)?;
        match (self.fed.get(), lies) {
            (true, true) => return Ok(Brought::Before),
            (true, false) => {
                self.fed.set(false);
                self.wait_for_person(format!(
                    "the blank that was fed is not in \"{reader}\" any more: account for it"
                ));
                return Ok(Brought::Nothing);
            }
            (false, true) => {
                self.wait_for_person(format!(
                    "a card lies in \"{reader}\" that the feeder did not bring now: take it out, and account for it"
                ));
                return Ok(Brought::Nothing);
            }
            (false, false) => {}
        }
        self.arm_scanner()?;
        if let Err(error) = self.order_feeder(None) {
            self.told_by_feeder(&error);
            return Ok(Brought::Nothing);
        }
        if !lies_there(OTHERS_WAIT)? {
            self.wait_for_person(format!(
                "the feeder says that it fed a blank, and \"{reader}\" sees none: look for it, and account for it"
            ));
            return Ok(Brought::Nothing);
        }
        self.fed.set(true);
        Ok(Brought::Now)
    }

    /// Has the feeder move out what lies there: a finished document to the output, anything else to the
    /// reject box.
    pub(crate) fn put_out(
        &self,
        readers: &dyn CardWatch,
        (reader, insertion): (&str, Insertion),
        round: Round,
    ) -> Result<(), StationError> {
        let bin = match round {
            Round::Made => Bin::Good,
            Round::Idle | Round::Failed(_) => Bin::Reject,
        };
        self.fed.set(false);
        let moved = loop {
            match self.order_feeder(Some(bin)) {
                // It lies there still, and goes where it belongs once the feeder is there again.
                Err(error @ FeederError::Unreachable { .. }) if !self.stopping() => {
                    let reason = chain(&error);
                    self.tell(Happening::OutOfService { reason });
                    self.pause();
                }
                moved => break moved,
            }
        };
        match moved {
            Err(error) => self.told_by_feeder(&error),
            Ok(()) => {
                let stop = || self.stopping();
                let is_gone = readers.wait_for_removal(reader, insertion, OTHERS_WAIT, &stop)?;
                if !is_gone && !stop() {
                    self.wait_for_person(format!(
                        "the feeder says that the card is out, and \"{reader}\" still sees it: take it out, and account for it"
                    ));
                }
            }
        }
        self.count(round);
        Ok(())
    }

    /// Orders a blank, or that the one that lies there goes out.
    fn order_feeder(&self, out: Option<Bin>) -> Result<(), FeederError> {
        let Some(mut feeder) = self.feeder.take() else {
            return Ok(());
        };
        let done = match out {
            None => feeder.feed(),
            Some(bin) => feeder.eject(bin),
        };
        self.feeder.set(Some(feeder));
        done
    }

    /// Says what is wrong with the feeder. What may come back by itself is tried again; for anything else a
    /// person comes.
    fn told_by_feeder(&self, error: &FeederError) {
        let reason = chain(error);
        match error {
            FeederError::Unreachable { .. } => {
                self.tell(Happening::OutOfService { reason });
                self.pause();
            }
            _ => self.wait_for_person(reason),
        }
    }
}
