//! RSA public keys.

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

use crate::algorithm::RsaLength;
use crate::public_key::PublicKeyError;

/// The longest public exponent that is accepted, in bytes (*FIPS 186-5 §5.1*: below 2^256). It
/// bounds the time that a hostile key can cost.
const MAX_EXPONENT: usize = 32;

/// An RSA public key of a known length, checked for form: odd modulus, odd exponent of 3 at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublicKey {
    length: RsaLength,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    der: Vec<u8>,
}

/// `RSAPublicKey` (*RFC 8017 Appendix A.1.1*).
#[derive(Sequence)]
struct Numbers<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl RsaPublicKey {
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, PublicKeyError> {
        let refuse = |reason| PublicKeyError::Rsa { reason };
        let (modulus, exponent) = (significant(modulus), significant(exponent));
        let length = length_of(modulus).ok_or(refuse(
            "its modulus is not 1024, 2048, 3072 or 4096 bits long",
        ))?;
        if !is_odd(modulus) {
            return Err(refuse("its modulus is even"));
        }
        if !is_odd(exponent) || exponent == [1] {
            return Err(refuse("its exponent is not an odd number of 3 at least"));
        }
        if exponent.len() > MAX_EXPONENT {
            return Err(refuse("its exponent is longer than 256 bits"));
        }
        let encode = || {
            Numbers {
                modulus: UintRef::new(modulus)?,
                exponent: UintRef::new(exponent)?,
            }
            .to_der()
        };
        Ok(Self {
            length,
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
            der: encode().map_err(|_| PublicKeyError::Syntax)?,
        })
    }

    /// Returns the key that `RSAPublicKey` in DER holds; none, if the modulus is not of a length
    /// that is used here.
    pub(crate) fn from_der(der: &[u8]) -> Result<Option<Self>, PublicKeyError> {
        let Numbers { modulus, exponent } =
            Numbers::from_der(der).map_err(|_| PublicKeyError::Syntax)?;
        if length_of(modulus.as_bytes()).is_none() {
            return Ok(None);
        }
        Self::new(modulus.as_bytes(), exponent.as_bytes()).map(Some)
    }

    /// Returns the length of the modulus.
    pub fn length(&self) -> RsaLength {
        self.length
    }

    /// Returns the modulus: big-endian, exactly as long as [`RsaPublicKey::length`] says.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// Returns the public exponent: big-endian, no leading zero byte.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Returns `RSAPublicKey` in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}

/// Chips give numbers with leading zeros or without.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte & 1 == 1)
}

fn length_of(modulus: &[u8]) -> Option<RsaLength> {
    let full = modulus.first().is_some_and(|byte| byte & 0x80 != 0);
    RsaLength::ALL
        .into_iter()
        .find(|length| full && length.bytes() == modulus.len())
}

#[cfg(test)]
mod tests {
    use openssl::rsa::Rsa;

    use super::RsaPublicKey;
    use crate::algorithm::RsaLength;

    #[test]
    fn openssl_encodes_the_same() {
        let theirs = Rsa::generate(2048).unwrap();
        let (n, e) = (theirs.n().to_vec(), theirs.e().to_vec());
        let ours = RsaPublicKey::new(&n, &e).unwrap();
        assert_eq!(ours.as_der(), theirs.public_key_to_der_pkcs1().unwrap());
        assert_eq!(
            RsaPublicKey::from_der(ours.as_der()),
            Ok(Some(ours.clone()))
        );
        assert_eq!(ours.length(), RsaLength::Bits2048);
        assert_eq!((ours.modulus(), ours.exponent()), (&n[..], &[1, 0, 1][..]));
        // As a chip may give them.
        let padded = RsaPublicKey::new(&[&[0][..], &n].concat(), &[0, 1, 0, 1]).unwrap();
        assert_eq!(padded, ours);
    }

    #[test]
    fn malformed_keys_are_refused() {
        let modulus = |first: u8, last: u8, length: usize| {
            let mut modulus = vec![0x5A; length];
            modulus[0] = first;
            modulus[length - 1] = last;
            modulus
        };
        let good = modulus(0x80, 1, 256);
        assert!(RsaPublicKey::new(&good, &[3]).is_ok());
        for bad in [
            modulus(0x7F, 1, 256),
            modulus(0x80, 2, 256),
            modulus(0x80, 1, 255),
            modulus(0x80, 1, 257),
            vec![0; 256],
            Vec::new(),
        ] {
            assert!(RsaPublicKey::new(&bad, &[3]).is_err());
        }
        for bad in [&[][..], &[0], &[1], &[0, 1], &[2], &[1, 0, 0], &[1; 33]] {
            assert!(RsaPublicKey::new(&good, bad).is_err(), "{bad:?}");
        }
        for bad in ["", "3000", "3006020100020101ff", "30060201ff020103"] {
            assert!(RsaPublicKey::from_der(&hex::decode(bad).unwrap()).is_err());
        }
        assert_eq!(
            RsaPublicKey::from_der(&hex::decode("3006020103020103").unwrap()),
            Ok(None)
        );
    }
}
