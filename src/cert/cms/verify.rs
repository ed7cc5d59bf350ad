//! Verifying a signed message (*RFC 5652 §5.4, §5.6*).

use spki::ObjectIdentifier;

use super::DATA;
use super::parse::{SignedData, SignerInfo};
use crate::certificate::Certificate;
use crate::hash::Hash;
use crate::signature::SignatureError;

/// Why a signed message is not what its signers signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsVerifyError {
    /// The certificate of a signer is not at hand.
    #[error("the certificate of signer {place} is not at hand")]
    CertificateMissing {
        /// Which signer, counted from 1.
        place: usize,
    },
    /// The content is not plain bytes, and a signer signed no attributes (*§5.3*).
    #[error("the signed attributes are missing")]
    AttributesMissing,
    /// A signer says that the content is of another type than the message says.
    #[error("the content is signed as {signed}, and said to be {said}")]
    ContentType {
        /// What was signed.
        signed: ObjectIdentifier,
        /// What the message says.
        said: ObjectIdentifier,
    },
    /// The content is not what was signed.
    #[error("the content is not the one that was signed: its digest differs")]
    Digest,
    /// The digest is of a hash that is not known here.
    #[error("digests by algorithm {oid} are not computed here")]
    UnknownDigest {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
    /// The signature is by SHA-1, which proves nothing any more.
    #[error("the message is signed with SHA-1")]
    Sha1,
    /// The signature is not by the key of the signer's certificate.
    #[error("the signature is not one of certificate {serial}")]
    Signature {
        /// The certificate's serial number in hexadecimal.
        serial: String,
        /// Why.
        #[source]
        source: SignatureError,
    },
}

/// A signer whose signature verified. Whether its certificate is trusted is another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedSigner<'a> {
    /// The certificate whose key signed.
    pub certificate: &'a Certificate,
    /// What the message says of the signer.
    pub info: &'a SignerInfo,
}

impl SignedData {
    /// Verifies that every signer signed the content. A signer's certificate is taken from the
    /// message, or of those given.
    ///
    /// # Errors
    /// [`CmsVerifyError`]; SHA-1 is refused.
    pub fn verify<'a>(
        &'a self,
        others: &'a [Certificate],
    ) -> Result<Vec<VerifiedSigner<'a>>, CmsVerifyError> {
        self.verify_all(others, false)
    }

    /// Verifies as [`SignedData::verify`] does, and takes SHA-1, for documents of the years in
    /// which it was thought good enough: what they prove, the caller must weigh.
    ///
    /// # Errors
    /// [`CmsVerifyError`].
    pub fn verify_allowing_sha1<'a>(
        &'a self,
        others: &'a [Certificate],
    ) -> Result<Vec<VerifiedSigner<'a>>, CmsVerifyError> {
        self.verify_all(others, true)
    }

    fn verify_all<'a>(
        &'a self,
        others: &'a [Certificate],
        allows_sha1: bool,
    ) -> Result<Vec<VerifiedSigner<'a>>, CmsVerifyError> {
        let verify = |(place, info): (usize, &'a SignerInfo)| {
            let all = self.certificates().iter().chain(others);
            let mut named = all.filter(|certificate| info.names(certificate)).peekable();
            if named.peek().is_none() {
                return Err(CmsVerifyError::CertificateMissing { place: place + 1 });
            }
            // Once a signer: whoever sends a long message may send many certificates of one name.
            let digest = self.digest_by(info, allows_sha1)?;
            let mut fault = CmsVerifyError::CertificateMissing { place: place + 1 };
            for certificate in named {
                let key = certificate.public_key();
                match key.verify_prehashed(info.algorithm, &digest, &info.signature) {
                    Ok(()) => return Ok(VerifiedSigner { certificate, info }),
                    Err(source) => {
                        let serial = certificate.serial_hex();
                        fault = CmsVerifyError::Signature { serial, source };
                    }
                }
            }
            Err(fault)
        };
        self.signers().iter().enumerate().map(verify).collect()
    }

    /// Returns the digest that a signer's signature is over, if what was signed is this content;
    /// an empty one for signatures of a kind that no key verifies.
    fn digest_by(&self, info: &SignerInfo, allows_sha1: bool) -> Result<Vec<u8>, CmsVerifyError> {
        let hash = info.digest.ok_or(CmsVerifyError::UnknownDigest {
            oid: info.digest_oid,
        })?;
        let is_sha1 = [Some(hash), info.algorithm.hash()].contains(&Some(Hash::Sha1));
        if is_sha1 && !allows_sha1 {
            return Err(CmsVerifyError::Sha1);
        }
        let signed = match &info.attributes {
            Some(attributes) => {
                if attributes.content_type != self.content_type() {
                    return Err(CmsVerifyError::ContentType {
                        signed: attributes.content_type,
                        said: self.content_type(),
                    });
                }
                if hash.digest(self.content()) != attributes.message_digest {
                    return Err(CmsVerifyError::Digest);
                }
                &attributes.der
            }
            None if self.content_type() == DATA => self.content(),
            None => return Err(CmsVerifyError::AttributesMissing),
        };
        let hash = info.algorithm.hash();
        Ok(hash.map_or_else(Vec::new, |hash| hash.digest(signed)))
    }
}
