//! Key pairs, by openssl: RSA 2048, P-256 and P-384.

use card::Status;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::broken;
use super::keys::{Algorithm, MODULUS};
use crate::applet::KeyWork;
use crate::curve::Curve;
use crate::objects::{Objects, object};
use crate::secret::Secret;

/// Modulus length, bytes.
const MODULUS_BYTES: usize = 256;
/// Longest public exponent, bytes.
const EXPONENT_BYTES: usize = 4;
/// Lengths of hashes that an elliptic curve key signs: SHA-1, SHA-224, SHA-256, SHA-384.
const HASHES: [usize; 4] = [20, 28, 32, 48];

/// A key pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeyPair {
    algorithm: Algorithm,
    /// RSA: the whole key, DER. Elliptic curves: the scalar.
    private: Secret,
    pub(super) imported: bool,
}

impl KeyPair {
    /// Makes a key pair; an RSA key has the public exponent 65537.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, ErrorStack> {
        let private = match algorithm {
            Algorithm::Rsa { .. } => {
                Secret::new(Rsa::generate(u32::from(MODULUS))?.private_key_to_der()?)
            }
            Algorithm::Curve(curve) => curve.generate()?.0,
        };
        let imported = false;
        Ok(Self {
            algorithm,
            private,
            imported,
        })
    }

    /// Takes the parts of a foreign key as tags and values.
    pub(super) fn from_parts(algorithm: Algorithm, parts: &[(u8, &[u8])]) -> Result<Self, Status> {
        let private = match (algorithm, parts) {
            (Algorithm::Rsa { exponent }, &[(0x91, e), (0x92, p), (0x93, q)]) => {
                let key = assemble(exponent, e, p, q).ok().flatten();
                let key = key.ok_or(Status::WRONG_DATA)?;
                Secret::new(key.private_key_to_der().map_err(broken)?)
            }
            (Algorithm::Curve(curve), &[(0x92, scalar)]) => {
                scalar_of(curve, scalar)?;
                Secret::new(scalar)
            }
            _ => return Err(Status::WRONG_DATA),
        };
        let imported = true;
        Ok(Self {
            algorithm,
            private,
            imported,
        })
    }

    /// Returns the bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.private.bytes().len()
    }

    /// Returns what the timing model calls it.
    pub(super) fn work(&self) -> KeyWork {
        self.algorithm.work()
    }

    fn rsa(&self) -> Result<Rsa<Private>, Status> {
        Rsa::private_key_from_der(self.private.bytes()).map_err(broken)
    }

    /// Returns `7F49 { 81 modulus, 82 exponent }` or `7F49 { 86 04 ‖ X ‖ Y }`.
    pub(super) fn public(&self) -> Result<Vec<u8>, Status> {
        let parts = match self.algorithm {
            Algorithm::Rsa { .. } => {
                let rsa = self.rsa()?;
                let modulus = object::<0x81>(&rsa.n().to_vec());
                [modulus, object::<0x82>(&rsa.e().to_vec())].concat()
            }
            Algorithm::Curve(curve) => {
                object::<0x86>(&curve.public(&self.private).map_err(broken)?)
            }
        };
        Ok(object::<0x7F49>(&parts))
    }

    /// Signs. RSA: at most 40 % of the modulus, with PKCS #1 padding of type 1 (*§7.2.10*).
    /// Elliptic curves: a hash no longer than the curve's order, gives r ‖ s.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        match self.algorithm {
            Algorithm::Rsa { .. } => {
                if data.is_empty() || data.len() > MODULUS_BYTES * 2 / 5 {
                    return Err(Status::WRONG_DATA);
                }
                let mut out = vec![0; MODULUS_BYTES];
                let rsa = self.rsa()?;
                rsa.private_encrypt(data, &mut out, Padding::PKCS1)
                    .map_err(broken)?;
                Ok(out)
            }
            Algorithm::Curve(curve) => {
                if !HASHES.contains(&data.len()) || data.len() > curve.width() {
                    return Err(Status::WRONG_DATA);
                }
                let public = curve.public(&self.private).map_err(broken)?;
                let signature = curve.sign(&self.private, &public, data);
                signature.map_err(broken)
            }
        }
    }

    /// Deciphers: `00 ‖ cryptogram` for RSA, which gives what was padded; for elliptic curves
    /// `A6 { 7F49 { 86 point } }`, which gives X of the product (*§7.2.11*).
    pub(super) fn decipher(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        match (self.algorithm, data) {
            (Algorithm::Rsa { .. }, [0x00, cryptogram @ ..]) => {
                let rsa = self.rsa()?;
                let number = BigNum::from_slice(cryptogram).map_err(broken)?;
                if cryptogram.len() != MODULUS_BYTES || number >= *rsa.n() {
                    return Err(Status::WRONG_DATA);
                }
                let mut block = Zeroizing::new(vec![0; MODULUS_BYTES]);
                rsa.private_decrypt(cryptogram, &mut block, Padding::NONE)
                    .map_err(broken)?;
                unpad(&block).ok_or(Status::WRONG_DATA)
            }
            (Algorithm::Rsa { .. }, _) => Err(Status::WRONG_DATA),
            (Algorithm::Curve(curve), _) => {
                let template = Objects::single(Objects::single(data, 0xA6)?, 0x7F49)?;
                let point = Objects::single(template, 0x86)?;
                let public = curve.public(&self.private).map_err(broken)?;
                let shared = curve.agree(&self.private, &public, point);
                shared.map_err(broken)?.ok_or(Status::WRONG_DATA)
            }
        }
    }
}

/// Takes a message out of `00 02 ‖ eight or more bytes but 00 ‖ 00 ‖ message` (*PKCS #1
/// §7.2.2*).
fn unpad(block: &[u8]) -> Option<Vec<u8>> {
    let padded = block.strip_prefix(&[0x00, 0x02])?;
    let end = padded.iter().position(|byte| *byte == 0x00)?;
    let message = padded.get(end + 1..)?;
    (end >= 8).then(|| message.to_vec())
}

/// Puts an RSA key together; `None` where the parts do not fit each other.
fn assemble(bits: u16, e: &[u8], p: &[u8], q: &[u8]) -> Result<Option<Rsa<Private>>, ErrorStack> {
    let half = MODULUS_BYTES / 2;
    if e.len() > EXPONENT_BYTES || p.len() != half || q.len() != half {
        return Ok(None);
    }
    let mut context = BigNumContext::new_secure()?;
    let (e, p, q) = (
        BigNum::from_slice(e)?,
        BigNum::from_slice(p)?,
        BigNum::from_slice(q)?,
    );
    let (p1, q1) = (less_one(&p)?, less_one(&q)?);
    let mut n = BigNum::new()?;
    n.checked_mul(&p, &q, &mut context)?;
    if n.num_bits() != i32::from(MODULUS) || e.num_bits() < 2 || e.num_bits() > i32::from(bits) {
        return Ok(None);
    }
    let mut order = BigNum::new()?;
    order.checked_mul(&p1, &q1, &mut context)?;
    let (mut d, mut dp, mut dq, mut inverse) = (
        BigNum::new()?,
        BigNum::new()?,
        BigNum::new()?,
        BigNum::new()?,
    );
    d.mod_inverse(&e, &order, &mut context)?;
    dp.nnmod(&d, &p1, &mut context)?;
    dq.nnmod(&d, &q1, &mut context)?;
    inverse.mod_inverse(&q, &p, &mut context)?;
    let key = RsaPrivateKeyBuilder::new(n, e, d)?
        .set_factors(p, q)?
        .set_crt_params(dp, dq, inverse)?
        .build();
    Ok(key.check_key()?.then_some(key))
}

fn less_one(number: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let mut less = number.to_owned()?;
    less.sub_word(1)?;
    Ok(less)
}

/// Wants a scalar as long as the curve's, from 1 up to below the group's order.
fn scalar_of(curve: Curve, scalar: &[u8]) -> Result<(), Status> {
    let [.., order] = curve.domain().map_err(broken)?;
    let given = BigNum::from_slice(scalar).map_err(broken)?;
    let order = BigNum::from_slice(&order).map_err(broken)?;
    if scalar.len() == curve.width() && given.num_bits() > 0 && given < order {
        Ok(())
    } else {
        Err(Status::WRONG_DATA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_of_another_kind_is_refused() {
        assert_eq!(unpad(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9]), Some(vec![9]));
        assert_eq!(unpad(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 0, 9, 9]), None);
        assert_eq!(unpad(&[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9]), None);
        assert_eq!(unpad(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }
}
