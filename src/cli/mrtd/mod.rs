//! `zimogs mrtd`: the inspector of travel documents.

mod access_key;
mod folder;
mod inspection_system;
mod read;
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
    /// Opens the chip in a reader, reads it, has it prove itself, and judges all of it. Example:
    /// zimogs mrtd read --reader "slot 1" --mrz-file zone.txt --trust masterlist.ml --out dump/
    Read(read::Read),
    /// Judges the files of a document that somebody read: EF_COM.bin, EF_SOD.bin, Datagroup1.bin,
    /// dg2.bin… Example:
    /// zimogs mrtd verify dump/ --trust masterlist.ml --trust country.crl
    Verify(verify::Verify),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Read(options) => read::run(options),
        Command::Verify(options) => verify::run(options),
    }
}
