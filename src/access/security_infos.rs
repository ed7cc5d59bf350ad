//! What a chip says it speaks: SecurityInfos of EF.CardAccess, EF.CardSecurity and DG14
//! (*ICAO 9303-11 §9.2*, *TR-03110-3 §A.1.1*).
//!
//! ```text
//!   SET OF SEQUENCE { protocol OID, required ANY, optional ANY }
//!          │  OID known: its own structure, or an error
//!          └  OID unknown: kept as it is
//! ```
//!
//! EF.CardAccess is not signed: whoever stands between can change it. What was read there is
//! compared with DG14 or EF.CardSecurity once these are verified, see
//! [`SecurityInfos::contains_all`].

mod info;
mod protocols;

use der::asn1::{AnyRef, SetOfVec};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use thiserror::Error;

pub use info::{
    ActiveAuthenticationInfo, CardInfo, ChipAuthenticationDomainParameterInfo,
    ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, FileId, PaceDomainParameterInfo,
    PaceInfo, SecurityInfo, TerminalAuthenticationInfo,
};
pub use protocols::{ChipAuthenticationProtocol, KeyAgreement, Mapping, PaceProtocol};

/// Longest SecurityInfos that are read, bytes: more than any file of them holds.
const MAX_LENGTH: usize = 0x1_0000;
/// Most of them in one file.
const MAX_INFOS: usize = 128;

/// Says why bytes are no SecurityInfos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecurityInfosError {
    /// There are too many bytes.
    #[error("SecurityInfos of {0} bytes; 65536 are the most")]
    TooLong(usize),
    /// The bytes are no set in DER.
    #[error("SecurityInfos are no SET in DER")]
    Set,
    /// There are too many of them.
    #[error("more than 128 SecurityInfos")]
    TooMany,
    /// One is malformed; the first has number 1.
    #[error("SecurityInfo {0} is malformed")]
    Info(usize),
    /// It has no encoding: too long.
    #[error("SecurityInfos have no encoding")]
    Encode,
}

/// A set of [`SecurityInfo`], in the order in which they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityInfos(Vec<SecurityInfo>);

impl SecurityInfos {
    /// Takes what an issuer wants to say.
    pub fn new(infos: impl IntoIterator<Item = SecurityInfo>) -> Self {
        Self(infos.into_iter().collect())
    }

    /// Reads the set, as EF.CardAccess holds it, and DG14 under its tag. Chips in the field do
    /// not sort it.
    ///
    /// # Errors
    /// [`SecurityInfosError`].
    pub fn parse(der: &[u8]) -> Result<Self, SecurityInfosError> {
        if der.len() > MAX_LENGTH {
            return Err(SecurityInfosError::TooLong(der.len()));
        }
        let set = AnyRef::from_der(der).map_err(|_| SecurityInfosError::Set)?;
        if set.tag() != Tag::Set {
            return Err(SecurityInfosError::Set);
        }
        let mut reader = SliceReader::new(set.value()).map_err(|_| SecurityInfosError::Set)?;
        let mut infos = Vec::new();
        while !reader.is_finished() {
            if infos.len() == MAX_INFOS {
                return Err(SecurityInfosError::TooMany);
            }
            let at = infos.len() + 1;
            let der = reader
                .tlv_bytes()
                .map_err(|_| SecurityInfosError::Info(at))?;
            infos.push(SecurityInfo::parse(der).ok_or(SecurityInfosError::Info(at))?);
        }
        Ok(Self(infos))
    }

    /// Returns the set in DER, sorted.
    ///
    /// # Errors
    /// [`SecurityInfosError::Encode`] where an entry is too long, or says the same as another.
    pub fn to_der(&self) -> Result<Vec<u8>, SecurityInfosError> {
        let encode = || {
            let infos: Result<Vec<_>, _> = self.0.iter().map(SecurityInfo::to_der).collect();
            let infos = infos?;
            let infos: Result<Vec<_>, _> = infos.iter().map(|der| AnyRef::from_der(der)).collect();
            SetOfVec::try_from(infos?)?.to_der()
        };
        encode().map_err(|_: der::Error| SecurityInfosError::Encode)
    }

    /// Iterates over all of them.
    pub fn iter(&self) -> std::slice::Iter<'_, SecurityInfo> {
        self.0.iter()
    }

    /// Says whether every one of `others` is here too: whether what EF.CardAccess said is what
    /// the issuer signed (*ICAO 9303-11 §9.2.1*, *TR-03110-2 §3.2.1*).
    pub fn contains_all(&self, others: &Self) -> bool {
        others.iter().all(|info| self.0.contains(info))
    }

    /// Iterates over the PACE protocols.
    pub fn pace(&self) -> impl Iterator<Item = &PaceInfo> {
        self.iter().filter_map(|info| match info {
            SecurityInfo::Pace(info) => Some(info),
            _ => None,
        })
    }

    /// Iterates over PACE's explicit domain parameters.
    pub fn pace_domain_parameters(&self) -> impl Iterator<Item = &PaceDomainParameterInfo> {
        self.iter().filter_map(|info| match info {
            SecurityInfo::PaceDomainParameters(info) => Some(info),
            _ => None,
        })
    }

    /// Iterates over the chip authentication protocols.
    pub fn chip_authentication(&self) -> impl Iterator<Item = &ChipAuthenticationInfo> {
        self.iter().filter_map(|info| match info {
            SecurityInfo::ChipAuthentication(info) => Some(info),
            _ => None,
        })
    }

    /// Iterates over the public keys of chip authentication.
    pub fn chip_authentication_keys(
        &self,
    ) -> impl Iterator<Item = &ChipAuthenticationPublicKeyInfo> {
        self.iter().filter_map(|info| match info {
            SecurityInfo::ChipAuthenticationPublicKey(info) => Some(info),
            _ => None,
        })
    }

    /// Iterates over what is said of terminal authentication.
    pub fn terminal_authentication(&self) -> impl Iterator<Item = &TerminalAuthenticationInfo> {
        self.iter().filter_map(|info| match info {
            SecurityInfo::TerminalAuthentication(info) => Some(info),
            _ => None,
        })
    }

    /// Returns what is said of active authentication.
    pub fn active_authentication(&self) -> Option<&ActiveAuthenticationInfo> {
        self.iter().find_map(|info| match info {
            SecurityInfo::ActiveAuthentication(info) => Some(info),
            _ => None,
        })
    }
}

impl<'a> IntoIterator for &'a SecurityInfos {
    type Item = &'a SecurityInfo;
    type IntoIter = std::slice::Iter<'a, SecurityInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
