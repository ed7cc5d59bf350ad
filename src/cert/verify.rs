//! Verifying signatures: P-256 and P-384 in Rust, the other curves and RSA by openssl.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::RsaPssSaltlen;
use p256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::algorithm::{Curve, KeyAlgorithm};
use crate::hash::Hash;
use crate::other_key;
use crate::public_key::{EcPublicKey, PublicKey};
use crate::rsa::RsaPublicKey;
use crate::signature::{EcdsaSignature, SignatureError};
use crate::signature_algorithm::SignatureAlgorithm;

impl PublicKey {
    /// Verifies a signature over `message` in the form that certificates have: ECDSA in DER, RSA
    /// as long as the modulus.
    ///
    /// SHA-1 is accepted where the caller names it; no algorithm that was read from a certificate
    /// or request names it.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let hash = algorithm.hash().ok_or(SignatureError::Unsupported)?;
        self.verify_prehashed(algorithm, &hash.digest(message), signature)
    }

    /// Verifies as [`PublicKey::verify`] does, over a digest by the algorithm's hash.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify_prehashed(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let hash = algorithm.hash().ok_or(SignatureError::Unsupported)?;
        if digest.len() != hash.length() {
            return Err(SignatureError::DigestOf {
                hash,
                length: digest.len(),
            });
        }
        if let Self::Rsa(key) = self
            && !KeyAlgorithm::Rsa(key.length()).may_sign()
        {
            return Err(SignatureError::WeakKey {
                length: key.length(),
            });
        }
        match self {
            Self::Ec(key) if matches!(algorithm, SignatureAlgorithm::Ecdsa(_)) => {
                let signature = EcdsaSignature::from_der(key.curve(), signature)?;
                key.verify(digest, &signature)
            }
            Self::Rsa(key) if !matches!(algorithm, SignatureAlgorithm::Ecdsa(_)) => {
                key.verify(algorithm, hash, digest, signature)
            }
            Self::Other { spki, .. } => other_key::verify(spki, algorithm, hash, digest, signature),
            _ => Err(SignatureError::Unsupported),
        }
    }

    /// Verifies an ECDSA signature over `message`, hashed with `hash`.
    ///
    /// # Errors
    /// [`SignatureError::Wrong`], or [`SignatureError::Unsupported`] for other keys.
    pub fn verify_message(
        &self,
        hash: Hash,
        message: &[u8],
        signature: &EcdsaSignature,
    ) -> Result<(), SignatureError> {
        let Self::Ec(key) = self else {
            return Err(SignatureError::Unsupported);
        };
        key.verify(&hash.digest(message), signature)
    }

    /// Verifies an ECDSA signature over a SHA-2 digest of 32, 48 or 64 bytes (*FIPS 186-5 §6.4.2*;
    /// a digest longer than the curve's order is cut to it).
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify_digest(
        &self,
        digest: &[u8],
        signature: &EcdsaSignature,
    ) -> Result<(), SignatureError> {
        let Self::Ec(key) = self else {
            return Err(SignatureError::Unsupported);
        };
        if !matches!(digest.len(), 32 | 48 | 64) {
            return Err(SignatureError::Digest {
                length: digest.len(),
            });
        }
        key.verify(digest, signature)
    }
}

impl EcPublicKey {
    pub(crate) fn verify(
        &self,
        digest: &[u8],
        signature: &EcdsaSignature,
    ) -> Result<(), SignatureError> {
        let curve = self.curve();
        if signature.curve() != curve {
            return Err(SignatureError::Wrong);
        }
        let raw = signature.as_raw();
        // As a number, a short digest is the same with zeros before it; p384 wants no digest
        // shorter than half its field.
        let mut padded = vec![0; curve.field_length().saturating_sub(digest.len())];
        padded.extend_from_slice(digest);
        let verified = match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(self.point())
                .and_then(|key| {
                    key.verify_prehash(&padded, &p256::ecdsa::Signature::from_slice(raw)?)
                })
                .is_ok(),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(self.point())
                .and_then(|key| {
                    key.verify_prehash(&padded, &p384::ecdsa::Signature::from_slice(raw)?)
                })
                .is_ok(),
            Curve::P521
            | Curve::BrainpoolP256r1
            | Curve::BrainpoolP384r1
            | Curve::BrainpoolP512r1 => {
                let (r, s) = raw.split_at(curve.field_length());
                let verify = || {
                    let key = openssl_key(curve, self.point())?;
                    let signature = EcdsaSig::from_private_components(
                        BigNum::from_slice(r)?,
                        BigNum::from_slice(s)?,
                    )?;
                    signature.verify(digest, &key)
                };
                verify().unwrap_or(false)
            }
        };
        verified.then_some(()).ok_or(SignatureError::Wrong)
    }
}

impl RsaPublicKey {
    fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        hash: Hash,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let expected = self.length().bytes();
        if signature.len() != expected {
            return Err(SignatureError::RsaLength {
                expected,
                actual: signature.len(),
            });
        }
        let verified = self
            .openssl_key()
            .and_then(|key| verify_rsa(&key, algorithm, hash, digest, signature));
        match verified {
            Ok(true) => Ok(()),
            _ => Err(SignatureError::Wrong),
        }
    }

    pub(crate) fn openssl_key(&self) -> Result<PKey<Public>, ErrorStack> {
        let modulus = BigNum::from_slice(self.modulus())?;
        let exponent = BigNum::from_slice(self.exponent())?;
        PKey::from_rsa(Rsa::from_public_components(modulus, exponent)?)
    }
}

/// Verifies a signature of RSA over a digest, whatever the key's length.
pub(crate) fn verify_rsa(
    key: &PKey<Public>,
    algorithm: SignatureAlgorithm,
    hash: Hash,
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    let md = md(hash);
    match algorithm {
        SignatureAlgorithm::RsaPss { salt_length, .. } => {
            context.set_rsa_padding(Padding::PKCS1_PSS)?;
            context.set_signature_md(md)?;
            context.set_rsa_mgf1_md(md)?;
            context.set_rsa_pss_saltlen(RsaPssSaltlen::custom(salt_length.into()))?;
        }
        _ => {
            context.set_rsa_padding(Padding::PKCS1)?;
            context.set_signature_md(md)?;
        }
    }
    context.verify(digest, signature)
}

/// Tells whether an uncompressed point of the right length is on the curve. All curves here have
/// cofactor 1, so that it is then in the right group.
pub(crate) fn is_on_curve(curve: Curve, point: &[u8]) -> bool {
    match curve {
        Curve::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P521 | Curve::BrainpoolP256r1 | Curve::BrainpoolP384r1 | Curve::BrainpoolP512r1 => {
            openssl_key(curve, point).is_ok()
        }
    }
}

/// Returns the point as a key of openssl, which refuses points off the curve.
fn openssl_key(curve: Curve, point: &[u8]) -> Result<EcKey<Public>, ErrorStack> {
    let group = group(curve)?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, point, &mut context)?;
    EcKey::from_public_key(&group, &point)
}

/// Returns the curve. Brainpool's are made of their parameters, so that it does not matter which
/// curves a build of openssl has by name.
fn group(curve: Curve) -> Result<EcGroup, ErrorStack> {
    if curve == Curve::P521 {
        return EcGroup::from_curve_name(Nid::SECP521R1);
    }
    let parameters = curve.domain_parameters();
    let number = BigNum::from_slice;
    let mut context = BigNumContext::new()?;
    let mut group = EcGroup::from_components(
        number(parameters.p)?,
        number(parameters.a)?,
        number(parameters.b)?,
        &mut context,
    )?;
    let generator = EcPoint::from_bytes(&group, parameters.g, &mut context)?;
    group.set_generator(generator, number(parameters.n)?, number(parameters.h)?)?;
    Ok(group)
}

fn md(hash: Hash) -> &'static MdRef {
    match hash {
        Hash::Sha1 => Md::sha1(),
        Hash::Sha224 => Md::sha224(),
        Hash::Sha256 => Md::sha256(),
        Hash::Sha384 => Md::sha384(),
        Hash::Sha512 => Md::sha512(),
    }
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::{Padding, Rsa};
    use openssl::sign::{RsaPssSaltlen, Signer};

    use crate::algorithm::RsaLength;
    use crate::hash::Hash;
    use crate::public_key::PublicKey;
    use crate::signature::{EcdsaSignature, SignatureError};
    use crate::signature_algorithm::SignatureAlgorithm;
    use crate::testing::EC_CURVES;

    const MESSAGE: &[u8] = b"what the chip signed";

    fn theirs(hash: Hash) -> MessageDigest {
        match hash {
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha224 => MessageDigest::sha224(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        }
    }

    #[test]
    fn openssl_s_ecdsa_signatures_verify_on_every_curve_with_every_hash() {
        for (curve, nid) in EC_CURVES {
            let group = EcGroup::from_curve_name(nid).unwrap();
            let private = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
            let key = PublicKey::from_spki_der(&private.public_key_to_der().unwrap()).unwrap();
            for hash in Hash::ALL {
                let mut signer = Signer::new(theirs(hash), &private).unwrap();
                let der = signer.sign_oneshot_to_vec(MESSAGE).unwrap();
                let algorithm = SignatureAlgorithm::Ecdsa(hash);
                key.verify(algorithm, MESSAGE, &der).unwrap();
                let signature = EcdsaSignature::from_der(curve, &der).unwrap();
                key.verify_message(hash, MESSAGE, &signature).unwrap();
                let digest = key.verify_digest(&hash.digest(MESSAGE), &signature);
                match hash {
                    // These have to be named.
                    Hash::Sha1 | Hash::Sha224 => {
                        let length = hash.length();
                        assert_eq!(digest, Err(SignatureError::Digest { length }));
                    }
                    _ => digest.unwrap(),
                }
                let wrong = Err(SignatureError::Wrong);
                assert_eq!(key.verify(algorithm, b"", &der), wrong);
                let mut altered = signature.as_raw().to_vec();
                *altered.last_mut().unwrap() ^= 1;
                let altered = EcdsaSignature::from_raw(curve, &altered).unwrap();
                assert_eq!(key.verify_message(hash, MESSAGE, &altered), wrong);
                let pkcs1 = SignatureAlgorithm::RsaPkcs1(hash);
                assert_eq!(
                    key.verify(pkcs1, MESSAGE, &der),
                    Err(SignatureError::Unsupported)
                );
            }
            // 0 and numbers of the order or more are no signatures.
            for byte in [0, 0xFF] {
                let raw = vec![byte; 2 * curve.field_length()];
                let signature = EcdsaSignature::from_raw(curve, &raw).unwrap();
                assert_eq!(
                    key.verify_message(Hash::Sha256, MESSAGE, &signature),
                    Err(SignatureError::Wrong)
                );
            }
        }
    }

    #[test]
    fn openssl_s_rsa_signatures_verify() {
        let private = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let key = PublicKey::from_spki_der(&private.public_key_to_der().unwrap()).unwrap();
        for hash in Hash::ALL {
            let mut signer = Signer::new(theirs(hash), &private).unwrap();
            let pkcs1 = signer.sign_oneshot_to_vec(MESSAGE).unwrap();
            let mut signer = Signer::new(theirs(hash), &private).unwrap();
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer
                .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
                .unwrap();
            let pss = signer.sign_oneshot_to_vec(MESSAGE).unwrap();
            let pairs = [
                (SignatureAlgorithm::RsaPkcs1(hash), &pkcs1, &pss),
                (SignatureAlgorithm::rsa_pss(hash), &pss, &pkcs1),
            ];
            for (algorithm, good, other) in pairs {
                key.verify(algorithm, MESSAGE, good).unwrap();
                let digest = hash.digest(MESSAGE);
                key.verify_prehashed(algorithm, &digest, good).unwrap();
                assert!(matches!(
                    key.verify_prehashed(algorithm, &digest[1..], good),
                    Err(SignatureError::DigestOf { .. })
                ));
                let wrong = Err(SignatureError::Wrong);
                assert_eq!(key.verify(algorithm, MESSAGE, other), wrong);
                assert_eq!(key.verify(algorithm, b"", good), wrong);
                assert_eq!(key.verify(algorithm, MESSAGE, &[0xFF; 256]), wrong);
                assert_eq!(
                    key.verify(algorithm, MESSAGE, &good[1..]),
                    Err(SignatureError::RsaLength {
                        expected: 256,
                        actual: 255
                    })
                );
            }
            let other_salt = SignatureAlgorithm::RsaPss {
                hash,
                salt_length: 8,
            };
            assert_eq!(
                key.verify(other_salt, MESSAGE, &pss),
                Err(SignatureError::Wrong)
            );
        }
    }

    #[test]
    fn short_rsa_keys_verify_nothing() {
        let private = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
        let key = PublicKey::from_spki_der(&private.public_key_to_der().unwrap()).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &private).unwrap();
        let signature = signer.sign_oneshot_to_vec(MESSAGE).unwrap();
        assert_eq!(
            key.verify(
                SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
                MESSAGE,
                &signature
            ),
            Err(SignatureError::WeakKey {
                length: RsaLength::Bits1024
            })
        );
    }
}
