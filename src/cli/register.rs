//! `zimogs register`: the other side, for pilots and for whoever builds a register's own: makes keys,
//! signs packages, reads answers and reports. It needs no installation.

use std::fs;
use std::path::{Path, PathBuf};

use api::{ANSWER_TYPE, PACKAGE_TYPE, REPORT_TYPE};
use cert::jws::{Jws, JwsAlgorithm, JwsKey, Unsigned};
use clap::{Args, Subcommand};
use document::{Environment, MAX_PACKAGE_BYTES, PackageVerb, Reference, SourceName};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::central::source::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{files, output, secret_file};

/// Plays a register.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Signs a package of applications. Example:
    /// zimogs register make --source population-register --sequence 1 --key key.pem --new application.json --out package.json
    Make(Box<Make>),
    /// Shows the public key and the thumbprint of a private key. Example:
    /// zimogs register key key.pem --out public.pem
    Key(Key),
    /// Verifies an answer or a report, and shows what it says. Example:
    /// zimogs register read answer.json --key central.pem
    Read(Read),
}

/// A package to sign.
#[derive(Args)]
pub(crate) struct Make {
    /// The source whose package it is.
    #[arg(long)]
    source: SourceName,
    /// Its number: each source counts from 1.
    #[arg(long)]
    sequence: u64,
    /// Its identity; by default made of the number.
    #[arg(long)]
    package: Option<Reference>,
    /// What it is for.
    #[arg(long, default_value = "test")]
    environment: Environment,
    /// The file of the private key: P-256, P-384 or Ed25519 as PKCS#8 in PEM, mode 600.
    #[arg(long)]
    key: PathBuf,
    /// An application to send; repeat it for more. Nothing is checked here: that is the store's.
    #[arg(long, value_name = "FILE")]
    new: Vec<PathBuf>,
    /// An application in the place of one that was sent before; repeat it for more.
    #[arg(long, value_name = "REFERENCE=FILE")]
    replace: Vec<String>,
    /// An application to withdraw; repeat it for more.
    #[arg(long, value_name = "REFERENCE=CAUSE")]
    withdraw: Vec<String>,
    /// The file that is written; it must not be there.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A key to show.
#[derive(Args)]
pub(crate) struct Key {
    /// The file of the private key; openssl genpkey -algorithm ed25519 makes one.
    key: PathBuf,
    /// The file of the public key; it must not be there.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What the store said.
#[derive(Args)]
pub(crate) struct Read {
    /// The answer or the report.
    file: PathBuf,
    /// The store's public key, PEM: zimogs central source own-key shows it.
    #[arg(long)]
    key: PathBuf,
}

/// A register's private key.
enum Private {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl Private {
    fn read(path: &Path) -> Result<(Self, JwsKey), Failure> {
        let text = secret_file::read(path, "private key")?;
        let (private, spki) = if let Ok(key) = ed25519_dalek::SigningKey::from_pkcs8_pem(&text) {
            let mut spki = vec![
                0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
            ];
            spki.extend_from_slice(key.verifying_key().as_bytes());
            (Self::Ed25519(Box::new(key)), spki)
        } else if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(&text) {
            let point = key.verifying_key().to_sec1_point(false);
            let spki = spki(cert::Curve::P256, point.as_bytes())?;
            (Self::P256(key), spki)
        } else if let Ok(key) = p384::ecdsa::SigningKey::from_pkcs8_pem(&text) {
            let point = key.verifying_key().to_sec1_point(false);
            let spki = spki(cert::Curve::P384, point.as_bytes())?;
            (Self::P384(key), spki)
        } else {
            let fault = format!(
                "{} holds no key on P-256 or P-384 and no Ed25519 key as PKCS#8 in PEM",
                path.display()
            );
            return Err(Failure::new(Kind::Usage, fault)
                .with_hint("openssl genpkey -algorithm ed25519 -out FILE makes one"));
        };
        let key = JwsKey::from_spki_der(&spki).or_fail(Kind::Usage)?;
        Ok((private, key))
    }

    /// Signs as JWS has it.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        use ed25519_dalek::Signer as _;
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

fn spki(curve: cert::Curve, point: &[u8]) -> Result<Vec<u8>, Failure> {
    cert::PublicKey::from_point(curve, point)
        .and_then(|key| key.to_spki_der())
        .or_fail(Kind::Failed)
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<std::process::ExitCode, Failure> {
    match command {
        Command::Make(options) => make(options),
        Command::Key(options) => key(options),
        Command::Read(options) => read(options),
    }?;
    Ok(std::process::ExitCode::SUCCESS)
}

fn make(options: &Make) -> Result<(), Failure> {
    files::be_free(&options.out)?;
    let (private, key) = Private::read(&options.key)?;
    let mut entries = Vec::new();
    for file in &options.new {
        let verb = PackageVerb::New.name();
        entries.push(json!({ "action": verb, "application": application(file)? }));
    }
    for text in &options.replace {
        let (reference, file) = parts(text, "--replace REFERENCE=FILE")?;
        let verb = PackageVerb::Replace.name();
        let application = application(Path::new(file))?;
        entries.push(json!({ "action": verb, "reference": reference, "application": application }));
    }
    for text in &options.withdraw {
        let (reference, cause) = parts(text, "--withdraw REFERENCE=CAUSE")?;
        let verb = PackageVerb::Withdraw.name();
        entries.push(json!({ "action": verb, "reference": reference, "cause": cause }));
    }
    let created = Timestamp::now()
        .round(jiff::Unit::Second)
        .or_fail(Kind::Failed)?;
    let id = match &options.package {
        Some(id) => id.to_string(),
        None => format!("P-{:08}", options.sequence),
    };
    let package = json!({
        "format": 1, "source": options.source, "package": id, "sequence": options.sequence,
        "created": created, "environment": options.environment, "applications": entries,
    });
    let payload = serde_json::to_vec(&package).or_fail(Kind::Failed)?;
    let unsigned = Unsigned::new(&key, PACKAGE_TYPE, &payload);
    let signature = private.sign(&unsigned.signing_input());
    let bytes = unsigned.assemble(&signature).or_fail(Kind::Failed)?;
    files::write_new(&options.out, &bytes)?;
    output::line(&format!(
        "{}: package {id} with {} entries",
        options.out.display(),
        entries.len()
    ))
}

fn application(path: &Path) -> Result<Value, Failure> {
    let bytes = files::read(path, MAX_PACKAGE_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::new(
            Kind::Usage,
            format!("{} is no JSON at {place}", path.display()),
        )
    })
}

fn parts<'a>(text: &'a str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=')
        .ok_or_else(|| Failure::new(Kind::Usage, format!("expected {form}")))
}

fn key(options: &Key) -> Result<(), Failure> {
    let (_, key) = Private::read(&options.key)?;
    let pem = pem(key.spki_der())?;
    if let Some(out) = &options.out {
        files::write_new(out, pem.as_bytes())?;
    }
    let algorithm: JwsAlgorithm = key.algorithm();
    if options.json {
        return output::json(&json!({
            "thumbprint": key.thumbprint(), "algorithm": algorithm.name(), "pem": pem,
        }));
    }
    if options.out.is_none() {
        output::line(pem.trim_end())?;
    }
    output::line(&format!("{} ({algorithm})", key.thumbprint()))
}

fn read(options: &Read) -> Result<(), Failure> {
    let text = fs::read(&options.key).or_fail(Kind::Usage)?;
    let (_, spki) = pem_rfc7468::decode_vec(&text).or_fail(Kind::Usage)?;
    let key = JwsKey::from_spki_der(&spki).or_fail(Kind::Usage)?;
    let bytes = files::read(&options.file, MAX_PACKAGE_BYTES)?;
    let verified = |media_type| {
        Jws::parse(&bytes, MAX_PACKAGE_BYTES).and_then(|jws| jws.verify(&key, media_type))
    };
    let payload = match verified(ANSWER_TYPE) {
        Err(cert::jws::JwsError::Type { .. }) => verified(REPORT_TYPE),
        read => read,
    };
    let payload = payload.or_fail(Kind::Integrity)?;
    let said: Value = serde_json::from_slice(&payload).or_fail(Kind::Integrity)?;
    output::json(&said)
}
