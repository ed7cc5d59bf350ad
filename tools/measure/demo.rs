//! The demo's figures: commands and bytes a card, documents a minute, each beside its limit.

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use vcard::farm::Farm;

use crate::{Measured, Row, plan, wire};

/// How many slots the demo has.
const SLOTS: usize = 2;

/// Measures.
pub(crate) fn rows(documents: usize) -> Measured {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let made = Command::new(beside("zimogs")?)
        .args([
            "demo",
            "--exit-when-done",
            "--json",
            "--documents",
            &documents.to_string(),
            "--data",
        ])
        .arg(&data)
        .output()?;
    let report: Value = serde_json::from_slice(&made.stdout)
        .map_err(|_| format!("the demo failed: {}", String::from_utf8_lossy(&made.stderr)))?;
    let mut rows = Vec::new();

    // A card with two certificates is the rule; children's cards are smaller.
    let documents: Vec<_> = report["documents"]
        .as_array()
        .ok_or("no documents")?
        .clone();
    let adult = documents.iter().find(|document| {
        document["certificates"]
            .as_array()
            .is_some_and(|list| list.len() == 2)
    });
    let adult = adult.ok_or("no document has two certificates")?;
    let number = adult["number"].as_str().ok_or("no number")?;
    let mut certificates = Vec::new();
    for key in ["authentication", "signature"] {
        let der = std::fs::read(data.join(format!("certificates/{number}-{key}.der")))?;
        certificates.push((key.to_owned(), der.len()));
    }
    let (plan, record) = plan::adult()?;
    let commands = adult["chips"][0]["commands"]
        .as_f64()
        .ok_or("no commands")?;
    let bytes = adult["chips"][0]["bytes"].as_f64().ok_or("no bytes")?;
    let fewest = plan::fewest_commands(&plan, &record, &certificates)?;
    rows.push(Row::new(
        "demo commands a card",
        commands,
        "commands",
        fewest as f64,
    ));
    // Every file is written once and read back once; it cannot be less.
    let payload = 2 * plan::payload(&plan, &record, &certificates)?;
    rows.push(Row::new(
        "demo bytes a card",
        bytes,
        "bytes",
        payload as f64,
    ));

    let Wire { latency, swap } = measure_wire()?;
    let rate = report["totals"]["documents_per_minute"]
        .as_f64()
        .ok_or("no rate")?;
    // No faster than cards can be changed and commands can pass.
    let limit = 60.0 * SLOTS as f64 / (swap + commands * latency);
    rows.push(Row::new(
        "demo documents a minute, two slots",
        rate,
        "a minute",
        limit,
    ));
    Ok(rows)
}

/// What the virtual reader costs alone.
struct Wire {
    /// Seconds a command.
    latency: f64,
    /// Seconds to change a card.
    swap: f64,
}

/// How often a card is changed for the measurement.
const SWAPS: u32 = 5;

fn measure_wire() -> Result<Wire, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let farm = Farm::start(&beside("vcard")?, &folder.path().join("farm"), 1)?;
    let chip = folder.path().join("chip.json");
    wire::blank(&chip)?;
    let mut hands = farm.client()?;
    hands.insert(0, &chip, None)?;
    let started = Instant::now();
    for _ in 0..SWAPS {
        hands.remove(0)?;
        hands.insert(0, &chip, None)?;
    }
    let swap = started.elapsed().as_secs_f64() / f64::from(SWAPS);
    let reader = farm.readers().first().ok_or("no reader")?;
    // In another process, whose environment names the farm's pcscd.
    let output = Command::new(beside("measure")?)
        .args(["--wire", reader])
        .env("PCSCLITE_CSOCK_NAME", farm.pcsc())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let latency = text.parse().map_err(|_| {
        format!(
            "the wire could not be measured: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    Ok(Wire { latency, swap })
}

/// Returns a program that was built beside this one.
pub(crate) fn beside(program: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name(program);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!("{} is not built", path.display()).into())
    }
}
