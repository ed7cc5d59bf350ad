//! PUT KEY: replacing a card's three SCP03 keys (*GP Card Specification 2.3 §11.8;
//! Amendment D §7.2*).

use thiserror::Error;
use zeroize::Zeroizing;

use super::aes::{self, BLOCK};
use super::key::{Key, StaticKeys};
use crate::apdu::Command;

/// Key type of AES (*GP Card Specification 2.3 §11.1.8*).
const AES: u8 = 0x88;
/// P2: the first key's identifier is 1, several keys follow.
const FROM_KEY_1: u8 = 0x81;

/// Says why a card's answer to PUT KEY is no proof that it has the keys. None of these
/// tells which keys are on the card: try both versions before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PutKeyError {
    /// The answer is not a key version and three check values.
    #[error("PUT KEY answered with {0} bytes; a key version and three check values have 10")]
    Length(usize),
    /// The card names another key version.
    #[error("PUT KEY answered for key version {found:02X}; version {expected:02X} was put")]
    Version {
        /// The version put.
        expected: u8,
        /// The version answered.
        found: u8,
    },
    /// A check value differs.
    #[error("check value of {0} differs from the key that was put")]
    CheckValue(&'static str),
}

/// A PUT KEY command and what the card must answer to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PutKey {
    /// The command, not yet wrapped for the secure channel.
    pub command: Command,
    /// The version that the new keys get.
    pub new_version: u8,
    /// Key check values of ENC, MAC and DEK.
    pub kcvs: [[u8; 3]; 3],
}

/// Returns PUT KEY that stores three new AES keys, encrypted under the current static
/// Key-DEK. P1 `current_version` is the version that is replaced, 0 to add a version. The
/// three keys may have other lengths than Key-DEK.
///
/// A key of 24 bytes is padded with zeros to whole blocks before encryption.
pub fn put_key(dek: &Key, current_version: u8, new_version: u8, new: &StaticKeys) -> PutKey {
    let mut data = vec![new_version];
    let keys = [&new.enc, &new.mac, &new.dek];
    for key in keys {
        data.extend_from_slice(&key_field(dek, key));
    }
    PutKey {
        command: Command::new(0x80, 0xD8, current_version, FROM_KEY_1)
            .with_data(data)
            .with_le(256),
        new_version,
        kcvs: keys.map(Key::kcv),
    }
}

/// Returns type, length, key length, encrypted key, check value length and check value.
fn key_field(dek: &Key, key: &Key) -> Vec<u8> {
    let bytes = key.as_bytes();
    let whole = bytes.len().next_multiple_of(BLOCK);
    let mut sealed = Zeroizing::new(Vec::with_capacity(whole));
    sealed.extend_from_slice(bytes);
    sealed.resize(whole, 0);
    aes::cbc_encrypt(dek, [0; BLOCK], &mut sealed);
    // Both lengths are below 34.
    let [.., key_length] = bytes.len().to_be_bytes();
    let [.., field_length] = (1 + whole).to_be_bytes();
    let mut field = vec![AES, field_length, key_length];
    field.extend_from_slice(&sealed);
    field.push(3);
    field.extend_from_slice(&key.kcv());
    field
}

impl PutKey {
    /// Checks the card's answer, without status word: key version and three check values.
    ///
    /// # Errors
    /// [`PutKeyError`] where the answer does not prove the new keys.
    pub fn verify_response(&self, data: &[u8]) -> Result<(), PutKeyError> {
        let (&found, values) = match data.split_first() {
            Some(parts) if data.len() == 10 => parts,
            _ => return Err(PutKeyError::Length(data.len())),
        };
        if found != self.new_version {
            return Err(PutKeyError::Version {
                expected: self.new_version,
                found,
            });
        }
        let names = ["Key-ENC", "Key-MAC", "Key-DEK"];
        for ((value, expected), name) in values.chunks(3).zip(&self.kcvs).zip(names) {
            if value != expected {
                return Err(PutKeyError::CheckValue(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::testing::{hex, key, vectors};

    #[test]
    fn commands_and_answers_are_those_of_the_vectors() {
        let file = vectors("put_key_aes.json");
        let rows = file["put_key"].as_array().unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            let expected = hex(&row["apdu"]);
            let new = StaticKeys {
                enc: key(&row["new_keys"][0]),
                mac: key(&row["new_keys"][1]),
                dek: key(&row["new_keys"][2]),
            };
            let put = put_key(&key(&row["dek"]), expected[2], expected[5], &new);
            assert_eq!(*put.command.encode().unwrap(), expected, "{}", row["name"]);
            for (kcv, published) in put.kcvs.iter().zip(row["kcv"].as_array().unwrap()) {
                assert_eq!(kcv[..], hex(published));
            }
            let answer = hex(&row["response_data"]);
            assert_eq!(put.verify_response(&answer), Ok(()));
            for byte in 0..answer.len() {
                let mut wrong = answer.clone();
                wrong[byte] ^= 1;
                assert!(put.verify_response(&wrong).is_err(), "byte {byte}");
            }
            for length in 0..answer.len() {
                let error = put.verify_response(&answer[..length]);
                assert_eq!(error, Err(PutKeyError::Length(length)));
            }
        }
    }
}
