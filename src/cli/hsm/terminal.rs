//! The terminal of a ceremony: one custodian after another, and nothing left on the screen.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use hsm::{KeyShare, ShareError};
use rustix::process::DumpableBehavior;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind};

/// How often a custodian may mistype.
const TRIES: usize = 5;
/// Lines in which a share may be typed.
const LINES: usize = 8;

/// Another screen, which most terminals keep out of what can be scrolled back, empty.
const OTHER_SCREEN: &str = "\x1b[?1049h\x1b[H\x1b[2J\x1b[3J";
/// Empties the screen and what can be scrolled back, then returns to the first screen.
const FIRST_SCREEN: &str = "\x1b[H\x1b[2J\x1b[3J\x1b[?1049l";

/// The terminal at which people stand; not standard input and output, which may go elsewhere.
pub(crate) struct Terminal {
    out: File,
    typed: BufReader<File>,
    /// How the terminal was found.
    found: Termios,
}

/// The exit code of a ceremony that was stopped: what was ordered was not done.
const STOPPED: i32 = 1;

/// What is on the screen until this is dropped: then the screen is cleared.
pub(crate) struct Screen<'a>(&'a mut Terminal);

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        leave(&mut self.0.out, &self.0.found);
    }
}

/// Clears the screen and leaves the terminal as it was found. Nothing can be done where it is gone.
fn leave(out: &mut File, found: &Termios) {
    let _ = write!(out, "{FIRST_SCREEN}");
    let _ = out.flush();
    let _ = tcsetattr(out, OptionalActions::Now, found);
}

fn no_terminal(error: &std::io::Error) -> Failure {
    Failure::new(Kind::Usage, format!("a ceremony needs a terminal: {error}"))
        .with_hint("run it where the custodians can sit down, not from a script")
}

/// Clears the screen where the program is told to stop: a share must not stay there.
#[expect(
    clippy::disallowed_methods,
    reason = "the main thread waits for the keyboard and cannot be woken; what is in memory goes with the process, of which no core is dumped"
)]
fn clear_when_stopped(mut out: File, found: Termios) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| no_terminal(&error))?;
    let stops = {
        let _inside = runtime.enter();
        let stop = |kind| signal(kind).map_err(|error| no_terminal(&error));
        (
            stop(SignalKind::interrupt())?,
            stop(SignalKind::terminate())?,
            stop(SignalKind::hangup())?,
        )
    };
    std::thread::spawn(move || {
        let (mut interrupt, mut terminate, mut hangup) = stops;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        leave(&mut out, &found);
        std::process::exit(STOPPED);
    });
    Ok(())
}

impl Terminal {
    /// Opens the terminal of this process.
    pub(crate) fn open() -> Result<Self, Failure> {
        let open = || {
            let mut options = File::options();
            let tty = options.read(true).write(true).open("/dev/tty")?;
            Ok((tty.try_clone()?, BufReader::new(tty)))
        };
        let (out, typed) = open().map_err(|error: std::io::Error| no_terminal(&error))?;
        // No core dump, and no debugger of the same user.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|error| no_terminal(&error.into()))?;
        let found = tcgetattr(&out).map_err(|error| no_terminal(&error.into()))?;
        let at_the_end = out.try_clone().map_err(|error| no_terminal(&error))?;
        clear_when_stopped(at_the_end, found.clone())?;
        Ok(Self { out, typed, found })
    }

    /// Asks one custodian to come, the others to look away; what is shown then is gone afterwards.
    pub(crate) fn only(&mut self, custodian: &str, what: &str) -> Result<Screen<'_>, Failure> {
        self.say(&format!(
            "{OTHER_SCREEN}{custodian}: {what}\nEverybody else looks away. Press Enter when you are alone at the screen. "
        ))?;
        let screen = Screen(self);
        screen.0.line()?;
        screen.0.echo(false)?;
        screen.0.say("\x1b[H\x1b[2J\x1b[3J")?;
        Ok(screen)
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        let said = self.out.write_all(text.as_bytes());
        said.and_then(|()| self.out.flush())
            .map_err(|error| no_terminal(&error))
    }

    /// Has what is typed from now on shown, or not.
    fn echo(&mut self, shown: bool) -> Result<(), Failure> {
        let mut modes = self.found.clone();
        modes.local_modes.set(LocalModes::ECHO, shown);
        tcsetattr(&self.out, OptionalActions::Now, &modes)
            .map_err(|error| no_terminal(&error.into()))
    }

    fn line(&mut self) -> Result<Zeroizing<String>, Failure> {
        let mut line = Zeroizing::new(String::with_capacity(4096));
        match self.typed.read_line(&mut line) {
            Ok(0) => Err(Failure::new(Kind::Failed, "the terminal was closed")),
            Ok(_) => Ok(line),
            Err(error) => Err(no_terminal(&error)),
        }
    }
}

impl Screen<'_> {
    /// Shows some text.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.0.say(text)
    }

    /// Asks for something that others may see.
    pub(crate) fn ask(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        self.0.echo(true)?;
        self.0.say(prompt)?;
        let line = self.0.line()?;
        Ok(Zeroizing::new(line.trim().to_owned()))
    }

    /// Asks for something that nobody may see. Nothing is shown from before the prompt on until
    /// something is asked for that may be seen: also not what is typed ahead.
    pub(crate) fn ask_hidden(&mut self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        self.0.echo(false)?;
        self.0.say(prompt)?;
        let line = self.0.line()?;
        self.0.say("\n")?;
        Ok(Zeroizing::new(line.trim().to_owned()))
    }

    /// Shows a share until its custodian has shown to have written it down.
    pub(crate) fn give(&mut self, share: &KeyShare, heading: &str) -> Result<(), Failure> {
        self.say(&format!("{heading}\n\n"))?;
        let text = share.text();
        for (number, line) in text.lines().enumerate() {
            let line = Zeroizing::new(format!("  {}   {line}\n", number + 1));
            self.say(&line)?;
        }
        self.say("\nWrite it down, line by line, and read it once more.\n")?;
        for _ in 0..TRIES {
            let typed = self.ask("Now type the last six characters of what you wrote: ")?;
            let letters: Zeroizing<String> =
                Zeroizing::new(typed.split_whitespace().flat_map(str::chars).collect());
            if letters.eq_ignore_ascii_case(&share.checksum()) {
                return Ok(());
            }
            self.say("These are not the last six. Compare what you wrote.\n")?;
        }
        Err(Failure::new(
            Kind::Refused,
            "a custodian did not show to have written the share down",
        ))
    }

    /// Asks a custodian for a share until it is one.
    pub(crate) fn take(
        &mut self,
        judge: impl Fn(&KeyShare) -> Result<(), ShareError>,
    ) -> Result<KeyShare, Failure> {
        self.say("Type your share, line by line; nothing is shown. An empty line begins anew.\n")?;
        let mut last = None;
        for _ in 0..TRIES {
            let taken = self.read_share()?.and_then(|share| {
                judge(&share)?;
                Ok(share)
            });
            match taken {
                Ok(share) => return Ok(share),
                Err(error) => {
                    self.say(&format!("{error}\n"))?;
                    last = Some(error);
                }
            }
        }
        Err(last.map_or_else(
            || Failure::new(Kind::Failed, "no share was typed"),
            |error| Failure::of(Kind::Refused, &error),
        ))
    }

    /// Reads lines until they are a share or can become none.
    fn read_share(&mut self) -> Result<Result<KeyShare, ShareError>, Failure> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        let mut read = KeyShare::parse("");
        for line in 1..=LINES {
            let typed = self.ask_hidden(&format!("  {line}   "))?;
            if typed.trim().is_empty() || text.len() + typed.len() > 2048 {
                break;
            }
            text.push_str(&typed);
            read = KeyShare::parse(&text);
            if read.is_ok() {
                break;
            }
        }
        Ok(read)
    }
}
