//! Sessions recorded with real applets, played to the virtual ones: every command must get
//! the status word that it got then, and the data.
//!
//! What may differ is what a key pair or a random number is in. Challenges and nonces are the
//! recorded ones, which the chip is told of, so that the protected commands of a real reader
//! are answered to the byte. Files that hold a public key or a certificate hold the recorded
//! one: the host wrote it. Whenever the recording lost its power, the chip sleeps and wakes
//! from its memory.

use card::Command;

use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::missing;
use crate::product::Product;
use crate::recording::{Event, Recording};
use crate::store::Memory;
use crate::transport::TransportMasterKey;

const GENERATE: u8 = 0x46;
const PIV_GENERATE: u8 = 0x47;
const AUTHENTICATE: u8 = 0x87;
const PERFORM: u8 = 0x2A;
const GET_RESPONSE: u8 = 0xC0;
/// GET DATA's data for the CHUID, whose GUID a blank draws.
const CHUID: [u8; 5] = [0x5C, 0x03, 0x5F, 0xC1, 0x02];

/// A recorded session.
struct Session {
    product: &'static str,
    file: &'static str,
    commands: usize,
    /// Whether the data of the answer to a command may differ.
    may_differ: fn(&Command) -> bool,
}

const SESSIONS: [Session; 5] = [
    Session {
        product: "isoapplet-v0",
        file: "isoapplet-v0-opensc.trace",
        commands: 350,
        // A key pair, also in pieces, and signatures.
        may_differ: |command| [GENERATE, GET_RESPONSE, PERFORM].contains(&command.ins()),
    },
    Session {
        product: "isoapplet-v1",
        file: "isoapplet-v1-opensc.trace",
        commands: 331,
        may_differ: |command| [GENERATE, PERFORM].contains(&command.ins()),
    },
    Session {
        product: "mrtd-applet",
        file: "mrtd-applet-personalization.trace",
        commands: 27,
        may_differ: |_| false,
    },
    // 45 of them are protected.
    Session {
        product: "mrtd-applet",
        file: "mrtd-applet-with-reads.trace",
        commands: 82,
        may_differ: |_| false,
    },
    Session {
        product: "piv",
        file: "piv.trace",
        commands: 44,
        // Key pairs, signatures by any key but the management key, and the CHUID.
        may_differ: |command| match command.ins() {
            PIV_GENERATE => true,
            AUTHENTICATE => command.p2() != 0x9B,
            _ => command.data() == CHUID,
        },
    },
];

/// Plays a recording to a blank; returns how many commands it has.
fn play(session: &Session, text: &str) -> usize {
    let number = ChipNumber::new([0, 0], [0, 0, 0, 1]);
    let keys = TransportMasterKey::new([0x55; 16]);
    let product = Product::find(session.product).unwrap();
    let mut chip = Chip::blank(product, number, &keys, Memory).unwrap();
    let mut commands = 0;
    for powered in text.split("# POWER_ON\n") {
        let recording = Recording::parse(powered).unwrap();
        let events = recording.events().to_vec();
        let slept = Chip::restore(&chip.snapshot().unwrap()).unwrap();
        chip = slept.with_recording(recording);
        for event in events {
            let Event::Exchange { command, answer } = event else {
                chip.reset();
                continue;
            };
            commands += 1;
            let got = chip.process(&command);
            let context = format!(
                "{}, command {commands}: {}",
                session.file,
                hex::encode(&command)
            );
            let (data, word) = got.split_at(got.len() - 2);
            let (recorded, recorded_word) = answer.split_at(answer.len() - 2);
            assert_eq!(hex::encode(word), hex::encode(recorded_word), "{context}");
            if !(session.may_differ)(&Command::parse(&command).unwrap()) {
                assert_eq!(hex::encode(data), hex::encode(recorded), "{context}");
            }
        }
    }
    commands
}

#[test]
fn recorded_sessions_go_as_they_went() {
    for session in &SESSIONS {
        let Some(path) = missing::recording(session.file) else {
            continue;
        };
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(play(session, &text), session.commands, "{}", session.file);
    }
}
