//! The chip proves itself: Chip Authentication, Active Authentication.

use openssl::bn::BigNum;
use openssl::nid::Nid;
use openssl::rsa::Padding;
use openssl::sha::sha256;

use super::authority::{DOMESTIC, TERMINAL};
use super::border::{AES, Border, NID, guarded, pace};
use super::desk::{Desk, GENERIC};
use super::reader::{Reader, Tunnel, at, decode, derive, encode, group, object, pair, times, x};
use crate::vectors::{load, unhex};

#[test]
fn triple_des_takes_over_by_one_command() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let (desk, public) = guarded(&border.trusted);
    let mut reader = Reader::bac(desk);
    let group = group(NID);
    let (private, own) = pair(&group);
    let own = encode(&group, &own);
    let keys = [object("91", &own), object("84", &[2])].concat();
    let (_, status) = reader.send("002241A6", &keys, None);
    assert_eq!(status, 0x9000);
    let shared = times(&group, &decode(&group, &public), &private);
    reader.tunnel = Tunnel::new(1, &x(&encode(&group, &shared)));
    reader.own = x(&own);
    assert_eq!(reader.read("0101", 93), [0x61; 93]);
    assert_eq!(reader.inspect(&border), 0x9000);
    reader.reads_fingerprints(0x9000);
}

#[test]
fn chip_authentication_on_the_reference_key_of_the_bsi() {
    let row = load("icao9303-11/chip_eac.json").row("chip_authentication_v1");
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x010E, 0x41, &[0x6E; 40]);
    let private = row.text("static_private");
    let key = format!("7F482A 80010B 840102 950102 8B0101 871C{private}");
    let public = desk.issued("00DB3FFF", &key, 0x9000);
    assert_eq!(at(&public, &[0x7F49, 0x86]), row.bytes("static_public"));
    desk.lock();
    let mut reader = Reader::bac(desk);
    let command = row.bytes("mse_set_kat");
    let (_, status) = reader.send("002241A6", &command[5..command.len()], None);
    assert_eq!(status, 0x9000);
    let [mut enc, mac] = ["KS_enc", "KS_mac"].map(|name| row.bytes(name));
    enc.extend(enc[..8].to_vec());
    let mac = [&mac[..], &mac[..8]].concat();
    reader.tunnel = Tunnel {
        arc: 1,
        enc,
        mac,
        counter: 0,
    };
    assert_eq!(reader.read("0101", 93), [0x61; 93]);
}

#[test]
fn version_two_with_the_keys_of_the_worked_example() {
    let row = load("icao9303-11/chip_eac.json").row("chip_authentication_v2");
    let border = Border::new(DOMESTIC, TERMINAL);
    let Border { terminal, .. } = &border;
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x010E, 0x41, &[0x6E; 40]);
    let private = row.text("picc_static_priv");
    let key = format!("7F482B 80010D 840102 950102 8720{private}");
    let public = desk.issued("00DB3FFF", &key, 0x9000);
    assert_eq!(at(&public, &[0x7F49, 0x86]), row.bytes("picc_static_pub"));
    desk.issued(
        "00DA0120",
        &hex::encode(object("7F21", &border.trusted)),
        0x9000,
    );
    desk.lock();
    let mut reader = pace(desk);
    reader.enter();
    assert_eq!(reader.bring("LVCVCA00001", &border.for_verifier), 0x9000);
    assert_eq!(reader.bring("LVDVLV00001", &border.for_terminal), 0x9000);
    let own = row.bytes("pcd_eph_pub");
    let claim = [
        object("80", &unhex("04007F00070202020203")),
        object("83", terminal.reference.as_bytes()),
        object("91", &x(&own)),
    ];
    assert_eq!(reader.send("002281A4", &claim.concat(), None).1, 0x9000);
    let (challenge, _) = reader.send("00840000", &[], Some(8));
    let message = [&reader.chip[..], &challenge, &x(&own)].concat();
    assert_eq!(
        reader.send("00820000", &terminal.sign(&message), None).1,
        0x9000
    );
    reader.expect("002241A4", &format!("800A{AES}840102"), 0x9000);
    reader.desk.entropy.foresee(&row.bytes("r_picc"));
    let content = object("7C", &object("80", &own));
    let (answer, status) = reader.send("00860000", &content, Some(0));
    assert_eq!(status, 0x9000);
    assert_eq!(at(&answer, &[0x7C, 0x82]), row.bytes("T_PICC"));
    let secret = [row.bytes("K"), row.bytes("r_picc")].concat();
    assert_eq!(derive(2, &secret, 1), row.bytes("KS_enc"));
    reader.tunnel = Tunnel::new(2, &secret);
    assert_eq!(reader.read("0101", 93), [0x61; 93]);
}

#[test]
fn active_authentication_signs_what_it_is_given() {
    let challenge = unhex("0102030405060708");
    // ECDSA: a made key.
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x010F, 0x41, &[0x6F; 40]);
    let public = desk.issued("00478000", "AC09 80010F 840101 950101", 0x9000);
    let public = at(&public, &[0x7F49, 0x86]);
    desk.lock();
    let mut reader = pace(desk);
    let (signature, status) = reader.send("00880000", &challenge, Some(0));
    assert_eq!((signature.len(), status), (96, 0x9000));
    let curve = group(Nid::SECP384R1);
    let key = openssl::ec::EcKey::from_public_key(&curve, &decode(&curve, &public)).unwrap();
    let [r, s] = [&signature[..48], &signature[48..]].map(|n| BigNum::from_slice(n).unwrap());
    let signature = openssl::ecdsa::EcdsaSig::from_private_components(r, s).unwrap();
    let hash = openssl::sha::sha384(&challenge);
    assert!(signature.verify(&hash, &key).unwrap());
    assert_eq!(reader.send("00880000", &challenge[1..], Some(0)).1, 0x6700);
    assert_eq!(reader.send("00880001", &challenge, Some(0)).1, 0x6A86);
    // RSA: an imported key, which is longer than a short answer once it is sealed.
    let key = openssl::rsa::Rsa::generate(2048).unwrap();
    let [p, q] = [key.p().unwrap(), key.q().unwrap()].map(|n| n.to_vec_padded(128).unwrap());
    let content = [
        unhex("800140 840101 950101 900103 8203010001"),
        object("92", &p),
        object("93", &q),
    ];
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x010F, 0x41, &[0x6F; 40]);
    let import = object("7F48", &content.concat());
    let public = desk.issued("00DB3FFF", &hex::encode(import), 0x9000);
    assert_eq!(at(&public, &[0x7F49, 0x81]), key.n().to_vec());
    desk.lock();
    let mut reader = pace(desk);
    let (signature, status) = reader.send("00880000", &challenge, Some(256));
    assert_eq!((signature.len(), status), (256, 0x9000));
    let mut block = [0; 256];
    key.public_decrypt(&signature, &mut block, Padding::NONE)
        .unwrap();
    let (first, rest) = block[1..].split_at(256 - 3 - 32);
    assert_eq!((block[0], &rest[32..]), (0x6A, &[0x34, 0xCC][..]));
    assert_eq!(rest[..32], sha256(&[first, &challenge].concat()));
    assert_ne!(first, vec![0; first.len()]);
}
