//! Readers that fail under a station with two slots, over a real PC/SC service: a chip that falls silent
//! stops its own slot alone, and that one only for a while; a service that ends takes the slots out of
//! service until it is there again.

use std::fs;

use serde_json::{Value, json};
use vcard::farm::Farm;
use vcard::{Fault, FaultKind};

use crate::server::At;
use crate::station::{Desk, Scene, daemon_of, set_up};

/// The command at which the chip falls silent: its identification is over, and nothing lasting begun.
const SILENT: u64 = 8;

/// Returns a slot, by its place in the order of names.
fn slot(desk: &Desk, place: usize) -> Value {
    desk.overview()["slots"][place].clone()
}

/// Waits until a slot is in a state; returns it.
fn wait_for(desk: &Desk, place: usize, state: &str) -> Value {
    desk.slot_at(place, |slot| slot["state"] == state)
}

#[test]
fn a_chip_that_falls_silent_stops_its_slot_alone() {
    let Some(scene) = Scene::with_readers(2) else {
        return;
    };
    let Scene {
        folder,
        farm,
        demo,
        served,
    } = scene;
    let at = At::enrolled(&demo, "riga-7");
    let (left, right) = (&farm.readers()[0], &farm.readers()[1]);
    set_up(&demo, &at, &served.address, left);
    let setup = at.folder().join("station.toml");
    let written = fs::read_to_string(&setup).unwrap();
    let second = format!(
        "[[slots]]\nname = \"right slot\"\nchips = [{{ product = \"esteid-2018\", reader = {} }}]\n",
        json!(right)
    );
    fs::write(&setup, written + &second).unwrap();
    let daemon = daemon_of(&at, &farm);
    let mut desk = Desk::at(&daemon);
    desk.take_shift();
    let blank = |n: usize| demo.data.join(format!("cards/{n:05}.json"));
    let mut hands = farm.client().unwrap();

    // The left one says nothing any more; the right one makes its document meanwhile.
    let silent = Fault {
        at: SILENT,
        kind: FaultKind::Mute,
    };
    hands.insert(0, &blank(7), Some(silent)).unwrap();
    wait_for(&desk, 0, "working");
    hands.insert(1, &blank(8), None).unwrap();
    assert_eq!(wait_for(&desk, 1, "done")["made"], 1);
    assert_eq!(slot(&desk, 0)["state"], "working", "it is still waited for");
    // Its time is over, and its blank accounted for, with the reason.
    let over = wait_for(&desk, 0, "done");
    assert_eq!((&over["made"], &over["untouched"]), (&json!(0), &json!(1)));
    let reason = over["reason"].as_str().unwrap();
    assert!(reason.contains(left.as_str()), "{reason}");
    // It works again with the next card, and makes the document that was given back.
    hands.remove(0).unwrap();
    wait_for(&desk, 0, "waiting-for-card");
    hands.insert(0, &blank(9), None).unwrap();
    assert_eq!(wait_for(&desk, 0, "done")["made"], 1);

    // The service ends with all of its readers, and comes back with them.
    hands.remove(0).unwrap();
    hands.remove(1).unwrap();
    for place in 0..2 {
        wait_for(&desk, place, "waiting-for-card");
    }
    let socket = farm.pcsc().to_owned();
    drop(farm);
    for place in 0..2 {
        let out = wait_for(&desk, place, "out-of-service");
        let reason = out["reason"].as_str().unwrap();
        assert!(reason.contains("pcscd"), "{reason}");
    }
    let program = Farm::program_beside_current().unwrap();
    let farm = Farm::start(&program, &folder.path().join("farm"), 2).unwrap();
    assert_eq!(farm.pcsc(), socket);
    for place in 0..2 {
        wait_for(&desk, place, "waiting-for-card");
    }
}
