//! What goes wrong inside, whoever is on the line.

use card::cipher::{CipherError, KeyError};
use openssl::error::ErrorStack;
use thiserror::Error;

/// Says that the cryptographic library did not do its work: too little memory, no entropy, or
/// an algorithm that it was built without. Neither the chip nor the caller is at fault.
#[derive(Debug, Clone, Error)]
#[error("the cryptographic library failed")]
pub struct CryptoError {
    #[source]
    cause: Cause,
}

#[derive(Debug, Clone, Error)]
enum Cause {
    #[error(transparent)]
    Library(ErrorStack),
    #[error(transparent)]
    Key(KeyError),
    #[error(transparent)]
    Cipher(CipherError),
    #[error("no random bytes: {0}")]
    Random(&'static str),
    #[error("{0}")]
    Unsupported(&'static str),
}

impl CryptoError {
    /// Says that a source of random bytes gave none, in a few lower-case words.
    pub fn random(reason: &'static str) -> Self {
        let cause = Cause::Random(reason);
        Self { cause }
    }

    pub(crate) fn unsupported(what: &'static str) -> Self {
        let cause = Cause::Unsupported(what);
        Self { cause }
    }
}

impl From<ErrorStack> for CryptoError {
    fn from(error: ErrorStack) -> Self {
        let cause = Cause::Library(error);
        Self { cause }
    }
}

impl From<KeyError> for CryptoError {
    fn from(error: KeyError) -> Self {
        let cause = Cause::Key(error);
        Self { cause }
    }
}

impl From<CipherError> for CryptoError {
    fn from(error: CipherError) -> Self {
        let cause = Cause::Cipher(error);
        Self { cause }
    }
}
