//! The secure channel of a running personalization: opening it, and what passes through it.

use card::gp::{
    Handshake, HostChallenge, InitializeUpdate, Opening, Scp03Error, Secured, SecurityLevel,
};
use card::{Command, Response};

use crate::request::Grant;

/// Where the secure channel stands.
pub(crate) enum ChannelState {
    /// There is none: commands go in the clear.
    Closed,
    /// INITIALIZE UPDATE was answered, the session keys are being fetched.
    Challenged {
        host: [u8; 8],
        answer: InitializeUpdate,
    },
    /// EXTERNAL AUTHENTICATE is on its way.
    Opening(Opening),
    /// Commands are protected.
    Open(Secured),
    /// The channel's keys stay at the centre; its commands pass as they are.
    Carried,
}

impl ChannelState {
    /// Protects a command, if the channel is open.
    pub(crate) fn wrap(&mut self, command: Command) -> Result<Command, Scp03Error> {
        match self {
            Self::Open(secured) => secured.wrap(&command),
            _ => Ok(command),
        }
    }

    /// Checks and opens an answer, if the channel is open.
    pub(crate) fn unwrap(&mut self, response: Response) -> Result<Response, Scp03Error> {
        match self {
            Self::Open(secured) => secured.unwrap(response),
            _ => Ok(response),
        }
    }

    /// Goes from the challenge to EXTERNAL AUTHENTICATE with the session keys.
    pub(crate) fn authenticate(
        &mut self,
        grant: Grant,
        level: SecurityLevel,
    ) -> Result<Command, Authenticate> {
        let (Self::Challenged { host, answer }, Grant::SessionKeys(keys)) = (&*self, grant) else {
            return Err(Authenticate::OutOfTurn);
        };
        let handshake = Handshake::new(*keys, HostChallenge::new(*host), answer)
            .map_err(|_| Authenticate::Cryptogram)?;
        let (command, opening) = handshake.external_authenticate(level);
        *self = Self::Opening(opening);
        Ok(command)
    }

    /// Notes the chip's answer to EXTERNAL AUTHENTICATE.
    pub(crate) fn complete(&mut self, response: &Response) -> Result<(), Scp03Error> {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Opening(opening) => Self::Open(opening.complete(response)?),
            other => other,
        };
        Ok(())
    }
}

/// Why EXTERNAL AUTHENTICATE cannot be sent.
pub(crate) enum Authenticate {
    /// The chip's cryptogram does not fit the session keys.
    Cryptogram,
    /// The grant is not what was asked for.
    OutOfTurn,
}
