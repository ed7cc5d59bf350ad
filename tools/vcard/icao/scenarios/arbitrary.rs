//! Arbitrary commands: always an answer, never a panic.

use card::Command;
use openssl::nid::Nid;
use proptest::prelude::*;

use super::desk::{Desk, GENERIC};
use super::reader::Reader;

fn reader() -> Reader {
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.lock();
    Reader::pace(desk, GENERIC.0, 0x0D, Nid::BRAINPOOL_P256R1, true)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 32, ..ProptestConfig::default()
    })]

    /// Whatever comes, in plain, in the issuer's channel or in a session: there is an answer,
    /// and the memory wakes.
    #[test]
    fn whatever_comes_is_answered(commands in prop::collection::vec(
        (
            prop::sample::select(vec![0x00_u8, 0x10, 0x80]),
            prop::sample::select(vec![
                0x22_u8, 0x2A, 0x46, 0x47, 0x82, 0x84, 0x86, 0x88, 0xA4, 0xB0, 0xB1, 0xD6, 0xD7,
                0xDA, 0xDB, 0xE0, 0xF0,
            ]),
            prop::sample::select(vec![
                [0_u8, 0], [0xC1, 0xA4], [0x41, 0xA6], [0x41, 0xA4], [0x81, 0xB6], [0x81, 0xA4],
                [0, 0xBE], [1, 1], [1, 2], [1, 0x11], [1, 0x20], [0x3F, 0xFF], [0x80, 0], [2, 4],
                [4, 0], [0x40, 0x0F], [0x9C, 0],
            ]),
            prop::collection::vec(prop::sample::select(vec![
                0_u8, 1, 2, 3, 4, 0x0D, 0x30, 0x53, 0x54, 0x62, 0x7C, 0x7F, 0x80, 0x81, 0x82, 0x83,
                0x84, 0x86, 0x8C, 0xAC, 0xE0, 0xFF,
            ]), 0..24),
            0..3_u8,
        ),
        1..40,
    )) {
        let mut reader = reader();
        let mut blank = Desk::blank();
        for (cla, ins, [p1, p2], data, way) in commands {
            let command = Command::new(cla, ins, p1, p2).with_data(data.clone()).with_le(256);
            match way {
                0 => drop(blank.transmit(&command)),
                1 => {
                    let header = hex::encode([cla & 0x80, ins, p1, p2]);
                    drop(blank.issue(&header, &data, true));
                }
                _ => {
                    let header = hex::encode([cla & 0x10, ins, p1, p2]);
                    drop(reader.send(&header, &data, Some(0)));
                }
            }
        }
        drop(blank.woken());
        // The first command may end a chain; the session goes on.
        drop(reader.send("00B09C00", &[], Some(1)));
        reader.enter();
    }
}
