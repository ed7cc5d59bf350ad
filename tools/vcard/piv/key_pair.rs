//! Key pairs, by openssl: RSA-2048, P-256 and P-384 (*SP 800-78-4 §3.1*).

use card::Status;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};
use serde::{Deserialize, Serialize};

use super::{broken, object};
use crate::applet::KeyWork;
use crate::secret::Secret;

/// Modulus length, bits.
const MODULUS: u16 = 2048;
/// Modulus length, bytes.
const MODULUS_BYTES: usize = 256;
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
        match self {
            Self::Rsa2048 => KeyWork::Rsa(MODULUS),
            Self::P256 => KeyWork::P256,
            Self::P384 => KeyWork::P384,
        }
    }

    /// Returns the bytes of a scalar or coordinate, and the curve; `None` for RSA.
    fn curve(self) -> Option<(usize, Nid)> {
        match self {
            Self::Rsa2048 => None,
            Self::P256 => Some((32, Nid::X9_62_PRIME256V1)),
            Self::P384 => Some((48, Nid::SECP384R1)),
        }
    }
}

/// A key pair of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeyPair {
    algorithm: Algorithm,
    /// The private key, DER; it has the public one in it.
    private: Secret,
    imported: bool,
}

impl KeyPair {
    /// Makes a key pair; an RSA key has the public exponent 65537.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, Status> {
        let key = match algorithm.curve() {
            None => Rsa::generate(u32::from(MODULUS)).and_then(PKey::from_rsa),
            Some((_, curve)) => EcGroup::from_curve_name(curve)
                .and_then(|group| EcKey::generate(&group))
                .and_then(PKey::from_ec_key),
        };
        Self::keep(algorithm, &key.map_err(broken)?, false)
    }

    fn keep(algorithm: Algorithm, key: &PKey<Private>, imported: bool) -> Result<Self, Status> {
        Ok(Self {
            algorithm,
            private: Secret::new(key.private_key_to_der().map_err(broken)?),
            imported,
        })
    }

    /// Takes a private scalar, as long as the curve's, from 1 up to below the group's order.
    pub(super) fn from_scalar(algorithm: Algorithm, scalar: &[u8]) -> Result<Self, Status> {
        let (width, curve) = algorithm.curve().ok_or(Status::WRONG_DATA)?;
        if scalar.len() != width {
            return Err(Status::WRONG_DATA);
        }
        let key = || -> Result<Option<PKey<Private>>, ErrorStack> {
            let group = EcGroup::from_curve_name(curve)?;
            let mut context = BigNumContext::new_secure()?;
            let mut order = BigNum::new()?;
            group.order(&mut order, &mut context)?;
            let scalar = BigNum::from_slice(scalar)?;
            if scalar.num_bits() == 0 || scalar >= order {
                return Ok(None);
            }
            let mut point = EcPoint::new(&group)?;
            point.mul_generator2(&group, &scalar, &mut context)?;
            let key = EcKey::from_private_components(&group, &scalar, &point)?;
            PKey::from_ec_key(key).map(Some)
        };
        let key = key().map_err(broken)?.ok_or(Status::WRONG_DATA)?;
        Self::keep(algorithm, &key, true)
    }

    /// Takes an RSA key as p, q, dp, dq and the inverse of q, which must belong together.
    pub(super) fn from_factors(factors: [&[u8]; 5]) -> Result<Self, Status> {
        if factors.iter().any(|part| part.len() != MODULUS_BYTES / 2) {
            return Err(Status::WRONG_DATA);
        }
        // openssl fails where an inverse does not exist: then these are no factors.
        let key = assemble(factors).ok().flatten();
        let key = key.and_then(|key| PKey::from_rsa(key).ok());
        Self::keep(Algorithm::Rsa2048, &key.ok_or(Status::WRONG_DATA)?, true)
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
            let key = PKey::private_key_from_der(self.private.bytes())?;
            if self.algorithm == Algorithm::Rsa2048 {
                let rsa = key.rsa()?;
                let modulus = object::<0x81>(&rsa.n().to_vec());
                return Ok([modulus, object::<0x82>(&rsa.e().to_vec())].concat());
            }
            let key = key.ec_key()?;
            let mut context = BigNumContext::new()?;
            let form = PointConversionForm::UNCOMPRESSED;
            let point = key.public_key().to_bytes(key.group(), form, &mut context)?;
            Ok(object::<0x86>(&point))
        };
        public().map_err(broken)
    }

    /// Signs. RSA: the padded block of 256 bytes, raw. Elliptic curves: a hash no longer than
    /// the curve's order, gives the DER of r and s.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        let key = PKey::private_key_from_der(self.private.bytes()).map_err(broken)?;
        match self.algorithm.curve() {
            None => raise(&key.rsa().map_err(broken)?, data),
            Some((width, _)) => {
                if !HASHES.contains(&data.len()) || data.len() > width {
                    return Err(Status::WRONG_DATA);
                }
                let key = key.ec_key().map_err(broken)?;
                let signature = EcdsaSig::sign(data, &key).map_err(broken)?;
                signature.to_der().map_err(broken)
            }
        }
    }

    /// Agrees with another's point 04 ‖ X ‖ Y, which must be on the curve: X of the product.
    pub(super) fn agree(&self, other: &[u8]) -> Result<Secret, Status> {
        let (width, _) = self.algorithm.curve().ok_or(Status::WRONG_DATA)?;
        if other.len() != 2 * width + 1 || other.first() != Some(&0x04) {
            return Err(Status::WRONG_DATA);
        }
        let own = PKey::private_key_from_der(self.private.bytes()).map_err(broken)?;
        let own_key = own.ec_key().map_err(broken)?;
        let group = own_key.group();
        let peer = || -> Result<PKey<openssl::pkey::Public>, ErrorStack> {
            let mut context = BigNumContext::new()?;
            let point = EcPoint::from_bytes(group, other, &mut context)?;
            let key = EcKey::from_public_key(group, &point)?;
            key.check_key()?;
            PKey::from_ec_key(key)
        };
        let peer = peer().map_err(|_| Status::WRONG_DATA)?;
        let derive = || -> Result<Vec<u8>, ErrorStack> {
            let mut deriver = Deriver::new(&own)?;
            deriver.set_peer(&peer)?;
            deriver.derive_to_vec()
        };
        derive().map(Secret::new).map_err(broken)
    }
}

/// Raises a block to the private exponent (*PKCS #1 RSADP and RSASP1*).
fn raise(key: &Rsa<Private>, block: &[u8]) -> Result<Vec<u8>, Status> {
    let number = BigNum::from_slice(block).map_err(broken)?;
    if block.len() != MODULUS_BYTES || number >= *key.n() {
        return Err(Status::WRONG_DATA);
    }
    let mut out = vec![0; MODULUS_BYTES];
    key.private_encrypt(block, &mut out, Padding::NONE)
        .map_err(broken)?;
    Ok(out)
}

/// Puts an RSA key together; `None` where the parts do not fit each other.
fn assemble([p, q, dp, dq, inverse]: [&[u8]; 5]) -> Result<Option<Rsa<Private>>, ErrorStack> {
    let mut context = BigNumContext::new_secure()?;
    let (p, q) = (BigNum::from_slice(p)?, BigNum::from_slice(q)?);
    let (dp, dq) = (BigNum::from_slice(dp)?, BigNum::from_slice(dq)?);
    let inverse = BigNum::from_slice(inverse)?;
    let (p1, q1) = (less_one(&p)?, less_one(&q)?);
    let mut n = BigNum::new()?;
    n.checked_mul(&p, &q, &mut context)?;
    // e is small: its inverse modulo p - 1 gives it whole.
    let mut e = BigNum::new()?;
    e.mod_inverse(&dp, &p1, &mut context)?;
    let mut order = BigNum::new()?;
    order.checked_mul(&p1, &q1, &mut context)?;
    let mut d = BigNum::new()?;
    d.mod_inverse(&e, &order, &mut context)?;
    let mut of_q = BigNum::new()?;
    of_q.nnmod(&d, &q1, &mut context)?;
    if n.num_bits() != i32::from(MODULUS) || e.num_bits() > 32 || of_q != dq {
        return Ok(None);
    }
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

    #[test]
    fn rsa_parts_must_belong_together() {
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
        let pair = KeyPair::from_factors([p, q, dp, dq, inverse]).unwrap();
        let expected = object::<0x81>(&rsa.n().to_vec());
        assert!(pair.public().unwrap().starts_with(&expected));
        for wrong in [
            [q, p, dp, dq, inverse],
            [p, q, dq, dp, inverse],
            [p, q, dp, dq, p],
            [p, p, dp, dp, inverse],
            [p, q, dp, dq, &inverse[1..]],
            [&[0; 128], q, dp, dq, inverse],
        ] {
            assert_eq!(KeyPair::from_factors(wrong), Err(Status::WRONG_DATA));
        }
    }
}
