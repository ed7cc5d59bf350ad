//! PUT KEY: adding or replacing a card's three keys (*GP Card Specification 2.3 §11.8;
//! Amendment D §7.2*).
//!
//! ```text
//!   AES         88 length │ key length │ AES-CBC(Key-DEK, key ‖ 00…) │ 03 KCV
//!   triple DES  80 length │ 3DES-ECB(S-DEK, key) │ 03 KCV             82 where CBC is meant
//! ```

use thiserror::Error;
use zeroize::Zeroizing;

use super::keys::StaticKeys;
use crate::apdu::Command;
use crate::cipher::{
    AES_BLOCK, CipherError, DES_BLOCK, Key, KeyAlgorithm, TripleDes, cbc_encrypt, kcv,
};

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

/// The key that encrypts new keys on their way to the card.
#[derive(Clone, Copy, Debug)]
pub enum Dek<'a> {
    /// The card's static Key-DEK, under SCP03.
    Scp03Static(&'a Key),
    /// The session's S-DEK, under SCP02: [`SessionKeys::dek`](super::SessionKeys::dek).
    Scp02Session(&'a Key),
}

/// What kind of key is put (*GP Card Specification 2.3 §11.1.8*).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NewKeyType {
    /// `80`: triple DES, mode implied; what SCP02 keys usually are.
    Des,
    /// `82`: triple DES in CBC mode.
    TripleDesCbc,
    /// `88`: AES.
    Aes,
}

impl NewKeyType {
    /// Returns the cipher that the key is for.
    pub const fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::Des | Self::TripleDesCbc => KeyAlgorithm::TripleDes,
            Self::Aes => KeyAlgorithm::Aes,
        }
    }

    const fn value(self) -> u8 {
        match self {
            Self::Des => 0x80,
            Self::TripleDesCbc => 0x82,
            Self::Aes => 0x88,
        }
    }
}

/// Returns PUT KEY that stores three new keys of a kind, under either protocol. P1
/// `current_version` is the version that is replaced, 0 to add a version. The three keys may
/// have other lengths than Key-DEK; one that is no whole number of blocks is padded with
/// zeros before encryption.
///
/// # Errors
/// [`CipherError::KeyLength`] for a triple DES key or an S-DEK of a length that it cannot
/// have.
pub fn put_key_set(
    dek: Dek<'_>,
    current_version: u8,
    new_version: u8,
    kind: NewKeyType,
    new: &StaticKeys,
) -> Result<PutKey, CipherError> {
    let field = |key: &Key| {
        let sealed = match dek {
            Dek::Scp03Static(dek) => seal_cbc(dek, key),
            Dek::Scp02Session(dek) => {
                let mut sealed = padded(key, DES_BLOCK);
                TripleDes::two_key(dek)?.ecb_encrypt(&mut sealed);
                sealed
            }
        };
        let kcv = kcv(key, kind.algorithm())?;
        Ok((key_field(kind, sealed, key, kcv), kcv))
    };
    let (enc, enc_kcv) = field(&new.enc)?;
    let (mac, mac_kcv) = field(&new.mac)?;
    let (dek, dek_kcv) = field(&new.dek)?;
    Ok(assemble(
        current_version,
        new_version,
        &[enc, mac, dek],
        [enc_kcv, mac_kcv, dek_kcv],
    ))
}

fn assemble(current: u8, new: u8, fields: &[Vec<u8>; 3], kcvs: [[u8; 3]; 3]) -> PutKey {
    let mut data = vec![new];
    for field in fields {
        data.extend_from_slice(field);
    }
    PutKey {
        command: Command::new(0x80, 0xD8, current, FROM_KEY_1)
            .with_data(data)
            .with_le(256),
        new_version: new,
        kcvs,
    }
}

/// Copies a key, followed by zeros to whole blocks.
fn padded(key: &Key, block: usize) -> Zeroizing<Vec<u8>> {
    let bytes = key.as_bytes();
    let whole = bytes.len().next_multiple_of(block);
    let mut data = Zeroizing::new(Vec::with_capacity(whole));
    data.extend_from_slice(bytes);
    data.resize(whole, 0);
    data
}

fn seal_cbc(dek: &Key, key: &Key) -> Zeroizing<Vec<u8>> {
    let mut sealed = padded(key, AES_BLOCK);
    cbc_encrypt(dek, [0; AES_BLOCK], &mut sealed);
    sealed
}

/// Returns type, length, encrypted key, check value length and check value. Before the
/// encrypted key stands its plain length: of an AES key always (*Amendment D §7.2*), of
/// another where it was padded (*GP Card Specification 2.3 §11.8.2.3, table 11-70*).
fn key_field(kind: NewKeyType, sealed: Zeroizing<Vec<u8>>, key: &Key, kcv: [u8; 3]) -> Vec<u8> {
    // All lengths are below 34.
    let [.., plain] = key.as_bytes().len().to_be_bytes();
    let [.., length] = sealed.len().to_be_bytes();
    let mut field = vec![kind.value()];
    if kind == NewKeyType::Aes || plain != length {
        field.extend_from_slice(&[1 + length, plain]);
    } else {
        field.push(length);
    }
    field.extend_from_slice(&sealed);
    field.push(3);
    field.extend_from_slice(&kcv);
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
    use serde_json::Value;

    fn proves(put: &PutKey, row: &Value) {
        assert_eq!(*put.command.encode().unwrap(), hex(&row["apdu"]), "{row}");
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

    fn new_keys(row: &Value) -> StaticKeys {
        StaticKeys {
            enc: key(&row["new_keys"][0]),
            mac: key(&row["new_keys"][1]),
            dek: key(&row["new_keys"][2]),
        }
    }

    #[test]
    fn commands_and_answers_are_those_of_the_vectors() {
        let file = vectors("put_key_aes.json");
        let rows = file["put_key"].as_array().unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            let (apdu, dek, new) = (hex(&row["apdu"]), key(&row["dek"]), new_keys(row));
            let dek = Dek::Scp03Static(&dek);
            let put = put_key_set(dek, apdu[2], apdu[5], NewKeyType::Aes, &new).unwrap();
            proves(&put, row);
        }
        let file = vectors("put_key_des3.json");
        let row = &file["put_key"][0];
        let (apdu, dek, new) = (hex(&row["apdu"]), key(&row["dek"]), new_keys(row));
        let dek = Dek::Scp02Session(&dek);
        let put = put_key_set(dek, apdu[2], apdu[5], NewKeyType::Des, &new).unwrap();
        proves(&put, row);
        let replacing = put_key_set(dek, 0x30, 0x31, NewKeyType::TripleDesCbc, &new).unwrap();
        assert_eq!(replacing.command.p1(), 0x30);
        assert_eq!(replacing.command.data()[1], 0x82);
        assert_eq!(replacing.command.data()[2..23], put.command.data()[2..23]);
    }

    #[test]
    fn a_session_dek_encrypts_as_published() {
        let file = vectors("put_key_des3.json");
        let published = &file["published"];
        let key = Key::new(&std::array::from_fn::<u8, 16, _>(|i| 0x40 + i as u8)).unwrap();
        let keys = StaticKeys {
            enc: key.clone(),
            mac: key.clone(),
            dek: key.clone(),
        };
        let session = crate::gp::scp02::session_keys(&keys, &[0, 0]).unwrap();
        let des = |key: &Key| kcv(key, KeyAlgorithm::TripleDes).unwrap().to_vec();
        let kcvs = &published["scp02_session_key_kcv_seq0000"];
        let dek = session.dek.unwrap();
        assert_eq!(des(&session.enc), hex(&kcvs["ENC"]));
        assert_eq!(des(&session.mac), hex(&kcvs["MAC"]));
        assert_eq!(des(&session.rmac), hex(&kcvs["RMAC"]));
        assert_eq!(des(&dek), hex(&kcvs["DEK"]));
        let put = put_key_set(Dek::Scp02Session(&dek), 0, 1, NewKeyType::Des, &keys).unwrap();
        assert_eq!(
            put.command.data()[3..19],
            hex(&published["scp02_encrypted_404142_under_session_dek"])
        );
    }

    #[test]
    fn padded_keys_of_other_kinds_tell_their_length() {
        let dek = Key::new(&[1; 16]).unwrap();
        let keys = |length| {
            let key = Key::new(&vec![5; length]).unwrap();
            StaticKeys {
                enc: key.clone(),
                mac: key.clone(),
                dek: key,
            }
        };
        let put = |dek, length| put_key_set(dek, 0, 1, NewKeyType::Des, &keys(length));
        let scp03 = put(Dek::Scp03Static(&dek), 24).unwrap();
        assert_eq!(scp03.command.data()[1..4], [0x80, 33, 24]);
        let scp03 = put(Dek::Scp03Static(&dek), 16).unwrap();
        assert_eq!(scp03.command.data()[1..3], [0x80, 16]);
        let scp02 = put(Dek::Scp02Session(&dek), 24).unwrap();
        assert_eq!(scp02.command.data()[1..3], [0x80, 24]);
        assert!(put(Dek::Scp03Static(&dek), 32).is_err());
        let wide = Key::new(&[1; 24]).unwrap();
        assert!(put(Dek::Scp02Session(&wide), 16).is_err());
    }
}
