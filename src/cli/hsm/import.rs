//! `zimogs hsm import`: a key that a supplier sent under a zone key.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use hsm::{Act, CheckValue, KeyKind, Token, WrappedKey};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::key_name::{Algorithm, KcvMethod, Role, kcv};
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;
use crate::cli::releases;

/// Takes in a key that a supplier wrapped under a zone key, if its check value is the one that was
/// sent with it.
///
/// Under an AES zone key by AES Key Wrap (RFC 3394), unwrapped in the token; under a triple DES
/// zone key block by block (ECB): such a key passes host memory and is wiped there.
#[derive(Args)]
pub(crate) struct Import {
    /// The label of the zone key.
    #[arg(long, value_name = "LABEL")]
    zmk: String,
    /// What the supplier sent: hexadecimal digits, or a file with them or with the bytes.
    #[arg(long, value_name = "HEX|FILE")]
    wrapped: String,
    /// The check value that the supplier sent with it.
    #[arg(long, value_name = "HEX", value_parser = kcv)]
    kcv: [u8; 3],
    /// How the supplier computes check values of AES keys.
    #[arg(long, value_name = "METHOD", default_value = "gp")]
    kcv_method: KcvMethod,
    /// The label that the key gets.
    #[arg(long)]
    label: String,
    /// What it is for.
    #[arg(long = "as", value_name = "ROLE")]
    role: Role,
    /// Its cipher.
    #[arg(long)]
    algorithm: Algorithm,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Import) -> Result<ExitCode, Failure> {
    let bytes = wrapped(&options.wrapped)?;
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let token = place.open()?;
    let act = Act::Import {
        label: options.label.clone(),
        key: options.algorithm.name().to_owned(),
        role: options.role.name().to_owned(),
        zone: options.zmk.clone(),
        kcv: hex::encode_upper(options.kcv),
        kcv_method: options.kcv_method.name().to_owned(),
        wrapped: hsm::sha256_hex(&bytes),
    };
    let wrapped = match zone_kind(&token, &options.zmk)? {
        KeyKind::Des3 => WrappedKey::Des3Ecb(bytes),
        _ => WrappedKey::AesKeyWrap(bytes),
    };
    let outcome = officers.carry_out(record_of(&token), &act, || {
        let (role, algorithm) = (options.role.into(), options.algorithm.into());
        let sent = CheckValue {
            method: options.kcv_method.into(),
            value: options.kcv,
        };
        token
            .unwrap_key(
                &options.zmk,
                &wrapped,
                &options.label,
                role,
                algorithm,
                sent,
            )
            .map_err(|error| match error {
                hsm::HsmError::CheckValue { .. } | hsm::HsmError::Unwrap { .. } => {
                    Failure::of(Kind::Refused, &error)
                        .with_hint("ask the supplier: which zone key, and which check value?")
                }
                _ => Failure::of(Kind::Device, &error),
            })?;
        Ok(Outcome {
            keys: vec![shown::record(&token, &options.label)?],
            ..Outcome::default()
        })
    })?;
    shown::done(&outcome, "imported:", options.token.json)?;
    Ok(ExitCode::SUCCESS)
}

fn zone_kind(token: &Token, label: &str) -> Result<KeyKind, Failure> {
    token.key_attributes(label).or_fail(Kind::Device)?;
    let keys = token.keys().or_fail(Kind::Device)?;
    let zone = keys.iter().find(|key| key.label == label);
    Ok(zone.map_or(KeyKind::Other, |zone| zone.kind))
}

/// Reads what was sent: digits, a file of digits, or a file of bytes.
fn wrapped(text: &str) -> Result<Vec<u8>, Failure> {
    let digits = |text: &str| {
        let text: String = text.split_whitespace().collect();
        hex::decode(text).ok().filter(|bytes| !bytes.is_empty())
    };
    if let Some(bytes) = digits(text) {
        return Ok(bytes);
    }
    let path = Path::new(text);
    if !path.is_file() {
        let fault = "--wrapped is neither hexadecimal digits nor a file";
        return Err(Failure::new(Kind::Usage, fault));
    }
    let bytes = releases::read(path)?;
    Ok(str::from_utf8(&bytes)
        .ok()
        .and_then(digits)
        .unwrap_or(bytes))
}
