//! The key of DG15, and what is a signature by it.

use std::fmt;

use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Sequence};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use thiserror::Error;

use super::ActiveAuthenticationError;
use crate::crypto_error::CryptoError;
use crate::domain_parameters::{
    DomainParameters, DomainParametersError, SubjectPublicKeyInfo, point,
};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Bits of an RSA modulus: what documents in the field have, and some more.
const RSA_BITS: std::ops::RangeInclusive<i32> = 1024..=4096;
/// Bits of a public exponent; it bounds what a hostile key can cost.
const MAX_EXPONENT: i32 = 64;

/// Says why bytes are no key for active authentication.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ActiveAuthenticationKeyError {
    /// The bytes are no `SubjectPublicKeyInfo`.
    #[error("not a SubjectPublicKeyInfo in DER")]
    Syntax,
    /// The numbers are no RSA key that is used here.
    #[error("not an RSA key that can be used: {0}")]
    Rsa(&'static str),
    /// The curve or the point on it are not used.
    #[error(transparent)]
    Curve(DomainParametersError),
}

/// A chip's public key for active authentication.
pub struct ActiveAuthenticationKey(Kind);

enum Kind {
    Rsa { modulus: BigNum, exponent: BigNum },
    Curve(DomainParameters, Vec<u8>),
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl ActiveAuthenticationKey {
    /// Reads the `SubjectPublicKeyInfo` that DG15 holds under its tag.
    ///
    /// # Errors
    /// [`ActiveAuthenticationKeyError`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, ActiveAuthenticationKeyError> {
        let syntax = |_| ActiveAuthenticationKeyError::Syntax;
        let spki = SubjectPublicKeyInfo::from_der(der).map_err(syntax)?;
        let bits = spki
            .key
            .as_bytes()
            .ok_or(ActiveAuthenticationKeyError::Syntax)?;
        if spki.algorithm.algorithm == RSA_ENCRYPTION {
            let key = RsaPublicKey::from_der(bits).map_err(syntax)?;
            return Self::rsa(key.modulus.as_bytes(), key.exponent.as_bytes());
        }
        let curve = || {
            let parameters = DomainParameters::of(&spki.algorithm)?;
            if !parameters.is_curve() {
                return Err(DomainParametersError::Unknown);
            }
            point(&parameters.curve().map_err(CryptoError::from)?, bits)?;
            Ok(Self(Kind::Curve(parameters, bits.to_vec())))
        };
        curve().map_err(ActiveAuthenticationKeyError::Curve)
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, ActiveAuthenticationKeyError> {
        let refused = ActiveAuthenticationKeyError::Rsa;
        // Both are bounded before any number is made of them.
        if modulus.len() > 512 || exponent.len() > 8 {
            return Err(refused("it is too long"));
        }
        let number = |bytes| BigNum::from_slice(bytes).map_err(|_| refused("it is no number"));
        let (modulus, exponent) = (number(modulus)?, number(exponent)?);
        let bits = modulus.num_bits();
        if !RSA_BITS.contains(&bits) || bits % 8 != 0 {
            return Err(refused(
                "its modulus is not 1024 to 4096 bits long, whole bytes",
            ));
        }
        if !modulus.is_bit_set(0) {
            return Err(refused("its modulus is even"));
        }
        if !exponent.is_bit_set(0) || !(2..=MAX_EXPONENT).contains(&exponent.num_bits()) {
            return Err(refused("its exponent is not odd, or not 3 to 64 bits long"));
        }
        Ok(Self(Kind::Rsa { modulus, exponent }))
    }

    /// Returns the length of a signature in bytes.
    pub(super) fn signature_length(&self) -> usize {
        match &self.0 {
            Kind::Rsa { modulus, .. } => modulus.num_bytes().unsigned_abs() as usize,
            // P-521's, and then some for the DER of chips that do not abide by the rule.
            Kind::Curve(..) => 160,
        }
    }

    pub(super) fn is_rsa(&self) -> bool {
        matches!(self.0, Kind::Rsa { .. })
    }

    pub(super) fn verify(
        &self,
        ecdsa: Option<MessageDigest>,
        challenge: &[u8],
        signature: &[u8],
    ) -> Result<(), ActiveAuthenticationError> {
        match (&self.0, ecdsa) {
            (Kind::Rsa { modulus, exponent }, _) => {
                let length = self.signature_length();
                if signature.len() != length {
                    return Err(ActiveAuthenticationError::Form(
                        "it is not as long as the modulus",
                    ));
                }
                let opened = open(modulus, exponent, signature).map_err(CryptoError::from)?;
                let opened = opened.ok_or(ActiveAuthenticationError::NotProved)?;
                recovered(&opened, challenge)
            }
            (Kind::Curve(parameters, encoded), Some(digest)) => {
                verify_ecdsa(*parameters, encoded, digest, challenge, signature)
            }
            (Kind::Curve(..), None) => Err(ActiveAuthenticationError::NoAlgorithm),
        }
    }
}

impl fmt::Debug for ActiveAuthenticationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Rsa { modulus, .. } => {
                write!(f, "ActiveAuthenticationKey(RSA-{})", modulus.num_bits())
            }
            Kind::Curve(parameters, _) => write!(f, "ActiveAuthenticationKey({parameters})"),
        }
    }
}

/// Opens a signature: of J and n − J the one that ends in C (*ISO/IEC 9796-2 §B.6*); nothing
/// where neither does.
fn open(
    modulus: &BigNum,
    exponent: &BigNum,
    signature: &[u8],
) -> Result<Option<Vec<u8>>, ErrorStack> {
    let signature = BigNum::from_slice(signature)?;
    if signature >= *modulus {
        return Ok(None);
    }
    let mut opened = BigNum::new()?;
    opened.mod_exp(&signature, exponent, modulus, &mut *BigNumContext::new()?)?;
    for candidate in [opened.to_owned()?, modulus - &opened] {
        let bytes = candidate.to_vec_padded(modulus.num_bytes())?;
        if bytes.last().is_some_and(|byte| byte & 0x0F == 0x0C) {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Checks a representative of *ISO/IEC 9796-2* digital signature scheme 1 with partial
/// recovery: 6A ‖ M1 ‖ H(M1 ‖ challenge) ‖ trailer, or 6B … BA where M1 is shorter.
fn recovered(opened: &[u8], challenge: &[u8]) -> Result<(), ActiveAuthenticationError> {
    let not_proved = ActiveAuthenticationError::NotProved;
    // One trailer byte means SHA-1; two name the hash (ISO/IEC 10118-3).
    let (digest, rest) = match opened {
        [rest @ .., 0xBC] => (MessageDigest::sha1(), rest),
        [rest @ .., 0x31, 0xCC] => (MessageDigest::ripemd160(), rest),
        [rest @ .., 0x33, 0xCC] => (MessageDigest::sha1(), rest),
        [rest @ .., 0x34, 0xCC] => (MessageDigest::sha256(), rest),
        [rest @ .., 0x35, 0xCC] => (MessageDigest::sha512(), rest),
        [rest @ .., 0x36, 0xCC] => (MessageDigest::sha384(), rest),
        [rest @ .., 0x38, 0xCC] => (MessageDigest::sha224(), rest),
        _ => return Err(not_proved),
    };
    let body = match rest {
        [0x6A, body @ ..] => body,
        [0x6B, padded @ ..] => {
            let filler = padded.iter().take_while(|byte| **byte == 0xBB).count();
            match padded.get(filler..) {
                Some([0xBA, body @ ..]) => body,
                _ => return Err(not_proved),
            }
        }
        // 4A and its like would recover the whole message: the challenge would not be in it.
        _ => return Err(not_proved),
    };
    let at = body
        .len()
        .checked_sub(digest.size())
        .ok_or(ActiveAuthenticationError::NotProved)?;
    let (first, received) = body.split_at(at);
    let message = [first, challenge].concat();
    let expected = hash(digest, &message).map_err(CryptoError::from)?;
    memcmp::eq(&expected, received)
        .then_some(())
        .ok_or(not_proved)
}

fn verify_ecdsa(
    parameters: DomainParameters,
    encoded: &[u8],
    digest: MessageDigest,
    challenge: &[u8],
    signature: &[u8],
) -> Result<(), ActiveAuthenticationError> {
    let group = parameters.curve().map_err(CryptoError::from)?;
    let length = group.order_bits().div_ceil(8) as usize;
    let numbers = if signature.len() == 2 * length {
        let (r, s) = signature.split_at(length);
        BigNum::from_slice(r)
            .and_then(|r| EcdsaSig::from_private_components(r, BigNum::from_slice(s)?))
    } else {
        // r ‖ s is the rule; some chips sign in DER.
        let whole = EcdsaSig::from_der(signature);
        whole.and_then(|numbers| match numbers.to_der()? == signature {
            true => Ok(numbers),
            false => Err(ErrorStack::get()),
        })
    };
    let Ok(numbers) = numbers else {
        return Err(ActiveAuthenticationError::Form(
            "it is no r and s of this curve",
        ));
    };
    let public = point(&group, encoded).map_err(|_| ActiveAuthenticationError::NotProved)?;
    let key = EcKey::from_public_key(&group, &public).map_err(CryptoError::from)?;
    let hashed = hash(digest, challenge).map_err(CryptoError::from)?;
    // An error is what openssl has for an r or s out of range.
    match numbers.verify(&hashed, &key) {
        Ok(true) => Ok(()),
        _ => Err(ActiveAuthenticationError::NotProved),
    }
}
