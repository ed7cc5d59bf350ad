//! A feeder beside a slot: one blank at a time.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::card_printer::Bin;
use crate::link::{Link, LinkAddress, SerialSettings};

/// The longest answer.
const LONGEST: usize = 64;

/// What gives a slot its blanks, and takes them away.
pub trait Feeder: Send {
    /// Feeds one blank, and returns when it lies where it is to lie.
    ///
    /// # Errors
    /// [`FeederError`]; [`FeederError::is_doubtful`] says whether one may lie there all the same.
    fn feed(&mut self) -> Result<(), FeederError>;

    /// Moves what lies there out, and returns when it is out.
    ///
    /// # Errors
    /// As [`Feeder::feed`].
    fn eject(&mut self, bin: Bin) -> Result<(), FeederError>;
}

/// Why no blank came.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FeederError {
    /// It cannot be reached. Nothing moved.
    #[error("the feeder {feeder} cannot be reached: look at its cable")]
    Unreachable {
        /// Where it is.
        feeder: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It has no blanks. Nothing moved.
    #[error("the feeder {feeder} is empty: fill it")]
    Empty {
        /// Where it is.
        feeder: String,
    },
    /// A blank is stuck.
    #[error("a blank jams in the feeder {feeder}: take it out and account for it")]
    Jam {
        /// Where it is.
        feeder: String,
    },
    /// It did not answer in time, or was unplugged.
    #[error("the feeder {feeder} was lost while it moved: look for the blank, and account for it")]
    Lost {
        /// Where it is.
        feeder: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It says something else.
    #[error("the feeder {feeder} says {said:?}: look for the blank; correct its texts")]
    Unknown {
        /// Where it is.
        feeder: String,
        /// What it says.
        said: String,
    },
}

impl FeederError {
    /// Tells whether a blank may have moved: a person looks before another is fed.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        matches!(
            self,
            Self::Jam { .. } | Self::Lost { .. } | Self::Unknown { .. }
        )
    }
}

/// The lines of a feeder that is ordered by text, as most are: its maker's manual has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFeederTexts {
    /// Orders a blank; CR is added.
    pub feed: String,
    /// A blank lies there.
    pub fed: String,
    /// There are none.
    pub empty: String,
    /// One is stuck.
    pub jam: String,
    /// Orders that what lies there goes to the output; CR is added.
    pub good: String,
    /// Orders that what lies there goes to the reject box; CR is added.
    pub reject: String,
    /// It is out.
    pub out: String,
}

impl LineFeederTexts {
    /// Tells whether every order and every answer is a line of printable ASCII, and no answer means two
    /// things.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let answers = [&self.fed, &self.empty, &self.jam];
        let orders = [&self.feed, &self.good, &self.reject, &self.out];
        let mut all = answers.iter().chain(&orders);
        let is_line = |text: &str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|byte| matches!(byte, 0x20..=0x7E))
                && text.trim() == text
        };
        let [fed, empty, jam] = answers;
        let is_told = fed != empty && fed != jam && empty != jam && self.out != *jam;
        is_told && self.good != self.reject && all.all(|text| is_line(text))
    }
}

/// What a feeder says that no feeder says: another line speed, or another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "what came is no line of up to {LONGEST} printable characters: look at the line's settings"
)]
pub struct FeederNoise;

impl From<FeederNoise> for io::Error {
    fn from(noise: FeederNoise) -> Self {
        Self::new(ErrorKind::InvalidData, noise)
    }
}

/// Gathers what a feeder sends into a line, which CR or LF ends; no I/O.
#[derive(Debug, Default)]
pub struct FeederEar {
    text: String,
}

impl FeederEar {
    /// Takes bytes, and returns the first line that is whole now, without blanks around it; empty
    /// ones are none.
    ///
    /// # Errors
    /// [`FeederNoise`]; what was heard so far is forgotten.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<String>, FeederNoise> {
        for byte in bytes {
            match *byte {
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.text);
                    let line = line.trim();
                    if !line.is_empty() {
                        return Ok(Some(line.to_owned()));
                    }
                }
                0x20..=0x7E if self.text.len() < LONGEST => self.text.push(char::from(*byte)),
                _ => {
                    self.text.clear();
                    return Err(FeederNoise);
                }
            }
        }
        Ok(None)
    }
}

/// A feeder that is ordered by lines of text.
pub struct LineFeeder {
    address: LinkAddress,
    name: String,
    settings: SerialSettings,
    texts: LineFeederTexts,
    patience: Duration,
}

impl LineFeeder {
    /// Makes a feeder at an address that feeds within so long.
    pub fn new(
        address: LinkAddress,
        settings: SerialSettings,
        texts: LineFeederTexts,
        patience: Duration,
    ) -> Self {
        Self {
            name: address.to_string(),
            address,
            settings,
            texts,
            patience,
        }
    }

    /// Waits for a line; what comes behind it is not this order's.
    fn line(&self, link: &mut dyn Link, until: Instant) -> io::Result<String> {
        let mut ear = FeederEar::default();
        let mut byte = [0; 1];
        loop {
            link.receive(&mut byte, until)?;
            if let Some(line) = ear.take(&byte)? {
                return Ok(line);
            }
        }
    }
}

impl LineFeeder {
    /// Connects and parts again. Nothing moves.
    ///
    /// # Errors
    /// [`FeederError::Unreachable`].
    pub fn look(&self) -> Result<(), FeederError> {
        let opened = self.address.open(self.settings, self.patience);
        let feeder = self.name.clone();
        opened
            .map(drop)
            .map_err(|source| FeederError::Unreachable { feeder, source })
    }

    /// Gives an order, and waits for what comes of it: `done` says that it is done.
    fn order(&self, order: &str, done: &str) -> Result<(), FeederError> {
        let feeder = self.name.clone();
        // Opened for each order: an answer to one of before is not this one's.
        let opened = self.address.open(self.settings, self.patience);
        let mut link = match opened {
            Ok(link) => link,
            Err(source) => return Err(FeederError::Unreachable { feeder, source }),
        };
        let until = Instant::now() + self.patience;
        let order = format!("{order}\r");
        let said = link
            .send(order.as_bytes(), until)
            .and_then(|()| self.line(&mut *link, until));
        match said {
            Ok(said) if said == done => Ok(()),
            Ok(said) if said == self.texts.empty => Err(FeederError::Empty { feeder }),
            Ok(said) if said == self.texts.jam => Err(FeederError::Jam { feeder }),
            Ok(said) => Err(FeederError::Unknown { feeder, said }),
            Err(source) => Err(FeederError::Lost { feeder, source }),
        }
    }
}

impl Feeder for LineFeeder {
    fn feed(&mut self) -> Result<(), FeederError> {
        self.order(&self.texts.feed, &self.texts.fed)
    }

    fn eject(&mut self, bin: Bin) -> Result<(), FeederError> {
        let order = match bin {
            Bin::Good => &self.texts.good,
            Bin::Reject => &self.texts.reject,
        };
        self.order(order, &self.texts.out)
    }
}
