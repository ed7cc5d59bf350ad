//! A PIN letter, judged by poppler and qpdf.

use std::fs;
use std::process::Command;

use super::*;
use crate::layout::{Area, PAGE};
use crate::missing;
use crate::sheet::{CONTENT, WHOLE};

const PIN1: &str = "7391";
const PUK: &str = "84026173";

fn pin(title: &str, digits: &str, must_change: bool) -> LetterPin {
    LetterPin {
        title: title.into(),
        digits: digits.as_bytes().to_vec().into(),
        must_change,
    }
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
        languages: vec![Language::Latvian, Language::English],
    }
}

/// The longest letter that there is.
fn longest() -> EnvelopeLetter {
    EnvelopeLetter {
        serial: "E".repeat(SERIAL),
        lines: vec!["Mmmmmmmmmm Mmmmmmmmm".to_owned(); LINES].into(),
        pins: (1..=PINS)
            .map(|n| pin(&format!("PIN number {n}"), "739184062715", true))
            .collect(),
        ..letter()
    }
}

/// Runs a judge over a letter, where it is installed.
fn judge(letter: &EnvelopeLetter, program: &str, arguments: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.pdf");
    fs::write(&path, letter.render().unwrap().pdf()).unwrap();
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
    left >= points(area.left)
        && top >= points(area.top)
        && right <= points(area.left + area.width)
        && bottom <= points(area.top + area.height)
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
            assert!(is_inside(place, PAGE.inside(10.0)), "{word} at {place:?}");
            let (top, bottom) = (place[1], place[3]);
            let edge = points(PIN_FIELD.top);
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
    for name in ["DejaVuSansCondensed ", "DejaVuSansCondensed-Bold "] {
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
    let once = letter().render().unwrap();
    assert_eq!(once.pdf(), letter().render().unwrap().pdf());
    let longest = longest().render().unwrap();
    assert!(longest.pdf().len() < WHOLE, "{}", longest.pdf().len());
    let book = Typeface::book().unwrap();
    let bold = Typeface::bold().unwrap();
    let fixed = pdf(&[], &book, &bold).len();
    assert!(
        longest.pdf().len() - fixed < CONTENT,
        "{}",
        longest.pdf().len()
    );
    for digit in '0'..='9' {
        assert!(bold.glyph(digit).is_some());
    }
}

#[test]
fn what_cannot_be_printed_is_refused() {
    let refused = |change: &dyn Fn(&mut EnvelopeLetter)| {
        let mut letter = letter();
        change(&mut letter);
        letter.render().unwrap_err()
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
    let what = "a number";
    let wide = refused(&|letter| letter.serial = "W".repeat(24));
    assert_eq!(wide, LetterError::Room { what });
    for change in [
        (&|letter: &mut EnvelopeLetter| letter.pins.clear()) as &dyn Fn(&mut EnvelopeLetter),
        &|letter| letter.lines.clear(),
        &|letter| letter.languages.clear(),
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
    let what = "the address";
    assert_eq!(
        error,
        LetterError::Character {
            what,
            character: 'Л'
        }
    );
    assert_eq!(
        refused(&|letter| letter.lines[0] = "W".repeat(60)),
        LetterError::Room { what }
    );
    let long = "Vārds ".repeat(19);
    assert_eq!(
        refused(&|letter| letter.lines = vec![long.clone(); 7].into()),
        LetterError::Room { what }
    );
    let what = "a PIN's name";
    let error = refused(&|letter| letter.pins[0] = pin(&"W".repeat(40), PIN1, false));
    assert_eq!(error, LetterError::Room { what });
}

#[test]
fn nothing_of_it_is_shown() {
    let letter = letter();
    let shown = format!(
        "{letter:?} {:?} {:?}",
        letter.pins,
        letter.render().unwrap()
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
            let _ = EnvelopeLetter { serial, lines: lines.into(), pins: vec![pin], ..letter() }.render();
        }
    }
}
