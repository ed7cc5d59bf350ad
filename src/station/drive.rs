//! Drives the executors of a blank's chips: their actions to the chips, the centre and the journal, and
//! what these say back to them.
//!
//! ```text
//!             ┌─ command ─► thread at chip 1 ─┐
//!   executors ┼─ command ─► thread at chip 2 ─┼─► one queue ─► executors
//!             └─ request ─► centre ───────────┘
//! ```
//!
//! The chips of one blank work at the same time: what the authority and the longest file take lies behind
//! one another's back. What cannot be taken back, the sealed stages, still comes in the order of the
//! chips, each behind all that is written on those before it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use card::attempts::AttemptStore;
use card::{Channel, ChannelError, Command, Limits, exchange};
use jiff::Timestamp;
use perso::{Action, Event, Executor, JournalEntry, Outcome, Progress, Request, Written};

use reader::{LOOKING, MAKING};

use crate::budget::Budgeted;
use crate::event::Spent;

/// Where the journal is kept.
pub trait Notebook {
    /// Writes one entry: no end of this process loses it. It is durable when this returns, where it is about
    /// what may not be done twice or begins a stage; else with the next one that is.
    ///
    /// # Errors
    /// A text that says why it could not; then nothing more is done to the chip.
    fn write(&mut self, entry: &JournalEntry) -> Result<(), String>;
}

/// What arrives while the chips of a blank are in work.
pub enum Heard {
    /// Something for the executor of the chip at this place of the blank, from 0.
    Event(usize, Event),
    /// The thread at a chip ended, and with what.
    Ended(Box<dyn Any + Send>),
}

/// Where arrives what the chips and the centre say.
pub trait Answers {
    /// Returns what is there already.
    fn arrived(&self) -> Option<Heard>;

    /// Waits for what comes next; none where nobody is left who could say anything.
    fn next(&self) -> Option<Heard>;

    /// Returns the present moment.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Answers for Receiver<Heard> {
    fn arrived(&self) -> Option<Heard> {
        self.try_recv().ok()
    }

    fn next(&self) -> Option<Heard> {
        self.recv().ok()
    }
}

/// One chip of a blank: what is done to it, and who is told.
pub struct Lane<'a> {
    /// What is done.
    pub executor: &'a mut Executor,
    /// What chip and reader take together.
    pub limits: Limits,
    /// Where it is written down.
    pub notebook: &'a mut dyn Notebook,
    /// Sends a request for the chip of this serial number on its way, and returns at once.
    pub ask: &'a mut dyn FnMut(u32, &str, Request),
}

/// How an executor ended, and what was waited for on the way.
pub struct Driven {
    /// How it ended.
    pub outcome: Outcome,
    /// What was waited for.
    pub spent: Spent,
}

/// Has an executor find out which chip it has; that it is to be written down is left to
/// [`note_identity`]. Returns how it ended where it did not get so far.
pub(crate) fn identify<C: Channel>(
    executor: &mut Executor,
    channel: &mut C,
    limits: &Limits,
) -> Option<Outcome> {
    loop {
        match executor.next_action() {
            Action::Transmit(command) => {
                executor.handle(match exchange(channel, &command, limits) {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                });
            }
            Action::Journal(_) => return None,
            Action::Finished(outcome) => return Some(outcome),
            Action::Ask(..) | Action::Wait | Action::Inspect(_) => {
                executor.handle(gone("it asked before it knew its chip".into()));
            }
        }
    }
}

/// Writes down which chip an executor found.
pub(crate) fn note_identity(executor: &mut Executor, notebook: &mut dyn Notebook) {
    if let Action::Journal(entry) = executor.next_action() {
        executor.handle(noted(&entry, notebook));
    }
}

fn noted(entry: &JournalEntry, notebook: &mut dyn Notebook) -> Event {
    match notebook.write(entry) {
        Ok(()) => Event::Journaled,
        Err(cause) => Event::NotJournaled(cause),
    }
}

/// Runs an executor to its end over a channel that counts attempts.
///
/// The answers to what its lane asks arrive in `answers`, as of the first chip.
pub fn drive<C: Channel, S: AttemptStore + Send>(
    lane: Lane<'_>,
    channel: &mut Budgeted<C, S>,
    answers: &dyn Answers,
    watch: &mut dyn FnMut(Progress),
) -> Driven {
    let chips = [Mutex::new(channel)];
    let mut run = Run::new(vec![lane], &chips);
    run.finish(answers, None, watch);
    Driven {
        outcome: run.outcomes().pop().unwrap_or_default(),
        spent: run.spent,
    }
}

/// Runs the executors of a blank's chips to their ends, all at the same time; after the first fault the
/// others stop behind the step that they are in. What the threads at the chips hear goes to `answers` by
/// `sender`; without one the chips work in turns, a command each, on this thread.
///
/// Returns the outcomes in the order of the lanes.
pub(crate) fn drive_all<C: Channel, S: AttemptStore + Send>(
    lanes: Vec<Lane<'_>>,
    channels: Vec<&mut Budgeted<C, S>>,
    (answers, sender): (&dyn Answers, Option<&Sender<Heard>>),
    watch: &mut dyn FnMut(Progress),
) -> (Vec<Outcome>, Spent) {
    let chips: Vec<_> = channels.into_iter().map(Mutex::new).collect();
    let limits: Vec<_> = lanes.iter().map(|lane| lane.limits).collect();
    let mut run = Run::new(lanes, &chips);
    // One alone needs no thread beside this one.
    let Some(sender) = sender.filter(|_| chips.len() > 1) else {
        run.finish(answers, None, watch);
        return (run.outcomes(), run.spent);
    };
    thread::scope(|scope| {
        let threads = chips.iter().zip(limits).enumerate();
        let hands = threads.map(|(place, (chip, limits))| {
            let (hand, tasks) = mpsc::channel::<Task>();
            let (sender, span) = (sender.clone(), tracing::Span::current());
            let work = move || {
                let _within = span.entered();
                for task in tasks {
                    let mut chip = held(chip);
                    let done = || task.carry_out(&mut **chip, &limits);
                    let heard = match catch_unwind(AssertUnwindSafe(done)) {
                        Ok(event) => Heard::Event(place, event),
                        Err(ended) => Heard::Ended(ended),
                    };
                    drop(chip);
                    // Who asked may have ended; then nobody hears it.
                    let _ = sender.send(heard);
                }
            };
            thread::Builder::new()
                .spawn_scoped(scope, work)
                .map(|_| hand)
        });
        // A machine that has no more threads has the chips work in turns.
        let hands: Option<Vec<_>> = hands.collect::<Result<_, _>>().ok();
        run.finish(answers, hands.as_deref(), watch);
    });
    (run.outcomes(), run.spent)
}

/// What a chip is to do.
enum Task {
    /// Answer a command, within this time.
    Transmit(Command, Duration),
    /// Be looked at by a border, at this moment.
    Inspect(Box<Written>, Timestamp),
}

impl Task {
    fn carry_out<C: Channel, S: AttemptStore + Send>(
        self,
        channel: &mut Budgeted<C, S>,
        limits: &Limits,
    ) -> Event {
        match self {
            Self::Transmit(command, patience) => {
                channel.set_patience(patience);
                match exchange(channel, &command, limits) {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                }
            }
            Self::Inspect(written, now) => Event::Inspected(written.inspect(channel, limits, now)),
        }
    }
}

fn held<'m, T>(chip: &'m Mutex<T>) -> std::sync::MutexGuard<'m, T> {
    chip.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lane on its way.
struct Course<'a> {
    lane: Lane<'a>,
    /// The chip's serial number, once its attempts are counted.
    chip: Option<String>,
    /// A command is on its way.
    is_busy: bool,
    /// How far it was when that was told last.
    shown: Option<Progress>,
    outcome: Option<Outcome>,
}

/// The lanes of one blank on their way, each beside the chip at its place.
struct Run<'a, 'c, 'b, C: Channel, S: AttemptStore + Send> {
    courses: Vec<Course<'a>>,
    chips: &'c [Mutex<&'b mut Budgeted<C, S>>],
    spent: Spent,
}

impl Course<'_> {
    fn handle(&mut self, event: Event) {
        self.is_busy &= !matches!(
            event,
            Event::Answer(_) | Event::Gone(_) | Event::Inspected(_)
        );
        // What comes after its end changes nothing.
        if self.outcome.is_none() {
            self.lane.executor.handle(event);
        }
    }

    /// Does what the executor wants, unless the chip is to do it: that is given back. Returns also
    /// whether there was anything to do.
    fn act(&mut self, answers: &dyn Answers) -> (bool, Option<Task>) {
        let executor = &mut *self.lane.executor;
        match executor.next_action() {
            Action::Transmit(command) => {
                let patience = match executor.takes_long() {
                    true => MAKING,
                    false => LOOKING,
                };
                return (true, Some(Task::Transmit(command, patience)));
            }
            Action::Inspect(written) => {
                return (true, Some(Task::Inspect(written, answers.now())));
            }
            Action::Ask(id, request) => {
                let chip = self.chip.as_deref().unwrap_or_default();
                (self.lane.ask)(id, chip, request);
            }
            Action::Journal(entry) => executor.handle(noted(&entry, self.lane.notebook)),
            Action::Wait => return (false, None),
            Action::Finished(outcome) => self.outcome = Some(outcome),
        }
        (true, None)
    }

    /// Counts the attempts at the chip's secrets from when it is known which chip it is.
    fn account<C: Channel, S: AttemptStore + Send>(&mut self, channel: &mut Budgeted<C, S>) {
        let executor = &*self.lane.executor;
        let Some(serial) = executor.chip().filter(|_| self.chip.is_none()) else {
            return;
        };
        let (serial, plan) = (serial.to_owned(), executor.plan());
        let identified = match executor.is_resumed() {
            // What was tried on it before counts.
            true => {
                channel.account_for(&serial, plan);
                Ok(())
            }
            false => channel.identified(&serial, plan),
        };
        if let Err(error) = identified {
            self.lane.executor.handle(gone(error.to_string()));
        }
        self.chip = Some(serial);
    }
}

impl<'a, 'c, 'b, C: Channel, S: AttemptStore + Send> Run<'a, 'c, 'b, C, S> {
    fn new(lanes: Vec<Lane<'a>>, chips: &'c [Mutex<&'b mut Budgeted<C, S>>]) -> Self {
        let course = |lane| Course {
            lane,
            chip: None,
            is_busy: false,
            shown: None,
            outcome: None,
        };
        Self {
            courses: lanes.into_iter().map(course).collect(),
            chips,
            spent: Spent::default(),
        }
    }

    fn outcomes(&mut self) -> Vec<Outcome> {
        let courses = self.courses.iter_mut();
        courses
            .map(|course| course.outcome.take().unwrap_or_default())
            .collect()
    }

    fn finish(
        &mut self,
        answers: &dyn Answers,
        hands: Option<&[Sender<Task>]>,
        watch: &mut dyn FnMut(Progress),
    ) {
        loop {
            // What is there already may let a waiting step run before the next one.
            while let Some(heard) = answers.arrived() {
                self.hear(heard);
            }
            self.show(watch);
            let has_acted = self.act(answers, hands);
            if self.courses.iter().all(|course| course.outcome.is_some()) {
                return;
            }
            if !has_acted {
                self.wait(answers);
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Event(place, event) => {
                if let Some(course) = self.courses.get_mut(place) {
                    course.handle(event);
                }
            }
            Heard::Ended(ended) => resume_unwind(ended),
        }
    }

    /// Tells how far the blank is, and the step of the chip that went on last.
    fn show(&mut self, watch: &mut dyn FnMut(Progress)) {
        let (mut done, mut total, mut step) = (0, 0, None);
        for course in &mut self.courses {
            let progress = course.lane.executor.progress();
            done += progress.done;
            total += progress.total;
            if course.shown.as_ref() != Some(&progress) {
                step = Some(progress.step.clone());
                course.shown = Some(progress);
            }
        }
        if let Some(step) = step {
            watch(Progress { step, done, total });
        }
    }

    /// Does one thing for each chip that does not work. Returns whether there was anything to do.
    fn act(&mut self, answers: &dyn Answers, hands: Option<&[Sender<Task>]>) -> bool {
        let (mut has_acted, mut is_next) = (false, true);
        for (place, (course, chip)) in self.courses.iter_mut().zip(self.chips).enumerate() {
            course.lane.executor.hold_back(!is_next);
            if course.outcome.is_none() && !course.is_busy {
                course.account(&mut **held(chip));
                let (acted, task) = course.act(answers);
                has_acted |= acted;
                match (task, hands.and_then(|hands| hands.get(place))) {
                    (None, _) => {}
                    (Some(task), None) => {
                        let begun = Instant::now();
                        let event = task.carry_out(&mut **held(chip), &course.lane.limits);
                        self.spent.card += begun.elapsed();
                        course.handle(event);
                    }
                    (Some(task), Some(hand)) => match hand.send(task) {
                        Ok(()) => course.is_busy = true,
                        Err(_) => course.handle(gone("its thread has ended".into())),
                    },
                }
            }
            is_next &= course.outcome.is_some() || course.lane.executor.is_written();
        }
        let mut outcomes = self.courses.iter().filter_map(|one| one.outcome.as_ref());
        if outcomes.any(|outcome| outcome.fault.is_some()) {
            for course in &mut self.courses {
                course.lane.executor.call_off();
            }
        }
        has_acted
    }

    /// Waits for what a chip or the centre says.
    fn wait(&mut self, answers: &dyn Answers) {
        let begun = Instant::now();
        let heard = answers.next();
        let took = begun.elapsed();
        let mut open = self.courses.iter().filter(|one| one.outcome.is_none());
        let awaits_authority = open.any(|course| course.lane.executor.awaits_certificate());
        match self.courses.iter().any(|course| course.is_busy) {
            true => self.spent.card += took,
            false if awaits_authority => self.spent.authority += took,
            false => self.spent.centre += took,
        }
        match heard {
            Some(heard) => self.hear(heard),
            // Nobody is left who could say anything.
            None => {
                for course in &mut self.courses {
                    course.handle(gone("the connection to the centre was closed".into()));
                }
            }
        }
    }
}

fn gone(context: String) -> Event {
    let source = None;
    Event::Gone(ChannelError::Device { context, source }.into())
}
