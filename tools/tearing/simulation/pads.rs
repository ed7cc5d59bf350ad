//! The readers of one station, with chips in them, and the person who puts them there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use card::{Channel, ChannelError};
use reader::{Insertion, ReaderError};
use station::{CardWatch, HeldCard, ReaderService, Turns};
use vcard::{Chip, InProcess};

use super::floor::{ByTurns, Floor};
use super::life::Life;
use super::time::Time;

#[derive(Default)]
struct Pad {
    card: Option<InProcess>,
    insertion: u32,
}

/// The readers of a station, by their names.
#[derive(Clone, Default)]
pub(super) struct Pads(Arc<Mutex<BTreeMap<String, Pad>>>);

impl Pads {
    fn pads(&self) -> MutexGuard<'_, BTreeMap<String, Pad>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a chip into a reader, or nothing. Returns the one that was there.
    pub(super) fn put(&self, reader: &str, chip: Option<Chip>) -> Option<Chip> {
        let mut pads = self.pads();
        let pad = pads.entry(reader.to_owned()).or_default();
        let old = pad.card.take();
        pad.card = chip.map(InProcess::new);
        pad.insertion += 1;
        old.map(InProcess::into_chip)
    }

    /// Does something with the card of an insertion.
    fn with<T>(
        &self,
        reader: &str,
        insertion: u32,
        act: impl FnOnce(&mut InProcess) -> Result<T, ChannelError>,
    ) -> Result<T, ChannelError> {
        let mut pads = self.pads();
        let pad = pads.get_mut(reader);
        let pad = pad.filter(|pad| pad.insertion == insertion);
        let card = pad.and_then(|pad| pad.card.as_mut());
        act(card.ok_or(ChannelError::Removed)?)
    }
}

/// The readers, as one life of the station reaches them.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) station: usize,
    pub(super) pads: Pads,
    pub(super) life: Life,
    pub(super) floor: Arc<Floor>,
    pub(super) time: Arc<Time>,
}

impl ReaderService for Service {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        self.floor.enter(self.station);
        Ok(Box::new(self.clone()))
    }

    fn open(&self, reader: &str, _: Duration) -> Result<HeldCard, ChannelError> {
        let mut pads = self.pads.pads();
        let pad = pads.get_mut(reader);
        let pad = pad.ok_or_else(|| ChannelError::NoReader {
            name: reader.into(),
        })?;
        let card = pad.card.as_mut();
        let card = card.ok_or_else(|| ChannelError::NoCard {
            reader: reader.into(),
        })?;
        let atr = card.reset()?;
        let held = Held {
            service: self.clone(),
            reader: reader.to_owned(),
            insertion: pad.insertion,
            atr,
        };
        Ok(HeldCard {
            channel: Box::new(held),
            protocol: None,
        })
    }
}

impl Service {
    /// Waits until it is so; returns the reader's count. None: not in time.
    fn wait(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
        is_so: &dyn Fn(&Pad) -> bool,
    ) -> Option<Insertion> {
        let until = self.time.passed() + u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        loop {
            {
                let mut pads = self.pads.pads();
                let pad = pads.entry(reader.to_owned()).or_default();
                if is_so(pad) {
                    return Some(Insertion::counted(pad.insertion));
                }
            }
            if stop() || self.time.passed() >= until {
                return None;
            }
            ByTurns(Arc::clone(&self.floor)).pass();
        }
    }
}

impl CardWatch for Service {
    fn wait_for_card(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Insertion, ReaderError> {
        let found = self.wait(reader, timeout, stop, &|pad| pad.card.is_some());
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
        let gone = |pad: &Pad| pad.card.is_none() || Insertion::counted(pad.insertion) != insertion;
        Ok(self.wait(reader, timeout, stop, &gone).is_some())
    }
}

/// A card that a slot holds.
struct Held {
    service: Service,
    reader: String,
    insertion: u32,
    atr: Vec<u8>,
}

impl Held {
    fn with<T>(
        &self,
        act: impl FnOnce(&mut InProcess) -> Result<T, ChannelError>,
    ) -> Result<T, ChannelError> {
        self.service.pads.with(&self.reader, self.insertion, act)
    }
}

impl Channel for Held {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.with(|card| card.transmit(command));
        self.service.life.commanded();
        answer
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.atr = self.with(Channel::reset)?;
        Ok(self.atr.clone())
    }
}

impl Drop for Held {
    /// A card that is let go is reset, whoever let it go.
    fn drop(&mut self) {
        let _ = self.with(Channel::reset);
    }
}
