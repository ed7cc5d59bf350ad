//! Chip authentication: the chip proves its static key, and the session gets new keys (*ICAO
//! 9303-11 §6.2*, *TR-03110-2 §3.4*).
//!
//! ```text
//!   version 1, triple DES   MSE:Set KAT { 91 ephemeral key }             keys = KDF(K)
//!   version 1, AES          MSE:Set AT, GENERAL AUTHENTICATE { 80 … }    keys = KDF(K)
//!   version 2               the same, answered { 81 r, 82 token }        keys = KDF(K ‖ r)
//! ```
//!
//! In version 1 the chip proves itself by the first answer under the new keys, in version 2 by
//! its token. Version 2 follows terminal authentication, which has announced the ephemeral key
//! to the chip: it is made beforehand, see [`EphemeralKey`].

mod choice;

use std::fmt;

use card::tlv::{self, Tag};
use card::{Channel, Command, ExchangeError, Response, Status};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::crypto_error::CryptoError;
use crate::dialogue::{Dialogue, Turn, converse};
use crate::domain_parameters::{DomainParameters, DomainParametersError};
use crate::group::{Group, Scalar};
use crate::public_key_object::public_key_object;
use crate::random::Random;
use crate::secure_messaging::SecureMessaging;
use crate::secured::{Secured, SecuredError};
use crate::session_keys::{Cipher, SessionKeys};

pub use choice::{ChipAuthenticationChoice, ChipAuthenticationChoiceError};

const PROTOCOL: Tag = Tag::known::<0x80>();
const KEY_NUMBER: Tag = Tag::known::<0x84>();
const EPHEMERAL_KEY: Tag = Tag::known::<0x91>();
const TEMPLATE: Tag = Tag::known::<0x7C>();
const TERMINAL_KEY: Tag = Tag::known::<0x80>();
const NONCE: Tag = Tag::known::<0x81>();
const TOKEN: Tag = Tag::known::<0x82>();

const MANAGE_SECURITY_ENVIRONMENT: u8 = 0x22;
const GENERAL_AUTHENTICATE: u8 = 0x86;
/// Lengths of the chip's nonce, bytes: 8 (*TR-03110-3 §B.2.1*), and room for a longer one.
const NONCE_LENGTH: std::ops::RangeInclusive<usize> = 8..=32;

/// Says why a chip is not authenticated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChipAuthenticationError {
    /// The channel failed; inside it perhaps the session, see [`crate::session_fault`].
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The session failed.
    #[error(transparent)]
    Secured(#[from] SecuredError),
    /// The chip refused.
    #[error("chip refuses chip authentication: {0}")]
    Refused(Status),
    /// A response is not as it should be.
    #[error("malformed answer to chip authentication: {0}")]
    Malformed(&'static str),
    /// The chip does not have the key that its issuer signed: it is a copy.
    #[error("chip does not have the static key that its issuer signed")]
    NotProved,
    /// The ephemeral key is in another group than the chip's key: the caller's fault.
    #[error("ephemeral key in another group than the chip's")]
    OtherGroup,
    /// The chip's static key gives a secret that everybody knows.
    #[error("the chip's static key is no element of its group")]
    PublicKey,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The terminal's key for one chip authentication; wiped on drop.
pub struct EphemeralKey {
    parameters: DomainParameters,
    private: Scalar,
    public: Vec<u8>,
    compressed: Vec<u8>,
}

impl EphemeralKey {
    /// Draws a key in the chip's group.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn generate(
        parameters: DomainParameters,
        random: &mut dyn Random,
    ) -> Result<Self, CryptoError> {
        let group = Group::new(parameters)?;
        let private = group.draw(random)?;
        let public = group.power(&group.generator()?, &private)?;
        Ok(Self {
            parameters,
            private,
            public: group.encode(&public)?,
            compressed: group.compress(&public)?,
        })
    }

    /// Returns the public key as it is sent: an uncompressed point, or a number.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// Returns Comp(PK_PCD), which the terminal signs in terminal authentication and announces
    /// to the chip in version 2: the x-coordinate, or SHA-1 of the number (*TR-03110-3
    /// §A.2.2.3*).
    pub fn compressed(&self) -> &[u8] {
        &self.compressed
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralKey")
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// Chip authentication between two commands. The commands go through the session that is open.
pub struct ChipAuthentication<'a> {
    choice: &'a ChipAuthenticationChoice,
    ephemeral: &'a EphemeralKey,
    oid: Vec<u8>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// MSE:Set KAT, which is all.
    KeyAgreement,
    /// MSE:Set AT.
    Select,
    /// GENERAL AUTHENTICATE.
    Authenticate,
}

/// What chip authentication comes to.
#[derive(Debug)]
pub struct NewSession {
    /// The session that takes over from the next command on.
    pub messaging: SecureMessaging,
    /// Whether the chip has proved its key. Where not, version 1, the first answer under the new
    /// keys does so.
    pub proved: bool,
}

impl<'a> ChipAuthentication<'a> {
    /// Returns the first command and what waits for its answer.
    ///
    /// # Errors
    /// [`ChipAuthenticationError::OtherGroup`], [`ChipAuthenticationError::Crypto`].
    pub fn start(
        choice: &'a ChipAuthenticationChoice,
        ephemeral: &'a EphemeralKey,
    ) -> Result<(Command, Self), ChipAuthenticationError> {
        if choice.key().parameters() != ephemeral.parameters {
            return Err(ChipAuthenticationError::OtherGroup);
        }
        let oid = choice
            .protocol()
            .oid()
            .ok_or(CryptoError::unsupported("no such protocol"))?;
        let oid = oid.as_bytes().to_vec();
        let number = choice.key_id().map(|number| {
            let bytes = number.to_be_bytes();
            let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
            tlv::encode(KEY_NUMBER, bytes.get(zeros..).unwrap_or_default())
        });
        // Triple DES in version 1 has a command of its own (ICAO 9303-11 §6.2.4.1).
        let alone = choice.version() == 1 && choice.protocol().cipher == Cipher::TripleDes;
        let (stage, p2, mut data) = if alone {
            let key = tlv::encode(EPHEMERAL_KEY, &ephemeral.public);
            (Stage::KeyAgreement, 0xA6, key)
        } else {
            (Stage::Select, 0xA4, tlv::encode(PROTOCOL, &oid))
        };
        data.extend(number.unwrap_or_default());
        let command = Command::new(0x00, MANAGE_SECURITY_ENVIRONMENT, 0x41, p2).with_data(data);
        let started = Self {
            choice,
            ephemeral,
            oid,
            stage,
        };
        Ok((command, started))
    }

    fn agreed(&self, data: &[u8]) -> Result<NewSession, ChipAuthenticationError> {
        let malformed = ChipAuthenticationError::Malformed;
        let proof = match (self.stage, self.choice.version()) {
            (Stage::KeyAgreement, _) if data.is_empty() => None,
            (Stage::KeyAgreement, _) => return Err(malformed("data where none belong")),
            // An empty template, which some chips leave out.
            (_, 1) if data.is_empty() => None,
            (_, version) => Proof::parse(data, version).map_err(malformed)?,
        };
        let cipher = self.choice.protocol().cipher;
        let group = Group::new(self.ephemeral.parameters)?;
        let chips = self
            .choice
            .key()
            .element(&group)
            .map_err(|error| match error {
                DomainParametersError::Crypto(error) => ChipAuthenticationError::Crypto(error),
                _ => ChipAuthenticationError::PublicKey,
            })?;
        let shared = group.power(&chips, &self.ephemeral.private)?;
        if group.is_neutral(&shared) {
            return Err(ChipAuthenticationError::PublicKey);
        }
        let secret = group.secret(&shared)?;
        let nonce = proof.as_ref().map_or(&[][..], |proof| proof.nonce);
        let keys = SessionKeys::derive(cipher, &secret, nonce)?;
        if let Some(proof) = &proof {
            let object =
                public_key_object(&self.oid, self.ephemeral.parameters, &self.ephemeral.public);
            if !bool::from(keys.mac(&object)?[..].ct_eq(proof.token)) {
                return Err(ChipAuthenticationError::NotProved);
            }
        }
        Ok(NewSession {
            messaging: SecureMessaging::new(keys),
            proved: proof.is_some(),
        })
    }
}

/// What a chip answers in version 2.
struct Proof<'a> {
    nonce: &'a [u8],
    token: &'a [u8],
}

impl<'a> Proof<'a> {
    /// Reads the template; nothing in version 1, whose template is empty.
    fn parse(data: &'a [u8], version: u64) -> Result<Option<Self>, &'static str> {
        let (outer, rest) = tlv::parse(data).map_err(|_| "no dynamic authentication data")?;
        if outer.tag != TEMPLATE || !rest.is_empty() {
            return Err("no dynamic authentication data");
        }
        let objects = tlv::parse_all(outer.value).map_err(|_| "no dynamic authentication data")?;
        match (version, &objects[..]) {
            (1, []) => Ok(None),
            (1, _) => Err("data where none belong"),
            (_, [nonce, token]) if (nonce.tag, token.tag) == (NONCE, TOKEN) => {
                if !NONCE_LENGTH.contains(&nonce.value.len()) {
                    return Err("nonce of a wrong length");
                }
                Ok(Some(Self {
                    nonce: nonce.value,
                    token: token.value,
                }))
            }
            _ => Err("no nonce and token in it"),
        }
    }
}

impl Dialogue for ChipAuthentication<'_> {
    type Outcome = NewSession;
    type Error = ChipAuthenticationError;

    fn answer(
        mut self,
        response: &Response,
    ) -> Result<Turn<Self, NewSession>, ChipAuthenticationError> {
        if !response.status().is_ok() {
            return Err(ChipAuthenticationError::Refused(response.status()));
        }
        if let Stage::Select = self.stage {
            self.stage = Stage::Authenticate;
            let key = tlv::encode(TERMINAL_KEY, &self.ephemeral.public);
            let command = Command::new(0x00, GENERAL_AUTHENTICATE, 0, 0)
                .with_data(tlv::encode(TEMPLATE, &key))
                .with_le(256);
            return Ok(Turn::Send(command, self));
        }
        self.agreed(response.data()).map(Turn::Done)
    }
}

impl fmt::Debug for ChipAuthentication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChipAuthentication")
            .field("choice", self.choice)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// Runs chip authentication through an open session, lets the new session take over, and has
/// the chip prove itself under it: in version 1 by an answer to `probe`, any command that
/// changes nothing. Returns that answer, whose status does not matter. The new session may have
/// another cipher: ask the channel for its limits again.
///
/// # Errors
/// [`ChipAuthenticationError`]; the session has ended where the chip proved nothing.
pub fn authenticate_chip<C: Channel>(
    channel: &mut Secured<C>,
    choice: &ChipAuthenticationChoice,
    ephemeral: &EphemeralKey,
    probe: &Command,
) -> Result<Option<Response>, ChipAuthenticationError> {
    let limits = channel.limits();
    let start = ChipAuthentication::start(choice, ephemeral)?;
    let new = converse(channel, &limits, start)?;
    channel.replace(new.messaging);
    if new.proved {
        return Ok(None);
    }
    match channel.exchange(probe) {
        Ok(response) => Ok(Some(response)),
        // Without the key the chip can neither read the command nor answer it.
        Err(SecuredError::Session(_)) => Err(ChipAuthenticationError::NotProved),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
