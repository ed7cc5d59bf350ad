//! Which of the PACE protocols that a chip offers is run.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::domain_parameters::{DomainParameters, DomainParametersError};
use crate::security_infos::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfos};
use crate::session_keys::Cipher;

/// The only version of PACE that documents have.
const VERSION: u64 = 2;

/// Says why a PACE protocol is not run.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum PaceChoiceError {
    /// The chip offers no PACE.
    #[error("chip offers no PACE")]
    None,
    /// The chip offers a version that no document has.
    #[error("chip offers PACE version {0}; version 2 is spoken")]
    Version(u64),
    /// The parameters' number refers to nothing, or to parameters for another kind of group.
    #[error("chip does not say in which group it runs PACE")]
    Parameters,
    /// The parameters are not used.
    #[error(transparent)]
    Group(#[from] DomainParametersError),
}

/// A PACE protocol in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceChoice {
    protocol: PaceProtocol,
    parameters: DomainParameters,
    reference: Option<u64>,
}

impl PaceChoice {
    /// Takes the best of what EF.CardAccess offers: elliptic curves before numbers, then chip
    /// authentication mapping, which saves a protocol later, then generic and integrated
    /// mapping, then the longer key of the cipher.
    ///
    /// # Errors
    /// [`PaceChoiceError`] of the first offer where none can be run.
    pub fn best(infos: &SecurityInfos) -> Result<Self, PaceChoiceError> {
        let mut fault = None;
        let mut best: Option<Self> = None;
        for info in infos.pace() {
            match Self::of(info, infos) {
                Ok(choice) if best.is_none_or(|best| choice.rank() > best.rank()) => {
                    best = Some(choice);
                }
                Ok(_) => {}
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        best.ok_or(fault.unwrap_or(PaceChoiceError::None))
    }

    /// Takes this one of the chip's offers.
    ///
    /// # Errors
    /// [`PaceChoiceError`].
    pub fn of(info: &PaceInfo, infos: &SecurityInfos) -> Result<Self, PaceChoiceError> {
        let protocol = info.protocol;
        if info.version != VERSION {
            return Err(PaceChoiceError::Version(info.version));
        }
        let mut explicit = infos.pace_domain_parameters().filter(|each| {
            each.agreement == protocol.agreement
                && (info.parameter_id.is_none() || each.parameter_id == info.parameter_id)
        });
        let standardized = info.parameter_id.and_then(DomainParameters::from_id);
        let parameters = match (standardized, explicit.next()) {
            (Some(parameters), _) => parameters,
            (None, Some(explicit)) => explicit.parameters()?,
            (None, None) => return Err(PaceChoiceError::Parameters),
        };
        if parameters.is_curve() != (protocol.agreement == KeyAgreement::Ecdh) {
            return Err(PaceChoiceError::Parameters);
        }
        // The chip is told the group only where it offers several.
        let offered: BTreeSet<_> = infos.pace().map(|each| each.parameter_id).collect();
        Ok(Self {
            protocol,
            parameters,
            reference: info.parameter_id.filter(|_| offered.len() > 1),
        })
    }

    /// Returns the choice with the group named to the chip, whether it needs that or not.
    #[must_use]
    pub fn with_reference(self, reference: u64) -> Self {
        let reference = Some(reference);
        Self { reference, ..self }
    }

    /// Returns the protocol.
    pub fn protocol(&self) -> PaceProtocol {
        self.protocol
    }

    /// Returns the group.
    pub fn parameters(&self) -> DomainParameters {
        self.parameters
    }

    /// Returns the number by which the chip is told the group.
    pub(super) fn reference(&self) -> Option<u64> {
        self.reference
    }

    fn rank(&self) -> (bool, u8, u8) {
        let mapping = match self.protocol.mapping {
            Mapping::ChipAuthentication => 2,
            Mapping::Generic => 1,
            Mapping::Integrated => 0,
        };
        let cipher = match self.protocol.cipher {
            Cipher::Aes256 => 3,
            Cipher::Aes192 => 2,
            Cipher::Aes128 => 1,
            Cipher::TripleDes => 0,
        };
        (self.parameters.is_curve(), mapping, cipher)
    }
}
