//! `zimogs card trace`: checks and sums up a recorded session.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use card::trace::{Event, Trace};
use clap::Args;
use serde::Serialize;

use crate::cli::card::tables;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// Options of `card trace`.
#[derive(Args)]
pub(crate) struct Summarize {
    /// The recorded session.
    file: PathBuf,
    /// Print the session itself, in the form in which it is written.
    #[arg(long)]
    print: bool,
    /// One JSON value instead of text.
    #[arg(long, conflicts_with = "print")]
    json: bool,
}

/// What passed. Fields may be added, never renamed.
#[derive(Default, Serialize)]
struct Report {
    lines: usize,
    /// How often the card was powered or reset.
    starts: usize,
    #[serde(flatten)]
    all: Sum,
    /// Bytes that are not shown, of commands and answers.
    hidden: usize,
    /// Commands that have no answer.
    unanswered: usize,
    instructions: Vec<Instruction>,
    /// How often each status word came.
    status: BTreeMap<String, usize>,
}

/// What some commands came to.
#[derive(Clone, Copy, Default, Serialize)]
struct Sum {
    commands: usize,
    /// Bytes to the card.
    sent: usize,
    /// Bytes from the card.
    received: usize,
    /// Milliseconds, where answers have a time.
    milliseconds: f64,
}

/// The commands of one instruction.
#[derive(Serialize)]
struct Instruction {
    /// INS in hexadecimal.
    ins: String,
    name: &'static str,
    #[serde(flatten)]
    sum: Sum,
}

/// Reads a trace.
pub(crate) fn read(path: &Path) -> Result<Trace, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let fault = format!("the trace {} cannot be read: {error}", path.display());
        Failure::new(Kind::Usage, fault)
    })?;
    text.parse().map_err(|error: card::trace::TraceError| {
        let fault = format!("{}:{}: {}", path.display(), error.line, error.fault);
        Failure::new(Kind::Usage, fault)
            .with_hint("lines are \"> command\", \"< answer\" and \"# comment\", in hexadecimal")
    })
}

/// Sums it up.
pub(crate) fn run(options: &Summarize) -> Result<ExitCode, Failure> {
    let trace = read(&options.file)?;
    if options.print {
        output::line(trace.to_string().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = Report::of(&trace);
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Sum {
    fn answered(&mut self, bytes: usize, time: Option<Duration>) {
        self.received += bytes;
        self.milliseconds += time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    }

    fn sent(&mut self, bytes: usize) {
        self.commands += 1;
        self.sent += bytes;
    }
}

impl Report {
    fn of(trace: &Trace) -> Self {
        let mut report = Self {
            lines: trace.lines().len(),
            ..Self::default()
        };
        let mut sums: BTreeMap<u8, Sum> = BTreeMap::new();
        // The instruction whose answer is still to come.
        let mut open = None;
        for line in trace.lines() {
            match line.event() {
                Event::PowerOn | Event::Reset => report.starts += 1,
                Event::PowerOff | Event::Note(_) => {}
                Event::Command(bytes) => {
                    report.unanswered += usize::from(open.is_some());
                    let ins = bytes.header().map_or(0, |[_, ins, ..]| ins);
                    report.all.sent(bytes.len());
                    report.hidden += bytes.hidden();
                    sums.entry(ins).or_default().sent(bytes.len());
                    open = Some(ins);
                }
                Event::Response(answer) | Event::Unasked(answer) => {
                    report.all.answered(answer.bytes.len(), answer.time);
                    report.hidden += answer.bytes.hidden();
                    if let Some(sum) = open.take().and_then(|ins| sums.get_mut(&ins)) {
                        sum.answered(answer.bytes.len(), answer.time);
                    }
                    if let Some(status) = answer.bytes.status() {
                        let word = format!("{:04X}", status.value());
                        *report.status.entry(word).or_default() += 1;
                    }
                }
            }
        }
        report.unanswered += usize::from(open.is_some());
        report.instructions = sums
            .into_iter()
            .map(|(ins, sum)| Instruction {
                ins: format!("{ins:02X}"),
                name: name(ins),
                sum,
            })
            .collect();
        report
    }

    fn text(&self) -> String {
        let mut table = tables::headed(["INS", "", "commands", "sent", "received", "ms"]);
        let mut row = |ins: &str, name: &str, sum: &Sum| {
            table.add_row([
                ins,
                name,
                &sum.commands.to_string(),
                &sum.sent.to_string(),
                &sum.received.to_string(),
                &format!("{:.1}", sum.milliseconds),
            ]);
        };
        for line in &self.instructions {
            row(&line.ins, line.name, &line.sum);
        }
        row("", "in all", &self.all);
        let words = self.status.iter();
        let words: Vec<_> = words
            .map(|(word, count)| format!("{word} × {count}"))
            .collect();
        format!(
            "{table}\n{} lines, {} starts of the card, {} hidden bytes, {} commands without an answer\nstatus words: {}",
            self.lines,
            self.starts,
            self.hidden,
            self.unanswered,
            words.join(", ")
        )
    }
}

/// Returns what an instruction is usually called (*ISO/IEC 7816-4, -8, -9; GP Card Specification
/// 2.3*).
fn name(ins: u8) -> &'static str {
    match ins {
        0x20 | 0x21 => "VERIFY",
        0x22 => "MANAGE SECURITY ENVIRONMENT",
        0x24 | 0x25 => "CHANGE REFERENCE DATA",
        0x2A => "PERFORM SECURITY OPERATION",
        0x2C | 0x2D => "RESET RETRY COUNTER",
        0x44 => "ACTIVATE FILE",
        0x46 | 0x47 => "GENERATE ASYMMETRIC KEY PAIR",
        0x50 => "INITIALIZE UPDATE",
        0x82 => "EXTERNAL AUTHENTICATE",
        0x84 => "GET CHALLENGE",
        0x86 | 0x87 => "GENERAL AUTHENTICATE",
        0x88 => "INTERNAL AUTHENTICATE",
        0xA4 => "SELECT",
        0xB0 | 0xB1 => "READ BINARY",
        0xC0 => "GET RESPONSE",
        0xC2 => "ENVELOPE",
        0xCA | 0xCB => "GET DATA",
        0xD6 | 0xD7 => "UPDATE BINARY",
        0xD8 => "PUT KEY",
        0xDA | 0xDB => "PUT DATA",
        0xE0 => "CREATE FILE",
        0xE2 => "STORE DATA",
        0xE4 => "DELETE",
        0xE6 => "INSTALL",
        0xF0 => "SET STATUS",
        0xF2 => "GET STATUS",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_summed_up() {
        let trace: Trace = "# POWER_ON\n> 00a40400\n< 9000 # 1.50 ms\n> 0020000108 [8]\n< 63c2 # 0.50 ms\n# RESET\n> 00a40400\n"
            .parse()
            .unwrap();
        let report = Report::of(&trace);
        assert_eq!((report.starts, report.hidden, report.unanswered), (2, 8, 1));
        assert_eq!(
            (report.all.commands, report.all.sent, report.all.received),
            (3, 21, 4)
        );
        assert!((report.all.milliseconds - 2.0).abs() < 1e-9);
        let names: Vec<_> = report.instructions.iter().map(|one| one.name).collect();
        assert_eq!(names, ["VERIFY", "SELECT"]);
        assert_eq!(report.status["63C2"], 1);
    }
}
