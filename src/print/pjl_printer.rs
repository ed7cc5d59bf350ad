//! A printer at a TCP port that speaks its job language: letters are streamed to it as they are.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::letter::Letter;
use crate::pjl::{self, Device, Ear, Said};
use crate::printer::{EnvelopePrinter, PrintError, PrintedReceipt, SpentCause};

/// How much is given to the connection at once.
const PIECE: usize = 8 * 1024;

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the connection, and for the printer to say how it is.
    pub answer: Duration,
    /// For the page to be in the output bin, from the first byte of the letter on.
    pub paper: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            // A printer that seals warms up, prints, folds and glues.
            paper: Duration::from_secs(120),
        }
    }
}

/// A printer with a job language (PJL), at a TCP port.
#[derive(Clone, Debug)]
pub struct PjlPrinter {
    address: Address,
    patience: Patience,
}

impl PjlPrinter {
    /// Makes a printer at an address.
    pub fn new(address: Address, patience: Patience) -> Self {
        Self { address, patience }
    }

    /// Asks the printer how it is. Nothing is printed.
    ///
    /// # Errors
    /// [`PrintError::Unreachable`], [`PrintError::NoPrinter`].
    pub fn look(&self) -> Result<Device, PrintError> {
        Ok(self.call("zimogs")?.1)
    }

    /// Demands that a letter may be sent now. Nothing is printed.
    ///
    /// # Errors
    /// As [`PjlPrinter::look`]; [`PrintError::NotReady`].
    pub fn check_ready(&self) -> Result<(), PrintError> {
        self.look().and_then(ready)
    }

    /// Connects, and asks the printer how it is.
    fn call(&self, word: &str) -> Result<(Line, Device), PrintError> {
        let stream = self.address.connect(self.patience.answer);
        let stream = stream.map_err(|source| PrintError::Unreachable {
            printer: self.address.to_string(),
            source,
        })?;
        let mut line = Line {
            stream,
            ear: Ear::default(),
            said: Vec::new().into_iter(),
            until: Instant::now() + self.patience.answer,
        };
        match line.ask(word) {
            Ok(device) => Ok((line, device)),
            Err(source) => Err(self.no_printer(source)),
        }
    }

    fn no_printer(&self, source: io::Error) -> PrintError {
        PrintError::NoPrinter {
            printer: self.address.to_string(),
            source,
        }
    }
}

impl EnvelopePrinter for PjlPrinter {
    fn print(&mut self, letter: Letter) -> Result<PrintedReceipt, PrintError> {
        let holds_exit = |bytes: &[u8]| bytes.windows(pjl::EXIT.len()).any(|at| at == pjl::EXIT);
        if holds_exit(letter.pdf()) {
            return Err(PrintError::Ambiguous);
        }
        let (mut line, device) = self.call(letter.serial())?;
        ready(device)?;
        // A job without data prints nothing.
        line.say(&pjl::begin(letter.serial()))
            .map_err(|source| self.no_printer(source))?;
        line.until = Instant::now() + self.patience.paper;
        line.send(&letter).map_err(|cause| PrintError::Spent {
            serial: letter.serial().to_owned(),
            cause,
        })?;
        Ok(PrintedReceipt {
            serial: letter.serial().to_owned(),
            printer: self.address.to_string(),
        })
    }
}

/// Says whether a printer takes a letter.
fn ready(device: Device) -> Result<(), PrintError> {
    match device.is_ready() {
        true => Ok(()),
        false => Err(PrintError::NotReady {
            code: device.code,
            display: device.display,
        }),
    }
}

/// The connection to the printer.
struct Line {
    stream: TcpStream,
    ear: Ear,
    /// What was heard and not yet taken.
    said: std::vec::IntoIter<Said>,
    /// When patience ends.
    until: Instant,
}

impl Line {
    /// Asks the printer how it is. What it says before its echo is of another time.
    fn ask(&mut self, word: &str) -> io::Result<Device> {
        self.say(&pjl::hello(word))?;
        while self.next()? != Said::Echo(word.to_owned()) {}
        loop {
            if let Said::Device(device) = self.next()? {
                return Ok(device);
            }
        }
    }

    /// Sends the letter, and waits for its page.
    fn send(&mut self, letter: &Letter) -> Result<(), SpentCause> {
        let whole = letter.pdf().len();
        let mut sent = 0;
        for piece in letter.pdf().chunks(PIECE) {
            self.say(piece).map_err(|source| SpentCause::Broken {
                sent,
                whole,
                source,
            })?;
            sent += piece.len();
        }
        self.say(&pjl::end(letter.serial()))
            .map_err(SpentCause::Silent)?;
        loop {
            match self.next().map_err(SpentCause::Silent)? {
                Said::Device(device) if device.has_stopped() => {
                    return Err(SpentCause::Stopped {
                        code: device.code,
                        display: device.display,
                    });
                }
                Said::Ended {
                    name,
                    pages,
                    result,
                } if name == letter.serial() => {
                    return match (result, pages) {
                        (Some(result), _) if result != "OK" => Err(SpentCause::Cancelled(result)),
                        (_, Some(pages)) if pages != 1 => Err(SpentCause::Pages(pages)),
                        _ => Ok(()),
                    };
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write_all(bytes)
    }

    fn next(&mut self) -> io::Result<Said> {
        let mut bytes = [0; 512];
        loop {
            if let Some(said) = self.said.next() {
                return Ok(said);
            }
            self.stream.set_read_timeout(Some(self.left()?))?;
            let read = match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                // That is how an end of patience looks on Unix.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            let heard = self.ear.hear(bytes.get(..read).unwrap_or_default());
            let heard = heard.map_err(|fault| io::Error::new(ErrorKind::InvalidData, fault))?;
            self.said = heard.into_iter();
        }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(ErrorKind::TimedOut.into()),
            false => Ok(left),
        }
    }
}

#[cfg(test)]
#[path = "../../tests/print/pjl_printer.rs"]
mod tests;
