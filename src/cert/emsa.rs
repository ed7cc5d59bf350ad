//! What an RSA chip signs that does the bare RSA operation, or pads only in part
//! (*RFC 8017 §9*).
//!
//! ```text
//!   digest ──► digest_info() ──► a chip that pads with PKCS#1 v1.5 itself
//!     │              └──► emsa_pkcs1_v1_5() ──► a chip that does m^d mod n
//!     └──► emsa_pss(salt) ────────────────────► a chip that does m^d mod n
//! ```

use der::asn1::{AnyRef, OctetStringRef};
use der::{Encode, Sequence};
use spki::AlgorithmIdentifierRef;

use crate::hash::Hash;

/// Why a digest was not padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmsaError {
    /// The digest is not of that hash.
    #[error("a digest of {length} bytes is not of {hash}, which gives {}", hash.length())]
    Digest {
        /// The hash.
        hash: Hash,
        /// The length in bytes.
        length: usize,
    },
    /// The modulus has no room for the padded digest.
    #[error("a modulus of {bits} bits is too short for this padding with {hash}")]
    ModulusTooShort {
        /// The hash.
        hash: Hash,
        /// The length of the modulus in bits.
        bits: usize,
    },
    /// The modulus is longer than any that is used.
    #[error("a modulus of {bits} bits is longer than {MAX_MODULUS_BITS}")]
    ModulusTooLong {
        /// The length of the modulus in bits.
        bits: usize,
    },
}

/// The longest modulus that is padded for, in bits: a bound on memory.
const MAX_MODULUS_BITS: usize = 16_384;

#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    digest: &'a OctetStringRef,
}

/// Returns `DigestInfo` in DER: the hash's identifier with NULL parameters, and the digest
/// (*RFC 8017 §9.2, note 1*).
///
/// # Errors
/// [`EmsaError::Digest`].
pub fn digest_info(hash: Hash, digest: &[u8]) -> Result<Vec<u8>, EmsaError> {
    let wrong = EmsaError::Digest {
        hash,
        length: digest.len(),
    };
    if digest.len() != hash.length() {
        return Err(wrong);
    }
    let encode = || {
        DigestInfo {
            algorithm: AlgorithmIdentifierRef {
                oid: hash.oid(),
                parameters: Some(AnyRef::NULL),
            },
            digest: OctetStringRef::new(digest)?,
        }
        .to_der()
    };
    encode().map_err(|_| wrong)
}

/// Returns the block that RSASSA-PKCS1-v1_5 signs, as long as the modulus:
/// 00 ‖ 01 ‖ FF… ‖ 00 ‖ [`digest_info`] (*RFC 8017 §9.2*). `modulus_length` is in bytes.
///
/// # Errors
/// [`EmsaError`].
pub fn emsa_pkcs1_v1_5(
    hash: Hash,
    digest: &[u8],
    modulus_length: usize,
) -> Result<Vec<u8>, EmsaError> {
    check_modulus(modulus_length.saturating_mul(8))?;
    let info = digest_info(hash, digest)?;
    // At least eight bytes of FF.
    let filler = modulus_length
        .checked_sub(info.len() + 3)
        .filter(|filler| *filler >= 8)
        .ok_or(EmsaError::ModulusTooShort {
            hash,
            bits: modulus_length * 8,
        })?;
    let mut block = vec![0xFF; filler + 2];
    block[..2].copy_from_slice(&[0, 1]);
    block.push(0);
    block.extend(info);
    Ok(block)
}

/// Returns the block that RSASSA-PSS signs, with MGF1 over the same hash (*RFC 8017 §9.1.1*).
///
/// The block is as long as `modulus_bits` - 1 bits need, which is the length of the modulus where
/// `modulus_bits` is a multiple of 8. The salt must be random and used once.
///
/// # Errors
/// [`EmsaError`].
pub fn emsa_pss(
    hash: Hash,
    digest: &[u8],
    salt: &[u8],
    modulus_bits: usize,
) -> Result<Vec<u8>, EmsaError> {
    check_modulus(modulus_bits)?;
    if digest.len() != hash.length() {
        return Err(EmsaError::Digest {
            hash,
            length: digest.len(),
        });
    }
    let short = EmsaError::ModulusTooShort {
        hash,
        bits: modulus_bits,
    };
    let bits = modulus_bits.checked_sub(1).ok_or(short)?;
    let length = bits.div_ceil(8);
    let filler = length
        .checked_sub(digest.len() + salt.len() + 2)
        .ok_or(short)?;
    let h = hash.digest(&[&[0; 8], digest, salt].concat());
    let mut block = vec![0; filler];
    block.push(1);
    block.extend_from_slice(salt);
    let mask = mgf1(hash, &h, block.len());
    for (byte, mask) in block.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    // The block as a number stays below the modulus.
    if let Some(first) = block.first_mut() {
        *first &= 0xFF >> (8 * length - bits);
    }
    block.extend(h);
    block.push(0xBC);
    Ok(block)
}

/// MGF1 (*RFC 8017 Appendix B.2.1*); `length` is within a modulus, so that the counter does not
/// overflow.
fn mgf1(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|counter| hash.digest(&[seed, &counter.to_be_bytes()].concat()))
        .take(length)
        .collect()
}

fn check_modulus(bits: usize) -> Result<(), EmsaError> {
    if bits > MAX_MODULUS_BITS {
        return Err(EmsaError::ModulusTooLong { bits });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;
    use openssl::rsa::{Padding, Rsa};
    use proptest::prelude::*;

    use super::{EmsaError, digest_info, emsa_pkcs1_v1_5, emsa_pss};
    use crate::hash::Hash;
    use crate::public_key::PublicKey;
    use crate::signature_algorithm::SignatureAlgorithm;

    #[test]
    fn digest_info_begins_as_the_standard_says() {
        // RFC 8017 §9.2, note 1.
        for (hash, prefix) in [
            (Hash::Sha1, "3021300906052b0e03021a05000414"),
            (Hash::Sha224, "302d300d06096086480165030402040500041c"),
            (Hash::Sha256, "3031300d060960864801650304020105000420"),
            (Hash::Sha384, "3041300d060960864801650304020205000430"),
            (Hash::Sha512, "3051300d060960864801650304020305000440"),
        ] {
            let digest = vec![0xA5; hash.length()];
            let info = digest_info(hash, &digest).unwrap();
            assert_eq!(
                hex::encode(&info),
                prefix.to_owned() + &hex::encode(&digest)
            );
            assert!(digest_info(hash, &digest[1..]).is_err());
        }
    }

    /// Stands for a chip that does nothing but m^d mod n; openssl and our verifier judge.
    #[test]
    fn padded_blocks_make_signatures() {
        let key = Rsa::generate(2048).unwrap();
        let ours = PublicKey::from_rsa(&key.n().to_vec(), &key.e().to_vec()).unwrap();
        let theirs = PKey::from_rsa(key.clone()).unwrap();
        let bare = |block: &[u8]| {
            let mut signature = vec![0; 256];
            assert_eq!(
                key.private_encrypt(block, &mut signature, Padding::NONE)
                    .unwrap(),
                256
            );
            signature
        };
        let message = b"Lieta, kas jaaparaksta";
        for hash in Hash::ALL {
            let digest = hash.digest(message);
            let signature = bare(&emsa_pkcs1_v1_5(hash, &digest, 256).unwrap());
            ours.verify(SignatureAlgorithm::RsaPkcs1(hash), message, &signature)
                .unwrap();
            let mut whole = vec![0; 256];
            let info = digest_info(hash, &digest).unwrap();
            key.private_encrypt(&info, &mut whole, Padding::PKCS1)
                .unwrap();
            assert_eq!(whole, signature);
            for salt in [&[][..], &[7; 20], &[0xFF; 64]] {
                let signature = bare(&emsa_pss(hash, &digest, salt, 2048).unwrap());
                let mut context = openssl::pkey_ctx::PkeyCtx::new(&theirs).unwrap();
                context.verify_init().unwrap();
                context.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                let md = openssl::md::Md::from_nid(match hash {
                    Hash::Sha1 => openssl::nid::Nid::SHA1,
                    Hash::Sha224 => openssl::nid::Nid::SHA224,
                    Hash::Sha256 => openssl::nid::Nid::SHA256,
                    Hash::Sha384 => openssl::nid::Nid::SHA384,
                    Hash::Sha512 => openssl::nid::Nid::SHA512,
                })
                .unwrap();
                context.set_signature_md(md).unwrap();
                let length = i32::try_from(salt.len()).unwrap();
                context
                    .set_rsa_pss_saltlen(openssl::sign::RsaPssSaltlen::custom(length))
                    .unwrap();
                assert!(context.verify(&digest, &signature).unwrap());
            }
        }
    }

    #[test]
    fn small_and_huge_moduli_are_refused() {
        let digest = [0; 64];
        let short = |bits| EmsaError::ModulusTooShort {
            hash: Hash::Sha512,
            bits,
        };
        // 83 bytes of DigestInfo, 3 and 8.
        assert!(emsa_pkcs1_v1_5(Hash::Sha512, &digest, 94).is_ok());
        for length in [0, 2, 93] {
            assert_eq!(
                emsa_pkcs1_v1_5(Hash::Sha512, &digest, length),
                Err(short(length * 8))
            );
        }
        assert!(emsa_pss(Hash::Sha512, &digest, &[], 66 * 8).is_ok());
        for bits in [0, 1, 65 * 8] {
            assert_eq!(emsa_pss(Hash::Sha512, &digest, &[], bits), Err(short(bits)));
        }
        assert!(emsa_pss(Hash::Sha512, &digest, &[], usize::MAX).is_err());
        assert!(emsa_pkcs1_v1_5(Hash::Sha512, &digest, usize::MAX).is_err());
    }

    proptest! {
        #[test]
        fn pss_blocks_stay_below_the_modulus(bits in 528_usize..1100, salt in 0_usize..20) {
            if let Ok(block) = emsa_pss(Hash::Sha256, &[3; 32], &vec![1; salt], bits) {
                prop_assert_eq!(block.len(), (bits - 1).div_ceil(8));
                let zeros = 8 * block.len() - (bits - 1);
                prop_assert!(block[0].leading_zeros() as usize >= zeros);
            }
        }
    }
}
