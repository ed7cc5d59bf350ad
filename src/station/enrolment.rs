//! A station's own key for TLS: made here, and never anywhere else.

use cert::request::{RequestError, RequestInfo};
use cert::{AttributeType, Certificate, Curve, DistinguishedName, Hash, NameError, PublicKey};
use p256::SecretKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why there is no key, or no request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EnrolmentError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// The file is no key.
    #[error("this is no key on P-256 (PKCS#8, PEM)")]
    Key,
    /// The name is none.
    #[error("a certificate cannot have this name")]
    Name(#[from] NameError),
    /// The request was not made.
    #[error("the certification request was not made")]
    Request(#[from] RequestError),
    /// The key does not sign.
    #[error("the key does not sign")]
    Signature,
}

/// The key by which a station proves which one it is: ECDSA on P-256.
pub struct StationKey(SecretKey);

impl StationKey {
    /// Makes a new key of the system's random numbers.
    ///
    /// # Errors
    /// [`EnrolmentError::Random`].
    pub fn generate() -> Result<Self, EnrolmentError> {
        // All but one of 2³² values are below the order; a few draws are plenty.
        for _ in 0..8 {
            let mut bytes = Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut_slice()).map_err(|_| EnrolmentError::Random)?;
            if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
                return Ok(Self(key));
            }
        }
        Err(EnrolmentError::Random)
    }

    /// Reads a key that was written before (PKCS#8, PEM).
    ///
    /// # Errors
    /// [`EnrolmentError::Key`].
    pub fn from_pem(text: &str) -> Result<Self, EnrolmentError> {
        SecretKey::from_pkcs8_pem(text)
            .map(Self)
            .map_err(|_| EnrolmentError::Key)
    }

    /// Returns the key for its file (PKCS#8, PEM), which nobody else may read.
    ///
    /// # Errors
    /// [`EnrolmentError::Key`] where it does not encode.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, EnrolmentError> {
        let text = self.0.to_pkcs8_pem(LineEnding::LF);
        text.map_err(|_| EnrolmentError::Key)
    }

    fn public(&self) -> Result<PublicKey, EnrolmentError> {
        let point = self.0.public_key().to_sec1_point(false);
        PublicKey::from_point(Curve::P256, point.as_bytes()).map_err(|_| EnrolmentError::Key)
    }

    /// Returns the SHA-256 of the public key (`SubjectPublicKeyInfo`), which whoever lets the
    /// station in compares.
    ///
    /// # Errors
    /// [`EnrolmentError::Key`].
    pub fn digest(&self) -> Result<[u8; 32], EnrolmentError> {
        let der = self.public()?.to_spki_der();
        let digest = Hash::Sha256.digest(&der.map_err(|_| EnrolmentError::Key)?);
        digest.try_into().map_err(|_| EnrolmentError::Key)
    }

    /// Returns the certification request for a station of this name (PKCS#10, DER).
    ///
    /// # Errors
    /// [`EnrolmentError`].
    pub fn request(&self, name: &str) -> Result<Vec<u8>, EnrolmentError> {
        let subject = DistinguishedName::builder()
            .with(AttributeType::CommonName, name)
            .build()?;
        let point = self.0.public_key().to_sec1_point(false);
        let info = RequestInfo::new(&subject, Curve::P256, point.as_bytes())?;
        let signed = SigningKey::from(&self.0).sign_prehash(&info.digest());
        let signature: Signature = signed.map_err(|_| EnrolmentError::Signature)?;
        Ok(info.assemble(&signature.to_bytes())?)
    }

    /// Tells whether a certificate is for this key.
    pub fn fits(&self, certificate: &Certificate) -> bool {
        self.public().is_ok_and(|key| certificate.matches(&key))
    }
}

impl std::fmt::Debug for StationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StationKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_its_request_proves_it() {
        let key = StationKey::generate().unwrap();
        let text = key.to_pem().unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let again = StationKey::from_pem(&text).unwrap();
        assert_eq!(again.digest().unwrap(), key.digest().unwrap());
        let other = StationKey::generate().unwrap();
        assert_ne!(other.digest().unwrap(), key.digest().unwrap());
        let request = cert::request::Request::parse_and_verify(&again.request("riga-1").unwrap());
        let request = request.unwrap();
        let der = request.public_key().to_spki_der().unwrap();
        assert_eq!(Hash::Sha256.digest(&der), key.digest().unwrap());
        assert!(StationKey::from_pem("-----BEGIN PRIVATE KEY-----\n").is_err());
        assert_eq!(format!("{key:?}"), "StationKey(…)");
    }
}
