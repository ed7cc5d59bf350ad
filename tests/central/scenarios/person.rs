//! Who releases profiles.

use audit::{CheckpointSigner, KeyKind, SignerFault, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};

/// Somebody who releases profiles, with a key of their own.
pub(crate) struct Person(VerifierKey, SigningKey);

impl Person {
    pub(crate) fn new(name: &str, seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let public = secret.verifying_key();
        let key = VerifierKey::new(KeyKind::Log, name, public.as_bytes()).unwrap();
        Self(key, secret)
    }
}

impl CheckpointSigner for Person {
    fn key(&self) -> &VerifierKey {
        &self.0
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault> {
        Ok(self.1.sign(message).to_bytes())
    }
}
