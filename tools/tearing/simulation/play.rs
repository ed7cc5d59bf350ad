//! One simulation: who moves next, what arrives, what goes wrong, until all is mended and every
//! document is made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use central::DocumentLine;
use document::life_cycle::DocumentState;
use vcard::Chip;

use super::centre::Centre;
use super::dead::Dead;
use super::figures::Figures;
use super::floor::Floor;
use super::invariants::{self, Watch};
use super::later::Later;
use super::misfortune::Misfortune;
use super::network::{Leg, Network, Weather};
use super::office::{Around, Office};
use super::restored::Copied;
use super::setting::{SLOTS, STATIONS, Setting, named};
use super::time::Time;
use super::told;
use crate::Failure;
use crate::case::ALL;
use crate::dice::Dice;
use crate::installation::{Installation, actor};

/// After so many moves something turns round and round.
const MOST: u64 = 100_000;
/// So long it may take until all is done once all is mended, in milliseconds: leases expire meanwhile, and
/// what was long on its way arrives.
const TO_MEND: u64 = 3 * 60 * 60_000;
/// How far the time goes on where nothing arrives, in milliseconds: at first, and at most.
const SHORT: u64 = 200;
const LONG: u64 = 20_000;
/// In how many steps of time something goes wrong once: at least, and how many more by the dice.
const RARELY: u64 = 4;
const MORE_RARELY: u64 = 28;
/// How often it is looked whether all is done, in steps of time.
const LOOKS: u64 = 16;

/// A simulation under way.
pub(super) struct Play<'a> {
    pub(super) setting: &'a Setting,
    pub(super) dice: Dice,
    pub(super) time: Arc<Time>,
    pub(super) network: Arc<Network>,
    pub(super) centre: Centre<'a>,
    pub(super) offices: Vec<Office>,
    /// The blanks that lay in a slot, with their chips.
    pub(super) used: Vec<(usize, Chip)>,
    pub(super) trace: Vec<String>,
    pub(super) figures: Figures,
    later: BTreeMap<(u64, u64), Later>,
    planned: u64,
    pub(super) next_blank: usize,
    /// How far the time goes on next.
    stride: u64,
    /// How much was written in all journals when it was looked last.
    written: u64,
    /// When all was mended.
    pub(super) mended: Option<u64>,
    pub(super) is_closing: bool,
    /// The station that is dead at present, and whether there was one.
    pub(super) dead: Option<Dead>,
    pub(super) is_buried: bool,
    /// The copy of the centre's books, and whether they were set back to it.
    pub(super) copied: Option<Copied>,
    /// What was taken from which station: its journal may have it in work, and it does nothing more to it.
    pub(super) taken: BTreeSet<(usize, String)>,
}

impl<'a> Play<'a> {
    pub(super) fn new(
        installation: &'a Installation,
        setting: &'a Setting,
        seed: u64,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let (store, folders) = setting.copy(folder)?;
        let time = Time::from(setting.begin);
        let network = Network::new(&time, Dice::apart(seed, 1), STATIONS);
        let recipe = setting.world.recipe;
        let centre = Centre::new(installation, recipe, store, &time)?;
        let around = Around {
            recipe,
            catalogue: setting.catalogue.clone(),
            floor: Arc::<Floor>::default(),
            time: Arc::clone(&time),
            network: Arc::clone(&network),
        };
        let offices = folders.into_iter().enumerate();
        let offices = offices.map(|(place, folder)| Office::new(around.clone(), place, folder));
        Ok(Self {
            setting,
            dice: Dice::apart(seed, 2),
            network,
            centre,
            offices: offices.collect(),
            used: Vec::new(),
            trace: Vec::new(),
            figures: Figures::default(),
            later: BTreeMap::new(),
            planned: 0,
            next_blank: 0,
            stride: SHORT,
            written: 0,
            mended: None,
            is_closing: false,
            dead: None,
            is_buried: false,
            copied: None,
            taken: BTreeSet::new(),
            time,
        })
    }

    /// Notes what happened.
    pub(super) fn note(&mut self, what: String) {
        let passed = self.time.passed();
        let (seconds, rest) = (passed / 1000, passed % 1000);
        self.trace.push(format!("{seconds:>6}.{rest:03} {what}"));
    }

    /// Has something happen in so many milliseconds.
    pub(super) fn plan(&mut self, after: u64, what: Later) {
        self.planned += 1;
        let key = (self.time.passed() + after, self.planned);
        self.later.insert(key, what);
    }

    /// Plays it to its end. Returns what must not be.
    pub(super) fn run(&mut self) -> Result<Vec<String>, Failure> {
        self.centre.start()?;
        for station in 0..STATIONS {
            for slot in 0..SLOTS {
                self.change(station, slot)?;
            }
            self.start(station)?;
        }
        let misfortunes = 3 + self.dice.throw(9);
        let rarely = RARELY + self.dice.throw(MORE_RARELY);
        let mut watch = Watch::default();
        let mut moves = 0;
        let mut steps = 0;
        loop {
            moves += 1;
            if moves > MOST || self.is_overdue() {
                return Ok(vec![format!("it does not end: {}", self.standing()?)]);
            }
            if self.is_still()? {
                steps += 1;
                if self.mended.is_none() && self.figures.misfortunes >= misfortunes {
                    self.mend()?;
                }
                if self.mended.is_some() && steps % LOOKS == 0 {
                    if self.is_done()? {
                        break;
                    }
                    self.bring_awaited()?;
                    self.clear()?;
                }
                if self.mended.is_none() && self.dice.once_in(rarely) {
                    Misfortune::draw(&mut self.dice).befall(self)?;
                }
                self.go_on()?;
            }
            if let Some(found) = watch.look(&self.offices, &self.taken)? {
                return Ok(vec![found]);
            }
        }
        self.close()?;
        self.figures.seconds = self.time.passed() / 1000;
        invariants::judge(self)
    }

    /// Lets one thread move, or one thing arrive. Returns whether there was neither.
    fn is_still(&mut self) -> Result<bool, Failure> {
        let awake: Vec<_> = (0..self.offices.len())
            .filter(|place| self.offices.get(*place).is_some_and(Office::is_awake))
            .collect();
        let waiting = self.network.waiting();
        let all = awake.len() + waiting;
        if all == 0 {
            return Ok(true);
        }
        let drawn = self.dice.place(all);
        match awake.get(drawn) {
            Some(place) => {
                let dice = &mut self.dice;
                if let Some(office) = self.offices.get_mut(*place) {
                    office.move_one(|of| dice.place(of));
                }
            }
            None => {
                if let Some(leg) = self.network.arrived() {
                    self.deliver(leg);
                }
            }
        }
        for told in self.network.told() {
            self.note(told);
        }
        self.look_round()?;
        Ok(false)
    }

    fn deliver(&mut self, leg: Leg) {
        match leg {
            Leg::There {
                station,
                asked,
                reply,
            } => {
                let Some(certificate) = self.setting.certificates.get(station) else {
                    return;
                };
                let method = asked
                    .target
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let answer = self.centre.answer(certificate, asked);
                let status = match &answer {
                    Ok(passed) => passed.status.to_string(),
                    Err(reason) => reason.clone(),
                };
                self.figures.answered += u64::from(answer.is_ok());
                if !matches!(&*method, "hello" | "lease") {
                    self.stride = SHORT;
                }
                let again = if reply.is_none() { " once more" } else { "" };
                self.note(format!("{method} of {}{again}: {status}", station + 1));
                self.network.answer(station, &method, answer, reply);
            }
            Leg::Back {
                station,
                method,
                answer,
                reply,
            } => {
                let Some(reply) = reply else { return };
                // Whoever asked may have given up, or be dead.
                if reply.send(answer).is_err() {
                    self.note(format!("nobody waits for the answer to {method}"));
                }
                if let Some(office) = self.offices.get_mut(station) {
                    office.run_tasks(Duration::ZERO);
                    office.wake();
                }
            }
        }
    }

    /// Sees what became of the processes, and what the slots say.
    fn look_round(&mut self) -> Result<(), Failure> {
        for place in 0..self.offices.len() {
            let Some(office) = self.offices.get_mut(place) else {
                continue;
            };
            let events = office.events();
            let settled = office.settle()?;
            let mut through = Vec::new();
            for (at, slot) in office.slots.iter_mut().enumerate() {
                let is_in_trouble = std::mem::take(&mut slot.is_in_trouble);
                if std::mem::take(&mut slot.is_through) {
                    through.push((at, is_in_trouble));
                }
            }
            for event in events {
                let Some(told) = told::words(&event.happening) else {
                    continue;
                };
                self.note(format!("{} of {} {told}", event.slot, place + 1));
            }
            for (slot, is_in_trouble) in through {
                let after = match is_in_trouble {
                    true => 60_000 + self.dice.throw(4 * 60_000),
                    false => 300 + self.dice.throw(5_000),
                };
                self.plan(after, Later::Change(place, slot));
            }
            if let Some(told) = settled {
                self.note(format!("{} {told}", named(place)));
                if told == "is killed" {
                    self.figures.kills += 1;
                }
                if !self.is_closing {
                    let after = match self.dice.throw(3) {
                        0 => self.dice.throw(12 * 60_000),
                        _ => 500 + self.dice.throw(5_000),
                    };
                    self.plan(after, Later::Start(place));
                }
            }
        }
        let written = self.offices.iter().map(|office| office.life.writes()).sum();
        if written != self.written {
            self.written = written;
            self.stride = SHORT;
        }
        Ok(())
    }

    /// Moves the time on to the next thing that happens, or a little.
    fn go_on(&mut self) -> Result<(), Failure> {
        let now = self.time.passed();
        let mut until = now + self.stride;
        self.stride = (self.stride * 2).min(LONG);
        let planned = self.later.keys().next().map(|(at, _)| *at);
        for at in planned.into_iter().chain(self.network.next()) {
            until = until.min(at);
        }
        self.sleep(Duration::from_millis(until.saturating_sub(now)));
        let due: Vec<_> = {
            let due = self.later.range(..=(until.max(now), u64::MAX));
            due.map(|(key, _)| *key).collect()
        };
        for key in due {
            if let Some(what) = self.later.remove(&key) {
                self.happen(what)?;
            }
        }
        Ok(())
    }

    /// Lets time pass in which nobody moves.
    pub(super) fn sleep(&mut self, by: Duration) {
        self.time.pass(by);
        for office in &mut self.offices {
            office.run_tasks(by);
            office.wake();
        }
    }

    fn happen(&mut self, what: Later) -> Result<(), Failure> {
        match what {
            Later::Start(station) => return self.start(station),
            Later::Connect(station) => {
                self.note(format!("{} is connected", named(station)));
                self.network.cut(station, false);
            }
            Later::Up => {
                self.note("the centre is up".into());
                self.centre.start()?;
            }
            Later::Clear => self.network.turn(Weather::Fair),
            Later::Take(station, person) => {
                if let Some(office) = self.offices.get_mut(station) {
                    office.hand_over(Some(person));
                }
            }
            Later::Work(station, slot) => {
                if let Some(office) = self.offices.get(station) {
                    office.order(slot, true);
                }
            }
            Later::Change(station, slot) => return self.change(station, slot),
            Later::Carry(station) => return self.carry(station),
            Later::ComeBack(station) => return self.come_back(station),
            Later::Restore => return self.restore_centre(),
            Later::Reconcile => return self.reconcile_centre(),
        }
        Ok(())
    }

    pub(super) fn start(&mut self, station: usize) -> Result<(), Failure> {
        if self.is_dead(station) {
            return Ok(());
        }
        let Some(office) = self.offices.get_mut(station) else {
            return Ok(());
        };
        let is_up = office.start()?;
        match is_up {
            true => self.note(format!("{} starts", named(station))),
            false => {
                self.figures.kills += 1;
                self.note(format!("{} is killed as it starts", named(station)));
                self.plan(1_000, Later::Start(station));
            }
        }
        Ok(())
    }

    /// Returns how many documents are not made yet; one where the centre does not say.
    pub(super) fn left(&self) -> Result<usize, Failure> {
        let lines = self.documents()?;
        let Some(lines) = lines else { return Ok(1) };
        let open = lines.iter();
        let open = open.filter(|line| line.state != DocumentState::Personalized);
        Ok(open.count())
    }

    pub(super) fn documents(&self) -> Result<Option<Vec<DocumentLine>>, Failure> {
        let lines = self.centre.with(async |central| {
            let clerk = actor("clerk");
            Ok(central.document_lines_after(&clerk, "", ALL).await?)
        });
        lines.transpose()
    }

    /// Ends all that went wrong.
    fn mend(&mut self) -> Result<(), Failure> {
        self.note("all is mended".into());
        self.mended = Some(self.time.passed());
        self.network.turn(Weather::Calm);
        let blanks = std::mem::take(&mut self.later).into_values();
        for what in blanks.filter(|what| matches!(what, Later::Change(..))) {
            self.plan(500, what);
        }
        self.centre.start()?;
        self.end_restoration();
        self.bring_back()?;
        for station in 0..STATIONS {
            self.network.cut(station, false);
            if let Some(office) = self.offices.get_mut(station) {
                office.life.spare();
                office.clock.set_wrong(0);
                let shift = office.shift.unwrap_or_default();
                office.hand_over(Some(shift));
                for slot in 0..SLOTS {
                    office.order(slot, true);
                }
            }
            self.start(station)?;
            // Who stands there sees to it that no slot is empty.
            for slot in 0..SLOTS {
                let office = self.offices.get(station);
                let is_empty = office.is_some_and(|office| {
                    let before = office.slots.get(slot);
                    before.is_some_and(|before| before.blank.is_none())
                });
                if is_empty {
                    self.plan(500, Later::Change(station, slot));
                }
            }
        }
        Ok(())
    }

    fn is_overdue(&self) -> bool {
        let since = self.mended.map(|at| self.time.passed() - at);
        since.is_some_and(|since| since > TO_MEND)
    }

    /// Tells whether every document is made and everything is said.
    fn is_done(&self) -> Result<bool, Failure> {
        let is_quiet = self.network.next().is_none() && self.later.is_empty();
        Ok(is_quiet && self.left()? == 0 && invariants::all_said(&self.offices)?)
    }

    /// Has every station end, with nothing in its slots.
    fn close(&mut self) -> Result<(), Failure> {
        self.note("the day is over".into());
        self.is_closing = true;
        for station in 0..STATIONS {
            for slot in 0..SLOTS {
                self.change(station, slot)?;
            }
            if let Some(office) = self.offices.get_mut(station) {
                office.wind_up();
                office.wake();
            }
        }
        let mut moves = 0;
        while self.offices.iter().any(Office::is_up) {
            moves += 1;
            if moves > MOST {
                return Err("a station does not end".into());
            }
            if self.is_still()? {
                self.sleep(Duration::from_millis(SHORT));
            }
        }
        Ok(())
    }

    /// Says how things stand, for whoever wonders why it does not end.
    fn standing(&self) -> Result<String, Failure> {
        let left = self.left()?;
        let said = invariants::all_said(&self.offices)?;
        let held = invariants::held(&self.centre.store)?.join(", ");
        Ok(format!(
            "{left} documents are not made, all is said: {said}, held: {held}"
        ))
    }
}
