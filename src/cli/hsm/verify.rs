//! `zimogs hsm ceremony verify`: whether a key protocol holds, and what is in it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hsm::{Act, SignedEntry, Stage, verify_protocol};
use serde_json::json;

use crate::cli::card::tables::headed;
use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::ledger::files;
use crate::cli::hsm::officers::refused;
use crate::cli::{output, releases};

/// Verifies a key protocol, and tells what was done. Needs nothing but the files.
///
/// A single entry is verified by itself: signed by two officers, nothing said of what was before.
/// The digest of the last entry is what an auditor keeps: entries cut off at the end show by it.
#[derive(Args)]
pub(crate) struct Verify {
    /// The folder of the protocol, or one entry of it.
    #[arg(value_name = "PROTOCOL")]
    path: PathBuf,
    /// Those whose signatures count: one verifier key a line, former officers' too.
    #[arg(long, value_name = "FILE", required = true)]
    officers: Vec<PathBuf>,
    /// The digest of the last entry that was seen before; it must be among these.
    #[arg(long, value_name = "HEX")]
    seen: Option<String>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Verify) -> Result<ExitCode, Failure> {
    let mut officers = Vec::new();
    for path in &options.officers {
        officers.extend_from_slice(releases::releasers(path)?.keys());
    }
    let files = files(&options.path)?;
    let mut entries = Vec::new();
    for file in &files {
        entries.push(SignedEntry::parse(file).map_err(|error| refused(&error))?);
    }
    let whole = options.path.is_dir();
    let (last, open) = if whole {
        let all = files.iter().map(Vec::as_slice);
        let report = verify_protocol(all, &officers).map_err(|error| refused(&error))?;
        (report.last, report.open)
    } else {
        for entry in &entries {
            entry.verify(&officers).map_err(|error| refused(&error))?;
        }
        (files.first().map(|file| hsm::sha256_hex(file)), Vec::new())
    };
    if let Some(seen) = &options.seen
        && !files
            .iter()
            .any(|file| hsm::sha256_hex(file) == seen.to_ascii_lowercase())
    {
        let fault = format!("no entry has the digest {seen} that was seen before");
        return Err(Failure::new(Kind::Integrity, fault)
            .with_hint("entries were cut off, or this is another protocol"));
    }
    if options.json {
        let entries: Vec<_> = entries.iter().map(SignedEntry::entry).collect();
        output::json(&json!({ "whole": whole, "last": last, "open": open, "entries": entries }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = headed(["entry", "time", "officers", "token", "act", "stage"]);
    for signed in &entries {
        let entry = signed.entry();
        table.add_row([
            entry.number.to_string(),
            entry.time.clone(),
            entry.officers.join(", "),
            entry.token.label.clone(),
            act(&entry.act),
            stage(&entry.stage),
        ]);
    }
    output::line(&table.to_string())?;
    for number in &open {
        output::line(&format!(
            "order {number} is open: nothing says what came of it"
        ))?;
    }
    output::line(&format!(
        "{} entries, each signed by two officers{}; the last one's digest is {}",
        entries.len(),
        if whole { ", none missing" } else { "" },
        last.as_deref().unwrap_or("-")
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn act(act: &Act) -> String {
    match act {
        Act::Initialize => "initialize".to_owned(),
        Act::Generate { label, key } => format!("generate {key} \"{label}\""),
        Act::Import {
            label, role, zone, ..
        } => format!("import {role} \"{label}\" under \"{zone}\""),
        Act::Destroy { label } => format!("destroy \"{label}\""),
        Act::Split {
            label,
            key,
            role,
            threshold,
            custodians,
        } => format!(
            "split {key} {role} \"{label}\", {threshold} of {}: {}",
            custodians.len(),
            custodians.join(", ")
        ),
        Act::Join {
            label, custodians, ..
        } => format!("join \"{label}\": {}", custodians.join(", ")),
        Act::Components {
            label, custodians, ..
        } => format!("components of \"{label}\": {}", custodians.join(", ")),
        Act::Restore { custodians, .. } => format!("restore: {}", custodians.join(", ")),
    }
}

fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Ordered => "ordered".to_owned(),
        Stage::Done { order, keys, .. } => {
            let kcvs = keys.iter().filter_map(|key| key.kcv.as_deref());
            let kcvs: Vec<_> = kcvs.collect();
            match &kcvs[..] {
                [kcv] => format!("done (order {order}), check value {kcv}"),
                _ => format!("done (order {order})"),
            }
        }
        Stage::Failed { order, fault } => format!("failed (order {order}): {fault}"),
    }
}
