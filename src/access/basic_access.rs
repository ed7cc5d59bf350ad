//! Basic Access Control: whoever has read the MRZ may open a session (*ICAO 9303-11 §4.3*).
//!
//! ```text
//!   GET CHALLENGE ─────────────────────► RND.IC
//!   E(RND.IFD ‖ RND.IC ‖ K.IFD) ‖ MAC ─► E(RND.IC ‖ RND.IFD ‖ K.IC) ‖ MAC
//!   K.IFD ⊕ K.IC ─► session keys;  last halves of RND.IC ‖ RND.IFD ─► SSC
//! ```

use std::fmt;

use card::cipher::{des3_cbc_decrypt, des3_cbc_encrypt};
use card::{Command, ExchangeError, Response, Status};
use openssl::sha::sha1;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::dialogue::{Dialogue, Turn};
use crate::mrz_information::MrzInformation;
use crate::random::Random;
use crate::secure_messaging::SecureMessaging;
use crate::session_keys::{Cipher, SessionKeys};

/// Bytes of a challenge.
const CHALLENGE: usize = 8;
/// Bytes of a key's half of the secret.
const KEY: usize = 16;
/// Bytes of a cryptogram: two challenges and a key.
const CRYPTOGRAM: usize = 2 * CHALLENGE + KEY;
/// Bytes of a MAC.
const MAC: usize = 8;

const GET_CHALLENGE: u8 = 0x84;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;

/// Says why basic access control gave no session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BasicAccessError {
    /// The channel failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The chip gives no challenge: it has no basic access control, or its application is not
    /// selected.
    #[error("chip gives no challenge: {0}")]
    NoChallenge(Status),
    /// The chip refused: number, birth or expiry date are those of another document.
    #[error("chip refuses the machine-readable zone: {0}; compare number, birth and expiry date")]
    Refused(Status),
    /// A response has a wrong length.
    #[error("chip answers {actual} bytes where {expected} belong")]
    Length {
        /// Bytes that belong there.
        expected: usize,
        /// Bytes that came.
        actual: usize,
    },
    /// The chip does not prove that it knows the MRZ.
    #[error("chip does not prove that it is the document with this machine-readable zone")]
    NotProved,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Basic access control between two commands.
pub struct BasicAccess(Stage);

enum Stage {
    /// GET CHALLENGE is sent.
    Challenge(Box<Own>),
    /// EXTERNAL AUTHENTICATE is sent.
    Authenticate(Box<Own>, [u8; CHALLENGE]),
}

/// What the terminal brings.
struct Own {
    keys: SessionKeys,
    challenge: [u8; CHALLENGE],
    key: Zeroizing<[u8; KEY]>,
}

impl BasicAccess {
    /// Returns GET CHALLENGE and what waits for its answer. Draws RND.IFD (8 bytes), then K.IFD
    /// (16 bytes).
    ///
    /// The application has to be selected before.
    ///
    /// # Errors
    /// [`BasicAccessError::Crypto`].
    pub fn start(
        information: &MrzInformation,
        random: &mut dyn Random,
    ) -> Result<(Command, Self), BasicAccessError> {
        let mut own = Box::new(Own {
            keys: access_keys(information)?,
            challenge: [0; CHALLENGE],
            key: Zeroizing::default(),
        });
        random.fill(&mut own.challenge)?;
        random.fill(&mut *own.key)?;
        let command = Command::new(0x00, GET_CHALLENGE, 0, 0).with_le(CHALLENGE as u32);
        Ok((command, Self(Stage::Challenge(own))))
    }
}

impl Dialogue for BasicAccess {
    type Outcome = SecureMessaging;
    type Error = BasicAccessError;

    fn answer(self, response: &Response) -> Result<Turn<Self, SecureMessaging>, BasicAccessError> {
        let status = response.status();
        match self.0 {
            Stage::Challenge(own) => {
                if !status.is_ok() {
                    return Err(BasicAccessError::NoChallenge(status));
                }
                let chips = exactly::<CHALLENGE>(response.data())?;
                let command = own.authenticate(&chips)?;
                Ok(Turn::Send(command, Self(Stage::Authenticate(own, chips))))
            }
            Stage::Authenticate(own, chips) => {
                if !status.is_ok() {
                    return Err(BasicAccessError::Refused(status));
                }
                own.open(&chips, response.data()).map(Turn::Done)
            }
        }
    }
}

impl Own {
    fn authenticate(&self, chips: &[u8; CHALLENGE]) -> Result<Command, CryptoError> {
        let plain = Zeroizing::new([&self.challenge[..], chips, &self.key[..]].concat());
        let mut data = des3_cbc_encrypt(&self.keys.encryption, &plain)?.to_vec();
        let mac = self.keys.mac(&data)?;
        data.extend_from_slice(&mac);
        let le = (CRYPTOGRAM + MAC) as u32;
        Ok(Command::new(0x00, EXTERNAL_AUTHENTICATE, 0, 0)
            .with_data(data)
            .with_le(le))
    }

    fn open(
        &self,
        chips: &[u8; CHALLENGE],
        answer: &[u8],
    ) -> Result<SecureMessaging, BasicAccessError> {
        let answer = exactly::<{ CRYPTOGRAM + MAC }>(answer)?;
        let (cryptogram, received) = answer.split_at(CRYPTOGRAM);
        let mac = self.keys.mac(cryptogram)?;
        if !bool::from(mac[..].ct_eq(received)) {
            return Err(BasicAccessError::NotProved);
        }
        let plain =
            des3_cbc_decrypt(&self.keys.encryption, cryptogram).map_err(CryptoError::from)?;
        let (challenges, chips_key) = plain.split_at(2 * CHALLENGE);
        let expected = [&chips[..], &self.challenge].concat();
        if !bool::from(challenges.ct_eq(&expected)) {
            return Err(BasicAccessError::NotProved);
        }
        let mut seed = self.key.clone();
        for (to, from) in seed.iter_mut().zip(chips_key) {
            *to ^= from;
        }
        let keys = SessionKeys::derive(Cipher::TripleDes, &seed[..], &[])?;
        let halves = chips
            .iter()
            .skip(CHALLENGE / 2)
            .chain(self.challenge.iter().skip(CHALLENGE / 2));
        let counter = halves.fold(0, |counter, &byte| counter << 8 | u128::from(byte));
        Ok(SecureMessaging::with_counter(keys, counter))
    }
}

impl fmt::Debug for BasicAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Challenge(_) => "BasicAccess(challenge awaited)",
            Stage::Authenticate(..) => "BasicAccess(proof awaited)",
        })
    }
}

/// Derives the document's basic access keys (*ICAO 9303-11 §9.7.2*).
fn access_keys(information: &MrzInformation) -> Result<SessionKeys, CryptoError> {
    let digest = Zeroizing::new(sha1(information.as_bytes()));
    let seed = digest.get(..16).unwrap_or_default();
    SessionKeys::derive(Cipher::TripleDes, seed, &[])
}

fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], BasicAccessError> {
    data.try_into().map_err(|_| BasicAccessError::Length {
        expected: N,
        actual: data.len(),
    })
}

#[cfg(test)]
mod tests;
