//! The token's random source.

use zeroize::Zeroizing;

use crate::error::{HsmError, device};
use crate::token::Token;

/// A source of random bytes fit for keys and PINs.
pub trait RandomSource: Send + Sync {
    /// Fills `bytes` with random values.
    ///
    /// # Errors
    /// [`HsmError`] where the source fails; `bytes` must then not be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError>;
}

impl RandomSource for Token {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
        self.random_into(bytes)
    }
}

impl Token {
    /// Returns `length` bytes from the token's random source (`C_GenerateRandom`).
    ///
    /// # Errors
    /// [`HsmError::Device`].
    pub fn random(&self, length: usize) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.random_into(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn random_into(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.with_session(|session| {
            session
                .generate_random_slice(bytes)
                .map_err(device("give random bytes"))
        })
    }
}
