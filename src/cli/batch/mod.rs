//! `zimogs batch`: many documents at this station, from the command line.
//!
//! ```text
//! FILE | FOLDER | QUERY ── choice ──► plan (NAME.batch.json) ──► slots, confined to it
//!                            │                                      │
//!        the centre's queue ─┘          NAME.results.jsonl ◄──── journal: a line for each blank that ended
//!                                              │
//!                             status, resume, report
//! ```

mod choice;
mod course;
mod ledger;
mod plan;
mod queue;
mod report;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::cli::failure::Failure;

/// Makes many documents at this station.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes the documents of a list, a folder or the queue, and ends when all are made.
    ///
    /// Exit code 0 when every document of the plan is made, 1 when some are not (it was stopped), 2 when
    /// some cannot be made, because they are not in the queue or no slot here has blanks for them:
    /// nothing is begun then, unless --skip.
    ///
    /// Examples:
    /// zimogs batch run references.txt --folder /etc/zimogs/station --account berta
    /// zimogs batch run kind=passport,urgent --limit 500 --folder … --account berta
    #[command(verbatim_doc_comment)]
    Run(run::Run),
    /// Goes on with a batch that was stopped. Example:
    /// zimogs batch resume references.batch.json --folder /etc/zimogs/station --account berta
    Resume(run::Resume),
    /// Shows how far a batch is, also from another terminal. Example:
    /// zimogs batch status references.batch.json
    Status(Told),
    /// Shows what became of a batch: yield, causes, times, commands. Example:
    /// zimogs batch report references.batch.json --json
    Report(Told),
}

/// A batch that was begun.
#[derive(Args)]
pub(crate) struct Told {
    /// Its plan: NAME.batch.json.
    plan: PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(options) => run::run(options),
        Command::Resume(options) => run::resume(options),
        Command::Status(told) => report::status(&told.plan, told.json),
        Command::Report(told) => report::report(&told.plan, told.json),
    }
}
