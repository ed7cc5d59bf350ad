//! INITIALIZE UPDATE: the challenges, and what the card says of itself (*GP Card
//! Specification 2.3 §E.5.1; Amendment D §7.1.1*).
//!
//! ```text
//!   SCP02      diversification(10) version 02 counter(2) challenge(6) cryptogram(8)
//!   SCP03 S8   diversification(10) version 03 i challenge(8) cryptogram(8) [counter(3)]
//!   SCP03 S16  diversification(10) version 03 i challenge(16) cryptogram(16) [counter(3)]
//! ```

use std::fmt;

use subtle::ConstantTimeEq;

use super::error::ScpError;
use super::keys::{SessionKeys, StaticKeys};
use super::level::SecurityLevel;
use super::options::{ChannelMode, ChannelOptions};
use super::{scp02, scp03};
use crate::apdu::Command;

/// Up to 16 bytes whose number the protocol's mode tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Octets {
    bytes: [u8; 16],
    length: usize,
}

impl Octets {
    /// Copies bytes; of more than 16 the first 16.
    pub(super) fn new(from: &[u8]) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(from) {
            *to = *from;
        }
        Self {
            bytes,
            length: from.len().min(16),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.as_slice() {
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

/// The host's challenge, fresh from a random source for every channel: eight bytes, sixteen
/// for a card in S16 mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostChallenge(Octets);

impl HostChallenge {
    /// Returns the challenge of these random bytes, for SCP02 and SCP03 in S8 mode.
    pub const fn new(random: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = random;
        Self(Octets {
            bytes: [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0],
            length: 8,
        })
    }

    /// Returns the challenge of these random bytes, for SCP03 in S16 mode.
    pub const fn s16(random: [u8; 16]) -> Self {
        Self(Octets {
            bytes: random,
            length: 16,
        })
    }

    /// Returns the bytes, eight or sixteen.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<[u8; 8]> for HostChallenge {
    fn from(random: [u8; 8]) -> Self {
        Self::new(random)
    }
}

impl From<[u8; 16]> for HostChallenge {
    fn from(random: [u8; 16]) -> Self {
        Self::s16(random)
    }
}

impl TryFrom<&[u8]> for HostChallenge {
    type Error = ScpError;

    /// Takes eight or sixteen random bytes.
    fn try_from(random: &[u8]) -> Result<Self, ScpError> {
        match random.len() {
            8 | 16 => Ok(Self(Octets::new(random))),
            found => Err(ScpError::HostChallenge { found, needed: 8 }),
        }
    }
}

/// Returns INITIALIZE UPDATE for a key version, 0 for the card's first choice.
pub fn initialize_update(key_version: u8, host: &HostChallenge) -> Command {
    Command::new(0x80, 0x50, key_version, 0x00)
        .with_data(host.as_bytes())
        .with_le(256)
}

/// The card's answer to INITIALIZE UPDATE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitializeUpdate {
    diversification: [u8; 10],
    key_version: u8,
    options: ChannelOptions,
    card_challenge: Octets,
    card_cryptogram: Octets,
    sequence_counter: Octets,
}

impl InitializeUpdate {
    /// Parses the response's data field, without status word. The answer tells the protocol;
    /// of SCP02 it does not tell "i", which is then 15, see [`Self::with_i`].
    ///
    /// # Errors
    /// [`ScpError::Protocol`] where the card speaks another protocol,
    /// [`ScpError::InitializeUpdate`] for a length that the protocol does not know.
    pub fn parse(data: &[u8]) -> Result<Self, ScpError> {
        let length = || ScpError::InitializeUpdate(data.len());
        let (&diversification, rest) = data.split_first_chunk().ok_or_else(length)?;
        // The protocol first: a foreign card's answer deserves the better message.
        let (&[key_version, protocol], rest) = rest.split_first_chunk().ok_or_else(length)?;
        let (options, counter_first, rest) = if protocol == ChannelOptions::SCP02_DEFAULT.protocol()
        {
            let (counter, rest) = rest.split_at_checked(2).ok_or_else(length)?;
            (ChannelOptions::SCP02_DEFAULT, Some(counter), rest)
        } else {
            // A protocol that is not spoken is named even where the answer ends here.
            let i = rest.first().copied();
            let options = ChannelOptions::new(protocol, i.unwrap_or(0))?;
            (options, None, rest.get(1..).ok_or_else(length)?)
        };
        let mode = options.mode();
        let challenge = match mode {
            ChannelMode::Scp02 => 6,
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => mode.mac_length(),
        };
        let (card_challenge, rest) = rest.split_at_checked(challenge).ok_or_else(length)?;
        let (cryptogram, rest) = rest
            .split_at_checked(mode.mac_length())
            .ok_or_else(length)?;
        let sequence_counter = match (counter_first, rest) {
            (Some(counter), []) => counter,
            (None, []) if !options.is_pseudo_random() => &[],
            (None, [_, _, _]) => rest,
            _ => return Err(length()),
        };
        Ok(Self {
            diversification,
            key_version,
            options,
            card_challenge: Octets::new(card_challenge),
            card_cryptogram: Octets::new(cryptogram),
            sequence_counter: Octets::new(sequence_counter),
        })
    }

    /// Sets the parameter "i" of an SCP02 card from its card data
    /// ([`parse_card_data`](super::parse_card_data)) or its profile.
    ///
    /// # Errors
    /// [`ScpError::Protocol`] where it is not spoken, or is not the one that an SCP03 card
    /// told itself.
    pub fn with_i(mut self, i: u8) -> Result<Self, ScpError> {
        let protocol = self.options.protocol();
        let options = ChannelOptions::new(protocol, i)?;
        if options.mode() != ChannelMode::Scp02 && options != self.options {
            return Err(ScpError::Protocol { protocol, i });
        }
        self.options = options;
        Ok(self)
    }

    /// Returns the ten key diversification bytes, by which the card's keys are found.
    pub fn diversification(&self) -> &[u8; 10] {
        &self.diversification
    }

    /// Returns the version of the keys that the card uses.
    pub fn key_version(&self) -> u8 {
        self.key_version
    }

    /// Returns the protocol's mode and options.
    pub fn options(&self) -> ChannelOptions {
        self.options
    }

    /// Returns the protocol's parameter "i".
    pub fn i_parameter(&self) -> u8 {
        self.options.i()
    }

    /// Returns the card's challenge: 6 bytes in SCP02, 8 or 16 in SCP03.
    pub fn card_challenge(&self) -> &[u8] {
        self.card_challenge.as_slice()
    }

    /// Returns the card's cryptogram, 8 or 16 bytes; [`Handshake::new`](super::Handshake::new)
    /// checks it.
    pub fn card_cryptogram(&self) -> &[u8] {
        self.card_cryptogram.as_slice()
    }

    /// Returns the sequence counter: 2 bytes in SCP02, 3 in SCP03, `None` where an SCP03
    /// card's challenge is truly random.
    pub fn sequence_counter(&self) -> Option<&[u8]> {
        let counter = self.sequence_counter.as_slice();
        (!counter.is_empty()).then_some(counter)
    }

    /// Says whether the card announces that it can serve a security level.
    pub fn supports(&self, level: SecurityLevel) -> bool {
        self.options.supports(level)
    }

    /// Derives the session keys of the card's protocol from its static keys. An SCP02 card
    /// with one base key ("i" without bit 1) has it as all three.
    ///
    /// # Errors
    /// [`ScpError::HostChallenge`] where the mode needs a challenge of another length,
    /// [`ScpError::Key`] where SCP02 is to run with keys of other than 16 bytes.
    pub fn session_keys(
        &self,
        keys: &StaticKeys,
        host: &HostChallenge,
    ) -> Result<SessionKeys, ScpError> {
        self.check_length(host)?;
        match self.options.mode() {
            ChannelMode::Scp02 => scp02::session_keys(keys, self.sequence_counter.as_slice()),
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => {
                Ok(SessionKeys::derive(keys, host, self.card_challenge()))
            }
        }
    }

    /// Checks a pseudo-random card challenge against the card's static keys, its sequence
    /// counter and the identifier of the application that answered, in constant time (*GP
    /// Card Specification 2.3 §E.4.2; Amendment D §6.2.2.1*). A challenge that is truly
    /// random has nothing to check and passes.
    ///
    /// Not every card that announces such a challenge makes it so: one that proves its keys
    /// by its cryptogram and fails here is a reason to look, not to destroy it.
    ///
    /// # Errors
    /// [`ScpError::CardChallenge`]; [`ScpError::Key`] as [`Self::session_keys`].
    pub fn verify_pseudo_random(&self, keys: &StaticKeys, aid: &[u8]) -> Result<(), ScpError> {
        if !self.options.is_pseudo_random() {
            return Ok(());
        }
        let counter = self.sequence_counter.as_slice();
        let expected = match self.options.mode() {
            ChannelMode::Scp02 => scp02::card_challenge(keys, counter, aid)?,
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => {
                scp03::card_challenge(keys, counter, aid, self.card_challenge().len())
            }
        };
        if expected.as_slice().ct_eq(self.card_challenge()).into() {
            Ok(())
        } else {
            Err(ScpError::CardChallenge)
        }
    }

    pub(super) fn check_length(&self, host: &HostChallenge) -> Result<(), ScpError> {
        let (found, needed) = (
            host.as_bytes().len(),
            self.options.mode().host_challenge_length(),
        );
        if found == needed {
            Ok(())
        } else {
            Err(ScpError::HostChallenge { found, needed })
        }
    }
}
