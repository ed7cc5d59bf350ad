//! The key service by itself: every protocol and diversification, against published vectors and
//! openssl.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{ChannelGrant, ChannelOpening};
use card::gp::{Key, KeyAlgorithm};
use hsm::{Token, test_support};
use openssl::symm::Mode;
use profile::ChipProfile;
use serde_json::Value;

use super::judge::{
    Side, aes_cbc, bytes, chip, des3_cbc, des3_ecb, opening, scp02, scp03, single_key, told,
};
use crate::{CentralError, KeyLabels, KeyService, PutKeys};

const SCP02: &str = include_str!("../../../tests/vectors/globalplatform/scp02.json");
const DES_DIVERSIFIED: &str = include_str!("../../../tests/vectors/globalplatform/emv_visa2.json");
const KDF3: &str = include_str!("../../../tests/vectors/globalplatform/kdf3.json");
const PUT_DES3: &str = include_str!("../../../tests/vectors/globalplatform/put_key_des3.json");
const PUT_AES: &str = include_str!("../../../tests/vectors/globalplatform/put_key_aes.json");

/// The published master key, and the diversification data of the published derivations.
const MASTER: [u8; 16] = *b"@ABCDEFGHIJKLMNO";
const KDD: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const SERIAL: &str = "00010203040506070809";

const STAGE: &str = r#"
[[stages]]
name = "take over"
select = "domain"
channel = "old"
steps = ["replace_keys new"]
"#;

/// A chip of GlobalPlatform with two key sets.
fn gp(channel: &str, old: &str, new: &str) -> ChipProfile {
    chip(&format!(
        "[channel]\nlevel = \"c-mac c-enc\"\n{channel}\n[channel.keys.old]\nversion = 0xFF\n{old}\n[channel.keys.new]\nversion = 0x31\n{new}\n{STAGE}"
    ))
}

/// Returns a key service whose master keys have these labels, by key set.
fn service(token: &Arc<Token>, sets: &[(&str, &str)]) -> KeyService {
    let masters = sets.iter();
    let labels = KeyLabels {
        masters: masters
            .map(|(set, label)| ((*set).to_owned(), (*label).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        ..KeyLabels::default()
    };
    KeyService::new(Arc::clone(token), labels)
}

/// Runs a test with a token.
fn with_token(test: &str, body: impl FnOnce(&Arc<Token>)) {
    test_support::with_private_tokens(test, || body(&Arc::new(test_support::token("keys"))));
}

/// Runs a test with a key service.
fn with_keys(
    test: &str,
    sets: &[(&str, &str)],
    put: impl FnOnce(&Token),
    body: impl FnOnce(&KeyService),
) {
    with_token(test, |token| {
        put(token);
        body(&service(token, sets));
    });
}

fn session(keys: &KeyService, chip: &ChipProfile, opening: &ChannelOpening) -> [Vec<u8>; 3] {
    match keys.open(chip, SERIAL, opening).unwrap().into_grant() {
        ChannelGrant::SessionKeys { enc, mac, rmac } => {
            [enc, mac, rmac].map(|key| key.expose().to_vec())
        }
        ChannelGrant::Proof { .. } => panic!("a proof"),
    }
}

fn refusal<T>(result: Result<T, CentralError>) -> String {
    match result {
        Err(error @ (CentralError::Refused { .. } | CentralError::Invalid { .. })) => {
            error.to_string()
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was given"),
    }
}

fn is_wrong_keys<T>(result: Result<T, CentralError>) -> bool {
    matches!(result, Err(CentralError::WrongKeys))
}

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Returns the published keys ENC, MAC and DEK that follow from the published master key.
fn derived(text: &str, scheme: &str, length: usize) -> [Vec<u8>; 3] {
    ["ENC", "MAC", "DEK"].map(|key| {
        let known = vectors(text);
        let mut known = known["vectors"].as_array().unwrap().iter();
        let found = known.find(|vector| {
            let master = vector["master"].as_str().unwrap();
            vector["scheme"].as_str().unwrap().starts_with(scheme)
                && vector["key"] == key
                && master.len() == 2 * length
                && master.starts_with("4041")
        });
        bytes(found.unwrap()["derived"].as_str().unwrap())
    })
}

/// Returns the keys in a PUT KEY command's data field, still encrypted, and their check values.
fn fields(put: &PutKeys) -> (Vec<Vec<u8>>, Vec<u8>) {
    assert_eq!(put.commands.len(), 1);
    let data = put.commands[0].data().to_vec();
    let (mut rest, mut keys, mut kcv) = (&data[1..], Vec::new(), Vec::new());
    while !rest.is_empty() {
        let length = usize::from(rest[1]);
        let field = &rest[2..2 + length];
        // AES keys say their own length before their blocks.
        keys.push(if rest[0] == 0x88 { &field[1..] } else { field }.to_vec());
        kcv.extend_from_slice(&rest[3 + length..6 + length]);
        rest = &rest[6 + length..];
    }
    (keys, kcv)
}

#[test]
fn scp02_with_the_makers_own_key_is_the_published_session() {
    let name = "scenarios::key_service::scp02_with_the_makers_own_key_is_the_published_session";
    let put = |token: &Token| {
        let key = Key::new(&MASTER).unwrap();
        token
            .import_transport_key("maker", &key, KeyAlgorithm::TripleDes)
            .unwrap();
    };
    with_keys(name, &[("old", "maker")], put, |keys| {
        let published = vectors(SCP02);
        for vector in published["sessions"].as_array().unwrap() {
            let text = |field: &str| bytes(vector[field].as_str().unwrap());
            let mut said = bytes(vector["initialize_update"]["response"].as_str().unwrap());
            said.truncate(said.len() - 2);
            let chip = gp(
                "protocol = \"scp02\"",
                "diversification = \"none\"",
                "known = \"404142434445464748494A4B4C4D4E4F\"",
            );
            // The published card answers for its version; so must the profile.
            let wrong = opening("old", &text("host_challenge"), &said);
            assert!(refusal(keys.open(&chip, SERIAL, &wrong)).contains("key version"));
            said[10] = 0xFF;
            let good = opening("old", &text("host_challenge"), &said);
            assert_eq!(
                session(keys, &chip, &good),
                [text("S_ENC"), text("S_MAC"), text("S_RMAC")]
            );
            let mut other = said.clone();
            *other.last_mut().unwrap() ^= 1;
            let forged = opening("old", &text("host_challenge"), &other);
            assert!(is_wrong_keys(keys.open(&chip, SERIAL, &forged)));
            let long = opening("old", &[1; 16], &said);
            assert!(refusal(keys.open(&chip, SERIAL, &long)).contains("16 bytes"));
        }
    });
}

#[test]
fn scp02_keys_by_emv_and_visa2_are_the_published_ones() {
    let name = "scenarios::key_service::scp02_keys_by_emv_and_visa2_are_the_published_ones";
    let put = |token: &Token| {
        let key = Key::new(&MASTER).unwrap();
        token.import_des3_master_key("master", &key).unwrap();
    };
    with_keys(name, &[("old", "master"), ("new", "master")], put, |keys| {
        for (how, scheme) in [("emv", "EMV"), ("visa2", "VISA2")] {
            let [enc, mac, dek] = derived(DES_DIVERSIFIED, scheme, 16);
            let set = format!("diversification = \"{how}\"");
            let chip = gp("protocol = \"scp02\"", &set, &set);
            let host = [7; 8];
            let side = scp02([&enc, &mac], KDD, 0xFF, [0, 9], [3; 6], host);
            let opened = opening("old", &host, &side.answer);
            assert_eq!(session(keys, &chip, &opened), side.session);

            // The new keys travel under the session's DEK, which needs the static one.
            let put = keys.put_keys(&chip, SERIAL, &opened, "new", false).unwrap();
            let session_dek = des3_cbc(&dek, &[&[0x01, 0x81, 0, 9][..], &[0; 12]].concat());
            let (sealed, kcv) = fields(&put);
            let opened = sealed
                .iter()
                .map(|key| des3_ecb(Mode::Decrypt, &session_dek, key));
            assert_eq!(opened.collect::<Vec<_>>(), [&enc[..], &mac, &dek]);
            let check = [&enc, &mac, &dek].map(|key| {
                let mut block = des3_ecb(Mode::Encrypt, key, &[0; 8]);
                block.truncate(3);
                block
            });
            assert_eq!(put.kcv, check.concat());
            assert_eq!(kcv, put.kcv);
            assert_eq!(put.answer, Some([&[0x31], &kcv[..]].concat()));
        }
    });
}

#[test]
fn scp02_puts_keys_as_published() {
    let name = "scenarios::key_service::scp02_puts_keys_as_published";
    with_keys(
        name,
        &[],
        |_| {},
        |keys| {
            let published = &vectors(PUT_DES3)["published"];
            let known = "known = \"404142434445464748494A4B4C4D4E4F\"";
            let chip = gp("protocol = \"scp02\"", known, known);
            // The published session: sequence counter 0000 under the published key.
            let side = scp02([&MASTER, &MASTER], KDD, 0xFF, [0, 0], [5; 6], [1; 8]);
            let opened = opening("old", &[1; 8], &side.answer);
            let put = keys.put_keys(&chip, SERIAL, &opened, "new", false).unwrap();
            let sealed = bytes(
                published["scp02_encrypted_404142_under_session_dek"]
                    .as_str()
                    .unwrap(),
            );
            let kcv = bytes(published["kcv_3des_404142"].as_str().unwrap());
            assert_eq!(
                fields(&put),
                (vec![sealed; 3], [&kcv[..], &kcv, &kcv].concat())
            );
            let header = put.commands[0].encode().unwrap()[..4].to_vec();
            assert_eq!(header, [0x80, 0xD8, 0x00, 0x81], "FF is replaced by adding");
        },
    );
}

#[test]
fn scp03_keys_of_every_length_and_mode_are_the_standards() {
    let name = "scenarios::key_service::scp03_keys_of_every_length_and_mode_are_the_standards";
    let long: Vec<u8> = (0x40..0x60).collect();
    let put = |token: &Token| {
        for length in [16, 32] {
            let key = Key::new(&long[..length]).unwrap();
            token
                .import_master_key(&format!("master-{length}"), &key)
                .unwrap();
        }
    };
    let sets = [("old", "master-16"), ("new", "master-32")];
    with_keys(name, &sets, put, |keys| {
        let [enc, mac, dek] = derived(KDF3, "KDF3", 16);
        let large = derived(KDF3, "KDF3", 32);
        let (small_set, large_set) = (
            "diversification = \"kdf3\"",
            "diversification = \"kdf3\"\ncipher = \"aes-256\"",
        );
        for (channel, length) in [
            ("protocol = \"scp03\"", 8),
            ("protocol = \"scp03\"\nhost = 16", 16),
        ] {
            let chip = gp(channel, small_set, large_set);
            let (host, said) = (vec![6; length], vec![8; length]);
            let side = scp03([&enc, &mac], KDD, 0xFF, &said, &host);
            let opened = opening("old", &host, &side.answer);
            assert_eq!(session(keys, &chip, &opened), side.session);
            let mut other = opened.clone();
            other.host_challenge[0] ^= 1;
            assert!(is_wrong_keys(keys.open(&chip, SERIAL, &other)));

            // AES-256 in the place of AES-128, under the static Key-DEK.
            let put = keys.put_keys(&chip, SERIAL, &opened, "new", false).unwrap();
            let (sealed, kcv) = fields(&put);
            let keys_put = sealed.iter().map(|key| aes_cbc(Mode::Decrypt, &dek, key));
            assert_eq!(keys_put.collect::<Vec<_>>(), large.clone());
            assert_eq!(kcv, put.kcv);
            let side = scp03([&large[0], &large[1]], KDD, 0x31, &said, &host);
            let new = opening("new", &host, &side.answer);
            assert_eq!(session(keys, &chip, &new), side.session);

            // Where the chip is in the other mode, or speaks SCP02 with the same key.
            let odd = 24 - length;
            let side = scp03([&enc, &mac], KDD, 0xFF, &vec![8; odd], &vec![6; odd]);
            let crossed = opening("old", &vec![6; odd], &side.answer);
            assert!(refusal(keys.open(&chip, SERIAL, &crossed)).contains("another protocol"));
            let side = scp02([&enc, &mac], KDD, 0xFF, [0, 1], [4; 6], [6; 8]);
            let downgraded = opening("old", &[6; 8], &side.answer);
            assert!(refusal(keys.open(&chip, SERIAL, &downgraded)).contains("another protocol"));
        }
        // A set that the master key cannot make.
        let chip = gp("protocol = \"scp03\"", large_set, small_set);
        let Side { answer, .. } = scp03([&enc, &mac], KDD, 0xFF, &[8; 8], &[6; 8]);
        let opened = opening("old", &[6; 8], &answer);
        let unfit = refusal(keys.open(&chip, SERIAL, &opened));
        assert!(
            unfit.contains("\"old\" makes no keys of AES-256"),
            "{unfit}"
        );
    });
}

#[test]
fn scp03_puts_keys_as_published_and_only_what_a_chip_takes() {
    let name = "scenarios::key_service::scp03_puts_keys_as_published_and_only_what_a_chip_takes";
    with_keys(
        name,
        &[],
        |_| {},
        |keys| {
            let known = "known = \"404142434445464748494A4B4C4D4E4F\"";
            let chip = gp("protocol = \"scp03\"", known, known);
            let side = scp03([&MASTER, &MASTER], KDD, 0xFF, &[5; 8], &[1; 8]);
            let opened = opening("old", &[1; 8], &side.answer);
            let put = keys.put_keys(&chip, SERIAL, &opened, "new", false).unwrap();
            let kcv = bytes(vectors(PUT_AES)["kcv_aes_404142"].as_str().unwrap());
            let (sealed, found) = fields(&put);
            assert_eq!(found, [&kcv[..], &kcv, &kcv].concat());
            for key in sealed {
                assert_eq!(aes_cbc(Mode::Decrypt, &MASTER, &key), MASTER);
            }
            for (new, adds, word) in [
                ("old", false, "does not replace itself"),
                ("nobody's", false, "no key set of this name"),
            ] {
                let refused = refusal(keys.put_keys(&chip, SERIAL, &opened, new, adds));
                assert!(refused.contains(word), "{refused}");
            }
            // Beside: P1 names no version; in the place of an issuer's: it names that.
            let later = scp03([&MASTER, &MASTER], KDD, 0x31, &[5; 8], &[1; 8]);
            let later = opening("new", &[1; 8], &later.answer);
            assert!(
                refusal(keys.put_keys(&chip, SERIAL, &later, "old", false)).contains("maker's")
            );
            let third = chip_of_versions(0x31, 0x32);
            for (adds, p1) in [(true, 0x00), (false, 0x31)] {
                let mut opened = later.clone();
                opened.key_set = "old".into();
                let put = keys.put_keys(&third, SERIAL, &opened, "new", adds).unwrap();
                assert_eq!(put.commands[0].encode().unwrap()[2], p1);
            }
            let alike = chip_of_versions(0x31, 0x31);
            let mut opened = later.clone();
            opened.key_set = "old".into();
            let refused = refusal(keys.put_keys(&alike, SERIAL, &opened, "new", true));
            assert!(refused.contains("the same version"), "{refused}");
        },
    );
}

fn chip_of_versions(old: u8, new: u8) -> ChipProfile {
    let known = "known = \"404142434445464748494A4B4C4D4E4F\"";
    chip(&format!(
        "[channel]\nprotocol = \"scp03\"\nlevel = \"c-mac\"\n[channel.keys.old]\nversion = {old}\n{known}\n[channel.keys.new]\nversion = {new}\n{known}\n{STAGE}"
    ))
}

/// A chip that is opened by challenge, with one key at a time.
fn by_challenge(function: &str, cipher: &str) -> ChipProfile {
    chip(&format!(
        r#"
[channel]
protocol = "challenge"
host = 8
proof = "{function}(channel.key, channel.host channel.challenge)"
answer = "{function}(channel.key, channel.challenge channel.host)"
[channel.keys.old]
known = "404142434445464748494A4B4C4D4E4F"
cipher = "{}"
[channel.keys.new]
diversification = "kdf3"
context = "hex_bytes(chip.serial)"
cipher = "{cipher}"

[[operations.open_channel]]
header = "00 84 00 00"
le = 8
take = {{ "channel.challenge" = "" }}
[[operations.open_channel]]
header = "00 82 00 00"
data = "channel.proof"
le = 16
take = {{ "channel.answer" = "" }}
[[operations.put_key]]
header = "00 24 00 9B"
data = "key_set.key hex_bytes(chip.serial)"
{STAGE}"#,
        if cipher == "des3" { "des3" } else { "aes-128" }
    ))
}

#[test]
fn a_challenge_is_answered_with_the_one_key_of_the_chip() {
    let name = "scenarios::key_service::a_challenge_is_answered_with_the_one_key_of_the_chip";
    let long: Vec<u8> = (0x60..0x80).collect();
    with_token(name, |token| {
        for length in [16, 24, 32] {
            let key = Key::new(&long[..length]).unwrap();
            token
                .import_master_key(&format!("master-{length}"), &key)
                .unwrap();
        }
        answers_and_puts(token, &long);
    });
}

fn answers_and_puts(token: &Arc<Token>, long: &[u8]) {
    for (function, cipher, length) in [
        ("des3_cbc", "des3", 16),
        ("des3_cbc", "des3", 24),
        ("aes_cbc", "aes-128", 16),
        ("aes_cbc", "aes-256", 32),
    ] {
        let label = format!("master-{length}");
        let keys = service(token, &[("new", &label)]);
        let chip = by_challenge(function, cipher);
        let context = bytes(SERIAL);
        let key = single_key(&long[..length], &context);
        let cbc = |data: &[u8]| match function {
            "des3_cbc" => des3_cbc(&key, data),
            _ => aes_cbc(Mode::Encrypt, &key, data),
        };
        let (host, said) = ([1; 8], [2; 8]);
        let opened = told("new", &host, &[("channel.challenge", &said)]);
        let grant = keys.open(&chip, SERIAL, &opened).unwrap().into_grant();
        let ChannelGrant::Proof { proof, answer } = grant else {
            panic!("session keys of a chip without any");
        };
        assert_eq!(proof.expose(), cbc(&[host, said].concat()));
        assert_eq!(answer.unwrap().expose(), cbc(&[said, host].concat()));
        // Another chip has another key.
        let elsewhere = keys.open(&chip, "00010203040506070810", &opened).unwrap();
        assert!(matches!(
            elsewhere.into_grant(),
            ChannelGrant::Proof { proof: other, .. } if other != proof
        ));

        let first = told("old", &host, &[("channel.challenge", &said)]);
        let put = keys.put_keys(&chip, SERIAL, &first, "new", false).unwrap();
        let whole = match (cipher, key.len()) {
            ("des3", 16) => [&key[..], &key[..8]].concat(),
            _ => key.clone(),
        };
        assert_eq!(put.commands.len(), 1);
        assert_eq!(put.commands[0].data(), [whole, context].concat());
        let mut block = match cipher {
            "des3" => des3_ecb(Mode::Encrypt, &key, &[0; 8]),
            _ => aes_cbc(Mode::Encrypt, &key, &[1; 16]),
        };
        block.truncate(3);
        assert_eq!((put.kcv, put.answer), (block, None));
        let beside = refusal(keys.put_keys(&chip, SERIAL, &first, "new", true));
        assert!(beside.contains("holds one key"), "{beside}");

        // What is missing or of another length gives nothing.
        for broken in [
            told("new", &host, &[]),
            told("new", &[1; 7], &[("channel.challenge", &said)]),
            told("new", &host, &[("channel.challenge", &[2; 3])]),
            told("nobody's", &host, &[("channel.challenge", &said)]),
        ] {
            assert!(keys.open(&chip, SERIAL, &broken).is_err());
        }
    }
    for (function, cipher, label, word) in [
        ("des3_cbc", "des3", "master-32", "triple DES"),
        ("aes_cbc", "aes-256", "master-16", "AES-256"),
    ] {
        let keys = service(token, &[("new", label)]);
        let opened = told("new", &[1; 8], &[("channel.challenge", &[2; 8])]);
        let unfit = refusal(keys.open(&by_challenge(function, cipher), SERIAL, &opened));
        assert!(
            unfit.contains(&format!("makes no keys of {word}")),
            "{unfit}"
        );
    }
}

#[test]
fn a_chip_without_a_channel_opens_none() {
    let name = "scenarios::key_service::a_chip_without_a_channel_opens_none";
    with_keys(
        name,
        &[],
        |_| {},
        |keys| {
            let state = "[states.done]\ntitle = \"done\"\n[[operations.set_state]]\nheader = \"80 F0 00 00\"\n[[stages]]\nname = \"end\"\nselect = \"domain\"\nsteps = [\"set_state done\"]";
            let chip = chip(state);
            let opened = opening("old", &[1; 8], &[0; 28]);
            assert!(refusal(keys.open(&chip, SERIAL, &opened)).contains("no issuer's channel"));
            let put = keys.put_keys(&chip, SERIAL, &opened, "new", false);
            assert!(refusal(put).contains("no issuer's channel"));
        },
    );
}

/// An administrator's PIN is the chip's own, follows from the master key, and is spread evenly.
#[test]
fn an_issuers_pin_follows_from_the_master_key_and_the_chip() {
    let put = |token: &Token| {
        let key = Key::new(&MASTER).unwrap();
        token.import_master_key("admin-master", &key).unwrap();
    };
    let test = "scenarios::key_service::an_issuers_pin_follows_from_the_master_key_and_the_chip";
    with_keys(test, &[("admin", "admin-master")], put, |keys| {
        let pin = |serial: &str, reference| {
            let pin = keys.issuer_pin("admin", serial, reference, 12).unwrap();
            String::from_utf8(pin.to_vec()).unwrap()
        };
        let first = pin(SERIAL, 0x83);
        assert_eq!(first.len(), 12);
        assert!(first.bytes().all(|digit| digit.is_ascii_digit()));
        assert_eq!(
            first,
            pin(SERIAL, 0x83),
            "the same whenever it is asked for"
        );
        assert_ne!(first, pin(SERIAL, 0x84));
        assert_ne!(first, pin("00010203040506070810", 0x83));
        // openssl's derivation of the first block, without the bytes that would favour digits.
        let chip = openssl::sha::sha256(SERIAL.as_bytes());
        let context = [b"PIN", &[0x83, 0x00][..], &chip[..24]].concat();
        let block = single_key(&MASTER, &context);
        let fair = block.iter().filter(|byte| **byte < 250);
        let digits: String = fair.map(|byte| char::from(b'0' + byte % 10)).collect();
        assert_eq!(first, digits[..12]);
    });
}
