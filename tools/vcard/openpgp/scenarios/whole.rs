//! The whole card: what it refuses, its life, its line, and input that makes no sense.

use card::{Command, Status};
use proptest::prelude::*;

use super::bench::{Bench, P256, PW1_OTHER, PW1_SIGN, PW3, WRONG_PW1, WRONG_PW3};
use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::openpgp::start;
use crate::product::Product;
use crate::store::Memory;
use crate::transport::TransportMasterKey;
use crate::vectors::unhex;

#[test]
fn what_is_unknown_or_malformed_is_refused() {
    let mut bench = Bench::new();
    for (text, status) in [
        ("00CA00F900", 0x6A88),
        ("00CA010100", 0x6A88),
        ("00CA00C500", 0x6A88),
        ("00CA004F02 0000 00", 0x6700),
        ("00DA004F01 00", 0x6A88),
        ("00DA009303 000000", 0x6A88),
        ("00DA005B01 41", 0x6982),
        ("00DA00C40101", 0x6982),
        ("0047800002B600 00", 0x6982),
        ("0047810002B600 00", 0x6A88),
        ("0047810002B700 00", 0x6A80),
        ("0047810005B603840102 00", 0x6A80),
        ("0047820002B600 00", 0x6B00),
        ("0047810102B600 00", 0x6B00),
        ("002A9E9A01 00 00", 0x6982),
        ("002A808601 00 00", 0x6982),
        ("002A868001 00 00", 0x6B00),
        ("0088000001 00 00", 0x6982),
        ("0088000101 00 00", 0x6B00),
        ("00DB3FFF02 4D00", 0x6982),
        ("00DB3FFE02 4D00", 0x6B00),
        ("00E60000", 0x6982),
        ("00E60001", 0x6B00),
        ("00A4040007 A0000003080000", 0x6A82),
        ("00A4000C02 3F00", 0x6B00),
        ("00A5030406 60045C027F21", 0x6A88),
        ("00A5000406 60045C025F50", 0x6A88),
        ("00A5000406 61045C027F21", 0x6A80),
        ("00A5000006 60045C027F21", 0x6B00),
        ("00CC005E00", 0x6A88),
        ("0084000000", 0x6700),
        ("002241B803 830102", 0x6D00),
        ("00C0000000", 0x6985),
        ("80CA004F00", 0x6E00),
        ("0CCA004F00", 0x6882),
        ("01CA004F00", 0x6881),
    ] {
        bench.refused(text, status);
    }
}

#[test]
fn a_lost_card_becomes_a_blank_again() {
    let mut bench = Bench::admin();
    let name = bench.ok("00CA004F00");
    bench.ok(&format!("00DA00C109 13{P256}"));
    bench.ok("0047800002B600 00");
    bench.ok("00DA005E01 41");
    // Nothing happens to an application in use.
    bench.ok("00440000");
    assert_eq!(bench.ok("00CA005E00"), b"A");
    bench.select();
    for _ in 0..3 {
        bench.send(WRONG_PW3);
    }
    bench.refused(PW3, 0x6983);
    bench.refused("00E60000", 0x6982);
    for _ in 0..3 {
        bench.send(WRONG_PW1);
    }
    bench.ok("00E60000");
    bench.refused("00CA004F00", 0x6985);
    let mut woken = bench.woken();
    assert_eq!(woken.select(), Status::FILE_TERMINATED.value());
    woken.refused(PW1_SIGN, 0x6985);
    woken.ok("00440000");
    assert_eq!(woken.select(), 0x9000);
    assert_eq!(woken.ok("00CA004F00"), name);
    assert_eq!(woken.status(), [0, 127, 127, 127, 3, 0, 3]);
    assert!(woken.ok("00CA005E00").is_empty());
    woken.refused("0047810002B600 00", 0x6A88);
    woken.ok(PW3);
    woken.ok("00E60000");
    assert_eq!(woken.select(), 0x6285);
}

#[test]
fn a_chip_carries_chains_long_commands_and_long_answers() {
    let product = Product::find("openpgp").unwrap();
    let number = ChipNumber::new([0, 0], [0, 0, 0, 1]);
    let keys = TransportMasterKey::new([0x55; 16]);
    let mut chip = Chip::blank(product, number, &keys, Memory).unwrap();
    let mut send = |text: &str| hex::encode_upper(chip.process(&unhex(text)));
    assert_eq!(send("00CA004F00"), "6986");
    assert_eq!(send("00A4040006 D27600012401"), "9000");
    assert_eq!(send(PW3), "9000");
    assert_eq!(send("10DA7F2102 0102"), "9000");
    assert_eq!(send("00DA7F2101 03"), "9000");
    assert_eq!(send("00CA7F2100"), "0102039000");
    assert_eq!(send("10DA7F2102 0405"), "9000");
    assert_eq!(send("00CA7F2100"), "6883");
    assert_eq!(send("00CA7F2100"), "0102039000");
    let long = "7F".repeat(300);
    assert_eq!(send(&format!("00DA7F21 00012C {long}")), "9000");
    assert_eq!(send("00CA7F2100"), format!("{}612C", "7F".repeat(256)));
    assert_eq!(send("00C000002C"), format!("{}9000", "7F".repeat(44)));
    assert_eq!(send("00CA7F21 000000"), format!("{long}9000"));
    let whole = |length: usize| format!("00DA7F21 00{length:04X} {}", "7F".repeat(length));
    assert_eq!(send(&whole(2048)), "9000");
    assert_eq!(send(&whole(2296)), "6700");
    // Another application's name leaves this one as it is.
    assert_eq!(send("00A4040009 A00000030800001000"), "6A82");
    assert_eq!(send("00200083"), "9000");
    let mut woken = Chip::restore(&chip.snapshot().unwrap()).unwrap();
    woken.process(&unhex("00A4040005 D276000124"));
    assert_eq!(woken.process(&unhex("00CA7F21 000000")).len(), 2050);
}

#[test]
fn a_memory_that_is_none_is_refused() {
    assert!(start(Some(serde_json::json!({}))).is_err());
}

proptest! {
    /// Whatever comes, nothing breaks, and a refusal changes nothing but tries.
    #[test]
    fn nonsense_is_refused(
        commands in prop::collection::vec(
            (
                prop::sample::select(vec![
                    0x20, 0x24, 0x2A, 0x2C, 0x47, 0x88, 0xA5, 0xCA, 0xCC, 0xDA, 0xDB, 0xFF,
                ]),
                prop::sample::select(vec![0x00, 0x02, 0x3F, 0x5F, 0x7F, 0x80, 0x81, 0x9E, 0xFF]),
                prop::sample::select(vec![
                    0x00, 0x04, 0x21, 0x5B, 0x81, 0x82, 0x83, 0x86, 0x9A, 0xC1, 0xC4, 0xD3, 0xFF,
                ]),
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..20),
                    Just(unhex("4D00")),
                    Just(unhex("4D82FFFF")),
                    Just(unhex("60045C027F21")),
                    Just(unhex("A6057F49028600")),
                    Just(unhex("4D0AB6007F480192825F4800")),
                    Just(unhex("B600")),
                ],
            ),
            1..12,
        ),
    ) {
        let mut bench = Bench::admin();
        // No RSA key is to be made here: that takes long.
        for slot in ["C109 13", "C209 12", "C309 13"] {
            bench.ok(&format!("00DA00{slot}{P256}"));
        }
        bench.ok(PW1_OTHER);
        for (ins, p1, p2, data) in commands {
            let mut before = bench.applet.memory().unwrap();
            let command = Command::new(0x00, ins, p1, p2).with_data(data);
            let (_, status) = bench.transmit(&command);
            if status != 0x9000 {
                let mut after = bench.applet.memory().unwrap();
                for memory in [&mut before, &mut after] {
                    for password in ["pw1", "pw3", "resetting_code"] {
                        if let Some(password) = memory[password].as_object_mut() {
                            password.remove("left");
                        }
                    }
                }
                prop_assert_eq!(before, after, "{:?}", command.header());
            }
        }
    }
}
