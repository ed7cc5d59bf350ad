//! Every shipped chip by its profile alone, over real PC/SC: commands and bytes of a whole
//! personalization, beside the fewest that its content needs, and beside the chip's usual tool.
//! And what reading and proving all profiles takes.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use document::Record;
use profile::{ChipProfile, DocumentProfile, Plan, Shelf};
use serde_json::{Value, json};
use tempfile::TempDir;
use vcard::farm::{Client, Farm};
use vcard::{Chip, ChipNumber, FileStore, Product, TransportMasterKey};

use crate::demo::beside;
use crate::fewest::{Certificates, Fewest, known};
use crate::{Measured, Row, Wanted, in_turns, opensc};

/// The shipped chips and a document for each.
const CHIPS: [(&str, &str); 5] = [
    ("lateid-v2", "eid-card"),
    ("isoapplet-v0", "isoapplet-card"),
    ("isoapplet-v1", "isoapplet-card"),
    ("piv", "piv-card"),
    ("mrtd-applet", "travel-chip"),
];

/// The chip that is also given to its usual tool.
const ALSO_OPENSC: &str = "isoapplet-v0";

const LOADING: &str = "chips: load and prove all profiles, beside TOML alone";

/// One key and one certificate, as OpenSC makes them.
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

/// What is counted of a chip.
const COUNTED: [&str; 2] = ["commands", "bytes"];

fn of_chip(chip: &str) -> [String; 2] {
    COUNTED.map(|what| format!("chips {chip}: {what}"))
}

fn beside_opensc() -> [String; 2] {
    COUNTED.map(|what| format!("chips {ALSO_OPENSC} one key, beside OpenSC: {what}"))
}

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    let chips = CHIPS.iter().flat_map(|(chip, _)| of_chip(chip));
    let rest = beside_opensc().into_iter().chain([LOADING.to_owned()]);
    chips.chain(rest).collect()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let folder = tempfile::tempdir()?;
    let farm = Farm::start(&beside("vcard")?, &folder.path().join("farm"), 1)?;
    let mut hands = farm.client()?;
    let record = folder.path().join("record.json");
    fs::write(&record, record_json().to_string())?;
    let run = Run {
        farm: &farm,
        folder: folder.path(),
        record: &record,
    };
    let mut rows = Vec::new();
    for (chip, document) in CHIPS {
        if wanted.has_one(&of_chip(chip)) {
            let made = run.personalize(&mut hands, chip, document)?;
            let fewest = fewest(chip, document, &made.certificates)?;
            rows.extend(limited(of_chip(chip), &made, fewest));
        }
    }
    if wanted.has_one(&beside_opensc()) {
        let document = folder.path().join("one-key.toml");
        fs::write(&document, ONE_KEY)?;
        let document = document.to_str().ok_or("a path that is no text")?;
        let made = run.personalize(&mut hands, ALSO_OPENSC, document)?;
        if opensc::is_here() {
            let theirs = run.by_opensc(&mut hands)?;
            rows.extend(limited(beside_opensc(), &made, theirs));
        } else {
            let [commands, bytes] = beside_opensc();
            let Fewest {
                commands: c,
                bytes: b,
            } = opensc::RECORDED;
            rows.extend([
                Row::beside_recorded(&commands, made.commands, "commands", c as f64),
                Row::beside_recorded(&bytes, made.bytes, "bytes", b as f64),
            ]);
        }
    }
    if wanted.has(LOADING) {
        rows.push(loading()?);
    }
    Ok(rows)
}

fn limited([commands, bytes]: [String; 2], made: &Made, limit: Fewest) -> [Row; 2] {
    [
        Row::new(&commands, made.commands, "commands", limit.commands as f64),
        Row::new(&bytes, made.bytes, "bytes", limit.bytes as f64),
    ]
}

struct Run<'a> {
    farm: &'a Farm,
    folder: &'a Path,
    record: &'a Path,
}

struct Made {
    commands: f64,
    bytes: f64,
    certificates: Certificates,
}

impl Run<'_> {
    /// Puts a blank into the reader.
    fn insert(&self, hands: &mut Client, chip: &str) -> Result<TempDir, Box<dyn Error>> {
        let (blank, state) = blank(self.folder, chip)?;
        hands.insert(0, &state, None)?;
        Ok(blank)
    }

    /// Has OpenSC make a card with one key and one certificate.
    fn by_opensc(&self, hands: &mut Client) -> Result<Fewest, Box<dyn Error>> {
        let blank = self.insert(hands, ALSO_OPENSC)?;
        let made = opensc::personalize(self.farm.pcsc(), blank.path());
        hands.remove(0)?;
        made
    }

    /// Personalizes a blank and checks nothing but that it was done.
    fn personalize(
        &self,
        hands: &mut Client,
        chip: &str,
        document: &str,
    ) -> Result<Made, Box<dyn Error>> {
        let blank = self.insert(hands, chip)?;
        let report = write(self.farm, (chip, document), self.record, blank.path());
        hands.remove(0)?;
        let report = report?;
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

/// Makes a blank in a folder of its own; returns that, and its state file.
pub(crate) fn blank(folder: &Path, chip: &str) -> Result<(TempDir, PathBuf), Box<dyn Error>> {
    let blank = tempfile::Builder::new().prefix(chip).tempdir_in(folder)?;
    let state = blank.path().join("chip.json");
    let product = Product::find(chip).ok_or("no such virtual chip")?;
    let maker = TransportMasterKey::new(MAKER);
    Chip::blank(
        product,
        ChipNumber::random()?,
        &maker,
        FileStore::create(&state)?,
    )?;
    Ok((blank, state))
}

/// Personalizes the blank in the reader for trial; what it makes besides goes to a folder.
pub(crate) fn write(
    farm: &Farm,
    (chip, document): (&str, &str),
    record: &Path,
    folder: &Path,
) -> Result<Value, Box<dyn Error>> {
    let mut writing = Command::new(beside("zimogs")?);
    writing.args(["card", "personalize", "--json", "--chip", chip]);
    writing.args(["--document", document]);
    writing.args(["--transport-key-env", MAKER_VARIABLE]);
    writing.arg("--record").arg(record);
    writing.arg("--trial").arg(folder.join("trial"));
    writing.arg("--state").arg(folder.join("state"));
    writing.env(MAKER_VARIABLE, hex::encode(MAKER));
    said(farm, &mut writing)
}

/// Reads what was written back, and judges it.
pub(crate) fn verify(
    farm: &Farm,
    (chip, document): (&str, &str),
    record: &Path,
    authority: &Path,
) -> Result<Value, Box<dyn Error>> {
    let mut reading = Command::new(beside("zimogs")?);
    reading.args(["card", "verify", "--json", "--chip", chip]);
    reading.args(["--document", document]);
    reading.arg("--record").arg(record);
    said(farm, reading.arg("--trust").arg(authority))
}

fn said(farm: &Farm, command: &mut Command) -> Result<Value, Box<dyn Error>> {
    let output = command.env("PCSCLITE_CSOCK_NAME", farm.pcsc()).output()?;
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout)?),
        false => {
            // Not the command as a whole: the maker's key stands in its environment.
            let said: Vec<_> = command.get_args().take(2).collect();
            let why = String::from_utf8_lossy(&output.stderr);
            Err(format!("{said:?}: {why}").into())
        }
    }
}

/// Returns the record of the document on every chip.
pub(crate) fn record_json() -> Value {
    // A portrait of the usual size, and a security object of one.
    json!({
        "number": "XA0000001", "kind": "alien-id-card",
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

/// Returns the shipped profiles of a kind, `chips` or `documents`.
pub(crate) fn shelf(folder: &str) -> Result<Shelf, Box<dyn Error>> {
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

/// Returns the least that the document needs on this chip.
fn fewest(
    chip: &str,
    document: &str,
    certificates: &[(String, Vec<u8>)],
) -> Result<Fewest, Box<dyn Error>> {
    let chip = Arc::new(ChipProfile::load(&shelf("chips")?, chip)?);
    let document = DocumentProfile::load(&shelf("documents")?, document)?;
    let record: Record = serde_json::from_value(record_json())?;
    let wanted = document.chips.first().ok_or("the document has no chip")?;
    let plan = Plan::new(chip, &document.name, wanted, &record)?;
    Fewest::of(&plan, &known(&plan, &record, certificates)?)
}

/// Loading and proving all shipped profiles, beside reading their TOML alone.
fn loading() -> Result<Row, Box<dyn Error>> {
    let (chips, documents) = (shelf("chips")?, shelf("documents")?);
    let mut proving = || {
        let started = Instant::now();
        for name in chips.names() {
            black_box(ChipProfile::load(&chips, name)?);
        }
        for name in documents.names() {
            black_box(DocumentProfile::load(&documents, name)?);
        }
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let texts: Vec<&str> = [&chips, &documents]
        .into_iter()
        .flat_map(|shelf| shelf.names().filter_map(|name| shelf.text(name)))
        .collect();
    let mut reading = || {
        let started = Instant::now();
        for text in &texts {
            black_box(text.parse::<toml::Table>()?);
        }
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    let [value, limit] = in_turns([&mut proving, &mut reading])?;
    Ok(Row::new(LOADING, value, "ms", limit))
}
