//! `zimogs mrtd read`: reads a chip and judges it.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use access::SystemRandom;
use card::{Channel, ChannelError, Limits};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mrtd::inspection::{ReadError, Reading, inspect_chip};
use mrtd::lds::File;

use crate::cli::card::place::Place;
use crate::cli::failure::{Failure, Kind};
use crate::cli::mrtd::access_key::KeyOptions;
use crate::cli::mrtd::inspection_system::{InspectionSystem, TerminalOptions};
use crate::cli::mrtd::report::Report;
use crate::cli::mrtd::save::SaveOptions;
use crate::cli::mrtd::trust::TrustOptions;

/// Options of `mrtd read`.
#[derive(Args)]
pub(crate) struct Read {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    key: KeyOptions,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    terminal: TerminalOptions,
    /// Use commands of extended length: faster, where chip and reader take them.
    #[arg(long)]
    extended: bool,
    #[command(flatten)]
    save: SaveOptions,
    /// One JSON value instead of a table.
    #[arg(long)]
    json: bool,
}

/// Reads and judges the chip.
pub(crate) fn run(options: &Read) -> Result<ExitCode, Failure> {
    // The program may start itself again for the token: before anything is asked.
    let system = options.terminal.open()?;
    let given = options.key.read()?;
    let (trust, trusted) = options.trust.read()?;
    let at = options.trust.at();
    let connection = options.place.connect()?;
    let shown = Shown::new();
    let mut channel = Counted {
        channel: connection,
        bar: shown.bar.clone(),
    };
    let limits = if options.extended {
        Limits {
            extended: true,
            command: 65_535,
            response: 65_536,
            ..Limits::default()
        }
    } else {
        // A terminal's certificates fit into no short command.
        Limits {
            chaining: true,
            ..Limits::default()
        }
    };
    let reading = Reading {
        limits,
        key: &given.key,
        terminal: system.as_ref().map(InspectionSystem::terminal),
        also: &[],
        trust: &trust,
        at,
        random: &mut SystemRandom,
        progress: &mut |file| shown.show(file),
    };
    let read = inspect_chip(&mut channel, reading);
    shown.end();
    let mut found = read.map_err(|error| failed(&error))?;
    if let Some(printed) = &given.zone {
        found.compare_zone(printed);
    }
    let written = options.save.save(&found.lds)?;
    Report::of(&found.inspection, &found.lds, at)
        .trusting(trusted)
        .writing(written)
        .show(options.json)
}

fn failed(error: &ReadError) -> Failure {
    match error {
        ReadError::ZoneNeeded => {
            Failure::of(Kind::Usage, error).with_hint("give the zone: --mrz, --mrz-file FILE")
        }
        _ if error.is_wrong_key() => Failure::of(Kind::Device, error)
            .with_hint("compare number, birth and expiry with the document; O is not 0"),
        _ => Failure::of(Kind::Device, error),
    }
}

/// What is shown while a chip is read: a bar that counts bytes on a terminal, plain lines elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg:16} {bytes:>10} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    fn show(&self, file: File) {
        match &self.bar {
            Some(bar) => bar.set_message(file.to_string()),
            // A log that is closed is no reason to stop in the middle of a chip.
            None => drop(writeln!(std::io::stderr(), "reading {file}")),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A channel that counts what comes back.
struct Counted<C> {
    channel: C,
    bar: Option<ProgressBar>,
}

impl<C: Channel> Channel for Counted<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let answer = self.channel.transmit(command)?;
        if let Some(bar) = &self.bar {
            bar.inc(answer.len() as u64);
        }
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.channel.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.channel.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        self.channel.set_patience(patience);
    }
}
