//! Bar codes and labels, read by zbar.

use std::path::Path;
use std::process::Command;

use print::{Facts, Layout, Panel, Raster, Rendering, TextField};

use crate::{missing, project, rendered, sample};

/// Reads the bar codes of a picture; nothing where zbar is not here.
pub(crate) fn read(path: &Path) -> Option<Vec<String>> {
    let output = Command::new("zbarimg")
        .args(["--quiet", "--oneshot"])
        .arg(path)
        .output();
    let Ok(_) = output else {
        missing::program("zbarimg");
        return None;
    };
    let output = Command::new("zbarimg")
        .arg("--quiet")
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut codes: Vec<_> = text.lines().map(str::to_owned).collect();
    codes.sort();
    Some(codes)
}

#[test]
fn the_number_of_a_certificate_is_in_its_code() {
    let folder = tempfile::tempdir().unwrap();
    for (dpi, number) in [("300", "XA0000042"), ("600", "XB1234567")] {
        let options = ["--dpi", dpi, "--number", number];
        rendered(&sample("29-war-participant"), folder.path(), &options);
        let path = folder.path().join("war-participant-certificate-front.png");
        let Some(codes) = read(&path) else {
            return;
        };
        assert_eq!(codes, [format!("QR-Code:{number}")]);
    }
}

/// The shipped label of a parcel.
fn label() -> (Layout, Facts) {
    let text = project("firmware-profiles/sheets/parcel-label.svg");
    let text = std::fs::read_to_string(text).unwrap();
    let layout = Layout::parse("parcel-label", &text).unwrap();
    let mut facts = Facts::default();
    for (field, text) in [
        (TextField::Parcel, "PC0000042"),
        (TextField::ParcelFrom, "PRODUCTION"),
        (TextField::ParcelTo, "RIGA-1"),
        (TextField::ParcelDocuments, "120"),
        (TextField::ParcelSealed, "20.11.2026"),
    ] {
        facts.set(field, text);
    }
    (layout, facts)
}

/// The label of a test's parcel, at 300 dots an inch.
pub(crate) fn parcel_label() -> Raster {
    let (layout, facts) = label();
    let (dots, specimen) = (300, true);
    let mut face = layout.render(&facts, Rendering { dots, specimen }).unwrap();
    face.panels.remove(0).1
}

#[test]
fn a_parcel_s_label_is_read_in_both_codes() {
    let folder = tempfile::tempdir().unwrap();
    let (layout, facts) = label();
    for (dots, specimen) in [(300, false), (300, true), (600, true)] {
        let face = layout.render(&facts, Rendering { dots, specimen }).unwrap();
        let [(Panel::Black, raster)] = face.panels.as_slice() else {
            panic!("a label is black alone: {:?}", face.panels)
        };
        let path = folder.path().join("label.png");
        std::fs::write(&path, &raster.png(dots)[..]).unwrap();
        let Some(codes) = read(&path) else {
            return;
        };
        assert_eq!(codes, ["CODE-128:PC0000042", "QR-Code:PC0000042"]);
    }
}
