//! `zimogs hsm`: the keys in PKCS#11 tokens.

mod backup;
mod ceremony;
mod components;
mod destroy;
mod doctor;
mod generate;
mod import;
mod init;
mod join;
mod kcv;
mod key_name;
mod ledger;
mod list;
mod officers;
mod pin;
mod place;
mod restore;
mod shown;
mod split;
mod terminal;
mod verify;

pub(crate) use generate::make;
pub(crate) use key_name::NewKey;
pub(crate) use officers::{OfficerChoice, Officers, officer};
pub(crate) use place::{ForeignToken, Place as TokenPlace, TOKEN_FILES, TokenChoice};

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Works with the keys in PKCS#11 tokens.
///
/// What creates, imports or destroys a key takes two officers, and is signed by both in the
/// protocol beside the token.
#[derive(Subcommand)]
#[command(after_help = place::TOKEN_FILES)]
pub(crate) enum Command {
    /// Initializes a token. Example:
    /// zimogs hsm init --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Init(init::Init),
    /// Lists the keys, with what the token says of their protection. Example:
    /// zimogs hsm list --data FOLDER
    List(list::List),
    /// Prints the check value of a secret key. Example:
    /// zimogs hsm kcv issuer-master --token token.toml
    Kcv(kcv::Kcv),
    /// Makes a key in the token. Example:
    /// zimogs hsm generate aes128 --label issuer-master --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Generate(generate::Generate),
    /// Takes in a key that a supplier wrapped under a zone key. Example:
    /// zimogs hsm import --zmk zone --wrapped 1FA68B0A…2FE5 --kcv 3544E0 --label maker --as transport --algorithm aes --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Import(import::Import),
    /// Destroys a key. There is no way back. Example:
    /// zimogs hsm destroy old-master --kcv 8BAF47 --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Destroy(destroy::Destroy),
    /// Keys that people carry: split among custodians, joined again, from a supplier's letters.
    #[command(subcommand)]
    Ceremony(ceremony::Command),
    /// Says whether a token serves, and what to do where it does not. Example:
    /// zimogs hsm doctor --token token.toml
    Doctor(doctor::Doctor),
    /// Seals a copy of a SoftHSM2 token under a key that custodians hold. Example:
    /// zimogs hsm backup --out token.backup --token token.toml
    Backup(backup::MakeBackup),
    /// Restores a SoftHSM2 token from a backup and proves every key. Example:
    /// zimogs hsm restore token.backup --custodian ilze --custodian peteris --token new.toml --officer anna=anna.pem --officer juris=juris.pem
    Restore(restore::Restore),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(options) => init::run(options),
        Command::List(options) => list::run(options),
        Command::Kcv(options) => kcv::run(options),
        Command::Generate(options) => generate::run(options),
        Command::Import(options) => import::run(options),
        Command::Destroy(options) => destroy::run(options),
        Command::Ceremony(command) => ceremony::run(command),
        Command::Doctor(options) => doctor::run(options),
        Command::Backup(options) => backup::run(options),
        Command::Restore(options) => restore::run(options),
    }
}
