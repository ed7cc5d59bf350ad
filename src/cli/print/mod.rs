//! `zimogs print`: what is printed on documents.

mod preview;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Renders the faces of documents.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Renders the faces of an application's document as pictures: one PNG a face, KIND-FACE.png,
    /// at the resolution of its layout. Examples:
    /// zimogs print preview application.json --out faces
    /// zimogs print preview application.json --out faces --kind passport --dpi 600 --panels
    #[command(verbatim_doc_comment)]
    Preview(preview::Preview),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Preview(options) => preview::run(options),
    }
}
