//! The open channel: wrapping commands, unwrapping responses (*GP Card Specification 2.3
//! §E.4.4 to §E.4.6; Amendment D §6.2.4 to §6.2.7*).
//!
//! What both protocols share is here: the stages, class and length bytes, the order of
//! responses, and what becomes of one that is not as it should be. How a MAC is made and what
//! is encrypted, the protocol's chain knows.

use std::collections::VecDeque;
use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::ScpError;
use super::level::SecurityLevel;
use super::options::ChannelMode;
use super::{scp02, scp03};
use crate::apdu::{ApduError, Command, Response};
use crate::cipher::AES_BLOCK;
use crate::cipher::padding::unpadded;
use crate::status::Status;

/// Largest data field of an APDU.
const MAX_DATA: usize = 0xFFFF;
/// Largest expected length of a short command.
const SHORT_LE: u32 = 0x100;

/// An open channel. Every failure to verify a response wipes the keys; from then on every
/// call answers [`ScpError::Terminated`].
///
/// Commands may be wrapped ahead of their responses, as a key service does; responses are
/// then unwrapped in the order of their commands.
pub struct Secured {
    mode: ChannelMode,
    level: SecurityLevel,
    state: State,
}

enum State {
    Open(Box<Open>),
    Terminated,
}

struct Open {
    chain: Chain,
    /// Commands whose responses are still to be unwrapped; kept only under R-MAC.
    pending: VecDeque<Pending>,
}

/// The keys and running values of one protocol.
pub(super) enum Chain {
    Scp02(scp02::Chain),
    Scp03(scp03::Chain),
}

/// What the response to one command is verified with.
enum Pending {
    Scp02(scp02::Pending),
    Scp03(scp03::Pending),
}

impl Chain {
    fn protect(
        &mut self,
        header: [u8; 4],
        data: &mut Vec<u8>,
        extended: bool,
        level: SecurityLevel,
    ) -> Pending {
        match self {
            Self::Scp02(chain) => Pending::Scp02(chain.protect(header, data, level)),
            Self::Scp03(chain) => Pending::Scp03(chain.protect(header, data, extended, level)),
        }
    }

    /// Checks the MAC of a response's data, in constant time.
    fn verify(
        &mut self,
        pending: &Pending,
        sealed: &[u8],
        status: Status,
        received: &[u8],
    ) -> Result<(), ScpError> {
        let genuine = match (self, pending) {
            (Self::Scp02(chain), Pending::Scp02(pending)) => {
                let mac = chain.response_mac(pending, sealed, status);
                let mac = mac.ok_or(ScpError::ResponseMac)?;
                let genuine = mac.ct_eq(received);
                chain.accept(mac);
                genuine
            }
            (Self::Scp03(chain), Pending::Scp03(pending)) => {
                let mac = chain.response_mac(pending, sealed, status);
                mac.as_slice().ct_eq(received)
            }
            _ => return Err(ScpError::ResponseMac),
        };
        if bool::from(genuine) {
            Ok(())
        } else {
            Err(ScpError::ResponseMac)
        }
    }

    /// Decrypts the data of a response whose MAC is verified.
    fn decrypt(&self, pending: &Pending, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ScpError> {
        let (Self::Scp03(chain), Pending::Scp03(pending)) = (self, pending) else {
            return Err(ScpError::Padding);
        };
        if !sealed.len().is_multiple_of(AES_BLOCK) {
            return Err(ScpError::Padding);
        }
        let mut data = Zeroizing::new(sealed.to_vec());
        chain.decrypt(pending, &mut data);
        // The MAC is verified: how long this takes tells an attacker nothing.
        let length = unpadded(&data, AES_BLOCK).ok_or(ScpError::Padding)?;
        data.truncate(length);
        Ok(data)
    }
}

impl Secured {
    pub(super) fn open(chain: Chain, mode: ChannelMode, level: SecurityLevel) -> Self {
        Self {
            mode,
            level,
            state: State::Open(Box::new(Open {
                chain,
                pending: VecDeque::new(),
            })),
        }
    }

    /// Returns the channel's security level.
    pub fn level(&self) -> SecurityLevel {
        self.level
    }

    /// Returns the channel's mode.
    pub fn mode(&self) -> ChannelMode {
        self.mode
    }

    /// Returns the most bytes that wrapping adds to a command's data.
    pub fn overhead(&self) -> usize {
        self.mode.overhead(self.level)
    }

    /// Returns the most plain data bytes that fit a wrapped data field of `limit` bytes.
    pub fn command_capacity(&self, limit: usize) -> usize {
        self.mode.command_capacity(self.level, limit)
    }

    /// Returns the most plain data bytes that fit a wrapped response data field of `limit`
    /// bytes.
    pub fn response_capacity(&self, limit: usize) -> usize {
        self.mode.response_capacity(self.level, limit)
    }

    /// Says whether a failure has closed the channel.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Closes the channel and wipes its keys.
    pub fn terminate(&mut self) {
        self.state = State::Terminated;
    }

    /// Encrypts and authenticates a command.
    ///
    /// Under R-MAC an Le is raised by what the protected response needs, to at most 256
    /// for a short Le; without Le none is added. SCP03's C-MAC covers Lc in the form (short
    /// or extended) that data and Le call for: pass Le as the card can serve it, see
    /// [`Limits::lower_le`](crate::Limits::lower_le). A wrapped command may be chained.
    ///
    /// # Errors
    /// [`ScpError::Command`] where the wrapped data exceed 65 535 bytes, in SCP02 255 bytes,
    /// or where an SCP02 command expects more than 256; the channel is as before.
    /// [`ScpError::Terminated`] after a failure.
    pub fn wrap(&mut self, command: &Command) -> Result<Command, ScpError> {
        let (mode, level) = (self.mode, self.level);
        let State::Open(open) = &mut self.state else {
            return Err(ScpError::Terminated);
        };
        let plain = command.data();
        if plain.len() > mode.command_capacity(level, MAX_DATA) {
            let wrapped = plain.len() + mode.overhead(level);
            return Err(ScpError::Command(ApduError::DataLength(wrapped)));
        }
        if let (ChannelMode::Scp02, Some(le)) = (mode, command.le())
            && le > SHORT_LE
        {
            return Err(ScpError::Command(ApduError::Le(le)));
        }

        let [cla, ins, p1, p2] = command.header();
        let mut wrapped = Command::new(secured_class(cla), ins, p1, p2);
        if let Some(le) = command.le() {
            wrapped = wrapped.with_le(raise_le(le, mode, level));
        }
        // One allocation for all steps: plain text must not stay behind in an outgrown one.
        let mut data = Zeroizing::new(Vec::with_capacity(plain.len() + mode.overhead(level)));
        data.extend_from_slice(plain);
        let extended = wrapped.needs_extended();
        let pending = open
            .chain
            .protect(command.header(), &mut data, extended, level);
        if level.has_rmac() {
            open.pending.push_back(pending);
        }
        Ok(wrapped.with_data(std::mem::take(&mut *data)))
    }

    /// Verifies and decrypts the whole response to the earliest wrapped command that waits
    /// for one. Without R-MAC responses pass unchanged.
    ///
    /// An error status passes if it comes without data; of SCP02 also if it comes with a MAC
    /// and that is right. Anybody on the line can forge a bare one, so an error is no proof
    /// that nothing was done.
    ///
    /// # Errors
    /// [`ScpError::ResponseMac`], [`ScpError::Padding`] and [`ScpError::UnprotectedData`]
    /// close the channel. [`ScpError::Unexpected`] where no command waits,
    /// [`ScpError::Terminated`] after a failure.
    pub fn unwrap(&mut self, response: Response) -> Result<Response, ScpError> {
        let (mode, level) = (self.mode, self.level);
        let State::Open(open) = &mut self.state else {
            return Err(ScpError::Terminated);
        };
        if !level.has_rmac() {
            return Ok(response);
        }
        let pending = open.pending.pop_front().ok_or(ScpError::Unexpected)?;
        let result = open.unprotect(&pending, &response, mode, level);
        if result.is_err() {
            self.terminate();
        }
        result
    }
}

impl Open {
    fn unprotect(
        &mut self,
        pending: &Pending,
        response: &Response,
        mode: ChannelMode,
        level: SecurityLevel,
    ) -> Result<Response, ScpError> {
        let status = response.status();
        if !(status.is_ok() || status.is_warning()) {
            if response.data().is_empty() {
                return Ok(Response::new([], status));
            }
            // Amendment D §6.2.5 says that an error carries nothing; SCP02's specification
            // leaves it to the card.
            if mode != ChannelMode::Scp02 {
                return Err(ScpError::UnprotectedData(status));
            }
        }
        let data = response.data();
        let (sealed, received) = data
            .len()
            .checked_sub(mode.mac_length())
            .and_then(|middle| data.split_at_checked(middle))
            .ok_or(ScpError::ResponseMac)?;
        self.chain.verify(pending, sealed, status, received)?;
        if !level.has_renc() || sealed.is_empty() {
            return Ok(Response::new(sealed, status));
        }
        let mut plain = self.chain.decrypt(pending, sealed)?;
        Ok(Response::new(std::mem::take(&mut *plain), status))
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("mode", &self.mode)
            .field("level", &self.level)
            .field("terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}

/// Returns the class byte as sent: with the secure messaging bit of its kind (*GP Card
/// Specification 2.3 §11.1.4*).
fn secured_class(cla: u8) -> u8 {
    if cla & 0x40 == 0 {
        cla | 0x04
    } else {
        cla | 0x20
    }
}

/// Returns the class byte as authenticated: the basic logical channel's, whatever channel
/// the command goes to.
pub(super) fn authenticated_class(cla: u8) -> u8 {
    cla & 0x80 | 0x04
}

/// Returns Lc as it is sent, in three bytes of which the first ones may be left out, and how
/// many: it is authenticated in the form in which it is sent.
pub(super) fn sent_length(length: usize, extended: bool) -> ([u8; 3], usize) {
    let [.., high, low] = length.to_be_bytes();
    let skip = if extended || length > 0xFF { 0 } else { 2 };
    ([0, high, low], skip)
}

/// Returns the Le that leaves room for the protected form of `le` plain response bytes.
fn raise_le(le: u32, mode: ChannelMode, level: SecurityLevel) -> u32 {
    if !level.has_rmac() {
        return le;
    }
    let most = if le <= SHORT_LE { SHORT_LE } else { 65_536 };
    let sealed = if level.has_renc() {
        (le / 16).saturating_add(1).saturating_mul(16)
    } else {
        le
    };
    // 8 or 16. An impossible Le stays impossible, for `encode` to refuse.
    let [.., mac] = mode.mac_length().to_be_bytes();
    sealed.saturating_add(u32::from(mac)).min(most).max(le)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::cmac;
    use crate::gp::{Key, SessionKeys};

    /// A channel over known keys, to look at what the vectors do not reach.
    fn plain_channel(level: SecurityLevel) -> Secured {
        let key = |byte| Key::new(&[byte; 16]).unwrap();
        let keys = SessionKeys {
            enc: key(1),
            mac: key(2),
            rmac: key(3),
            dek: None,
        };
        let chain = Chain::Scp03(scp03::Chain::new(keys, 8));
        Secured::open(chain, ChannelMode::Scp03S8, level)
    }

    #[test]
    fn long_commands_are_authenticated_with_their_extended_lc() {
        let mut channel = plain_channel(SecurityLevel::MAC);
        let command = Command::new(0x01, 0xDB, 0x3F, 0xFF).with_data(vec![7; 300]);
        let wrapped = channel.wrap(&command).unwrap();
        assert_eq!(wrapped.cla(), 0x05);
        let sent = wrapped.encode().unwrap();
        assert_eq!(sent[..7], [0x05, 0xDB, 0x3F, 0xFF, 0x00, 0x01, 0x34]);
        let mut authenticated = sent[..sent.len() - 8].to_vec();
        authenticated[0] = 0x04;
        let mac = cmac(&Key::new(&[2; 16]).unwrap(), &[&[0; 16], &authenticated]);
        assert_eq!(sent[sent.len() - 8..], mac[..8]);
        assert_eq!(secured_class(0xC1), 0xE1);
        assert_eq!(authenticated_class(0xC1), 0x84);
    }

    #[test]
    fn a_command_too_long_to_wrap_changes_nothing() {
        let mut channel = plain_channel(SecurityLevel::ENC_MAC);
        let long = Command::new(0x80, 0xE2, 0, 0).with_data(vec![0; 65_520]);
        assert!(matches!(channel.wrap(&long), Err(ScpError::Command(_))));
        let fits = Command::new(0x80, 0xE2, 0, 0).with_data(vec![0; 65_519]);
        let mut fresh = plain_channel(SecurityLevel::ENC_MAC);
        assert_eq!(channel.wrap(&fits).unwrap(), fresh.wrap(&fits).unwrap());
    }

    #[test]
    fn le_leaves_room_for_the_protected_answer() {
        for (level, le, raised) in [
            (SecurityLevel::ENC_MAC, 16, 16),
            (SecurityLevel::MAC_RMAC, 16, 24),
            (SecurityLevel::FULL, 15, 24),
            (SecurityLevel::FULL, 16, 40),
            (SecurityLevel::FULL, 250, 256),
            (SecurityLevel::FULL, 256, 256),
            (SecurityLevel::FULL, 65_536, 65_536),
        ] {
            let command = Command::new(0x80, 0xCA, 0, 0x66).with_le(le);
            assert_eq!(
                plain_channel(level).wrap(&command).unwrap().le(),
                Some(raised)
            );
        }
    }
}
