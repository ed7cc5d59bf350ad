//! One card, held exclusively, as a channel that always answers in time.
//!
//! The PC/SC service waits for a mute card without end, and with it everything that shares
//! its context. So a thread of its own with a context of its own, the *hand*, holds the card:
//!
//! ```text
//! Connection ── ask ──► hand ── SCardTransmit ──► pcscd
//!     ▲                  │
//!     └── answer, or the patience is over: the hand is left behind; it lets go of the
//!         card as soon as the service lets go of it
//! ```

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use card::atr::Protocol;
use card::{Channel, ChannelError};
use zeroize::Zeroizing;

use crate::hand::{Ask, Hand, Held};

/// How long a card may take for one answer while somebody looks at it: its longest work is
/// to measure it.
pub const LOOKING: Duration = Duration::from_secs(20);
/// How long a card may take for one answer while it is made: the slowest chips generate an
/// RSA key of 4096 bits in minutes.
pub const MAKING: Duration = Duration::from_secs(300);
/// How long the end of a connection is waited for, so that the next one finds the card free.
const LETTING_GO: Duration = Duration::from_secs(5);

/// A card in a reader, connected in exclusive mode: no other program can come between two
/// commands. The card is reset when the connection ends.
pub struct Connection {
    /// Nothing once the card was mute for too long.
    line: Option<Line>,
    reader: String,
    atr: Vec<u8>,
    protocol: Option<Protocol>,
    patience: Duration,
}

/// The way to the hand and back.
struct Line {
    asks: Sender<Ask>,
    answers: Receiver<Result<Vec<u8>, ChannelError>>,
}

impl Connection {
    /// Connects to the card in `reader` for this program alone. No answer is waited for
    /// longer than `patience`, [`LOOKING`] or [`MAKING`].
    ///
    /// # Errors
    /// [`ChannelError`]: no such reader, no card, a mute card, a card that another program
    /// holds.
    pub fn open(reader: &str, patience: Duration) -> Result<Self, ChannelError> {
        let name = reader.to_owned();
        let (asks, asked) = channel();
        let (told, answers) = channel();
        let (ready, opened) = channel();
        thread::spawn(move || match Hand::take(&name) {
            Ok((hand, held)) => {
                if ready.send(Ok(held)).is_ok() {
                    hand.serve(&asked, &told);
                }
            }
            Err(error) => {
                // Whoever asked has lost patience, or hears why.
                let _ = ready.send(Err(error));
            }
        });
        let Held { atr, protocol } = opened
            .recv_timeout(patience)
            .map_err(|error| no_answer(error, reader, patience))??;
        Ok(Self {
            line: Some(Line { asks, answers }),
            reader: reader.to_owned(),
            atr,
            protocol,
            patience,
        })
    }

    /// Waits so long for each answer from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Returns the protocol that the service says is spoken; it says T=1 for contactless
    /// cards, see [`Protocol::in_use`]. Nothing where it says none.
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Returns the reader's name.
    pub fn reader(&self) -> &str {
        &self.reader
    }

    fn ask(&mut self, ask: Ask) -> Result<Vec<u8>, ChannelError> {
        let Some(line) = &self.line else {
            return Err(ChannelError::Timeout {
                reader: self.reader.clone(),
                after: self.patience,
            });
        };
        line.asks.send(ask).map_err(|_| ChannelError::Removed)?;
        let answer = line.answers.recv_timeout(self.patience);
        if matches!(answer, Err(RecvTimeoutError::Timeout)) {
            // Its answer would come in the place of another.
            self.line = None;
        }
        answer.map_err(|error| no_answer(error, &self.reader, self.patience))?
    }
}

/// Says why nothing came from the hand.
fn no_answer(error: RecvTimeoutError, reader: &str, patience: Duration) -> ChannelError {
    match error {
        RecvTimeoutError::Timeout => ChannelError::Timeout {
            reader: reader.to_owned(),
            after: patience,
        },
        RecvTimeoutError::Disconnected => ChannelError::Device {
            context: format!("the thread that holds the card in {reader:?} has ended"),
            source: None,
        },
    }
}

impl Channel for Connection {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        // What is sent may hold a PIN: it is wiped.
        self.ask(Ask::Transmit(Zeroizing::new(command.to_vec())))
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.atr = self.ask(Ask::Reset)?;
        Ok(self.atr.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(Line { asks, answers }) = self.line.take() {
            drop(asks);
            // The hand says nothing more: its end of the line goes when the card is free.
            let _ = answers.recv_timeout(LETTING_GO);
        }
    }
}
