//! `zimogs pki`: the certification authorities of an installation.

mod authority;
mod begun;
pub(crate) mod country;
mod crl;
mod csca;
mod csca_book;
pub(crate) mod cv;
mod ds;
mod masterlist;
mod serve;

pub(crate) use serve::stop;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::hsm::TOKEN_FILES;

/// Works with the certification authorities of an installation.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// The embedded authority.
    #[command(subcommand)]
    Ca(Ca),
    /// Signs a new revocation list of the embedded authority for eID certificates; that of a
    /// country signing CA is `pki csca crl`. Example:
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
    /// The embedded country signing CA, for pilots and tests.
    #[command(subcommand, after_help = TOKEN_FILES)]
    Csca(csca::Command),
    /// Document signers: their requests, certificates and turns.
    #[command(subcommand, after_help = TOKEN_FILES)]
    Ds(ds::Command),
    /// Master lists of country signing certificates.
    #[command(subcommand, after_help = TOKEN_FILES)]
    Masterlist(masterlist::Command),
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
        Command::Csca(command) => csca::run(command),
        Command::Ds(command) => ds::run(command),
        Command::Masterlist(command) => masterlist::run(command),
    }?;
    Ok(ExitCode::SUCCESS)
}
