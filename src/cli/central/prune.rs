//! `zimogs central prune`: removes backups whose time is over, and never the last one that is good.
//!
//! ```text
//!   folder ─► whole backups of this installation, newest first ─► beyond `keep` or `days`
//!                    │ the newest that verifies is kept, whatever its age      │ noted in the log
//!                    └─ none verifies: nothing is removed                      └─► removed
//! ```
//!
//! What has no manifest is being made, or was never finished, and is left; so is what is of another
//! installation.

use std::fs;
use std::io;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::central::backup::{FILES, MANIFEST, Manifest, verified};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::installation::Installation;
use crate::cli::{files, output};

/// Backups to remove.
#[derive(Args)]
pub(crate) struct Prune {
    /// The folder in which each backup is a folder.
    backups: PathBuf,
    /// How many are kept, in the place of `[backups] keep`.
    #[arg(long, value_name = "BACKUPS")]
    keep: Option<NonZeroUsize>,
    /// For how many days they are kept, in the place of `[backups] days`.
    #[arg(long, value_name = "DAYS")]
    days: Option<NonZeroU16>,
    /// Says which would be removed, and removes none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
}

/// A whole backup.
struct Found {
    folder: PathBuf,
    name: String,
    manifest: Manifest,
}

/// Removes the backups whose time is over.
pub(crate) fn run(options: &Prune) -> Result<(), Failure> {
    let installation = options.place.installation()?;
    let mut retention = installation.retention();
    retention.keep = options.keep.or(retention.keep);
    retention.days = options.days.or(retention.days);
    if retention.is_silent() {
        return match options.place.json() {
            true => told(options, &[], 0, None, &[]),
            false => output::line(
                "nothing is pruned: neither [backups] of installation.toml nor --keep or --days says what is kept",
            ),
        };
    }
    options
        .place
        .with_central("administrator", async |central, actor| {
            let found = list(&options.backups, &installation)?;
            let now = Timestamp::now();
            let mut over: Vec<_> = found
                .iter()
                .enumerate()
                .filter(|(newer, one)| !retention.keeps(*newer, one.manifest.made, now))
                .map(|(_, one)| one)
                .collect();
            if over.is_empty() {
                return told(options, &[], found.len(), None, &[]);
            }
            let (good, faults) = newest_that_verifies(&found).await;
            let Some(good) = good else {
                let message = format!(
                    "none of the {} backups in {} verifies, and nothing is pruned: {}",
                    found.len(),
                    options.backups.display(),
                    faults.join("; ")
                );
                return Err(Failure::new(Kind::Integrity, message).with_hint(
                    "make one now (zimogs central backup), and find out what altered these",
                ));
            };
            over.retain(|one| one.name != good.name);
            let kept = found.len() - over.len();
            if !options.dry_run && !over.is_empty() {
                central.note_pruned(&actor, over.len(), kept).await?;
                for one in &over {
                    remove(&one.folder).or_fail(Kind::Failed)?;
                }
            }
            told(options, &over, kept, Some(good), &faults)
        })
}

/// Returns the whole backups of an installation in a folder, the newest first.
fn list(folder: &Path, installation: &Installation) -> Result<Vec<Found>, Failure> {
    let unreadable = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", folder.display());
        Failure::new(Kind::Usage, message).with_hint("name the folder that the backups are in")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (folder, name) = (entry.path(), entry.file_name());
        // A link may lead anywhere.
        if !entry.file_type().map_err(unreadable)?.is_dir() {
            continue;
        }
        let Ok(text) = files::read(&folder.join(MANIFEST), files::SHORT) else {
            continue;
        };
        let Ok(manifest) = serde_json::from_slice(&text) else {
            continue;
        };
        let own = Installation::open(&folder.join(FILES));
        if !own.is_ok_and(|own| own.origin() == installation.origin()) {
            continue;
        }
        found.push(Found {
            name: name.to_string_lossy().into_owned(),
            folder,
            manifest,
        });
    }
    found.sort_by(|a, b| (b.manifest.made, &b.name).cmp(&(a.manifest.made, &a.name)));
    Ok(found)
}

/// Returns the newest backup that verifies, and what is wrong with those that are newer.
async fn newest_that_verifies(found: &[Found]) -> (Option<&Found>, Vec<String>) {
    let mut faults = Vec::new();
    for one in found {
        match verified(&one.folder, &one.manifest).await {
            Ok(()) => return (Some(one), faults),
            Err(failure) => faults.push(format!("{}: {}", one.name, failure.message())),
        }
    }
    (None, faults)
}

/// Removes a backup, its manifest first: what is left of it, should this be cut off, is none.
fn remove(folder: &Path) -> io::Result<()> {
    let gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    gone(fs::remove_file(folder.join(MANIFEST)))?;
    gone(fs::remove_dir_all(folder))
}

fn told(
    options: &Prune,
    over: &[&Found],
    kept: usize,
    good: Option<&Found>,
    faults: &[String],
) -> Result<(), Failure> {
    let names: Vec<_> = over.iter().map(|one| &one.name).collect();
    let good = good.map(|one| &one.name);
    if options.place.json() {
        return output::json(&json!({
            "pruned": names, "kept": kept, "verified": good, "faults": faults, "dry_run": options.dry_run,
        }));
    }
    for fault in faults {
        output::line(&format!("does not verify: {fault}"))?;
    }
    let word = match options.dry_run {
        true => "would be",
        false => "is",
    };
    for name in names {
        output::line(&format!("{name} {word} removed"))?;
    }
    output::line(&match good {
        Some(good) => format!("{kept} backups are kept; {good} is the newest that verifies"),
        None => format!("{kept} backups are kept, and none is over its time"),
    })
}
