//! `zimogs profile schema`: the JSON Schema of a kind of profile.

use std::process::ExitCode;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::profile::found::Subject;

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
    })?;
    Ok(ExitCode::SUCCESS)
}
