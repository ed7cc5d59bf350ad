//! Integrated mapping (ICAO Doc 9303-11 §4.4.3.3.2, App. B.2): a nonce of each side becomes a
//! point of the curve, of which nobody knows a logarithm.

use card::Status;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::EcPoint;
use openssl::error::ErrorStack;

use super::curve::Curve;
use crate::applet::broken;
use crate::inspection::cipher::Cipher;
use crate::secret::Secret;

/// Bits by which the pseudo-random number is longer than the field, so that its remainder is
/// as good as uniform.
const EXCESS: usize = 64;

/// The constants c0 and c1 for keys of up to 128 bits.
const SHORT: [[u8; 16]; 2] = [
    [
        0xA6, 0x68, 0x89, 0x2A, 0x7C, 0x41, 0xE3, 0xCA, 0x73, 0x9F, 0x40, 0xB0, 0x57, 0xD8, 0x59,
        0x04,
    ],
    [
        0xA4, 0xE1, 0x36, 0xAC, 0x72, 0x5F, 0x73, 0x8B, 0x01, 0xC1, 0xF6, 0x02, 0x17, 0xC1, 0x88,
        0xAD,
    ],
];

/// The constants c0 and c1 for longer keys.
const LONG: [[u8; 32]; 2] = [
    [
        0xD4, 0x63, 0xD6, 0x52, 0x34, 0x12, 0x4E, 0xF7, 0x89, 0x70, 0x54, 0x98, 0x6D, 0xCA, 0x0A,
        0x17, 0x4E, 0x28, 0xDF, 0x75, 0x8C, 0xBA, 0xA0, 0x3F, 0x24, 0x06, 0x16, 0x41, 0x4D, 0x5A,
        0x16, 0x76,
    ],
    [
        0x54, 0xBD, 0x72, 0x55, 0xF0, 0xAA, 0xF8, 0x31, 0xBE, 0xC3, 0x42, 0x3F, 0xCF, 0x39, 0xD6,
        0x9B, 0x6C, 0xBF, 0x06, 0x66, 0x77, 0xD0, 0xFA, 0xAE, 0x5A, 0xAD, 0xD9, 0x9D, 0xF8, 0xE5,
        0x35, 0x17,
    ],
];

/// Maps the chip's nonce and the terminal's to a generator. `None` where they give none: the
/// nonces are unlucky, once in a field's size.
pub(super) fn generator(
    curve: Curve,
    cipher: Cipher,
    chip: &Secret,
    terminal: &[u8],
) -> Result<Option<EcPoint>, Status> {
    let number = pseudo_random(curve, cipher, chip, terminal).map_err(broken)?;
    point(curve, &number).map_err(broken)
}

/// Says whether points can be found on the curve in this way: p is 3 modulo 4.
pub(super) fn serves(curve: Curve) -> bool {
    curve != Curve::P224
}

/// Computes R(s, t) (§4.4.3.3.2): the block cipher chained from the key t over s, then over
/// two constants.
fn pseudo_random(
    curve: Curve,
    cipher: Cipher,
    chip: &Secret,
    terminal: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let (c0, c1): (&[u8], &[u8]) = match cipher {
        Cipher::TripleDes | Cipher::Aes128 => (&SHORT[0], &SHORT[1]),
        Cipher::Aes192 | Cipher::Aes256 => (&LONG[0], &LONG[1]),
    };
    let iv = vec![0; cipher.block()];
    let as_key = |mut bytes: Vec<u8>| {
        // A key of 192 bits is the beginning of what is longer.
        bytes.truncate(cipher.key());
        Secret::new(bytes)
    };
    let mut key = as_key(cipher.encrypt(&Secret::new(terminal), &iv, chip.bytes())?);
    let wanted = usize::from(curve.bits()) + EXCESS;
    let mut number = Vec::new();
    while number.len() * 8 < wanted {
        number.extend(cipher.encrypt(&key, &iv, c1)?);
        key = as_key(cipher.encrypt(&key, &iv, c0)?);
    }
    Ok(number)
}

/// Finds the point of a number (App. B.2).
fn point(curve: Curve, number: &[u8]) -> Result<Option<EcPoint>, ErrorStack> {
    let group = curve.group()?;
    let mut context = BigNumContext::new()?;
    let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
    let mut field = Field { p, context };
    let t = field.reduced(&*BigNum::from_slice(number)?)?;
    let one = BigNum::from_u32(1)?;

    // alpha = -t²; x2 = -b/a · (1 + 1/(alpha + alpha²)); x3 = alpha · x2.
    let square = field.product(&t, &t)?;
    let alpha = field.difference(&*BigNum::from_u32(0)?, &square)?;
    let sum = field.product(&alpha, &alpha)?;
    let sum = field.sum(&alpha, &sum)?;
    if sum.num_bits() == 0 {
        return Ok(None);
    }
    let factor = field.inverse(&sum)?;
    let factor = field.sum(&one, &factor)?;
    let ratio = field.inverse(&a)?;
    let ratio = field.product(&b, &ratio)?;
    let ratio = field.difference(&*BigNum::from_u32(0)?, &ratio)?;
    let x2 = field.product(&ratio, &factor)?;
    let x3 = field.product(&alpha, &x2)?;

    // h = x2³ + a·x2 + b; a root of it where there is one, else one of t³·h for x3.
    let cube = field.product(&x2, &x2)?;
    let cube = field.product(&cube, &x2)?;
    let linear = field.product(&a, &x2)?;
    let h = field.sum(&cube, &linear)?;
    let h = field.sum(&h, &b)?;
    let inverse_root = field.inverse_root(&h)?;
    let proof = field.product(&inverse_root, &inverse_root)?;
    let proof = field.product(&proof, &h)?;
    let (x, y) = if proof == one {
        (x2, field.product(&inverse_root, &h)?)
    } else {
        let u = field.product(&square, &t)?;
        let u = field.product(&u, &h)?;
        (x3, field.product(&inverse_root, &u)?)
    };
    let mut mapped = EcPoint::new(&group)?;
    // openssl refuses coordinates of no point.
    let set = mapped.set_affine_coordinates_gfp(&group, &x, &y, &mut field.context);
    Ok(set.ok().map(|()| mapped))
}

/// Numbers modulo p.
struct Field {
    p: BigNum,
    context: BigNumContext,
}

impl Field {
    fn reduced(&mut self, number: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut out = BigNum::new()?;
        out.nnmod(number, &self.p, &mut self.context)?;
        Ok(out)
    }

    fn product(&mut self, left: &BigNumRef, right: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut out = BigNum::new()?;
        out.mod_mul(left, right, &self.p, &mut self.context)?;
        Ok(out)
    }

    fn sum(&mut self, left: &BigNumRef, right: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut out = BigNum::new()?;
        out.mod_add(left, right, &self.p, &mut self.context)?;
        Ok(out)
    }

    fn difference(&mut self, left: &BigNumRef, right: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut out = BigNum::new()?;
        out.mod_sub(left, right, &self.p, &mut self.context)?;
        self.reduced(&out)
    }

    fn inverse(&mut self, number: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut out = BigNum::new()?;
        out.mod_inverse(number, &self.p, &mut self.context)?;
        Ok(out)
    }

    /// Computes h^(p - 1 - (p+1)/4): the inverse of a root of h, where h has one.
    fn inverse_root(&mut self, h: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut quarter = self.p.to_owned()?;
        quarter.add_word(1)?;
        let mut shifted = BigNum::new()?;
        shifted.rshift(&quarter, 2)?;
        let mut exponent = BigNum::new()?;
        exponent.checked_sub(&self.p, &shifted)?;
        exponent.sub_word(1)?;
        let mut out = BigNum::new()?;
        out.mod_exp(h, &exponent, &self.p, &mut self.context)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::load;

    #[test]
    fn the_generator_of_appendix_h_1() {
        let row = load("icao9303-11/chip_pace.json").row("ecdh_im");
        let (curve, cipher) = (Curve::Bp256, Cipher::Aes128);
        let chip = Secret::new(row.bytes("nonce_s"));
        let terminal = row.bytes("nonce_t");
        let number = pseudo_random(curve, cipher, &chip, &terminal).unwrap();
        assert_eq!(number, row.bytes("R"));
        let mapped = generator(curve, cipher, &chip, &terminal).unwrap();
        let mapped = curve.encode(&mapped.unwrap()).unwrap();
        assert_eq!(mapped, row.bytes("mapped_generator"));
    }

    #[test]
    fn every_nonce_gives_a_point_of_every_curve() {
        for (number, cipher) in [
            (12, Cipher::Aes128),
            (15, Cipher::Aes192),
            (18, Cipher::Aes256),
        ] {
            let curve = Curve::from_number(number).unwrap();
            for seed in 0..8 {
                let chip = Secret::new(vec![seed; cipher.key().next_multiple_of(16)]);
                let terminal = vec![seed ^ 0x55; cipher.key()];
                let mapped = generator(curve, cipher, &chip, &terminal).unwrap().unwrap();
                let encoded = curve.encode(&mapped).unwrap();
                assert!(curve.decode(&encoded).unwrap().is_some());
            }
        }
    }
}
