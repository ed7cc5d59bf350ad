//! The command line: parse, call, render.

mod audit;
mod authorities;
mod card;
mod central;
mod database;
mod demo;
mod failure;
mod files;
mod hsm;
mod installation;
mod mrtd;
mod output;
mod pki;
mod profile;
mod register;
mod releases;
mod report;
mod secret_file;
mod serving;
mod shipped;
mod station;
mod terminal;
mod travel;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

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
    /// Works with the keys in PKCS#11 tokens: ceremonies, imports, backups.
    #[command(subcommand)]
    Hsm(hsm::Command),
    /// Looks into the central store, and serves it.
    #[command(subcommand)]
    Central(central::Command),
    /// Works at a station: its key and certificate.
    #[command(subcommand)]
    Station(station::Command),
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
    listen();
    let done = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Card(command) => card::run(&command),
        Command::Mrtd(command) => mrtd::run(&command),
        Command::Profile(command) => profile::run(&command),
        Command::Hsm(command) => hsm::run(&command),
        Command::Central(command) => central::run(&command),
        Command::Station(command) => station::run(&command),
        Command::Register(command) => register::run(&command),
        Command::Report(command) => report::run(&command),
        Command::Pki(command) => pki::run(&command),
        Command::Audit(command) => audit::run(&command),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            failure.show();
            failure.code()
        }
    }
}

/// Shows on standard error what the crates have to say beside their results: warnings and errors,
/// or what `ZIMOGS_LOG` asks for (as in `ZIMOGS_LOG=central=debug`).
fn listen() {
    // cryptoki calls every mechanism that it does not know an error.
    let filter = EnvFilter::try_from_env("ZIMOGS_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,cryptoki=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
