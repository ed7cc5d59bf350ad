//! Active Authentication with RSA (ICAO Doc 9303-11 §6.1): ISO/IEC 9796-2 digital signature
//! scheme 1, SHA-1, trailer BC.

use card::Status;
use card::tlv;
use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use openssl::sha::sha1;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::{Secret, hexadecimal};

/// Bytes of the reader's challenge, RND.IFD.
pub(super) const CHALLENGE: usize = 8;

/// Bytes of the modulus: RSA-1024 to RSA-4096.
const MODULUS: std::ops::RangeInclusive<usize> = 128..=512;

/// Bytes of the representative around M1: header, SHA-1, trailer.
const FRAME: usize = 1 + 20 + 1;

/// The key, whose two halves arrive in two commands, in any order.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    #[serde(with = "hexadecimal")]
    modulus: Vec<u8>,
    exponent: Option<Secret>,
}

impl Key {
    /// Says whether both halves are there.
    pub(super) fn is_whole(&self) -> bool {
        !self.modulus.is_empty() && self.exponent.is_some()
    }

    /// Returns the length of the modulus, bits.
    pub(super) fn bits(&self) -> u16 {
        u16::try_from(self.modulus.len() * 8).unwrap_or(u16::MAX)
    }

    /// Takes the modulus out of `60 00 04 L <n>`.
    pub(super) fn set_modulus(&mut self, data: &[u8]) -> Result<usize, Status> {
        let modulus = number(data, 0x60)?;
        // An even number, or one with leading zero bits, is no modulus of its length.
        let sound = matches!(modulus, [first, .., last] if first & 0x80 != 0 && last & 1 == 1);
        if !MODULUS.contains(&modulus.len()) || !sound {
            return Err(Status::WRONG_DATA);
        }
        if let Some(exponent) = &self.exponent
            && exponent.bytes().len() > modulus.len()
        {
            return Err(Status::WRONG_DATA);
        }
        self.modulus = modulus.to_vec();
        Ok(modulus.len())
    }

    /// Takes the private exponent out of `61 00 04 L <d>`.
    pub(super) fn set_exponent(&mut self, data: &[u8]) -> Result<usize, Status> {
        let exponent = number(data, 0x61)?;
        let longest = match self.modulus.len() {
            0 => *MODULUS.end(),
            length => length,
        };
        if exponent.len() > longest {
            return Err(Status::WRONG_DATA);
        }
        self.exponent = Some(Secret::new(exponent));
        Ok(exponent.len())
    }

    /// Signs a challenge. M1, which the standard wants random, is zeros: so does the applet.
    pub(super) fn sign(&self, challenge: &[u8; CHALLENGE]) -> Result<Vec<u8>, Status> {
        let exponent = self.exponent.as_ref().ok_or(Status::UNKNOWN)?;
        let first = vec![0; self.modulus.len().saturating_sub(FRAME)];
        let input = representative(&first, challenge);
        self.power(&input, exponent).map_err(|_| Status::UNKNOWN)
    }

    fn power(&self, input: &[u8], exponent: &Secret) -> Result<Vec<u8>, ErrorStack> {
        let modulus = BigNum::from_slice(&self.modulus)?;
        let input = BigNum::from_slice(input)?;
        let mut secret = BigNum::new_secure()?;
        secret.copy_from_slice(exponent.bytes())?;
        secret.set_const_time();
        let mut result = BigNum::new()?;
        let mut context = BigNumContext::new_secure()?;
        result.mod_exp(&input, &secret, &modulus, &mut context)?;
        result.to_vec_padded(i32::try_from(self.modulus.len()).unwrap_or(i32::MAX))
    }
}

/// Reads `tag 00 04 L <number>`. The first object is empty and the number stands beside it,
/// not in it: this is how the applet scans, and it takes no other nesting.
fn number(data: &[u8], tag: u32) -> Result<&[u8], Status> {
    let objects = tlv::parse_all(data).map_err(|_| Status::WRONG_DATA)?;
    let [outer, number] = &objects[..] else {
        return Err(Status::WRONG_DATA);
    };
    if outer.tag.value() != tag || !outer.value.is_empty() || number.tag.value() != 0x04 {
        return Err(Status::WRONG_DATA);
    }
    match number.value {
        [] | [0] => Err(Status::WRONG_DATA),
        [0, number @ ..] => Ok(number),
        number => Ok(number),
    }
}

/// Returns 6A ‖ M1 ‖ SHA-1(M1 ‖ challenge) ‖ BC: recovery is partial, the hash implied.
fn representative(first: &[u8], challenge: &[u8]) -> Zeroizing<Vec<u8>> {
    let hash = sha1(&[first, challenge].concat());
    Zeroizing::new([&[0x6A], first, &hash, &[0xBC]].concat())
}

#[cfg(test)]
mod tests {
    use openssl::rsa::{Padding, Rsa};

    use super::*;
    use crate::vectors::load;

    fn object(tag: u8, number: &[u8]) -> Vec<u8> {
        [
            &[tag, 0],
            &tlv::encode(tlv::Tag::known::<0x04>(), number)[..],
        ]
        .concat()
    }

    #[test]
    fn the_representative_of_appendix_f() {
        let vector = load("icao9303-11/active_authentication.json");
        let (first, challenge) = (vector.bytes("M1"), vector.bytes("RND_IFD"));
        assert_eq!(*representative(&first, &challenge), vector.bytes("F"));
    }

    #[test]
    fn openssl_opens_the_signature_of_longer_keys() {
        let pair = Rsa::generate(1536).unwrap();
        let mut key = Key::default();
        // The exponent first, and the modulus with the sign byte of a DER integer.
        let exponent = pair.d().to_vec();
        key.set_exponent(&object(0x61, &exponent)).unwrap();
        assert!(!key.is_whole());
        let modulus = [&[0], &pair.n().to_vec()[..]].concat();
        key.set_modulus(&object(0x60, &modulus)).unwrap();
        assert!(key.is_whole());
        assert_eq!(key.bits(), 1536);
        let challenge = *b"RND.IFD!";
        let signature = key.sign(&challenge).unwrap();
        let mut opened = vec![0; 192];
        let length = pair.public_decrypt(&signature, &mut opened, Padding::NONE);
        assert_eq!(length.unwrap(), 192);
        assert_eq!(opened, *representative(&[0; 170], &challenge));
    }

    #[test]
    fn other_nesting_and_numbers_are_refused() {
        let mut odd = vec![0xFF; 128];
        let refused = |data: &[u8]| Key::default().set_modulus(data).err();
        assert_eq!(refused(&object(0x60, &odd)), None);
        let wrong = Some(Status::WRONG_DATA);
        assert_eq!(refused(&object(0x61, &odd)), wrong);
        let inner = tlv::encode(tlv::Tag::known::<0x04>(), &odd);
        let nested = tlv::encode(tlv::Tag::known::<0x60>(), &inner);
        assert_eq!(refused(&nested), wrong);
        assert_eq!(refused(&inner), wrong);
        assert_eq!(refused(&object(0x60, &odd[1..])), wrong);
        assert_eq!(refused(&object(0x60, &[0xFF; 513])), wrong);
        odd[127] = 0xFE;
        assert_eq!(refused(&object(0x60, &odd)), wrong);
        odd[0] = 0x7F;
        odd[127] = 0xFF;
        assert_eq!(refused(&object(0x60, &odd)), wrong);
        assert_eq!(refused(&[0x60, 0x00, 0x04, 0x00]), wrong);
        let mut key = Key::default();
        key.set_modulus(&object(0x60, &[0xFF; 128])).unwrap();
        let long = key.set_exponent(&object(0x61, &[0x7F; 129]));
        assert_eq!(long, Err(Status::WRONG_DATA));
    }
}
