//! The recorded session of a real PivApplet, played to this one.

use std::path::PathBuf;

use card::{Command, Response, Status};

use super::scenarios::bench::Bench;
use crate::vectors::unhex;

/// Names the folder of the recordings, which are not part of the repository.
const VARIABLE: &str = "ZIMOGS_RECORDINGS";

fn recording() -> Option<String> {
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/chips");
    std::fs::read_to_string(folder.unwrap_or_else(beside).join("piv.trace")).ok()
}

/// What was random then and cannot be foreseen: keys, signatures, and a blank's identifiers.
fn differs(command: &Command) -> bool {
    let identifiers = [0x5C, 0x03, 0x5F, 0xC1, 0x02];
    command.ins() == 0x47
        || (command.ins() == 0x87 && command.p2() != 0x9B)
        || command.data() == identifiers
}

/// Takes the bytes of `> 00cb…` or `< 9000   # 0.1 ms`.
fn bytes(line: &str) -> Vec<u8> {
    unhex(line[1..].split('#').next().unwrap().trim())
}

#[test]
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
fn a_recorded_session_has_the_same_answers() {
    let Some(text) = recording() else {
        println!("SKIPPED: no piv.trace; {VARIABLE} may name its folder");
        return;
    };
    let mut bench = Bench::new();
    let (mut chain, mut asked, mut rest) = (Vec::new(), None, Vec::new());
    let mut played = 0;
    for line in text.lines() {
        if line.starts_with("# POWER") {
            bench.reset();
            (chain, asked) = (Vec::new(), None);
        } else if line.starts_with('>') {
            asked = Some(Command::parse(&bytes(line)).unwrap());
        } else if line.starts_with('<') {
            // The simulator's answer to its own installing belongs to no command.
            let Some(command) = asked.take() else {
                continue;
            };
            let recorded = Response::parse(&bytes(line)).unwrap();
            played += 1;
            chain.extend_from_slice(command.data());
            if command.cla() & 0x10 != 0 {
                assert_eq!(recorded.status(), Status::OK);
                continue;
            }
            let answer = if command.ins() == 0xC0 {
                (std::mem::take(&mut rest), Status::OK)
            } else {
                let whole = command.clone().with_data(std::mem::take(&mut chain));
                bench.foresee(&whole, &recorded);
                bench.transmit(&whole)
            };
            let (mut data, mut status) = answer;
            if let Some(more) = recorded.status().more_available() {
                rest = data.split_off(recorded.data().len());
                assert_eq!(rest.len() as u32, more);
                status = recorded.status();
            }
            assert_eq!(status, recorded.status(), "{command:?}");
            if !differs(&command) {
                assert_eq!(data, recorded.data(), "{command:?}");
            }
        }
    }
    assert_eq!(played, 44, "the whole recording");
}
