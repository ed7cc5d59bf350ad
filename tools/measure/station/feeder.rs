//! Readers in this process, and hands that lay the next blank as soon as one is done with: nobody is
//! waited for but the chips.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use card::{Channel, ChannelError};
use reader::{Insertion, ReaderError};
use rustix::time::{ClockId, clock_gettime};
use station::{CardWatch, HeldCard, ReaderService};
use vcard::{Chip, Circumstances, InProcess, Pace, Timing};

use super::CLASS;

/// How often a slot that has no blank any more looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// Returns the name of a slot, and of its reader.
pub(super) fn reader(at: usize) -> String {
    format!("slot-{at:02}")
}

/// Returns the processor's time that this thread has taken.
fn processor_time() -> Duration {
    let taken = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(taken.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(taken.tv_nsec).unwrap_or_default())
}

#[derive(Default)]
struct Reader {
    card: Option<InProcess>,
    blanks: Vec<Chip>,
    insertion: u32,
    /// What its thread had taken when the present card came.
    since: Duration,
    /// What of it the chips took, which are no part of a station.
    of_chips: Duration,
    host: Duration,
    own: Duration,
}

/// The readers of a station, each with its blanks.
#[derive(Clone)]
pub(super) struct Feeder(Arc<BTreeMap<String, (Mutex<Reader>, Condvar)>>);

impl Feeder {
    /// Lays the blanks at so many readers, by turns.
    pub(super) fn new(readers: usize, chips: Vec<Chip>) -> Self {
        let mut stacks: Vec<Reader> = (0..readers).map(|_| Reader::default()).collect();
        for (at, chip) in chips.into_iter().enumerate() {
            if let Some(stack) = stacks.get_mut(at % readers.max(1)) {
                stack.blanks.push(chip);
            }
        }
        let named = stacks.into_iter().enumerate();
        let named = named.map(|(at, stack)| (reader(at), (Mutex::new(stack), Condvar::new())));
        Self(Arc::new(named.collect()))
    }

    /// Returns what the chips would have taken by themselves, and what the processor took for the slots
    /// beside them, in seconds.
    pub(super) fn spent(&self) -> (f64, f64) {
        let readers = self.0.values().map(|(reader, _)| locked(reader));
        readers.fold((0.0, 0.0), |(own, host), reader| {
            let present = reader.card.as_ref().map(InProcess::simulated);
            let all = reader.own + present.unwrap_or_default();
            (own + all.as_secs_f64(), host + reader.host.as_secs_f64())
        })
    }

    fn named(&self, name: &str) -> Result<&(Mutex<Reader>, Condvar), ReaderError> {
        self.0.get(name).ok_or_else(|| ReaderError::UnknownReader {
            name: name.to_owned(),
            known: self.0.keys().cloned().collect(),
        })
    }
}

fn locked(reader: &Mutex<Reader>) -> MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReaderService for Feeder {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        Ok(Box::new(self.clone()))
    }

    fn open(&self, reader: &str, _: Duration) -> Result<HeldCard, ChannelError> {
        let there = self.0.get(reader);
        let (there, _) = there.ok_or_else(|| ChannelError::NoReader {
            name: reader.to_owned(),
        })?;
        let mut there = locked(there);
        let card = there.card.as_mut().ok_or_else(|| ChannelError::NoCard {
            reader: reader.to_owned(),
        })?;
        let held = Held {
            feeder: self.clone(),
            reader: reader.to_owned(),
            atr: card.reset()?,
        };
        Ok(HeldCard {
            channel: Box::new(held),
            protocol: None,
        })
    }
}

impl CardWatch for Feeder {
    fn wait_for_card(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Insertion, ReaderError> {
        let (there, changed) = self.named(reader)?;
        let until = Instant::now() + timeout;
        let mut state = locked(there);
        loop {
            if state.card.is_none()
                && let Some(chip) = state.blanks.pop()
            {
                let pace = Timing::find(CLASS).map(|class| Pace { class, waits: true });
                let circumstances = Circumstances {
                    pace,
                    ..Circumstances::default()
                };
                state.card = Some(InProcess::under(chip, circumstances));
                state.insertion += 1;
                (state.since, state.of_chips) = (processor_time(), Duration::ZERO);
            }
            if state.card.is_some() {
                return Ok(Insertion::counted(state.insertion));
            }
            if stop() || Instant::now() >= until {
                return Err(ReaderError::NoCardCame {
                    reader: reader.to_owned(),
                    seconds: timeout.as_secs(),
                });
            }
            let waited = changed.wait_timeout(state, LOOK);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_for_removal(
        &self,
        reader: &str,
        insertion: Insertion,
        timeout: Duration,
        _: &dyn Fn() -> bool,
    ) -> Result<bool, ReaderError> {
        let (there, _) = self.named(reader)?;
        let mut there = locked(there);
        let is_there = there.card.is_some() && Insertion::counted(there.insertion) == insertion;
        // Who waits is done with it.
        if !timeout.is_zero()
            && is_there
            && let Some(card) = there.card.take()
        {
            there.own += card.simulated();
            let taken = processor_time().saturating_sub(there.since);
            let host = taken.saturating_sub(there.of_chips);
            there.host += host;
            return Ok(true);
        }
        Ok(!is_there)
    }
}

/// A card that a slot holds.
struct Held {
    feeder: Feeder,
    reader: String,
    atr: Vec<u8>,
}

impl Held {
    fn card<T>(
        &self,
        act: impl FnOnce(&mut InProcess) -> Result<T, ChannelError>,
    ) -> Result<T, ChannelError> {
        let there = self.feeder.0.get(&self.reader);
        let (there, _) = there.ok_or(ChannelError::Removed)?;
        let mut there = locked(there);
        let before = processor_time();
        let card = there.card.as_mut().ok_or(ChannelError::Removed)?;
        let answer = act(card);
        there.of_chips += processor_time().saturating_sub(before);
        answer
    }
}

impl Channel for Held {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.card(|card| card.transmit(command))
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.atr = self.card(InProcess::reset)?;
        Ok(self.atr.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A card that is let go is reset; one that is gone has nobody to hear it.
        let _ = self.card(InProcess::reset);
    }
}
