//! TLS 1.3 of the server: its own key and certificate, and what it demands of a client's.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use thiserror::Error;

/// The longest client certificate that is looked at, in bytes.
const MAX_CERTIFICATE: usize = 8_192;
/// The most certificates that a client shows.
const MAX_CHAIN: usize = 4;

/// Why the server has no TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of the certificates is none.
    #[error("the server's certificates do not read: {0}")]
    Certificates(rustls::pki_types::pem::Error),
    /// The file of the key is none.
    #[error("the server's key does not read: {0}")]
    Key(rustls::pki_types::pem::Error),
    /// Key and certificates do not serve.
    #[error("the server's key and certificates do not serve")]
    Unfit(#[source] Error),
}

/// Returns the configuration of a server: its certificates (its own first) and its key, in PEM, and
/// the names (DER) of the authorities whose clients are asked for a certificate.
///
/// TLS 1.3 alone, with the key exchanges and suites of `rustls`; no early data, no tickets: each
/// connection proves its key anew.
///
/// # Errors
/// [`TlsError`].
pub fn tls(
    certificates: &[u8],
    key: &[u8],
    authorities: Vec<Vec<u8>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(TlsError::Certificates)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let provider = Arc::new(ring::default_provider());
    let clients = Possession {
        hints: authorities
            .into_iter()
            .map(DistinguishedName::from)
            .collect(),
        provider: Arc::clone(&provider),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Unfit)?
        .with_client_cert_verifier(Arc::new(clients))
        .with_single_cert(chain, key)
        .map_err(TlsError::Unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Demands that a client which shows a certificate has its private key, and no more.
///
/// Whose certificate it is, whether it holds, and whether its station is suspended is judged for
/// each request in the store's books, which know every certificate that was issued byte for byte:
/// there a refusal says why, and a suspension counts at once, on open connections too. **Nothing
/// may trust a [`crate::Peer`]'s certificate for having come through here.**
struct Possession {
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Possession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        // People have no certificates.
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if end_entity.len() > MAX_CERTIFICATE || intermediates.len() >= MAX_CHAIN {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

impl fmt::Debug for Possession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Possession")
    }
}
