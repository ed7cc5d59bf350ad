//! The demo's figures: commands and bytes a card, documents a minute, each beside its limit.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use document::Record;
use profile::{ChipProfile, DocumentProfile, Plan};
use serde_json::{Value, json};
use vcard::farm::Farm;

use crate::chips::shelf;
use crate::fewest::{Certificates, Fewest, known};
use crate::{Measured, Row, in_turns, wire};

/// How many slots the demo has.
const SLOTS: usize = 2;

const COMMANDS: &str = "demo commands a card";
const BYTES: &str = "demo bytes a card";
const RATE: &str = "demo documents a minute, two slots";

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    [COMMANDS, BYTES, RATE].map(str::to_owned).to_vec()
}

/// Measures.
pub(crate) fn rows(documents: usize) -> Measured {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let before = Wire::measure()?;
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
    let wire = before.or_better(&Wire::measure()?);
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr);
        return Err(format!("the demo failed: {why}").into());
    }
    let report: Value = serde_json::from_slice(&made.stdout)?;

    // A card with two certificates is the rule; children's cards are smaller.
    let mut adult = None;
    let mut all = 0;
    let documents = report["documents"].as_array().ok_or("no documents")?;
    for document in documents {
        let certificates = certificates(document, &data)?;
        let fewest = fewest(&certificates)?;
        all += fewest.commands;
        if certificates.len() == 2 {
            adult.get_or_insert((document, fewest));
        }
    }
    let (adult, fewest) = adult.ok_or("no document has two certificates")?;
    let of_chip = |what: &str| {
        adult["chips"][0][what]
            .as_f64()
            .ok_or("a figure is missing")
    };
    let rate = report["totals"]["documents_per_minute"]
        .as_f64()
        .ok_or("no rate")?;
    let average = all as f64 / documents.len() as f64;
    let limit = 60.0 * documents.len() as f64 / wire.least(documents.len(), average);
    Ok(vec![
        Row::new(
            COMMANDS,
            of_chip("commands")?,
            "commands",
            fewest.commands as f64,
        ),
        Row::new(BYTES, of_chip("bytes")?, "bytes", fewest.bytes as f64),
        Row::new(RATE, rate, "a minute", limit),
    ])
}

/// Returns a document's certificates by the names of their keys, DER.
fn certificates(document: &Value, data: &Path) -> Result<Certificates, Box<dyn Error>> {
    let number = document["number"].as_str().ok_or("no number")?;
    let mut certificates = Vec::new();
    for certificate in document["certificates"].as_array().into_iter().flatten() {
        let key = certificate["key"]
            .as_str()
            .ok_or("a certificate of no key")?;
        let file = data.join(format!("certificates/{number}-{key}.der"));
        certificates.push((key.to_owned(), fs::read(file)?));
    }
    Ok(certificates)
}

/// Returns the least for a document of the demo: without certificates it is a child's, on whose
/// chip are no keys.
fn fewest(certificates: &[(String, Vec<u8>)]) -> Result<Fewest, Box<dyn Error>> {
    let birth = if certificates.is_empty() {
        "2020-01-12"
    } else {
        "1990-01-12"
    };
    let record: Record = serde_json::from_value(json!({
        "number": "XA0000001", "kind": "id-card",
        "issued": "2026-03-02", "expires": "2036-03-01",
        "holder": {
            "surname": "Izdomāta", "given_names": "Anna", "personal_code": "120190-12347",
            "birth_date": birth, "sex": "F", "nationality": "LVA",
        },
        "certificates": true,
    }))?;
    let chip = Arc::new(ChipProfile::load(&shelf("chips")?, "lateid-v2")?);
    let document = DocumentProfile::load(&shelf("documents")?, "eid-card")?;
    let wanted = document.chips.first().ok_or("the document has no chip")?;
    let plan = Plan::new(chip, &document.name, wanted, &record)?;
    Fewest::of(&plan, &known(&plan, &record, certificates)?)
}

/// What the virtual reader costs alone.
struct Wire {
    /// Seconds a command.
    latency: f64,
    /// Seconds to change a card.
    swap: f64,
}

impl Wire {
    /// Measures both in a farm of its own.
    fn measure() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let farm = Farm::start(&beside("vcard")?, &folder.path().join("farm"), 1)?;
        let chip = folder.path().join("chip.json");
        wire::blank(&chip)?;
        let mut hands = farm.client()?;
        hands.insert(0, &chip, None)?;
        let [swap] = in_turns([&mut || {
            let started = Instant::now();
            hands.remove(0)?;
            hands.insert(0, &chip, None)?;
            Ok(started.elapsed().as_secs_f64())
        }])?;
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
        Ok(Self { latency, swap })
    }

    /// Returns the seconds in which no demo can make so many documents of so many commands each:
    /// each slot changes its card between two documents, and its last one's commands pass. What is
    /// sent in vain makes the rate worse and not this. Other commands do not count: the service
    /// looks for cards at fixed times, and they may pass while it would not look anyway.
    fn least(&self, documents: usize, commands: f64) -> f64 {
        let changes = documents.div_ceil(SLOTS).saturating_sub(1);
        changes as f64 * self.swap + commands * self.latency
    }

    /// Returns the better of two measurements, before the demo and after it.
    fn or_better(&self, other: &Self) -> Self {
        Self {
            latency: self.latency.min(other.latency),
            swap: self.swap.min(other.swap),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_card_is_not_changed() {
        let wire = Wire {
            latency: 0.01,
            swap: 0.8,
        };
        for (documents, least) in [(1, 0.5), (2, 0.5), (3, 1.3), (20, 7.7)] {
            let got = wire.least(documents, 50.0);
            assert!((got - least).abs() < 1e-9, "{documents}: {got}");
        }
    }
}
