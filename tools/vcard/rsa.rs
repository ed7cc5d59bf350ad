//! The chips' RSA keys of 2048 bits, by openssl.

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Modulus length, bits.
pub(crate) const BITS: u16 = 2048;
/// Modulus length, bytes.
pub(crate) const BYTES: usize = 256;
/// Length of each prime, and of what is reckoned modulo one, bytes.
pub(crate) const HALF: usize = 128;
/// Longest public exponent that a chip works with, bits.
const EXPONENT_BITS: i32 = 32;

/// A private key, whole.
pub(crate) struct RsaKey(Rsa<Private>);

impl RsaKey {
    /// Makes a key, public exponent 65537.
    pub(crate) fn generate() -> Result<Self, ErrorStack> {
        Rsa::generate(u32::from(BITS)).map(Self)
    }

    /// Reads a key as [`RsaKey::to_der`] wrote it.
    pub(crate) fn from_der(der: &Secret) -> Result<Self, ErrorStack> {
        Rsa::private_key_from_der(der.bytes()).map(Self)
    }

    /// Encodes the key, RSAPrivateKey (*RFC 8017 A.1.2*).
    pub(crate) fn to_der(&self) -> Result<Secret, ErrorStack> {
        self.0.private_key_to_der().map(Secret::new)
    }

    /// Takes n, e, d, p, q, d mod p-1, d mod q-1 and the inverse of q modulo p; `None` where
    /// they are no key of 2048 bits.
    pub(crate) fn from_numbers(numbers: [BigNum; 8]) -> Option<Self> {
        let [n, e, d, p, q, dp, dq, inverse] = numbers;
        // openssl fails, rather than says no, where the numbers are no key's at all.
        let key = || -> Result<Option<Self>, ErrorStack> {
            let whole = n.num_bits() == i32::from(BITS);
            let key = RsaPrivateKeyBuilder::new(n, e, d)?
                .set_factors(p, q)?
                .set_crt_params(dp, dq, inverse)?
                .build();
            Ok((whole && key.check_key()?).then_some(Self(key)))
        };
        key().ok().flatten()
    }

    /// Takes e and the primes p and q; `None` where they make no key.
    pub(crate) fn from_primes(e: &[u8], p: &[u8], q: &[u8]) -> Option<Self> {
        let numbers = || -> Result<[BigNum; 8], ErrorStack> {
            let (e, p, q) = (BigNum::from_slice(e)?, secret(p)?, secret(q)?);
            let (p1, q1) = (less_one(&p)?, less_one(&q)?);
            let mut context = BigNumContext::new_secure()?;
            let d = inverse(&e, &*product(&p1, &q1)?)?;
            let (mut dp, mut dq) = (BigNum::new_secure()?, BigNum::new_secure()?);
            dp.nnmod(&d, &p1, &mut context)?;
            dq.nnmod(&d, &q1, &mut context)?;
            let of_q = inverse(&q, &p)?;
            Ok([product(&p, &q)?, e, d, p, q, dp, dq, of_q])
        };
        numbers().ok().and_then(Self::from_numbers)
    }

    /// Takes p, q, d mod p-1, d mod q-1 and the inverse of q modulo p; `None` where they do
    /// not belong together.
    pub(crate) fn from_factors(factors: [&[u8]; 5]) -> Option<Self> {
        let [p, q, dp, dq, of_q] = factors;
        let numbers = || -> Result<Option<[BigNum; 8]>, ErrorStack> {
            let (p, q, dp, dq) = (secret(p)?, secret(q)?, secret(dp)?, secret(dq)?);
            let (p1, q1) = (less_one(&p)?, less_one(&q)?);
            // e is small: its inverse modulo p - 1 gives it whole.
            let e = inverse(&dp, &p1)?;
            if e.num_bits() > EXPONENT_BITS {
                return Ok(None);
            }
            let d = inverse(&e, &*product(&p1, &q1)?)?;
            let n = product(&p, &q)?;
            Ok(Some([n, e, d, p, q, dp, dq, secret(of_q)?]))
        };
        let numbers = numbers().ok().flatten();
        numbers.and_then(Self::from_numbers)
    }

    /// Returns the modulus, 256 bytes.
    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.0.n().to_vec()
    }

    /// Returns the public exponent, without leading zeros.
    pub(crate) fn exponent(&self) -> Vec<u8> {
        self.0.e().to_vec()
    }

    /// Raises a block to the private exponent (*RFC 8017 §5.1.2, §5.2.1*); `None` where it is
    /// not of 256 bytes and less than the modulus.
    pub(crate) fn raise(&self, block: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if block.len() != BYTES {
            return None;
        }
        let mut out = Zeroizing::new(vec![0; BYTES]);
        let raised = self.0.private_encrypt(block, &mut out, Padding::NONE);
        raised.ok().map(|_| out)
    }

    /// Pads at most 245 bytes to a block of type 1, and raises it (*RFC 8017 §8.2.1*).
    pub(crate) fn sign_padded(&self, data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut out = vec![0; BYTES];
        self.0.private_encrypt(data, &mut out, Padding::PKCS1)?;
        Ok(out)
    }

    /// Raises a cryptogram and takes the message out of the block of type 2; `None` where it
    /// is none. openssl would take it out itself, but answers a wrong padding with an error
    /// or with made-up bytes, as its version has it; a card does the former.
    pub(crate) fn decipher_padded(&self, cryptogram: &[u8]) -> Option<Vec<u8>> {
        unpadded(&self.raise(cryptogram)?)
    }

    /// Returns openssl's key, for what is done in one place only.
    pub(crate) fn into_openssl(self) -> Rsa<Private> {
        self.0
    }
}

/// Takes a message out of `00 02 ‖ eight or more bytes but 00 ‖ 00 ‖ message` (*RFC 8017
/// §7.2.2*).
fn unpadded(block: &[u8]) -> Option<Vec<u8>> {
    let padded = block.strip_prefix(&[0x00, 0x02])?;
    let end = padded.iter().position(|byte| *byte == 0x00)?;
    let message = padded.get(end + 1..)?;
    (end >= 8).then(|| message.to_vec())
}

fn secret(bytes: &[u8]) -> Result<BigNum, ErrorStack> {
    let mut number = BigNum::new_secure()?;
    number.copy_from_slice(bytes)?;
    Ok(number)
}

fn less_one(number: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let mut less = number.to_owned()?;
    less.sub_word(1)?;
    Ok(less)
}

fn product(left: &BigNumRef, right: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let mut product = BigNum::new()?;
    product.checked_mul(left, right, &mut *BigNumContext::new_secure()?)?;
    Ok(product)
}

fn inverse(number: &BigNumRef, modulus: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let mut inverse = BigNum::new_secure()?;
    inverse.mod_inverse(number, modulus, &mut *BigNumContext::new_secure()?)?;
    Ok(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_of_another_kind_is_refused() {
        let message = unpadded(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9]);
        assert_eq!(message, Some(vec![9]));
        assert_eq!(unpadded(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 0, 9, 9]), None);
        assert_eq!(unpadded(&[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9]), None);
        assert_eq!(unpadded(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
    }

    #[test]
    fn parts_must_belong_together_and_have_their_length() {
        let rsa = Rsa::generate(2048).unwrap();
        let part = |number: Option<&BigNumRef>| number.unwrap().to_vec_padded(128).unwrap();
        let parts = [
            part(rsa.p()),
            part(rsa.q()),
            part(rsa.dmp1()),
            part(rsa.dmq1()),
            part(rsa.iqmp()),
        ];
        let [p, q, dp, dq, inverse] = [0, 1, 2, 3, 4].map(|index| parts[index].as_slice());
        let key = RsaKey::from_factors([p, q, dp, dq, inverse]).unwrap();
        assert_eq!(key.modulus(), rsa.n().to_vec());
        let key = RsaKey::from_primes(&key.exponent(), p, q).unwrap();
        assert_eq!(key.modulus(), rsa.n().to_vec());
        for wrong in [
            [q, p, dp, dq, inverse],
            [p, q, dq, dp, inverse],
            [p, q, dp, dq, p],
            [p, p, dp, dp, inverse],
            [&[0; 128], q, dp, dq, inverse],
        ] {
            assert!(RsaKey::from_factors(wrong).is_none());
        }
        assert!(RsaKey::from_primes(&[1, 0, 1], p, p).is_none());
        let short = Rsa::generate(2040).unwrap();
        let (p, q) = (part(short.p()), part(short.q()));
        assert!(RsaKey::from_primes(&[1, 0, 1], &p, &q).is_none());
    }
}
