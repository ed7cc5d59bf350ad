//! The password-based MAC (*RFC 9810 §5.1.3.1*, *RFC 9481 §6.1.1*).

use der::Decode;
use der::asn1::{Any, OctetString};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha384, Sha512};
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use zeroize::{Zeroize, Zeroizing};

use crate::cmp::body::PbmParameter;
use crate::cmp::header::any;
use crate::cmp::protection::ProtectionError;

/// `id-PasswordBasedMac`.
pub(crate) const PASSWORD_BASED_MAC: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113533.7.66.13");

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.8.1.2");
const HMAC_WITH_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");

/// How often a message of ours hashes the secret: openssl's way of 500 is easily searched; the
/// secrets are long random ones all the same.
const ITERATIONS: u32 = 10_000;
/// The fewest that are accepted (*§5.1.3.1*).
const FEWEST: u32 = 100;
/// The most: a stranger must not choose how long a receiver counts.
const MOST: u32 = 100_000;
/// The lengths of salt that are accepted, in bytes.
const SALT: std::ops::RangeInclusive<usize> = 8..=128;

/// Returns the algorithm of a new MAC, with a salt that is used once.
pub(crate) fn algorithm(salt: [u8; 16]) -> der::Result<AlgorithmIdentifierOwned> {
    let parameters = PbmParameter {
        salt: OctetString::new(salt)?,
        owf: plain(SHA256),
        iteration_count: ITERATIONS,
        mac: AlgorithmIdentifierOwned {
            oid: HMAC_WITH_SHA256,
            parameters: Some(Any::null()),
        },
    };
    Ok(AlgorithmIdentifierOwned {
        oid: PASSWORD_BASED_MAC,
        parameters: Some(any(&parameters)?),
    })
}

fn plain(oid: ObjectIdentifier) -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid,
        parameters: None,
    }
}

/// A key that was made for one message.
pub(crate) struct PasswordMac {
    key: Zeroizing<Vec<u8>>,
    mac: ObjectIdentifier,
}

impl PasswordMac {
    /// Derives the key that an algorithm asks for.
    pub(crate) fn derive(
        algorithm: &AlgorithmIdentifierOwned,
        secret: &[u8],
    ) -> Result<Self, ProtectionError> {
        let malformed = |()| ProtectionError::Parameters;
        let parameters = algorithm.parameters.as_ref();
        let parameters = parameters.ok_or(ProtectionError::Parameters)?;
        let parameters: PbmParameter = der::Encode::to_der(parameters)
            .and_then(|der| PbmParameter::from_der(&der))
            .map_err(|_| malformed(()))?;
        let count = parameters.iteration_count;
        if !(FEWEST..=MOST).contains(&count) {
            return Err(ProtectionError::Iterations { count });
        }
        let salt = parameters.salt.as_bytes();
        if !SALT.contains(&salt.len()) {
            return Err(ProtectionError::Parameters);
        }
        let key = match parameters.owf.oid {
            SHA256 => base_key::<Sha256>(secret, salt, count),
            SHA384 => base_key::<Sha384>(secret, salt, count),
            SHA512 => base_key::<Sha512>(secret, salt, count),
            oid => return Err(ProtectionError::Algorithm { oid }),
        };
        Ok(Self {
            key,
            mac: parameters.mac.oid,
        })
    }

    /// Returns the MAC over a message's protected part.
    pub(crate) fn compute(&self, message: &[u8]) -> Result<Vec<u8>, ProtectionError> {
        match self.mac {
            HMAC_SHA1 | HMAC_WITH_SHA1 => self.keyed::<Hmac<Sha1>>(message),
            HMAC_WITH_SHA256 => self.keyed::<Hmac<Sha256>>(message),
            HMAC_WITH_SHA384 => self.keyed::<Hmac<Sha384>>(message),
            HMAC_WITH_SHA512 => self.keyed::<Hmac<Sha512>>(message),
            oid => Err(ProtectionError::Algorithm { oid }),
        }
    }

    fn keyed<M: Mac + KeyInit>(&self, message: &[u8]) -> Result<Vec<u8>, ProtectionError> {
        let mut mac =
            <M as KeyInit>::new_from_slice(&self.key).map_err(|_| ProtectionError::Parameters)?;
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

/// Returns the base key: secret ‖ salt, hashed so often.
fn base_key<D: Digest>(secret: &[u8], salt: &[u8], count: u32) -> Zeroizing<Vec<u8>> {
    let mut key = D::new().chain_update(secret).chain_update(salt).finalize();
    for _ in 1..count {
        key = D::digest(&key);
    }
    let kept = Zeroizing::new(key.to_vec());
    key.as_mut_slice().zeroize();
    kept
}
