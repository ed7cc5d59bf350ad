//! Who a chip is: its number, its serial, its CPLC.

use std::fmt;
use std::str::FromStr;

use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::product::Product;
use crate::secret::hexadecimal;

/// What the factory numbers: IC batch (2 bytes) and IC serial (4 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChipNumber(#[serde(with = "hexadecimal")] [u8; 6]);

/// The number is not twelve hexadecimal digits.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a chip number is 12 hexadecimal digits: batch (4), serial (8)")]
pub struct ChipNumberError;

impl ChipNumber {
    /// Takes batch and serial.
    pub const fn new(batch: [u8; 2], serial: [u8; 4]) -> Self {
        let ([b0, b1], [s0, s1, s2, s3]) = (batch, serial);
        Self([b0, b1, s0, s1, s2, s3])
    }

    /// Draws a number at random.
    ///
    /// # Errors
    /// The random source failed.
    pub fn random() -> Result<Self, ErrorStack> {
        let mut number = [0; 6];
        rand_bytes(&mut number)?;
        Ok(Self(number))
    }

    fn batch(self) -> [u8; 2] {
        let [b0, b1, ..] = self.0;
        [b0, b1]
    }

    fn serial(self) -> [u8; 4] {
        let [_, _, serial @ ..] = self.0;
        serial
    }
}

impl FromStr for ChipNumber {
    type Err = ChipNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut number = [0; 6];
        hex::decode_to_slice(text, &mut number).map_err(|_| ChipNumberError)?;
        Ok(Self(number))
    }
}

impl fmt::Display for ChipNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

/// A chip's serial: IC fabricator ‖ IC type ‖ IC batch ‖ IC serial, 10 bytes.
/// They are also its key diversification data, so that keys follow from the CPLC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChipSerial([u8; 10]);

impl ChipSerial {
    /// Returns the serial of the chip of that product and number.
    pub fn of(product: &Product, number: ChipNumber) -> Self {
        let mut serial = [0; 10];
        let parts = [
            &product.fabricator[..],
            &product.ic_type,
            &number.batch(),
            &number.serial(),
        ]
        .concat();
        for (to, from) in serial.iter_mut().zip(parts) {
            *to = from;
        }
        Self(serial)
    }

    /// Returns the 10 bytes.
    pub const fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }
}

impl fmt::Display for ChipSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

/// Builds the card production life cycle data: 42 bytes (tag 9F7F, GP §H.6 of 2.1.1).
pub(crate) fn cplc(product: &Product, number: ChipNumber) -> Vec<u8> {
    let later_stages = [
        0x40, 0x92, 0x64, 0x20, // module fabricator, date
        0x40, 0x93, 0x64, 0x30, // card manufacturer, date
        0x40, 0x94, 0x64, 0x40, 0x00, 0x00, 0x00, 0x01, // pre-personalizer, date, equipment
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // personalizer: nobody yet
    ];
    [
        &product.fabricator[..],
        &product.ic_type,
        &product.os,
        &product.os_date,
        &product.os_level,
        &product.fabrication_date,
        &number.serial(),
        &number.batch(),
        &later_stages,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::PRODUCTS;

    #[test]
    fn cplc_has_its_length_and_places() {
        let number: ChipNumber = "A1B2C3D4E5F6".parse().unwrap();
        let cplc = cplc(&PRODUCTS[0], number);
        assert_eq!(cplc.len(), 42);
        assert_eq!(cplc[12..16], [0xC3, 0xD4, 0xE5, 0xF6]);
        assert_eq!(cplc[16..18], [0xA1, 0xB2]);
        assert_eq!(cplc[8..10], [0x03, 0x02]);
    }

    #[test]
    fn the_serial_is_read_from_the_cplc() {
        let number: ChipNumber = "A1B2C3D4E5F6".parse().unwrap();
        let serial = ChipSerial::of(&PRODUCTS[0], number);
        assert_eq!(serial.to_string(), "40907861A1B2C3D4E5F6");
    }

    #[test]
    fn a_number_is_twelve_digits() {
        assert!("A1B2".parse::<ChipNumber>().is_err());
        assert!("A1B2C3D4E5F6A7".parse::<ChipNumber>().is_err());
        assert!("G1B2C3D4E5F6".parse::<ChipNumber>().is_err());
    }
}
