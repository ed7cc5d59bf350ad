//! The station as a whole: starts and stops its slots.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use api::{Actor, Centre};
use document::{Environment, OfficeCode};
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use crate::catalogue::Catalogue;
use crate::error::StationError;
use crate::event::Event;
use crate::journal::Journal;
use crate::key_change;
use crate::slot::Slot;

/// How many events a slow watcher may lag behind before it misses some.
const EVENTS: usize = 4096;

/// How a station is set up.
pub struct StationConfig {
    /// What the station is for; it takes no document of the other environment.
    pub environment: Environment,
    /// The office it stands in, where that office makes its own documents.
    pub office: Option<OfficeCode>,
    /// The station and the operator who is signed in.
    pub actor: Actor,
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
    pub(crate) actor: Actor,
    pub(crate) runtime: Handle,
    /// What was measured of readers and chips, beside the journal.
    pub(crate) measured: PathBuf,
    /// Which attempts were made at which chips, beside the journal.
    pub(crate) attempts: PathBuf,
    pub(crate) outbox: Mutex<()>,
    pub(crate) wake: (Mutex<()>, Condvar),
}

/// A running station. It stops when it is dropped.
pub struct Station {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    slots: Vec<JoinHandle<()>>,
    events: broadcast::Sender<Event>,
}

impl Station {
    /// Starts a station: first it settles what was interrupted, then its slots work.
    ///
    /// # Errors
    /// [`StationError::Journal`] when there is no safe memory; [`StationError::Thread`].
    pub fn start(
        config: StationConfig,
        centre: Arc<dyn Centre>,
        runtime: Handle,
    ) -> Result<Self, StationError> {
        let mut journal = Journal::open(&config.journal)?;
        key_change::probe_interrupted(&mut journal, &config.slots, &config.catalogue)?;
        let interrupted = journal.recover()?;
        if interrupted > 0 {
            tracing::warn!(
                interrupted,
                "documents were in work when the station stopped; they are accounted now"
            );
        }
        let journal = Arc::new(Mutex::new(journal));
        let (events, _) = broadcast::channel(EVENTS);
        let shared = Arc::new(Shared {
            environment: config.environment,
            office: config.office,
            centre,
            actor: config.actor,
            runtime,
            measured: config.journal.with_file_name("readers.json"),
            attempts: config.journal.with_file_name("attempts.sqlite"),
            outbox: Mutex::new(()),
            wake: (Mutex::new(()), Condvar::new()),
        });
        let mut station = Self {
            shared,
            stop: Arc::new(AtomicBool::new(false)),
            slots: Vec::new(),
            events,
        };
        for config_of_slot in config.slots {
            let name = config_of_slot.name.clone();
            let slot = Slot {
                config: config_of_slot,
                shared: station.shared.clone(),
                journal: journal.clone(),
                catalogue: config.catalogue.clone(),
                events: station.events.clone(),
                stop: station.stop.clone(),
            };
            let thread = std::thread::Builder::new()
                .name(name.clone())
                .spawn(move || slot.run());
            station
                .slots
                .push(thread.map_err(|source| StationError::Thread { slot: name, source })?);
        }
        Ok(station)
    }

    /// Returns a stream of what happens from now on.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Lets every slot finish the document in work, and waits for them.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.shared.wake.1.notify_all();
        for slot in self.slots.drain(..) {
            // A slot that panicked has left its journal behind; the next start settles it.
            let _ = slot.join();
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.stop();
    }
}
