//! The chips' elliptic curves, by openssl.

use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use serde::{Deserialize, Serialize};

use crate::applet::KeyWork;
use crate::secret::Secret;

/// A curve that chips compute on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// Reads a standardized domain parameter number (TR-03110-3, table 4).
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        match number {
            0x0C => Some(Self::P256),
            0x0F => Some(Self::P384),
            _ => None,
        }
    }

    /// Returns the bytes of a field element, which are also those of a hash to sign.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// Returns what work with its keys is, for the timing model.
    pub(crate) fn work(self) -> KeyWork {
        match self {
            Self::P256 => KeyWork::P256,
            Self::P384 => KeyWork::P384,
        }
    }

    fn group(self) -> Result<EcGroup, ErrorStack> {
        EcGroup::from_curve_name(match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
        })
    }

    fn padded(self, number: &openssl::bn::BigNumRef) -> Result<Vec<u8>, ErrorStack> {
        number.to_vec_padded(i32::try_from(self.width()).unwrap_or(i32::MAX))
    }

    /// Makes a key pair: the private scalar, and 04 ‖ X ‖ Y.
    pub(crate) fn generate(self) -> Result<(Secret, Vec<u8>), ErrorStack> {
        let group = self.group()?;
        let key = EcKey::generate(&group)?;
        let mut context = BigNumContext::new()?;
        let form = PointConversionForm::UNCOMPRESSED;
        let public = key.public_key().to_bytes(&group, form, &mut context)?;
        Ok((Secret::new(self.padded(key.private_key())?), public))
    }

    fn private(self, private: &Secret, public: &[u8]) -> Result<EcKey<Private>, ErrorStack> {
        let group = self.group()?;
        let mut context = BigNumContext::new()?;
        let point = EcPoint::from_bytes(&group, public, &mut context)?;
        let scalar = BigNum::from_slice(private.bytes())?;
        EcKey::from_private_components(&group, &scalar, &point)
    }

    /// Returns p, a, b, G (04 ‖ X ‖ Y) and n, each as long as the curve has them.
    pub(crate) fn domain(self) -> Result<[Vec<u8>; 5], ErrorStack> {
        let group = self.group()?;
        let mut context = BigNumContext::new()?;
        let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
        group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
        let mut order = BigNum::new()?;
        group.order(&mut order, &mut context)?;
        let form = PointConversionForm::UNCOMPRESSED;
        let generator = match group.generator_opt() {
            Some(point) => point.to_bytes(&group, form, &mut context)?,
            None => Vec::new(),
        };
        Ok([
            self.padded(&p)?,
            self.padded(&a)?,
            self.padded(&b)?,
            generator,
            self.padded(&order)?,
        ])
    }

    /// Says whether these bytes are a private scalar: as long as the field, from 1 up to
    /// below the group's order.
    pub(crate) fn takes(self, scalar: &[u8]) -> Result<bool, ErrorStack> {
        let mut order = BigNum::new()?;
        self.group()?
            .order(&mut order, &mut *BigNumContext::new()?)?;
        let number = BigNum::from_slice(scalar)?;
        Ok(scalar.len() == self.width() && number.num_bits() > 0 && number < order)
    }

    /// Computes the public key of a private scalar: 04 ‖ X ‖ Y.
    pub(crate) fn public(self, private: &Secret) -> Result<Vec<u8>, ErrorStack> {
        let group = self.group()?;
        let mut context = BigNumContext::new()?;
        let scalar = BigNum::from_slice(private.bytes())?;
        let mut point = EcPoint::new(&group)?;
        point.mul_generator2(&group, &scalar, &mut context)?;
        let form = PointConversionForm::UNCOMPRESSED;
        point.to_bytes(&group, form, &mut context)
    }

    /// Signs a hash: r ‖ s, fixed width.
    pub(crate) fn sign(
        self,
        private: &Secret,
        public: &[u8],
        hash: &[u8],
    ) -> Result<Vec<u8>, ErrorStack> {
        let key = self.private(private, public)?;
        let signature = EcdsaSig::sign(hash, &key)?;
        Ok([self.padded(signature.r())?, self.padded(signature.s())?].concat())
    }

    /// Agrees on a point with another's public key and returns its X. `None` where the
    /// other's is no point of the curve.
    pub(crate) fn agree(
        self,
        private: &Secret,
        public: &[u8],
        other: &[u8],
    ) -> Result<Option<Vec<u8>>, ErrorStack> {
        let own = PKey::from_ec_key(self.private(private, public)?)?;
        let group = self.group()?;
        let mut context = BigNumContext::new()?;
        if other.first() != Some(&0x04) {
            return Ok(None);
        }
        let Ok(point) = EcPoint::from_bytes(&group, other, &mut context) else {
            return Ok(None);
        };
        let Ok(other) = EcKey::from_public_key(&group, &point) else {
            return Ok(None);
        };
        if other.check_key().is_err() {
            return Ok(None);
        }
        let other = PKey::from_ec_key(other)?;
        let mut deriver = Deriver::new(&own)?;
        deriver.set_peer(&other)?;
        deriver.derive_to_vec().map(Some)
    }
}

/// Writes a signature r ‖ s as DER.
pub(crate) fn der(signature: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let (r, s) = signature.split_at(signature.len() / 2);
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_out_of_range_are_not_taken() {
        let curve = Curve::P256;
        let [.., order] = curve.domain().unwrap();
        for wrong in [&[0; 32][..], &[0xFF; 32], &[1; 31], &[1; 33], &order] {
            assert!(!curve.takes(wrong).unwrap());
        }
        assert!(curve.takes(&[1; 32]).unwrap());
    }

    #[test]
    fn both_ends_agree() {
        let (own, own_public) = Curve::P384.generate().unwrap();
        let (other, other_public) = Curve::P384.generate().unwrap();
        let here = Curve::P384.agree(&own, &own_public, &other_public).unwrap();
        let there = Curve::P384.agree(&other, &other_public, &own_public);
        assert_eq!(here, there.unwrap());
        assert_eq!(here.unwrap().len(), 48);
        let mut off = other_public;
        off[96] ^= 1;
        assert_eq!(Curve::P384.agree(&own, &own_public, &off).unwrap(), None);
    }
}
