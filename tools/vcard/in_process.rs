//! A chip in the same process, behind the same trait as a reader.

use std::time::Duration;

use card::{Channel, ChannelError};

use crate::chip::Chip;
use crate::circumstances::{Circumstances, Place};
use crate::fault::{Answer, Fault};

/// What the channel calls itself in errors.
const READER: &str = "in process";

/// A chip as a [`Channel`], without a reader in between.
pub struct InProcess {
    place: Place,
}

impl InProcess {
    /// Inserts the chip: it is reset first.
    pub fn new(chip: Chip) -> Self {
        Self::with_faults(chip, Vec::new())
    }

    /// Inserts the chip, which will meet these faults.
    pub fn with_faults(chip: Chip, faults: Vec<Fault>) -> Self {
        Self::under(chip, faults.into())
    }

    /// Inserts the chip under these circumstances.
    pub fn under(chip: Chip, circumstances: Circumstances) -> Self {
        Self {
            place: Place::new(chip, circumstances),
        }
    }

    /// Returns what the commands so far would have taken on the class of chips that the
    /// circumstances name; nothing where they name none. Nobody has to have waited.
    pub fn simulated(&self) -> Duration {
        self.place.simulated()
    }

    /// Returns how many commands the chip was sent.
    pub fn commands(&self) -> u64 {
        self.place.commands()
    }

    /// Returns the chip, to look at it.
    pub fn chip(&self) -> &Chip {
        &self.place.chip
    }

    /// Takes the chip out, to insert it again: its memory stays, its session is gone.
    pub fn into_chip(mut self) -> Chip {
        self.place.chip.reset();
        self.place.chip
    }
}

impl Channel for InProcess {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match self.place.process(command) {
            Answer::Bytes(bytes) => Ok(bytes),
            Answer::Removed => Err(ChannelError::Removed),
            // A reader would wait in vain; nobody has to wait here for that.
            Answer::Mute => Err(ChannelError::Timeout {
                reader: READER.into(),
                after: Duration::ZERO,
            }),
            Answer::TooLong {
                what,
                length,
                holds,
            } => Err(ChannelError::Device {
                context: format!("{what} of {length} bytes; the reader's buffer holds {holds}"),
                source: None,
            }),
        }
    }

    fn atr(&self) -> &[u8] {
        self.place.chip.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        if self.place.removed() {
            return Err(ChannelError::Removed);
        }
        self.place.chip.reset();
        Ok(self.place.chip.atr().to_vec())
    }
}
