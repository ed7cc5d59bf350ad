//! A key of openssl's in this process: what an HSM takes for a signature is its maker's.

use std::error::Error;

use hsm::{HsmError, RandomSource, SignatureAlgorithm, Signer};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};

pub(crate) struct SoftKey {
    private: PKey<Private>,
    spki: Vec<u8>,
    algorithm: SignatureAlgorithm,
    hash: MessageDigest,
}

impl SoftKey {
    /// Makes a key on P-256, which signs with SHA-256.
    pub(crate) fn p256() -> Result<Self, Box<dyn Error>> {
        let (algorithm, hash) = (SignatureAlgorithm::EcdsaP256Sha256, MessageDigest::sha256());
        Self::new(Nid::X9_62_PRIME256V1, algorithm, hash)
    }

    /// Makes a key on P-384, which signs with SHA-384.
    pub(crate) fn p384() -> Result<Self, Box<dyn Error>> {
        let (algorithm, hash) = (SignatureAlgorithm::EcdsaP384Sha384, MessageDigest::sha384());
        Self::new(Nid::SECP384R1, algorithm, hash)
    }

    fn new(
        curve: Nid,
        algorithm: SignatureAlgorithm,
        hash: MessageDigest,
    ) -> Result<Self, Box<dyn Error>> {
        let group = EcGroup::from_curve_name(curve)?;
        let private = PKey::from_ec_key(EcKey::generate(&group)?)?;
        Ok(Self {
            spki: private.public_key_to_der()?,
            private,
            algorithm,
            hash,
        })
    }
}

impl Signer for SoftKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key_spki_der(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        openssl::sign::Signer::new(self.hash, &self.private)
            .and_then(|mut signer| signer.sign_oneshot_to_vec(message))
            .map_err(|_| failed())
    }
}

impl RandomSource for SoftKey {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
        openssl::rand::rand_bytes(bytes).map_err(|_| failed())
    }
}

fn failed() -> HsmError {
    HsmError::KeyNotFound {
        token: "openssl".to_owned(),
        label: "measured".to_owned(),
        kind: "private key",
    }
}
