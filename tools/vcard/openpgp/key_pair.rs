//! Key pairs, by openssl: RSA 2048, P-256 and P-384.

use card::Status;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use serde::{Deserialize, Serialize};

use super::keys::Algorithm;
use crate::applet::{KeyWork, broken};
use crate::objects::{Objects, object};
use crate::rsa::{BYTES, HALF, RsaKey};
use crate::secret::Secret;

/// Longest public exponent, bytes.
const EXPONENT_BYTES: usize = 4;
/// Lengths of hashes that an elliptic curve key signs: SHA-1, SHA-224, SHA-256, SHA-384.
const HASHES: [usize; 4] = [20, 28, 32, 48];

/// A key pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeyPair {
    algorithm: Algorithm,
    /// RSA: the whole key, DER. Elliptic curves: the scalar.
    private: Secret,
    pub(super) imported: bool,
}

impl KeyPair {
    /// Makes a key pair; an RSA key has the public exponent 65537.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self, ErrorStack> {
        let private = match algorithm {
            Algorithm::Rsa { .. } => RsaKey::generate()?.to_der()?,
            Algorithm::Curve(curve) => curve.generate()?.0,
        };
        let imported = false;
        Ok(Self {
            algorithm,
            private,
            imported,
        })
    }

    /// Takes the parts of a foreign key as tags and values.
    pub(super) fn from_parts(algorithm: Algorithm, parts: &[(u8, &[u8])]) -> Result<Self, Status> {
        let private = match (algorithm, parts) {
            (Algorithm::Rsa { exponent }, &[(0x91, e), (0x92, p), (0x93, q)]) => {
                let bits = BigNum::from_slice(e).map_err(broken)?.num_bits();
                let fits = e.len() <= EXPONENT_BYTES && (2..=i32::from(exponent)).contains(&bits);
                if !fits || p.len() != HALF || q.len() != HALF {
                    return Err(Status::WRONG_DATA);
                }
                let key = RsaKey::from_primes(e, p, q).ok_or(Status::WRONG_DATA)?;
                key.to_der().map_err(broken)?
            }
            (Algorithm::Curve(curve), &[(0x92, scalar)]) => {
                if !curve.takes(scalar).map_err(broken)? {
                    return Err(Status::WRONG_DATA);
                }
                Secret::new(scalar)
            }
            _ => return Err(Status::WRONG_DATA),
        };
        let imported = true;
        Ok(Self {
            algorithm,
            private,
            imported,
        })
    }

    /// Returns the bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.private.bytes().len()
    }

    /// Returns what the timing model calls it.
    pub(super) fn work(&self) -> KeyWork {
        self.algorithm.work()
    }

    fn rsa(&self) -> Result<RsaKey, Status> {
        RsaKey::from_der(&self.private).map_err(broken)
    }

    /// Returns `7F49 { 81 modulus, 82 exponent }` or `7F49 { 86 04 ‖ X ‖ Y }`.
    pub(super) fn public(&self) -> Result<Vec<u8>, Status> {
        let parts = match self.algorithm {
            Algorithm::Rsa { .. } => {
                let rsa = self.rsa()?;
                let modulus = object::<0x81>(&rsa.modulus());
                [modulus, object::<0x82>(&rsa.exponent())].concat()
            }
            Algorithm::Curve(curve) => {
                object::<0x86>(&curve.public(&self.private).map_err(broken)?)
            }
        };
        Ok(object::<0x7F49>(&parts))
    }

    /// Signs. RSA: at most 40 % of the modulus, with PKCS #1 padding of type 1 (*§7.2.10*).
    /// Elliptic curves: a hash no longer than the curve's order, gives r ‖ s.
    pub(super) fn sign(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        match self.algorithm {
            Algorithm::Rsa { .. } => {
                if data.is_empty() || data.len() > BYTES * 2 / 5 {
                    return Err(Status::WRONG_DATA);
                }
                self.rsa()?.sign_padded(data).map_err(broken)
            }
            Algorithm::Curve(curve) => {
                if !HASHES.contains(&data.len()) || data.len() > curve.width() {
                    return Err(Status::WRONG_DATA);
                }
                let public = curve.public(&self.private).map_err(broken)?;
                let signature = curve.sign(&self.private, &public, data);
                signature.map_err(broken)
            }
        }
    }

    /// Deciphers: `00 ‖ cryptogram` for RSA, which gives what was padded; for elliptic curves
    /// `A6 { 7F49 { 86 point } }`, which gives X of the product (*§7.2.11*).
    pub(super) fn decipher(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        match (self.algorithm, data) {
            (Algorithm::Rsa { .. }, [0x00, cryptogram @ ..]) => {
                let message = self.rsa()?.decipher_padded(cryptogram);
                message.ok_or(Status::WRONG_DATA)
            }
            (Algorithm::Rsa { .. }, _) => Err(Status::WRONG_DATA),
            (Algorithm::Curve(curve), _) => {
                let template = Objects::single(Objects::single(data, 0xA6)?, 0x7F49)?;
                let point = Objects::single(template, 0x86)?;
                let public = curve.public(&self.private).map_err(broken)?;
                let shared = curve.agree(&self.private, &public, point);
                shared.map_err(broken)?.ok_or(Status::WRONG_DATA)
            }
        }
    }
}
