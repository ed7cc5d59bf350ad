//! Keys: made, imported, used; openssl judges.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha1;
use openssl::sign::{RsaPssSaltlen, Verifier};

use super::{Host, P256, public};
use crate::curve::Curve;
use crate::objects::object;

#[test]
fn each_version_signs_in_its_way() {
    let message = b"hello\n";
    let digest = hash(MessageDigest::sha256(), message).unwrap();
    let mut v0 = Host::activated("isoapplet-v0");
    let key = public(&v0.key(1));
    v0.expect("002241B60A80012181025015 840101", 0x9000);
    let signature = v0.expect("002A9E9A0668656C6C6F0A00", 0x9000);
    let signature = EcdsaSig::from_der(&signature).unwrap();
    assert!(signature.verify(&sha1(message), &key).unwrap());
    // A longer message comes in a chain, and is hashed inside all the same.
    v0.expect(&format!("102A9E9A03{}", "686564"), 0x9000);
    let signature = v0.expect("002A9E9A0301020300", 0x9000);
    let signature = EcdsaSig::from_der(&signature).unwrap();
    assert!(signature.verify(&sha1(b"hed\x01\x02\x03"), &key).unwrap());

    let mut v1 = Host::activated("isoapplet-v1");
    let key = public(&v1.key(1));
    v1.expect("002241B60680 0121840101", 0x9000);
    let signature = v1.expect(&format!("002A9E9A20{}68", hex::encode(digest)), 0x9000);
    let signature = EcdsaSig::from_der(&signature).unwrap();
    assert!(signature.verify(&digest, &key).unwrap());
}

#[test]
fn p384_goes_by_its_domain_parameters() {
    let domain = Curve::P384.domain().unwrap();
    let [p, a, b, generator, order] = &domain;
    let data = [
        object::<0x81>(p),
        object::<0x82>(a),
        object::<0x83>(b),
        object::<0x84>(generator),
        object::<0x85>(order),
        object::<0x87>(&[1]),
    ]
    .concat();
    let mut host = Host::activated("isoapplet-v1");
    host.expect("002241000680 01EC840103", 0x9000);
    let command = format!("00460000 00{:04X}{}0000", data.len(), hex::encode(&data));
    let answer = host.expect(&command, 0x9000);
    let point = answer.len() - 4 - 97;
    assert_eq!(answer[point - 2..point + 1], [0x86, 97, 0x04]);
    host.expect("002241B60680 0121840103", 0x9000);
    assert!(
        host.expect(&format!("002A9E9A30{}00", "11".repeat(48)), 0x9000)
            .len()
            > 90
    );
}

#[test]
fn domain_parameters_must_be_a_known_curves() {
    let mut host = Host::activated("isoapplet-v0");
    let right = P256.replace(' ', "");
    host.expect("002241000680 01EC840101", 0x9000);
    let wrong = right.replace("5AC635D8", "5AC635D9");
    host.expect(&format!("00460000CF{wrong}00"), 0x6984);
    let wrong = right.replace("87020001", "87020002");
    host.expect(&format!("00460000CF{wrong}00"), 0x6984);
    host.expect(&format!("00460000CB{}00", &right[..0xCB * 2]), 0x6984);
    host.expect("0046000004810211 2200", 0x6A81);
    host.expect(&format!("00464200CF{right}00"), 0x6A86);
    host.expect("00460000", 0x6984);
}

#[test]
fn the_environment_is_checked_when_it_is_set() {
    let mut host = Host::activated("isoapplet-v1");
    host.expect("00460000", 0x6985);
    host.expect("002A9E9A0111", 0x6985);
    host.expect("002241000680 01EC840110", 0x6984);
    host.expect("002241000680 01EC8401FF", 0x6984);
    host.expect("00224100038001EC", 0x6984);
    host.expect("002241000480 02EC84", 0x6984);
    host.expect("002241000680 0121840101", 0x6A81);
    host.expect("002281000680 01EC840101", 0x6A81);
    host.expect("002241A40680 01EC840101", 0x6A81);
    host.expect("0022F3000680 01EC840101", 0x6A81);
    // No such key: an exception to the applet.
    host.expect("002241B60680 0121840101", 0x6F00);
    host.key(1);
    host.expect("002241B60680 0121840101", 0x9000);
    host.expect("002241B60680 0111840101", 0x6984);
    host.expect("002241B80680 0111840101", 0x6984);
    host.expect("002241B80680 0121840101", 0x6A81);
    host.expect("002241B60680 0154840101", 0x6A81);
    host.expect("002A9E9B0111", 0x6A86);
    host.expect("002A80860200 11", 0x6A81);
    // Version 1 prepares 4096 bits and does not make them.
    host.expect("002241000680 01F5840102", 0x9000);
    host.expect("0046420000", 0x6985);
    let mut v0 = Host::activated("isoapplet-v0");
    v0.expect("002241000680 01F5840102", 0x6A81);
}

#[test]
fn an_rsa_key_signs_and_deciphers() {
    let mut host = Host::activated("isoapplet-v0");
    host.expect("002241000680 01F3840102", 0x9000);
    let mut answer = host.expect("0046420000", 0x610E);
    answer.extend(host.expect("00C000000E", 0x9000));
    assert_eq!(
        answer[..9],
        [0x7F, 0x49, 0x82, 0x01, 0x09, 0x81, 0x82, 0x01, 0x00]
    );
    let n = BigNum::from_slice(&answer[9..265]).unwrap();
    let e = BigNum::from_slice(&answer[267..]).unwrap();
    let rsa = Rsa::from_public_components(n, e).unwrap();
    host.expect("002241B60680 0111840102", 0x9000);
    let info = "3031300D060960864801650304020105000420";
    let digest = hash(MessageDigest::sha256(), b"hello").unwrap();
    let input = format!("{info}{}", hex::encode(digest));
    host.expect(&format!("002A9E9A33{input}"), 0x6C00);
    let signature = host.expect(&format!("002A9E9A33{input}00"), 0x9000);
    let key = PKey::from_rsa(rsa.clone()).unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
    verifier.update(b"hello").unwrap();
    assert!(verifier.verify(&signature).unwrap());
    host.expect(&format!("002A9E9AF8{}00", "11".repeat(248)), 0x6700);
    host.expect(&format!("002A9E9AF7{}00", "11".repeat(247)), 0x6F00);

    host.expect("002241B80680 0111840102", 0x9000);
    let mut cryptogram = vec![0; 256];
    rsa.public_encrypt(b"secret", &mut cryptogram, Padding::PKCS1)
        .unwrap();
    let decipher = |host: &mut Host, cryptogram: &[u8], status| {
        let text = format!("00{}", hex::encode(cryptogram));
        let (first, last) = text.split_at(400);
        host.expect(&format!("102A8086C8{first}"), 0x9000);
        let last = format!("002A8086{:02X}{last}00", last.len() / 2);
        host.expect(&last, status)
    };
    assert_eq!(decipher(&mut host, &cryptogram, 0x9000), b"secret");
    cryptogram[100] ^= 1;
    decipher(&mut host, &cryptogram, 0x6A80);
    decipher(&mut host, &cryptogram[1..], 0x6700);
    host.expect("002A80860201 1100", 0x6A80);
}

/// A key that no test has to wait for: made once by openssl, imported.
fn import_rsa(host: &mut Host, rsa: &Rsa<openssl::pkey::Private>) -> String {
    let part =
        |number: Option<&openssl::bn::BigNumRef>| number.unwrap().to_vec_padded(128).unwrap();
    let key = object::<0x7F48>(
        &[
            object::<0x92>(&part(rsa.p())),
            object::<0x93>(&part(rsa.q())),
            object::<0x94>(&part(rsa.iqmp())),
            object::<0x95>(&part(rsa.dmp1())),
            object::<0x96>(&part(rsa.dmq1())),
        ]
        .concat(),
    );
    host.expect("002241000680 01F3840104", 0x9000);
    hex::encode(key)
}

#[test]
fn keys_are_imported_where_the_build_takes_them() {
    let rsa = Rsa::generate(2048).unwrap();
    for product in ["isoapplet-v0", "isoapplet-v1"] {
        let mut host = Host::activated(product);
        host.expect("002241000680 01F3840104", 0x9000);
        host.expect("00DB3FFF03112233", 0x6900);
        host.expect("00DB3FFE03112233", 0x6A86);
    }
    let mut host = Host::activated("isoapplet-v1-import");
    host.expect("00DB3FFF03112233", 0x6985);
    let key = import_rsa(&mut host, &rsa);
    let put = |key: &str| format!("00DB3FFF00{:04X}{key}", key.len() / 2);
    host.expect(&put(&key.replacen("7f48", "7f49", 1)), 0x6A80);
    // One byte more than the buffer holds.
    host.expect(&put(&format!("{key}00")), 0x6F00);
    let mut spoilt = key.clone();
    spoilt.replace_range(key.len() - 1.., if key.ends_with('1') { "3" } else { "1" });
    host.expect(&put(&spoilt), 0x6984);
    // Whole, but of 2040 bits.
    let short = import_rsa(&mut host, &Rsa::generate(2040).unwrap());
    host.expect(&put(&short), 0x6984);
    host.expect(&put(&key), 0x9000);
    // RSA-PSS over a given hash.
    host.expect("002241B60680 0112840104", 0x9000);
    let digest = hash(MessageDigest::sha384(), b"hello").unwrap();
    let signature = host.expect(&format!("002A9E9A30{}00", hex::encode(digest)), 0x9000);
    let public = rsa.public_key_to_der().unwrap();
    let public = PKey::public_key_from_der(&public).unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha384(), &public).unwrap();
    verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
    verifier
        .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
        .unwrap();
    verifier.update(b"hello").unwrap();
    assert!(verifier.verify(&signature).unwrap());
    host.expect("002A9E9A021122 00", 0x6700);
}

#[test]
fn an_imported_curve_key_signs_as_its_owner() {
    let (private, point) = Curve::P256.generate().unwrap();
    let body = format!(
        "{}8820{}",
        P256.replace(' ', ""),
        hex::encode(private.bytes())
    );
    let mut host = Host::activated("isoapplet-v0-import");
    host.expect("002241000680 01EC840105", 0x9000);
    let whole = format!("E081{:02X}{body}", body.len() / 2);
    host.expect(&format!("00DB3FFF{:02X}{whole}", whole.len() / 2), 0x9000);
    host.expect("002241B60680 0121840105", 0x9000);
    let signature = host.expect("002A9E9A03414243 00", 0x9000);
    let signature = EcdsaSig::from_der(&signature).unwrap();
    assert!(signature.verify(&sha1(b"ABC"), &public(&point)).unwrap());
    // Nought and the order are no keys.
    let zero = format!("{}8820{}", P256.replace(' ', ""), "00".repeat(32));
    host.expect("002241000680 01EC840106", 0x9000);
    host.expect(&format!("00DB3FFFF4E081F1{zero}"), 0x6984);
    let mut order = BigNum::new().unwrap();
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1);
    let mut context = BigNumContext::new().unwrap();
    group.unwrap().order(&mut order, &mut context).unwrap();
    let order = hex::encode(order.to_vec());
    let order = format!("{}8820{order}", P256.replace(' ', ""));
    host.expect(&format!("00DB3FFFF4E081F1{order}"), 0x6984);
}
