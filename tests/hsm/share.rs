//! A share on paper: what is forgiven, what is not.

use card::cipher::KeyAlgorithm;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{KeyShare, ShareError, ShareInfo};

fn share(length: usize) -> KeyShare {
    let info = ShareInfo {
        algorithm: KeyAlgorithm::Aes,
        set: [0xA1, 0xB2, 0xC3, 0xD4],
        number: 3,
        threshold: 2,
        kcv: [0x8B, 0xAF, 0x47],
    };
    let value = (0..length).map(|byte| byte as u8 ^ 0x5A).collect();
    KeyShare::new(info, Zeroizing::new(value))
}

/// The text of `share(16)`, encoded by the reference implementation of bech32m (BIP-350,
/// `segwit_addr.py` as Python package bech32 has it).
const REFERENCE: &str = "zs1qyq6rvkr6sps9za0gad9kkzete04ch2j2dg9z4jh232s2zmu8e";

#[test]
fn the_text_is_bech32m() {
    let text = share(16).text();
    assert_eq!(text.replace([' ', '\n'], "").to_lowercase(), REFERENCE);
    for line in text.lines() {
        assert!(line.len() <= 19 && line.split(' ').all(|group| group.len() <= 4));
    }
}

#[test]
fn case_and_blanks_are_forgiven() {
    for length in [16, 24, 32] {
        let share = share(length);
        let text = share.text();
        let letters = text.replace([' ', '\n'], "");
        assert!(letters.len() <= 78, "{}", letters.len());
        let spread: String = letters.chars().flat_map(|c| [c, ' ']).collect();
        for typed in [
            &**text,
            &letters.to_lowercase(),
            &text.to_lowercase().replace(' ', "-"),
            &spread,
            &letters.replacen("ZS", "zS", 1),
        ] {
            assert!(KeyShare::parse(typed).is_ok_and(|read| read == share));
        }
        assert_eq!(letters[letters.len() - 6..], **share.checksum());
    }
}

#[test]
fn every_wrong_character_and_every_exchange_is_noticed() {
    const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    for length in [16, 24, 32] {
        let letters: Vec<char> = {
            let text = share(length).text().replace([' ', '\n'], "");
            text.to_lowercase().chars().collect()
        };
        let read = |letters: &[char]| KeyShare::parse(&letters.iter().collect::<String>());
        assert!(read(&letters).is_ok());
        for at in 3..letters.len() {
            for other in ALPHABET.chars().filter(|c| *c != letters[at]) {
                let mut wrong = letters.clone();
                wrong[at] = other;
                assert_eq!(read(&wrong), Err(ShareError::Checksum));
            }
            let mut left_out = letters.clone();
            left_out.remove(at);
            assert!(read(&left_out).is_err());
            for exchanged in at + 1..letters.len() {
                let mut wrong = letters.clone();
                wrong.swap(at, exchanged);
                assert!(wrong == letters || read(&wrong) == Err(ShareError::Checksum));
            }
        }
    }
}

#[test]
fn what_is_no_share_is_refused_with_the_reason() {
    let reason = |typed: &str| match KeyShare::parse(typed) {
        Err(ShareError::Form { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(reason("").contains("ZS1"));
    assert!(reason("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4").contains("ZS1"));
    assert!(reason("zs1").contains("too short"));
    assert!(reason("zs1qqqqqq").contains("too short"));
    assert!(reason(&REFERENCE.replace('4', "O")).contains("B, I or O"));
    assert!(reason(&REFERENCE.replace('4', "ā")).contains("no share has"));
    assert!(reason(&"q".repeat(1_000_000)).contains("too long"));
    assert!(reason(&format!("zs1{}", "q".repeat(90))).contains("too long"));
    // Well encoded, and yet none: version 2, no such algorithm, number 0 and 17, threshold 1.
    let good: Vec<u8> = {
        let checked = bech32::decode(REFERENCE).unwrap();
        checked.1
    };
    for (at, value, part) in [
        (0, 2, "version"),
        (1, 3, "length"),
        (6, 0, "number"),
        (6, 17, "number"),
        (7, 1, "threshold"),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        let prefix = bech32::Hrp::parse("zs").unwrap();
        let text = bech32::encode::<bech32::Bech32m>(prefix, &bytes).unwrap();
        assert!(reason(&text).contains(part), "{text}");
        // The older checksum is none of ours.
        let text = bech32::encode::<bech32::Bech32>(prefix, &good).unwrap();
        assert_eq!(KeyShare::parse(&text), Err(ShareError::Checksum));
    }
}

#[test]
fn a_share_does_not_show_its_secret() {
    let shown = format!("{:?}", share(16));
    assert!(
        shown.contains("number: 3") && !shown.contains("value"),
        "{shown}"
    );
    let (one, other) = (
        share(16).fingerprint(&[1; 16]),
        share(16).fingerprint(&[2; 16]),
    );
    assert_ne!(one, other);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(typed in ".{0,120}") {
        if let Ok(share) = KeyShare::parse(&typed) {
            prop_assert!(KeyShare::parse(&share.text()).is_ok_and(|again| again == share));
        }
    }

    #[test]
    fn any_share_survives_its_text(
        set in any::<[u8; 4]>(), number in 1..=16_u8, threshold in 2..=16_u8,
        kcv in any::<[u8; 3]>(), value in any::<[u8; 32]>(), length in 0..3_usize,
    ) {
        let algorithm = if number % 2 == 0 && length < 2 {
            KeyAlgorithm::TripleDes
        } else {
            KeyAlgorithm::Aes
        };
        let info = ShareInfo { algorithm, set, number, threshold, kcv };
        let value = Zeroizing::new(value[..16 + 8 * length].to_vec());
        let share = KeyShare::new(info, value);
        prop_assert!(KeyShare::parse(&share.text()).is_ok_and(|read| read == share));
    }
}
