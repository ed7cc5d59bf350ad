//! Stray commands: whatever comes, the application answers, and a refusal changes nothing.

use card::{Command, Status};
use proptest::prelude::*;

use super::bench::{Bench, VERIFY};

/// Bytes that lead somewhere: instructions, references, algorithms, tags.
const KNOWN: &[u8] = &[
    0x00, 0x03, 0x05, 0x06, 0x07, 0x08, 0x0C, 0x11, 0x20, 0x24, 0x2C, 0x3F, 0x47, 0x53, 0x5C, 0x5F,
    0x7C, 0x7E, 0x80, 0x81, 0x82, 0x85, 0x87, 0x9A, 0x9B, 0x9C, 0x9E, 0xA4, 0xAA, 0xAC, 0xC1, 0xCB,
    0xDB, 0xF7, 0xF8, 0xFA, 0xFB, 0xFD, 0xFE, 0xFF,
];

fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => proptest::sample::select(KNOWN), 1 => any::<u8>()]
}

/// A data field: loose bytes, or data objects in one another.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let loose = proptest::collection::vec(byte(), 0..40);
    loose.prop_recursive(3, 120, 4, |inner| {
        proptest::collection::vec((byte(), inner), 1..4).prop_map(|objects| {
            let mut bytes = Vec::new();
            for (tag, value) in objects {
                let value = &value[..value.len().min(0x7F)];
                bytes.extend([tag, value.len() as u8]);
                bytes.extend(value);
            }
            bytes
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_refusal_changes_nothing_but_counters(
        managed: bool,
        verified: bool,
        commands in proptest::collection::vec((byte(), byte(), byte(), data()), 1..12),
    ) {
        let mut bench = Bench::new();
        if managed {
            bench.manage();
        }
        if verified {
            bench.ok(VERIFY);
        }
        for (ins, p1, p2, data) in commands {
            // An RSA key takes too long to be made hundreds of times.
            let command = Command::new(0x00, ins, p1, p2).with_data(data);
            if ins == 0x47 && command.data().contains(&0x07) {
                continue;
            }
            let before = bench.memory();
            let (answer, status) = bench.transmit(&command);
            let mut after = bench.memory();
            if status.is_ok() {
                continue;
            }
            prop_assert!(answer.is_empty());
            prop_assert_ne!(status, Status::UNKNOWN);
            if matches!(ins, 0x20 | 0x24 | 0x2C) {
                for reference in ["pin", "puk"] {
                    after[reference]["left"] = before[reference]["left"].clone();
                }
            }
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn what_was_recorded_elsewhere_does_no_harm(answer in data(), header: (u8, u8)) {
        let mut bench = Bench::new();
        let command = Command::new(0x00, 0x87, header.0, 0x9B).with_data([header.1]);
        bench.foresee(&command, &card::Response::new(answer, Status::OK));
        bench.manage();
    }
}
