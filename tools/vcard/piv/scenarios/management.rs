//! The management key: authentication both ways, its replacement.

use super::bench::{Bench, DEFAULT_KEY, decrypt, encrypt};

const AES: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn external_authentication_is_good_for_one_try() {
    let mut bench = Bench::new();
    bench.refused("0047009A05 AC03800111 00", 0x6982);
    bench.manage();
    bench.ok("0047009A05 AC03800111 00");
    // Nothing was drawn since.
    bench.refused("0087039B0C 7C0A 8208 0000000000000000", 0x6A80);

    let mut bench = Bench::new();
    let drawn = bench.ok("0087039B04 7C02 8100 00");
    assert_eq!(&drawn[..4], [0x7C, 0x0A, 0x81, 0x08]);
    bench.refused("0087039B0C 7C0A 8208 0000000000000000", 0x6A80);
    // The right answer comes too late.
    let late = [
        &[0x7C, 0x0A, 0x82, 0x08][..],
        &encrypt(3, DEFAULT_KEY, &drawn[4..]),
    ]
    .concat();
    assert_eq!(bench.whole([0x00, 0x87, 0x03, 0x9B], &late).1, 0x6A80);
    bench.refused("0047009A05 AC03800111 00", 0x6982);
}

#[test]
fn a_failed_authentication_ends_the_one_before() {
    let mut bench = Bench::new();
    for failed in [
        "0087039B0C 7C0A 8208 0000000000000000",
        "0087039B0C 7C0A 8008 0000000000000000",
        "0087039B02 7C00",
        "0087039B",
        "0087089B04 7C02 8100 00",
        "0087119B04 7C02 8100 00",
    ] {
        bench.manage();
        bench.ok("0047009A05 AC03800111 00");
        bench.send("0087039B04 7C02 8100 00");
        assert_ne!(bench.send(failed).1, 0x9000, "{failed}");
        bench.refused("0047009A05 AC03800111 00", 0x6982);
        bench.refused(
            "00FFFFFF1B 03 9B 18 000000000000000000000000000000000000000000000000",
            0x6982,
        );
    }
}

#[test]
fn mutual_authentication_proves_both() {
    let mut bench = Bench::new();
    let sent = bench.ok("0087009B04 7C02 8000 00");
    assert_eq!(&sent[..4], [0x7C, 0x0A, 0x80, 0x08]);
    let witness = decrypt(3, DEFAULT_KEY, &sent[4..]);
    let challenge = [1, 2, 3, 4, 5, 6, 7, 8];
    let data = [
        &[0x7C, 0x16, 0x80, 0x08][..],
        &witness,
        &[0x81, 0x08],
        &challenge,
        &[0x82, 0],
    ]
    .concat();
    let (answer, status) = bench.whole([0x00, 0x87, 0x03, 0x9B], &data);
    assert_eq!(status, 0x9000);
    let expected = encrypt(3, DEFAULT_KEY, &challenge);
    assert_eq!(answer, [&[0x7C, 0x0A, 0x82, 0x08][..], &expected].concat());
    bench.ok("0047009A05 AC03800111 00");
    // Whoever proved the key may have the card encrypt again; nobody else may.
    bench.ok("0087039B0E 7C0C 8108 0102030405060708 8200 00");
    bench.select();
    bench.refused("0087039B0E 7C0C 8108 0102030405060708 8200 00", 0x6982);
    bench.refused("0087039B0C 7C0A 8108 0102030405060708 00", 0x6982);
}

#[test]
fn a_challenge_is_no_witness_and_a_witness_no_challenge() {
    let mut bench = Bench::new();
    let drawn = bench.ok("0087039B04 7C02 8100 00");
    let handed_back = [&[0x7C, 0x0A, 0x80, 0x08][..], &drawn[4..]].concat();
    let header = [0x00, 0x87, 0x03, 0x9B];
    assert_eq!(bench.whole(header, &handed_back).1, 0x6A80);
    let sent = bench.ok("0087039B04 7C02 8000 00");
    let handed_back = [&[0x7C, 0x0A, 0x82, 0x08][..], &sent[4..]].concat();
    assert_eq!(bench.whole(header, &handed_back).1, 0x6A80);
    bench.refused("00DB3FFF07 5C035FC1055300", 0x6982);
}

#[test]
fn every_cipher_can_be_the_management_key() {
    for (algorithm, length) in [(0x08, 16), (0x0A, 24), (0x0C, 32), (0x03, 24)] {
        let mut bench = Bench::new();
        bench.manage();
        let key = &AES[..2 * length];
        bench.ok(&format!(
            "00FFFFFF{:02X} {algorithm:02X} 9B {length:02X} {key}",
            length + 3
        ));
        let mut woken = bench.woken();
        assert_eq!(woken.authenticate(algorithm, key), 0x9000);
        assert_eq!(woken.authenticate(algorithm, &"00".repeat(length)), 0x6A80);
        if algorithm != 0x03 {
            woken.refused("0087039B04 7C02 8100 00", 0x6A86);
        }
    }
}

#[test]
fn wrong_management_commands_are_refused() {
    let mut bench = Bench::new();
    let set = format!("00FFFFFF1B 03 9B 18 {DEFAULT_KEY}");
    bench.refused(&set, 0x6982);
    for (text, status) in [
        ("0087089B04 7C02 8100 00", 0x6A86),
        ("0087119B04 7C02 8100 00", 0x6A86),
        ("0087039B04 7C02 8200 00", 0x6A80),
        ("0087039B04 7C02 8500 00", 0x6A80),
        ("0087039B06 7C04 8100 8000 00", 0x6A80),
        ("0087039B05 7C03 8201 00 00", 0x6A80),
        ("0087039B02 7C00 00", 0x6A80),
        ("0087039B04 7D02 8100 00", 0x6A80),
        ("0087039B", 0x6A80),
        ("0087039F04 7C02 8100 00", 0x6A86),
        ("0087039A04 7C02 8100 00", 0x6982),
        ("0087039E04 7C02 8100 00", 0x6A86),
    ] {
        bench.refused(text, status);
    }
    bench.manage();
    for (text, status) in [
        (format!("00FFFFFE1B 03 9B 18 {DEFAULT_KEY}"), 0x6A86),
        (format!("00FFFFFF1B 03 9A 18 {DEFAULT_KEY}"), 0x6A80),
        (format!("00FFFFFF1B 00 9B 18 {DEFAULT_KEY}"), 0x6A80),
        (format!("00FFFFFF1B 08 9B 18 {DEFAULT_KEY}"), 0x6A80),
        (format!("00FFFFFF1C 03 9B 18 {DEFAULT_KEY} 00"), 0x6A80),
        (format!("00FFFFFF1B 03 9B 17 {DEFAULT_KEY}"), 0x6A80),
        ("00FFFFFF".to_owned(), 0x6A80),
    ] {
        bench.refused(&text, status);
    }
}
