//! Faces: how many are rendered in a second on one core, beside how often the same dots could be
//! compressed, and what memory that takes beside the dots themselves.

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use document::mrz::Conventions;
use document::{Application, DocumentNumber, Mrz, Record, Validity};
use jiff::civil::date;
use print::{Facts, Layout, Rendering};

use crate::{Measured, Row, Wanted, in_turns, memory};

/// The faces of an identity card, and the data page of a passport.
const LAYOUTS: [(&str, &str); 3] = [
    (
        "id-card-front",
        include_str!("../../firmware-profiles/faces/id-card-front.svg"),
    ),
    (
        "id-card-back",
        include_str!("../../firmware-profiles/faces/id-card-back.svg"),
    ),
    (
        "data-page",
        include_str!("../../firmware-profiles/faces/data-page.svg"),
    ),
];
const CARD: &str = include_str!("../../tests/samples/applications/01-adult.json");
const PASSPORT: &str = include_str!("../../tests/samples/applications/19-passport.json");
const RESOLUTIONS: [u16; 2] = [300, 600];

/// A layout and what is printed on it.
struct Sample {
    layout: Layout,
    facts: Facts,
}

fn rate(layout: &str, dots: u16) -> String {
    format!("faces {layout} at {dots} dpi a second and core")
}

fn with_blank(dots: u16) -> String {
    format!("faces id-card-front at {dots} dpi with the blank's art, a second")
}

fn peak(dots: u16) -> String {
    format!("faces peak memory of data-page at {dots} dpi")
}

pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for dots in RESOLUTIONS {
        names.extend(LAYOUTS.iter().map(|(layout, _)| rate(layout, dots)));
        names.push(with_blank(dots));
        names.push(peak(dots));
    }
    names
}

fn sample(name: &str, svg: &str) -> Result<Sample, Box<dyn Error>> {
    let layout = Layout::parse(name, svg)?;
    let json = if name == "data-page" { PASSPORT } else { CARD };
    let day = date(2026, 11, 20);
    let application = Application::parse(json.as_bytes(), day).map_err(|faults| {
        faults
            .iter()
            .map(|fault| format!("{fault} "))
            .collect::<String>()
    })?;
    let validity = Validity::of(application.kind, application.holder.birth_date, day)?;
    let record = Record {
        number: DocumentNumber::parse("XA0000001")?,
        kind: application.kind,
        issued: validity.issued(),
        expires: validity.expires(),
        holder: application.holder.clone(),
        certificates: true,
        prepared: std::collections::BTreeMap::new(),
    };
    let conventions = Conventions::of(record.kind).ok_or("the kind has a zone")?;
    let zone = Mrz::of(&record, &conventions)?;
    let facts = Facts::of(
        &record,
        Some(zone),
        "PMLP",
        application.portrait,
        application.signature,
    );
    Ok(Sample { layout, facts })
}

/// Compresses bytes as PNG and PDF do, and returns how many are left.
fn compressed(bytes: &[u8]) -> Result<usize, Box<dyn Error>> {
    let level = flate2::Compression::default();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn how(dots: u16) -> Rendering {
    Rendering {
        dots,
        specimen: false,
    }
}

pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let mut rows = Vec::new();
    for dots in RESOLUTIONS {
        for (name, svg) in LAYOUTS {
            if wanted.has(&rate(name, dots)) {
                let sample = sample(name, svg)?;
                let [rendering, compressing] = beside(&sample, dots, false)?;
                let row = Row::new(
                    &rate(name, dots),
                    1.0 / rendering,
                    "faces/s",
                    1.0 / compressing,
                );
                rows.push(row.beside("its panels compressed by deflate"));
            }
        }
        if wanted.has(&with_blank(dots)) {
            let (name, svg) = LAYOUTS[0];
            let [rendering, compressing] = beside(&sample(name, svg)?, dots, true)?;
            let row = Row::new(
                &with_blank(dots),
                1.0 / rendering,
                "faces/s",
                1.0 / compressing,
            );
            rows.push(row.beside("panels and blank compressed by deflate"));
        }
        if wanted.has(&peak(dots)) {
            rows.push(memory::row(&peak(dots), &format!("--faces-memory={dots}"))?);
        }
    }
    Ok(rows)
}

/// Returns the seconds of rendering a face, and of compressing its dots.
fn beside(sample: &Sample, dots: u16, blank: bool) -> Result<[f64; 2], Box<dyn Error>> {
    let face = sample.layout.render(&sample.facts, how(dots))?;
    let mut panels: Vec<_> = face.panels.into_iter().map(|(_, raster)| raster).collect();
    if blank {
        panels.push(sample.layout.render_preprint(dots)?);
    }
    in_turns([
        &mut || {
            let start = Instant::now();
            let face = sample.layout.render(&sample.facts, how(dots))?;
            if blank {
                std::hint::black_box(sample.layout.render_preprint(dots)?);
            }
            std::hint::black_box(face);
            Ok(start.elapsed().as_secs_f64())
        },
        &mut || {
            let start = Instant::now();
            for raster in &panels {
                std::hint::black_box(compressed(&raster.bytes)?);
            }
            Ok(start.elapsed().as_secs_f64())
        },
    ])
}

/// Returns the memory in MB that a data page takes at most, and the bytes of its panels in MB.
pub(crate) fn peak_memory(dots: u16) -> Result<(f64, f64), Box<dyn Error>> {
    let (name, svg) = LAYOUTS[2];
    let sample = sample(name, svg)?;
    let (length, taken) = memory::taken(|| {
        let face = sample.layout.render(&sample.facts, how(dots))?;
        Ok(face
            .panels
            .iter()
            .map(|(_, raster)| raster.bytes.len())
            .sum::<usize>())
    })?;
    Ok((taken, length as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_names() {
        let rows = rows(Wanted(Some("faces id-card-back at 300"))).unwrap();
        let [row] = rows.as_slice() else {
            panic!("{rows:?}")
        };
        assert_eq!(row.name, rate("id-card-back", 300));
        assert!(row.value > 0.0 && row.limit.is_some_and(|limit| limit > 0.0));
    }

    #[test]
    fn memory_is_told_beside_the_dots() {
        let (taken, length) = peak_memory(300).unwrap();
        // Colour, and two panels of one bit.
        assert!((4.9..5.1).contains(&length), "{length}");
        assert!(taken > 0.0);
    }
}
