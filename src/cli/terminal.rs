//! Asking at a terminal for what nobody may see.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The controlling terminal, wherever standard input and output go.
const TERMINAL: &str = "/dev/tty";
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_BACKSLASH: u8 = 0x1C;
const DELETE: u8 = 0x7F;
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
    let answer = typed(&mut silent.terminal, LONGEST);
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
        // Key by key: else Ctrl+C would end the program and leave the terminal silent.
        modes
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
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

/// Reads what is typed, key by key, up to the end of the line.
fn typed(input: &mut impl Read, longest: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(longest));
    let mut key = Zeroizing::new([0]);
    loop {
        match (input.read(&mut *key)?, key[0]) {
            (0, _) | (_, CTRL_D) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (_, CTRL_C | CTRL_BACKSLASH) => return Err(io::Error::other("cancelled")),
            (_, b'\r' | b'\n') => return Ok(line),
            (_, BACKSPACE | DELETE) => {
                line.pop();
            }
            (_, CTRL_U) => line.clear(),
            (_, key) if line.len() < longest => line.push(key),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
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
    fn keys_do_what_they_do() {
        let read = |keys: &[u8]| typed(&mut &keys[..], 8).map(|line| line.to_vec());
        assert_eq!(read(b"1234\n56").unwrap(), b"1234");
        assert_eq!(read(b"12\x7F34\x08\x7F\x7F\x7F\x7F5\r").unwrap(), b"5");
        assert_eq!(read(b"99\x1512\n").unwrap(), b"12");
        for (keys, kind) in [
            (&b"12\x03"[..], io::ErrorKind::Other),
            (b"12\x04", io::ErrorKind::UnexpectedEof),
            (b"12", io::ErrorKind::UnexpectedEof),
            (b"123456789", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(read(keys).unwrap_err().kind(), kind);
        }
    }

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
