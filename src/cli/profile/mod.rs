//! `zimogs profile`: chip and document profiles, for whoever writes and releases them.

mod check;
mod explain;
mod found;
mod layouts;
mod list;
mod paint;
mod released;
mod schema;
mod sign;
pub(crate) mod signing_key;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Works with chip and document profiles.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the profiles, shipped and one's own. Example:
    /// zimogs profile list --profiles my-profiles
    List(list::List),
    /// Proves profiles and layouts: every fault with its place and what to do. Examples:
    /// zimogs profile check my-profiles/chips/new-chip.toml
    /// zimogs profile check my-profiles/sheets/pin-envelope.svg
    #[command(verbatim_doc_comment)]
    Check(check::Check),
    /// Prints the JSON Schema of a kind of profile, for editors. Example:
    /// zimogs profile schema chip > chip.schema.json
    Schema(schema::Schema),
    /// Shows what a personalization would do: every command before a card sees it, what it costs,
    /// what cannot be undone. Needs no card, no key and no token. Example:
    /// zimogs profile explain CHIP --document id-card
    Explain(explain::Explain),
    Sign(sign::Sign),
    Released(released::Check),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List(options) => list::run(options),
        Command::Check(options) => check::run(options),
        Command::Schema(options) => schema::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Sign(options) => sign::run(options),
        Command::Released(options) => released::run(options),
    }
}
