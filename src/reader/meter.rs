//! Counts what passes through a channel.

use std::time::Duration;

use card::{Channel, ChannelError};

/// What passed through a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// C-APDUs, GET RESPONSE included.
    pub commands: u64,
    /// Bytes to the card.
    pub sent: u64,
    /// Bytes from the card.
    pub received: u64,
}

impl Traffic {
    /// Returns the bytes in both directions.
    pub fn bytes(&self) -> u64 {
        self.sent + self.received
    }
}

/// A channel that counts.
pub struct Meter<C> {
    inner: C,
    traffic: Traffic,
}

impl<C: Channel> Meter<C> {
    /// Counts what passes through `inner`.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            traffic: Traffic::default(),
        }
    }

    /// Returns what passed so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }
}

impl<C: Channel> Channel for Meter<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.traffic.commands += 1;
        self.traffic.sent += command.len() as u64;
        let answer = self.inner.transmit(command)?;
        self.traffic.received += answer.len() as u64;
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.inner.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        self.inner.set_patience(patience);
    }
}
