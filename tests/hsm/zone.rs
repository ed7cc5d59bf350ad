//! Keys that suppliers send, judged by RFC 3394, openssl and pkcs11-tool.

use std::process::Command;

use card::cipher::{Key, KeyAlgorithm};
use card::gp::Diversification;

use super::{KeyRole, WrappedKey};
use crate::check_method::{CheckMethod, CheckValue};
use crate::error::HsmError;
use crate::key_block::KeyBlock;
use crate::keys::MasterKeySize;
use crate::test_support::{PIN, token, with_private_tokens};

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(&bytes(text)).unwrap()
}

fn gp(value: [u8; 3]) -> CheckValue {
    let method = CheckMethod::GlobalPlatform;
    CheckValue { method, value }
}

const KEK_128: &str = "000102030405060708090A0B0C0D0E0F";
const KEK_256: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";
const DATA_128: &str = "00112233445566778899AABBCCDDEEFF";

/// *RFC 3394 §4.1, §4.3, §4.6*: zone key, wrapped, key data; the check value is openssl's, of
/// sixteen bytes 01 (`openssl enc -aes-128-ecb -nopad -K …`).
const PUBLISHED: [(&str, &str, &str, [u8; 3]); 3] = [
    (
        KEK_128,
        "1FA68B0A8112B447 AEF34BD8FB5A7B82 9D3E862371D2CFE5",
        DATA_128,
        [0x35, 0x44, 0xE0],
    ),
    (
        KEK_256,
        "64E8C3F9CE0F5BA2 63E9777905818A2A 93C8191E7D6E8AE7",
        DATA_128,
        [0x35, 0x44, 0xE0],
    ),
    (
        KEK_256,
        "28C9F404C4B810F4 CBCCB35CFB87F826 3F5786E2D80ED326 CBC7F0E71A99F43B FB988B9B7A02DD21",
        "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
        [0x13, 0xDA, 0x12],
    ),
];

#[test]
fn published_keys_are_unwrapped() {
    with_private_tokens("zone::tests::published_keys_are_unwrapped", || {
        let token = token("zone");
        let aes = KeyAlgorithm::Aes;
        for (n, (zone_key, wrapped, data, kcv)) in PUBLISHED.into_iter().enumerate() {
            let zone = format!("zone {n}");
            token
                .import_key(KeyRole::Zone, &zone, &key(zone_key), aes)
                .unwrap();
            let wrapped = WrappedKey::AesKeyWrap(bytes(wrapped));
            let (carried, master) = (format!("carried {n}"), format!("master {n}"));
            token
                .unwrap_key(&zone, &wrapped, &carried, KeyRole::Transport, aes, gp(kcv))
                .unwrap();
            let keys = token.diversify_by(Diversification::None, &carried, &[0; 10]);
            assert_eq!(keys.unwrap().enc, key(data));
            token
                .unwrap_key(&zone, &wrapped, &master, KeyRole::Master, aes, gp(kcv))
                .unwrap();
            let attributes = token.key_attributes(&master).unwrap();
            assert_eq!(attributes.fault(), None);
            assert!(attributes.sign && !attributes.unwrap);
            assert_eq!(token.kcv(&master).unwrap(), kcv);
            let expected = card::gp::diversify_one(Diversification::Kdf3, &key(data), &[1, 2, 3]);
            let found = token.diversify_one(Diversification::Kdf3, &master, &[1, 2, 3]);
            assert_eq!(found.unwrap(), expected.unwrap());
        }
        // OpenSC sees zone keys that unwrap and never leave, and masters that never leave.
        let list = Command::new("pkcs11-tool")
            .args(["--module", token.info().module.to_str().unwrap()])
            .args(["--token-label", "zone", "--login", "--pin", PIN])
            .args(["--list-objects", "--type", "secrkey"])
            .output()
            .unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        assert_eq!(
            list.matches("Usage:      encrypt, unwrap\n").count(),
            3,
            "{list}"
        );
        assert_eq!(list.matches("Usage:      encrypt\n").count(), 6, "{list}");
        assert_eq!(list.matches("Access:     sensitive\n").count(), 6, "{list}");
        assert_eq!(
            list.matches("Access:     extractable\n").count(),
            3,
            "{list}"
        );
    });
}

#[test]
fn suppliers_check_values_are_of_three_kinds() {
    with_private_tokens(
        "zone::tests::suppliers_check_values_are_of_three_kinds",
        || {
            let token = token("kinds");
            let aes = KeyAlgorithm::Aes;
            let (zone_key, wrapped, _, own) = PUBLISHED[0];
            token
                .import_key(KeyRole::Zone, "zone", &key(zone_key), aes)
                .unwrap();
            let wrapped = WrappedKey::AesKeyWrap(bytes(wrapped));
            // openssl enc -aes-128-ecb -nopad and openssl mac CMAC under the key data, of zeros.
            for (method, kcv) in [
                (CheckMethod::Zeros, [0xFD, 0xE4, 0xFB]),
                (CheckMethod::Cmac, [0x53, 0xE1, 0x07]),
            ] {
                for role in [KeyRole::Master, KeyRole::Transport, KeyRole::Zone] {
                    let label = format!("{method:?} {role:?}");
                    let take = |value| {
                        let sent = CheckValue { method, value };
                        token.unwrap_key("zone", &wrapped, &label, role, aes, sent)
                    };
                    let refused = take(own).unwrap_err();
                    assert!(matches!(refused, HsmError::CheckValue { .. }), "{refused}");
                    take(kcv).unwrap();
                    assert_eq!(token.kcv(&label).unwrap(), own);
                    let attributes = token.key_attributes(&label).unwrap();
                    assert_eq!(attributes.sign, role != KeyRole::Transport);
                }
            }
        },
    );
}

/// The example of version D in *ASC X9 TR 31-2018*, the keys of the block derived in the token.
#[test]
fn a_key_block_is_taken_in() {
    with_private_tokens("zone::tests::a_key_block_is_taken_in", || {
        let token = token("block");
        let aes = KeyAlgorithm::Aes;
        let zone = "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6";
        token
            .import_key(KeyRole::Zone, "zone", &key(zone), aes)
            .unwrap();
        token
            .import_key(KeyRole::Zone, "other", &key(KEK_256), aes)
            .unwrap();
        let text = "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34";
        let carried = key("3F419E1CB7079442AA37474C2EFBF8B8");
        let block = WrappedKey::KeyBlock(KeyBlock::parse(text).unwrap());
        let take = |zone: &str, label: &str, algorithm, value| {
            let role = KeyRole::Transport;
            token.unwrap_key(zone, &block, label, role, algorithm, gp(value))
        };
        let refused = take("other", "new", aes, carried.kcv()).unwrap_err();
        assert!(matches!(refused, HsmError::KeyBlock { .. }), "{refused}");
        let refused = take("zone", "new", aes, [0; 3]).unwrap_err();
        assert!(matches!(refused, HsmError::CheckValue { .. }), "{refused}");
        let refused = take("zone", "new", KeyAlgorithm::TripleDes, carried.kcv()).unwrap_err();
        assert!(matches!(refused, HsmError::KeyUnsuited { .. }), "{refused}");
        assert_eq!(token.keys().unwrap().len(), 2);
        take("zone", "new", aes, carried.kcv()).unwrap();
        let keys = token.diversify_by(Diversification::None, "new", &[0; 10]);
        assert_eq!(keys.unwrap().enc, carried);
    });
}

#[test]
fn nothing_stays_of_a_key_that_is_refused() {
    with_private_tokens(
        "zone::tests::nothing_stays_of_a_key_that_is_refused",
        || {
            let token = token("refused");
            let aes = KeyAlgorithm::Aes;
            let (zone_key, wrapped, _, kcv) = PUBLISHED[0];
            token
                .import_key(KeyRole::Zone, "zone", &key(zone_key), aes)
                .unwrap();
            token
                .import_key(KeyRole::Zone, "other", &key(KEK_256), aes)
                .unwrap();
            token
                .generate_master_key("master", MasterKeySize::Aes128)
                .unwrap();
            let before = token.keys().unwrap();
            let good = bytes(wrapped);
            let take = |zone: &str, bytes: &[u8], label: &str, kcv| {
                let wrapped = WrappedKey::AesKeyWrap(bytes.to_vec());
                token.unwrap_key(zone, &wrapped, label, KeyRole::Master, aes, gp(kcv))
            };
            let refused = take("zone", &good, "new", [0x35, 0x44, 0xE1]).unwrap_err();
            assert!(
                matches!(
                    refused,
                    HsmError::CheckValue {
                        found: [0x35, 0x44, 0xE0],
                        ..
                    }
                ),
                "{refused}"
            );
            for at in [0, 11, 23] {
                let mut altered = good.clone();
                altered[at] ^= 0x10;
                let refused = take("zone", &altered, "new", kcv).unwrap_err();
                assert!(matches!(refused, HsmError::Unwrap { .. }), "{refused}");
            }
            let refused = take("other", &good, "new", kcv).unwrap_err();
            assert!(matches!(refused, HsmError::Unwrap { .. }), "{refused}");
            for (zone, bytes) in [("master", &good[..]), ("zone", &good[..20]), ("zone", &[])] {
                let refused = take(zone, bytes, "new", kcv).unwrap_err();
                assert!(matches!(refused, HsmError::KeyUnsuited { .. }), "{refused}");
            }
            let refused = take("nowhere", &good, "new", kcv).unwrap_err();
            assert!(matches!(refused, HsmError::KeyNotFound { .. }), "{refused}");
            let refused = take("zone", &good, "master", kcv).unwrap_err();
            assert!(matches!(refused, HsmError::KeyExists { .. }), "{refused}");
            assert_eq!(token.keys().unwrap(), before);
            take("zone", &good, "new", kcv).unwrap();
        },
    );
}

#[test]
fn triple_des_keys_come_both_ways() {
    with_private_tokens("zone::tests::triple_des_keys_come_both_ways", || {
        let token = token("des");
        let des = KeyAlgorithm::TripleDes;
        let data = "404142434445464748494A4B4C4D4E4F";
        let kcv = [0x8B, 0xAF, 0x47];
        token
            .import_key(
                KeyRole::Zone,
                "old zone",
                &key("0123456789ABCDEFFEDCBA9876543210"),
                des,
            )
            .unwrap();
        // Eight bytes 00 | openssl enc -des-ede3 -nopad -K 0123…3210 0123…CDEF.
        assert_eq!(token.kcv("old zone").unwrap(), [0x08, 0xD7, 0xB4]);
        token
            .import_key(KeyRole::Zone, "zone", &key(KEK_128), KeyAlgorithm::Aes)
            .unwrap();
        // The key | openssl enc -des-ede3 -nopad -K 0123456789ABCDEFFEDCBA98765432100123456789ABCDEF
        let old = WrappedKey::Des3Ecb(bytes("13893f6ead67582ccd80d02a960e2fff"));
        // The three keys | openssl enc -id-aes128-wrap -iv A6A6A6A6A6A6A6A6 -K 0001…0F
        let new = WrappedKey::AesKeyWrap(bytes(
            "f36175d0975f7229bf06bf0a3729be87b87cf2e3cad324f9666bcb86d8a3c2a7",
        ));
        for (n, (zone, wrapped)) in [("old zone", &old), ("zone", &new)].into_iter().enumerate() {
            let (carried, master) = (format!("carried {n}"), format!("master {n}"));
            let take =
                |label: &str, role, kcv| token.unwrap_key(zone, wrapped, label, role, des, gp(kcv));
            take(&carried, KeyRole::Transport, kcv).unwrap();
            let keys = token.diversify_by(Diversification::None, &carried, &[0; 10]);
            assert_eq!(keys.unwrap().enc, key(data));
            take(&master, KeyRole::Master, kcv).unwrap();
            assert_eq!(token.kcv(&master).unwrap(), kcv);
            assert_eq!(token.key_attributes(&master).unwrap().fault(), None);
            let derived = token.diversify_by(Diversification::EmvCps11, &master, &[7; 10]);
            let expected = Diversification::EmvCps11.keys(&key(data), &[7; 10]);
            assert_eq!(derived.unwrap().mac, expected.unwrap().mac);
            let refused = take("wrong", KeyRole::Master, [0; 3]).unwrap_err();
            assert!(matches!(refused, HsmError::CheckValue { .. }), "{refused}");
        }
        for (zone, wrapped) in [("zone", &old), ("old zone", &new)] {
            let refused = token.unwrap_key(zone, wrapped, "x", KeyRole::Master, des, gp(kcv));
            assert!(
                matches!(refused, Err(HsmError::KeyUnsuited { .. })),
                "{zone}"
            );
        }
        assert_eq!(token.keys().unwrap().len(), 6);
    });
}
