//! The chip as a product: a Java Card that begins with this applet, and whose security domain
//! keeps the issuer's channel for it.

use openssl::nid::Nid;

use super::desk::{Desk, GENERIC, NUMBER, ZONE};
use super::reader::Reader;
use crate::eid::scenarios::host::{Host, ISSUER};
use crate::icao::AID;
use crate::store::{Image, Store, StoreError};
use crate::vectors::unhex;

const NAME: &str = "A0000002471001";

/// A store that is full.
struct Full;

impl Store for Full {
    fn commit(&mut self, _: &Image<'_>) -> Result<(), StoreError> {
        Err(StoreError::Io {
            act: "write",
            path: "full".into(),
            source: std::io::ErrorKind::StorageFull.into(),
        })
    }
}

fn secure(host: &mut Host, header: &str, data: &str) {
    let data = data.replace(' ', "");
    let length = data.len() / 2;
    host.secure(&format!("{header}{length:02X}{data}"), 0x9000);
}

/// Opens the issuer's channel to the applet.
fn channel(product: &str, level: u8) -> Host {
    let mut host = Host::blank_of(product);
    assert_eq!(host.select(AID).1, 0x9000);
    host.open_transport(level);
    host
}

/// Personalizes a whole document through the channel.
fn personalize(host: &mut Host) {
    secure(host, "00DA0101", ZONE);
    secure(host, "00DA0102", NUMBER);
    secure(host, "00DA0110", "01");
    secure(host, "00DA0111", &format!("E00F 800A{} 84010D", GENERIC.0));
    secure(host, "00A4000C", "3F00");
    secure(host, "00E00000", "6210 8003000016 820101 8302011C 8C020100");
    let access = format!("3114 3012 060A{} 020102 02010D", GENERIC.0);
    secure(host, "00D60000", &access);
    secure(host, "00A4040C", NAME);
    for id in ["0101", "011D", "011E"] {
        let fcp = format!("6210 8003000400 820101 8302{id} 8C020141");
        secure(host, "00E00000", &fcp);
        secure(host, "00D60000", &"61".repeat(200));
    }
    secure(host, "80F0400F", NAME);
}

#[test]
fn a_card_is_personalized_through_its_channel_and_read_by_pace() {
    for product in ["icao-lds", "icao-lds-short"] {
        let mut host = channel(product, 0x33);
        personalize(&mut host);
        host.chip.reset();
        // The channel is gone, the applet is there without a selection.
        host.expect("00A4020C02011C", 0x9000);
        assert_eq!(host.expect("00B0000002", 0x9000), unhex("3114"));
        let desk = Desk::with(host);
        let mut reader = Reader::pace(desk, GENERIC.0, 0x0D, Nid::BRAINPOOL_P256R1, true);
        reader.enter();
        let whole = reader.read("0101", 0x400);
        assert_eq!(whole[..200], [0x61; 200]);
        // As much as asked for, as far as it fits into one answer.
        let (data, status) = reader.send("00B00000", &[], Some(0));
        assert_eq!((data.len(), status), (223, 0x9000));
    }
}

#[test]
fn extended_lengths_are_the_products_affair() {
    for (product, status) in [("icao-lds", 0x6300), ("icao-lds-short", 0x6700)] {
        let mut host = channel(product, 0x33);
        personalize(&mut host);
        host.chip.reset();
        host.expect("0084000008", 0x9000);
        let long = format!("00820000000028{}0028", "00".repeat(40));
        host.expect(&long, status);
    }
    let mut reader = {
        let mut host = channel("icao-lds", 0x33);
        personalize(&mut host);
        host.chip.reset();
        let desk = Desk::with(host);
        Reader::pace(desk, GENERIC.0, 0x0D, Nid::BRAINPOOL_P256R1, false)
    };
    reader.enter();
    reader.expect("00A4020C", "0101", 0x9000);
    let (data, status) = reader.send("00B00000", &[], Some(0x0400));
    assert_eq!((data.len(), status), (0x400, 0x9000));
}

#[test]
fn an_answer_in_the_channel_is_as_long_as_asked_for() {
    let mut host = channel("icao-lds", 0x13);
    secure(&mut host, "00A4040C", NAME);
    let fcp = "6210 8003000400 820101 83020101 8C020141";
    secure(&mut host, "00E00000", fcp);
    // 24 bytes and their MAC, at once.
    let command = host.wrap(&unhex("00B0000020"));
    let answer = host.chip.process(&command.encode().unwrap());
    assert_eq!(answer.len(), 24 + 8 + 2);
    assert!(answer.ends_with(&[0x90, 0x00]));
}

#[test]
fn what_is_not_in_the_channel_ends_it() {
    let mut host = channel("icao-lds", 0x13);
    secure(&mut host, "00DA0110", "01");
    host.expect("00A4000C023F00", 0x6982);
    host.expect("00A4000C023F00", 0x9000);
    let command = host.wrap(&unhex("00DA01100100"));
    let (_, status) = host.send(&command.encode().unwrap());
    assert_eq!(status, 0x6982);
    // ISO's secure messaging is not the issuer's.
    let mut host = channel("icao-lds", 0x13);
    host.expect("0CA4000C023F00", 0x6982);
    host.expect("0CA4000C023F00", 0x6882);
    // A wrong MAC.
    let mut host = channel("icao-lds", 0x13);
    let mut command = host.wrap(&unhex("00DA01100100")).encode().unwrap().to_vec();
    *command.last_mut().unwrap() ^= 1;
    assert_eq!(host.send(&command).1, 0x6988);
    let next = host.wrap(&unhex("00DA01100100")).encode().unwrap();
    assert_eq!(host.send(&next).1, 0x6982);
    // A selection, also of the applet itself.
    let mut host = channel("icao-lds", 0x13);
    assert_eq!(host.send(&unhex(&format!("00A4040C07{NAME}"))).1, 0x9000);
    let next = host.wrap(&unhex("00DA01100100")).encode().unwrap();
    assert_eq!(host.send(&next).1, 0x6982);
    // Secrets want C-DEC.
    let mut host = channel("icao-lds", 0x11);
    host.secure(&format!("00DA010206{NUMBER}"), 0x6982);
    host.secure("00DA01100101", 0x9000);
    host.secure("80CA9F7F00", 0x6E00);
    // An offer is for the very next command.
    let mut host = Host::blank_of("icao-lds");
    host.expect("8050000008112233445566778800", 0x9000);
    host.expect("00A4000C023F00", 0x9000);
    host.expect(&format!("8482330010{}", "00".repeat(16)), 0x6985);
}

#[test]
fn the_issuers_keys_are_those_of_the_domain() {
    let mut host = Host::blank_of("icao-lds");
    host.isd().open_transport(0x33);
    let dek = host.transport()[2];
    host.secure(&Host::put_key(&dek, 0, 1, &ISSUER), 0x9000);
    assert_eq!(host.select(AID).1, 0x9000);
    let transport = host.transport();
    assert_eq!(host.try_open(0xFF, &transport, 0x33), 0x6A88);
    host.open(1, &ISSUER, 0x33);
    personalize(&mut host);
    // A locked card begins with nobody.
    host.isd().open(1, &ISSUER, 0x33);
    host.secure("80F0800F", 0x9000);
    host.secure("80F0807F", 0x9000);
    host.chip.reset();
    host.expect("00A4020C02011C", 0x6A82);
    host.expect("00B0000002", 0x6986);
    assert_eq!(host.select(AID).1, 0x6A82);
}

#[test]
fn the_issuers_channel_ends_a_readers_session() {
    let mut host = channel("icao-lds", 0x33);
    personalize(&mut host);
    host.chip.reset();
    let desk = Desk::with(host);
    let mut reader = Reader::pace(desk, GENERIC.0, 0x0D, Nid::BRAINPOOL_P256R1, true);
    let answer = reader.desk.expect("8050000008112233445566778800", 0x9000);
    assert_eq!(answer.len(), 32);
    let next = reader.tunnel.wrap([0, 0xB0, 0x9C, 0], &[], Some(4));
    assert_eq!(reader.desk.transmit(&next), (vec![], 0x6882));
}

#[test]
fn what_could_not_be_written_did_not_happen() {
    let mut host = channel("icao-lds", 0x33);
    host.chip.replace_store(Full);
    host.secure("00DA01100101", 0x6581);
    // Nobody is selected, no channel is open; the card is as it was.
    host.expect("00A4020C02011C", 0x6A82);
    host.expect("00B0000002", 0x6986);
    assert_eq!(host.select(AID).1, 0x9000);
    host.expect("0084000008", 0x6985);
}

#[test]
fn the_length_asked_for_is_that_of_the_protected_answer() {
    for (level, le, plain) in [
        (0x03, 0x20, 0x20),
        (0x13, 0x20, 0x18),
        (0x33, 0x28, 0x1F),
        (0x33, 0x00, 0xEF),
    ] {
        let mut host = channel("icao-lds", level);
        let fcp = "6210 8003000400 820101 83020101 8C020141";
        secure(&mut host, "00E00000", fcp);
        let read = host.secure(&format!("00B00000{le:02X}"), 0x9000);
        assert_eq!(read.len(), plain, "{level:02X}");
    }
}
