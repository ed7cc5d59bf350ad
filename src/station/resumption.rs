//! Going on with the documents that were in work when the station stopped.
//!
//! ```text
//! start ─► is every chip that was identified still in its reader?
//!            │ no: by the journal alone, the blank is spoiled or untouched
//!            ▼ yes
//!          shift ─► does the centre still give this lease to this slot? ── no: as above
//!                     │ yes
//!                     ▼
//!                   each chip: behind what the journal says, as far as its profile lets it
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use api::{Actor, ApiError, BlankEnd, ConfirmedStage, JournalLine, Lease, LeaseRequest};
use card::Channel;
use document::DocumentNumber;
use perso::{Inspector, JournalEntry, Moment, Past};
use profile::Plan;
use reader::{LOOKING, ReaderError};
use uuid::Uuid;

use crate::catalogue::Catalogue;
use crate::drive::Notebook;
use crate::error::{StationError, chain};
use crate::event::{Happening, Spent};
use crate::journal::{BOOTED, Journal, OpenRun, TAKEN_OVER};
use crate::key_change;
use crate::readers::{CardWatch, ReaderService};
use crate::slot::{Making, OTHERS_WAIT, Slot};
use crate::station::SlotConfig;

/// How the line is called that says that a document was gone on with.
const STEP: &str = "resume";

/// What became of a document that was in work when the station stopped, at its start.
pub(crate) struct Sorted {
    /// To be gone on with, by the name of its slot.
    pub(crate) to_go_on: BTreeMap<String, OpenRun>,
    /// To be settled by the journal alone, and why.
    pub(crate) to_settle: Vec<(OpenRun, String)>,
}

/// Identifies the cards at the slots of the documents that were in work, and sorts these: whose chips
/// all lie where they lay may be gone on with.
///
/// # Errors
/// [`StationError::Journal`].
pub(crate) fn sort(
    journal: &Journal,
    readers: &dyn ReaderService,
    slots: &[SlotConfig],
    catalogue: &Catalogue,
) -> Result<Sorted, StationError> {
    let mut sorted = Sorted {
        to_go_on: BTreeMap::new(),
        to_settle: Vec::new(),
    };
    for run in journal.open_runs()? {
        let lines = journal.lines(run.lease)?;
        let slot = slots.iter().find(|slot| slot.name == run.slot);
        let is_taken = sorted.to_go_on.contains_key(&run.slot);
        let why_not = match slot {
            None => Some(format!("the station has no slot \"{}\" any more", run.slot)),
            Some(_) if run.document.is_none() => {
                Some("it was begun by an earlier version".to_owned())
            }
            Some(_) if is_taken => Some("another document is in work at its slot".to_owned()),
            Some(slot) if slot.printer.is_some() => {
                Some("its card was inside the printer, and is rejected".to_owned())
            }
            Some(slot) => lies_there(readers, catalogue, slot, &lines).err(),
        };
        match why_not {
            None => drop(sorted.to_go_on.insert(run.slot.clone(), run)),
            Some(why) => sorted.to_settle.push((run, why)),
        }
    }
    Ok(sorted)
}

/// Demands that each chip which was identified lies in its reader.
pub(crate) fn lies_there(
    readers: &dyn ReaderService,
    catalogue: &Catalogue,
    slot: &SlotConfig,
    lines: &[JournalLine],
) -> Result<(), String> {
    for (product, serial) in identified(lines) {
        let mut places = slot.chips.iter();
        let place = places
            .find(|place| place.product == product)
            .ok_or_else(|| format!("the slot has no reader for \"{product}\" any more"))?;
        let chip = catalogue.chip(product).map_err(|error| chain(&error))?;
        let held = readers.open(&place.reader, LOOKING);
        let mut held = held.map_err(|error| {
            format!(
                "chip {serial} is not reached in \"{}\": {}",
                place.reader,
                chain(&error)
            )
        })?;
        let identity = Inspector::new(&chip, &mut held.channel).identify();
        match identity.map(|identity| identity.serial) {
            Ok(Some(found)) if found == serial => {}
            Ok(_) => return Err(format!("another card lies in \"{}\"", place.reader)),
            Err(error) => {
                return Err(format!(
                    "chip {serial} does not say who it is: {}",
                    chain(&error)
                ));
            }
        }
    }
    Ok(())
}

/// Returns product and serial number of the chips that were identified.
fn identified(lines: &[JournalLine]) -> BTreeMap<&str, &str> {
    let lines = lines.iter().filter(|line| line.step == "identify");
    lines
        .filter_map(|line| {
            let of = |name: &str| line.evidence.get(name).map(String::as_str);
            Some((of("product")?, of("chip")?))
        })
        .collect()
}

/// Returns what was written down of a plan's chip: its serial number, and its steps.
pub(crate) fn past_of(lines: &[JournalLine], plan: &Plan) -> Option<(String, Past)> {
    let serial = *identified(lines).get(&*plan.chip.name)?;
    let mut past = Past::default();
    let own = |line: &JournalLine| line.evidence.get("chip").is_some_and(|chip| chip == serial);
    for line in lines {
        if [TAKEN_OVER, BOOTED].contains(&&*line.step) {
            // Of what another station did, or a machine that lost its power, the last lines may be missing.
            past.suppose(plan);
        }
        if !own(line) {
            continue;
        }
        let moment = match &*line.moment {
            JournalLine::INTENT => Moment::Intent,
            JournalLine::WITHDRAWN => Moment::Withdrawn,
            _ => Moment::Outcome,
        };
        past.note(&line.step, moment, &line.evidence);
    }
    Some((serial.to_owned(), past))
}

/// Asks a chip what became of a change of its keys that was cut off, and writes it down. Where the chip
/// does not say so clearly, the change stays open, and nothing goes on behind it.
///
/// # Errors
/// [`StationError::Notebook`].
pub(crate) fn settle_keys(
    plan: &Plan,
    channel: &mut dyn Channel,
    (serial, past): (&str, &mut Past),
    notebook: &mut dyn Notebook,
) -> Result<(), StationError> {
    let Some((change, under)) = past.open_key_change(plan) else {
        return Ok(());
    };
    let held = key_change::ask(&plan.chip, channel);
    let mut write = |entry: &JournalEntry| {
        let written = notebook.write(entry);
        written.map_err(|reason| StationError::Notebook { reason })
    };
    write(&held.entry(serial))?;
    let Some(is_done) = held.tells(change, under) else {
        return Ok(());
    };
    if is_done {
        let found = "the chip holds the new keys".to_owned();
        write(&JournalEntry {
            step: change.name(),
            moment: Moment::Outcome,
            evidence: BTreeMap::from([("chip", serial.to_owned()), ("found", found)]),
        })?;
    }
    past.settle(&change.name(), is_done);
    Ok(())
}

/// Takes in what the centre has of a chip's sealed stages: of one that was cut off behind their answers,
/// the end is written down now.
///
/// # Errors
/// [`StationError::Notebook`].
pub(crate) fn settle_sealed(
    plan: &Plan,
    confirmed: &[ConfirmedStage],
    (serial, past): (&str, &mut Past),
    notebook: &mut dyn Notebook,
) -> Result<(), StationError> {
    let own = |one: &&ConfirmedStage| one.chip.eq_ignore_ascii_case(serial);
    for one in confirmed.iter().filter(own) {
        let Some(mut evidence) = past.confirm(plan, &one.stage) else {
            continue;
        };
        let found = "the centre has the chip's answers".to_owned();
        evidence.extend([("chip", serial.to_owned()), ("found", found)]);
        let entry = JournalEntry {
            step: one.stage.clone(),
            moment: Moment::Outcome,
            evidence,
        };
        let written = notebook.write(&entry);
        written.map_err(|reason| StationError::Notebook { reason })?;
    }
    Ok(())
}

/// How the way to going on ended.
enum Asked {
    /// The lease is still the slot's.
    Given(Box<Lease>),
    /// It is over.
    Over(String),
    /// The card was moved to another station.
    Moved(ApiError),
    /// The station stops, or the shift has changed: nothing is decided.
    Later,
}

impl Slot {
    /// Goes on with the document that was in work at this slot, or settles it by the journal.
    pub(crate) fn go_on(
        &self,
        readers: &dyn CardWatch,
        actor: &Actor,
        run: OpenRun,
    ) -> Result<(), StationError> {
        let Some(reader) = self.config.chips.first().map(|chip| chip.reader.as_str()) else {
            return self.give_up(actor, &run, "the slot has no reader any more");
        };
        let stop = || self.stopping() || self.on_shift().as_ref() != Some(actor);
        let insertion = match readers.wait_for_card(reader, OTHERS_WAIT, &stop) {
            Ok(insertion) => insertion,
            Err(ReaderError::NoCardCame { .. }) if stop() => {
                self.interrupted.replace(Some(run));
                return Ok(());
            }
            Err(ReaderError::NoCardCame { .. }) => {
                return self.give_up(actor, &run, "its card is not in the slot any more");
            }
            Err(error) => {
                self.interrupted.replace(Some(run));
                return Err(error.into());
            }
        };
        self.wait_for_others(readers, insertion, &stop)?;
        let lines = self.journal().lines(run.lease)?;
        let (service, catalogue) = (&*self.shared.readers, &self.catalogue);
        if let Err(why) = lies_there(service, catalogue, &self.config, &lines) {
            return self.give_up(actor, &run, &why);
        }
        let here = || {
            let gone = readers.wait_for_removal(reader, insertion, Duration::ZERO, &|| true);
            gone.map(|gone| !gone)
        };
        let (done, serves_again) = match self.ask_again(actor, &run, &stop, &here)? {
            Asked::Later => {
                self.interrupted.replace(Some(run));
                return Ok(());
            }
            // A blank that was put there for this document, and was not touched, serves another.
            Asked::Over(why) => {
                let given_up = self.give_up(actor, &run, &why);
                (given_up, !self.journal().is_touched(run.lease)?)
            }
            Asked::Moved(error) => {
                let given_up = self.give_up(actor, &run, &error.to_string());
                (given_up.and(Err(error.into())), false)
            }
            Asked::Given(lease) => {
                let entry = JournalEntry {
                    step: STEP.into(),
                    moment: Moment::Outcome,
                    evidence: BTreeMap::new(),
                };
                let written = self.journal().notebook(run.lease).write(&entry);
                written.map_err(|reason| StationError::Notebook { reason })?;
                (
                    self.make(actor, &lease, Making::Behind(&lines)).map(drop),
                    false,
                )
            }
        };
        self.leave(readers, (reader, insertion), done, serves_again)
    }

    /// Asks the centre for the lease again, as long as the card lies there.
    fn ask_again(
        &self,
        actor: &Actor,
        run: &OpenRun,
        stop: &dyn Fn() -> bool,
        here: &dyn Fn() -> Result<bool, ReaderError>,
    ) -> Result<Asked, StationError> {
        let chips = self.config.chips.iter();
        let request = LeaseRequest {
            environment: self.shared.environment,
            slot: self.config.name.clone(),
            products: chips.map(|chip| chip.product.clone()).collect(),
            article: self.config.article.clone(),
            office: self.shared.office.clone(),
            chips: Vec::new(),
            // No other one: it would be leased for a blank that has this one on it.
            among: vec![run.document.unwrap_or(Uuid::nil())],
            again: Some(run.lease),
            printer: None,
        };
        loop {
            if stop() {
                return Ok(Asked::Later);
            }
            if !here()? {
                return Ok(Asked::Over("its card was taken out".to_owned()));
            }
            let asking = self.shared.centre.lease(actor, &request);
            return Ok(match self.shared.wait(asking) {
                Err(ApiError::Unavailable { reason }) => {
                    self.tell(Happening::CentreAway { reason });
                    self.pause();
                    continue;
                }
                Ok(Some(lease)) if lease.id == run.lease => Asked::Given(Box::new(lease)),
                Err(error @ ApiError::Moved { .. }) => Asked::Moved(error),
                Ok(_) => Asked::Over("its lease is over at the centre".to_owned()),
                Err(error) => Asked::Over(format!("the centre does not give its lease: {error}")),
            });
        }
    }

    /// Settles a document that was in work by what the journal has of it.
    pub(crate) fn give_up(
        &self,
        actor: &Actor,
        run: &OpenRun,
        why: &str,
    ) -> Result<(), StationError> {
        let end = self.journal().settle(run.lease, Some(why))?;
        self.told_end(run, end);
        self.send_reports(actor)
    }

    fn told_end(&self, run: &OpenRun, end: BlankEnd) {
        let number: Option<DocumentNumber> = run.number;
        self.tell(Happening::Finished {
            number: number.map(|number| number.to_string()).unwrap_or_default(),
            document: run.document.unwrap_or_default(),
            end,
            chips: Vec::new(),
            certificates: 0,
            milliseconds: 0,
            spent: Spent::default(),
        });
    }
}

#[cfg(test)]
#[path = "../../tests/station/resumption.rs"]
mod over_chips;
