//! Active authentication: the chip signs a challenge with the key of DG15 (*ICAO 9303-11 §6.1*).
//!
//! ```text
//!   INTERNAL AUTHENTICATE RND.IFD ─► RSA    6A ‖ M1 ‖ H(M1 ‖ RND.IFD) ‖ trailer, to the power d
//!                                    ECDSA  r ‖ s over H(RND.IFD)
//! ```

mod key;

use std::fmt;

use card::{Command, ExchangeError, Response, Status};
use openssl::hash::MessageDigest;
use thiserror::Error;

use crate::crypto_error::CryptoError;
use crate::dialogue::{Dialogue, Turn};
use crate::random::Random;
use crate::security_infos::ActiveAuthenticationInfo;

pub use key::{ActiveAuthenticationKey, ActiveAuthenticationKeyError};

const INTERNAL_AUTHENTICATE: u8 = 0x88;
/// Bytes of a challenge.
const CHALLENGE: usize = 8;
/// Object identifiers ecdsa-plain-signatures (*TR-03111 §5.2.1*), without their last arc.
const ECDSA_PLAIN: &str = "0.4.0.127.0.7.1.1.4.1.";

/// Says why a chip is not authenticated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ActiveAuthenticationError {
    /// The channel failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The chip refused.
    #[error("chip refuses to sign: {0}")]
    Refused(Status),
    /// The key is for ECDSA, and no file says with which hash.
    #[error("DG14 does not say with which hash the chip signs")]
    NoAlgorithm,
    /// The signature has another form than signatures by this key.
    #[error("not a signature by such a key: {0}")]
    Form(&'static str),
    /// The signature is by another key, or over something else: the chip is a copy.
    #[error("the signature is not by the key that the issuer signed")]
    NotProved,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// A challenge and the chip's signature over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedChallenge {
    /// RND.IFD.
    pub challenge: [u8; CHALLENGE],
    /// The signature as the chip gave it.
    pub signature: Vec<u8>,
}

/// Active authentication while the signature is awaited.
pub struct ActiveAuthentication<'a> {
    key: &'a ActiveAuthenticationKey,
    hash: Option<MessageDigest>,
    challenge: [u8; CHALLENGE],
}

impl<'a> ActiveAuthentication<'a> {
    /// Returns INTERNAL AUTHENTICATE and what waits for its answer. Draws the challenge, 8 bytes.
    /// What DG14 says of active authentication is needed with keys of elliptic curves only.
    ///
    /// # Errors
    /// [`ActiveAuthenticationError::NoAlgorithm`], [`ActiveAuthenticationError::Crypto`].
    pub fn start(
        key: &'a ActiveAuthenticationKey,
        info: Option<&ActiveAuthenticationInfo>,
        random: &mut dyn Random,
    ) -> Result<(Command, Self), ActiveAuthenticationError> {
        let hash = hash_for(key, info)?;
        let mut challenge = [0; CHALLENGE];
        random.fill(&mut challenge)?;
        let le = if key.signature_length() > 256 {
            65_536
        } else {
            256
        };
        let command = Command::new(0x00, INTERNAL_AUTHENTICATE, 0, 0)
            .with_data(challenge)
            .with_le(le);
        let started = Self {
            key,
            hash,
            challenge,
        };
        Ok((command, started))
    }
}

impl Dialogue for ActiveAuthentication<'_> {
    type Outcome = SignedChallenge;
    type Error = ActiveAuthenticationError;

    fn answer(
        self,
        response: &Response,
    ) -> Result<Turn<Self, SignedChallenge>, ActiveAuthenticationError> {
        if !response.status().is_ok() {
            return Err(ActiveAuthenticationError::Refused(response.status()));
        }
        self.key
            .verify(self.hash, &self.challenge, response.data())?;
        Ok(Turn::Done(SignedChallenge {
            challenge: self.challenge,
            signature: response.data().to_vec(),
        }))
    }
}

impl fmt::Debug for ActiveAuthentication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActiveAuthentication(signature awaited)")
    }
}

/// Verifies a signature that was given before, as [`ActiveAuthentication`] does.
///
/// # Errors
/// [`ActiveAuthenticationError`].
pub fn verify_signed_challenge(
    key: &ActiveAuthenticationKey,
    info: Option<&ActiveAuthenticationInfo>,
    signed: &SignedChallenge,
) -> Result<(), ActiveAuthenticationError> {
    key.verify(hash_for(key, info)?, &signed.challenge, &signed.signature)
}

/// Returns the hash with which a key of an elliptic curve signs; an RSA signature names its own.
fn hash_for(
    key: &ActiveAuthenticationKey,
    info: Option<&ActiveAuthenticationInfo>,
) -> Result<Option<MessageDigest>, ActiveAuthenticationError> {
    if key.is_rsa() {
        return Ok(None);
    }
    let name = info.map(|info| info.signature_algorithm.to_string());
    let hash = match name
        .as_deref()
        .and_then(|name| name.strip_prefix(ECDSA_PLAIN))
    {
        Some("1") => MessageDigest::sha1(),
        Some("2") => MessageDigest::sha224(),
        Some("3") => MessageDigest::sha256(),
        Some("4") => MessageDigest::sha384(),
        Some("5") => MessageDigest::sha512(),
        Some("6") => MessageDigest::ripemd160(),
        _ => return Err(ActiveAuthenticationError::NoAlgorithm),
    };
    Ok(Some(hash))
}

#[cfg(test)]
mod tests;
