//! `zimogs profile schema`: the JSON Schema of a kind of profile.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::failure::Failure;
use crate::cli::output;

/// The kinds of profile whose format has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Subject {
    /// A chip.
    Chip,
    /// A kind of document.
    Document,
    /// A printer.
    Printer,
}

/// Options of `profile schema`.
#[derive(Args)]
pub(crate) struct Schema {
    /// Of which kind.
    kind: Subject,
}

/// Prints the schema.
pub(crate) fn run(options: &Schema) -> Result<ExitCode, Failure> {
    output::json(&match options.kind {
        Subject::Chip => profile::chip_schema(),
        Subject::Document => profile::document_schema(),
        Subject::Printer => print::printer_schema(),
    })?;
    Ok(ExitCode::SUCCESS)
}
