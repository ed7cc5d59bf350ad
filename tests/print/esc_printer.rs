//! The driver before a strict virtual printer, on TCP and on a serial line.

use std::path::Path;

use vprinter::card::{Blank, Mishap, Place, Plan, Point, Setup, VirtualCardPrinter};

use super::*;
use crate::card_printer::{MachineFault, Roster, RosterError};
use crate::face::{Face, Facts, Layout, Rendering};

const PROFILE: &str = include_str!("../../firmware-profiles/printers/esc-ymcko.toml");

/// Art in known places: yellow left above, red right below, black left below, varnish right above.
const ART: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" xmlns:z="urn:zimogs:layout:1"
    width="85.6mm" height="53.98mm" viewBox="0 0 85.6 53.98" z:dpi="300" z:radius="3.18">
<g z:panel="colour"><rect x="5" y="5" width="10" height="10" fill="#ffff00"/>
<rect x="70" y="40" width="10" height="10" fill="#ff0000"/></g>
<g z:panel="black"><rect x="5" y="40" width="10" height="10" fill="#000000"/></g>
<g z:panel="overlay"><rect x="70" y="5" width="10" height="10" fill="#000000"/></g>
</svg>
"##;

fn face_of(art: &str, dots: u16) -> Face {
    let layout = Layout::parse("art", art).unwrap();
    let how = Rendering {
        dots,
        specimen: false,
    };
    layout.render(&Facts::default(), how).unwrap()
}

fn face() -> Face {
    face_of(ART, 300)
}

/// The shipped profile, with waits for a test in which a printer is silent.
fn impatient() -> EscProfile {
    let text = PROFILE
        .replace("read = 2", "read = 10")
        .replace("quiet = 1", "quiet = 0.2")
        .replace("move = 30", "move = 3")
        .replace("panel = 60", "panel = 4")
        .replace("baud = 115200", "baud = 4000000");
    EscProfile::parse(&text).unwrap()
}

fn patient() -> EscProfile {
    EscProfile::parse(PROFILE).unwrap()
}

fn setup(cards: usize, plans: &[Plan]) -> Setup {
    Setup {
        hopper: vec![Blank::default(); cards],
        plans: plans.to_vec(),
        ..Setup::default()
    }
}

fn start(folder: &Path, setup: Setup) -> VirtualCardPrinter {
    VirtualCardPrinter::start(folder, setup).unwrap()
}

fn tcp(printer: &VirtualCardPrinter, profile: EscProfile) -> EscPrinter {
    EscPrinter::connect(profile, printer.address().parse().unwrap(), None).unwrap()
}

fn serial(printer: &VirtualCardPrinter, profile: EscProfile) -> EscPrinter {
    let address = LinkAddress::Serial(printer.serial_device());
    EscPrinter::connect(profile, address, None).unwrap()
}

fn front(face: &Face) -> Faces<'_> {
    Faces {
        front: Some(face),
        back: None,
    }
}

/// What a slot does for one card.
fn job(printer: &mut EscPrinter, face: &Face) -> Result<(), PrinterError> {
    printer.feed()?;
    printer.position(ChipStation::Contact)?;
    printer.print(front(face))?;
    printer.eject(Bin::Good)
}

/// A standing picture: its size, and its pixels by x and y.
struct Picture {
    width: usize,
    bytes: Vec<u8>,
    channels: usize,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        let mut reader = ::png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.width, info.height), (648, 1016));
        Self {
            width: 648,
            bytes,
            channels: info.color_type.samples(),
        }
    }

    /// Returns the pixel at a place of the lying card, in millimetres from its left upper corner:
    /// it was turned clockwise to stand, and is 1011 x 638 dots in the middle of 1016 x 648.
    fn at(&self, x: f64, y: f64) -> &[u8] {
        let across = (x / 25.4 * 300.0) as usize + 2;
        let down = (y / 25.4 * 300.0) as usize + 5;
        let at = across * self.width + (647 - down);
        &self.bytes[at * self.channels..][..self.channels]
    }
}

#[test]
fn one_feed_reaches_the_chip_and_prints() {
    for is_serial in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let virtual_printer = start(folder.path(), setup(2, &[]));
        let mut printer = match is_serial {
            false => tcp(&virtual_printer, patient()),
            true => serial(&virtual_printer, impatient()),
        };
        let identity = printer.identity().unwrap();
        assert_eq!(identity.serial, "V000000001");
        assert!(printer.status().unwrap().is_ready());
        let art = face();
        let error = job(&mut printer, &art).unwrap_err();
        assert!(matches!(error, PrinterError::Order { .. }), "{error}");
        printer.eject(Bin::Reject).unwrap();
        job(&mut printer, &art).unwrap();
        let cards = virtual_printer.cards();
        let [card] = &cards[..] else {
            panic!("{cards:?}")
        };
        assert_eq!(card.place, Place::Output);
        assert_eq!((card.front.as_str(), card.back.as_str()), ("ymcko", ""));
        assert_eq!(virtual_printer.hopper(), 1);
        let consumables = printer.consumables().unwrap();
        assert_eq!(consumables.ribbon.as_deref(), Some("ymcko"));
        assert_eq!(consumables.ribbon_left, Some(199));
        assert_eq!((consumables.cards, consumables.panels), (Some(1), Some(5)));
        assert_eq!(virtual_printer.complaints(), [""; 0], "serial: {is_serial}");

        let seen = Picture::read(&folder.path().join("card-0001-front.png"));
        assert_eq!(seen.at(10.0, 10.0), [255, 255, 0], "yellow");
        assert_eq!(seen.at(75.0, 45.0), [255, 0, 0], "red");
        assert_eq!(seen.at(10.0, 45.0), [0, 0, 0], "black");
        assert_eq!(seen.at(75.0, 10.0), [255, 255, 255], "varnish is clear");
        assert_eq!(seen.at(40.0, 25.0), [255, 255, 255], "nothing");
        // The edges stand where they are drawn, within a dot.
        assert_eq!(seen.at(4.8, 10.0), [255, 255, 255]);
        assert_eq!(seen.at(15.2, 10.0), [255, 255, 255]);
        assert_eq!(seen.at(5.2, 5.2), [255, 255, 0]);
        let varnish = Picture::read(&folder.path().join("card-0001-front-varnish.png"));
        assert_eq!(varnish.at(75.0, 10.0), [255]);
        assert_eq!(varnish.at(10.0, 10.0), [0]);
    }
}

#[test]
fn a_card_is_printed_once() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = start(folder.path(), setup(2, &[]));
    let mut printer = tcp(&virtual_printer, patient());
    let art = face();
    printer.eject(Bin::Reject).unwrap();
    printer.feed().unwrap();
    let because = |error: PrinterError| match error {
        PrinterError::Order { because } => because,
        other => panic!("{other}"),
    };
    assert!(because(printer.feed().unwrap_err()).contains("inside already"));
    assert!(because(printer.clean().unwrap_err()).contains("inside"));
    printer.print(front(&art)).unwrap();
    assert!(because(printer.print(front(&art)).unwrap_err()).contains("never printed again"));
    let error = printer.position(ChipStation::Contact).unwrap_err();
    assert!(because(error).contains("printed on already"));
    printer.eject(Bin::Reject).unwrap();
    assert!(because(printer.eject(Bin::Good).unwrap_err()).contains("no card"));
    assert!(because(printer.print(front(&art)).unwrap_err()).contains("no card"));
    printer.clean().unwrap();
    assert_eq!(printer.consumables().unwrap().cleanings, Some(1));
    let cards = virtual_printer.cards();
    assert_eq!(cards.len(), 1);
    // The varnish of a rejected card is never printed.
    assert_eq!(
        (cards[0].place, cards[0].front.as_str()),
        (Place::Rejected, "ymck")
    );
    assert_eq!(virtual_printer.complaints(), [""; 0]);
}

#[test]
fn a_face_that_the_printer_cannot_print_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = start(folder.path(), setup(1, &[]));
    let mut printer = tcp(&virtual_printer, patient());
    printer.eject(Bin::Reject).unwrap();
    printer.feed().unwrap();
    let laser = ART.replace("z:panel=\"black\"", "z:panel=\"laser\"");
    let large = ART.replace("53.98", "88").replace("85.6", "125");
    for (face, reason) in [
        (face_of(&laser, 300), "a panel \"laser\""),
        (face_of(ART, 600), "600 dots an inch"),
        (face_of(&large, 300), "1476 x 1039 dots"),
    ] {
        let error = printer.print(front(&face)).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.card(), CardFate::Unmoved);
    }
    let art = face();
    let both = Faces {
        front: Some(&art),
        back: Some(&art),
    };
    let error = printer.print(both).unwrap_err();
    assert!(error.to_string().contains("one side only"), "{error}");
    // The card is as it was.
    printer.print(front(&art)).unwrap();
    printer.eject(Bin::Good).unwrap();
    assert_eq!(virtual_printer.cards()[0].front, "ymcko");
}

#[test]
fn both_sides_are_printed_by_a_ribbon_that_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = start(
        folder.path(),
        Setup {
            ribbon: "ymckok".into(),
            ..setup(1, &[])
        },
    );
    let text = PROFILE
        .replace("ribbon = \"ymcko\"", "ribbon = \"ymckok\"")
        .replace("back = \"\"", "back = \"k\"");
    let mut printer = tcp(&virtual_printer, EscProfile::parse(&text).unwrap());
    let black = ART
        .lines()
        .filter(|line| {
            !line.contains("colour") && !line.contains("overlay") && !line.contains("#ff0000")
        })
        .collect::<Vec<_>>()
        .join("\n");
    let (art, black) = (face(), face_of(&black, 300));
    printer.eject(Bin::Reject).unwrap();
    printer.feed().unwrap();
    let faces = Faces {
        front: Some(&art),
        back: Some(&black),
    };
    printer.print(faces).unwrap();
    printer.eject(Bin::Good).unwrap();
    let card = &virtual_printer.cards()[0];
    assert_eq!((card.front.as_str(), card.back.as_str()), ("ymcko", "k"));
    assert_eq!(virtual_printer.complaints(), [""; 0]);
}

#[test]
fn another_ribbon_or_another_printer_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = start(
        folder.path(),
        Setup {
            ribbon: "kb".into(),
            ..setup(1, &[])
        },
    );
    let mut printer = tcp(&virtual_printer, patient());
    printer.eject(Bin::Reject).unwrap();
    let error = printer.feed().unwrap_err();
    assert!(matches!(error, PrinterError::WrongRibbon { .. }), "{error}");
    assert_eq!(error.card(), CardFate::Unmoved);
    drop(printer);
    let address: LinkAddress = virtual_printer.address().parse().unwrap();
    let error = EscPrinter::connect(patient(), address, Some("V000000002")).unwrap_err();
    assert!(
        matches!(error, PrinterError::AnotherPrinter { .. }),
        "{error}"
    );
    assert_eq!(virtual_printer.hopper(), 1);
}

#[test]
fn an_empty_hopper_is_filled_and_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = start(folder.path(), setup(0, &[]));
    let mut printer = tcp(&virtual_printer, patient());
    printer.eject(Bin::Reject).unwrap();
    let error = printer.feed().unwrap_err();
    let PrinterError::Fault { fault, card, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(
        (fault, card),
        (MachineFault::HopperEmpty, CardFate::Unmoved)
    );
    assert_eq!(
        printer.status().unwrap().conditions,
        [Condition::HopperEmpty]
    );
    virtual_printer.load([Blank::default()]);
    job(&mut printer, &face()).unwrap();
    assert_eq!(virtual_printer.cards()[0].place, Place::Output);
}

/// Two places that lead to one machine, or to two that say they are one.
#[test]
fn two_printers_with_the_same_serial_number_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(&folder.path().join("1"), setup(1, &[]));
    let second = start(&folder.path().join("2"), setup(1, &[]));
    let mut roster = Roster::default();
    let mut one = tcp(&first, patient());
    let mut other = tcp(&second, patient());
    let identity = one.identity().unwrap();
    roster.take(one.name(), &identity).unwrap();
    // The same one again, as after it was unplugged.
    roster.take(one.name(), &identity).unwrap();
    let identity = other.identity().unwrap();
    let error = roster.take(other.name(), &identity).unwrap_err();
    assert!(matches!(error, RosterError::Twice { .. }), "{error}");
    assert!(error.to_string().contains(&second.address()), "{error}");
}

#[path = "esc_faults.rs"]
mod faults;
