//! A channel inside a session: whoever speaks over it need not know of the session.
//!
//! ```text
//!   files, chip authentication … ── plain ──► Secured ── protected ──► Channel
//! ```

use std::fmt;
use std::time::Duration;

use card::{Channel, ChannelError, Command, ExchangeError, Limits, Response, exchange};
use thiserror::Error;

use crate::secure_messaging::{SecureMessaging, SecureMessagingError};

/// Says why a command got no response through a session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecuredError {
    /// The session ended, or did not take the command.
    #[error(transparent)]
    Session(#[from] SecureMessagingError),
    /// The protected command was not carried; the session has ended.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// A channel that protects every command and opens every response. After any failure it is
/// closed: only [`Channel::reset`] reaches the chip, which ends the session there too.
///
/// Where the session fails, the [`ChannelError`] has a [`SecuredError`] as its source; see
/// [`session_fault`].
pub struct Secured<C> {
    channel: C,
    messaging: SecureMessaging,
    limits: Limits,
}

impl<C: Channel> Secured<C> {
    /// Wraps a channel whose chip is at the other end of the session. The limits are those of
    /// the chip and its reader, for protected commands.
    pub fn new(channel: C, messaging: SecureMessaging, limits: Limits) -> Self {
        Self {
            channel,
            messaging,
            limits,
        }
    }

    /// Returns what fits one command inside the session: what [`exchange`] over this channel
    /// is to be given. Where the chip takes chains, each piece is protected by itself.
    pub fn limits(&self) -> Limits {
        let most = if self.limits.extended { 0x1_0000 } else { 256 };
        let response = self.limits.response.min(most);
        Limits {
            command: self.messaging.command_capacity(self.limits.unchained()),
            response: self.messaging.response_capacity(response).max(1),
            ..self.limits
        }
    }

    /// Sends one command through the session and returns what the chip answered.
    ///
    /// # Errors
    /// [`SecuredError`]; the session has ended, unless the command was not taken at all.
    pub fn exchange(&mut self, command: &Command) -> Result<Response, SecuredError> {
        let limits = self.limits();
        let (length, limit) = (command.data().len(), limits.command);
        if length > limit {
            return Err(ExchangeError::TooLong { length, limit }.into());
        }
        let wrapped = self.messaging.wrap(&limits.lower_le(command.clone()))?;
        match exchange(&mut self.channel, &wrapped, &self.limits) {
            Ok(response) => Ok(self.messaging.unwrap(&response)?),
            Err(error) => {
                // What the chip saw is unknown, and with it the counter.
                self.messaging.terminate();
                Err(error.into())
            }
        }
    }

    /// Goes on with the keys of a new session, as after chip authentication.
    pub fn replace(&mut self, messaging: SecureMessaging) {
        self.messaging = messaging;
    }

    /// Returns the session.
    pub fn messaging(&self) -> &SecureMessaging {
        &self.messaging
    }

    /// Ends the session on this side and returns the channel.
    pub fn into_channel(self) -> C {
        self.channel
    }
}

impl<C: Channel> Channel for Secured<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let command = Command::parse(command)
            .map_err(|error| failed(ExchangeError::Command(error).into()))?;
        match self.exchange(&command) {
            Ok(response) => Ok(std::mem::take(&mut *response.encode())),
            Err(SecuredError::Exchange(ExchangeError::Channel(error))) => Err(error),
            Err(error) => Err(failed(error)),
        }
    }

    fn atr(&self) -> &[u8] {
        self.channel.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.messaging.terminate();
        self.channel.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        self.channel.set_patience(patience);
    }
}

impl<C> fmt::Debug for Secured<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("messaging", &self.messaging)
            .finish_non_exhaustive()
    }
}

fn failed(error: SecuredError) -> ChannelError {
    ChannelError::Device {
        context: "secure messaging failed".into(),
        source: Some(Box::new(error)),
    }
}

/// Returns why the session failed, where an exchange over a [`Secured`] channel failed with it.
pub fn session_fault(error: &ExchangeError) -> Option<&SecureMessagingError> {
    let ExchangeError::Channel(ChannelError::Device { source, .. }) = error else {
        return None;
    };
    match source.as_ref()?.downcast_ref::<SecuredError>()? {
        SecuredError::Session(fault) => Some(fault),
        SecuredError::Exchange(_) => None,
    }
}
