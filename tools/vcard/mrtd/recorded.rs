//! The recorded sessions with the real applet, played to this one. What the chip drew then is
//! foreseen, so that every answer must come back byte for byte: the reader's protected commands
//! were made by other software.

use std::path::{Path, PathBuf};

use card::{Command, Response, Status};

use super::passport::Passport;
use crate::applet::{Applet, Entropy, Work};
use crate::vectors::unhex;

/// Says where the recordings are, unless they are in `../shared/chips` beside the workspace.
const FOLDER: &str = "ZIMOGS_CHIP_TRACES";

fn recording(name: &str) -> Option<String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/chips");
    let folder = std::env::var_os(FOLDER).map_or_else(beside, PathBuf::from);
    let text = std::fs::read_to_string(folder.join(name)).ok();
    if text.is_none() {
        eprintln!("SKIPPED: no {name} in {}; set {FOLDER}", folder.display());
    }
    text
}

/// What the card around the applet does: which applet is selected.
#[derive(Default)]
struct Card {
    applet: Passport,
    selected: bool,
}

impl Card {
    fn send(&mut self, command: &Command, recorded: &Response) -> Response {
        let by_name = command.ins() == 0xA4 && command.p1() == 0x04;
        let answer = if by_name && self.applet.is_named(command.data()) {
            self.selected = true;
            self.applet.select(command)
        } else if self.selected {
            let mut entropy = Entropy::default();
            self.applet.foresee(command, recorded, &mut entropy);
            self.applet
                .process(command, &mut entropy, &mut Work::default())
        } else {
            Err(Status::FILE_NOT_FOUND)
        };
        match answer {
            Ok(answer) => Response::new(answer.data, answer.status),
            Err(status) => Response::new([], status),
        }
    }

    fn reset(&mut self) {
        self.applet.reset();
        self.selected = false;
    }

    /// Sleeps and wakes, as a chip in another process would.
    fn rest(&mut self) {
        let memory = self.applet.memory().unwrap();
        self.applet = Passport::wake(memory).unwrap();
        self.selected = false;
    }
}

/// Plays a recording; returns how many commands it has, plain and protected.
fn play(text: &str, card: &mut Card) -> (usize, usize) {
    let (mut plain, mut protected) = (0, 0);
    let mut command = None;
    for line in text.lines() {
        let (what, hex) = line.split_once(' ').unwrap_or((line, ""));
        let hex = hex.split_whitespace().next().unwrap_or_default();
        match what {
            "#" if hex.starts_with("POWER") => card.rest(),
            "#" => card.reset(),
            ">" => command = Some(Command::parse(&unhex(hex)).unwrap()),
            "<" => {
                // The simulator's first answer is to its own installation of the applet.
                let Some(command) = command.take() else {
                    continue;
                };
                let recorded = Response::parse(&unhex(hex)).unwrap();
                let answer = card.send(&command, &recorded);
                let number = plain + protected + 1;
                assert_eq!(answer.status(), recorded.status(), "{number}: {command:?}");
                assert_eq!(answer.data(), recorded.data(), "{number}: {command:?}");
                match command.cla() {
                    0x0C => protected += 1,
                    _ => plain += 1,
                }
            }
            _ => panic!("{line}"),
        }
    }
    (plain, protected)
}

#[test]
fn the_personalization_comes_back() {
    let Some(text) = recording("mrtd-applet-personalization.trace") else {
        return;
    };
    let mut card = Card::default();
    assert_eq!(play(&text, &mut card), (27, 0));
    assert!(card.applet.memory.locked);
}

#[test]
fn the_sessions_of_a_border_reader_come_back_byte_for_byte() {
    let Some(text) = recording("mrtd-applet-with-reads.trace") else {
        return;
    };
    let (plain, protected) = play(&text, &mut Card::default());
    assert_eq!(plain + protected, 82);
    assert_eq!(protected, 45);
}

#[test]
fn what_the_chip_drew_is_not_foreseen_with_other_keys() {
    let mut applet = Passport::default();
    let command = Command::new(0, 0x82, 0, 0)
        .with_data([0x55; 40])
        .with_le(40);
    let recorded = Response::new([0x66; 40], Status::OK);
    let mut entropy = Entropy::default();
    applet.foresee(&command, &recorded, &mut entropy);
    let mut drawn = [0x66; 16];
    entropy.draw(&mut drawn).unwrap();
    assert_ne!(drawn, [0x66; 16]);
}
