//! What a printer answers; no I/O.

use thiserror::Error;

/// Done.
const ACK: u8 = 0x06;
/// Not done; a code follows.
const NACK: u8 = 0x15;
/// The longest text that is taken.
const LONGEST: usize = 256;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EscReply {
    /// The command is done.
    Done,
    /// The command is not done, for this reason: a letter of the guide's table.
    Not(u8),
    /// The answer to a question.
    Text(String),
}

/// A printer that says what no such printer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Garbled {
    /// A byte that is no text, no `06` and no `15`.
    #[error("the byte {0:02X} begins no answer")]
    Byte(u8),
    /// A code that is no letter and no digit.
    #[error("15 {0:02X} is no error code")]
    Code(u8),
    /// A text that does not end.
    #[error("a text of more than {LONGEST} bytes")]
    Endless,
}

/// Gathers what comes into answers.
///
/// A text ends with 00, CR or LF: the guide does not say with which, and printers differ. Empty texts
/// are no answers.
#[derive(Debug, Default)]
pub struct EscReplies {
    text: String,
    is_code: bool,
}

impl EscReplies {
    /// Takes bytes, and returns the answers that are whole now.
    ///
    /// # Errors
    /// [`Garbled`]; nothing that comes behind can be trusted then.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<EscReply>, Garbled> {
        let mut answers = Vec::new();
        for byte in bytes {
            if std::mem::take(&mut self.is_code) {
                if !byte.is_ascii_alphanumeric() {
                    return Err(Garbled::Code(*byte));
                }
                answers.push(EscReply::Not(*byte));
                continue;
            }
            match *byte {
                ACK if self.text.is_empty() => answers.push(EscReply::Done),
                NACK if self.text.is_empty() => self.is_code = true,
                0 | b'\r' | b'\n' if self.text.is_empty() => {}
                0 | b'\r' | b'\n' => {
                    let text = std::mem::take(&mut self.text);
                    answers.push(EscReply::Text(text.trim().to_owned()));
                }
                0x20..=0x7E if self.text.len() < LONGEST => self.text.push(char::from(*byte)),
                0x20..=0x7E => return Err(Garbled::Endless),
                other => return Err(Garbled::Byte(other)),
            }
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Result<Vec<EscReply>, Garbled> {
        let mut replies = EscReplies::default();
        let mut all = Vec::new();
        for piece in pieces {
            all.extend(replies.take(piece)?);
        }
        Ok(all)
    }

    #[test]
    fn answers_are_read_however_they_are_cut() {
        let text = |text: &str| EscReply::Text(text.into());
        for (pieces, expected) in [
            (&[b"\x06".as_slice()][..], vec![EscReply::Done]),
            (&[b"\x15", b"T"], vec![EscReply::Not(b'T')]),
            (&[b"NO ", b"CARD\0"], vec![text("NO CARD")]),
            (&[b"OK\r\n\0"], vec![text("OK")]),
            (&[b"\r\nOK\r\n"], vec![text("OK")]),
            (
                &[b"\x06\x151S1\0\x06"],
                vec![
                    EscReply::Done,
                    EscReply::Not(b'1'),
                    text("S1"),
                    EscReply::Done,
                ],
            ),
            (&[b"unfinished"], vec![]),
        ] {
            assert_eq!(all(pieces).unwrap(), expected, "{pieces:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert_eq!(all(&[b"\xFF"]), Err(Garbled::Byte(0xFF)));
        assert_eq!(all(&[b"\x15\x06"]), Err(Garbled::Code(6)));
        // An answer inside another one: two commands are in work.
        assert_eq!(all(&[b"OK\x06"]), Err(Garbled::Byte(6)));
        assert_eq!(all(&[&[b'a'; 300]]), Err(Garbled::Endless));
    }
}
