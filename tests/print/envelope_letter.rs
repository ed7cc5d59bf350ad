//! A PIN letter, judged by poppler and qpdf.

use std::fs;
use std::process::Command;

use super::*;
use crate::missing;
use crate::sheet::shipped;

const PIN1: &str = "7391";
const PUK: &str = "84026173";

fn pin(title: &str, digits: &str, must_change: bool) -> LetterPin {
    LetterPin {
        title: title.into(),
        digits: digits.as_bytes().to_vec().into(),
        must_change,
    }
}

/// Points in a millimetre.
const POINTS: f32 = 72.0 / 25.4;

/// Left, top, width and height in millimetres: the paper's middle, what the window of a C5/6
/// envelope shows (*DIN 5008, form B*), and what the printer covers.
type Area = [f32; 4];
const PAGE: Area = [10.0, 10.0, 190.0, 277.0];
const ADDRESS_WINDOW: Area = [20.0, 45.0, 85.0, 45.0];
const PIN_FIELD: Area = [20.0, 200.0, 170.0, 60.0];

fn layout() -> SheetLayout {
    shipped(SheetKind::PinEnvelope)
}

fn letter() -> EnvelopeLetter {
    EnvelopeLetter {
        serial: "E-2026-000017".into(),
        document: DocumentNumber::parse("XA0000001").unwrap(),
        lines: [
            "Ģirts Ņikita Žņaudzējčūska-Ķēniņš",
            "Čiekurkalna 1. līnija 11, dz. 7",
            "Rīga, LV-1026",
        ]
        .map(String::from)
        .to_vec()
        .into(),
        pins: vec![
            pin("PIN1", PIN1, true),
            pin("PIN2", "940617", false),
            pin("PUK", PUK, false),
        ],
    }
}

/// The longest letter that there is.
fn longest() -> EnvelopeLetter {
    EnvelopeLetter {
        serial: "E".repeat(SERIAL),
        lines: vec!["Mmmmmmmmmm Mmmmmmmmm".to_owned(); LINES].into(),
        pins: (1..=SheetKind::PINS)
            .map(|n| pin(&format!("PIN number {n}"), "739184062715", true))
            .collect(),
        ..letter()
    }
}

/// Runs a judge over a letter, where it is installed.
fn judge(letter: &EnvelopeLetter, program: &str, arguments: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.pdf");
    fs::write(&path, letter.render(&layout()).unwrap().pdf()).unwrap();
    let output = Command::new(program)
        .args(arguments)
        .arg("letter.pdf")
        .args(if program == "pdftotext" {
            &["-"][..]
        } else {
            &[]
        })
        .current_dir(folder.path())
        .output();
    let Ok(output) = output else {
        missing::program(program);
        return None;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && fault.is_empty(), "{said}{fault}");
    Some(said)
}

/// The words of a page with their boxes in points, from the upper left corner: what
/// `pdftotext -bbox` says.
fn boxes(text: &str) -> Vec<(String, [f32; 4])> {
    let value = |line: &str, name: &str| -> f32 {
        let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let lines = text
        .lines()
        .filter(|line| line.trim_start().starts_with("<word"));
    let word = |line: &str| {
        let (_, rest) = line.split_once('>').unwrap();
        let word = rest.split_once("</word>").unwrap().0.to_owned();
        let corners = ["xMin", "yMin", "xMax", "yMax"].map(|name| value(line, name));
        (word, corners)
    };
    lines.map(word).collect()
}

fn is_inside(corners: &[f32; 4], area: Area) -> bool {
    let [left, top, right, bottom] = *corners;
    let [from, above, width, height] = area;
    left >= from * POINTS
        && top >= above * POINTS
        && right <= (from + width) * POINTS
        && bottom <= (above + height) * POINTS
}

#[test]
fn the_pins_stand_in_the_covered_field_and_nowhere_else() {
    for letter in [letter(), longest()] {
        let Some(text) = judge(&letter, "pdftotext", &["-bbox"]) else {
            return;
        };
        let words = boxes(&text);
        for pin in &letter.pins {
            let digits = String::from_utf8(pin.digits.to_vec()).unwrap();
            let found: Vec<_> = words.iter().filter(|(word, _)| *word == digits).collect();
            let same = letter
                .pins
                .iter()
                .filter(|other| other.digits == pin.digits);
            assert_eq!(found.len(), same.count(), "{digits} in {words:?}");
            assert!(found.iter().all(|(_, place)| is_inside(place, PIN_FIELD)));
        }
        // Every word is on the paper, and none crosses the edge of the field.
        for (word, place) in &words {
            assert!(is_inside(place, PAGE), "{word} at {place:?}");
            let (top, bottom) = (place[1], place[3]);
            let edge = PIN_FIELD[1] * POINTS;
            assert!(bottom < edge || top > edge, "{word} at {place:?}");
        }
    }
}

#[test]
fn name_and_address_stand_in_the_window_and_every_letter_is_read() {
    let letter = letter();
    let Some(text) = judge(&letter, "pdftotext", &["-bbox"]) else {
        return;
    };
    let words = boxes(&text);
    for line in letter.lines.iter() {
        for part in line.split(' ') {
            let (_, place) = words.iter().find(|(word, _)| word == part).expect(part);
            assert!(is_inside(place, ADDRESS_WINDOW), "{part} at {place:?}");
        }
    }
    let text = judge(&letter, "pdftotext", &["-layout"]).unwrap();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "PIN aploksne / PIN envelope",
        "E-2026-000017",
        "XA0000001",
        "pārliecinieties, ka lauks nav bojāts",
        "PIN is blocked; it is unblocked by the PUK.",
        "jānomaina pirms pirmās lietošanas",
        "to be changed before the first use",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    // One that need not be changed has no note.
    let mut kept = letter;
    kept.pins.remove(0);
    let text = judge(&kept, "pdftotext", &["-layout"]).unwrap();
    assert!(!text.contains("first use"), "{text}");
}

#[test]
fn qpdf_finds_nothing_wrong() {
    for letter in [letter(), longest()] {
        let Some(said) = judge(&letter, "qpdf", &["--check"]) else {
            return;
        };
        assert!(
            said.contains("No syntax or stream encoding errors found"),
            "{said}"
        );
    }
}

#[test]
fn the_typefaces_are_embedded_with_their_characters() {
    let Some(said) = judge(&letter(), "pdffonts", &[]) else {
        return;
    };
    for name in ["RobotoCondensed-Regular ", "RobotoCondensed-Bold "] {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        // Embedded, whole, with its Unicode map.
        let columns: Vec<_> = line.split_whitespace().collect();
        assert!(
            line.contains("CID TrueType") && line.contains("Identity-H"),
            "{said}"
        );
        assert_eq!(
            columns[columns.len() - 5..columns.len() - 2],
            ["yes", "no", "yes"],
            "{said}"
        );
    }
}

#[test]
fn the_same_letter_gives_the_same_bytes_and_no_buffer_grows() {
    let once = letter().render(&layout()).unwrap();
    assert_eq!(once.pdf(), letter().render(&layout()).unwrap().pdf());
    assert!(once.pdf().len() < 128 * 1024, "{}", once.pdf().len());
    // Where a buffer grew, an assertion says so.
    longest().render(&layout()).unwrap();
}

#[test]
fn what_cannot_be_printed_is_refused() {
    let refused = |change: &dyn Fn(&mut EnvelopeLetter)| {
        let mut letter = letter();
        change(&mut letter);
        letter.render(&layout()).unwrap_err()
    };
    assert_eq!(
        refused(&|letter| letter.serial.clear()),
        LetterError::Serial
    );
    assert_eq!(
        refused(&|letter| letter.serial = "e 1\"".into()),
        LetterError::Serial
    );
    assert_eq!(
        refused(&|letter| letter.serial = "E".repeat(25)),
        LetterError::Serial
    );
    for change in [
        (&|letter: &mut EnvelopeLetter| letter.pins.clear()) as &dyn Fn(&mut EnvelopeLetter),
        &|letter| letter.lines.clear(),
        &|letter| letter.lines = vec!["Rīga".to_owned(); 8].into(),
    ] {
        assert!(matches!(refused(change), LetterError::Count { .. }));
    }
    for digits in ["739", "73918a", "7391840627153"] {
        let error = refused(&|letter| letter.pins[0] = pin("PIN1", digits, false));
        assert_eq!(
            error,
            LetterError::Pin {
                title: "PIN1".into()
            }
        );
        assert!(!error.to_string().contains(digits));
    }
    let error = refused(&|letter| letter.lines[0] = "Ли".into());
    let (field, character) = (TextField::EnvelopeAddress, 'Л');
    assert_eq!(
        error,
        LetterError::Layout(FaceError::Letter { field, character })
    );
    let no_room = |error: LetterError, expected: TextField| {
        let LetterError::Layout(FaceError::Room { field, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(field, expected);
    };
    no_room(refused(&|letter| letter.lines[0] = "W".repeat(60)), field);
    let long = "Vārds ".repeat(19);
    no_room(
        refused(&|letter| letter.lines = vec![long.clone(); 7].into()),
        field,
    );
    no_room(
        refused(&|letter| letter.pins[0] = pin(&"W".repeat(40), PIN1, false)),
        TextField::PinTitle,
    );
    let what = "the address";
    assert_eq!(
        refused(&|letter| letter.lines[0] = "W".repeat(121)),
        LetterError::Length { what }
    );
    let list = shipped(SheetKind::DispatchList);
    let refused = letter().render(&list).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this is the layout of a dispatch-list, and a pin-envelope is printed"
    );
}

#[test]
fn a_test_s_letter_says_so_and_another_does_not() {
    let mut letter = letter();
    let Some(text) = judge(&letter, "pdftotext", &["-layout"]) else {
        return;
    };
    assert!(
        text.contains("PARAUGS") && text.contains("SPECIMEN"),
        "{text}"
    );
    letter.document = DocumentNumber::parse("PA0000001").unwrap();
    let text = judge(&letter, "pdftotext", &["-layout"]).unwrap();
    assert!(!text.contains("SPECIMEN"), "{text}");
}

#[test]
fn nothing_of_it_is_shown() {
    let letter = letter();
    let shown = format!(
        "{letter:?} {:?} {:?}",
        letter.pins,
        letter.render(&layout()).unwrap()
    );
    assert!(
        !shown.contains(PIN1) && !shown.contains(PUK) && !shown.contains("Ģirts"),
        "{shown}"
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever names and numbers come, there is a letter or a reason, and no panic.
        #[test]
        fn any_text_is_printed_or_refused(
            serial in ".{0,40}",
            lines in prop::collection::vec(".{0,140}", 0..9),
            title in ".{0,40}",
            digits in prop::collection::vec(any::<u8>(), 0..14),
        ) {
            let pin = LetterPin { title, digits: digits.into(), must_change: true };
            let _ = EnvelopeLetter { serial, lines: lines.into(), pins: vec![pin], ..letter() }.render(&layout());
        }
    }
}
