//! `zimogs hsm backup`: a sealed copy of a SoftHSM2 token.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use hsm::{Backup, BackupError, BackupFile};
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::place::{Place, TokenChoice};
use crate::cli::output;

/// How often the files are read, until they are twice the same.
const READS: usize = 10;

/// Seals a copy of a SoftHSM2 token's files under the backup key in it.
///
/// The backup key is an AES-256 key that `zimogs hsm ceremony split aes256 --label backup --as
/// backup` made: a backup needs nobody, restoring takes the custodians of that key. The PIN is not
/// in the backup. A network HSM is backed up by its maker's own means.
#[derive(Args)]
pub(crate) struct MakeBackup {
    /// The file to write; it must not be there.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The label of the backup key.
    #[arg(long, value_name = "LABEL", default_value = "backup")]
    key: String,
    #[command(flatten)]
    token: TokenChoice,
}

/// Runs the command.
pub(crate) fn run(options: &MakeBackup) -> Result<ExitCode, Failure> {
    let place = options.token.place()?;
    let folder = tokens(&place)?;
    let token = place.open()?;
    let files = {
        let _turn = place.turn()?;
        stable_files(&folder, &token.info().serial)?
    };
    let time = Timestamp::now().to_string();
    let backup = Backup::seal(&token, &options.key, time, &files).map_err(|error| {
        let failure = Failure::of(Kind::Device, &error);
        match error {
            BackupError::Token(hsm::HsmError::KeyNotFound { .. })
            | BackupError::BackupKey { .. } => failure.with_hint(
                "zimogs hsm ceremony split aes256 --label backup --as backup … makes the key",
            ),
            _ => failure,
        }
    })?;
    let bytes = backup.to_bytes();
    write_new(&options.out, &bytes)?;
    let (digest, keys) = (hsm::sha256_hex(&bytes), backup.manifest().keys.len());
    if options.token.json {
        output::json(&json!({
            "file": options.out.display().to_string(), "sha256": digest,
            "files": files.len(), "manifest": backup.manifest(),
        }))?;
    } else {
        output::line(&format!(
            "{}: {keys} keys, sealed under \"{}\" (check value {})\nSHA-256 {digest}",
            options.out.display(),
            options.key,
            backup.manifest().backup_key_kcv,
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the folder of SoftHSM2's tokens, or says how other tokens are backed up.
pub(crate) fn tokens(place: &Place) -> Result<PathBuf, Failure> {
    match &place.tokens {
        Some(folder) => Ok(folder.join("tokens")),
        None => Err(Failure::new(
            Kind::Refused,
            format!(
                "token \"{}\" has no folder (tokens = …) that could be copied",
                place.label
            ),
        )
        .with_hint(
            "a network HSM is backed up by its maker's own means: the file of its kind says which",
        )),
    }
}

/// Reads the token's files until two readings are the same: another program may be writing.
fn stable_files(tokens: &Path, serial: &str) -> Result<Vec<BackupFile>, Failure> {
    let unreadable = |error: std::io::Error| {
        let fault = format!("{} cannot be read: {error}", tokens.display());
        Failure::new(Kind::Failed, fault)
    };
    let folder = folder_of(tokens, serial).map_err(unreadable)?;
    let folder = folder.ok_or_else(|| {
        let fault = format!("{} has no token {serial}", tokens.display());
        Failure::new(Kind::Failed, fault)
    })?;
    let mut before = read_files(tokens, &folder).map_err(unreadable)?;
    for _ in 0..READS {
        let now = read_files(tokens, &folder).map_err(unreadable)?;
        if now == before {
            return Ok(now);
        }
        before = now;
    }
    Err(
        Failure::new(Kind::Failed, "the token's files change all the time")
            .with_hint("stop what makes keys in it, and try again"),
    )
}

/// Returns the token's folder: SoftHSM 2.6.1 names it by a UUID of which the serial number is the
/// last sixteen digits.
fn folder_of(tokens: &Path, serial: &str) -> std::io::Result<Option<String>> {
    for entry in fs::read_dir(tokens)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.replace('-', "").ends_with(serial) {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

fn read_files(tokens: &Path, folder: &str) -> std::io::Result<Vec<BackupFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(tokens.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // Locks are empty, and made anew by whoever needs one.
        if name.ends_with(".lock") || !entry.file_type()?.is_file() {
            continue;
        }
        files.push(BackupFile {
            path: format!("{folder}/{name}"),
            content: Zeroizing::new(fs::read(entry.path())?),
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        let fault = format!("{} cannot be made: {error}", path.display());
        match error.kind() {
            ErrorKind::AlreadyExists => Failure::new(Kind::Refused, fault)
                .with_hint("name another file: a backup is never written over"),
            _ => Failure::new(Kind::Failed, fault),
        }
    })
}
