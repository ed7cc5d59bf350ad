//! One slot: a thread with a PC/SC context of its own, so that a reader that hangs stops
//! nothing else.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::{Actor, ApiError, BlankEnd, JournalLine, Lease, LeaseRequest, PrintsWith, cause_of};
use card::{Channel, Limits};
use perso::Inspector;
use print::{Feeder, Scanner};
use profile::{ChipProfile, Plan};
use reader::{
    CapabilityCache, CapabilityKey, Insertion, LOOKING, ProbeError, ProbePlan, ReaderError,
};
use tokio::sync::broadcast;
use tracing::Instrument;

use crate::blank::BlankRun;
use crate::catalogue::Catalogue;
use crate::error::{StationError, chain};
use crate::event::{Event, Happening};
use crate::faces::FaceShelf;
use crate::fed::Brought;
use crate::journal::{Ending, Journal, OpenRun};
use crate::order::Order;
use crate::outbox;
use crate::press::Press;
use crate::printed::Round;
use crate::readers::{CardWatch, HeldCard};
use crate::station::{Shared, SlotConfig};

/// How long one wait for a card lasts before the slot looks whether it should stop.
const CARD_WAIT: Duration = Duration::from_secs(3600);
/// How long the other chips of a blank may take to answer once the first did.
pub(crate) const OTHERS_WAIT: Duration = Duration::from_secs(3);
/// How long a slot with a blank and no work waits before it asks again.
const WORK_WAIT: Duration = Duration::from_millis(500);

/// How a document is made.
pub(crate) enum Making<'a> {
    /// Of a blank that a person put into the readers.
    Anew,
    /// Behind what an earlier run wrote down, which was cut off.
    Behind(&'a [JournalLine]),
    /// Of a blank inside the printer.
    Inside(&'a mut Press, &'a dyn CardWatch),
}

/// One slot of the station.
pub(crate) struct Slot {
    pub(crate) config: SlotConfig,
    /// What its printer prints, where it has one.
    pub(crate) faces: Option<FaceShelf>,
    /// Its printer, while that is cleared.
    pub(crate) press: Cell<Option<Press>>,
    /// How many of its printer's blanks came to nothing, one after another.
    pub(crate) failures: Cell<u32>,
    /// Its feeder, where it has one.
    pub(crate) feeder: Cell<Option<Box<dyn Feeder>>>,
    /// Whether what lies before its readers was fed.
    pub(crate) fed: Cell<bool>,
    /// How the last document ended here.
    pub(crate) ended: Cell<Round>,
    /// Its scanner, where it has one.
    pub(crate) scanner: Cell<Option<Scanner>>,
    /// What is printed on the blank that lies here, where it was read.
    pub(crate) scanned: RefCell<Option<String>>,
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
        // Woken early or not, the caller looks again at what it waits for.
        let _ = self
            .shared
            .wait(async { tokio::time::timeout(WORK_WAIT, self.shared.wake.notified()).await });
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
        if let Some(printer) = &self.config.printer {
            return self.print_round(readers, &actor, printer);
        }
        // The chips of one blank come and go together: the first one's reader tells.
        let Some(reader) = self.config.chips.first().map(|chip| chip.reader.as_str()) else {
            return Err(StationError::EmptySlot {
                slot: self.config.name.clone(),
            });
        };
        let brought = match self.config.feeder.is_some() {
            true => self.bring(readers, reader)?,
            false => {
                self.arm_scanner()?;
                self.tell(Happening::WaitingForCard);
                Brought::Now
            }
        };
        if brought == Brought::Nothing {
            return Ok(());
        }
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
        let scanned = match brought {
            Brought::Before => Ok(()),
            _ => self.scan(),
        };
        self.ended.set(Round::Idle);
        let leased = (scanned.and_then(|()| self.serials()))
            .and_then(|chips| self.lease(&actor, &stop, &here, chips));
        let done = match leased {
            Ok(None) => return Ok(()),
            Ok(Some(lease)) => self.make_here(&actor, &lease),
            // It is about this blank, which lies there until somebody takes it out.
            Err(StationError::Centre(
                error @ (ApiError::NotOneBlank { .. } | ApiError::Refused { .. }),
            )) => Err(error.into()),
            Err(error @ (StationError::Unread { .. } | StationError::Scan(_))) => Err(error),
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
        let ended = self.ended.take();
        let round = match &done {
            Err(error) => Round::Failed(chain(error)),
            Ok(()) => ended,
        };
        if let Err(error) = done {
            self.tell(told(&error));
        } else if serves_again {
            self.fed.set(self.config.feeder.is_some());
            return Ok(());
        }
        if self.config.feeder.is_some() {
            return self.put_out(readers, (reader, insertion), round);
        }
        let stop = || self.stopping();
        while !stop() && !readers.wait_for_removal(reader, insertion, CARD_WAIT, &stop)? {}
        Ok(())
    }

    /// Makes the document of a lease, and reports it. Returns why it came to nothing, where it did.
    pub(crate) fn make(
        &self,
        actor: &Actor,
        lease: &Lease,
        how: Making<'_>,
    ) -> Result<Option<String>, StationError> {
        // What is done for this document, here and at the centre, is one trace.
        let slot = &*self.config.name;
        let issuance = tracing::info_span!("issuance", lease = %lease.id, slot);
        let _in_hand = self.shared.shift.take_in_hand(slot, &actor.person);
        issuance.in_scope(|| {
            self.shared.telling.take_up(lease.id, actor);
            let made = self.personalize(actor, lease, how);
            let is_moved = self.shared.telling.lay_down(lease.id);
            let failure = made?;
            match self.send_reports(actor) {
                // It is in the outbox, and goes before anything else is begun.
                Err(StationError::Centre(ApiError::Unavailable { .. })) => {}
                sent => sent?,
            }
            match failure {
                Some(reason) if is_moved => Err(ApiError::Moved { reason }.into()),
                failure => Ok(failure),
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

    /// Returns whether a document that can be made here is leased for the blank that lies here.
    pub(crate) fn follows_blank(&self) -> Result<bool, StationError> {
        let article = self.config.article.as_deref();
        self.catalogue.follows_blank(&self.products(), article)
    }

    /// Returns the chip profiles of the blanks that are loaded.
    pub(crate) fn products(&self) -> Vec<String> {
        let chips = self.config.chips.iter();
        chips.map(|chip| chip.product.clone()).collect()
    }

    /// Returns the serial numbers of the chips that lie here, where a document is leased for them.
    fn serials(&self) -> Result<Vec<String>, StationError> {
        match self.follows_blank()? {
            true => self.read_serials(),
            false => Ok(Vec::new()),
        }
    }

    /// Waits for a lease as long as the blank is there; `chips` are the serial numbers of its chips,
    /// where it is leased for them.
    pub(crate) fn lease(
        &self,
        actor: &Actor,
        stop: &dyn Fn() -> bool,
        here: &dyn Fn() -> Result<bool, ReaderError>,
        chips: Vec<String>,
    ) -> Result<Option<Lease>, StationError> {
        let printer = self.config.printer.as_ref().zip(self.faces.as_ref());
        let printer = printer.map(|(printer, faces)| PrintsWith {
            profile: printer.profile.clone(),
            documents: faces.names(),
        });
        let mut request = LeaseRequest {
            environment: self.shared.environment,
            slot: self.config.name.clone(),
            products: self.products(),
            article: self.config.article.clone(),
            office: self.shared.office.clone(),
            chips,
            among: Vec::new(),
            again: None,
            printer,
        };
        while !stop() && here()? {
            request.among = self.shared.batch.next();
            let asking = self.shared.centre.lease(actor, &request);
            let lease = match self.shared.wait(asking) {
                Err(ApiError::Unavailable { reason }) => {
                    self.tell(Happening::CentreAway { reason });
                    self.pause();
                    continue;
                }
                // A card that was begun elsewhere is known by its chips.
                Err(ApiError::ChipsWanted) if request.chips.is_empty() => {
                    request.chips = self.read_serials()?;
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
    pub(crate) fn read_serials(&self) -> Result<Vec<String>, StationError> {
        let places = self.config.chips.iter();
        let seen = places.map(|place| {
            let chip = self.catalogue.chip(&place.product)?;
            self.see(&chip).map(|(serial, _)| serial)
        });
        seen.collect()
    }

    /// Asks a chip who it is: its serial number, and its operating system where it says that. Nothing
    /// else is done to it.
    pub(crate) fn see(&self, chip: &ChipProfile) -> Result<(String, Option<String>), StationError> {
        let place = self.place_of(&chip.name)?;
        let unread = |reason: String| StationError::Unread {
            reader: place.reader.clone(),
            reason,
        };
        let held = self.shared.readers.open(&place.reader, LOOKING);
        let mut held = held.map_err(|error| unread(chain(&error)))?;
        let identity = Inspector::new(chip, &mut held.channel).identify();
        let identity = identity.map_err(|error| unread(chain(&error)))?;
        let serial = identity.serial.filter(|_| identity.differences.is_empty());
        let what = || unread(format!("it is no \"{}\" with a serial number", chip.name));
        Ok((serial.ok_or_else(what)?, identity.os))
    }

    fn personalize(
        &self,
        actor: &Actor,
        lease: &Lease,
        how: Making<'_>,
    ) -> Result<Option<String>, StationError> {
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
        if !is_new && !matches!(how, Making::Behind(_)) {
            self.journal().settle(lease.id, None)?;
            return Ok(None);
        }
        let started = Instant::now();
        let mut done = BlankRun::default();
        let attempted = match how {
            Making::Anew => self.attempt(actor, lease, None, &mut done),
            Making::Behind(lines) => self.attempt(actor, lease, Some(lines), &mut done),
            Making::Inside(press, readers) => {
                self.attempt_inside(actor, lease, (press, readers), &mut done)
            }
        };
        let failure = attempted.err();
        let failure = failure.map(|error| cause_of(&chain(error.as_ref())));
        let end = match failure.clone() {
            None => BlankEnd::Personalized,
            Some(cause) if done.touched || self.journal().is_touched(lease.id)? => {
                BlankEnd::Spoiled { cause }
            }
            Some(cause) => BlankEnd::Untouched { cause },
        };
        self.ended.set(match &failure {
            None => Round::Made,
            Some(cause) => Round::Failed(cause.clone()),
        });
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
        Ok(failure)
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
        let shared = &self.shared;
        let sending = async {
            // One slot sends at a time, so that the order holds; the journal stays free.
            let _turn = shared.outbox.lock().await;
            outbox::send(&self.journal, &*shared.centre, actor).await
        };
        shared.wait(sending.in_current_span())
    }

    /// As [`Slot::send_reports`], after the centre said what it has of this station.
    fn reconcile(&self, actor: &Actor) -> Result<(), StationError> {
        let shared = &self.shared;
        shared.wait(async {
            let _turn = shared.outbox.lock().await;
            outbox::reconcile(&self.journal, &*shared.centre, actor).await
        })
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
        StationError::Printer(error) => Happening::OutOfService {
            reason: format!("{reason}; {}", error.remedy()),
        },
        _ => Happening::NeedsPerson { reason },
    }
}
