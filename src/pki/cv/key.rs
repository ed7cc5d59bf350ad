//! A key that signs certificates and requests.

use std::fmt;
use std::sync::Arc;

use cert::PublicKey;
use cert::cvc::{
    CvAlgorithm, CvCertificate, CvContent, CvPublicKey, CvRequest, CvVerifyingKey, CvcError,
    HolderReference, Parameters, Strength, assemble_outer, outer_message,
};
use hsm::{HsmError, Signer};

/// Why a key cannot be used, or did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CvKeyError {
    /// The key is of a kind that terminal authentication does not have.
    #[error("the key is of a kind that terminal authentication does not have")]
    Kind(#[source] CvcError),
    /// The token failed.
    #[error("the token did not sign")]
    Token(#[source] HsmError),
    /// What the token gave does not verify: its algorithm is not the one of its kind of key.
    #[error("what the token gave is no signature by {algorithm}")]
    Signature {
        /// The algorithm.
        algorithm: CvAlgorithm,
    },
    /// The content has no encoding.
    #[error("the certificate or request cannot be written")]
    Content(#[source] CvcError),
}

/// A private key behind [`Signer`], as a holder of certificates has it: ECDSA with the hash of the
/// curve, or RSA-PSS with SHA-256. Signatures are r ‖ s, and verified before they are given out.
#[derive(Clone)]
pub struct CvKey {
    signer: Arc<dyn Signer>,
    public: CvVerifyingKey,
}

impl CvKey {
    /// Takes a signer.
    ///
    /// # Errors
    /// [`CvKeyError::Kind`].
    pub fn new(signer: Arc<dyn Signer>) -> Result<Self, CvKeyError> {
        let key = PublicKey::from_spki_der(signer.public_key_spki_der())
            .map_err(|_| CvKeyError::Kind(CvcError::KeyKind))?;
        let algorithm = CvAlgorithm::usual(&key).map_err(CvKeyError::Kind)?;
        let public = CvVerifyingKey::new(key, algorithm).map_err(CvKeyError::Kind)?;
        if public.is_legacy() {
            return Err(CvKeyError::Kind(CvcError::KeyKind));
        }
        Ok(Self { signer, public })
    }

    /// Returns the public key.
    pub fn public(&self) -> &CvVerifyingKey {
        &self.public
    }

    /// Returns the public key as a certificate or request has it.
    ///
    /// # Errors
    /// [`CvKeyError::Kind`], in theory only.
    pub fn public_key(&self, parameters: Parameters) -> Result<CvPublicKey, CvKeyError> {
        CvPublicKey::new(self.public.key(), self.public.algorithm(), parameters)
            .map_err(CvKeyError::Kind)
    }

    /// Returns whether a certificate is for this key, issued under that curve or its own.
    pub fn is_certified_by(&self, certificate: &CvCertificate) -> bool {
        let resolved = certificate.public_key().resolve(self.public.curve());
        resolved.is_ok_and(|key| key == self.public)
    }

    /// Returns the signature over `message`: r ‖ s, or as long as the modulus.
    ///
    /// # Errors
    /// [`CvKeyError`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CvKeyError> {
        let wrong = || CvKeyError::Signature {
            algorithm: self.public.algorithm(),
        };
        let signature = self.signer.sign(message).map_err(CvKeyError::Token)?;
        let plain = match self.public.curve() {
            Some(curve) => cert::ecdsa_der_to_raw(curve, &signature).map_err(|_| wrong())?,
            None => signature,
        };
        let verified = self.public.verify(message, &plain, Strength::Current);
        verified.map_err(|_| wrong())?;
        Ok(plain)
    }

    /// Returns a certificate with this content, signed.
    pub(crate) fn issue(&self, content: &CvContent) -> Result<CvCertificate, CvKeyError> {
        let body = content.body().map_err(CvKeyError::Content)?;
        let der = CvContent::assemble(&body, &self.sign(&body)?);
        CvCertificate::parse(&der).map_err(CvKeyError::Content)
    }

    /// Returns a request for this key, with its own signature: the proof of possession.
    ///
    /// # Errors
    /// [`CvKeyError`].
    pub fn request(
        &self,
        holder: &HolderReference,
        authority: Option<&HolderReference>,
    ) -> Result<CvRequest, CvKeyError> {
        let key = self.public_key(Parameters::Included)?;
        let body = CvContent::request_body(authority, holder, &key).map_err(CvKeyError::Content)?;
        let der = CvContent::assemble(&body, &self.sign(&body)?);
        CvRequest::parse(&der).map_err(CvKeyError::Content)
    }

    /// Returns the request with an outer signature by this key, which `signer` certifies: a
    /// holder's earlier key asks for the next.
    ///
    /// # Errors
    /// [`CvKeyError`].
    pub fn vouch(
        &self,
        request: &CvRequest,
        signer: &HolderReference,
    ) -> Result<CvRequest, CvKeyError> {
        let message = outer_message(request.as_der(), signer);
        let der = assemble_outer(&message, &self.sign(&message)?);
        CvRequest::parse(&der).map_err(CvKeyError::Content)
    }
}

/// Returns whether a certificate answers a request: the same holder, the same key, and the
/// authority that was asked.
pub fn accepts_own(request: &CvRequest, certificate: &CvCertificate) -> bool {
    let asked = request.public_key().resolve(None);
    let given = certificate
        .public_key()
        .resolve(request.public_key().curve());
    request.holder() == certificate.holder()
        && request
            .authority()
            .is_none_or(|asked| asked == certificate.issuer())
        && matches!((asked, given), (Ok(asked), Ok(given)) if asked == given)
}

impl fmt::Debug for CvKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CvKey({})", self.public.algorithm())
    }
}
