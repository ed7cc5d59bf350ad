//! Key information template `E0`: which keys a security domain holds (*GP Card
//! Specification 2.3 §11.3.3.1*).

use super::DataError;
use crate::tlv::{self, Tag};

const NAME: &str = "key information template";
const TEMPLATE: Tag = Tag::known::<0xE0>();
const KEY: Tag = Tag::known::<0xC0>();
/// First byte of a key type in the extended format.
const EXTENDED: u8 = 0xFF;

/// The kind of a key's first component (*GP Card Specification 2.3 §11.1.8*).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyKind {
    /// `80`: DES, mode implied.
    Des,
    /// `82`: Triple DES in CBC mode.
    TripleDesCbc,
    /// `88`: AES.
    Aes,
    /// `A0` and `A1`: RSA public key, exponent or modulus.
    RsaPublic,
    /// `B0`: elliptic curve public key.
    EcPublic,
    /// Any other.
    Other(u8),
}

impl From<u8> for KeyKind {
    fn from(value: u8) -> Self {
        match value {
            0x80 => Self::Des,
            0x82 => Self::TripleDesCbc,
            0x88 => Self::Aes,
            0xA0 | 0xA1 => Self::RsaPublic,
            0xB0 => Self::EcPublic,
            other => Self::Other(other),
        }
    }
}

/// One key of a security domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyInfo {
    /// Key identifier: of an SCP03 key version 1 ENC, 2 MAC, 3 DEK.
    pub id: u8,
    /// Key version.
    pub version: u8,
    /// Kind of the first component.
    pub kind: KeyKind,
    /// Length of the first component in bytes.
    pub length: u16,
}

/// Parses the response to GET DATA `00E0`, keys in the card's order. Of a key with several
/// components the first is told.
///
/// # Errors
/// [`DataError`] where the template is malformed, or a key's entry has no known form.
pub fn parse_key_information(data: &[u8]) -> Result<Vec<KeyInfo>, DataError> {
    let malformed = |source| DataError::Tlv { what: NAME, source };
    let template = tlv::find(data, &[TEMPLATE])
        .map_err(malformed)?
        .ok_or(DataError::Missing {
            what: NAME,
            tag: TEMPLATE,
        })?;
    let objects = tlv::parse_all(template).map_err(malformed)?;
    objects
        .iter()
        .filter(|object| object.tag == KEY)
        .map(|object| key_info(object.value))
        .collect()
}

fn key_info(entry: &[u8]) -> Result<KeyInfo, DataError> {
    let (id, version, kind, length) = match *entry {
        [id, version, EXTENDED, kind, high, low, ..] => {
            (id, version, kind, u16::from_be_bytes([high, low]))
        }
        [_, _, EXTENDED, ..] => {
            return Err(unknown_form(entry));
        }
        [id, version, kind, length, ref more @ ..] if more.len().is_multiple_of(2) => {
            // A length of 00 stands for 256 bytes, as for RSA of 2048 bits.
            let length = if length == 0 { 256 } else { u16::from(length) };
            (id, version, kind, length)
        }
        _ => return Err(unknown_form(entry)),
    };
    Ok(KeyInfo {
        id,
        version,
        kind: KeyKind::from(kind),
        length,
    })
}

fn unknown_form(entry: &[u8]) -> DataError {
    DataError::Length {
        what: "key information entry",
        length: entry.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_with_version_and_kind() {
        let data = hex::decode("E012C00401308810C00402308810C00403308810").unwrap();
        let keys = parse_key_information(&data).unwrap();
        let expected = |id| KeyInfo {
            id,
            version: 0x30,
            kind: KeyKind::Aes,
            length: 16,
        };
        assert_eq!(keys, [expected(1), expected(2), expected(3)]);

        let data = hex::decode("E016C0060173A180A003C0080102FF8800200000C0020000").unwrap();
        assert!(matches!(
            parse_key_information(&data),
            Err(DataError::Length { length: 2, .. })
        ));
        let keys = parse_key_information(
            &hex::decode("E012C0060173A180A003C0080102FF8800200000").unwrap(),
        );
        assert_eq!(
            keys.unwrap(),
            [
                KeyInfo {
                    id: 1,
                    version: 0x73,
                    kind: KeyKind::RsaPublic,
                    length: 128
                },
                KeyInfo {
                    id: 1,
                    version: 2,
                    kind: KeyKind::Aes,
                    length: 32
                },
            ]
        );
    }

    #[test]
    fn templates_that_lie_are_refused() {
        for bad in [
            "",
            "C00401308810",
            "E006C00401",
            "E005C003013088",
            "E005C0030130FF",
            "E000FF",
        ] {
            let data = hex::decode(bad).unwrap();
            let result = parse_key_information(&data);
            assert_eq!(result.is_err(), bad != "E000FF", "{bad}");
        }
    }
}
