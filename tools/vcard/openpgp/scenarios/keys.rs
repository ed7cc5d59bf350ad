//! Keys: made, imported, used; openssl judges.

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::{Padding, Rsa};

use super::bench::{Bench, HASH, P256, P384, PW1_OTHER, PW1_SIGN, PW3};
use crate::objects::{Objects, object};
use crate::vectors::unhex;

/// Takes the point out of 7F49.
fn point(public: &[u8]) -> &[u8] {
    Objects::single(Objects::single(public, 0x7F49).unwrap(), 0x86).unwrap()
}

/// Says whether openssl believes `r ‖ s` of a hash.
fn believed(curve: Nid, public: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    let group = EcGroup::from_curve_name(curve).unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let point = EcPoint::from_bytes(&group, point(public), &mut context).unwrap();
    let key = EcKey::from_public_key(&group, &point).unwrap();
    let (r, s) = signature.split_at(signature.len() / 2);
    let number = |bytes| BigNum::from_slice(bytes).unwrap();
    let signature = EcdsaSig::from_private_components(number(r), number(s)).unwrap();
    signature.verify(hash, &key).unwrap()
}

#[test]
fn a_signature_takes_pw1_and_is_counted() {
    for (name, nid, width) in [
        (P256, Nid::X9_62_PRIME256V1, 64),
        (P384, Nid::SECP384R1, 96),
    ] {
        let mut bench = Bench::admin();
        let length = name.len() / 2 + 1;
        bench.ok(&format!("00DA00C1{length:02X}13{name}"));
        bench.refused(&format!("00DA00C1{length:02X}12{name}"), 0x6A80);
        let public = bench.ok("0047800002B600 00");
        assert!(bench.work.key.is_some());
        assert_eq!(bench.ok("0047810005B603840101 00"), public);
        let sign = format!("002A9E9A20 {HASH} 00");
        bench.refused(&sign, 0x6982);
        bench.ok(PW1_OTHER);
        bench.refused(&sign, 0x6982);
        bench.ok(PW1_SIGN);
        bench.refused("002A9E9A03 010203 00", 0x6A80);
        let signature = bench.ok(&sign);
        assert_eq!(signature.len(), width);
        assert!(believed(nid, &public, &unhex(HASH), &signature));
        bench.refused(&sign, 0x6982);
        bench.ok("00DA00C40101");
        bench.ok(PW1_SIGN);
        bench.ok(&sign);
        bench.ok(&sign);
        assert_eq!(bench.ok("00CA007A00"), unhex("7A059303000003"));
        assert_eq!(bench.ok("00CA00DE00"), [1, 1, 2, 0, 3, 0]);
        let mut woken = bench.woken();
        assert_eq!(woken.ok("0047810002B600 00"), public);
        assert_eq!(woken.ok("00CA007A00"), unhex("7A059303000003"));
        woken.ok(PW3);
        // The same attributes leave the key, a new key starts the counter, others destroy it.
        woken.ok(&format!("00DA00C1{length:02X}13{name}"));
        assert_eq!(woken.ok("0047810002B600 00"), public);
        woken.ok("0047800002B600 00");
        assert_eq!(woken.ok("00CA007A00"), unhex("7A059303000000"));
        woken.ok("00DA00C106 010800001100");
        woken.refused("0047810002B600 00", 0x6A88);
        woken.ok(PW1_SIGN);
        woken.refused(&sign, 0x6A88);
    }
}

#[test]
fn curves_agree_and_authenticate() {
    let mut bench = Bench::admin();
    bench.ok(&format!("00DA00C209 12{P256}"));
    bench.ok(&format!("00DA00C306 13{P384}"));
    let public = bench.ok("0047800002B800 00");
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let other = EcKey::generate(&group).unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let others = other.public_key().to_bytes(&group, form, &mut context);
    let template = |point: &[u8]| object::<0xA6>(&object::<0x7F49>(&object::<0x86>(point)));
    let mut others = others.unwrap();
    assert_eq!(bench.whole("002A8086", &template(&others)).1, 0x6982);
    bench.ok(PW1_OTHER);
    let (shared, _) = bench.whole("002A8086", &template(&others));
    let card = EcPoint::from_bytes(&group, point(&public), &mut context).unwrap();
    let card = PKey::from_ec_key(EcKey::from_public_key(&group, &card).unwrap()).unwrap();
    let other = PKey::from_ec_key(other).unwrap();
    let mut deriver = openssl::derive::Deriver::new(&other).unwrap();
    deriver.set_peer(&card).unwrap();
    assert_eq!(shared, deriver.derive_to_vec().unwrap());
    others[64] ^= 1;
    assert_eq!(bench.whole("002A8086", &template(&others)).1, 0x6A80);
    bench.refused("002A808602 A600 00", 0x6A80);

    bench.refused(&format!("0088000020 {HASH} 00"), 0x6A88);
    let public = bench.ok("0047800002A400 00");
    // PW1 in mode 82 holds until it is forgotten.
    for _ in 0..2 {
        let signature = bench.ok(&format!("0088000020 {HASH} 00"));
        assert!(believed(Nid::SECP384R1, &public, &unhex(HASH), &signature));
    }
    assert_eq!(bench.ok("00CA007A00"), unhex("7A059303000000"));
}

#[test]
fn rsa_signs_and_deciphers() {
    let mut bench = Bench::admin();
    let public = bench.ok("0047800002B600 00");
    let parts = Objects::single(&public, 0x7F49).unwrap();
    let parts = Objects::parse(parts, &[0x81, 0x82]).unwrap();
    let number = |tag| BigNum::from_slice(parts.need(tag).unwrap()).unwrap();
    let key = Rsa::from_public_components(number(0x81), number(0x82)).unwrap();
    let key = PKey::from_rsa(key).unwrap();
    let hash = openssl::hash::hash(MessageDigest::sha256(), b"text").unwrap();
    let info = [&unhex("3031300D060960864801650304020105000420")[..], &hash].concat();
    bench.ok(PW1_SIGN);
    let (signature, _) = bench.whole("002A9E9A", &info);
    let mut verifier = openssl::sign::Verifier::new(MessageDigest::sha256(), &key).unwrap();
    assert!(verifier.verify_oneshot(&signature, b"text").unwrap());
    bench.ok(PW1_SIGN);
    assert_eq!(bench.whole("002A9E9A", &[1; 103]).1, 0x6A80);
    assert_eq!(bench.whole("002A9E9A", &[]).1, 0x6A80);
    assert_eq!(bench.whole("002A9E9A", &[1; 102]).1, 0x9000);

    // A foreign key is imported for decryption.
    let own = Rsa::generate(2048).unwrap();
    let part = |number: &openssl::bn::BigNumRef| number.to_vec_padded(128).unwrap();
    let (p, q) = (part(own.p().unwrap()), part(own.q().unwrap()));
    let list = |p: &[u8], q: &[u8]| {
        let template = object::<0x7F48>(&unhex("9103 928180 938180"));
        let data = object::<0x5F48>(&[&[1, 0, 1], p, q].concat());
        object::<0x4D>(&[&[0xB8, 0x00], &template[..], &data].concat())
    };
    assert_eq!(bench.whole("00DB3FFF", &list(&p, &p)).1, 0x6A80);
    assert_eq!(bench.whole("00DB3FFF", &list(&p[1..], &q)).1, 0x6A80);
    assert_eq!(bench.whole("00DB3FFF", &list(&p, &q)).1, 0x9000);
    assert_eq!(bench.ok("00CA00DE00"), [1, 1, 2, 2, 3, 0]);
    bench.ok(PW1_OTHER);
    let mut cryptogram = vec![0; 256];
    own.public_encrypt(b"session key", &mut cryptogram, Padding::PKCS1)
        .unwrap();
    let framed = [&[0][..], &cryptogram].concat();
    assert_eq!(bench.whole("002A8086", &framed).0, b"session key");
    assert_eq!(bench.whole("002A8086", &cryptogram).1, 0x6A80);
    // A block of another type.
    let block = [&[0, 1][..], &[0xFF; 250], &[0; 4]].concat();
    own.public_encrypt(&block, &mut cryptogram, Padding::NONE)
        .unwrap();
    let broken = [&[0][..], &cryptogram].concat();
    assert_eq!(bench.whole("002A8086", &broken).1, 0x6A80);
}

#[test]
fn a_scalar_is_imported() {
    let mut bench = Bench::admin();
    bench.ok(&format!("00DA00C109 13{P256}"));
    let list = |role: &str, length: &str, scalar: &str| {
        let list = unhex(&format!("{role} 7F4802 92{length} 5F48{length} {scalar}"));
        object::<0x4D>(&list)
    };
    for wrong in [
        list("B600", "20", &"00".repeat(32)),
        list("B600", "20", &"FF".repeat(32)),
        list("B600", "1F", &"01".repeat(31)),
        list("A400", "20", &"01".repeat(32)),
        list("B600 B800", "20", &"01".repeat(32)),
        list("", "20", &"01".repeat(32)),
    ] {
        assert_eq!(bench.whole("00DB3FFF", &wrong).1, 0x6A80);
    }
    let good = list("B600", "20", &format!("{}01", "00".repeat(31)));
    assert_eq!(bench.whole("00DB3FFF", &good).1, 0x9000);
    // The public key of 1 is the curve's generator.
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let public = bench.ok("0047810002B600 00");
    assert_eq!(hex::encode(point(&public)), generator);
}
