//! `zimogs hsm init`: a new token.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hsm::{Act, Token};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::{pin, shown};

/// Initializes a token: the label and the user's PIN file are those of --token.
///
/// A PIN file that is named and not there is made, with a random PIN. Without one, the PIN is
/// asked for at the terminal. Network HSMs are initialized with their makers' own tools.
#[derive(Args)]
pub(crate) struct Init {
    /// The file of the security officer's PIN (mode 600), which resets the user's; keep it apart.
    #[arg(long, value_name = "FILE")]
    so_pin_file: Option<PathBuf>,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Init) -> Result<ExitCode, Failure> {
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let so_pin = match &options.so_pin_file {
        Some(path) => pin::read_or_make(path)?,
        None => pin::ask_new("the token's security officer")?,
    };
    let pin = match &place.pin_file {
        Some(path) => pin::read_or_make(path)?,
        None => pin::ask_new("the token's user")?,
    };
    let outcome = officers.carry_out(place.record(), &Act::Initialize, || {
        let _turn = place.turn()?;
        let token =
            Token::initialize(&place.config, &place.label, &so_pin, pin).or_fail(Kind::Device)?;
        Ok(Outcome {
            token: Some(record_of(&token)),
            ..Outcome::default()
        })
    })?;
    let serial = outcome
        .token
        .as_ref()
        .and_then(|token| token.serial.clone());
    let sentence = format!(
        "token \"{}\" is ready, serial number {}",
        place.label,
        serial.unwrap_or_default()
    );
    shown::done(&outcome, &sentence, options.token.json)?;
    Ok(ExitCode::SUCCESS)
}
