//! Ctrl-C while the matrix is tried: what is under way ends, and what was tried is shown.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

#[test]
fn an_interrupted_matrix_shows_what_was_tried() {
    let mut matrix = Command::new(env!("CARGO_BIN_EXE_tearing"))
        .args(["--all", "--json"])
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(matrix.stderr.take().unwrap()).lines();
    let mut hear = |words: &str| said.by_ref().any(|line| line.unwrap().contains(words));
    assert!(hear("cases, "), "it ended before any case");
    let group = i32::try_from(matrix.id()).ok().and_then(Pid::from_raw);
    kill_process_group(group.unwrap(), Signal::INT).unwrap();
    assert!(hear("stopping"));
    let ended = matrix.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let totals: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let (tried, cases) = (totals["tried"].as_u64(), totals["cases"].as_u64());
    assert_eq!(totals["stopped"], true);
    assert!(tried > Some(0) && tried < cases, "{totals}");
}
