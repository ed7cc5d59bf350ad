//! A station whose slot has a feeder on a serial line: blanks come into the reader of a real PC/SC
//! service without a hand, and go to the output or the reject box. The feeder is this test, at the other
//! end of a pty.

use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use serialport::{SerialPort, TTYPort};
use vcard::farm::Client;

use crate::server::{At, Served};
use crate::station::{Desk, REFERENCES, Scene, daemon_of, set_up, state_of};
use crate::world::{Ran, run, zimogs};

/// What the machine does with the next order, instead of obeying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    /// It jams before anything lies there.
    Jam,
    /// It obeys, and what it says is lost.
    Mute,
}

/// What lies where in the machine.
#[derive(Default)]
struct Machine {
    hopper: VecDeque<PathBuf>,
    before_reader: Option<PathBuf>,
    output: Vec<PathBuf>,
    rejected: Vec<PathBuf>,
    mishaps: VecDeque<Mishap>,
    /// The scanner beside it, and what it reads off each blank that is fed.
    scanner: Option<(TTYPort, VecDeque<&'static str>)>,
}

impl Machine {
    /// Obeys an order; returns what the machine says, if anything.
    fn obey(&mut self, order: &str, reader: &mut Client) -> Option<&'static str> {
        let mishap = self.mishaps.pop_front();
        if mishap == Some(Mishap::Jam) {
            return Some("JAM");
        }
        let said = match order {
            "FEED" => match self.hopper.pop_front() {
                None => "EMPTY",
                Some(blank) => {
                    reader.insert(0, &blank, None).unwrap();
                    self.before_reader = Some(blank);
                    if let Some((scanner, labels)) = &mut self.scanner {
                        let label = labels.pop_front().unwrap();
                        scanner
                            .write_all(format!("{label}\r\n").as_bytes())
                            .unwrap();
                    }
                    "FED"
                }
            },
            "GOOD" | "REJECT" => {
                reader.remove(0).unwrap();
                let card = self.before_reader.take().unwrap();
                match order {
                    "GOOD" => self.output.push(card),
                    _ => self.rejected.push(card),
                }
                "OUT"
            }
            other => panic!("{other:?} is no order"),
        };
        (mishap != Some(Mishap::Mute)).then_some(said)
    }
}

/// Answers orders until nobody holds the machine any more.
fn answer(mut line: TTYPort, mut reader: Client, machine: &Arc<Mutex<Machine>>) {
    line.set_timeout(Duration::from_millis(100)).unwrap();
    let mut order = String::new();
    while Arc::strong_count(machine) > 1 {
        let mut byte = [0];
        match line.read(&mut byte) {
            Ok(0) => {}
            Ok(_) if byte == *b"\r" => {
                let said = machine.lock().unwrap().obey(&order, &mut reader);
                if let Some(said) = said {
                    line.write_all(format!("{said}\r\n").as_bytes()).unwrap();
                }
                order.clear();
            }
            Ok(_) => order.push(char::from(byte[0])),
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns the device's end of a pty, the path of the station's, and what keeps the pair while that
/// one comes and goes.
fn pair() -> (TTYPort, String, fs::File) {
    let (device, ours) = TTYPort::pair().unwrap();
    let path = ours.name().unwrap();
    let held = fs::File::options().read(true).write(true).open(&path);
    (device, path, held.unwrap())
}

/// Returns the part of station.toml that says where a feeder is, and how it speaks.
fn feeder(path: &str) -> String {
    format!(
        "[slots.feeder]\nat = {}\nfeed = \"FEED\"\nfed = \"FED\"\nempty = \"EMPTY\"\njam = \"JAM\"\n\
         good = \"GOOD\"\nreject = \"REJECT\"\nout = \"OUT\"\nseconds = 3\n",
        json!(format!("serial:{path}"))
    )
}

#[test]
fn blanks_come_and_go_without_a_hand() {
    let Some(scene) = Scene::set() else { return };
    let (demo, farm) = (&scene.demo, &scene.farm);
    let (device, path, _held) = pair();
    let machine = Arc::new(Mutex::new(Machine::default()));
    let answering = {
        let (machine, reader) = (Arc::clone(&machine), farm.client().unwrap());
        std::thread::spawn(move || answer(device, reader, &machine))
    };

    let at = At::enrolled(demo, "riga-1");
    set_up(demo, &at, &scene.served.address, &farm.readers()[0]);
    let setup = at.folder().join("station.toml");
    let slots = fs::read_to_string(&setup).unwrap();
    fs::write(&setup, format!("{slots}{}", feeder(&path))).unwrap();
    let station = |arguments: &[&str]| {
        let mut command = zimogs();
        command.arg("station").args(arguments);
        command.arg("--folder").arg(at.folder());
        command.env("PCSCLITE_CSOCK_NAME", farm.pcsc());
        command
    };
    let sound = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(0);
    assert!(sound.out.contains("feeder of left slot"), "{}", sound.out);

    let daemon = Served::run(&mut station(&["serve", "--json"]));
    let mut desk = Desk::at(&daemon);
    desk.slot(&["nobody-on-shift"]);
    let busy = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(0);
    let in_use = busy.out.matches("in use: the station is running").count();
    assert_eq!(in_use, 2, "journal and feeder: {}", busy.out);
    let blank = |n: usize| demo.data.join(format!("cards/{n:05}.json"));

    // Nothing is in the hopper: a person is called, and nothing is begun.
    desk.take_shift();
    needs_person(&desk, "is empty");

    // Jammed: somebody looks. Then one is made without a hand, and goes to the output.
    {
        let mut machine = machine.lock().unwrap();
        machine.mishaps.push_back(Mishap::Jam);
        machine.hopper.extend([blank(7), blank(8), blank(9)]);
    }
    desk.done("POST", "/v1/station/start");
    needs_person(&desk, "jams in the feeder");
    // What it says is lost: the blank lies there, and nobody takes it for the station's.
    machine.lock().unwrap().mishaps.push_back(Mishap::Mute);
    desk.done("POST", "/v1/station/start");
    needs_person(&desk, "was lost while it moved");
    desk.done("POST", "/v1/station/start");
    needs_person(&desk, "did not bring now");
    {
        let mut machine = machine.lock().unwrap();
        farm.client().unwrap().remove(0).unwrap();
        let found = machine.before_reader.take().unwrap();
        machine.hopper.push_front(found);
    }
    desk.done("POST", "/v1/station/start");
    let idle = desk.slot_when(|slot| slot["state"] == "nothing-to-do" && slot["made"] == 2);
    assert_eq!(idle["spoiled"], 0, "{idle}");
    for reference in REFERENCES {
        assert_eq!(state_of(demo, reference), "personalized");
    }
    {
        let machine = machine.lock().unwrap();
        assert_eq!(machine.output, [blank(7), blank(8)]);
        // It waits before the reader for a document.
        assert_eq!(machine.before_reader, Some(blank(9)));
        assert!(machine.rejected.is_empty());
    }
    drop(daemon);
    drop(machine);
    answering.join().unwrap();
    run(&mut demo.central(&["check"]));
}

/// A slot with a feeder and a scanner: what stands on each blank is read before anything is written.
#[test]
fn a_blank_with_another_s_label_is_put_out_untouched() {
    let Some(scene) = Scene::set() else { return };
    let (demo, farm) = (&scene.demo, &scene.farm);
    let (device, path, _held) = pair();
    let (scanner, scanned, _held_too) = pair();
    let blank = |n: usize| demo.data.join(format!("cards/{n:05}.json"));
    // The first one has the label of the second.
    let labels = ["DEMO-00008", "DEMO-00008", "DEMO-00009"];
    let machine = Arc::new(Mutex::new(Machine {
        hopper: [7, 8, 9].map(blank).into(),
        scanner: Some((scanner, labels.into())),
        ..Machine::default()
    }));
    let answering = {
        let (machine, reader) = (Arc::clone(&machine), farm.client().unwrap());
        std::thread::spawn(move || answer(device, reader, &machine))
    };
    let crossed = fs::read(blank(7)).unwrap();

    let at = At::enrolled(demo, "riga-1");
    set_up(demo, &at, &scene.served.address, &farm.readers()[0]);
    let setup = at.folder().join("station.toml");
    let slots = fs::read_to_string(&setup).unwrap();
    let scanner = format!("scanner = {}\n", json!(format!("serial:{scanned}")));
    fs::write(&setup, format!("{slots}{scanner}{}", feeder(&path))).unwrap();
    let daemon = daemon_of(&at, farm);
    let mut desk = Desk::at(&daemon);
    desk.slot(&["nobody-on-shift"]);
    desk.take_shift();
    needs_person(&desk, "is empty");
    let idle = desk.slot(&["needs-person"]);
    assert_eq!(
        (&idle["made"], &idle["spoiled"], &idle["untouched"]),
        (&json!(2), &json!(0), &json!(1)),
        "{idle}"
    );
    for reference in REFERENCES {
        assert_eq!(state_of(demo, reference), "personalized");
    }
    {
        let machine = machine.lock().unwrap();
        assert_eq!(machine.rejected, [blank(7)]);
        assert_eq!(machine.output, [blank(8), blank(9)]);
    }
    assert_eq!(fs::read(blank(7)).unwrap(), crossed);
    drop(daemon);
    drop(machine);
    answering.join().unwrap();
    run(&mut demo.central(&["check"]));
}

/// Waits until the slot calls a person, and says why.
fn needs_person(desk: &Desk, why: &str) {
    desk.slot_when(|slot| {
        let said = slot["reason"].as_str().unwrap_or_default();
        slot["state"] == "needs-person" && said.contains(why)
    });
}
