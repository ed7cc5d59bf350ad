//! Key pairs, by openssl: RSA-2048, P-256 and P-384 (*SP 800-78-4 §3.1*).

use card::Status;
use openssl::error::ErrorStack;
use serde::{Deserialize, Serialize};

use crate::applet::{KeyWork, broken};
use crate::curve::{self, Curve};
use crate::objects::object;
use crate::rsa::{BITS, HALF, RsaKey};
use crate::secret::Secret;

/// Lengths of hashes that an elliptic curve key signs: SHA-1, SHA-256, SHA-384.
const HASHES: [usize; 3] = [20, 32, 48];

/// An algorithm of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Rsa2048,
    P256,
    P384,
}

impl Algorithm {
    /// Reads an algorithm identifier (*SP 800-78-4 table 6-2*).
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            0x07 => Some(Self::Rsa2048),
            0x11 => Some(Self::P256),
            0x14 => Some(Self::P384),
            _ => None,
        }
    }

    /// Returns the algorithm identifier.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Rsa2048 => 0x07,
            Self::P256 => 0x11,
            Self::P384 => 0x14,
        }
    }

    /// Returns what the timing model calls it.
    pub(super) fn work(self) -> KeyWork {
        self.curve().map_or(KeyWork::Rsa(BITS), Curve::work)
    }

    /// Returns the curve; `None` for RSA.
    fn curve(self) -> Option<Curve> {
        match self {
            Self::Rsa2048 => None,
            Self::P256 => Some(Curve::P256),
            Self::P384 => Some(Curve::P384),
        }
    }
}

/// A key pair of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeyPair {
    algorithm: Algorithm,
    /// RSA: the whole key, DER. Elliptic curves: the scalar.
    private: Secret,
    imported: bool,
}

impl KeyPair {
    /// Makes a key pair; an RSA key has the public exponent 65537.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Status> {
        let private = match algorithm.curve() {
            None => RsaKey::generate().and_then(|key| key.to_der()),
            Some(curve) => curve.generate().map(|(private, _)| private),
        };
        Ok(Self {
            algorithm,
            private: private.map_err(broken)?,
            imported: false,
        })
    }

    /// Takes a private scalar, as long as the curve's, from 1 up to below the group's order.
    pub(super) fn from_scalar(algorithm: Algorithm, scalar: &[u8]) -> Result<Self, Status> {
        let curve = algorithm.curve().ok_or(Status::WRONG_DATA)?;
        if !curve.takes(scalar).map_err(broken)? {
            return Err(Status::WRONG_DATA);
        }
        Ok(Self {
            algorithm,
            private: Secret::new(scalar),
            imported: true,
        })
    }

    /// Takes an RSA key as p, q, dp, dq and the inverse of q, which must belong together.
    pub(super) fn from_factors(factors: [&[u8]; 5]) -> Result<Self, Status> {
        if factors.iter().any(|part| part.len() != HALF) {
            return Err(Status::WRONG_DATA);
        }
        let key = RsaKey::from_factors(factors).ok_or(Status::WRONG_DATA)?;
        Ok(Self {
            algorithm: Algorithm::Rsa2048,
            private: key.to_der().map_err(broken)?,
            imported: true,
        })
    }

    /// Returns the algorithm.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Says whether the key came from outside.
    pub(super) fn is_imported(&self) -> bool {
        self.imported
    }

    /// Returns the bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.private.bytes().len()
    }

    /// Returns the public key's objects: `86` the point 04 ‖ X ‖ Y, or `81` the modulus and
    /// `82` the exponent.
    pub(super) fn public(&self) -> Result<Vec<u8>, Status> {
        let public = || -> Result<Vec<u8>, ErrorStack> {
            let Some(curve) = self.algorithm.curve() else {
                let key = RsaKey::from_der(&self.private)?;
                let modulus = object::<0x81>(&key.modulus());
                return Ok([modulus, object::<0x82>(&key.exponent())].concat());
            };
            Ok(object::<0x86>(&curve.public(&self.private)?))
        };
        public().map_err(broken)
    }

    /// Signs. RSA: the padded block of 256 bytes, raw. Elliptic curves: a hash no longer than
    /// the curve's order, gives the DER of r and s.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        let Some(curve) = self.algorithm.curve() else {
            let key = RsaKey::from_der(&self.private).map_err(broken)?;
            let signature = key.raise(data).ok_or(Status::WRONG_DATA)?;
            return Ok(signature.to_vec());
        };
        if !HASHES.contains(&data.len()) || data.len() > curve.width() {
            return Err(Status::WRONG_DATA);
        }
        let sign = || -> Result<Vec<u8>, ErrorStack> {
            let public = curve.public(&self.private)?;
            curve::der(&curve.sign(&self.private, &public, data)?)
        };
        sign().map_err(broken)
    }

    /// Agrees with another's point 04 ‖ X ‖ Y, which must be on the curve: X of the product.
    pub(super) fn agree(&self, other: &[u8]) -> Result<Secret, Status> {
        let curve = self.algorithm.curve().ok_or(Status::WRONG_DATA)?;
        let public = curve.public(&self.private).map_err(broken)?;
        let shared = curve.agree(&self.private, &public, other);
        let shared = shared.map_err(broken)?.ok_or(Status::WRONG_DATA)?;
        Ok(Secret::new(shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_agree_and_a_point_off_the_curve_is_refused() {
        for (algorithm, width) in [(Algorithm::P256, 32), (Algorithm::P384, 48)] {
            let own = KeyPair::generate(algorithm).unwrap();
            let other = KeyPair::generate(algorithm).unwrap();
            let point = |pair: &KeyPair| pair.public().unwrap()[2..].to_vec();
            let shared = own.agree(&point(&other)).unwrap();
            assert_eq!(shared, other.agree(&point(&own)).unwrap());
            assert_eq!(shared.bytes().len(), width);
            let mut off = point(&other);
            off[2 * width] ^= 1;
            assert_eq!(own.agree(&off), Err(Status::WRONG_DATA));
            assert_eq!(own.agree(&[0]), Err(Status::WRONG_DATA));
        }
    }

    #[test]
    fn scalars_out_of_range_are_refused() {
        assert!(KeyPair::from_scalar(Algorithm::P256, &[0; 32]).is_err());
        assert!(KeyPair::from_scalar(Algorithm::P256, &[0xFF; 32]).is_err());
        assert!(KeyPair::from_scalar(Algorithm::P256, &[1; 31]).is_err());
        let pair = KeyPair::from_scalar(Algorithm::P256, &[1; 32]).unwrap();
        assert!(pair.is_imported());
    }
}
