//! The secure channel and the issuer security domain, met from outside.

use super::host::{Host, ISSUER};
use crate::vectors::{load, unhex};

#[test]
fn a_blank_introduces_itself() {
    let mut host = Host::blank();
    let cplc = host.expect("80CA9F7F00", 0x9000);
    assert_eq!((cplc.len(), &cplc[..3]), (45, &unhex("9F7F2A")[..]));
    assert_eq!(cplc[15..19], unhex("01020304"));
    let keys = host.expect("00CA00E000", 0x9000);
    assert_eq!(keys, unhex("E012C00401FF8810C00402FF8810C00403FF8810"));
    assert_eq!(host.expect("80CA00C100", 0x9000), unhex("C103000000"));
    let recognition = host.expect("80CA006600", 0x9000);
    // Object identifier of SCP03 with i = 70 (GP §H.3).
    let scp = unhex("640B06092A864886FC6B040370");
    assert!(recognition.windows(scp.len()).any(|window| window == scp));
    assert_eq!(
        host.expect("80CA004500", 0x9000)[2..],
        *host.chip.serial().as_bytes()
    );
    host.expect("80CA00EE00", 0x6A88);
    host.expect("80CA9F7F04", 0x6C2D);
    host.expect("80CA9F7F", 0x9000);
}

#[test]
fn selection_follows_the_aid() {
    let mut host = Host::blank();
    let fci = host.expect("00A4040000", 0x9000);
    assert_eq!(fci, unhex("6F108408A000000151000000A5049F6501FF"));
    assert_eq!(host.expect("00A4040005A00000015100", 0x9000), fci);
    host.expect("00A4040C05A00000", 0x6700);
    let eid = host.expect("00A4040005A00000007700", 0x9000);
    assert_eq!(
        eid,
        unhex("6F1683023F008410A000000077010800070000FE00000100")
    );
    host.expect("00A4040C05A00000000300", 0x6A82);
    host.expect("00A4040C01A0", 0x9000);
    host.expect("80CA9F7F00", 0x9000);
    host.expect("00A4040E01A0", 0x9000);
    host.expect("80CA9F7F00", 0x6D00);
    host.expect("00A4040E01A0", 0x6A82);
}

#[test]
fn the_counter_rises_and_the_challenge_follows_it() {
    let mut host = Host::blank();
    let first = host.expect("80500000081122334455667788", 0x9000);
    let second = host.expect("8050000008112233445566778800", 0x9000);
    assert_eq!(
        (&first[29..], &second[29..]),
        (&[0, 0, 1][..], &[0, 0, 2][..])
    );
    assert_ne!(first[13..21], second[13..21]);
    assert_eq!(first[..10], *host.chip.serial().as_bytes());
    assert_eq!(first[10..13], [0xFF, 0x03, 0x70]);
    // In the application the challenge is bound to the application's own AID.
    let mut other = Host::blank();
    other.eid();
    let elsewhere = other.expect("8050000008112233445566778800", 0x9000);
    assert_eq!(elsewhere[29..], [0, 0, 1]);
    assert_ne!(elsewhere[13..21], first[13..21]);
}

#[test]
fn every_level_opens_and_carries() {
    for level in [0x01, 0x03, 0x11, 0x13, 0x33] {
        let mut host = Host::blank();
        host.isd().open_transport(level);
        let status = host.secure("80F28002024F0000", 0x9000);
        assert_eq!(
            status,
            unhex("E3134F08A0000001510000009F700107C5039EFE80"),
            "{level:02X}"
        );
        let old = host.secure("80F28000024F0000", 0x9000);
        assert_eq!(old, unhex("08A000000151000000079E"));
        let eid = host.secure("80F24002024F0000", 0x9000);
        assert_eq!(eid[2..20], unhex("4F10A000000077010800070000FE00000100"));
        host.secure("80F24002054F03A00001", 0x6A88);
        host.secure("80F22002024F0000", 0x6A88);
    }
    for level in [0x00, 0x02, 0x10, 0x30, 0x31, 0x43] {
        let mut host = Host::blank();
        let keys = host.transport();
        assert_eq!(host.isd().try_open(0xFF, &keys, level), 0x6A86);
    }
}

#[test]
fn initialize_update_wants_its_form() {
    let mut host = Host::blank();
    host.expect("80500001081122334455667788", 0x6A86);
    host.expect("805000000711223344556677", 0x6700);
    host.expect("8050310008112233445566778800", 0x6A88);
    host.expect("0050000008112233445566778800", 0x6E00);
    host.expect("8482010010000000000000000000000000000000 00", 0x6985);
    host.expect("8050000008112233445566778800", 0x9000);
    host.expect("8082010010000000000000000000000000000000 00", 0x6982);
    host.expect("8050000008112233445566778800", 0x9000);
    host.expect("848201000400000000", 0x6700);
}

#[test]
fn an_offer_is_for_the_next_command() {
    const UPDATE: &str = "80500000081122334455667788";
    const AUTHENTICATE: &str = "8482010010000000000000000000000000000000 00";
    let mut host = Host::blank();
    for between in [
        "80CA9F7F00",
        "00A4040C00",
        "80CA00EE00",
        "01CA9F7F00",
        "80CA9F7F0501",
        "80F2400000",
    ] {
        // `expect` fetches the answer: GET RESPONSE comes between, and that may.
        host.expect(UPDATE, 0x9000);
        host.expect(AUTHENTICATE, 0x6300);
        host.expect(UPDATE, 0x9000);
        host.chip.process(&unhex(between));
        host.expect(AUTHENTICATE, 0x6985);
        host.chip.reset();
        let keys = host.transport();
        assert_eq!(host.isd().try_open(0xFF, &keys, 0x01), 0x9000);
        host.chip.reset();
    }
}

#[test]
fn ten_wrong_hosts_lock_the_channel_for_good() {
    let mut host = Host::blank();
    let right = host.transport();
    for _ in 0..9 {
        assert_eq!(host.isd().try_open(0xFF, &ISSUER, 0x01), 0x6300);
    }
    assert_eq!(host.isd().try_open(0xFF, &right, 0x01), 0x9000);
    for _ in 0..10 {
        assert_eq!(host.isd().try_open(0xFF, &ISSUER, 0x01), 0x6300);
    }
    host.chip.reset();
    assert_eq!(host.try_open(0xFF, &right, 0x01), 0x6983);
    assert_eq!(host.eid().try_open(0xFF, &right, 0x01), 0x6983);
}

#[test]
fn whatever_breaks_a_session_ends_it() {
    let breakers: [(&str, u16); 4] = [
        ("80F28002024F0000", 0x6982),
        ("80CA9F7F00", 0x6982),
        ("84F280020A4F00112233445566778800", 0x6988),
        ("84F2800200", 0x6988),
    ];
    for (breaker, status) in breakers {
        let mut host = Host::blank();
        host.isd().open_transport(0x01);
        host.secure("80F28002024F0000", 0x9000);
        host.expect(breaker, status);
        let next = host.wrap(&unhex("80F28002024F0000")).encode().unwrap();
        assert_eq!(host.send(&next).1, 0x6982, "{breaker}");
    }
    for ender in ["00A4040C00", "8050000008112233445566778800"] {
        let mut host = Host::blank();
        host.isd().open_transport(0x01);
        host.expect(ender, 0x9000);
        let next = host.wrap(&unhex("80F28002024F0000")).encode().unwrap();
        assert_eq!(host.send(&next).1, 0x6982, "{ender}");
    }
    let mut host = Host::blank();
    host.isd().open_transport(0x01);
    host.chip.reset();
    host.expect("80F28002024F0000", 0x6982);
}

#[test]
fn a_replayed_command_is_refused() {
    let mut host = Host::blank();
    host.isd().open_transport(0x33);
    let command = host.wrap(&unhex("80F28002024F0000")).encode().unwrap();
    assert_eq!(host.send(&command).1, 0x9000);
    assert_eq!(host.send(&command).1, 0x6988);
}

#[test]
fn the_first_key_set_replaces_the_transport_set() {
    let mut host = Host::blank();
    host.take_over();
    let transport = host.transport();
    assert_eq!(host.isd().try_open(0xFF, &transport, 0x33), 0x6A88);
    assert_eq!(host.isd().try_open(0x30, &transport, 0x33), 0x6300);
    host.isd().open(0x30, &ISSUER, 0x33);
    host.isd().open(0x00, &ISSUER, 0x33);
    let keys = host.expect("00A4040C00", 0x9000);
    assert!(keys.is_empty());
    let keys = host.expect("80CA00E000", 0x9000);
    assert_eq!(keys, unhex("E012C00401308810C00402308810C00403308810"));
    assert_eq!(host.expect("80CA00C100", 0x9000), unhex("C103000003"));
}

#[test]
fn put_key_is_that_of_the_vectors() {
    let file = load("globalplatform/put_key_aes.json");
    let row = file.rows("put_key").remove(0);
    let dek: [u8; 16] = row.bytes("dek").try_into().unwrap();
    let published = row.list("new_keys");
    let key = |index: usize| published[index].clone().try_into().unwrap();
    // First the vector's DEK becomes the chip's, then the vector's command comes verbatim.
    let mut host = Host::blank();
    host.isd().open_transport(0x33);
    let own = [*b"some other ENC k", *b"some other MAC k", dek];
    let transport_dek = host.transport()[2];
    host.secure(&Host::put_key(&transport_dek, 0x00, 0x01, &own), 0x9000);
    host.isd().open(0x01, &own, 0x33);
    let answer = host.secure(row.text("apdu"), 0x9000);
    assert_eq!(answer, row.bytes("response_data"));
    host.isd().open(0x31, &[key(0), key(1), key(2)], 0x33);
    host.isd().open(0x01, &own, 0x33);
}

#[test]
fn put_key_refuses_what_it_must() {
    let mut host = Host::blank();
    let dek = host.transport()[2];
    let good = Host::put_key(&dek, 0x00, 0x30, &ISSUER);
    host.isd().expect(&good, 0x6982);
    for level in [0x01, 0x11] {
        host.isd().open_transport(level);
        host.secure(&good, 0x6982);
    }
    host.isd().open_transport(0x33);
    let wrong_value = good.replacen("03", "02", 0) + "";
    let flipped = |at: usize| {
        let mut bytes = unhex(&wrong_value);
        bytes[at] ^= 1;
        hex::encode(bytes)
    };
    host.secure(&flipped(28), 0x6A80);
    host.secure(&flipped(10), 0x6A80);
    host.secure(&flipped(3), 0x6A86);
    host.secure(&Host::put_key(&dek, 0x00, 0x80, &ISSUER), 0x6A80);
    host.secure(&Host::put_key(&dek, 0x00, 0x00, &ISSUER), 0x6A80);
    host.secure(&Host::put_key(&dek, 0x42, 0x30, &ISSUER), 0x6A88);
    // Nothing has changed so far.
    host.isd().open_transport(0x33);
    host.secure(&good, 0x9000);
    host.secure(&good, 0x6A80);
    for version in [0x31, 0x32] {
        host.secure(&Host::put_key(&dek, 0x00, version, &ISSUER), 0x9000);
    }
    host.secure(&Host::put_key(&dek, 0x00, 0x33, &ISSUER), 0x6A84);
    host.secure(&Host::put_key(&dek, 0x31, 0x33, &ISSUER), 0x9000);
    host.secure("80E4000003D20131", 0x6A88);
    host.secure("80E4000003D20133", 0x9000);
    host.isd().open(0x30, &ISSUER, 0x33);
    host.secure("80E4000003D20130", 0x6985);
    host.secure("80E4000006D00101D20132", 0x6A80);
    assert_eq!(host.secure("80E4000003D2013200", 0x9000), [0x00]);
}
