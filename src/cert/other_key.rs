//! Keys of kinds that no chip and no signer here has, and that other states' certification
//! authorities have: RSA of other lengths, smaller curves. They verify, by openssl, and do nothing
//! else.

use der::asn1::UintRef;
use der::{Decode, Sequence};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Rsa;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::hash::Hash;
use crate::signature::SignatureError;
use crate::signature_algorithm::SignatureAlgorithm;
use crate::verify::verify_rsa;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// A key for RSASSA-PSS alone (*RFC 4055 §1.2*).
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The curves, beside ours, that travel documents are signed on: 112 bits of strength at least.
const CURVES: [Nid; 3] = [Nid::SECP224R1, Nid::BRAINPOOL_P224R1, Nid::BRAINPOOL_P320R1];
/// The lengths of a modulus, in bits: below, a signature means nothing; above, it costs too much.
const MODULUS: std::ops::RangeInclusive<i32> = 2048..=8192;
/// The longest public exponent, in bytes, as [`crate::RsaPublicKey`] has it.
const EXPONENT: usize = 32;

#[derive(Sequence)]
struct Numbers<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// Verifies a signature by a key that is none of ours.
pub(crate) fn verify(
    spki: &[u8],
    algorithm: SignatureAlgorithm,
    hash: Hash,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let unsupported = SignatureError::Unsupported;
    let read = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| unsupported)?;
    let bits = read.subject_public_key.as_bytes().ok_or(unsupported)?;
    let verified = match (read.algorithm.oid, algorithm) {
        (EC, SignatureAlgorithm::Ecdsa(_)) => {
            let key = curve_key(spki).ok_or(unsupported)?;
            verify_ecdsa(&key, digest, signature)
        }
        (RSA, SignatureAlgorithm::RsaPkcs1(_) | SignatureAlgorithm::RsaPss { .. })
        | (RSA_PSS, SignatureAlgorithm::RsaPss { .. }) => {
            let key = rsa_key(bits).ok_or(unsupported)?;
            verify_rsa(&key, algorithm, hash, digest, signature)
        }
        _ => return Err(unsupported),
    };
    match verified {
        Ok(true) => Ok(()),
        _ => Err(SignatureError::Wrong),
    }
}

/// Returns a key on one of [`CURVES`], named or spelt out: openssl finds the name of a curve that is
/// spelt out by all its numbers, the base point included.
fn curve_key(spki: &[u8]) -> Option<PKey<Public>> {
    let key = PKey::public_key_from_der(spki).ok()?;
    if key.id() != Id::EC {
        return None;
    }
    let curve = key.ec_key().ok()?.group().curve_name()?;
    CURVES.contains(&curve).then_some(key)
}

fn rsa_key(bits: &[u8]) -> Option<PKey<Public>> {
    let Numbers { modulus, exponent } = Numbers::from_der(bits).ok()?;
    let modulus = BigNum::from_slice(modulus.as_bytes()).ok()?;
    if !MODULUS.contains(&modulus.num_bits()) || exponent.as_bytes().len() > EXPONENT {
        return None;
    }
    let exponent = BigNum::from_slice(exponent.as_bytes()).ok()?;
    if !modulus.is_odd() || !exponent.is_odd() || exponent.num_bits() < 2 {
        return None;
    }
    PKey::from_rsa(Rsa::from_public_components(modulus, exponent).ok()?).ok()
}

fn verify_ecdsa(key: &PKey<Public>, digest: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    context.verify(digest, signature)
}

#[cfg(test)]
mod tests {
    use openssl::ec::{Asn1Flag, EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use openssl::sign::Signer;

    use crate::hash::Hash;
    use crate::public_key::PublicKey;
    use crate::signature::SignatureError;
    use crate::signature_algorithm::SignatureAlgorithm;

    fn judge(private: &PKey<Private>, algorithm: SignatureAlgorithm) -> Result<(), SignatureError> {
        let mut signer = Signer::new(MessageDigest::sha256(), private).unwrap();
        let signature = signer.sign_oneshot_to_vec(b"message").unwrap();
        let key = PublicKey::from_spki_der(&private.public_key_to_der().unwrap()).unwrap();
        assert!(matches!(key, PublicKey::Other { .. }));
        assert!(key.verify(algorithm, b"another", &signature).is_err());
        key.verify(algorithm, b"message", &signature)
    }

    #[test]
    fn small_curves_verify_and_unknown_ones_do_not() {
        for (nid, known) in [
            (Nid::SECP224R1, true),
            (Nid::BRAINPOOL_P224R1, true),
            (Nid::BRAINPOOL_P320R1, true),
            (Nid::SECP256K1, false),
            (Nid::X9_62_PRIME192V1, false),
        ] {
            for flag in [Asn1Flag::NAMED_CURVE, Asn1Flag::EXPLICIT_CURVE] {
                let mut group = EcGroup::from_curve_name(nid).unwrap();
                group.set_asn1_flag(flag);
                let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
                let expected = known.then_some(()).ok_or(SignatureError::Unsupported);
                let algorithm = SignatureAlgorithm::Ecdsa(Hash::Sha256);
                assert_eq!(judge(&key, algorithm), expected, "{nid:?}");
            }
        }
    }

    #[test]
    fn rsa_keys_of_other_lengths_verify_where_they_are_strong() {
        let algorithm = SignatureAlgorithm::RsaPkcs1(Hash::Sha256);
        for (bits, expected) in [(2304, Ok(())), (1536, Err(SignatureError::Unsupported))] {
            let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
            assert_eq!(judge(&key, algorithm), expected, "{bits}");
        }
    }
}
