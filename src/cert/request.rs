//! Certification requests (PKCS#10, *RFC 2986*) that a chip signs.
//!
//! The chip never sees the request: it gets the digest of [`RequestInfo::to_be_signed`], or that
//! digest padded ([`crate::emsa_pkcs1_v1_5`]), and answers r ‖ s or an RSA signature. Names and
//! usages come from the application and the profile, never from the request; what a request proves
//! is that the chip has the private key.

use der::asn1::{AnyRef, BitStringRef, SetOfVec};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use x509_cert::attr::Attribute;

use crate::algorithm::{Curve, KeyAlgorithm};
use crate::certificate::SignedData;
use crate::hash::Hash;
use crate::name::{DistinguishedName, NameError};
use crate::public_key::{PublicKey, PublicKeyError};
use crate::signature::{SignatureError, certificate_form};
use crate::signature_algorithm::SignatureAlgorithm;

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 16_384;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than any request needs to be.
    #[error("a request is at most {MAX_REQUEST} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not a request in DER.
    #[error("not a PKCS#10 request in DER")]
    Syntax(#[source] der::Error),
    /// Its version is not 0 (*RFC 2986 §4.1*).
    #[error("not a version 1 request")]
    Version,
    /// Its subject does not read.
    #[error("the request's subject is malformed")]
    Subject(#[source] NameError),
    /// Its public key does not read.
    #[error("the request's public key is malformed")]
    PublicKey(#[source] PublicKeyError),
    /// Such a key does not sign so.
    #[error("a {} key makes no request signed by {algorithm}", key.map_or("foreign".to_owned(), |k| k.to_string()))]
    Algorithm {
        /// The kind of key, if it is a known one.
        key: Option<KeyAlgorithm>,
        /// How it was to sign.
        algorithm: SignatureAlgorithm,
    },
    /// The requester does not have the private key, or the request was altered.
    #[error("the request does not prove possession of its private key")]
    Possession(#[source] SignatureError),
}

#[derive(Sequence)]
struct CertificationRequestInfo<'a> {
    version: u8,
    subject: AnyRef<'a>,
    public_key: SubjectPublicKeyInfoRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    attributes: SetOfVec<Attribute>,
}

/// What a chip is to sign: name and public key.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    key: KeyAlgorithm,
    algorithm: SignatureAlgorithm,
    hash: Hash,
    to_be_signed: Vec<u8>,
}

impl RequestInfo {
    /// Returns the request for this name and this uncompressed point, 04 ‖ x ‖ y, to be signed by
    /// ECDSA with the hash of the curve's strength.
    ///
    /// # Errors
    /// [`RequestError::PublicKey`] for a point that is not on the curve.
    pub fn new(
        subject: &DistinguishedName,
        curve: Curve,
        point: &[u8],
    ) -> Result<Self, RequestError> {
        let key = PublicKey::from_point(curve, point).map_err(RequestError::PublicKey)?;
        Self::for_key(subject, &key, SignatureAlgorithm::Ecdsa(curve.hash()))
    }

    /// Returns the request for this name and key, to be signed by `algorithm`; where the chip
    /// leaves the choice, [`KeyAlgorithm::signature_algorithm`] is a good one.
    ///
    /// # Errors
    /// [`RequestError::Algorithm`] for a key that does not sign so, among them RSA with 1024 bits.
    pub fn for_key(
        subject: &DistinguishedName,
        key: &PublicKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<Self, RequestError> {
        let unfit = RequestError::Algorithm {
            key: key.algorithm(),
            algorithm,
        };
        let spki = key.to_spki_der().map_err(RequestError::PublicKey)?;
        let key = key.algorithm().filter(|key| algorithm.fits(*key));
        let (Some(key), Some(hash)) = (key, algorithm.hash()) else {
            return Err(unfit);
        };
        let encode = || {
            CertificationRequestInfo {
                version: 0,
                subject: AnyRef::from_der(subject.as_der())?,
                public_key: SubjectPublicKeyInfoRef::from_der(&spki)?,
                attributes: SetOfVec::new(),
            }
            .to_der()
        };
        Ok(Self {
            key,
            algorithm,
            hash,
            to_be_signed: encode().map_err(RequestError::Syntax)?,
        })
    }

    /// Returns the bytes that the signature is over.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// Returns how the request is to be signed.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns the hash that the signature uses.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Returns the digest that a chip is given to sign, as long as [`RequestInfo::hash`] makes it.
    pub fn digest(&self) -> Vec<u8> {
        self.hash.digest(&self.to_be_signed)
    }

    /// Returns the request in DER, with the signature as the chip answered it: r ‖ s or ECDSA in
    /// DER, or RSA as long as the modulus (see [`certificate_form`]). The signature is not judged
    /// here; [`Request::parse_and_verify`] does that, on both ends.
    ///
    /// # Errors
    /// [`RequestError::Possession`] for a signature of neither form.
    pub fn assemble(&self, signature: &[u8]) -> Result<Vec<u8>, RequestError> {
        let signature = certificate_form(self.key, signature).map_err(RequestError::Possession)?;
        let encode = || {
            let algorithm = self.algorithm.to_der()?;
            SignedData {
                tbs: AnyRef::from_der(&self.to_be_signed)?,
                algorithm: AlgorithmIdentifierRef::from_der(&algorithm)?,
                signature: BitStringRef::from_bytes(&signature)?,
            }
            .to_der()
        };
        encode().map_err(RequestError::Syntax)
    }
}

/// A request whose sender has the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    subject: DistinguishedName,
    public_key: PublicKey,
    algorithm: SignatureAlgorithm,
}

impl Request {
    /// Reads a request from DER and verifies its signature under its own key: ECDSA or RSA with a
    /// SHA-2 hash, RSA with 2048 bits at least.
    ///
    /// Attributes are allowed and not looked at: whoever asks does not decide what is certified.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse_and_verify(der: &[u8]) -> Result<Self, RequestError> {
        Self::read(der, SignatureAlgorithm::read)
    }

    /// Reads and verifies as [`Request::parse_and_verify`] does, and accepts SHA-1 as well: for
    /// chips that hash with nothing else inside, and whose profile says so. The request's bytes
    /// were made here and hold no more than a name and a key, so that a collision gains nothing.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse_and_verify_allowing_sha1(der: &[u8]) -> Result<Self, RequestError> {
        Self::read(der, SignatureAlgorithm::read_with_sha1)
    }

    fn read(
        der: &[u8],
        read_algorithm: fn(&AlgorithmIdentifierRef<'_>) -> SignatureAlgorithm,
    ) -> Result<Self, RequestError> {
        if der.len() > MAX_REQUEST {
            return Err(RequestError::TooLong { length: der.len() });
        }
        let outer = SignedData::from_der(der).map_err(RequestError::Syntax)?;
        let tbs = outer.tbs.to_der().map_err(RequestError::Syntax)?;
        let info = CertificationRequestInfo::from_der(&tbs).map_err(RequestError::Syntax)?;
        if info.version != 0 {
            return Err(RequestError::Version);
        }
        let subject = info.subject.to_der().map_err(RequestError::Syntax)?;
        let subject = DistinguishedName::from_der(&subject).map_err(RequestError::Subject)?;
        let spki = info.public_key.to_der().map_err(RequestError::Syntax)?;
        let public_key = PublicKey::from_spki_der(&spki).map_err(RequestError::PublicKey)?;
        let algorithm = read_algorithm(&outer.algorithm);
        let signature = outer
            .signature
            .as_bytes()
            .ok_or_else(|| RequestError::Syntax(der::Tag::BitString.value_error().into()))?;
        public_key
            .verify(algorithm, &tbs, signature)
            .map_err(RequestError::Possession)?;
        Ok(Self {
            subject,
            public_key,
            algorithm,
        })
    }

    /// Returns the name that the request asks for.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Returns the public key whose private key signed the request.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Returns how the request is signed.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests;
