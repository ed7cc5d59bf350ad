//! The issuer's channel of a running personalization: opening it, and what passes through it.

use card::gp::{Handshake, HostChallenge, InitializeUpdate, ScpError, Secured, SecurityLevel};
use card::{Command, Response};
use zeroize::Zeroizing;

use crate::request::{Grant, Opening};

/// Where the issuer's channel stands.
pub(crate) enum ChannelState {
    /// There is none: commands go in the clear.
    Closed,
    /// The chip gave its challenge, the centre was asked.
    Challenged(Opening),
    /// EXTERNAL AUTHENTICATE is on its way.
    Opening(Opening, card::gp::Opening),
    /// Commands are protected.
    Open(Opening, Secured),
    /// The issuer's proof is on its way; the chip must answer this.
    Proving(Opening, Option<Zeroizing<Vec<u8>>>),
    /// The chip knows the issuer; commands go in the clear.
    Known(Opening),
    /// The channel's keys stay at the centre; its commands pass as they are.
    Carried,
}

impl ChannelState {
    /// Protects a command, if the channel does that.
    pub(crate) fn wrap(&mut self, command: Command) -> Result<Command, ScpError> {
        match self {
            Self::Open(_, secured) => secured.wrap(&command),
            _ => Ok(command),
        }
    }

    /// Checks and opens an answer, if the channel does that.
    pub(crate) fn unwrap(&mut self, response: Response) -> Result<Response, ScpError> {
        match self {
            Self::Open(_, secured) => secured.unwrap(response),
            _ => Ok(response),
        }
    }

    /// Returns whether commands are protected.
    pub(crate) fn is_protected(&self) -> bool {
        matches!(self, Self::Open(..))
    }

    /// Returns whether the chip is being shown a proof just now.
    pub(crate) fn is_proving(&self) -> bool {
        matches!(self, Self::Opening(..) | Self::Proving(..))
    }

    /// Returns how the open channel was opened.
    pub(crate) fn opening(&self) -> Option<&Opening> {
        match self {
            Self::Open(opening, _) | Self::Known(opening) => Some(opening),
            _ => None,
        }
    }

    /// Goes from the challenge to EXTERNAL AUTHENTICATE with the session keys.
    pub(crate) fn authenticate(
        &mut self,
        grant: Grant,
        level: SecurityLevel,
        i: Option<u8>,
    ) -> Result<Command, Authenticate> {
        let (Self::Challenged(opening), Grant::SessionKeys(keys)) = (&*self, grant) else {
            return Err(Authenticate::OutOfTurn);
        };
        let opening = opening.clone();
        let update = initialize_update(&opening, i).map_err(Authenticate::Channel)?;
        let host =
            HostChallenge::try_from(&opening.host_challenge[..]).map_err(Authenticate::Channel)?;
        let handshake = Handshake::new(*keys, host, &update).map_err(|error| match error {
            ScpError::CardCryptogram => Authenticate::Cryptogram,
            other => Authenticate::Channel(other),
        })?;
        let (command, opened) = handshake
            .external_authenticate(level)
            .map_err(Authenticate::Channel)?;
        *self = Self::Opening(opening, opened);
        Ok(command)
    }

    /// Goes from the challenge to the issuer's proof.
    pub(crate) fn prove(&mut self, answer: Option<Zeroizing<Vec<u8>>>) -> bool {
        match std::mem::replace(self, Self::Closed) {
            Self::Challenged(opening) => {
                *self = Self::Proving(opening, answer);
                true
            }
            other => {
                *self = other;
                false
            }
        }
    }

    /// Notes that the chip took the proof; `answer` is what it proved itself with. False where
    /// that is not what it had to be.
    pub(crate) fn proved(&mut self, answer: Option<&[u8]>) -> bool {
        match std::mem::replace(self, Self::Closed) {
            Self::Proving(opening, wanted) => {
                let fits = wanted.is_none_or(|wanted| answer == Some(&wanted[..]));
                if fits {
                    *self = Self::Known(opening);
                }
                fits
            }
            other => {
                *self = other;
                true
            }
        }
    }

    /// Notes the chip's answer to EXTERNAL AUTHENTICATE.
    pub(crate) fn complete(&mut self, response: &Response) -> Result<(), ScpError> {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Opening(opening, opened) => Self::Open(opening, opened.complete(response)?),
            other => other,
        };
        Ok(())
    }
}

/// Reads the chip's answer to INITIALIZE UPDATE.
pub(crate) fn initialize_update(
    opening: &Opening,
    i: Option<u8>,
) -> Result<InitializeUpdate, ScpError> {
    let answer = opening
        .answers
        .get(Opening::INITIALIZE_UPDATE)
        .map_or(&[][..], Vec::as_slice);
    let update = InitializeUpdate::parse(answer)?;
    match i {
        Some(i) => update.with_i(i),
        None => Ok(update),
    }
}

/// Why EXTERNAL AUTHENTICATE cannot be sent.
pub(crate) enum Authenticate {
    /// The chip's cryptogram does not fit the session keys.
    Cryptogram,
    /// The grant is not what was asked for.
    OutOfTurn,
    /// The chip speaks otherwise than the profile says.
    Channel(ScpError),
}
