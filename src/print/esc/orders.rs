//! One order, one answer: what a printer's words mean for its card.

use super::EscReply;
use super::command::Command;
use super::driver::{EscPrinter, Inside};
use super::profile::{EscProfile, Kind};
use super::talk::{Mute, Outcome, Talk};
use crate::card_printer::{Act, CardFate, Condition, MachineFault, PrinterError};

impl EscPrinter {
    pub(super) fn mute(&self, mute: Mute, act: Act, card: CardFate) -> PrinterError {
        let printer = self.name.clone();
        let said = match mute {
            Mute::Line(source) => {
                return PrinterError::Lost {
                    printer,
                    act,
                    card,
                    source,
                };
            }
            Mute::Garbled(garbled) => garbled.to_string(),
            Mute::Astray(reply) => format!("{reply:?} answers nothing that was said"),
        };
        PrinterError::Nonsense {
            printer,
            act,
            card,
            said,
        }
    }

    /// Closes the line after an answer that did not come or is none: what comes later on it could be
    /// taken for the next command's.
    pub(super) fn lose(&mut self, mute: Mute, act: Act) -> PrinterError {
        self.talk = None;
        if act != Act::Ask {
            self.doubt();
        }
        self.mute(mute, act, self.fate())
    }

    pub(super) fn talk(&mut self) -> Result<(&mut Talk, &EscProfile), PrinterError> {
        match &mut self.talk {
            Some(talk) => Ok((talk, &self.profile)),
            None => Err(PrinterError::Order {
                because: "the line to the printer was lost: connect again",
            }),
        }
    }

    pub(super) fn ask(&mut self, question: &str) -> Result<String, PrinterError> {
        let (talk, profile) = self.talk()?;
        let answer = talk.ask(question, profile);
        answer.map_err(|mute| self.lose(mute, Act::Ask))
    }

    pub(super) fn order(&mut self, text: &str, kind: Kind, act: Act) -> Result<(), PrinterError> {
        self.send(&Command::new(text), kind, act)
    }

    pub(super) fn send(
        &mut self,
        command: &Command,
        kind: Kind,
        act: Act,
    ) -> Result<(), PrinterError> {
        let (talk, profile) = self.talk()?;
        match talk.order(command, kind, profile) {
            Ok(Outcome::Done) => Ok(()),
            Ok(Outcome::Not(code)) => Err(self.failed(code, command, act)),
            Err(mute) => Err(self.lose(mute, act)),
        }
    }

    /// Says what an error code means, and asks for more where it says too little.
    pub(super) fn failed(&mut self, code: u8, command: &Command, act: Act) -> PrinterError {
        let printer = self.name.clone();
        let refused = matches!(code, b'1' | b'2');
        // Settings move nothing; whatever moves may have stopped anywhere.
        if act != Act::Prepare {
            self.doubt();
        }
        if refused {
            return PrinterError::Refused {
                printer,
                act,
                command: command.to_string(),
                card: self.fate(),
            };
        }
        let fault = match code {
            b'T' => MachineFault::Mechanical,
            b'C' => MachineFault::CoverOpen,
            b'K' | b'D' | b'W' => MachineFault::Magnetic,
            b'F' => {
                let last = self.profile.commands.last.0.clone();
                match self.ask(&last).map(|text| self.profile.condition(&text)) {
                    Ok(Some(Condition::HopperEmpty)) => MachineFault::HopperEmpty,
                    Ok(Some(Condition::CleaningDue)) => MachineFault::CleaningDue,
                    _ => MachineFault::Feeder,
                }
            }
            b'R' => {
                let end = self.profile.commands.ribbon_end.0.clone();
                match self.ask(&end) {
                    Ok(text) if text != "OK" => MachineFault::RibbonOut,
                    _ => MachineFault::Ribbon,
                }
            }
            other => MachineFault::Other(char::from(other).to_string()),
        };
        if act == Act::Feed && fault == MachineFault::HopperEmpty {
            self.inside = Inside::Nothing;
        }
        PrinterError::Fault {
            printer,
            act,
            fault,
            card: self.fate(),
        }
    }

    /// Asks for a number; none where the answer is no number.
    pub(super) fn number(&mut self, question: &str) -> Result<Option<u64>, PrinterError> {
        Ok(self.ask(question)?.parse().ok())
    }

    /// Asks how many cards were moved in the printer's life; none where its profile trusts no count.
    pub(super) fn count(&mut self) -> Result<Option<i64>, PrinterError> {
        if !self.profile.counts_cards {
            return Ok(None);
        }
        let question = self.profile.commands.cards.0.clone();
        let text = self.ask(&question)?;
        match text.parse() {
            Ok(count) => Ok(Some(count)),
            Err(_) => {
                let mute = Mute::Astray(EscReply::Text(text));
                Err(self.lose(mute, Act::Ask))
            }
        }
    }

    /// Proves that the card inside is the one that was fed: the printer moved no other one since.
    pub(super) fn check_count(&mut self, act: Act) -> Result<(), PrinterError> {
        let Some(counted) = self.counted else {
            return Ok(());
        };
        match self.count() {
            Ok(Some(now)) if now != counted.fed => {
                self.doubt();
                Err(PrinterError::Miscounted {
                    printer: self.name.clone(),
                    act,
                    found: now.saturating_sub(counted.before),
                    card: self.fate(),
                })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                self.doubt();
                Err(error)
            }
        }
    }
}
