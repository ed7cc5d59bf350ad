//! Tears a card out at a chosen command: what a station must survive.

use std::time::Duration;

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

    fn set_patience(&mut self, patience: Duration) {
        self.inner.set_patience(patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card that counts what it has carried out.
    struct Counter(u32);

    impl Channel for Counter {
        fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
            self.0 += 1;
            Ok(vec![0x90, 0x00])
        }
        fn atr(&self) -> &[u8] {
            &[0x3B, 0x00]
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            Ok(vec![0x3B, 0x00])
        }
    }

    #[test]
    fn the_card_is_gone_from_the_chosen_command_on_until_it_is_put_back() {
        for (moment, carried_out) in [(Moment::Before, 2), (Moment::After, 3)] {
            let mut torn = Tear::new(Counter(0), 2, moment);
            let answers: Vec<_> = (0..4).map(|_| torn.transmit(&[0; 4]).is_ok()).collect();
            assert_eq!(answers, [true, true, false, false]);
            assert!(matches!(torn.reset(), Err(ChannelError::Removed)));
            let mut card = torn.into_inner();
            assert_eq!(card.0, carried_out);
            assert!(card.transmit(&[0; 4]).is_ok());
        }
    }
}
