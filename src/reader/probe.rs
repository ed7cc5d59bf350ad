//! Measures what a card and its reader carry in one command, without changing the card.
//!
//! ```text
//!   short command ─► extended command, at the bound ─ fails ─► bisect down to what passes
//!   short answer  ─► extended answer,  at the bound ─ fails ─► bisect
//!   two chained pieces
//!   reset
//! ```
//!
//! A command that fails is sent once more after a reset before the failure is believed: a
//! contact may have been bad. What is being tried is noted, so that a command after which the
//! reader hangs for good costs one measurement, and the next goes round it.

#[cfg(test)]
#[path = "../../tests/reader/over_pcsc.rs"]
mod over_pcsc;
#[cfg(test)]
mod tests;

use card::atr::{Atr, Protocol};
use card::{Channel, ChannelError, Limits, Status};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// Most data of a short command, in bytes.
const SHORT_DATA: usize = 255;
/// Most data of a short answer, in bytes.
const SHORT_ANSWER: usize = 256;
/// Data that every card and reader carries, in bytes; also the longest name of a DF, so that
/// no card has one that is longer (*ISO/IEC 7816-4 §7.3.1*).
const KNOWN_GOOD: usize = 16;
/// Most halvings of one bisection: a step may cost a reset of the card.
const STEPS: usize = 10;
/// A bisection ends when no more than this many bytes are in doubt.
const CLOSE: usize = 16;
/// CLA bit of a chain that goes on.
const CHAINED: u8 = 0x10;
/// How often a reset is tried before the card is given up.
const RESETS: usize = 2;
/// How often a command is sent before it is believed that it does not pass.
const TRIES: usize = 2;

/// With what to measure, and up to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbePlan {
    /// CLA INS P1 P2 of a command that may be sent with data of any length: bytes `FF`, at
    /// least 16 of them. It must change nothing and use up no try.
    pub lengthy: [u8; 4],
    /// CLA INS P1 P2 of a command without data that answers as many bytes as it is asked
    /// for. It must change nothing and use up no try.
    pub answering: [u8; 4],
    /// What the chip takes: nothing beyond is tried.
    pub limits: Limits,
}

impl ProbePlan {
    /// Returns the plan with commands that are harmless on every card: SELECT by a DF name
    /// that is too long to exist, or that nobody registers (`FF` 16 times), and GET
    /// CHALLENGE.
    pub fn new(limits: Limits) -> Self {
        Self {
            lengthy: [0x00, 0xA4, 0x04, 0x00],
            answering: [0x00, 0x84, 0x00, 0x00],
            limits,
        }
    }
}

/// What a card and its reader were seen to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The protocol that is spoken; nothing where neither the PC/SC service nor the answer
    /// to reset tells.
    pub protocol: Option<Protocol>,
    /// Whether a command of extended length passed.
    pub extended: bool,
    /// Most data bytes in one command that passed.
    pub command: usize,
    /// Most data bytes in one answer that passed; nothing where the card gives no answer to
    /// measure by: then its profile's word counts.
    pub response: Option<usize>,
    /// Whether the card takes command chaining; nothing where that cannot be seen.
    pub chaining: Option<bool>,
}

impl Capabilities {
    /// Returns the limits of a chip, narrowed to what passed.
    pub fn narrow(&self, limits: &Limits) -> Limits {
        // Which commands a card takes in chains is its profile's to say; what was seen is of one.
        let chaining = limits.chaining;
        let mut narrowed = Limits {
            command: limits.command.min(self.command),
            response: self
                .response
                .map_or(limits.response, |response| limits.response.min(response)),
            chaining,
            extended: limits.extended && self.extended,
            ..*limits
        };
        if !narrowed.extended {
            narrowed.command = narrowed.command.min(SHORT_DATA);
            narrowed.response = narrowed.response.min(SHORT_ANSWER);
        }
        narrowed
    }
}

/// Why nothing could be measured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The card did not come back after a command that failed.
    #[error(
        "card or reader did not recover from a long command; take the card out and put it back"
    )]
    Lost(#[source] ChannelError),
    /// Another card answers now.
    #[error("another card is in the reader than the one that was measured")]
    OtherCard,
}

/// Measures what the card in `channel` and its reader carry. `active` is the protocol that
/// the PC/SC service says is spoken.
///
/// To be called before a session is opened: the card is reset at the end. Sends at most
/// some sixty commands.
///
/// # Errors
/// [`ProbeError`]. A step that fails is no error as long as the card comes back.
pub fn probe(
    channel: &mut dyn Channel,
    active: Option<Protocol>,
    plan: &ProbePlan,
) -> Result<Capabilities, ProbeError> {
    probe_noting(channel, active, plan, &mut Unnoted).map(|measured| measured.capabilities)
}

/// One command that reader or card may not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Trial {
    /// One with so many data bytes.
    Command(usize),
    /// One that asks for so many.
    Answer(usize),
    /// A piece of a chain.
    Chain,
}

impl Trial {
    /// Says whether what ended in this one will end in `other` too: it is as long or longer.
    pub(crate) fn foretells(self, other: Self) -> bool {
        match (self, other) {
            (Self::Command(ended), Self::Command(length))
            | (Self::Answer(ended), Self::Answer(length)) => ended <= length,
            (Self::Chain, Self::Chain) => true,
            _ => false,
        }
    }
}

/// Where it is noted what is being tried.
pub(crate) trait Notes {
    /// Says whether a measurement before ended in such a command, and is to be believed.
    fn ended_in(&self, trial: Trial) -> bool;
    /// Notes, for good, that it is about to be tried.
    fn begin(&mut self, trial: Trial);
    /// Notes that card and reader are alive after it.
    fn end(&mut self, trial: Trial);
}

/// Nothing is noted.
struct Unnoted;

impl Notes for Unnoted {
    fn ended_in(&self, _: Trial) -> bool {
        false
    }
    fn begin(&mut self, _: Trial) {}
    fn end(&mut self, _: Trial) {}
}

/// What came of a measurement.
pub(crate) struct Measured {
    pub(crate) capabilities: Capabilities,
    /// Whether short commands passed, as every reader carries them: else something is wrong
    /// with this reader or card, and nothing is learnt of its model.
    pub(crate) is_sound: bool,
}

/// Measures as [`probe`], and goes round what the notes say.
pub(crate) fn probe_noting(
    channel: &mut dyn Channel,
    active: Option<Protocol>,
    plan: &ProbePlan,
    notes: &mut dyn Notes,
) -> Result<Measured, ProbeError> {
    let atr = channel.atr().to_vec();
    let protocol = match Atr::parse(&atr) {
        Ok(atr) => Some(Protocol::in_use(active, &atr)),
        Err(_) => active,
    };
    let mut bench = Bench {
        channel,
        plan,
        notes,
        atr,
        usual: None,
        understands: None,
        is_sound: true,
    };
    let (extended, command) = bench.command()?;
    let response = bench.response(extended)?;
    let chaining = bench.chaining(command)?;
    bench.recover()?;
    Ok(Measured {
        capabilities: Capabilities {
            protocol,
            extended,
            command,
            response,
            chaining,
        },
        is_sound: bench.is_sound,
    })
}

/// What came of asking for an answer of a certain length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// So many bytes came.
    Got(usize),
    /// The card does not give so much.
    Refused,
    /// Nothing came.
    Failed,
}

struct Bench<'a> {
    channel: &'a mut dyn Channel,
    plan: &'a ProbePlan,
    notes: &'a mut dyn Notes,
    atr: Vec<u8>,
    /// What the card says to a lengthy command of short form.
    usual: Option<Status>,
    /// Whether the card understands the extended form, once that was asked.
    understands: Option<bool>,
    is_sound: bool,
}

impl Bench<'_> {
    /// Sends one command; nothing where no answer came, twice or in a measurement before. The
    /// card is reset then.
    fn send(
        &mut self,
        trial: Trial,
        command: &[u8],
    ) -> Result<Option<(usize, Status)>, ProbeError> {
        let mut sent = Ok(None);
        if !self.notes.ended_in(trial) {
            self.notes.begin(trial);
            sent = self.try_out(command);
            // Of a card that was taken out, nothing is learnt; of one that is silent, much.
            if !matches!(&sent, Err(ProbeError::Lost(ChannelError::Timeout { .. }))) {
                self.notes.end(trial);
            }
        }
        let is_short = command.len() <= 5 || command.get(4) != Some(&0);
        if is_short && !matches!(sent, Ok(Some(_))) {
            self.is_sound = false;
        }
        sent
    }

    fn try_out(&mut self, command: &[u8]) -> Result<Option<(usize, Status)>, ProbeError> {
        for _ in 0..TRIES {
            if let Ok(answer) = self.channel.transmit(command) {
                let answer = Zeroizing::new(answer);
                if let Some((data, word)) = answer.split_last_chunk::<2>() {
                    let status = Status::new(u16::from_be_bytes(*word));
                    return Ok(Some((data.len(), status)));
                }
            }
            self.recover()?;
        }
        Ok(None)
    }

    fn recover(&mut self) -> Result<(), ProbeError> {
        let mut reset = self.channel.reset();
        for _ in 1..RESETS {
            if reset.is_err() {
                reset = self.channel.reset();
            }
        }
        match reset {
            Ok(atr) if atr == self.atr => Ok(()),
            Ok(_) => Err(ProbeError::OtherCard),
            Err(error) => Err(ProbeError::Lost(error)),
        }
    }

    /// Finds the longest command that passes, and whether one of extended length does.
    fn command(&mut self) -> Result<(bool, usize), ProbeError> {
        let bound = self.plan.limits.unchained();
        let short = bound.min(SHORT_DATA);
        if short <= KNOWN_GOOD {
            return Ok((false, short));
        }
        if !self.carries(short)? {
            let longest = bisect(KNOWN_GOOD, short, |length| self.carries(length))?;
            return Ok((false, longest));
        }
        if bound <= SHORT_DATA {
            // Its answers may be longer all the same.
            let extended = self.plan.limits.extended && self.understands_extended()?;
            return Ok((extended, short));
        }
        if self.carries(bound)? {
            return Ok((true, bound));
        }
        let least = SHORT_DATA + 1;
        if bound == least || !self.carries(least)? {
            return Ok((false, short));
        }
        let longest = bisect(least, bound, |length| self.carries(length))?;
        Ok((true, longest))
    }

    /// Says whether a command with so many data bytes reaches the card whole.
    fn carries(&mut self, length: usize) -> Result<bool, ProbeError> {
        let command = lengthy(self.plan.lengthy, length);
        let Some((_, status)) = self.send(Trial::Command(length), &command)? else {
            return Ok(false);
        };
        if length <= SHORT_DATA {
            self.usual = self.usual.or(Some(status));
            return Ok(true);
        }
        Ok(!puzzled(status) || self.usual == Some(status) && self.understands_extended()?)
    }

    /// Says whether the card takes the extended form of a command that it knows in short
    /// form; also where it is puzzled by both, and the chip's limits alone say so.
    fn understands_extended(&mut self) -> Result<bool, ProbeError> {
        if let Some(known) = self.understands {
            return Ok(known);
        }
        let short = lengthy(self.plan.lengthy, KNOWN_GOOD);
        let [cla, ins, p1, p2] = self.plan.lengthy;
        let mut extended = vec![cla, ins, p1, p2, 0, high(KNOWN_GOOD), low(KNOWN_GOOD)];
        extended.resize(extended.len() + KNOWN_GOOD, 0xFF);
        extended.extend([0, 0]);
        let in_short = self.send(Trial::Command(KNOWN_GOOD), &short)?;
        // Who does not survive the form survives no command that needs it.
        let in_extended = self.send(Trial::Command(SHORT_DATA + 1), &extended)?;
        let known = match (in_short, in_extended) {
            (_, None) => false,
            (in_short, Some((_, status))) => {
                !puzzled(status) || in_short.is_some_and(|(_, short)| short == status)
            }
        };
        self.understands = Some(known);
        Ok(known)
    }

    /// Finds the longest answer that passes.
    fn response(&mut self, extended: bool) -> Result<Option<usize>, ProbeError> {
        let bound = self.plan.limits.response.clamp(1, 0x1_0000);
        let short = bound.min(SHORT_ANSWER);
        match self.ask(short)? {
            Asked::Failed if short > KNOWN_GOOD => {
                let passes = |length| self.ask(length).map(|asked| asked != Asked::Failed);
                return bisect(KNOWN_GOOD, short, passes).map(Some);
            }
            Asked::Got(length) if length == short => {}
            Asked::Got(_) | Asked::Failed => return Ok(Some(short)),
            // It has no such command: nothing is seen of its answers.
            Asked::Refused => return Ok(None),
        }
        if !extended || bound <= SHORT_ANSWER {
            return Ok(Some(short));
        }
        let mut longest = short;
        let mut passes = |length| {
            let asked = self.ask(length)?;
            if let Asked::Got(got) = asked {
                longest = longest.max(got);
            }
            Ok(asked == Asked::Got(length))
        };
        // Less than was asked for is all that the card gives: no use in asking between.
        if !passes(bound)? {
            bisect(short, bound, passes)?;
        }
        Ok(Some(longest))
    }

    fn ask(&mut self, length: usize) -> Result<Asked, ProbeError> {
        let command = answering(self.plan.answering, length);
        Ok(match self.send(Trial::Answer(length), &command)? {
            None => Asked::Failed,
            Some((got, status))
                if got <= length
                    && (status.is_ok()
                        || status.is_warning()
                        || status.more_available().is_some() && got > 0) =>
            {
                Asked::Got(got)
            }
            Some(_) => Asked::Refused,
        })
    }

    /// Sends a chain of two pieces.
    fn chaining(&mut self, command: usize) -> Result<Option<bool>, ProbeError> {
        let first = self.plan.limits.command.min(SHORT_DATA).min(command);
        if !self.plan.limits.chaining || first <= KNOWN_GOOD {
            return Ok(None);
        }
        let [cla, ins, p1, p2] = self.plan.lengthy;
        let mut piece = lengthy([cla | CHAINED, ins, p1, p2], first);
        piece.pop();
        let verdict = |status| match status {
            Status::CHAINING_NOT_SUPPORTED => Some(false),
            Status::OK => Some(true),
            _ => None,
        };
        let Some((_, status)) = self.send(Trial::Chain, &piece)? else {
            return Ok(None);
        };
        let seen = verdict(status);
        if seen == Some(true) {
            // The chain is ended: the card must not be left in it.
            let last = lengthy(self.plan.lengthy, KNOWN_GOOD + 1);
            return Ok(match self.send(Trial::Chain, &last)? {
                Some((_, Status::CHAINING_NOT_SUPPORTED)) => Some(false),
                Some(_) => seen,
                None => None,
            });
        }
        Ok(seen)
    }
}

/// Says whether a card has not understood a command, by its length, class or instruction,
/// or does not know what happened.
fn puzzled(status: Status) -> bool {
    matches!(status.value() >> 8, 0x67 | 0x6D | 0x6E | 0x6F)
}

/// Returns a command with data and Le, extended where the data need it.
fn lengthy(header: [u8; 4], length: usize) -> Vec<u8> {
    let mut command = header.to_vec();
    match u8::try_from(length) {
        Ok(lc) => command.push(lc),
        Err(_) => command.extend([0, high(length), low(length)]),
    }
    command.resize(command.len() + length, 0xFF);
    command.push(0);
    if length > SHORT_DATA {
        command.push(0);
    }
    command
}

/// Returns a command without data and with this Le, extended where it needs that.
fn answering(header: [u8; 4], length: usize) -> Vec<u8> {
    let mut command = header.to_vec();
    if length > SHORT_ANSWER {
        command.extend([0, high(length)]);
    }
    command.push(low(length));
    command
}

fn high(length: usize) -> u8 {
    (length >> 8 & 0xFF) as u8
}

fn low(length: usize) -> u8 {
    (length & 0xFF) as u8
}

/// Returns the largest length that was seen to pass, between one that does and one that
/// does not.
fn bisect(
    mut good: usize,
    mut bad: usize,
    mut passes: impl FnMut(usize) -> Result<bool, ProbeError>,
) -> Result<usize, ProbeError> {
    for _ in 0..STEPS {
        if bad - good <= CLOSE {
            break;
        }
        let middle = good + (bad - good) / 2;
        if passes(middle)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Ok(good)
}
