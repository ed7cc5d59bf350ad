//! Asking at a terminal for what nobody may see.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The controlling terminal, wherever standard input and output go.
const TERMINAL: &str = "/dev/tty";
/// The longest answer.
const LONGEST: usize = 256;

/// Asks, and returns the answer without its end of line and the blanks around it. The echo is off
/// before the question is seen, and what was typed before that is thrown away: else quick fingers
/// would show it.
pub(crate) fn hidden(prompt: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
    let mut silent = Silent::new(terminal)?;
    silent.terminal.write_all(prompt.as_bytes())?;
    silent.terminal.flush()?;
    let answer = line(&mut silent.terminal, LONGEST);
    // The holder's own end of line was not echoed either.
    silent.terminal.write_all(b"\n")?;
    let answer = answer?;
    Ok(Zeroizing::new(answer.trim_ascii().to_vec()))
}

/// A terminal without echo, until it is dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        modes
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Reads a line of at most `longest` bytes, byte by byte: no buffer keeps a copy, and whoever reads
/// next finds the next line.
pub(crate) fn line(input: &mut impl Read, longest: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(longest));
    let mut byte = Zeroizing::new([0]);
    loop {
        match (input.read(&mut *byte)?, byte[0]) {
            (0, _) if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            (0, _) | (_, b'\n') => return Ok(line),
            (_, b'\r') => {}
            (_, byte) if line.len() < longest => line.push(byte),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_one_value_and_bounded() {
        let mut input = &b"1234\r\n5678\n\n90"[..];
        let mut next = || line(&mut input, 4).map(|line| line.to_vec());
        assert_eq!(next().unwrap(), b"1234");
        assert_eq!(next().unwrap(), b"5678");
        assert_eq!(next().unwrap(), b"");
        assert_eq!(next().unwrap(), b"90");
        assert_eq!(next().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let long = line(&mut &b"12345"[..], 4).unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::InvalidData);
    }
}
