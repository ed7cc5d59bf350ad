//! `zimogs mrtd`: the inspector of travel documents.

mod folder;
mod report;
mod save;
mod trust;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Inspects travel documents. Exit codes: 0 passed, 1 open, 5 something is wrong with the document.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Judges the files of a document that somebody read: EF_COM.bin, EF_SOD.bin, Datagroup1.bin,
    /// dg2.bin… Example:
    /// zimogs mrtd verify dump/ --trust masterlist.ml --trust country.crl
    Verify(verify::Verify),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Verify(options) => verify::run(options),
    }
}
