//! One card, held exclusively, as a channel.

use std::ffi::CString;

use card::atr::Protocol;
use card::{Channel, ChannelError};
use pcsc::{Card, Context, Disposition, Protocols, ShareMode};
use zeroize::Zeroizing;

use crate::error::channel_error;
use crate::t0::tpdu;

/// The longest answer: 65 536 bytes of data and a status word.
const ANSWER: usize = 65_538;

/// A card in a reader, connected in exclusive mode: no other program can come between two
/// commands. The card is reset when the connection ends.
pub struct Connection {
    /// Nothing once the connection is closed.
    card: Option<Card>,
    reader: String,
    atr: Vec<u8>,
    answer: Vec<u8>,
    is_t0: bool,
}

impl Connection {
    pub(crate) fn open(context: &Context, reader: &str) -> Result<Self, ChannelError> {
        let name = CString::new(reader).map_err(|_| ChannelError::NoReader {
            name: reader.to_owned(),
        })?;
        // T=1 where the card has both: a command with data and answer is one exchange there.
        let connect = |protocols| context.connect(&name, ShareMode::Exclusive, protocols);
        let card = connect(Protocols::T1)
            .or_else(|error| match error {
                pcsc::Error::ProtoMismatch => connect(Protocols::T0),
                other => Err(other),
            })
            .map_err(|error| channel_error(reader, "connecting to the card", error))?;
        let mut connection = Self {
            card: Some(card),
            reader: reader.to_owned(),
            atr: Vec::new(),
            answer: vec![0; ANSWER],
            is_t0: false,
        };
        connection.atr = connection.read_atr()?;
        connection.is_t0 = connection.protocol() == Some(Protocol::T0);
        Ok(connection)
    }

    fn read_atr(&self) -> Result<Vec<u8>, ChannelError> {
        let card = self.card.as_ref().ok_or(ChannelError::Removed)?;
        // Not as an attribute: the virtual reader's driver, as others, has none.
        card.status2_owned()
            .map(|status| status.atr().to_vec())
            .map_err(|error| channel_error(&self.reader, "reading the answer to reset", error))
    }

    /// Returns the protocol that the service says is spoken; it says T=1 for contactless
    /// cards, see [`Protocol::in_use`]. Nothing where it says none.
    pub fn protocol(&self) -> Option<Protocol> {
        let status = self.card.as_ref()?.status2_owned().ok()?;
        match status.protocol2()? {
            pcsc::Protocol::T0 => Some(Protocol::T0),
            pcsc::Protocol::T1 => Some(Protocol::T1),
            pcsc::Protocol::RAW => None,
        }
    }

    /// Returns the reader's name.
    pub fn reader(&self) -> &str {
        &self.reader
    }
}

impl Channel for Connection {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let card = self.card.as_ref().ok_or(ChannelError::Removed)?;
        // What is sent may hold a PIN: it is wiped.
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

    fn atr(&self) -> &[u8] {
        &self.atr
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
        self.atr = self.read_atr()?;
        Ok(self.atr.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A reset forgets verified PINs and the secure channel; an error here means that the
        // card is gone, and so is what it remembered.
        if let Some(card) = self.card.take() {
            let _ = card.disconnect(Disposition::ResetCard);
        }
    }
}
