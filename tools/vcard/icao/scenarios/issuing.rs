//! Personalization: only through the issuer's channel, only until the lock, only what fits
//! together.

use super::desk::{Desk, GENERIC, MAPPED, NUMBER, ZONE};
use super::reader::{Reader, at, object};
use crate::icao::scenarios::authority::{CVCA, Party, say};
use crate::vectors::unhex;

/// A whole document whose lock is refused once something is missing or too much.
fn nearly(change: &dyn Fn(&mut Desk)) -> Desk {
    let mut desk = Desk::personalized(&[GENERIC]);
    change(&mut desk);
    desk
}

#[test]
fn nobody_but_the_issuer_writes_and_nobody_behind_the_lock() {
    let commands = [
        ("00E00000", "6210 8003000010 820101 83020101 8C020141"),
        ("00D60000", "01"),
        ("00D70000", "540100530101"),
        ("00DA0102", NUMBER),
        ("00DB3FFF", "7F4800"),
        ("00478000", "AC09 80010D 840101 950101"),
        ("00468000", "AC09 80010D 840101 950101"),
    ];
    let mut desk = Desk::blank();
    for (header, data) in commands {
        let data = unhex(data);
        let plain = format!("{header}{:02X}{}", data.len(), hex::encode(&data));
        desk.expect(&plain, 0x6982);
    }
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.lock();
    for (header, data) in commands {
        let raw = unhex(data);
        let plain = format!("{header}{:02X}{}", raw.len(), hex::encode(&raw));
        desk.expect(&plain, 0x6985);
        desk.issued(header, data, 0x6985);
    }
    desk.issued("80F0400F", "A0000002471001", 0x6985);
    // The issuer reads no more than anybody.
    desk.enter();
    desk.issued("00A4020C", "0101", 0x9000);
    desk.issued("00B00000", "", 0x6982);
    // Nor does a session write.
    let nid = openssl::nid::Nid::BRAINPOOL_P256R1;
    let mut reader = Reader::pace(desk, GENERIC.0, 0x0D, nid, false);
    reader.expect("00D60000", "01", 0x6985);
}

#[test]
fn secrets_want_an_encrypted_channel() {
    let mut desk = Desk::blank();
    for (header, data) in [
        ("00DA0101", ZONE),
        ("00DA0102", NUMBER),
        ("00DB3FFF", "7F480C 80010D 840101 950101 870101"),
    ] {
        assert_eq!(
            desk.issue(header, &unhex(data), false).1,
            0x6982,
            "{header}"
        );
    }
    assert_eq!(desk.issue("00DA0110", &[0], false).1, 0x9000);
    let generate = unhex("AC09 80010D 840101 950101");
    assert_eq!(desk.issue("00478000", &generate, false).1, 0x9000);
}

#[test]
fn files_are_created_where_and_as_they_belong() {
    let mut desk = Desk::blank();
    let create = |desk: &mut Desk, id: &str, condition: &str, status| {
        let fcp = format!("6210 8003000010 820101 8302{id} 8C0201{condition}");
        desk.issued("00E00000", &fcp, status);
    };
    // In the master file.
    create(&mut desk, "011C", "41", 0x6A80);
    create(&mut desk, "011C", "00", 0x9000);
    create(&mut desk, "011C", "00", 0x6A89);
    create(&mut desk, "011D", "41", 0x6A80);
    create(&mut desk, "0101", "41", 0x6A80);
    // EF.DIR and EF.ATR/INFO, whose short identifiers are not the low bits.
    desk.issued(
        "00E00000",
        "6213 8003000010 820101 83022F00 8801F0 8C020100",
        0x9000,
    );
    desk.issued(
        "00E00000",
        "6213 8003000010 820101 83022F01 880108 8C020100",
        0x9000,
    );
    desk.enter();
    create(&mut desk, "0101", "00", 0x6A80);
    create(&mut desk, "0103", "41", 0x6A80);
    create(&mut desk, "0103", "E2", 0x6A80);
    create(&mut desk, "0104", "E1", 0x6A80);
    create(&mut desk, "0101", "FF", 0x6A80);
    create(&mut desk, "011C", "41", 0x6A80);
    create(&mut desk, "0111", "41", 0x6A80);
    create(&mut desk, "0101", "41", 0x9000);
    for (fcp, status) in [
        // Empty, another kind, too large, a short identifier taken or of the chip's own.
        ("6210 8003000000 820101 83020102 8C020141", 0x6A80),
        ("6210 8003000010 820138 83020102 8C020141", 0x6A80),
        ("6210 80030FFFFF 820101 83020102 8C020141", 0x6A84),
        ("6213 8003000010 820101 83020102 880108 8C020141", 0x6A89),
        ("6213 8003000010 820101 83020102 8801E0 8C020141", 0x6A89),
        ("6213 8003000010 820101 83020102 8801F8 8C020141", 0x6A89),
        ("6213 8003000010 820101 83020102 880109 8C020141", 0x6A80),
        ("620C 8003000010 820101 83020102", 0x6A80),
        ("6211 8003000010 820101 83020102 8C03020141", 0x6A80),
        ("6313 8003000010 820101 83020102", 0x6A80),
    ] {
        desk.issued("00E00000", fcp, status);
    }
    // Written whole or not at all.
    desk.issued("00A4020C", "0101", 0x9000);
    desk.issued("00D6000F", "0101", 0x6A84);
    desk.issued("00D60011", "01", 0x6B00);
    desk.issued("00D68100", "01", 0x6A86);
    desk.issued("00D60000", "", 0x6700);
    desk.issued("00D70000", "5401005401", 0x6A80);
    desk.issued("00D70001", "540100530101", 0x6A86);
    desk.issued("00D70000", "54010F530109", 0x9000);
    assert_eq!(desk.issued("00B00000", "", 0x9000)[14..], [0, 9]);
    desk.issued("00A4000C", "3F00", 0x9000);
    desk.issued("00D60000", "01", 0x6986);
}

#[test]
fn objects_are_taken_only_as_they_must_be() {
    let mut desk = Desk::blank();
    for (header, data, status) in [
        ("00DA0101", "6200", 0x6A80),
        ("00DA0101", "621B0409", 0x6A80),
        ("00DA0102", "31323334", 0x6A80),
        ("00DA0102", "41414141 4141", 0x6A80),
        ("00DA0110", "02", 0x6A80),
        ("00DA0111", "E00F 800A04007F00070202040202 840101", 0x6A80),
        ("00DA0111", "E00F 800A04007F00070202040102 84010D", 0x6A80),
        ("00DA0111", "E00F 800A04007F00070202040601 84010D", 0x6A80),
        ("00DA0111", "E00F 800A04007F00070202040402 84010A", 0x6A80),
        ("00DA0111", "E10F 800A04007F00070202040202 84010D", 0x6A80),
        ("00DA0120", "7F2100", 0x6A80),
        ("00DA0121", "020613000101", 0x6A80),
        ("00DA0121", "020601010A01", 0x6A80),
        ("00DA0121", "02060101", 0x6A80),
        ("00DA0199", "00", 0x6A86),
        ("00DB3FFE", "00", 0x6A86),
        ("00478200", "AC00", 0x6A86),
        ("80D80000", "", 0x6E00),
        ("80F0400F", "A000000247", 0x6A88),
        ("80F0800F", "A0000002471001", 0x6A86),
    ] {
        desk.issued(header, data, status);
    }
    // A trust point is a CVCA that signs itself.
    let (root, other) = (Party::new("LVCVCA00001"), Party::new("LVCVCA00002"));
    let sound = say(CVCA, "260101", "290101");
    for certificate in [
        root.certify(&other, &sound),
        root.certify(&root, &say(0x83, "260101", "290101")),
    ] {
        let object = object("7F21", &certificate);
        desk.issued("00DA0120", &hex::encode(object), 0x6A80);
    }
    let own = object("7F21", &root.certify(&root, &sound));
    desk.issued("00DA0120", &hex::encode(own), 0x9000);
}

#[test]
fn keys_are_made_or_brought_for_one_use() {
    let mut desk = Desk::blank();
    for (data, status) in [
        ("AC09 800101 840101 950101", 0x6A80),
        ("AC09 80010D 840101 950103", 0x6A80),
        ("AC09 800140 840101 950102", 0x6A80),
        ("AC0C 80010D 840101 950102 900103", 0x6A80),
        ("AC0C 80010D 840101 950101 8B0101", 0x6A80),
        ("AC0C 80010D 840101 950102 8B0110", 0x6A80),
        ("AC06 80010D 950101", 0x6A80),
        ("AC00", 0x6A80),
    ] {
        desk.issued("00478000", data, status);
    }
    let made = desk.issued("00478000", "AC09 80010C 840101 950101", 0x9000);
    assert_eq!(at(&made, &[0x7F49, 0x86]).len(), 65);
    assert_eq!(desk.issued("00478100", "AC03 840101", 0x9000), made);
    desk.issued("00478100", "AC03 840102", 0x6A88);
    // Anew for the same use, not for another; one key signs.
    let silent = desk.issued("00468000", "AC09 80010F 840101 950101", 0x9000);
    assert!(silent.is_empty());
    desk.issued("00478000", "AC09 80010C 840101 950102", 0x6A80);
    desk.issued("00478000", "AC09 80010C 840102 950101", 0x6A80);
    for reference in 2..7 {
        let key = format!("AC09 80010C 8401{reference:02X} 950102");
        desk.issued("00478000", &key, 0x9000);
    }
    desk.issued("00478000", "AC09 80010C 840107 950102", 0x6A84);
    let scalar = "87".to_owned() + "20" + &"FF".repeat(32);
    for data in [
        format!("7F482B 80010C 840102 950102 {scalar}"),
        "7F480C 80010C 840102 950102 870101".to_owned(),
        "7F4809 80010C 840102 950102".to_owned(),
        "7F4816 800140 840101 950101 8203010001 920105 930107".to_owned(),
    ] {
        desk.issued("00DB3FFF", &data, 0x6A80);
    }
    // No command reads a private key, and no text shows one.
    let memory = crate::applet::Applet::memory(&desk.chip).unwrap();
    let private = memory.pointer("/keys/0/private/Curve/scalar");
    let private = private.unwrap().as_str().unwrap();
    let read = desk.issued("00478100", "AC03 840101", 0x9000);
    assert!(!hex::encode(read).contains(private));
}

#[test]
fn a_chip_that_could_not_be_inspected_is_not_locked() {
    let trusted = |desk: &mut Desk| {
        let root = Party::new("LVCVCA00001");
        let own = root.certify(&root, &say(CVCA, "260101", "290101"));
        desk.issued("00DA0120", &hex::encode(object("7F21", &own)), 0x9000);
    };
    let chip = |desk: &mut Desk| {
        desk.issued("00478000", "AC09 80010D 840102 950102", 0x9000);
        desk.write(0x010E, 0x41, &[0x6E]);
    };
    let lock = "A0000002471001";
    // Nothing, no password, EF.CardAccess that says less, no files.
    Desk::blank().issued("80F0400F", lock, 0x6985);
    let mut desk = Desk::blank();
    desk.offer(&[GENERIC]);
    desk.enter();
    for id in [0x0101, 0x011D, 0x011E] {
        desk.write(id, 0x41, &[1]);
    }
    desk.issued("80F0400F", lock, 0x6985);
    desk.issued("00DA0110", "01", 0x9000);
    desk.issued("00DA0102", NUMBER, 0x9000);
    // BAC without the MRZ.
    desk.issued("80F0400F", lock, 0x6985);
    desk.issued("00DA0110", "00", 0x9000);
    desk.issued("80F0400F", lock, 0x9000);
    let lacking: [&dyn Fn(&mut Desk); 7] = [
        &|desk| {
            let told = "E00F 800A04007F00070202040204 840110";
            desk.issued("00DA0111", told, 0x9000);
        },
        // A mapping without its key; DG15 without a key, a key without DG15.
        &|desk| {
            let told = format!("E00F 800A{} 84010D", MAPPED.0);
            desk.issued("00DA0111", &told, 0x9000);
        },
        &|desk| desk.write(0x010F, 0x41, &[0x6F]),
        &|desk| {
            desk.issued("00478000", "AC09 80010D 840101 950101", 0x9000);
        },
        &|desk| {
            desk.issued("00478000", "AC09 80010D 840102 950102", 0x9000);
        },
        // Fingerprints that nobody could ever read.
        &|desk| {
            desk.write(0x0103, 0xE1, &[0x63]);
            chip(desk);
        },
        &|desk| {
            desk.write(0x0103, 0xE1, &[0x63]);
            trusted(desk);
        },
    ];
    for change in lacking {
        nearly(change).issued("80F0400F", lock, 0x6985);
    }
    let mut whole = nearly(&|desk| {
        desk.write(0x0103, 0xE1, &[0x63]);
        chip(desk);
        trusted(desk);
    });
    whole.issued("80F0400F", lock, 0x9000);
}

#[test]
fn memory_survives_at_every_step() {
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.issued("00478000", "AC09 80010D 840102 950102", 0x9000);
    let memory = crate::applet::Applet::memory(&desk.chip).unwrap();
    let woken = crate::applet::Applet::memory(&desk.woken().chip).unwrap();
    assert_eq!(memory, woken);
    for (field, value) in [
        ("/locked", serde_json::Value::Null),
        ("/files/0/rule", serde_json::json!("Nobody")),
        ("/keys/0/usage", serde_json::json!(7)),
    ] {
        let mut damaged = memory.clone();
        *damaged.pointer_mut(field).unwrap() = value;
        let build = super::desk::BUILD;
        assert!(
            crate::icao::start(build, 1000, Some(damaged)).is_err(),
            "{field}"
        );
    }
    let pieces = ["0101", "011D"].map(unhex);
    assert_eq!(pieces.len(), 2);
}
