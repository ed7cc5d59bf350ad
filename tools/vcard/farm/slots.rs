//! Which chip is in which reader. A chip is in, or out, when pcscd says so: a swap that
//! pcscd does not notice would show one card's ATR and another's answers.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::daemon::Reader;
use super::{ReaderStatus, Reply, Request, explain};
use crate::chip::Chip;
use crate::circumstances::Circumstances;
use crate::recording::{Recording, RecordingError};
use crate::store::StoreError;
use crate::vpcd::{PlugError, Plugged};

/// How long pcscd may take to notice: it polls every 0.4 s.
const NOTICE: Duration = Duration::from_secs(8);
/// How long pcscd takes at most to look at every reader, which it does each 0.4 s.
const GLANCE: Duration = Duration::from_millis(1200);
/// How often a chip is put in again that pcscd does not see.
const UNSEEN: usize = 2;

/// Says why a chip was not moved.
#[derive(Debug, Error)]
pub(crate) enum SlotError {
    #[error("no reader {0}; the farm has readers 0 to {1}")]
    NoReader(usize, usize),
    #[error("reader {0} holds a chip; remove it first")]
    Occupied(usize),
    #[error("reader {0} is empty")]
    Empty(usize),
    #[error("this chip is in reader {0} already")]
    Elsewhere(usize),
    #[error("cannot load the chip")]
    Chip(#[from] StoreError),
    #[error("cannot insert the chip")]
    Plug(#[from] PlugError),
    #[error("cannot play the recording")]
    Recording(#[from] RecordingError),
    #[error("cannot find {0}")]
    NoFile(PathBuf, #[source] std::io::Error),
    #[error("pcscd does not show reader {0} {1}")]
    PcSc(String, &'static str, #[source] pcsc::Error),
}

/// How a chip goes in.
struct Setting {
    circumstances: Circumstances,
    recording: Option<PathBuf>,
}

/// A chip's place: reserved for a state file, then with the chip in it.
struct Place {
    state: PathBuf,
    chip: Option<Plugged>,
}

struct Slot {
    reader: Reader,
    place: Mutex<Option<Place>>,
    /// Held while a chip goes in or out: one move at a time for each reader.
    moving: Mutex<()>,
}

/// The farm's readers.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    /// Held while a place is chosen, so that no chip gets two.
    choosing: Mutex<()>,
}

impl Slots {
    pub(crate) fn new(readers: &[Reader]) -> Self {
        let slots = readers.iter().cloned().map(|reader| Slot {
            reader,
            place: Mutex::new(None),
            moving: Mutex::new(()),
        });
        Self {
            slots: slots.collect(),
            choosing: Mutex::new(()),
        }
    }

    /// Does what is asked; stopping is the caller's.
    pub(crate) fn handle(&self, request: Request) -> Reply {
        let done = match request {
            Request::Insert {
                reader,
                state,
                fault,
                mut circumstances,
                recording,
            } => {
                circumstances.faults.extend(fault);
                let setting = Setting {
                    circumstances,
                    recording,
                };
                self.insert(reader, &state, &setting)
            }
            Request::Remove { reader } => self.remove(reader),
            Request::Status {} => return self.status(),
            Request::Stop {} => Ok(()),
        };
        match done {
            Ok(()) => Reply::Done {},
            Err(error) => Reply::Error {
                message: explain(&error),
            },
        }
    }

    /// Takes every chip out, without waiting for pcscd.
    pub(crate) fn clear(&self) {
        for slot in &self.slots {
            *held(&slot.place) = None;
        }
    }

    fn insert(&self, reader: usize, state: &Path, setting: &Setting) -> Result<(), SlotError> {
        let found = state.canonicalize();
        let state = found.map_err(|error| SlotError::NoFile(state.to_owned(), error))?;
        let slot = self.slot(reader)?;
        let _moving = held(&slot.moving);
        self.reserve(reader, slot, &state)?;
        let plugged = slot.plug(&state, setting);
        let mut place = held(&slot.place);
        match plugged {
            Ok(chip) => {
                let chip = Some(chip);
                *place = Some(Place { state, chip });
                Ok(())
            }
            Err(error) => {
                *place = None;
                Err(error)
            }
        }
    }

    /// Gives a chip its place. Two processors on one memory would be two chips with one
    /// identity, so no chip has two.
    fn reserve(&self, reader: usize, slot: &Slot, state: &Path) -> Result<(), SlotError> {
        let _choosing = held(&self.choosing);
        let mut slots = self.slots.iter();
        if let Some(elsewhere) = slots.position(|slot| slot.holds().as_deref() == Some(state)) {
            return Err(SlotError::Elsewhere(elsewhere));
        }
        if slot.holds().is_some() {
            return Err(SlotError::Occupied(reader));
        }
        *held(&slot.place) = Some(Place {
            state: state.to_owned(),
            chip: None,
        });
        Ok(())
    }

    fn remove(&self, reader: usize) -> Result<(), SlotError> {
        let slot = self.slot(reader)?;
        let _moving = held(&slot.moving);
        slot.holds().ok_or(SlotError::Empty(reader))?;
        drop(held(&slot.place).take());
        slot.reader.wait_for_card(false, NOTICE)
    }

    fn slot(&self, reader: usize) -> Result<&Slot, SlotError> {
        let last = self.slots.len().saturating_sub(1);
        let slot = self.slots.get(reader);
        slot.ok_or(SlotError::NoReader(reader, last))
    }

    fn status(&self) -> Reply {
        let readers = self.slots.iter().map(|slot| ReaderStatus {
            name: slot.reader.name.clone(),
            chip: slot.holds(),
        });
        Reply::Status {
            readers: readers.collect(),
        }
    }
}

impl Slot {
    /// Returns the state file of the chip that is there, or on its way in. A chip that a
    /// fault took is not there.
    fn holds(&self) -> Option<PathBuf> {
        let mut place = held(&self.place);
        let gone = |place: &Place| place.chip.as_ref().is_some_and(|chip| !chip.is_present());
        if place.as_ref().is_some_and(gone) {
            *place = None;
        }
        place.as_ref().map(|place| place.state.clone())
    }

    /// Puts a chip in, and waits until pcscd shows it.
    ///
    /// When a fault takes a chip in the middle of a command, pcscd shows the reader as empty at
    /// once, but the part of it that looks for cards learns so only with its next look. A chip
    /// that comes before that is the old one to it, and never shown: it is taken out until
    /// pcscd has seen an empty reader, and put in again.
    fn plug(&self, state: &Path, setting: &Setting) -> Result<Plugged, SlotError> {
        self.reader.wait_for_card(false, NOTICE)?;
        let mut again = UNSEEN;
        loop {
            let mut chip = Chip::open(state)?;
            if let Some(recording) = &setting.recording {
                chip = chip.with_recording(Recording::open(recording)?);
            }
            let circumstances = setting.circumstances.clone();
            let plugged = Plugged::insert_under(&self.reader.address, chip, circumstances)?;
            plugged.wait_noticed(NOTICE)?;
            let patience = if again == 0 { NOTICE } else { GLANCE };
            match self.reader.wait_for_card(true, patience) {
                Ok(()) => return Ok(plugged),
                Err(error) if again == 0 => return Err(error),
                Err(_) => again -= 1,
            }
            drop(plugged);
            // Shown or not, a whole round of looks has passed by then.
            let _ = self.reader.wait_for_card(true, GLANCE);
        }
    }
}

impl Reader {
    /// Waits until pcscd shows a card in this reader, or none.
    fn wait_for_card(&self, present: bool, patience: Duration) -> Result<(), SlotError> {
        let wanted = if present { "with its card" } else { "empty" };
        let failed = |error| SlotError::PcSc(self.name.clone(), wanted, error);
        let name =
            CString::new(self.name.as_str()).map_err(|_| failed(pcsc::Error::UnknownReader))?;
        let context = pcsc::Context::establish(pcsc::Scope::System).map_err(failed)?;
        let mut states = [pcsc::ReaderState::new(name, pcsc::State::UNAWARE)];
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            context
                .get_status_change(left, &mut states)
                .map_err(failed)?;
            for state in &mut states {
                if state.event_state().contains(pcsc::State::PRESENT) == present {
                    return Ok(());
                }
                state.sync_current_state();
            }
        }
    }
}

/// Locks; a thread that died elsewhere leaves a usable place.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
