//! The conversation with a printer: one command, one answer.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Instant;

use super::command::Command;
use super::profile::{EscProfile, Kind};
use super::reply::{EscReplies, EscReply, Garbled};
use crate::link::{Link, LinkAddress};

/// How often a printer is asked for its serial number until it says the same twice.
const GREETINGS: usize = 6;

/// A line on which one command waits for its answer.
pub(super) struct Talk {
    link: Box<dyn Link>,
    is_serial: bool,
    replies: EscReplies,
    /// What came and is not taken yet.
    came: VecDeque<EscReply>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Mute {
    /// The line broke, or nothing came in time.
    Line(io::Error),
    /// What came is no answer.
    Garbled(Garbled),
    /// It is an answer to something else.
    Astray(EscReply),
}

impl From<io::Error> for Mute {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

impl From<Garbled> for Mute {
    fn from(garbled: Garbled) -> Self {
        Self::Garbled(garbled)
    }
}

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// A letter of the guide's table.
    Not(u8),
}

impl Talk {
    /// Opens a line.
    pub(super) fn open(address: &LinkAddress, profile: &EscProfile) -> io::Result<Self> {
        let is_serial = matches!(address, LinkAddress::Serial(_));
        let patience = profile.wait(Kind::Connect, 0, false);
        Ok(Self {
            link: address.open(profile.serial_settings(), patience)?,
            is_serial,
            replies: EscReplies::default(),
            came: VecDeque::new(),
        })
    }

    /// Asks for the serial number until the printer says the same twice in a row. What it still had
    /// to say to orders before is heard meanwhile, and is nobody's answer any more.
    pub(super) fn greet(&mut self, profile: &EscProfile) -> Result<String, Mute> {
        let command = Command::new(profile.commands.serial.0.clone());
        let mut before = None;
        for _ in 0..GREETINGS {
            self.came.clear();
            let until = self.send(&command, Kind::Read, profile)?;
            let heard = loop {
                match self.next(until) {
                    Ok(EscReply::Text(text)) => break Some(text),
                    Ok(EscReply::Done | EscReply::Not(_)) => {}
                    // Half a command may have swallowed this one.
                    Err(Mute::Line(error)) if error.kind() == ErrorKind::TimedOut => break None,
                    Err(mute) => return Err(mute),
                }
            };
            match (heard, &before) {
                (Some(heard), Some(before)) if heard == *before => {
                    self.hush(profile)?;
                    return Ok(heard);
                }
                (heard, _) => before = heard,
            }
        }
        Err(Mute::Line(ErrorKind::TimedOut.into()))
    }

    /// Listens until nothing comes any more: an answer to a question of before would be taken for
    /// the next one's. A connection begins with nothing to be heard, a serial line does not.
    fn hush(&mut self, profile: &EscProfile) -> Result<(), Mute> {
        if !self.is_serial && !profile.acknowledges_reads {
            return Ok(());
        }
        loop {
            let until = Instant::now() + profile.wait(Kind::Quiet, 0, false);
            match self.next(until) {
                Ok(_) => {}
                Err(Mute::Line(error)) if error.kind() == ErrorKind::TimedOut => return Ok(()),
                Err(mute) => return Err(mute),
            }
        }
    }

    /// Sends a command of which nobody knows whether it is acknowledged.
    pub(super) fn tell(&mut self, command: &str, profile: &EscProfile) -> Result<(), Mute> {
        self.send(&Command::new(command), Kind::Set, profile)?;
        Ok(())
    }

    /// Asks, and returns the text of the answer.
    pub(super) fn ask(&mut self, question: &str, profile: &EscProfile) -> Result<String, Mute> {
        let until = self.send(&Command::new(question), Kind::Read, profile)?;
        let (mut text, mut done) = (None, !profile.acknowledges_reads);
        loop {
            match (self.next(until)?, &text) {
                (EscReply::Text(found), None) => text = Some(found),
                (EscReply::Done, _) if !done => done = true,
                (astray, _) => return Err(Mute::Astray(astray)),
            }
            if let (Some(text), true) = (&text, done) {
                return Ok(text.clone());
            }
        }
    }

    /// Orders, and returns what came of it.
    pub(super) fn order(
        &mut self,
        command: &Command,
        kind: Kind,
        profile: &EscProfile,
    ) -> Result<Outcome, Mute> {
        if let Some(astray) = self.came.pop_front() {
            return Err(Mute::Astray(astray));
        }
        let until = match self.send(command, kind, profile) {
            Ok(until) => until,
            // A printer that stopped in the middle takes no more of a picture, and says why.
            Err(Mute::Line(error)) => {
                let until = Instant::now() + profile.wait(Kind::Read, 0, false);
                return match self.next(until) {
                    Ok(EscReply::Not(code)) => Ok(Outcome::Not(code)),
                    _ => Err(error.into()),
                };
            }
            Err(mute) => return Err(mute),
        };
        match self.next(until)? {
            EscReply::Done => Ok(Outcome::Done),
            EscReply::Not(code) => Ok(Outcome::Not(code)),
            astray @ EscReply::Text(_) => Err(Mute::Astray(astray)),
        }
    }

    fn send(
        &mut self,
        command: &Command,
        kind: Kind,
        profile: &EscProfile,
    ) -> Result<Instant, Mute> {
        let frame = command.frame();
        let until = Instant::now() + profile.wait(kind, frame.len(), self.is_serial);
        self.link.send(&frame, until)?;
        Ok(until)
    }

    fn next(&mut self, until: Instant) -> Result<EscReply, Mute> {
        let mut bytes = [0; 256];
        loop {
            if let Some(reply) = self.came.pop_front() {
                return Ok(reply);
            }
            let read = self.link.receive(&mut bytes, until)?;
            let came = self.replies.take(bytes.get(..read).unwrap_or_default())?;
            self.came.extend(came);
        }
    }
}
