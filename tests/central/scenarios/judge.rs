//! The judge of chip keys and channels, over openssl alone: written from the specifications, it
//! shares nothing with what it judges.

use std::collections::BTreeMap;

use api::ChannelOpening;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};
use profile::{ChipProfile, Shelf};

fn run(cipher: Cipher, mode: Mode, key: &[u8], data: &[u8]) -> Vec<u8> {
    let iv = cipher.iv_len().map(|length| vec![0; length]);
    let mut crypter = Crypter::new(cipher, mode, key, iv.as_deref()).unwrap();
    crypter.pad(false);
    let mut out = vec![0; data.len() + 32];
    let done = crypter.update(data, &mut out).unwrap();
    let done = done + crypter.finalize(&mut out[done..]).unwrap();
    out.truncate(done);
    out
}

/// A key of 16 bytes has its first half again at the end.
fn three(key: &[u8]) -> Vec<u8> {
    [key, &key[..24 - key.len()]].concat()
}

pub(super) fn des3_ecb(mode: Mode, key: &[u8], data: &[u8]) -> Vec<u8> {
    run(Cipher::des_ede3_ecb(), mode, &three(key), data)
}

pub(super) fn des3_cbc(key: &[u8], data: &[u8]) -> Vec<u8> {
    run(Cipher::des_ede3_cbc(), Mode::Encrypt, &three(key), data)
}

fn aes(key: &[u8]) -> Cipher {
    match key.len() {
        16 => Cipher::aes_128_cbc(),
        24 => Cipher::aes_192_cbc(),
        _ => Cipher::aes_256_cbc(),
    }
}

pub(super) fn aes_cbc(mode: Mode, key: &[u8], data: &[u8]) -> Vec<u8> {
    run(aes(key), mode, key, data)
}

fn cmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let pkey = PKey::cmac(&aes(key), key).unwrap();
    let mut signer = Signer::new_without_digest(&pkey).unwrap();
    signer.update(data).unwrap();
    signer.sign_to_vec().unwrap()
}

/// The one key of a chip: SP 800-108 in counter mode, label 000000 10 00 and the context.
pub(super) fn single_key(master: &[u8], context: &[u8]) -> Vec<u8> {
    let blocks =
        (1..=2).flat_map(|counter| cmac(master, &[&[counter, 0, 0, 0, 0x10, 0], context].concat()));
    blocks.take(master.len()).collect()
}

/// GP Amendment D §4.1.5.
fn scp03_kdf(key: &[u8], constant: u8, length: usize, context: &[u8]) -> Vec<u8> {
    let bits = u16::try_from(length * 8).unwrap().to_be_bytes();
    let blocks = (1..=2).flat_map(|counter| {
        let label = [&[0; 11][..], &[constant, 0], &bits, &[counter], context].concat();
        cmac(key, &label)
    });
    blocks.take(length).collect()
}

/// A chip's side of a channel: what it said, and its session keys S-ENC, S-MAC and S-RMAC.
pub(super) struct Side {
    pub(super) answer: Vec<u8>,
    pub(super) session: [Vec<u8>; 3],
}

/// Session keys of SCP02 (GP 2.3 §E.4.1) and of SCP03 (Amendment D §6.2.1), and what the chip
/// answers to INITIALIZE UPDATE. `said` is what stands before its cryptogram.
pub(super) fn scp02(
    keys: [&[u8]; 2],
    diversification: [u8; 10],
    version: u8,
    counter: [u8; 2],
    challenge: [u8; 6],
    host: [u8; 8],
) -> Side {
    let session = |key: &[u8], constant: [u8; 2]| {
        des3_cbc(key, &[&constant[..], &counter, &[0; 12]].concat())
    };
    let enc = session(keys[0], [0x01, 0x82]);
    let padded = [&host[..], &counter, &challenge, &[0x80], &[0; 7]].concat();
    let cryptogram = des3_cbc(&enc, &padded).split_off(16);
    Side {
        answer: [
            &diversification[..],
            &[version, 0x02],
            &counter,
            &challenge,
            &cryptogram,
        ]
        .concat(),
        session: [
            enc,
            session(keys[1], [0x01, 0x01]),
            session(keys[1], [0x01, 0x02]),
        ],
    }
}

/// The same of SCP03, S8 or S16 by the length of the challenges; the chip's are truly random.
pub(super) fn scp03(
    keys: [&[u8]; 2],
    diversification: [u8; 10],
    version: u8,
    challenge: &[u8],
    host: &[u8],
) -> Side {
    let context = [host, challenge].concat();
    let mac = scp03_kdf(keys[1], 0x06, keys[1].len(), &context);
    let cryptogram = scp03_kdf(&mac, 0x00, challenge.len(), &context);
    let i = if challenge.len() == 16 { 0x61 } else { 0x60 };
    Side {
        answer: [
            &diversification[..],
            &[version, 0x03, i],
            challenge,
            &cryptogram,
        ]
        .concat(),
        session: [
            scp03_kdf(keys[0], 0x04, keys[0].len(), &context),
            mac,
            scp03_kdf(keys[1], 0x07, keys[1].len(), &context),
        ],
    }
}

/// Returns an opening of a channel of GlobalPlatform.
pub(super) fn opening(key_set: &str, host: &[u8], answer: &[u8]) -> ChannelOpening {
    told(key_set, host, &[("initialize_update", answer)])
}

/// Returns an opening with what a chip said.
pub(super) fn told(key_set: &str, host: &[u8], answers: &[(&str, &[u8])]) -> ChannelOpening {
    let answers = answers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    ChannelOpening {
        key_set: key_set.into(),
        host_challenge: host.to_vec(),
        answers: answers.collect::<BTreeMap<_, _>>(),
    }
}

/// Returns the text of a small chip profile; `more` has its channel and whatever else it needs.
pub(super) fn chip_text(name: &str, more: &str) -> String {
    format!(
        r#"
format = 1
name = "{name}"
title = "A chip of a test"
interface = "contact"

[identify]
serial = "chip.number"
[[identify.commands]]
header = "80 CA 9F 7F"
le = 256
take = {{ "chip.number" = "" }}

[limits]
command = 255
response = 256
chaining = true

[applications.domain]
aid = "A000000151000000"

[[operations.select]]
header = "00 A4 04 0C"
data = "application.aid"
{more}"#
    )
}

/// Loads a small chip profile.
pub(super) fn chip(more: &str) -> ChipProfile {
    let mut shelf = Shelf::default();
    shelf.put("chip", chip_text("chip", more));
    match ChipProfile::load(&shelf, "chip") {
        Ok(chip) => chip,
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}
