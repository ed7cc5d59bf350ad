//! Arithmetic in the groups of key agreement: points of a curve, or numbers modulo a prime.
//!
//! Written as multiplication: `power` is a point times a number, or a number to a power.

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcPoint, EcPointRef, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::sha::sha1;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::domain_parameters::{DomainParameters, DomainParametersError, point};
use crate::random::Random;

/// Draws after which a source of random bytes is taken for broken: a number out of range comes
/// less than every second time.
const MAX_DRAWS: usize = 256;

/// A group.
pub(crate) enum Group {
    Curve(EcGroup),
    Numbers { p: BigNum, q: BigNum, g: BigNum },
}

/// An element of a group.
pub(crate) enum Element {
    Point(EcPoint),
    Number(BigNum),
}

/// A private number, wiped when dropped.
pub(crate) struct Scalar(BigNum);

impl Scalar {
    /// Takes big-endian bytes; a number above the order counts modulo it.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, CryptoError> {
        // openssl wipes what is marked as secure.
        let mut number = BigNum::new_secure()?;
        number.copy_from_slice(bytes)?;
        number.set_const_time();
        Ok(Self(number))
    }
}

impl Group {
    pub(crate) fn new(parameters: DomainParameters) -> Result<Self, CryptoError> {
        if parameters.is_curve() {
            return Ok(Self::Curve(parameters.curve()?));
        }
        let dh = parameters.dh()?;
        let q = dh
            .prime_q()
            .ok_or(CryptoError::unsupported("subgroup not known"))?;
        Ok(Self::Numbers {
            p: dh.prime_p().to_owned()?,
            q: q.to_owned()?,
            g: dh.generator().to_owned()?,
        })
    }

    /// Returns the generator.
    pub(crate) fn generator(&self) -> Result<Element, CryptoError> {
        Ok(match self {
            Self::Curve(group) => Element::Point(generator(group)?.to_owned(group)?),
            Self::Numbers { g, .. } => Element::Number(BigNumRef::to_owned(g)?),
        })
    }

    /// Draws a private number: from 1 to the order less 1.
    pub(crate) fn draw(&self, random: &mut dyn Random) -> Result<Scalar, CryptoError> {
        let order = self.order()?;
        let bits = order.num_bits().unsigned_abs() as usize;
        let mut bytes = Zeroizing::new(vec![0; bits.div_ceil(8)]);
        for _ in 0..MAX_DRAWS {
            random.fill(&mut bytes)?;
            if let (Some(first), spare @ 1..) = (bytes.first_mut(), bits.next_multiple_of(8) - bits)
            {
                *first &= 0xFF >> spare;
            }
            let scalar = Scalar::new(&bytes)?;
            if scalar.0.num_bits() > 0 && scalar.0 < order {
                return Ok(scalar);
            }
        }
        Err(CryptoError::random("private keys drawn are never in range"))
    }

    pub(crate) fn order(&self) -> Result<BigNum, ErrorStack> {
        match self {
            Self::Curve(group) => {
                let mut order = BigNum::new()?;
                group.order(&mut order, &mut *BigNumContext::new()?)?;
                Ok(order)
            }
            Self::Numbers { q, .. } => BigNumRef::to_owned(q),
        }
    }

    /// Returns the element to the power of a private number, in time that does not tell it.
    pub(crate) fn power(&self, base: &Element, exponent: &Scalar) -> Result<Element, CryptoError> {
        let mut context = BigNumContext::new_secure()?;
        match (self, base) {
            (Self::Curve(group), Element::Point(base)) => {
                let mut result = EcPoint::new(group)?;
                result.mul2(group, base, &exponent.0, &mut context)?;
                Ok(Element::Point(result))
            }
            (Self::Numbers { p, .. }, Element::Number(base)) => {
                let mut result = BigNum::new_secure()?;
                result.mod_exp(base, &exponent.0, p, &mut context)?;
                Ok(Element::Number(result))
            }
            _ => Err(CryptoError::unsupported("element of another group")),
        }
    }

    /// Returns the product of two elements.
    pub(crate) fn product(&self, one: &Element, other: &Element) -> Result<Element, CryptoError> {
        let mut context = BigNumContext::new_secure()?;
        match (self, one, other) {
            (Self::Curve(group), Element::Point(one), Element::Point(other)) => {
                let mut result = EcPoint::new(group)?;
                result.add(group, one, other, &mut context)?;
                Ok(Element::Point(result))
            }
            (Self::Numbers { p, .. }, Element::Number(one), Element::Number(other)) => {
                let mut result = BigNum::new_secure()?;
                result.mod_mul(one, other, p, &mut context)?;
                Ok(Element::Number(result))
            }
            _ => Err(CryptoError::unsupported("element of another group")),
        }
    }

    /// Says whether this is the neutral element, by which a secret would be known to everybody.
    pub(crate) fn is_neutral(&self, element: &Element) -> bool {
        match (self, element) {
            (Self::Curve(group), Element::Point(point)) => point.is_infinity(group),
            (_, Element::Number(number)) => number.num_bits() <= 1,
            _ => true,
        }
    }

    /// Reads a public key: an uncompressed point of the curve, or a number of the subgroup; never
    /// the neutral element (*TR-03110-3 §A.2.2*, *NIST SP 800-56A §5.6.2.3*).
    pub(crate) fn decode(&self, encoded: &[u8]) -> Result<Element, DomainParametersError> {
        let element = match self {
            Self::Curve(group) => Element::Point(point(group, encoded)?),
            Self::Numbers { p, q, .. } => {
                if encoded.len() > p.num_bytes().unsigned_abs() as usize {
                    return Err(DomainParametersError::PublicKey);
                }
                let number = BigNum::from_slice(encoded).map_err(CryptoError::from)?;
                let in_subgroup = || -> Result<bool, ErrorStack> {
                    let mut power = BigNum::new()?;
                    power.mod_exp(&number, q, p, &mut *BigNumContext::new()?)?;
                    Ok(number < *p && power.num_bits() == 1)
                };
                if !in_subgroup().map_err(CryptoError::from)? {
                    return Err(DomainParametersError::PublicKey);
                }
                Element::Number(number)
            }
        };
        if self.is_neutral(&element) {
            return Err(DomainParametersError::PublicKey);
        }
        Ok(element)
    }

    /// Returns a public key as protocols send it: an uncompressed point, or a number without
    /// leading zeros (*TR-03110-3 §D.2.1, §D.3*).
    pub(crate) fn encode(&self, element: &Element) -> Result<Vec<u8>, CryptoError> {
        match (self, element) {
            (Self::Curve(group), Element::Point(point)) => {
                let mut context = BigNumContext::new()?;
                Ok(point.to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context)?)
            }
            (_, Element::Number(number)) => Ok(number.to_vec()),
            _ => Err(CryptoError::unsupported("element of another group")),
        }
    }

    /// Returns a shared secret as keys are derived from it: the x-coordinate, or the number, as
    /// long as the field or the modulus (*TR-03111 §4.3.1*, *PKCS #3*).
    pub(crate) fn secret(&self, element: &Element) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match (self, element) {
            (Self::Curve(group), Element::Point(point)) => {
                let (mut x, mut y) = (BigNum::new_secure()?, BigNum::new_secure()?);
                let mut context = BigNumContext::new_secure()?;
                point.affine_coordinates(group, &mut x, &mut y, &mut context)?;
                let length = i32::try_from(group.degree().div_ceil(8)).unwrap_or(i32::MAX);
                Ok(Zeroizing::new(x.to_vec_padded(length)?))
            }
            (Self::Numbers { p, .. }, Element::Number(number)) => {
                Ok(Zeroizing::new(number.to_vec_padded(p.num_bytes())?))
            }
            _ => Err(CryptoError::unsupported("element of another group")),
        }
    }

    /// Returns a public key in the short form by which terminal authentication names it: the
    /// x-coordinate, or SHA-1 of the number (*TR-03110-3 §A.2.2.3*).
    pub(crate) fn compress(&self, element: &Element) -> Result<Vec<u8>, CryptoError> {
        match element {
            Element::Point(_) => Ok(self.secret(element)?.to_vec()),
            Element::Number(number) => Ok(sha1(&number.to_vec()).to_vec()),
        }
    }

    /// Returns the length of an encoded public key in bytes, at most.
    pub(crate) fn key_length(&self) -> usize {
        match self {
            Self::Curve(group) => 1 + 2 * group.degree().div_ceil(8) as usize,
            Self::Numbers { p, .. } => p.num_bytes().unsigned_abs() as usize,
        }
    }
}

fn generator(group: &EcGroup) -> Result<&EcPointRef, CryptoError> {
    group
        .generator_opt()
        .ok_or(CryptoError::unsupported("curve without a generator"))
}

#[cfg(test)]
mod tests;
