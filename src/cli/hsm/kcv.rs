//! `zimogs hsm kcv`: a key's check value.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::place::TokenChoice;
use crate::cli::output;

/// Prints the check value of a secret key: the first three bytes of sixteen bytes 01 under an AES
/// key, of eight bytes 00 under a triple DES key.
#[derive(Args)]
pub(crate) struct Kcv {
    /// The key's label.
    label: String,
    #[command(flatten)]
    token: TokenChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Kcv) -> Result<ExitCode, Failure> {
    let token = options.token.place()?.open()?;
    let kcv = token.kcv(&options.label).or_fail(Kind::Device)?;
    let kcv = hex::encode_upper(kcv);
    if options.token.json {
        output::json(&json!({ "label": options.label, "kcv": kcv }))?;
    } else {
        output::line(&kcv)?;
    }
    Ok(ExitCode::SUCCESS)
}
