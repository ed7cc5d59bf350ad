//! Where digits come from: the terminal, without echo, or a program's pipe.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal};
use std::os::fd::AsFd;

use card::PinPolicy;
use clap::Args;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::terminal;

/// The longest line that is read: no PIN has more digits than a command's field.
const LONGEST: usize = 64;

/// Digits that nobody sees, wiped when dropped.
pub(crate) type Digits = Zeroizing<Vec<u8>>;

/// Where they come from.
#[derive(Args)]
pub(crate) struct Source {
    /// For programs: read the digits from standard input, one value a line, in the order in which
    /// they would be asked for, the new one once.
    #[arg(long)]
    stdin: bool,
    /// Ask for the digits here although the reader has a PIN pad.
    #[arg(long)]
    no_pin_pad: bool,
}

impl Source {
    /// Returns whether the reader's pad asks for the digits, where it has one.
    pub(crate) fn may_be_a_pad(&self) -> bool {
        !self.stdin && !self.no_pin_pad
    }

    /// Returns where the digits come from, in a word.
    pub(crate) fn how(&self) -> &'static str {
        match self.stdin {
            true => "stdin",
            false => "terminal",
        }
    }

    /// Demands that somebody can be asked.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.stdin || io::stdin().is_terminal() {
            return Ok(());
        }
        Err(
            Failure::new(Kind::Usage, "standard input is no terminal to ask at")
                .with_hint("a program writes the values to standard input, with --stdin"),
        )
    }

    /// Asks for a value that there is already.
    pub(crate) fn present(&self, title: &str, most: u8) -> Result<Digits, Failure> {
        let digits = self.ask(&format!("{title}: "))?;
        let fits = (1..=usize::from(most)).contains(&digits.len());
        if !fits || !digits.iter().all(u8::is_ascii_digit) {
            let fault = format!("{title} has 1 to {most} decimal digits; nothing was tried");
            return Err(Failure::new(Kind::Usage, fault));
        }
        Ok(digits)
    }

    /// Asks for a new value, twice where a person types it.
    pub(crate) fn fresh(&self, title: &str, policy: &PinPolicy) -> Result<Digits, Failure> {
        let digits = self.ask(&format!("new {title}: "))?;
        policy.judge(&digits).map_err(|fault| {
            Failure::new(
                Kind::Usage,
                format!("this is no new {title}: {fault}; nothing was tried"),
            )
        })?;
        if !self.stdin {
            let again = self.ask(&format!("new {title} again: "))?;
            if again != digits {
                let fault = format!("the two entries of the new {title} differ; nothing was tried");
                return Err(Failure::new(Kind::Usage, fault));
            }
        }
        Ok(digits)
    }

    fn ask(&self, prompt: &str) -> Result<Digits, Failure> {
        if self.stdin {
            // Not through the buffer of standard input, in which a copy would stay.
            let input = io::stdin().as_fd().try_clone_to_owned();
            let mut input = File::from(input.or_fail(Kind::Usage)?);
            return terminal::line(&mut input, LONGEST).map_err(|error| unread(&error));
        }
        terminal::hidden(prompt).or_fail(Kind::Usage)
    }
}

fn unread(error: &io::Error) -> Failure {
    let fault = match error.kind() {
        ErrorKind::UnexpectedEof => "standard input ended before the last value".to_owned(),
        ErrorKind::InvalidData => "a line of standard input is too long for a PIN".to_owned(),
        _ => format!("standard input cannot be read: {error}"),
    };
    Failure::new(Kind::Usage, format!("{fault}; nothing was tried"))
}
