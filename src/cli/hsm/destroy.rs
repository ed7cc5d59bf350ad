//! `zimogs hsm destroy`: a key that is gone for good.

use std::process::ExitCode;

use clap::Args;
use hsm::Act;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::key_name::kcv;
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;

/// Destroys a key, its public key with it. There is no way back.
///
/// So that no key is destroyed by a slip of the label, a secret key's check value is named as well,
/// or the beginning of the SHA-256 of a key pair's public key (`zimogs hsm list` shows both).
#[derive(Args)]
pub(crate) struct Destroy {
    /// The key's label.
    label: String,
    /// A secret key's check value.
    #[arg(long, value_name = "HEX", value_parser = kcv)]
    kcv: Option<[u8; 3]>,
    /// The beginning of the SHA-256 of the public key, 16 digits or more.
    #[arg(long, value_name = "HEX", conflicts_with = "kcv")]
    public_key: Option<String>,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Destroy) -> Result<ExitCode, Failure> {
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let token = place.open()?;
    token.key_attributes(&options.label).or_fail(Kind::Device)?;
    let record = shown::record(&token, &options.label)?;
    let named = match (&record.kcv, &record.public_key) {
        (Some(found), _) => options.kcv.map(hex::encode_upper).as_ref() == Some(found),
        (None, Some(found)) => options.public_key.as_deref().is_some_and(|start| {
            start.len() >= 16 && found.starts_with(&start.to_ascii_lowercase())
        }),
        // Nothing tells it but its label.
        (None, None) => true,
    };
    if !named {
        let fault = format!(
            "key \"{}\" is not destroyed: the check value or public key that was named is not its own",
            options.label
        );
        return Err(Failure::new(Kind::Refused, fault)
            .with_hint("zimogs hsm list shows it: --kcv HEX, or --public-key HEX"));
    }
    let act = Act::Destroy {
        label: options.label.clone(),
    };
    let outcome = officers.carry_out(record_of(&token), &act, || {
        token.destroy_key(&options.label).or_fail(Kind::Device)?;
        Ok(Outcome {
            keys: vec![record],
            ..Outcome::default()
        })
    })?;
    shown::done(&outcome, "destroyed:", options.token.json)?;
    Ok(ExitCode::SUCCESS)
}
