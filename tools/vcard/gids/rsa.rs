//! RSA-2048, by openssl.

use card::Status;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};

use super::{DATA_INVALID, broken, object, objects, single};
use crate::secret::Secret;

/// Modulus length, bits.
pub(super) const BITS: u16 = 2048;
/// Modulus length, bytes.
const BYTES: usize = 256;
/// Longest data that are padded to a block (*RFC 8017 §9.2*), bytes.
const PADDED: usize = BYTES - 11;
/// Longest public exponent, bytes.
const EXPONENT: usize = 3;

/// Makes a key pair, public exponent 65537; returns its DER.
pub(super) fn generate() -> Result<Secret, Status> {
    let key = Rsa::generate(u32::from(BITS)).and_then(|key| key.private_key_to_der());
    key.map(Secret::new).map_err(broken)
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
    let numbers = numbers.map_err(broken)?;
    let Ok([n, e, d, p, q, dp, dq, qi]) = <[BigNum; 8]>::try_from(numbers) else {
        return Err(DATA_INVALID);
    };
    if n.num_bits() != i32::from(BITS) || e.to_vec().len() > EXPONENT {
        return Err(DATA_INVALID);
    }
    let assembled = || -> Result<Option<Secret>, ErrorStack> {
        let builder = RsaPrivateKeyBuilder::new(n, e, d)?;
        let key = builder
            .set_factors(p, q)?
            .set_crt_params(dp, dq, qi)?
            .build();
        if !key.check_key()? {
            return Ok(None);
        }
        key.private_key_to_der().map(Secret::new).map(Some)
    };
    // openssl fails as well where the parts are no key's.
    assembled().ok().flatten().ok_or(DATA_INVALID)
}

fn key(private: &Secret) -> Result<Rsa<Private>, Status> {
    Rsa::private_key_from_der(private.bytes()).map_err(broken)
}

/// Returns `7F49 { 81 <modulus>, 82 <exponent> }`.
pub(super) fn public(private: &Secret) -> Result<Vec<u8>, Status> {
    let key = key(private)?;
    let modulus = object::<0x81>(&key.n().to_vec());
    let exponent = object::<0x82>(&key.e().to_vec());
    Ok(object::<0x7F49>(&[modulus, exponent].concat()))
}

/// Signs what the terminal has padded: 256 bytes, less than the modulus.
pub(super) fn sign_raw(private: &Secret, data: &[u8]) -> Result<Vec<u8>, Status> {
    if data.len() != BYTES {
        return Err(Status::WRONG_LENGTH);
    }
    let mut out = vec![0; BYTES];
    let raised = key(private)?.private_encrypt(data, &mut out, Padding::NONE);
    raised.map_err(|_| Status::WRONG_DATA)?;
    Ok(out)
}

/// Pads data, as a rule a DigestInfo, to block type 1, and signs.
pub(super) fn sign(private: &Secret, data: &[u8]) -> Result<Vec<u8>, Status> {
    if data.is_empty() || data.len() > PADDED {
        return Err(Status::WRONG_LENGTH);
    }
    let mut out = vec![0; BYTES];
    let key = key(private)?;
    key.private_encrypt(data, &mut out, Padding::PKCS1)
        .map_err(broken)?;
    Ok(out)
}

/// Returns the padding of a deciphering mechanism; OAEP is that with SHA-1.
pub(super) fn padding(mechanism: u8) -> Option<Padding> {
    match mechanism {
        0x00 => Some(Padding::NONE),
        0x40 => Some(Padding::PKCS1),
        0x80 => Some(Padding::PKCS1_OAEP),
        _ => None,
    }
}

/// Deciphers 256 bytes and takes the padding off.
pub(super) fn decipher(
    private: &Secret,
    padding: Padding,
    cryptogram: &[u8],
) -> Result<Vec<u8>, Status> {
    if cryptogram.len() != BYTES {
        return Err(Status::WRONG_LENGTH);
    }
    let mut out = vec![0; BYTES];
    let key = key(private)?;
    let length = key.private_decrypt(cryptogram, &mut out, padding);
    out.truncate(length.map_err(|_| Status::WRONG_DATA)?);
    Ok(out)
}
