//! `zimogs hsm import`: a key that a supplier sent under a zone key.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use hsm::{Act, CheckValue, KeyBlock, KeyKind, Token, WrappedKey};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::key_name::{Algorithm, KcvMethod, Role, kcv};
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;
use crate::cli::releases;

/// Takes in a key that a supplier wrapped under a zone key, if its check value is the one that was
/// sent with it.
///
/// Under an AES zone key by AES Key Wrap (RFC 3394), unwrapped in the token, or in a key block
/// (TR-31, ANSI X9.143, version D); under a triple DES zone key block by block (ECB). A key of a
/// key block or of ECB passes host memory and is wiped there.
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
    let sent = read(&options.wrapped)?;
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
        wrapped: hsm::sha256_hex(sent.bytes()),
    };
    let wrapped = match (sent, zone_kind(&token, &options.zmk)?) {
        (Sent::Block(_, block), _) => WrappedKey::KeyBlock(block),
        (Sent::Bytes(bytes), KeyKind::Des3) => WrappedKey::Des3Ecb(bytes),
        (Sent::Bytes(bytes), _) => WrappedKey::AesKeyWrap(bytes),
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
                hsm::HsmError::CheckValue { .. }
                | hsm::HsmError::Unwrap { .. }
                | hsm::HsmError::KeyBlock { .. } => Failure::of(Kind::Refused, &error)
                    .with_hint("ask the supplier: which zone key, and which check value?"),
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

/// What a supplier sent.
enum Sent {
    Bytes(Vec<u8>),
    /// A key block, and its text.
    Block(String, KeyBlock),
}

impl Sent {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Block(text, _) => text.as_bytes(),
        }
    }

    /// Reads a key block. Plain digits are none: the length that it names would have to fit.
    fn block(text: &str) -> Option<Self> {
        let block = KeyBlock::parse(text).ok()?;
        Some(Self::Block(text.trim().to_owned(), block))
    }
}

/// Reads what was sent: a key block, digits, or a file of one of them or of bytes.
fn read(text: &str) -> Result<Sent, Failure> {
    let digits = |text: &str| {
        let text: String = text.split_whitespace().collect();
        hex::decode(text).ok().filter(|bytes| !bytes.is_empty())
    };
    if let Some(sent) = Sent::block(text) {
        return Ok(sent);
    }
    if let Some(bytes) = digits(text) {
        return Ok(Sent::Bytes(bytes));
    }
    let path = Path::new(text);
    if !path.is_file() {
        let fault =
            "--wrapped is neither a key block of version D, nor hexadecimal digits, nor a file";
        return Err(Failure::new(Kind::Usage, fault));
    }
    let bytes = releases::read(path)?;
    let text = str::from_utf8(&bytes).ok();
    if let Some(sent) = text.and_then(Sent::block) {
        return Ok(sent);
    }
    Ok(Sent::Bytes(text.and_then(digits).unwrap_or(bytes)))
}
