//! A chip in the same process, behind the same trait as a reader.

use std::time::Duration;

use card::{Channel, ChannelError};

use crate::chip::Chip;
use crate::fault::{Answer, Fault, Faults};

/// What the channel calls itself in errors.
const READER: &str = "in process";

/// A chip as a [`Channel`], without a reader in between.
pub struct InProcess {
    chip: Chip,
    faults: Faults,
}

impl InProcess {
    /// Inserts the chip: it is reset first.
    pub fn new(chip: Chip) -> Self {
        Self::with_faults(chip, Vec::new())
    }

    /// Inserts the chip, which will meet these faults.
    pub fn with_faults(mut chip: Chip, faults: Vec<Fault>) -> Self {
        chip.reset();
        Self {
            chip,
            faults: Faults::new(faults),
        }
    }

    /// Returns how many commands the chip was sent.
    pub fn commands(&self) -> u64 {
        self.faults.commands()
    }

    /// Returns the chip, to look at it.
    pub fn chip(&self) -> &Chip {
        &self.chip
    }

    /// Takes the chip out, to insert it again: its memory stays, its session is gone.
    pub fn into_chip(mut self) -> Chip {
        self.chip.reset();
        self.chip
    }
}

impl Channel for InProcess {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match self.faults.process(&mut self.chip, command) {
            Answer::Bytes(bytes) => Ok(bytes),
            Answer::Removed => Err(ChannelError::Removed),
            // A reader would wait in vain; nobody has to wait here for that.
            Answer::Mute => Err(ChannelError::Timeout {
                reader: READER.into(),
                after: Duration::ZERO,
            }),
        }
    }

    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        if self.faults.removed() {
            return Err(ChannelError::Removed);
        }
        self.chip.reset();
        Ok(self.chip.atr().to_vec())
    }
}
