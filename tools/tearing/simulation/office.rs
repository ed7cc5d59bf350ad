//! A station in its office: its process, which lives, dies and is started again, the chips in its
//! readers, and the people before it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::{Actor, Centre, StationAct};
use document::Environment;
use station::{
    Catalogue, Event, Happening, Patience, PersonsAct, RemoteCentre, SlotChip, SlotConfig, Station,
    StationConfig, Surroundings,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::broadcast::Receiver;

use super::floor::{ByTurns, Floor, Killed, Place};
use super::life::Life;
use super::network::{Network, Way};
use super::pads::{Pads, Service};
use super::setting::{OPERATORS, SLOTS, named, reader};
use super::time::{StationClock, Time};
use crate::Failure;
use crate::recipe::Recipe;

/// For how long an open card is held while the centre is away (as a station is set up).
const PARKING: Duration = Duration::from_secs(10 * 60);
/// How long a station asks again for one answer (`station::RemoteConfig`).
const PATIENCE: Duration = Duration::from_secs(25);
/// So many steps a station's tasks take before others move.
const STEPS: usize = 4;

/// A slot, as the people before it see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// Which blank lies there.
    pub(super) blank: Option<usize>,
    /// The slot is through with it: it may be taken out.
    pub(super) is_through: bool,
    /// It needs somebody, who has to find out first why.
    pub(super) is_in_trouble: bool,
}

/// A process that runs.
struct Process {
    station: Station,
    events: Receiver<Event>,
    runtime: Runtime,
    threads: Vec<Place>,
    is_winding_up: bool,
}

/// What all offices share.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) recipe: Recipe,
    pub(super) catalogue: Catalogue,
    pub(super) floor: Arc<Floor>,
    pub(super) time: Arc<Time>,
    pub(super) network: Arc<Network>,
}

/// A station.
pub(super) struct Office {
    around: Around,
    pub(super) place: usize,
    folder: PathBuf,
    pub(super) pads: Pads,
    pub(super) clock: StationClock,
    pub(super) slots: Vec<Before>,
    /// Who has the shift, by their place among the operators.
    pub(super) shift: Option<usize>,
    pub(super) life: Life,
    process: Option<Process>,
    /// Threads that may have something to do.
    awake: Vec<Place>,
}

impl Office {
    pub(super) fn new(around: Around, place: usize, folder: PathBuf) -> Self {
        Self {
            clock: StationClock::of(&around.time),
            around,
            place,
            folder,
            pads: Pads::default(),
            slots: vec![Before::default(); SLOTS],
            shift: Some(0),
            life: Life::default(),
            process: None,
            awake: Vec::new(),
        }
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.folder.join("journal.db")
    }

    pub(super) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    fn actor(&self) -> Option<Actor> {
        let person = OPERATORS.get(self.shift?)?;
        Some(Actor {
            station: named(self.place),
            person: (*person).to_owned(),
        })
    }

    fn config(&self) -> StationConfig {
        let slots = (0..SLOTS).map(|slot| {
            let chips = self.around.recipe.chips.iter();
            SlotConfig {
                name: format!("slot {}", slot + 1),
                article: None,
                chips: chips
                    .map(|chip| SlotChip {
                        product: chip.profile.into(),
                        reader: reader(slot),
                    })
                    .collect(),
                printer: None,
                feeder: None,
                scanner: None,
            }
        });
        StationConfig {
            environment: Environment::Test,
            office: None,
            shift: self.actor(),
            parking: PARKING,
            journal: self.journal(),
            slots: slots.collect(),
            catalogue: self.around.catalogue.clone(),
        }
    }

    /// Starts the process, where it does not run. Returns whether it runs: it may be killed before its
    /// slots begin.
    pub(super) fn start(&mut self) -> Result<bool, Failure> {
        if self.is_up() {
            return Ok(true);
        }
        if self.life.is_dead() {
            self.life = Life::default();
        }
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build()?;
        let (floor, time) = (&self.around.floor, &self.around.time);
        let surroundings = Surroundings {
            readers: Arc::new(Service {
                station: self.place,
                pads: self.pads.clone(),
                life: self.life.clone(),
                floor: Arc::clone(floor),
                time: Arc::clone(time),
            }),
            writes: Arc::new(self.life.clone()),
            patience: Patience::default(),
            clock: Arc::new(self.clock.clone()),
            boot: Some("the only one".to_owned()),
            turns: Some(Arc::new(ByTurns(Arc::clone(floor)))),
        };
        let way = Way {
            network: Arc::clone(&self.around.network),
            station: self.place,
        };
        let centre = RemoteCentre::over(Arc::new(way), "https://centre.example", PATIENCE)?;
        let centre: Arc<dyn Centre> = Arc::new(centre);
        let (config, handle) = (self.config(), runtime.handle().clone());
        let starting = || Station::start_in(surroundings, config, centre, handle);
        let station = match catch_unwind(AssertUnwindSafe(starting)) {
            Ok(started) => started?,
            Err(payload) if payload.is::<Killed>() => return Ok(false),
            Err(payload) => resume_unwind(payload),
        };
        let threads = floor.entered(self.place, SLOTS);
        self.awake.clone_from(&threads);
        self.process = Some(Process {
            events: station.watch(),
            station,
            runtime,
            threads,
            is_winding_up: false,
        });
        Ok(true)
    }

    /// Kills the process.
    pub(super) fn kill(&mut self) {
        let Some(process) = self.process.take() else {
            return;
        };
        for place in &process.threads {
            self.around.floor.kill(*place);
        }
        self.awake.clear();
        self.life = Life::default();
        drop(process.station);
    }

    /// Has the process end when its documents are finished.
    pub(super) fn wind_up(&mut self) {
        if let Some(process) = &mut self.process {
            process.is_winding_up = true;
            process.station.wind_up();
        }
    }

    /// Buries the process where it was killed at a write or a command, or is through. Returns what
    /// happened, in words.
    ///
    /// # Errors
    /// Where a slot's thread ended by itself: it panicked.
    pub(super) fn settle(&mut self) -> Result<Option<&'static str>, Failure> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        if self.life.is_dead() {
            self.kill();
            return Ok(Some("is killed"));
        }
        if process.threads.is_empty() && process.is_winding_up {
            self.process = None;
            return Ok(Some("ended"));
        }
        if process.threads.len() < SLOTS && !process.is_winding_up {
            return Err(format!("a slot of {} panicked", named(self.place)).into());
        }
        Ok(None)
    }

    /// Returns whether a thread may have something to do.
    pub(super) fn is_awake(&self) -> bool {
        !self.awake.is_empty()
    }

    /// Has all threads look whether there is something to do.
    pub(super) fn wake(&mut self) {
        if let Some(process) = &self.process {
            self.awake.clone_from(&process.threads);
        }
    }

    /// Lets one of the threads move that are awake.
    pub(super) fn move_one(&mut self, which: impl FnOnce(usize) -> usize) {
        if self.awake.is_empty() {
            return;
        }
        let at = which(self.awake.len()).min(self.awake.len() - 1);
        let place = self.awake.remove(at);
        let is_over = self.around.floor.let_go(place);
        if let Some(process) = &mut self.process
            && is_over
        {
            process.threads.retain(|other| *other != place);
        }
        self.run_tasks(Duration::ZERO);
    }

    /// Moves the time of the process on, and lets its tasks go as far as they get.
    pub(super) fn run_tasks(&mut self, by: Duration) {
        let Some(process) = &self.process else { return };
        if self.life.is_dead() {
            return;
        }
        process.runtime.block_on(async {
            if !by.is_zero() {
                tokio::time::advance(by).await;
            }
            for _ in 0..STEPS {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Takes what the slots told since the last time.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let Some(process) = &mut self.process else {
            return Vec::new();
        };
        let mut events = Vec::new();
        while let Ok(event) = process.events.try_recv() {
            events.push(event);
        }
        for event in &events {
            let is_in_trouble = matches!(event.happening, Happening::NeedsPerson { .. });
            let is_over = matches!(event.happening, Happening::Finished { .. });
            let slot = event.slot.strip_prefix("slot ");
            let slot = slot.and_then(|slot| slot.parse::<usize>().ok());
            if let Some(slot) = slot.and_then(|slot| self.slots.get_mut(slot - 1)) {
                slot.is_through |= is_over || is_in_trouble;
                slot.is_in_trouble |= is_in_trouble;
            }
        }
        events
    }

    /// Has it written down that somebody does something.
    fn note(&self, person: Option<usize>, act: &str, slot: Option<usize>) {
        let (Some(process), Some(person)) = (&self.process, person) else {
            return;
        };
        let act = PersonsAct {
            at: station::Clock::now(&self.clock),
            person: OPERATORS.get(person).copied().unwrap_or_default().into(),
            act: act.into(),
            slot: slot.map(|slot| format!("slot {}", slot + 1)),
        };
        let noting = || process.station.note_act(&act);
        match catch_unwind(AssertUnwindSafe(noting)) {
            // A journal that is not written is found when it is compared.
            Ok(_) => {}
            Err(payload) if payload.is::<Killed>() => {}
            Err(payload) => resume_unwind(payload),
        }
    }

    /// Gives the shift to a person, or to nobody.
    pub(super) fn hand_over(&mut self, to: Option<usize>) {
        if to == self.shift {
            return;
        }
        match to {
            Some(_) => self.note(to, StationAct::SHIFT_BEGUN, None),
            None => self.note(self.shift, StationAct::SHIFT_ENDED, None),
        }
        self.shift = to;
        let actor = self.actor();
        if let Some(process) = &self.process {
            match actor {
                Some(actor) => process.station.begin_shift(actor),
                None => process.station.end_shift(),
            }
        }
    }

    /// Has a slot pause, or work.
    pub(super) fn order(&self, slot: usize, work: bool) {
        let act = match work {
            true => StationAct::SLOT_STARTED,
            false => StationAct::SLOT_PAUSED,
        };
        self.note(self.shift, act, Some(slot));
        if let Some(process) = &self.process {
            process.station.order(&format!("slot {}", slot + 1), work);
        }
    }

    /// Gives up the card that a slot holds.
    pub(super) fn give_up(&self, slot: usize) {
        self.note(self.shift, StationAct::CARD_GIVEN_UP, Some(slot));
        if let Some(process) = &self.process {
            process.station.give_up(&format!("slot {}", slot + 1));
        }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.kill();
    }
}
