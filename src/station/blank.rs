//! One blank in work: all of its chips are reached and identified before anything is done to any, then
//! all are personalized, both at the same time; what is sealed comes in the order of the document profile.
//!
//! ```text
//! reader 1 ─► identify ─┐                      ┌─► claim ─► stages ─► sealed ──┐
//!                       ├─ who lies here now? ─┤                          ▼    ├─► one end for the blank
//! reader 2 ─► identify ─┘                      └─► claim ─► stages ─► sealed ──┘
//! ```

use std::error::Error;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread::{self, ScopedJoinHandle};

use api::{Actor, JournalLine, Lease, ReportedChip};
use card::{Channel, Limits};
use perso::{Assignment, Executor, Fault, Outcome, Progress};
use profile::{ChipProfile, Plan};
use reader::{AttemptFile, LOOKING, Meter};

use crate::bridge::Bridge;
use crate::budget::Budgeted;
use crate::drive::{Lane, Notebook, drive_all, identify, note_identity};
use crate::error::StationError;
use crate::event::{Happening, Spent};
use crate::key_change;
use crate::parking::SlotParking;
use crate::resumption::{past_of, settle_keys, settle_sealed};
use crate::slot::Slot;
use crate::station::SlotChip;

/// What was done to the chips of one blank.
#[derive(Default)]
pub(crate) struct BlankRun {
    pub(crate) chips: Vec<ReportedChip>,
    pub(crate) certificates: usize,
    pub(crate) touched: bool,
    pub(crate) spent: Spent,
}

impl BlankRun {
    /// Takes in how the chip at this place of the blank ended.
    pub(crate) fn take(&mut self, place: usize, chip: &ChipAtHand) {
        if let Work::Over(outcome) = &chip.work {
            self.touched |= outcome.touched;
            self.certificates += outcome.certificates.len();
        }
        let reported = chip.reported();
        match self.chips.get_mut(place) {
            Some(known) => *known = reported,
            None => self.chips.push(reported),
        }
    }
}

/// A chip that is reached.
pub(crate) struct ChipAtHand {
    chip: Arc<ChipProfile>,
    channel: Budgeted<Meter<Box<dyn Channel>>, AttemptFile>,
    limits: Limits,
    work: Work,
}

/// How far the work on a chip is.
enum Work {
    /// Its executor has not ended.
    Open(Box<Executor>),
    /// It ended.
    Over(Box<Outcome>),
}

impl ChipAtHand {
    fn end(&mut self, outcome: Outcome) -> Option<Box<dyn Error>> {
        let mut outcome = outcome;
        let fault = outcome.fault.take();
        // A chip that is personalized and a blank in the books must not go back into stock.
        outcome.touched |= matches!(fault, Some(Fault::AlreadyPersonalized { .. }));
        self.work = Work::Over(Box::new(outcome));
        fault.map(Into::into)
    }

    /// Finds out which chip it is. Returns how it ended where it does not say.
    fn identify(&mut self) -> Option<Outcome> {
        match &mut self.work {
            Work::Open(executor) => identify(executor, &mut self.channel, &self.limits),
            Work::Over(outcome) => Some(std::mem::take(&mut **outcome)),
        }
    }

    pub(crate) fn serial(&self) -> Option<String> {
        match &self.work {
            Work::Open(executor) => executor.chip().map(str::to_owned),
            Work::Over(outcome) => outcome.chip.clone(),
        }
    }

    fn reported(&self) -> ReportedChip {
        let traffic = self.channel.inner().traffic();
        let os = match &self.work {
            Work::Open(executor) => executor.os().map(str::to_owned),
            Work::Over(outcome) => outcome.os.clone(),
        };
        ReportedChip {
            interface: self.chip.interface.to_string(),
            product: self.chip.name.clone(),
            serial: self.serial(),
            os,
            commands: traffic.commands,
            bytes: traffic.bytes(),
        }
    }
}

impl Slot {
    /// Personalizes the chips of the blank up to the first fault, behind what the `lines` of an earlier
    /// run say. Whatever happened, `done` names every chip that was reached.
    pub(crate) fn attempt(
        &self,
        actor: &Actor,
        lease: &Lease,
        lines: Option<&[JournalLine]>,
        done: &mut BlankRun,
    ) -> Result<(), Box<dyn Error>> {
        let mut chips = Vec::new();
        let mut fault: Option<Box<dyn Error>> = None;
        // Also behind a chip that fails the others say who they are: else nobody knew what blank
        // it was.
        for plan in self.catalogue.plans(lease)? {
            match self.reach(plan, lease, lines) {
                Ok(chip) => chips.push(chip),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        let failed = self.identify_all(lease, &mut chips);
        fault = fault.or(failed);
        if fault.is_none() {
            let told = chips.iter().try_for_each(|chip| match chip.serial() {
                Some(serial) => self.tell_attempts(lease, &chip.chip, &serial),
                None => Ok(()),
            });
            fault = told.err().map(Into::into);
        }
        if fault.is_none() {
            fault = self.run_all(actor, lease, &mut chips, &mut done.spent);
        }
        for (place, chip) in chips.iter().enumerate() {
            done.take(place, chip);
        }
        fault.map_or(Ok(()), Err)
    }

    /// Opens the reader of a plan's chip.
    pub(crate) fn reach(
        &self,
        plan: Plan,
        lease: &Lease,
        lines: Option<&[JournalLine]>,
    ) -> Result<ChipAtHand, Box<dyn Error>> {
        let place = self.place_of(&plan.chip.name)?;
        let mut card = self.shared.readers.open(&place.reader, LOOKING)?;
        let limits = self.limits(&plan, &place.reader, &mut card)?;
        let ledger = AttemptFile::open(&self.shared.attempts)?;
        let chip = Arc::clone(&plan.chip);
        let mut channel = Budgeted::new(Meter::new(card.channel), ledger, &chip, None, false);
        let mut past = lines.and_then(|lines| past_of(lines, &plan));
        if let Some((serial, past)) = &mut past {
            channel.account_for(serial, &plan);
            let mut notebook = self.notebook(lease);
            settle_keys(&plan, &mut channel, (serial, past), &mut notebook)?;
            settle_sealed(&plan, &lease.confirmed, (serial, past), &mut notebook)?;
        }
        let assignment = Assignment {
            variables: profile::variables(&lease.record),
            subjects: lease.subjects.clone(),
            limits,
            // The books know a blank by its chip: at a station a chip has a number of its own.
            blank: None,
        };
        let atr = channel.atr().to_vec();
        let work = match Executor::new(plan, assignment, &atr, system_random()) {
            Ok(executor) => {
                let past = past.map(|(_, past)| past).unwrap_or_default();
                Work::Open(Box::new(executor.resuming(past)))
            }
            Err(fault) => Work::Over(Box::new(Outcome {
                fault: Some(fault),
                ..Outcome::default()
            })),
        };
        Ok(ChipAtHand {
            chip,
            channel,
            limits,
            work,
        })
    }

    /// Finds the reader of a chip profile.
    pub(crate) fn place_of(&self, product: &str) -> Result<&SlotChip, StationError> {
        let mut places = self.config.chips.iter();
        let place = places.find(|place| place.product == product);
        place.ok_or_else(|| StationError::NoReader {
            product: product.to_owned(),
        })
    }

    /// Finds out of all chips at the same time which they are. Returns the first fault in their order.
    pub(crate) fn identify_all(
        &self,
        lease: &Lease,
        chips: &mut [ChipAtHand],
    ) -> Option<Box<dyn Error>> {
        let is_alone = chips.len() < 2 || self.shared.turns.is_some();
        let mut ended = Vec::new();
        if !is_alone {
            thread::scope(|scope| {
                let hands = chips.iter_mut().map(|chip| {
                    let span = tracing::Span::current();
                    let identify = move || span.in_scope(|| chip.identify());
                    thread::Builder::new().spawn_scoped(scope, identify)
                });
                let hands: Vec<_> = hands.collect();
                for hand in hands {
                    ended.push(match hand.map(ScopedJoinHandle::join) {
                        Ok(Ok(ended)) => ended,
                        Ok(Err(panicked)) => resume_unwind(panicked),
                        // Where the machine has no more threads it is asked below.
                        Err(_) => None,
                    });
                }
            });
        }
        ended.resize_with(chips.len(), || None);
        let mut fault = None;
        for (chip, ended) in chips.iter_mut().zip(ended) {
            // Who is known already is asked nothing more.
            let ended = ended.or_else(|| chip.identify());
            let failed = match (ended, &mut chip.work) {
                (Some(ended), _) => chip.end(ended),
                (None, Work::Open(executor)) => {
                    note_identity(executor, &mut self.notebook(lease));
                    None
                }
                (None, Work::Over(_)) => None,
            };
            fault = fault.or(failed);
        }
        fault
    }

    /// Carries the plans out on all chips at the same time, up to the first fault.
    fn run_all(
        &self,
        actor: &Actor,
        lease: &Lease,
        chips: &mut [ChipAtHand],
        spent: &mut Spent,
    ) -> Option<Box<dyn Error>> {
        let mut watch = |Progress { step, done, total }: Progress| {
            self.tell(Happening::Progress { step, done, total });
        };
        let serials: Vec<_> = chips.iter().map(ChipAtHand::serial).collect();
        let blank = chips.iter_mut().enumerate().map(|(place, chip)| {
            let others = serials.iter().enumerate();
            let others = others.filter(|(other, _)| *other != place);
            let beside = others.filter_map(|(_, serial)| serial.clone()).collect();
            (chip, beside)
        });
        let (took, fault) = self.run_chips(actor, lease, blank.collect(), &mut watch);
        *spent += took;
        fault
    }

    /// Carries out the plans of chips, each with the serial numbers of the others on the blank. Returns
    /// the first fault in the order of the chips that is no consequence of another's.
    pub(crate) fn run_chips(
        &self,
        actor: &Actor,
        lease: &Lease,
        chips: Vec<(&mut ChipAtHand, Vec<String>)>,
        watch: &mut dyn FnMut(Progress),
    ) -> (Spent, Option<Box<dyn Error>>) {
        let (sender, answers) = mpsc::channel();
        let answers = self.shared.answers(answers);
        let bridge = Bridge::new(
            self.shared.centre.clone(),
            actor.clone(),
            lease.id,
            self.shared.runtime.clone(),
            sender.clone(),
        )
        .printed(self.scanned.borrow().clone())
        .parked_at(Arc::new(SlotParking::of(self, lease)))
        .patient(self.shared.patience.clone())
        .telling(Arc::clone(&self.shared.telling));
        let mut open: Vec<_> = chips
            .into_iter()
            .filter_map(|(chip, beside)| match &chip.work {
                Work::Open(executor) => {
                    let notebook = self.notebook_for(lease, executor.plan());
                    Some((chip, bridge.clone().beside(beside), notebook))
                }
                Work::Over(_) => None,
            })
            .collect();
        let asks = open.iter().enumerate().map(|(place, (_, bridge, _))| {
            let bridge = bridge.clone().for_chip(place);
            move |id, chip: &str, request| bridge.ask(id, chip.to_owned(), request)
        });
        let mut asks: Vec<_> = asks.collect();
        let (mut lanes, mut channels) = (Vec::new(), Vec::new());
        for ((chip, _, notebook), ask) in open.iter_mut().zip(&mut asks) {
            let ChipAtHand {
                channel,
                limits,
                work: Work::Open(executor),
                ..
            } = &mut **chip
            else {
                continue;
            };
            lanes.push(Lane {
                executor,
                limits: *limits,
                notebook,
                ask,
            });
            channels.push(channel);
        }
        // Threads at the chips move as they like.
        let sender = self.shared.turns.is_none().then_some(&sender);
        let (outcomes, spent) = drive_all(lanes, channels, (&answers, sender), watch);
        let (mut cause, mut consequence) = (None, None);
        let mut unbegun = Vec::new();
        for ((chip, _, mut notebook), outcome) in open.into_iter().zip(outcomes) {
            let is_called_off = matches!(outcome.fault, Some(Fault::CalledOff { .. }));
            unbegun.extend(outcome.keys_asked_for.clone().zip(outcome.chip.clone()));
            let Some(fault) = chip.end(outcome) else {
                continue;
            };
            let fault = match self.probe_keys(lease, chip, &mut notebook) {
                Ok(()) => fault,
                Err(error) => error.into(),
            };
            match is_called_off {
                true => consequence.get_or_insert(fault),
                false => cause.get_or_insert(fault),
            };
        }
        for (step, chip) in unbegun {
            let renounced = self.journal().renounce(lease.id, &step, &chip);
            if let Err(reason) = renounced {
                consequence.get_or_insert(StationError::Notebook { reason }.into());
            }
        }
        (spent, cause.or(consequence))
    }

    /// Asks a chip whose keys were being changed which of them it holds, and writes it down.
    fn probe_keys(
        &self,
        lease: &Lease,
        chip: &mut ChipAtHand,
        notebook: &mut dyn Notebook,
    ) -> Result<(), StationError> {
        let lines = self.journal().lines(lease.id)?;
        let mut cut_off = key_change::cut_off(&lines).into_iter();
        let serial = chip.serial();
        let Some(cut_off) = cut_off.find(|change| Some(&change.chip) == serial.as_ref()) else {
            return Ok(());
        };
        let held = key_change::ask(&chip.chip, &mut chip.channel);
        let entry = held.entry(&cut_off.chip);
        let written = notebook.write(&entry);
        written.map_err(|reason| StationError::Notebook { reason })
    }
}

fn system_random() -> perso::Random {
    Box::new(|bytes| {
        // The kernel's generator fails only before the machine has gathered entropy at boot;
        // the C library then blocks, so that an error here is a broken system.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    })
}
