//! Which of a chip's keys is proved, and by which protocol.

use thiserror::Error;

use crate::domain_parameters::{AgreementKey, DomainParametersError};
use crate::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo,
    SecurityInfos,
};
use crate::session_keys::Cipher;

/// Says why chip authentication is not run.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ChipAuthenticationChoiceError {
    /// The chip has no key for it.
    #[error("chip has no key for chip authentication of version {0}")]
    None(u64),
    /// Protocol and key are not a pair.
    #[error("chip does not say which key its chip authentication is for")]
    Key,
    /// The key is not used.
    #[error(transparent)]
    Group(#[from] DomainParametersError),
}

/// A chip authentication protocol with the chip's key. The key is worth what the signature over
/// the file is worth in which it stood: DG14, or EF.CardSecurity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAuthenticationChoice {
    protocol: ChipAuthenticationProtocol,
    version: u64,
    key: AgreementKey,
    key_id: Option<u64>,
}

impl ChipAuthenticationChoice {
    /// Takes the best of what a file offers in this version, 1 or 2: elliptic curves before
    /// numbers, then the longer key of the cipher.
    ///
    /// # Errors
    /// [`ChipAuthenticationChoiceError`] of the first offer where none can be run.
    pub fn best(
        infos: &SecurityInfos,
        version: u64,
    ) -> Result<Self, ChipAuthenticationChoiceError> {
        let mut offers: Vec<_> = infos
            .chip_authentication()
            .filter(|info| info.version == version)
            .copied()
            .collect();
        if version == 1 && infos.chip_authentication().next().is_none() {
            // Documents in the field have a key and nothing more: then it is for triple DES.
            offers.extend(infos.chip_authentication_keys().map(legacy));
        }
        let mut fault = None;
        let mut best: Option<Self> = None;
        for info in &offers {
            match Self::of(info, infos) {
                Ok(choice) if best.as_ref().is_none_or(|best| choice.rank() > best.rank()) => {
                    best = Some(choice);
                }
                Ok(_) => {}
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        best.ok_or(fault.unwrap_or(ChipAuthenticationChoiceError::None(version)))
    }

    /// Takes this one of the chip's offers.
    ///
    /// # Errors
    /// [`ChipAuthenticationChoiceError`].
    pub fn of(
        info: &ChipAuthenticationInfo,
        infos: &SecurityInfos,
    ) -> Result<Self, ChipAuthenticationChoiceError> {
        if !matches!(info.version, 1 | 2) {
            return Err(ChipAuthenticationChoiceError::None(info.version));
        }
        let mut keys = infos.chip_authentication_keys().filter(|key| {
            key.agreement == info.protocol.agreement
                && (info.key_id.is_none() || key.key_id == info.key_id)
        });
        let (Some(key), None) = (keys.next(), keys.next()) else {
            return Err(ChipAuthenticationChoiceError::Key);
        };
        Ok(Self {
            protocol: info.protocol,
            version: info.version,
            key: key.key()?,
            key_id: info.key_id,
        })
    }

    /// Returns the protocol.
    pub fn protocol(&self) -> ChipAuthenticationProtocol {
        self.protocol
    }

    /// Returns the version, 1 or 2.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the chip's static key.
    pub fn key(&self) -> &AgreementKey {
        &self.key
    }

    /// Returns the key's number, where the chip has several.
    pub fn key_id(&self) -> Option<u64> {
        self.key_id
    }

    fn rank(&self) -> (bool, u8) {
        let cipher = match self.protocol.cipher {
            Cipher::Aes256 => 3,
            Cipher::Aes192 => 2,
            Cipher::Aes128 => 1,
            Cipher::TripleDes => 0,
        };
        (self.key.parameters().is_curve(), cipher)
    }
}

fn legacy(key: &ChipAuthenticationPublicKeyInfo) -> ChipAuthenticationInfo {
    ChipAuthenticationInfo {
        protocol: ChipAuthenticationProtocol {
            agreement: key.agreement,
            cipher: Cipher::TripleDes,
        },
        version: 1,
        key_id: key.key_id,
    }
}
