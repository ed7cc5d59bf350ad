//! A station whose slot has a printer, as an operator has it: blanks of two chips come out of its
//! hopper, are encoded and printed in one feed, and come out finished or rejected. The printer is
//! virtual, speaks its language over TCP, and puts the chips into the readers of a real PC/SC service.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vcard::farm::Farm;
use vprinter::card::{Blank, Card, FarmReader, Place, Setup, VirtualCardPrinter};

use crate::missing;
use crate::ocr::{self, ZONE, turned_back};
use crate::picture::Grey;
use crate::server::{At, Served};
use crate::station::{Desk, daemon_of, enrol, state_of};
use crate::world::{Demo, Ran, json as told, project, run, zimogs};

/// Applications that the printer prints, and one that it does not.
const PERMITS: [&str; 2] = ["APP-PERMIT-1", "APP-PERMIT-2"];
const CARD: &str = "APP-CARD";

struct Scene {
    // Ended before its files are removed.
    printer: VirtualCardPrinter,
    farm: Farm,
    demo: Demo,
    folder: tempfile::TempDir,
}

impl Scene {
    /// An installation with blanks of two chips in stock, a printer whose stations are the two readers of a
    /// farm, and nothing in its hopper.
    fn set() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let Some(program) = Farm::program_beside_current() else {
            missing::program("the program vcard (cargo build -p vcard)");
            return None;
        };
        let farm = match Farm::start(&program, &folder.path().join("farm"), 2) {
            Err(error) if error.is_lack() => {
                missing::program(&error.to_string());
                return None;
            }
            farm => farm.unwrap(),
        };
        let demo = Demo::with_profiles(project("tests/printed"), &["--documents", "2"]);
        let setup = Setup {
            ribbon: "ymckok".into(),
            contactless: Some(Box::new(FarmReader::new(farm.socket(), 0))),
            contact: Some(Box::new(FarmReader::new(farm.socket(), 1))),
            ..Setup::default()
        };
        let printer = VirtualCardPrinter::start(&folder.path().join("cards"), setup).unwrap();
        Some(Self {
            printer,
            farm,
            demo,
            folder,
        })
    }

    /// Returns the blank of this number in the demo's stock.
    fn blank(&self, number: usize) -> Blank {
        let chip = |place: u8| {
            self.demo
                .data
                .join(format!("cards/{number:05}-{place}.json"))
        };
        Blank {
            contactless: Some(chip(1)),
            contact: Some(chip(2)),
        }
    }

    /// Imports and approves an application like a sample.
    fn order(&self, sample: &str, reference: &str) {
        let sample = fs::read(project(&format!(
            "tests/samples/applications/{sample}.json"
        )));
        let mut value: Value = serde_json::from_slice(&sample.unwrap()).unwrap();
        value["reference"] = reference.into();
        let file = self.folder.path().join(format!("{reference}.json"));
        fs::write(&file, value.to_string()).unwrap();
        run(&mut self.demo.central(&["import", file.to_str().unwrap()]));
        run(&mut self.demo.central(&["approve", reference]));
    }

    /// Writes station.toml with one slot: the printer by this profile, and the readers at its stations.
    fn set_up(&self, at: &At, centre: &str, (profile, profiles): (&str, &Path)) {
        let text = |value: &Path| json!(value).to_string();
        let [contactless, contact] = self.farm.readers() else {
            panic!("two readers")
        };
        let setup = format!(
            "environment = \"test\"\nserver = \"https://{centre}\"\nlisten = \"127.0.0.1:0\"\n\
             authority = {}\nprofiles = {}\n\
             [[slots]]\nname = \"press\"\nchips = [\n\
             {{ product = \"icao-lds\", reader = {} }},\n{{ product = \"lateid-v2\", reader = {} }}]\n\
             [slots.printer]\nprofile = {}\nat = {}\nserial_number = \"V000000001\"\n",
            text(&self.demo.data.join("serve/stations.pem")),
            text(profiles),
            json!(contactless),
            json!(contact),
            json!(profile),
            json!(self.printer.address()),
        );
        fs::write(at.folder().join("station.toml"), setup).unwrap();
    }

    /// Reads the zone off a card that was printed, opens its chip by that, and compares the two.
    fn opens_by_its_face(&self, face: &Path, card: &Card) {
        let lying = turned_back(&Grey::read(face));
        // The face lies in the middle of what the printer reaches.
        let rows = (ZONE / 25.4 * 300.0) as usize + 5;
        let Some(read) = ocr::read(&lying.lowest(rows), self.folder.path()) else {
            return;
        };
        let zone = self.folder.path().join("zone.txt");
        fs::write(&zone, read.join("\n")).unwrap();
        let mut hands = self.farm.client().unwrap();
        let chip = card.blank.contactless.as_deref().unwrap();
        hands.insert(0, chip, None).unwrap();
        let mut reading = zimogs();
        reading.args(["mrtd", "read", "--json", "--reader"]);
        reading
            .arg(&self.farm.readers()[0])
            .arg("--mrz-file")
            .arg(&zone);
        reading.env("PCSCLITE_CSOCK_NAME", self.farm.pcsc());
        let ran = Ran::of(reading.output().unwrap());
        hands.remove(0).unwrap();
        let report = ran.json();
        let checks = report["checks"].as_array().unwrap();
        let printed = checks.iter().find(|check| check["name"] == "printed-mrz");
        assert_eq!(printed.unwrap()["verdict"], "passed", "{read:?} {report}");
    }

    /// Returns how many blanks of two chips are in an account.
    fn in_account(&self, account: &str) -> u64 {
        let stock = told(&mut self.demo.central(&["stock", "list", "--json"]));
        let lines = stock["accounts"].as_array().unwrap().iter();
        let of = |line: &&Value| line["account"] == account;
        lines
            .filter(of)
            .filter_map(|line| line["blanks"].as_u64())
            .sum()
    }
}

#[test]
fn a_slot_with_a_printer_encodes_and_prints_in_one_feed() {
    let Some(scene) = Scene::set() else { return };
    let (demo, printer) = (&scene.demo, &scene.printer);
    scene.order("01-adult", CARD);
    scene.order("26-residence-permit", PERMITS[0]);
    run(&mut demo.central(&["ribbon", "receive", "R-1", "R-2", "--item", "ymckok"]));
    let into = ["--station", "riga-1", "--slot", "press"];
    run(&mut demo.central(&[&["ribbon", "load", "R-1"], &into[..]].concat()));
    let served = Served::start(demo, "127.0.0.1:0");
    enrol(demo, &served, "operator");
    let at = At::enrolled(demo, "riga-1");
    let profile = ("esc-ymckok", &*project("tests/printed"));
    scene.set_up(&at, &served.address, profile);
    let station = |arguments: &[&str]| {
        let mut command = zimogs();
        command.arg("station").args(arguments);
        command.arg("--folder").arg(at.folder());
        command.env("PCSCLITE_CSOCK_NAME", scene.farm.pcsc());
        command
    };
    let sound = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(0);
    assert!(sound.out.contains("printer of press"), "{}", sound.out);

    let daemon = Served::run(&mut station(&["serve", "--json"]));
    let mut desk = Desk::at(&daemon);
    desk.slot(&["nobody-on-shift"]);
    // Whoever asks the printer in between is taken for the station: it is left alone.
    let busy = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(0);
    let in_use = busy.out.matches("in use: the station is running").count();
    assert_eq!(in_use, 2, "journal and printer: {}", busy.out);
    // The demo's own documents took the first two.
    printer.load([scene.blank(3)]);
    desk.take_shift();
    let idle = desk.slot(&["nothing-to-do", "needs-person", "out-of-service"]);
    assert_eq!(
        (&idle["state"], &idle["made"], &idle["spoiled"]),
        (&json!("nothing-to-do"), &json!(1), &json!(0)),
        "{idle}"
    );
    assert_eq!(state_of(demo, PERMITS[0]), "personalized");
    // Its faces are engraved, which this printer does not: it waits for a slot that others print for.
    assert_eq!(state_of(demo, CARD), "queued");
    let cards = printer.cards();
    let [card] = &cards[..] else {
        panic!("{cards:?}")
    };
    assert_eq!((card.place, &card.blank), (Place::Output, &scene.blank(3)));
    assert_eq!((&*card.front, &*card.back), ("ymcko", "k"));
    assert_eq!(printer.complaints(), [""; 0]);
    scene.opens_by_its_face(&scene.folder.path().join("cards/card-0001-back.png"), card);

    // The hopper is empty: the document goes back untouched, and a person is called, once.
    scene.order("26-residence-permit", PERMITS[1]);
    let called = desk.slot(&["needs-person", "out-of-service"]);
    let why = called["reason"].as_str().unwrap();
    assert!(
        why.contains("hopper is empty") && why.contains("fill the hopper"),
        "{called}"
    );
    assert_eq!(
        (&called["made"], &called["untouched"]),
        (&json!(1), &json!(1)),
        "{called}"
    );

    // The next blank is half printed when its card slips: it is rejected, and accounted as spoiled. The
    // document gets another blank, which it is printed on once.
    printer.plan("half@panel-k".parse().unwrap());
    printer.load([scene.blank(4), scene.blank(5)]);
    desk.done("POST", "/v1/station/slots/press/start");
    desk.slot_when(|slot| slot["state"] == "needs-person" && slot["spoiled"] == 1);
    desk.done("POST", "/v1/station/slots/press/start");
    desk.slot_when(|slot| slot["state"] == "nothing-to-do" && slot["made"] == 2);
    assert_eq!(state_of(demo, PERMITS[1]), "personalized");
    let cards = printer.cards();
    let [_, half, whole] = &cards[..] else {
        panic!("{cards:?}")
    };
    assert_eq!((half.place, whole.place), (Place::Rejected, Place::Output));
    assert_eq!(half.blank, scene.blank(4));
    assert_eq!(&*whole.front, "ymcko");
    drop(daemon);
    assert_eq!(scene.in_account("spoiled"), 1);
    // Two cards and a half were printed with one ribbon, which says for how many more it lasts.
    let ribbons = told(&mut demo.central(&["ribbon", "list", "--json"]));
    assert_eq!(
        (&ribbons[0]["cards"], &ribbons[1]["cards"]),
        (&json!(3), &json!(0))
    );
    assert!(
        ribbons[0]["cards_left"]
            .as_u64()
            .is_some_and(|left| left < 200)
    );
    run(&mut demo.central(&["ribbon", "used", "R-1"]));
    let before = ["--cause", "shredded", "--witness", "quality"];
    run(&mut demo.central(&[&["ribbon", "destroy", "R-1"], &before[..]].concat()));
    let sound = told(&mut demo.central(&["stock", "check", "--json"]));
    assert_eq!(sound["differences"], json!([]));
    // What was printed, by whom and on what, is in the centre's log.
    run(&mut demo.central(&["check"]));
    drop(served);
}

/// A printer whose profile says that chips are reached behind the print.
#[test]
fn a_slot_prints_first_where_its_printer_s_profile_says_so() {
    let Some(scene) = Scene::set() else { return };
    let (demo, printer) = (&scene.demo, &scene.printer);
    let profiles = scene.folder.path().join("profiles");
    for folder in ["faces", "printers"] {
        fs::create_dir_all(profiles.join(folder)).unwrap();
    }
    let face = "faces/residence-permit-back.svg";
    fs::copy(project("tests/printed").join(face), profiles.join(face)).unwrap();
    let shipped = project("firmware-profiles/printers/esc-ymckok.toml");
    let shipped = fs::read_to_string(shipped).unwrap();
    let (before, behind) = ("encodes-after-print = false", "encodes-after-print = true");
    assert!(shipped.contains(before));
    let late = profiles.join("printers/late.toml");
    fs::write(late, shipped.replace(before, behind)).unwrap();

    scene.order("26-residence-permit", PERMITS[0]);
    let served = Served::start(demo, "127.0.0.1:0");
    enrol(demo, &served, "operator");
    let at = At::enrolled(demo, "riga-1");
    scene.set_up(&at, &served.address, ("late", &profiles));
    let daemon = daemon_of(&at, &scene.farm);
    let mut desk = Desk::at(&daemon);
    desk.slot(&["nobody-on-shift"]);

    // The first card is half printed: nothing was done to its chips yet, and it is spoiled all the same.
    let blank = scene.blank(3);
    let chips =
        || [&blank.contactless, &blank.contact].map(|chip| fs::read(chip.as_ref().unwrap()));
    let untouched = chips().map(Result::unwrap);
    printer.plan("half@panel-k".parse().unwrap());
    printer.load([blank.clone(), scene.blank(4)]);
    desk.take_shift();
    desk.slot_when(|slot| slot["state"] == "needs-person" && slot["spoiled"] == 1);
    assert_eq!(chips().map(Result::unwrap), untouched);
    assert_eq!(printer.cards()[0].place, Place::Rejected);
    assert_eq!(scene.in_account("spoiled"), 1);

    desk.done("POST", "/v1/station/slots/press/start");
    desk.slot_when(|slot| slot["state"] == "nothing-to-do" && slot["made"] == 1);
    assert_eq!(state_of(demo, PERMITS[0]), "personalized");
    let cards = printer.cards();
    let card = cards.last().unwrap();
    assert_eq!((card.place, &card.blank), (Place::Output, &scene.blank(4)));
    assert_eq!((&*card.front, &*card.back), ("ymcko", "k"));
    assert_eq!(printer.complaints(), [""; 0]);
    scene.opens_by_its_face(&scene.folder.path().join("cards/card-0002-back.png"), card);
    drop(daemon);
    drop(served);
}
