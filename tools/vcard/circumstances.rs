//! Under what circumstances a chip works: what goes wrong, how long it takes, what its
//! reader can hold.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::chip::Chip;
use crate::fault::{Answer, Fault, Faults, Served};
use crate::timing::{Clock, Pace};

/// What a machine's timer sleeps too long at most: a chip makes up for it at its next command, since its own
/// clock has no such fault. What is more is a machine at work, and whoever waits for the chip bears it.
const SLACK: Duration = Duration::from_micros(150);

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

/// Whether a chip is still in its place: another thread may take it out while it works.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    over: Mutex<bool>,
    changed: Condvar,
}

impl Presence {
    /// Takes the chip out; whoever waits there wakes.
    pub(crate) fn end(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits so long, and says whether the chip was there all the time.
    fn lasts(&self, time: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(over, time, |over| !*over)
            .unwrap_or_else(PoisonError::into_inner);
        !*waited.0
    }
}

/// A chip in its circumstances.
pub(crate) struct Place {
    pub(crate) chip: Chip,
    faults: Faults,
    clock: Option<Clock>,
    buffer: ReaderBuffer,
    presence: Arc<Presence>,
    /// What the machine's timer slept too long for the last command.
    overslept: Duration,
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
            presence: Arc::default(),
            overslept: Duration::ZERO,
        }
    }

    /// Returns what takes the chip out from elsewhere.
    pub(crate) fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence)
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

    /// Passes a command to the chip, or not. A chip that is taken out while it takes its
    /// time has done what was asked, and answers nothing.
    pub(crate) fn process(&mut self, command: &[u8]) -> Answer {
        if let Some(holds) = self.buffer.command.filter(|most| command.len() > *most) {
            return Answer::TooLong {
                what: "command",
                length: command.len(),
                holds,
            };
        }
        let begun = Instant::now();
        let served = self.faults.process(&mut self.chip, command);
        let Served {
            answer,
            work,
            delay,
        } = served;
        let Answer::Bytes(bytes) = answer else {
            return answer;
        };
        let mut wait = delay;
        if let Some(clock) = &mut self.clock {
            let taken = clock.add(command.len(), bytes.len(), work);
            if clock.waits() {
                // What this machine took for it is part of what the chip takes.
                wait += taken.saturating_sub(begun.elapsed() + self.overslept);
            }
        }
        if !wait.is_zero() {
            let asleep = Instant::now();
            if !self.presence.lasts(wait) {
                return Answer::Removed;
            }
            self.overslept = asleep.elapsed().saturating_sub(wait).min(SLACK);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;
    use crate::identity::ChipNumber;
    use crate::product::Product;
    use crate::store::Memory;
    use crate::timing::{Pace, Timing};
    use crate::transport::TransportMasterKey;

    #[test]
    fn a_command_that_the_chip_never_saw_costs_no_work() {
        let keys = TransportMasterKey::new([0x55; 16]);
        let number = ChipNumber::new([0, 0], [0, 0, 0, 1]);
        let product = Product::find("lateid-v2").unwrap();
        let chip = Chip::blank(product, number, &keys, Memory).unwrap();
        let kind = FaultKind::Random { length: 34 };
        let mut place = Place::new(
            chip,
            Circumstances {
                faults: vec![Fault { at: 2, kind }],
                pace: Some(Pace {
                    class: Timing::find("j2a080").unwrap(),
                    waits: false,
                }),
                ..Circumstances::default()
            },
        );
        // INITIALIZE UPDATE writes its counter; 34 bytes come back each time.
        let update = [0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0];
        let [work, noise] = [0, 1].map(|_| {
            let before = place.simulated();
            assert!(matches!(place.process(&update), Answer::Bytes(bytes) if bytes.len() == 34));
            place.simulated() - before
        });
        let written = Duration::from_secs_f64(16.0 * 24.1 / 256.0 / 1000.0);
        let more = work - noise;
        assert!(
            more.abs_diff(written) < Duration::from_micros(1),
            "{more:?}"
        );
    }
}
