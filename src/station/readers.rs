//! How a station reaches its readers: over PC/SC, or where a rehearsal has chips without readers.

use std::time::Duration;

use card::atr::Protocol;
use card::{Channel, ChannelError};
use reader::{Connection, Insertion, ReaderError, Readers};

/// What readers are reached by.
pub trait ReaderService: Send + Sync {
    /// Connects one slot, which works in a thread of its own: no slot waits for another's.
    ///
    /// # Errors
    /// [`ReaderError::NoService`].
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError>;

    /// Takes the card in `reader` for this program alone. No answer of it is waited for longer than
    /// `patience`.
    ///
    /// # Errors
    /// [`ChannelError`]: no such reader, no card, a mute one, one that another program holds.
    fn open(&self, reader: &str, patience: Duration) -> Result<HeldCard, ChannelError>;
}

/// Sees cards come and go.
pub trait CardWatch {
    /// Waits until a card is in `reader`, at most `timeout`; `stop` is asked now and then whether to
    /// give up. Returns which insertion it was.
    ///
    /// # Errors
    /// [`ReaderError::NoCardCame`], and the service's.
    fn wait_for_card(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Insertion, ReaderError>;

    /// Waits until the card of `insertion` is gone from `reader`, also when another one is there
    /// already. Returns whether it is gone: not so after `timeout` or `stop`.
    ///
    /// # Errors
    /// The service's.
    fn wait_for_removal(
        &self,
        reader: &str,
        insertion: Insertion,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, ReaderError>;
}

/// A card that is held.
pub struct HeldCard {
    /// The way to it. The card is free when this is dropped.
    pub channel: Box<dyn Channel>,
    /// The protocol that the service says is spoken; none where it says none.
    pub protocol: Option<Protocol>,
}

/// The machine's own PC/SC service.
#[derive(Clone, Copy, Debug, Default)]
pub struct PcscService;

impl ReaderService for PcscService {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        Ok(Box::new(Readers::new()?))
    }

    fn open(&self, reader: &str, patience: Duration) -> Result<HeldCard, ChannelError> {
        let connection = Connection::open(reader, patience)?;
        Ok(HeldCard {
            protocol: connection.protocol(),
            channel: Box::new(connection),
        })
    }
}

impl CardWatch for Readers {
    fn wait_for_card(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Insertion, ReaderError> {
        Self::wait_for_card(self, reader, timeout, stop)
    }

    fn wait_for_removal(
        &self,
        reader: &str,
        insertion: Insertion,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, ReaderError> {
        Self::wait_for_removal(self, reader, insertion, timeout, stop)
    }
}
