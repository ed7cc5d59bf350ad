//! `zimogs hsm generate`: a key made in the token.

use std::process::ExitCode;

use clap::Args;
use hsm::{Act, Token};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::key_name::NewKey;
use crate::cli::hsm::officers::{OfficerChoice, Officers, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;

/// Makes a key in the token, from where it cannot leave; the token's own word for that is read
/// back. A key that custodians shall be able to bring back is made by `ceremony split`.
#[derive(Args)]
pub(crate) struct Generate {
    /// Which key.
    #[arg(value_name = "KIND")]
    kind: NewKey,
    /// Its label, 1 to 32 bytes; a label is never used twice.
    #[arg(long)]
    label: String,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Generate) -> Result<ExitCode, Failure> {
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let token = place.open()?;
    let outcome = make(&token, &officers, options.kind, &options.label)?;
    shown::done(&outcome, "made:", options.token.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a key, ordered and signed for by two officers.
pub(crate) fn make(
    token: &Token,
    officers: &Officers,
    kind: NewKey,
    label: &str,
) -> Result<Outcome, Failure> {
    let act = Act::Generate {
        label: label.to_owned(),
        key: kind.name().to_owned(),
    };
    officers.carry_out(record_of(token), &act, || {
        kind.make(token, label).or_fail(Kind::Device)?;
        Ok(Outcome {
            keys: vec![shown::record(token, label)?],
            ..Outcome::default()
        })
    })
}
