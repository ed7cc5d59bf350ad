//! A virtual card printer obeys the guide and nothing else; what is said here is written by hand
//! after it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: a failure here is a failed test"
)]

#[path = "../../tests/missing/missing.rs"]
mod missing;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use vcard::farm::{Farm, ReaderStatus};
use vcard::{Chip, ChipNumber, FileStore, Product, TransportMasterKey};
use vprinter::card::{Blank, FarmReader, Mishap, Place, Plan, Point, Setup, VirtualCardPrinter};

/// A connection to a printer.
struct Line(TcpStream);

impl Line {
    fn to(printer: &VirtualCardPrinter) -> Self {
        let address = printer.address();
        let stream = TcpStream::connect(address.strip_prefix("tcp://").unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(stream)
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Says it, and hears so many bytes.
    fn hear(&mut self, bytes: &[u8], count: usize) -> Vec<u8> {
        self.say(bytes);
        let mut heard = vec![0; count];
        self.0.read_exact(&mut heard).unwrap();
        heard
    }

    /// Says it, and hears a text.
    fn ask(&mut self, bytes: &[u8]) -> String {
        self.say(bytes);
        let mut text = Vec::new();
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            match byte {
                [0] => return String::from_utf8(text).unwrap(),
                [byte] => text.push(byte),
            }
        }
    }
}

fn setup(cards: usize) -> Setup {
    Setup {
        hopper: vec![Blank::default(); cards],
        ..Setup::default()
    }
}

fn start(setup: Setup) -> (tempfile::TempDir, VirtualCardPrinter) {
    let folder = tempfile::tempdir().unwrap();
    let printer = VirtualCardPrinter::start(folder.path(), setup).unwrap();
    (folder, printer)
}

/// A whole panel of nothing: 648 x 1016 dots of so many bits.
fn panel(letter: char, levels: u32) -> Vec<u8> {
    let mut bytes = format!("\x1BDb;{letter};{levels};").into_bytes();
    bytes.resize(
        bytes.len() + 648 * 1016 * levels.trailing_zeros() as usize / 8,
        0,
    );
    bytes.push(b'\r');
    bytes
}

#[test]
fn it_is_silent_until_it_is_told_to_acknowledge() {
    let (_folder, printer) = start(setup(1));
    let mut line = Line::to(&printer);
    // Nothing is said to these; what is heard first is the answer to the question.
    line.say(b"\x1BXyz\r\x1BPmi;Q\r\x1BPmi;B\r");
    assert_eq!(line.ask(b"\x1BRsn\r"), "V000000001");
    line.say(b"\x1BPem;18\r");
    assert_eq!(line.hear(b"\x1BPem;4\r", 1), [0x06]);
    for (command, answer) in [
        (b"\x1BPmi;B\r".as_slice(), b"\x06".as_slice()),
        // ESC may be left out behind a CR.
        (b"Pmi;B\r", b"\x06"),
        (b"\x1BXyz\r", b"\x151"),
        (b"\x1BPmi;Q\r", b"\x152"),
        (b"\x1BPem;99\r", b"\x152"),
        (b"\x1BPr;kb\r", b"\x15R"),
        (b"\x1BSv\r", b"\x152"),
        (b"\x1BSi\r", b"\x06"),
        (b"\x1BSe\r", b"\x06"),
        (b"\x1BSi\r", b"\x15F"),
    ] {
        assert_eq!(line.hear(command, answer.len()), answer, "{command:?}");
    }
    assert_eq!(line.ask(b"\x1BRlr;p\r"), "NO CARD");
    assert_eq!(printer.complaints().len(), 6, "{:?}", printer.complaints());
}

#[test]
fn each_panel_prints_the_one_before_and_the_end_prints_the_last() {
    let (folder, printer) = start(setup(2));
    let mut line = Line::to(&printer);
    line.say(b"\x1BPem;4\r");
    assert_eq!(line.hear(b"\x1BPr;ymcko\r", 2), [6, 6]);
    // Outside a sequence nothing is printed.
    assert_eq!(line.hear(&panel('y', 32), 2), b"\x151");
    assert_eq!(line.hear(b"\x1BSs\r\x1BSr\r", 2), [6, 6]);
    for (letter, levels, printed) in [
        ('y', 32, ""),
        ('m', 64, "y"),
        ('c', 128, "ym"),
        ('k', 2, "ymc"),
    ] {
        assert_eq!(line.hear(&panel(letter, levels), 1), [6]);
        assert_eq!(printer.cards()[0].front, printed);
    }
    // The ribbon does not go back.
    assert_eq!(line.hear(&panel('m', 64), 2), b"\x152");
    assert_eq!(line.hear(&panel('o', 2), 1), [6]);
    assert_eq!(line.hear(b"\x1BSe\r", 1), [6]);
    let cards = printer.cards();
    assert_eq!((cards.len(), cards[0].front.as_str()), (1, "ymcko"));
    assert_eq!(cards[0].place, Place::Output);
    assert!(folder.path().join("card-0001-front.png").is_file());
    assert_eq!(line.ask(b"\x1BRco;p\r"), "5");
    assert_eq!(line.ask(b"\x1BRco;l\r"), "199");
}

/// In the mode F an insertion feeds, whatever is inside.
#[test]
fn a_card_that_is_fed_onto_another_jams() {
    let (_folder, printer) = start(setup(3));
    let mut line = Line::to(&printer);
    line.say(b"\x1BPem;4\r\x1BPmi;F\r\x1BSi\r");
    assert_eq!(line.hear(b"", 3), [6, 6, 6]);
    assert_eq!(line.hear(b"\x1BSis\r", 2), b"\x15T");
    assert_eq!(line.hear(b"\x1BSer\r", 2), b"\x15T", "a person must come");
    printer.service();
    assert_eq!(printer.cards()[0].place, Place::Hand);
    assert_eq!(
        line.hear(b"\x1BPmi;B\r\x1BSi\r\x1BSis\r\x1BSer\r", 4),
        [6; 4]
    );
    assert_eq!(printer.cards()[1].place, Place::Rejected);
}

#[test]
fn a_power_cut_forgets_what_was_not_saved() {
    let (_folder, printer) = start(setup(1));
    let mut line = Line::to(&printer);
    line.say(b"\x1BPem;4\r");
    assert_eq!(line.hear(b"\x1BSi\r", 2), [6, 6]);
    printer.plan(Plan {
        mishap: Mishap::PowerLoss,
        point: Point::Reject,
    });
    line.say(b"\x1BSer\r");
    let mut rest = Vec::new();
    assert_eq!(line.0.read_to_end(&mut rest).unwrap(), 0, "{rest:?}");
    assert_eq!(printer.cards()[0].place, Place::Output);
    assert_eq!(Line::to(&printer).ask(b"\x1BRem\r"), "0");
}

/// What a maker's driver sent to its printer in 2012.
#[test]
fn the_recorded_spool_file_prints() {
    let sample = missing::sample("evolis/dualys_windows_driver_card-gradient.prn");
    let Some(spool) = sample else { return };
    let (folder, printer) = start(Setup {
        ribbon: "kb".into(),
        ..setup(1)
    });
    let mut line = Line::to(&printer);
    line.say(&spool);
    // An answer to a question behind it: it is done.
    assert_eq!(line.ask(b"\x1BRsn\r"), "V000000001");
    assert_eq!(printer.complaints(), [""; 0]);
    let cards = printer.cards();
    assert_eq!(
        (cards[0].front.as_str(), cards[0].place),
        ("k", Place::Output)
    );
    let path = folder.path().join("card-0001-front.png");
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    // Dark dots, counted in the file by another program.
    let dark = pixels.chunks(3).filter(|pixel| pixel == &[0, 0, 0]).count();
    assert_eq!(dark, DARK);
}

/// Set bits in the lines of the recorded panel.
const DARK: usize = 412_789;

fn chip(folder: &Path, serial: u8) -> PathBuf {
    let path = folder.join(format!("chip-{serial}.json"));
    let key = TransportMasterKey::new([0x55; 16]);
    let number = ChipNumber::new([0, 1], [0, 0, 0, serial]);
    let product = Product::find("lateid-v2").unwrap();
    Chip::blank(product, number, &key, FileStore::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn a_chip_is_in_the_reader_while_its_card_is_at_the_station() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = Farm::program_beside_current() else {
        missing::program("the vcard program: cargo build -p vcard");
        return;
    };
    let farm = match Farm::start(&program, &folder.path().join("farm"), 1) {
        Ok(farm) => farm,
        Err(error) if error.is_lack() => return missing::program(&error.to_string()),
        Err(error) => panic!("{error}"),
    };
    let mut client = farm.client().unwrap();
    let mut seen = || -> Option<PathBuf> {
        let readers = client.status().unwrap();
        readers
            .into_iter()
            .find_map(|ReaderStatus { chip, .. }| chip)
    };
    let chips: Vec<PathBuf> = [1, 2].map(|serial| chip(folder.path(), serial)).into();
    let hopper = chips.iter().map(|chip| Blank {
        contact: Some(chip.clone()),
        contactless: None,
    });
    let socket = folder.path().join("farm/farm.sock");
    let (_cards, printer) = start(Setup {
        hopper: hopper.collect(),
        contact: Some(Box::new(FarmReader::new(&socket, 0))),
        ..Setup::default()
    });
    let mut line = Line::to(&printer);
    line.say(b"\x1BPem;4\r\x1BPmi;B\r");
    assert_eq!(line.hear(b"", 2), [6, 6]);
    for chip in chips {
        assert_eq!(line.hear(b"\x1BSi\r", 1), [6]);
        assert_eq!(seen(), None);
        assert_eq!(line.hear(b"\x1BSis\r", 1), [6]);
        assert_eq!(seen(), Some(chip));
        assert_eq!(line.hear(b"\x1BSe\r", 1), [6]);
        assert_eq!(seen(), None);
    }
    assert_eq!(printer.complaints(), [""; 0]);
}

#[test]
fn the_program_says_where_it_is_and_hears_the_person_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_vprinter"))
        .args(["card", "--cards", "1", "--out"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()
    };
    let ready = line();
    assert_eq!(ready["ready"], true);
    assert!(Path::new(ready["device"].as_str().unwrap()).exists());
    writeln!(input, "load 2").unwrap();
    assert_eq!(line()["hopper"], 3);
    writeln!(input, "mishap jam@feed").unwrap();
    line();
    drop(input);
    assert!(process.wait().unwrap().success());
}
