//! PACE: the published examples to the byte, and every suite against the reader.

use card::Command;
use openssl::bn::BigNum;
use openssl::nid::Nid;

use super::desk::{Desk, GENERIC, INTEGRATED, MAPPED, face};
use super::reader::{Reader, at, decode, encode, group, step, times};
use crate::vectors::{load, unhex};

#[test]
fn the_exchanges_of_appendix_g_1() {
    let row = load("icao9303-11/chip_pace.json").row("ecdh_gm");
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.lock();
    let drawn = ["nonce_s", "chip_map_private", "chip_private"];
    desk.entropy
        .foresee(&drawn.map(|name| row.bytes(name)).concat());
    for exchange in row.rows("exchanges") {
        let command = Command::parse(&exchange.bytes("command")).unwrap();
        let (data, status) = desk.transmit(&command);
        let answer = [&data[..], &status.to_be_bytes()].concat();
        assert_eq!(hex::encode(answer), hex::encode(exchange.bytes("answer")));
    }
    // The keys are the published ones.
    let mut reader = Reader {
        desk,
        tunnel: super::reader::Tunnel {
            arc: 2,
            enc: row.bytes("KS_enc"),
            mac: row.bytes("KS_mac"),
            counter: 0,
        },
        chip: vec![],
        own: vec![],
        proof: None,
    };
    reader.enter();
    assert_eq!(reader.read("0101", 93), [0x61; 93]);
}

#[test]
fn the_exchanges_of_appendix_h_1() {
    let row = load("icao9303-11/chip_pace.json").row("ecdh_im");
    let mut desk = Desk::personalized(&[INTEGRATED]);
    desk.lock();
    let drawn = ["nonce_s", "chip_private"];
    desk.entropy
        .foresee(&drawn.map(|name| row.bytes(name)).concat());
    desk.expect("0022C1A40F 800A04007F00070202040402 830102", 0x9000);
    assert_eq!(
        at(&step(&mut desk, false, &[]), &[0x80]),
        row.bytes("nonce_z")
    );
    let sent = super::reader::object("81", &row.bytes("nonce_t"));
    assert_eq!(step(&mut desk, false, &sent), unhex("8200"));
    let sent = super::reader::object("83", &row.bytes("terminal_public"));
    assert_eq!(
        at(&step(&mut desk, false, &sent), &[0x84]),
        row.bytes("chip_public")
    );
    let sent = super::reader::object("85", &row.bytes("T_IFD"));
    assert_eq!(
        at(&step(&mut desk, true, &sent), &[0x86]),
        row.bytes("T_IC")
    );
}

#[test]
fn chip_authentication_mapping_on_the_keys_of_appendix_g_1() {
    let file = load("icao9303-11/chip_pace.json");
    let (row, mapped) = (file.row("ecdh_gm"), file.row("ecdh_cam"));
    let mut desk = Desk::personalized(&[MAPPED]);
    let private = mapped.text("chip_static_private");
    let key = format!("7F482B 80010D 840104 950104 8720{private}");
    let public = desk.issued("00DB3FFF", &key, 0x9000);
    assert_eq!(
        at(&public, &[0x7F49, 0x86]),
        mapped.bytes("chip_static_public")
    );
    desk.issued("00A4000C", "3F00", 0x9000);
    desk.write(0x011D, 0x42, &[0x30; 64]);
    desk.lock();
    let drawn = ["nonce_s", "chip_map_private", "chip_private"];
    desk.entropy
        .foresee(&drawn.map(|name| row.bytes(name)).concat());
    desk.expect("0022C1A40F 800A04007F00070202040602 830101", 0x9000);
    step(&mut desk, false, &[]);
    for (tag, name) in [("81", "terminal_map_public"), ("83", "terminal_public")] {
        step(
            &mut desk,
            false,
            &super::reader::object(tag, &row.bytes(name)),
        );
    }
    let token = super::reader::object("85", &mapped.bytes("T_IFD"));
    let sent = super::reader::object("7C", &token);
    let command = Command::new(0, 0x86, 0, 0).with_data(sent).with_le(256);
    let (data, status) = desk.transmit(&command);
    let answer = [&data[..], &status.to_be_bytes()].concat();
    let expected = mapped.bytes("general_authenticate_response");
    assert_eq!(hex::encode(answer), hex::encode(expected));
}

#[test]
fn every_curve_and_cipher_opens_and_reads() {
    for (number, nid, arc) in [
        (0x0C, Nid::X9_62_PRIME256V1, 1),
        (0x0C, Nid::X9_62_PRIME256V1, 2),
        (0x0D, Nid::BRAINPOOL_P256R1, 4),
        (0x0F, Nid::SECP384R1, 3),
        (0x10, Nid::BRAINPOOL_P384R1, 4),
        (0x11, Nid::BRAINPOOL_P512R1, 4),
        (0x12, Nid::SECP521R1, 3),
    ] {
        let protocol = format!("04007F000702020402{arc:02X}");
        let parameters = format!("{number:02X}");
        let mut desk = Desk::personalized(&[(&protocol, &parameters)]);
        desk.lock();
        for can in [false, true] {
            let fresh = desk.woken();
            let mut reader = Reader::pace(fresh, &protocol, number, nid, can);
            assert_ne!(reader.chip, reader.own);
            reader.enter();
            assert_eq!(reader.read("0101", 93), [0x61; 93]);
        }
    }
}

#[test]
fn a_file_past_32_kib_is_read_whole() {
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.lock();
    let (protocol, nid) = (GENERIC.0, Nid::BRAINPOOL_P256R1);
    let mut reader = Reader::pace(desk, protocol, 0x0D, nid, true);
    reader.enter();
    assert!(reader.read("0102", 40_000) == face());
    // In one answer of extended length as much as the chip's buffer holds.
    let (data, status) = reader.send("00B08200", &[], Some(0x0FFF));
    assert_eq!((data.len(), status), (4095, 0x9000));
}

#[test]
fn the_chip_proves_itself_in_the_mapping() {
    for (protocol, number, nid) in [
        ("04007F00070202040602", 0x0D, Nid::BRAINPOOL_P256R1),
        ("04007F00070202040604", 0x0F, Nid::SECP384R1),
    ] {
        let mut desk = Desk::personalized(&[(protocol, &format!("{number:02X}"))]);
        let key = format!("AC09 8001{number:02X} 840104 950104");
        let public = at(&desk.issued("00478000", &key, 0x9000), &[0x7F49, 0x86]);
        desk.issued("00A4000C", "3F00", 0x9000);
        desk.write(0x011D, 0x42, &[0x30; 64]);
        desk.lock();
        let mut reader = Reader::pace(desk, protocol, number, nid, true);
        let (data, mapped) = reader.proof.clone().unwrap();
        let group = group(nid);
        let data = BigNum::from_slice(&data).unwrap();
        let product = times(&group, &decode(&group, &public), &data);
        assert_eq!(encode(&group, &product), mapped);
        // EF.CardSecurity, which only PACE opens.
        assert_eq!(reader.read("011D", 64), [0x30; 64]);
    }
}

#[test]
fn a_document_is_also_read_by_basic_access_control() {
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.lock();
    let mut reader = Reader::bac(desk);
    assert_eq!(reader.read("0101", 93), [0x61; 93]);
    assert!(reader.read("0102", 40_000) == face());
}
