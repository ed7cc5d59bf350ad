//! One slot: a thread with a PC/SC context of its own, so that a reader that hangs stops
//! nothing else.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::{Actor, ApiError, BlankEnd, JournalLine, Lease, LeaseRequest, cause_of};
use card::{Channel, Limits};
use perso::Inspector;
use profile::Plan;
use reader::{
    CapabilityCache, CapabilityKey, Insertion, LOOKING, ProbeError, ProbePlan, ReaderError,
};
use tokio::sync::broadcast;
use tracing::Instrument;

use crate::blank::BlankRun;
use crate::catalogue::Catalogue;
use crate::error::{StationError, chain};
use crate::event::{Event, Happening};
use crate::journal::{Ending, Journal, OpenRun};
use crate::order::Order;
use crate::outbox;
use crate::readers::{CardWatch, HeldCard};
use crate::station::{Shared, SlotConfig};

/// How long one wait for a card lasts before the slot looks whether it should stop.
const CARD_WAIT: Duration = Duration::from_secs(3600);
/// How long the other chips of a blank may take to answer once the first did.
pub(crate) const OTHERS_WAIT: Duration = Duration::from_secs(3);
/// How long a slot with a blank and no work waits before it asks again.
const WORK_WAIT: Duration = Duration::from_millis(500);

/// One slot of the station.
pub(crate) struct Slot {
    pub(crate) config: SlotConfig,
    pub(crate) order: Arc<Order>,
    /// The document that was in work here when the station stopped, until it is decided what becomes
    /// of it.
    pub(crate) interrupted: Cell<Option<OpenRun>>,
    /// What was told last, so that it is not told again.
    pub(crate) said: Cell<Option<Happening>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) catalogue: Catalogue,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Slot {
    pub(crate) fn tell(&self, happening: Happening) {
        let said = self.said.replace(None);
        if said.as_ref() != Some(&happening) {
            // Nobody has to watch.
            let _ = self.events.send(Event {
                slot: self.config.name.clone(),
                happening: happening.clone(),
            });
        }
        self.said.set(Some(happening));
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        // A slot that panicked in the middle of a write has rolled its transaction back.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until the station stops.
    pub(crate) fn run(self) {
        while !self.stopping() {
            // The service may be restarted: then a new connection is wanted.
            let worked = (self.shared.readers.connect())
                .map_err(StationError::from)
                .and_then(|readers| self.rounds(&*readers));
            if let Err(error) = worked {
                self.tell(told(&error));
                self.pause();
            }
        }
    }

    /// Blank after blank, until the station stops or something fails.
    fn rounds(&self, readers: &dyn CardWatch) -> Result<(), StationError> {
        while !self.stopping() {
            self.round(readers)?;
        }
        Ok(())
    }

    /// Waits a little, or until the station stops.
    pub(crate) fn pause(&self) {
        let (lock, wake) = &self.shared.wake;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Woken early or not, the caller looks again at what it waits for.
        let _ = wake.wait_timeout(guard, WORK_WAIT);
    }

    /// Returns in whose name the slot works now, or tells why it does not.
    pub(crate) fn on_shift(&self) -> Option<Actor> {
        let hindrance = self.shared.hindrance.lock();
        let hindrance = hindrance.unwrap_or_else(PoisonError::into_inner).clone();
        let actor = self.shared.shift.actor();
        let why_not = match (self.order.is_paused(), hindrance, &actor) {
            (true, _, _) => Happening::Paused,
            (false, Some(reason), _) => Happening::OutOfService { reason },
            (false, None, None) => Happening::NobodyOnShift,
            (false, None, Some(_)) => return actor,
        };
        self.tell(why_not);
        None
    }

    /// One blank from insertion to removal.
    fn round(&self, readers: &dyn CardWatch) -> Result<(), StationError> {
        let Some(actor) = self.on_shift() else {
            self.pause();
            return Ok(());
        };
        let stop = || self.stopping() || self.on_shift().as_ref() != Some(&actor);
        if let Err(error) = self.reconcile(&actor) {
            let is_set_back = matches!(
                error,
                StationError::Reconciling | StationError::Behind { .. }
            );
            // A centre that is restored waits for every lease to be reported.
            if is_set_back && let Some(run) = self.interrupted.take() {
                self.give_up(&actor, &run, "the centre was restored meanwhile")?;
            }
            return Err(error);
        }
        if let Some(run) = self.interrupted.take() {
            return self.go_on(readers, &actor, run);
        }
        self.tell(Happening::WaitingForCard);
        // The chips of one blank come and go together: the first one's reader tells.
        let Some(reader) = self.config.chips.first().map(|chip| chip.reader.as_str()) else {
            return Err(StationError::EmptySlot {
                slot: self.config.name.clone(),
            });
        };
        let insertion = match readers.wait_for_card(reader, CARD_WAIT, &stop) {
            Ok(insertion) => insertion,
            Err(ReaderError::NoCardCame { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.wait_for_others(readers, insertion, &stop)?;
        let here = || {
            let gone = readers.wait_for_removal(reader, insertion, Duration::ZERO, &|| true);
            gone.map(|gone| !gone)
        };
        let done = match self.lease(&actor, &stop, &here) {
            Ok(None) => return Ok(()),
            Ok(Some(lease)) => self.make(&actor, &lease, None),
            // It is about this blank, which lies there until somebody takes it out.
            Err(StationError::Centre(
                error @ (ApiError::NotOneBlank { .. } | ApiError::Refused { .. }),
            )) => Err(error.into()),
            Err(error @ StationError::Unread { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        self.leave(readers, (reader, insertion), done, false)
    }

    /// Waits until the blank is taken out: whatever happened, it is not begun a second time, unless it
    /// serves for another document.
    pub(crate) fn leave(
        &self,
        readers: &dyn CardWatch,
        (reader, insertion): (&str, Insertion),
        done: Result<(), StationError>,
        serves_again: bool,
    ) -> Result<(), StationError> {
        if let Err(error) = done {
            self.tell(told(&error));
        } else if serves_again {
            return Ok(());
        }
        let stop = || self.stopping();
        while !stop() && !readers.wait_for_removal(reader, insertion, CARD_WAIT, &stop)? {}
        Ok(())
    }

    /// Makes the document of a lease, and reports it; `lines` is what an earlier run wrote down, which
    /// was cut off.
    pub(crate) fn make(
        &self,
        actor: &Actor,
        lease: &Lease,
        lines: Option<&[JournalLine]>,
    ) -> Result<(), StationError> {
        // What is done for this document, here and at the centre, is one trace.
        let slot = &*self.config.name;
        let issuance = tracing::info_span!("issuance", lease = %lease.id, slot);
        let _in_hand = self.shared.shift.take_in_hand(slot, &actor.person);
        issuance.in_scope(|| {
            self.personalize(actor, lease, lines)?;
            match self.send_reports(actor) {
                // It is in the outbox, and goes before anything else is begun.
                Err(StationError::Centre(ApiError::Unavailable { .. })) => Ok(()),
                sent => sent,
            }
        })
    }

    /// Waits until each of the blank's other chips answers in its reader too. One that does not come
    /// is the blank's fault, and is found when its reader is opened.
    pub(crate) fn wait_for_others(
        &self,
        readers: &dyn CardWatch,
        insertion: Insertion,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), StationError> {
        let mut places = self.config.chips.iter();
        let Some(first) = places.next() else {
            return Ok(());
        };
        let is_gone = || {
            let gone = readers.wait_for_removal(&first.reader, insertion, Duration::ZERO, &|| true);
            stop() || gone.unwrap_or(true)
        };
        for place in places {
            match readers.wait_for_card(&place.reader, OTHERS_WAIT, &is_gone) {
                Ok(_) | Err(ReaderError::NoCardCame { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for a lease as long as the blank is there.
    fn lease(
        &self,
        actor: &Actor,
        stop: &dyn Fn() -> bool,
        here: &dyn Fn() -> Result<bool, ReaderError>,
    ) -> Result<Option<Lease>, StationError> {
        let chips = self.config.chips.iter();
        let products: Vec<_> = chips.map(|chip| chip.product.clone()).collect();
        let article = self.config.article.clone();
        let chips = match self
            .catalogue
            .follows_blank(&products, article.as_deref())?
        {
            true => self.read_serials()?,
            false => Vec::new(),
        };
        let request = LeaseRequest {
            environment: self.shared.environment,
            slot: self.config.name.clone(),
            products,
            article,
            office: self.shared.office.clone(),
            chips,
            among: Vec::new(),
        };
        while !stop() && here()? {
            let request = LeaseRequest {
                among: self.shared.batch.next(),
                ..request.clone()
            };
            let asking = self.shared.centre.lease(actor, &request);
            let lease = match self.shared.runtime.block_on(asking) {
                Err(ApiError::Unavailable { reason }) => {
                    self.tell(Happening::CentreAway { reason });
                    self.pause();
                    continue;
                }
                answered => answered?,
            };
            if let Some(lease) = lease {
                return match lease.environment == self.shared.environment {
                    true => Ok(Some(lease)),
                    false => Err(StationError::Environment {
                        own: self.shared.environment,
                        lease: lease.environment,
                    }),
                };
            }
            self.tell(Happening::NothingToDo);
            self.pause();
        }
        Ok(None)
    }

    /// Reads the serial number of every chip of the blank. Nothing else is done to them.
    fn read_serials(&self) -> Result<Vec<String>, StationError> {
        let mut serials = Vec::new();
        for place in &self.config.chips {
            let unread = |reason: String| StationError::Unread {
                reader: place.reader.clone(),
                reason,
            };
            let chip = self.catalogue.chip(&place.product)?;
            let held = self.shared.readers.open(&place.reader, LOOKING);
            let mut held = held.map_err(|error| unread(chain(&error)))?;
            let identity = Inspector::new(&chip, &mut held.channel).identify();
            let identity = identity.map_err(|error| unread(chain(&error)))?;
            let serial = identity.serial.filter(|_| identity.differences.is_empty());
            serials.push(serial.ok_or_else(|| {
                unread(format!("it is no \"{}\" with a serial number", chip.name))
            })?);
        }
        Ok(serials)
    }

    fn personalize(
        &self,
        actor: &Actor,
        lease: &Lease,
        lines: Option<&[JournalLine]>,
    ) -> Result<(), StationError> {
        self.order.take_up();
        let number = lease.record.number.to_string();
        self.tell(Happening::Started {
            number: number.clone(),
            document: lease.identity,
            kind: lease.record.kind,
        });
        let (document, named) = (lease.identity, lease.record.number);
        let slot = &self.config.name;
        let is_new = self.journal().begin(lease.id, document, named, slot)?;
        if !is_new && lines.is_none() {
            return self.journal().settle(lease.id, None).map(drop);
        }
        let started = Instant::now();
        let mut done = BlankRun::default();
        let failure = self.attempt(actor, lease, lines, &mut done).err();
        let failure = failure.map(|error| cause_of(&chain(error.as_ref())));
        let end = match failure {
            None => BlankEnd::Personalized,
            Some(cause) if done.touched || self.journal().is_touched(lease.id)? => {
                BlankEnd::Spoiled { cause }
            }
            Some(cause) => BlankEnd::Untouched { cause },
        };
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let ending = Ending {
            end: end.clone(),
            chips: done.chips.clone(),
            certificates: done.certificates,
            milliseconds,
        };
        self.journal().end(lease.id, ending)?;
        self.tell(Happening::Finished {
            number,
            document: lease.identity,
            end,
            chips: done.chips,
            certificates: done.certificates,
            milliseconds,
            spent: done.spent,
        });
        Ok(())
    }

    /// Returns what chip and reader take together: measured once for every reader's model and
    /// chip, before any session.
    pub(crate) fn limits(
        &self,
        plan: &Plan,
        reader: &str,
        card: &mut HeldCard,
    ) -> Result<Limits, ProbeError> {
        let (mut cache, warning) = CapabilityCache::open(&self.shared.measured);
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
        let chip = &plan.chip;
        let key = CapabilityKey::new(reader, card.channel.atr(), &chip.name);
        let bounds = ProbePlan::new(chip.limits);
        let (found, unkept) =
            cache.get_or_probe(&key, &mut *card.channel, card.protocol, &bounds)?;
        if let Some(error) = unkept {
            tracing::warn!("{error}");
        }
        Ok(found.narrow(&chip.limits))
    }

    /// Sends what is in the outbox, in order. What cannot be sent now stays.
    pub(crate) fn send_reports(&self, actor: &Actor) -> Result<(), StationError> {
        // One slot sends at a time, so that the order holds; the journal stays free.
        let _turn = self.turn();
        let shared = &self.shared;
        let sending = outbox::send(&self.journal, &*shared.centre, actor);
        shared.runtime.block_on(sending.in_current_span())
    }

    /// As [`Slot::send_reports`], after the centre said what it has of this station.
    fn reconcile(&self, actor: &Actor) -> Result<(), StationError> {
        let _turn = self.turn();
        let shared = &self.shared;
        let reconciling = outbox::reconcile(&self.journal, &*shared.centre, actor);
        shared.runtime.block_on(reconciling)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        let outbox = self.shared.outbox.lock();
        outbox.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal of one lease, locked for one entry at a time.
pub(crate) struct SlotNotebook<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) lease: api::LeaseId,
}

impl crate::drive::Notebook for SlotNotebook<'_> {
    fn write(&mut self, entry: &perso::JournalEntry) -> Result<(), String> {
        self.slot.journal().notebook(self.lease).write(entry)
    }
}

/// Returns what a slot tells that met an error.
fn told(error: &StationError) -> Happening {
    let reason = chain(error);
    match error {
        StationError::Centre(ApiError::Unavailable { reason }) => Happening::CentreAway {
            reason: reason.clone(),
        },
        StationError::Reader(_) => Happening::OutOfService { reason },
        _ => Happening::NeedsPerson { reason },
    }
}
