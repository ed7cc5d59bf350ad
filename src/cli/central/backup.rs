//! `zimogs central backup` and `restore`.
//!
//! ```text
//! BACKUP/
//!   central.db        the store's database as of one moment
//!   installation/     installation.toml, releases, travel authorities … of the folder
//!   manifest.json     SHA-256 of each, and how far the log goes: written last
//! ```
//!
//! Where the books are on a PostgreSQL server, that copies them by its own programs. Then the log's
//! `checkpoint` takes the place of `central.db`, and a restored server has to reach as far.
//!
//! The token is no part of it (`zimogs hsm backup`), nor is a station's journal: it goes on where
//! it is, and what it did since the backup is in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use central::{CentralError, DatabaseSource, JudgedLog, judge_copy, judge_database, mark_restored};
use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::card::runs::write_whole;
use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::installation::Installation;
use crate::cli::{files, output};

const DATABASE: &str = "central.db";
pub(super) const FILES: &str = "installation";
const CHECKPOINT: &str = "checkpoint";
pub(super) const MANIFEST: &str = "manifest.json";
/// What of an installation's folder a backup has no part of: the token, the station's journal, what
/// registers sent in the clear, and the database, which is copied otherwise.
const APART: [&str; 6] = [
    "token",
    "station",
    "registers",
    DATABASE,
    "central.db-wal",
    "central.db-shm",
];
/// How many numbers of each series a restored store passes over: several days of a busy office.
pub(crate) const PASS_OVER: u32 = 10_000;
/// The longest file of an installation, in bytes.
const MAX_FILE: usize = 64 << 20;
/// How deep its folders are.
const MAX_DEPTH: usize = 8;

/// A backup to make.
#[derive(Args)]
pub(crate) struct Backup {
    /// The folder to make, which is not there yet.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A backup to make an installation of.
#[derive(Args)]
pub(crate) struct Restore {
    /// The backup's folder.
    backup: PathBuf,
    /// The folder to make, which is not there yet.
    #[arg(long)]
    data: PathBuf,
    /// The latest checkpoint of the log that is known: `checkpoint` in an audit export, say.
    #[arg(long, value_name = "FILE", required_unless_present = "without_witness")]
    witness: Option<PathBuf>,
    /// No checkpoint is known: nobody can tell whether the backup is the last.
    #[arg(long, conflicts_with = "witness")]
    without_witness: bool,
    /// Goes on although the witness covers entries that the backup lacks. What came after the backup
    /// is lost; the log says so, and parts from what was exported since.
    #[arg(long, requires = "witness")]
    accept_loss: bool,
    /// How many numbers of each series are passed over: more than may have been given since the
    /// backup was made. They are void.
    #[arg(long, value_name = "NUMBERS", default_value_t = PASS_OVER, value_parser = clap::value_parser!(u32).range(..=9_999_999))]
    pass_over: u32,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// A database to judge.
#[derive(Args)]
pub(crate) struct Verify {
    /// The installation's folder.
    #[arg(long)]
    data: PathBuf,
    /// The latest checkpoint of the log that is known: `checkpoint` in an audit export, say.
    #[arg(long, value_name = "FILE", required_unless_present = "without_witness")]
    witness: Option<PathBuf>,
    /// No checkpoint is known: nobody can tell whether entries are missing at the end.
    #[arg(long, conflicts_with = "witness")]
    without_witness: bool,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What a backup consists of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    pub(super) made: Timestamp,
    /// SHA-256 of each file in hexadecimal, by its path.
    files: BTreeMap<String, String>,
    /// How many entries the log has under its last checkpoint.
    entries: u64,
}

/// Makes a backup.
pub(crate) fn make(options: &Backup) -> Result<(), Failure> {
    let out = &options.out;
    let installation = options.place.installation()?;
    let folder = installation.folder().to_owned();
    let source = installation.database()?;
    let (log, name, digest) =
        options
            .place
            .with_central("administrator", async |central, actor| {
                // Not before: this program starts itself again to find the token.
                make_folder(out)?;
                if let DatabaseSource::Sqlite(_) = source {
                    let copied = central.back_up(&actor, &out.join(DATABASE)).await?;
                    return Ok((copied.log, DATABASE, hex::encode(copied.digest)));
                }
                let log = central.back_up_beside(&actor).await?;
                let note = log.checkpoint.as_bytes();
                write_private(&out.join(CHECKPOINT), note).or_fail(Kind::Failed)?;
                let digest = hex::encode(Sha256::digest(note));
                Ok((log, CHECKPOINT, digest))
            })?;
    let mut files = BTreeMap::from([(name.to_owned(), digest.clone())]);
    make_folder(&out.join(FILES))?;
    copy(&folder, &out.join(FILES), FILES, MAX_DEPTH, &mut files)?;
    let manifest = Manifest {
        format: 1,
        made: Timestamp::now(),
        files,
        entries: log.entries,
    };
    let text = serde_json::to_vec_pretty(&manifest).or_fail(Kind::Failed)?;
    write_whole(&out.join(MANIFEST), &text).or_fail(Kind::Failed)?;
    if options.place.json() {
        return told(out, &digest, &log);
    }
    match &source {
        DatabaseSource::Sqlite(_) => output::line(&format!(
            "the store, with {} entries in its log, is backed up to {}",
            log.entries,
            out.display()
        ))?,
        DatabaseSource::Postgres(server) => output::line(&format!(
            "what lies beside {server}, with {} entries in its log, is backed up to {}; the books themselves are not: the server copies them (pg_basebackup, and archived WAL)",
            log.entries,
            out.display()
        ))?,
    }
    output::line("the token is no part of it: zimogs hsm backup")
}

/// Makes an installation of a backup.
pub(crate) fn restore(options: &Restore) -> Result<(), Failure> {
    let text = files::read(&options.backup.join(MANIFEST), files::SHORT)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|_| {
        Failure::new(
            Kind::Integrity,
            format!(
                "{} is no whole backup: its manifest does not read",
                options.backup.display()
            ),
        )
    })?;
    for (name, digest) in &manifest.files {
        check(&options.backup, name, digest)?;
    }
    let witness = options
        .witness
        .as_ref()
        .map(|path| files::read(path, files::SHORT))
        .transpose()?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    let mut lost = None;
    let (log, digest) = match manifest.files.get(DATABASE) {
        Some(digest) => {
            let database = options.backup.join(DATABASE);
            let judged = runtime.block_on(judge_copy(&database, witness.as_deref()));
            let copied = match judged {
                Err(CentralError::Lacking { entries, seen }) if options.accept_loss => {
                    lost = Some(seen - entries);
                    runtime.block_on(judge_copy(&database, None))?
                }
                judged => judged?,
            };
            if *digest != hex::encode(copied.digest) {
                return Err(damaged(DATABASE, "is another than was written"));
            }
            (copied.log, digest.clone())
        }
        None => {
            let own = files::read(&options.backup.join(CHECKPOINT), files::SHORT)?;
            let source = Installation::open(&options.backup.join(FILES))?.database()?;
            // The backup's own checkpoint is known too, and may be of later than the witness.
            for seen in [Some(&own[..]), witness.as_deref()] {
                match runtime.block_on(judge_database(&source, seen)) {
                    Err(CentralError::Lacking { entries, seen }) if options.accept_loss => {
                        lost = lost.max(Some(seen - entries));
                    }
                    judged => drop(judged?),
                }
            }
            let log = runtime.block_on(judge_database(&source, None))?;
            (log, hex::encode(Sha256::digest(&own)))
        }
    };

    make_folder(&options.data)?;
    make_folder(&options.data.join("station"))?;
    for name in manifest.files.keys().filter(|name| *name != CHECKPOINT) {
        let to = match Path::new(name).strip_prefix(FILES) {
            Ok(inside) => options.data.join(inside),
            Err(_) => options.data.join(name),
        };
        if let Some(folder) = to.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .or_fail(Kind::Failed)?;
        }
        fs::copy(options.backup.join(name), &to).or_fail(Kind::Failed)?;
    }
    let restored = match manifest.files.contains_key(DATABASE) {
        true => DatabaseSource::Sqlite(options.data.join(DATABASE)),
        false => Installation::open(&options.data)?.database()?,
    };
    // To which moment a server brought its books back, this program is not told.
    let copied = manifest.files.get(DATABASE).map(|_| manifest.made);
    let now = Timestamp::now();
    runtime.block_on(mark_restored(
        &restored,
        now,
        copied,
        lost,
        options.pass_over,
    ))?;
    if options.json {
        return told(&options.data, &digest, &log);
    }
    output::line(&format!(
        "the store, with {} entries in its log, is restored to {}",
        log.entries,
        options.data.display()
    ))?;
    output::line(
        "next: bring its token back (zimogs hsm restore), and start it; it gives work once its stations have reconciled: zimogs central reconcile status",
    )
}

/// Judges a backup by itself: every file by its digest, and the books where they are in it.
pub(super) async fn verified(backup: &Path, manifest: &Manifest) -> Result<(), Failure> {
    for (name, digest) in &manifest.files {
        check(backup, name, digest)?;
    }
    match manifest.files.get(DATABASE) {
        Some(digest) => {
            let copied = judge_copy(&backup.join(DATABASE), None).await?;
            match *digest == hex::encode(copied.digest) {
                true => Ok(()),
                false => Err(damaged(DATABASE, "is another than was written")),
            }
        }
        None if manifest.files.contains_key(CHECKPOINT) => Ok(()),
        None => Err(damaged(DATABASE, "is not named in its manifest")),
    }
}

/// Judges the database of an installation.
pub(crate) fn verify(options: &Verify) -> Result<(), Failure> {
    let witness = options.witness.as_ref();
    let witness = witness.map(|path| files::read(path, files::SHORT));
    let witness = witness.transpose()?;
    let source = Installation::open(&options.data)?.database()?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    let log = runtime.block_on(judge_database(&source, witness.as_deref()))?;
    if options.json {
        return output::json(&json!({
            "entries": log.entries, "waiting": log.waiting, "key": log.key, "checkpoint": log.checkpoint,
        }));
    }
    output::line(&format!(
        "the log is whole: {} entries under its last checkpoint, and {} that wait for the next",
        log.entries, log.waiting
    ))
}

/// Tells a program what was made; `sha256` is the database's, or of the checkpoint of one on a server.
fn told(folder: &Path, sha256: &str, log: &JudgedLog) -> Result<(), Failure> {
    output::json(&json!({
        "folder": folder, "sha256": sha256, "entries": log.entries, "waiting": log.waiting,
        "key": log.key, "checkpoint": log.checkpoint,
    }))
}

/// Makes a folder for this user only.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("the folder {} cannot be made: {error}", folder.display()),
        )
        .with_hint("name one that is not there yet")
    })
}

/// Copies the files of an installation, and notes what each hashes to.
fn copy(
    from: &Path,
    to: &Path,
    name: &str,
    depth: usize,
    files: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    for entry in fs::read_dir(from).or_fail(Kind::Failed)? {
        let entry = entry.or_fail(Kind::Failed)?;
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        let kind = entry.file_type().or_fail(Kind::Failed)?;
        let (path, name) = (entry.path(), format!("{name}/{file}"));
        if depth == MAX_DEPTH && APART.contains(&file) {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            make_folder(&to.join(file))?;
            copy(&path, &to.join(file), &name, depth - 1, files)?;
        } else if kind.is_file() {
            let bytes = crate::cli::files::read(&path, MAX_FILE)?;
            write_private(&to.join(file), &bytes).or_fail(Kind::Failed)?;
            files.insert(name, hex::encode(Sha256::digest(&bytes)));
        }
    }
    Ok(())
}

/// Writes a new file for this user only: a server's key may be among them.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Checks that a file of a backup is there as it was written. The database is judged by itself.
fn check(backup: &Path, name: &str, digest: &str) -> Result<(), Failure> {
    let inside = Path::new(name);
    let is_plain = |part| matches!(part, Component::Normal(_));
    if !inside.components().all(is_plain) {
        return Err(damaged("a file", "has a name that leads out of it"));
    }
    if name == DATABASE {
        return Ok(());
    }
    let bytes = files::read(&backup.join(inside), MAX_FILE)
        .map_err(|_| damaged(name, "is missing or too long"))?;
    match hex::encode(Sha256::digest(&bytes)) == digest {
        true => Ok(()),
        false => Err(damaged(name, "is another than was written")),
    }
}

fn damaged(name: &str, how: &str) -> Failure {
    Failure::new(Kind::Integrity, format!("{name} in the backup {how}"))
        .with_hint("take another backup")
}
