//! RSA-2048, as this application takes, tells and uses it.

use card::Status;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::rsa::Padding;

use super::{DATA_INVALID, objects, single};
use crate::applet::broken;
use crate::objects::object;
use crate::rsa::{BYTES, RsaKey};
use crate::secret::Secret;

/// Longest data that are padded to a block (*RFC 8017 §9.2*), bytes.
const PADDED: usize = BYTES - 11;
/// Longest public exponent, bytes.
const EXPONENT: usize = 3;

/// Makes a key pair, public exponent 65537; returns its DER.
pub(super) fn generate() -> Result<Secret, Status> {
    let key = RsaKey::generate().and_then(|key| key.to_der());
    key.map_err(broken)
}

/// Takes a key as the sequence of RSAPrivateKey (*RFC 8017 A.1.2*), whose integers may lack
/// the zero before a high bit; its parts must belong together.
pub(super) fn import(value: &[u8]) -> Result<Secret, Status> {
    let parts = objects(single(value, 0x30)?)?;
    let [version, parts @ ..] = parts.as_slice() else {
        return Err(DATA_INVALID);
    };
    let integers = parts.iter().all(|part| part.tag.value() == 0x02);
    if !integers || version.tag.value() != 0x02 || version.value != [0x00] {
        return Err(DATA_INVALID);
    }
    let numbers: Result<Vec<BigNum>, ErrorStack> = parts
        .iter()
        .map(|part| BigNum::from_slice(part.value))
        .collect();
    let numbers = <[BigNum; 8]>::try_from(numbers.map_err(broken)?);
    let numbers = numbers.map_err(|_| DATA_INVALID)?;
    let [_, e, ..] = &numbers;
    if e.to_vec().len() > EXPONENT {
        return Err(DATA_INVALID);
    }
    let key = RsaKey::from_numbers(numbers).ok_or(DATA_INVALID)?;
    key.to_der().map_err(broken)
}

fn key(private: &Secret) -> Result<RsaKey, Status> {
    RsaKey::from_der(private).map_err(broken)
}

/// Returns `7F49 { 81 <modulus>, 82 <exponent> }`.
pub(super) fn public(private: &Secret) -> Result<Vec<u8>, Status> {
    let key = key(private)?;
    let modulus = object::<0x81>(&key.modulus());
    let exponent = object::<0x82>(&key.exponent());
    Ok(object::<0x7F49>(&[modulus, exponent].concat()))
}

/// Signs what the terminal has padded: 256 bytes, less than the modulus.
pub(super) fn sign_raw(private: &Secret, data: &[u8]) -> Result<Vec<u8>, Status> {
    if data.len() != BYTES {
        return Err(Status::WRONG_LENGTH);
    }
    let signature = key(private)?.raise(data).ok_or(Status::WRONG_DATA)?;
    Ok(signature.to_vec())
}

/// Pads data, as a rule a DigestInfo, to block type 1, and signs.
pub(super) fn sign(private: &Secret, data: &[u8]) -> Result<Vec<u8>, Status> {
    if data.is_empty() || data.len() > PADDED {
        return Err(Status::WRONG_LENGTH);
    }
    key(private)?.sign_padded(data).map_err(broken)
}

/// What a cryptogram was padded with.
#[derive(Clone, Copy)]
pub(super) enum Padded {
    Not,
    Pkcs1,
    /// With SHA-1.
    Oaep,
}

/// Returns the padding of a deciphering mechanism.
pub(super) fn padding(mechanism: u8) -> Option<Padded> {
    match mechanism {
        0x00 => Some(Padded::Not),
        0x40 => Some(Padded::Pkcs1),
        0x80 => Some(Padded::Oaep),
        _ => None,
    }
}

/// Deciphers 256 bytes and takes the padding off.
pub(super) fn decipher(
    private: &Secret,
    padded: Padded,
    cryptogram: &[u8],
) -> Result<Vec<u8>, Status> {
    if cryptogram.len() != BYTES {
        return Err(Status::WRONG_LENGTH);
    }
    let key = key(private)?;
    let message = match padded {
        Padded::Not => key.raise(cryptogram).map(|block| block.to_vec()),
        Padded::Pkcs1 => key.decipher_padded(cryptogram),
        Padded::Oaep => {
            let mut out = vec![0; BYTES];
            let key = key.into_openssl();
            let length = key.private_decrypt(cryptogram, &mut out, Padding::PKCS1_OAEP);
            length.ok().map(|length| {
                out.truncate(length);
                out
            })
        }
    };
    message.ok_or(Status::WRONG_DATA)
}
