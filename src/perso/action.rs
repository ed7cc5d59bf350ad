//! What passes between an executor and the outside: actions out, events in, and how it ended.

use std::collections::BTreeMap;

use card::{Command, ExchangeError, Limits, Response};
use profile::Variables;

use crate::fault::Fault;
use crate::inspection::{Unaccepted, Written};
use crate::journal::JournalEntry;
use crate::request::{Grant, Refusal, Request};

/// What the executor wants done.
#[derive(Debug)]
pub enum Action {
    /// Send this to the card; answer with [`Event::Answer`] or [`Event::Gone`].
    Transmit(Command),
    /// Ask the centre; go on, and answer later with [`Event::Given`] or [`Event::Refused`].
    Ask(u32, Request),
    /// Have a border look at the chip ([`Written::inspect`]); answer with [`Event::Inspected`].
    Inspect(Box<Written>),
    /// Write this down for good before anything else; answer with [`Event::Journaled`].
    Journal(JournalEntry),
    /// There is nothing to do until the centre answers.
    Wait,
    /// It is over.
    Finished(Outcome),
}

/// What happened outside.
pub enum Event {
    /// The card answered.
    Answer(Response),
    /// The card or the reader failed.
    Gone(ExchangeError),
    /// A border looked at the chip.
    Inspected(Result<(), Unaccepted>),
    /// The centre gave what was asked for.
    Given(u32, Grant),
    /// The centre refused, or could not be reached.
    Refused(u32, Refusal),
    /// The journal entry is durable.
    Journaled,
    /// The journal entry could not be written: nothing more may be done to the chip.
    NotJournaled(String),
}

/// How it ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The chip's serial number in hexadecimal, as far as it was known.
    pub chip: Option<String>,
    /// The version of its operating system in hexadecimal, as far as it was known.
    pub os: Option<String>,
    /// Whether anything that lasts was begun on the chip: then a blank that failed is spoiled,
    /// else it goes back untouched.
    pub touched: bool,
    /// The step for which keys were asked when it failed, and not begun: the centre may have given them,
    /// and none of them reached the chip.
    pub keys_asked_for: Option<String>,
    /// The certificates that were made, by key, DER: also those of a card that failed, so
    /// that they can be revoked.
    pub certificates: BTreeMap<String, Vec<u8>>,
    /// Why it failed, or nothing when the document is finished and verified.
    pub fault: Option<Fault>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The step that is running, as a person reads it.
    pub step: String,
    /// How many steps are done.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// What the executor needs beside the plan.
pub struct Assignment {
    /// What is known of the document: see `profile::variables`.
    pub variables: Variables,
    /// The subject of each key's certification request, a DER Name.
    pub subjects: BTreeMap<String, Vec<u8>>,
    /// What chip and reader take together.
    pub limits: Limits,
    /// The blank's number, in hexadecimal, where the chip has no serial number of its own.
    pub blank: Option<String>,
}

/// A source of random bytes: host challenges, temporary PINs, challenges to sign.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;
