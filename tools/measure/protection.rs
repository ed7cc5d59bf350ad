//! Host time of one protected command, beside openssl's time for the same cipher work.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use card::Command;
use card::cipher::des3_cbc_encrypt;
use card::gp::{
    ChannelMode, ChannelOptions, Handshake, HostChallenge, InitializeUpdate, Key, Secured,
    SecurityLevel, StaticKeys, kdf,
};
use openssl::symm::{Cipher, Crypter, Mode};

use crate::{Measured, Row, Wanted, in_turns};

/// Commands in one turn.
const COMMANDS: u32 = if cfg!(test) { 10 } else { 4_000 };

/// One way of protecting commands, and the least cipher work that it can take.
struct Way {
    name: &'static str,
    protocol: u8,
    i: u8,
    /// Blocks of openssl's cipher in one command with the most data that fits a short one.
    blocks: usize,
}

const WAYS: [Way; 3] = [
    // Counter, 15 of C-ENC, 17 of C-MAC (chaining value, header and data of 5 + 240 bytes).
    Way {
        name: "scp03 host time a protected command",
        protocol: 3,
        i: 0x70,
        blocks: 1 + 15 + 17,
    },
    // A block of data less, and a MAC of two parts.
    Way {
        name: "scp03 s16 host time a protected command",
        protocol: 3,
        i: 0x71,
        blocks: 1 + 14 + 16,
    },
    // 30 triple ones of C-ENC; 34 single ones of C-MAC with its ICV and its end.
    Way {
        name: "scp02 host time a protected command",
        protocol: 2,
        i: 0x35,
        blocks: 30 + 34 / 3,
    },
];

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    WAYS.iter().map(|way| way.name.to_owned()).collect()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let ways = WAYS.iter().filter(|way| wanted.has(way.name));
    ways.map(row).collect()
}

fn row(way: &Way) -> Result<Row, Box<dyn Error>> {
    let mut secured = open(way.protocol, way.i)?;
    let (cipher, key) = match secured.mode() {
        ChannelMode::Scp02 => (Cipher::des_ede3_cbc(), &[0x41; 24][..]),
        ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => (Cipher::aes_128_cbc(), &[0x41; 16][..]),
    };
    let data = vec![0x5A; secured.command_capacity(255)];
    let mut ours = || {
        let started = Instant::now();
        for number in 0..COMMANDS {
            let offset = number.to_be_bytes();
            let command =
                Command::new(0x00, 0xD6, offset[2] & 0x7F, offset[3]).with_data(data.as_slice());
            black_box(secured.wrap(&command)?);
        }
        Ok(microseconds(started))
    };
    let plain = vec![0x5A; way.blocks * cipher.block_size()];
    let mut sealed = vec![0; plain.len() + cipher.block_size()];
    let iv = &[0; 16][..cipher.block_size()];
    let mut crypter = Crypter::new(cipher, Mode::Encrypt, key, Some(iv))?;
    crypter.pad(false);
    let mut theirs = || {
        let started = Instant::now();
        for _ in 0..COMMANDS {
            black_box(crypter.update(&plain, &mut sealed)?);
        }
        Ok(microseconds(started))
    };
    let [value, limit] = in_turns([&mut ours, &mut theirs])?;
    Ok(Row::new(way.name, value, "µs", limit))
}

/// Returns what one command took.
fn microseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / f64::from(COMMANDS)
}

/// Opens a channel against a card side computed here: only its cryptogram is needed.
fn open(protocol: u8, i: u8) -> Result<Secured, Box<dyn Error>> {
    let key = |byte: u8| Key::new(&[byte; 16]);
    let keys = StaticKeys {
        enc: key(0x41)?,
        mac: key(0x42)?,
        dek: key(0x43)?,
    };
    let mode = ChannelOptions::new(protocol, i)?.mode();
    let length = mode.host_challenge_length();
    let host = HostChallenge::try_from(&[1; 16][..length])?;
    // In SCP02 two bytes of sequence counter and six of challenge.
    let challenge = &[2; 16][..length];
    let answer = |cryptogram: &[u8]| {
        let mut answer = vec![0; 10];
        answer.extend([0x01, protocol]);
        answer.extend((protocol == 3).then_some(i));
        answer.extend(challenge);
        answer.extend(cryptogram);
        if protocol == 3 {
            answer.extend([0, 0, 1]);
        }
        InitializeUpdate::parse(&answer)?.with_i(i)
    };
    let session = answer(&[0; 16][..length])?.session_keys(&keys, &host)?;
    let context = [host.as_bytes(), challenge].concat();
    let cryptogram = if mode == ChannelMode::Scp02 {
        let padded = [&context[..], &[0x80, 0, 0, 0, 0, 0, 0, 0]].concat();
        des3_cbc_encrypt(&session.enc, &padded)?[16..].to_vec()
    } else {
        let bits = u16::try_from(length * 8)?;
        kdf(&session.mac, 0x00, &context, bits)?.to_vec()
    };
    let answer = answer(&cryptogram)?;
    let (_, opening) = Handshake::new(session, host, &answer)?
        .external_authenticate(SecurityLevel::ENC_MAC_RMAC)?;
    Ok(opening.assume_accepted())
}
