//! A slot with a printer: each blank is fed for a document that is leased already, its chips are
//! written and its faces printed inside, and it comes out finished or rejected.
//!
//! ```text
//!   lease ─┬─► render ──────────────────────┐
//!          └─► feed ─► who lies here? ──────┴─► chips ─► print ─► good
//!                                                 └── any fault ──► reject, accounted, never again
//! ```
//!
//! Where the printer's profile says that chips are reached after printing, the faces come first.

use std::collections::BTreeMap;
use std::error::Error;
use std::slice;
use std::time::Instant;

use api::{Actor, ApiError, ClaimRequest, JournalLine, Lease, ReportedChip};
use perso::{JournalEntry, Moment, Progress};
use profile::Plan;
use reader::ReaderError;

use crate::blank::BlankRun;
use crate::drive::Notebook;
use crate::error::{StationError, chain};
use crate::event::Happening;
use crate::press::{Press, Trouble};
use crate::readers::CardWatch;
use crate::slot::{Making, OTHERS_WAIT, Slot};
use crate::station::SlotPrinter;

/// How the lines are called that say what was printed, and where the card went.
const PRINT: &str = JournalLine::PRINT_FACES;
const DELIVER: &str = "deliver card";
const REJECT: &str = "reject card";

/// After so many blanks in a row that came to nothing a person looks before another is fed.
const MOST_IN_A_ROW: u32 = 3;

/// What came of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Round {
    /// Nothing was begun.
    #[default]
    Idle,
    /// A document was made.
    Made,
    /// A blank came to nothing, and why.
    Failed(String),
}

impl Slot {
    /// One document, from its lease to the printer's output.
    pub(crate) fn print_round(
        &self,
        readers: &dyn CardWatch,
        actor: &Actor,
        printer: &SlotPrinter,
    ) -> Result<(), StationError> {
        let mut press = match self.press.take() {
            Some(press) => press,
            None => Press::open(&*printer.place, &printer.profile, &self.shared.roster)?,
        };
        let round = self.print_next(readers, actor, &mut press);
        if press.is_loaded() {
            // Whatever happened, the next document gets another blank. What the printer says to this is
            // its trouble.
            let _ = press.reject();
        }
        match press.trouble().cloned() {
            None => {
                self.press.set(Some(press));
                self.count(round?);
            }
            Some(Trouble::Lost(reason)) => {
                self.tell(Happening::OutOfService { reason });
                self.pause();
                round?;
            }
            Some(Trouble::Person(reason)) => {
                self.wait_for_person(reason);
                round?;
            }
        }
        Ok(())
    }

    /// Makes the next document, where there is one.
    fn print_next(
        &self,
        readers: &dyn CardWatch,
        actor: &Actor,
        press: &mut Press,
    ) -> Result<Round, StationError> {
        let stop = || self.stopping() || self.on_shift().as_ref() != Some(actor);
        let mut chips = Vec::new();
        // Only what is numbered by its blank needs the blank first: any other waits in the hopper until
        // there is a document for it.
        if self.follows_blank()? {
            let fed = self.feed(press);
            match fed.and_then(|()| self.serials_inside(readers, press)) {
                Ok(serials) => chips = serials,
                Err(error) => return Ok(Round::Failed(chain(&error))),
            }
        }
        match self.lease(actor, &stop, &|| Ok(true), chips) {
            Ok(None) => Ok(Round::Idle),
            Ok(Some(lease)) => {
                let failure = self.make(actor, &lease, Making::Inside(press, readers))?;
                Ok(failure.map_or(Round::Made, Round::Failed))
            }
            // It is about the blank inside.
            Err(StationError::Centre(
                error @ (ApiError::NotOneBlank { .. } | ApiError::Refused { .. }),
            )) if press.is_loaded() => Ok(Round::Failed(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Counts the blanks that came to nothing one after another, and waits for a person when there were
    /// too many.
    pub(crate) fn count(&self, round: Round) {
        match round {
            Round::Idle => {}
            Round::Made => self.failures.set(0),
            Round::Failed(cause) => {
                let failures = self.failures.get() + 1;
                self.failures.set(failures % MOST_IN_A_ROW);
                if failures == MOST_IN_A_ROW {
                    self.wait_for_person(format!(
                        "{failures} blanks in a row came to nothing, the last one: {cause}; mend it, and start the slot again"
                    ));
                }
            }
        }
    }

    /// Says what a person is needed for, until the slot is started again.
    pub(crate) fn wait_for_person(&self, reason: String) {
        let seen = self.order.starts();
        while !self.stopping() && self.order.starts() == seen {
            self.tell(Happening::NeedsPerson {
                reason: reason.clone(),
            });
            self.pause();
        }
    }

    /// Makes a document inside the printer. Whatever fails, its card is rejected.
    pub(crate) fn attempt_inside(
        &self,
        actor: &Actor,
        lease: &Lease,
        (press, readers): (&mut Press, &dyn CardWatch),
        done: &mut BlankRun,
    ) -> Result<(), Box<dyn Error>> {
        let begun = Instant::now();
        let made = self.make_inside(actor, lease, (press, readers), done);
        let spent = &mut done.spent;
        let beside = spent.card + spent.centre + spent.authority;
        spent.printer = begun.elapsed().saturating_sub(beside);
        done.touched |= press.is_marked();
        if made.is_err() && press.is_loaded() {
            let rejected = press.reject();
            let found = match &rejected {
                Ok(()) => "it is in the reject box".to_owned(),
                Err(error) => chain(error),
            };
            self.note(lease, press, (REJECT, Moment::Outcome), &[("found", found)])?;
        }
        made
    }

    fn make_inside(
        &self,
        actor: &Actor,
        lease: &Lease,
        (press, readers): (&mut Press, &dyn CardWatch),
        done: &mut BlankRun,
    ) -> Result<(), Box<dyn Error>> {
        let plans = self.catalogue.plans(lease)?;
        let faces = self.faces.as_ref().ok_or_else(|| StationError::NoPrinter {
            slot: self.config.name.clone(),
        })?;
        let environment = self.shared.environment;
        let steps: usize = plans.iter().map(Plan::len).sum();
        // Besides: fed, printed, out.
        let total = steps + 3;
        let at = |step: &str, done: usize| {
            let step = step.to_owned();
            self.tell(Happening::Progress { step, done, total });
        };
        at("feed", 0);
        let rendered = std::thread::scope(|scope| {
            let rendering = scope.spawn(|| faces.render(lease, environment));
            if !press.is_loaded() {
                self.feed(press)?;
            }
            // Before anything is done to the blank it is known that its faces can be printed.
            let rendered = rendering.join().map_err(|_| StationError::Rendering)?;
            Ok::<_, Box<dyn Error>>(rendered?)
        })?;
        let rendered = rendered.faces();
        let serials = self.identify_inside(readers, press, &plans, done)?;
        let mut behind = 1;
        if press.prints_first() {
            self.claim_inside(actor, lease, &serials)?;
            at(PRINT, behind);
            self.print_inside(lease, press, rendered)?;
            behind += 1;
        }
        for (place, plan) in plans.into_iter().enumerate() {
            let length = plan.len();
            self.bring_chip(readers, press, &plan)?;
            let mut chip = self.reach(plan, lease, None)?;
            let mut failed = self.identify_all(lease, slice::from_mut(&mut chip));
            if failed.is_none() && chip.serial().as_ref() != serials.get(place) {
                failed = Some(StationError::OtherBlank.into());
            }
            if failed.is_none() {
                let others = serials.iter().enumerate();
                let others = others.filter(|(other, _)| *other != place);
                let beside = others.map(|(_, serial)| serial.clone()).collect();
                let mut watch = |progress: Progress| {
                    let step = progress.step;
                    let done = behind + progress.done;
                    self.tell(Happening::Progress { step, done, total });
                };
                let chip = vec![(&mut chip, beside)];
                let (took, fault) = self.run_chips(actor, lease, chip, &mut watch);
                done.spent += took;
                failed = fault;
            }
            done.take(place, &chip);
            if let Some(fault) = failed {
                return Err(fault);
            }
            behind += length;
        }
        if !press.prints_first() {
            at(PRINT, behind);
            self.print_inside(lease, press, rendered)?;
            behind += 1;
        }
        at(DELIVER, behind);
        self.note(lease, press, (DELIVER, Moment::Intent), &[])?;
        press.deliver()?;
        let ribbon = press.ribbon();
        self.note(lease, press, (DELIVER, Moment::Outcome), &ribbon)?;
        Ok(())
    }

    /// Takes a blank from the hopper, and reads what is printed on it.
    fn feed(&self, press: &mut Press) -> Result<(), StationError> {
        self.arm_scanner()?;
        press.feed()?;
        self.scan()
    }

    /// Prints the faces. It is written down before and after: a card that may show a person is never
    /// taken for a blank.
    fn print_inside(
        &self,
        lease: &Lease,
        press: &mut Press,
        faces: print::Faces<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let sides: Vec<_> = faces.sides().map(|(side, _)| side.to_string()).collect();
        let sides = sides.join(", ");
        // Whose ribbon shows the card: a restored centre may not know the lease.
        let slot = (JournalLine::SLOT, self.config.name.clone());
        let evidence = [("sides", sides), slot];
        self.note(lease, press, (PRINT, Moment::Intent), &evidence)?;
        press.print(faces)?;
        self.note(lease, press, (PRINT, Moment::Outcome), &[])?;
        Ok(())
    }

    /// Says which blank it is before it is printed on: one that is not in stock here is refused.
    fn claim_inside(
        &self,
        actor: &Actor,
        lease: &Lease,
        serials: &[String],
    ) -> Result<(), StationError> {
        let Some((chip, beside)) = serials.split_first() else {
            return Ok(());
        };
        let request = ClaimRequest {
            lease: lease.id,
            chip: chip.clone(),
            beside: beside.to_vec(),
            printed: self.scanned.borrow().clone(),
        };
        let claiming = self.shared.centre.claim(actor, &request);
        Ok(self.shared.wait(claiming)?)
    }

    /// Finds out which chips are on the blank inside, in the order of the plans.
    fn identify_inside(
        &self,
        readers: &dyn CardWatch,
        press: &mut Press,
        plans: &[Plan],
        done: &mut BlankRun,
    ) -> Result<Vec<String>, Box<dyn Error>> {
        let mut serials = Vec::new();
        // From the last to the first: the card is then where it is written first.
        for plan in plans.iter().rev() {
            self.bring_chip(readers, press, plan)?;
            let (serial, os) = self.see(&plan.chip)?;
            // Also where a later one says nothing, it is known which blank it was.
            done.chips.insert(
                0,
                ReportedChip {
                    interface: plan.chip.interface.to_string(),
                    product: plan.chip.name.clone(),
                    serial: Some(serial.clone()),
                    os,
                    commands: 0,
                    bytes: 0,
                },
            );
            serials.insert(0, serial);
        }
        Ok(serials)
    }

    /// Reads the serial numbers of the chips inside, in the order of the slot's readers.
    fn serials_inside(
        &self,
        readers: &dyn CardWatch,
        press: &mut Press,
    ) -> Result<Vec<String>, StationError> {
        let mut serials = Vec::new();
        for place in &self.config.chips {
            let chip = self.catalogue.chip(&place.product)?;
            press.bring_to(chip.interface)?;
            self.wait_for_chip(readers, &place.reader)?;
            serials.push(self.see(&chip)?.0);
        }
        Ok(serials)
    }

    /// Brings the card to where the chip of a plan is reached, and waits until its reader sees it.
    fn bring_chip(
        &self,
        readers: &dyn CardWatch,
        press: &mut Press,
        plan: &Plan,
    ) -> Result<(), StationError> {
        press.bring_to(plan.chip.interface)?;
        let place = self.place_of(&plan.chip.name)?;
        self.wait_for_chip(readers, &place.reader)
    }

    fn wait_for_chip(&self, readers: &dyn CardWatch, reader: &str) -> Result<(), StationError> {
        match readers.wait_for_card(reader, OTHERS_WAIT, &|| false) {
            Ok(_) => Ok(()),
            Err(error @ ReaderError::NoCardCame { .. }) => Err(StationError::Unread {
                reader: reader.to_owned(),
                reason: chain(&error),
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down what the printer does with a document's card.
    fn note(
        &self,
        lease: &Lease,
        press: &Press,
        (step, moment): (&str, Moment),
        more: &[(&'static str, String)],
    ) -> Result<(), StationError> {
        let mut evidence: BTreeMap<_, _> = more.iter().cloned().collect();
        evidence.insert("printer", press.serial().to_owned());
        evidence.insert("printer-profile", press.profile().to_owned());
        let entry = JournalEntry {
            step: step.into(),
            moment,
            evidence,
        };
        let written = self.notebook(lease).write(&entry);
        written.map_err(|reason| StationError::Notebook { reason })
    }
}
