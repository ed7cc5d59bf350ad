//! Tears a card out at a chosen command: what a station must survive.

use card::{Channel, ChannelError};

/// When the card goes, seen from the n-th command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the chip sees it.
    Before,
    /// After the chip has carried it out, before its answer arrives.
    After,
}

/// A channel whose card is gone from the n-th command on.
pub struct Tear<C> {
    inner: C,
    remaining: u64,
    moment: Moment,
    gone: bool,
}

impl<C: Channel> Tear<C> {
    /// Lets `commands` commands pass and tears at the next.
    pub fn new(inner: C, commands: u64, moment: Moment) -> Self {
        Self {
            inner,
            remaining: commands,
            moment,
            gone: false,
        }
    }

    /// Returns the channel itself again: the card is put back.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

impl<C: Channel> Channel for Tear<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        if self.gone {
            return Err(ChannelError::Removed);
        }
        if self.remaining > 0 {
            self.remaining -= 1;
            return self.inner.transmit(command);
        }
        self.gone = true;
        if self.moment == Moment::After {
            // The chip's answer is lost on the way; what it did is not.
            let _ = self.inner.transmit(command);
        }
        Err(ChannelError::Removed)
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        if self.gone {
            Err(ChannelError::Removed)
        } else {
            self.inner.reset()
        }
    }
}
