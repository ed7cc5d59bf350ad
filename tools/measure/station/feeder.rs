//! Readers in this process, and hands that lay the next blank as soon as one is done with: nobody is
//! waited for but the chips.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use card::{Channel, ChannelError};
use reader::{Insertion, ReaderError};
use rustix::time::{ClockId, clock_gettime};
use station::{CardWatch, HeldCard, ReaderService};
use vcard::{Chip, Circumstances, InProcess, Pace, Timing};

/// How often a slot that has no blank any more looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// Returns the name of a slot.
pub(super) fn slot(at: usize) -> String {
    format!("slot-{at:02}")
}

/// Returns the name of the reader of a slot for the chip at this place of its blanks.
pub(super) fn reader(at: usize, place: usize) -> String {
    format!("{} chip {place}", slot(at))
}

/// Returns the processor's time that this thread has taken.
fn processor_time() -> Duration {
    let taken = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(taken.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(taken.tv_nsec).unwrap_or_default())
}

struct Reader {
    class: &'static Timing,
    card: Option<InProcess>,
    blanks: Vec<Chip>,
    insertion: u32,
    /// What each of its chips has taken, in the order in which they came.
    own: Vec<Duration>,
}

/// The processor's time that a slot's threads took beside its chips.
#[derive(Default)]
struct Host {
    /// What each thread had taken when it was done with a chip last.
    threads: HashMap<ThreadId, Duration>,
    taken: Duration,
}

impl Host {
    /// Counts what this thread has taken since it was here last.
    fn count(&mut self) {
        let now = processor_time();
        let before = self.threads.insert(thread::current().id(), now);
        // A thread that is new has done nothing before.
        self.taken += now.saturating_sub(before.unwrap_or_default());
    }

    /// Leaves out what this thread has taken since then.
    fn skip(&mut self) {
        self.threads
            .insert(thread::current().id(), processor_time());
    }
}

struct Slot {
    readers: Vec<Mutex<Reader>>,
    changed: Condvar,
    host: Mutex<Host>,
    /// When its first blank is laid.
    begins: Instant,
    /// When its first blank came and its last was taken out, and how many were until then.
    span: Mutex<Option<(Instant, Instant, usize)>>,
    taken: Condvar,
}

/// The readers of a station, each with its blanks, by the names of slots and readers.
#[derive(Clone)]
pub(super) struct Feeder(Arc<BTreeMap<String, (Arc<Slot>, usize)>>);

impl Feeder {
    /// Lays blanks at so many slots, by turns; their chips take the time of these classes. The first blank of
    /// each slot comes so much later than that of the slot before: nobody has as many hands.
    pub(super) fn new(
        slots: usize,
        classes: &[&'static Timing],
        blanks: Vec<Vec<Chip>>,
        later: Duration,
    ) -> Self {
        let now = Instant::now();
        let empty = |at| Slot {
            readers: classes
                .iter()
                .map(|class| Mutex::new(Reader::of(class)))
                .collect(),
            changed: Condvar::new(),
            host: Mutex::default(),
            begins: now + later * at,
            span: Mutex::default(),
            taken: Condvar::new(),
        };
        let mut laid: Vec<Slot> = (0..slots).zip(0..).map(|(_, at)| empty(at)).collect();
        for (at, blank) in blanks.into_iter().enumerate() {
            if let Some(slot) = laid.get_mut(at % slots.max(1)) {
                for (chip, reader) in blank.into_iter().zip(&slot.readers) {
                    locked(reader).blanks.push(chip);
                }
            }
        }
        let mut named = BTreeMap::new();
        for (at, slot) in laid.into_iter().map(Arc::new).enumerate() {
            for place in 0..slot.readers.len() {
                named.insert(reader(at, place), (Arc::clone(&slot), place));
            }
        }
        Self(Arc::new(named))
    }

    /// Returns what the blanks would have taken by themselves, each as long as the slowest of its chips,
    /// and what the processor took for the slots beside them, in seconds.
    pub(super) fn spent(&self) -> (f64, f64) {
        let slots = self.0.values().filter(|(_, place)| *place == 0);
        slots.fold((0.0, 0.0), |(own, host), (slot, _)| {
            let chips: Vec<_> = slot
                .readers
                .iter()
                .map(|reader| locked(reader).all())
                .collect();
            let blanks = chips.iter().map(Vec::len).max().unwrap_or_default();
            let slowest = |blank| chips.iter().filter_map(|own| own.get(blank)).max().copied();
            let taken: Duration = (0..blanks).filter_map(slowest).sum();
            (
                own + taken.as_secs_f64(),
                host + locked(&slot.host).taken.as_secs_f64(),
            )
        })
    }

    /// Waits until so many blanks were taken out at each slot.
    pub(super) fn wait_for_all(&self, each: usize) {
        for (slot, _) in self.0.values().filter(|(_, place)| *place == 0) {
            let span = locked(&slot.span);
            let lacks = |span: &mut Option<(_, _, usize)>| span.is_none_or(|(.., of)| of < each);
            // A slot that fell is told of elsewhere.
            drop(slot.taken.wait_while(span, lacks));
        }
    }

    /// Returns how many blanks all slots end in a second, each from its first blank on.
    pub(super) fn a_second(&self) -> f64 {
        let slots = self.0.values().filter(|(_, place)| *place == 0);
        slots
            .filter_map(|(slot, _)| {
                let (first, last, blanks) = (*locked(&slot.span))?;
                Some(blanks as f64 / last.duration_since(first).as_secs_f64())
            })
            .sum()
    }

    fn named(&self, name: &str) -> Result<(&Slot, &Mutex<Reader>), ReaderError> {
        let found = self.0.get(name);
        let found = found.and_then(|(slot, place)| Some((&**slot, slot.readers.get(*place)?)));
        found.ok_or_else(|| ReaderError::UnknownReader {
            name: name.to_owned(),
            known: self.0.keys().cloned().collect(),
        })
    }
}

impl Reader {
    fn of(class: &'static Timing) -> Self {
        Self {
            class,
            card: None,
            blanks: Vec::new(),
            insertion: 0,
            own: Vec::new(),
        }
    }

    /// Returns what each of its chips has taken until now.
    fn all(&self) -> Vec<Duration> {
        let present = self.card.as_ref().map(InProcess::simulated);
        self.own.iter().copied().chain(present).collect()
    }

    fn take_out(&mut self) {
        if let Some(card) = self.card.take() {
            self.own.push(card.simulated());
        }
    }
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReaderService for Feeder {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        Ok(Box::new(self.clone()))
    }

    fn open(&self, reader: &str, _: Duration) -> Result<HeldCard, ChannelError> {
        let there = self.named(reader).map_err(|_| ChannelError::NoReader {
            name: reader.to_owned(),
        })?;
        let mut there = locked(there.1);
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
        let (slot, there) = self.named(reader)?;
        let until = Instant::now() + timeout;
        let mut state = locked(there);
        loop {
            if state.card.is_none()
                && Instant::now() >= slot.begins
                && let Some(chip) = state.blanks.pop()
            {
                let (class, waits) = (state.class, true);
                let circumstances = Circumstances {
                    pace: Some(Pace { class, waits }),
                    ..Circumstances::default()
                };
                state.card = Some(InProcess::under(chip, circumstances));
                state.insertion += 1;
                let now = Instant::now();
                locked(&slot.span).get_or_insert((now, now, 0));
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
            let waited = slot.changed.wait_timeout(state, LOOK);
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
        let (slot, there) = self.named(reader)?;
        let is_there = {
            let there = locked(there);
            there.card.is_some() && Insertion::counted(there.insertion) == insertion
        };
        // Who waits is done with it, and with all of its chips.
        if !timeout.is_zero() && is_there {
            locked(&slot.host).count();
            slot.readers
                .iter()
                .for_each(|reader| locked(reader).take_out());
            if let Some((_, last, blanks)) = &mut *locked(&slot.span) {
                (*last, *blanks) = (Instant::now(), *blanks + 1);
            }
            slot.taken.notify_all();
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
        let (slot, there) = self
            .feeder
            .named(&self.reader)
            .map_err(|_| ChannelError::Removed)?;
        let mut there = locked(there);
        locked(&slot.host).count();
        let card = there.card.as_mut().ok_or(ChannelError::Removed)?;
        let answer = act(card);
        locked(&slot.host).skip();
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
