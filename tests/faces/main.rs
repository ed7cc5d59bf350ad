//! The faces of every kind of document, judged by others: tesseract reads the zones, zbar the
//! codes, poppler the PDFs; and by the pictures that were looked at. And the printers they go to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests: a failure here is a failed test"
)]

mod codes;
mod command;
mod gallery;
mod lists;
#[path = "../missing/missing.rs"]
mod missing;
mod ocr;
mod picture;
mod printers;
mod zones;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The day on which the samples are looked at.
const DAY: &str = "2026-11-20";

/// A file of the project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One sample application of each kind of document, by the beginning of its file's name.
const SAMPLES: [&str; 11] = [
    "01-adult",
    "09-alien",
    "19-passport",
    "22-non-citizen-passport",
    "23-refugee",
    "24-stateless",
    "25-subsidiary-protection",
    "26-residence-permit",
    "27-repressed-person",
    "28-resistance-member",
    "29-war-participant",
];

fn sample(name: &str) -> PathBuf {
    project(&format!("tests/samples/applications/{name}.json"))
}

/// Runs `zimogs print preview` on an application.
fn preview(application: &Path, out: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zimogs"))
        .args(["print", "preview", "--json", "--issued", DAY])
        .arg(application)
        .arg("--out")
        .arg(out)
        .args(options)
        .output()
        .unwrap()
}

/// Runs it, and returns what it says of what it made.
fn rendered(application: &Path, out: &Path, options: &[&str]) -> Value {
    let output = preview(application, out, options);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{application:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}
