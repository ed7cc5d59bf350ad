//! How a message shows whose it is: a MAC by a shared secret, or a signature
//! (*RFC 9810 §5.1.3*).

use std::fmt;
use std::sync::Arc;

use cert::{
    AttributeType, Certificate, DistinguishedName, Hash, KeyUsage, PublicKey,
    SignatureAlgorithm as CertSignature, SignatureError,
};
use der::asn1::OctetString;
use hsm::{HsmError, RandomSource, SignatureAlgorithm, Signer};
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::cmp::body::Body;
use crate::cmp::header::{Header, general_name, nobody};
use crate::cmp::message::CmpMessage;
use crate::cmp::password_mac::{self, PASSWORD_BASED_MAC, PasswordMac};

/// The shortest shared secret that is taken: what is shorter is searched.
const SHORTEST_SECRET: usize = 10;
/// The longest reference of a secret.
const LONGEST_REFERENCE: usize = 64;

/// Why a message's protection was not made or is not right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectionError {
    /// It has none.
    #[error("the message is not protected")]
    Missing,
    /// It is protected by an algorithm that is not accepted.
    #[error("algorithm {oid} does not protect messages here")]
    Algorithm {
        /// The algorithm's identifier.
        oid: ObjectIdentifier,
    },
    /// The algorithm's parameters do not read, or are out of bounds.
    #[error("the parameters of the message's protection are malformed")]
    Parameters,
    /// The password is hashed too seldom or too often.
    #[error("a password is hashed 100 to 100000 times, not {count}")]
    Iterations {
        /// How often.
        count: u32,
    },
    /// The MAC is another: wrong secret, or an altered message.
    #[error("the message's MAC is wrong")]
    Mac,
    /// The signature does not verify.
    #[error("the message's signature is wrong")]
    Signature(#[source] SignatureError),
    /// The certificate that should verify it may not.
    #[error("certificate {serial} may not sign messages")]
    KeyUsage {
        /// Its serial number.
        serial: String,
    },
    /// The message names another sender than the one that signed it.
    #[error("the message's sender is not the one that signed it")]
    Sender,
    /// A secret is shorter than a secret may be, or its reference is empty or too long.
    #[error(
        "a shared secret has at least {SHORTEST_SECRET} bytes, its reference 1 to {LONGEST_REFERENCE}"
    )]
    Secret,
    /// The key is not one that signs messages, or not the certificate's.
    #[error(
        "the signing key is not the key of certificate {serial}, or of a kind that does not sign messages"
    )]
    Key {
        /// The certificate's serial number.
        serial: String,
    },
    /// The token failed.
    #[error("the token that protects messages does not serve")]
    Token(#[source] HsmError),
    /// What was built does not encode.
    #[error("the message does not encode")]
    Encoding(#[source] der::Error),
}

/// A secret that two parties share, and the reference by which they speak of it. Wiped when
/// dropped, never printed.
#[derive(Clone)]
pub struct SharedSecret {
    reference: Vec<u8>,
    secret: Zeroizing<Box<[u8]>>,
}

impl SharedSecret {
    /// Returns the secret that `reference` (`senderKID`) names.
    ///
    /// # Errors
    /// [`ProtectionError::Secret`].
    pub fn new(reference: &[u8], secret: &[u8]) -> Result<Self, ProtectionError> {
        if secret.len() < SHORTEST_SECRET || !(1..=LONGEST_REFERENCE).contains(&reference.len()) {
            return Err(ProtectionError::Secret);
        }
        Ok(Self {
            reference: reference.to_vec(),
            secret: Zeroizing::new(secret.into()),
        })
    }

    /// Returns the reference.
    pub fn reference(&self) -> &[u8] {
        &self.reference
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// A key that signs messages, and its certificate.
#[derive(Clone)]
pub struct SigningIdentity {
    signer: Arc<dyn Signer>,
    certificate: Arc<Certificate>,
    chain: Arc<[Certificate]>,
}

impl SigningIdentity {
    /// Returns the identity; `chain` goes along with each message, for a receiver that does not
    /// have it.
    ///
    /// # Errors
    /// [`ProtectionError::Key`] where the key is not the certificate's, or is an Ed25519 key;
    /// [`ProtectionError::KeyUsage`] where the certificate's key may not sign messages.
    pub fn new(
        signer: Arc<dyn Signer>,
        certificate: Certificate,
        chain: Vec<Certificate>,
    ) -> Result<Self, ProtectionError> {
        let key = PublicKey::from_spki_der(signer.public_key_spki_der()).ok();
        let fits = key.is_some_and(|key| certificate.matches(&key));
        if !fits || hash(&*signer).is_none() {
            return Err(ProtectionError::Key {
                serial: certificate.serial_hex(),
            });
        }
        may_sign(&certificate)?;
        Ok(Self {
            signer,
            certificate: Arc::new(certificate),
            chain: chain.into(),
        })
    }

    /// Returns the certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl fmt::Debug for SigningIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningIdentity({:?})", self.certificate)
    }
}

/// By what a party protects its messages.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A secret that it shares with the other.
    Mac(SharedSecret),
    /// A key of its own.
    Signature(SigningIdentity),
}

impl Credential {
    /// Returns who the sender is: the certificate's subject, or the reference of the secret as a
    /// common name (*RFC 9483 §3.1*); nobody where it is no text.
    pub(crate) fn sender(&self) -> der::Result<der::asn1::Any> {
        match self {
            Self::Mac(secret) => {
                let reference = std::str::from_utf8(&secret.reference).unwrap_or_default();
                let name = DistinguishedName::builder()
                    .with(AttributeType::CommonName, reference)
                    .build();
                name.map_or_else(|_| nobody(), |name| general_name(&name))
            }
            Self::Signature(identity) => general_name(identity.certificate.subject()),
        }
    }

    /// Protects a message. The token may be a slow one: not for an async thread.
    pub(crate) fn protect(
        &self,
        mut header: Header,
        body: Body,
        random: &dyn RandomSource,
    ) -> Result<CmpMessage, ProtectionError> {
        let encoding = ProtectionError::Encoding;
        match self {
            Self::Mac(shared) => {
                let mut salt = [0; 16];
                random.fill(&mut salt).map_err(ProtectionError::Token)?;
                let algorithm = password_mac::algorithm(salt).map_err(encoding)?;
                let mac = PasswordMac::derive(&algorithm, &shared.secret)?;
                header.protection_alg = Some(algorithm);
                let reference = OctetString::new(shared.reference.clone()).map_err(encoding)?;
                header.sender_kid = Some(reference);
                let mut message = CmpMessage::bare(header, body, &[]).map_err(encoding)?;
                message.protection = Some(mac.compute(&message.protected)?);
                Ok(message)
            }
            Self::Signature(identity) => {
                let serial = || identity.certificate.serial_hex();
                let hash = hash(&*identity.signer)
                    .ok_or_else(|| ProtectionError::Key { serial: serial() })?;
                header.protection_alg = Some(AlgorithmIdentifierOwned {
                    oid: CertSignature::Ecdsa(hash).oid(),
                    parameters: None,
                });
                let identifier = &identity.certificate.extensions().subject_key_identifier;
                header.sender_kid = identifier
                    .as_ref()
                    .map(|identifier| OctetString::new(identifier.clone()))
                    .transpose()
                    .map_err(encoding)?;
                let certificates: Vec<&Certificate> = std::iter::once(&*identity.certificate)
                    .chain(&*identity.chain)
                    .collect();
                let mut message =
                    CmpMessage::bare(header, body, &certificates).map_err(encoding)?;
                let signature = identity.signer.sign(&message.protected);
                message.protection = Some(signature.map_err(ProtectionError::Token)?);
                Ok(message)
            }
        }
    }
}

fn hash(signer: &dyn Signer) -> Option<Hash> {
    match signer.algorithm() {
        SignatureAlgorithm::EcdsaP256Sha256 => Some(Hash::Sha256),
        SignatureAlgorithm::EcdsaP384Sha384 => Some(Hash::Sha384),
        // No key of a document signer's kind protects messages.
        _ => None,
    }
}

impl CmpMessage {
    /// Returns whether the message claims to be protected by a shared secret.
    pub(crate) fn is_mac_protected(&self) -> bool {
        let algorithm = self.header.protection_alg.as_ref();
        algorithm.is_some_and(|algorithm| algorithm.oid == PASSWORD_BASED_MAC)
    }

    /// Verifies that a holder of the secret made this message.
    pub(crate) fn verify_mac(&self, shared: &SharedSecret) -> Result<(), ProtectionError> {
        let (algorithm, protection) = self.protected_by()?;
        if algorithm.oid != PASSWORD_BASED_MAC {
            return Err(ProtectionError::Algorithm { oid: algorithm.oid });
        }
        let mac = PasswordMac::derive(algorithm, &shared.secret)?;
        let right = mac.compute(&self.protected)?;
        if bool::from(right.ct_eq(protection)) {
            Ok(())
        } else {
            Err(ProtectionError::Mac)
        }
    }

    /// Verifies that the key of this certificate signed this message, and that the message names
    /// its subject as the sender (*RFC 9483 §3.1*). Whether to trust the certificate is the
    /// caller's matter.
    pub(crate) fn verify_signature(
        &self,
        certificate: &Certificate,
    ) -> Result<(), ProtectionError> {
        let sender: Option<DistinguishedName> = self.header.sender_name();
        if sender.as_ref() != Some(certificate.subject()) {
            return Err(match self.protection {
                None => ProtectionError::Missing,
                Some(_) => ProtectionError::Sender,
            });
        }
        may_sign(certificate)?;
        self.verify_key(certificate.public_key())
    }

    /// Verifies that this key signed this message.
    pub(crate) fn verify_key(&self, key: &PublicKey) -> Result<(), ProtectionError> {
        let (algorithm, signature) = self.protected_by()?;
        let known = signature_algorithm(algorithm)
            .ok_or(ProtectionError::Algorithm { oid: algorithm.oid })?;
        key.verify(known, &self.protected, signature)
            .map_err(ProtectionError::Signature)
    }

    fn protected_by(&self) -> Result<(&AlgorithmIdentifierOwned, &[u8]), ProtectionError> {
        match (&self.header.protection_alg, &self.protection) {
            (Some(algorithm), Some(protection)) => Ok((algorithm, protection)),
            _ => Err(ProtectionError::Missing),
        }
    }
}

/// *RFC 9810 §5.1.3.3*: where a certificate says what its key is for, `digitalSignature` is among
/// it.
fn may_sign(certificate: &Certificate) -> Result<(), ProtectionError> {
    let usage = certificate.extensions().key_usage.as_ref();
    if usage.is_none_or(KeyUsage::digital_signature) {
        Ok(())
    } else {
        Err(ProtectionError::KeyUsage {
            serial: certificate.serial_hex(),
        })
    }
}

/// Returns the signature algorithm that an identifier names: ECDSA or RSA PKCS#1 v1.5 with a SHA-2
/// hash (*RFC 9481 §3*).
pub(crate) fn signature_algorithm(identifier: &AlgorithmIdentifierOwned) -> Option<CertSignature> {
    let parameters = identifier.parameters.as_ref();
    [Hash::Sha256, Hash::Sha384, Hash::Sha512]
        .into_iter()
        .flat_map(|hash| [CertSignature::Ecdsa(hash), CertSignature::RsaPkcs1(hash)])
        .find(|known| known.oid() == identifier.oid)
        .filter(|known| match known {
            CertSignature::Ecdsa(_) => parameters.is_none(),
            _ => parameters.is_none_or(der::asn1::Any::is_null),
        })
}
