//! The field of 256 elements in which keys are split: bytes, with the polynomial of AES
//! (*FIPS 197 §4.2*), as *SLIP-0039* has it.
//!
//! No look-up tables and no branches on values: time and memory accesses tell nothing of a key.

/// Returns the product of two elements (*FIPS 197 §4.2*).
pub(crate) fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        // All ones where the bit is set.
        let taken = ((b >> bit) & 1).wrapping_neg();
        product ^= a & taken;
        let carried = (a >> 7).wrapping_neg();
        a = (a << 1) ^ (0x1B & carried);
    }
    product
}

/// Returns the inverse of an element: its 254th power. That of zero is zero.
fn inverse(a: u8) -> u8 {
    let (mut square, mut power) = (a, 1);
    // 254 = 2 + 4 + 8 + 16 + 32 + 64 + 128.
    for _ in 0..7 {
        square = multiply(square, square);
        power = multiply(power, square);
    }
    power
}

/// Returns the value at `x` of the polynomial that has these values at these points, which differ
/// (Lagrange).
pub(crate) fn interpolate(points: &[(u8, u8)], x: u8) -> u8 {
    let mut sum = 0;
    for (at, (own, value)) in points.iter().enumerate() {
        let mut term = *value;
        for (other_at, (other, _)) in points.iter().enumerate() {
            if other_at != at {
                term = multiply(term, multiply(x ^ other, inverse(own ^ other)));
            }
        }
        sum ^= term;
    }
    sum
}

/// Returns the value at `x` of the polynomial with these coefficients, the constant one first.
pub(crate) fn evaluate(coefficients: &[u8], x: u8) -> u8 {
    let highest_first = coefficients.iter().rev();
    highest_first.fold(0, |value, coefficient| multiply(value, x) ^ coefficient)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{evaluate, interpolate, inverse, multiply};

    #[test]
    fn products_are_the_published_ones() {
        // FIPS 197 §4.2 and §4.2.1.
        assert_eq!(multiply(0x57, 0x83), 0xC1);
        assert_eq!(multiply(0x57, 0x13), 0xFE);
        for (power, product) in [(2, 0xAE), (4, 0x47), (8, 0x8E), (0x10, 0x07)] {
            assert_eq!(multiply(0x57, power), product);
        }
        // FIPS 197 §5.1.1: S-box of 53 is ED, through the inverse CA.
        assert_eq!(inverse(0x53), 0xCA);
        assert_eq!(inverse(0), 0);
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1);
        }
    }

    /// SLIP-0039 members' values, and what lies at 254 and 255, see the file.
    #[test]
    fn published_shares_meet_where_they_should() {
        let file = include_str!("../../tests/vectors/shamir/slip39.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let bytes = |text: &Value| hex::decode(text.as_str().unwrap()).unwrap();
        let mut checked = 0;
        for vector in file["vectors"].as_array().unwrap() {
            let shares = vector["shares"].as_array().unwrap();
            let x = |share: &Value| u8::try_from(share["x"].as_u64().unwrap()).unwrap();
            let shares: Vec<_> = shares.iter().map(|s| (x(s), bytes(&s["y"]))).collect();
            for (at, expected) in [
                (254, bytes(&vector["at_254"])),
                (255, bytes(&vector["at_255"])),
            ] {
                let value = |byte: usize| {
                    let points: Vec<_> = shares.iter().map(|(x, y)| (*x, y[byte])).collect();
                    interpolate(&points, at)
                };
                let values: Vec<_> = (0..expected.len()).map(value).collect();
                assert_eq!(values, expected);
                checked += values.len();
            }
        }
        assert_eq!(checked, 2 * (16 + 32 + 16 + 32));
    }

    #[test]
    fn a_polynomial_is_found_again() {
        let coefficients = [0x2A, 0x91, 0x07];
        let points = [9, 200, 3].map(|x| (x, evaluate(&coefficients, x)));
        assert_eq!(interpolate(&points, 0), 0x2A);
        assert_eq!(interpolate(&points, 77), evaluate(&coefficients, 77));
        assert_eq!(evaluate(&coefficients, 1), 0x2A ^ 0x91 ^ 0x07);
    }
}
