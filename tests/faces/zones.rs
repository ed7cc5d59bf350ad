//! Tesseract reads the zone of every kind from its rendered face, and it is the one in DG1.

use std::path::Path;

use document::{Application, DocumentNumber, Mrz, Record, Validity};
use mrtd::lds::Dg1;
use profile::{Applied, DocumentProfile, Shelf};

use crate::ocr::{ZONE, read};
use crate::picture::Grey;
use crate::{DAY, SAMPLES, preview, project, rendered, sample};

/// Names with all that a zone makes of letters: diacritics, hyphens, truncation.
const NAMES: [&str; 4] = [
    "07-every-latvian-diacritic",
    "11-longest-names",
    "13-hyphens",
    "15-transliterated-cyrillic",
];

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
fn tesseract_reads_every_zone_that_was_scanned_askew_and_with_noise() {
    let folder = tempfile::tempdir().unwrap();
    // Each way in turn: a sheet that is laid against the edge of a glass lies within half a degree or so.
    let mut degrees = [0.4, -0.6, 0.5, -0.3].into_iter().cycle();
    let mut zones = 0;
    for name in SAMPLES.into_iter().chain(NAMES) {
        let Some(shown) = shown(name, folder.path()) else {
            continue;
        };
        zones += 1;
        let degrees = degrees.next().unwrap();
        let scanned = shown.zone.turned(degrees).noisy(40);
        let Some(read) = read(&scanned, folder.path()) else {
            return;
        };
        assert_eq!(read, shown.lines, "{name} turned by {degrees} degrees");
    }
    assert_eq!(zones, 8 + NAMES.len());
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
