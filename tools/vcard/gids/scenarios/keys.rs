//! Key files: made, filled, used, each judged by openssl outside the card.

use openssl::hash::MessageDigest;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Verifier;

use super::bench::{ACTIVATE, Bench, FORGET, GENERATE_81, KEY_81, READ_81, VERIFY, public};
use crate::applet::KeyWork;
use crate::vectors::unhex;

/// Encodes a sequence as RSAPrivateKey, with or without the zero before a high bit.
fn private_key(key: &Rsa<openssl::pkey::Private>, zeros: bool) -> Vec<u8> {
    let object = |tag: u8, value: &[u8]| {
        let length = value.len() as u16;
        [&[tag, 0x82][..], &length.to_be_bytes(), value].concat()
    };
    let mut content = vec![0x02, 0x01, 0x00];
    let factors = [key.p(), key.q(), key.dmp1(), key.dmq1(), key.iqmp()];
    let numbers = [key.n(), key.e(), key.d()].into_iter();
    for number in numbers.chain(factors.map(Option::unwrap)) {
        let zero = if zeros { &[0][..] } else { &[] };
        content.extend(object(0x02, &[zero, &number.to_vec()].concat()));
    }
    object(0x30, &content)
}

/// Encodes the import of an RSA key to 81.
fn import(value: &[u8]) -> Vec<u8> {
    let length = |more: usize| ((value.len() + more) as u16).to_be_bytes();
    [
        &[0x70, 0x82][..],
        &length(17),
        &[0x84, 0x01, 0x81, 0xA5, 0x82],
        &length(10),
        &[0x83, 0x01, 0x02, 0x84, 0x01, 0x00, 0x87, 0x82],
        &length(0),
        value,
    ]
    .concat()
}

#[test]
fn a_key_signs_and_deciphers_as_its_templates_say() {
    let (bench, public) = Bench::with_key();
    let mut bench = bench.woken();
    let read = super::bench::public(&bench.ok(READ_81)).rsa().unwrap();
    assert_eq!(read.n(), public.rsa().unwrap().n());
    bench.refused("002241B606 800157 840181", 0x6982);
    bench.refused("002A9E9A01 00 00", 0x6985);
    bench.ok(VERIFY);
    for (command, status) in [
        ("002241B606 800156 840181", 0x6984),
        ("002241A406 800157 840181", 0x6984),
        ("002241B606 800157 840182", 0x6984),
        ("002241B606 800157 830181", 0x6984),
        ("0022F3B606 800157 840181", 0x6A81),
    ] {
        bench.refused(command, status);
    }
    let message = b"a message to be signed";
    let hash = openssl::sha::sha256(message);
    let digest = [&unhex("3031300D060960864801650304020105000420")[..], &hash].concat();
    let genuine = |signature: &[u8]| {
        let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
        verifier.verify_oneshot(signature, message).unwrap()
    };
    bench.ok("002241B606 800157 840181");
    let (signature, _) = bench.whole([0, 0x2A, 0x9E, 0x9A], &digest);
    assert!(genuine(&signature));
    assert_eq!(bench.work.signed, Some(KeyWork::Rsa(2048)));
    assert_eq!(bench.whole([0, 0x2A, 0x9E, 0x9A], &[1; 246]).1, 0x6700);
    bench.refused("002A808601 00 00", 0x6A81);
    bench.refused("002A000001 00 00", 0x6A86);

    bench.ok("002241B606 800117 840181");
    let padding = [&[0x00, 0x01][..], &[0xFF; 202], &[0x00]].concat();
    let padded = [&padding[..], &digest].concat();
    assert_eq!(bench.whole([0, 0x2A, 0x9E, 0x9A], &padded).0, signature);
    assert_eq!(bench.whole([0, 0x2A, 0x9E, 0x9A], &[0xFF; 256]).1, 0x6A80);
    assert_eq!(bench.whole([0, 0x2A, 0x9E, 0x9A], &digest).1, 0x6700);

    let rsa = public.rsa().unwrap();
    for (algorithm, padding) in [(0x47, Padding::PKCS1), (0x87, Padding::PKCS1_OAEP)] {
        bench.ok(&format!("002241B806 8001{algorithm:02X} 840181"));
        let mut sealed = vec![0; 256];
        rsa.public_encrypt(message, &mut sealed, padding).unwrap();
        let opened = bench.whole([0, 0x2A, 0x80, 0x86], &sealed);
        assert_eq!(opened, (message.to_vec(), 0x9000));
        sealed.insert(0, 0x00);
        assert_eq!(bench.whole([0, 0x2A, 0x80, 0x86], &sealed).1, 0x6700);
    }
    // A block of type 1 is a signature's, and no message.
    bench.ok("002241B806 800147 840181");
    let mut sealed = vec![0; 256];
    rsa.public_encrypt(&padded, &mut sealed, Padding::NONE)
        .unwrap();
    let refused = bench.whole([0, 0x2A, 0x80, 0x86], &sealed);
    assert_eq!(refused, (vec![], 0x6A80));
    bench.refused("002A9E9A01 00 00", 0x6985);
    // Who is forgotten takes the environment along.
    bench.ok(FORGET);
    assert_eq!(bench.whole([0, 0x2A, 0x80, 0x86], &[1; 256]).1, 0x6985);
}

#[test]
fn a_key_is_made_where_a_file_is_and_only_there() {
    let mut bench = Bench::new();
    bench.refused(GENERATE_81, 0x6984);
    bench.ok(VERIFY);
    bench.ok(KEY_81);
    bench.refused(GENERATE_81, 0x6985);
    bench.ok(ACTIVATE);
    bench.refused(READ_81, 0x6A88);
    for (command, status) in [
        ("0047000008 AC06 800106 830181 00", 0x6A81),
        ("0047000008 AC06 80010C 830181 00", 0x6A81),
        ("0047000008 AD06 800107 830181 00", 0x6984),
        ("0047000008 AC06 800107 840181 00", 0x6984),
        ("0047800008 AC06 800107 830181 00", 0x6A86),
    ] {
        bench.refused(command, status);
    }
    bench.ok("002241B606 800157 840181");
    bench.refused("002A9E9A01 00 00", 0x6985);
    bench.ok(FORGET);
    bench.refused(GENERATE_81, 0x6982);
}

#[test]
fn a_key_is_imported_whole() {
    let mut bench = Bench::new();
    bench.ok(VERIFY);
    bench.ok(KEY_81);
    bench.ok(ACTIVATE);
    let key = Rsa::generate(2048).unwrap();
    let header = [0, 0xDB, 0x3F, 0xFF];
    for zeros in [true, false] {
        let data = import(&private_key(&key, zeros));
        assert_eq!(bench.whole(header, &data), (vec![], 0x9000));
        assert_eq!(public(&bench.ok(READ_81)).rsa().unwrap().n(), key.n());
    }
    let before = bench.memory();
    let other = Rsa::generate(1024).unwrap();
    let mut torn = private_key(&key, true);
    torn[500] ^= 1;
    for wrong in [private_key(&other, true), torn, vec![0x30, 0x00], vec![]] {
        assert_eq!(bench.whole(header, &import(&wrong)).1, 0x6984);
    }
    bench.refused("00DB3FFF0D 700B 840181 A506 840101 870100", 0x6A81);
    bench.refused("00DB3FFF0A 7008 840182 A503 870100", 0x6984);
    bench.ok(FORGET);
    let data = import(&private_key(&key, true));
    assert_eq!(bench.whole(header, &data).1, 0x6982);
    assert_eq!(bench.memory(), before);
}
