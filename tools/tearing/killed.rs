//! A part of the matrix with real processes and a real pcscd: the station is ended by SIGKILL where
//! it halts, and started again with the same card. Without pcscd, vpcd, namespaces or the built farm
//! the test says so and passes, except in `tools/test`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tearing::process::{self, END, FOUND, HERE, JUDGE, LAST, WELL};
use tearing::{Fault, Point, in_token};
use vcard::farm::Farm;

#[path = "../../tests/missing/missing.rs"]
mod missing;

/// Tells the other process what to do, and where.
const ROLE: &str = "ZIMOGS_TEST_TEARING_ROLE";
const FOLDER: &str = "ZIMOGS_TEST_TEARING_FOLDER";
const READER: &str = "ZIMOGS_TEST_TEARING_READER";

/// Where it is killed: the keys are being changed, the card is half written, the holder's PINs are
/// set and not confirmed, and the report is on its way.
const POINTS: [(Fault, u64); 4] = [
    (Fault::KilledBeforeWrite, 4),
    (Fault::KilledAfterWrite, 23),
    (Fault::KilledAtCommand, 70),
    (Fault::KilledAtCall, 15),
];

fn point((fault, at): (Fault, u64)) -> Point {
    Point { fault, at }
}

/// Not a test of its own: what the other processes do.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let done = match role.as_str() {
        "prepare" => process::prepare(folder),
        role => {
            let reader = std::env::var(READER).unwrap();
            let at = role.parse::<usize>().ok();
            let at = at.and_then(|at| POINTS.get(at).copied()).map(point);
            process::live(folder, &reader, at)
        }
    };
    done.unwrap();
}

/// A station in another process.
struct Other {
    process: Child,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
}

impl Other {
    fn start(farm: &Farm, folder: &Path, role: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "another_process", "--nocapture"])
            .env("PCSCLITE_CSOCK_NAME", farm.pcsc())
            .env(READER, &farm.readers()[0])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        in_token(&folder.join("token"), &mut command).unwrap();
        let mut process = command.spawn().unwrap();
        Self {
            says: BufReader::new(process.stdout.take().unwrap()).lines(),
            hears: process.stdin.take().unwrap(),
            process,
        }
    }

    /// Waits for a line that begins with one of these words.
    fn hear(&mut self, words: &[&str]) -> String {
        for line in self.says.by_ref() {
            let line = line.unwrap();
            // The test runner writes before it, on the same line.
            let found = words.iter().find_map(|word| line.find(word));
            if let Some(begin) = found {
                return line[begin..].to_owned();
            }
        }
        panic!("it ended without any of {words:?}")
    }

    fn end(mut self) {
        drop(self.hears);
        for line in self.says.by_ref() {
            line.unwrap();
        }
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn a_killed_station_goes_on_with_the_same_journal_and_the_same_card() {
    let Some(program) = Farm::program_beside_current() else {
        missing::program("the program vcard (cargo build -p vcard)");
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let farm = match Farm::start(&program, &scratch.path().join("farm"), 1) {
        Ok(farm) => farm,
        Err(error) if error.is_lack() => {
            missing::program(&error.to_string());
            return;
        }
        Err(error) => panic!("{error}"),
    };
    for (at, killed) in POINTS.into_iter().enumerate() {
        let name = point(killed).to_string();
        let folder = scratch.path().join(&name);
        std::fs::create_dir(&folder).unwrap();
        Other::start(&farm, &folder, "prepare").end();
        let mut hands = farm.client().unwrap();
        let mut blank = 1;
        let in_reader = process::chip(&folder, blank);
        hands.insert(0, &in_reader, None).unwrap();

        let mut first = Other::start(&farm, &folder, &at.to_string());
        first.hear(&[HERE]);
        first.process.kill().unwrap();
        first.process.wait().unwrap();

        let mut second = Other::start(&farm, &folder, "live");
        loop {
            let said = second.hear(&[END, LAST]);
            println!("{name}: {said}");
            hands.remove(0).unwrap();
            if said.starts_with(LAST) {
                break;
            }
            blank += 1;
            let next = process::chip(&folder, blank);
            hands.insert(0, &next, None).unwrap();
        }
        writeln!(second.hears, "{JUDGE}").unwrap();
        let said = second.hear(&[FOUND, WELL]);
        assert_eq!(said, WELL, "{name}");
        // It went on with the blank that lay there.
        assert_eq!(blank, 1, "{name}");
        second.end();
    }
}
