//! `zimogs hsm restore`: a SoftHSM2 token from a sealed backup.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hsm::{Act, Backup, BackupFile, KeyRecord, MAX_BACKUP, Proof, Token};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::backup::tokens;
use crate::cli::hsm::ceremony::check_custodians;
use crate::cli::hsm::join::{collect, records};
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;
use crate::cli::hsm::terminal::Terminal;

/// Restores a SoftHSM2 token from a backup into an empty folder, and proves every key against the
/// backup's manifest: check values of secret keys, a signature or an envelope of key pairs.
///
/// The custodians of the backup key type their shares; the token opens with its own PIN.
#[derive(Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// A custodian of the backup key who is here; one option for each.
    #[arg(long = "custodian", value_name = "NAME", required = true)]
    custodians: Vec<String>,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Restore) -> Result<ExitCode, Failure> {
    check_custodians(&options.custodians)?;
    let bytes = read(&options.backup)?;
    let backup = Backup::parse(&bytes).or_fail(Kind::Integrity)?;
    let place = options.token.place()?;
    let folder = tokens(&place)?;
    if backup.manifest().token.label != place.label {
        let fault = format!(
            "the backup is of token \"{}\", not of \"{}\"",
            backup.manifest().token.label,
            place.label
        );
        return Err(Failure::new(Kind::Usage, fault));
    }
    check_empty(&folder)?;
    let officers = options.officers.open(&place)?;
    let pin = place.pin()?;
    let mut terminal = Terminal::open()?;
    let act = Act::Restore {
        backup: hsm::sha256_hex(&bytes),
        custodians: options.custodians.clone(),
    };
    let outcome = officers.carry_out(place.record(), &act, || {
        let (key, shares) = collect(&mut terminal, &options.custodians)?;
        let files = backup.open(&key).map_err(|error| match error {
            hsm::BackupError::OtherKey { .. } => Failure::of(Kind::Refused, &error),
            _ => Failure::of(Kind::Integrity, &error),
        })?;
        drop(key);
        check_empty(&folder)?;
        write(&folder, &files).map_err(|error| {
            let fault = format!("{} cannot be written: {error}", folder.display());
            Failure::new(Kind::Failed, fault)
        })?;
        let token = place.open_with(pin).map_err(|failure| {
            failure.with_hint("the files are restored: it opens with the PIN that it had then")
        })?;
        prove(&token, &backup.manifest().keys)?;
        Ok(Outcome {
            keys: token.key_records().or_fail(Kind::Device)?,
            shares: records(&shares, &options.custodians)?,
            token: Some(record_of(&token)),
        })
    })?;
    shown::done(&outcome, "restored and proved:", options.token.json)?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_BACKUP as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let fault = format!("{} cannot be read: {error}", path.display());
            Failure::new(Kind::Usage, fault)
        })?;
    Ok(bytes)
}

/// Demands a folder without tokens: none is ever written over.
fn check_empty(folder: &Path) -> Result<(), Failure> {
    let mut entries = fs::read_dir(folder).or_fail(Kind::Failed)?;
    if entries.next().is_none() {
        return Ok(());
    }
    let fault = format!("{} holds tokens already", folder.display());
    Err(Failure::new(Kind::Refused, fault)
        .with_hint("restore into a new folder: tokens = … in the token's file"))
}

fn write(folder: &Path, files: &[BackupFile]) -> std::io::Result<()> {
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)?;
        }
        let mut options = fs::OpenOptions::new();
        let mut out = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        out.write_all(&file.content)?;
        out.sync_all()?;
    }
    Ok(())
}

/// Demands that the token has every key of the manifest, and no other.
fn prove(token: &Token, manifest: &[KeyRecord]) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for record in manifest {
        let fault = match token.prove(record).or_fail(Kind::Device)? {
            Proof::Proved | Proof::Unprovable => continue,
            Proof::Missing => "is missing",
            Proof::Differs => "is not the one of the manifest",
        };
        faults.push(format!("key \"{}\" {fault}", record.label));
    }
    for key in token.keys().or_fail(Kind::Device)? {
        if manifest.iter().all(|record| record.label != key.label) {
            faults.push(format!("key \"{}\" is not in the manifest", key.label));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Kind::Integrity, faults.join("\n  ")))
}
