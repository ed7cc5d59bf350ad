//! Key pairs: made, taken in, used, each judged by openssl outside the card.

use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::{Padding, Rsa};

use super::bench::{Bench, VERIFY};
use crate::applet::KeyWork;

/// Reads `7F49 L { 86 L point }`.
fn point(curve: Nid, answer: &[u8]) -> EcKey<Public> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let point = EcPoint::from_bytes(&group, &answer[5..], &mut context).unwrap();
    EcKey::from_public_key(&group, &point).unwrap()
}

fn sign(bench: &mut Bench, algorithm: u8, slot: u8, data: &[u8]) -> (Vec<u8>, u16) {
    let length = data.len();
    let template = match length {
        0..=0x7B => [
            vec![0x7C, length as u8 + 4, 0x82, 0x00, 0x81, length as u8],
            data.to_vec(),
        ]
        .concat(),
        _ => {
            let field = |length: usize| [0x82, (length >> 8) as u8, length as u8];
            [
                &[0x7C][..],
                &field(length + 6),
                &[0x82, 0x00, 0x81],
                &field(length),
                data,
            ]
            .concat()
        }
    };
    bench.whole([0x00, 0x87, algorithm, slot], &template)
}

#[test]
fn elliptic_curve_signatures_verify() {
    for (algorithm, curve, hash, work) in [
        (0x11, Nid::X9_62_PRIME256V1, 32, KeyWork::P256),
        (0x14, Nid::SECP384R1, 48, KeyWork::P384),
    ] {
        let mut bench = Bench::new();
        bench.manage();
        let answer = bench.ok(&format!("0047009A05 AC0380 01{algorithm:02X} 00"));
        assert_eq!(bench.work.key, Some(work));
        let key = point(curve, &answer);
        let hash = vec![0x5A; hash];
        assert_eq!(sign(&mut bench, algorithm, 0x9A, &hash).1, 0x6982);
        bench.ok(VERIFY);
        bench.ok("00CB3FFF03 5C017E 00");
        for hash in [&hash[..], &hash[..20]] {
            let (answer, status) = sign(&mut bench, algorithm, 0x9A, hash);
            assert_eq!(status, 0x9000);
            assert_eq!(bench.work.signed, Some(work));
            assert_eq!((answer[0], answer[2]), (0x7C, 0x82));
            let signature = EcdsaSig::from_der(&answer[4..]).unwrap();
            assert!(signature.verify(hash, &key).unwrap());
        }
        for wrong in [&[0_u8; 31][..], &[0; 49], &[]] {
            assert_eq!(sign(&mut bench, algorithm, 0x9A, wrong).1, 0x6A80);
        }
        let other = if algorithm == 0x11 { 0x14 } else { 0x11 };
        assert_eq!(sign(&mut bench, other, 0x9A, &hash).1, 0x6A86);
        assert_eq!(sign(&mut bench, algorithm, 0x9D, &hash).1, 0x6A86);
        assert_eq!(sign(&mut bench, 0x06, 0x9A, &hash).1, 0x6A86);
    }
}

#[test]
fn rsa_signs_a_padded_block() {
    let mut bench = Bench::new();
    bench.manage();
    let answer = bench.ok("0047009E05 AC03800107 00");
    assert_eq!(bench.work.key, Some(KeyWork::Rsa(2048)));
    assert_eq!(
        &answer[..9],
        [0x7F, 0x49, 0x82, 0x01, 0x09, 0x81, 0x82, 0x01, 0x00]
    );
    assert_eq!(&answer[265..], [0x82, 0x03, 0x01, 0x00, 0x01]);
    let modulus = BigNum::from_slice(&answer[9..265]).unwrap();
    let exponent = BigNum::from_u32(65537).unwrap();
    let key = Rsa::from_public_components(modulus, exponent).unwrap();
    let hash = [&[0; 19][..], &[0x33; 32]].concat();
    let mut block = vec![0x00, 0x01];
    block.resize(256 - hash.len() - 1, 0xFF);
    block.push(0x00);
    block.extend(&hash);
    let (answer, status) = sign(&mut bench, 0x07, 0x9E, &block);
    assert_eq!(status, 0x9000);
    assert_eq!(
        &answer[..8],
        [0x7C, 0x82, 0x01, 0x04, 0x82, 0x82, 0x01, 0x00]
    );
    let mut out = [0; 256];
    let length = key
        .public_decrypt(&answer[8..], &mut out, Padding::PKCS1)
        .unwrap();
    assert_eq!(&out[..length], hash);
    assert_eq!(sign(&mut bench, 0x07, 0x9E, &block[1..]).1, 0x6A80);
    assert_eq!(sign(&mut bench, 0x07, 0x9E, &[0xFF; 256]).1, 0x6A80);
    let agree = [&[0x7C, 0x06, 0x82, 0x00, 0x85, 0x02][..], &[4, 4]].concat();
    assert_eq!(bench.whole([0x00, 0x87, 0x07, 0x9E], &agree).1, 0x6A80);
}

#[test]
fn the_card_agrees_on_a_key() {
    let mut bench = Bench::new();
    bench.manage();
    let answer = bench.ok("0047009D05 AC03800111 00");
    let card = PKey::from_ec_key(point(Nid::X9_62_PRIME256V1, &answer)).unwrap();
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let own = EcKey::generate(&group).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let form = PointConversionForm::UNCOMPRESSED;
    let public = own
        .public_key()
        .to_bytes(&group, form, &mut context)
        .unwrap();
    let own = PKey::from_ec_key(own).unwrap();
    let mut deriver = Deriver::new(&own).unwrap();
    deriver.set_peer(&card).unwrap();
    let expected = deriver.derive_to_vec().unwrap();
    let template = |point: &[u8]| {
        let length = point.len() as u8;
        [&[0x7C, length + 4, 0x82, 0x00, 0x85, length][..], point].concat()
    };
    bench.ok(VERIFY);
    let header = [0x00, 0x87, 0x11, 0x9D];
    let (answer, status) = bench.whole(header, &template(&public));
    assert_eq!(status, 0x9000);
    assert_eq!(answer, [&[0x7C, 0x22, 0x82, 0x20][..], &expected].concat());
    let mut off = public;
    off[64] ^= 1;
    assert_eq!(bench.whole(header, &template(&off)).1, 0x6A80);
    assert_eq!(bench.whole(header, &template(&[])).1, 0x6A80);
}

#[test]
fn the_signature_key_wants_the_pin_just_before_each_use() {
    let mut bench = Bench::new();
    bench.manage();
    bench.ok("0047009C05 AC03800111 00");
    let hash = [0x77; 32];
    bench.ok(VERIFY);
    assert_eq!(sign(&mut bench, 0x11, 0x9C, &hash).1, 0x9000);
    assert_eq!(sign(&mut bench, 0x11, 0x9C, &hash).1, 0x6982);
    for between in ["00CB3FFF03 5C017E 00", "00200080", "00F1000000"] {
        bench.ok(VERIFY);
        bench.send(between);
        assert_eq!(sign(&mut bench, 0x11, 0x9C, &hash).1, 0x6982, "{between}");
    }
    bench.ok(VERIFY);
    // A refused attempt is a use of the moment as well.
    assert_eq!(sign(&mut bench, 0x14, 0x9C, &hash).1, 0x6A86);
    assert_eq!(sign(&mut bench, 0x11, 0x9C, &hash).1, 0x6982);
}

#[test]
fn policies_go_with_the_key() {
    let mut bench = Bench::new();
    bench.manage();
    bench.ok("0047009C0B AC09 800111 AA0101 AB0101 00");
    assert_eq!(sign(&mut bench, 0x11, 0x9C, &[1; 32]).1, 0x9000);
    // Not named: the slot keeps its policy. Default: the standard's.
    bench.ok("0047009C05 AC03800111 00");
    assert_eq!(sign(&mut bench, 0x11, 0x9C, &[1; 32]).1, 0x9000);
    bench.ok("0047009C08 AC06 800111 AA0100 00");
    assert_eq!(sign(&mut bench, 0x11, 0x9C, &[1; 32]).1, 0x6982);
    bench.ok("0047008205 AC03800114 00");
    bench.ok("0047008C08 AC06 800111 AA0103 00");
    let mut woken = bench.woken();
    assert_eq!(woken.ok("00F7008C00")[..7], [1, 1, 0x11, 2, 2, 3, 1]);
    woken.ok(VERIFY);
    assert_eq!(sign(&mut woken, 0x11, 0x8C, &[1; 32]).1, 0x9000);
    assert_eq!(sign(&mut woken, 0x14, 0x82, &[1; 48]).1, 0x9000);
    assert_eq!(sign(&mut woken, 0x11, 0x8C, &[1; 32]).1, 0x6982);
}

#[test]
fn wrong_key_commands_are_refused() {
    let mut bench = Bench::new();
    bench.refused("0047009F05 AC03800111 00", 0x6A86);
    bench.refused("00FE119A", 0x6982);
    bench.manage();
    for (text, status) in [
        ("0047019A05 AC03800111 00", 0x6A86),
        ("0047009B05 AC03800111 00", 0x6A86),
        ("0047008D05 AC03800111 00", 0x6A86),
        ("004700F905 AC03800111 00", 0x6A86),
        ("0047009A", 0x6A80),
        ("0047009A02 AC00 00", 0x6A80),
        ("0047009A05 AD03800111 00", 0x6A80),
        ("0047009A05 AC03800106 00", 0x6A80),
        ("0047009A06 AC0480021111 00", 0x6A80),
        ("0047009A08 AC06800111800114 00", 0x6A80),
        ("0047009A08 AC06800111A20101 00", 0x6A80),
        ("0047009A08 AC06800111AA0104 00", 0x6A81),
        ("0047009A08 AC06800111AB0102 00", 0x6A81),
        ("0047009A07 AC05800111AA00 00", 0x6A80),
        ("00FE119B03 060101", 0x6A86),
        ("00FE069A03 060101", 0x6A86),
        ("00FE119A03 060101", 0x6A80),
        ("00FE119A03 010101", 0x6A80),
        ("00FE079A0F 010101 020101 030101 040101 050101", 0x6A80),
        ("00FE119A03 090101", 0x6A80),
        ("00FE119A", 0x6A80),
    ] {
        bench.refused(text, status);
    }
}

#[test]
fn imported_keys_sign() {
    let mut bench = Bench::new();
    bench.manage();
    let group = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
    let key = EcKey::generate(&group).unwrap();
    let scalar = key.private_key().to_vec_padded(48).unwrap();
    let data = [&[0x06, 0x30][..], &scalar, &[0xAA, 0x01, 0x02]].concat();
    assert_eq!(bench.whole([0x00, 0xFE, 0x14, 0x9E], &data).1, 0x9000);
    assert_eq!(sign(&mut bench, 0x14, 0x9E, &[9; 48]).1, 0x6982);
    bench.ok(VERIFY);
    let (answer, status) = sign(&mut bench, 0x14, 0x9E, &[9; 48]);
    assert_eq!(status, 0x9000);
    let signature = EcdsaSig::from_der(&answer[4..]).unwrap();
    assert!(signature.verify(&[9; 48], &key).unwrap());
    assert_eq!(bench.ok("00F7009E00")[7..10], [3, 1, 1]);

    let rsa = Rsa::generate(2048).unwrap();
    let parts = [rsa.p(), rsa.q(), rsa.dmp1(), rsa.dmq1(), rsa.iqmp()];
    let mut data = Vec::new();
    for (number, part) in (1..).zip(parts) {
        data.extend([number, 0x81, 0x80]);
        data.extend(part.unwrap().to_vec_padded(128).unwrap());
    }
    assert_eq!(bench.whole([0x00, 0xFE, 0x07, 0x9A], &data).1, 0x9000);
    let block = [&[0; 200][..], &[0x41; 56]].concat();
    let (answer, status) = sign(&mut bench.woken_and_verified(), 0x07, 0x9A, &block);
    assert_eq!(status, 0x9000);
    let mut out = [0; 256];
    rsa.public_decrypt(&answer[8..], &mut out, Padding::NONE)
        .unwrap();
    assert_eq!(&out[..], block);
}
