//! `zimogs print status | test`, and a face on a card: from its layout through the driver to what the
//! virtual printer printed, which tesseract reads.

use std::path::Path;
use std::process::{Command, Output};

use document::{Application, DocumentNumber, Record, Validity};
use print::{
    Bin, ChipStation, EscPrinter, EscProfile, Faces, Facts, Layout, LinkAddress, Printer, Rendering,
};
use serde_json::Value;
use vprinter::card::{Blank, Mishap, Place, Plan, Point, Setup, VirtualCardPrinter};
use vprinter::label::VirtualLabelPrinter;

use crate::lists::list as list_of;
use crate::ocr::{self, ZONE, turned_back};
use crate::picture::{Grey, colours};
use crate::zones;
use crate::{DAY, project, sample};

fn zimogs(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zimogs"))
        .arg("print")
        .args(arguments)
        .output()
        .unwrap()
}

fn value(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn start(folder: &Path, cards: usize, plans: &[Plan]) -> VirtualCardPrinter {
    let setup = Setup {
        hopper: vec![Blank::default(); cards],
        plans: plans.to_vec(),
        ..Setup::default()
    };
    VirtualCardPrinter::start(folder, setup).unwrap()
}

#[test]
fn a_card_printer_says_how_it_is_and_prints_a_test_card() {
    let folder = tempfile::tempdir().unwrap();
    let printer = start(folder.path(), 2, &[]);
    let serial = format!("serial:{}", printer.serial_device().display());
    for at in [printer.address(), serial] {
        let output = zimogs(&["status", "--printer", "esc-ymcko", "--at", &at, "--json"]);
        assert!(output.status.success(), "{at}");
        let said = value(&output);
        assert_eq!(said["ready"], true);
        assert_eq!(said["cards"]["serial_number"], "V000000001");
        assert_eq!(said["cards"]["ribbon_left"], 200);
        assert_eq!(said["cards"]["front"][0], "colour");
    }
    assert_eq!(printer.hopper(), 2, "nothing moved");
    let at = printer.address();
    let output = zimogs(&["test", "--printer", "esc-ymcko", "--at", &at, "--json"]);
    assert_eq!(value(&output)["place"], "output");
    let output = zimogs(&["test", "--printer", "esc-ymcko", "--at", &at, "--reject"]);
    assert!(output.status.success());
    let places: Vec<_> = printer.cards().iter().map(|card| card.place).collect();
    assert_eq!(places, [Place::Output, Place::Rejected]);
    let (_, _, dots) = colours(&folder.path().join("card-0001-front.png"));
    for ink in [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]] {
        assert!(dots.contains(&ink), "{ink:?}");
    }
    assert_eq!(printer.complaints(), [""; 0]);
    // The hopper is empty.
    let output = zimogs(&["test", "--printer", "esc-ymcko", "--at", &at]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("hopper is empty") && said.contains("fill the hopper"),
        "{said}"
    );
}

#[test]
fn a_test_card_that_fails_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        mishap: Mishap::Half,
        point: Point::Panel('c'),
    };
    let printer = start(folder.path(), 1, &[plan]);
    let output = zimogs(&["test", "--printer", "esc-ymcko", "--at", &printer.address()]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("account for it as spoiled"), "{said}");
    assert_eq!(printer.cards()[0].place, Place::Rejected);
}

#[test]
fn pages_and_labels_are_tested_too() {
    let folder = tempfile::tempdir().unwrap();
    let at = format!("folder:{}", folder.path().display());
    let output = zimogs(&["test", "--printer", "folder", "--at", &at, "--json"]);
    let place = value(&output)["place"].as_str().unwrap().to_owned();
    assert!(std::fs::read(place).unwrap().starts_with(b"%PDF-"));

    let labels = VirtualLabelPrinter::start(&folder.path().join("labels"), None).unwrap();
    let at = labels.address();
    let output = zimogs(&["status", "--printer", "zpl-300", "--at", &at, "--json"]);
    assert_eq!(value(&output)["ready"], true);
    let output = zimogs(&["test", "--printer", "zpl-300", "--at", &at]);
    assert!(output.status.success());
    assert_eq!(labels.labels().len(), 1);
    assert_eq!(labels.complaints(), [""; 0]);
}

#[test]
fn a_card_printer_is_cleaned_and_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    let printer = start(folder.path(), 1, &[]);
    let at = printer.address();
    let clean = ["clean", "--printer", "esc-ymcko", "--at", &at];
    for cleanings in 1..3 {
        let said = value(&zimogs(&[&clean[..], &["--json"]].concat()));
        assert_eq!(said["cleanings"], cleanings);
        assert_eq!(said["cleanings_before"], cleanings - 1);
    }
    assert_eq!(printer.hopper(), 1, "no card is taken");
    assert_eq!(printer.complaints(), [""; 0]);
    let at = format!("folder:{}", folder.path().display());
    let output = zimogs(&["clean", "--printer", "folder", "--at", &at]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_page_is_printed_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list 1.pdf");
    let pdf = list_of(3).render(&crate::lists::layout()).unwrap();
    std::fs::write(&list, &pdf).unwrap();
    let printed = folder.path().join("printed");
    std::fs::create_dir(&printed).unwrap();
    let at = format!("folder:{}", printed.display());
    let (list, page) = (list.to_str().unwrap(), ["--printer", "folder", "--at", &at]);
    let output = zimogs(&[&["page", list][..], &page, &["--json"]].concat());
    let said = value(&output);
    assert_eq!(said["name"], "list-1");
    let place = said["place"].as_str().unwrap();
    assert_eq!(std::fs::read(place).unwrap(), pdf);
    let text = folder.path().join("text");
    std::fs::write(&text, "no PDF").unwrap();
    let text = text.to_str().unwrap();
    let output = zimogs(&[&["page", text][..], &page].concat());
    assert_eq!(output.status.code(), Some(2));
    let printer = start(folder.path(), 0, &[]);
    let at = printer.address();
    let output = zimogs(&["page", list, "--printer", "esc-ymcko", "--at", &at]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_cannot_be_asked_has_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let printers = folder.path().join("printers");
    std::fs::create_dir(&printers).unwrap();
    std::fs::write(
        printers.join("mine.toml"),
        "protocol = \"esc\"\ntitel = 1\n",
    )
    .unwrap();
    let profiles = folder.path().to_str().unwrap();
    let nobody = "tcp://127.0.0.1:1";
    for (arguments, code, reason) in [
        (
            &["--printer", "esc-ymcko", "--at", nobody][..],
            3,
            "cannot be reached",
        ),
        (
            &["--printer", "esc-ymcko", "--at", "serial:/dev/none"],
            3,
            "cannot be reached",
        ),
        (
            &["--printer", "esc-ymcko", "--at", "usb:1"],
            2,
            "serial:/dev/",
        ),
        (
            &["--printer", "esc-ymcko", "--at", "tcp://192.0.2.1"],
            3,
            "in the clear",
        ),
        (
            &["--printer", "ipp-a4", "--at", "ipp://127.0.0.1:1/"],
            3,
            "cannot be reached",
        ),
        (
            &["--printer", "none", "--at", nobody],
            2,
            "known are esc-ymcko",
        ),
        (
            &["--printer", "mine", "--at", nobody, "--profiles", profiles],
            2,
            "printers/mine.toml",
        ),
    ] {
        let output = zimogs(&[&["status"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
}

/// The back of a residence permit, which has the zone, on a card whose chip was reached in the same
/// feed.
#[test]
fn tesseract_reads_the_zone_off_a_printed_card() {
    let day = DAY.parse().unwrap();
    let name = "26-residence-permit";
    let application = Application::parse(&std::fs::read(sample(name)).unwrap(), day).unwrap();
    let zone = zones::of_dg1(name).unwrap();
    let lines: Vec<_> = zone.lines().map(str::to_owned).collect();
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
    let portrait = application.portrait.clone();
    let facts = Facts::of(
        &record,
        Some(zone),
        "PMLP",
        portrait,
        application.signature.clone(),
    );
    let text = project("firmware-profiles/faces/residence-permit-back.svg");
    let layout = Layout::parse("back", &std::fs::read_to_string(text).unwrap()).unwrap();
    let how = Rendering {
        dots: 300,
        specimen: true,
    };
    let face = layout.render(&facts, how).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = start(folder.path(), 1, &[]);
    let text = project("firmware-profiles/printers/esc-ymcko.toml");
    let profile = EscProfile::parse(&std::fs::read_to_string(text).unwrap()).unwrap();
    let address: LinkAddress = virtual_printer.address().parse().unwrap();
    let mut printer = EscPrinter::connect(profile, address, None).unwrap();
    printer.eject(Bin::Reject).unwrap();
    printer.feed().unwrap();
    printer.position(ChipStation::Contactless).unwrap();
    let faces = Faces {
        front: Some(&face),
        back: None,
    };
    printer.print(faces).unwrap();
    printer.eject(Bin::Good).unwrap();

    let standing = Grey::read(&folder.path().join("card-0001-front.png"));
    let lying = turned_back(&standing);
    // The face lies in the middle of what the printer reaches.
    let rows = (ZONE / 25.4 * 300.0) as usize + 5;
    let Some(read) = ocr::read(&lying.lowest(rows), folder.path()) else {
        return;
    };
    assert_eq!(read, lines);
}
