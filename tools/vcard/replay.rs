//! Sessions recorded with real applets, played to the virtual ones: every command must get
//! the status word that it got then.
//!
//! What may differ is what a key pair or a random number is in: the data of GENERATE
//! ASYMMETRIC KEY PAIR, of signatures and of GET RESPONSE after them. Challenges and nonces
//! are the recorded ones, which the chip is told of. Files that hold a public key or a
//! certificate hold the recorded one: the host wrote it.

use std::path::PathBuf;

use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::product::Product;
use crate::recording::{Event, Recording};
use crate::store::Memory;
use crate::transport::TransportMasterKey;

/// Environment variable with the folder of the recordings.
const FOLDER: &str = "ZIMOGS_RECORDINGS";

/// Which instructions' data may differ.
type MayDiffer = &'static [u8];

/// Product, recording, instructions whose data may differ.
const SESSIONS: &[(&str, &str, MayDiffer)] = &[
    (
        "isoapplet-v0",
        "isoapplet-v0-opensc.trace",
        // GENERATE ASYMMETRIC KEY PAIR, GET RESPONSE, PSO.
        &[0x46, 0xC0, 0x2A],
    ),
    ("isoapplet-v1", "isoapplet-v1-opensc.trace", &[0x46, 0x2A]),
    ("mrtd-applet", "mrtd-applet-personalization.trace", &[]),
    ("mrtd-applet", "mrtd-applet-with-reads.trace", &[]),
    // Keys and signatures; the GUID that a blank draws. `piv/replay.rs` looks closer.
    ("piv", "piv.trace", &[0x47, 0x87, 0xCB]),
];

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/chips"),
        PathBuf::from,
    )
}

fn play(product: &str, recording: Recording, may_differ: MayDiffer) -> usize {
    let number = ChipNumber::new([0, 0], [0, 0, 0, 1]);
    let keys = TransportMasterKey::new([0x55; 16]);
    let product = Product::find(product).unwrap();
    let events = recording.events().to_vec();
    let blank = Chip::blank(product, number, &keys, Memory).unwrap();
    let mut chip = blank.with_recording(recording);
    let mut commands = 0;
    for event in events {
        let Event::Exchange { command, answer } = event else {
            chip.reset();
            continue;
        };
        commands += 1;
        let got = chip.process(&command);
        let context = format!(
            "{}, command {commands}: {}",
            product.id,
            hex::encode(&command)
        );
        let (data, word) = got.split_at(got.len() - 2);
        let (recorded, recorded_word) = answer.split_at(answer.len() - 2);
        assert_eq!(hex::encode(word), hex::encode(recorded_word), "{context}");
        if !may_differ.contains(&command[1]) {
            assert_eq!(hex::encode(data), hex::encode(recorded), "{context}");
        }
    }
    commands
}

#[test]
fn recorded_sessions_go_as_they_went() {
    let folder = folder();
    for (product, file, may_differ) in SESSIONS {
        let path = folder.join(file);
        if !path.is_file() {
            eprintln!(
                "SKIPPED: {product}: no {file}; set {FOLDER} to the folder of the recordings"
            );
            continue;
        }
        let commands = play(product, Recording::open(&path).unwrap(), may_differ);
        assert!(commands > 20, "{file} has {commands} commands");
    }
}
