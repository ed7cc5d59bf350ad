//! What commands cost on a chip.

use std::ops::Add;

use serde::Serialize;

/// What something costs. Times are estimates by the profile's `[timing]`; of an RSA key pair the
/// mean, from which a single one may be far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Commands as sent, pieces of a chain each for itself. GET RESPONSE, with which some chips
    /// and T=0 give their answers, is not among them.
    pub commands: usize,
    /// Bytes to the chip, protection included.
    pub sent: usize,
    /// Bytes from the chip, as far as they can be known before.
    pub received: usize,
    /// Bytes written to lasting memory.
    pub written: usize,
    /// Seconds on the chip.
    pub seconds: f64,
}

impl Figures {
    /// Returns the bytes in both directions.
    pub fn bytes(&self) -> usize {
        self.sent + self.received
    }
}

impl Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            commands: self.commands + other.commands,
            sent: self.sent + other.sent,
            received: self.received + other.received,
            written: self.written + other.written,
            seconds: self.seconds + other.seconds,
        }
    }
}
