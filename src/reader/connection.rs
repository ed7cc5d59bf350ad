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

use crate::grip::{Exclusive, Grip, Held};
use crate::hand::{Ask, Hand, Told};
use crate::on_pad::Control;

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
    answers: Receiver<Told>,
}

impl Line {
    /// Asks for nothing more, and waits until the card is free.
    fn end(self, patience: Duration) {
        drop(self.asks);
        // The hand says nothing more: its end of the line goes when the card is free.
        let _ = self.answers.recv_timeout(patience);
    }
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
        Self::over(reader, patience, move || Exclusive::take(&name))
    }

    /// Holds the card that `take` takes, in a thread of its own.
    fn over<G: Grip>(
        reader: &str,
        patience: Duration,
        take: impl FnOnce() -> Result<G, ChannelError> + Send + 'static,
    ) -> Result<Self, ChannelError> {
        let name = reader.to_owned();
        let (asks, asked) = channel();
        let (told, answers) = channel();
        let (ready, opened) = channel();
        let hold = move || match take().and_then(|grip| Hand::new(grip, &name)) {
            Ok((hand, held)) => {
                if ready.send(Ok(held)).is_ok() {
                    hand.serve(&asked, &told);
                }
            }
            Err(error) => {
                // Whoever asked has lost patience, or hears why.
                let _ = ready.send(Err(error));
            }
        };
        thread::Builder::new()
            .name("card".to_owned())
            .spawn(hold)
            .map_err(|error| ChannelError::Device {
                context: format!("starting the thread that holds the card in {reader:?}"),
                source: Some(Box::new(error)),
            })?;
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

    /// Returns the protocol that the service says is spoken; it says T=1 for contactless
    /// cards, see [`Protocol::in_use`]. Nothing where it says none.
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Returns the reader's name.
    pub fn reader(&self) -> &str {
        &self.reader
    }

    fn ask(&mut self, ask: Ask) -> Told {
        let Some(line) = &self.line else {
            return Err(ChannelError::Timeout {
                reader: self.reader.clone(),
                after: self.patience,
            });
        };
        let answer = match line.asks.send(ask) {
            Ok(()) => line.answers.recv_timeout(self.patience),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
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
        let mut answer = self.ask(Ask::Transmit(Zeroizing::new(command.to_vec())))?;
        Ok(std::mem::take(&mut *answer))
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.atr = self.ask(Ask::Reset)?.to_vec();
        Ok(self.atr.clone())
    }

    fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }
}

impl Control for Connection {
    fn control(&mut self, code: u32, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        self.ask(Ask::Control(code, data.to_vec()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.end(LETTING_GO);
        }
    }
}

#[cfg(test)]
mod tests {
    use pcsc::{Disposition, Protocols};

    use super::*;

    /// How long a test waits for what must come.
    const SOON: Duration = Duration::from_secs(30);
    /// How long for what never comes.
    const SHORT: Duration = Duration::from_millis(5);

    /// A card whose every answer the test gives, when it likes.
    struct Slow {
        answers: Receiver<Vec<u8>>,
        /// Where it is said that the card is let go.
        gone: Sender<()>,
        /// What letting go waits for.
        may_go: Option<Receiver<()>>,
    }

    /// The test's side of it.
    struct Strings {
        answers: Sender<Vec<u8>>,
        gone: Receiver<()>,
    }

    fn slow() -> (Slow, Strings) {
        let (answers, given) = channel();
        let (gone, seen) = channel();
        let slow = Slow {
            answers: given,
            gone,
            may_go: None,
        };
        let strings = Strings {
            answers,
            gone: seen,
        };
        (slow, strings)
    }

    impl Grip for Slow {
        fn transmit(&mut self, _: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error> {
            let given = self.answers.recv().map_err(|_| pcsc::Error::RemovedCard)?;
            answer[..given.len()].copy_from_slice(&given);
            Ok(given.len())
        }

        fn control(&mut self, _: u32, _: &[u8], answer: &mut [u8]) -> Result<usize, pcsc::Error> {
            self.transmit(&[], answer)
        }

        fn reconnect(&mut self, _: Protocols, _: Disposition) -> Result<(), pcsc::Error> {
            self.answers.recv().map_err(|_| pcsc::Error::RemovedCard)?;
            Ok(())
        }

        fn look(&self) -> Result<Held, pcsc::Error> {
            Ok(Held {
                atr: vec![0x3B, 0x00],
                protocol: Some(Protocol::T1),
            })
        }
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            if let Some(may_go) = &self.may_go {
                let _ = may_go.recv();
            }
            let _ = self.gone.send(());
        }
    }

    fn is_timeout<T>(result: &Result<T, ChannelError>) -> bool {
        matches!(result, Err(ChannelError::Timeout { .. }))
    }

    #[test]
    fn a_late_answer_is_nobodys_and_the_card_is_let_go() {
        let (slow, strings) = slow();
        let mut connection = Connection::over("slow", SOON, || Ok(slow)).unwrap();
        strings.answers.send(vec![0x90, 0x00]).unwrap();
        assert_eq!(connection.transmit(&[0; 4]).unwrap(), [0x90, 0x00]);
        strings.answers.send(Vec::new()).unwrap();
        assert_eq!(connection.reset().unwrap(), [0x3B, 0x00]);

        connection.set_patience(SHORT);
        assert!(is_timeout(&connection.transmit(&[0; 4])));
        assert!(is_timeout(&connection.reset()));
        assert!(strings.gone.try_recv().is_err(), "the service holds it");
        // The service comes back: what it brings is not the answer to the next command.
        strings.answers.send(vec![0x63, 0xC2]).unwrap();
        strings.gone.recv_timeout(SOON).unwrap();
        assert!(is_timeout(&connection.transmit(&[0; 4])));
    }

    #[test]
    fn a_card_that_is_taken_too_late_is_let_go() {
        let (slow, strings) = slow();
        let (go_on, may_take) = channel();
        let take = move || {
            may_take.recv().unwrap();
            Ok(slow)
        };
        assert!(is_timeout(&Connection::over("slow", SHORT, take)));
        go_on.send(()).unwrap();
        strings.gone.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn the_end_waits_until_the_card_is_free_and_not_for_ever() {
        let (idle, strings) = slow();
        drop(Connection::over("idle", SOON, || Ok(idle)).unwrap());
        strings.gone.try_recv().unwrap();

        let (mut stuck, others) = slow();
        let (go_on, may_go) = channel();
        stuck.may_go = Some(may_go);
        let mut connection = Connection::over("stuck", SOON, || Ok(stuck)).unwrap();
        connection.line.take().unwrap().end(SHORT);
        assert!(others.gone.try_recv().is_err());
        go_on.send(()).unwrap();
        others.gone.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn why_a_card_was_not_taken_is_told() {
        let take = || -> Result<Slow, _> { Err(ChannelError::Removed) };
        let refused = Connection::over("slow", SOON, take);
        assert!(matches!(refused, Err(ChannelError::Removed)));
    }

    #[test]
    fn a_hand_that_ended_is_the_same_fault_each_time() {
        let (slow, strings) = slow();
        let mut connection = Connection::over("slow", SOON, || Ok(slow)).unwrap();
        // Longer than any answer: the hand falls over it.
        strings.answers.send(vec![0; 70_000]).unwrap();
        for _ in 0..2 {
            let fault = connection.transmit(&[0; 4]).unwrap_err();
            assert!(matches!(fault, ChannelError::Device { .. }), "{fault}");
        }
    }
}
