//! The thread that holds a card: what it is asked it does, however long the service takes.

use std::ffi::CString;
use std::sync::mpsc::{Receiver, Sender};

use card::ChannelError;
use card::atr::Protocol;
use pcsc::{Card, Context, Disposition, Protocols, Scope, ShareMode};
use zeroize::Zeroizing;

use crate::error::channel_error;
use crate::t0::tpdu;

/// The longest answer: 65 536 bytes of data and a status word.
const ANSWER: usize = 65_538;

/// What the hand is asked to do.
pub(crate) enum Ask {
    /// Send a command and return its answer.
    Transmit(Zeroizing<Vec<u8>>),
    /// Reset the card and return its answer to reset.
    Reset,
}

/// What is known of a card that is held.
pub(crate) struct Held {
    pub(crate) atr: Vec<u8>,
    pub(crate) protocol: Option<Protocol>,
}

/// A card, connected in exclusive mode in a context of its own.
pub(crate) struct Hand {
    /// Nothing once it is let go.
    card: Option<Card>,
    reader: String,
    answer: Vec<u8>,
    is_t0: bool,
}

impl Hand {
    pub(crate) fn take(reader: &str) -> Result<(Self, Held), ChannelError> {
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
        let mut hand = Self {
            card: Some(card),
            reader: reader.to_owned(),
            answer: vec![0; ANSWER],
            is_t0: false,
        };
        let held = hand.look()?;
        hand.is_t0 = held.protocol == Some(Protocol::T0);
        Ok((hand, held))
    }

    /// Does what it is asked until nobody asks any more.
    pub(crate) fn serve(
        mut self,
        asks: &Receiver<Ask>,
        told: &Sender<Result<Vec<u8>, ChannelError>>,
    ) {
        for ask in asks {
            let done = match ask {
                Ask::Transmit(command) => self.transmit(&command),
                Ask::Reset => self.reset(),
            };
            if told.send(done).is_err() {
                break;
            }
        }
    }

    fn card(&self) -> Result<&Card, ChannelError> {
        self.card.as_ref().ok_or(ChannelError::Removed)
    }

    fn look(&self) -> Result<Held, ChannelError> {
        // Not as attributes: the virtual reader's driver, as others, has none.
        let status = self
            .card()?
            .status2_owned()
            .map_err(|error| channel_error(&self.reader, "reading the answer to reset", error))?;
        Ok(Held {
            atr: status.atr().to_vec(),
            protocol: match status.protocol2() {
                Some(pcsc::Protocol::T0) => Some(Protocol::T0),
                Some(pcsc::Protocol::T1) => Some(Protocol::T1),
                Some(pcsc::Protocol::RAW) | None => None,
            },
        })
    }

    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let card = self.card.as_ref().ok_or(ChannelError::Removed)?;
        let tpdu = self.is_t0.then(|| Zeroizing::new(tpdu(command)));
        let sent = tpdu.as_ref().map_or(command, |tpdu| &tpdu[..]);
        let answer = card
            .transmit(sent, &mut self.answer)
            .map_err(|error| channel_error(&self.reader, "sending a command", error))?;
        // A card that is torn out in the middle may end in success without an answer.
        if answer.is_empty() {
            Err(ChannelError::Removed)
        } else {
            Ok(answer.to_vec())
        }
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        let protocols = match self.is_t0 {
            true => Protocols::T0,
            false => Protocols::T1,
        };
        let card = self.card.as_mut().ok_or(ChannelError::Removed)?;
        let mut reconnect = |how| card.reconnect(ShareMode::Exclusive, protocols, how);
        // A card or reader that hangs after a failed command may heed its power only.
        reconnect(Disposition::ResetCard)
            .or_else(|error| match error {
                pcsc::Error::NoSmartcard | pcsc::Error::SharingViolation => Err(error),
                _ => reconnect(Disposition::UnpowerCard),
            })
            .map_err(|error| channel_error(&self.reader, "resetting the card", error))?;
        Ok(self.look()?.atr)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // A reset forgets verified PINs and the secure channel; an error here means that the
        // card is gone, and so is what it remembered.
        if let Some(card) = self.card.take() {
            let _ = card.disconnect(Disposition::ResetCard);
        }
    }
}
