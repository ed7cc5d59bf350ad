//! A session recorded on the wire, to be played to a chip again.
//!
//! ```text
//! # POWER_ON                     also # POWER_OFF, # RESET; other # lines are comments
//! > 00a404000cf276a288…          a command
//! < 0006069000   # 1.10 ms       its answer
//! ```
//!
//! An answer that no command waits for, which the simulator of the recordings gives to its
//! own installing, is skipped.

use std::path::{Path, PathBuf};

use card::{Command, Response};
use thiserror::Error;

/// Class bit: more of the chain follows.
const CHAINED: u8 = 0x10;
const GET_RESPONSE: u8 = 0xC0;

/// Says why a recording cannot be played.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read the recording {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// A line is none of a recording's.
    #[error("line {0} of the recording is no command, answer or comment")]
    Line(usize),
}

/// What happens in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chip lost its power, got it, or was reset.
    Reset,
    /// A command and its answer, as on the wire.
    Exchange {
        /// The command APDU.
        command: Vec<u8>,
        /// The response APDU.
        answer: Vec<u8>,
    },
}

/// A recorded session.
#[derive(Clone, Debug)]
pub struct Recording {
    events: Vec<Event>,
    /// Whole commands and whole answers: chains joined, GET RESPONSE gathered.
    exchanges: Vec<(Command, Response)>,
    next: usize,
}

impl Recording {
    /// Reads a recording's file.
    ///
    /// # Errors
    /// [`RecordingError`].
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let text = std::fs::read_to_string(path);
        Self::parse(&text.map_err(|error| RecordingError::Read(path.to_owned(), error))?)
    }

    /// Reads a recording.
    ///
    /// # Errors
    /// [`RecordingError::Line`].
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut events = Vec::new();
        let mut asked = None;
        for (number, line) in text.lines().enumerate() {
            let bad = || RecordingError::Line(number + 1);
            let bytes = |text: &str| {
                let hex = text.split('#').next().unwrap_or_default().trim();
                hex::decode(hex).map_err(|_| bad())
            };
            match line.trim() {
                "# POWER_ON" | "# POWER_OFF" | "# RESET" => {
                    asked = None;
                    events.push(Event::Reset);
                }
                "" => {}
                line if line.starts_with('#') => {}
                line if line.starts_with('>') => asked = Some(bytes(&line[1..])?),
                line if line.starts_with('<') => {
                    let answer = bytes(&line[1..])?;
                    if answer.len() < 2 {
                        return Err(bad());
                    }
                    if let Some(command) = asked.take() {
                        events.push(Event::Exchange { command, answer });
                    }
                }
                _ => return Err(bad()),
            }
        }
        let exchanges = whole(&events);
        Ok(Self {
            events,
            exchanges,
            next: 0,
        })
    }

    /// Returns everything that happened, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Returns what was answered to this command the next time that it came, from where the
    /// session has got to. A command that does not come any more changes nothing.
    pub(crate) fn answer(&mut self, command: &Command) -> Option<Response> {
        let rest = self.exchanges.get(self.next..)?;
        let found = rest.iter().position(|(earlier, _)| earlier == command)?;
        let (_, answer) = rest.get(found)?;
        let answer = answer.clone();
        self.next += found + 1;
        Some(answer)
    }
}

/// Joins what travelled in pieces.
fn whole(events: &[Event]) -> Vec<(Command, Response)> {
    let mut exchanges: Vec<(Command, Response)> = Vec::new();
    let mut chain = Vec::new();
    for event in events {
        let Event::Exchange { command, answer } = event else {
            chain.clear();
            continue;
        };
        let (Ok(command), Ok(answer)) = (Command::parse(command), Response::parse(answer)) else {
            continue;
        };
        if command.ins() == GET_RESPONSE {
            let waiting =
                |(_, so_far): &&mut (Command, Response)| so_far.status().more_available().is_some();
            if let Some((_, so_far)) = exchanges.last_mut().filter(|last| waiting(last)) {
                let data = [so_far.data(), answer.data()].concat();
                *so_far = Response::new(data, answer.status());
            }
            continue;
        }
        if command.cla() & CHAINED != 0 && command.cla() & 0xE0 != 0xA0 {
            chain.extend_from_slice(command.data());
            continue;
        }
        let command = if chain.is_empty() {
            command
        } else {
            chain.extend_from_slice(command.data());
            let data = std::mem::take(&mut chain);
            command.with_data(data)
        };
        exchanges.push((command, answer));
    }
    exchanges
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# POWER_ON\n< a0009000   # 1 ms\n# ---- note ----\n> 0084000002\n\
        < 01029000   # 0.1 ms\n> 10db0000020102\n< 9000\n> 00db000001030000\n";

    #[test]
    fn answers_are_found_in_order() {
        let text = "> 0084000001\n< 119000\n> 00b0000000\n< 61029000\n> 0084000001\n< 229000\n";
        let mut recording = Recording::parse(text).unwrap();
        let challenge = Command::parse(&[0x00, 0x84, 0x00, 0x00, 0x01]).unwrap();
        assert_eq!(recording.answer(&challenge).unwrap().data(), [0x11]);
        let other = Command::parse(&[0x00, 0xA4, 0x00, 0x00]).unwrap();
        assert_eq!(recording.answer(&other), None);
        assert_eq!(recording.answer(&challenge).unwrap().data(), [0x22]);
        assert_eq!(recording.answer(&challenge), None);
    }

    #[test]
    fn pieces_are_joined() {
        let text = "> 10db000002 0102\n";
        assert!(matches!(
            Recording::parse(text),
            Err(RecordingError::Line(1))
        ));
        let text =
            "> 10db0000020102\n< 9000\n> 00db0000010300\n< aa6102\n> 00c0000002\n< bbcc9000\n";
        let mut recording = Recording::parse(text).unwrap();
        let whole = Command::parse(&[0x00, 0xDB, 0x00, 0x00, 0x03, 1, 2, 3, 0x00]).unwrap();
        let answer = recording.answer(&whole).unwrap();
        assert_eq!(answer.data(), [0xAA, 0xBB, 0xCC]);
        assert_eq!(answer.status().value(), 0x9000);
    }

    #[test]
    fn the_installing_is_skipped_and_an_open_command_too() {
        let recording = Recording::parse(TEXT).unwrap();
        assert_eq!(recording.events().len(), 3);
        assert_eq!(recording.events()[0], Event::Reset);
    }
}
