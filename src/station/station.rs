//! The station as a whole: starts and stops its slots.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use api::{Actor, Centre, LeaseId, ProfilePin};
use document::{Environment, OfficeCode};
use print::{
    Feeder, LineFeeder, LineFeederTexts, LinkAddress, PrinterPlace, Roster, Scanner,
    ScannerSettings, SerialSettings,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use crate::batch::Batch;
use crate::bridge::Patience;
use crate::catalogue::Catalogue;
use crate::error::{StationError, chain};
use crate::event::Event;
use crate::faces::FaceShelf;
use crate::journal::{EndedBlank, Journal, PersonsAct};
use crate::key_change;
use crate::order::Order;
use crate::outbox;
use crate::readers::ReaderService;
use crate::resumption::{self, Sorted};
use crate::shift::Shift;
use crate::slot::Slot;
use crate::surroundings::{Clock, Surroundings, Turns};
use crate::telling::Telling;

/// How many events a slow watcher may lag behind before it misses some.
const EVENTS: usize = 4096;

/// How a station is set up.
pub struct StationConfig {
    /// What the station is for; it takes no document of the other environment.
    pub environment: Environment,
    /// The office it stands in, where that office makes its own documents.
    pub office: Option<OfficeCode>,
    /// Who has the shift from the start; the slots wait while nobody has.
    pub shift: Option<Actor>,
    /// For how long an open card is held while the centre cannot be reached; then it is given up.
    pub parking: Duration,
    /// The journal's file.
    pub journal: PathBuf,
    /// The slots.
    pub slots: Vec<SlotConfig>,
    /// The profiles.
    pub catalogue: Catalogue,
}

/// How one slot is set up.
#[derive(Clone, Debug)]
pub struct SlotConfig {
    /// The name that people know it by.
    pub name: String,
    /// What the blanks are, where their chips do not say it: the document profiles' name for them.
    pub article: Option<String>,
    /// Where each chip of the blanks that are loaded is reached.
    pub chips: Vec<SlotChip>,
    /// What feeds the blanks and prints their faces; none where people put blanks into the readers.
    pub printer: Option<SlotPrinter>,
    /// What puts blanks before the readers and takes them away, where no person does and no printer.
    pub feeder: Option<SlotFeeder>,
    /// What reads the serial number that is printed on each blank, where anything does.
    pub scanner: Option<LinkAddress>,
}

/// The card printer of a slot, whose chip stations the slot's readers stand at.
#[derive(Clone, Debug)]
pub struct SlotPrinter {
    /// Its profile.
    pub profile: ProfilePin,
    /// Where it is.
    pub place: Arc<dyn PrinterPlace>,
}

/// The feeder of a slot of readers alone.
#[derive(Clone, Debug)]
pub struct SlotFeeder {
    /// Where it is.
    pub at: LinkAddress,
    /// How it is spoken to.
    pub texts: LineFeederTexts,
    /// How long a blank may take.
    pub patience: Duration,
}

impl SlotFeeder {
    /// Makes the feeder. Nothing is connected.
    #[must_use]
    pub fn feeder(&self) -> LineFeeder {
        let (at, texts) = (self.at.clone(), self.texts.clone());
        LineFeeder::new(at, SerialSettings::default(), texts, self.patience)
    }
}

/// Where a slot reaches one chip of a blank.
#[derive(Clone, Debug)]
pub struct SlotChip {
    /// The chip profile.
    pub product: String,
    /// The reader's name in PC/SC.
    pub reader: String,
}

/// What all slots share.
pub(crate) struct Shared {
    pub(crate) environment: Environment,
    pub(crate) office: Option<OfficeCode>,
    pub(crate) centre: Arc<dyn Centre>,
    pub(crate) shift: Shift,
    pub(crate) parking: Duration,
    pub(crate) batch: Batch,
    /// What stops all slots from beginning anything, if anything does: a clock that is wrong.
    pub(crate) hindrance: Mutex<Option<String>>,
    pub(crate) runtime: Handle,
    pub(crate) readers: Arc<dyn ReaderService>,
    pub(crate) patience: Patience,
    /// What was measured of readers and chips, beside the journal.
    pub(crate) measured: PathBuf,
    /// Which attempts were made at which chips, beside the journal.
    pub(crate) attempts: PathBuf,
    /// Held by whoever sends reports.
    pub(crate) outbox: tokio::sync::Mutex<()>,
    /// What is written down of documents in work goes to the centre by it.
    pub(crate) telling: Arc<Telling>,
    /// The printers of all slots: no machine at two of them.
    pub(crate) roster: Mutex<Roster>,
    /// Wakes the slots that pause.
    pub(crate) wake: Notify,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) turns: Option<Arc<dyn Turns>>,
}

/// A running station. It stops when it is dropped.
pub struct Station {
    shared: Arc<Shared>,
    journal: Arc<Mutex<Journal>>,
    stop: Arc<AtomicBool>,
    orders: BTreeMap<String, Arc<Order>>,
    slots: Mutex<Vec<JoinHandle<()>>>,
    events: broadcast::Sender<Event>,
    /// What happened from the start on, for whoever watches first: a slot says once what it waits for.
    from_start: Mutex<Option<broadcast::Receiver<Event>>>,
}

impl Station {
    /// Starts a station: first it identifies the cards of the documents that were in work when it
    /// stopped, and settles those that are not where they were; then its slots work, and go on with the
    /// others.
    ///
    /// # Errors
    /// [`StationError::Journal`] when there is no safe memory; [`StationError::Thread`]; for a slot with a
    /// printer [`StationError::Profile`], [`StationError::NoLayout`], [`StationError::Layout`].
    pub fn start(
        config: StationConfig,
        centre: Arc<dyn Centre>,
        runtime: Handle,
    ) -> Result<Self, StationError> {
        Self::start_in(Surroundings::default(), config, centre, runtime)
    }

    /// As [`Station::start`], in other surroundings than the machine's.
    ///
    /// # Errors
    /// As [`Station::start`].
    pub fn start_in(
        surroundings: Surroundings,
        config: StationConfig,
        centre: Arc<dyn Centre>,
        runtime: Handle,
    ) -> Result<Self, StationError> {
        let Surroundings {
            readers,
            writes,
            patience,
            clock,
            boot,
            turns,
        } = surroundings;
        let (path, boot) = (&config.journal, boot.as_deref());
        let mut journal = Journal::open_in(path, writes, Arc::clone(&clock), boot)?;
        let (slots, catalogue) = (&config.slots, &config.catalogue);
        let Sorted {
            mut to_go_on,
            to_settle,
        } = resumption::sort(&journal, &*readers, slots, catalogue)?;
        let leases: Vec<_> = to_settle.iter().map(|(run, _)| run.lease).collect();
        key_change::probe_interrupted(&mut journal, &leases, &*readers, slots, catalogue)?;
        for (run, why) in to_settle {
            let end = journal.settle(run.lease, Some(&why))?;
            tracing::warn!(slot = run.slot, lease = %run.lease, ?end, "a document was in work when the station stopped");
        }
        let journal = Arc::new(Mutex::new(journal));
        let (events, from_start) = broadcast::channel(EVENTS);
        let telling = Telling::new(Arc::clone(&centre), &journal, runtime.clone());
        let shared = Arc::new(Shared {
            environment: config.environment,
            office: config.office,
            centre,
            shift: Shift::begun(config.shift),
            parking: config.parking,
            batch: Batch::default(),
            hindrance: Mutex::default(),
            runtime,
            readers,
            patience,
            measured: config.journal.with_file_name("readers.json"),
            attempts: config.journal.with_file_name("attempts.sqlite"),
            outbox: tokio::sync::Mutex::default(),
            telling: Arc::new(telling),
            roster: Mutex::default(),
            wake: Notify::new(),
            clock,
            turns,
        });
        let mut station = Self {
            shared,
            journal: journal.clone(),
            stop: Arc::new(AtomicBool::new(false)),
            orders: BTreeMap::new(),
            slots: Mutex::default(),
            events,
            from_start: Mutex::new(Some(from_start)),
        };
        for config_of_slot in config.slots {
            let name = config_of_slot.name.clone();
            let order = Arc::<Order>::default();
            station.orders.insert(name.clone(), order.clone());
            let printer = config_of_slot.printer.as_ref();
            let faces = printer
                .map(|printer| FaceShelf::of(&config.catalogue, printer.place.capabilities()))
                .transpose()?;
            let scanner = config_of_slot.scanner.clone();
            let scanner = scanner.map(|at| Scanner::new(at, ScannerSettings::default()));
            let feeder = config_of_slot.feeder.as_ref();
            let feeder = feeder.map(|feeder| Box::new(feeder.feeder()) as Box<dyn Feeder>);
            let slot = Slot {
                config: config_of_slot,
                faces,
                press: Cell::default(),
                failures: Cell::default(),
                feeder: Cell::new(feeder),
                fed: Cell::default(),
                ended: Cell::default(),
                scanner: Cell::new(scanner),
                scanned: RefCell::default(),
                order,
                interrupted: Cell::new(to_go_on.remove(&name)),
                said: Cell::default(),
                shared: station.shared.clone(),
                journal: journal.clone(),
                catalogue: config.catalogue.clone(),
                events: station.events.clone(),
                stop: station.stop.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(name.clone())
                .spawn(move || slot.run());
            let thread = thread.map_err(|source| StationError::Thread { slot: name, source })?;
            station.threads().push(thread);
        }
        Ok(station)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a stream of what happens from now on; who watches first sees what happened from the start.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        let first = self.from_start.lock();
        let first = first.unwrap_or_else(PoisonError::into_inner).take();
        first.unwrap_or_else(|| self.events.subscribe())
    }

    /// Returns who has the shift.
    pub fn shift(&self) -> Option<Actor> {
        self.shared.shift.actor()
    }

    /// Lets a person have the shift. A document in work stays with who began it.
    pub fn begin_shift(&self, actor: Actor) {
        self.shared.shift.begin(actor);
        self.shared.wake.notify_waiters();
    }

    /// Returns the slots that make documents in a person's name.
    pub fn in_hand_of(&self, person: &str) -> Vec<String> {
        self.shared.shift.in_hand_of(person)
    }

    /// Writes down what a person did at the station, and tells the centre: now, where somebody has the
    /// shift and the centre is there, or with what is told next.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn note_act(&self, act: &PersonsAct) -> Result<(), StationError> {
        {
            let journal = self.journal.lock();
            let mut journal = journal.unwrap_or_else(PoisonError::into_inner);
            journal.note_act(act)?;
        }
        self.send_reports();
        Ok(())
    }

    /// Sends what waits for the centre, where somebody has the shift: also while every slot is paused.
    /// Returns at once.
    pub fn send_reports(&self) {
        let Some(actor) = self.shift() else {
            return;
        };
        let (shared, journal) = (Arc::clone(&self.shared), Arc::clone(&self.journal));
        self.shared.runtime.spawn(async move {
            let _turn = shared.outbox.lock().await;
            if let Err(error) = outbox::send(&journal, &*shared.centre, &actor).await {
                tracing::info!(
                    error = chain(&error),
                    "what waits for the centre is told later"
                );
            }
        });
    }

    /// Returns the latest acts of people at the station, the newest first.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn acts(&self, most: u32) -> Result<Vec<PersonsAct>, StationError> {
        let journal = self.journal.lock();
        let journal = journal.unwrap_or_else(PoisonError::into_inner);
        journal.acts(most)
    }

    /// Returns the blanks whose reports are numbered after `sequence`, in the order in which they
    /// ended, of those under leases and for documents that are `wanted`.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn ended(
        &self,
        sequence: u64,
        wanted: &dyn Fn(LeaseId, Uuid) -> bool,
    ) -> Result<Vec<EndedBlank>, StationError> {
        let journal = self.journal.lock();
        let journal = journal.unwrap_or_else(PoisonError::into_inner);
        journal.ended(sequence, wanted)
    }

    /// Has the slots make these documents alone, by their identities at the store.
    pub fn confine(&self, documents: impl IntoIterator<Item = Uuid>) {
        self.shared.batch.confine(documents);
        self.shared.wake.notify_waiters();
    }

    /// Takes a document out of those that the slots are confined to.
    pub fn strike_out(&self, document: Uuid) {
        self.shared.batch.strike_out(document);
    }

    /// Ends the shift: nothing more is begun.
    pub fn end_shift(&self) {
        self.shared.shift.end();
    }

    /// Lets a slot work, or has it begin nothing more. Returns whether there is such a slot.
    pub fn order(&self, slot: &str, work: bool) -> bool {
        let Some(order) = self.orders.get(slot) else {
            return false;
        };
        order.give(work);
        self.shared.wake.notify_waiters();
        true
    }

    /// Gives the card up that a slot holds while the centre is away. Returns whether there is such a
    /// slot.
    pub fn give_up(&self, slot: &str) -> bool {
        self.orders.get(slot).map(|order| order.give_up()).is_some()
    }

    /// Says what stops all slots from beginning anything, or that nothing does any more.
    pub fn hinder(&self, reason: Option<String>) {
        let hindrance = self.shared.hindrance.lock();
        *hindrance.unwrap_or_else(PoisonError::into_inner) = reason;
        self.shared.wake.notify_waiters();
    }

    /// Returns how many reports wait for the centre.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn waiting_reports(&self) -> Result<u64, StationError> {
        let journal = self.journal.lock();
        journal.unwrap_or_else(PoisonError::into_inner).waiting()
    }

    /// Lets every slot finish the document in work, and begin nothing more.
    pub fn wind_up(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.shared.wake.notify_waiters();
    }

    /// Lets every slot finish the document in work, and waits for them.
    pub fn stop(&self) {
        self.wind_up();
        let slots = std::mem::take(&mut *self.threads());
        for slot in slots {
            // A slot that panicked has left its journal behind; the next start settles it.
            let _ = slot.join();
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.stop();
        self.shared.telling.close();
    }
}
