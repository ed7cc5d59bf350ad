//! Key blocks: the standard's own example, and blocks that psec 1.3.0 (Python) made.

use card::cipher::{Key, KeyAlgorithm, aes_cmac};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{KeyBlock, KeyBlockError};

/// The example of version D in *ASC X9 TR 31-2018*: a PIN key under an AES-256 key; psec opens it as well.
const PUBLISHED: (&str, &str, &str) = (
    "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6",
    "D0112P0AE00E0000B82679114F470F540165EDFBF7E250FCEA43F810D215F8D207E2E417C07156A27E8E31DA05F7425509593D03A457DC34",
    "3F419E1CB7079442AA37474C2EFBF8B8",
);

/// Made by psec: an AES-128 key under an AES-128 key, with optional blocks; a triple DES key of
/// three keys under an AES-192 key.
const MADE_ELSEWHERE: [(&str, &str, &str); 2] = [
    (
        "000102030405060708090A0B0C0D0E0F",
        "D0176K0AB00N0200KS1800604B120F9292800000PB080000A542E10921DB554E5859BB6E59A9358166824B579BBE5691DE6381E773EF4F75D2A9A75DC909886428176D511FE0B71758FBAEEA879DE1E2E5A4AED195F5285B",
        "00112233445566778899AABBCCDDEEFF",
    ),
    (
        "000102030405060708090A0B0C0D0E0F1011121314151617",
        "D0112K0TB00N00001C2099BB9FF8952CE12056B97362CAA9090D00DF9F59FAE8CA60DBAA5F60A54CDB35648DCE070D792E5568CA73D493C5",
        "404142434445464748494A4B4C4D4E4F",
    ),
];

fn key(text: &str) -> Key {
    Key::new(&hex::decode(text).unwrap()).unwrap()
}

fn open(zone: &Key, block: &KeyBlock) -> Result<Key, KeyBlockError> {
    block.open(zone.as_bytes().len(), |data| {
        Ok(Zeroizing::new(aes_cmac(zone, data).to_vec()))
    })
}

#[test]
fn blocks_open_to_the_keys_that_others_put_in() {
    for (zone, block, expected) in [PUBLISHED, MADE_ELSEWHERE[0], MADE_ELSEWHERE[1]] {
        let read = KeyBlock::parse(block).unwrap();
        assert_eq!(open(&key(zone), &read).unwrap(), key(expected));
    }
    let des = KeyBlock::parse(MADE_ELSEWHERE[1].1).unwrap();
    assert_eq!(des.algorithm(), KeyAlgorithm::TripleDes);
}

#[test]
fn every_changed_character_is_noticed() {
    for (zone, block, _) in [PUBLISHED, MADE_ELSEWHERE[0], MADE_ELSEWHERE[1]] {
        for at in 0..block.len() {
            let mut altered = block.to_owned();
            let other = if &block[at..=at] == "1" { "2" } else { "1" };
            altered.replace_range(at..=at, other);
            let opened = KeyBlock::parse(&altered).and_then(|block| open(&key(zone), &block));
            assert!(opened.is_err(), "{at}");
        }
    }
    let other = key(MADE_ELSEWHERE[0].0);
    let block = KeyBlock::parse(MADE_ELSEWHERE[1].1).unwrap();
    assert_eq!(open(&other, &block), Err(KeyBlockError::Mac));
}

#[test]
fn what_is_no_block_is_refused_with_the_reason() {
    let block = PUBLISHED.1;
    for (text, reason) in [
        ("", "too short"),
        (&block[..100], "length"),
        (&block.replacen('D', "B", 1), "version"),
        (&block.replacen("P0A", "P0R", 1), "neither"),
        (&block.replacen("E0000", "E0100", 1), "optional block"),
        (&block.replacen("E0000", "Ex000", 1), "counted"),
        (&block.replacen("B826", "x826", 1), "hexadecimal"),
        (&"D".repeat(3000), "too long"),
    ] {
        let refused = KeyBlock::parse(text).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "D0[01][0-9]{2}[A-Z0-9]{11}[0-9A-F]{0,120}|.{0,200}") {
        if let Ok(block) = KeyBlock::parse(&text) {
            prop_assert!(open(&key(PUBLISHED.2), &block).is_err());
        }
    }
}
