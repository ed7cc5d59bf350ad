//! Probing, recording and replaying over a real pcscd with a virtual chip behind it. Without
//! pcscd, vpcd, namespaces or the built farm the test says so and passes, except in `tools/test`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use card::trace::Veil;
use vcard::farm::Farm;
use vcard::{Chip, ChipNumber, Fault, FaultKind, FileStore, Product, TransportMasterKey};

use super::*;
use crate::{
    CapabilityCache, CapabilityKey, Connection, LOOKING, ReaderState, Readers, Recorder, Replay,
};

#[path = "../missing/missing.rs"]
mod missing;

/// Names the working folder to the process that sees the farm's pcscd.
const FOLDER: &str = "ZIMOGS_TEST_PROBE";
const SLOT: &str = "zimogs slot 1 00 00";

/// Returns the farm's program beside this test's, where it is built.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let program = test.parent()?.parent()?.join("vcard");
    program.exists().then_some(program)
}

/// Lets `inside`, a test that looks for the working folder, run where it sees the farm's pcscd
/// with a fresh chip in each slot, under the slot's fault.
fn over_farm(inside: &str, faults: &[Option<Fault>]) {
    let Some(program) = program() else {
        missing::program("the program vcard (cargo build -p vcard)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let farm = match Farm::start(&program, &folder.path().join("farm"), faults.len()) {
        Ok(farm) => farm,
        Err(error) if error.is_lack() => {
            missing::program(&error.to_string());
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let key = TransportMasterKey::new([0x55; 16]);
    let product = Product::find("lateid-v2").unwrap();
    for (slot, fault) in faults.iter().enumerate() {
        let state = folder.path().join(format!("chip{slot}.json"));
        let number = ChipNumber::new([0, 1], [0, 0, 0, slot as u8]);
        let store = FileStore::create(&state).unwrap();
        Chip::blank(product, number, &key, store).unwrap();
        farm.client().unwrap().insert(slot, &state, *fault).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", inside, "--nocapture"])
        .env("PCSCLITE_CSOCK_NAME", farm.pcsc())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{said}");
    drop(farm);
}

#[test]
fn a_virtual_reader_is_measured_once() {
    over_farm("probe::over_pcsc::inside", &[None]);
}

#[test]
fn a_mute_chip_is_given_up_in_time() {
    let mute = Fault {
        at: 2,
        kind: FaultKind::Mute,
    };
    over_farm(
        "probe::over_pcsc::inside_with_a_mute_chip",
        &[None, Some(mute)],
    );
}

/// Not a test of its own: the second slot's chip falls silent at its second command.
#[test]
fn inside_with_a_mute_chip() {
    if std::env::var(FOLDER).is_err() {
        return;
    }
    let select = [0x00, 0xA4, 0x04, 0x00, 0x00];
    let readers = Readers::new().unwrap().list().unwrap();
    let is_other = |reader: &ReaderState| reader.atr.is_some() && reader.name != SLOT;
    let other = readers.into_iter().find(is_other).unwrap().name;
    let mut mute = Connection::open(&other, LOOKING).unwrap();
    mute.transmit(&select).unwrap();
    mute.set_patience(Duration::from_millis(50));
    for _ in 0..2 {
        let silent = mute.transmit(&select);
        assert!(
            matches!(silent, Err(ChannelError::Timeout { .. })),
            "{silent:?}"
        );
    }
    let silent = mute.reset();
    assert!(matches!(silent, Err(ChannelError::Timeout { .. })));
    drop(mute);
    // It holds up nobody else.
    let mut alive = Connection::open(SLOT, LOOKING).unwrap();
    alive.transmit(&select).unwrap();
    // The service does not let the hand go before the chip is taken out.
    let held = Connection::open(&other, Duration::from_millis(50));
    assert!(held.is_err());
}

/// Not a test of its own: what the process does that sees the farm's pcscd.
#[test]
fn inside() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let path = Path::new(&folder).join("readers.json");
    let connection = Connection::open(SLOT, LOOKING).unwrap();
    let active = connection.protocol();
    assert!(active.is_some());
    let mut recorder = Recorder::with_veil(connection, Veil::default());
    let limits = Limits {
        command: 4096,
        response: 4096,
        extended: true,
        chaining: true,
        ..Limits::default()
    };
    let plan = ProbePlan::new(limits);
    let key = CapabilityKey::new(SLOT, recorder.atr(), "lateid-v2");
    let (mut cache, warning) = CapabilityCache::open(&path);
    assert!(warning.is_none());
    let (seen, unkept) = cache
        .get_or_probe(&key, &mut recorder, active, &plan)
        .unwrap();
    assert!(unkept.is_none());
    assert_eq!(seen.protocol, active);
    assert!(
        seen.command >= 255 && seen.response.is_none_or(|response| response >= 256),
        "{seen:?}"
    );
    let lines = recorder.trace().lines().len();
    let (mut again, _) = CapabilityCache::open(&path);
    let (known, _) = again
        .get_or_probe(&key, &mut recorder, active, &plan)
        .unwrap();
    assert_eq!(known, seen);
    assert_eq!(
        recorder.trace().lines().len(),
        lines,
        "nothing was sent again"
    );

    // The same session once more, over the same reader: the chip was not changed.
    let (mut connection, trace) = recorder.finish();
    println!("{seen:?}\n{trace}");
    let replayed = Replay::new().run(&trace, &mut connection);
    assert!(replayed.is_same(), "{replayed:?}");
}
