//! Every shipped chip by its profile alone, over real PC/SC: commands and bytes of a whole
//! personalization, beside the fewest that the plan's work needs, and beside the chip's usual
//! tool. And what reading and proving all profiles takes.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use document::Record;
use profile::{ChipProfile, DocumentProfile, Explanation, Plan, Shelf};
use serde_json::{Value, json};
use vcard::farm::{Client, Farm};
use vcard::{Chip, ChipNumber, FileStore, Product, TransportMasterKey};

use crate::demo::beside;
use crate::{Measured, Row};

/// The shipped chips and a document for each.
const CHIPS: [(&str, &str); 5] = [
    ("lateid-v2", "eid-card"),
    ("isoapplet-v0", "isoapplet-card"),
    ("isoapplet-v1", "isoapplet-card"),
    ("piv", "piv-card"),
    ("mrtd-applet", "travel-chip"),
];

/// OpenSC 0.23 on IsoApplet 0.6: creating the card, one P-256 key pair, one certificate.
const OPENSC: (f64, f64) = (251.0, 5_420.0);

/// One key and one certificate, as OpenSC's figures are for.
const ONE_KEY: &str = r#"
format = 1
name = "one-key"
title = "one key and one certificate"
kinds = []

[[chips]]
interface = "contact"
products = ["isoapplet-v0"]

[chips.keys.authentication]
certificate = "piv-authentication"

[chips.pins.pin1]
digits = 6

[chips.pins.puk]
digits = 8
"#;

/// The maker's key of the virtual blanks, known to the world.
const MAKER: [u8; 16] = *b"@ABCDEFGHIJKLMNO";
const MAKER_VARIABLE: &str = "ZIMOGS_MEASURE_MAKER";

/// Measures.
pub(crate) fn rows() -> Measured {
    let folder = tempfile::tempdir()?;
    let farm = Farm::start(&beside("vcard")?, &folder.path().join("farm"), 1)?;
    let mut hands = farm.client()?;
    let record = folder.path().join("record.json");
    fs::write(&record, record_json().to_string())?;
    let one_key = folder.path().join("one-key.toml");
    fs::write(&one_key, ONE_KEY)?;

    let mut rows = Vec::new();
    for (chip, document) in CHIPS {
        let run = Run {
            farm: &farm,
            folder: folder.path(),
            record: &record,
        };
        let made = run.personalize(&mut hands, chip, document)?;
        let fewest = fewest(chip, document, &made.certificates)?;
        let name = |what: &str| format!("chips {chip}: {what}");
        rows.push(Row::new(
            &name("commands"),
            made.commands,
            "commands",
            fewest.0,
        ));
        rows.push(Row::new(&name("bytes"), made.bytes, "bytes", fewest.1));
    }
    let run = Run {
        farm: &farm,
        folder: folder.path(),
        record: &record,
    };
    let one_key = one_key.to_str().ok_or("a path that is no text")?;
    let made = run.personalize(&mut hands, "isoapplet-v0", one_key)?;
    let name = "chips isoapplet-v0 one key, beside OpenSC: ";
    rows.push(Row::new(
        &format!("{name}commands"),
        made.commands,
        "commands",
        OPENSC.0,
    ));
    rows.push(Row::new(
        &format!("{name}bytes"),
        made.bytes,
        "bytes",
        OPENSC.1,
    ));
    rows.push(loading()?);
    Ok(rows)
}

struct Run<'a> {
    farm: &'a Farm,
    folder: &'a Path,
    record: &'a Path,
}

struct Made {
    commands: f64,
    bytes: f64,
    /// By key: the certificate, DER.
    certificates: Vec<(String, Vec<u8>)>,
}

impl Run<'_> {
    /// Personalizes a blank and checks nothing but that it was done.
    fn personalize(
        &self,
        hands: &mut Client,
        chip: &str,
        document: &str,
    ) -> Result<Made, Box<dyn Error>> {
        let blank = tempfile::Builder::new()
            .prefix(chip)
            .tempdir_in(self.folder)?;
        let state = blank.path().join("chip.json");
        let product = Product::find(chip).ok_or("no such virtual chip")?;
        let maker = TransportMasterKey::new(MAKER);
        Chip::blank(
            product,
            ChipNumber::random()?,
            &maker,
            FileStore::create(&state)?,
        )?;
        hands.insert(0, &state, None)?;
        let output = Command::new(beside("zimogs")?)
            .args(["card", "personalize", "--json", "--chip", chip])
            .args([
                "--document",
                document,
                "--transport-key-env",
                MAKER_VARIABLE,
            ])
            .arg("--record")
            .arg(self.record)
            .arg("--trial")
            .arg(blank.path().join("trial"))
            .arg("--state")
            .arg(blank.path().join("state"))
            .env(MAKER_VARIABLE, hex::encode(MAKER))
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            .output()?;
        hands.remove(0)?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{chip} was not personalized: {why}").into());
        }
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let number = |field: &str| report[field].as_f64().ok_or("a figure is missing");
        let mut certificates = Vec::new();
        for made in report["certificates"].as_array().into_iter().flatten() {
            let (Some(key), Some(file)) = (made["key"].as_str(), made["file"].as_str()) else {
                continue;
            };
            certificates.push((key.to_owned(), fs::read(file)?));
        }
        Ok(Made {
            commands: number("commands")?,
            bytes: number("bytes")?,
            certificates,
        })
    }
}

fn record_json() -> Value {
    // A portrait of the usual size, and a security object of one.
    json!({
        "number": "XA0000001", "kind": "id-card",
        "issued": "2026-03-02", "expires": "2036-03-01",
        "holder": {
            "surname": "Izdomāta", "given_names": "Anna", "personal_code": "120190-12347",
            "birth_date": "1990-01-12", "sex": "F", "nationality": "LVA",
        },
        "certificates": true,
        "prepared": {
            "dg1": format!("615D5F1F5A{}", "3C".repeat(90)),
            "dg2": "75".repeat(15_000),
            "sod": "77".repeat(1_800),
        },
    })
}

fn shelf(folder: &str) -> Result<Shelf, Box<dyn Error>> {
    let mut shelf = Shelf::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../firmware-profiles")
        .join(folder);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let (Some("toml"), Some(name)) = (
            path.extension().and_then(|ending| ending.to_str()),
            path.file_stem().and_then(|name| name.to_str()),
        ) {
            shelf.put(name, fs::read_to_string(&path)?);
        }
    }
    Ok(shelf)
}

/// Returns the commands of the plan without going from directory to directory, and the bytes that
/// they and their answers are.
fn fewest(
    chip: &str,
    document: &str,
    certificates: &[(String, Vec<u8>)],
) -> Result<(f64, f64), Box<dyn Error>> {
    let chip = Arc::new(ChipProfile::load(&shelf("chips")?, chip)?);
    let document = DocumentProfile::load(&shelf("documents")?, document)?;
    let record: Record = serde_json::from_value(record_json())?;
    let wanted = document.chips.first().ok_or("the document has no chip")?;
    let limits = chip.limits;
    let plan = Plan::new(chip, &document.name, wanted, &record)?;
    let mut known = profile::variables(&record);
    for (key, der) in certificates {
        let certificate = cert::Certificate::parse(der)?;
        profile::set_certificate(&mut known, key, &certificate);
    }
    let explained = Explanation::of(&plan, &known, &limits);
    let steps = || explained.steps().flat_map(|step| &step.commands);
    let entering = steps().filter(|command| command.operation == "enter");
    let commands = explained.figures.commands - entering.count();
    Ok((commands as f64, explained.figures.bytes() as f64))
}

/// Loading and proving all shipped profiles, beside reading their TOML alone.
fn loading() -> Result<Row, Box<dyn Error>> {
    let (chips, documents) = (shelf("chips")?, shelf("documents")?);
    let proving = fastest(|| {
        for name in chips.names() {
            black_box(ChipProfile::load(&chips, name)?);
        }
        for name in documents.names() {
            black_box(DocumentProfile::load(&documents, name)?);
        }
        Ok(())
    })?;
    let texts: Vec<&str> = [&chips, &documents]
        .into_iter()
        .flat_map(|shelf| shelf.names().filter_map(|name| shelf.text(name)))
        .collect();
    let reading = fastest(|| {
        for text in &texts {
            black_box(text.parse::<toml::Table>()?);
        }
        Ok(())
    })?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    Ok(Row::new(
        "chips: load and prove all profiles, beside TOML alone",
        milliseconds(proving),
        "ms",
        milliseconds(reading),
    ))
}

/// Returns the shortest of some runs.
fn fastest(
    mut run: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let started = Instant::now();
        run()?;
        best = best.min(started.elapsed());
    }
    Ok(best)
}
