//! A travel document of 40 kB, written by its profile and read by a border: commands and bytes
//! beside the fewest, with and without extended lengths, and what the reading takes of this
//! machine beside the cipher work and the point multiplications in it.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use card::Limits;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint};
use openssl::nid::Nid;
use openssl::symm::{Cipher, Crypter, Mode};
use profile::ChipProfile;
use vcard::Chip;

use crate::border::{self, FILES};
use crate::chips::shelf;
use crate::desk;
use crate::fewest::{Fewest, PROOFS, Read};
use crate::passport::{Filled, Passport, change, signer};
use crate::soft_key::SoftKey;
use crate::{Measured, Row, Wanted, in_turns};

/// A virtual chip, as its manual has it.
#[derive(Clone, Copy)]
struct Product {
    name: &'static str,
    extended: bool,
    /// The most bytes of a file in one answer.
    answer: usize,
}

const EXTENDED: Product = Product {
    name: "icao-lds",
    extended: true,
    answer: 4096,
};

const SHORT: Product = Product {
    name: "icao-lds-short",
    extended: false,
    answer: 223,
};

/// What the short chip's profile says otherwise than the shipped one.
const OTHERWISE: [(&str, &str); 3] = [
    ("name = \"icao-lds\"", "name = \"icao-lds-short\""),
    (
        "3B8880018073 9621C0 829000 9F",
        "3B8880018073 962180 829000 DF",
    ),
    (
        "command = 4096\nresponse = 4096\nextended = true",
        "command = 255\nresponse = 256\nextended = false",
    ),
];

const OPENING: &str = "travel host time to open a session by PACE";
const READING: &str = "travel host time to read the files";

/// Multiplications of points in PACE with generic mapping: two key pairs, two agreements, and the
/// new generator (*ICAO 9303-11 §4.4.3*).
const MULTIPLICATIONS: usize = 5;

/// One document on one chip, and what is counted of it.
struct Case {
    product: Product,
    filled: Filled,
    written: Option<[&'static str; 2]>,
    /// Read, and read by the inspector, who has the chip prove its keys too.
    read: Option<[[&'static str; 2]; 2]>,
}

/// Without extended lengths the issuer's channel has no room for the certificate without which no
/// chip has fingerprints.
const CASES: [Case; 3] = [
    Case {
        product: EXTENDED,
        filled: Filled::Fingers,
        written: Some([
            "travel chip of 40 kB written: commands",
            "travel chip of 40 kB written: bytes",
        ]),
        read: None,
    },
    Case {
        product: EXTENDED,
        filled: Filled::Face,
        written: None,
        read: Some([
            [
                "travel chip of 40 kB read: commands",
                "travel chip of 40 kB read: bytes",
            ],
            [
                "travel chip of 40 kB inspected: commands",
                "travel chip of 40 kB inspected: bytes",
            ],
        ]),
    },
    Case {
        product: SHORT,
        filled: Filled::Face,
        written: Some([
            "travel chip of 40 kB written, short: commands",
            "travel chip of 40 kB written, short: bytes",
        ]),
        read: Some([
            [
                "travel chip of 40 kB read, short: commands",
                "travel chip of 40 kB read, short: bytes",
            ],
            [
                "travel chip of 40 kB inspected, short: commands",
                "travel chip of 40 kB inspected, short: bytes",
            ],
        ]),
    },
];

impl Case {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let times = self.has_times().then_some([OPENING, READING]);
        let read = self.read.into_iter().flatten();
        self.written.into_iter().chain(read).chain(times).flatten()
    }

    /// Whether the time of reading is measured.
    fn has_times(&self) -> bool {
        self.product.extended && self.read.is_some()
    }

    fn rows(&self) -> Measured {
        let passport = Passport::new(self.filled)?;
        let signer = signer(Arc::new(SoftKey::p256()?))?;
        let made = desk::write(&passport, chip_profile(self.product)?, &signer)?;
        let mut rows = Vec::new();
        if let Some(names) = self.written {
            let [commands, bytes] = limited(names, made.counted, made.fewest);
            let limit = "each thing made, written and checked once, in the largest pieces";
            rows.extend([commands.beside(limit), bytes.beside(limit)]);
        }
        let Some([names, inspected]) = self.read else {
            return Ok(rows);
        };
        let Product {
            extended, answer, ..
        } = self.product;
        let limits = Limits {
            extended,
            // As much as a reader can carry.
            response: if extended { 0x1_0000 } else { 0x100 },
            ..Limits::default()
        };
        let seen = border::read(made.chip, &passport.record, &limits)?;
        for ((_, name), file) in FILES.iter().zip(&seen.files) {
            let prepared = made.files.get(*name);
            if prepared.is_none_or(|prepared| prepared.as_slice() != file) {
                return Err(format!("{name} was not read as it was written").into());
            }
        }
        let lengths = seen.files.iter().map(Vec::len);
        let inside: Vec<_> = lengths.chain([seen.card_security]).collect();
        let fewest = Read {
            before: &[seen.card_access],
            inside: &inside,
            answer,
            extended,
        };
        let fewest = fewest.fewest();
        let [commands, bytes] = limited(names, seen.counted, fewest);
        let limit = "PACE, one selection, each file in the largest answers; nothing sealed";
        rows.extend([commands.beside(limit), bytes.beside(limit)]);
        let (chip, counted) = border::inspect(seen.chip, &passport.record, &limits)?;
        let [commands, bytes] = limited(inspected, counted, fewest.and(PROOFS));
        let limit = "the same, chip and active authentication";
        rows.extend([commands.beside(limit), bytes.beside(limit)]);
        if self.has_times() {
            rows.extend(times(chip, &passport, &limits, inside.iter().sum())?);
        }
        Ok(rows)
    }
}

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    let names = CASES.iter().flat_map(Case::names);
    names.map(str::to_owned).collect()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let mut rows = Vec::new();
    for case in &CASES {
        if case.names().any(|name| wanted.has(name)) {
            rows.extend(case.rows()?);
        }
    }
    Ok(rows)
}

fn limited([commands, bytes]: [&str; 2], made: Fewest, fewest: Fewest) -> [Row; 2] {
    let row = |name: &str, unit, made, fewest| Row::new(name, made as f64, unit, fewest as f64);
    [
        row(commands, "commands", made.commands, fewest.commands),
        row(bytes, "bytes", made.bytes, fewest.bytes),
    ]
}

/// Returns the shipped profile, or what it would be for the chip without extended lengths.
fn chip_profile(product: Product) -> Result<ChipProfile, Box<dyn Error>> {
    let mut chips = shelf("chips")?;
    if !product.extended {
        change(&mut chips, EXTENDED.name, product.name, &OTHERWISE)?;
    }
    Ok(ChipProfile::load(&chips, product.name)?)
}

/// What this side takes without the chip, beside openssl's time for the same points and blocks.
fn times(chip: Chip, passport: &Passport, limits: &Limits, payload: usize) -> Measured {
    let mut chip = Some(chip);
    let mut opening = f64::MAX;
    let group = EcGroup::from_curve_name(Nid::BRAINPOOL_P256R1)?;
    let mut context = BigNumContext::new()?;
    let (mut order, mut scalar) = (BigNum::new()?, BigNum::new()?);
    group.order(&mut order, &mut context)?;
    let mut point = EcPoint::new(&group)?;
    let three = BigNum::from_u32(3)?;
    point.mul_generator2(&group, &three, &mut context)?;
    let plain = vec![0x5A; payload.next_multiple_of(16)];
    let mut sealed = vec![0; plain.len() + 16];
    let cipher = Cipher::aes_128_cbc();
    let [reading, multiplied, ciphered] = in_turns([
        &mut || {
            let own = chip.take().ok_or("no chip")?;
            let seen = border::read(own, &passport.record, limits)?;
            chip = Some(seen.chip);
            opening = opening.min(seen.opening.as_secs_f64());
            Ok(seen.reading.as_secs_f64())
        },
        &mut || {
            order.rand_range(&mut scalar)?;
            let started = Instant::now();
            for _ in 0..MULTIPLICATIONS {
                let mut product = EcPoint::new(&group)?;
                product.mul2(&group, &point, &scalar, &mut context)?;
                black_box(product);
            }
            Ok(started.elapsed().as_secs_f64())
        },
        &mut || {
            let started = Instant::now();
            for mode in [Mode::Decrypt, Mode::Encrypt] {
                let mut crypter = Crypter::new(cipher, mode, &[0x41; 16], Some(&[0; 16]))?;
                crypter.pad(false);
                black_box(crypter.update(&plain, &mut sealed)?);
            }
            Ok(started.elapsed().as_secs_f64())
        },
    ])?;
    Ok(vec![
        Row::new(OPENING, opening * 1e6, "µs", multiplied * 1e6)
            .beside("five multiplications on brainpoolP256r1, by openssl"),
        Row::new(READING, reading * 1e6, "µs", ciphered * 1e6)
            .beside("AES-128 over the files twice, decryption and MAC, by openssl"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_measured() {
        let rows = rows(Wanted(None)).unwrap();
        let measured: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
        let mut expected = names();
        expected.sort();
        let mut sorted = measured.clone();
        sorted.sort();
        assert_eq!(sorted, expected);
        // Nobody is better than the least.
        for row in &rows {
            assert!(row.ratio >= Some(1.0), "{row:?}");
        }
    }
}
