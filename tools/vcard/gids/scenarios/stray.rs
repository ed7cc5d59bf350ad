//! Stray commands: whatever comes, the application answers, and a refusal changes nothing.

use card::{Command, Status};
use proptest::prelude::*;

use super::bench::{ADMIN, Bench, VERIFY};

/// Bytes that lead somewhere: instructions, references, algorithms, tags.
const KNOWN: &[u8] = &[
    0x00, 0x01, 0x02, 0x0C, 0x18, 0x20, 0x22, 0x24, 0x2A, 0x2C, 0x30, 0x39, 0x3F, 0x41, 0x44, 0x57,
    0x5C, 0x62, 0x70, 0x71, 0x7C, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x86, 0x87, 0x8C, 0x9A, 0x9E,
    0xA0, 0xA4, 0xA5, 0xAC, 0xB0, 0xB6, 0xB8, 0xC1, 0xCB, 0xDB, 0xDF, 0xE0, 0xE4, 0xFF,
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
                let value = &value[..value.len().min(0x3F)];
                bytes.extend([tag, value.len() as u8]);
                bytes.extend(value);
            }
            bytes
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_refusal_changes_nothing_but_the_tries(
        verified: bool,
        managed: bool,
        commands in proptest::collection::vec((byte(), byte(), byte(), data()), 1..12),
    ) {
        let mut bench = Bench::new();
        if managed {
            prop_assert_eq!(bench.authenticate(ADMIN), 0x9000);
        }
        if verified {
            bench.ok(VERIFY);
        }
        for (ins, p1, p2, data) in commands {
            let command = Command::new(0x00, ins, p1, p2).with_data(data).with_le(256);
            let before = bench.memory();
            let (answer, status) = bench.transmit(&command);
            let mut after = bench.memory();
            if status.is_ok() {
                continue;
            }
            prop_assert!(answer.is_empty());
            prop_assert_ne!(status, Status::UNKNOWN);
            if matches!(ins, 0x20 | 0x24) {
                after["pin"]["left"] = before["pin"]["left"].clone();
            }
            prop_assert_eq!(after, before);
        }
    }
}
