//! Host time of one protected command, beside openssl's time for the same AES work.

use std::hint::black_box;
use std::time::Instant;

use card::Command;
use card::gp::{
    Handshake, HostChallenge, InitializeUpdate, Key, SecurityLevel, SessionKeys, StaticKeys,
};
use openssl::symm::{Cipher, Crypter, Mode};

use crate::{Measured, Row};

const COMMANDS: u32 = 20_000;
/// The most plain data that a protected short command carries.
const DATA: usize = 239;
/// AES blocks in one such command: counter, 15 of C-ENC, 17 of C-MAC (chaining value, header
/// and data of 5 + 240 bytes, in whole blocks).
const BLOCKS: usize = 1 + 15 + 17;

/// Measures.
pub(crate) fn rows() -> Measured {
    let key = |byte: u8| Key::new(&[byte; 16]).map_err(|error| error.to_string());
    let keys = StaticKeys {
        enc: key(0x41)?,
        mac: key(0x42)?,
        dek: key(0x43)?,
    };
    let mut secured = open(&keys)?;
    let started = Instant::now();
    for number in 0..COMMANDS {
        let offset = number.to_be_bytes();
        let command = Command::new(0x00, 0xD6, offset[2] & 0x7F, offset[3]).with_data([0x5A; DATA]);
        black_box(secured.wrap(&command)?);
    }
    let ours = started.elapsed().as_secs_f64() * 1e6 / f64::from(COMMANDS);

    let plain = vec![0x5A; BLOCKS * 16];
    let mut sealed = vec![0; plain.len() + 16];
    let mut crypter = Crypter::new(
        Cipher::aes_128_cbc(),
        Mode::Encrypt,
        &[0x41; 16],
        Some(&[0; 16]),
    )?;
    crypter.pad(false);
    let started = Instant::now();
    for _ in 0..COMMANDS {
        black_box(crypter.update(&plain, &mut sealed)?);
    }
    let limit = started.elapsed().as_secs_f64() * 1e6 / f64::from(COMMANDS);
    Ok(vec![Row::new(
        "scp03 host time a protected command",
        ours,
        "µs",
        limit,
    )])
}

/// Opens a channel against a card side computed here: only its cryptogram is needed.
fn open(keys: &StaticKeys) -> Result<card::gp::Secured, Box<dyn std::error::Error>> {
    let host = HostChallenge::new([1; 8]);
    let challenge = [2; 8];
    let session = SessionKeys::derive(keys, &host, &challenge);
    let context: Vec<u8> = [[1; 8], challenge].concat();
    let cryptogram = card::gp::kdf(&session.mac, 0x00, &context, 64)?;
    let mut answer = vec![0; 10];
    answer.extend([0x01, 0x03, 0x70]);
    answer.extend(challenge);
    answer.extend_from_slice(&cryptogram);
    answer.extend([0, 0, 1]);
    let answer = InitializeUpdate::parse(&answer)?;
    let (_, opening) = Handshake::new(session, host, &answer)?
        .external_authenticate(SecurityLevel::ENC_MAC_RMAC)?;
    Ok(opening.assume_accepted())
}
