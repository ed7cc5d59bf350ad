//! `zimogs card pin`: a holder's PINs, for whoever sits at the counter with the holder.

mod change;
pub(crate) mod digits;
mod known;
pub(crate) mod pad;
mod presenting;
mod status;
mod unblock;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Looks at a holder's PINs, changes and unblocks them.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Says how many tries each PIN has left. Changes nothing and uses no try. Example:
    /// zimogs card pin status
    Status(status::Look),
    /// Gives a PIN another value by the one it has. Example:
    /// zimogs card pin change --pin pin1
    Change(change::Change),
    /// Gives a PIN a new value and its tries back by its PUK. Example:
    /// zimogs card pin unblock --pin pin1
    Unblock(unblock::Unblock),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Status(options) => status::run(options),
        Command::Change(options) => change::run(options),
        Command::Unblock(options) => unblock::run(options),
    }
}
