//! The command line: parse, call, render.

mod audit;
mod authorities;
mod batch;
mod card;
mod caring;
mod central;
mod database;
mod demo;
mod failure;
mod files;
mod findings;
mod hsm;
mod installation;
mod mrtd;
mod output;
mod paces;
mod pki;
mod print;
mod profile;
mod progress;
mod register;
mod releases;
mod report;
mod retention;
mod secret_file;
mod serving;
mod shipped;
mod station;
#[cfg_attr(not(feature = "otlp"), path = "no_telemetry.rs")]
mod telemetry;
mod terminal;
mod travel;
mod unknown_keys;
mod watch;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::failure::Failure;
use crate::cli::telemetry::Traces;

/// Personalizes electronic identity documents.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 device (reader, card, printer), 4 refused by
/// policy or right, 5 integrity violation found.
#[derive(Parser)]
#[command(name = "zimogs", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What stands for a chip in the examples.
const CHIP: &str =
    "CHIP in an example is the name of a chip profile: `zimogs profile list` shows them.";

#[derive(Subcommand)]
enum Command {
    /// Personalizes sample documents on this machine, over real PC/SC.
    Demo(demo::Arguments),
    /// Talks to cards in PC/SC readers.
    #[command(subcommand, after_help = CHIP)]
    Card(card::Command),
    /// Inspects travel documents: chips, and files that somebody read from one.
    #[command(subcommand)]
    Mrtd(mrtd::Command),
    /// Works with chip and document profiles.
    #[command(subcommand, after_help = CHIP)]
    Profile(profile::Command),
    /// Renders the faces of documents, and looks after printers.
    #[command(subcommand)]
    Print(print::Command),
    /// Works with the keys in PKCS#11 tokens: ceremonies, imports, backups.
    #[command(subcommand)]
    Hsm(hsm::Command),
    /// Looks into the central store, and serves it.
    #[command(subcommand)]
    Central(central::Command),
    /// Works at a station: its key and certificate.
    #[command(subcommand)]
    Station(station::Command),
    /// Makes many documents at this station: from a list, a folder or the queue.
    #[command(subcommand)]
    Batch(batch::Command),
    /// Plays a register that sends applications: signs packages, reads answers.
    #[command(subcommand)]
    Register(register::Command),
    /// Counts what was issued, how long it took, and how good it was.
    #[command(subcommand)]
    Report(report::Command),
    /// Works with the certification authorities of an installation.
    #[command(subcommand)]
    Pki(pki::Command),
    /// Exports and verifies the audit log.
    #[command(subcommand)]
    Audit(audit::Command),
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let traces = match listen(arguments.command.collector().as_deref()) {
        Ok(traces) => traces,
        Err(failure) => {
            failure.show();
            return failure.code();
        }
    };
    let done = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Card(command) => card::run(&command),
        Command::Mrtd(command) => mrtd::run(&command),
        Command::Profile(command) => profile::run(&command),
        Command::Print(command) => print::run(&command),
        Command::Hsm(command) => hsm::run(&command),
        Command::Central(command) => central::run(&command),
        Command::Station(command) => station::run(&command),
        Command::Batch(command) => batch::run(&command),
        Command::Register(command) => register::run(&command),
        Command::Report(command) => report::run(&command),
        Command::Pki(command) => pki::run(&command),
        Command::Audit(command) => audit::run(&command),
    };
    if let Some(traces) = traces {
        traces.end();
    }
    match done {
        Ok(code) => code,
        Err(failure) => {
            failure.show();
            failure.code()
        }
    }
}

impl Command {
    /// Returns the collector that traces go to, if any.
    fn collector(&self) -> Option<String> {
        let told = std::env::var(telemetry::VARIABLE).ok();
        told.or_else(|| match self {
            Self::Central(command) => command.collector(),
            _ => None,
        })
    }
}

/// Shows on standard error what the crates have to say beside their results: warnings and errors,
/// or what `ZIMOGS_LOG` asks for (as in `ZIMOGS_LOG=central=debug`); and sends traces to a collector.
fn listen(collector: Option<&str>) -> Result<Option<Traces>, Failure> {
    // cryptoki calls every mechanism that it does not know an error.
    let filter = EnvFilter::try_from_env("ZIMOGS_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,cryptoki=off"));
    let shown = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(filter);
    let traces = collector.map(Traces::to).transpose()?;
    let listening = tracing_subscriber::registry().with(shown);
    #[cfg(feature = "otlp")]
    let listening = listening.with(traces.as_ref().map(|traces| {
        let own = tracing_subscriber::filter::filter_fn(telemetry::is_sent);
        traces.layer().with_filter(own)
    }));
    listening.init();
    Ok(traces)
}
