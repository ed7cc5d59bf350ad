//! Where the terminal's random bytes come from.

use openssl::rand::rand_bytes;

use crate::crypto_error::CryptoError;

/// A source of random bytes. Protocols take it as a parameter, so that published examples come
/// out byte for byte.
///
/// Each value is drawn by one call, as long as the value: nonces and challenges as they are,
/// private keys as long as the order of their group (and drawn again while they are zero or not
/// below it).
pub trait Random {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`CryptoError`]; nothing is sent then.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError>;
}

/// The operating system's randomness, through openssl's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        Ok(rand_bytes(bytes)?)
    }
}
