//! The registration authority's key for TLS: it stays in its token.

use std::fmt;
use std::sync::Arc;

use hsm::Signer;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

/// Returns what presents these certificates (the key's own first) in a handshake.
pub(super) fn resolver(chain: &[cert::Certificate], signer: Arc<dyn Signer>) -> SingleCertAndKey {
    let chain = chain.iter();
    let chain = chain.map(|one| CertificateDer::from(one.as_der().to_vec()));
    let key = Arc::new(TokenKey(signer));
    SingleCertAndKey::from(CertifiedKey::new(chain.collect(), key))
}

/// Returns how the key signs in TLS 1.3 and 1.2, if it does; Ed25519 too, where a token has it.
fn scheme(signer: &dyn Signer) -> Option<SignatureScheme> {
    match signer.algorithm() {
        hsm::SignatureAlgorithm::EcdsaP256Sha256 => Some(SignatureScheme::ECDSA_NISTP256_SHA256),
        hsm::SignatureAlgorithm::EcdsaP384Sha384 => Some(SignatureScheme::ECDSA_NISTP384_SHA384),
        hsm::SignatureAlgorithm::Ed25519 => Some(SignatureScheme::ED25519),
        // Keys of document signers open no channels.
        _ => None,
    }
}

struct TokenKey(Arc<dyn Signer>);

impl rustls::sign::SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let scheme = scheme(&*self.0)?;
        let signer = Arc::clone(&self.0);
        offered
            .contains(&scheme)
            .then(|| Box::new(TokenSigner { signer, scheme }) as Box<dyn rustls::sign::Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.0.public_key_spki_der()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0.algorithm() {
            hsm::SignatureAlgorithm::Ed25519 => SignatureAlgorithm::ED25519,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

struct TokenSigner {
    signer: Arc<dyn Signer>,
    scheme: SignatureScheme,
}

impl rustls::sign::Signer for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signed = self.signer.sign(message);
        signed.map_err(|_| rustls::Error::General("the token does not sign".to_owned()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({:?})", self.scheme)
    }
}
