//! The two commands that open a channel, as stages: INITIALIZE UPDATE answered, EXTERNAL
//! AUTHENTICATE sent (*GP Card Specification 2.3 §E.5; Amendment D §7.1*).

use std::fmt;

use subtle::ConstantTimeEq;

use super::error::ScpError;
use super::initialize::{HostChallenge, InitializeUpdate, Octets};
use super::keys::SessionKeys;
use super::level::SecurityLevel;
use super::options::{ChannelMode, ChannelOptions};
use super::secured::{Chain, Secured};
use super::{scp02, scp03};
use crate::apdu::{Command, Response};

/// A channel whose card has proved its keys, and whose host has not yet.
pub struct Handshake {
    session: SessionKeys,
    options: ChannelOptions,
    host_cryptogram: Octets,
}

impl Handshake {
    /// Checks the card's cryptogram, in constant time.
    ///
    /// # Errors
    /// [`ScpError::CardCryptogram`] where the card has other keys,
    /// [`ScpError::HostChallenge`] where its mode needs a challenge of another length,
    /// [`ScpError::Key`] where SCP02 is to run with keys of other than 16 bytes. The session
    /// keys are wiped.
    pub fn new(
        session: SessionKeys,
        host: HostChallenge,
        update: &InitializeUpdate,
    ) -> Result<Self, ScpError> {
        update.check_length(&host)?;
        let options = update.options();
        let (host, card) = (host.as_bytes(), update.card_challenge());
        let (expected, host_cryptogram) = match options.mode() {
            ChannelMode::Scp02 => {
                let counter = update.sequence_counter().unwrap_or_default();
                scp02::cryptograms(&session, host, counter, card)?
            }
            mode @ (ChannelMode::Scp03S8 | ChannelMode::Scp03S16) => {
                scp03::cryptograms(&session, host, card, mode.mac_length())
            }
        };
        if !bool::from(expected.as_slice().ct_eq(update.card_cryptogram())) {
            return Err(ScpError::CardCryptogram);
        }
        Ok(Self {
            session,
            options,
            host_cryptogram,
        })
    }

    /// Returns the protocol's mode and options.
    pub fn options(&self) -> ChannelOptions {
        self.options
    }

    /// Returns EXTERNAL AUTHENTICATE for a security level and the channel that waits for its
    /// answer. The command is already wrapped.
    ///
    /// # Errors
    /// [`ScpError::LevelUnsupported`] where the card does not announce the level,
    /// [`ScpError::Key`] for session keys of SCP02 that have other than 16 bytes. The
    /// session keys are wiped.
    pub fn external_authenticate(
        self,
        level: SecurityLevel,
    ) -> Result<(Command, Opening), ScpError> {
        self.options.require(level)?;
        let header = [0x84, 0x82, level.value(), 0x00];
        let mut data = self.host_cryptogram.as_slice().to_vec();
        let mode = self.options.mode();
        let chain = match mode {
            ChannelMode::Scp02 => {
                let mut chain = scp02::Chain::new(&self.session, self.options)?;
                chain.authenticate(header, &mut data);
                Chain::Scp02(chain)
            }
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => {
                let mut chain = scp03::Chain::new(self.session, mode.mac_length());
                chain.authenticate(header, &mut data, false);
                Chain::Scp03(chain)
            }
        };
        let command = Command::from_header(header).with_data(data);
        Ok((command, Opening(Secured::open(chain, mode, level))))
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(hidden)")
    }
}

/// A channel that waits for the answer to EXTERNAL AUTHENTICATE.
pub struct Opening(Secured);

impl Opening {
    /// Opens the channel if the card accepted. The answer itself is never protected.
    ///
    /// # Errors
    /// [`ScpError::Refused`] with the card's status; the session keys are wiped.
    pub fn complete(self, response: &Response) -> Result<Secured, ScpError> {
        if !response.status().is_ok() {
            return Err(ScpError::Refused(response.status()));
        }
        Ok(self.0)
    }

    /// Opens the channel without having seen the answer, for a key service that wraps
    /// commands in advance while another machine talks to the card. A card that refused
    /// refuses every such command as well.
    pub fn assume_accepted(self) -> Secured {
        self.0
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("mode", &self.0.mode())
            .field("level", &self.0.level())
            .finish_non_exhaustive()
    }
}
