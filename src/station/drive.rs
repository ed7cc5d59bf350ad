//! Drives an executor: its actions to the card, the centre and the journal, and what they say
//! back to it.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use card::attempts::AttemptStore;
use card::{Channel, ChannelError, Limits, exchange};
use jiff::Timestamp;
use perso::{Action, Event, Executor, Grant, JournalEntry, Outcome, Progress, Refusal, Request};

use reader::{LOOKING, MAKING};

use crate::budget::Budgeted;
use crate::event::Spent;

/// Where the journal is kept. What was written is durable when `write` returns.
pub trait Notebook {
    /// Writes one entry.
    ///
    /// # Errors
    /// A text that says why it could not; then nothing more is done to the chip.
    fn write(&mut self, entry: &JournalEntry) -> Result<(), String>;
}

/// An answer of the centre to the request of this number.
pub type Answer = (u32, Result<Grant, Refusal>);

/// Where the centre's answers arrive.
pub trait Answers {
    /// Returns an answer that is there already.
    fn arrived(&self) -> Option<Answer>;

    /// Waits for the next answer; none where nobody is left who could give one.
    fn next(&self) -> Option<Answer>;

    /// Returns the present moment.
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Answers for Receiver<Answer> {
    fn arrived(&self) -> Option<Answer> {
        self.try_recv().ok()
    }

    fn next(&self) -> Option<Answer> {
        self.recv().ok()
    }
}

/// How an executor ended, and what was waited for on the way.
pub struct Driven {
    /// How it ended.
    pub outcome: Outcome,
    /// What was waited for.
    pub spent: Spent,
}

/// Has an executor find out which chip it has, and nothing more: what it asks of the centre waits.
/// Returns how it ended where it did not get so far.
pub(crate) fn identify<C: Channel>(
    executor: &mut Executor,
    channel: &mut C,
    limits: &Limits,
    notebook: &mut dyn Notebook,
) -> Option<Outcome> {
    while executor.chip().is_none() {
        match executor.next_action() {
            Action::Transmit(command) => {
                executor.handle(match exchange(channel, &command, limits) {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                });
            }
            Action::Journal(entry) => match notebook.write(&entry) {
                Ok(()) => executor.handle(Event::Journaled),
                Err(cause) => executor.handle(Event::NotJournaled(cause)),
            },
            Action::Finished(outcome) => return Some(outcome),
            Action::Ask(..) | Action::Wait | Action::Inspect(_) => {
                executor.handle(gone("it asked before it knew its chip".into()));
            }
        }
    }
    None
}

/// Runs an executor to its end over a channel that counts attempts.
///
/// `ask` sends a request for a chip on its way and returns at once; the answers arrive in
/// `answers`.
pub fn drive<C: Channel, S: AttemptStore + Send>(
    executor: &mut Executor,
    channel: &mut Budgeted<C, S>,
    limits: &Limits,
    notebook: &mut dyn Notebook,
    ask: &mut dyn FnMut(u32, &str, Request),
    answers: &dyn Answers,
    watch: &mut dyn FnMut(Progress),
) -> Driven {
    let mut spent = Spent::default();
    let mut shown = None;
    let mut chip = None;
    loop {
        // Answers that are there already may let a waiting step run before the next one.
        while let Some(answer) = answers.arrived() {
            executor.handle(given(answer));
        }
        let progress = executor.progress();
        if shown.as_ref() != Some(&progress) {
            watch(progress.clone());
            shown = Some(progress);
        }
        if chip.is_none()
            && let Some(serial) = executor.chip().map(str::to_owned)
        {
            let plan = executor.plan();
            let identified = match executor.is_resumed() {
                // What was tried on it before counts.
                true => {
                    channel.account_for(&serial, plan);
                    Ok(())
                }
                false => channel.identified(&serial, plan),
            };
            if let Err(error) = identified {
                executor.handle(gone(error.to_string()));
            }
            chip = Some(serial);
        }
        match executor.next_action() {
            Action::Transmit(command) => {
                channel.set_patience(match executor.takes_long() {
                    true => MAKING,
                    false => LOOKING,
                });
                let sent = Instant::now();
                let answer = exchange(channel, &command, limits);
                spent.card += sent.elapsed();
                executor.handle(match answer {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                })
            }
            Action::Inspect(written) => {
                let begun = Instant::now();
                let found = written.inspect(channel, limits, answers.now());
                spent.card += begun.elapsed();
                executor.handle(Event::Inspected(found));
            }
            Action::Ask(id, request) => ask(id, chip.as_deref().unwrap_or_default(), request),
            Action::Journal(entry) => match notebook.write(&entry) {
                Ok(()) => executor.handle(Event::Journaled),
                Err(cause) => executor.handle(Event::NotJournaled(cause)),
            },
            Action::Wait => {
                let begun = Instant::now();
                let answer = answers.next();
                spent.centre += begun.elapsed();
                executor.handle(match answer {
                    Some(answer) => given(answer),
                    // Nobody is left who could answer.
                    None => gone("the connection to the centre was closed".into()),
                });
            }
            Action::Finished(outcome) => return Driven { outcome, spent },
        }
    }
}

fn gone(context: String) -> Event {
    let source = None;
    Event::Gone(ChannelError::Device { context, source }.into())
}

fn given((id, answer): Answer) -> Event {
    match answer {
        Ok(grant) => Event::Given(id, grant),
        Err(cause) => Event::Refused(id, cause),
    }
}
