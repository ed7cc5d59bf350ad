//! Keys: generated on the chip, used as their rules say. openssl judges the signatures.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;

use super::host::{Host, ISSUER, command, field};
use super::personalized::{FIRST, PIN1, PIN2, Slot, VERSION, generation};
use crate::vectors::unhex;

fn verify(reference: &str, digits: &str) -> String {
    command(&format!("002000{reference}"), &field(digits))
}

fn public_key(host: &mut Host, reference: u8) -> Vec<u8> {
    let answer = host.expect(&format!("0047810005AC038401{reference:02X}00"), 0x9000);
    let at = answer.iter().position(|byte| *byte == 0x04).unwrap();
    assert_eq!(answer[..2], [0x7F, 0x49]);
    answer[at..].to_vec()
}

fn judge(point: &[u8], hash: &[u8], signature: &[u8]) -> bool {
    let curve = if point.len() == 65 {
        Nid::X9_62_PRIME256V1
    } else {
        Nid::SECP384R1
    };
    let group = EcGroup::from_curve_name(curve).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let point = EcPoint::from_bytes(&group, point, &mut context).unwrap();
    let key = EcKey::from_public_key(&group, &point).unwrap();
    let (r, s) = signature.split_at(signature.len() / 2);
    let number = |bytes| BigNum::from_slice(bytes).unwrap();
    let signature = EcdsaSig::from_private_components(number(r), number(s)).unwrap();
    signature.verify(hash, &key).unwrap()
}

fn adf(host: &mut Host, id: &str) {
    host.expect("00A4000C", 0x9000);
    host.expect(&format!("00A4010C02{id}"), 0x9000);
}

#[test]
fn authentication_wants_pin_one() {
    for curve in ["0C", "0F"] {
        let mut host = Host::blank();
        host.personalize(&Slot { curve, ..FIRST });
        let hash = if curve == "0C" {
            vec![7; 32]
        } else {
            vec![7; 48]
        };
        let authenticate = command("00880000", &hex::encode(&hash)) + "00";
        host.eid();
        adf(&mut host, "ADF1");
        host.expect(&authenticate, 0x6985);
        host.expect("002241A406800104840181", 0x9000);
        host.expect(&authenticate, 0x6982);
        host.expect(&verify("01", PIN1), 0x9000);
        host.expect(
            &(command("00880000", &hex::encode(&hash[1..])) + "00"),
            0x6700,
        );
        host.expect("00880100", 0x6A86);
        let point = public_key(&mut host, 0x81);
        for _ in 0..2 {
            let signature = host.expect(&authenticate, 0x9000);
            assert_eq!(signature.len(), 2 * hash.len());
            assert!(judge(&point, &hash, &signature));
        }
        host.expect(&(command("002A9E9A", &hex::encode(&hash)) + "00"), 0x6985);
    }
}

#[test]
fn a_signature_uses_its_pin_up() {
    let mut host = Host::personalized();
    host.eid();
    adf(&mut host, "ADF2");
    let sign = command("002A9E9A", &hex::encode([9; 48])) + "00";
    host.expect("002241B60680015484019F", 0x9000);
    host.expect(&sign, 0x6982);
    host.expect(&verify("01", PIN1), 0x9000);
    host.expect(&sign, 0x6982);
    host.expect(&verify("85", PIN2), 0x9000);
    host.expect(&(command("002A9E9A", &hex::encode([9; 47])) + "00"), 0x6700);
    let point = public_key(&mut host, 0x9F);
    let signature = host.expect(&sign, 0x9000);
    assert!(judge(&point, &[9; 48], &signature));
    host.expect(&sign, 0x6982);
    host.expect("00200085", 0x63C3);
    host.expect(&verify("85", PIN2), 0x9000);
    host.expect(&sign, 0x9000);
    host.expect("00200001", 0x9000);
}

#[test]
fn the_environment_is_checked_when_it_is_set() {
    let mut host = Host::personalized();
    host.eid().expect("002241A406800104840181", 0x6A88);
    adf(&mut host, "ADF1");
    host.expect("002241A40980 04FF200800840181", 0x9000);
    host.expect("002241B80980 04FF300400840181", 0x9000);
    host.expect("002241A406800154840181", 0x6A80);
    host.expect("002241A406800104840182", 0x6A88);
    host.expect("002241A403800104", 0x6A80);
    host.expect("002241B606800154840181", 0x6985);
    host.expect("002281A406800104840181", 0x6A86);
    adf(&mut host, "ADF2");
    host.expect("002241B60980 04FF15080084019F", 0x9000);
    host.expect("002241A40680010484019F", 0x6985);
    // Leaving the directory forgets the environment.
    host.expect("002241B60680015484019F", 0x9000);
    host.expect(&verify("85", PIN2), 0x9000);
    adf(&mut host, "ADF2");
    host.expect(&(command("002A9E9A", &hex::encode([9; 48])) + "00"), 0x6985);
}

#[test]
fn key_agreement_gives_the_shared_x() {
    let mut host = Host::personalized();
    host.eid();
    adf(&mut host, "ADF1");
    let point = public_key(&mut host, 0x81);
    let (own, own_public) = crate::curve::Curve::P384.generate().unwrap();
    let expected = crate::curve::Curve::P384
        .agree(&own, &own_public, &point)
        .unwrap();
    host.expect("002241B80980 04FF300400840181", 0x9000);
    host.expect(&verify("01", PIN1), 0x9000);
    let object = super::host::tlv("86", &hex::encode(&own_public));
    let object = super::host::tlv("7F49", &object);
    let data = super::host::tlv("A6", &object);
    let shared = host.expect(&(command("002A8086", &data) + "00"), 0x9000);
    assert_eq!(Some(shared), expected);
    let off = data.replace(&hex::encode(&own_public[90..]), "00000000000000");
    host.expect(&(command("002A8086", &off) + "00"), 0x6A80);
}

#[test]
fn generation_is_the_issuers() {
    let mut host = Host::blank();
    let make = generation("0F", 0x81, "40", "07914300");
    host.eid().expect(&make, 0x6982);
    host.open_transport(0x03);
    host.secure(&make, 0x6985);
    host.secure(
        "00E000001862168201388302ADF1840DE828BD080FF2504F5420415750",
        0x9000,
    );
    host.secure(&generation("0D", 0x81, "40", "07914300"), 0x6A80);
    host.secure(&generation("0F", 0x81, "20", "07914300"), 0x6A80);
    host.secure(&generation("0F", 0x81, "40", "079143"), 0x6A80);
    host.secure("0047810005AC0384018100", 0x6A88);
    host.secure("0047820005AC0384018100", 0x6A86);
    let first = host.secure(&make, 0x9000);
    assert_eq!(first[..6], unhex("7F4963866104"));
    assert_eq!(host.secure("0047810005AC0384018100", 0x9000), first);
    let second = host.secure(&make, 0x9000);
    assert_ne!(first, second);
    assert_eq!(host.secure("0047810005AC0384018100", 0x9000), second);
}

#[test]
fn an_issued_card_renews_a_key_only_by_its_rule() {
    let mut host = Host::personalized();
    host.eid().open(VERSION, &ISSUER, 0x33);
    host.secure("00A4010C02ADF1", 0x9000);
    host.secure(&generation("0F", 0x82, "40", "07914300"), 0x6985);
    host.secure(&generation("0F", 0x81, "40", "07004300"), 0x6982);
    host.secure(&generation("0F", 0x81, "80", "07914300"), 0x6982);
    host.secure(&generation("0F", 0x81, "40", "07914300"), 0x9000);
    host.eid();
    adf(&mut host, "ADF1");
    host.expect(&generation("0F", 0x81, "40", "07914300"), 0x6982);
}

#[test]
fn challenges_are_as_long_as_asked() {
    let mut host = Host::personalized();
    host.eid();
    assert_eq!(host.expect("0084000008", 0x9000).len(), 8);
    assert_eq!(host.expect("0084000000", 0x9000).len(), 256);
    host.expect("00840000", 0x6700);
    host.expect("0084010008", 0x6A86);
}
