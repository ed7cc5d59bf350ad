//! What goes wrong: a chip that vanishes, dawdles or talks nonsense at the n-th command.

use std::time::Duration;

use openssl::rand::rand_bytes;
use serde::{Deserialize, Serialize};

use crate::applet::Work;
use crate::chip::Chip;

/// One fault, at one command. Commands count from 1, every APDU counts, also GET RESPONSE
/// and each piece of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Fault {
    /// Number of the command that meets it; 0, with [`FaultKind::Slow`] only: every command.
    pub at: u64,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// A fault as it is written.
#[derive(Deserialize)]
struct Written {
    at: u64,
    #[serde(flatten)]
    kind: FaultKind,
}

impl TryFrom<Written> for Fault {
    type Error = &'static str;

    fn try_from(Written { at, kind }: Written) -> Result<Self, Self::Error> {
        match (at, kind) {
            (1.., _) | (0, FaultKind::Slow { .. }) => Ok(Self { at, kind }),
            _ => Err("only a slow chip is so at every command (0); commands count from 1"),
        }
    }
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The chip is gone before it sees the command.
    RemoveBefore,
    /// The chip executes the command and is gone before it answers.
    RemoveAfter,
    /// The answer comes so much later.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The command is not executed; random bytes come back.
    Random {
        /// How many.
        length: usize,
    },
    /// The command is executed; the last eight bytes before the status word, a MAC where
    /// there is one, come back inverted.
    WrongMac,
    /// From here on every answer promises more: 16 bytes and 6110, without end.
    #[serde(rename = "endless-61")]
    Endless,
    /// From here on the chip says nothing.
    Mute,
}

/// What comes back under faults.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Bytes(Vec<u8>),
    Removed,
    Mute,
    /// The reader's buffer is too small.
    TooLong {
        what: &'static str,
        length: usize,
        holds: usize,
    },
}

/// How a command was served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) answer: Answer,
    /// What it cost the chip; nothing where the chip was not asked.
    pub(crate) work: Work,
    /// How much later the answer comes.
    pub(crate) delay: Duration,
}

impl From<Answer> for Served {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            work: Work::default(),
            delay: Duration::ZERO,
        }
    }
}

impl Served {
    /// Lets the chip answer.
    fn of(chip: &mut Chip, command: &[u8]) -> Self {
        let answer = Answer::Bytes(chip.process(command));
        Self {
            work: chip.work(),
            ..Self::from(answer)
        }
    }
}

/// A chip's faults and how far it has come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    commands: u64,
    lasting: Option<FaultKind>,
}

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    /// Returns how many commands came so far.
    pub(crate) fn commands(&self) -> u64 {
        self.commands
    }

    /// Says whether the chip has vanished.
    pub(crate) fn removed(&self) -> bool {
        matches!(
            self.lasting,
            Some(FaultKind::RemoveBefore | FaultKind::RemoveAfter)
        )
    }

    /// Passes a command to the chip, or not.
    pub(crate) fn process(&mut self, chip: &mut Chip, command: &[u8]) -> Served {
        if let Some(lasting) = self.lasting {
            return lasting_answer(lasting).into();
        }
        self.commands += 1;
        let number = self.commands;
        let now = self.faults.iter().find(|fault| {
            fault.at == number || (fault.at == 0 && matches!(fault.kind, FaultKind::Slow { .. }))
        });
        match now.map(|fault| fault.kind) {
            None => Served::of(chip, command),
            Some(FaultKind::Slow { ms }) => Served {
                delay: Duration::from_millis(ms),
                ..Served::of(chip, command)
            },
            Some(FaultKind::Random { length }) => {
                let mut noise = vec![0; length];
                // Zeros are garbage as well.
                let _ = rand_bytes(&mut noise);
                Answer::Bytes(noise).into()
            }
            Some(FaultKind::WrongMac) => {
                let mut served = Served::of(chip, command);
                if let Answer::Bytes(bytes) = &mut served.answer {
                    let end = bytes.len().saturating_sub(2);
                    for byte in bytes.iter_mut().take(end).rev().take(8) {
                        *byte = !*byte;
                    }
                }
                served
            }
            Some(lasting) => {
                if lasting == FaultKind::RemoveAfter {
                    chip.process(command);
                }
                self.lasting = Some(lasting);
                lasting_answer(lasting).into()
            }
        }
    }
}

fn lasting_answer(kind: FaultKind) -> Answer {
    match kind {
        FaultKind::Endless => Answer::Bytes([&[0xA5; 16][..], &[0x61, 0x10]].concat()),
        FaultKind::Mute => Answer::Mute,
        _ => Answer::Removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_documented() {
        for (text, fault) in [
            (
                r#"{"at":3,"kind":"remove-before"}"#,
                Fault {
                    at: 3,
                    kind: FaultKind::RemoveBefore,
                },
            ),
            (
                r#"{"at":0,"kind":"slow","ms":20}"#,
                Fault {
                    at: 0,
                    kind: FaultKind::Slow { ms: 20 },
                },
            ),
            (
                r#"{"at":9,"kind":"endless-61"}"#,
                Fault {
                    at: 9,
                    kind: FaultKind::Endless,
                },
            ),
        ] {
            assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), fault);
        }
    }

    #[test]
    fn what_would_never_happen_is_refused() {
        for text in [
            r#"{"at":0,"kind":"mute"}"#,
            r#"{"at":0,"kind":"remove-before"}"#,
            r#"{"at":0,"kind":"random","length":3}"#,
        ] {
            let refused = serde_json::from_str::<Fault>(text).unwrap_err();
            assert!(refused.to_string().contains("count from 1"), "{refused}");
        }
    }
}
