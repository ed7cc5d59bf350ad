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

/// Says that something from outside the project is not here, also to a run of the whole project.
fn skipped(what: &str) {
    let line = format!("{what}: {RECORDINGS} may name the folder");
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
