//! Readers in this process, with chips in them: what a slot sees of PC/SC.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use card::{Channel, ChannelError};
use reader::{Insertion, ReaderError};
use station::{CardWatch, HeldCard, ReaderService};
use vcard::{Chip, InProcess};

use crate::fault::{Fault, Seam};
use crate::trip::Trip;

/// How often a wait is looked at again: whoever waits may have been told to stop.
const LOOK: Duration = Duration::from_millis(5);
/// Nothing comes by itself here: whoever waits shorter than this waits in vain.
const IN_VAIN: Duration = Duration::from_secs(60);
/// The bytes of a noisy answer.
const NOISE: usize = 20;

/// A reader, and what is in it.
struct Reader {
    is_plugged: bool,
    card: Option<InProcess>,
    insertion: u32,
}

#[derive(Default)]
struct State {
    readers: BTreeMap<String, Reader>,
    /// The cards that lie beside their readers.
    out: Vec<(String, InProcess)>,
    is_open: bool,
}

/// The readers of a slot, and the card that lies in them: all its chips come and go together.
#[derive(Default)]
pub(crate) struct Bench {
    state: Mutex<State>,
    changed: Condvar,
}

impl Bench {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what is in the readers, and puts a blank's chips in.
    pub(crate) fn change(&self, chips: Vec<(String, Chip)>) {
        let mut state = self.state();
        state.out.clear();
        for (name, chip) in chips {
            let reader = state.readers.entry(name).or_insert(Reader {
                is_plugged: true,
                card: None,
                insertion: 0,
            });
            reader.card = Some(InProcess::new(chip));
            reader.insertion += 1;
        }
        self.changed.notify_all();
    }

    /// Stands an empty reader there.
    pub(crate) fn stand(&self, name: &str) {
        let reader = Reader {
            is_plugged: true,
            card: None,
            insertion: 0,
        };
        self.state().readers.insert(name.to_owned(), reader);
    }

    /// Puts one chip into a reader.
    pub(crate) fn insert(&self, name: &str, chip: Chip) {
        if let Some(reader) = self.state().readers.get_mut(name) {
            reader.card = Some(InProcess::new(chip));
            reader.insertion += 1;
        }
        self.changed.notify_all();
    }

    /// Plugs in what was unplugged.
    pub(crate) fn plug_in(&self) {
        for reader in self.state().readers.values_mut() {
            reader.is_plugged = true;
        }
        self.changed.notify_all();
    }

    /// Takes one chip out of its reader, or from beside it.
    pub(crate) fn withdraw(&self, name: &str) -> Option<Chip> {
        let mut state = self.state();
        let there = state
            .readers
            .get_mut(name)
            .and_then(|reader| reader.card.take());
        let beside = state.out.iter().position(|(reader, _)| reader == name);
        let card = there.or_else(|| beside.map(|at| state.out.remove(at).1));
        self.changed.notify_all();
        card.map(InProcess::into_chip)
    }

    /// Plugs in what was unplugged, and puts the card back that was taken out.
    pub(crate) fn put_back(&self) {
        let mut state = self.state();
        for (name, card) in std::mem::take(&mut state.out) {
            if let Some(reader) = state.readers.get_mut(&name) {
                reader.card = Some(InProcess::new(card.into_chip()));
            }
        }
        for reader in state.readers.values_mut() {
            reader.is_plugged = true;
            reader.insertion += 1;
        }
        self.changed.notify_all();
    }

    /// Lets slots connect, or keeps them waiting: whoever watches them is there first.
    pub(crate) fn open(&self, is_open: bool) {
        self.state().is_open = is_open;
        self.changed.notify_all();
    }

    /// Takes the chips out of their readers for good.
    pub(crate) fn take(&self) -> Vec<(String, Chip)> {
        let mut state = self.state();
        let readers = state.readers.iter_mut();
        let cards = readers.filter_map(|(name, reader)| Some((name.clone(), reader.card.take()?)));
        let cards: Vec<_> = cards.collect();
        cards
            .into_iter()
            .chain(std::mem::take(&mut state.out))
            .map(|(name, card)| (name, card.into_chip()))
            .collect()
    }
}

impl State {
    fn reader(&mut self, name: &str) -> Result<&mut Reader, ChannelError> {
        let reader = self.readers.get_mut(name);
        let reader = reader.filter(|reader| reader.is_plugged);
        reader.ok_or_else(|| ChannelError::NoReader { name: name.into() })
    }

    /// Returns the card of an insertion.
    fn card(&mut self, name: &str, insertion: u32) -> Result<&mut InProcess, ChannelError> {
        let reader = self.reader(name)?;
        let is_same = reader.insertion == insertion;
        let card = reader.card.as_mut().filter(|_| is_same);
        card.ok_or(ChannelError::Removed)
    }

    /// Takes the card out of all readers.
    fn remove(&mut self) {
        for (name, reader) in &mut self.readers {
            if let Some(card) = reader.card.take() {
                self.out.push((name.clone(), card));
            }
        }
    }
}

/// The readers, as one life of the station reaches them.
pub(crate) struct Service {
    pub(crate) bench: Arc<Bench>,
    pub(crate) trip: Arc<Trip>,
}

impl ReaderService for Service {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        let closed = |state: &mut State| !state.is_open;
        let opened = self.bench.changed.wait_while(self.bench.state(), closed);
        drop(opened);
        Ok(Box::new(Watch(Arc::clone(&self.bench))))
    }

    fn open(&self, reader: &str, _: Duration) -> Result<HeldCard, ChannelError> {
        let mut state = self.bench.state();
        let there = state.reader(reader)?;
        let insertion = there.insertion;
        let card = there.card.as_mut();
        let card = card.ok_or_else(|| ChannelError::NoCard {
            reader: reader.into(),
        })?;
        let atr = card.reset()?;
        let held = Held {
            bench: Arc::clone(&self.bench),
            trip: Arc::clone(&self.trip),
            reader: reader.to_owned(),
            insertion,
            atr,
        };
        Ok(HeldCard {
            channel: Box::new(held),
            protocol: None,
        })
    }
}

/// Sees cards come and go.
struct Watch(Arc<Bench>);

impl Watch {
    /// Waits until it is so; returns the reader's count. `None`: not in time.
    fn wait(
        &self,
        name: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
        is_so: &dyn Fn(&Reader) -> bool,
    ) -> Result<Option<Insertion>, ReaderError> {
        let until = Instant::now() + timeout;
        let mut state = self.0.state();
        loop {
            let reader = state.reader(name).map_err(|_| ReaderError::UnknownReader {
                name: name.to_owned(),
                known: Vec::new(),
            })?;
            if is_so(reader) {
                return Ok(Some(Insertion::counted(reader.insertion)));
            }
            if stop() || timeout < IN_VAIN || Instant::now() >= until {
                return Ok(None);
            }
            let waited = self.0.changed.wait_timeout(state, LOOK);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl CardWatch for Watch {
    fn wait_for_card(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Insertion, ReaderError> {
        let found = self.wait(reader, timeout, stop, &|reader| reader.card.is_some())?;
        found.ok_or_else(|| ReaderError::NoCardCame {
            reader: reader.to_owned(),
            seconds: timeout.as_secs(),
        })
    }

    fn wait_for_removal(
        &self,
        reader: &str,
        insertion: Insertion,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, ReaderError> {
        let gone = |reader: &Reader| {
            reader.card.is_none() || Insertion::counted(reader.insertion) != insertion
        };
        Ok(self.wait(reader, timeout, stop, &gone)?.is_some())
    }
}

/// A card that a slot holds.
struct Held {
    bench: Arc<Bench>,
    trip: Arc<Trip>,
    reader: String,
    insertion: u32,
    atr: Vec<u8>,
}

impl Channel for Held {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let met = self.trip.pass(Seam::Command);
        let mut state = self.bench.state();
        match met {
            Some(Fault::CardGoneBefore) => {
                state.remove();
                self.bench.changed.notify_all();
                return Err(ChannelError::Removed);
            }
            Some(Fault::ReaderUnplugged) => {
                state.reader(&self.reader)?.is_plugged = false;
                self.bench.changed.notify_all();
            }
            _ => {}
        }
        let answer = state.card(&self.reader, self.insertion)?.transmit(command);
        match met {
            Some(Fault::CardGoneAfter) => {
                state.remove();
                self.bench.changed.notify_all();
                Err(ChannelError::Removed)
            }
            Some(Fault::Garbage) => {
                let mut noise = vec![0; NOISE];
                // Zeros are noise as well.
                let _ = openssl::rand::rand_bytes(&mut noise);
                Ok(noise)
            }
            Some(Fault::KilledAtCommand) => {
                drop(state);
                self.trip.die()
            }
            _ => answer,
        }
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        let mut state = self.bench.state();
        self.atr = state.card(&self.reader, self.insertion)?.reset()?;
        Ok(self.atr.clone())
    }
}

impl Drop for Held {
    /// A card that is let go is reset, whoever let it go.
    fn drop(&mut self) {
        if let Ok(card) = self.bench.state().card(&self.reader, self.insertion) {
            let _ = card.reset();
        }
    }
}
