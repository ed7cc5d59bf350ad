//! The curves of travel documents and of their inspection systems, and what the chip reckons
//! on them, by openssl.

use card::Status;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcKey, EcPoint, EcPointRef, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Public;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::applet::{Entropy, KeyWork, broken};
use crate::secret::Secret;

/// A curve of the standardized domain parameters (ICAO Doc 9303-11 §9.5.1, table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Curve {
    P224,
    P256,
    P384,
    P521,
    Bp224,
    Bp256,
    Bp320,
    Bp384,
    Bp512,
}

/// Every curve.
const ALL: [Curve; 9] = [
    Curve::P224,
    Curve::P256,
    Curve::P384,
    Curve::P521,
    Curve::Bp224,
    Curve::Bp256,
    Curve::Bp320,
    Curve::Bp384,
    Curve::Bp512,
];

/// A curve's parameters as a CV certificate states them.
pub(super) struct Stated<'a> {
    pub(super) p: &'a [u8],
    pub(super) a: &'a [u8],
    pub(super) b: &'a [u8],
    pub(super) generator: &'a [u8],
    pub(super) order: &'a [u8],
    pub(super) cofactor: &'a [u8],
}

impl Curve {
    /// Reads a number of standardized domain parameters.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            0x0A => Some(Self::P224),
            0x0B => Some(Self::Bp224),
            0x0C => Some(Self::P256),
            0x0D => Some(Self::Bp256),
            0x0E => Some(Self::Bp320),
            0x0F => Some(Self::P384),
            0x10 => Some(Self::Bp384),
            0x11 => Some(Self::Bp512),
            0x12 => Some(Self::P521),
            _ => None,
        }
    }

    /// Finds the curve with these parameters; `None` where the chip has none such.
    pub(super) fn stated(stated: &Stated<'_>) -> Result<Option<Self>, ErrorStack> {
        let mut context = BigNumContext::new()?;
        for curve in ALL {
            let group = curve.group()?;
            let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
            group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
            let mut order = BigNum::new()?;
            group.order(&mut order, &mut context)?;
            let numbers = [
                (stated.p, p),
                (stated.a, a),
                (stated.b, b),
                (stated.order, order),
            ];
            let mut same = stated.cofactor == [0x01];
            for (given, own) in numbers {
                same &= BigNum::from_slice(given)? == own;
            }
            let own = group.generator_opt().map(|point| curve.encode(point));
            if same && own.transpose()?.as_deref() == Some(stated.generator) {
                return Ok(Some(curve));
            }
        }
        Ok(None)
    }

    /// Returns the bits of a field element.
    pub(super) fn bits(self) -> u16 {
        match self {
            Self::P224 | Self::Bp224 => 224,
            Self::P256 | Self::Bp256 => 256,
            Self::Bp320 => 320,
            Self::P384 | Self::Bp384 => 384,
            Self::Bp512 => 512,
            Self::P521 => 521,
        }
    }

    /// Returns the bytes of a field element.
    pub(super) fn width(self) -> usize {
        usize::from(self.bits()).div_ceil(8)
    }

    /// Returns what a multiplication on it is, for the timing model.
    pub(super) fn work(self) -> KeyWork {
        match self.bits() {
            ..=256 => KeyWork::P256,
            257..=384 => KeyWork::P384,
            bits => KeyWork::Curve(bits),
        }
    }

    pub(super) fn group(self) -> Result<EcGroup, ErrorStack> {
        EcGroup::from_curve_name(match self {
            Self::P224 => Nid::SECP224R1,
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
            Self::P521 => Nid::SECP521R1,
            Self::Bp224 => Nid::BRAINPOOL_P224R1,
            Self::Bp256 => Nid::BRAINPOOL_P256R1,
            Self::Bp320 => Nid::BRAINPOOL_P320R1,
            Self::Bp384 => Nid::BRAINPOOL_P384R1,
            Self::Bp512 => Nid::BRAINPOOL_P512R1,
        })
    }

    fn padded(self, number: &BigNumRef) -> Result<Vec<u8>, ErrorStack> {
        number.to_vec_padded(i32::try_from(self.width()).unwrap_or(i32::MAX))
    }

    /// Encodes a point: 04 ‖ X ‖ Y.
    pub(super) fn encode(self, point: &EcPointRef) -> Result<Vec<u8>, ErrorStack> {
        let form = PointConversionForm::UNCOMPRESSED;
        point.to_bytes(&*self.group()?, form, &mut *BigNumContext::new()?)
    }

    /// Decodes a point 04 ‖ X ‖ Y; `None` where it is not on the curve, or the one at infinity.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Option<EcPoint>, ErrorStack> {
        if bytes.len() != 1 + 2 * self.width() || bytes.first() != Some(&0x04) {
            return Ok(None);
        }
        let group = self.group()?;
        let mut context = BigNumContext::new()?;
        // The chip checks what it is given; openssl refuses what is not on the curve.
        let point = EcPoint::from_bytes(&group, bytes, &mut context).ok();
        match point {
            Some(point) if point.is_on_curve(&group, &mut context)? => Ok(Some(point)),
            _ => Ok(None),
        }
    }

    /// Says whether these bytes are a private scalar: as long as the field, from 1 up to below
    /// the group's order.
    pub(super) fn takes(self, scalar: &[u8]) -> Result<bool, ErrorStack> {
        let mut order = BigNum::new()?;
        self.group()?
            .order(&mut order, &mut *BigNumContext::new()?)?;
        let number = secret(scalar)?;
        Ok(scalar.len() == self.width() && number.num_bits() > 0 && *number < *order)
    }

    /// Draws a private scalar.
    pub(super) fn draw(self, entropy: &mut Entropy) -> Result<Secret, Status> {
        // The excess of P-521's nine bits is taken off, so that a draw is as often good as bad.
        let excess = self.width() * 8 - usize::from(self.bits());
        let mut bytes = Zeroizing::new(vec![0; self.width()]);
        loop {
            entropy.draw(&mut bytes)?;
            if let Some(first) = bytes.first_mut() {
                *first &= 0xFF >> excess;
            }
            if self.takes(&bytes).map_err(broken)? {
                return Ok(Secret::new(std::mem::take(&mut *bytes)));
            }
        }
    }

    /// Multiplies a point, or the generator, by a scalar.
    pub(super) fn multiply(
        self,
        base: Option<&EcPointRef>,
        scalar: &Secret,
    ) -> Result<EcPoint, ErrorStack> {
        let group = self.group()?;
        let mut context = BigNumContext::new_secure()?;
        let scalar = secret(scalar.bytes())?;
        let mut product = EcPoint::new(&group)?;
        match base {
            Some(base) => product.mul2(&group, base, &scalar, &mut context)?,
            None => product.mul_generator2(&group, &scalar, &mut context)?,
        }
        Ok(product)
    }

    /// Adds two points; `None` where the sum is the point at infinity.
    pub(super) fn add(
        self,
        left: &EcPointRef,
        right: &EcPointRef,
    ) -> Result<Option<EcPoint>, ErrorStack> {
        let group = self.group()?;
        let mut sum = EcPoint::new(&group)?;
        sum.add(&group, left, right, &mut *BigNumContext::new()?)?;
        Ok((!sum.is_infinity(&group)).then_some(sum))
    }

    /// Agrees on the X coordinate of a shared point; `None` where the other's point is none
    /// that may be used.
    pub(super) fn agree(
        self,
        private: &Secret,
        other: &[u8],
    ) -> Result<Option<Secret>, ErrorStack> {
        let Some(other) = self.decode(other)? else {
            return Ok(None);
        };
        let shared = self.multiply(Some(&other), private)?;
        if shared.is_infinity(&*self.group()?) {
            return Ok(None);
        }
        Ok(Some(Secret::new(self.abscissa(&self.encode(&shared)?))))
    }

    /// Returns X of 04 ‖ X ‖ Y.
    pub(super) fn abscissa(self, point: &[u8]) -> Vec<u8> {
        point.get(1..=self.width()).unwrap_or_default().to_vec()
    }

    /// Computes `left`⁻¹ · `right` modulo the group's order, as long as a field element.
    pub(super) fn quotient(self, left: &Secret, right: &Secret) -> Result<Secret, ErrorStack> {
        let mut context = BigNumContext::new_secure()?;
        let mut order = BigNum::new()?;
        self.group()?.order(&mut order, &mut context)?;
        let mut inverse = BigNum::new_secure()?;
        inverse.mod_inverse(&*secret(left.bytes())?, &order, &mut context)?;
        let mut quotient = BigNum::new_secure()?;
        quotient.mod_mul(&inverse, &*secret(right.bytes())?, &order, &mut context)?;
        self.padded(&quotient).map(Secret::new)
    }

    /// Signs a hash: r ‖ s, each as long as a field element.
    pub(super) fn sign(self, private: &Secret, hash: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let public = self.multiply(None, private)?;
        let scalar = secret(private.bytes())?;
        let key = EcKey::from_private_components(&*self.group()?, &scalar, &public)?;
        let signature = EcdsaSig::sign(hash, &key)?;
        Ok([self.padded(signature.r())?, self.padded(signature.s())?].concat())
    }

    /// Verifies a signature r ‖ s over a hash. What is none is false.
    pub(super) fn verifies(self, public: &[u8], hash: &[u8], signature: &[u8]) -> bool {
        let Ok(Some(point)) = self.decode(public) else {
            return false;
        };
        if signature.len() != 2 * self.width() {
            return false;
        }
        let verified = || -> Result<bool, ErrorStack> {
            let key: EcKey<Public> = EcKey::from_public_key(&*self.group()?, &point)?;
            let (r, s) = signature.split_at(self.width());
            let (r, s) = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
            EcdsaSig::from_private_components(r, s)?.verify(hash, &key)
        };
        verified().unwrap_or(false)
    }
}

/// Takes a secret number.
pub(super) fn secret(bytes: &[u8]) -> Result<BigNum, ErrorStack> {
    let mut number = BigNum::new_secure()?;
    number.copy_from_slice(bytes)?;
    number.set_const_time();
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_drawn_within_the_order() {
        for curve in ALL {
            let private = curve.draw(&mut Entropy::default()).unwrap();
            assert!(curve.takes(private.bytes()).unwrap());
            let public = curve.multiply(None, &private).unwrap();
            let public = curve.encode(&public).unwrap();
            assert!(curve.decode(&public).unwrap().is_some());
            assert!(curve.decode(&public[1..]).unwrap().is_none());
            let mut off = public.clone();
            *off.last_mut().unwrap() ^= 1;
            assert!(curve.decode(&off).unwrap().is_none(), "{curve:?}");
        }
        // What is not below the order is drawn again.
        let mut entropy = Entropy::default();
        entropy.foresee(&[&[0xFF; 32][..], &[0; 32], &[7; 32]].concat());
        assert_eq!(Curve::P256.draw(&mut entropy).unwrap().bytes(), [7; 32]);
    }

    #[test]
    fn a_signature_of_another_length_is_none() {
        let curve = Curve::Bp384;
        let private = curve.draw(&mut Entropy::default()).unwrap();
        let public = curve
            .encode(&curve.multiply(None, &private).unwrap())
            .unwrap();
        let signature = curve.sign(&private, &[3; 48]).unwrap();
        assert!(curve.verifies(&public, &[3; 48], &signature));
        assert!(!curve.verifies(&public, &[4; 48], &signature));
        assert!(!curve.verifies(&public, &[3; 48], &signature[1..]));
        assert!(!curve.verifies(&public, &[3; 48], &[]));
        assert!(!curve.verifies(&public[1..], &[3; 48], &signature));
    }
}
