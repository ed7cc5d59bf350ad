//! A card that was begun at a station which is dead: two persons take its lease, the card is carried to
//! another station, and is finished there.

use std::process::Command;

use serde_json::Value;

use crate::server::{At, Served};
use crate::station::{Desk, REFERENCES, Scene, daemon_of, set_up, state_of};
use crate::world::{Demo, Ran, json, project, run, zimogs};

/// The daemon of a station whose slot has this reader.
fn daemon(scene: &Scene, at: &At, reader: usize) -> (Served, Desk) {
    let reader = &scene.farm.readers()[reader];
    set_up(&scene.demo, at, &scene.served.address, reader);
    start(scene, at)
}

fn start(scene: &Scene, at: &At) -> (Served, Desk) {
    let daemon = daemon_of(at, &scene.farm);
    let mut desk = Desk::at(&daemon);
    desk.take_shift();
    (daemon, desk)
}

fn rows(command: &mut Command) -> Vec<Value> {
    json(command).as_array().unwrap().clone()
}

/// The document of the first reference, as the store has it.
fn document(demo: &Demo) -> Value {
    let all = rows(&mut demo.central(&["documents", "--json"]));
    let mut own = all
        .into_iter()
        .filter(|one| one["application"] == REFERENCES[0]);
    let document = own.next().unwrap();
    assert!(own.next().is_none(), "one document of one application");
    document
}

#[test]
fn a_card_of_a_dead_station_is_finished_at_another() {
    let Some(scene) = Scene::with_readers(2) else {
        return;
    };
    let demo = &scene.demo;
    let [first, second] = ["riga-1", "riga-2"].map(|name| At::enrolled(demo, name));
    let (dead, desk) = daemon(&scene, &first, 0);
    desk.slot(&["waiting-for-card"]);
    let blank = demo.data.join("cards/00007.json");
    let mut hands = scene.farm.client().unwrap();
    hands.insert(0, &blank, None).unwrap();
    // In the middle of the card.
    let half = desk.slot_when(|slot| {
        let figure = |name: &str| slot[name].as_u64().unwrap_or_default();
        assert_ne!(slot["state"], "needs-person", "{slot}");
        slot["state"] == "working" && figure("done") * 2 > figure("total")
    });
    dead.killed();
    assert_eq!(half["state"], "working", "{half}");
    hands.remove(0).unwrap();
    let number = document(demo)["number"].clone();

    // Its lease is the dead station's, until two persons take it.
    let leases = rows(&mut demo.central(&["lease", "list", "--json"]));
    let [lease] = leases.as_slice() else {
        panic!("{leases:?}")
    };
    assert_eq!(
        (&lease["station"], &lease["number"]),
        (&Value::from("riga-1"), &number)
    );
    let id = lease["lease"].as_str().unwrap();
    let moved = |witness: &str| {
        let cause = ["--cause", "its computer is broken"];
        let words = [&["lease", "move", id, "--witness", witness][..], &cause].concat();
        Ran::of(demo.central(&words).output().unwrap())
    };
    moved("security-officer").ends(4);
    moved("stock-keeper").ends(0);

    // The card is laid into a slot of the other station, which goes on with it.
    let (living, other) = daemon(&scene, &second, 1);
    other.slot(&["waiting-for-card"]);
    hands.insert(1, &blank, None).unwrap();
    let done = other.slot(&["done", "needs-person"]);
    assert_eq!(
        (&done["state"], &done["made"], &done["number"]),
        (&"done".into(), &1.into(), &number),
        "{done}"
    );
    let made = document(demo);
    assert_eq!(
        (&made["state"], &made["number"]),
        (&"personalized".into(), &number)
    );
    assert_eq!(state_of(demo, REFERENCES[1]), "queued");

    // It is whole to whoever reads it.
    let mut verify = zimogs();
    verify.args(["card", "verify", "--json", "--chip"]);
    verify.arg(project("tests/profiles/chips/esteid-2018.toml"));
    verify.args(["--reader", &scene.farm.readers()[1]]);
    verify.env("PCSCLITE_CSOCK_NAME", scene.farm.pcsc());
    let folder = scene.folder.path();
    verify
        .current_dir(folder)
        .env("ZIMOGS_STATE", folder.join("state"));
    // It stays open only whether the authority is to be trusted: nobody says whom.
    let verified = Ran::of(verify.output().unwrap()).ends(1).json();
    let checks = verified["checks"].as_array().unwrap();
    let of = |verdict: &str| {
        checks
            .iter()
            .filter(|check| check["verdict"] == verdict)
            .count()
    };
    assert!(of("passed") > 5 && of("failed") == 0, "{verified:#}");
    hands.remove(1).unwrap();
    other.slot(&["waiting-for-card"]);

    // The dead station comes back without the card: what it says of it changes nothing.
    let (back, desk) = start(&scene, &first);
    desk.slot_when(|slot| slot["state"] == "waiting-for-card" || slot["state"] == "needs-person");
    assert_eq!(document(demo), made);
    drop((back, living));
    let Scene { served, demo, .. } = scene;
    drop(served);
    let leases = rows(&mut demo.central(&["lease", "list", "--json"]));
    assert_eq!(leases, Vec::<Value>::new());
    // The books agree, and the log says who did what.
    run(&mut demo.central(&["audit-books"]));
    let log = demo.log();
    for (act, times) in [("lease.moved", 1), ("lease.taken-over", 1)] {
        let done = log
            .lines()
            .filter(|line| line.contains(act) && line.contains("\"outcome\":\"done\""));
        assert_eq!(done.count(), times, "{act}");
    }
}
