//! `zimogs card replay`: plays a recorded session to the card in a reader.

use std::path::PathBuf;
use std::process::ExitCode;

use card::Channel;
use clap::Args;
use reader::{Differs, MAKING, Replay, Replayed, presenting};
use serde::Serialize;

use crate::cli::card::place::Place;
use crate::cli::card::trace;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// Options of `card replay`.
#[derive(Args)]
pub(crate) struct Play {
    #[command(flatten)]
    place: Place,
    /// The recorded session. Its commands are sent as they stand there: what it does to the card,
    /// it does again.
    file: PathBuf,
    /// Compare the answers' data too, not only their status words.
    #[arg(long)]
    data: bool,
    /// Stop at the first difference.
    #[arg(long)]
    stop: bool,
    /// Play it although it presents secrets to the card, which may use up tries. It stops at the
    /// first that the card does not take.
    #[arg(long)]
    force: bool,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What came of it. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    commands: usize,
    compared: usize,
    /// The lines of commands that were not sent, because bytes of them are hidden.
    skipped: Vec<usize>,
    differences: Vec<Difference>,
    /// The line at which the card or its reader failed, and how.
    failed: Option<(usize, String)>,
    /// The line after which it stopped: because it was to, or because a try was used up.
    stopped: Option<usize>,
}

/// One difference.
#[derive(Serialize)]
struct Difference {
    /// The command's line.
    command: usize,
    /// The recorded answer's line.
    line: usize,
    /// CLA INS P1 P2 in hexadecimal.
    header: Option<String>,
    /// `status`, `data` or `no-status`.
    kind: &'static str,
    expected: String,
    found: String,
}

/// Returns line numbers as somebody reads them.
fn lines(numbers: &[usize]) -> String {
    match numbers {
        [one] => format!("line {one}"),
        several => {
            let several: Vec<_> = several.iter().map(ToString::to_string).collect();
            format!("lines {}", several.join(", "))
        }
    }
}

/// Plays it.
pub(crate) fn run(options: &Play) -> Result<ExitCode, Failure> {
    let trace = trace::read(&options.file)?;
    let presenting = presenting(&trace);
    if !options.force && !presenting.is_empty() {
        let fault = format!(
            "the trace presents secrets to the card, at {}: each may use up a try, and a recorded cryptogram never fits again",
            lines(&presenting)
        );
        return Err(Failure::new(Kind::Refused, fault)
            .with_hint("--force plays it nevertheless, up to the first that is not taken"));
    }
    let mut connection = options.place.connect()?;
    connection.set_patience(MAKING);
    let mut replay = Replay::new();
    if options.data {
        replay = replay.comparing_data();
    }
    if options.stop {
        replay = replay.stopping();
    }
    let report = Report::of(replay.run(&trace, &mut connection));
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(match (&report.failed, report.differences.is_empty()) {
        (Some(_), _) => ExitCode::from(Kind::Device as u8),
        (None, false) => ExitCode::from(Kind::Integrity as u8),
        (None, true) => ExitCode::SUCCESS,
    })
}

impl Report {
    fn of(replayed: Replayed) -> Self {
        Self {
            commands: replayed.commands,
            compared: replayed.compared,
            skipped: replayed.skipped,
            differences: replayed
                .differences
                .into_iter()
                .map(Difference::of)
                .collect(),
            failed: replayed
                .failed
                .map(|(line, error)| (line, error.to_string())),
            stopped: replayed.stopped,
        }
    }

    fn text(&self) -> String {
        let mut lines: Vec<_> = self
            .differences
            .iter()
            .map(|difference| {
                let header = difference.header.as_deref().unwrap_or("?");
                format!(
                    "line {}: {header}: expected {}, found {}",
                    difference.line, difference.expected, difference.found
                )
            })
            .collect();
        if !self.skipped.is_empty() {
            lines.push(format!(
                "not sent, since bytes of them are hidden: {}",
                self::lines(&self.skipped)
            ));
        }
        if let Some((line, error)) = &self.failed {
            lines.push(format!("line {line}: {error}"));
        }
        if let Some(line) = self.stopped {
            lines.push(format!("stopped after line {line}"));
        }
        let differences = match self.differences.len() {
            0 => "all as recorded".to_owned(),
            1 => "1 difference".to_owned(),
            count => format!("{count} differences"),
        };
        lines.push(format!(
            "{} commands sent, {} answers compared: {differences}",
            self.commands, self.compared
        ));
        lines.join("\n")
    }
}

impl Difference {
    fn of(difference: reader::Difference) -> Self {
        let (kind, expected, found) = match difference.differs {
            Differs::Status { expected, found } => (
                "status",
                format!("{:04X}", expected.value()),
                format!("{found}"),
            ),
            Differs::Data {
                offset,
                expected,
                found,
            } => (
                "data",
                format!("{expected} bytes as recorded"),
                format!("{found} bytes that differ from byte {offset} on"),
            ),
            _ => ("no-status", "a status word".into(), "none".into()),
        };
        Self {
            command: difference.command,
            line: difference.line,
            header: difference.header.map(hex::encode_upper),
            kind,
            expected,
            found,
        }
    }
}
