//! One card, as the PC/SC service holds it: the calls that a hand makes, and no others.

use std::ffi::CString;

use card::ChannelError;
use card::atr::Protocol;
use pcsc::{Card, Context, Disposition, Protocols, Scope, ShareMode};

use crate::error::channel_error;

/// What is known of a card that is held.
pub(crate) struct Held {
    pub(crate) atr: Vec<u8>,
    pub(crate) protocol: Option<Protocol>,
}

/// A card that is held. Each call may take as long as the service likes. Whoever drops it lets
/// the card go, reset.
pub(crate) trait Grip {
    /// Sends a command and returns how many bytes of `answer` are the card's.
    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error>;
    /// Sends a command to the reader's driver and returns how many bytes of `answer` are its.
    fn control(&mut self, code: u32, data: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error>;
    /// Holds the card anew.
    fn reconnect(&mut self, protocols: Protocols, how: Disposition) -> Result<(), pcsc::Error>;
    /// Looks at what is held.
    fn look(&self) -> Result<Held, pcsc::Error>;
}

/// A card, connected in exclusive mode in a context of its own.
pub(crate) struct Exclusive {
    /// Nothing once it is let go.
    card: Option<Card>,
}

impl Exclusive {
    pub(crate) fn take(reader: &str) -> Result<Self, ChannelError> {
        let name = CString::new(reader).map_err(|_| ChannelError::NoReader {
            name: reader.to_owned(),
        })?;
        let context = Context::establish(Scope::User)
            .map_err(|error| channel_error(reader, "connecting to the service", error))?;
        // T=1 where the card has both: a command with data and answer is one exchange there.
        let connect = |protocols| context.connect(&name, ShareMode::Exclusive, protocols);
        let card = connect(Protocols::T1)
            .or_else(|error| match error {
                pcsc::Error::ProtoMismatch => connect(Protocols::T0),
                other => Err(other),
            })
            .map_err(|error| channel_error(reader, "connecting to the card", error))?;
        Ok(Self { card: Some(card) })
    }

    fn card(&self) -> Result<&Card, pcsc::Error> {
        self.card.as_ref().ok_or(pcsc::Error::RemovedCard)
    }
}

impl Grip for Exclusive {
    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error> {
        self.card()?.transmit(command, answer).map(<[u8]>::len)
    }

    fn control(&mut self, code: u32, data: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error> {
        let card = self.card()?;
        card.control(code.into(), data, answer).map(<[u8]>::len)
    }

    fn reconnect(&mut self, protocols: Protocols, how: Disposition) -> Result<(), pcsc::Error> {
        let card = self.card.as_mut().ok_or(pcsc::Error::RemovedCard)?;
        card.reconnect(ShareMode::Exclusive, protocols, how)
    }

    fn look(&self) -> Result<Held, pcsc::Error> {
        // Not as attributes: the virtual reader's driver, as others, has none.
        let status = self.card()?.status2_owned()?;
        Ok(Held {
            atr: status.atr().to_vec(),
            protocol: match status.protocol2() {
                Some(pcsc::Protocol::T0) => Some(Protocol::T0),
                Some(pcsc::Protocol::T1) => Some(Protocol::T1),
                Some(pcsc::Protocol::RAW) | None => None,
            },
        })
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        // A reset forgets verified PINs and the secure channel; an error here means that the
        // card is gone, and so is what it remembered.
        if let Some(card) = self.card.take() {
            let _ = card.disconnect(Disposition::ResetCard);
        }
    }
}
