//! A card from blank to holder, and its memory torn between any two commands.

use card::Command;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::x509::{X509, X509NameBuilder};

use super::bench::{Bench, VERIFY};

const NEW_KEY: &str = "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf";

/// A certificate for a slot's public key, by an authority of the test.
fn certificate(public: &PKey<Public>, authority: &PKey<Private>) -> Vec<u8> {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "PARAUGS,ANNA,PNOLV-320000-00000")
        .unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(9).unwrap())
        .unwrap();
    builder.set_pubkey(public).unwrap();
    builder.sign(authority, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

fn generate(bench: &mut Bench, slot: &str, algorithm: &str, curve: Nid) -> PKey<Public> {
    let answer = bench.ok(&format!("004700{slot}05 AC038001{algorithm} 00"));
    let group = EcGroup::from_curve_name(curve).unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let point = EcPoint::from_bytes(&group, &answer[5..], &mut context).unwrap();
    PKey::from_ec_key(EcKey::from_public_key(&group, &point).unwrap()).unwrap()
}

/// `53 { 70 certificate, 71 00, FE }`, as the standard wants it.
fn container(tag: u8, der: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let field = |length: usize| [0x82, (length >> 8) as u8, length as u8];
    let content = [
        &[0x70][..],
        &field(der.len()),
        der,
        &[0x71, 0x01, 0x00, 0xFE, 0x00],
    ]
    .concat();
    let object = [&[0x53][..], &field(content.len()), &content].concat();
    let put = [&[0x5C, 0x03, 0x5F, 0xC1, tag][..], &object].concat();
    (put, object)
}

#[test]
fn a_blank_becomes_a_holders_card() {
    let mut bench = Bench::new();
    bench.manage();
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let authority = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let authentication = generate(&mut bench, "9A", "14", Nid::SECP384R1);
    let signature = generate(&mut bench, "9C", "11", Nid::X9_62_PRIME256V1);
    let put = [0x00, 0xDB, 0x3F, 0xFF];
    for (tag, key) in [(0x05, &authentication), (0x0A, &signature)] {
        let der = certificate(key, &authority);
        assert!(der.len() > 255);
        let (command, object) = container(tag, &der);
        assert_eq!(bench.whole(put, &command).1, 0x9000);
        let (read, status) = bench.whole([0x00, 0xCB, 0x3F, 0xFF], &[0x5C, 3, 0x5F, 0xC1, tag]);
        assert_eq!((read, status), (object, 0x9000));
    }
    bench.ok(&format!("00FFFFFF23 0C 9B 20 {NEW_KEY}"));
    bench.ok("0024008010 313233343536FFFF 383137323633FFFF");
    bench.ok("0024008110 3132333435363738 3432343234323432");

    let mut holder = bench.woken();
    holder.refused("0087039B04 7C02 8100 00", 0x6A86);
    assert_eq!(holder.authenticate(0x0C, NEW_KEY), 0x9000);
    assert_eq!(holder.send(VERIFY).1, 0x63C4);
    holder.ok("0020008008 383137323633FFFF");
    let hash = "33".repeat(32);
    let answer = holder.ok(&format!("0087119C26 7C24 8200 8120 {hash} 00"));
    let key = signature.ec_key().unwrap();
    let given = EcdsaSig::from_der(&answer[4..]).unwrap();
    assert!(given.verify(&[0x33; 32], &key).unwrap());
}

/// Each command either happened or did not, wherever the power goes: what the card says
/// between two commands is what it wakes with.
#[test]
fn the_memory_is_whole_after_every_command() {
    let mut bench = Bench::new();
    bench.manage();
    for text in [
        "0047009A05 AC03800111 00",
        "00DB3FFF08 5C035FC105 530142",
        "0020008008 000000000000FFFF",
        VERIFY,
        "00FA0303",
        "0024008010 313233343536FFFF 383137323633FFFF",
        "0024008110 3132333435363738 3432343234323432",
        "00FFFFFF13 08 9B 10 000102030405060708090A0B0C0D0E0F",
        "00DB3FFF07 5C035FC105 5300",
    ] {
        let before = bench.memory();
        bench.send(text);
        assert_ne!(bench.memory(), before, "{text} leaves a trace");
        let woken = bench.woken();
        assert_eq!(woken.memory(), bench.memory(), "{text}");
    }
    // What is not persistent leaves none.
    for text in [
        "00200080",
        "0087089B04 7C02 8000 00",
        "00CB3FFF03 5C017E 00",
    ] {
        let before = bench.memory();
        bench.transmit(&Command::parse(&crate::vectors::unhex(text)).unwrap());
        assert_eq!(bench.memory(), before);
    }
}
