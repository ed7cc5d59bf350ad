//! Under what circumstances a chip works: what goes wrong, how long it takes, what its
//! reader can hold.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chip::Chip;
use crate::fault::{Answer, Fault, Faults};
use crate::timing::{Clock, Pace};

/// What a reader can hold, in bytes; one that is shorter loses what is longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderBuffer {
    /// Longest command APDU. A longer one never reaches the chip, and the transmission
    /// fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<usize>,
    /// Longest response APDU, status word included. The chip has done what a longer one
    /// tells of, and the transmission fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<usize>,
}

/// Under what circumstances a chip works; by default it meets nothing and takes no time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circumstances {
    /// What goes wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// How long commands take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// What the reader can hold.
    #[serde(default)]
    pub buffer: ReaderBuffer,
}

impl From<Vec<Fault>> for Circumstances {
    fn from(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }
}

/// A chip in its circumstances.
pub(crate) struct Place {
    pub(crate) chip: Chip,
    faults: Faults,
    clock: Option<Clock>,
    buffer: ReaderBuffer,
}

impl Place {
    /// Puts the chip there; it is reset first.
    pub(crate) fn new(mut chip: Chip, circumstances: Circumstances) -> Self {
        chip.reset();
        let Circumstances {
            faults,
            pace,
            buffer,
        } = circumstances;
        Self {
            chip,
            faults: Faults::new(faults),
            clock: pace.map(Clock::new),
            buffer,
        }
    }

    /// Returns how many commands came so far.
    pub(crate) fn commands(&self) -> u64 {
        self.faults.commands()
    }

    /// Says whether the chip has vanished.
    pub(crate) fn removed(&self) -> bool {
        self.faults.removed()
    }

    /// Returns what the commands so far would have taken on the chosen class of chips.
    pub(crate) fn simulated(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, Clock::passed)
    }

    /// Passes a command to the chip, or not.
    #[expect(
        clippy::disallowed_methods,
        reason = "taking its time is the chip's pace"
    )]
    pub(crate) fn process(&mut self, command: &[u8]) -> Answer {
        if let Some(holds) = self.buffer.command.filter(|most| command.len() > *most) {
            return Answer::TooLong {
                what: "command",
                length: command.len(),
                holds,
            };
        }
        let answer = self.faults.process(&mut self.chip, command);
        let Answer::Bytes(bytes) = answer else {
            return answer;
        };
        if let Some(clock) = &mut self.clock {
            let taken = clock.add(command.len(), bytes.len(), self.chip.work());
            if clock.waits() {
                thread::sleep(taken);
            }
        }
        match self.buffer.answer.filter(|most| bytes.len() > *most) {
            Some(holds) => Answer::TooLong {
                what: "answer",
                length: bytes.len(),
                holds,
            },
            None => Answer::Bytes(bytes),
        }
    }
}
