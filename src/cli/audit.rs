//! `zimogs audit`: the tamper-evident log, for those who check it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{ExportReader, ReadError, Trust, VerifierKey, VerifyError, verify_export};
use clap::{Args, Subcommand};

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Exports and verifies the audit log.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Writes the whole log as C2SP tiles, with its signed checkpoint and its public key. Example:
    /// zimogs audit export --data FOLDER --out LOG
    Export(Export),
    /// Verifies an exported log: needs nothing but its files and the public key. Example:
    /// zimogs audit verify LOG --key LOG/audit.key
    Verify(Verify),
}

/// Options of `audit export`.
#[derive(Args)]
pub(crate) struct Export {
    #[command(flatten)]
    place: Place,
    /// The folder for the files; made where it is missing.
    #[arg(long)]
    out: PathBuf,
}

/// Options of `audit verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// The exported log.
    #[arg(value_name = "DIR", required_unless_present = "data")]
    folder: Option<PathBuf>,
    /// The exported log (the same as DIR).
    #[arg(long, conflicts_with = "folder")]
    data: Option<PathBuf>,
    /// File with the log's public key (name+hash+key). The one beside the log is only as
    /// trustworthy as the log: keep your own.
    #[arg(long)]
    key: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// The name of the public key's file beside an exported log.
pub(crate) const KEY_FILE: &str = "audit.key";

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Export(options) => export(options),
        Command::Verify(options) => verify(options),
    }
}

fn export(options: &Export) -> Result<ExitCode, Failure> {
    options.place.with_central("auditor", async |central, actor| {
        std::fs::create_dir_all(&options.out).or_fail(Kind::Failed)?;
        let exported = central.export_audit(&actor, &options.out).await?;
        let key = central.audit_key().to_string();
        std::fs::write(options.out.join(KEY_FILE), format!("{key}\n")).or_fail(Kind::Failed)?;
        if options.place.json() {
            return output::json(&serde_json::json!({
                "entries": exported.entries, "files": exported.files, "root": exported.root.to_string(), "key": key,
            }));
        }
        output::line(&format!(
            "{} entries in {} files under {}\nroot {}\nkey  {key}",
            exported.entries,
            exported.files,
            options.out.display(),
            exported.root
        ))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn verify(options: &Verify) -> Result<ExitCode, Failure> {
    let folder = options.folder.as_ref().or(options.data.as_ref());
    let Some(folder) = folder else {
        return Err(Failure::new(Kind::Usage, "which log? name its folder"));
    };
    if folder.join("installation.toml").is_file() && !folder.join("checkpoint").exists() {
        return Err(Failure::new(
            Kind::Usage,
            format!(
                "{} is an installation, not an exported log",
                folder.display()
            ),
        )
        .with_hint(format!(
            "zimogs audit export --data {} --out LOG",
            folder.display()
        )));
    }
    let own = folder.join(KEY_FILE);
    let path = options.key.as_ref().unwrap_or(&own);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!(
                "the log's public key cannot be read from {}: {error}",
                path.display()
            ),
        )
        .with_hint("name its file: --key FILE")
    })?;
    let key: VerifierKey = text.trim().parse().or_fail(Kind::Usage)?;
    let verified = verify_export(
        &mut Files(folder),
        Trust {
            log: &key,
            witnesses: &[],
        },
    );
    match verified {
        Ok(report) => {
            if options.json {
                output::json(&serde_json::json!({
                    "verdict": "passed", "entries": report.entries, "root": report.root.to_string(),
                }))?;
            } else {
                output::line(&format!(
                    "passed: {} entries, root {}, signed by {key}",
                    report.entries, report.root
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(VerifyError::Faulty(faults)) => {
            if options.json {
                let faults: Vec<_> = faults.faults().iter().map(ToString::to_string).collect();
                output::json(&serde_json::json!({ "verdict": "failed", "faults": faults }))?;
            }
            Err(Failure::new(
                Kind::Integrity,
                format!("the log was altered: {faults}"),
            ))
        }
        Err(error) => Err(Failure::of(Kind::Failed, &error)),
    }
}

/// An exported log in a folder.
struct Files<'a>(&'a Path);

impl ExportReader for Files<'_> {
    fn read(&mut self, path: &str, longest: usize) -> Result<Vec<u8>, ReadError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => ReadError::Missing,
            _ => ReadError::Failed(Box::new(error)),
        };
        let file = std::fs::File::open(self.0.join(path)).map_err(failed)?;
        let mut bytes = Vec::new();
        // One byte more than may be, so that a file that is too long is seen to be.
        file.take(longest as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() > longest {
            return Err(ReadError::TooLong);
        }
        Ok(bytes)
    }
}
