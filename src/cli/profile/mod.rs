//! `zimogs profile`: firmware profiles.

mod released;
mod sign;
mod signing_key;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Signs firmware profiles, and says which are released.
#[derive(Subcommand)]
pub(crate) enum Command {
    Sign(sign::Sign),
    Released(released::Check),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Sign(options) => sign::run(options),
        Command::Released(options) => released::run(options),
    }
}
