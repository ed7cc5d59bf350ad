//! One encrypted value of the database, and the key that opens it.
//!
//! ```text
//!   AES-256-GCM (data key, iv, value, which cell it is) ──► 01 ‖ iv(12) ‖ ciphertext ‖ tag(16)
//! ```
//!
//! A value that is put into another row, column or class does not open there.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key};
use document::DataClass;
use hsm::DATA_KEY_LENGTH;
use zeroize::Zeroizing;

/// The form of a sealed value. What was stored before there was any is JSON or DER, which never
/// begins so.
const FORM: u8 = 1;

/// *SP 800-38D §8.2.2*: a random one of 96 bits. A data key encrypts a handful of values.
pub(crate) const IV: usize = 12;

/// The place of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) class: DataClass,
    /// Whose data key it is under.
    pub(crate) subject: &'a str,
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// The row's key.
    pub(crate) row: &'a str,
}

impl Cell<'_> {
    /// Returns what the ciphertext is bound to: each part with its length.
    fn place(&self) -> Vec<u8> {
        bound([
            "zimogs cell 1",
            self.class.name(),
            self.subject,
            self.table,
            self.column,
            self.row,
        ])
    }
}

/// Returns parts in one piece that no other parts give: each with its length.
pub(crate) fn bound<const N: usize>(parts: [&str; N]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

/// A ciphertext that is none of this place under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unopened;

/// A key that encrypts what is stored of one class of one application. Wiped when it is dropped.
pub(crate) struct DataKey(Zeroizing<[u8; DATA_KEY_LENGTH]>);

impl DataKey {
    pub(crate) fn new(key: Zeroizing<[u8; DATA_KEY_LENGTH]>) -> Self {
        Self(key)
    }

    /// Encrypts a value for its place under an initialization vector that was never used with this
    /// key.
    pub(crate) fn seal(&self, cell: &Cell<'_>, iv: [u8; IV], value: &[u8]) -> Option<Vec<u8>> {
        let value = Payload {
            msg: value,
            aad: &cell.place(),
        };
        let sealed = self.cipher().encrypt(&iv.into(), value).ok()?;
        Some([&[FORM][..], &iv, &sealed].concat())
    }

    /// Opens a value that was encrypted for this place.
    pub(crate) fn open(
        &self,
        cell: &Cell<'_>,
        sealed: &[u8],
    ) -> std::result::Result<Zeroizing<Vec<u8>>, Unopened> {
        let (&[FORM], rest) = sealed.split_first_chunk::<1>().ok_or(Unopened)? else {
            return Err(Unopened);
        };
        let (iv, sealed) = rest.split_first_chunk::<IV>().ok_or(Unopened)?;
        let sealed = Payload {
            msg: sealed,
            aad: &cell.place(),
        };
        let opened = self.cipher().decrypt(&(*iv).into(), sealed);
        opened.map(Zeroizing::new).map_err(|_| Unopened)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&Key::<Aes256Gcm>::from(*self.0))
    }
}

/// Tells whether a value is a sealed one, by its first byte.
pub(crate) fn is_sealed(value: &[u8]) -> bool {
    value.first() == Some(&FORM)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CELL: Cell<'_> = Cell {
        class: DataClass::Identity,
        subject: "A-1",
        table: "application",
        column: "content",
        row: "A-1",
    };

    fn key(byte: u8) -> DataKey {
        DataKey::new(Zeroizing::new([byte; DATA_KEY_LENGTH]))
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let sealed = key(1).seal(&CELL, [7; IV], b"value").unwrap();
        assert!(is_sealed(&sealed));
        assert_eq!(*key(1).open(&CELL, &sealed).unwrap(), b"value");
        assert!(key(2).open(&CELL, &sealed).is_err());
        let others = [
            Cell {
                class: DataClass::Record,
                ..CELL
            },
            Cell {
                subject: "A-2",
                ..CELL
            },
            Cell {
                table: "document",
                ..CELL
            },
            Cell {
                column: "record",
                ..CELL
            },
            Cell { row: "A-2", ..CELL },
            // The same letters, cut elsewhere.
            Cell {
                table: "applicationc",
                column: "ontent",
                ..CELL
            },
        ];
        for other in others {
            assert!(key(1).open(&other, &sealed).is_err(), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back_and_no_altered_one_does(
            value in prop::collection::vec(any::<u8>(), 0..300),
            iv in any::<[u8; IV]>(),
            place in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let mut sealed = key(3).seal(&CELL, iv, &value).unwrap();
            prop_assert_eq!(&*key(3).open(&CELL, &sealed).unwrap(), &value);
            let place = place.index(sealed.len());
            sealed[place] ^= 1 << bit;
            prop_assert!(key(3).open(&CELL, &sealed).is_err());
        }

        #[test]
        fn what_nobody_sealed_does_not_open(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(key(3).open(&CELL, &bytes).is_err());
        }
    }
}
