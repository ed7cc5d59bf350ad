//! The way to a card: one trait, and one logical command over it.
//!
//! ```text
//!   caller ── Command ──► exchange ── bytes ──► Channel ──► PC/SC, virtual chip, replay
//!                           │  6Cxx: again with the right Le
//!                           │  61xx: GET RESPONSE until nothing is left
//!                           └  long data: extended or chained
//! ```

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::apdu::{ApduError, Command, Response};
use crate::status::Status;

/// Most answers that one call of [`exchange`] takes for one logical command, the pieces of a
/// chain not counted: these the caller's data bound. 65 536 bytes in pieces of 256 take 257.
const MAX_ROUNDS: usize = 300;
/// Most answers in a row that bring nothing on: no byte, or yet another length. One of each
/// is usual; a second length may follow where the first was that of a longer object.
const MAX_IDLE: usize = 3;
/// How long one logical command may take from its first transmission on; the answer that is
/// awaited when it passes is still awaited. Longer than the longest that a card may take for
/// one answer, a key of 4096 bits in five minutes.
const LONGEST: Duration = Duration::from_secs(360);
/// Response bytes of one logical command by default: one extended response.
const TOTAL: usize = 0x1_0000;
/// Most bytes that [`MAX_ROUNDS`] answers can bring: an extended one, then short ones.
const MOST: usize = 0x1_0000 + (MAX_ROUNDS - 1) * 256;
/// CLA bit that says that more of the chain follows (*ISO/IEC 7816-4 §5.4.1*).
const CHAINED: u8 = 0x10;
/// Largest data field of a short command, in bytes.
const SHORT_DATA: usize = 255;
/// Largest data field of an extended command, in bytes.
const EXTENDED_DATA: usize = 0xFFFF;
/// Largest expected length of a short command, in bytes.
const SHORT_LE: u32 = 256;
/// INS of GET RESPONSE (*ISO/IEC 7816-4 §11.7.1*).
const GET_RESPONSE: u8 = 0xC0;

/// A connection to one card. Recorders, tear points and replays wrap a channel and are
/// channels themselves.
pub trait Channel: Send {
    /// Sends one C-APDU as bytes and returns the R-APDU as bytes (data ‖ SW1 SW2).
    ///
    /// # Errors
    /// [`ChannelError`]; after [`ChannelError::Reset`] the card has forgotten its state.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError>;

    /// Returns the answer to the latest reset.
    fn atr(&self) -> &[u8];

    /// Resets the chip, warm or cold, and returns the new answer to reset.
    ///
    /// # Errors
    /// [`ChannelError`] where the card is gone or does not answer.
    fn reset(&mut self) -> Result<Vec<u8>, ChannelError>;

    /// Waits so long for each answer from now on, where the channel bounds the time at all.
    /// Whoever wraps a channel passes it on.
    fn set_patience(&mut self, _patience: Duration) {}
}

impl<C: Channel + ?Sized> Channel for &mut C {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        (**self).transmit(command)
    }

    fn atr(&self) -> &[u8] {
        (**self).atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        (**self).reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        (**self).set_patience(patience);
    }
}

impl<C: Channel + ?Sized> Channel for Box<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        (**self).transmit(command)
    }

    fn atr(&self) -> &[u8] {
        (**self).atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        (**self).reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        (**self).set_patience(patience);
    }
}

/// Says why a channel carried nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The card was taken out; whether it saw the last command is unknown.
    #[error("card removed; put the same card back to go on")]
    Removed,
    /// Somebody reset the card; its state and every secure channel are gone.
    #[error("card reset by another program or by the reader; open the session again")]
    Reset,
    /// There is no reader of this name.
    #[error("no reader named {name:?}; check that it is plugged in and pcscd runs")]
    NoReader {
        /// The name asked for.
        name: String,
    },
    /// The reader is empty.
    #[error("no card in reader {reader:?}; insert one")]
    NoCard {
        /// The reader's name.
        reader: String,
    },
    /// Another program holds the card.
    #[error("card in reader {reader:?} is in use by another program; close that program")]
    Shared {
        /// The reader's name.
        reader: String,
    },
    /// A card is there and does not answer to reset.
    #[error("card in reader {reader:?} does not answer; turn it round or clean its contacts")]
    Unresponsive {
        /// The reader's name.
        reader: String,
    },
    /// No answer came in time; whether the card saw the command is unknown.
    #[error("no answer from the card in reader {reader:?} within {} s", after.as_secs())]
    Timeout {
        /// The reader's name.
        reader: String,
        /// How long was waited.
        after: Duration,
    },
    /// The reader, its driver or the channel's other end failed.
    #[error("{context}")]
    Device {
        /// What was being done, in lower case.
        context: String,
        /// The cause, where there is one.
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}

/// What a card and its reader take in one command.
///
/// The default is what every card takes: short commands of 255 bytes, responses of 256,
/// neither extended length nor chaining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most data bytes in one command, whatever its form; a piece of a chain, which is
    /// short, has 255 at most.
    pub command: usize,
    /// Most response bytes asked for at once, 1 to 65 536. A larger Le is lowered to it,
    /// so whoever reads a file counts what came.
    pub response: usize,
    /// Whether card and reader take extended length.
    pub extended: bool,
    /// Whether the card takes command chaining.
    pub chaining: bool,
    /// Most response bytes taken for one logical command, all pieces together. Whatever the
    /// card announces, no more memory is spent on its answer.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command: SHORT_DATA,
            response: 256,
            extended: false,
            chaining: false,
            total: TOTAL,
        }
    }
}

impl Limits {
    /// Returns the command with Le lowered to what is asked for at once, as [`exchange`]
    /// does.
    ///
    /// A secure channel authenticates the form of the length fields, and Le decides it:
    /// lower Le before wrapping.
    #[must_use]
    pub fn lower_le(&self, command: Command) -> Command {
        let most = u32::try_from(self.response).unwrap_or(u32::MAX).max(1);
        let most = if self.extended {
            most
        } else {
            most.min(SHORT_LE)
        };
        match command.le() {
            Some(le) if le > most => command.with_le(most),
            _ => command,
        }
    }

    /// Returns the most data bytes that fit one unchained command.
    #[must_use]
    pub fn unchained(&self) -> usize {
        let most = if self.extended {
            EXTENDED_DATA
        } else {
            SHORT_DATA
        };
        self.command.min(most)
    }
}

/// Says why a command got no response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The channel failed.
    #[error("command not carried to the card and back")]
    Channel(#[from] ChannelError),
    /// The command cannot be coded: the caller's fault.
    #[error("command cannot be sent")]
    Command(#[source] ApduError),
    /// The data exceed what the card takes, and it takes no chain: the profile's fault.
    #[error("command data of {length} bytes; the card takes {limit} and no chaining")]
    TooLong {
        /// Data bytes in the command.
        length: usize,
        /// Most that fit one command.
        limit: usize,
    },
    /// The answer is no R-APDU: the card's or the reader's fault.
    #[error("answer is no response APDU")]
    Answer(#[source] ApduError),
    /// The card announces more and more, or never accepts a length.
    #[error("card still not done after {0} commands for one request")]
    Endless(usize),
    /// The card answers always in time, and is never done.
    #[error("card still not done after {} s with one request", after.as_secs())]
    Slow {
        /// How long one request may take.
        after: Duration,
    },
    /// The card's answers, all together, exceed [`Limits::total`].
    #[error("card's answer exceeds {limit} bytes")]
    TooMuch {
        /// Most bytes taken.
        limit: usize,
    },
    /// One answer has more data than the command asked for.
    #[error("card answers {length} bytes where {asked} were asked for")]
    Unasked {
        /// Data bytes in the answer.
        length: usize,
        /// Le of the command.
        asked: u32,
    },
    /// The card took a piece of a chain and says neither that it awaits the next nor that
    /// it refuses: a part of the data may be lost.
    #[error("chain interrupted after piece {pieces}: card answers {status}")]
    Interrupted {
        /// Pieces sent, the one with this answer included.
        pieces: usize,
        /// The answer.
        status: Status,
    },
}

/// Sends one logical command and returns the card's whole response.
///
/// Picks the short form where it fits, else the extended, else a chain; lowers Le to what
/// [`Limits::response`] allows. Repeats with the right Le on `6Cxx`, unless it is wrapped
/// for a secure channel, and gathers with GET RESPONSE on `61xx` (*ISO/IEC 7816-4 §5.3.4,
/// §11.7.1*). The status is that of the last
/// answer. An error status after a piece of a chain ends the chain and is returned.
///
/// # Errors
/// [`ExchangeError`]. A card that announces without end is cut off after 300 commands,
/// after three in a row that bring no byte, after [`Limits::total`] bytes, or when six
/// minutes are over. Error statuses
/// are no `Err`; a warning in the middle of a chain is one, since the caller would take it
/// for that of the whole command.
pub fn exchange(
    channel: &mut dyn Channel,
    command: &Command,
    limits: &Limits,
) -> Result<Response, ExchangeError> {
    exchange_within(LONGEST, channel, command, limits)
}

fn exchange_within(
    longest: Duration,
    channel: &mut dyn Channel,
    command: &Command,
    limits: &Limits,
) -> Result<Response, ExchangeError> {
    let mut rounds = Rounds {
        channel,
        longest,
        began: None,
        sent: 0,
        idle: 0,
    };
    let mut last = limits.lower_le(command.clone());
    let data = command.data();
    let limit = limits.unchained();
    if data.len() > limit {
        // In a chain every piece is short: cards that chain are those without extended length.
        let size = limits.command.min(SHORT_DATA);
        if !limits.chaining || size == 0 {
            return Err(ExchangeError::TooLong {
                length: data.len(),
                limit,
            });
        }
        let mut pieces = data.chunks(size).enumerate().peekable();
        while let Some((place, piece)) = pieces.next() {
            if pieces.peek().is_none() {
                last = last.with_data(piece);
                break;
            }
            let step = Command::from_header(command.header())
                .with_cla(command.cla() | CHAINED)
                .with_data(piece);
            let answer = rounds.transmit(&step, limits)?;
            let status = answer.status();
            if status.is_ok() {
                continue;
            }
            if refuses(status) {
                return Ok(answer);
            }
            let pieces = place + 1;
            return Err(ExchangeError::Interrupted { pieces, status });
        }
    }
    rounds.gather(last, limits)
}

/// Returns the GET RESPONSE that belongs to a command of class `cla`, for `le` bytes: its
/// class is interindustry, of the same logical channel, without secure messaging and chain.
pub fn get_response(cla: u8, le: u32) -> Command {
    let class = if cla & 0x40 == 0 {
        cla & 0x03
    } else {
        0x40 | cla & 0x0F
    };
    Command::new(class, GET_RESPONSE, 0, 0).with_le(le)
}

/// Says whether a status word is an error: not done, no warning, nothing to fetch.
fn refuses(status: Status) -> bool {
    let going_on = status.more_available().is_some() || status.correct_le().is_some();
    !(status.is_ok() || status.is_warning() || going_on)
}

/// Counts what is sent for one logical command.
struct Rounds<'a> {
    channel: &'a mut dyn Channel,
    longest: Duration,
    /// When the first command went out.
    began: Option<Instant>,
    /// Commands sent, pieces of a chain not counted.
    sent: usize,
    /// Answers in a row that brought nothing on.
    idle: usize,
}

impl Rounds<'_> {
    fn send(&mut self, command: &Command, limits: &Limits) -> Result<Response, ExchangeError> {
        if self.sent >= MAX_ROUNDS || self.idle > MAX_IDLE {
            return Err(ExchangeError::Endless(self.sent));
        }
        self.sent += 1;
        let answer = self.transmit(command, limits)?;
        let status = answer.status();
        let waits = answer.data().is_empty()
            && (status.more_available().is_some() || status.correct_le().is_some());
        self.idle = if waits { self.idle + 1 } else { 0 };
        Ok(answer)
    }

    fn transmit(&mut self, command: &Command, limits: &Limits) -> Result<Response, ExchangeError> {
        let bytes = command.encode().map_err(ExchangeError::Command)?;
        match self.began {
            None => self.began = Some(Instant::now()),
            Some(began) if began.elapsed() >= self.longest => {
                let after = self.longest;
                return Err(ExchangeError::Slow { after });
            }
            Some(_) => {}
        }
        let answer = Zeroizing::new(self.channel.transmit(&bytes)?);
        let length = answer.len().saturating_sub(2);
        if length > limits.total {
            let limit = limits.total;
            return Err(ExchangeError::TooMuch { limit });
        }
        // Without Le some cards answer data nevertheless; the total bounds that.
        if let Some(asked) = command.le()
            && length > asked as usize
        {
            return Err(ExchangeError::Unasked { length, asked });
        }
        Response::parse(&answer).map_err(ExchangeError::Answer)
    }

    fn gather(&mut self, command: Command, limits: &Limits) -> Result<Response, ExchangeError> {
        let cla = command.cla();
        // A wrapped command counts in its channel: the same once more would end it.
        let mut repeats = !command.is_secured();
        let most = u32::try_from(limits.response)
            .unwrap_or(SHORT_LE)
            .clamp(1, SHORT_LE);
        // Full size at once where data come in pieces: growing would leave unwiped copies.
        let mut gathered: Zeroizing<Vec<u8>> = Zeroizing::default();
        let mut next = command;
        loop {
            let answer = self.send(&next, limits)?;
            let status = answer.status();
            if let Some(le) = status.correct_le()
                && answer.data().is_empty()
                && repeats
            {
                next = next.with_le(le);
                continue;
            }
            if gathered.len() + answer.data().len() > limits.total {
                let limit = limits.total;
                return Err(ExchangeError::TooMuch { limit });
            }
            let Some(available) = status.more_available() else {
                if gathered.is_empty() {
                    return Ok(answer);
                }
                gathered.extend_from_slice(answer.data());
                return Ok(Response::new(gathered.as_slice(), status));
            };
            if gathered.capacity() == 0 {
                gathered.reserve_exact(limits.total.min(MOST));
            }
            gathered.extend_from_slice(answer.data());
            next = get_response(cla, available.min(most));
            repeats = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    /// A card that answers from a closure and keeps what it was sent.
    struct Scripted<F> {
        answer: F,
        seen: Vec<String>,
    }

    impl<F: FnMut(&[u8]) -> Vec<u8> + Send> Channel for Scripted<F> {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            self.seen.push(hex::encode_upper(command));
            Ok((self.answer)(command))
        }

        fn atr(&self) -> &[u8] {
            &[0x3B, 0x00]
        }

        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            Ok(vec![0x3B, 0x00])
        }
    }

    fn play(
        answers: &[&str],
        command: &Command,
        limits: &Limits,
    ) -> (Result<Response, ExchangeError>, Vec<String>) {
        let mut answers = answers.iter();
        let mut card = Scripted {
            answer: move |_: &[u8]| {
                hex::decode(answers.next().expect("one command too many")).unwrap()
            },
            seen: Vec::new(),
        };
        let result = exchange(&mut card, command, limits);
        (result, card.seen)
    }

    #[test]
    fn a_wrong_le_is_corrected_and_more_is_fetched() {
        let read = Command::new(0x80, 0xCA, 0x00, 0x66).with_le(256);
        let (result, seen) = play(
            &["6C04", "AABB6102", "6C01", "CC9000"],
            &read,
            &Limits::default(),
        );
        let response = result.unwrap();
        assert_eq!(response, Response::new([0xAA, 0xBB, 0xCC], Status::OK));
        assert_eq!(
            seen,
            ["80CA006600", "80CA006604", "00C0000002", "00C0000001"]
        );
    }

    #[test]
    fn get_response_keeps_the_logical_channel_only() {
        for (cla, expected) in [
            (0x84, 0x00),
            (0x93, 0x03),
            (0x0C, 0x00),
            (0x61, 0x41),
            (0xE3, 0x43),
        ] {
            assert_eq!(get_response(cla, 1).cla(), expected, "{cla:02X}");
        }
    }

    #[test]
    fn the_form_follows_the_limits() {
        let put = Command::new(0x00, 0xDB, 0x3F, 0xFF)
            .with_data(vec![0x11; 300])
            .with_le(65536);
        let short = Limits::default();
        assert!(matches!(
            play(&[], &put, &short).0,
            Err(ExchangeError::TooLong {
                length: 300,
                limit: 255
            })
        ));
        let chained = Limits {
            chaining: true,
            command: 200,
            ..short
        };
        let (_, seen) = play(&["9000", "9000"], &put, &chained);
        assert_eq!(
            seen,
            [
                format!("10DB3FFFC8{}", "11".repeat(200)),
                format!("00DB3FFF64{}00", "11".repeat(100)),
            ]
        );
        let extended = Limits {
            extended: true,
            command: 300,
            response: 1000,
            ..short
        };
        let (_, seen) = play(&["9000"], &put, &extended);
        assert_eq!(seen, [format!("00DB3FFF00012C{}03E8", "11".repeat(300))]);
        // The bound holds for the extended form too.
        let tight = Limits {
            command: 299,
            ..extended
        };
        assert!(matches!(
            play(&[], &put, &tight).0,
            Err(ExchangeError::TooLong { limit: 299, .. })
        ));
        let both = Limits {
            extended: true,
            chaining: true,
            command: 256,
            response: 256,
            ..short
        };
        let (_, seen) = play(&["9000", "9000"], &put, &both);
        assert_eq!(seen.len(), 2);
        assert!(seen[0].starts_with("10DB3FFFFF"));
    }

    #[test]
    fn a_refused_piece_ends_the_chain() {
        let put = Command::new(0x00, 0xDB, 0, 0).with_data(vec![0; 600]);
        let limits = Limits {
            chaining: true,
            ..Limits::default()
        };
        let (result, seen) = play(&["9000", "6884"], &put, &limits);
        assert_eq!(result.unwrap().status(), Status::CHAINING_NOT_SUPPORTED);
        assert_eq!(seen.len(), 2);
    }

    /// Asks a card that gives the same answer to everything, and returns what came of it
    /// and how many commands it took.
    fn ask_forever(answer: &[u8], limits: &Limits) -> (ExchangeError, usize) {
        let read = Command::new(0, 0xB0, 0, 0).with_le(256);
        let mut card = Scripted {
            answer: |_: &[u8]| answer.to_vec(),
            seen: Vec::new(),
        };
        let error = exchange(&mut card, &read, limits).unwrap_err();
        (error, card.seen.len())
    }

    #[test]
    fn endless_announcements_are_cut_off() {
        let limits = Limits::default();
        for answer in [[0x61, 0x01], [0x6C, 0x01], [0x61, 0x00], [0x6C, 0x00]] {
            let (error, commands) = ask_forever(&answer, &limits);
            assert!(matches!(error, ExchangeError::Endless(4)), "{error}");
            assert_eq!(commands, 4);
        }
        let (error, commands) = ask_forever(&[0x00, 0x61, 0x01], &limits);
        assert!(matches!(error, ExchangeError::Endless(300)), "{error}");
        assert_eq!(commands, 300);
    }

    #[test]
    fn one_request_ends_in_time() {
        let mut card = Scripted {
            answer: |_: &[u8]| vec![0x00, 0x61, 0x01],
            seen: Vec::new(),
        };
        let read = Command::new(0, 0xB0, 0, 0).with_le(256);
        let none = Duration::ZERO;
        let error = exchange_within(none, &mut card, &read, &Limits::default()).unwrap_err();
        assert!(matches!(error, ExchangeError::Slow { .. }), "{error}");
        assert_eq!(card.seen.len(), 1);
        let long = Command::new(0, 0xDB, 0, 0).with_data(vec![0; 600]);
        let chains = Limits {
            chaining: true,
            ..Limits::default()
        };
        let mut card = Scripted {
            answer: |_: &[u8]| vec![0x90, 0x00],
            seen: Vec::new(),
        };
        let error = exchange_within(none, &mut card, &long, &chains).unwrap_err();
        assert!(matches!(error, ExchangeError::Slow { .. }), "{error}");
        assert_eq!(card.seen.len(), 1);
    }

    #[test]
    fn a_wrapped_command_is_not_sent_twice() {
        for cla in [0x84, 0x04, 0x0C, 0x60, 0xE0] {
            let read = Command::new(cla, 0xCA, 0, 0x66)
                .with_data([0; 8])
                .with_le(256);
            let (result, seen) = play(&["6C04"], &read, &Limits::default());
            assert_eq!(result.unwrap().status(), Status::new(0x6C04));
            assert_eq!(seen.len(), 1, "{cla:02X}");
            // What fetches the answer is not wrapped.
            let (result, seen) = play(&["6103", "6C02", "AABB9000"], &read, &Limits::default());
            assert_eq!(result.unwrap().data(), [0xAA, 0xBB]);
            assert_eq!(seen.len(), 3);
        }
    }

    #[test]
    fn an_answer_is_no_longer_than_the_total_and_than_asked() {
        let full = [vec![0; 256], vec![0x61, 0x00]].concat();
        let (error, commands) = ask_forever(&full, &Limits::default());
        assert!(matches!(error, ExchangeError::TooMuch { limit: 65_536 }));
        assert_eq!(commands, 257);
        let small = Limits {
            total: 600,
            ..Limits::default()
        };
        let (error, commands) = ask_forever(&full, &small);
        assert!(matches!(error, ExchangeError::TooMuch { limit: 600 }));
        assert_eq!(commands, 3);
        let more = [vec![0; 257], vec![0x90, 0x00]].concat();
        let (error, _) = ask_forever(&more, &Limits::default());
        assert!(matches!(
            error,
            ExchangeError::Unasked {
                length: 257,
                asked: 256
            }
        ));
        let (error, _) = ask_forever(&[vec![0; 70_000], vec![0x90, 0]].concat(), &small);
        assert!(matches!(error, ExchangeError::TooMuch { limit: 600 }));
        // A GET RESPONSE asks for what was announced.
        let read = Command::new(0, 0xB0, 0, 0).with_le(256);
        let (result, _) = play(&["6102", "AABBCC9000"], &read, &Limits::default());
        let error = result.unwrap_err();
        assert!(matches!(
            error,
            ExchangeError::Unasked {
                length: 3,
                asked: 2
            }
        ));
    }

    #[test]
    fn a_wrong_length_with_data_is_an_answer() {
        let read = Command::new(0, 0xB0, 0, 0).with_le(256);
        let (result, seen) = play(&["AA6C02"], &read, &Limits::default());
        assert_eq!(result.unwrap().status(), Status::new(0x6C02));
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn a_warning_interrupts_a_chain() {
        let put = Command::new(0x00, 0xDB, 0, 0).with_data(vec![0; 600]);
        let limits = Limits {
            chaining: true,
            ..Limits::default()
        };
        for status in ["6282", "63C1", "6110", "6C00"] {
            let (result, seen) = play(&["9000", status], &put, &limits);
            let error = result.unwrap_err();
            assert!(
                matches!(error, ExchangeError::Interrupted { pieces: 2, .. }),
                "{error}"
            );
            assert_eq!(seen.len(), 2);
        }
    }

    #[test]
    fn a_long_chain_leaves_the_answer_its_rounds() {
        let put = Command::new(0x00, 0xDB, 0, 0).with_data(vec![0; 40_000]);
        let limits = Limits {
            chaining: true,
            command: 100,
            ..Limits::default()
        };
        let (result, seen) = play(&["9000"; 400], &put, &limits);
        assert!(result.unwrap().status().is_ok());
        assert_eq!(seen.len(), 400);
    }

    #[test]
    fn an_answer_without_status_is_none() {
        let read = Command::new(0, 0xB0, 0, 0).with_le(256);
        for (answer, length) in [("", 0), ("90", 1)] {
            let (result, _) = play(&[answer], &read, &Limits::default());
            assert!(matches!(
                result,
                Err(ExchangeError::Answer(ApduError::ResponseLength(found))) if found == length
            ));
        }
    }
}
