//! What PACE comes to.

use card::cipher::padding::unpadded;
use card::cipher::{aes_cbc_decrypt, aes_ecb_encrypt};
use cert::cvc::HolderReference;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::domain_parameters::{AgreementKey, DomainParameters, DomainParametersError};
use crate::group::{Group, Scalar};
use crate::secure_messaging::SecureMessaging;
use crate::session_keys::SessionKeys;

/// Bytes of an AES block.
const BLOCK: usize = 16;

/// A session, and what was learnt on the way to it.
#[derive(Debug)]
pub struct PaceOutcome {
    /// The session.
    pub messaging: SecureMessaging,
    /// ID_PICC, by which terminal authentication names the chip: its ephemeral key, compressed
    /// (*TR-03110-3 §B.3*).
    pub chip_id: Vec<u8>,
    /// Comp(PK_DH,IFD), the terminal's ephemeral key, compressed. Where chip authentication
    /// mapping has proved the chip, terminal authentication signs it in place of the key of chip
    /// authentication (*ICAO 9303-11 §7.1.2*).
    pub terminal_key: Vec<u8>,
    /// The certification authorities that the chip trusts, the newest first; none where no
    /// rights were asked for.
    pub authorities: Vec<Vec<u8>>,
    /// With chip authentication mapping, what the chip's static key is compared with.
    pub chip_key: Option<MappedChipKey>,
    /// How often the password could still have been tried, where the chip said so.
    pub tries_left: Option<u8>,
}

impl PaceOutcome {
    /// Returns the authorities that the chip trusts as references, the newest first. What is
    /// none leads to no certificate, and is left out.
    pub fn trust_points(&self) -> Vec<HolderReference> {
        let names = self.authorities.iter();
        names
            .filter_map(|name| HolderReference::parse(name).ok())
            .collect()
    }
}

/// Says why a chip is not the one with this key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MappedChipKeyError {
    /// The key is in another group than PACE ran in.
    #[error("the chip's static key is in another group than its PACE")]
    OtherGroup,
    /// The chip does not have the key: it is a copy.
    #[error("chip does not have the static key that its issuer signed")]
    NotProved,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What a chip sent with chip authentication mapping. It proves nothing before
/// [`MappedChipKey::verify`] has compared it with the static key in EF.CardSecurity, whose
/// signature somebody else has verified (*ICAO 9303-11 §4.4.3.5.2*).
pub struct MappedChipKey {
    parameters: DomainParameters,
    /// PK_Map,IC.
    mapped: Vec<u8>,
    /// CA_IC, the quotient of the chip's two private keys.
    quotient: Zeroizing<Vec<u8>>,
}

impl MappedChipKey {
    /// Decrypts the chip's data; nothing where that gives no number.
    pub(super) fn open(
        keys: &SessionKeys,
        parameters: DomainParameters,
        mapped: Vec<u8>,
        sealed: &[u8],
    ) -> Result<Option<Self>, CryptoError> {
        let most = Group::new(parameters)?.key_length() + BLOCK;
        if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) || sealed.len() > most {
            return Ok(None);
        }
        let mut quotient = aes_cbc_decrypt(&keys.encryption, sealed)?;
        let iv = aes_ecb_encrypt(&keys.encryption, &[0xFF; BLOCK])?;
        for (to, from) in quotient.iter_mut().zip(iv.iter()) {
            *to ^= from;
        }
        let Some(length) = unpadded(&quotient, BLOCK) else {
            return Ok(None);
        };
        quotient.truncate(length);
        Ok(Some(Self {
            parameters,
            mapped,
            quotient,
        }))
    }

    /// Checks that the chip has this static key.
    ///
    /// # Errors
    /// [`MappedChipKeyError`].
    pub fn verify(&self, key: &AgreementKey) -> Result<(), MappedChipKeyError> {
        if key.parameters() != self.parameters {
            return Err(MappedChipKeyError::OtherGroup);
        }
        let group = Group::new(self.parameters)?;
        let element = key.element(&group).map_err(|error| match error {
            DomainParametersError::Crypto(error) => MappedChipKeyError::Crypto(error),
            _ => MappedChipKeyError::NotProved,
        })?;
        let expected = group.power(&element, &Scalar::new(&self.quotient)?)?;
        let proved = !group.is_neutral(&expected)
            && bool::from(group.encode(&expected)?.ct_eq(&self.mapped));
        proved.then_some(()).ok_or(MappedChipKeyError::NotProved)
    }
}

impl std::fmt::Debug for MappedChipKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MappedChipKey")
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}
