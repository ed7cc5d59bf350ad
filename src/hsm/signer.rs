//! Signatures by a key in a token.

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use der::Encode;
use der::asn1::UintRef;
use sha2::{Digest, Sha256, Sha384};

use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::inventory::KeyKind;
use crate::token::Token;

/// A curve that the product's own keys are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// brainpoolP256r1 (*RFC 5639 §3.4*): signers of travel documents.
    BrainpoolP256r1,
    /// brainpoolP384r1 (*RFC 5639 §3.6*).
    BrainpoolP384r1,
}

/// The length of an RSA key that the product makes: for signers of travel documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RsaSize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl RsaSize {
    /// Returns the length in bits.
    pub(crate) const fn bits(self) -> u64 {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }

    /// Returns the size of a modulus of that many bytes.
    pub(crate) fn of(modulus: usize) -> Option<Self> {
        match modulus {
            256 => Some(Self::Bits2048),
            384 => Some(Self::Bits3072),
            512 => Some(Self::Bits4096),
            _ => None,
        }
    }
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 over SHA-256; `ECDSA-Sig-Value` in DER (*RFC 3279 §2.2.3*).
    EcdsaP256Sha256,
    /// ECDSA on P-384 over SHA-384; `ECDSA-Sig-Value` in DER.
    EcdsaP384Sha384,
    /// ECDSA on brainpoolP256r1 over SHA-256; `ECDSA-Sig-Value` in DER.
    EcdsaBrainpoolP256r1Sha256,
    /// ECDSA on brainpoolP384r1 over SHA-384; `ECDSA-Sig-Value` in DER.
    EcdsaBrainpoolP384r1Sha384,
    /// RSASSA-PSS over SHA-256, MGF1 with SHA-256, 32 bytes of salt (*RFC 8017 §8.1*); as long as
    /// the modulus.
    RsaPssSha256,
    /// Ed25519 over the message itself; 64 bytes (*RFC 8032 §5.1.6*).
    Ed25519,
}

/// A private key that signs, wherever it lives.
pub trait Signer: Send + Sync {
    /// Returns how the signature is made, and so its form.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Returns the public key as `SubjectPublicKeyInfo` in DER.
    fn public_key_spki_der(&self) -> &[u8];

    /// Returns the signature over `message`, which is hashed here.
    ///
    /// # Errors
    /// [`HsmError`] where the key is gone or its token fails.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError>;
}

/// A [`Signer`] whose key is in a token.
#[derive(Clone, Debug)]
pub struct TokenSigner {
    token: Token,
    label: String,
    algorithm: SignatureAlgorithm,
    spki: Vec<u8>,
}

impl Token {
    /// Returns the signer for the key pair labelled `label`.
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], or [`HsmError::KeyUnsuited`] for a key that may not sign or
    /// could leave the token.
    pub fn signer(&self, label: &str) -> Result<TokenSigner, HsmError> {
        let unsuited = |purpose| HsmError::KeyUnsuited {
            label: label.to_owned(),
            purpose,
        };
        let attributes = self.key_attributes(label)?;
        if !attributes.sign {
            return Err(unsuited("signatures: it is not allowed to sign"));
        }
        if attributes.fault().is_some() {
            return Err(unsuited("signatures: it could leave the token"));
        }
        let algorithm = match self.public_key_kind(label)? {
            KeyKind::Ec(Curve::P256) => SignatureAlgorithm::EcdsaP256Sha256,
            KeyKind::Ec(Curve::P384) => SignatureAlgorithm::EcdsaP384Sha384,
            KeyKind::Ec(Curve::BrainpoolP256r1) => SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256,
            KeyKind::Ec(Curve::BrainpoolP384r1) => SignatureAlgorithm::EcdsaBrainpoolP384r1Sha384,
            KeyKind::Rsa(_) => SignatureAlgorithm::RsaPssSha256,
            KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
            KeyKind::Aes(_) | KeyKind::Des3 | KeyKind::Other => return Err(unsuited("signatures")),
        };
        Ok(TokenSigner {
            spki: self.public_key(label)?,
            token: self.clone(),
            label: label.to_owned(),
            algorithm,
        })
    }
}

impl TokenSigner {
    /// Returns the key's label in its token.
    pub fn label(&self) -> &str {
        &self.label
    }

    fn raw_signature(&self, mechanism: &Mechanism<'_>, data: &[u8]) -> Result<Vec<u8>, HsmError> {
        self.token.with_session(|session| {
            let key = self.token.handle(session, KeyClass::Private, &self.label)?;
            session.sign(mechanism, key, data).map_err(device("sign"))
        })
    }
}

impl TokenSigner {
    /// Signs with the hash of the curve's strength.
    fn ecdsa(&self, curve: Curve, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        let digest = match curve {
            Curve::P256 | Curve::BrainpoolP256r1 => Sha256::digest(message).to_vec(),
            Curve::P384 | Curve::BrainpoolP384r1 => Sha384::digest(message).to_vec(),
        };
        ecdsa_sig_value(curve, &self.raw_signature(&Mechanism::Ecdsa, &digest)?)
    }
}

/// Returns RSASSA-PSS over a digest of SHA-256 that the host makes.
pub(crate) fn rsa_pss() -> Mechanism<'static> {
    Mechanism::RsaPkcsPss(PkcsPssParams {
        hash_alg: MechanismType::SHA256,
        mgf: PkcsMgfType::MGF1_SHA256,
        s_len: 32.into(),
    })
}

impl Signer for TokenSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key_spki_der(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        match self.algorithm {
            SignatureAlgorithm::EcdsaP256Sha256 => self.ecdsa(Curve::P256, message),
            SignatureAlgorithm::EcdsaP384Sha384 => self.ecdsa(Curve::P384, message),
            SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256 => {
                self.ecdsa(Curve::BrainpoolP256r1, message)
            }
            SignatureAlgorithm::EcdsaBrainpoolP384r1Sha384 => {
                self.ecdsa(Curve::BrainpoolP384r1, message)
            }
            SignatureAlgorithm::RsaPssSha256 => {
                let raw = self.raw_signature(&rsa_pss(), &Sha256::digest(message))?;
                RsaSize::of(raw.len()).map(|_| raw).ok_or(WRONG_LENGTH)
            }
            SignatureAlgorithm::Ed25519 => {
                let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
                let raw = self.raw_signature(&pure, message)?;
                if raw.len() == 64 {
                    Ok(raw)
                } else {
                    Err(WRONG_LENGTH)
                }
            }
        }
    }
}

const WRONG_LENGTH: HsmError = HsmError::Answer {
    operation: "sign",
    reason: "a signature of the wrong length",
};

/// Turns r ‖ s, as a token gives it, into `ECDSA-Sig-Value`.
fn ecdsa_sig_value(curve: Curve, raw: &[u8]) -> Result<Vec<u8>, HsmError> {
    let Some((r, s)) = raw.split_at_checked(curve.field_length()) else {
        return Err(WRONG_LENGTH);
    };
    if s.len() != r.len() {
        return Err(WRONG_LENGTH);
    }
    let encode = || {
        let numbers = vec![UintRef::new(r)?, UintRef::new(s)?];
        numbers.to_der()
    };
    encode().map_err(|_| WRONG_LENGTH)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use ed25519_dalek::{Signature, Verifier, VerifyingKey};

    use super::{Curve, RsaSize, SignatureAlgorithm, Signer, ecdsa_sig_value};
    use crate::error::HsmError;
    use crate::record::Proof;
    use crate::test_support::{token, with_private_tokens};

    /// Has openssl judge the signature under the public key.
    fn openssl_accepts(
        signer: &dyn Signer,
        digest: &str,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("key"), signer.public_key_spki_der()).unwrap();
        fs::write(path("message"), message).unwrap();
        fs::write(path("signature"), signature).unwrap();
        Command::new("openssl")
            .args(["dgst", digest, "-keyform", "DER", "-verify"])
            .arg(path("key"))
            .arg("-signature")
            .args([path("signature"), path("message")])
            .output()
            .unwrap()
            .status
            .success()
    }

    #[test]
    fn openssl_accepts_ecdsa() {
        with_private_tokens("signer::tests::openssl_accepts_ecdsa", || {
            let token = token("sign");
            for (curve, algorithm, digest) in [
                (Curve::P256, SignatureAlgorithm::EcdsaP256Sha256, "-sha256"),
                (Curve::P384, SignatureAlgorithm::EcdsaP384Sha384, "-sha384"),
                (
                    Curve::BrainpoolP256r1,
                    SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256,
                    "-sha256",
                ),
                (
                    Curve::BrainpoolP384r1,
                    SignatureAlgorithm::EcdsaBrainpoolP384r1Sha384,
                    "-sha384",
                ),
            ] {
                let label = format!("{curve:?}");
                let spki = token.generate_signing_key(&label, curve).unwrap();
                let signer = token.signer(&label).unwrap();
                assert_eq!(signer.algorithm(), algorithm);
                assert_eq!(signer.public_key_spki_der(), spki);
                for n in 0..8_u8 {
                    let message = vec![n; 1000];
                    let signature = signer.sign(&message).unwrap();
                    assert!(openssl_accepts(&signer, digest, &message, &signature));
                    assert!(!openssl_accepts(&signer, digest, b"other", &signature));
                }
            }
            token.generate_envelope_key("envelope").unwrap();
            assert!(matches!(
                token.signer("envelope"),
                Err(HsmError::KeyUnsuited { .. })
            ));
        });
    }

    #[test]
    fn openssl_accepts_rsa_pss() {
        with_private_tokens("signer::tests::openssl_accepts_rsa_pss", || {
            let token = token("rsa");
            for size in [RsaSize::Bits2048, RsaSize::Bits3072] {
                let label = format!("{size:?}");
                let spki = token.generate_rsa_key(&label, size).unwrap();
                let signer = token.signer(&label).unwrap();
                assert_eq!(signer.algorithm(), SignatureAlgorithm::RsaPssSha256);
                assert_eq!(signer.public_key_spki_der(), spki);
                assert_eq!(token.key_attributes(&label).unwrap().fault(), None);
                let keys = token.keys().unwrap();
                let key = keys.iter().find(|key| key.label == label).unwrap();
                let record = token.key_record(key).unwrap();
                assert_eq!(token.prove(&record).unwrap(), Proof::Proved);
                let folder = tempfile::tempdir().unwrap();
                let path = |name: &str| folder.path().join(name);
                fs::write(path("key"), &spki).unwrap();
                fs::write(path("message"), b"message").unwrap();
                fs::write(path("signature"), signer.sign(b"message").unwrap()).unwrap();
                let judged = Command::new("openssl")
                    .args(["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss"])
                    .args([
                        "-sigopt",
                        "rsa_pss_saltlen:32",
                        "-keyform",
                        "DER",
                        "-verify",
                    ])
                    .arg(path("key"))
                    .arg("-signature")
                    .args([path("signature"), path("message")])
                    .output()
                    .unwrap();
                assert!(judged.status.success());
            }
        });
    }

    #[test]
    fn ed25519_signs_the_message_itself() {
        with_private_tokens("signer::tests::ed25519_signs_the_message_itself", || {
            let token = token("edwards");
            let spki = token.generate_ed25519("checkpoint").unwrap();
            let signer = token.signer("checkpoint").unwrap();
            assert_eq!(signer.algorithm(), SignatureAlgorithm::Ed25519);
            // RFC 8410 §10.1 shows the prefix of an Ed25519 public key.
            let prefix = hex::decode("302a300506032b6570032100").unwrap();
            let key = spki.strip_prefix(&prefix[..]).unwrap();
            let key = VerifyingKey::from_bytes(key.try_into().unwrap()).unwrap();
            let message = b"example.org/log\n42\n";
            let signature = signer.sign(message).unwrap();
            let signature = Signature::from_slice(&signature).unwrap();
            key.verify(message, &signature).unwrap();
            assert!(key.verify(b"other", &signature).is_err());
        });
    }

    #[test]
    fn threads_share_the_sessions() {
        with_private_tokens("signer::tests::threads_share_the_sessions", || {
            let token = token("threads");
            token.generate_signing_key("ca", Curve::P256).unwrap();
            let signer = token.signer("ca").unwrap();
            std::thread::scope(|scope| {
                for n in 0..24_u8 {
                    let signer = &signer;
                    scope.spawn(move || {
                        for _ in 0..10 {
                            signer.sign(&[n]).unwrap();
                        }
                    });
                }
            });
        });
    }

    #[test]
    fn numbers_are_minimal() {
        // RFC 3279 §2.2.3, X.690 §8.3.2: no leading zeros, a zero before a set top bit.
        let mut raw = [0; 64];
        raw[31] = 1;
        raw[32] = 0x80;
        let signature = ecdsa_sig_value(Curve::P256, &raw).unwrap();
        let expected = format!("302602010102210080{}", "00".repeat(31));
        assert_eq!(hex::encode(signature), expected);
        assert!(ecdsa_sig_value(Curve::P256, &raw[1..]).is_err());
        assert!(ecdsa_sig_value(Curve::P384, &raw).is_err());
    }
}
