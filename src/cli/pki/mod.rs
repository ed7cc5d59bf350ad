//! `zimogs pki`: the certification authorities of an installation.

mod authority;
mod crl;
mod cv;
mod serve;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::central::Place;
use crate::cli::failure::Failure;

/// Works with the certification authorities of an installation.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// The embedded authority.
    #[command(subcommand)]
    Ca(Ca),
    /// Signs a new revocation list of the embedded authority. Example:
    /// zimogs pki crl --data FOLDER --out pilot-ca.crl
    Crl(crl::Crl),
    /// A country verifying certification authority: who may read fingerprints.
    #[command(subcommand)]
    Cvca(cv::Cvca),
    /// A document verifier.
    #[command(subcommand)]
    Dv(cv::Dv),
    /// An inspection system.
    #[command(subcommand)]
    Is(cv::Is),
}

/// The embedded authority.
#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Shows its certificate, and what it issued. Example:
    /// zimogs pki ca show --data FOLDER
    Show(Place),
    /// Answers relying parties (OCSP, revocation list) and, over CMP, other registration
    /// authorities, until it is stopped. Example:
    /// zimogs pki ca serve --data FOLDER --cmp cmp.toml
    Serve(serve::Serve),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Ca(Ca::Show(place)) => authority::show(place),
        Command::Ca(Ca::Serve(options)) => serve::run(options),
        Command::Crl(options) => crl::run(options),
        Command::Cvca(command) => cv::cvca(command),
        Command::Dv(command) => cv::dv(command),
        Command::Is(command) => cv::is(command),
    }?;
    Ok(ExitCode::SUCCESS)
}
