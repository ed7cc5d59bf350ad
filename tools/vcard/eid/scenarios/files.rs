//! Files: who may create, write and read what, and when.

use super::host::{Host, ISSUER, command, tlv};
use super::personalized::{FIRST, VERSION, ef};
use crate::vectors::unhex;

const ADF1: &str = "00E000001862168201388302ADF1840DE828BD080FF2504F5420415750";

fn personalizing() -> Host {
    let mut host = Host::blank();
    host.eid().open_transport(0x33);
    host
}

#[test]
fn creation_wants_a_session_and_an_open_application() {
    let mut host = Host::blank();
    host.eid().expect(ADF1, 0x6982);
    host.open_transport(0x01);
    host.secure(ADF1, 0x9000);
    let mut issued = Host::personalized();
    issued.eid().expect(&ef("3333", 10, ""), 0x6982);
    issued.open(VERSION, &ISSUER, 0x33);
    issued.secure(&ef("3333", 10, ""), 0x6985);
}

#[test]
fn creation_refuses_what_it_must() {
    let mut host = personalizing();
    host.secure(ADF1, 0x9000);
    host.secure("00A4000C", 0x9000);
    host.secure(ADF1, 0x6A89);
    host.secure(&ADF1.replace("ADF1", "ADF2"), 0x6A8A);
    host.secure(&ef("3F00", 10, ""), 0x6A89);
    host.secure(&ef("0010", 0, ""), 0x6A80);
    host.secure(&ef("0010", 0x8000, ""), 0x6A80);
    host.secure(&ef("0010", 0x7FFF, ""), 0x9000);
    host.secure(&ef("0011", 0x7FFF, ""), 0x6A84);
    host.secure(&ef("0011", 10, "0300"), 0x6A80);
    host.secure("00E0010002 6200", 0x6A86);
    host.secure("00E00000026200", 0x6A80);
    host.secure("00E000000D620B800200108201028302D003", 0x6A80);
    host.secure("00E000000E620C80020010820101830204018500", 0x6A80);
}

#[test]
fn directories_nest_to_a_bound() {
    let mut host = personalizing();
    for depth in 1..=4 {
        let objects = format!("82013883020{depth:01}01{}", tlv("84", &format!("0{depth}")));
        let status = if depth < 4 { 0x9000 } else { 0x6985 };
        host.secure(&command("00E00000", &tlv("62", &objects)), status);
    }
}

#[test]
fn a_new_file_is_current_and_empty() {
    let mut host = personalizing();
    host.secure("00B0000000", 0x6986);
    host.secure("00D600000101", 0x6986);
    host.secure(&ef("D003", 4, ""), 0x9000);
    assert_eq!(host.secure("00B0000000", 0x9000), [0; 4]);
    host.secure("00D6000102AABB", 0x9000);
    assert_eq!(host.secure("00B0000000", 0x9000), [0, 0xAA, 0xBB, 0]);
    host.secure("00D6000302AABB", 0x6A84);
    host.secure("00D6000502AABB", 0x6B00);
    host.secure("00D60000", 0x6700);
    assert_eq!(host.secure("00B0000000", 0x9000), [0, 0xAA, 0xBB, 0]);
    // By short identifier: the low five bits of D003.
    assert_eq!(host.secure("00B0830100", 0x9000), [0xAA, 0xBB, 0]);
    host.secure("00B0840000", 0x6A82);
    host.secure("00B0A30000", 0x6A86);
}

#[test]
fn reading_ends_where_the_file_ends() {
    let mut host = Host::personalized();
    host.eid();
    assert_eq!(
        host.expect("00A4020402D00300", 0x9000),
        unhex("620480020010")
    );
    assert_eq!(
        host.expect("00A4020002D00300", 0x9000),
        unhex("6F0480020010")
    );
    assert_eq!(host.expect("00B0000000", 0x9000).len(), 16);
    assert_eq!(host.expect("00B000000B", 0x9000), b"\x04\x09PA9992921");
    assert_eq!(host.expect("00B0000E02", 0x9000).len(), 2);
    assert_eq!(host.expect("00B0000E08", 0x6282).len(), 2);
    host.expect("00B0001000", 0x6B00);
    host.expect("00B07FFF00", 0x6B00);
    host.expect("00B0000001AA", 0x6700);
    assert_eq!(host.chip.process(&unhex("00B00000")), unhex("6110"));
    assert_eq!(host.expect("00C0000000", 0x9000).len(), 16);
    // Extended length: all there is of a certificate, in one command.
    host.expect("00A4080C04ADF13401", 0x9000);
    let size = host.expect("00A4080404ADF1340100", 0x9000);
    let whole = host.expect("00B00000000000", 0x9000);
    assert_eq!(size[4..], u16::try_from(whole.len()).unwrap().to_be_bytes());
    assert_eq!(host.expect("00B00000000100", 0x9000).len(), 256);
}

#[test]
fn selection_follows_iso_7816_4() {
    let mut host = Host::personalized();
    host.eid();
    let adf1 = unhex("62138302ADF1840DE828BD080FF2504F5420415750");
    assert_eq!(host.expect("00A4010402ADF100", 0x9000), adf1);
    host.expect("00A4020C02ADF1", 0x6A82);
    host.expect("00A4020C025031", 0x9000);
    host.expect("00A4010C025031", 0x6A82);
    host.expect("00A4000C02ADF2", 0x9000); // a sibling directory
    host.expect("00A4000C025031", 0x9000);
    host.expect("00A4000C023F00", 0x9000);
    host.expect("00A4000C02D003", 0x9000);
    host.expect("00A4090404ADF1340100", 0x9000);
    host.expect("00A4090404ADF1340100", 0x6A82);
    host.expect("00A4000C", 0x9000);
    host.expect("00A4090404ADF1340100", 0x9000);
    host.expect("00A4080C04ADF2341F", 0x9000);
    host.expect("00A4080C063F00ADF2341F", 0x6A82);
    host.expect("00A4030C", 0x9000);
    host.expect("00A4030C", 0x6A82);
    host.expect("00A4080C03ADF234", 0x6700);
    host.expect("00A4000C01AD", 0x6700);
    host.expect("00A4050C00", 0x6A86);
    host.expect("00A4000800", 0x6A86);
    host.expect("00A4000E02ADF1", 0x6A86);
    let by_name = host.select(&unhex("E828BD080FF2504F5420415750"));
    assert_eq!(by_name.1, 0x9000);
    host.expect("00A4020C023401", 0x9000);
    assert_eq!(host.select(&unhex("E828BD08")).1, 0x9000);
    assert_eq!(
        host.select(&unhex("E828BD080FF2504F542041575000")).1,
        0x6A82
    );
}

#[test]
fn an_issued_card_changes_only_where_its_rules_say() {
    let mut host = Host::personalized();
    host.eid();
    host.expect("00A4080C04ADF13401", 0x9000);
    host.expect("00D600000130", 0x6982);
    host.open(VERSION, &ISSUER, 0x33);
    host.secure("00A4080C04ADF13401", 0x9000);
    host.secure("00D600000130", 0x9000);
    host.secure("00A4080C04ADF15031", 0x9000);
    host.secure("00D6000001A4", 0x6982);
}

#[test]
fn a_rule_closes_reading_too() {
    let mut host = personalizing();
    host.secure(&ef("0010", 4, "034343"), 0x9000);
    host.secure(&ef("0011", 4, "0191"), 0x9000);
    host.secure("00A4000C020010", 0x9000);
    assert_eq!(host.secure("00B0000000", 0x9000).len(), 4);
    host.eid();
    host.expect("00A4000C020010", 0x9000);
    host.expect("00B0000000", 0x6982);
    host.expect("00A4000C020011", 0x9000);
    host.expect("00B0000000", 0x6982);
}

#[test]
fn long_commands_come_chained_or_extended() {
    let content: Vec<u8> = (0..=255).cycle().take(600).collect();
    let plain = format!("00D60000000258{}", hex::encode(&content));
    for chained in [false, true] {
        let mut host = personalizing();
        host.secure(&ef("0010", 600, ""), 0x9000);
        let wrapped = host.wrap(&unhex(&plain));
        if chained {
            let mut pieces = wrapped.data().chunks(250).peekable();
            while let Some(piece) = pieces.next() {
                let cla = if pieces.peek().is_some() { 0x14 } else { 0x04 };
                let part = card::Command::new(cla, 0xD6, 0, 0).with_data(piece);
                let (_, status) = host.send(&part.encode().unwrap());
                assert_eq!(status, 0x9000);
            }
        } else {
            assert_eq!(host.send(&wrapped.encode().unwrap()).1, 0x9000);
        }
        host.eid();
        host.expect("00A4000C020010", 0x9000);
        let (read, _) = host.send(&unhex("00B00000000000"));
        assert_eq!(read, content);
    }
}

#[test]
fn a_whole_file_is_read_through_the_session_at_once() {
    for level in [0x01, 0x13, 0x33] {
        let mut host = Host::blank();
        host.eid().open_transport(level);
        host.secure(&ef("0010", 700, ""), 0x9000);
        assert_eq!(host.secure("00B00000000000", 0x9000).len(), 700);
        assert_eq!(host.secure("00B0000000", 0x9000).len(), 256);
    }
}

#[test]
fn memory_is_finite() {
    let mut host = personalizing();
    host.write_layout(&FIRST);
    host.secure("00A4000C", 0x9000);
    let mut made = 0;
    loop {
        let file = unhex(&ef(&format!("1{made:03X}"), 4000, ""));
        let wrapped = host.wrap(&file).encode().unwrap();
        match host.send(&wrapped).1 {
            0x9000 => made += 1,
            status => break assert_eq!(status, 0x6A84),
        }
    }
    assert_eq!(made, 10);
}
