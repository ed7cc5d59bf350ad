//! How certificates and requests say that they are signed.

use std::fmt;

use der::asn1::AnyRef;
use der::{Encode, Sequence};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};

use crate::algorithm::KeyAlgorithm;
use crate::hash::Hash;

/// The algorithm with which a certificate or request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ECDSA over that hash (*RFC 5758 §3.2*); the curve is the key's.
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5 over that hash (*RFC 8017 §8.2*).
    RsaPkcs1(Hash),
    /// RSASSA-PSS over that hash, with MGF1 over the same (*RFC 8017 §8.1*).
    RsaPss {
        /// The hash of message and mask.
        hash: Hash,
        /// The length of the salt in bytes; usually that of the hash.
        salt_length: u16,
    },
    /// Any other; it is read, and never verified.
    Other(ObjectIdentifier),
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = oid("1.2.840.113549.1.1.8");

/// `RSASSA-PSS-params` (*RFC 4055 §3.1*): what is left out is SHA-1, MGF1 with SHA-1, 20 and 1.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_length: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

impl SignatureAlgorithm {
    /// Returns RSASSA-PSS over that hash, with a salt of its length.
    pub fn rsa_pss(hash: Hash) -> Self {
        let salt_length = match hash {
            Hash::Sha1 => 20,
            Hash::Sha224 => 28,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        };
        Self::RsaPss { hash, salt_length }
    }

    /// Returns the algorithm that an `AlgorithmIdentifier` names. ECDSA has no parameters
    /// (*RFC 5758 §3.2*), and with any it is not ECDSA; those over SHA-1 are
    /// [`SignatureAlgorithm::Other`].
    pub(crate) fn read(identifier: &AlgorithmIdentifierRef<'_>) -> Self {
        match Self::read_with_sha1(identifier) {
            weak if weak.hash() == Some(Hash::Sha1) => Self::Other(identifier.oid),
            read => read,
        }
    }

    /// Reads as [`SignatureAlgorithm::read`] does, and knows SHA-1 as well.
    pub(crate) fn read_with_sha1(identifier: &AlgorithmIdentifierRef<'_>) -> Self {
        let other = Self::Other(identifier.oid);
        if identifier.oid == RSA_PSS {
            return read_pss(identifier).unwrap_or(other);
        }
        Hash::ALL
            .into_iter()
            .flat_map(|hash| [Self::Ecdsa(hash), Self::RsaPkcs1(hash)])
            .find(|known| known.oid() == identifier.oid)
            .filter(|known| match known {
                Self::Ecdsa(_) => identifier.parameters.is_none(),
                _ => is_null_or_absent(identifier),
            })
            .unwrap_or(other)
    }

    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Ecdsa(Hash::Sha1) => const { oid("1.2.840.10045.4.1") },
            Self::Ecdsa(Hash::Sha224) => const { oid("1.2.840.10045.4.3.1") },
            Self::Ecdsa(Hash::Sha256) => const { oid("1.2.840.10045.4.3.2") },
            Self::Ecdsa(Hash::Sha384) => const { oid("1.2.840.10045.4.3.3") },
            Self::Ecdsa(Hash::Sha512) => const { oid("1.2.840.10045.4.3.4") },
            Self::RsaPkcs1(Hash::Sha1) => const { oid("1.2.840.113549.1.1.5") },
            Self::RsaPkcs1(Hash::Sha224) => const { oid("1.2.840.113549.1.1.14") },
            Self::RsaPkcs1(Hash::Sha256) => const { oid("1.2.840.113549.1.1.11") },
            Self::RsaPkcs1(Hash::Sha384) => const { oid("1.2.840.113549.1.1.12") },
            Self::RsaPkcs1(Hash::Sha512) => const { oid("1.2.840.113549.1.1.13") },
            Self::RsaPss { .. } => RSA_PSS,
            Self::Other(oid) => oid,
        }
    }

    /// Returns the hash, if the algorithm is a known one.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Ecdsa(hash) | Self::RsaPkcs1(hash) | Self::RsaPss { hash, .. } => Some(hash),
            Self::Other(_) => None,
        }
    }

    /// Returns whether a key of this kind signs so, and whether its signature is worth something
    /// ([`KeyAlgorithm::may_sign`]).
    pub fn fits(self, key: KeyAlgorithm) -> bool {
        let kind = match (self, key) {
            (Self::Ecdsa(_), KeyAlgorithm::Ec(_)) | (Self::RsaPkcs1(_), KeyAlgorithm::Rsa(_)) => {
                true
            }
            // The padded block holds hash, salt and two bytes more (RFC 8017 §9.1.1).
            (Self::RsaPss { hash, salt_length }, KeyAlgorithm::Rsa(length)) => {
                hash.length() + usize::from(salt_length) + 2 <= length.bytes()
            }
            _ => false,
        };
        kind && key.may_sign()
    }

    /// Returns the algorithm as `AlgorithmIdentifier` in DER.
    ///
    /// # Errors
    /// In theory only.
    pub fn to_der(self) -> der::Result<Vec<u8>> {
        let plain = |parameters| AlgorithmIdentifierRef {
            oid: self.oid(),
            parameters,
        };
        match self {
            Self::Ecdsa(_) | Self::Other(_) => plain(None).to_der(),
            Self::RsaPkcs1(_) => plain(Some(AnyRef::NULL)).to_der(),
            Self::RsaPss { hash, salt_length } => {
                let hash_identifier = AlgorithmIdentifierRef {
                    oid: hash.oid(),
                    parameters: Some(AnyRef::NULL),
                };
                let inner = hash_identifier.to_der()?;
                let mask_identifier = AlgorithmIdentifierRef {
                    oid: MGF1,
                    parameters: Some(AnyRef::try_from(inner.as_slice())?),
                };
                // DER leaves defaults out (X.690 §11.5).
                let with_sha1 = hash == Hash::Sha1;
                let parameters = PssParameters {
                    hash: (!with_sha1).then_some(hash_identifier),
                    mask: (!with_sha1).then_some(mask_identifier),
                    salt_length: (salt_length != 20).then_some(salt_length),
                    trailer: None,
                }
                .to_der()?;
                plain(Some(AnyRef::try_from(parameters.as_slice())?)).to_der()
            }
        }
    }
}

fn read_pss(identifier: &AlgorithmIdentifierRef<'_>) -> Option<SignatureAlgorithm> {
    let parameters: PssParameters<'_> = identifier.parameters?.decode_as().ok()?;
    let hash_of = |identifier: &AlgorithmIdentifierRef<'_>| {
        is_null_or_absent(identifier)
            .then(|| Hash::from_oid(identifier.oid))
            .flatten()
    };
    let hash = parameters.hash.as_ref().map_or(Some(Hash::Sha1), hash_of)?;
    let mask = match parameters.mask {
        None => Hash::Sha1,
        Some(mask) if mask.oid == MGF1 => hash_of(&mask.parameters?.decode_as().ok()?)?,
        Some(_) => return None,
    };
    let usual = mask == hash && parameters.trailer.is_none_or(|trailer| trailer == 1);
    usual.then_some(SignatureAlgorithm::RsaPss {
        hash,
        salt_length: parameters.salt_length.unwrap_or(20),
    })
}

/// RSA's and the hashes' parameters are NULL or left out (*RFC 4055 §2.1, §5*).
fn is_null_or_absent(identifier: &AlgorithmIdentifierRef<'_>) -> bool {
    identifier.parameters.is_none_or(|any| any.is_null())
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ecdsa(hash) => write!(f, "ECDSA with {hash}"),
            Self::RsaPkcs1(hash) => write!(f, "RSA PKCS#1 v1.5 with {hash}"),
            Self::RsaPss { hash, salt_length } => {
                write!(f, "RSA-PSS with {hash} and {salt_length} bytes of salt")
            }
            Self::Other(oid) => write!(f, "algorithm {oid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use der::Decode;
    use proptest::prelude::*;
    use spki::AlgorithmIdentifierRef;

    use super::SignatureAlgorithm;
    use crate::algorithm::{Curve, KeyAlgorithm, RsaLength};
    use crate::hash::Hash;

    fn read(der: &[u8]) -> SignatureAlgorithm {
        SignatureAlgorithm::read(&AlgorithmIdentifierRef::from_der(der).unwrap())
    }

    #[test]
    fn identifiers_round_trip_and_sha1_is_not_known() {
        for hash in Hash::ALL {
            for algorithm in [
                SignatureAlgorithm::Ecdsa(hash),
                SignatureAlgorithm::RsaPkcs1(hash),
                SignatureAlgorithm::rsa_pss(hash),
                SignatureAlgorithm::RsaPss {
                    hash,
                    salt_length: 0,
                },
            ] {
                let der = algorithm.to_der().unwrap();
                let identifier = AlgorithmIdentifierRef::from_der(&der).unwrap();
                assert_eq!(SignatureAlgorithm::read_with_sha1(&identifier), algorithm);
                let expected = match hash {
                    Hash::Sha1 => SignatureAlgorithm::Other(algorithm.oid()),
                    _ => algorithm,
                };
                assert_eq!(read(&der), expected);
            }
        }
    }

    #[test]
    fn odd_parameters_are_another_algorithm() {
        for odd in [
            // ECDSA with NULL.
            "300c06082a8648ce3d0403020500",
            // sha256WithRSAEncryption with an INTEGER.
            "300e06092a864886f70d01010b020101",
            // RSASSA-PSS without parameters, and with an empty sequence: SHA-1.
            "300b06092a864886f70d01010a",
            "300d06092a864886f70d01010a3000",
            // RSASSA-PSS, SHA-256, and MGF1 with SHA-1 by default.
            "301e06092a864886f70d01010a3011a00f300d06096086480165030402010500",
        ] {
            let read = read(&hex::decode(odd).unwrap());
            assert!(matches!(read, SignatureAlgorithm::Other(_)), "{odd}");
        }
    }

    #[test]
    fn keys_sign_in_their_own_way() {
        let ec = KeyAlgorithm::Ec(Curve::P256);
        let rsa = KeyAlgorithm::Rsa(RsaLength::Bits2048);
        let weak = KeyAlgorithm::Rsa(RsaLength::Bits1024);
        let pkcs1 = SignatureAlgorithm::RsaPkcs1(Hash::Sha256);
        assert!(pkcs1.fits(rsa) && !pkcs1.fits(ec) && !pkcs1.fits(weak));
        let pss = |salt_length| SignatureAlgorithm::RsaPss {
            hash: Hash::Sha256,
            salt_length,
        };
        assert!(pss(222).fits(rsa) && !pss(223).fits(rsa) && !pss(32).fits(ec));
        assert!(SignatureAlgorithm::Ecdsa(Hash::Sha512).fits(ec));
        assert!(!SignatureAlgorithm::Ecdsa(Hash::Sha512).fits(rsa));
    }

    proptest! {
        #[test]
        fn any_parameters_are_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let pss = "06092a864886f70d01010a";
            let mut der = hex::decode(pss).unwrap();
            der.extend(&bytes);
            let length = u8::try_from(der.len()).unwrap();
            der.splice(0..0, [0x30, length]);
            if let Ok(identifier) = AlgorithmIdentifierRef::from_der(&der) {
                let _ = SignatureAlgorithm::read_with_sha1(&identifier);
            }
        }
    }
}
