//! Plays a recorded session against a card and says where it answers otherwise.

use card::trace::{Answer, Event, Line, Trace, Veiled};
use card::{Channel, ChannelError, Status};
use zeroize::Zeroizing;

/// Gives the whole bytes of a command of which the trace hides some, by the command as
/// recorded and its line; `None` skips it.
type Fill<'a> = Box<dyn FnMut(&Veiled, usize) -> Option<Zeroizing<Vec<u8>>> + 'a>;
/// Does to the card what the trace says was done to it.
type Restart<'a> = Box<dyn FnMut(&mut dyn Channel, Restarted) -> Result<(), ChannelError> + 'a>;

/// What the trace says was done to the card's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarted {
    /// It was powered.
    PowerOn,
    /// It was powered off.
    PowerOff,
    /// It was reset.
    Reset,
}

/// How a trace is played.
///
/// Status words are compared; commands with hidden bytes are skipped; every difference is
/// noted and the session goes on, unless a try of a secret was used up; power on and reset
/// reset the channel. The methods change that.
#[derive(Default)]
pub struct Replay<'a> {
    data: bool,
    stop: bool,
    fill: Option<Fill<'a>>,
    restart: Option<Restart<'a>>,
}

/// How an answer differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Differs {
    /// In its status word.
    Status {
        /// As recorded.
        expected: Status,
        /// As answered.
        found: Status,
    },
    /// In its data.
    Data {
        /// The first byte that differs, or the length of the shorter.
        offset: usize,
        /// Bytes as recorded, the status word included.
        expected: usize,
        /// Bytes as answered, the status word included.
        found: usize,
    },
    /// It has no status word.
    NoStatus,
}

impl Differs {
    /// Says whether the card may have counted a failure that the recorded one did not: it
    /// says so, or it was presented a secret that the recorded one took, and did not take
    /// it. What a card answers then is its own: `6300`, `6982`, `6988`.
    fn used_a_try(&self, presents: bool) -> bool {
        let took = |status: &Status| status.is_ok() || status.more_available().is_some();
        match self {
            Self::Status { expected, found } => {
                found.tries_left().is_some()
                    || *found == Status::AUTHENTICATION_BLOCKED
                    || presents && took(expected) && !took(found)
            }
            Self::NoStatus => presents,
            Self::Data { .. } => false,
        }
    }
}

/// Instructions by which a secret is proved to a card, which counts the failures: VERIFY in
/// both forms, CHANGE REFERENCE DATA, RESET RETRY COUNTER, EXTERNAL AUTHENTICATE, GENERAL
/// AUTHENTICATE in both forms (*ISO/IEC 7816-4 §11.5, §11.6*).
const PRESENTING: [u8; 7] = [0x20, 0x21, 0x24, 0x2C, 0x82, 0x86, 0x87];

/// Says whether a command presents a secret. One without data only asks.
fn presents(command: &[u8]) -> bool {
    command.len() > 5 && command.get(1).is_some_and(|ins| PRESENTING.contains(ins))
}

/// Returns the lines of a trace at which a replay presents a secret, as it stands there, to
/// the card: each may use up a try. A cryptogram never fits a second time.
pub fn presenting(trace: &Trace) -> Vec<usize> {
    let lines = trace.lines().iter();
    let presenting = lines.filter(|line| match line.event() {
        Event::Command(command) => command.known().is_some_and(presents),
        _ => false,
    });
    presenting.map(Line::number).collect()
}

/// A difference, and where it stands in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The command's line.
    pub command: usize,
    /// The recorded answer's line.
    pub line: usize,
    /// CLA INS P1 P2, where they are known.
    pub header: Option<[u8; 4]>,
    /// What differs.
    pub differs: Differs,
}

/// What came of a replay.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Commands sent.
    pub commands: usize,
    /// Answers compared with a recorded one.
    pub compared: usize,
    /// The lines of commands that were skipped, because bytes of them are hidden.
    pub skipped: Vec<usize>,
    /// Where the card answered otherwise.
    pub differences: Vec<Difference>,
    /// The line at which the channel failed, and how; nothing was played after it.
    pub failed: Option<(usize, ChannelError)>,
    /// The line after whose difference the replay stopped: because it was to stop there, or
    /// because a try of a secret was used up.
    pub stopped: Option<usize>,
}

impl Replayed {
    /// Says whether every command was played and every answer was as recorded.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.failed.is_none() && self.skipped.is_empty()
    }
}

/// The latest command that was sent, and the card's answer.
struct Sent {
    line: usize,
    header: Option<[u8; 4]>,
    presents: bool,
    answer: Zeroizing<Vec<u8>>,
}

impl<'a> Replay<'a> {
    /// Returns the way described above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares data too; hidden bytes agree with any.
    #[must_use]
    pub fn comparing_data(mut self) -> Self {
        self.data = true;
        self
    }

    /// Stops after the first difference.
    #[must_use]
    pub fn stopping(mut self) -> Self {
        self.stop = true;
        self
    }

    /// Lets `fill` give the bytes of commands of which the trace hides some, by the command
    /// as recorded and its line; those for which it gives none are skipped.
    #[must_use]
    pub fn filling(
        mut self,
        fill: impl FnMut(&Veiled, usize) -> Option<Zeroizing<Vec<u8>>> + 'a,
    ) -> Self {
        self.fill = Some(Box::new(fill));
        self
    }

    /// Lets `restart` do what the trace says was done to the card's power.
    #[must_use]
    pub fn restarting(
        mut self,
        restart: impl FnMut(&mut dyn Channel, Restarted) -> Result<(), ChannelError> + 'a,
    ) -> Self {
        self.restart = Some(Box::new(restart));
        self
    }

    /// Plays the trace. Commands are sent as recorded, GET RESPONSE among them. A channel
    /// that fails ends the replay, [`Replayed::failed`].
    pub fn run(mut self, trace: &Trace, channel: &mut dyn Channel) -> Replayed {
        let mut replayed = Replayed::default();
        let mut latest: Option<Sent> = None;
        for line in trace.lines() {
            let number = line.number();
            let restarted = match line.event() {
                Event::Note(_) | Event::Unasked(_) => continue,
                Event::PowerOn => Restarted::PowerOn,
                Event::PowerOff => Restarted::PowerOff,
                Event::Reset => Restarted::Reset,
                Event::Command(command) => {
                    latest = None;
                    let Some(bytes) = self.bytes(command, number) else {
                        replayed.skipped.push(number);
                        continue;
                    };
                    match channel.transmit(&bytes) {
                        Ok(answer) => {
                            latest = Some(Sent {
                                line: number,
                                header: command.header(),
                                presents: presents(&bytes),
                                answer: Zeroizing::new(answer),
                            });
                        }
                        Err(error) => {
                            replayed.failed = Some((number, error));
                            return replayed;
                        }
                    }
                    replayed.commands += 1;
                    continue;
                }
                Event::Response(recorded) => {
                    let Some(sent) = latest.take() else {
                        continue;
                    };
                    replayed.compared += 1;
                    if let Some(differs) = self.compare(recorded, &sent.answer) {
                        let used_a_try = differs.used_a_try(sent.presents);
                        replayed.differences.push(Difference {
                            command: sent.line,
                            line: number,
                            header: sent.header,
                            differs,
                        });
                        // A card of somebody else: its tries are not to be used up.
                        if self.stop || used_a_try {
                            replayed.stopped = Some(number);
                            return replayed;
                        }
                    }
                    continue;
                }
            };
            latest = None;
            if let Err(error) = self.restart(channel, restarted) {
                replayed.failed = Some((number, error));
                return replayed;
            }
        }
        replayed
    }

    fn bytes(&mut self, command: &Veiled, line: usize) -> Option<Zeroizing<Vec<u8>>> {
        match command.known() {
            Some(bytes) => Some(Zeroizing::new(bytes.to_vec())),
            None => self.fill.as_mut()?(command, line),
        }
    }

    fn restart(
        &mut self,
        channel: &mut dyn Channel,
        restarted: Restarted,
    ) -> Result<(), ChannelError> {
        match (&mut self.restart, restarted) {
            (Some(restart), restarted) => restart(channel, restarted),
            (None, Restarted::PowerOff) => Ok(()),
            (None, Restarted::PowerOn | Restarted::Reset) => channel.reset().map(drop),
        }
    }

    fn compare(&self, recorded: &Answer, answer: &[u8]) -> Option<Differs> {
        if let Some(expected) = recorded.bytes.status() {
            let Some(word) = answer.last_chunk() else {
                return Some(Differs::NoStatus);
            };
            let found = Status::new(u16::from_be_bytes(*word));
            if found != expected {
                return Some(Differs::Status { expected, found });
            }
        }
        if !self.data {
            return None;
        }
        let offset = recorded.bytes.difference(answer)?;
        Some(Differs::Data {
            offset,
            expected: recorded.bytes.len(),
            found: answer.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts resets, knows one PIN and one file.
    #[derive(Default)]
    struct Card {
        resets: usize,
        verified: bool,
    }

    impl Channel for Card {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            Ok(match command {
                [_, 0x20, _, _, 4, b'1', b'2', b'3', b'4'] => {
                    self.verified = true;
                    vec![0x90, 0x00]
                }
                [_, 0x20, ..] => vec![0x63, 0xC2],
                [_, 0xB0, ..] if self.verified => vec![0xAA, 0xBB, 0x90, 0x00],
                [_, 0xB0, ..] => vec![0x69, 0x82],
                [_, 0xC0, ..] => vec![0x90],
                _ => return Err(ChannelError::Removed),
            })
        }
        fn atr(&self) -> &[u8] {
            &[0x3B, 0x00]
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            self.resets += 1;
            self.verified = false;
            Ok(vec![0x3B, 0x00])
        }
    }

    const SESSION: &str = "\
# POWER_ON
< 00   # 0.10 ms
> 0020000104 [4]
< 9000
> 00b0000002
# a note between
< aabb9000
# RESET
> 00b0000002
< aabb9000
> 00b0000002
< 6982
# POWER_OFF
";

    fn filled(command: &Veiled, line: usize) -> Option<Zeroizing<Vec<u8>>> {
        assert_eq!((command.hidden(), line), (4, 3));
        Some(Zeroizing::new(b"\x00\x20\x00\x01\x041234".to_vec()))
    }

    #[test]
    fn differences_have_their_lines() {
        let trace: Trace = SESSION.parse().unwrap();
        let mut card = Card::default();
        let replayed = Replay::new().filling(filled).run(&trace, &mut card);
        let expected = Difference {
            command: 9,
            line: 10,
            header: Some([0, 0xB0, 0, 0]),
            differs: Differs::Status {
                expected: Status::OK,
                found: Status::SECURITY_STATUS_NOT_SATISFIED,
            },
        };
        assert_eq!(replayed.differences, [expected]);
        assert_eq!(
            (replayed.commands, replayed.compared, card.resets),
            (4, 4, 2)
        );
        assert!(replayed.skipped.is_empty() && !replayed.is_same());

        let stopped = Replay::new()
            .filling(filled)
            .stopping()
            .run(&trace, &mut Card::default());
        assert_eq!((stopped.commands, stopped.stopped), (3, Some(10)));
    }

    #[test]
    fn a_hidden_command_is_skipped_where_nobody_fills_it() {
        let trace: Trace = SESSION.parse().unwrap();
        let replayed = Replay::new().run(&trace, &mut Card::default());
        assert_eq!(replayed.skipped, [3]);
        assert_eq!(replayed.compared, 3);
    }

    #[test]
    fn a_secret_that_is_not_taken_ends_the_replay() {
        /// Answers everything alike.
        struct Same(u16);
        impl Channel for Same {
            fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, ChannelError> {
                Ok(self.0.to_be_bytes().to_vec())
            }
            fn atr(&self) -> &[u8] {
                &[]
            }
            fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
                Ok(Vec::new())
            }
        }
        for ins in PRESENTING {
            for recorded in ["9000", "6110"] {
                let text = format!("> 84{ins:02x}010002aabb\n< {recorded}\n> 00b0000002\n< 9000");
                let trace: Trace = text.parse().unwrap();
                assert_eq!(presenting(&trace), [1]);
                for refusal in [0x6300, 0x6982, 0x6988, 0x6983, 0x63C1, 0x6A80, 0x6F00] {
                    let replayed = Replay::new().run(&trace, &mut Same(refusal));
                    assert_eq!(replayed.stopped, Some(2), "{ins:02X} {refusal:04X}");
                    assert_eq!(replayed.commands, 1);
                }
                let taken = Replay::new().run(&trace, &mut Same(0x9000));
                assert_eq!((taken.stopped, taken.commands), (None, 2));
            }
        }
        // A refusal as recorded is none that the replay brought about; to ask uses no try.
        for harmless in ["> 0082000002aabb\n< 6300", "> 00200081\n< 9000"] {
            let trace: Trace = harmless.parse().unwrap();
            let replayed = Replay::new().run(&trace, &mut Same(0x6300));
            assert_eq!(replayed.stopped, None, "{harmless}");
        }
        let asking: Trace =
            "> 0020000102 [2]\n< 9000\n> 00200081\n< 9000\n> 00a4000c023f00\n< 9000"
                .parse()
                .unwrap();
        assert_eq!(presenting(&asking), [0; 0]);
    }

    #[test]
    fn data_are_compared_where_asked_and_hidden_ones_agree() {
        let trace: Trace = "> 0020000104 31323334\n< 9000\n> 00b0000002\n< [1] bc9000\n> 00b0000002\n< [2] 9000\n> 00c0000000\n< 9000"
            .parse()
            .unwrap();
        let replayed = Replay::new()
            .comparing_data()
            .run(&trace, &mut Card::default());
        let found: Vec<_> = replayed
            .differences
            .iter()
            .map(|difference| (difference.line, &difference.differs))
            .collect();
        let data = Differs::Data {
            offset: 1,
            expected: 4,
            found: 4,
        };
        assert_eq!(found, [(4, &data), (8, &Differs::NoStatus)]);
    }

    #[test]
    fn a_channel_that_fails_ends_the_replay_at_its_line() {
        let trace: Trace = "> 00b0000002\n< 6982\n> 00440000\n< 9000".parse().unwrap();
        let replayed = Replay::new().run(&trace, &mut Card::default());
        assert!(matches!(replayed.failed, Some((3, ChannelError::Removed))));
        let trace: Trace = "# POWER_OFF\n# POWER_ON".parse().unwrap();
        let mut seen = Vec::new();
        let replayed = Replay::new()
            .restarting(|_, what| {
                seen.push(what);
                Ok(())
            })
            .run(&trace, &mut Card::default());
        assert!(replayed.is_same());
        assert_eq!(seen, [Restarted::PowerOff, Restarted::PowerOn]);
    }
}
