//! What a test does where something that it needs is not here: it says so, and passes.
//!
//! A run of the whole project, `tools/test`, names a file in `ZIMOGS_SKIPPED`. Then nothing that
//! `tools/setup` installs may be missing. What lies outside the project may, the recorded sessions
//! of real chips: the file gathers it, because cargo shows nothing of a test that passes, and the
//! run ends with what stands there.

#![allow(
    dead_code,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests; few of them need both"
)]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Names the file in which a run of the whole project gathers what it skips.
const SKIPPED: &str = "ZIMOGS_SKIPPED";
/// Names the folder of the recorded sessions.
const RECORDINGS: &str = "ZIMOGS_RECORDINGS";
/// Where they are without that, seen from some folder around the crate.
const USUAL: &str = "shared/chips";
/// Names the folder of the sample files: published documents, certificates and lists of states.
const SAMPLES: &str = "ZIMOGS_SAMPLES";
/// Where they are without that.
const USUAL_SAMPLES: &str = "shared/vectors/data";

/// Says that something is not here that `tools/setup` installs or cargo builds.
///
/// # Panics
/// In a run of the whole project.
pub(crate) fn program(what: &str) {
    assert!(
        std::env::var_os(SKIPPED).is_none(),
        "not here: {what}; tools/setup installs what tools/test needs"
    );
    println!("SKIPPED: {what}");
}

/// Returns the folder of the recorded sessions; where it is not here, that is said.
///
/// # Panics
/// Where `ZIMOGS_RECORDINGS` names no folder.
pub(crate) fn recordings() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(RECORDINGS) {
        let folder = PathBuf::from(named);
        assert!(folder.is_dir(), "{RECORDINGS} names no folder: {folder:?}");
        return Some(folder);
    }
    let around = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = around
        .map(|folder| folder.join(USUAL))
        .find(|usual| usual.is_dir());
    if found.is_none() {
        skipped("the recorded sessions");
    }
    found
}

/// Returns a recorded session; where it is not here, that is said.
///
/// # Panics
/// As [`recordings`].
pub(crate) fn recording(file: &str) -> Option<PathBuf> {
    let path = recordings()?.join(file);
    if path.is_file() {
        return Some(path);
    }
    skipped(&format!("the recorded session {file}"));
    None
}

/// Returns the bytes of a sample file; where it is not here, that is said.
///
/// # Panics
/// Where `ZIMOGS_SAMPLES` names no folder, or the file does not read.
pub(crate) fn sample(file: &str) -> Option<Vec<u8>> {
    let folder = match std::env::var_os(SAMPLES) {
        Some(named) => {
            let folder = PathBuf::from(named);
            assert!(folder.is_dir(), "{SAMPLES} names no folder: {folder:?}");
            Some(folder)
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join(USUAL_SAMPLES))
            .find(|usual| usual.is_dir()),
    };
    let path = folder.map(|folder| folder.join(file));
    let Some(path) = path.filter(|path| path.is_file()) else {
        skipped_from(&format!("the sample {file}"), SAMPLES);
        return None;
    };
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Says that something from outside the project is not here, also to a run of the whole project.
fn skipped(what: &str) {
    skipped_from(what, RECORDINGS);
}

fn skipped_from(what: &str, named_by: &str) {
    let line = format!("{what}: {named_by} may name the folder");
    println!("SKIPPED: {line}");
    let Some(path) = std::env::var_os(SKIPPED) else {
        return;
    };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        panic!("{}: {error}", Path::new(&path).display());
    }
}
