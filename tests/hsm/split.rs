//! Keys split and put together, and what does not go together.

use card::cipher::{Key, KeyAlgorithm};
use proptest::prelude::*;

use super::{join_key, split_key};
use crate::error::HsmError;
use crate::random::RandomSource;
use crate::share::{KeyShare, ShareError};

struct Random;

impl RandomSource for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
        getrandom::fill(bytes).unwrap();
        Ok(())
    }
}

struct Broken;

impl RandomSource for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), HsmError> {
        Err(HsmError::RandomSourceStuck)
    }
}

fn split(key: &Key, threshold: u8, count: u8) -> Vec<KeyShare> {
    split_key(key, KeyAlgorithm::Aes, threshold, count, &Random).unwrap()
}

/// Shares of the key 000102…0F that another program made: twenty lines of Python with a field
/// multiplication by the book, the reference implementation of bech32m, and openssl's check value.
const MADE_ELSEWHERE: [&str; 3] = [
    "ZS1QYQSZQSRQSQS9S6JSQPSKYCMRV3JKVENFDP4KK6NDD3SP55E72",
    "ZS1QYQSZQSRQSPQ9S6JSQRP2GPN8FY4CMM73KV2HG43CNTS9SAXDH",
    "ZS1QYQSZQSRQSPS9S6JSQZ37VFTY4HHZK69ELGLHA005XAS9FHC6W",
];

#[test]
fn shares_that_were_made_elsewhere_bring_the_key_back() {
    let shares = MADE_ELSEWHERE.map(|text| KeyShare::parse(text).unwrap());
    let key = Key::new(&std::array::from_fn::<u8, 16, _>(|at| at as u8)).unwrap();
    assert_eq!(shares[0].info().kcv, [0xC3, 0x52, 0x80]);
    for pair in [[0, 1], [2, 0], [1, 2]] {
        assert_eq!(join_key(&pair.map(|at| shares[at].clone())).unwrap(), key);
    }
}

#[test]
fn any_two_of_three_bring_the_key_back() {
    let key = Key::new(&[0x42; 32]).unwrap();
    let shares = split(&key, 2, 3);
    for (a, b) in [(0, 1), (0, 2), (1, 2), (2, 0)] {
        let some = [shares[a].clone(), shares[b].clone()];
        assert_eq!(join_key(&some).unwrap(), key);
    }
    assert_eq!(join_key(&shares).unwrap(), key);
}

#[test]
fn a_triple_des_key_is_split_with_its_own_check_value() {
    // Eight bytes 00 | openssl enc -des-ede -nopad -K 404142434445464748494A4B4C4D4E4F: 8B AF 47,
    // the check value that every card maker prints beside its test key.
    let key = Key::new(&std::array::from_fn::<u8, 16, _>(|at| 0x40 + at as u8)).unwrap();
    let shares = split_key(&key, KeyAlgorithm::TripleDes, 3, 5, &Random).unwrap();
    assert_eq!(shares[0].info().kcv, [0x8B, 0xAF, 0x47]);
    assert_eq!(join_key(&shares[1..4]).unwrap(), key);
    let long = Key::new(&[1; 32]).unwrap();
    let refused = split_key(&long, KeyAlgorithm::TripleDes, 2, 3, &Random);
    assert_eq!(refused, Err(ShareError::KeyLength { length: 32 }));
}

#[test]
fn what_does_not_go_together_is_named() {
    let key = Key::new(&[7; 16]).unwrap();
    let (shares, others) = (split(&key, 3, 4), split(&key, 3, 4));
    let pick = |at: &[usize]| at.iter().map(|&at| shares[at].clone()).collect::<Vec<_>>();
    assert_eq!(
        join_key(&[]),
        Err(ShareError::TooFew {
            found: 0,
            needed: 2
        })
    );
    assert_eq!(
        join_key(&pick(&[0, 3])),
        Err(ShareError::TooFew {
            found: 2,
            needed: 3
        })
    );
    assert_eq!(
        join_key(&pick(&[1, 2, 1])),
        Err(ShareError::Twice { number: 2 })
    );
    // Same key, same numbers, and yet another ceremony.
    let mixed = [shares[0].clone(), others[1].clone(), shares[2].clone()];
    let refused = join_key(&mixed).unwrap_err();
    assert!(
        matches!(
            refused,
            ShareError::OtherCeremony {
                number: 2,
                first: 1,
                ..
            }
        ),
        "{refused}"
    );
    for (threshold, count) in [(0, 3), (1, 3), (4, 3), (2, 17), (2, 1)] {
        let refused = split_key(&key, KeyAlgorithm::Aes, threshold, count, &Random);
        assert_eq!(refused, Err(ShareError::Numbers { threshold, count }));
    }
    let refused = split_key(&key, KeyAlgorithm::Aes, 2, 3, &Broken);
    assert_eq!(refused, Err(ShareError::Random));
}

#[test]
fn a_false_share_makes_no_key() {
    let key = Key::new(&[9; 16]).unwrap();
    let shares = split(&key, 2, 3);
    let mut value = shares[1].value().to_vec();
    value[5] ^= 1;
    let forged = KeyShare::new(shares[1].info(), value.into());
    let refused = join_key(&[shares[0].clone(), forged.clone()]).unwrap_err();
    assert!(
        matches!(refused, ShareError::CheckValue { expected, .. } if expected == key.kcv()),
        "{refused}"
    );
    let more = [shares[0].clone(), shares[2].clone(), forged];
    assert_eq!(join_key(&more), Err(ShareError::Disagrees { number: 2 }));
}

proptest! {
    #[test]
    fn every_quorum_brings_every_key_back(
        value in any::<[u8; 32]>(), length in 0..3_usize,
        (threshold, count) in (2..=16_u8).prop_flat_map(|count| (2..=count, Just(count))),
        order in Just((0..16).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let key = Key::new(&value[..16 + 8 * length]).unwrap();
        let shares = split(&key, threshold, count);
        let present = order.into_iter().filter(|&at| at < usize::from(count));
        let taken: Vec<_> = present
            .take(usize::from(threshold))
            .map(|at| shares[at].clone())
            .collect();
        prop_assert_eq!(join_key(&taken).unwrap(), key);
        prop_assert!(
            matches!(join_key(&taken[1..]), Err(ShareError::TooFew { .. })),
            "one fewer is too few"
        );
    }
}
