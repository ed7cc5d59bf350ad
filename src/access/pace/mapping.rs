//! How a nonce makes a new generator (*ICAO 9303-11 §4.4.3.3*).

use card::cipher::{Key, aes_cbc_encrypt, des3_cbc_encrypt};
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroupRef, EcPoint};
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::group::{Element, Group, Scalar};
use crate::session_keys::Cipher;

/// Bits that the pseudo-random number has more than the prime, so that none is more likely.
const SURPLUS: usize = 64;

/// The constants of the pseudo-random function (*ICAO 9303-11 §4.4.3.3.2*): c0 makes the next
/// key, c1 the next block.
const C0_128: [u8; 16] = 0xA668892A_7C41E3CA_739F40B0_57D85904_u128.to_be_bytes();
const C1_128: [u8; 16] = 0xA4E136AC_725F738B_01C1F602_17C188AD_u128.to_be_bytes();
const C0_256: [[u8; 16]; 2] = [
    0xD463D652_34124EF7_89705498_6DCA0A17_u128.to_be_bytes(),
    0x4E28DF75_8CBAA03F_24061641_4D5A1676_u128.to_be_bytes(),
];
const C1_256: [[u8; 16]; 2] = [
    0x54BD7255_F0AAF831_BEC3423F_CF39D69B_u128.to_be_bytes(),
    0x6CBF0666_77D0FAAE_5AADD99D_F8E53517_u128.to_be_bytes(),
];

/// Generic mapping: Ĝ = s × G + H, H being agreed on.
pub(super) fn generic(
    group: &Group,
    nonce: &[u8],
    private: &Scalar,
    public: &Element,
) -> Result<Element, CryptoError> {
    let shared = group.power(public, private)?;
    if group.is_neutral(&shared) {
        // The caller refuses a neutral generator.
        return Ok(shared);
    }
    let multiple = group.power(&group.generator()?, &Scalar::new(nonce)?)?;
    group.product(&multiple, &shared)
}

/// Says whether a group has an integrated mapping: of curves, those whose prime is 3 modulo 4.
pub(super) fn is_possible(group: &Group) -> Result<bool, CryptoError> {
    match group {
        Group::Curve(group) => {
            let [p, ..] = coefficients(group)?;
            Ok(p.is_bit_set(0) && p.is_bit_set(1))
        }
        Group::Numbers { .. } => Ok(true),
    }
}

/// Returns the length of the nonce s in bytes: the fewest blocks that hold a key.
pub(super) fn nonce_length(cipher: Cipher) -> usize {
    cipher.key_length().next_multiple_of(cipher.block_length())
}

/// Integrated mapping: Ĝ is a function of both nonces.
pub(super) fn integrated(
    group: &Group,
    cipher: Cipher,
    nonce: &[u8],
    own: &[u8],
) -> Result<Element, CryptoError> {
    match group {
        Group::Curve(group) => {
            let [p, a, b] = coefficients(group)?;
            let number = pseudo_random(cipher, nonce, own, &p)?;
            let (x, y) = encode_point(&number, &p, &a, &b)?;
            let mut point = EcPoint::new(group)?;
            point.set_affine_coordinates(group, &x, &y, &mut *BigNumContext::new()?)?;
            // All curves here have cofactor 1.
            Ok(Element::Point(point))
        }
        Group::Numbers { p, q, .. } => {
            let number = pseudo_random(cipher, nonce, own, p)?;
            let mut context = BigNumContext::new_secure()?;
            let mut less = BigNumRef::to_owned(p)?;
            less.sub_word(1)?;
            let mut cofactor = BigNum::new()?;
            cofactor.checked_div(&less, q, &mut context)?;
            let mut generator = BigNum::new_secure()?;
            generator.mod_exp(&number, &cofactor, p, &mut context)?;
            Ok(Element::Number(generator))
        }
    }
}

fn coefficients(group: &EcGroupRef) -> Result<[BigNum; 3], ErrorStack> {
    let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut *BigNumContext::new()?)?;
    Ok([p, a, b])
}

/// R_p(s, t): a number modulo p out of the block cipher.
fn pseudo_random(
    cipher: Cipher,
    nonce: &[u8],
    own: &[u8],
    p: &BigNumRef,
) -> Result<BigNum, CryptoError> {
    let (c0, c1) = match cipher {
        Cipher::TripleDes | Cipher::Aes128 => (&C0_128[..], &C1_128[..]),
        Cipher::Aes192 | Cipher::Aes256 => (C0_256.as_flattened(), C1_256.as_flattened()),
    };
    let encrypt = |key: &[u8], data: &[u8]| -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let key = Key::new(key.get(..cipher.key_length()).unwrap_or_default())?;
        Ok(match cipher {
            Cipher::TripleDes => des3_cbc_encrypt(&key, data)?,
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => aes_cbc_encrypt(&key, data)?,
        })
    };
    let wanted = (p.num_bits().unsigned_abs() as usize + SURPLUS).div_ceil(8 * c1.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(wanted * c1.len()));
    let mut key = encrypt(own, nonce)?;
    for _ in 0..wanted {
        bytes.extend_from_slice(&encrypt(&key, c1)?);
        key = encrypt(&key, c0)?;
    }
    let mut number = BigNum::new_secure()?;
    number.copy_from_slice(&bytes)?;
    let mut result = BigNum::new_secure()?;
    result.nnmod(&number, p, &mut *BigNumContext::new_secure()?)?;
    Ok(result)
}

/// Maps a number to a point of y² = x³ + ax + b, p being 3 modulo 4 (*ICAO 9303-11
/// appendix B.2*). It branches once, on the last line, and there takes
/// the same time both ways.
fn encode_point(
    t: &BigNumRef,
    p: &BigNumRef,
    a: &BigNumRef,
    b: &BigNumRef,
) -> Result<(BigNum, BigNum), CryptoError> {
    let field = Field::new(p)?;
    let one = BigNum::from_u32(1)?;
    // α = −t²
    let square = field.product(t, t)?;
    let alpha = field.difference(&*BigNum::new()?, &square)?;
    // X₂ = −b / a × (1 + 1 / (α + α²))
    let sum = field.sum(&alpha, &*field.product(&alpha, &alpha)?)?;
    let factor = field.sum(&one, &*field.inverse(&sum)?)?;
    let quotient = field.product(b, &*field.inverse(a)?)?;
    let x2 = field.product(&*field.difference(&*BigNum::new()?, &quotient)?, &factor)?;
    // X₃ = α X₂
    let x3 = field.product(&alpha, &x2)?;
    // h₂ = X₂³ + a X₂ + b
    let cube = field.product(&*field.product(&x2, &x2)?, &x2)?;
    let h2 = field.sum(&*field.sum(&cube, &*field.product(a, &x2)?)?, b)?;
    // U = t³ h₂;  A = h₂ ^ (p − 1 − (p + 1) / 4)
    let u = field.product(&*field.product(&square, t)?, &h2)?;
    let mut quarter = BigNumRef::to_owned(p)?;
    quarter.add_word(1)?;
    quarter.div_word(4)?;
    let mut exponent = BigNumRef::to_owned(p)?;
    exponent.sub_word(1)?;
    let exponent = &exponent - &quarter;
    let power = field.power(&h2, &exponent)?;
    // A² h₂ = 1 where h₂ is a square
    let check = field.product(&*field.product(&power, &power)?, &h2)?;
    let y2 = field.product(&power, &h2)?;
    let y3 = field.product(&power, &u)?;
    Ok(if check == one { (x2, y2) } else { (x3, y3) })
}

/// Numbers modulo p.
struct Field<'a> {
    p: &'a BigNumRef,
    inverse: BigNum,
}

impl<'a> Field<'a> {
    fn new(p: &'a BigNumRef) -> Result<Self, ErrorStack> {
        let mut inverse = p.to_owned()?;
        inverse.sub_word(2)?;
        Ok(Self { p, inverse })
    }

    fn sum(&self, one: &BigNumRef, other: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut result = BigNum::new_secure()?;
        result.mod_add(one, other, self.p, &mut *BigNumContext::new_secure()?)?;
        Ok(result)
    }

    fn difference(&self, one: &BigNumRef, other: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut result = BigNum::new_secure()?;
        result.mod_sub(one, other, self.p, &mut *BigNumContext::new_secure()?)?;
        Ok(result)
    }

    fn product(&self, one: &BigNumRef, other: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut result = BigNum::new_secure()?;
        result.mod_mul(one, other, self.p, &mut *BigNumContext::new_secure()?)?;
        Ok(result)
    }

    fn power(&self, base: &BigNumRef, exponent: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut base = base.to_owned()?;
        // It is the base that is secret; openssl takes the constant-time way if any is marked.
        base.set_const_time();
        let mut result = BigNum::new_secure()?;
        result.mod_exp(&base, exponent, self.p, &mut *BigNumContext::new_secure()?)?;
        Ok(result)
    }

    /// Returns the inverse by Fermat's theorem; of zero, zero.
    fn inverse(&self, number: &BigNumRef) -> Result<BigNum, ErrorStack> {
        self.power(number, &self.inverse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain_parameters::DomainParameters;
    use crate::testing::{bytes, vectors};

    #[test]
    fn appendix_h_maps_to_its_generators() {
        let file = vectors("access/pace.json");
        for (place, parameters) in [
            (2, DomainParameters::BrainpoolP256r1),
            (3, DomainParameters::Dh1024),
        ] {
            let row = &file["vectors"][place];
            let group = Group::new(parameters).unwrap();
            let (s, t) = (bytes(&row["nonce_s"]), bytes(&row["nonce_t"]));
            let p = match &group {
                Group::Curve(group) => {
                    let [p, ..] = coefficients(group).unwrap();
                    p
                }
                Group::Numbers { p, .. } => BigNumRef::to_owned(p).unwrap(),
            };
            let number = pseudo_random(Cipher::Aes128, &s, &t, &p).unwrap();
            assert_eq!(number.to_vec(), bytes(&row["Rp"]));
            let generator = integrated(&group, Cipher::Aes128, &s, &t).unwrap();
            assert_eq!(
                group.encode(&generator).unwrap(),
                bytes(&row["mapped_generator"])
            );
        }
    }

    #[test]
    fn constants_are_the_published_ones() {
        let file = vectors("access/pace.json");
        let constants = &file["integrated_mapping_constants"];
        for (row, c0, c1) in [
            ("AES128_3DES", &C0_128[..], &C1_128[..]),
            ("AES192_256", C0_256.as_flattened(), C1_256.as_flattened()),
        ] {
            assert_eq!(bytes(&constants[row]["c0"]), c0);
            assert_eq!(bytes(&constants[row]["c1"]), c1);
        }
    }

    #[test]
    fn every_number_maps_to_a_point_of_the_curve() {
        for parameters in DomainParameters::ALL
            .into_iter()
            .filter(|each| each.is_curve())
        {
            let group = Group::new(parameters).unwrap();
            assert_eq!(
                is_possible(&group).unwrap(),
                parameters != DomainParameters::P224
            );
            if parameters == DomainParameters::P224 {
                continue;
            }
            let Group::Curve(curve) = &group else {
                panic!("no curve")
            };
            let [p, a, b] = coefficients(curve).unwrap();
            // 0, 1 and p − 1 map to no point, unless by chance: nobody draws them.
            for t in 2..14 {
                let t = BigNum::from_u32(t).unwrap();
                let (x, y) = encode_point(&t, &p, &a, &b).unwrap();
                let mut point = EcPoint::new(curve).unwrap();
                let mut context = BigNumContext::new().unwrap();
                // openssl refuses a point that is not on the curve.
                point
                    .set_affine_coordinates(curve, &x, &y, &mut context)
                    .unwrap();
            }
        }
    }
}
