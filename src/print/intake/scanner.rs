//! A bar code scanner on a serial line.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::scan::{BlankSerial, ScanEar, ScanFault};
use crate::link::{Link, LinkAddress, SerialSettings};

/// How a scanner is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScannerSettings {
    /// Of its line.
    pub serial: SerialSettings,
    /// For how long behind a code nothing else may come: two codes in it are two blanks.
    pub quiet: Duration,
}

impl Default for ScannerSettings {
    fn default() -> Self {
        Self {
            serial: SerialSettings::default(),
            quiet: Duration::from_millis(300),
        }
    }
}

/// Why no blank is known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The scanner is not there, or not any more.
    #[error("the scanner {scanner} is not there: look at its cable")]
    Gone {
        /// Where it is.
        scanner: String,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// Nothing was read in time.
    #[error("no code was read in time: turn the blank")]
    Nothing,
    /// What was read is none of ours.
    #[error("what was read is not taken")]
    Fault(#[from] ScanFault),
    /// Two codes were read for one blank.
    #[error("two codes were read, {0} and {1}: leave one blank before the scanner")]
    Two(BlankSerial, BlankSerial),
}

/// A scanner that sends each code as a line of text.
pub struct Scanner {
    address: LinkAddress,
    settings: ScannerSettings,
    link: Option<Box<dyn Link>>,
}

impl Scanner {
    /// Makes a scanner at an address. It is opened when it is needed, and again after it was
    /// unplugged.
    pub fn new(address: LinkAddress, settings: ScannerSettings) -> Self {
        Self {
            address,
            settings,
            link: None,
        }
    }

    /// Forgets what was scanned before: it was of another blank. To be called when a new one
    /// comes, before it is before the scanner.
    ///
    /// # Errors
    /// [`ScanError::Gone`].
    pub fn arm(&mut self) -> Result<(), ScanError> {
        // Opening empties the line.
        self.link = None;
        let opened = self.address.open(self.settings.serial, self.settings.quiet);
        let link = opened.map_err(|source| self.gone(source))?;
        self.link = Some(link);
        Ok(())
    }

    /// Waits for the code of the blank before the scanner.
    ///
    /// # Errors
    /// [`ScanError`]; the scanner is to be armed again then.
    pub fn read(&mut self, patience: Duration) -> Result<BlankSerial, ScanError> {
        let Some(mut link) = self.link.take() else {
            return Err(self.gone(ErrorKind::NotConnected.into()));
        };
        let mut ear = ScanEar::default();
        let mut until = Instant::now() + patience;
        let mut found: Option<BlankSerial> = None;
        let mut bytes = [0; 128];
        loop {
            let read = match (link.receive(&mut bytes, until), &found) {
                (Ok(read), _) => read,
                (Err(error), Some(_)) if error.kind() == ErrorKind::TimedOut => break,
                (Err(error), None) if error.kind() == ErrorKind::TimedOut => {
                    return Err(ScanError::Nothing);
                }
                (Err(error), _) => return Err(self.gone(error)),
            };
            for code in ear.take(bytes.get(..read).unwrap_or_default())? {
                match &found {
                    // A scanner that sees the same code again.
                    Some(before) if *before == code => {}
                    Some(before) => return Err(ScanError::Two(before.clone(), code)),
                    None => found = Some(code),
                }
            }
            if found.is_some() {
                until = Instant::now() + self.settings.quiet;
            }
        }
        match (found, ear.is_inside()) {
            (Some(serial), false) => {
                self.link = Some(link);
                Ok(serial)
            }
            // Half a code behind the first is one of another blank.
            _ => Err(ScanFault::NoSerial.into()),
        }
    }

    fn gone(&self, source: io::Error) -> ScanError {
        ScanError::Gone {
            scanner: self.address.to_string(),
            source,
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/print/intake.rs"]
mod tests;
