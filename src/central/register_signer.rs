//! The key with which the store speaks to registers: in the token, like all others.

use cert::jws::{JwsKey, Unsigned};
use cert::{Curve as CertCurve, ecdsa_der_to_raw};
use hsm::{Curve, SignatureAlgorithm, Signer, Token};

use crate::central::Central;
use crate::error::{CentralError, Result};

impl Central {
    /// Returns the public key with which answers and reports are signed. Its thumbprint stands in
    /// each of them.
    ///
    /// # Errors
    /// The token's failures; it makes the key when the first source is added.
    pub async fn registers_key(&self) -> Result<JwsKey> {
        let (token, label) = (self.token(), self.labels().registers.clone());
        self.blocking(move || key_of(token.signer(&label)?.public_key_spki_der()))
            .await?
    }

    /// Makes the key, where the token does not have it yet.
    pub(crate) async fn make_registers_key(&self) -> Result<()> {
        let (token, label) = (self.token(), self.labels().registers.clone());
        let make = move || {
            let there = token.keys()?.into_iter().any(|key| key.label == label);
            if !there {
                token.generate_signing_key(&label, Curve::P384)?;
            }
            Ok(())
        };
        self.blocking(make).await?
    }

    /// Signs what a register is told.
    pub(crate) async fn sign_for_register(
        &self,
        media_type: &'static str,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let (token, label) = (self.token(), self.labels().registers.clone());
        self.blocking(move || sign(&token, &label, media_type, &payload))
            .await?
    }
}

fn key_of(spki: &[u8]) -> Result<JwsKey> {
    JwsKey::from_spki_der(spki).map_err(|error| CentralError::Unfit {
        reason: format!("the registers' key in the token does not serve: {error}"),
    })
}

fn sign(token: &Token, label: &str, media_type: &str, payload: &[u8]) -> Result<Vec<u8>> {
    let signer = token.signer(label)?;
    let key = key_of(signer.public_key_spki_der())?;
    let unsigned = Unsigned::new(&key, media_type, payload);
    let signature = signer.sign(&unsigned.signing_input())?;
    let signing = |source| CentralError::Signing { source };
    let signature = match signer.algorithm() {
        SignatureAlgorithm::EcdsaP256Sha256 => ecdsa_der_to_raw(CertCurve::P256, &signature),
        SignatureAlgorithm::EcdsaP384Sha384 => ecdsa_der_to_raw(CertCurve::P384, &signature),
        _ => Ok(signature),
    };
    let signature = signature.map_err(|error| signing(Box::new(error)))?;
    unsigned
        .assemble(&signature)
        .map_err(|error| signing(Box::new(error)))
}
